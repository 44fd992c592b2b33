//! Flags as text to look at and to edit: `--test-flags`, `--edit-flags`.

use std::fmt::Write as _;

use serde_json::Value;

use super::super::encode::{as_shown, as_yaml};
use super::super::import::FlagsImport;
use super::super::{Flag, FlagValues, Operation, Origin};
use super::FlagError;
use super::decode::type_name;
use crate::model::nearest;

/// Returns what the definition says of each flag, as `--test-flags` prints it.
pub(crate) fn test_text(operation: &Operation) -> String {
    let mut text = String::new();
    let mut line = |indent: usize, name: &str, value: Option<String>| {
        let value = value.map(|value| format!(" {value}")).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:indent$}{name}:{value}", "");
    };
    line(0, "flags-dest", operation.flags_dest.clone());
    line(0, "flags-import", imported(operation));
    line(0, "flags", None);
    for (name, flag) in &operation.flags {
        line(2, name, None);
        for (attribute, value) in attributes(flag) {
            line(4, attribute, value);
        }
    }
    text
}

/// Returns what the definition says of flags from its code; of a script there is none.
fn imported(operation: &Operation) -> Option<String> {
    match &operation.flags_import {
        FlagsImport::Defined => None,
        FlagsImport::All => (!matches!(operation.origin, Origin::Script(_))).then(|| "yes".to_owned()),
        FlagsImport::Named(names) => Some(as_shown(&Value::from(names.clone()))),
        FlagsImport::Off => Some("[]".to_owned()),
    }
}

/// Returns the attributes of a flag with their values, in the order of Guild.
fn attributes(flag: &Flag) -> [(&'static str, Option<String>); 16] {
    let shown = |value: &Option<Value>| value.as_ref().map(as_shown);
    let map = |map: &serde_json::Map<String, Value>| (!map.is_empty()).then(|| as_shown(&Value::Object(map.clone())));
    let yes = |value: bool| Some(if value { "yes" } else { "no" }.to_owned());
    // As Guild writes them: each as a text in a list of texts.
    let choices: Vec<Value> = flag.choices.iter().map(|choice| Value::from(as_shown(&choice.value))).collect();
    [
        ("default", (!flag.default.is_null()).then(|| as_shown(&flag.default))),
        ("type", flag.kind.map(|kind| type_name(kind).to_owned())),
        ("required", yes(flag.required)),
        ("arg-name", flag.arg_name.clone()),
        ("arg-skip", flag.arg_skip.and_then(yes)),
        ("arg-switch", shown(&flag.arg_switch)),
        ("arg-split", shown(&flag.arg_split)),
        ("arg-encoding", map(&flag.arg_encoding)),
        ("env-name", flag.env_name.clone()),
        ("env-encoding", map(&flag.env_encoding)),
        ("choices", Some(as_shown(&Value::Array(choices)))),
        ("allow-other", yes(flag.allow_other)),
        ("distribution", flag.distribution.clone()),
        ("max", flag.max.map(|max| max.to_string())),
        ("min", flag.min.map(|min| min.to_string())),
        ("null-label", shown(&flag.null_label)),
    ]
}

/// Returns flags as a YAML document to edit, with what each is for. Without a definition it has the values alone.
pub(crate) fn edit_text(values: &FlagValues, operation: Option<&Operation>) -> String {
    let mut text = String::new();
    if let Some(operation) = operation {
        let _ = writeln!(text, "# Editing flags for {}", operation.full_name());
    }
    let mut is_set_off = operation.is_some();
    for (name, value) in values {
        let help = operation.and_then(|operation| operation.flags.get(name)).map(help).unwrap_or_default();
        if is_set_off || !help.is_empty() {
            text.push('\n');
        }
        let _ = writeln!(text, "{}: {}", as_yaml(&Value::from(name.as_str())), as_yaml(value));
        for line in &help {
            let _ = writeln!(text, "  # {line}");
        }
        is_set_off = !help.is_empty();
    }
    text
}

/// Returns the lines that explain a flag where it is edited.
fn help(flag: &Flag) -> Vec<String> {
    let description = flag.description.lines().next().filter(|line| !line.is_empty()).map(str::to_owned);
    let choices: Vec<String> = flag.choices.iter().map(|choice| as_shown(&choice.value)).collect();
    let choices = (!choices.is_empty()).then(|| format!("Choices: {}", choices.join(", ")));
    let default = (!flag.default.is_null()).then(|| format!("Default: {}", as_shown(&flag.default)));
    description.into_iter().chain(choices).chain(default).collect()
}

/// Reads flags back that were edited, as texts for [`resolve`](super::resolve). `None` where nothing is left of the
/// document. An error names the line. By force, flags may be new.
pub(crate) fn read_edited(
    document: &str,
    operation: Option<&Operation>,
    force: bool,
) -> Result<Option<Vec<(String, String)>>, FlagError> {
    let is_empty = document.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    if is_empty {
        return Ok(None);
    }
    let wrong = |line: Option<usize>, what: String| {
        let at = line.map(|line| format!(" on line {line}")).unwrap_or_default();
        FlagError::Edited(format!("cannot read the edited flags{at}: {what}"))
    };
    let value: Value = serde_saphyr::from_str(document).map_err(|error| {
        let line = error.location().map(|location| usize::try_from(location.line()).unwrap_or(usize::MAX));
        let text = error.to_string();
        // What follows is an excerpt of the document.
        wrong(line, text.lines().next().unwrap_or_default().to_owned())
    })?;
    let Value::Object(map) = value else {
        return Err(wrong(None, "expected NAME: VALUE on each line".to_owned()));
    };
    let mut pairs = Vec::new();
    for (name, value) in map {
        let line = document.lines().position(|line| {
            let line = line.trim_start_matches(['\'', '"']);
            line.strip_prefix(&name)
                .is_some_and(|rest| rest.trim_start_matches(['\'', '"']).trim_start().starts_with(':'))
        });
        let line = line.map(|line| line + 1);
        if let Some(operation) = operation.filter(|operation| !force && !operation.flags.contains_key(&name)) {
            let resources = super::resource_flags(&operation.requires);
            if !resources.contains(&name) {
                let meant = nearest(&name, operation.flags.keys().map(String::as_str));
                let meant = meant.map(|meant| format!("; did you mean '{meant}'?")).unwrap_or_default();
                return Err(wrong(line, format!("unsupported flag '{name}'{meant}")));
            }
        }
        pairs.push((name, word_of(&value)));
    }
    Ok(Some(pairs))
}

/// Returns a value as the text that a command line reads back as this very value.
pub(crate) fn word_of(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() => as_quoted(text),
        Value::Null => "null".to_owned(),
        Value::String(_) => String::new(),
        other => as_yaml(other),
    }
}

/// Returns a text with quotes around it where it would be taken for something else.
fn as_quoted(text: &str) -> String {
    if super::super::encode::is_bare(text) && !text.contains(['[', '~']) && !text.trim().is_empty() {
        return text.to_owned();
    }
    Value::from(text).to_string()
}
