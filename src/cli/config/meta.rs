//! Metadata of runs, `--meta KEY=VALUE` and `[meta]`: what a key and a value may be, and slips in keys.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::layers::{Entry, Origin};
use crate::cli::Failure;
use crate::model::{META, nearest};

/// What a key looks like, as the schema says it.
pub(super) const META_PATTERN: &str = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$";

/// The name of a piece of metadata: ASCII letters, digits, `_`, `-` and `.`, with a letter, a digit or `_` first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct MetaKey(String);

/// Why a text is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadKey {
    /// There is none.
    #[error("a key of metadata is empty")]
    Empty,
    /// A character that no key has there.
    #[error(
        "{key:?} is no key of metadata: {what} has no place {place}; write ASCII letters, digits, '_', '-' and '.', such as build"
    )]
    Character {
        /// The key.
        key: String,
        /// The character, as it is shown.
        what: String,
        /// Where it stands.
        place: &'static str,
    },
}

impl TryFrom<String> for MetaKey {
    type Error = BadKey;

    fn try_from(key: String) -> Result<Self, BadKey> {
        let first = key.chars().next().ok_or(BadKey::Empty)?;
        let bad = |what: char, place| BadKey::Character { key: key.clone(), what: format!("{what:?}"), place };
        if matches!(first, '-' | '.') {
            return Err(bad(first, "at its beginning"));
        }
        if let Some(other) = key.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))) {
            return Err(bad(other, "in it"));
        }
        Ok(Self(key))
    }
}

impl fmt::Display for MetaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The value of a piece of metadata: a text. A whole number and a truth value are their texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Json")]
pub(crate) struct MetaValue(pub(crate) String);

impl TryFrom<Json> for MetaValue {
    type Error = String;

    fn try_from(value: Json) -> Result<Self, String> {
        match value {
            Json::String(text) => Ok(Self(text)),
            Json::Bool(_) => Ok(Self(value.to_string())),
            Json::Number(number) if !number.is_f64() => Ok(Self(number.to_string())),
            // 1.10 is read as 1.1, which is another release.
            Json::Number(_) => Err(format!("must be a text: put the number {value} in quotes")),
            Json::Object(_) => Err("must be a text and no table; a key with dots is written in quotes".to_owned()),
            other => Err(format!("must be a text, not {other}")),
        }
    }
}

impl JsonSchema for MetaValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MetaValue".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["string", "integer", "boolean"] })
    }
}

/// A value of `--meta`.
#[derive(Clone, Debug)]
pub(crate) struct MetaOption {
    /// The key.
    pub(crate) key: MetaKey,
    /// The value.
    pub(crate) value: MetaValue,
}

impl FromStr for MetaOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, for example build=1234")?;
        let key = MetaKey::try_from(key.to_owned()).map_err(|error| error.to_string())?;
        Ok(Self { key, value: MetaValue(value.to_owned()) })
    }
}

/// Refuses a key that one command line gives twice: one of the values would be lost.
pub(super) fn check_once(given: &[MetaOption]) -> Result<(), Failure> {
    let twice = given.iter().enumerate().find_map(|(at, one)| {
        let before = given[..at].iter().find(|other| other.key == one.key)?;
        Some((before, one))
    });
    twice.map_or(Ok(()), |(before, one)| {
        let (key, before, value) = (&one.key, &before.value.0, &one.value.0);
        Err(Failure::usage(format!("--meta gives '{key}' twice, as {before:?} and as {value:?}"))
            .hint("give each key one value."))
    })
}

/// Returns what is to be said of keys that look like slips: near to one that another place sets, and not the same.
pub(super) fn slips(entries: &[Entry]) -> Vec<String> {
    let keys = || entries.iter().filter_map(|entry| Some((meta_key(entry)?, &entry.origin)));
    let slip = |(key, origin): (&str, &Origin)| {
        let others =
            keys().filter(|(other, from)| *other != key && is_below(from, origin) && digits(other) == digits(key));
        let (near, from) =
            others.clone().find(|(other, _)| nearest(key, [*other]).is_some() || same_letters(key, other))?;
        Some(format!("the metadata '{key}' ({origin}) stands beside '{near}' ({from}); did you mean '{near}'?"))
    };
    keys().filter_map(slip).collect()
}

fn meta_key(entry: &Entry) -> Option<&str> {
    entry.path.strip_prefix(&[META.to_owned()])?.first().map(String::as_str)
}

/// Returns whether a value comes from a place that the other wins over.
fn is_below(one: &Origin, other: &Origin) -> bool {
    let height = |origin: &Origin| match origin {
        Origin::Default => 0,
        Origin::File(..) => 1,
        Origin::Variable(_) => 2,
        Origin::Option(_) => 3,
    };
    height(one) < height(other)
}

/// `build1` and `build2` are two names, and no slip.
fn digits(key: &str) -> String {
    key.chars().filter(char::is_ascii_digit).collect()
}

fn same_letters(one: &str, other: &str) -> bool {
    let letters = |key: &str| key.to_lowercase().replace(['-', '_', '.'], "");
    letters(one) == letters(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_word_and_a_value_any_text() {
        let good = [
            ("build=1234", "build", "1234"),
            ("a.b-c_d=", "a.b-c_d", ""),
            ("u1=x=y", "u1", "x=y"),
            ("1=\n", "1", "\n"),
        ];
        for (text, key, value) in good {
            let option: MetaOption = text.parse().unwrap();
            assert_eq!((option.key.to_string().as_str(), option.value.0.as_str()), (key, value));
        }
        let told = ["build", "=3", "a b=3", "-a=3", ".a=3", "a:b=3", "a\n=3", "ü=1"];
        let told: Vec<String> = told.iter().map(|text| text.parse::<MetaOption>().unwrap_err()).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        write KEY=VALUE, for example build=1234
        a key of metadata is empty
        "a b" is no key of metadata: ' ' has no place in it; write ASCII letters, digits, '_', '-' and '.', such as build
        "-a" is no key of metadata: '-' has no place at its beginning; write ASCII letters, digits, '_', '-' and '.', such as build
        ".a" is no key of metadata: '.' has no place at its beginning; write ASCII letters, digits, '_', '-' and '.', such as build
        "a:b" is no key of metadata: ':' has no place in it; write ASCII letters, digits, '_', '-' and '.', such as build
        "a\n" is no key of metadata: '\n' has no place in it; write ASCII letters, digits, '_', '-' and '.', such as build
        "ü" is no key of metadata: 'ü' has no place in it; write ASCII letters, digits, '_', '-' and '.', such as build
        "#);
    }

    #[test]
    fn a_key_near_to_one_that_is_set_below_is_told() {
        let entry = |key: &str, origin: Origin| Entry {
            path: vec![META.to_owned(), key.to_owned()],
            is_item: false,
            value: Json::from("x"),
            origin,
        };
        let file = || Origin::File("rille.toml".into(), 2);
        let cases = [
            ("biuld", true),
            ("Build", true),
            ("builds", true),
            ("build", false),
            ("build2", false),
            ("commit", false),
        ];
        for (key, is_slip) in cases {
            let told = slips(&[entry("build", file()), entry(key, Origin::Option("--meta"))]);
            assert_eq!(!told.is_empty(), is_slip, "{key}: {told:?}");
        }
        assert_eq!(slips(&[entry("build", file()), entry("builds", file())]), [""; 0]);
    }
}
