//! The source code of a run: copied from the project, or from the run that it is a repetition of.

use std::fs;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::git::{self, Asking};
use super::prepare::with;
use super::state::State;
use super::{Audience, Plan, RunError, RunPlace, SourceCode};
use crate::model::{EntryKind, Manifest, ManifestEntry, is_inside};
use crate::operation::dependency::project_local;
use crate::operation::sourcecode::{self, GitFiles, Request, Snapshot as Copied};
use crate::operation::{Body, FlagValues, Notice, OpRecord, Operation, normal_path as normal, takes_no_more};
use crate::store;

/// The attributes that say which source code a run has.
const OF_THE_SOURCE: [&str; 2] = ["sourcecode_digest", "vcs_commit"];

/// Has git look at the project, where the source code is to come from one; what it says is asked for later. `None`
/// outside of a repository, and where a definition is wrong, which is told when the source code is chosen.
pub(super) fn ask_git(plan: &Plan) -> Option<Asking> {
    let SourceCode::Project { rules, .. } = &*plan.source else { return None };
    let root = sourcecode::root(&plan.recipe.project, rules).ok()?;
    git::ask(&root, !is_unwanted() && sourcecode::is_wanted(rules))
}

/// Records the commit that the project is at.
pub(super) fn record_commit(
    asking: Option<Asking>,
    state: &State,
    interrupted: &dyn Fn() -> Option<i32>,
) -> Result<(), RunError> {
    match asking.and_then(|asking| asking.commit(&|| interrupted().is_some())) {
        Some(commit) => with(state, |run| run.write_attr("vcs_commit", &commit)),
        None => Ok(()),
    }
}

/// Returns whether source code has to be brought into the run directory.
pub(super) fn has_to_copy(plan: &Plan) -> bool {
    match &*plan.source {
        SourceCode::Project { rules, .. } => !is_unwanted() && sourcecode::is_wanted(rules),
        SourceCode::Run(_) => true,
        SourceCode::Snapshot(snapshot) => !snapshot.manifest.entries.is_empty(),
        SourceCode::Kept => false,
    }
}

/// Returns whether there is to be no source code whatever a definition says.
fn is_unwanted() -> bool {
    std::env::var_os("NO_SOURCECODE").is_some_and(|value| value == "1")
}

/// Brings the source code into the run directory, and records it.
pub(super) fn provide(
    plan: &Plan,
    asking: Option<&mut Asking>,
    state: &State,
    audience: &mut dyn Audience,
    interrupted: &dyn Fn() -> Option<i32>,
) -> Result<(), RunError> {
    match &*plan.source {
        SourceCode::Kept => Ok(()),
        SourceCode::Run(from) => Snapshot::read(from)?.copy(state),
        SourceCode::Snapshot(snapshot) => snapshot.copy(state),
        SourceCode::Project { rules, script } => {
            let is_interrupted = || interrupted().is_some();
            let files = asking.and_then(|asking| asking.files(&is_interrupted, &mut |notice| audience.notice(notice)));
            copy_from_project(plan, rules, script.as_deref(), files.as_ref(), state, audience)
        }
    }
}

fn copy_from_project(
    plan: &Plan,
    rules: &[Value],
    script: Option<&Path>,
    git: Option<&GitFiles>,
    state: &State,
    audience: &mut dyn Audience,
) -> Result<(), RunError> {
    let failed = |error: sourcecode::Error| match error.is_full() {
        true => RunError::Full(error.to_string()),
        false => RunError::SourceCode(error.to_string()),
    };
    let dependencies = project_local(&plan.record.deps, &plan.values);
    let request = Request {
        project: &plan.recipe.project,
        rules,
        git,
        dependencies: &dependencies,
        script,
        is_python: is_python(&plan.record),
        none: is_unwanted(),
        explain: false,
    };
    let chosen = sourcecode::plan(&request).map_err(failed)?;
    let directory = with(state, |run| Ok(run.place().to_owned()))?;
    let dest = plan.record.sourcecode.dest.as_deref().unwrap_or(".");
    let Copied { manifest, digest, notices } = chosen.copy(&directory, dest).map_err(failed)?;
    for notice in notices {
        audience.notice(notice);
    }
    let entries = match plan.place {
        RunPlace::New { .. } => manifest,
        RunPlace::Again { .. } => renewed(&directory, manifest)?,
    };
    with(state, |run| {
        run.write_file(".guild/manifest", &Manifest { entries }.to_bytes())?;
        run.write_attr("sourcecode_digest", &digest)
    })
}

/// Returns the manifest of a run whose source code was brought again: what its dependencies brought stays, and source code
/// that is no longer there is removed.
fn renewed(directory: &Path, fresh: Vec<ManifestEntry>) -> Result<Vec<ManifestEntry>, RunError> {
    let earlier = read_manifest(directory)?;
    let (gone, kept): (Vec<_>, Vec<_>) =
        earlier.entries.into_iter().partition(|entry| entry.kind == EntryKind::SourceCode);
    for entry in gone.iter().filter(|old| is_inside(&old.path) && !fresh.iter().any(|new| new.path == old.path)) {
        // What somebody else has removed is gone as well.
        let _ = fs::remove_file(directory.join(&entry.path));
    }
    Ok(fresh.into_iter().chain(kept).collect())
}

fn is_python(record: &OpRecord) -> bool {
    record.op_cmd.cmd_args.iter().any(|word| word == "${python_exe}")
}

/// The source code of a run, to be copied into others.
pub(crate) struct Snapshot {
    root: PathBuf,
    manifest: Manifest,
    /// What the run's attributes say of it.
    attributes: Vec<(&'static str, Value)>,
}

impl Snapshot {
    /// Reads what the run in this directory has.
    pub(crate) fn read(root: &Path) -> Result<Snapshot, RunError> {
        let mut manifest = read_manifest(root)?;
        // A manifest may come from anywhere.
        manifest.entries.retain(|entry| {
            entry.kind == EntryKind::SourceCode
                && entry.path.components().all(|part| matches!(part, Component::Normal(_)))
        });
        let attribute = |name: &'static str| Some((name, store::attribute(root, name)?));
        let attributes = OF_THE_SOURCE.into_iter().filter_map(attribute).collect();
        Ok(Snapshot { root: root.to_owned(), manifest, attributes })
    }

    /// Copies it into a run, and records it there.
    fn copy(&self, state: &State) -> Result<(), RunError> {
        let directory = with(state, |run| Ok(run.place().to_owned()))?;
        for entry in &self.manifest.entries {
            let (source, target) = (self.root.join(&entry.path), directory.join(&entry.path));
            let copied =
                target.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| match fs::read_link(&source) {
                    Ok(link) => std::os::unix::fs::symlink(link, &target),
                    Err(_) => fs::copy(&source, &target).map(drop),
                });
            copied.map_err(|error| {
                let text = format!("cannot copy the source code {} to {}: {error}", source.display(), target.display());
                if takes_no_more(&error) { RunError::Full(text) } else { RunError::SourceCode(text) }
            })?;
        }
        copy_links(&self.root, &directory, &self.manifest);
        with(state, |run| {
            run.write_file(".guild/manifest", &self.manifest.to_bytes())?;
            self.attributes.iter().try_for_each(|(name, value)| run.write_attr(name, value))
        })
    }
}

/// Makes the links to folders of source code that another run has. No manifest tells of them, as Guild knows none.
fn copy_links(from: &Path, to: &Path, copied: &Manifest) {
    let parents = copied.entries.iter().flat_map(|entry| entry.path.ancestors().skip(1));
    for folder in parents.collect::<std::collections::BTreeSet<_>>() {
        let entries = fs::read_dir(from.join(folder)).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink())) {
            let path = folder.join(entry.file_name());
            let Ok(target) = fs::read_link(entry.path()) else { continue };
            // It leads to a folder with source code.
            let place = normal(&folder.join(&target));
            if target.is_relative() && copied.entries.iter().any(|entry| entry.path.starts_with(&place)) {
                // What is there already was copied.
                let _ = std::os::unix::fs::symlink(&target, to.join(&path));
            }
        }
    }
}

/// Reads the manifest of a run; one without has none.
pub(super) fn read_manifest(run: &Path) -> Result<Manifest, RunError> {
    let path = run.join(".guild/manifest");
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Manifest::default()),
        Err(error) => return Err(RunError::SourceCode(format!("cannot read {}: {error}", path.display()))),
    };
    Manifest::parse(&bytes).map_err(|error| RunError::SourceCode(format!("{} is damaged: {error}", path.display())))
}

/// Returns a text that says of every file of a project whether it is source code, and by which rule.
pub(super) fn explain(operation: &Operation) -> Result<String, String> {
    let record = OpRecord::new(operation)?;
    let failed = |error: sourcecode::Error| error.to_string();
    let root = sourcecode::root(&operation.project, &operation.sourcecode).map_err(failed)?;
    let mut notices = Vec::new();
    let git = git::ask(&root, true).and_then(|mut asking| asking.files(&|| false, &mut |notice| notices.push(notice)));
    let script = match &operation.body {
        Body::Script(line) => shlex::split(line).and_then(|words| words.into_iter().next()),
        _ => None,
    };
    let request = Request {
        project: &operation.project,
        rules: &operation.sourcecode,
        git: git.as_ref(),
        dependencies: &project_local(&record.deps, &FlagValues::new()),
        script: script.as_deref().map(Path::new),
        is_python: is_python(&record),
        none: false,
        explain: true,
    };
    let chosen = sourcecode::plan(&request).map_err(failed)?;
    let here = std::env::current_dir().unwrap_or_default();
    let warnings = notices.into_iter().map(|notice| match notice {
        Notice::Info(text) => format!("{text}\n"),
        Notice::Warning(text) => format!("WARNING: {text}\n"),
    });
    Ok(warnings.collect::<String>() + &chosen.listing(&here, true))
}
