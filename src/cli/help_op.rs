//! `rille help-op`: what an operation does, its flags, and what it requires.

use std::fmt::Write as _;
use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use super::ops::{file, kind, warn};
use super::output::{one_line, write_json, write_out};
use crate::job::flags;
use crate::operation::read::FLAG_TYPES;
use crate::operation::{Body, Choice, Flag, FlagType, Notice, Operation, Resource, SourceKind};
use crate::script;
use crate::store::Home;

/// Explains an operation: what it does, its flags with their defaults, and what it requires.
#[derive(Args, Debug)]
pub(crate) struct HelpOpArgs {
    /// The operation, OPERATION or MODEL:OPERATION, or a script [default: the default operation]
    #[arg(value_name = "OPERATION")]
    name: Option<String>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command and returns the exit code.
pub(crate) fn main(args: &HelpOpArgs, home: Option<&Home>) -> Result<i32, Failure> {
    let project = script::load_project(Path::new("."));
    let mut operation = project.find(args.name.as_deref())?;
    flags::import(&mut operation, home, &mut |notice| match notice {
        Notice::Info(text) => eprintln!("{text}"),
        Notice::Warning(text) => eprintln!("WARNING: {text}"),
    });
    if args.json {
        write_json(&as_json(&operation))?;
    } else {
        write_out(&text(&operation))?;
    }
    warn(project.remarks_on(&operation));
    Ok(0)
}

/// Returns the page of an operation.
pub(crate) fn text(operation: &Operation) -> String {
    let name = operation.full_name();
    let mut page = format!("Usage: rille run [OPTIONS] {name} [FLAG=VALUE]...\n\n");
    if !operation.description.is_empty() {
        page += &lines(&operation.description);
        page.push('\n');
    }
    let _ = writeln!(page, "Runs: {}", one_line(&runs(&operation.body)));
    let place =
        operation.place.as_ref().map_or_else(|| file(&operation.origin).display().to_string(), ToString::to_string);
    let _ = writeln!(page, "Defined in: {place}");
    if let Some(python) = flags::shown_interpreter(operation) {
        let _ = writeln!(page, "Python: {}", one_line(&python));
    }
    if !operation.flags.is_empty() {
        page += "\nFlags:\n";
        let width = operation.flags.keys().map(|name| name.chars().count()).max().unwrap_or_default();
        for (name, flag) in &operation.flags {
            let told = flag_lines(flag);
            let mut told = told.iter();
            let first = told.next().map(String::as_str).unwrap_or_default();
            let _ = writeln!(page, "{}", format!("  {name:width$}  {first}").trim_end());
            for line in told {
                let _ = writeln!(page, "  {:width$}  {line}", "");
            }
        }
    }
    if !operation.requires.is_empty() {
        page += "\nDependencies:\n";
        for resource in &operation.requires {
            let _ = writeln!(page, "  {}", dependency(resource));
        }
    }
    if !operation.env.is_empty() {
        page += "\nEnvironment:\n";
        for (name, value) in &operation.env {
            let _ = writeln!(page, "  {name}={}", shown(value));
        }
    }
    page
}

fn lines(text: &str) -> String {
    text.lines().map(|line| one_line(line) + "\n").collect()
}

fn runs(body: &Body) -> String {
    match body {
        Body::Exec(command) => format!("exec {command}"),
        Body::Main(module) => format!("Python module {module}"),
        Body::LuaFunction => "Lua function main".to_owned(),
        Body::Script(script) => format!("script {script}"),
        Body::Steps(steps) => format!("{} steps", steps.len()),
    }
}

/// Returns the lines about a flag: its description, its default and its bounds, and its choices.
fn flag_lines(flag: &Flag) -> Vec<String> {
    let mut told: Vec<String> = flag.description.lines().map(one_line).collect();
    let mut facts = Vec::new();
    if let Some(kind) = flag.kind {
        facts.push(type_name(kind).to_owned());
    }
    if flag.required {
        facts.push("required".to_owned());
    }
    match (&flag.default, &flag.null_label) {
        (Value::Null, Some(label)) => facts.push(format!("default is {}", shown(label))),
        (Value::Null, None) => {}
        (default, _) => facts.push(format!("default is {}", shown(default))),
    }
    facts.extend(flag.min.map(|min| format!("min {min}")));
    facts.extend(flag.max.map(|max| format!("max {max}")));
    facts.extend(flag.alias.as_ref().map(|alias| format!("alias {alias}")));
    facts.extend(flag.distribution.as_ref().map(|distribution| format!("distribution {distribution}")));
    if flag.allow_other && !flag.choices.is_empty() {
        facts.push("other values are allowed".to_owned());
    }
    if !facts.is_empty() {
        let facts = format!("({})", facts.join(", "));
        match &mut told[..] {
            [only] => {
                only.push(' ');
                only.push_str(&facts);
            }
            _ => told.push(facts),
        }
    }
    if !flag.choices.is_empty() {
        let is_plain = |choice: &Choice| choice.description.is_empty() && choice.alias.is_none();
        match flag.choices.iter().all(is_plain) {
            true => {
                let values: Vec<String> = flag.choices.iter().map(|choice| shown(&choice.value)).collect();
                told.push(format!("choices: {}", values.join(", ")));
            }
            false => {
                told.push("choices:".to_owned());
                told.extend(flag.choices.iter().map(choice));
            }
        }
    }
    told
}

fn choice(choice: &Choice) -> String {
    let alias = choice.alias.as_ref().map(|alias| format!(" (alias {alias})")).unwrap_or_default();
    let description = one_line(&choice.description);
    format!("  {}{alias}  {description}", shown(&choice.value)).trim_end().to_owned()
}

fn type_name(kind: FlagType) -> &'static str {
    FLAG_TYPES.iter().find(|(_, known)| *known == kind).map_or("", |(name, _)| name)
}

/// Returns a value as a user would type it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "''".to_owned(),
        Value::String(text) => one_line(text),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

fn dependency(resource: &Resource) -> String {
    let source = |kind: &SourceKind| match kind {
        SourceKind::File(path) => format!("file {path}"),
        SourceKind::Url(url) => format!("url {url}"),
        SourceKind::Operation(name) => format!("files of a run of {name}"),
        SourceKind::Config(path) => format!("config {path}"),
        SourceKind::Module(name) => format!("module {name}"),
        SourceKind::Stdin(name) => format!("standard input as {name}"),
    };
    let sources: Vec<String> = resource.sources.iter().map(|of| source(&of.kind)).collect();
    let description = match resource.description.lines().next() {
        Some(line) => format!(" - {}", one_line(line)),
        None => String::new(),
    };
    format!("{}{description} ({})", one_line(&resource.name), one_line(&sources.join(", ")))
}

fn as_json(operation: &Operation) -> Value {
    let flags: serde_json::Map<String, Value> = operation
        .flags
        .iter()
        .map(|(name, flag)| {
            let choices: Vec<Value> = flag
                .choices
                .iter()
                .map(
                    |choice| json!({ "value": choice.value, "description": choice.description, "alias": choice.alias }),
                )
                .collect();
            let about = json!({
                "default": flag.default,
                "description": flag.description,
                "type": flag.kind.map(type_name),
                "required": flag.required,
                "choices": choices,
                "allow_other": flag.allow_other,
                "min": flag.min,
                "max": flag.max,
                "alias": flag.alias,
            });
            (name.clone(), about)
        })
        .collect();
    let body = match &operation.body {
        Body::Exec(text) | Body::Main(text) | Body::Script(text) => Value::from(text.as_str()),
        Body::LuaFunction => Value::Null,
        Body::Steps(steps) => Value::from(steps.clone()),
    };
    json!({
        "name": operation.full_name(),
        "description": operation.description,
        "default": operation.is_default,
        "kind": kind(&operation.body),
        "command": body,
        "file": file(&operation.origin),
        "line": operation.place.as_ref().map(|place| place.line),
        "flags": flags,
        "requires": operation.requires,
        "env": operation.env,
    })
}
