//! Asking before an operation is run. Only on a terminal: what runs by itself is not held up.

use std::io::{self, BufRead, IsTerminal, Write};

use serde_json::Value;

use crate::cli::Failure;
use crate::operation::FlagValues;

/// Returns whether the user wants to go on; without a terminal, or with `--yes`, that is not asked.
pub(super) fn confirm(is_yes: bool, what: &str, values: &FlagValues) -> Result<bool, Failure> {
    if is_yes || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(true);
    }
    ask(what, values).map_err(|error| Failure::general(format!("cannot ask: {error}")))
}

fn ask(what: &str, values: &FlagValues) -> io::Result<bool> {
    let mut err = io::stderr().lock();
    writeln!(err, "You are about to {what}")?;
    for (name, value) in values {
        writeln!(err, "  {name}: {}", shown(value))?;
    }
    loop {
        write!(err, "Continue? (Y/n) ")?;
        err.flush()?;
        let mut answer = String::new();
        if io::stdin().lock().read_line(&mut answer)? == 0 {
            writeln!(err)?;
            return Ok(false);
        }
        match answer.trim().to_lowercase().as_str() {
            "" | "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => {}
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        other => other.to_string(),
    }
}
