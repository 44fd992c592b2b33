//! Values as the arguments and variables of programs.

use serde_json::Value as Json;

use super::Value;
use crate::model::Blob;

impl Value {
    /// Returns a scalar as a text, and everything else as JSON. Bytes that are not UTF-8 are replaced.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(boolean) => boolean.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Large(digits) => digits.to_string(),
            // As JSON has it, where it has a word for it.
            Self::Float(number) if number.is_finite() => self.to_json().to_string(),
            Self::Float(number) if number.is_nan() => "nan".to_owned(),
            Self::Float(number) => if *number > 0.0 { "inf" } else { "-inf" }.to_owned(),
            Self::Text(text) => text.clone(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Shared(reference) => reference.to_string(),
            Self::List(_) | Self::Map(_) | Self::Object(_) => self.to_plain_json().to_string(),
        }
    }
}

/// Returns the bytes that stand for a value among the arguments or in the environment of a program; `None` for null.
pub(crate) fn argument(value: &Json) -> Option<Blob> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.as_str().into()),
        other => Some(match Value::of_json(other) {
            Value::Bytes(bytes) => Blob(bytes),
            value => value.to_text().into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_what_a_program_expects() {
        let cases: [(Json, Option<&[u8]>); 14] = [
            (json!(null), None),
            (json!(true), Some(b"true")),
            (json!(-3), Some(b"-3")),
            (json!(0.5), Some(b"0.5")),
            (json!(3.0), Some(b"3.0")),
            (json!({ "$float": "inf" }), Some(b"inf")),
            (json!({ "$float": "-inf" }), Some(b"-inf")),
            (json!({ "$float": "nan" }), Some(b"nan")),
            (json!({ "$integer": "123456789012345678901" }), Some(b"123456789012345678901")),
            (json!("a b"), Some(b"a b")),
            (json!({ "__base64_encoded__": "/w==" }), Some(b"\xff")),
            (json!({ "__synchro__": { "type": "dict", "id": 3 } }), Some(b"dict:3")),
            (json!([1, "x", { "$float": "nan" }]), Some(br#"[1,"x",{"$float":"nan"}]"#)),
            (json!({ "$map": [[7, "x"]] }), Some(br#"{"7":"x"}"#)),
        ];
        for (value, expected) in cases {
            assert_eq!(argument(&value).as_ref().map(|bytes| bytes.0.as_slice()), expected, "{value}");
        }
    }
}
