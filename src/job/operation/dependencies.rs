//! The dependencies of a run: what their resolution needs of the store, the engine and the system.

use std::io::{self, Read};
use std::path::Path;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::prepare::with;
use super::sourcecode::read_manifest;
use super::state::State;
use super::upstream::Runs;
use super::{Audience, Plan, RunError, python};
use crate::engine;
use crate::operation::dependency::{self, Limits, Request, Surroundings};
use crate::operation::{FlagValues, Notice, OpRecord};
use crate::store::Home;

/// Returns the flags that choose the runs of other operations, where they are not chosen yet: the full id of the run that
/// each would take now.
pub(super) fn default_runs(
    record: &OpRecord,
    values: &FlagValues,
    home: &Home,
    notify: &mut dyn FnMut(Notice),
) -> FlagValues {
    dependency::default_runs(&record.deps, values, &Runs::new(home), notify)
}

/// Resolves the dependencies into the run directory and records them.
pub(super) fn resolve(plan: &Plan, state: &State, audience: &mut dyn Audience) -> Result<(), RunError> {
    if plan.record.deps.is_empty() {
        return Ok(());
    }
    let directory = with(state, |run| Ok(run.path().to_owned()))?;
    let mut manifest = read_manifest(&directory)?;
    let python = python::interpreter(&plan.record);
    let surroundings = Surroundings {
        cache: &plan.home.path().join("cache/resources"),
        started_in: &plan.started_in,
        limits: Limits::default(),
        upstreams: &Runs::new(&plan.home),
        can_import: &|module| can_import(&python.clone()?, module, &directory),
        post_process: &post_process,
        stdin: &|| Box::new(io::stdin()) as Box<dyn Read>,
        new_name: &|| Uuid::new_v4().simple().to_string(),
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
    let resolved = dependency::resolve(&request, &mut |notice| audience.notice(notice))
        .map_err(|unmet| RunError::Unmet { what: unmet.to_string(), hints: unmet.hints })?;
    manifest.extend(resolved.manifest);
    let deps: Map<String, Value> = resolved.deps;
    with(state, |run| {
        run.write_file(".guild/manifest", &manifest.to_bytes())?;
        run.write_attr("deps", &deps)
    })
}

/// Returns why Python cannot import a module.
fn can_import(python: &str, module: &str, directory: &Path) -> Result<(), String> {
    // Found and not run: what a module does when it is imported is the operation's business.
    let script = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)";
    let words = [python, "-c", script, module].map(Into::into);
    match engine::output_of(&words, directory) {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => Err(format!("cannot import the module '{module}' with {python}")),
        Err(error) => Err(format!("cannot ask {python} for the module '{module}': {error}")),
    }
}

/// Runs a shell command in a folder; returns why it failed.
fn post_process(command: &str, folder: &Path) -> Result<(), String> {
    let words = ["sh", "-c", command].map(Into::into);
    match engine::output_of(&words, folder) {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(format!("post-process '{command}' failed with {}: {said}", output.status))
        }
        Err(error) => Err(format!("cannot run post-process '{command}': {error}")),
    }
}
