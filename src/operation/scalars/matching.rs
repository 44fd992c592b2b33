//! One pattern, and what its groups say when a line matches.

use std::collections::BTreeMap;

use regex::bytes::{Captures, Regex};

use super::ScalarsError;
use crate::model::push_python_str;
use crate::operation::python_regex::from_python;

/// What stands for a part of a pattern.
const ALIASES: [(&str, &str); 3] = [(r"\key", "[^ \t]+"), (r"\value", r"[0-9\.e\-]+"), (r"\step", "[0-9]+")];

/// The names of two groups of which one holds the key and the other the value.
const KEY_AND_VALUE: [&str; 2] = ["_key", "_val"];

fn python_repr(text: &str) -> String {
    let mut repr = String::new();
    push_python_str(&mut repr, text);
    repr
}

/// A pattern and what its groups mean.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) regex: Regex,
    /// The pattern with what its aliases stand for, as Python has it.
    written: String,
    groups: Groups,
}

#[derive(Clone, Debug)]
enum Groups {
    /// The value of this key.
    Value(String),
    /// A key, then its value.
    KeyAndValue,
    /// A key and its value, by the names for that.
    NamedKeyAndValue,
    /// Values of these keys.
    Named(Vec<String>),
}

impl Pattern {
    /// Reads the pattern `text` that stands at `at`, for the scalar `name` if it has one.
    pub(super) fn new(at: &str, name: Option<&str>, text: &str) -> Result<Self, ScalarsError> {
        let refused = |what: String| ScalarsError::Pattern { at: at.to_owned(), pattern: text.to_owned(), what };
        let plain = ALIASES.iter().fold(text.to_owned(), |text, (alias, stands_for)| text.replace(alias, stands_for));
        let regex = from_python(&plain).and_then(|made| Regex::new(&made).map_err(|error| reason(&error)));
        let regex = regex.map_err(refused)?;
        let named: Vec<String> = regex.capture_names().flatten().map(str::to_owned).collect();
        let groups = match (regex.captures_len() - 1, name) {
            _ if KEY_AND_VALUE.iter().all(|key| named.iter().any(|name| name == key)) => Groups::NamedKeyAndValue,
            _ if !named.is_empty() => Groups::Named(named),
            (1, Some(name)) => Groups::Value(name.to_owned()),
            (1, None) => {
                let what = "its one group is a value without a name; write it as the value of a map, NAME: PATTERN";
                return Err(refused(what.to_owned()));
            }
            (2, _) => Groups::KeyAndValue,
            (0, _) => {
                let what = "it has no group for the value; put what is the value into parentheses";
                return Err(refused(what.to_owned()));
            }
            (count, _) => {
                let what = "more than a key and a value; name them, (?P<NAME>…), or make them (?:…)";
                return Err(refused(format!("it has {count} groups, {what}")));
            }
        };
        Ok(Self { regex, written: plain, groups })
    }

    /// Returns what the pattern finds in a line, in the words of Guild: its groups, and the scalars they make.
    pub(super) fn explain(&self, line: &str) -> String {
        let pattern = python_repr(&self.written);
        let group = |found: Option<regex::bytes::Match<'_>>| {
            found.map_or_else(|| "None".to_owned(), |found| python_repr(&String::from_utf8_lossy(found.as_bytes())))
        };
        let matches: Vec<String> = self
            .regex
            .captures_iter(line.as_bytes())
            .map(|captures| {
                let groups: Vec<String> = captures.iter().skip(1).map(group).collect();
                // As Python writes a tuple of one.
                if groups.len() == 1 { format!("({},)", groups[0]) } else { format!("({})", groups.join(", ")) }
            })
            .collect();
        if matches.is_empty() {
            return format!("  {pattern}: <no matches>");
        }
        let mut values = BTreeMap::new();
        self.apply(line.as_bytes(), &mut values);
        let values: Vec<String> =
            values.iter().map(|(name, value)| format!("{name}={}", crate::model::float_text(*value))).collect();
        format!("  {pattern}: [{}] ({})", matches.join(", "), values.join(", "))
    }

    /// Puts what the line says into `values`.
    pub(super) fn apply(&self, line: &[u8], values: &mut BTreeMap<String, f64>) {
        for captures in self.regex.captures_iter(line) {
            let mut put = |key: Option<String>, value: Option<f64>| {
                if let (Some(key), Some(value)) = (key, value) {
                    values.insert(key, value);
                }
            };
            match &self.groups {
                Groups::Value(key) => put(Some(key.clone()), number(&captures, 1)),
                Groups::KeyAndValue => put(text(&captures, 1), number(&captures, 2)),
                Groups::NamedKeyAndValue => {
                    let [key, value] = KEY_AND_VALUE.map(|name| {
                        captures.name(name).map(|found| String::from_utf8_lossy(found.as_bytes()).into_owned())
                    });
                    put(key, value.as_deref().and_then(parse));
                }
                Groups::Named(names) => {
                    for name in names {
                        let found = captures.name(name).and_then(|found| std::str::from_utf8(found.as_bytes()).ok());
                        put(Some(name.clone()), found.and_then(parse));
                    }
                }
            }
        }
    }
}

fn text(captures: &Captures<'_>, group: usize) -> Option<String> {
    captures.get(group).map(|found| String::from_utf8_lossy(found.as_bytes()).into_owned())
}

fn number(captures: &Captures<'_>, group: usize) -> Option<f64> {
    captures.get(group).and_then(|found| parse(std::str::from_utf8(found.as_bytes()).ok()?))
}

fn parse(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

/// Returns the line of an error that says what is wrong; the others draw the pattern.
fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(limit) => format!("it would take more than {limit} bytes"),
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        }
    }
}
