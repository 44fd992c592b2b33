//! The file of the index. Whatever is wrong with it is no error: then there is no index.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, TransactionBehavior};

use super::row::{Lazy, RunRow};
use super::scalars;
use super::stamp::Stamp;
use crate::store::{RunInfo, Status};

/// The version of the table. A file of another version is made anew.
const VERSION: i64 = 4;

/// How long another process that writes is waited for.
const PATIENCE: Duration = Duration::from_millis(250);

const TABLE: &str = "CREATE TABLE runs (
    id TEXT PRIMARY KEY NOT NULL,
    stamp BLOB NOT NULL,
    status TEXT NOT NULL,
    damage TEXT,
    operation TEXT,
    opref TEXT,
    initialized INTEGER,
    started INTEGER,
    stopped INTEGER,
    exit_status INTEGER,
    label TEXT,
    tags TEXT NOT NULL,
    marked INTEGER NOT NULL,
    digest TEXT,
    flags TEXT NOT NULL,
    comments TEXT NOT NULL,
    cmd TEXT NOT NULL,
    names TEXT NOT NULL,
    events TEXT NOT NULL,
    scalars TEXT NOT NULL,
    log_status TEXT
) WITHOUT ROWID";

const COLUMNS: &str = "id, stamp, status, damage, operation, opref, initialized, started, stopped, exit_status, label, tags, \
                       marked, digest, flags, comments, cmd, names, events, scalars, log_status";

/// An index that can be read.
pub(super) struct Database {
    connection: Connection,
}

/// The file is damaged, or its table is not as it should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damaged;

/// What is stored of a run, where it is.
pub(super) struct Known<'a>(&'a Row<'a>);

/// What is to be stored of a run.
#[derive(Debug)]
pub(super) struct Stored {
    id: String,
    /// The state of the files that it was read from.
    stamp: Vec<u8>,
    status: String,
    damage: Option<String>,
    operation: Option<String>,
    opref: Option<String>,
    initialized: Option<i64>,
    started: Option<i64>,
    stopped: Option<i64>,
    exit_status: Option<i64>,
    label: Option<String>,
    /// A list as JSON.
    tags: String,
    marked: bool,
    digest: Option<String>,
    /// A map as JSON.
    flags: String,
    comments: String,
    cmd: String,
    names: String,
    /// The event files, a path a line.
    events: String,
    scalars: String,
    log_status: Option<&'static str>,
}

impl Database {
    /// Opens the index, and makes it where it is missing, damaged or of another version; `None` if that cannot be done.
    pub(super) fn open(file: &Path) -> Option<Database> {
        match Database::try_open(file) {
            Ok(database) => Some(database),
            Err(error) if is_damage(&error) => {
                discard(file);
                Database::try_open(file).ok()
            }
            // Where nothing can be written, what is there may still be read.
            Err(_) => Database::try_read(file).ok(),
        }
    }

    fn try_open(file: &Path) -> rusqlite::Result<Database> {
        if let Some(folder) = file.parent() {
            // Opening tells what is wrong with the folder.
            let _ = fs::create_dir_all(folder);
        }
        let mut connection = Connection::open(file)?;
        connection.busy_timeout(PATIENCE)?;
        if version(&connection)? != VERSION {
            // Readers and one writer at a time do not wait for each other.
            connection.pragma_update(None, "journal_mode", "wal")?;
            let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Another process may have made it in between.
            if version(&change)? != VERSION {
                change.execute_batch(&format!("DROP TABLE IF EXISTS runs; {TABLE}"))?;
                change.pragma_update(None, "user_version", VERSION)?;
            }
            change.commit()?;
        }
        // It can be made again, so that it need not survive the death of the machine.
        connection.pragma_update(None, "synchronous", "off")?;
        Ok(Database { connection })
    }

    /// Opens an index to read it.
    pub(super) fn try_read(file: &Path) -> rusqlite::Result<Database> {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(PATIENCE)?;
        if version(&connection)? == VERSION { Ok(Database { connection }) } else { Err(rusqlite::Error::InvalidQuery) }
    }

    /// Returns the file.
    pub(super) fn file(&self) -> Option<PathBuf> {
        self.connection.path().map(PathBuf::from)
    }

    /// Hands over what is stored of runs, by id, from the id `from` on, until `take` says that it was the last. What cannot
    /// be read is left out.
    pub(super) fn go_through(
        &self,
        from: &str,
        mut take: impl FnMut(Known<'_>) -> rusqlite::Result<bool>,
    ) -> Result<(), Damaged> {
        let mut go = || {
            let query = format!("SELECT {COLUMNS} FROM runs WHERE id >= ? ORDER BY id");
            let mut statement = self.connection.prepare(&query)?;
            let mut rows = statement.query([from])?;
            while let Some(row) = rows.next()? {
                if !take(Known(row))? {
                    break;
                }
            }
            Ok(())
        };
        go().or_else(|error| if is_damage(&error) { Err(Damaged) } else { Ok(()) })
    }

    /// Removes a damaged file and makes another. What fails now leaves this process without an index.
    pub(super) fn start_anew(&mut self) {
        let Some(file) = self.file() else { return };
        if let Ok(nothing) = Connection::open_in_memory() {
            // The file is closed before it is removed.
            self.connection = nothing;
        }
        discard(&file);
        if let Ok(database) = Database::try_open(&file) {
            *self = database;
        }
    }

    /// Stores the rows that were read, and drops those of runs that are gone. What cannot be stored is left.
    pub(super) fn store(&mut self, changed: &[Stored], gone: &[String]) {
        if changed.is_empty() && gone.is_empty() {
            return;
        }
        if let Err(error) = self.try_store(changed, gone)
            && is_damage(&error)
        {
            self.start_anew();
        }
    }

    fn try_store(&mut self, changed: &[Stored], gone: &[String]) -> rusqlite::Result<()> {
        let change = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let marks = vec!["?"; COLUMNS.split(',').count()].join(", ");
            let mut insert = change.prepare(&format!("INSERT OR REPLACE INTO runs ({COLUMNS}) VALUES ({marks})"))?;
            for row in changed {
                row.insert(&mut insert)?;
            }
            let mut delete = change.prepare("DELETE FROM runs WHERE id = ?")?;
            for id in gone {
                delete.execute([id])?;
            }
        }
        change.commit()
    }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Returns whether the file holds no index, or a table that is not as it should be.
fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => {
            matches!(failure.code, ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
        }
        // A statement that the table does not understand.
        rusqlite::Error::SqlInputError { .. }
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..) => true,
        _ => false,
    }
}

/// Removes the file of an index, with what belongs to it.
fn discard(file: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        // What stays is found damaged again.
        let _ = fs::remove_file(PathBuf::from(name));
    }
}

impl Known<'_> {
    /// Returns the id.
    pub(super) fn id(&self) -> rusqlite::Result<&str> {
        self.text(0)
    }

    /// Returns the state of the files that it was read from.
    pub(super) fn stamp(&self) -> rusqlite::Result<&[u8]> {
        self.0.get_ref(1)?.as_blob().map_err(|error| conversion(1, error))
    }

    /// Returns the event files, relative to the run directory, a line each.
    pub(super) fn events(&self) -> rusqlite::Result<&str> {
        self.text(18)
    }

    fn text(&self, column: usize) -> rusqlite::Result<&str> {
        self.0.get_ref(column)?.as_str().map_err(|error| conversion(column, error))
    }

    /// Returns the row of the run in the directory `path`; `None` if what is stored cannot be what was read.
    pub(super) fn row(&self, path: PathBuf) -> rusqlite::Result<Option<RunRow>> {
        let Known(row) = self;
        let text = |column| self.text(column).map(str::to_owned);
        let time = |column| {
            let micros: Option<i64> = row.get(column)?;
            // The outer one is whether it makes sense.
            Ok::<_, rusqlite::Error>(
                micros.map_or(Some(None), |micros| DateTime::from_timestamp_micros(micros).map(Some)),
            )
        };
        let tags = match self.text(11)? {
            "[]" => Ok(Vec::new()),
            tags => serde_json::from_str(tags),
        };
        let (Ok(status), Some(initialized), Some(started), Some(stopped), Ok(tags)) =
            (self.text(2)?.parse(), time(6)?, time(7)?, time(8)?, tags)
        else {
            return Ok(None);
        };
        let info = RunInfo {
            id: text(0)?,
            path,
            status,
            damage: row.get(3)?,
            log_status: row.get::<_, Option<String>>(20)?.and_then(|status| status.parse().ok()),
            operation: row.get(4)?,
            opref: row.get(5)?,
            initialized,
            started,
            stopped,
            exit_status: row.get(9)?,
            label: row.get(10)?,
            tags,
            marked: row.get(12)?,
        };
        Ok(Some(RunRow {
            info,
            digest: row.get(13)?,
            flags: Lazy::stored(text(14)?),
            comments: Lazy::stored(text(15)?),
            cmd: Lazy::stored(text(16)?),
            names: text(17)?,
            scalars: Lazy::stored(text(19)?),
        }))
    }
}

fn conversion(column: usize, error: FromSqlError) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}

impl Stored {
    /// Returns what is to be stored of a row; `None` if it is to be read again the next time in any case: its run is
    /// under way, or its files have only just changed.
    pub(super) fn of(row: &RunRow, path: &Path, stamp: Option<Stamp>) -> Option<Stored> {
        let info = &row.info;
        if matches!(info.status, Status::Running | Status::Pending) {
            return None;
        }
        stamp?.settled()?;
        Stored::with_stamp(row, path, Stamp::settled)
    }

    /// Returns what would be stored of a row if its files had not just been written.
    #[cfg(test)]
    pub(super) fn unsettled(row: &RunRow, path: &Path) -> Option<Stored> {
        Stored::with_stamp(row, path, |stamp| Some(stamp.bytes()))
    }

    fn with_stamp(row: &RunRow, path: &Path, bytes: impl Fn(Stamp) -> Option<Vec<u8>>) -> Option<Stored> {
        let info = &row.info;
        let events = super::scalars::event_files(path);
        let relative = |file: &PathBuf| file.strip_prefix(path).unwrap_or(file).to_str().map(str::to_owned);
        let events: Vec<String> = events.iter().map(relative).collect::<Option<_>>()?;
        if events.iter().any(|event| event.contains('\n')) {
            return None;
        }
        // Its event files are known only now.
        let stamp = bytes(Stamp::of(path, &events)?)?;
        let micros = |time: Option<DateTime<Utc>>| time.map(|time| time.timestamp_micros());
        Some(Stored {
            id: info.id.clone(),
            stamp,
            status: info.status.name().to_owned(),
            damage: info.damage.clone(),
            operation: info.operation.clone(),
            opref: info.opref.clone(),
            initialized: micros(info.initialized),
            started: micros(info.started),
            stopped: micros(info.stopped),
            exit_status: info.exit_status,
            label: info.label.clone(),
            tags: serde_json::to_string(&info.tags).ok()?,
            marked: info.marked,
            digest: row.digest.clone(),
            flags: row.flags.text.clone(),
            comments: row.comments.text.clone(),
            cmd: row.cmd.text.clone(),
            names: row.names.clone(),
            events: events.join("\n"),
            scalars: scalars::encode(row.scalars()),
            log_status: info.log_status.map(Status::name),
        })
    }

    fn insert(&self, insert: &mut rusqlite::Statement<'_>) -> rusqlite::Result<()> {
        insert.execute(rusqlite::params![
            self.id,
            self.stamp,
            self.status,
            self.damage,
            self.operation,
            self.opref,
            self.initialized,
            self.started,
            self.stopped,
            self.exit_status,
            self.label,
            self.tags,
            self.marked,
            self.digest,
            self.flags,
            self.comments,
            self.cmd,
            self.names,
            self.events,
            self.scalars,
            self.log_status,
        ])?;
        Ok(())
    }
}
