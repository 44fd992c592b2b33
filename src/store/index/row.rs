//! A run as lists, filters and comparisons see it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::scalars::{self, ScalarRow};
use crate::model::META;
use crate::store::{Lookup, RunInfo, attribute, list};

/// Attributes that a row has without reading them again.
const KEPT: [&str; 4] = ["comments", "cmd", "flags", "sourcecode_digest"];

/// What a row keeps of its run. What is not asked for is not decoded, and scalars are not read either.
#[derive(Debug)]
pub(crate) struct RunRow {
    /// What a list shows.
    pub(crate) info: RunInfo,
    pub(super) flags: Lazy<Map<String, Value>>,
    pub(super) comments: Lazy<Value>,
    pub(super) cmd: Lazy<Value>,
    pub(super) digest: Option<String>,
    /// The names of all attributes, a line each.
    pub(super) names: String,
    pub(super) scalars: Lazy<Vec<ScalarRow>>,
}

/// A value that is decoded when it is first asked for.
#[derive(Debug)]
pub(super) struct Lazy<T> {
    pub(super) text: String,
    value: OnceCell<T>,
}

impl<T> Lazy<T> {
    /// Makes the value that the stored `text` stands for.
    pub(super) fn stored(text: String) -> Lazy<T> {
        Lazy { text, value: OnceCell::new() }
    }

    fn read(value: T, encode: impl FnOnce(&T) -> String) -> Lazy<T> {
        Lazy { text: encode(&value), value: OnceCell::from(value) }
    }

    fn get(&self, decode: impl FnOnce(&str) -> T) -> &T {
        self.value.get_or_init(|| decode(&self.text))
    }
}

impl RunRow {
    /// Reads the run in the directory `path`.
    pub(super) fn read(path: &Path) -> RunRow {
        let mut details = list::details(path);
        let mut names = String::new();
        for name in details.attrs.keys() {
            names.extend([name, "\n"]);
        }
        let mut take = |name: &str| details.attrs.remove(name).unwrap_or(Value::Null);
        let (comments, cmd, digest) = (take("comments"), take("cmd"), take("sourcecode_digest"));
        RunRow {
            info: details.info,
            flags: Lazy::read(details.flags, |flags| serde_json::to_string(flags).unwrap_or_default()),
            comments: Lazy::read(comments, Value::to_string),
            cmd: Lazy::read(cmd, Value::to_string),
            digest: digest.as_str().map(str::to_owned),
            names,
            // Event files can be large: they are read when they are asked for.
            scalars: Lazy::stored(String::new()),
        }
    }

    /// Returns the flags.
    pub(crate) fn flags(&self) -> &Map<String, Value> {
        self.flags.get(|text| serde_json::from_str(text).unwrap_or_default())
    }

    /// Returns the comments, as the attribute has them.
    pub(crate) fn comments(&self) -> &Value {
        self.comments.get(|text| serde_json::from_str(text).unwrap_or_default())
    }

    /// Returns the command line, as the attribute has it.
    pub(crate) fn cmd(&self) -> &Value {
        self.cmd.get(|text| serde_json::from_str(text).unwrap_or_default())
    }

    /// Returns the digest of the source code.
    pub(crate) fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// Returns the scalars, by prefix and tag.
    pub(crate) fn scalars(&self) -> &[ScalarRow] {
        self.scalars.get(|text| match text {
            "" => scalars::read(&self.info.path),
            text => scalars::decode(text).unwrap_or_default(),
        })
    }

    /// Returns the scalar that is meant by `tag` or `prefix#tag`: the first by prefix.
    pub(crate) fn scalar_row(&self, name: &str) -> Option<&ScalarRow> {
        self.scalars().iter().find(|scalar| scalar.is_named(name))
    }

    fn has_attribute(&self, name: &str) -> bool {
        !name.is_empty() && self.names.lines().any(|own| own == name)
    }
}

/// How a filter names a piece of metadata: `meta.build`.
const META_PREFIX: &str = "meta.";

fn text(text: Option<&String>) -> Option<Cow<'_, Value>> {
    text.map(|text| Cow::Owned(Value::String(text.clone())))
}

fn time(time: Option<DateTime<Utc>>) -> Option<Cow<'static, Value>> {
    time.map(|time| Cow::Owned(Value::from(time.timestamp_micros())))
}

impl Lookup for RunRow {
    fn attribute(&self, name: &str) -> Option<Cow<'_, Value>> {
        let info = &self.info;
        let part = |op: bool| {
            let (model, name) = info.operation.as_deref()?.rsplit_once(':').unwrap_or(("", info.operation.as_deref()?));
            Some(Cow::Owned(Value::from(if op { name } else { model })))
        };
        match name {
            "id" => text(Some(&info.id)),
            "short_id" => Some(Cow::Owned(info.id.chars().take(8).collect::<String>().into())),
            "operation" => text(info.operation.as_ref()),
            "op" if !self.has_attribute("op") || info.operation.is_some() => part(true),
            "model" => part(false),
            "opref" => text(info.opref.as_ref()),
            "status" => Some(Cow::Owned(Value::from(info.status.name()))),
            "label" => text(info.label.as_ref()),
            "tags" | "tag" => Some(Cow::Owned(info.tags.clone().into())),
            "marked" => Some(Cow::Owned(info.marked.into())),
            "initialized" => time(info.initialized),
            "started" => time(info.started),
            "stopped" => time(info.stopped),
            "exit_status" => info.exit_status.map(|status| Cow::Owned(status.into())),
            "comment" | "comments" => comment_text(self.comments()).map(|text| Cow::Owned(text.into())),
            "sourcecode_digest" | "digest" => text(self.digest.as_ref()),
            "cmd" => Some(self.cmd()).filter(|cmd| !cmd.is_null()).map(Cow::Borrowed),
            "path" | "run_dir" => Some(Cow::Owned(info.path.to_string_lossy().into())),
            name if name.strip_prefix(META_PREFIX).is_some_and(|_| self.has_attribute(META)) => {
                let meta = attribute(&info.path, META)?;
                meta.get(&name[META_PREFIX.len()..]).cloned().map(Cow::Owned)
            }
            // A flag is meant by its name, and not the map of all of them.
            "flags" => None,
            name if self.has_attribute(name) => {
                debug_assert!(!KEPT.contains(&name), "it has a place in the row");
                attribute(&info.path, name).map(Cow::Owned)
            }
            _ => None,
        }
    }

    fn flag(&self, name: &str) -> Option<Cow<'_, Value>> {
        self.flags().get(name).map(Cow::Borrowed)
    }

    fn scalar(&self, name: &str) -> Option<Cow<'_, Value>> {
        self.scalar_row(name).map(|scalar| Cow::Owned(scalar.last.0.into()))
    }

    fn names(&self) -> Vec<String> {
        let scalars = self.scalars().iter().map(|scalar| scalar.tag.clone());
        let meta = self.has_attribute(META).then(|| attribute(&self.info.path, META)).flatten();
        let meta = meta.as_ref().and_then(Value::as_object).into_iter().flatten();
        let meta = meta.map(|(key, _)| format!("{META_PREFIX}{key}"));
        self.names.lines().map(str::to_owned).chain(meta).chain(self.flags().keys().cloned()).chain(scalars).collect()
    }
}

/// Returns what the comments say, one below the other; `None` if there is none.
fn comment_text(comments: &Value) -> Option<String> {
    let bodies = comments.as_array()?.iter().filter_map(|comment| comment.get("body").and_then(Value::as_str));
    let text = bodies.collect::<Vec<_>>().join("\n");
    (!text.is_empty()).then_some(text)
}
