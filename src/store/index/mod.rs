//! The index of runs: what lists, filters and comparisons ask of every run, in one file of `SQLite`.
//!
//! It is derived from the run directories, and they are what holds: each is looked at every time, and read again when a
//! stamp of its files has changed. An index that is missing, damaged, of another version, locked or on a full disk costs
//! time and nothing else.

mod database;
mod newest;
mod parallel;
mod row;
mod scalars;
mod stamp;

use std::fs;
use std::io;
use std::path::Path;

use self::database::{Damaged, Database, Stored};
pub(crate) use self::newest::{newest, newest_paths};
pub(crate) use self::row::RunRow;
pub(crate) use self::scalars::{ScalarRow, read as read_scalars};
use self::stamp::Stamp;
use super::{Error, Home, Result, list};

/// What was found of the runs between two ids.
#[derive(Default)]
struct Found {
    rows: Vec<RunRow>,
    /// What is to be stored of those that were read.
    changed: Vec<Stored>,
    /// Ids that are stored and are no runs.
    gone: Vec<String>,
    /// Whether the index is damaged.
    is_damaged: bool,
}

/// Returns all runs of a home, newest first. A home that does not exist has none.
pub(crate) fn rows(home: &Home) -> Result<Vec<RunRow>> {
    let folder = home.runs_dir();
    let mut names = names(&folder)?;
    // In the order of the index, so that both are gone through together.
    names.sort_unstable();
    let mut database = home.index_file().and_then(|file| Database::open(&file));
    let mut found = look_at_all(&folder, &names, database.as_ref());
    if let Some(database) = database.as_mut().filter(|_| found.is_damaged) {
        database.start_anew();
        found = look_at_all(&folder, &names, None);
    }
    if let Some(database) = &mut database {
        // What cannot be stored is read again the next time.
        database.store(&found.changed, &found.gone);
    }
    let mut rows = found.rows;
    rows.sort_by(|one, other| list::newest_first(&one.info, &other.info));
    Ok(rows)
}

/// Returns the row of the run in the directory `path`, without the index.
pub(crate) fn row(path: &Path) -> RunRow {
    RunRow::read(path)
}

/// Looks at every entry of the folder of runs, by several threads where there are many; each goes through the index by a
/// connection of its own.
fn look_at_all(folder: &Path, names: &[String], database: Option<&Database>) -> Found {
    let length = parallel::part_length(names.len());
    let end_of = |start: usize| names.len().min(start + length);
    let first_of = |start: usize| names.get(start).map(String::as_str);
    let own = || look_at_part(folder, &names[..end_of(0)], ("", first_of(end_of(0))), database);
    let file = database.and_then(Database::file);
    let look = |start: usize| {
        let database = file.as_deref().and_then(|file| Database::try_read(file).ok());
        let end = end_of(start);
        look_at_part(folder, &names[start..end], (&names[start], first_of(end)), database.as_ref())
    };
    let mut all = Found::default();
    for mut part in parallel::side_by_side(own, (end_of(0)..names.len()).step_by(length), look) {
        all.rows.append(&mut part.rows);
        all.changed.append(&mut part.changed);
        all.gone.append(&mut part.gone);
        all.is_damaged |= part.is_damaged;
    }
    all
}

/// Looks at entries of the folder of runs, which are in order, along with what the index has from one id up to another.
fn look_at_part(
    folder: &Path,
    names: &[String],
    (from, to): (&str, Option<&str>),
    database: Option<&Database>,
) -> Found {
    let mut found = Found { rows: Vec::with_capacity(names.len()), ..Found::default() };
    let mut names = names.iter().peekable();
    let gone_through = database.map(|database| {
        database.go_through(from, |known| {
            let id = known.id()?;
            if to.is_some_and(|to| id >= to) {
                return Ok(false);
            }
            while let Some(name) = names.next_if(|name| name.as_str() < id) {
                found.read(folder, name);
            }
            if names.peek().is_none_or(|name| *name != id) {
                found.gone.push(id.to_owned());
                return Ok(true);
            }
            let path = folder.join(id);
            let row = if stamp::is_same(&path, known.events()?, known.stamp()?) { known.row(path)? } else { None };
            // What cannot be read of the index up to here is read of the directory.
            names.next();
            match row {
                Some(row) => found.rows.push(row),
                None if found.read(folder, id) => {}
                None => found.gone.push(id.to_owned()),
            }
            Ok(true)
        })
    });
    for name in names {
        found.read(folder, name);
    }
    found.is_damaged = gone_through == Some(Err(Damaged));
    found
}

impl Found {
    /// Reads an entry of the folder of runs; returns whether it is a run.
    fn read(&mut self, folder: &Path, name: &str) -> bool {
        let path = folder.join(name);
        // Before anything is read: what changes after that is seen the next time.
        let stamp = Stamp::of::<&str>(&path, &[]);
        if stamp.is_none() && !list::may_be_run(&path, name) {
            return false;
        }
        let row = RunRow::read(&path);
        // A run that is gone since its name was read was removed, and is no damage.
        if !path.exists() {
            return false;
        }
        self.changed.extend(Stored::of(&row, &path, stamp));
        self.rows.push(row);
        true
    }
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
        if let (false, Ok(name)) = (is_file, entry.file_name().into_string())
            && !list::is_hidden(&name)
        {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
