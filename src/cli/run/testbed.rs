//! Reading a testbed file: YAML, JSON, or Lua that returns a table.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::cli::Failure;
use crate::script;

/// Returns what the file holds.
pub(super) fn read(path: &Path) -> Result<Value, Failure> {
    let shown = path.display();
    let text = fs::read(path).map_err(|error| Failure::usage(format!("cannot read the testbed '{shown}': {error}")))?;
    let wrong = |problem: String| Failure::usage(format!("the testbed '{shown}' cannot be used: {problem}"));
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => serde_json::from_slice(&text).map_err(|error| wrong(error.to_string())),
        Some("yaml" | "yml") => serde_saphyr::from_slice(&text).map_err(|error| wrong(error.to_string())),
        Some("lua") => script::read_table(path, &text).map_err(wrong),
        _ => Err(wrong("its name must end in .yaml, .yml, .json or .lua".to_owned())),
    }
}
