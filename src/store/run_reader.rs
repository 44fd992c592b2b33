//! Reading the files of one run, and finding what is wrong with them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Opref, Status, attr, logged};

/// Attributes that hold a map, or nothing.
const MAPS: [&str; 6] = ["flags", "user_flags", "env", "op", "run_params", "platform"];

/// Attributes that hold a list, or nothing.
const LISTS: [&str; 3] = ["cmd", "comments", "tags"];

/// Files that are in `.guild`, where they are.
pub(super) const FILES: [&str; 10] =
    ["opref", "LOCK", "PENDING", "STAGED", "ENV", "manifest", "events.jsonl", "output", "output.index", "ballast"];

/// The largest attribute that is read, in bytes. No document that anybody writes is as large.
const LARGEST: u64 = 64 << 20;

/// Reads the files of one run and collects what is wrong with them.
pub(super) struct Reader {
    pub(super) guild: PathBuf,
    attrs: PathBuf,
    /// What was read in advance.
    texts: BTreeMap<String, String>,
    /// Whether that is everything there is.
    has_all: bool,
    pub(super) damage: Vec<String>,
    /// Attributes without a byte, which nobody writes, but may be about to.
    pub(super) empty: Vec<String>,
    /// The names of attributes, and of the opref, that are not as they should be.
    pub(super) bad: BTreeSet<String>,
}

impl Reader {
    pub(super) fn new(run: &Path) -> Reader {
        let guild = run.join(".guild");
        let (attrs, texts) = (guild.join("attrs"), BTreeMap::new());
        Reader { guild, attrs, texts, has_all: false, damage: Vec::new(), empty: Vec::new(), bad: BTreeSet::new() }
    }

    /// Reads all attributes in advance; returns their names.
    pub(super) fn read_all(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        // No folder of attributes is an empty one: a run that must have some is missed them later.
        for entry in fs::read_dir(&self.attrs).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(text) = self.file(&entry.path(), &name) {
                self.texts.insert(name.clone(), text);
                names.push(name);
            }
        }
        self.has_all = true;
        names
    }

    /// Returns whether there is an attribute, whatever it holds.
    pub(super) fn has(&self, name: &str) -> bool {
        self.texts.contains_key(name) || self.attrs.join(name).symlink_metadata().is_ok()
    }

    /// Returns an attribute; `None` if it is not there, null, or damaged.
    pub(super) fn attr<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let text = match self.texts.get(name) {
            Some(text) => Cow::Borrowed(text.as_str()),
            None if self.has_all => return None,
            None => Cow::Owned(self.file(&self.attrs.join(name), name)?),
        };
        if text.trim_ascii().is_empty() {
            self.empty.push(name.to_owned());
            self.bad.insert(name.to_owned());
            return None;
        }
        match attr::decode::<Option<T>>(&text) {
            Ok(value) => value,
            Err(e) => {
                let what = e.to_string().lines().next().unwrap_or_default().to_owned();
                self.damage.push(format!("attribute '{name}': {what}"));
                self.bad.insert(name.to_owned());
                None
            }
        }
    }

    /// Looks whether an attribute is what others take it for.
    pub(super) fn check_shape(&mut self, name: &str, value: &Value) {
        let expected = match name {
            name if MAPS.contains(&name) && !value.is_object() => "map",
            name if LISTS.contains(&name) && !value.is_array() => "list",
            // A number is text, too: YAML takes some texts for one.
            "label" | "id" | "host" | "user" if value.is_object() || value.is_array() => "text",
            _ => return,
        };
        self.damage.push(format!("attribute '{name}' is no {expected}"));
        self.bad.insert(name.to_owned());
    }

    /// Looks whether what should be a file is one, and the folder of attributes a folder.
    pub(super) fn check_kinds(&mut self) {
        // No `.guild`, or a file in its place: then there is no opref either, which is told.
        let Ok(entries) = fs::read_dir(&self.guild) else { return };
        let mut has_attrs = false;
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let is_attrs = name == "attrs";
            if !is_attrs && !FILES.contains(&name) {
                continue;
            }
            has_attrs |= is_attrs;
            // What a link leads to counts.
            let kind = match entry.file_type() {
                Ok(kind) if kind.is_symlink() => fs::metadata(entry.path()).map(|metadata| metadata.file_type()),
                kind => kind,
            };
            let wrong = match kind {
                Ok(kind) if is_attrs && !kind.is_dir() => "is no folder".to_owned(),
                Ok(kind) if !is_attrs && kind.is_dir() => "is a folder".to_owned(),
                Ok(kind) if !is_attrs && !kind.is_file() => "is no file".to_owned(),
                Ok(_) => continue,
                Err(error) => error.to_string(),
            };
            self.damage.push(format!("{name} {wrong}"));
        }
        if !has_attrs {
            self.damage.push("it has no attributes".to_owned());
        }
    }

    /// Returns an attribute that holds microseconds since 1970.
    pub(super) fn time(&mut self, name: &str) -> Option<DateTime<Utc>> {
        let micros: i64 = self.attr(name)?;
        let time = DateTime::from_timestamp_micros(micros);
        if time.is_none() {
            self.bad.insert(name.to_owned());
            self.damage.push(format!("attribute '{name}': {micros} is no time"));
        }
        time
    }

    /// Returns the operation reference. Only a run that is being prepared may be without.
    pub(super) fn opref(&mut self, path: &Path, status: Status) -> Option<Opref> {
        let Some(text) = self.file(path, "opref") else {
            let is_being_made = matches!(status, Status::Running | Status::Pending | Status::Lost);
            if !is_being_made && self.damage.is_empty() {
                self.damage.push("it has no opref".to_owned());
            }
            return None;
        };
        match Opref::parse(&text) {
            Ok(opref) => Some(opref),
            Err(what) => {
                self.damage.push(format!("opref: {what}"));
                self.bad.insert("opref".to_owned());
                None
            }
        }
    }

    fn file(&mut self, path: &Path, name: &str) -> Option<String> {
        match read_text(path) {
            Ok(text) => text,
            Err(e) => {
                self.damage.push(format!("{name}: {e}"));
                self.bad.insert(name.to_owned());
                None
            }
        }
    }
}

/// Reads a file; `None` if there is none.
fn read_text(path: &Path) -> io::Result<Option<String>> {
    let Some((file, metadata)) = logged::open_regular(path)? else { return Ok(None) };
    if metadata.len() > LARGEST {
        return Err(io::Error::other(format!("it has {} bytes", metadata.len())));
    }
    let mut text = String::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    file.take(LARGEST).read_to_string(&mut text)?;
    Ok(Some(text))
}
