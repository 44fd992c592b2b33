//! Flags that a parser of arguments declares, as the program that asks it writes them down.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::encode::as_shown;
use super::super::read::FLAG_TYPES;
use super::super::scalar::{any_float, any_int};
use super::{Flags, joined};
use crate::operation::{Choice, Flag};

/// What was declared, with the files that say so.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Declared {
    /// The flags.
    pub(crate) flags: Flags,
    /// Files of the project that were imported on the way.
    pub(crate) files: Vec<String>,
}

/// What was written is not of the form that is agreed on.
#[derive(Debug, thiserror::Error)]
#[error("what it says of its flags cannot be read: {0}")]
pub(crate) struct NotDeclared(#[from] serde_json::Error);

#[derive(Deserialize)]
struct Told {
    flags: BTreeMap<String, ToldFlag>,
    #[serde(default)]
    files: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct ToldFlag {
    default: Value,
    description: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    required: bool,
    choices: Vec<Value>,
    arg_name: Option<String>,
    arg_switch: Option<bool>,
    arg_split: bool,
}

impl Declared {
    /// Reads what was written.
    pub(crate) fn read(text: &str) -> Result<Declared, NotDeclared> {
        let told: Told = serde_json::from_str(text)?;
        let flags = told.flags.into_iter().map(|(name, flag)| (name, flag.read())).collect();
        Ok(Declared { flags, files: told.files })
    }
}

impl ToldFlag {
    fn read(self) -> Flag {
        let default = match plain(self.default) {
            Value::Array(items) if self.arg_split => joined(&items, as_argument),
            default => default,
        };
        let choice = |value| Choice { value: plain(value), ..Choice::default() };
        let kind = self.kind.and_then(|name| FLAG_TYPES.iter().find(|(known, _)| *known == name));
        Flag {
            default,
            description: self.description.trim().to_owned(),
            kind: kind.map(|(_, kind)| *kind),
            required: self.required,
            choices: self.choices.into_iter().map(choice).collect(),
            arg_name: self.arg_name,
            arg_switch: self.arg_switch.map(Value::Bool),
            arg_split: self.arg_split.then_some(Value::Bool(true)),
            ..Flag::default()
        }
    }
}

/// Returns a part of a default as the parser would be given it: a text as it is.
fn as_argument(part: &Value) -> String {
    part.as_str().map_or_else(|| as_shown(part), str::to_owned)
}

/// Returns a value in which numbers that JSON has no word for, written `{"number": TEXT}`, have their form.
fn plain(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(fields) => number(&fields).unwrap_or(Value::Object(fields)),
        other => other,
    }
}

fn number(fields: &Map<String, Value>) -> Option<Value> {
    let text = fields.get("number")?.as_str()?;
    any_int(text).or_else(|| text.parse().ok().map(any_float))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operation::FlagType;

    #[test]
    fn what_a_parser_declares_becomes_flags() {
        let text = r#"{"flags": {
            "lr": {"default": 0.1, "type": "float", "description": " rate ", "required": true},
            "opt": {"choices": ["sgd", "adam"], "default": "sgd"},
            "on": {"choices": [true, false], "arg-switch": true, "default": false},
            "many": {"arg-split": true, "default": [1, "a b", "yes"]},
            "big": {"default": {"number": "123456789012345678901"}},
            "inf": {"default": {"number": "inf"}},
            "none": {}
        }, "files": ["/p/a.py"]}"#;
        let Declared { flags, files } = Declared::read(text).unwrap();
        assert_eq!(files, ["/p/a.py"]);
        assert_eq!((&flags["lr"].default, flags["lr"].kind), (&json!(0.1), Some(FlagType::Float)));
        assert_eq!((flags["lr"].description.as_str(), flags["lr"].required), ("rate", true));
        let choices = |name: &str| flags[name].choices.iter().map(|choice| choice.value.clone()).collect::<Vec<_>>();
        assert_eq!(choices("opt"), [json!("sgd"), json!("adam")]);
        assert_eq!((choices("on"), &flags["on"].arg_switch), (vec![json!(true), json!(false)], &Some(json!(true))));
        assert_eq!((&flags["many"].default, &flags["many"].arg_split), (&json!("1 'a b' yes"), &Some(json!(true))));
        assert_eq!(flags["big"].default, any_int("123456789012345678901").unwrap());
        assert_eq!(flags["inf"].default, any_float(f64::INFINITY));
        assert_eq!(flags["none"], Flag::default());
        for wrong in ["", "{}", "[]", r#"{"flags": {"a": 1}}"#] {
            assert!(Declared::read(wrong).is_err(), "{wrong}");
        }
    }
}
