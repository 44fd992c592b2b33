//! Settings from several places laid over each other: each value remembers where it comes from.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Map, Value as Json, json};

use super::keys::Config;
use crate::cli::Failure;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Origin {
    /// Nobody has set it.
    Default,
    /// A line of a file.
    File(PathBuf, usize),
    /// An environment variable.
    Variable(&'static str),
    /// An option of the command line.
    Option(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Option(name) => write!(f, "option {name}"),
        }
    }
}

/// One value: of a key, of a key in a table, or an item of a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// The key; behind a table's name the key in it.
    pub(crate) path: Vec<String>,
    /// It is an item of a list.
    pub(crate) is_item: bool,
    /// The value.
    pub(crate) value: Json,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

impl Entry {
    /// Returns the key as `rille.toml` could have it.
    pub(crate) fn key(&self) -> String {
        let is_bare =
            |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        let quoted = |part: &String| if is_bare(part) { part.clone() } else { json!(part).to_string() };
        self.path.iter().map(quoted).collect::<Vec<_>>().join(".")
    }
}

/// Takes a configuration apart; `origin` tells where the value with this path comes from.
pub(crate) fn entries(config: &Config, origin: impl Fn(&[String]) -> Origin) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    let config = serde_json::to_value(config)
        .map_err(|error| Failure::usage(format!("a path in the settings cannot be used: {error}")))?;
    if let Json::Object(fields) = config {
        flatten(fields, &mut Vec::new(), &origin, &mut entries);
    }
    Ok(entries)
}

fn flatten(
    fields: Map<String, Json>,
    path: &mut Vec<String>,
    origin: &impl Fn(&[String]) -> Origin,
    entries: &mut Vec<Entry>,
) {
    for (name, value) in fields {
        path.push(name);
        match value {
            Json::Object(fields) => flatten(fields, path, origin, entries),
            Json::Array(items) => {
                for (index, value) in items.into_iter().enumerate() {
                    let mut place = path.clone();
                    place.push(index.to_string());
                    entries.push(Entry { path: path.clone(), is_item: true, value, origin: origin(&place) });
                }
            }
            value => {
                entries.push(Entry { path: path.clone(), is_item: false, value, origin: origin(path) });
            }
        }
        path.pop();
    }
}

/// Lays entries over those that are there: a value replaces the one of the same key, an item of a list is added.
pub(crate) fn lay_over(below: &mut Vec<Entry>, above: Vec<Entry>) {
    for entry in above {
        let same = |other: &&mut Entry| other.path == entry.path;
        if entry.is_item {
            let is_there = below.iter().any(|other| other.path == entry.path && other.value == entry.value);
            if !is_there {
                below.push(entry);
            }
        } else {
            match below.iter_mut().find(same) {
                Some(other) => *other = entry,
                None => below.push(entry),
            }
        }
    }
}

/// Puts entries together again.
pub(crate) fn assemble(entries: &[Entry]) -> Result<Config, serde_json::Error> {
    let mut root = Json::Object(Map::new());
    for entry in entries {
        let mut place = &mut root;
        for part in &entry.path {
            place = &mut place[part.as_str()];
        }
        match (entry.is_item, &mut *place) {
            (true, Json::Array(items)) => items.push(entry.value.clone()),
            (true, _) => *place = json!([entry.value]),
            (false, _) => *place = entry.value.clone(),
        }
    }
    serde_json::from_value(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(toml: &str, name: &'static str) -> Vec<Entry> {
        entries(&toml::from_str(toml).unwrap(), |_| Origin::Option(name)).unwrap()
    }

    #[test]
    fn later_layers_win_lists_add_up_and_tables_are_merged() {
        let mut all = layer("jobs = 1\ntags = ['a', 'b']\nresources = { gpus = 1, mem = '1G' }", "low");
        lay_over(&mut all, layer("jobs = 2\ntags = ['b', 'c']\nresources = { gpus = 2, 'odd name' = 1 }", "high"));
        let shown: Vec<String> =
            all.iter().map(|entry| format!("{} = {} ({})", entry.key(), entry.value, entry.origin)).collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        jobs = 2 (option high)
        resources.gpus = 2 (option high)
        resources.mem = 1073741824 (option low)
        tags = "a" (option low)
        tags = "b" (option low)
        resources."odd name" = 1 (option high)
        tags = "c" (option high)
        "#);
        let config = assemble(&all).unwrap();
        assert_eq!(config.tags, ["a", "b", "c"]);
        assert_eq!(config.resources["mem"].0, 1 << 30);
        assert_eq!(assemble(&entries(&config, |_| Origin::Default).unwrap()).unwrap(), config);
    }
}
