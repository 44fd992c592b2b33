//! Values of flags as text: as arguments, in the environment, as YAML, and as they are shown.

use serde_json::{Map, Value};

use super::scalar::{beyond_text, beyond_yaml, number_text};
use super::yaml_word::{Word, yaml_word};

/// Returns a value as an argument or a variable: `1` for true, nothing for false and null.
pub(super) fn as_argument(value: &Value) -> String {
    match value {
        Value::Bool(true) => "1".to_owned(),
        Value::Bool(false) | Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number_text(number),
        // Parts of one value, as `arg-split` would take it apart again.
        Value::Array(items) => {
            let part = |item: &Value| beyond_text(item).unwrap_or_else(|| as_shown(item));
            items.iter().map(|item| quote(&part(item))).collect::<Vec<_>>().join(" ")
        }
        Value::Object(_) => beyond_text(value).unwrap_or_else(|| value.to_string()),
    }
}

/// Returns the text that an encoding has for a value, or the value as an argument.
pub(super) fn encoded(value: &Value, encoding: &Map<String, Value>) -> String {
    // Keys of YAML that are no text are written as YAML writes them; true has more than one way.
    let names: &[&str] = match value {
        Value::Bool(true) => &["true", "yes", "True", "on"],
        Value::Bool(false) => &["false", "no", "False", "off"],
        Value::Null => &["null", "None", "~"],
        Value::String(text) => &[text.as_str()],
        _ => &[],
    };
    let plain = match value {
        Value::Number(number) => number_text(number),
        other => beyond_text(other).unwrap_or_default(),
    };
    let found =
        names.iter().copied().chain((!plain.is_empty()).then_some(plain.as_str())).find_map(|name| encoding.get(name));
    found.map_or_else(|| as_argument(value), as_argument)
}

/// Returns a value on one line of YAML, which the Python part of an operation reads back.
pub(super) fn as_yaml(value: &Value) -> String {
    match value {
        Value::String(text) if is_bare(text) => text.clone(),
        // What is shown with single quotes has nothing to escape.
        Value::String(text)
            if text.chars().all(|c| !c.is_control() && !matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}')) =>
        {
            format!("'{}'", text.replace('\'', "''"))
        }
        Value::Number(number) if number.is_f64() => {
            let text = number_text(number);
            // YAML 1.1 wants a point in a number with an exponent.
            if text.contains('.') { text } else { text.replace('e', ".0e") }
        }
        // A list is read back as JSON, where these are the words of Python.
        Value::Array(items) if items.iter().any(|item| beyond_text(item).is_some()) => {
            let item = |item: &Value| match crate::model::Value::beyond_json(item) {
                Some(crate::model::Value::Float(number)) if number.is_nan() => "NaN".to_owned(),
                Some(crate::model::Value::Float(number)) => {
                    if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
                }
                Some(number) => number.to_text(),
                None => item.to_string(),
            };
            format!("[{}]", items.iter().map(item).collect::<Vec<_>>().join(","))
        }
        _ => beyond_yaml(value).unwrap_or_else(|| value.to_string()),
    }
}

/// Returns a value as Guild shows it: `yes`, `no`, `null`, `[1, 2]`.
pub(super) fn as_shown(value: &Value) -> String {
    match value {
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(as_shown).collect::<Vec<_>>().join(", ")),
        Value::Object(_) if beyond_yaml(value).is_some() => as_yaml(value),
        Value::Object(map) => {
            let pairs = map.iter().map(|(name, value)| format!("{name}: {}", as_shown(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        _ => as_yaml(value),
    }
}

/// Returns whether a text may stand bare on a line of YAML and is read back as that text.
pub(super) fn is_bare(text: &str) -> bool {
    let first = text.chars().next();
    let starts = first.is_some_and(|c| !" ,?:[]{}#&*!|>'\"%@`".contains(c)) && !text.starts_with("- ") && text != "-";
    starts
        && !text.starts_with("--")
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text
            .chars()
            .any(|c| c.is_control() || matches!(c, '\u{85}' | '\u{a0}' | '\u{feff}' | '\u{2028}' | '\u{2029}'))
        && yaml_word(text) == Word::Text
}

/// Returns a word as a shell takes it, quoted where it must be, as Python's `shlex.quote` does.
pub(crate) fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\"'\"'"))
}

/// Returns words as one command line.
pub(crate) fn join<S: AsRef<str>>(words: &[S]) -> String {
    words.iter().map(|word| quote(word.as_ref())).collect::<Vec<_>>().join(" ")
}

/// Splits a command line as Python's `shlex.split` does: quotes and backslashes of a shell, and nothing else of it. The
/// error says what is not closed.
pub(crate) fn split(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => loop {
                match chars.next().ok_or("a single quote is not closed")? {
                    '\'' => {
                        word.get_or_insert_default();
                        break;
                    }
                    c => word.get_or_insert_default().push(c),
                }
            },
            '"' => loop {
                match chars.next().ok_or("a double quote is not closed")? {
                    '"' => {
                        word.get_or_insert_default();
                        break;
                    }
                    '\\' => {
                        let escaped = chars.next().ok_or("a double quote is not closed")?;
                        let word = word.get_or_insert_default();
                        if !matches!(escaped, '"' | '\\') {
                            word.push('\\');
                        }
                        word.push(escaped);
                    }
                    c => word.get_or_insert_default().push(c),
                }
            },
            '\\' => word.get_or_insert_default().push(chars.next().ok_or("nothing follows the last backslash")?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_have_a_text_for_each_use() {
        // The value, as an argument, as YAML, as shown.
        let cases = [
            (json!(true), "1", "true", "yes"),
            (json!(false), "", "false", "no"),
            (json!(null), "", "null", "null"),
            (json!(3), "3", "3", "3"),
            (json!(0.1), "0.1", "0.1", "0.1"),
            (json!(1e-5), "1e-05", "1.0e-05", "1.0e-05"),
            (json!(1000.0), "1000.0", "1000.0", "1000.0"),
            (json!({"$float": "inf"}), "inf", ".inf", ".inf"),
            (json!({"$float": "-inf"}), "-inf", "-.inf", "-.inf"),
            (json!({"$float": "nan"}), "nan", ".nan", ".nan"),
            (
                json!({"$integer": "18446744073709551616"}),
                "18446744073709551616",
                "18446744073709551616",
                "18446744073709551616",
            ),
            (json!([{"$float": "inf"}, 1]), "inf 1", "[Infinity,1]", "[.inf, 1]"),
            (json!("adam"), "adam", "adam", "adam"),
            (json!("yes"), "yes", "'yes'", "'yes'"),
            (json!("00500"), "00500", "'00500'", "'00500'"),
            (json!(""), "", "''", "''"),
            (json!("a b"), "a b", "a b", "a b"),
            (json!("a: b"), "a: b", "'a: b'", "'a: b'"),
            (json!("it's # a"), "it's # a", "'it''s # a'", "'it''s # a'"),
            (json!("--x"), "--x", "'--x'", "'--x'"),
            (json!("a\nb"), "a\nb", "\"a\\nb\"", "\"a\\nb\""),
            (json!("/p/q"), "/p/q", "/p/q", "/p/q"),
            (json!([1, "a b"]), "1 'a b'", "[1,\"a b\"]", "[1, a b]"),
            (json!({"a": 1}), "{\"a\":1}", "{\"a\":1}", "{a: 1}"),
        ];
        for (value, argument, yaml, shown) in cases {
            assert_eq!(
                (as_argument(&value), as_yaml(&value), as_shown(&value)),
                (argument.into(), yaml.into(), shown.into())
            );
        }
    }

    #[test]
    fn encodings_are_looked_up_by_the_text_of_a_value() {
        let encoding = json!({"true": "on", "no": "off", "1": "one", "0.5": "half", "a": "A", "null": 7});
        let cases = [
            (json!(true), "on"),
            (json!(false), "off"),
            (json!(1), "one"),
            (json!(0.5), "half"),
            (json!("a"), "A"),
            (json!(null), "7"),
            (json!("b"), "b"),
            (json!(2), "2"),
        ];
        for (value, expected) in cases {
            assert_eq!(encoded(&value, encoding.as_object().unwrap()), expected);
        }
    }

    #[test]
    fn a_line_is_split_as_python_splits_it() {
        let cases: [(&str, Result<&[&str], &str>); 14] = [
            ("", Ok(&[])),
            ("  a  b\t c\n", Ok(&["a", "b", "c"])),
            ("echo #1 a#b", Ok(&["echo", "#1", "a#b"])),
            ("a'b c'd", Ok(&["ab cd"])),
            ("'' \"\"", Ok(&["", ""])),
            (r"python -c 'import sys; sys.exit(${code})'", Ok(&["python", "-c", "import sys; sys.exit(${code})"])),
            (r#""a \"b\" \\ \$x \n""#, Ok(&["a \"b\" \\ \\$x \\n"])),
            (r"a\ b \'", Ok(&["a b", "'"])),
            (r"'a\'", Ok(&[r"a\"])),
            (r"\${x}", Ok(&["${x}"])),
            (r"'\${x}'", Ok(&[r"\${x}"])),
            ("'a", Err("a single quote is not closed")),
            ("\"a", Err("a double quote is not closed")),
            ("a\\", Err("nothing follows the last backslash")),
        ];
        for (line, expected) in cases {
            let words = expected.map(|words| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
            assert_eq!(split(line), words, "{line}");
        }
        for words in [vec!["a", "b c", "", "it's", "\"q\"", "$x", "é", "a\nb"], vec![]] {
            assert_eq!(split(&join(&words)).unwrap(), words);
        }
    }
}
