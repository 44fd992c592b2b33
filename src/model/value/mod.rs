//! A value of a user: what a script hands over as a parameter, keeps in a shared object, or gives with its result; what a
//! testbed holds.
//!
//! It is the one form between Lua, host, tasks, shared objects, JSON, YAML and reports. What becomes of each kind of value is
//! told once, for users too.
#![doc = include_str!("../../../docs/values.md")]

mod argument;
mod json;
mod key;
mod yaml;
mod yaml_scalar;

use std::collections::BTreeMap;
use std::fmt;

pub(crate) use self::argument::argument;
pub(crate) use self::json::references_in;
pub(crate) use self::key::Key;
pub(crate) use self::yaml::{YamlMistake, YamlSchema, read_yaml, read_yaml_with_lines};
pub(crate) use self::yaml_scalar::resolve as yaml_word;
use super::SharedRef;

/// How deep the JSON of a value may be nested: the reader of lines allows 128, of which messages need some. A `$map` is
/// three deep.
pub(crate) const MAX_DEPTH: usize = 100;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Value {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A whole number that has more than 64 bits, in decimal digits.
    Large(Box<str>),
    /// Any other number, infinity and what is no number included.
    Float(f64),
    /// A text.
    Text(String),
    /// Bytes that are no text, since they are not UTF-8.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Value>),
    /// Values by key.
    Map(BTreeMap<Key, Value>),
    /// A shared object.
    Shared(SharedRef),
    /// An object of a class: its name, and what is to be known of the object.
    Object(Box<(String, Value)>),
}

impl Value {
    /// Makes the value that a string of Lua is.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Bytes(bytes.to_vec()),
        }
    }

    /// Makes the value of a whole number in decimal digits, perhaps with a minus.
    pub(crate) fn of_digits(digits: &str) -> Self {
        digits.parse().map_or_else(|_| Self::Large(digits.into()), Self::Integer)
    }

    /// Returns whether there is no value.
    pub(crate) const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns the text that it is.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns what a map holds under a name.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(fields) => fields.get(&Key::Text(name.to_owned())),
            _ => None,
        }
    }

    /// Calls `found` with every shared object in the value.
    pub(crate) fn references(&self, found: &mut impl FnMut(SharedRef)) {
        match self {
            Self::List(items) => items.iter().for_each(|item| item.references(found)),
            Self::Map(fields) => fields.values().for_each(|field| field.references(found)),
            Self::Object(object) => object.1.references(found),
            Self::Shared(reference) => found(*reference),
            _ => {}
        }
    }
}

/// Shows the value as its JSON.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json().to_string())
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Self::Bool(boolean)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

/// A count, which no memory can hold more of than 64 bits can tell.
impl From<usize> for Value {
    fn from(count: usize) -> Self {
        Self::Integer(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Key> for Value {
    fn from(key: Key) -> Self {
        match key {
            Key::Integer(number) => Self::Integer(number),
            Key::Text(text) => Self::Text(text),
            Key::Float(number) => Self::Float(number.get()),
            Key::Bool(boolean) => Self::Bool(boolean),
            Key::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Self::List(items.into_iter().collect())
    }
}
