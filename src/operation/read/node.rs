//! A definition as it was written: values that know their lines, whether they came from YAML or from Lua.

use serde_json::{Map, Number, Value};

use super::super::encode::as_yaml;
use super::Mistake;
use crate::model::Place;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// What it is.
    pub(crate) data: Data,
    /// The line on which it begins.
    pub(crate) place: Place,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A number that JSON has no word for, in its form.
    Beyond(Value),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in its order.
    Map(Vec<Entry>),
    /// What cannot be used, and why. It is a mistake of the operation that holds it, and of no other.
    Bad(String),
}

/// A key of a mapping with its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// The line on which the same key stands before with another value, which does not count.
    pub(crate) earlier: Option<u32>,
    /// The key as it was written.
    pub(crate) key: String,
    /// The key as YAML reads it: `yes` is true, `1` is a number.
    pub(crate) key_value: Value,
    /// Where the key stands.
    pub(crate) place: Place,
    /// The value.
    pub(crate) value: Node,
}

impl Node {
    /// Returns a value all of which stands at one place.
    pub(crate) fn of(value: &Value, place: &Place) -> Node {
        let data = match value {
            Value::Null => Data::Null,
            Value::Bool(boolean) => Data::Bool(*boolean),
            Value::Number(number) => Data::Number(number.clone()),
            Value::String(text) => Data::Text(text.clone()),
            Value::Array(items) => Data::List(items.iter().map(|item| Node::of(item, place)).collect()),
            Value::Object(_) if crate::model::Value::beyond_json(value).is_some() => Data::Beyond(value.clone()),
            Value::Object(fields) => {
                Data::Map(fields.iter().map(|(key, value)| Entry::new(key, Node::of(value, place))).collect())
            }
        };
        Node { data, place: place.clone() }
    }

    /// Returns a text.
    pub(crate) fn text(text: impl Into<String>, place: Place) -> Node {
        Node { data: Data::Text(text.into()), place }
    }

    /// Returns a mapping.
    pub(crate) fn map(entries: Vec<Entry>, place: Place) -> Node {
        Node { data: Data::Map(entries), place }
    }

    /// Returns the value of a key of a mapping, as it was written.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// Returns where a key stands, at any depth; where the value begins if it is not there.
    pub(crate) fn place_of(&self, key: &str) -> &Place {
        fn find<'a>(node: &'a Node, key: &str) -> Option<&'a Place> {
            match &node.data {
                Data::List(items) => items.iter().find_map(|item| find(item, key)),
                Data::Map(entries) => {
                    let own = entries.iter().find(|entry| entry.key == key).map(|entry| &entry.place);
                    own.or_else(|| entries.iter().find_map(|entry| find(&entry.value, key)))
                }
                _ => None,
            }
        }
        find(self, key).unwrap_or(&self.place)
    }

    /// Returns the entries of a mapping; none of anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns whether it is null.
    pub(crate) fn is_null(&self) -> bool {
        self.data == Data::Null
    }

    /// Returns the value without its lines.
    pub(crate) fn to_value(&self) -> Value {
        match &self.data {
            Data::Null | Data::Bad(_) => Value::Null,
            Data::Bool(boolean) => Value::Bool(*boolean),
            Data::Number(number) => Value::Number(number.clone()),
            Data::Beyond(number) => number.clone(),
            Data::Text(text) => Value::String(text.clone()),
            Data::List(items) => Value::Array(items.iter().map(Node::to_value).collect()),
            Data::Map(entries) => {
                let fields = entries.iter().map(|entry| (entry.key.clone(), entry.value.to_value()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }

    /// Returns the value for an error message, cut where it is long.
    pub(crate) fn shown(&self) -> String {
        const MOST: usize = 60;
        match &self.data {
            Data::Null => "nothing".to_owned(),
            Data::Bool(true) => "yes".to_owned(),
            Data::Bool(false) => "no".to_owned(),
            Data::Number(number) => format!("the number {number}"),
            Data::Beyond(number) => format!("the number {}", as_yaml(number)),
            Data::Text(text) => {
                let text = text.escape_debug().to_string();
                let cut = text.char_indices().nth(MOST).map_or(text.len(), |(at, _)| at);
                format!("'{}{}'", &text[..cut], if cut < text.len() { "…" } else { "" })
            }
            Data::List(_) => "a list".to_owned(),
            Data::Map(_) => "a mapping".to_owned(),
            Data::Bad(problem) => problem.clone(),
        }
    }

    /// Remarks on the keys inside that stand in their mapping twice, but for what is below `beside`.
    pub(crate) fn repeated(&self, beside: &str, remarks: &mut Vec<Mistake>) {
        match &self.data {
            Data::List(items) => items.iter().for_each(|item| item.repeated(beside, remarks)),
            Data::Map(entries) => {
                for entry in entries {
                    remarks.extend(entry.repeated());
                    if entry.key != beside {
                        entry.value.repeated(beside, remarks);
                    }
                }
            }
            _ => {}
        }
    }

    /// Returns a mapping without those of the `keys` that are `no`, which is as if they were not there; each is remarked on.
    pub(crate) fn without_off(&self, keys: &[&str], what: &str, remarks: &mut Vec<Mistake>) -> Node {
        let mut node = self.clone();
        if let Data::Map(entries) = &mut node.data {
            entries.retain(|entry| {
                let is_off = entry.value.data == Data::Bool(false) && keys.contains(&entry.key.as_str());
                if is_off {
                    let text = format!("{what}: '{}' is 'no', which is as if it were not there", entry.key);
                    remarks.push(Mistake::at(&entry.place, text));
                }
                !is_off
            });
        }
        node
    }

    /// Returns the first value inside that cannot be used: where it stands, and why.
    pub(crate) fn first_bad(&self) -> Option<(&Place, &str)> {
        match &self.data {
            Data::Bad(problem) => Some((&self.place, problem)),
            Data::List(items) => items.iter().find_map(Node::first_bad),
            Data::Map(entries) => entries.iter().find_map(|entry| entry.value.first_bad()),
            _ => None,
        }
    }
}

impl Entry {
    /// Returns what is to be said of a key that stands in its mapping twice.
    pub(crate) fn repeated(&self) -> Option<Mistake> {
        let first = self.earlier?;
        let text =
            format!("'{}' stands here a second time, and the last one counts; the first is on line {first}", self.key);
        Some(Mistake::at(&self.place, text))
    }

    /// Returns an entry whose key is a plain name.
    pub(crate) fn new(key: &str, value: Node) -> Entry {
        let key_value = Value::String(key.to_owned());
        Entry { key: key.to_owned(), key_value, place: value.place.clone(), value, earlier: None }
    }
}
