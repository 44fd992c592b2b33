//! Files of runs of other operations.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::names::{chosen_by_flags, resolving_name, substitute};
use super::select::{has_select, select, top_level};
use super::{Origins, Outcome, Problem, Task, Unmet};
use crate::model::Manifest;
use crate::operation::{DependencyRecord, FlagValues, Notice, SourceKind};

/// A run that another one takes files of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upstream {
    /// The full id.
    pub(crate) id: String,
    /// The run directory, absolute.
    pub(crate) path: PathBuf,
    /// What the user should know of it: it still runs, it has failed.
    pub(crate) remark: Option<String>,
}

/// What a run is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be the value of a flag: it may be staged, and be run before it is needed.
    Flag,
    /// To take its files now.
    Files,
}

/// Why there is no run to take files of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no suitable run for {operation}")]
pub(crate) struct NoRun {
    /// The operation, as the definition names it.
    pub(crate) operation: String,
    /// What was there instead.
    pub(crate) hint: Option<String>,
}

/// Where runs of other operations are found.
pub(crate) trait Upstreams {
    /// Returns the run of an operation that is to be used: the one that `chosen` names by its id or the beginning of it, else
    /// the one that is marked, else the newest. `operation` is a name, several with commas, or a regular expression.
    fn find(&self, operation: &str, chosen: Option<&str>, purpose: Purpose) -> Result<Upstream, NoRun>;
}

/// Returns for each operation that the resources require the flag that chooses its run, and the full id of the run that it
/// would choose now. A run that is chosen already by its beginning is given by its full id; a folder stays as it is.
/// Operations for which there is none are told of.
pub(crate) fn default_runs(
    deps: &[DependencyRecord],
    flags: &FlagValues,
    upstreams: &dyn Upstreams,
    notify: &mut dyn FnMut(Notice),
) -> FlagValues {
    let mut defaults = FlagValues::new();
    for dep in deps {
        for source in &dep.sources {
            let SourceKind::Operation(operation) = &source.kind else { continue };
            let chosen = chosen_by_flags(source, dep, flags);
            // Each trial of a batch has its own.
            if chosen.is_some_and(serde_json::Value::is_array) {
                continue;
            }
            let chosen = chosen.map(text);
            if chosen.as_deref().is_some_and(|chosen| chosen.contains('/') || chosen.contains("${")) {
                continue;
            }
            match upstreams.find(operation, chosen.as_deref(), Purpose::Flag) {
                Ok(run) => {
                    defaults.insert(flag_name(source, dep, operation), json!(run.id));
                }
                Err(_) if source.optional => {}
                Err(_) => {
                    let text = format!("cannot find a suitable run for required resource '{}'", dep.name);
                    notify(Notice::Warning(text));
                }
            }
        }
    }
    defaults
}

/// Returns for the first operation that the resources require, and that has no run to take files of now, why that is so.
pub(crate) fn missing_run(deps: &[DependencyRecord], flags: &FlagValues, upstreams: &dyn Upstreams) -> Option<Unmet> {
    let sources = deps.iter().flat_map(|dep| dep.sources.iter().map(move |source| (dep, source)));
    sources.filter(|(_, source)| !source.optional).find_map(|(dep, source)| {
        let SourceKind::Operation(operation) = &source.kind else { return None };
        // What is wrong with it otherwise is told when it is resolved.
        let operation = substitute(operation, flags).ok()?;
        let chosen = chosen_by_flags(source, dep, flags).map(text);
        let chosen = chosen.map(|chosen| substitute(&chosen, flags)).transpose().ok()?;
        if chosen.as_deref().is_some_and(|chosen| chosen.contains('/')) {
            return None;
        }
        let missing = upstreams.find(&operation, chosen.as_deref(), Purpose::Files).err()?;
        Some(Unmet {
            source: resolving_name(source),
            resource: dep.name.clone(),
            reason: missing.to_string(),
            hints: missing.hint.into_iter().collect(),
            is_full: false,
        })
    })
}

/// Returns the flag that chooses the run of a source.
fn flag_name(source: &crate::operation::Source, dep: &DependencyRecord, operation: &str) -> String {
    let named = source.flag_name.as_ref().or(source.name.as_ref());
    let is_free = |name: &&String| !name.is_empty() && !dep.taken.contains(*name);
    let single = (dep.sources.len() == 1).then_some(&dep.name).filter(is_free);
    named.or(single).cloned().unwrap_or_else(|| {
        // A flag of the operation itself has that name.
        if dep.taken.contains(operation) { source.uri() } else { operation.to_owned() }
    })
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Task<'_> {
    /// Finds the files of the run that is to be used.
    pub(super) fn operation(&self, operation: &str, notify: &mut dyn FnMut(Notice)) -> Outcome<Origins> {
        let operation = self.with_flags(operation)?;
        let chosen = self.chosen_text()?;
        let folder = |given: &str| self.request.surroundings.started_in.join(given);
        let (path, config) = match &chosen {
            Some(given) if given.contains('/') => {
                let path = folder(given);
                if !path.is_dir() {
                    return Err(format!("{} is not a folder", path.display()).into());
                }
                notify(Notice::Info(format!("Using run {given} for {} resource", self.dep.name)));
                (super::super::relative::normal(&path), json!(given))
            }
            _ => match self.request.surroundings.upstreams.find(&operation, chosen.as_deref(), Purpose::Files) {
                Ok(run) => {
                    notify(Notice::Info(format!("Using run {} for {} resource", run.id, self.dep.name)));
                    if let Some(remark) = run.remark {
                        notify(Notice::Warning(remark));
                    }
                    (run.path, json!(run.id))
                }
                Err(error) => return Err(Problem { hint: error.hint.clone(), ..Problem::from(error.to_string()) }),
            },
        };
        let paths = match has_select(self.source) {
            true => select(self.source, &path)?,
            false => generated(&path)?,
        };
        Ok(Origins { config: Some(config), ..Origins::of(paths, &path) })
    }
}

/// Returns what a run has at its top level beside its metadata and its copies of source code.
fn generated(run: &Path) -> Outcome<Vec<PathBuf>> {
    let file = run.join(".guild/manifest");
    let manifest = match fs::read(&file) {
        Ok(bytes) => Manifest::parse(&bytes).map_err(|error| format!("{}: {error}", file.display()))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Manifest::default(),
        Err(error) => return Err(format!("cannot read {}: {error}", file.display()).into()),
    };
    let copies: HashSet<PathBuf> = manifest.source_code().map(|path| run.join(path)).collect();
    let mut paths = top_level(run)?;
    // A folder counts where it holds anything else than source code.
    paths.retain(|path| match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => has_other(path, &copies),
        Ok(_) => !copies.contains(path),
        Err(_) => false,
    });
    Ok(paths)
}

/// Returns whether there is a file below `folder` that is none of the copies.
fn has_other(folder: &Path, copies: &HashSet<PathBuf>) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => has_other(&entry.path(), copies),
        Ok(_) => !copies.contains(&entry.path()),
        Err(_) => false,
    })
}
