//! The tree of the multiplexer: nodes with parameters, made from files that include and change each other.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;

use super::error::{LineError, MuxError};
use super::yaml::{self, Control, Entry, Join, Mapping, Node};

/// Where the original hangs what a file holds.
const ROOT: &str = "run";

/// How many files may include each other in a row.
const MAX_INCLUDES: usize = 32;

/// A node of the tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tree {
    pub(super) name: String,
    pub(super) values: Vec<(String, Value)>,
    pub(super) children: Vec<Tree>,
    /// Its children are alternatives; `None` if nothing was said.
    pub(super) is_mux: Option<bool>,
    pub(super) filter_only: BTreeSet<String>,
    pub(super) filter_out: BTreeSet<String>,
    /// What it takes away of a node that it is merged into.
    removes: Vec<Removal>,
}

/// What a node takes away of another: the names that match from their beginning.
#[derive(Clone, Debug)]
enum Removal {
    Node(Regex),
    Value(Regex),
}

impl PartialEq for Removal {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Removal::Node(one), Removal::Node(other)) | (Removal::Value(one), Removal::Value(other)) => {
                one.as_str() == other.as_str()
            }
            _ => false,
        }
    }
}

/// A file that is being read, and those that include it.
struct File<'a> {
    path: &'a Path,
    including: Vec<PathBuf>,
}

impl Tree {
    /// Makes the tree of a file whose text is read; `None` if it is no tree: none of its values is a mapping, and it has no
    /// tag.
    pub(in crate::testing) fn read(path: &Path, text: &str) -> Result<Option<Tree>, MuxError> {
        let Some(Node::Mapping(mapping)) = yaml::read(text)? else { return Ok(None) };
        let is_node = |entry: &Entry| !matches!(entry, Entry::Named(_, Node::Value(_) | Node::Null { join: None }));
        if mapping.join.is_none() && !mapping.entries.iter().any(is_node) {
            return Ok(None);
        }
        let file = File { path, including: Vec::new() };
        let mut top = file.node("", mapping)?;
        ROOT.clone_into(&mut top.name);
        Ok(Some(Tree { children: vec![top], ..Tree::default() }))
    }

    /// Merges another tree into this one: what it has is added, what both have is the other's.
    pub(crate) fn merge(&mut self, other: Tree) {
        for removal in &other.removes {
            match removal {
                Removal::Node(pattern) => self.children.retain(|child| !pattern.is_match(&child.name)),
                Removal::Value(pattern) => self.values.retain(|(name, _)| !pattern.is_match(name)),
            }
        }
        for (name, value) in other.values {
            self.set(name, value);
        }
        self.filter_only.extend(other.filter_only);
        self.filter_out.extend(other.filter_out);
        for child in other.children {
            self.add(child);
        }
        self.is_mux = other.is_mux.or(self.is_mux);
    }

    fn set(&mut self, name: String, value: Value) {
        match self.values.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.values.push((name, value)),
        }
    }

    fn add(&mut self, child: Tree) {
        match self.children.iter_mut().find(|known| known.name == child.name) {
            Some(known) => known.merge(child),
            None => self.children.push(child),
        }
    }

    /// Hangs it below the nodes that `!using` names.
    fn below(mut self, using: &str) -> Tree {
        let mut names: Vec<&str> = using.split('/').filter(|name| !name.is_empty()).rev().collect();
        if self.name.is_empty() {
            // The top of a file takes the first name itself, and goes below a new top. The names come the other way round
            // then, which is the original's order, and is in its ids.
            names.reverse();
            if names.is_empty() {
                return self;
            }
            names.remove(0).clone_into(&mut self.name);
            names.push("");
        }
        let below = |node, name: &str| Tree { name: name.to_owned(), children: vec![node], ..Tree::default() };
        names.into_iter().fold(self, below)
    }
}

impl File<'_> {
    fn node(&self, name: &str, mapping: Mapping) -> Result<Tree, MuxError> {
        let mut tree = Tree { name: name.to_owned(), ..Tree::default() };
        let mut using: Option<String> = None;
        for entry in mapping.entries {
            match entry {
                Entry::Named(name, Node::Value(value)) => tree.set(name, value),
                Entry::Named(name, Node::Null { join }) => {
                    tree.add(Tree { name, is_mux: join.map(|join| join == Join::Mux), ..Tree::default() });
                }
                Entry::Named(name, Node::Mapping(mapping)) => tree.add(self.node(&name, mapping)?),
                Entry::Control(Control::Using, value, line) => {
                    if using.replace(value).is_some() {
                        return Err(LineError::UsingTwice.on(line));
                    }
                }
                Entry::Control(control, value, line) => self.control(&mut tree, control, &value, line)?,
            }
        }
        tree.is_mux = mapping.join.map(|join| join == Join::Mux).or(tree.is_mux);
        Ok(match using {
            Some(using) => tree.below(&using),
            None => tree,
        })
    }

    fn control(&self, tree: &mut Tree, control: Control, value: &str, line: usize) -> Result<(), MuxError> {
        let pattern = || {
            let regex = Regex::new(&format!("^(?:{value})"));
            regex.map_err(|source| LineError::NoRegex { pattern: value.to_owned(), source }.on(line))
        };
        let filter = || format!("{}/", value.strip_suffix('/').unwrap_or(value));
        match control {
            Control::RemoveNode => tree.removes.push(Removal::Node(pattern()?)),
            Control::RemoveValue => tree.removes.push(Removal::Value(pattern()?)),
            Control::FilterOnly if !value.is_empty() => drop(tree.filter_only.insert(filter())),
            Control::FilterOut if !value.is_empty() => drop(tree.filter_out.insert(filter())),
            Control::Include => tree.merge(self.include(value, line)?),
            Control::FilterOnly | Control::FilterOut | Control::Using => {}
        }
        Ok(())
    }

    /// Reads a file that this one includes, a path that begins where this one lies.
    fn include(&self, name: &str, line: usize) -> Result<Tree, MuxError> {
        let path = self.path.parent().unwrap_or(Path::new("")).join(name);
        let included = self.included(&path);
        included.map_err(|source| LineError::Include { path, source: Box::new(source) }.on(line))
    }

    fn included(&self, path: &Path) -> Result<Tree, MuxError> {
        let text = fs::read_to_string(path).map_err(MuxError::Unread)?;
        let mut including = self.including.clone();
        including.push(self.path.to_owned());
        if including.iter().any(|known| known == path) || including.len() > MAX_INCLUDES {
            return Err(MuxError::Circle);
        }
        let file = File { path, including };
        match yaml::read(&text)? {
            Some(Node::Mapping(mapping)) => file.node("", mapping),
            None | Some(Node::Null { .. }) => Ok(Tree::default()),
            Some(Node::Value(_)) => Err(MuxError::NoMapping),
        }
    }
}
