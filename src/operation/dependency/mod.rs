//! Resolves what an operation requires into its run directory: files, URLs, files of other runs, settings, modules, and
//! what is written to the standard input.
//!
//! Nothing here starts a process, knows where runs are kept, or prints: what it needs of these comes by argument.

mod archive;
pub(in crate::operation) mod config;
mod config_places;
mod config_text;
mod configparser;
mod download;
mod file;
mod names;
mod place;
mod rename;
mod select;
mod toml_text;
mod tree_digest;
mod unpack;
mod upstream;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use self::names::{resolving_name, substitute};
use super::relative::{normal, relative_to};
use super::{DependencyRecord, FlagPassing, FlagValues, Notice, Source, SourceKind, takes_no_more};
use crate::model::{Manifest, ManifestEntry};

pub(crate) use self::file::project_local;
pub(crate) use self::names::chosen_by_flags;
pub(crate) use self::unpack::Limits;
pub(crate) use self::upstream::{NoRun, Purpose, Upstream, Upstreams, default_runs, missing_run};

/// What the resolution needs of the world outside.
pub(crate) struct Surroundings<'a> {
    /// The folder that downloads and unpacked archives are kept in.
    pub(crate) cache: &'a Path,
    /// The folder that a path given by a flag is relative to.
    pub(crate) started_in: &'a Path,
    /// What an archive may hold.
    pub(crate) limits: Limits,
    /// The runs of other operations.
    pub(crate) upstreams: &'a dyn Upstreams,
    /// Returns why a Python module cannot be imported.
    pub(crate) can_import: &'a dyn Fn(&str) -> Result<(), String>,
    /// Runs a shell command in a folder; returns why it failed.
    pub(crate) post_process: &'a dyn Fn(&str, &Path) -> Result<(), String>,
    /// Returns the standard input.
    pub(crate) stdin: &'a dyn Fn() -> Box<dyn Read>,
    /// Returns whether the run is to stop.
    pub(crate) is_interrupted: &'a dyn Fn() -> bool,
    /// Returns a name that was not used before.
    pub(crate) new_name: &'a dyn Fn() -> String,
}

/// What is to be resolved.
pub(crate) struct Request<'a> {
    /// The resources, in order.
    pub(crate) deps: &'a [DependencyRecord],
    /// The values of the flags.
    pub(crate) flags: &'a FlagValues,
    /// How flags are passed: `config` sources know them by these names.
    pub(crate) passing: &'a BTreeMap<String, FlagPassing>,
    /// The absolute run directory.
    pub(crate) run_dir: &'a Path,
    /// The attribute `deps` of the run so far.
    pub(crate) already: &'a Map<String, Value>,
    /// The manifest of the run so far.
    pub(crate) manifest: &'a Manifest,
    /// Whether the run is staged: runs of other operations are left for its start.
    pub(crate) is_staging: bool,
    /// Whether the run goes on without what cannot be resolved.
    pub(crate) force: bool,
    /// The world outside.
    pub(crate) surroundings: &'a Surroundings<'a>,
}

/// What was resolved.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Resolved {
    /// The attribute `deps`, with what it held before: `{RESOURCE: {SOURCE: {uri, paths, config}}}`.
    pub(crate) deps: Map<String, Value>,
    /// An entry for each file and folder that was put into the run.
    pub(crate) manifest: Vec<ManifestEntry>,
}

/// Why a source could not be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unmet {
    /// The name of the source.
    pub(crate) source: String,
    /// The name of its resource.
    pub(crate) resource: String,
    /// Why.
    pub(crate) reason: String,
    /// What can be done about it, or more about the reason.
    pub(crate) hints: Vec<String>,
    /// Whether the disk does not take it, so that the run cannot be recorded.
    pub(crate) is_full: bool,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not resolve '{}' in {} resource: {}", self.source, self.resource, self.reason)
    }
}

impl std::error::Error for Unmet {}

/// Why a source could not be resolved, before it is known which.
#[derive(Debug, Default)]
struct Problem {
    reason: String,
    hint: Option<String>,
    /// The disk takes no more.
    is_full: bool,
}

impl Problem {
    /// Returns the problem that the system has with a file; `reason` says which.
    fn io(error: &io::Error, reason: String) -> Self {
        Self { is_full: takes_no_more(error), ..Self::from(reason) }
    }
}

impl<T: Into<String>> From<T> for Problem {
    fn from(reason: T) -> Self {
        Self { reason: reason.into(), ..Self::default() }
    }
}

type Outcome<T> = Result<T, Problem>;

/// What a source comes down to.
struct Origins {
    /// The files and folders, absolute, in order.
    paths: Vec<PathBuf>,
    /// The folder that folders are kept from, with `preserve-path`.
    base: PathBuf,
    /// Whether they are what an archive holds.
    from_archive: bool,
    /// What is recorded as the choice of the user: the run, the path.
    config: Option<Value>,
    /// Whether nothing is said where it is empty.
    may_be_empty: bool,
}

impl Origins {
    fn of(paths: Vec<PathBuf>, base: &Path) -> Self {
        Self { paths, base: base.to_owned(), from_archive: false, config: None, may_be_empty: false }
    }
}

/// Resolves the resources into the run directory, in order. What has been resolved before is left alone, unless its source
/// says otherwise.
pub(crate) fn resolve(request: &Request<'_>, notify: &mut dyn FnMut(Notice)) -> Result<Resolved, Unmet> {
    let mut resolved = Resolved { deps: request.already.clone(), manifest: Vec::new() };
    for dep in request.deps {
        notify(Notice::Info(format!("Resolving {} dependency", dep.name)));
        let mut sources = match resolved.deps.get(&dep.name) {
            Some(Value::Object(sources)) => sources.clone(),
            _ => Map::new(),
        };
        for source in &dep.sources {
            let name = resolving_name(source);
            let task = Task { request, dep, source, name: &name };
            match task.resolve(&mut sources, &mut resolved.manifest, notify) {
                Ok(()) => {}
                // What comes next could not be recorded either.
                Err(unmet) if unmet.is_full => return Err(unmet),
                Err(_) if source.optional => {
                    notify(Notice::Info(format!("Could not resolve {name} - skipping because dependency is optional")));
                }
                Err(unmet) if request.force => {
                    notify(Notice::Warning(format!("a dependency was not met: {unmet}")));
                }
                Err(unmet) => return Err(unmet),
            }
        }
        resolved.deps.insert(dep.name.clone(), Value::Object(sources));
    }
    Ok(resolved)
}

/// Returns whether the flag chooses a source that has been resolved already, which a restart cannot change.
pub(crate) fn is_resolved_flag(deps: &[DependencyRecord], already: &Map<String, Value>, flag: &str) -> bool {
    deps.iter().any(|dep| {
        let sources = already.get(&dep.name).and_then(Value::as_object);
        dep.sources.iter().any(|source| {
            let is_its_flag = dep.flag_names().contains(flag);
            let is_resolved = sources.is_some_and(|sources| sources.contains_key(&resolving_name(source)));
            is_its_flag && is_resolved && !source.always_resolve
        })
    })
}

/// One source that is being resolved.
struct Task<'a> {
    request: &'a Request<'a>,
    dep: &'a DependencyRecord,
    source: &'a Source,
    name: &'a str,
}

impl Task<'_> {
    fn resolve(
        &self,
        sources: &mut Map<String, Value>,
        manifest: &mut Vec<ManifestEntry>,
        notify: &mut dyn FnMut(Notice),
    ) -> Result<(), Unmet> {
        let is_operation = matches!(self.source.kind, SourceKind::Operation(_));
        if !self.source.always_resolve
            && let Some(before) = sources.get(self.name)
        {
            self.check_links(before).map_err(|problem| self.unmet(problem))?;
            notify(Notice::Info(format!("Skipping resolution of {} because it's already resolved", self.name)));
            return Ok(());
        }
        if self.request.is_staging && is_operation {
            notify(Notice::Info(format!("Skipping resolution of {} because it's being staged", self.name)));
            return Ok(());
        }
        let paths = self.place(manifest, notify).map_err(|problem| self.unmet(problem))?;
        sources.insert(self.name.to_owned(), paths);
        Ok(())
    }

    /// Finds the files, puts them into the run directory, and returns what is recorded of it.
    fn place(&self, manifest: &mut Vec<ManifestEntry>, notify: &mut dyn FnMut(Notice)) -> Outcome<Value> {
        let origins = match &self.source.kind {
            SourceKind::File(path) => self.file(path, notify)?,
            SourceKind::Url(url) => self.url(url, notify)?,
            SourceKind::Operation(operation) => self.operation(operation, notify)?,
            SourceKind::Config(path) => self.config(path, notify)?,
            SourceKind::Module(module) => {
                (self.request.surroundings.can_import)(module)?;
                Origins { may_be_empty: true, ..Origins::of(Vec::new(), Path::new("/")) }
            }
            SourceKind::Stdin(name) => return self.stdin(name, manifest, notify),
        };
        if origins.paths.is_empty() && !origins.may_be_empty {
            if self.source.fail_if_empty {
                return Err(format!("nothing resolved for {}", self.name).into());
            }
            if self.source.warn_if_empty.unwrap_or(true) {
                notify(Notice::Warning(format!("nothing resolved for {}", self.name)));
            }
        }
        for path in &origins.paths {
            if let Some(entry) = self.put(path, &origins, notify)? {
                manifest.push(entry);
            }
        }
        Ok(self.record(&origins.paths, origins.config))
    }

    fn record(&self, paths: &[PathBuf], config: Option<Value>) -> Value {
        let relative = |path: &PathBuf| relative_to(path, self.request.run_dir).to_string_lossy().into_owned();
        let mut record = Map::new();
        let config = config.or_else(|| self.chosen().cloned());
        record.extend(config.map(|config| ("config".to_owned(), config)));
        record.insert("paths".to_owned(), paths.iter().map(relative).collect());
        record.insert("uri".to_owned(), json!(self.source.uri()));
        Value::Object(record)
    }

    /// Returns the value of the flag that chooses another source.
    fn chosen(&self) -> Option<&Value> {
        chosen_by_flags(self.source, self.dep, self.request.flags)
    }

    /// Returns the choice as text.
    fn chosen_text(&self) -> Outcome<Option<String>> {
        match self.chosen() {
            None => Ok(None),
            Some(Value::String(text)) => self.with_flags(text).map(Some),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
            Some(other) => Err(format!("its flag is {other}, and not one path or run").into()),
        }
    }

    /// Puts the values of flags into a text.
    fn with_flags(&self, text: &str) -> Outcome<String> {
        substitute(text, self.request.flags).map_err(|flag| {
            let near = crate::model::nearest(&flag, self.request.flags.keys().map(String::as_str));
            let hint = near.map(|near| format!("did you mean '${{{near}}}'?"));
            Problem {
                reason: format!("cannot resolve '{text}': undefined reference '{flag}'"),
                hint,
                ..Problem::default()
            }
        })
    }

    /// Looks whether the links in the run directory still lead to the files that they were made for.
    fn check_links(&self, before: &Value) -> Outcome<()> {
        let run_dir = self.request.run_dir;
        for path in before.get("paths").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            let origin = normal(&run_dir.join(path));
            if origin.exists() {
                continue;
            }
            let leads_there = |entry: &&ManifestEntry| {
                let link = run_dir.join(&entry.path);
                let target = std::fs::read_link(&link).ok().zip(link.parent());
                target.is_some_and(|(target, folder)| {
                    // Links on the way to the run directory may have been followed when the link was made.
                    let real = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
                    [real.as_path(), folder].iter().any(|folder| normal(&folder.join(&target)) == origin)
                })
            };
            if let Some(entry) = self.request.manifest.entries.iter().find(leads_there) {
                return Err(Problem {
                    reason: format!("{} is a link to {}, which is gone", entry.path.display(), origin.display()),
                    hint: Some("Put the file back, or run the operation anew.".to_owned()),
                    ..Problem::default()
                });
            }
        }
        Ok(())
    }

    fn unmet(&self, problem: Problem) -> Unmet {
        Unmet {
            source: self.name.to_owned(),
            resource: self.dep.name.clone(),
            reason: problem.reason,
            hints: problem.hint.into_iter().chain(self.source.help.clone()).collect(),
            is_full: problem.is_full,
        }
    }
}

/// Counts something that several readers and writers add to.
#[derive(Default)]
struct Count(Cell<u64>);

impl Count {
    fn add(&self, more: u64) {
        self.0.set(self.0.get().saturating_add(more));
    }

    fn get(&self) -> u64 {
        self.0.get()
    }
}

#[cfg(test)]
mod archive_tests;
#[cfg(test)]
mod config_property;
#[cfg(test)]
mod tests;
