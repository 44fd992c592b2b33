//! `--needed` for a batch: which of its trials there are already as runs.
//!
//! Runs of the home are looked at once for all trials. Only for a trial whose flags a run has, it is prepared where nobody
//! sees it what the trial would be; so the cost grows with trials and runs, and not with their product.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::{Map, Value};

use super::trial::Trials;
use super::{Batch, Listed, proto};
use crate::engine::Journal;
use crate::job::operation::identity::Identity;
use crate::job::operation::state::State;
use crate::job::operation::{Audience, Plan, RunError, RunPlace, execute, keep, prepare, secrets};
use crate::job::{Settings, start};
use crate::operation::{FlagValues, Notice};
use crate::store::{self, RunDir, Site, Status};

/// A run that trials are compared with.
struct Candidate {
    run: store::RunInfo,
    /// What it is, read when it is first asked for.
    identity: OnceCell<Option<Identity>>,
}

/// Runs by their flags, the newest first.
type Candidates = HashMap<String, Vec<Candidate>>;

/// Lets each trial of a batch that there is already stand for the run that is the same. Those have completed, or were
/// terminated, as for a single run.
pub(crate) fn find_existing(settings: &Settings, mut batch: Batch) -> Result<Batch, RunError> {
    let keys: Vec<String> = batch.trials.iter().map(|trial| key_of_trial(&trial.flags)).collect();
    let candidates = candidates(&batch, &keys)?;
    let Some(source) = batch.source.take().filter(|_| !candidates.is_empty()) else { return Ok(batch) };
    let pid = std::process::id();
    let id = uuid::Uuid::new_v4().simple().to_string();
    // It never appears, and goes when it is dropped.
    let (scratch, _log) =
        RunDir::begin_small(Site::Among(&settings.home.runs_dir()), &id, pid, &start::opref(settings))?;
    proto::make(&batch, &source, scratch.place(), pid, &mut Mute, &|| None)?;
    let snapshot = proto::source(scratch.place())?;
    let trials = Trials::new(batch, scratch.place(), &id, pid, snapshot);
    let mut found = Vec::new();
    for (at, key) in keys.iter().enumerate() {
        let Some(candidates) = candidates.get(key) else { continue };
        let plan = trials.plan(&trials.batch().trials[at]);
        let definitions = keep::definitions(&plan);
        let folder = scratch.place().join(format!("trial-{at}"));
        let Some(own) = identity(plan, &folder, pid)? else { continue };
        let is_same = |candidate: &&Candidate| {
            let path = &candidate.run.path;
            let read = || Some(Identity::of(path, &store::load(path).ok()?, &definitions));
            candidate.identity.get_or_init(read).as_ref().is_some_and(|other| own.differences(other).is_empty())
        };
        found.extend(candidates.iter().find(is_same).map(|candidate| (at, candidate.run.id.clone())));
    }
    let mut batch = trials.into_batch();
    batch.source = Some(source);
    for (at, id) in found {
        batch.trials[at] = Listed { id, is_found: true, ..batch.trials[at].clone() };
    }
    Ok(batch)
}

/// Returns the runs that could be the same as a trial.
fn candidates(batch: &Batch, keys: &[String]) -> Result<Candidates, RunError> {
    let wanted: std::collections::HashSet<&String> = keys.iter().collect();
    let operation = batch.recipe.opref.operation();
    let mut candidates = Candidates::new();
    for row in store::rows(&batch.recipe.home)? {
        let is_candidate = row.info.operation.as_ref() == Some(&operation)
            && matches!(row.info.status, Status::Completed | Status::Terminated);
        if !is_candidate {
            continue;
        }
        let key = key(row.flags());
        if wanted.contains(&key) {
            candidates.entry(key).or_default().push(Candidate { run: row.info, identity: OnceCell::new() });
        }
    }
    Ok(candidates)
}

/// Returns the flags in one text, the same for the same flags.
fn key(flags: &Map<String, Value>) -> String {
    let sorted: BTreeMap<&String, String> = flags.iter().map(|(name, value)| (name, value.to_string())).collect();
    format!("{sorted:?}")
}

/// The same for flags that are not written yet: as they will be read.
fn key_of_trial(flags: &FlagValues) -> String {
    let written = store::yaml(flags).ok();
    key(&written.and_then(|text| store::from_yaml(&text).ok()).unwrap_or_default())
}

/// Prepares a run in a folder that is removed again, and returns what makes it the run that it is; `None` if it cannot be
/// prepared: then it is told why when it is to run.
fn identity(mut plan: Plan, folder: &Path, pid: u32) -> Result<Option<Identity>, RunError> {
    plan.place = RunPlace::New { path: folder.to_owned(), id: plan.place.id(), is_outside: true };
    let definitions = keep::definitions(&plan);
    secrets::note(&mut plan);
    let masks = plan.masks();
    let (run, log) = execute::open_trial(&plan, pid, &masks)?;
    let state = State::new(run, Journal::new(log, Box::new(drop)));
    let prepared = prepare::prepare(&mut plan, None, &state, &mut Mute, &|| None);
    let place = prepare::with(&state, |run| Ok(run.place().to_owned()))?;
    let read = || Some(Identity::of(&place, &store::load(&place).ok()?, &definitions));
    let identity = prepared.is_ok().then(read).flatten();
    if let Some(run) = state.take() {
        run.discard()?;
    }
    match prepared {
        Err(error) if error.leaves_no_result() => Err(error),
        _ => Ok(identity),
    }
}

/// Tells nothing: it is told when it is done in earnest.
struct Mute;

impl Audience for Mute {
    fn notice(&mut self, _notice: Notice) {}

    fn started(&self) {}
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn flags_are_the_same_however_they_are_ordered_and_not_if_their_types_differ() {
        let flags = |value: Value| value.as_object().cloned().unwrap_or_default();
        let values = |value: Value| flags(value).into_iter().collect::<FlagValues>();
        let stored = flags(json!({"b": 1, "a": "1", "c": 1.0, "d": null}));
        assert_eq!(key(&stored), key_of_trial(&values(json!({"a": "1", "b": 1, "c": 1.0, "d": null}))));
        for other in [json!({"a": 1, "b": 1}), json!({"a": "1", "b": 1.0}), json!({"a": "1"})] {
            assert_ne!(key(&flags(json!({"a": "1", "b": 1}))), key_of_trial(&values(other)));
        }
    }
}
