//! Attributes of a run: one YAML document a file, in the encoding of Guild.
//!
//! Guild reads them with `PyYAML`'s `safe_load`, which knows YAML 1.1 and, patched by Guild, takes `1e3` for a number. So
//! block style, sorted keys, a newline at the end, and quotes around every string that some reader takes for another
//! type.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde::de::DeserializeOwned;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use crate::model::{Value, YamlMistake, YamlSchema, read_yaml};

/// Why a value and its attribute could not be made of each other.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttrError {
    /// It is no value that an attribute can have, or not the one that is read.
    #[error(transparent)]
    Value(#[from] serde_json::Error),
    /// It cannot be written as YAML.
    #[error(transparent)]
    Write(#[from] serde_saphyr::SerializeError),
    /// It is not YAML.
    #[error(transparent)]
    Read(Box<serde_saphyr::Error>),
    /// It has numbers beyond JSON, and is not YAML.
    #[error(transparent)]
    ReadLarge(#[from] YamlMistake),
}

/// Returns `value` as a YAML document.
pub(crate) fn encode(value: &impl Serialize) -> Result<String, AttrError> {
    let mut value = serde_json::to_value(value)?;
    value.sort_all_objects();
    let options = serde_saphyr::ser_options! {
        // Folded and literal blocks differ between readers in what they do to spaces at the ends of lines.
        prefer_block_scalars: false,
    };
    let text = serde_saphyr::to_string_with_options(&Written(&value), options)?;
    let mut text = match text.contains(LARGE) {
        true => WRITTEN_LARGE.replace_all(&text, "$1").into_owned(),
        false => text,
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// Returns what a YAML document holds. An empty document is null.
pub(crate) fn decode<T: DeserializeOwned>(text: &str) -> Result<T, AttrError> {
    let text = if text.trim().is_empty() { "null\n" } else { text };
    if BEYOND.is_match(text) {
        let value = read_yaml(text, YamlSchema::Old)?;
        return Ok(serde_json::from_value(value.to_plain_json())?);
    }
    serde_saphyr::from_str(text).map_err(|error| AttrError::Read(Box::new(error)))
}

/// What may be a number that JSON has no word for, and that stands in its form once it is read.
static BEYOND: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?mi)(?:^|[\s\[,:-])[-+]?(?:\.inf|\.nan|[0-9]{19,})\b")
        .expect("it is part of the program and is tested")
});

/// What stands before the digits of a number of more than 64 bits until they are written as a number.
const LARGE: &str = "rille.large.number.";

static WRITTEN_LARGE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"rille\.large\.number\.(-?[0-9]+)").expect("it is part of the program and is tested"));

/// A value whose numbers are written as such, also where JSON has no word for them.
struct Written<'a>(&'a Json);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Json::Object(fields) => match Value::beyond_json(self.0) {
                Some(Value::Float(number)) => serializer.serialize_f64(number),
                Some(number) => serializer.collect_str(&Cow::from(format!("{LARGE}{}", number.to_text()))),
                None => {
                    let mut map = serializer.serialize_map(Some(fields.len()))?;
                    for (name, value) in fields {
                        map.serialize_entry(name, &Written(value))?;
                    }
                    map.end()
                }
            },
            Json::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&Written(item))?;
                }
                list.end()
            }
            scalar => scalar.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn decode_value(text: &str) -> Result<Value, String> {
        decode(text).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_that_json_has_no_word_for_are_numbers() {
        let cases = [
            (json!({"f": {"$float": "inf"}}), "f: .inf\n"),
            (json!([{"$float": "-inf"}, {"$float": "nan"}]), "- -.inf\n- .nan\n"),
            (json!({"m": {"$integer": "18446744073709551616"}, "t": "x"}), "m: 18446744073709551616\nt: x\n"),
            (
                json!({"m": {"$integer": "-9999999999999999999999999999999999999999999999"}}),
                "m: -9999999999999999999999999999999999999999999999\n",
            ),
        ];
        for (value, text) in cases {
            assert_eq!(encode(&value).unwrap(), text);
            assert_eq!(decode_value(text).unwrap(), value);
        }
    }

    #[test]
    fn the_encoding_is_guilds() {
        let cases = [
            (json!(1_795_247_695_121_219_u64), "1795247695121219\n"),
            (json!(-15), "-15\n"),
            (json!("lab 2"), "lab 2\n"),
            (json!(null), "null\n"),
            (json!(0.1), "0.1\n"),
            (json!(["t2", "t1"]), "- t2\n- t1\n"),
            (
                json!({"x": 2, "b": true, "nothing": null, "lr": 0.1, "name": "foo"}),
                "b: true\nlr: 0.1\nname: foo\nnothing: null\nx: 2\n",
            ),
            (json!({}), "{}\n"),
            (json!([]), "[]\n"),
            (json!([{"file": "a", "deps": ["b"]}]), "- deps:\n  - b\n  file: a\n"),
        ];
        for (value, text) in cases {
            assert_eq!(encode(&value).unwrap(), text);
            assert_eq!(decode_value(text).unwrap(), value);
        }
    }

    #[test]
    fn strings_that_look_like_something_else_are_quoted() {
        let words = [
            "",
            "y",
            "Y",
            "n",
            "N",
            "yes",
            "no",
            "on",
            "off",
            "true",
            "null",
            "~",
            "1e3",
            "1E5",
            "00500",
            "0x1f",
            "1_000",
            "1:30",
            ".5",
            "1.",
            ".inf",
            ".nan",
            "2024-01-01",
            "=",
            "<<",
            "-",
            "- a",
            "a: b",
            "a #b",
            "#",
            "'",
            "\"",
            "%a",
            "@a",
            "`a",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "{",
            "[",
            " a",
            "a ",
            "a\nb\n",
            "\n",
            "a\tb",
            "\u{1b}[0m",
            "\u{feff}",
            "\u{2028}",
            "\u{85}",
            "---",
            "...",
            "0o17",
            "0b1",
            "+1",
            "1e+3",
        ];
        for word in words {
            for value in [json!(word), json!([word]), json!({ word: word })] {
                let text = encode(&value).unwrap();
                assert_eq!(decode_value(&text).unwrap(), value, "{text}");
                let quoted = text.contains('\'') || text.contains('"');
                assert!(quoted, "{word:?} stands bare in {text:?}");
            }
        }
    }

    #[test]
    fn what_pyyaml_writes_is_read() {
        let long = format!("{}\n  {}\n", "word ".repeat(15).trim_end(), "more");
        assert_eq!(decode_value(&long).unwrap(), json!(format!("{}more", "word ".repeat(15))));
        assert_eq!(decode_value("a: 'x\n\n  y'\nb: [1, 2]\n").unwrap(), json!({"a": "x\ny", "b": [1, 2]}));
        assert_eq!(decode_value("").unwrap(), Value::Null);
        assert_eq!(decode::<Option<i64>>("\n").unwrap(), None);
        assert!(decode_value("a: [1").is_err());
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_filter("JSON has no other", |f| f.is_finite()).prop_map(Value::from),
            ".*".prop_map(Value::from),
            "[0-9eE.+_:-]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".{0,8}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_comes_back(value in value()) {
            let text = encode(&value).unwrap();
            prop_assert!(text.ends_with('\n'));
            prop_assert_eq!(decode_value(&text).unwrap(), value, "{}", text);
        }
    }
}
