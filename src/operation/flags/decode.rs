//! The text of a flag as a value: whole number, number, YAML, or text.
//!
//! As Guild does it, except where Guild loses what was typed: text that YAML takes for a comment, a date, an anchor, or
//! several lines stays what it is.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::FlagType;
use super::super::scalar::{any_float, any_int, as_number, is_large, is_number, python_float, python_int};
use super::super::yaml_word::{Word, yaml_word};
use super::spread::{self, Spread, SpreadError};

/// Tags by which YAML says of which type a word is.
const TAGS: [&str; 5] = ["!!str ", "!!int ", "!!float ", "!!bool ", "!!null"];

/// What the text of a flag is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Decoded {
    /// One value.
    One(Value),
    /// Several values, or a range to search: a batch.
    Many(Spread),
    /// What should be several values, and is not.
    Wrong(SpreadError),
}

/// Returns what the text of a flag of this type is.
pub(super) fn decode(text: &str, kind: FlagType, home: Option<&Path>) -> Decoded {
    let one = |value: Value| Decoded::One(value);
    if text.is_empty() {
        return one(Value::from(""));
    }
    let is_text = matches!(kind, FlagType::Text | FlagType::Path | FlagType::ExistingPath);
    // What looks like YAML is YAML, also for text: quotes around a number, a list of texts.
    if is_text && !text.starts_with(['[', '\'', '"', '{']) {
        return one(Value::from(text));
    }
    if kind == FlagType::Float
        && let Some(number) = python_float(text)
        && !is_surprising(text)
    {
        return one(any_float(number));
    }
    // As one, it would not be what was typed.
    if is_surprising(text)
        && as_spread(text, home).is_none()
        && (python_float(text).is_some() || python_int(text).is_some())
    {
        return one(Value::from(text));
    }
    if let Some(number) = any_int(text) {
        return one(number);
    }
    if let Some(number) = python_float(text) {
        return one(any_float(number));
    }
    as_spread(text, home).unwrap_or_else(|| one(yaml(text, home)))
}

/// Returns whether Guild leaves a number as text: `1_2_3` is a name, and `1:12` a time.
fn is_surprising(text: &str) -> bool {
    text.contains(['_', ':'])
}

/// Returns what a text is that stands for several values.
fn as_spread(text: &str, home: Option<&Path>) -> Option<Decoded> {
    Some(match spread::read(text, &|item| item_of(item, home))? {
        Ok(spread) => Decoded::Many(spread),
        Err(error) => Decoded::Wrong(error),
    })
}

/// Returns an argument of a function as the value of a flag.
fn item_of(text: &str, home: Option<&Path>) -> Value {
    match decode(text, FlagType::Auto, home) {
        Decoded::One(value) => value,
        Decoded::Many(_) | Decoded::Wrong(_) => Value::from(text),
    }
}

/// Returns what a default is that stands for several values.
pub(super) fn spread_of_default(default: &Value, home: Option<&Path>) -> Option<Spread> {
    match default {
        Value::Array(items) => Some(Spread::List(items.clone())),
        Value::String(text) => spread::of_default(text, &|item| item_of(item, home)),
        _ => None,
    }
}

/// Returns a text as YAML has it: a bare word, something in quotes, a map. What is none is itself.
fn yaml(text: &str, home: Option<&Path>) -> Value {
    let word = text.trim_matches([' ', '\t']);
    // A tag that says of no type of YAML what follows is part of the text.
    if word.starts_with('!') && !TAGS.iter().any(|tag| word.starts_with(tag)) {
        return Value::from(text);
    }
    if word.starts_with(['\'', '"', '{', '!']) {
        let value = serde_saphyr::from_str::<Value>(word).ok();
        return match value {
            Some(value @ (Value::String(_) | Value::Object(_))) => value,
            Some(value) if word.starts_with('!') => value,
            _ => Value::from(text),
        };
    }
    match yaml_word(word) {
        Word::Null => Value::Null,
        Word::Bool(value) => Value::Bool(value),
        Word::Number(number) if !is_surprising(word) => Value::Number(number),
        Word::Beyond(number) if !is_surprising(word) => number,
        Word::Number(_) | Word::Beyond(_) | Word::Time(_) | Word::Other => Value::from(text),
        // Spaces around a text are part of it.
        Word::Text => Value::from(
            expand_home(word, home).map_or_else(|| text.to_owned(), |path| path.to_string_lossy().into_owned()),
        ),
    }
}

/// Returns a path whose `~` at the front is the home of the user.
pub(super) fn expand_home(text: &str, home: Option<&Path>) -> Option<PathBuf> {
    if text == "~" {
        return home.map(Path::to_path_buf);
    }
    text.strip_prefix("~/").and_then(|rest| home.map(|home| home.join(rest)))
}

/// Returns the value that a flag of this type has for a value; the error says what is wrong.
pub(super) fn coerce(value: &Value, kind: FlagType, base: &Path, home: Option<&Path>) -> Result<Value, String> {
    let name = type_name(kind);
    let wrong = || format!("invalid value for type '{name}'");
    let text = value.as_str();
    match kind {
        _ if value.is_null() => Ok(Value::Null),
        FlagType::Auto => Ok(value.clone()),
        FlagType::Text => Ok(match value {
            Value::String(_) => value.clone(),
            Value::Bool(true) => Value::from("True"),
            Value::Bool(false) => Value::from("False"),
            _ => Value::from(super::super::encode::as_argument(value)),
        }),
        FlagType::Int => match value {
            Value::Number(number) if !number.is_f64() => Ok(value.clone()),
            Value::Bool(value) => Ok(Value::from(u8::from(*value))),
            Value::Object(_) if is_large(value) => Ok(value.clone()),
            _ => text.and_then(any_int).ok_or_else(wrong),
        },
        FlagType::Float => match text {
            Some(text) => python_float(text).map(any_float),
            None => as_number(value).map(any_float),
        }
        .ok_or_else(wrong),
        FlagType::Number => match value {
            Value::Number(_) | Value::Bool(_) => Ok(value.clone()),
            Value::Object(_) if is_number(value) => Ok(value.clone()),
            _ => {
                let number = text.and_then(|text| any_int(text).or_else(|| python_float(text).map(any_float)));
                number.ok_or_else(wrong)
            }
        },
        FlagType::Boolean => match value {
            Value::Bool(_) => Ok(value.clone()),
            _ if is_number(value) => Ok(Value::from(as_number(value) != Some(0.0))),
            Value::String(text) if text.is_empty() => Ok(Value::from(false)),
            Value::String(text) => match yaml_word(text) {
                Word::Bool(value) => Ok(Value::from(value)),
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        },
        FlagType::Path | FlagType::ExistingPath => {
            let text = super::super::encode::as_argument(value);
            let path = expand_home(&text, home).unwrap_or_else(|| PathBuf::from(&text));
            let path = if text.is_empty() || path.is_absolute() { path } else { normal(&base.join(path)) };
            Ok(Value::from(path.to_string_lossy().into_owned()))
        }
    }
}

/// Returns a path without `.` and `..`, by its text alone.
fn normal(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

/// Returns Guild's name of a type.
pub(super) const fn type_name(kind: FlagType) -> &'static str {
    match kind {
        FlagType::Text => "string",
        FlagType::Int => "int",
        FlagType::Float => "float",
        FlagType::Number => "number",
        FlagType::Boolean => "boolean",
        FlagType::Auto => "auto",
        FlagType::Path => "path",
        FlagType::ExistingPath => "existing-path",
    }
}
