//! `rille runs info`: everything that is recorded of one run.

use std::fmt::Write as _;

use chrono::{DateTime, Local, SecondsFormat, Utc};
use clap::Args;
use serde_json::{Map, Value, json};

use super::chosen::ChosenOne;
use super::scalars::{Scalar, as_json, scalars_of};
use crate::cli::output::{one_line, write_json, write_out};
use crate::cli::{Failure, present_masks};
use crate::model::{EntryKind, ManifestEntry, Masks};
use crate::store::tfevents::{Point, ScalarSummary};
use crate::store::{self, FileKind, Home, RunDetails, RunFile, Walk};

/// Attributes that have a line of their own above the others, or are too long for a page.
const SHOWN_ELSEWHERE: [&str; 17] = [
    "cmd",
    "comments",
    "deps",
    "env",
    "exit_status",
    "flags",
    "id",
    "initialized",
    "label",
    "marked",
    "op",
    "pip_freeze",
    "plugins",
    "run_params",
    "started",
    "stopped",
    "tags",
];

/// Which run is described, and how.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are the options that there are")]
pub(crate) struct InfoArgs {
    /// Show the environment
    #[arg(short, long)]
    env: bool,
    /// Show the dependencies that were resolved
    #[arg(short, long)]
    deps: bool,
    /// Show the manifest
    #[arg(short, long)]
    manifest: bool,
    /// Show the comments
    #[arg(short, long)]
    comments: bool,
    /// Show all scalars with all that is known of them, those of the system included
    #[arg(short = 's', long)]
    all_scalars: bool,
    /// Write JSON, with every attribute
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    chosen: ChosenOne,
}

/// Describes a run.
pub(crate) fn main(args: &InfoArgs, home: &Home) -> Result<i32, Failure> {
    let mut details = store::load(&args.chosen.find(home)?.path)?;
    mask(&mut details, &present_masks()?);
    let scalars = scalars_of(&details.info, args.all_scalars);
    let files = store::files(&details.info.path, Walk::default()).unwrap_or_default();
    if args.json {
        let mut value =
            serde_json::to_value(&details).map_err(|error| Failure::general(format!("cannot encode JSON: {error}")))?;
        value["scalars"] = as_json(&scalars);
        value["files"] = counts(&files);
        if args.manifest {
            value["manifest"] = manifest(&details);
        }
        write_json(&value)?;
        return Ok(0);
    }
    let mut text = describe(&details);
    nested(&mut text, "scalars", &Value::Object(shown(&scalars, args.all_scalars)), 0);
    nested(&mut text, "files", &counts(&files), 0);
    let attr = |name: &str| details.attrs.get(name).cloned().unwrap_or_default();
    let parts = [
        (args.env, "environment", attr("env")),
        (args.deps, "dependencies", attr("deps")),
        (args.manifest, "manifest", manifest(&details)),
        (args.comments, "comments", attr("comments")),
    ];
    for (_, name, value) in parts.iter().filter(|(is_wanted, ..)| *is_wanted) {
        nested(&mut text, name, value, 0);
    }
    write_out(&text)?;
    Ok(0)
}

/// Masks what is secret in the environment: runs of older releases may hold it, and flags may.
fn mask(details: &mut RunDetails, masks: &Masks) {
    let info = &mut details.info;
    let texts = [&mut info.label, &mut info.opref, &mut info.operation].into_iter().flatten();
    texts.chain(&mut info.tags).for_each(|text| masks.mask_string(text));
    details.attrs.values_mut().chain(details.flags.values_mut()).for_each(|value| masks.mask_json(value));
}

/// Returns the scalars as lines say them.
fn shown(scalars: &[Scalar], all: bool) -> Map<String, Value> {
    let line = |scalar: &Scalar| {
        let ScalarSummary { first, last, min, max, total, count } = scalar.summary;
        let last = format!("{:.6} (step {})", last.value, last.step);
        let more = || {
            let avg = scalar.summary.avg();
            let point = |point: Point| format!("{:.6} (step {})", point.value, point.step);
            format!(
                "{last}, first {}, min {}, max {}, avg {avg:.6}, total {total:.6}, count {count}",
                point(first),
                point(min),
                point(max)
            )
        };
        (scalar.name.clone(), Value::String(if all { more() } else { last.clone() }))
    };
    scalars.iter().map(line).collect()
}

/// Returns how many files of each kind there are, and how large they are together.
fn counts(files: &[RunFile]) -> Value {
    let files = || files.iter().filter(|file| !file.metadata.is_dir());
    let count = |kind: FileKind| files().filter(|file| file.kind == kind).count();
    json!({
        "sourcecode": count(FileKind::Sourcecode),
        "dependencies": count(FileKind::Dependency),
        "generated": count(FileKind::Generated),
        "bytes": files().map(|file| file.metadata.len()).sum::<u64>(),
    })
}

fn manifest(details: &RunDetails) -> Value {
    let entry = |entry: ManifestEntry| {
        json!({
            "type": if entry.kind == EntryKind::SourceCode { "sourcecode" } else { "dependency" },
            "path": entry.path.to_string_lossy(),
            "origin": entry.origin.to_string_lossy(),
        })
    };
    let path = &details.info.path;
    Value::Array(store::manifest(path).into_iter().map(entry).collect())
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
        if let Some(status) = info.log_status {
            line("by_log", status.name());
        }
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
                // A map begins on the line of its dash.
                let mut below = String::new();
                match item {
                    Value::Object(map) if !map.is_empty() => {
                        map.iter().for_each(|(name, value)| nested(&mut below, name, value, depth + 2));
                        let _ = write!(text, "{indent}  - {}", below.trim_start());
                    }
                    item => {
                        let _ = writeln!(text, "{indent}  - {}", scalar(item));
                    }
                }
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
