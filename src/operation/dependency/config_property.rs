//! Any settings put into any document change what they name, and nothing else of it.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::config::{Format, nest};

/// The text of a value of YAML in any style, with lines below its key indented by two blanks.
fn yaml_value() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        " 1",
        " 0.10",
        " 010",
        " 2020-01-01",
        " 'a: b'",
        " \"x # y\"",
        " plain text",
        " yes",
        " ~",
        "",
        " !!float 1",
        " !mine x",
        " [1, [2, 3], {a: b}]",
        " {a: 1, b: {c: 2}}",
        " {}",
        "\n  - 1\n  - b: 2\n    c: 3",
        "\n  # Inside.\n  a: 1\n  b:\n    c: 2",
        "\n  a: |\n    two\n    lines\n  b: x",
        " |\n  two\n  lines",
        " >-\n  two\n  lines",
    ])
    .prop_map(str::to_owned)
}

/// A document: for each of its keys the text of the value and a comment above it.
fn yaml() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec((yaml_value(), "[a-z]{0,6}"), 0..7)
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has it", |number| number.is_finite()).prop_map(|number| json!(number)),
        any::<bool>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        "[a-z0-9 é\n\t'\":#,\\[\\]{}]{0,8}".prop_map(Value::from),
        prop::sample::select(vec!["1e3", "0x1", "yes", "null", "2020-01-01", " x ", "- a", "1_000", "~", "=", "<<"])
            .prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..3).prop_map(|items| json!(items)),
    ]
}

/// Names of keys that a document may have, with dots, and values.
fn settings() -> impl Strategy<Value = Vec<(String, Value)>> {
    let name = prop::sample::select(vec!["k0", "k1", "k2", "k3", "k4", "k5", "k1.a", "k2.b.c", "k3.new", "n", "n.m"]);
    prop::collection::vec((name.prop_map(str::to_owned), value()), 1..4)
}

/// Returns the document with the settings as it should be; `None` where they do not fit it.
fn expected(format: Format, text: &str, settings: &[(String, Value)]) -> Option<Value> {
    let mut config = match format.read(text, "c").ok()? {
        Value::Null => Map::new(),
        other => other.as_object().cloned()?,
    };
    settings.iter().try_for_each(|(name, value)| nest(&mut config, name, value.clone())).ok()?;
    Some(Value::Object(config))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn yaml_keeps_all_other_text(document in yaml(), settings in settings()) {
        let blocks: Vec<String> = document
            .iter()
            .enumerate()
            .map(|(at, (value, comment))| format!("# {comment}\nk{at}:{value}\n"))
            .collect();
        let text = blocks.concat();
        let Some(expected) = expected(Format::Yaml, &text, &settings) else { return Ok(()) };
        let edited = Format::Yaml.edited(&text, &settings);
        prop_assert!(edited.is_some(), "{text:?} is written anew for {settings:?}");
        let edited = edited.unwrap();
        prop_assert_eq!(Format::Yaml.read(&edited, "c").ok(), Some(expected), "{:?} became {:?}", text, edited);
        // Blocks that are not named stand there as they were, in their order.
        let is_named = |at: usize| settings.iter().any(|(name, _)| name.split('.').next() == Some(&format!("k{at}")));
        let mut rest = edited.as_str();
        for (at, block) in blocks.iter().enumerate() {
            let kept = if is_named(at) { block.lines().next().unwrap() } else { block.as_str() };
            let found = rest.find(kept);
            prop_assert!(found.is_some(), "{kept:?} is not in {rest:?}, of {edited:?}");
            rest = &rest[found.unwrap() + kept.len()..];
        }
    }

    #[test]
    fn json_keeps_all_other_text(fields in prop::collection::vec(value(), 0..5), settings in settings(), is_wide: bool) {
        let inner = json!({"a": fields, "b": {"c": fields.first()}});
        let fields = fields.iter().chain([&inner]).enumerate();
        let document = Value::Object(fields.map(|(at, value)| (format!("k{at}"), value.clone())).collect());
        let text = if is_wide { format!("{document:#}\n") } else { document.to_string() };
        let Some(expected) = expected(Format::Json, &text, &settings) else { return Ok(()) };
        let edited = Format::Json.edited(&text, &settings);
        prop_assert!(edited.is_some(), "{text} is written anew for {settings:?}");
        let edited = edited.unwrap();
        prop_assert_eq!(Format::Json.read(&edited, "c").ok(), Some(expected), "{} became {}", text, edited);
    }

    #[test]
    fn cfg_keeps_all_other_text(
        sections in prop::collection::vec(("[a-z]{1,4}", "[ -~]{0,8}"), 0..4),
        number: i64,
        name in prop::sample::select(vec!["s0.k", "s1.k", "s1.new", "k", "other.x"]),
    ) {
        let section = |(at, (comment, value)): (usize, &(String, String))| {
            format!("; {comment}\n[s{at}]\nk = x{value}\n\n")
        };
        let text = sections.iter().enumerate().map(section).collect::<Vec<_>>().concat();
        let settings = [(name.to_owned(), Value::from(number))];
        let Some(mut expected) = expected(Format::Cfg, &text, &settings) else { return Ok(()) };
        // All values are texts there.
        let pointer = format!("/{}", name.replace('.', "/"));
        *expected.pointer_mut(&pointer).unwrap() = Value::from(number.to_string());
        let edited = Format::Cfg.edited(&text, &settings);
        prop_assert!(edited.is_some(), "{text:?} is written anew for {settings:?}");
        let edited = edited.unwrap();
        prop_assert_eq!(Format::Cfg.read(&edited, "c").ok(), Some(expected), "{:?} became {:?}", text, edited);
        let is_there = sections.len() > 1 || name == "s0.k";
        let changed = text.lines().filter(|line| !edited.lines().any(|other| other == *line)).count();
        prop_assert!(changed <= usize::from(is_there), "{text:?} became {edited:?}");
    }
}
