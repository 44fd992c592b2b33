//! The attributes of a mapping: each is asked for by its name and its type, and what nobody knows is told.

use serde_json::Value;

use super::{Checked, Data, Entry, Mistake, Node};
use crate::model::{Place, nearest};

/// How the file that is read spells and checks names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// As Guild does: `flags-dest`. What nobody knows has no effect, and is remarked on.
    Guild,
    /// As Lua does: `flags_dest`. What nobody knows is a mistake.
    Lua,
}

/// The attributes of a mapping.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    entries: &'a [Entry],
    /// What has them, for messages.
    what: &'a str,
    spelling: Spelling,
    place: &'a Place,
}

impl<'a> Fields<'a> {
    /// Takes the attributes of a mapping. `what` is what has them.
    pub(crate) fn of(node: &'a Node, what: &'a str, spelling: Spelling) -> Checked<Fields<'a>> {
        match &node.data {
            Data::Map(entries) => Ok(Fields { entries, what, spelling, place: &node.place }),
            Data::Bad(problem) => Err(Mistake::at(&node.place, problem)),
            _ => Err(Mistake::at(&node.place, format!("{what} must be a mapping, got {}", node.shown()))),
        }
    }

    /// Returns whether it is read as strictly as Lua is.
    pub(crate) fn is_lua(&self) -> bool {
        self.spelling == Spelling::Lua
    }

    /// Returns where the mapping begins.
    pub(crate) fn place(&self) -> &'a Place {
        self.place
    }

    /// Remarks on the entries that are none of `known`. Where nothing can be there that is not known, they are a mistake.
    pub(crate) fn refuse_unknown(&self, known: &[&str], remarks: &mut Vec<Mistake>) -> Checked<()> {
        self.unknown(known, true, remarks).map(drop)
    }

    /// Returns the entries that are none of `known`: those that are a slip are remarked on, the others may be somebody's.
    pub(crate) fn others(&self, known: &[&str], remarks: &mut Vec<Mistake>) -> Checked<Vec<&'a Entry>> {
        self.unknown(known, false, remarks)
    }

    fn unknown(&self, known: &[&str], are_told: bool, remarks: &mut Vec<Mistake>) -> Checked<Vec<&'a Entry>> {
        let is_known = |entry: &&Entry| known.iter().any(|name| self.is(entry, name));
        let unknown: Vec<&Entry> = self.entries.iter().filter(|entry| !is_known(entry)).collect();
        for entry in &unknown {
            let hint = match (self.nearest(&entry.key, known), self.spelling) {
                (Some(near), _) => format!("did you mean '{near}'?"),
                (None, Spelling::Lua) => {
                    let mut names: Vec<String> = known.iter().map(|name| self.spelled(name)).collect();
                    names.sort();
                    format!("it has: {}", names.join(", "))
                }
                (None, Spelling::Guild) if are_told => "it has no effect".to_owned(),
                (None, Spelling::Guild) => continue,
            };
            let mistake = Mistake::at(&entry.place, format!("{} has no attribute '{}'; {hint}", self.what, entry.key));
            match self.spelling {
                Spelling::Lua => return Err(mistake),
                Spelling::Guild => remarks.push(mistake),
            }
        }
        Ok(unknown)
    }

    /// Returns the name that is most like a key, in the spelling of the file.
    fn nearest(&self, key: &str, known: &[&str]) -> Option<String> {
        let plain = key.replace('_', "-").to_lowercase();
        if let Some(name) = known.iter().find(|name| **name == plain) {
            return Some(self.spelled(name));
        }
        nearest(&plain, known.iter().copied()).map(|name| self.spelled(name))
    }

    /// Returns the name of an attribute as the file spells it.
    pub(crate) fn spelled(&self, name: &str) -> String {
        match self.spelling {
            Spelling::Guild => name.to_owned(),
            Spelling::Lua => name.replace('-', "_"),
        }
    }

    fn is(&self, entry: &Entry, name: &str) -> bool {
        entry.key == name || (self.spelling == Spelling::Lua && entry.key == name.replace('-', "_"))
    }

    /// Returns the entry of an attribute, also where its value is null.
    pub(crate) fn entry(&self, name: &str) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| self.is(entry, name))
    }

    /// Returns an attribute; null is as if it were not there.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Node> {
        self.entry(name).map(|entry| &entry.value).filter(|node| !node.is_null())
    }

    /// Returns an attribute without its lines.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        self.get(name).map(Node::to_value)
    }

    /// Makes the mistake of a value of another type.
    pub(crate) fn wrong(&self, name: &str, wanted: &str, node: &Node) -> Mistake {
        Mistake::at(&node.place, format!("{} must be {wanted}, got {}", self.spelled(name), node.shown()))
    }

    /// Returns a text. A number stands for what it says.
    pub(crate) fn text(&self, name: &str) -> Checked<Option<String>> {
        self.get(name).map(|node| self.text_of(name, node)).transpose()
    }

    fn text_of(&self, name: &str, node: &Node) -> Checked<String> {
        match &node.data {
            Data::Text(text) => Ok(text.clone()),
            Data::Number(number) => Ok(number.to_string()),
            Data::Beyond(number) => Ok(crate::operation::encode::as_yaml(number)),
            Data::Bool(_) => {
                let text = format!("{} must be a text, got {}; write it in quotes", self.spelled(name), node.shown());
                Err(Mistake::at(&node.place, text))
            }
            _ => Err(self.wrong(name, "a text", node)),
        }
    }

    /// Returns yes or no. A number is yes unless it is 0.
    pub(crate) fn boolean(&self, name: &str) -> Checked<Option<bool>> {
        self.get(name)
            .map(|node| match &node.data {
                Data::Bool(boolean) => Ok(*boolean),
                Data::Number(number) => Ok(number.as_f64() != Some(0.0)),
                Data::Beyond(_) => Ok(true),
                _ if self.spelling == Spelling::Lua => Err(self.wrong(name, "true or false", node)),
                _ => Err(self.wrong(name, "yes or no", node)),
            })
            .transpose()
    }

    /// Returns a number.
    pub(crate) fn number(&self, name: &str) -> Checked<Option<f64>> {
        self.get(name)
            .map(|node| match &node.data {
                Data::Number(number) => number.as_f64().ok_or_else(|| self.wrong(name, "a number", node)),
                Data::Beyond(number) => {
                    crate::operation::scalar::as_number(number).ok_or_else(|| self.wrong(name, "a number", node))
                }
                _ => Err(self.wrong(name, "a number", node)),
            })
            .transpose()
    }

    /// Returns texts: a list of them, or one alone.
    pub(crate) fn texts(&self, name: &str) -> Checked<Vec<String>> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(node) => match &node.data {
                Data::List(items) => items.iter().map(|item| self.text_of(name, item)).collect(),
                // Lua has one notation for the empty list and the empty mapping.
                Data::Map(entries) if entries.is_empty() => Ok(Vec::new()),
                Data::Map(_) => Err(self.wrong(name, "a text or a list of texts", node)),
                _ => Ok(vec![self.text_of(name, node)?]),
            },
        }
    }

    /// Returns a mapping's entries; an empty list is an empty mapping.
    pub(crate) fn mapping(&self, name: &str) -> Checked<&'a [Entry]> {
        match self.get(name) {
            None => Ok(&[]),
            Some(node) => match &node.data {
                Data::Map(entries) => Ok(entries),
                _ => Err(self.wrong(name, "a mapping", node)),
            },
        }
    }

    /// Returns a list; one value alone is a list of one.
    pub(crate) fn list(&self, name: &str) -> &'a [Node] {
        match self.get(name) {
            None => &[],
            Some(node) => match &node.data {
                Data::List(items) => items,
                Data::Map(entries) if entries.is_empty() => &[],
                _ => std::slice::from_ref(node),
            },
        }
    }

    /// Returns a command line: a text, or its words in a list.
    pub(crate) fn command(&self, name: &str) -> Checked<Option<String>> {
        let Some(node) = self.get(name) else { return Ok(None) };
        let Data::List(items) = &node.data else { return self.text(name) };
        let words = items.iter().map(|item| self.text_of(name, item)).collect::<Checked<Vec<String>>>()?;
        let joined = shlex::try_join(words.iter().map(String::as_str));
        joined.map(Some).map_err(|_| self.wrong(name, "words without zero bytes", node))
    }
}

/// Returns the name that an entry stands for. In YAML some words are no names.
pub(crate) fn name_of<'a>(entry: &'a Entry, what: &str) -> Checked<&'a str> {
    match entry.key_value {
        Value::String(_) | Value::Number(_) | Value::Object(_) => Ok(&entry.key),
        _ => {
            let text = format!("{what} has no name here: YAML reads it as {}; write it in quotes", entry.key_value);
            Err(Mistake::at(&entry.place, text))
        }
    }
}
