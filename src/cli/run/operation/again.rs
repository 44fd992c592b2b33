//! Finding the run that `--start`, `--restart` and `--proto` name.

use std::path::PathBuf;

use crate::cli::Failure;
use crate::job::operation::{CannotStart, RecordedRun};
use crate::model::nearest;
use crate::store::{self, Home};

/// Returns the run that is meant: the path of a run directory, an id or the beginning of one, `latest`, or the name of an
/// operation for its marked run or else its latest one.
pub(super) fn find(home: &Home, given: &str) -> Result<PathBuf, Failure> {
    match home.find(given) {
        Ok(path) => Ok(path),
        Err(store::Error::NoSuchRun { near, .. }) => match of_operation(home, given)? {
            Some(path) => Ok(path),
            None => Err(not_found(home, given, &near)),
        },
        Err(error) => Err(error.into()),
    }
}

fn of_operation(home: &Home, name: &str) -> Result<Option<PathBuf>, Failure> {
    let runs = store::list(home)?;
    let of_name = || runs.iter().filter(|run| run.operation.as_deref() == Some(name));
    Ok(of_name().find(|run| run.marked).or_else(|| of_name().next()).map(|run| run.path.clone()))
}

fn not_found(home: &Home, given: &str, near_ids: &[String]) -> Failure {
    let failure =
        Failure::general(format!("could not find a run matching '{given}'\nTry 'rille runs list' for a list."));
    if let Some(near) = near_ids.first() {
        return failure.hint(format!("did you mean '{near}'?"));
    }
    let operations: Vec<String> = store::list(home).into_iter().flatten().filter_map(|run| run.operation).collect();
    match nearest(given, operations.iter().map(String::as_str)) {
        Some(near) => failure.hint(format!("did you mean '{near}'?")),
        None => failure,
    }
}

/// Reads the run back.
pub(super) fn read(path: &std::path::Path) -> Result<RecordedRun, Failure> {
    RecordedRun::read(path).map_err(|error| match error {
        CannotStart::Store(error) => Failure::from(error),
        // Only jobs record where they were started.
        CannotStart::NoOperation(_) if path.join(".guild/attrs/started_in").exists() => {
            Failure::general(error.to_string())
                .hint("a run of a jobfile is gone on with by 'rille run --resume RUN', and repeated by --rerun.")
        }
        CannotStart::BadOperation(_, ref why) => {
            Failure::general(error.to_string()).hint(format!("its attribute 'op' cannot be used: {why}."))
        }
        error => Failure::general(error.to_string()),
    })
}
