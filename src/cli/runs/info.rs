//! `rille runs info`: everything that is recorded of one run.

use std::fmt::Write as _;

use chrono::{DateTime, Local, SecondsFormat, Utc};
use clap::Args;
use serde_json::Value;

use crate::cli::Failure;
use crate::cli::output::{one_line, write_json, write_out};
use crate::store::{self, Home, RunDetails};

/// Attributes that have a line of their own above the others, or are too long for a page.
const SHOWN_ELSEWHERE: [&str; 12] = [
    "cmd",
    "env",
    "exit_status",
    "flags",
    "id",
    "initialized",
    "label",
    "marked",
    "pip_freeze",
    "started",
    "stopped",
    "tags",
];

/// Which run is described, and how.
#[derive(Args, Debug)]
pub(crate) struct InfoArgs {
    /// The run: its id, the beginning of it, `latest`, or the path of its directory
    #[arg(value_name = "RUN", default_value = "latest")]
    id: String,
    /// Write JSON, with every attribute
    #[arg(long)]
    json: bool,
}

/// Describes a run.
pub(crate) fn main(args: &InfoArgs, home: &Home) -> Result<i32, Failure> {
    let details = store::load(&home.find(&args.id)?)?;
    if args.json {
        write_json(&details)?;
    } else {
        write_out(&describe(&details))?;
    }
    Ok(0)
}

/// Returns the description, one `name: value` a line, what is nested indented below its name.
fn describe(details: &RunDetails) -> String {
    let info = &details.info;
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{}", format!("{name}: {}", one_line(value)).trim_end());
    };
    line("id", &info.id);
    line("operation", info.operation.as_deref().unwrap_or("?"));
    line("from", info.opref.as_deref().unwrap_or_default());
    line("status", info.status.name());
    if let Some(damage) = &info.damage {
        line("damage", damage);
    }
    line("initialized", &local_time(info.initialized));
    line("started", &local_time(info.started));
    line("stopped", &local_time(info.stopped));
    line("exit_status", &info.exit_status.map(|status| status.to_string()).unwrap_or_default());
    line("label", info.label.as_deref().unwrap_or_default());
    line("tags", &info.tags.join(" "));
    line("marked", if info.marked { "yes" } else { "no" });
    line("command", &command(details.attrs.get("cmd")));
    line("run_dir", &info.path.to_string_lossy());
    let flags = Value::Object(details.flags.clone());
    nested(&mut text, "flags", &flags, 0);
    for (name, value) in &details.attrs {
        if !SHOWN_ELSEWHERE.contains(&name.as_str()) {
            nested(&mut text, name, value, 0);
        }
    }
    text
}

fn local_time(time: Option<DateTime<Utc>>) -> String {
    time.map(|time| time.with_timezone(&Local).to_rfc3339_opts(SecondsFormat::Millis, false).replacen('T', " ", 1))
        .unwrap_or_default()
}

/// Returns the attribute `cmd` as one would type it.
fn command(cmd: Option<&Value>) -> String {
    let words = cmd.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let quoted = words.iter().filter_map(Value::as_str).filter_map(|word| shlex::try_quote(word).ok());
    quoted.collect::<Vec<_>>().join(" ")
}

/// Adds a value with its name, and below it what it holds.
fn nested(text: &mut String, name: &str, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    let name = one_line(name);
    match value {
        Value::Object(map) if !map.is_empty() => {
            let _ = writeln!(text, "{indent}{name}:");
            for (name, value) in map {
                nested(text, name, value, depth + 1);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let _ = writeln!(text, "{indent}{name}:");
            for item in items {
                let _ = writeln!(text, "{indent}  - {}", scalar(item));
            }
        }
        value => {
            let _ = writeln!(text, "{}", format!("{indent}{name}: {}", scalar(value)).trim_end());
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        // What would break the line is shown in the escapes of JSON.
        Value::String(text) if text.contains(char::is_control) => value.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => String::new(),
        Value::Object(map) if map.is_empty() => String::new(),
        other => one_line(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_nested_stands_below_its_name() {
        let value = json!({"a": [1, "x\ny"], "b": {"c": null, "d": {}}, "e": "00500"});
        let mut text = String::new();
        nested(&mut text, "flags", &value, 0);
        assert_eq!(text, "flags:\n  a:\n    - 1\n    - \"x\\ny\"\n  b:\n    c:\n    d:\n  e: 00500\n");
    }

    #[test]
    fn the_command_can_be_typed_again() {
        assert_eq!(command(Some(&json!(["rille", "run", "my job.lua"]))), "rille run 'my job.lua'");
        assert_eq!(command(None), "");
    }
}
