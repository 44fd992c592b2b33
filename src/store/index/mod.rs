//! The index of runs: what lists, filters and comparisons ask of every run, in one file of `SQLite`.
//!
//! It is derived from the run directories, and they are what holds: each is looked at every time, and read again when a
//! stamp of its files has changed. An index that is missing, damaged, of another version, locked or on a full disk costs
//! time and nothing else.

mod database;
mod newest;
mod row;
mod scalars;
mod stamp;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;
use std::thread;

use self::database::{Database, Stored};
pub(crate) use self::newest::{newest, newest_paths};
pub(crate) use self::row::RunRow;
pub(crate) use self::scalars::ScalarRow;
use self::stamp::Stamp;
use super::{Error, Home, Result, list};

/// Runs that are worth a thread.
const RUNS_PER_THREAD: usize = 64;

/// What was found of a run.
enum Found {
    /// Its files are as they were when its row was stored.
    Same(String),
    /// Its row was read, and is to be stored if it can be.
    Read(Box<RunRow>, Option<Box<Stored>>),
}

/// Returns all runs of a home, newest first. A home that does not exist has none.
pub(crate) fn rows(home: &Home) -> Result<Vec<RunRow>> {
    let folder = home.runs_dir();
    let names = names(&folder)?;
    let mut database = home.index_file().and_then(|file| Database::open(&file));
    let mut known: HashMap<String, Stored> = database.as_mut().and_then(Database::load).unwrap_or_default();
    let found = in_parallel(&names, |name| look(&folder, name, known.get(name.as_str())));
    let mut rows = Vec::with_capacity(found.len());
    let mut changed = Vec::new();
    let mut kept = HashSet::new();
    for found in found {
        match found {
            Found::Same(id) => {
                if let Some(stored) = known.remove(&id) {
                    rows.push(stored.into_row(folder.join(&id)));
                }
            }
            Found::Read(row, stored) => {
                kept.insert(row.info.id.clone());
                changed.extend(stored.map(|stored| *stored));
                rows.push(*row);
            }
        }
    }
    if let Some(database) = &mut database {
        let gone: Vec<&str> = known.keys().map(String::as_str).filter(|id| !kept.contains(*id)).collect();
        // What cannot be stored is read again the next time.
        database.store(&changed, &gone);
    }
    rows.sort_by(|one, other| list::newest_first(&one.info, &other.info));
    Ok(rows)
}

/// Returns the row of the run in the directory `path`, without the index.
pub(crate) fn row(path: &Path) -> RunRow {
    RunRow::read(path)
}

/// Returns the row of an entry of the folder of runs, from the index if its stamp is that of its files; `None` if it is no
/// run.
fn look(folder: &Path, name: &str, known: Option<&Stored>) -> Option<Found> {
    let path = folder.join(name);
    let events = known.map(Stored::event_files).unwrap_or_default();
    let stamp = Stamp::of(&path, &events);
    if let (Some(stamp), Some(known)) = (&stamp, known)
        && stamp.is_same(&known.stamp)
        && known.makes_sense()
    {
        return Some(Found::Same(name.to_owned()));
    }
    if stamp.is_none() && !list::may_be_run(&path, name) {
        return None;
    }
    let row = RunRow::read(&path);
    // A run that is gone since its name was read was removed, and is no damage.
    if !path.exists() {
        return None;
    }
    let stored = Stored::of(&row, &path, stamp).map(Box::new);
    Some(Found::Read(Box::new(row), stored))
}

/// Returns the names of everything in the folder of runs, in no order. A folder that does not exist holds nothing.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("list", folder)(e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("list", folder))?;
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        // A name that is not UTF-8 was given by neither Rille nor Guild.
        if let (false, Ok(name)) = (is_file, entry.file_name().into_string()) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Does `work` for each of `names`, by as many threads as there are processors where there are many.
fn in_parallel<N: Sync, T: Send>(names: &[N], work: impl Fn(&N) -> Option<T> + Sync) -> Vec<T> {
    let processors = thread::available_parallelism().map_or(1, usize::from).min(16);
    let threads = processors.min(names.len() / RUNS_PER_THREAD).max(1);
    if threads == 1 {
        return names.iter().filter_map(&work).collect();
    }
    thread::scope(|scope| {
        let parts: Vec<_> = names
            .chunks(names.len().div_ceil(threads))
            .map(|part| {
                let work = &work;
                scope.spawn(move || part.iter().filter_map(work).collect::<Vec<T>>())
            })
            .collect();
        let mut all = Vec::with_capacity(names.len());
        for part in parts {
            match part.join() {
                Ok(part) => all.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    })
}

#[cfg(test)]
mod tests;
