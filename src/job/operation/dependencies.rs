//! What an operation requires, brought into its run directory.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

use super::prepare::with;
use super::sourcecode::read_manifest;
use super::state::State;
use super::upstream::Runs;
use super::{Audience, Plan, RunError, python};
use crate::engine::{Query, QueryError};
use crate::operation::dependency::{self, Limits, Request, Surroundings, Unmet};
use crate::operation::{DependencyRecord, FlagValues, Notice, OpRecord};
use crate::store::Home;

/// How long a Python module may take to be imported.
const IMPORT_LIMIT: Duration = Duration::from_mins(10);

/// How long a command may take that works on an unpacked archive.
const POST_PROCESS_LIMIT: Duration = Duration::from_hours(24);

/// Resolves the dependencies, and records them: in the attribute `deps`, and in the manifest.
pub(super) fn resolve(
    plan: &Plan,
    state: &State,
    audience: &mut dyn Audience,
    interrupted: &dyn Fn() -> Option<i32>,
) -> Result<(), RunError> {
    if plan.record.deps.is_empty() {
        return with(state, |run| run.write_attr("deps", &plan.resolved));
    }
    let (id, directory) = with(state, |run| Ok((run.id().to_owned(), run.path().to_owned())))?;
    let mut manifest = read_manifest(&directory)?;
    let is_interrupted = || interrupted().is_some();
    let surroundings = Surroundings {
        cache: &plan.home.path().join("cache/resources"),
        started_in: &plan.started_in,
        limits: Limits::default(),
        upstreams: &Runs { home: &plan.home, own: Some(&id) },
        can_import: &|module| can_import(module, &plan.record, &plan.project, &is_interrupted),
        post_process: &|command, folder| post_process(command, folder, &is_interrupted),
        stdin: &|| stdin(plan),
        is_interrupted: &is_interrupted,
        new_name: &|| Uuid::new_v4().simple().to_string().split_off(24),
    };
    let request = Request {
        deps: &plan.record.deps,
        flags: &plan.values,
        passing: &plan.record.op_cmd.cmd_flags,
        run_dir: &directory,
        already: &plan.resolved,
        manifest: &manifest,
        is_staging: plan.wants.staging,
        force: plan.wants.force_deps,
        surroundings: &surroundings,
    };
    let resolved = dependency::resolve(&request, &mut |notice| audience.notice(notice));
    let resolved = match (resolved, interrupted()) {
        (_, Some(signal)) => return Err(RunError::Interrupted(signal)),
        (Ok(resolved), None) => resolved,
        (Err(unmet), None) => return Err(failed(&unmet)),
    };
    manifest.extend(resolved.manifest);
    with(state, |run| {
        run.write_file(".guild/manifest", &manifest.to_bytes())?;
        run.write_attr("deps", &resolved.deps)
    })
}

fn failed(unmet: &Unmet) -> RunError {
    let hint = Some(unmet.hints.join("\n")).filter(|hint| !hint.is_empty());
    RunError::Unmet(unmet.to_string(), hint)
}

/// Returns for each operation that is required the flag that chooses its run, and the id of the run that it would be now.
pub(super) fn default_runs(
    deps: &[DependencyRecord],
    values: &FlagValues,
    home: &Home,
    notify: &mut dyn FnMut(Notice),
) -> FlagValues {
    dependency::default_runs(deps, values, &Runs { home, own: None }, notify)
}

/// Returns why a Python module cannot be imported by the interpreter of the operation, seen from its project.
fn can_import(
    module: &str,
    record: &OpRecord,
    project: &Path,
    is_interrupted: &dyn Fn() -> bool,
) -> Result<(), String> {
    let python = python::interpreter(record)?;
    let script = "import importlib, sys; importlib.import_module(sys.argv[1])";
    let mut query = Query::new(&python, &["-c", script, module], project);
    query.limit = IMPORT_LIMIT;
    match query.start().answer(is_interrupted) {
        Ok(answer) => match answer.failure() {
            None => Ok(()),
            // The last line of a traceback is `ModuleNotFoundError: No module named 'x'`.
            Some(line) => Err(line.split_once("Error: ").map_or(line.clone(), |(_, what)| what.to_owned())),
        },
        Err(QueryError::NotFound) => Err(format!("there is no Python to import it with ({python})")),
        Err(error) => Err(format!("cannot import {module}: {error}")),
    }
}

/// Runs a shell command where an archive was unpacked.
fn post_process(command: &str, folder: &Path, is_interrupted: &dyn Fn() -> bool) -> Result<(), String> {
    let mut query = Query::new("sh", &["-c", command], folder);
    query.limit = POST_PROCESS_LIMIT;
    let answer = query.start().answer(is_interrupted).map_err(|error| error.to_string())?;
    answer.failure().map_or(Ok(()), Err)
}

/// Returns the standard input of the command, empty if it has none.
fn stdin(plan: &Plan) -> Box<dyn Read> {
    match plan.stdin.as_ref().and_then(|path| std::fs::File::open(path).ok()) {
        Some(file) => Box::new(file),
        None => Box::new(std::io::empty()),
    }
}
