//! Putting values into the text of a YAML or JSON file, so that everything else of it stays as it was written: comments,
//! order, quotes, dates, tags.
//!
//! What cannot be done by putting in words is left to whoever writes the whole file anew.

use std::collections::HashMap;

use serde_json::Value;
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, options};

use crate::operation::encode::as_yaml;
use crate::operation::scalar::beyond_text;

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// As words of YAML.
    Yaml,
    /// As JSON, as Python's `json` reads it.
    Json,
}

/// What stands at a path, by the numbers of its first character and of the one behind its last.
#[derive(Clone, Copy, Debug)]
enum Found {
    /// A scalar, a list or a mapping in brackets.
    Word { start: usize, end: usize, is_flow: bool },
    /// A mapping with a line for each key: the beginning of its first key, and its column.
    Block { first: usize, column: usize },
    /// Something that no word can be put in the place of.
    Fixed,
}

/// Returns the text with these values at their dotted names; `None` where that changes more than words.
pub(super) fn edited(text: &str, settings: &[(String, Value)], words: Words) -> Option<String> {
    settings.iter().try_fold(text.to_owned(), |text, (name, value)| set(&text, name, value, words))
}

fn set(text: &str, name: &str, value: &Value, words: Words) -> Option<String> {
    let chars: Vec<char> = text.chars().collect();
    let places = places(text)?;
    let parts: Vec<String> = name.split('.').map(str::to_owned).collect();
    if let Some(found) = places.get(&parts) {
        let Found::Word { start, end, is_flow } = *found else { return None };
        let present: String = chars[start..end].iter().collect();
        let is_same = value.as_str() == Some(present.as_str());
        return Some(if is_same { text.to_owned() } else { put(&chars, start, end, &word(value, is_flow, words)) });
    }
    // The nearest mapping that is there takes what is missing.
    let depth = (0..parts.len()).rev().find(|depth| places.contains_key(&parts[..*depth]))?;
    let (key, inner) = (&parts[depth], &parts[depth + 1..]);
    let nested = inner.iter().rev().fold(value.clone(), |value, part| serde_json::json!({ part: value }));
    match *places.get(&parts[..depth])? {
        Found::Block { first, column } => {
            let indent = " ".repeat(column);
            let line = format!("{}: {}\n", key_word(key), word(&nested, !inner.is_empty(), words));
            // Behind all others, where the end of the file is the end of the mapping.
            if depth == 0 {
                let end = if text.ends_with('\n') { "" } else { "\n" };
                return Some(format!("{text}{end}{indent}{line}"));
            }
            Some(put(&chars, first, first, &format!("{line}{indent}")))
        }
        Found::Word { start, end, .. } if chars.get(start) == Some(&'{') => {
            let is_empty = chars[start + 1..end - 1].iter().all(|c| c.is_whitespace());
            let key = if words == Words::Json { Value::from(key.as_str()).to_string() } else { key_word(key) };
            let entry = format!("{key}: {}{}", word(&nested, true, words), if is_empty { "" } else { ", " });
            Some(put(&chars, start + 1, start + 1, &entry))
        }
        _ => None,
    }
}

fn put(chars: &[char], start: usize, end: usize, word: &str) -> String {
    let before: String = chars[..start].iter().collect();
    let after: String = chars[end..].iter().collect();
    // `key:` without a value has its place right behind the colon.
    let space = if start == end && before.ends_with(':') { " " } else { "" };
    format!("{before}{space}{word}{after}")
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

/// A collection whose end has not come.
struct Open {
    path: Option<Vec<String>>,
    is_map: bool,
    start: usize,
    is_flow: bool,
    /// The key whose value comes next.
    key: Option<String>,
}

/// Returns what stands at each path of keys.
fn places(text: &str) -> Option<HashMap<Vec<String>, Found>> {
    let options = options! { emit_comments: false, emit_unresolved_aliases: true };
    let chars: Vec<char> = text.chars().collect();
    let mut found = HashMap::new();
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.ok()?;
        let Span { start, end, .. } = span;
        let is_flow = open.last().is_some_and(|open| open.is_flow);
        match event {
            Event::Scalar(written, style, anchor, tag) => {
                if let Some(open) = open.last_mut().filter(|open| open.is_map && open.key.is_none()) {
                    open.key = Some(written.into_owned());
                    if let Some(path) = open.path.clone().filter(|_| !open.is_flow) {
                        found.entry(path).or_insert(Found::Block { first: start.index(), column: start.col() });
                    }
                    continue;
                }
                // A value that is not there stands at the colon.
                let nothing = usize::from(start.index() == end.index() && chars.get(start.index()) == Some(&':'));
                let word = Found::Word { start: start.index() + nothing, end: end.index() + nothing, is_flow };
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let is_fixed = anchor > 0 || tag.is_some() || is_block;
                if let Some(path) = next_path(&mut open) {
                    found.insert(path, if is_fixed { Found::Fixed } else { word });
                }
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                let is_map = matches!(event, Event::MappingStart(..));
                let path = if open.is_empty() { Some(Vec::new()) } else { next_path(&mut open) };
                if let Some(path) = &path {
                    // Of a key that stands twice the last one counts, with all that it holds.
                    found.retain(|known, _| !known.starts_with(path));
                }
                let is_flow = is_flow || matches!(chars.get(start.index()), Some('{' | '['));
                open.push(Open { path, is_map, start: start.index(), is_flow, key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let ended = open.pop()?;
                let Some(path) = ended.path else { continue };
                let place = match ended.is_flow {
                    true => {
                        let is_flow = open.last().is_some_and(|open| open.is_flow);
                        Found::Word { start: ended.start, end: end.index(), is_flow }
                    }
                    false => Found::Fixed,
                };
                found.entry(path).or_insert(place);
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => match open.last_mut() {
                Some(open) if open.is_map && open.key.is_none() => open.key = Some(String::new()),
                _ => {
                    if let Some(path) = next_path(&mut open) {
                        found.insert(path, Found::Fixed);
                    }
                }
            },
            _ => {}
        }
    }
    Some(found)
}

/// Returns the path of the value that comes now; `None` inside of lists.
fn next_path(open: &mut [Open]) -> Option<Vec<String>> {
    let last = open.last_mut()?;
    let key = last.key.take();
    let mut path = last.path.clone().filter(|_| last.is_map)?;
    path.push(key?);
    Some(path)
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
        // More than words would change.
        for name in ["text", "net", "none.a"] {
            assert_eq!(edited(text, &[(name.to_owned(), json!(1))], Words::Yaml), None, "{name}");
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
