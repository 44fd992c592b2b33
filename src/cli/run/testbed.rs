//! Reading a testbed file: YAML, JSON, or Lua that returns a table.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde_json::Value;

use crate::cli::Failure;
use crate::cli::near::near_file;
use crate::script;

/// Returns what the file holds.
pub(super) fn read(path: &Path) -> Result<Value, Failure> {
    let shown = path.display();
    let text = fs::read(path).map_err(|error| {
        let failure = Failure::usage(format!("cannot read the testbed '{shown}': {error}"));
        match near_file(path).filter(|_| error.kind() == ErrorKind::NotFound) {
            Some(near) => failure.hint(format!("did you mean '{near}'?")),
            None => failure,
        }
    })?;
    let wrong = |problem: String| Failure::usage(format!("the testbed '{shown}' cannot be used: {problem}"));
    let value: Value = match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?,
        Some("yaml" | "yml") => serde_saphyr::from_slice(&text).map_err(|error| wrong(error.to_string()))?,
        Some("lua") => script::read_table(path, &text).map_err(wrong)?,
        _ => return Err(wrong("its name must end in .yaml, .yml, .json or .lua".to_owned())),
    };
    match value {
        Value::Object(_) | Value::Array(_) => Ok(value),
        // Tasks would see no testbed, and nobody why.
        Value::Null => Err(wrong("it is empty".to_owned())),
        other => Err(wrong(format!("it must hold a table of names and values, not just {other}"))),
    }
}
