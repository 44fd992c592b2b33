//! The trials of a batch as a table: what each was given and what it came to.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::duration;
use super::lines::short;
use super::row::Row;
use super::style::{Paint, clean, clean_first_line};
use super::summary::Summary;
use super::tree;

/// With more trials than this, those that are good are not listed.
const LIST_ALL: usize = 40;

/// Columns of scalars; `rille runs compare` has them all.
const MAX_SCALARS: usize = 8;

/// Characters of a value that fit a cell, and of a reason that fit a line.
const CELL_CHARS: usize = 40;
const REASON_CHARS: usize = 120;

/// Returns whether the run is a batch whose trials are known.
pub(super) fn has_trials(summary: &Summary) -> bool {
    summary.rows().iter().any(|row| row.trial().is_some())
}

/// Writes the name of the batch and a line for each trial.
pub(super) fn write(out: &mut String, summary: &Summary, still_running: bool, paint: Paint) -> fmt::Result {
    let rows = summary.rows();
    let is_long = rows.len() > LIST_ALL;
    let shown: Vec<&Row> = rows.iter().filter(|row| !is_long || !row.is_good()).take(LIST_ALL).collect();
    let trials = || shown.iter().filter_map(|row| row.trial());
    let flags: BTreeSet<&String> = trials().flat_map(|trial| trial.flags.keys()).collect();
    let scalars: BTreeSet<&String> = trials().flat_map(|trial| trial.scalars.keys()).collect();
    let scalars: Vec<&String> = scalars.into_iter().take(MAX_SCALARS).collect();

    let mut head: Vec<String> = vec!["trial".to_owned()];
    head.extend(flags.iter().chain(&scalars).map(|name| clean(name, Paint::default()).into_owned()));
    let cells = |row: &Row| {
        let trial = row.trial();
        let mut cells = vec![trial.map_or_else(|| "-".to_owned(), |trial| short(&trial.run).to_owned())];
        let flag = |name: &&String| trial.and_then(|trial| trial.flags.get(*name)).map(shown_value).unwrap_or_default();
        let scalar = |name: &&String| trial.and_then(|trial| trial.scalars.get(*name)).map(number).unwrap_or_default();
        cells.extend(flags.iter().map(flag));
        cells.extend(scalars.iter().map(scalar));
        cells
    };
    let table: Vec<Vec<String>> = shown.iter().map(|row| cells(row)).collect();
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            let cells = std::iter::once(&head).chain(&table).filter_map(|line| line.get(column));
            cells.map(|cell| cell.width()).max().unwrap_or_default()
        })
        .collect();
    let line = |cells: &[String]| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width()))));
        padded.collect::<Vec<_>>().join("  ")
    };

    writeln!(out, "{}", paint.bold(clean(&summary.name, paint)))?;
    if !shown.is_empty() {
        writeln!(out, "{}", paint.dim(format_args!("{}  {:8}  {:>9}", line(&head), "state", "time")))?;
    }
    for (row, cells) in shown.iter().zip(&table) {
        let word = format!("{:8}", tree::state(row, summary.is_complete(), still_running));
        let word = match row.outcome {
            None => paint.warning(word).to_string(),
            Some(outcome) => paint.outcome(outcome, word).to_string(),
        };
        let time =
            if row.outcome.is_some() && row.attempts > 0 { duration::words(row.seconds) } else { "-".to_owned() };
        let reason = row.reason().map(|reason| clean_first_line(reason, REASON_CHARS, paint)).unwrap_or_default();
        let text = format!("{}  {word}  {time:>9}  {reason}", line(cells));
        writeln!(out, "{}", text.trim_end())?;
    }
    let left = rows.len() - shown.len();
    if left > 0 {
        let what =
            format!("{left} more are not listed; 'rille runs compare' shows every trial with its flags and scalars");
        writeln!(out, "{}", paint.dim(what))?;
    }
    Ok(())
}

fn shown_value(value: &Value) -> String {
    let text = match value {
        // The id of a run.
        Value::String(text) if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            short(text).to_owned()
        }
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    };
    clean_first_line(&text, CELL_CHARS, Paint::default()).into_owned()
}

/// Returns a scalar with six digits that count: it has 32 bits, of which more would say nothing.
fn number(value: &Value) -> String {
    let Some(number) = value.as_f64() else { return shown_value(value) };
    let magnitude = number.abs();
    if number == 0.0 || (1e-4..1e6).contains(&magnitude) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 9")]
        let digits = if magnitude == 0.0 { 0 } else { (5.0 - magnitude.log10().floor()).clamp(0.0, 9.0) as usize };
        let text = format!("{number:.digits$}");
        return match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        };
    }
    format!("{number:.5e}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixture::{finished, fold, queued, run_started, started};
    use super::*;
    use crate::model::{EventKind, Outcome, Trial, TrialMeasured};

    fn measured(task: u32, flags: &Value, scalars: &Value) -> EventKind {
        let map = |value: &Value| value.as_object().unwrap().clone().into_iter().collect();
        let trial = Trial { run: format!("{task:08}abc"), flags: map(flags), scalars: map(scalars) };
        EventKind::TrialMeasured(Box::new(TrialMeasured { task, trial }))
    }

    #[test]
    fn flags_and_scalars_stand_in_columns() {
        let mut kinds = vec![run_started()];
        kinds.extend([queued(1, "lr=0.1", 0), queued(2, "lr=0.2", 0), started(1, 1), started(2, 1)]);
        kinds.push(measured(
            1,
            &json!({"lr": 0.1, "opt": "adam"}),
            &json!({"loss": 0.400_000_005_9, "n": 12_345_678.0}),
        ));
        kinds.push(EventKind::TaskFinished(Box::new(finished(1, Outcome::Passed, None))));
        kinds.push(measured(2, &json!({"lr": 0.2, "opt": "a\nb"}), &json!({"loss": "nan"})));
        kinds.push(EventKind::TaskFinished(Box::new(finished(2, Outcome::Failed, None))));
        let summary = fold(kinds);
        assert!(has_trials(&summary));
        let mut out = String::new();
        write(&mut out, &summary, false, Paint::default()).unwrap();
        let lines: Vec<&str> = out.lines().skip(1).collect();
        assert_eq!(lines[0], "trial     lr   opt   loss  n          state          time");
        assert!(lines[1].starts_with("00000001  0.1  adam  0.4   1.23457e7  PASSED  "), "{out}");
        assert!(lines[2].starts_with("00000002  0.2  a     nan              FAILED  "), "{out}");
    }

    #[test]
    fn numbers_have_the_digits_that_count() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (0.123_456_789, "0.123457"),
            (123_456.7, "123457"),
            (1e-9, "1.00000e-9"),
            (-2.5, "-2.5"),
        ];
        for (value, expected) in cases {
            assert_eq!(number(&json!(value)), expected);
        }
    }
}
