//! Reading a testbed file: YAML, JSON, or Lua that returns a table.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde_json::Value as Json;

use crate::cli::Failure;
use crate::cli::near::near_file;
use crate::model::{MAX_DEPTH, Value, YamlSchema, os_text, read_yaml};
use crate::script;

/// Returns what the file holds, in the JSON of values.
pub(super) fn read(path: &Path) -> Result<Json, Failure> {
    let shown = path.display();
    let text = fs::read(path).map_err(|error| {
        let failure = Failure::usage(format!("cannot read the testbed '{shown}': {}", os_text(&error)));
        match near_file(path).filter(|_| error.kind() == ErrorKind::NotFound) {
            Some(near) => failure.hint(format!("did you mean '{near}'?")),
            None => failure,
        }
    })?;
    let wrong = |problem: String| Failure::usage(format!("the testbed '{shown}' cannot be used: {problem}"));
    let value = match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => json(&text).map_err(wrong)?,
        Some("yaml" | "yml") => yaml(&text).map_err(wrong)?,
        Some("lua") => script::read_table(path, &text).map_err(|error| wrong(error.to_string()))?,
        _ => return Err(wrong("its name must end in .yaml, .yml, .json or .lua".to_owned())),
    };
    match value {
        Value::Map(_) | Value::List(_) => Ok(value.into()),
        // Tasks would see no testbed, and nobody why.
        Value::Null => Err(wrong("it is empty".to_owned())),
        other => Err(wrong(format!("it must hold a table of names and values, not just {other}"))),
    }
}

/// Reads YAML as the testbeds of others are written: in version 1.1, unless the file says otherwise.
fn yaml(text: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(text).map_err(|error| {
        let line = 1 + memchr::memchr_iter(b'\n', &text[..error.valid_up_to()]).count();
        format!("line {line} holds bytes that are not UTF-8")
    })?;
    read_yaml(text, YamlSchema::Old).map_err(|mistake| mistake.to_string())
}

fn json(text: &[u8]) -> Result<Value, String> {
    let value: Value = serde_json::from_slice(text).map_err(|error| {
        let words = error.to_string();
        let words = match words.split(" at line ").next().unwrap_or(&words) {
            _ if error.is_eof() => "it ends too early",
            "trailing characters" => "more follows behind its end",
            "recursion limit exceeded" => "values are nested too deep",
            words => words,
        };
        format!("line {}: this is not JSON: {words}", error.line())
    })?;
    match value.json_depth() > MAX_DEPTH {
        true => Err(format!("values are nested more than {MAX_DEPTH} deep")),
        false => Ok(value),
    }
}
