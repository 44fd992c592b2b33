//! The runs that a run would use, for `--explain`: what their operations would do now.

use std::collections::BTreeSet;
use std::path::Path;

use uuid::Uuid;

use super::choose::{self, Chosen};
use super::options::OperationArgs;
use super::{Around, again, plan, recipe};
use crate::cli::Failure;
use crate::cli::config::Loaded;
use crate::job::operation::{Plan, RecordedRun, RunPlace, Used};
use crate::store::Home;

/// What stays the same on the way up.
struct Asked<'a> {
    args: &'a OperationArgs,
    home: &'a Home,
    loaded: &'a Loaded,
    started_in: &'a Path,
}

/// Returns the runs that a run would use, and those that they would use, these first; each once.
pub(super) fn used(
    args: &OperationArgs,
    chosen: &Chosen,
    home: &Home,
    loaded: &Loaded,
    started_in: &Path,
) -> Vec<Used> {
    let mut all = Vec::new();
    collect(&Asked { args, home, loaded, started_in }, chosen, &mut BTreeSet::new(), &mut all);
    all
}

fn collect(asked: &Asked<'_>, chosen: &Chosen, seen: &mut BTreeSet<String>, all: &mut Vec<Used>) {
    for name in chosen.record.upstream_flags() {
        let Some(id) = chosen.values.get(&name).and_then(|value| value.as_str()) else { continue };
        let path = asked.home.runs_dir().join(id);
        // A folder that was given is no run of this home.
        let is_run = !id.is_empty() && !id.contains('/') && path.is_dir();
        if !is_run || !seen.insert(id.to_owned()) {
            if let Some(known) = all.iter_mut().find(|used| used.id == id) {
                known.by.push(chosen.opref.operation());
            }
            continue;
        }
        let Ok(run) = again::read(&path) else { continue };
        let operation = run.opref.as_ref().map(crate::store::Opref::operation).unwrap_or_default();
        let now = choose::as_now(&run, asked.args, asked.home, asked.started_in).and_then(|now| {
            collect(asked, &now, seen, all);
            would_run(asked, &run, now)
        });
        all.push(Used {
            id: id.to_owned(),
            path,
            operation,
            by: vec![chosen.opref.operation()],
            now: now.map(Box::new).map_err(|failure| failure.message),
        });
    }
}

fn would_run(asked: &Asked<'_>, run: &RecordedRun, mut now: Chosen) -> Result<Plan, Failure> {
    let id = Uuid::new_v4().simple().to_string();
    let place = RunPlace::New { path: asked.home.runs_dir().join(&id), id, is_outside: false };
    let around =
        Around { home: asked.home.clone(), loaded: asked.loaded, started_in: asked.started_in, typed: Vec::new() };
    let recipe = recipe(asked.args, &mut now, around)?;
    let mut plan = plan(asked.args, now, place, recipe, asked.loaded);
    // What was staged for the one run is no dependency of another.
    plan.resolved.clear();
    plan.random_seed = run.random_seed.unwrap_or(plan.random_seed);
    Ok(plan)
}
