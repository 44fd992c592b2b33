//! YAML text as values that know their lines.
//!
//! The parser's events are taken as they come, since a value read by type would have lost its line and its quotes.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, Tag, options};

use super::scalar;
use crate::model::Place;
use crate::operation::read::{Data, Entry, Mistake, Node};
use crate::operation::scalar::is_large;

/// Values that a file may have with its aliases written out.
const MOST_NODES: usize = 1_000_000;

/// How deep they may be nested, likewise.
const MOST_DEPTH: usize = 200;

/// Reads a file; `name` is the file as the user would name it. An empty one is null.
pub(in crate::operation) fn parse(text: &str, name: &Arc<str>) -> Result<Node, Mistake> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let options = options! { emit_comments: false, emit_unresolved_aliases: true };
    let mut builder =
        Builder { name: Arc::clone(name), open: Vec::new(), root: None, anchors: HashMap::new(), budget: MOST_NODES };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| {
            let message = format!("this is not YAML: {}", error.info());
            Mistake { place: Some(builder.place(error.marker().line())), message: message.replace('\n', " ") }
        })?;
        builder.take(event, span)?;
    }
    let place = builder.place(1);
    Ok(builder.root.unwrap_or(Node { data: Data::Null, place }))
}

/// A list or mapping whose end has not come yet.
enum Open {
    List { items: Vec<Node>, place: Place, anchor: usize, problem: Option<String> },
    Map { entries: Vec<Entry>, key: Option<Node>, place: Place, anchor: usize, problem: Option<String> },
}

/// A value that has an anchor: how many values it holds, and how deep they are nested.
struct Anchored {
    node: Node,
    size: usize,
    depth: usize,
}

struct Builder {
    name: Arc<str>,
    open: Vec<Open>,
    root: Option<Node>,
    /// Finished values by the number of their anchor.
    anchors: HashMap<usize, Anchored>,
    budget: usize,
}

impl Builder {
    fn place(&self, line: usize) -> Place {
        Place { file: Arc::clone(&self.name), line: u32::try_from(line).unwrap_or(u32::MAX) }
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Mistake> {
        let place = self.place(span.start.line());
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                let message = "there is a second document; a file of operations is one".to_owned();
                return Err(Mistake { place: Some(place), message });
            }
            Event::Scalar(text, style, anchor, tag) => {
                let data = scalar_data(&text, style, tag.as_deref());
                self.finished(Node { data, place }, anchor)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_depth(1, &place)?;
                let problem = collection_problem(tag.as_deref(), "seq");
                self.open.push(Open::List { items: Vec::new(), place, anchor, problem });
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_depth(1, &place)?;
                let problem = collection_problem(tag.as_deref(), "map");
                self.open.push(Open::Map { entries: Vec::new(), key: None, place, anchor, problem });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let (data, place, anchor, problem) = match self.open.pop() {
                    Some(Open::List { items, place, anchor, problem }) => (Data::List(items), place, anchor, problem),
                    Some(Open::Map { entries, place, anchor, problem, .. }) => {
                        (Data::Map(merged(entries)), place, anchor, problem)
                    }
                    None => return Ok(()),
                };
                self.finished(Node { data: problem.map_or(data, Data::Bad), place }, anchor)?;
            }
            Event::Alias(anchor) => {
                let node = match self.anchors.get(&anchor) {
                    Some(anchored) => {
                        self.budget = self.budget.saturating_sub(anchored.size);
                        self.check_depth(anchored.depth, &place)?;
                        Node { place, ..anchored.node.clone() }
                    }
                    None => Node { data: Data::Bad("an alias stands inside what it names".to_owned()), place },
                };
                self.finished(node, 0)?;
            }
            Event::UnresolvedAlias(name) => {
                let data = Data::Bad(format!("the alias '*{name}' names nothing that stands above it"));
                self.finished(Node { data, place }, 0)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn check_depth(&self, depth: usize, place: &Place) -> Result<(), Mistake> {
        match self.open.len() + depth > MOST_DEPTH {
            true => Err(Mistake::at(place, format!("values are nested more than {MOST_DEPTH} deep"))),
            false => Ok(()),
        }
    }

    fn finished(&mut self, node: Node, anchor: usize) -> Result<(), Mistake> {
        self.budget = self.budget.saturating_sub(1);
        if self.budget == 0 {
            let message = format!("the file has more than {MOST_NODES} values, its aliases written out");
            return Err(Mistake { place: Some(node.place), message });
        }
        if anchor > 0 {
            let (size, depth) = extent(&node);
            self.anchors.insert(anchor, Anchored { node: node.clone(), size, depth });
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => match key.take() {
                None => *key = Some(node),
                Some(key) => add(entries, key, node),
            },
        }
        Ok(())
    }
}

/// Returns how many values a value holds, itself included, and how deep they are nested.
fn extent(node: &Node) -> (usize, usize) {
    let inner: Vec<&Node> = match &node.data {
        Data::List(items) => items.iter().collect(),
        Data::Map(entries) => entries.iter().map(|entry| &entry.value).collect(),
        _ => Vec::new(),
    };
    inner.into_iter().map(extent).fold((1, 1), |(size, depth), (more, deep)| (size + more, depth.max(deep + 1)))
}

/// Adds an entry to a mapping. Of a key that is there already the last one counts, as everywhere where `PyYAML` reads.
fn add(entries: &mut Vec<Entry>, key: Node, value: Node) {
    let (text, key_value) = match &key.data {
        Data::List(_) | Data::Map(_) | Data::Bad(_) => {
            let problem = format!("{} cannot be a key", key.shown());
            let value = Node { data: Data::Bad(problem), place: key.place.clone() };
            let key_value = Value::Null;
            return entries.push(Entry { key: "?".to_owned(), key_value, place: key.place, value, earlier: None });
        }
        Data::Null => ("null".to_owned(), Value::Null),
        data => (source_text(data), key.to_value()),
    };
    if text != "<<"
        && let Some(first) = entries.iter_mut().find(|entry| entry.key == text)
    {
        let earlier = Some(first.place.line);
        *first = Entry { key: text, key_value, place: key.place, value, earlier };
        return;
    }
    entries.push(Entry { key: text, key_value, place: key.place, value, earlier: None });
}

/// Returns a scalar as a name.
fn source_text(data: &Data) -> String {
    match data {
        Data::Text(text) => text.clone(),
        Data::Bool(boolean) => boolean.to_string(),
        Data::Number(number) => number.to_string(),
        Data::Beyond(number) => crate::operation::encode::as_yaml(number),
        _ => "null".to_owned(),
    }
}

/// Puts in what a mapping takes over by `<<`; its own keys win.
fn merged(entries: Vec<Entry>) -> Vec<Entry> {
    if !entries.iter().any(|entry| entry.key == "<<") {
        return entries;
    }
    let (merges, mut own): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|entry| entry.key == "<<");
    for merge in merges {
        let parts = match merge.value.data {
            Data::List(items) => items,
            _ => vec![merge.value],
        };
        for part in parts {
            match part.data {
                Data::Map(more) => {
                    for entry in more {
                        if !own.iter().any(|present| present.key == entry.key) {
                            own.push(entry);
                        }
                    }
                }
                _ => {
                    let problem = format!("'<<' takes over a mapping or a list of them, not {}", part.shown());
                    own.push(Entry::new("<<", Node { data: Data::Bad(problem), place: part.place }));
                }
            }
        }
    }
    own
}

/// Reads a scalar by its tag, its quotes, or its look.
fn scalar_data(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Data {
    let Some(tag) = tag else {
        return match style {
            ScalarStyle::Plain => scalar::plain(text),
            _ => Data::Text(text.to_owned()),
        };
    };
    let wrong = |what: &str| Data::Bad(format!("'{text}' is tagged as {what}, but is none"));
    if tag.original() == "!" {
        return Data::Text(text.to_owned());
    }
    match tag.core_suffix() {
        // A time has no type of its own here.
        Some("str" | "timestamp") => Data::Text(text.to_owned()),
        Some("int") => match scalar::plain(text) {
            Data::Number(number) if !number.is_f64() => Data::Number(number),
            Data::Beyond(number) if is_large(&number) => Data::Beyond(number),
            _ => wrong("a whole number"),
        },
        Some("float") => match scalar::plain(text) {
            Data::Number(number) => {
                number.as_f64().and_then(serde_json::Number::from_f64).map_or(Data::Null, Data::Number)
            }
            Data::Beyond(number) if !is_large(&number) => Data::Beyond(number),
            _ => wrong("a number"),
        },
        Some("bool") => match scalar::plain(text) {
            data @ Data::Bool(_) => data,
            _ => wrong("yes or no"),
        },
        Some("null") => Data::Null,
        _ => Data::Bad(format!("the tag '{}' has no meaning here", tag.original())),
    }
}

fn collection_problem(tag: Option<&Tag>, core: &str) -> Option<String> {
    let tag = tag?;
    let is_known = tag.original() == "!" || tag.core_suffix() == Some(core);
    (!is_known).then(|| format!("the tag '{}' has no meaning here", tag.original()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match parse(text, &"guild.yml".into()) {
            Err(mistake) => format!("{}: {}", mistake.place.unwrap(), mistake.message),
            Ok(node) => match node.first_bad() {
                Some((place, problem)) => format!("{place}: {problem}"),
                None => node.to_value().to_string(),
            },
        }
    }

    #[test]
    fn values_are_read_with_their_quotes_tags_and_aliases() {
        let cases = [
            ("a: 1\nb: '1'\nc: !!str 1\nd: ! 1\n", r#"{"a":1,"b":"1","c":"1","d":"1"}"#),
            (
                "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: *x\n",
                r#"{"a":{"p":1,"q":2},"b":{"q":3,"p":1},"c":{"p":1,"q":2}}"#,
            ),
            ("- yes\n- |\n  two\n  lines\n- [1, x]\n", r#"[true,"two\nlines\n",[1,"x"]]"#),
            ("", "null"),
            ("# nothing\n", "null"),
            ("\u{feff}a: 1\r\n", r#"{"a":1}"#),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let cases = [
            "a:\n\tb: 1\n",
            "a: [1\nb: 2\n",
            "a: 1\n---\nb: 1\n",
            "a: *x\n",
            "a: !custom 1\n",
            "a: !!int x\n",
            "[1]: 2\n",
            "a: &x [*x]\n",
            "a: {<<: 3}\n",
            "a: 'open\n",
        ];
        let told: Vec<String> = cases.iter().map(|text| read(text)).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        guild.yml:2: this is not YAML: tabs disallowed within this context (block indentation)
        guild.yml:2: this is not YAML: illegal placement of ':' indicator
        guild.yml:2: there is a second document; a file of operations is one
        guild.yml:1: the alias '*x' names nothing that stands above it
        guild.yml:1: the tag '!custom' has no meaning here
        guild.yml:1: 'x' is tagged as a whole number, but is none
        guild.yml:1: a list cannot be a key
        guild.yml:1: an alias stands inside what it names
        guild.yml:1: '<<' takes over a mapping or a list of them, not the number 3
        guild.yml:2: this is not YAML: invalid indentation in multiline quoted scalar
        ");
    }

    #[test]
    fn of_keys_that_stand_twice_the_last_one_counts() {
        let node = parse("a: 1\nb: {c: 1, c: 2}\na: 3\nops: {d: 1, d: 2}\n", &"guild.yml".into()).unwrap();
        assert_eq!(node.to_value(), serde_json::json!({"a": 3, "b": {"c": 2}, "ops": {"d": 2}}));
        let mut remarks = Vec::new();
        node.repeated("ops", &mut remarks);
        let told: Vec<String> = remarks.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        guild.yml:3: 'a' stands here a second time, and the last one counts; the first is on line 1
        guild.yml:2: 'c' stands here a second time, and the last one counts; the first is on line 2
        ");
    }

    #[test]
    fn aliases_do_not_explode() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..20 {
            let items = vec![format!("*a{}", level - 1); 10].join(", ");
            text.extend([format!("a{level}: &a{level} [{items}]\n")]);
        }
        assert!(read(&text).contains("more than 1000000 values"));
    }
}
