//! Files of trials: a row of a CSV file, or a map of a JSON or YAML file, is a trial.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::operation::flags::Cell;
use crate::operation::guildfile::parse_yaml;

/// Why a file of trials cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrialFileError {
    /// It is not there.
    #[error("batch file {0} does not exist")]
    Missing(String),
    /// It cannot be read.
    #[error("cannot read trials for {path}: {source}")]
    Unreadable {
        /// Its path, as it was given.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Its name does not tell what it holds.
    #[error("cannot read trials for {0}: unsupported extension")]
    Extension(String),
    /// What it holds is not of the kind that its name tells.
    #[error("cannot read trials for {path}: {what}")]
    Syntax {
        /// Its path, as it was given.
        path: String,
        /// What is wrong, and where.
        what: String,
    },
    /// It holds something else than trials.
    #[error("cannot read trials for {path}: invalid data type for trials: expected list or dict, got {found}")]
    NoTrials {
        /// Its path, as it was given.
        path: String,
        /// What it holds.
        found: &'static str,
    },
}

/// What a file says of a trial: names of flags and their values.
pub(crate) type Cells = Vec<(String, Cell)>;

/// Reads the trials of a file; `shown` is its path as it was given.
pub(crate) fn read_file(path: &Path, shown: &str) -> Result<Vec<Cells>, TrialFileError> {
    let shown = || shown.to_owned();
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
    let read: fn(&str, String) -> Result<Vec<Cells>, TrialFileError> = match extension.as_str() {
        "csv" => of_csv,
        "json" => of_json,
        "yml" | "yaml" => of_yaml,
        _ if !path.exists() => return Err(TrialFileError::Missing(shown())),
        _ => return Err(TrialFileError::Extension(shown())),
    };
    let bytes = std::fs::read(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => TrialFileError::Missing(shown()),
        _ => TrialFileError::Unreadable { path: shown(), source },
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|error| TrialFileError::Syntax { path: shown(), what: format!("it is not UTF-8 ({error})") })?;
    read(text.strip_prefix('\u{feff}').unwrap_or(&text), shown())
}

/// Reads rows, whose names are in the first one.
fn of_csv(text: &str, path: String) -> Result<Vec<Cells>, TrialFileError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(text.as_bytes());
    let failed = |error: &csv::Error| TrialFileError::Syntax { path: path.clone(), what: error.to_string() };
    let names: Vec<String> = reader.headers().map_err(|error| failed(&error))?.iter().map(str::to_owned).collect();
    if let Some(at) = names.iter().position(String::is_empty) {
        let what = format!("column {} of its first line has no name", at + 1);
        return Err(TrialFileError::Syntax { path, what });
    }
    let row = |record: Result<csv::StringRecord, csv::Error>| {
        let record = record.map_err(|error| failed(&error))?;
        Ok(names.iter().cloned().zip(record.iter().map(|cell| Cell::Text(cell.to_owned()))).collect())
    };
    reader.records().map(row).collect()
}

fn of_json(text: &str, path: String) -> Result<Vec<Cells>, TrialFileError> {
    match serde_json::from_str(text) {
        Ok(value) => of_value(value, path),
        Err(error) => Err(TrialFileError::Syntax { path, what: error.to_string() }),
    }
}

fn of_yaml(text: &str, path: String) -> Result<Vec<Cells>, TrialFileError> {
    match parse_yaml(text, &Arc::from(path.as_str())) {
        Ok(node) => of_value(node.to_value(), path),
        Err(mistake) => Err(TrialFileError::Syntax { path, what: mistake.to_string() }),
    }
}

/// Takes a map as a trial, and a list of maps as so many.
fn of_value(value: Value, path: String) -> Result<Vec<Cells>, TrialFileError> {
    let items = match value {
        Value::Array(items) => items,
        map @ Value::Object(_) => vec![map],
        other => return Err(TrialFileError::NoTrials { path, found: python_name(&other) }),
    };
    let trial = |(at, item): (usize, Value)| match item {
        Value::Object(map) => Ok(map.into_iter().map(|(name, value)| (name, Cell::Value(value))).collect()),
        other => {
            let what = format!("invalid data type for trial {}: expected dict, got {}", at + 1, python_name(&other));
            Err(TrialFileError::Syntax { path: path.clone(), what })
        }
    };
    items.into_iter().enumerate().map(trial).collect()
}

/// Returns the name that a type has in Python, which those who read the message write.
const fn python_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(name: &str, content: &[u8]) -> Result<Vec<Cells>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        read_file(&path, name).map_err(|error| error.to_string())
    }

    fn text(name: &str, text: &str) -> (String, Cell) {
        (name.to_owned(), Cell::Text(text.to_owned()))
    }

    fn value(name: &str, value: Value) -> (String, Cell) {
        (name.to_owned(), Cell::Value(value))
    }

    #[test]
    fn rows_and_maps_are_trials() {
        let rows = vec![vec![text("lr", "0.1"), text("a", "x, y")], vec![text("lr", "[1,2]"), text("a", "")]];
        assert_eq!(read("t.csv", b"\xef\xbb\xbflr, a\r\n0.1,\"x, y\"\r\n\"[1,2]\",\n").unwrap(), rows);
        let maps = vec![vec![value("lr", json!(0.1))], vec![value("lr", json!([1, 2])), value("b", json!(true))]];
        assert_eq!(read("t.json", br#"[{"lr": 0.1}, {"lr": [1, 2], "b": true}]"#).unwrap(), maps);
        assert_eq!(read("t.yml", b"- lr: 0.1\n- lr: [1, 2]\n  b: yes\n").unwrap(), maps);
        assert_eq!(read("t.YAML", b"lr: 0.1\n").unwrap(), maps[..1]);
        assert_eq!(read("t.csv", b"lr\n").unwrap(), Vec::<Cells>::new());
    }

    #[test]
    fn what_is_no_file_of_trials_is_told() {
        let cases: [(&str, &[u8], &str); 8] = [
            ("t.txt", b"", "cannot read trials for t.txt: unsupported extension"),
            (
                "t.json",
                b"3",
                "cannot read trials for t.json: invalid data type for trials: expected list or dict, got number",
            ),
            (
                "t.yml",
                b"",
                "cannot read trials for t.yml: invalid data type for trials: expected list or dict, got NoneType",
            ),
            (
                "t.json",
                b"[3]",
                "cannot read trials for t.json: invalid data type for trial 1: expected dict, got number",
            ),
            ("t.json", b"{", "cannot read trials for t.json: EOF while parsing an object at line 1 column 1"),
            (
                "t.csv",
                b"a,b\n1\n",
                "cannot read trials for t.csv: CSV error: record 1 (line: 2, byte: 4): found record with 1 fields, but the previous record has 2 fields",
            ),
            ("t.csv", b"a,,c\n", "cannot read trials for t.csv: column 2 of its first line has no name"),
            (
                "t.csv",
                b"a\n\xff\n",
                "cannot read trials for t.csv: it is not UTF-8 (invalid utf-8 sequence of 1 bytes from index 2)",
            ),
        ];
        for (name, content, expected) in cases {
            assert_eq!(read(name, content).unwrap_err(), expected);
        }
        let error = read_file(Path::new("/none/nope.csv"), "nope.csv").unwrap_err();
        assert_eq!(error.to_string(), "batch file nope.csv does not exist");
        let error = read_file(Path::new("/none/nope"), "nope").unwrap_err();
        assert_eq!(error.to_string(), "batch file nope does not exist");
    }
}
