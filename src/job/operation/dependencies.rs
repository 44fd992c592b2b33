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
use crate::operation::{DependencyRecord, FlagValues, Notice, OpRecord, command};
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
        return Ok(());
    }
    let (id, directory) = with(state, |run| Ok((run.id().to_owned(), run.path().to_owned())))?;
    let mut manifest = read_manifest(&directory)?;
    let is_interrupted = || interrupted().is_some();
    let surroundings = Surroundings {
        cache: &plan.recipe.home.path().join("cache/resources"),
        started_in: &plan.recipe.started_in,
        limits: Limits::default(),
        upstreams: &Runs { home: &plan.recipe.home, own: Some(&id), can_wait: plan.recipe.wants.claim },
        can_import: &|module| can_import(module, &plan.record, &directory, &is_interrupted),
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
        is_staging: plan.recipe.wants.staging,
        force: plan.recipe.wants.force_deps,
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
    if unmet.is_full {
        return RunError::Full(unmet.to_string());
    }
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
    dependency::default_runs(deps, values, &Runs { home, own: None, can_wait: false }, notify)
}

/// Returns why the interpreter of the operation does not find a Python module, seen from the run. It is found and not run:
/// what a module does when it is imported is the operation's business.
fn can_import(
    module: &str,
    record: &OpRecord,
    run_dir: &Path,
    is_interrupted: &dyn Fn() -> bool,
) -> Result<(), String> {
    let python = python::interpreter(record)?;
    let script = "import importlib.util as u, sys\nname = sys.argv[1]\n\
                  if u.find_spec(name) is None: raise ModuleNotFoundError(f'No module named {name!r}')";
    let mut query = Query::new(&python, &["-c", script, module], run_dir);
    query.limit = IMPORT_LIMIT;
    let recorded = record.op_cmd.cmd_env.get("PYTHONPATH").and_then(serde_json::Value::as_str);
    let user = std::env::var("PYTHONPATH").ok();
    let path = command::python_path(record, run_dir, recorded, user.as_deref());
    query.env = vec![("PYTHONPATH".into(), path.into())];
    match query.start().answer(is_interrupted) {
        Ok(answer) => match answer.failure() {
            None => Ok(()),
            // The last line of a traceback is `ModuleNotFoundError: No module named 'x'`.
            Some(line) => Err(line.split_once("Error: ").map_or(line.clone(), |(_, what)| what.to_owned())),
        },
        Err(QueryError::NotFound) => Err(format!("there is no Python to find it with ({python})")),
        Err(error) => Err(format!("cannot ask {python} for the module '{module}': {error}")),
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
    match plan.recipe.stdin.as_ref().and_then(|path| std::fs::File::open(path).ok()) {
        Some(file) => Box::new(file),
        None => Box::new(std::io::empty()),
    }
}
