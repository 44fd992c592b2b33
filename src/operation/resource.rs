//! Resources that an operation requires: each has sources, which are resolved into its run directory.
//!
//! The serialised form is Guild's, as it stands in `guild.yml` and in a run's `op` attribute.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

/// A named group of sources.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Resource {
    /// The name in messages and in the run's `deps`; that of its one source for a source written in place.
    pub(crate) name: String,
    /// The flag by which a user chooses another source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) flag_name: Option<String>,
    /// What it consists of.
    #[serde(default)]
    pub(crate) sources: Vec<Source>,
    /// Where in the run directory it goes, for sources that do not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target_path: Option<String>,
    /// How it goes there, for sources that do not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target_type: Option<TargetType>,
    /// Whether folders are kept, for sources that do not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) preserve_path: Option<bool>,
    /// Whether archives are unpacked, for sources that do not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default_unpack: Option<bool>,
    /// What it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) description: String,
}

impl Resource {
    /// Returns the names by which a user may choose another source.
    pub(crate) fn flag_names(&self) -> BTreeSet<String> {
        let own = self.flag_name.iter().filter(|name| !name.is_empty()).cloned();
        own.chain(flag_names(&self.name, &self.sources, &BTreeSet::new())).collect()
    }
}

/// Returns the names by which a user may choose another of the sources of a resource, where the operation has flags of the
/// names `taken`.
pub(super) fn flag_names(resource: &str, sources: &[Source], taken: &BTreeSet<String>) -> BTreeSet<String> {
    sources.iter().flat_map(|source| source.flag_names(resource, sources.len() == 1, taken)).collect()
}

impl Source {
    /// Returns a source of which nothing else is said.
    pub(crate) fn of(kind: SourceKind) -> Source {
        Source {
            kind,
            name: None,
            flag_name: None,
            select: Vec::new(),
            select_min: None,
            select_max: None,
            rename: Vec::new(),
            target_path: None,
            target_type: None,
            preserve_path: None,
            unpack: None,
            archive_type: None,
            sha256: None,
            optional: false,
            warn_if_empty: None,
            fail_if_empty: false,
            replace_existing: false,
            always_resolve: false,
            params: Map::new(),
            help: None,
            post_process: None,
        }
    }

    /// Returns the source as a URI: `file:data.txt`, `operation:prepare`.
    pub(crate) fn uri(&self) -> String {
        match &self.kind {
            SourceKind::File(path) => format!("file:{path}"),
            SourceKind::Url(url) => url.clone(),
            SourceKind::Operation(operation) => format!("operation:{operation}"),
            SourceKind::Config(path) => format!("config:{path}"),
            SourceKind::Module(name) => format!("module:{name}"),
            SourceKind::Stdin(name) => format!("stdin:{name}"),
        }
    }

    /// Returns the names by which a user may choose another source: its flag, else its name, else its URI and what the
    /// URI names; then the name of its resource, if it is the only one there. The first that is given counts.
    ///
    /// A flag of the operation itself may be called like a file or a resource and mean something else, so the names `taken`
    /// choose nothing, but where the source is given its flag or its name, or is an operation of that name, as in Guild.
    pub(super) fn flag_names(&self, resource: &str, is_only: bool, taken: &BTreeSet<String>) -> Vec<String> {
        let is_free = |name: &&str| !taken.contains(*name);
        let is_operation = matches!(self.kind, SourceKind::Operation(_));
        let mut names = match self.flag_name.as_ref().or(self.name.as_ref()) {
            Some(name) => vec![name.clone()],
            None => {
                let bare = Some(self.bare()).filter(|bare| is_operation || is_free(bare));
                std::iter::once(self.uri()).chain(bare.map(str::to_owned)).collect()
            }
        };
        names.extend(Some(resource).filter(|_| is_only).filter(is_free).map(str::to_owned));
        names.retain(|name| !name.is_empty());
        names
    }

    /// Returns what the URI names.
    fn bare(&self) -> &str {
        let (SourceKind::File(bare)
        | SourceKind::Url(bare)
        | SourceKind::Operation(bare)
        | SourceKind::Config(bare)
        | SourceKind::Module(bare)
        | SourceKind::Stdin(bare)) = &self.kind;
        bare
    }
}

/// Copied into the run directory, or a symbolic link there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TargetType {
    /// A copy.
    Copy,
    /// A relative symbolic link.
    Link,
}

/// Where a source comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SourceKind {
    /// A file or folder, relative to the project.
    File(String),
    /// A URL: http, https, file.
    Url(String),
    /// Files of a run of another operation: its name, a comma list of names, or a regular expression.
    Operation(String),
    /// A file of settings with the flags put in.
    Config(String),
    /// A Python module that must be there.
    Module(String),
    /// What is written to the standard input of `rille run`: the name of the file it becomes.
    Stdin(String),
}

/// One source of a resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is an attribute of Guild's")]
pub(crate) struct Source {
    /// Where it comes from. May hold `${flag}`.
    #[serde(flatten)]
    pub(crate) kind: SourceKind,
    /// The name in messages and in `deps`; by default the URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// The flag by which a user chooses another source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) flag_name: Option<String>,
    /// Regular expressions that a path inside must match as a whole; empty for the default of the kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) select: Vec<String>,
    /// Keeps the path whose group is the smallest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) select_min: Option<String>,
    /// Keeps the path whose group is the largest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) select_max: Option<String>,
    /// Patterns and replacements for the base name; the first that changes it counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "renames")]
    pub(crate) rename: Vec<(String, String)>,
    /// The folder in the run directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target_path: Option<String>,
    /// How it goes there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target_type: Option<TargetType>,
    /// Whether folders of the source are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) preserve_path: Option<bool>,
    /// Whether an archive is unpacked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unpack: Option<bool>,
    /// The kind of archive, where its name does not tell.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) archive_type: Option<String>,
    /// SHA-256 that the file must have, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
    /// Whether the run goes on without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) optional: bool,
    /// Whether it is said that nothing was resolved; by default it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) warn_if_empty: Option<bool>,
    /// Whether it is an error that nothing was resolved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) fail_if_empty: bool,
    /// Whether a file of that name in the run directory is replaced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) replace_existing: bool,
    /// Whether it is resolved again when the run is restarted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) always_resolve: bool,
    /// Values put into a config source, by dotted name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) params: Map<String, Value>,
    /// What to do when it cannot be resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) help: Option<String>,
    /// A shell command that is run once where an archive was unpacked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) post_process: Option<String>,
}

/// Writes pairs as Guild reads them.
fn renames<S: Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Rename<'a> {
        pattern: &'a str,
        repl: &'a str,
    }
    serializer.collect_seq(pairs.iter().map(|(pattern, repl)| Rename { pattern, repl }))
}
