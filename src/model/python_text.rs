//! How Python writes a value down: floats, strings and bytes as its `repr` does.

use std::fmt::Write;
use std::sync::OnceLock;

use regex::Regex;
use serde_json::Value;

/// Returns a float as Python's `repr` writes it, and so its JSON: `1000.0`, `1e-05`.
pub(crate) fn float_text(value: f64) -> String {
    if !value.is_finite() {
        let text = if value.is_nan() { "nan" } else { "inf" };
        return if value < 0.0 { format!("-{text}") } else { text.to_owned() };
    }
    let shortest = format!("{value:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let text = value.to_string();
    if text.contains('.') { text } else { text + ".0" }
}

/// Appends a string as Python's `repr` writes it.
pub(crate) fn push_python_str(out: &mut String, text: &str) {
    let quote = quote_for(text.contains('\''), text.contains('"'));
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c if u32::from(c) > 0xff && !is_printable(c) => {
                let code = u32::from(c);
                // Writing to a string cannot fail.
                let _ = if code > 0xffff { write!(out, "\\U{code:08x}") } else { write!(out, "\\u{code:04x}") };
            }
            c if !is_printable(c) => push_hex(out, u32::from(c)),
            c => out.push(c),
        }
    }
    out.push(quote);
}

/// Appends bytes as Python's `repr` writes them.
pub(crate) fn push_python_bytes(out: &mut String, bytes: &[u8]) {
    let quote = quote_for(bytes.contains(&b'\''), bytes.contains(&b'"'));
    out.reserve(bytes.len() + 3);
    out.extend(['b', quote]);
    for &byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b if char::from(b) == quote => out.extend(['\\', quote]),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => push_hex(out, u32::from(byte)),
        }
    }
    out.push(quote);
}

/// Returns a value as Python's `str` shows it: text as it is, `True`, `None`, `[1, 'a']`.
pub(crate) fn python_text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => {
            let mut out = String::new();
            push_python_value(&mut out, other);
            out
        }
    }
}

fn push_python_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) => out.push_str(&float_text(float)),
            None => out.push_str(&number.to_string()),
        },
        Value::String(text) => push_python_str(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                push_python_value(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (index, (name, field)) in fields.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                push_python_str(out, name);
                out.push_str(": ");
                push_python_value(out, field);
            }
            out.push('}');
        }
    }
}

/// Python prefers the single quote.
fn quote_for(has_single: bool, has_double: bool) -> char {
    if has_single && !has_double { '"' } else { '\'' }
}

fn push_hex(out: &mut String, code: u32) {
    // Writing to a string cannot fail.
    let _ = write!(out, "\\x{code:02x}");
}

/// Returns whether Python prints a character as it is: it is none of Unicode's "other" and "separator", the space apart.
fn is_printable(c: char) -> bool {
    static UNPRINTABLE: OnceLock<Option<Regex>> = OnceLock::new();
    if c.is_ascii() {
        return matches!(c, ' '..='~');
    }
    let unprintable = UNPRINTABLE.get_or_init(|| Regex::new(r"^[\p{C}\p{Z}]").ok());
    let mut text = [0; 4];
    !unprintable.as_ref().is_some_and(|pattern| pattern.is_match(c.encode_utf8(&mut text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        let cases = [
            (0.1, "0.1"),
            (1000.0, "1000.0"),
            (1e-5, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (0.0001, "0.0001"),
            (-0.0, "-0.0"),
            (1e300, "1e+300"),
            (123_456.789, "123456.789"),
        ];
        for (value, expected) in cases {
            assert_eq!(float_text(value), expected);
        }
    }

    #[test]
    fn strings_are_written_as_python_writes_them() {
        let cases = [
            ("", "''"),
            ("it's", "\"it's\""),
            ("it's \"so\"", "'it\\'s \"so\"'"),
            ("\"", "'\"'"),
            ("a\\b\n\r\t", "'a\\\\b\\n\\r\\t'"),
            ("\0\x1b\x7f", "'\\x00\\x1b\\x7f'"),
            ("é ü \u{1f600}", "'é ü \u{1f600}'"),
            ("\u{a0}\u{ad}", "'\\xa0\\xad'"),
            ("\u{2028}\u{200b}\u{feff}", "'\\u2028\\u200b\\ufeff'"),
            ("\u{e0001}\u{10ffff}", "'\\U000e0001\\U0010ffff'"),
        ];
        for (text, expected) in cases {
            let mut out = String::new();
            push_python_str(&mut out, text);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn values_are_shown_as_python_shows_them() {
        let value = serde_json::json!([null, true, false, 1, 2.0, "it's", {"a": [], "b": {}}]);
        assert_eq!(python_text_of(&value), "[None, True, False, 1, 2.0, \"it's\", {'a': [], 'b': {}}]");
        assert_eq!(python_text_of(&serde_json::json!("plain")), "plain");
    }

    #[test]
    fn bytes_are_written_as_python_writes_them() {
        let cases: [(&[u8], &str); 6] = [
            (b"", "b''"),
            (b"out-line\nno newline\x01\xff", "b'out-line\\nno newline\\x01\\xff'"),
            (b"it's", "b\"it's\""),
            (b"'\"", "b'\\'\"'"),
            (b"\\\t\r", "b'\\\\\\t\\r'"),
            (b"\x7f\x80 ~", "b'\\x7f\\x80 ~'"),
        ];
        for (bytes, expected) in cases {
            let mut out = String::new();
            push_python_bytes(&mut out, bytes);
            assert_eq!(out, expected);
        }
    }
}
