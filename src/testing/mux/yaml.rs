//! YAML with the tags of the multiplexer, and with keys as often as they are there.

use std::collections::HashMap;

use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Tag, options};

/// How deep a file may be nested.
const MAX_DEPTH: usize = 100;

/// How many nodes a file may have once its aliases stand for what they name.
const MOST_NODES: usize = 1_000_000;

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

/// Reads a file. `Ok(None)` for one with nothing in it.
pub(super) fn read(text: &str) -> Result<Option<Node>, String> {
    let mut reader = Reader::default();
    let options = options! { emit_comments: false, emit_unresolved_aliases: true };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| format!("it is not YAML: {}", error.info()))?;
        reader.take(event, span.start.line())?;
    }
    Ok(reader.root)
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    nodes: usize,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), String> {
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
                    Some(Open::Mapping { anchor, mapping, .. }) => (anchor, Node::Mapping(mapping)),
                    None => return Ok(()),
                };
                self.end(node, anchor, line)
            }
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                let node = known.ok_or_else(|| format!("line {line}: the alias stands for nothing before it"))?;
                self.nodes += size(&node);
                self.end(node, 0, line)
            }
            Event::UnresolvedAlias(name) => Err(format!("line {line}: there is no anchor &{name} before it")),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, open: Open, line: usize) -> Result<(), String> {
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("line {line}: it is more than {MAX_DEPTH} deep"));
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
    ) -> Result<(), String> {
        if let Some(Open::Mapping { key: key @ None, .. }) = self.open.last_mut() {
            *key = Some(match own_tag(tag) {
                None => Key::Name(text.to_owned()),
                Some(name) => match CONTROLS.iter().find(|(known, _)| *known == name) {
                    Some((_, control)) => Key::Control(*control, line),
                    None => return Err(unknown(&name, line)),
                },
            });
            return Ok(());
        }
        let join = join(tag, line)?;
        let is_plain = style == ScalarStyle::Plain && tag.is_none_or(|tag| tag.core_suffix() != Some("str"));
        let node = match (join, resolved(text, is_plain)) {
            (Some(_), Value::Null) => Node::Null { join },
            (Some(_), _) => return Err(format!("line {line}: only a mapping, or nothing, can be tagged like this")),
            (None, Value::Null) => Node::Null { join: None },
            // What the original takes for nothing, but no node.
            (None, Value::String(text)) if text == "null" => Node::Value(Value::Null),
            (None, value) => Node::Value(value),
        };
        self.end(node, anchor, line)
    }

    /// Takes a node that has ended into what it is in.
    fn end(&mut self, node: Node, anchor: usize, line: usize) -> Result<(), String> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err(format!("line {line}: there are more than {MOST_NODES} nodes"));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => {
                if self.root.is_some() {
                    return Err(format!("line {line}: a second document begins; expected one"));
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
                None => return Err(format!("line {line}: a key must be a name")),
            },
        }
        Ok(())
    }
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

fn join(tag: Option<&Tag>, line: usize) -> Result<Option<Join>, String> {
    match own_tag(tag).as_deref() {
        None => Ok(None),
        Some("!mux") => Ok(Some(Join::Mux)),
        Some("!join") => Ok(Some(Join::Join)),
        Some(other) if CONTROLS.iter().any(|(known, _)| *known == other) => {
            Err(format!("line {line}: {other} is a key and needs a colon with blanks around it: {other} : VALUE"))
        }
        Some(other) => Err(unknown(other, line)),
    }
}

fn no_tag(tag: Option<&Tag>, line: usize) -> Result<(), String> {
    match join(tag, line)? {
        Some(_) => Err(format!("line {line}: only a mapping, or nothing, can be tagged like this")),
        None => Ok(()),
    }
}

fn unknown(tag: &str, line: usize) -> String {
    let known = ["!mux", "!join"].into_iter().chain(CONTROLS.iter().map(|(known, _)| *known));
    let names = known.clone().collect::<Vec<_>>().join(", ");
    let near = crate::model::nearest(tag, known).map(|near| format!("; did you mean {near}?"));
    format!("line {line}: the tag {tag} is not known; there are {names}{}", near.unwrap_or_default())
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

/// Returns what a scalar is by the rules of YAML 1.1, which the original reads: `yes` is true, `010` is 8.
fn resolved(text: &str, is_plain: bool) -> Value {
    if !is_plain {
        return Value::from(text);
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Value::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Value::Bool(false),
        _ => {}
    }
    integer(text).map(Value::from).or_else(|| float(text).map(Value::from)).unwrap_or_else(|| Value::from(text))
}

fn integer(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let begins_with_digit = digits.as_bytes().first().is_some_and(u8::is_ascii_digit);
    if !begins_with_digit {
        return None;
    }
    if digits.contains(':') {
        let mut value: i64 = 0;
        for (at, part) in digits.split(':').enumerate() {
            let part: i64 = part.replace('_', "").parse().ok().filter(|part| at == 0 || (0..60).contains(part))?;
            value = value.checked_mul(60)?.checked_add(part)?;
        }
        return (!digits.starts_with('0')).then_some(sign * value);
    }
    let plain = digits.replace('_', "");
    let (radix, plain) = match plain.as_bytes() {
        [b'0', b'b', ..] => (2, &plain[2..]),
        [b'0', b'x', ..] => (16, &plain[2..]),
        [b'0', _, ..] => (8, &plain[1..]),
        _ => (10, plain.as_str()),
    };
    i64::from_str_radix(plain, radix).ok().map(|value| sign * value)
}

fn float(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = digits.split_once(['e', 'E']).map_or((digits, None), |(m, e)| (m, Some(e)));
    // A float of YAML 1.1 has a point, and an exponent its sign.
    let is_mantissa = mantissa.contains('.')
        && mantissa.bytes().any(|byte| byte.is_ascii_digit())
        && mantissa.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'_'));
    let is_exponent = exponent.is_none_or(|exponent| {
        exponent
            .strip_prefix(['-', '+'])
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    });
    (is_mantissa && is_exponent).then(|| text.replace('_', "").parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_are_those_of_yaml_1_1() {
        let cases = [
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("010", json!(8)),
            ("0o10", json!("0o10")),
            ("0x1F", json!(31)),
            ("0b11", json!(3)),
            ("1_000", json!(1000)),
            ("-5", json!(-5)),
            ("1:30", json!(90)),
            ("1.5", json!(1.5)),
            ("-1.1", json!(-1.1)),
            (".5", json!(0.5)),
            ("1e5", json!("1e5")),
            ("1.0e+5", json!(100_000.0)),
            ("1.2.3", json!("1.2.3")),
            ("~", json!(null)),
            ("08", json!("08")),
            ("12ab", json!("12ab")),
            ("a: b", json!("a: b")),
        ];
        for (text, value) in cases {
            assert_eq!(resolved(text, true), value, "{text}");
            assert_eq!(resolved(text, false), json!(text));
        }
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
        assert!(super::read(&bomb).unwrap_err().contains("more than 1000000 nodes"));
    }
}
