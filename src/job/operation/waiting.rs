//! Staged runs whose dependencies are not met: they stay staged, and are worth another try when their dependencies are not
//! any more what they were.
//!
//! Of an operation that is required the runs that would fit are looked at, and what became of each; of a file, when it was
//! changed and how large it is. What cannot be looked at, such as a download, may have changed after a minute.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha1::{Digest, Sha1};

use super::batch::Batch;
use super::state::State;
use super::upstream::{Runs, Wanted};
use super::{Done, Plan, RecordedRun, RunError, batch};
use crate::operation::dependency::{self, NoRun, Purpose, Upstream, Upstreams, chosen_by_flags};
use crate::operation::{DependencyRecord, FlagValues, Source, SourceKind};
use crate::store::{self, Opref, RunDir, RunInfo, Waits};

/// For so long it is supposed that what cannot be looked at has not changed.
const UNSEEN: Duration = Duration::from_mins(1);

/// Returns what the dependencies of a run are now, or those of all trials of a batch, in a form of which only equality means
/// something.
fn seen<'a>(
    deps: &[DependencyRecord],
    flags: impl IntoIterator<Item = &'a FlagValues>,
    runs: &[RunInfo],
    own: &str,
) -> String {
    let mut text = String::new();
    for flags in flags {
        for dep in deps {
            for source in &dep.sources {
                look(&mut text, source, dep, flags, runs, own);
            }
        }
    }
    Sha1::digest(text).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn look(text: &mut String, source: &Source, dep: &DependencyRecord, flags: &FlagValues, runs: &[RunInfo], own: &str) {
    let chosen = chosen_by_flags(source, dep, flags).map(|value| match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    });
    // Writing to a string cannot fail.
    match (&source.kind, chosen) {
        (SourceKind::Operation(_), Some(chosen)) if !chosen.contains('/') => {
            for run in runs.iter().filter(|run| run.id.starts_with(&chosen) && run.id != own) {
                let _ = writeln!(text, "{} {}", run.id, run.status);
            }
        }
        (SourceKind::Operation(operation), None) => {
            let Ok(wanted) = Wanted::parse(operation) else { return };
            let fits = |run: &&RunInfo| {
                let opref = run.opref.as_deref().and_then(|opref| Opref::parse(opref).ok());
                run.id != own && opref.is_some_and(|opref| wanted.fits(&opref))
            };
            for run in runs.iter().filter(fits) {
                let _ = writeln!(text, "{} {} {}", run.id, run.status, run.marked);
            }
        }
        (SourceKind::File(path) | SourceKind::Config(path), None) => {
            of_file(text, &Path::new(&dep.location).join(path));
        }
        (_, Some(path)) => {
            of_file(text, &Path::new(&dep.location).join(&path));
            of_file(text, &PathBuf::from(path));
        }
        _ => {
            let minutes = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / UNSEEN.as_secs();
            let _ = writeln!(text, "{minutes}");
        }
    }
}

fn of_file(text: &mut String, path: &Path) {
    let _ = match fs::metadata(path) {
        Ok(found) => {
            writeln!(text, "{} {} {}.{}", found.ino(), found.len(), found.mtime(), found.mtime_nsec())
        }
        Err(error) => writeln!(text, "{:?}", error.kind()),
    };
}

/// Returns why a staged run could not be started for a dependency, if what it needs is still as it was then. `runs` are
/// those of its home now.
pub(crate) fn waits_still(run: &RunInfo, runs: &[RunInfo]) -> Option<String> {
    let before = store::waited_with(&run.path)?;
    // One that cannot be read any more waits, too: nothing is known of a change.
    if let Some((deps, flags)) = required(&run.path)
        && seen(&deps, &flags, runs, &run.id) != before
    {
        return None;
    }
    let reason = store::attribute(&run.path, store::WAITS)?;
    Some(reason.as_str().unwrap_or_default().to_owned())
}

/// Returns what a run requires, and its flags; of a batch, those of each trial.
fn required(run: &Path) -> Option<(Vec<DependencyRecord>, Vec<FlagValues>)> {
    let Some(proto) = batch::proto_of(run) else {
        let recorded = RecordedRun::read(run).ok()?;
        return Some((recorded.record.deps, vec![recorded.values]));
    };
    let trials = batch::read_trials(run).ok()??;
    Some((RecordedRun::read(&proto).ok()?.record.deps, trials.into_iter().map(|trial| trial.flags).collect()))
}

fn is_of_operations(deps: &[DependencyRecord]) -> bool {
    deps.iter().flat_map(|dep| &dep.sources).any(|source| matches!(source.kind, SourceKind::Operation(_)))
}

/// Returns what the dependencies of a plan are now; nothing where it is not asked for.
pub(super) fn seen_of(plan: &Plan) -> String {
    let deps = &plan.record.deps;
    if !plan.recipe.wants.claim || deps.is_empty() {
        return String::new();
    }
    let runs = match is_of_operations(deps) {
        true => store::list(&plan.recipe.home).unwrap_or_default(),
        false => Vec::new(),
    };
    seen(deps, [&plan.values], &runs, &plan.place.id())
}

/// Leaves the staged batch in the directory `path` staged where a trial needs a run that is not there yet, or not over, and
/// returns whether it did: its trials would fail one after the other.
pub(crate) fn wait_for_runs(wanted: &Batch, path: &Path) -> Result<bool, RunError> {
    let deps = &wanted.record.deps;
    if wanted.recipe.wants.force_deps || !is_of_operations(deps) {
        return Ok(false);
    }
    let home = &wanted.recipe.home;
    let runs = store::list(home)?;
    let seen = seen(deps, wanted.trials.iter().map(|trial| &trial.flags), &runs, &store::run_id(path));
    let upstreams = Found { runs: Runs { home, own: None, can_wait: true }, known: RefCell::default() };
    let needed = wanted.trials.iter().filter(|trial| !trial.is_found);
    let mut missing = needed.filter_map(|trial| dependency::missing_run(deps, &trial.flags, &upstreams));
    let Some(unmet) = missing.next() else { return Ok(false) };
    // Where somebody else has it, that is not for this to say.
    if let Some(run) = RunDir::claim(path, std::process::id())? {
        let reason = with_hints(&unmet.to_string(), &unmet.hints.join(" "));
        run.leave_staged(Some(&Waits { reason, seen }))?;
    }
    Ok(true)
}

/// An operation, and which of its runs is chosen.
type Looked = (String, Option<String>);

/// Runs of other operations, each looked for once: many trials need the same.
struct Found<'a> {
    runs: Runs<'a>,
    known: RefCell<HashMap<Looked, Result<Upstream, NoRun>>>,
}

impl Upstreams for Found<'_> {
    fn find(&self, operation: &str, chosen: Option<&str>, purpose: Purpose) -> Result<Upstream, NoRun> {
        let key = (operation.to_owned(), chosen.map(str::to_owned));
        self.known.borrow_mut().entry(key).or_insert_with(|| self.runs.find(operation, chosen, purpose)).clone()
    }
}

fn with_hints(reason: &str, hints: &str) -> String {
    match hints.trim() {
        "" => reason.to_owned(),
        hints => format!("{reason} ({})", hints.lines().collect::<Vec<_>>().join(" ")),
    }
}

/// Leaves a run that was claimed staged, where it cannot be started yet, or could not be by no fault of its own.
pub(super) fn leave_staged(plan: &Plan, state: &State, error: RunError, seen: String) -> Result<Done, RunError> {
    let reason = match &error {
        RunError::Unmet(reason, hint) => {
            let text = with_hints(reason, hint.as_deref().unwrap_or_default());
            Some(plan.masks().mask_text(&text).into_owned())
        }
        error if matches!(error, RunError::Interrupted(_)) || error.leaves_no_result() => None,
        _ => return Err(error),
    };
    let Some(run) = state.take() else { return Err(error) };
    let waits = reason.map(|reason| Waits { reason, seen });
    run.leave_staged(waits.as_ref())?;
    if waits.is_some() { Ok(Done::Waits) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::Status;

    fn run(id: &str, operation: &str, status: Status) -> RunInfo {
        RunInfo {
            status,
            opref: Some(format!("guildfile:/p/guild.yml v '' {operation}")),
            ..store::summarise(Path::new("/nonexistent").join(id).as_path())
        }
    }

    fn dep(source: &serde_json::Value, location: &Path) -> Vec<DependencyRecord> {
        let record = json!({"name": "res", "location": location, "sources": [source]});
        vec![serde_json::from_value(record).expect("it is one")]
    }

    #[test]
    fn of_an_operation_the_runs_count_that_would_fit() {
        let by_name = dep(&json!({"operation": "up"}), Path::new("/"));
        let (none, chosen) = (FlagValues::new(), FlagValues::from([("res".to_owned(), json!("a1"))]));
        let at = |flags: &FlagValues, runs: &[RunInfo]| seen(&by_name, [flags], runs, "own");
        let runs = [run("a1", "up", Status::Staged), run("b1", "other", Status::Running)];
        let with = |more: RunInfo| runs.iter().cloned().chain([more]).collect::<Vec<_>>();
        for flags in [&none, &chosen] {
            let before = at(flags, &runs);
            assert_eq!(before, at(flags, &with(run("c1", "other", Status::Completed))), "another operation");
            assert_eq!(before, at(flags, &with(run("own", "up", Status::Staged))), "itself");
            assert_ne!(before, at(flags, &[run("a1", "up", Status::Running)]), "it was started");
            assert_ne!(before, at(flags, &[]), "it was removed");
        }
        let another = with(run("a2", "up", Status::Completed));
        assert_ne!(at(&none, &runs), at(&none, &another));
        assert_eq!(at(&chosen, &runs), at(&chosen, &another), "another one is not what was chosen");
    }

    #[test]
    fn of_a_file_its_size_and_time_count() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.txt");
        let look = || seen(&dep(&json!({"file": "x.txt"}), dir.path()), [&FlagValues::new()], &[], "own");
        let missing = look();
        assert_eq!(missing, look());
        fs::write(&file, "1").unwrap();
        let small = look();
        assert_eq!(small, look());
        fs::write(&file, "22").unwrap();
        let large = look();
        let times = [&missing, &small, &large].into_iter().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(times.len(), 3);
    }
}
