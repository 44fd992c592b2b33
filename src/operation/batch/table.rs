//! The trials of a batch to look at and to keep: `--print-trials`, `--save-trials`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::operation::FlagValues;
use crate::operation::encode::as_shown;

/// In which form trials are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableForm {
    /// Comma-separated values, with names in the first line.
    Csv,
    /// A list of maps.
    Json,
}

/// Returns the form that the name of a file asks for; `None` where there is none.
pub(crate) fn table_form(path: &Path) -> Option<TableForm> {
    match path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).as_deref() {
        None | Some("csv") => Some(TableForm::Csv),
        Some("json") => Some(TableForm::Json),
        Some(_) => None,
    }
}

/// Returns the trials as a table for people: a number and the flags of each.
pub(crate) fn table(trials: &[FlagValues]) -> String {
    let names = names(trials);
    let mut rows = vec![std::iter::once("#").chain(names.iter().copied()).map(str::to_owned).collect::<Vec<_>>()];
    for (at, trial) in trials.iter().enumerate() {
        let cells = names.iter().map(|name| trial.get(*name).map(as_shown).unwrap_or_default());
        rows.push(std::iter::once((at + 1).to_string()).chain(cells).collect());
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| unicode_width::UnicodeWidthStr::width(cell.as_str())).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..=names.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| {
            let pad = width.saturating_sub(unicode_width::UnicodeWidthStr::width(cell.as_str()));
            format!("{cell}{}", " ".repeat(pad))
        });
        let line: String = cells.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

/// Returns the trials as comma-separated values, which `@FILE` reads back.
pub(crate) fn as_csv(trials: &[FlagValues]) -> Result<Vec<u8>, csv::Error> {
    let names = names(trials);
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
    writer.write_record(&names)?;
    for trial in trials {
        writer.write_record(names.iter().map(|name| trial.get(*name).map(as_shown).unwrap_or_default()))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// Returns the trials as JSON, which `@FILE` reads back.
pub(crate) fn as_json(trials: &[FlagValues]) -> String {
    format!("{}\n", Value::Array(trials.iter().map(|trial| serde_json::json!(trial)).collect()))
}

fn names(trials: &[FlagValues]) -> Vec<&str> {
    let names: BTreeSet<&str> = trials.iter().flat_map(|trial| trial.keys().map(String::as_str)).collect();
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn trials() -> Vec<FlagValues> {
        let trial = |value: Value| value.as_object().unwrap().clone().into_iter().collect();
        vec![trial(json!({"lr": 0.1, "opt": "a, b"})), trial(json!({"lr": 0.01, "flag": true}))]
    }

    #[test]
    fn trials_are_a_table() {
        assert_eq!(table(&trials()), "#  flag  lr    opt\n1        0.1   a, b\n2  yes   0.01\n");
        assert_eq!(table(&[]), "#\n");
        let csv = String::from_utf8(as_csv(&trials()).unwrap()).unwrap();
        assert_eq!(csv, "flag,lr,opt\n,0.1,\"a, b\"\nyes,0.01,\n");
        assert_eq!(as_json(&trials()), "[{\"lr\":0.1,\"opt\":\"a, b\"},{\"flag\":true,\"lr\":0.01}]\n");
    }

    #[test]
    fn the_name_of_a_file_says_its_form() {
        let cases = [
            ("t.csv", Some(TableForm::Csv)),
            ("t", Some(TableForm::Csv)),
            ("t.JSON", Some(TableForm::Json)),
            ("t.yml", None),
        ];
        for (name, expected) in cases {
            assert_eq!(table_form(Path::new(name)), expected, "{name}");
        }
    }
}
