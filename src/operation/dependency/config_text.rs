//! Putting values into the text of a YAML or JSON file, so that everything else of it stays as it was written: comments,
//! order, quotes, dates, tags.
//!
//! What cannot be done by putting in words is left to whoever writes the whole file anew.

use serde_json::Value;

use super::config_places::{Document, Kind, Place};
use crate::operation::encode::as_yaml;
use crate::operation::scalar::beyond_text;
use crate::operation::yaml_word::{Word, yaml_word};

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// As words of YAML.
    Yaml,
    /// As JSON, as Python's `json` reads it.
    Json,
}

/// Returns the text with these values at their dotted names; `None` where that changes more than words.
pub(super) fn edited(text: &str, settings: &[(String, Value)], words: Words) -> Option<String> {
    settings.iter().try_fold(text.to_owned(), |text, (name, value)| set(&text, name, value, words))
}

/// A part of the text, by the numbers of its characters, and what comes in its place.
type Edit = (usize, usize, String);

fn set(text: &str, name: &str, value: &Value, words: Words) -> Option<String> {
    let chars: Vec<char> = text.chars().collect();
    let document = Document::read(text)?;
    let parts: Vec<String> = name.split('.').map(str::to_owned).collect();
    let edits = match document.places.get(&parts) {
        Some(place) => replace(&chars, &document, place, value, words)?,
        None => add(&chars, &document, &parts, value, words)?,
    };
    Some(applied(&chars, edits))
}

/// Returns what puts a value in the place of another one.
fn replace(chars: &[char], document: &Document, place: &Place, value: &Value, words: Words) -> Option<Vec<Edit>> {
    let &Place { start, end, properties, is_flow, .. } = place;
    let shown = |from: usize| chars[from..end].iter().collect::<String>();
    let is_date = |text: &str| text.starts_with(|c: char| c.is_ascii_digit()) && yaml_word(text) == Word::Other;
    let new = match value.as_str().filter(|text| is_date(text) && words == Words::Yaml) {
        // A date comes in the place of a date, and not a text.
        Some(text) if place.kind == Kind::Scalar && is_date(&shown(start)) => text.to_owned(),
        _ => word(value, is_flow, words),
    };
    match place.kind {
        // A date stays one where it is asked for as text.
        Kind::Scalar if value.as_str().is_some_and(|text| is_of_text(text) && text == shown(properties)) => {
            Some(Vec::new())
        }
        Kind::Scalar | Kind::Flow | Kind::Alias => {
            // What refers to it keeps the value that it had: the first to do so has it from now on.
            let alias = document.aliases.iter().find(|(anchor, ..)| place.anchor == Some(*anchor));
            let moved = alias.map(|&(_, start, end)| (start, end, shown(properties)));
            Some(moved.into_iter().chain([(properties, end, new)]).collect())
        }
        Kind::Text => {
            // The end of its last line is that of the key's.
            let trailing = chars[properties..end].iter().rev().take_while(|c| c.is_whitespace()).count();
            Some(vec![(properties, end - trailing, new)])
        }
        Kind::BlockMap { .. } | Kind::BlockList if place.anchor.is_some() => None,
        Kind::BlockMap { .. } | Kind::BlockList => {
            let colon = place.colon?;
            // Comments between the key and what it holds are nobody's value.
            let line = (0..start).rev().find(|at| chars[*at] == '\n')?;
            let trailing = chars[start..end].iter().rev().take_while(|c| c.is_whitespace()).count();
            let is_below = line >= colon;
            is_below.then(|| vec![(colon, colon, format!(" {new}")), (line, end - trailing, String::new())])
        }
    }
}

/// Returns whether a plain scalar is no number and no other word, so that a text may stand there as it is.
fn is_of_text(text: &str) -> bool {
    matches!(yaml_word(text), Word::Text | Word::Other)
}

/// Returns what adds a value to the nearest mapping that is there.
fn add(chars: &[char], document: &Document, parts: &[String], value: &Value, words: Words) -> Option<Vec<Edit>> {
    let newline = if chars.windows(2).any(|pair| pair == ['\r', '\n']) { "\r\n" } else { "\n" };
    let last = if chars.last().is_none_or(|c| *c == '\n') { "" } else { newline };
    let depth = (0..parts.len()).rev().find(|depth| document.places.contains_key(&parts[..*depth]));
    let (key, inner) = (&parts[depth.unwrap_or(0)], &parts[depth.unwrap_or(0) + 1..]);
    let nested = inner.iter().rev().fold(value.clone(), |value, part| serde_json::json!({ part: value }));
    let line = format!("{}: {}{newline}", key_word(key), word(&nested, !inner.is_empty(), words));
    let Some(depth) = depth else {
        // A file of comments.
        let is_empty = document.is_empty && words == Words::Yaml;
        return is_empty.then(|| vec![(chars.len(), chars.len(), format!("{last}{line}"))]);
    };
    let place = document.places.get(&parts[..depth])?;
    let &Place { start, end, .. } = place;
    let pair = || {
        let key = if words == Words::Json { Value::from(key.as_str()).to_string() } else { key_word(key) };
        format!("{key}: {}", word(&nested, true, words))
    };
    match place.kind {
        // Behind all others, where the end of the file is the end of the mapping.
        Kind::BlockMap { column } if depth == 0 && !document.is_marked => {
            Some(vec![(chars.len(), chars.len(), format!("{last}{}{line}", " ".repeat(column)))])
        }
        Kind::BlockMap { column } => Some(vec![(start, start, format!("{line}{}", " ".repeat(column)))]),
        Kind::Flow if chars.get(start) == Some(&'{') => {
            let is_empty = chars[start + 1..end - 1].iter().all(|c| c.is_whitespace());
            Some(vec![(start + 1, start + 1, format!("{}{}", pair(), if is_empty { "" } else { ", " }))])
        }
        // A mapping of its own, with what the other one holds.
        Kind::Alias if words == Words::Yaml => {
            let alias: String = chars[start..end].iter().collect();
            Some(vec![(start, end, format!("{{<<: {alias} , {}}}", pair()))])
        }
        Kind::Scalar if place.anchor.is_none() => Some(vec![(place.properties, end, format!("{{{}}}", pair()))]),
        _ => None,
    }
}

fn applied(chars: &[char], mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|(start, ..)| *start);
    let mut out = String::new();
    let mut at = 0;
    for (start, end, word) in edits {
        out.extend(&chars[at..start]);
        // `key:` without a value has its place right behind the colon.
        if start == end && out.ends_with(':') && !word.starts_with(' ') {
            out.push(' ');
        }
        out.push_str(&word);
        at = end;
    }
    out.extend(&chars[at..]);
    out
}

fn key_word(key: &str) -> String {
    as_yaml(&Value::from(key))
}

fn word(value: &Value, is_flow: bool, words: Words) -> String {
    match (words, value) {
        (Words::Json, value) => match (beyond_text(value).as_deref(), value) {
            (Some("inf"), _) => "Infinity".to_owned(),
            (Some("-inf"), _) => "-Infinity".to_owned(),
            (Some("nan"), _) => "NaN".to_owned(),
            (Some(digits), _) => digits.to_owned(),
            (None, value) => value.to_string(),
        },
        // A comma or a bracket would end it there.
        (Words::Yaml, Value::String(text)) if is_flow && text.contains([',', '[', ']', '{', '}']) => value.to_string(),
        (Words::Yaml, Value::Object(fields)) if beyond_text(value).is_none() => {
            let entries = fields.iter().map(|(key, value)| format!("{}: {}", key_word(key), word(value, true, words)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        (Words::Yaml, Value::Array(items)) => {
            format!("[{}]", items.iter().map(|item| word(item, true, words)).collect::<Vec<_>>().join(", "))
        }
        (Words::Yaml, value) => as_yaml(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_words_that_are_named_change() {
        let text = "# Settings.\nlr: 0.10   # the rate\nwhen: 2020-01-01\n\nnet:\n  # Wide.\n  width: 010\n  name: 'a b'\n\
                    tags: [x, y]\nflow: {a: 1, b: {c: 2}}\nnone:\ntext: |\n  two\n  lines\n";
        let cases = [
            ("lr", json!(0.5), "lr: 0.10   #", "lr: 0.5   #"),
            ("net.width", json!(9), "width: 010", "width: 9"),
            ("net.name", json!("it's"), "'a b'", "it's"),
            ("when", json!("2020-01-01"), "", ""),
            ("when", json!("2020-01-02x"), "2020-01-01", "2020-01-02x"),
            ("when", json!("2020-01-02"), "2020-01-01", "2020-01-02"),
            ("net.name", json!("2020-01-02"), "'a b'", "'2020-01-02'"),
            ("tags", json!(["a, b", 1]), "[x, y]", "[\"a, b\", 1]"),
            ("flow.b.c", json!("x,y"), "{c: 2}", "{c: \"x,y\"}"),
            ("flow.d", json!(true), "flow: {", "flow: {d: true, "),
            ("none", json!(1), "none:", "none: 1"),
            ("net.depth", json!(3), "  width: 010", "  depth: 3\n  width: 010"),
            ("net.a.b", json!(3), "  width: 010", "  a: {b: 3}\n  width: 010"),
            ("new", json!({"$float": "inf"}), "  lines\n", "  lines\nnew: .inf\n"),
        ];
        for (name, value, old, new) in cases {
            let expected = if old.is_empty() { text.to_owned() } else { text.replacen(old, new, 1) };
            assert_eq!(edited(text, &[(name.to_owned(), value)], Words::Yaml).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn values_of_every_kind_are_replaced_alone() {
        let cases = [
            // Blocks.
            (
                "a: 1\nl:  # sizes\n  # of all\n  - 1\n  - 2\n\n# end\nb: 2\n",
                "l",
                json!([3]),
                "a: 1\nl: [3]  # sizes\n  # of all\n\n# end\nb: 2\n",
            ),
            ("l:\n- 1\n- {x: 2}\nb: 2\n", "l", json!(5), "l: 5\nb: 2\n"),
            ("net:\n  w: 1\n  deep:\n    x: 1\nb: 2 # b\n", "net", json!("off"), "net: 'off'\nb: 2 # b\n"),
            (
                "net:\n  w: 1\n  deep:\n    x: 1\nb: 2 # b\n",
                "net.deep",
                json!({"y": 2}),
                "net:\n  w: 1\n  deep: {y: 2}\nb: 2 # b\n",
            ),
            ("t: |\n  two\n  lines\n# c\nb: 2\n", "t", json!("x"), "t: x\n# c\nb: 2\n"),
            ("t: >-\n  two\n  lines\n", "t", json!(1), "t: 1\n"),
            // Tags and anchors.
            ("lr: !!float 1 # c\nb: !x y\n", "lr", json!(0.5), "lr: 0.5 # c\nb: !x y\n"),
            ("lr: &r 0.1 # c\nb: 2\n", "lr", json!(0.5), "lr: 0.5 # c\nb: 2\n"),
            ("lr: &r 0.1\nb: *r # b\nc: *r\n", "lr", json!(0.5), "lr: 0.5\nb: &r 0.1 # b\nc: *r\n"),
            ("lr: &r 0.1\nb: *r # b\nc: *r\n", "b", json!(0.5), "lr: &r 0.1\nb: 0.5 # b\nc: *r\n"),
            ("l: &l [1, 2]\nb: *l\n", "l", json!([]), "l: []\nb: &l [1, 2]\n"),
            ("d: &d {x: 1}\nt: *d # t\n", "t.y", json!(2), "d: &d {x: 1}\nt: {<<: *d , y: 2} # t\n"),
            ("d: &d {x: 1}\nt:\n  <<: *d\n  z: 3\n", "t.x", json!(2), "d: &d {x: 1}\nt:\n  x: 2\n  <<: *d\n  z: 3\n"),
            // What is not there.
            ("a:\nb: ~ # c\n", "a.x", json!(1), "a: {x: 1}\nb: ~ # c\n"),
            ("a:\nb: ~ # c\n", "b.x.y", json!(1), "a:\nb: {x: {y: 1}} # c\n"),
            ("# Only comments.", "a", json!(1), "# Only comments.\na: 1\n"),
            ("", "a.b", json!(1), "a: {b: 1}\n"),
            ("--- # c\na: 1\n...\n", "b", json!(2), "--- # c\nb: 2\na: 1\n...\n"),
            ("a: 1\r\nb: 2\r\n", "c", json!(3), "a: 1\r\nb: 2\r\nc: 3\r\n"),
            // Keys in all their forms.
            ("'a b' : 1\n\"c\": 2\n? d\n: 3\n", "a b", json!(9), "'a b' : 9\n\"c\": 2\n? d\n: 3\n"),
            ("'a b' : 1\n\"c\": 2\n? d\n: 3\n", "d", json!(9), "'a b' : 1\n\"c\": 2\n? d\n: 9\n"),
            ("a: {b: 1, c: [1,\n  2]}\n", "a.c", json!("x: y"), "a: {b: 1, c: 'x: y'}\n"),
        ];
        for (text, name, value, expected) in cases {
            let settings = [(name.to_owned(), value)];
            assert_eq!(edited(text, &settings, Words::Yaml).as_deref(), Some(expected), "{name} in {text}");
        }
    }

    #[test]
    fn json_keeps_its_form() {
        let text = "{\n  \"b\": 1.0,\n  \"a\": {\"x\": \"é\"},\n  \"e\": {}\n}\n";
        let cases = [
            ("a.x", json!("q\"r"), "\"é\"", "\"q\\\"r\""),
            ("b", json!({"$float": "-inf"}), "1.0", "-Infinity"),
            ("e.k", json!(1), "{}", "{\"k\": 1}"),
        ];
        for (name, value, old, new) in cases {
            let expected = text.replacen(old, new, 1);
            assert_eq!(edited(text, &[(name.to_owned(), value)], Words::Json).unwrap(), expected, "{name}");
        }
    }
}
