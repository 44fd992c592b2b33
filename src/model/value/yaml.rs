//! Reading YAML into a value. The parser's events are taken as they come: a reader by type loses what a number was written
//! like, and refuses what it has no type for.

use std::collections::{BTreeMap, HashMap};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, Tag, options};

use super::yaml_scalar::{number, resolve};
use super::{Key, MAX_DEPTH, Value};

/// Values that a file may have with its aliases written out.
const MOST_VALUES: usize = 1_000_000;

/// Where the types of YAML itself are.
const NAMESPACE: &str = "tag:yaml.org,2002:";

/// The key under which a mapping takes over what others hold.
const MERGE: &str = "<<";

/// What bare words mean. A file that begins with `%YAML` says so itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum YamlSchema {
    /// YAML 1.1, as Python's readers have it: `yes` is true, `010` is eight, `1:30` is ninety, `1e3` is a text.
    Old,
    /// The core schema of YAML 1.2: `yes` and `1:30` are texts, `010` is ten, `1e3` is a thousand.
    Core,
}

/// What is wrong with a text that is to be YAML, and on which line, from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub(crate) struct YamlMistake {
    /// The line.
    pub(crate) line: usize,
    /// What is wrong there.
    #[source]
    pub(crate) problem: YamlProblem,
}

/// What is wrong at a place of a text that is to be YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum YamlProblem {
    /// The parser refuses it, in these words.
    #[error("this is not YAML: {0}")]
    Syntax(String),
    /// It goes on.
    #[error("there is a second document, and one is read")]
    SecondDocument,
    /// What an alias stands for would have no end.
    #[error("an alias stands inside what it names")]
    EndlessAlias,
    /// An alias has no anchor.
    #[error("the alias '*{0}' names nothing that stands above it")]
    NoAnchor(String),
    /// It is nested too deeply.
    #[error("values are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// Aliases make too much of it.
    #[error("there are more than {MOST_VALUES} values, the aliases written out")]
    TooMany,
    /// A mapping or a list is to be a key.
    #[error("{0} cannot be a key; write a text or a number")]
    NoKey(String),
    /// A key stands twice.
    #[error("{key} stands here a second time; the first is on line {first}")]
    SecondKey {
        /// The key.
        key: Key,
        /// The line of the first.
        first: usize,
    },
    /// `<<` takes over what is no mapping.
    #[error("'<<' takes over a mapping or a list of them, not {0}")]
    NoMapping(String),
    /// A value is not of its tag.
    #[error("'{text}' is tagged as {tag}, but is none")]
    Tag {
        /// The value.
        text: String,
        /// What the tag says it is.
        tag: &'static str,
    },
}

/// The lines on which the keys of mappings stand, by the keys that lead to them.
pub(crate) type Lines = BTreeMap<Vec<String>, usize>;

/// Reads a text of one document. An empty one is null.
pub(crate) fn read_yaml(text: &str, schema: YamlSchema) -> Result<Value, YamlMistake> {
    read(text, schema, None).map(|(value, _)| value)
}

/// Reads the same, with the lines of the keys of mappings that are in no list, down to this depth.
pub(crate) fn read_yaml_with_lines(
    text: &str,
    schema: YamlSchema,
    depth: usize,
) -> Result<(Value, Lines), YamlMistake> {
    read(text, schema, Some(depth))
}

fn read(text: &str, schema: YamlSchema, lines_to: Option<usize>) -> Result<(Value, Lines), YamlMistake> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let options = options! { emit_comments: false, emit_unresolved_aliases: true };
    let mut builder = Builder {
        schema,
        open: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        budget: MOST_VALUES,
        lines: Lines::new(),
        lines_to: lines_to.unwrap_or(0),
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| YamlMistake {
            line: error.marker().line(),
            problem: YamlProblem::Syntax(error.info().replace('\n', " ")),
        })?;
        builder.take(event, span).map_err(|problem| YamlMistake { line: span.start.line(), problem })?;
    }
    let root = std::mem::take(&mut builder.root).unwrap_or_default();
    match root.json_depth() > MAX_DEPTH {
        true => Err(YamlMistake { line: 1, problem: YamlProblem::TooDeep }),
        false => Ok((root, builder.lines)),
    }
}

/// A list or a mapping whose end has not come yet.
enum Open {
    List { items: Vec<Value>, anchor: usize },
    Map { own: BTreeMap<Key, (Value, usize)>, merged: Vec<Value>, key: Option<(Value, usize)>, anchor: usize },
}

/// A value that has an anchor: how many values it holds, and how deep they are nested.
struct Anchored {
    value: Value,
    size: usize,
    depth: usize,
}

struct Builder {
    schema: YamlSchema,
    open: Vec<Open>,
    root: Option<Value>,
    /// Finished values by the number of their anchor.
    anchors: HashMap<usize, Anchored>,
    budget: usize,
    /// Where keys stand, down to the depth `lines_to`.
    lines: Lines,
    lines_to: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), YamlProblem> {
        let line = span.start.line();
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                return Err(YamlProblem::SecondDocument);
            }
            Event::DocumentStart(_, Some(version)) => {
                self.schema = if version.minor <= 1 { YamlSchema::Old } else { YamlSchema::Core };
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref(), self.schema)?;
                self.finished(value, anchor, line)?;
            }
            Event::SequenceStart(_, anchor, _) => {
                self.check_depth(1)?;
                self.open.push(Open::List { items: Vec::new(), anchor });
            }
            Event::MappingStart(_, anchor, _) => {
                self.check_depth(1)?;
                self.open.push(Open::Map { own: BTreeMap::new(), merged: Vec::new(), key: None, anchor });
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { items, anchor }) => self.finished(Value::List(items), anchor, line)?,
                Some(Open::Map { own, merged, anchor, .. }) => {
                    self.finished(merge(own, merged)?, anchor, line)?;
                }
                None => {}
            },
            Event::Alias(anchor) => {
                let Some(anchored) = self.anchors.get(&anchor) else {
                    return Err(YamlProblem::EndlessAlias);
                };
                self.budget = self.budget.saturating_sub(anchored.size);
                self.check_depth(anchored.depth)?;
                let value = anchored.value.clone();
                self.finished(value, 0, line)?;
            }
            Event::UnresolvedAlias(name) => {
                return Err(YamlProblem::NoAnchor(name.to_string()));
            }
            _ => {}
        }
        Ok(())
    }

    fn check_depth(&self, depth: usize) -> Result<(), YamlProblem> {
        match self.open.len() + depth > MAX_DEPTH {
            true => Err(YamlProblem::TooDeep),
            false => Ok(()),
        }
    }

    /// Takes note of the line of a key.
    fn note_line(&mut self, value: &Value, line: usize) {
        let (Value::Text(key), Some(Open::Map { key: None, .. })) = (value, self.open.last()) else { return };
        if self.open.len() > self.lines_to {
            return;
        }
        let above = self.open[..self.open.len() - 1].iter().map(|open| match open {
            Open::Map { key: Some((Value::Text(key), _)), .. } => Some(key.clone()),
            _ => None,
        });
        if let Some(path) = above.chain([Some(key.clone())]).collect() {
            self.lines.entry(path).or_insert(line);
        }
    }

    /// Puts a value where it belongs.
    fn finished(&mut self, value: Value, anchor: usize, line: usize) -> Result<(), YamlProblem> {
        self.budget = self.budget.saturating_sub(1);
        if self.budget == 0 {
            return Err(YamlProblem::TooMany);
        }
        if anchor > 0 {
            let (size, depth) = extent(&value);
            self.anchors.insert(anchor, Anchored { value: value.clone(), size, depth });
        }
        self.note_line(&value, line);
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::List { items, .. }) => items.push(value),
            Some(Open::Map { own, merged, key, .. }) => match key.take() {
                None => *key = Some((value, line)),
                Some((Value::Text(name), _)) if name == MERGE => merged.push(value),
                Some((name, line)) => {
                    // A key that is nothing is the text that it is written as.
                    let name = if name.is_null() { Value::from("null") } else { name };
                    let shown = name.to_text();
                    let Some(name) = Key::of_value(name) else {
                        return Err(YamlProblem::NoKey(shown));
                    };
                    if let Some((_, first)) = own.get(&name) {
                        return Err(YamlProblem::SecondKey { key: name, first: *first });
                    }
                    own.insert(name, (value, line));
                }
            },
        }
        Ok(())
    }
}

/// Returns how many values a value holds, itself included, and how deep they are nested.
fn extent(value: &Value) -> (usize, usize) {
    let add = |(size, depth): (usize, usize), (more, deep): (usize, usize)| (size + more, depth.max(deep + 1));
    match value {
        Value::List(items) => items.iter().map(extent).fold((1, 1), add),
        Value::Map(fields) => fields.values().map(extent).fold((1, 1), add),
        _ => (1, 0),
    }
}

/// Puts in what a mapping takes over by `<<`; its own keys win, and of several the first.
fn merge(own: BTreeMap<Key, (Value, usize)>, merged: Vec<Value>) -> Result<Value, YamlProblem> {
    let mut fields: BTreeMap<Key, Value> = own.into_iter().map(|(key, (value, _))| (key, value)).collect();
    let parts = merged.into_iter().flat_map(|merge| match merge {
        Value::List(parts) => parts,
        part => vec![part],
    });
    for part in parts {
        let Value::Map(more) = part else {
            return Err(YamlProblem::NoMapping(part.to_string()));
        };
        for (key, value) in more {
            fields.entry(key).or_insert(value);
        }
    }
    Ok(Value::Map(fields))
}

/// Reads a scalar by its tag, its quotes, or its look. A tag that is not YAML's own says nothing here.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, schema: YamlSchema) -> Result<Value, YamlProblem> {
    let by_look = || match style {
        ScalarStyle::Plain => resolve(text, schema),
        _ => Value::Text(text.to_owned()),
    };
    let Some(tag) = tag else { return Ok(by_look()) };
    let wrong = |tag| Err(YamlProblem::Tag { text: text.to_owned(), tag });
    if tag.original() == "!" {
        return Ok(Value::Text(text.to_owned()));
    }
    match tag.suffix_in_namespace(NAMESPACE).as_deref() {
        Some("str" | "timestamp") => Ok(Value::Text(text.to_owned())),
        Some("int") => match number(text, schema) {
            Some(number @ (Value::Integer(_) | Value::Large(_))) => Ok(number),
            _ => wrong("a whole number"),
        },
        Some("float") => match number(text, schema).or_else(|| Some(resolve(text, schema))) {
            Some(Value::Float(number)) => Ok(Value::Float(number)),
            Some(whole @ (Value::Integer(_) | Value::Large(_))) => {
                Ok(whole.to_text().parse().map_or(whole, Value::Float))
            }
            _ => text.parse().map(Value::Float).or_else(|_| wrong("a number")),
        },
        Some("bool") => match resolve(text, schema) {
            value @ Value::Bool(_) => Ok(value),
            _ => wrong("true or false"),
        },
        Some("null") => Ok(Value::Null),
        Some("binary") => {
            let packed: String = text.split_whitespace().collect();
            STANDARD.decode(packed).map(|bytes| Value::of_bytes(&bytes)).or_else(|_| wrong("base64"))
        }
        _ => Ok(by_look()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match read_yaml(text, YamlSchema::Old) {
            Ok(value) => value.to_string(),
            Err(mistake) => mistake.to_string(),
        }
    }

    #[test]
    fn values_are_read_with_their_quotes_tags_keys_and_aliases() {
        let cases = [
            ("a: 1\nb: '1'\nc: !!str 1\nd: ! 1\ne: \"\\x31\"\n", r#"{"a":1,"b":"1","c":"1","d":"1","e":"1"}"#),
            (
                "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: *x\nd: {<<: [{q: 9}, *x]}\n",
                r#"{"a":{"p":1,"q":2},"b":{"p":1,"q":3},"c":{"p":1,"q":2},"d":{"p":1,"q":9}}"#,
            ),
            ("- yes\n- |\n  two\n  lines\n- [1, x, null]\n", r#"[true,"two\nlines\n",[1,"x",null]]"#),
            ("", "null"),
            ("# nothing\n", "null"),
            ("\u{feff}a: 1\r\n", r#"{"a":1}"#),
            ("1: a\n2: b\n", r#"{"$map":[[1,"a"],[2,"b"]]}"#),
            ("on: a\n1.5: b\n~: c\n", r#"{"$map":[["null","c"],[1.5,"b"],[true,"a"]]}"#),
            (
                "a: !!binary /w==\nb: !!float 1\nc: !!int '7'\nd: !own 010\n",
                r#"{"a":{"__base64_encoded__":"/w=="},"b":1.0,"c":7,"d":8}"#,
            ),
            ("a: .inf\n", r#"{"a":{"$float":"inf"}}"#),
            ("$float: inf\n", r#"{"$map":[["$float","inf"]]}"#),
            ("a: 2020-01-01\n", r#"{"a":"2020-01-01"}"#),
            ("%YAML 1.2\n---\na: 010\n", r#"{"a":10}"#),
            ("%YAML 1.1\n---\na: 010\n", r#"{"a":8}"#),
            ("!!set {x, y}\n", r#"{"x":null,"y":null}"#),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let cases = [
            "a: 1\nb: 2\na: 3\n",
            "a:\n\tb: 1\n",
            "a: [1\nb: 2\n",
            "a: 1\n---\nb: 1\n",
            "a: *x\n",
            "a: !!int x\n",
            "a: !!float x\n",
            "a: !!binary '?'\n",
            "[1]: 2\n",
            ".nan: 2\n",
            "a: &x [*x]\n",
            "a: {<<: 3}\n",
            "a: 'open\n",
        ];
        let told: Vec<String> = cases.iter().map(|text| read(text)).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        line 3: 'a' stands here a second time; the first is on line 1
        line 2: this is not YAML: tabs disallowed within this context (block indentation)
        line 2: this is not YAML: illegal placement of ':' indicator
        line 2: there is a second document, and one is read
        line 1: the alias '*x' names nothing that stands above it
        line 1: 'x' is tagged as a whole number, but is none
        line 1: 'x' is tagged as a number, but is none
        line 1: '?' is tagged as base64, but is none
        line 1: [1] cannot be a key; write a text or a number
        line 1: nan cannot be a key; write a text or a number
        line 1: an alias stands inside what it names
        line 1: '<<' takes over a mapping or a list of them, not 3
        line 2: this is not YAML: invalid indentation in multiline quoted scalar
        "#);
    }

    #[test]
    fn neither_aliases_nor_depth_explode() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..20 {
            let items = vec![format!("*a{}", level - 1); 10].join(", ");
            text.extend([format!("a{level}: &a{level} [{items}]\n")]);
        }
        assert!(read(&text).contains("more than 1000000 values"));
        let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&deep(MAX_DEPTH)).starts_with("[[["));
        assert_eq!(read(&deep(MAX_DEPTH + 1)), "line 1: values are nested more than 100 deep");
    }

    #[test]
    fn fuzz_of_yaml() {
        let text = "a: &x [1, 0x1f, .inf, 1_000]\nb: *x\nc:\n  - {d: 'e', ? f : g}\n  - |\n    text\n? [k]\n: !!str 2026-01-02\n";
        crate::fuzz::fuzz(&[text.as_bytes()], |input| {
            for schema in [YamlSchema::Old, YamlSchema::Core] {
                drop(read_yaml(&String::from_utf8_lossy(input), schema));
            }
        });
    }
}
