//! The newest runs, without reading all of the others: of each only its start.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::parallel::in_parallel;
use super::{RunRow, names, stamp};
use crate::store::{Home, Result, attr, list};

/// The newest runs of a home, and how many there are in all.
pub(crate) struct Newest {
    /// The runs, newest first.
    pub(crate) runs: Vec<RunRow>,
    /// How many runs there are.
    pub(crate) total: usize,
}

/// Returns the `count` newest runs of a home. Needs no index: it reads one small file of each run.
pub(crate) fn newest(home: &Home, count: usize) -> Result<Newest> {
    let (paths, total) = newest_paths(home, count)?;
    let mut runs = in_parallel(&paths, |path| {
        let row = RunRow::read(path);
        // A run that is gone since its name was read was removed, and is no damage.
        path.exists().then_some(row)
    });
    runs.sort_by(|one, other| list::newest_first(&one.info, &other.info));
    Ok(Newest { runs, total })
}

/// Returns the directories of the `count` newest runs, newest first, and how many runs there are.
pub(crate) fn newest_paths(home: &Home, count: usize) -> Result<(Vec<PathBuf>, usize)> {
    let folder = home.runs_dir();
    let mut starts = in_parallel(&names(&folder)?, |name| {
        let path = folder.join(name);
        let start = start(&path);
        let is_run = start.is_some() || stamp::has_metadata(&path) || list::may_be_run(&path, name);
        is_run.then(|| (start, name.clone()))
    });
    let total = starts.len();
    let newest_first = |one: &(Option<DateTime<Utc>>, String), other: &(Option<DateTime<Utc>>, String)| {
        other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1))
    };
    if count < total {
        starts.select_nth_unstable_by(count, newest_first);
        starts.truncate(count);
    }
    starts.sort_unstable_by(newest_first);
    Ok((starts.into_iter().map(|(_, name)| folder.join(name)).collect(), total))
}

/// Returns when a run was started, or else made; `None` if neither can be told.
fn start(path: &Path) -> Option<DateTime<Utc>> {
    let time = |name: &str| {
        let text = fs::read_to_string(path.join(".guild/attrs").join(name)).ok()?;
        // Most are nothing but a number.
        let plain = text.trim_end().parse().ok();
        let micros = plain.or_else(|| attr::decode::<Option<i64>>(&text).ok().flatten())?;
        DateTime::from_timestamp_micros(micros)
    };
    time("started").or_else(|| time("initialized"))
}
