//! The definition of one flag, with Guild's attributes.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::Place;

/// How the text of a flag becomes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlagType {
    /// Stays text.
    Text,
    /// A whole number.
    Int,
    /// A number with a fraction.
    Float,
    /// A whole number, or one with a fraction.
    Number,
    /// True or false.
    Boolean,
    /// As YAML would have it: the default.
    Auto,
    /// A path, made absolute.
    Path,
    /// A path, made absolute, that must exist.
    ExistingPath,
}

/// One of the values that a flag may have.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Choice {
    /// The value.
    pub(crate) value: Value,
    /// What it means.
    pub(crate) description: String,
    /// Another text for it.
    pub(crate) alias: Option<String>,
    /// Flags that it sets, unless the user set them.
    pub(crate) flags: BTreeMap<String, Value>,
}

/// The definition of a flag.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Flag {
    /// The value where the user gives none; null for none.
    pub(crate) default: Value,
    /// What it is for.
    pub(crate) description: String,
    /// How its text is read.
    pub(crate) kind: Option<FlagType>,
    /// Whether it must have a value.
    pub(crate) required: bool,
    /// The values it may have; empty for any.
    pub(crate) choices: Vec<Choice>,
    /// Whether a value may be none of the choices.
    pub(crate) allow_other: bool,
    /// The smallest value.
    pub(crate) min: Option<f64>,
    /// The largest value.
    pub(crate) max: Option<f64>,
    /// Another name.
    pub(crate) alias: Option<String>,
    /// The name of the argument, where it is not the flag's.
    pub(crate) arg_name: Option<String>,
    /// Whether it is not passed as an argument; `None` for the operation's `default-flag-arg-skip`.
    pub(crate) arg_skip: Option<bool>,
    /// The value for which the bare `--name` is passed, and nothing for any other.
    pub(crate) arg_switch: Option<Value>,
    /// Splits one value into several arguments: `true` as a shell would, a string at that separator.
    pub(crate) arg_split: Option<Value>,
    /// Texts by the text of the value, for arguments.
    pub(crate) arg_encoding: Map<String, Value>,
    /// Texts by the text of the value, for the environment.
    pub(crate) env_encoding: Map<String, Value>,
    /// The environment variable, where it is not `FLAG_` and the name in capitals.
    pub(crate) env_name: Option<String>,
    /// How null is shown.
    pub(crate) null_label: Option<Value>,
    /// The distribution of a search: recorded and shown.
    pub(crate) distribution: Option<String>,
    /// Every other key, which Guild hands on to plugins.
    pub(crate) extra: Map<String, Value>,
    /// Where it stands.
    pub(crate) place: Option<Place>,
}
