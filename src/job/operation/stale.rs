//! `--explain`, further up: which of the runs that a run would use are no longer what their operations would do now.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use super::execute::open;
use super::identity::Difference;
use super::{Audience, Plan, RunError, keep, prepare, secrets, sourcecode};
use crate::engine::Journal;
use crate::job::operation::state::State;
use crate::operation::Notice;

/// A run that another one would use, beside what its operation would run now.
pub(crate) struct Used {
    /// Its id.
    pub(crate) id: String,
    /// Its directory.
    pub(crate) path: PathBuf,
    /// Its operation.
    pub(crate) operation: String,
    /// The operations that would use it.
    pub(crate) by: Vec<String>,
    /// What would be run now with the flags that its user gave, or why that cannot be told.
    pub(crate) now: Result<Box<Plan>, String>,
}

/// Returns of each run that would be used whether it is up to date, and what is to be run for all to be. `used` has those
/// that are used by others before them; `again` says whether `operation` itself would run again.
pub(super) fn explain(
    used: Vec<Used>,
    (operation, again): (&str, bool),
    pid: u32,
    interrupted: &dyn Fn() -> Option<i32>,
) -> String {
    let mut text = String::new();
    let mut stale = BTreeSet::new();
    let mut order: Vec<String> = Vec::new();
    for Used { id, path, operation, by, now } in used {
        let short: String = id.chars().take(8).collect();
        let found =
            now.and_then(|mut plan| differences(&mut plan, &path, pid, interrupted).map_err(|error| error.to_string()));
        let verdict = match &found {
            Err(why) => format!("which cannot be compared with what it would be now: {why}"),
            Ok(differences) if differences.is_empty() => "which is what it would be now.".to_owned(),
            Ok(_) => "which differs from what it would be now:".to_owned(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} would use run {short} of {operation}, {verdict}", by.join(" and "));
        for difference in found.iter().flatten() {
            let _ = writeln!(text, "  {difference}");
        }
        if found.is_ok_and(|differences| !differences.is_empty()) {
            stale.insert(operation.clone());
        }
        // What used something else than there will be runs again behind that.
        if stale.contains(&operation) {
            stale.extend(by);
        }
        order.push(operation);
    }
    if again && !stale.is_empty() {
        stale.insert(operation.to_owned());
    }
    order.push(operation.to_owned());
    let mut seen = BTreeSet::new();
    order.retain(|name| stale.contains(name) && seen.insert(name.clone()));
    if !order.is_empty() {
        let _ = writeln!(text, "All would be up to date after: {}.", order.join(", "));
    }
    text
}

/// Prepares a run only to see in what it differs from another one; nothing is left of it.
fn differences(
    plan: &mut Plan,
    other: &std::path::Path,
    pid: u32,
    interrupted: &dyn Fn() -> Option<i32>,
) -> Result<Vec<Difference>, RunError> {
    let git = sourcecode::ask_git(plan);
    secrets::note(plan);
    let masks = plan.masks();
    let (run, log) = open(plan, pid, &masks)?;
    let state = State::new(run, Journal::new(log, Box::new(drop)));
    let prepared = prepare::prepare(plan, git, &state, &mut Silent, interrupted);
    let place = state.with_run(|run| run.place().to_owned());
    let found = prepared.map(|_| place.and_then(|place| keep::differences(plan, &place, other)).unwrap_or_default());
    if let Some(run) = state.take() {
        run.discard()?;
    }
    found
}

/// Hears of a run that is only looked at.
struct Silent;

impl Audience for Silent {
    fn notice(&mut self, _: Notice) {}

    fn started(&self) {}
}
