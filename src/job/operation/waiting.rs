//! Staged runs whose dependencies are not met: they stay staged, and are worth another try when their dependencies are not
//! any more what they were.
//!
//! Of an operation that is required the runs that would fit are looked at, and what became of each; of a file, when it was
//! changed and how large it is. What cannot be looked at, such as a download, may have changed after a minute.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha1::{Digest, Sha1};

use super::state::State;
use super::upstream::Wanted;
use super::{Done, Plan, RecordedRun, RunError};
use crate::operation::dependency::chosen_by_flags;
use crate::operation::{DependencyRecord, FlagValues, Source, SourceKind};
use crate::store::{self, Opref, RunInfo, Waits};

/// For so long it is supposed that what cannot be looked at has not changed.
const UNSEEN: Duration = Duration::from_mins(1);

/// Returns what the dependencies of a run are now, in a form of which only equality means something.
pub(super) fn seen(deps: &[DependencyRecord], flags: &FlagValues, runs: &[RunInfo], own: &str) -> String {
    let mut text = String::new();
    for dep in deps {
        for source in &dep.sources {
            look(&mut text, source, dep, flags, runs, own);
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
    let recorded = RecordedRun::read(&run.path).ok()?;
    if seen(&recorded.record.deps, &recorded.values, runs, &run.id) != before {
        return None;
    }
    let reason = store::attribute(&run.path, store::WAITS)?;
    Some(reason.as_str().unwrap_or_default().to_owned())
}

/// Returns what the dependencies of a plan are now; nothing where it is not asked for.
pub(super) fn seen_of(plan: &Plan) -> String {
    let deps = &plan.record.deps;
    if !plan.recipe.wants.claim || deps.is_empty() {
        return String::new();
    }
    let is_operation = |source: &Source| matches!(source.kind, SourceKind::Operation(_));
    let runs = match deps.iter().flat_map(|dep| &dep.sources).any(is_operation) {
        true => store::list(&plan.recipe.home).unwrap_or_default(),
        false => Vec::new(),
    };
    seen(deps, &plan.values, &runs, &plan.place.id())
}

/// Leaves a run that was claimed staged, where it cannot be started yet, or could not be by no fault of its own.
pub(super) fn leave_staged(plan: &Plan, state: &State, error: RunError, seen: String) -> Result<Done, RunError> {
    let reason = match &error {
        RunError::Unmet(reason, hint) => {
            let hint = hint
                .as_ref()
                .map_or_else(String::new, |hint| format!(" ({})", hint.lines().collect::<Vec<_>>().join(" ")));
            Some(plan.masks().mask_text(&format!("{reason}{hint}")).into_owned())
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
        let at = |flags: &FlagValues, runs: &[RunInfo]| seen(&by_name, flags, runs, "own");
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
        let look = || seen(&dep(&json!({"file": "x.txt"}), dir.path()), &FlagValues::new(), &[], "own");
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
