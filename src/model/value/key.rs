//! Keys: of tables, of shared dicts, positions in shared lists.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Value;

/// A key of a table or a dict, a name in a namespace, a position in a list. They are in this order: numbers, texts, the
/// others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Key {
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
    /// A number that is not whole.
    Float(KeyFloat),
    /// True or false.
    Bool(bool),
    /// Bytes that are not UTF-8.
    Bytes(Vec<u8>),
}

/// A number that is neither whole, with 64 bits, nor "not a number".
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyFloat(f64);

impl KeyFloat {
    /// Returns the number.
    pub(crate) const fn get(self) -> f64 {
        self.0
    }
}

impl PartialEq for KeyFloat {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for KeyFloat {}

impl PartialOrd for KeyFloat {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for KeyFloat {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Hash for KeyFloat {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl Key {
    /// Makes a key of the bytes of a string.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Bytes(bytes.to_vec()),
        }
    }

    /// Makes a key of a number: a whole one is the same key however it is written, as in Lua. `None` for what is no number.
    pub(crate) fn of_float(number: f64) -> Option<Self> {
        // Two to the power of 63, which is the first that has no place in 64 bits.
        const END: f64 = 9_223_372_036_854_775_808.0;
        if number.is_nan() {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and in the range")]
        match number.fract() == 0.0 && (-END..END).contains(&number) {
            true => Some(Self::Integer(number as i64)),
            false => Some(Self::Float(KeyFloat(number))),
        }
    }

    /// Returns the key that a value is, if it can be one.
    pub(crate) fn of_value(value: Value) -> Option<Self> {
        match value {
            Value::Bool(boolean) => Some(Self::Bool(boolean)),
            Value::Integer(number) => Some(Self::Integer(number)),
            Value::Float(number) => Self::of_float(number),
            Value::Large(digits) => Self::of_float(digits.parse().ok()?),
            Value::Text(text) => Some(Self::Text(text)),
            Value::Bytes(bytes) => Some(Self::Bytes(bytes)),
            _ => None,
        }
    }

    /// Returns the key as a name, where only names are keys.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => Value::Float(number.get()).to_text(),
            Self::Bool(boolean) => boolean.to_string(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "'{}'", text.escape_debug()),
            Self::Bytes(bytes) => write!(f, "'{}'", bytes.escape_ascii()),
            other => f.write_str(&other.name()),
        }
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Integer(number) => serializer.serialize_i64(*number),
            other => Value::from(other.clone()).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let shown = value.to_string();
        Self::of_value(value)
            .ok_or_else(|| de::Error::custom(format!("a key is a string, a number or a boolean, not {shown}")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_is_the_same_however_its_number_is_written() {
        let cases = [
            (json!(1.0), Some(Key::Integer(1))),
            (json!(-0.0), Some(Key::Integer(0))),
            (json!(1.5), Key::of_float(1.5)),
            (json!(1e300), Key::of_float(1e300)),
            (json!(9_223_372_036_854_775_807_i64), Some(Key::Integer(i64::MAX))),
            (json!(9_223_372_036_854_775_808_u64), Key::of_float(9_223_372_036_854_775_808.0)),
            (json!({ "$float": "inf" }), Key::of_float(f64::INFINITY)),
            (json!({ "__base64_encoded__": "/w==" }), Some(Key::Bytes(vec![0xff]))),
            (json!(true), Some(Key::Bool(true))),
            (json!({ "$float": "nan" }), None),
            (json!(null), None),
            (json!([1]), None),
            (json!({}), None),
        ];
        for (json, key) in cases {
            let read = serde_json::from_value::<Key>(json.clone());
            assert_eq!(read.as_ref().ok(), key.as_ref(), "{json}");
            if let Some(key) = key {
                let text = serde_json::to_string(&key).unwrap();
                assert_eq!(serde_json::from_str::<Key>(&text).unwrap(), key, "{text}");
            }
        }
    }

    #[test]
    fn keys_have_an_order_that_no_run_changes() {
        let mut keys = [
            Key::Bytes(vec![0xff]),
            Key::Bool(true),
            Key::of_float(1.5).unwrap(),
            Key::Text("b".to_owned()),
            Key::Text("a".to_owned()),
            Key::Integer(10),
            Key::Integer(-2),
            Key::of_float(f64::NEG_INFINITY).unwrap(),
        ];
        keys.sort();
        let shown: Vec<String> = keys.iter().map(Key::to_string).collect();
        assert_eq!(shown, ["-2", "10", "'a'", "'b'", "-inf", "1.5", "true", "'\\xff'"]);
    }
}
