//! Numbers as Python reads and writes them. Guild reads flags with Python's `int` and `float` before it tries YAML.

use serde_json::{Number, Value};

use crate::model::float_text;

/// Returns whether a number has a minus, and what follows its sign.
pub(super) fn sign(word: &str) -> (bool, &str) {
    match word.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    }
}

/// Returns a whole number if JSON can hold it.
pub(super) fn whole(value: i128) -> Option<Number> {
    i64::try_from(value).map(Number::from).ok().or_else(|| u64::try_from(value).map(Number::from).ok())
}

/// Returns what Python's `int` makes of a text; `None` where it refuses, or where the number has more than 64 bits.
pub(super) fn python_int(text: &str) -> Option<Number> {
    let (negative, digits) = sign(python_trim(text));
    let digits = without_underscores(digits)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: i128 = digits.parse().ok()?;
    whole(if negative { -value } else { value })
}

/// Returns what Python's `int` makes of a text, of whatever size it is: where JSON has no word for the number, in its form
/// as a [`model::Value`](crate::model::Value).
pub(super) fn any_int(text: &str) -> Option<Value> {
    if let Some(number) = python_int(text) {
        return Some(Value::Number(number));
    }
    let (negative, digits) = sign(python_trim(text));
    let digits = without_underscores(digits)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    let text = format!("{}{digits}", if negative { "-" } else { "" });
    Some(crate::model::Value::of_digits(&text).to_json())
}

/// Returns a number with a fraction as JSON, in its form where JSON has no word for it.
pub(super) fn any_float(number: f64) -> Value {
    Number::from_f64(number).map_or_else(|| crate::model::Value::Float(number).to_json(), Value::Number)
}

/// Returns a value that is a number as text for programs, if JSON has no word for it: `inf`, `-inf`, `nan`, its digits.
pub(super) fn beyond_text(value: &Value) -> Option<String> {
    crate::model::Value::beyond_json(value).map(|value| value.to_text())
}

/// The same as a word of YAML.
pub(super) fn beyond_yaml(value: &Value) -> Option<String> {
    match crate::model::Value::beyond_json(value)? {
        crate::model::Value::Float(number) if number.is_nan() => Some(".nan".to_owned()),
        crate::model::Value::Float(number) => Some(if number > 0.0 { ".inf" } else { "-.inf" }.to_owned()),
        other => Some(other.to_text()),
    }
}

/// Returns whether a value is a number, also one that JSON has no word for.
pub(super) fn is_number(value: &Value) -> bool {
    value.is_number() || crate::model::Value::beyond_json(value).is_some()
}

/// Returns whether a value is a whole number of more than 64 bits.
pub(super) fn is_large(value: &Value) -> bool {
    matches!(crate::model::Value::beyond_json(value), Some(crate::model::Value::Large(_)))
}

/// Returns what Python's `float` makes of a text: also `nan` and `inf`, which JSON cannot hold.
pub(super) fn python_float(text: &str) -> Option<f64> {
    let text = python_trim(text);
    let (_, rest) = sign(text);
    let word = rest.to_ascii_lowercase();
    if !matches!(word.as_str(), "nan" | "inf" | "infinity")
        && !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.')
    {
        return None;
    }
    without_underscores(text)?.parse().ok()
}

/// Python allows an underscore between two digits.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let right =
        bytes.iter().enumerate().all(|(at, byte)| *byte != b'_' || (digit(at.checked_sub(1)) && digit(Some(at + 1))));
    right.then(|| text.replace('_', ""))
}

fn python_trim(text: &str) -> &str {
    text.trim()
}

/// Returns a number as Python's `repr` writes it: `0.1`, `1000.0`, `1e-05`.
pub(super) fn number_text(number: &Number) -> String {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(value) => float_text(value),
        None => number.to_string(),
    }
}

/// Returns a value as an integer would be compared with a float: the number it stands for.
pub(super) fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::Number(number) => number.as_f64(),
        other => match crate::model::Value::beyond_json(other)? {
            crate::model::Value::Float(number) => Some(number),
            crate::model::Value::Large(digits) => digits.parse().ok(),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_python_makes_of_them() {
        let ints = [
            ("00500", Some(500)),
            (" 5 ", Some(5)),
            ("+5", Some(5)),
            ("1_000", Some(1000)),
            ("1__0", None),
            ("_1", None),
            ("1.", None),
            ("", None),
            ("-", None),
            ("0x10", None),
        ];
        for (text, expected) in ints {
            assert_eq!(python_int(text), expected.map(Number::from), "{text:?}");
        }
        let floats = [
            ("1e3", Some(1000.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("1_0.5", Some(10.5)),
            ("e3", None),
            (".", None),
            ("0x1", None),
            ("1e", None),
            ("infinit", None),
        ];
        for (text, expected) in floats {
            assert_eq!(python_float(text), expected, "{text:?}");
        }
        assert!(python_float("NaN").unwrap().is_nan() && python_float("-inf").unwrap() < 0.0);
    }
}
