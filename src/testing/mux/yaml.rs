//! YAML with the tags of the multiplexer, and with keys as often as they are there. And YAML as plain data, in its order.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Tag, options};

use super::error::{LineError, MuxError};
use crate::model::{Value as Scalar, YamlSchema, yaml_word};

/// How deep a file may be nested.
pub(super) const MAX_DEPTH: usize = 100;

/// How many nodes a file may have once its aliases stand for what they name.
pub(super) const MOST_NODES: usize = 1_000_000;

/// A node of a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Anything that is no mapping.
    Value(Value),
    /// A mapping.
    Mapping(Mapping),
    /// Nothing, with the tag `!mux` or without.
    Null {
        /// How its children would belong together.
        join: Option<Join>,
    },
}

/// A mapping: its entries in order, and how its children belong together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Mapping {
    pub(super) join: Option<Join>,
    pub(super) entries: Vec<Entry>,
}

/// How the children of a node belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Join {
    /// They are alternatives: `!mux`.
    Mux,
    /// They are there together, whatever was said before: `!join`.
    Join,
}

/// An entry of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Entry {
    /// A name with what it is.
    Named(String, Node),
    /// `!include : value`, and the like.
    Control(Control, String, usize),
}

/// A key that is a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    Include,
    Using,
    RemoveNode,
    RemoveValue,
    FilterOnly,
    FilterOut,
}

/// The tags of keys.
const CONTROLS: [(&str, Control); 6] = [
    ("!include", Control::Include),
    ("!using", Control::Using),
    ("!remove_node", Control::RemoveNode),
    ("!remove_value", Control::RemoveValue),
    ("!filter-only", Control::FilterOnly),
    ("!filter-out", Control::FilterOut),
];

/// What is read of a node that is still open.
enum Open {
    Sequence(usize, Vec<Value>),
    Mapping { anchor: usize, mapping: Mapping, key: Option<Key> },
}

enum Key {
    Name(String),
    Control(Control, usize),
}

/// Reads a file as the original does, by YAML 1.1. `Ok(None)` for one with nothing in it.
pub(super) fn read(text: &str) -> Result<Option<Node>, MuxError> {
    read_by(text, YamlSchema::Old)
}

/// Reads a file that has no tags of the multiplexer as plain data, by YAML 1.2.
pub(in crate::testing) fn read_plain(text: &str) -> Result<Value, MuxError> {
    Ok(read_by(text, YamlSchema::Core)?.map_or(Value::Null, value_of))
}

fn read_by(text: &str, schema: YamlSchema) -> Result<Option<Node>, MuxError> {
    let mut reader = Reader { schema, open: Vec::new(), anchors: HashMap::new(), root: None, nodes: 0 };
    let options = options! { emit_comments: false, emit_unresolved_aliases: true };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(MuxError::NoYaml)?;
        reader.take(event, span.start.line())?;
    }
    Ok(reader.root)
}

struct Reader {
    schema: YamlSchema,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    nodes: usize,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), MuxError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), line),
            Event::SequenceStart(_, anchor, tag) => {
                no_tag(tag.as_deref(), line)?;
                self.begin(Open::Sequence(anchor, Vec::new()), line)
            }
            Event::MappingStart(_, anchor, tag) => {
                let join = join(tag.as_deref(), line)?;
                let mapping = Mapping { join, entries: Vec::new() };
                self.begin(Open::Mapping { anchor, mapping, key: None }, line)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let (anchor, node) = match self.open.pop() {
                    Some(Open::Sequence(anchor, values)) => (anchor, Node::Value(Value::Array(values))),
                    Some(Open::Mapping { anchor, mapping, .. }) => {
                        if self.schema == YamlSchema::Core {
                            check_plain(&mapping, line)?;
                        }
                        (anchor, Node::Mapping(mapping))
                    }
                    None => return Ok(()),
                };
                self.end(node, anchor, line)
            }
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                let node = known.ok_or_else(|| LineError::Alias.on(line))?;
                self.nodes += size(&node);
                self.end(node, 0, line)
            }
            Event::UnresolvedAlias(name) => Err(LineError::NoAnchor(name.into()).on(line)),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, open: Open, line: usize) -> Result<(), MuxError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(LineError::TooDeep.on(line));
        }
        self.open.push(open);
        Ok(())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        line: usize,
    ) -> Result<(), MuxError> {
        if let Some(Open::Mapping { key: key @ None, .. }) = self.open.last_mut() {
            *key = Some(match own_tag(tag) {
                None => Key::Name(text.to_owned()),
                Some(name) => match CONTROLS.iter().find(|(known, _)| *known == name) {
                    Some((_, control)) => Key::Control(*control, line),
                    None => return Err(LineError::UnknownTag(name).on(line)),
                },
            });
            return Ok(());
        }
        let join = join(tag, line)?;
        let is_plain = style == ScalarStyle::Plain && tag.is_none_or(|tag| tag.core_suffix() != Some("str"));
        let node = match (join, resolved(text, is_plain, self.schema)) {
            (Some(_), Value::Null) => Node::Null { join },
            (Some(_), _) => return Err(LineError::Tagged.on(line)),
            (None, Value::Null) => Node::Null { join: None },
            // What the original takes for nothing, but no node.
            (None, Value::String(text)) if text == "null" && self.schema == YamlSchema::Old => Node::Value(Value::Null),
            (None, value) => Node::Value(value),
        };
        self.end(node, anchor, line)
    }

    /// Takes a node that has ended into what it is in.
    fn end(&mut self, node: Node, anchor: usize, line: usize) -> Result<(), MuxError> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err(LineError::TooMany.on(line));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => {
                if self.root.is_some() {
                    return Err(LineError::SecondDocument.on(line));
                }
                self.root = Some(node);
            }
            Some(Open::Sequence(_, values)) => values.push(value_of(node)),
            Some(Open::Mapping { mapping, key, .. }) => match key.take() {
                Some(Key::Name(name)) => mapping.entries.push(Entry::Named(name, node)),
                Some(Key::Control(control, at)) => {
                    let value = match value_of(node) {
                        Value::String(text) => text,
                        Value::Null => String::new(),
                        other => other.to_string(),
                    };
                    mapping.entries.push(Entry::Control(control, value, at));
                }
                // A key that is a collection itself.
                None => return Err(LineError::NoName.on(line)),
            },
        }
        Ok(())
    }
}

/// Checks that a mapping, which ends on this line, is one of plain data: without tags as keys, each name once.
fn check_plain(mapping: &Mapping, end: usize) -> Result<(), MuxError> {
    let mut names = HashSet::new();
    for entry in &mapping.entries {
        match entry {
            Entry::Named(name, _) if !names.insert(name) => {
                return Err(MuxError::Twice { end, name: name.clone() });
            }
            Entry::Named(..) => {}
            Entry::Control(_, _, line) => return Err(LineError::TagAsKey.on(*line)),
        }
    }
    Ok(())
}

fn size(node: &Node) -> usize {
    match node {
        Node::Mapping(mapping) => {
            1 + mapping
                .entries
                .iter()
                .map(|entry| match entry {
                    Entry::Named(_, node) => size(node),
                    Entry::Control(..) => 1,
                })
                .sum::<usize>()
        }
        Node::Value(_) | Node::Null { .. } => 1,
    }
}

/// Returns a tag that is none of YAML's own.
fn own_tag(tag: Option<&Tag>) -> Option<String> {
    let tag = tag.filter(|tag| tag.core_suffix().is_none())?.original().clone();
    (tag != "!").then_some(tag)
}

fn join(tag: Option<&Tag>, line: usize) -> Result<Option<Join>, MuxError> {
    match own_tag(tag).as_deref() {
        None => Ok(None),
        Some("!mux") => Ok(Some(Join::Mux)),
        Some("!join") => Ok(Some(Join::Join)),
        Some(other) if CONTROLS.iter().any(|(known, _)| *known == other) => {
            Err(LineError::NoColon(other.to_owned()).on(line))
        }
        Some(other) => Err(LineError::UnknownTag(other.to_owned()).on(line)),
    }
}

fn no_tag(tag: Option<&Tag>, line: usize) -> Result<(), MuxError> {
    match join(tag, line)? {
        Some(_) => Err(LineError::Tagged.on(line)),
        None => Ok(()),
    }
}

/// Returns every tag of the multiplexer.
pub(super) fn tag_names() -> impl Iterator<Item = &'static str> {
    ["!mux", "!join"].into_iter().chain(CONTROLS.iter().map(|(known, _)| *known))
}

/// Returns a node as plain data.
fn value_of(node: Node) -> Value {
    match node {
        Node::Value(value) => value,
        Node::Null { .. } => Value::Null,
        Node::Mapping(mapping) => {
            let entries = mapping.entries.into_iter().filter_map(|entry| match entry {
                Entry::Named(name, node) => Some((name, value_of(node))),
                Entry::Control(..) => None,
            });
            Value::Object(entries.collect::<Map<String, Value>>())
        }
    }
}

/// Returns what a scalar is. What JSON has no word for is a text, as a program would be given it.
fn resolved(text: &str, is_plain: bool, schema: YamlSchema) -> Value {
    if !is_plain {
        return Value::from(text);
    }
    match yaml_word(text, schema) {
        Scalar::Float(number) if !number.is_finite() => Value::from(Scalar::Float(number).to_text()),
        Scalar::Large(digits) => Value::String(digits.into()),
        value => value.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tree_has_the_scalars_of_yaml_1_1_and_plain_data_those_of_1_2() {
        let cases = [
            ("yes", json!(true), json!("yes")),
            ("Off", json!(false), json!("Off")),
            ("true", json!(true), json!(true)),
            ("010", json!(8), json!(10)),
            ("0o10", json!("0o10"), json!(8)),
            ("0x1F", json!(31), json!(31)),
            ("0b11", json!(3), json!("0b11")),
            ("1_000", json!(1000), json!("1_000")),
            ("-5", json!(-5), json!(-5)),
            ("1:30", json!(90), json!("1:30")),
            ("1.5", json!(1.5), json!(1.5)),
            ("-1.1", json!(-1.1), json!(-1.1)),
            (".5", json!(0.5), json!(0.5)),
            ("1e5", json!("1e5"), json!(100_000.0)),
            ("1.0e+5", json!(100_000.0), json!(100_000.0)),
            (".inf", json!("inf"), json!("inf")),
            ("123456789012345678901", json!("123456789012345678901"), json!("123456789012345678901")),
            ("1.2.3", json!("1.2.3"), json!("1.2.3")),
            ("~", json!(null), json!(null)),
            ("08", json!("08"), json!(8)),
            ("12ab", json!("12ab"), json!("12ab")),
        ];
        for (text, old, core) in cases {
            assert_eq!(resolved(text, true, YamlSchema::Old), old, "{text}");
            assert_eq!(resolved(text, true, YamlSchema::Core), core, "{text}");
            assert_eq!(resolved(text, false, YamlSchema::Core), json!(text));
            assert_eq!(read_plain(&format!("- z: [{text}]\n  a: 1\n")).unwrap(), json!([{ "z": [core], "a": 1 }]));
        }
        let twice = read_plain("- a: 1\n- {c: 1, c: 2}\n").unwrap_err();
        assert_eq!(twice.to_string(), "the mapping that ends on line 2 has the name 'c' twice");
        assert_eq!(read_plain("a: 'null'").unwrap(), json!({ "a": "null" }));
        assert_eq!(read_plain("").unwrap(), json!(null));
    }

    #[test]
    fn aliases_are_what_they_stand_for_and_bounded() {
        let Some(Node::Mapping(read)) = read("a: &x {b: 1}\nc: *x\n").unwrap() else { panic!() };
        assert_eq!(read.entries.len(), 2);
        let levels = (1..12).map(|n| {
            format!(
                "a{n}: &a{n} {{{}}}\n",
                (0..10).map(|m| format!("k{m}: *a{}", n - 1)).collect::<Vec<_>>().join(", ")
            )
        });
        let bomb: String = std::iter::once("a0: &a0 {x: 1}\n".to_owned()).chain(levels).collect();
        assert!(super::read(&bomb).unwrap_err().to_string().contains("more than 1000000 nodes"));
    }
}
