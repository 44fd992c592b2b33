//! What the event log of a run says of it, told by its first and last lines: the log is the truth, and attributes that were
//! lost or damaged can be had from it.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};

use super::event_reader::parse_line;
use super::{Error, Opref, Result, Status};
use crate::model::{Event, EventKind, Exit, RunStarted};

/// Bytes of a log that are looked at as a whole. Of a larger one the ends are; what lies between is met by who reads it.
const SMALL: u64 = 4 << 20;

/// Bytes at either end of a larger one. A longer line there is not taken for damage.
const PART: usize = 256 << 10;

/// How far the time of a file may be behind the clock.
const COARSE: Duration = Duration::from_secs(2);

/// A log that is whole, as far as it was looked at.
#[derive(Debug)]
pub(super) struct Logged {
    /// What the first event says of the run.
    pub(super) header: Box<RunStarted>,
    /// When the run started first.
    pub(super) started: DateTime<Utc>,
    /// How it ended, if it did.
    pub(super) end: Option<LoggedEnd>,
    /// When something was written last.
    written: Option<SystemTime>,
}

/// The end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoggedEnd {
    /// What the attribute `exit_status` is to be.
    pub(super) exit_status: i64,
    /// When it ended.
    pub(super) stopped: DateTime<Utc>,
}

/// A log as it was found.
#[derive(Debug)]
pub(super) enum LogState {
    /// There is none.
    Absent,
    /// There is one without an event: its host was killed before it wrote one.
    Empty,
    /// It can be read.
    Whole(Logged),
    /// It cannot, for this reason.
    Damaged(String),
}

impl Logged {
    /// Returns what became of the run.
    pub(super) fn status(&self) -> Status {
        match self.end.map(|end| end.exit_status) {
            None => Status::Lost,
            Some(0) => Status::Completed,
            Some(..0) => Status::Terminated,
            Some(1..) => Status::Error,
        }
    }

    /// Returns whether it was last written before the run was started at this time: by then another program had taken it
    /// over.
    pub(super) fn is_older_than(&self, started: DateTime<Utc>) -> bool {
        self.written.is_some_and(|written| DateTime::<Utc>::from(written) + COARSE < started)
    }

    /// Returns what was run. Older logs do not say it in the words of an opref.
    pub(super) fn opref(&self) -> Opref {
        let recorded = self.header.attrs.get("opref").and_then(|opref| Opref::parse(opref.as_str()?).ok());
        recorded.unwrap_or_else(|| {
            let (file, name) = (Path::new(&self.header.file), self.header.name.as_str());
            match self.header.door.as_str() {
                "test" => Opref::for_script(&file.join("test")),
                "operation" if file.extension().is_some() => {
                    let (model, op) = name.split_once(':').unwrap_or(("", name));
                    let (kind, package, version) = ("guildfile".to_owned(), self.header.file.clone(), String::new());
                    Opref { kind, name: package, version, model: model.to_owned(), op: op.to_owned() }
                }
                "operation" => Opref::for_script(&file.join(name)),
                _ => Opref::for_script(file),
            }
        })
    }
}

/// Looks at the log of the run with this `.guild`.
pub(super) fn look(guild: &Path) -> LogState {
    let path = guild.join("events.jsonl");
    match read_ends(&path) {
        Ok(None) => LogState::Absent,
        Ok(Some(ends)) => ends.understand(&path),
        Err(error) => LogState::Damaged(error.to_string()),
    }
}

/// The bytes at both ends of a log, which are all of a small one.
struct Ends {
    head: Vec<u8>,
    /// Empty where the head is all of it.
    tail: Vec<u8>,
    written: Option<SystemTime>,
}

fn read_ends(path: &Path) -> io::Result<Option<Ends>> {
    let Some((mut file, metadata)) = open_regular(path)? else { return Ok(None) };
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    let written = metadata.modified().ok();
    if metadata.len() <= SMALL {
        file.take(SMALL).read_to_end(&mut head)?;
    } else {
        (&mut file).take(PART as u64).read_to_end(&mut head)?;
        file.seek(SeekFrom::End(-i64::try_from(PART).unwrap_or_default()))?;
        file.take(PART as u64).read_to_end(&mut tail)?;
    }
    Ok(Some(Ends { head, tail, written }))
}

/// Opens a file to read it; `None` if there is none. What is no file is an error, and waits for nobody.
pub(super) fn open_regular(path: &Path) -> io::Result<Option<(File, fs::Metadata)>> {
    let file = match fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    match metadata.file_type() {
        kind if kind.is_file() => Ok(Some((file, metadata))),
        kind if kind.is_dir() => Err(io::Error::other("it is a folder")),
        _ => Err(io::Error::other("it is no file")),
    }
}

impl Ends {
    fn understand(self, path: &Path) -> LogState {
        match self.try_understand(path) {
            Ok(Some(logged)) => LogState::Whole(logged),
            Ok(None) => LogState::Empty,
            Err(Error::NewerFormat { found, known, .. }) => {
                LogState::Damaged(format!("it has event format {found}, and this release reads formats up to {known}"))
            }
            Err(Error::Corrupt { what, .. }) => LogState::Damaged(what),
            Err(error) => LogState::Damaged(error.to_string()),
        }
    }

    fn try_understand(self, path: &Path) -> Result<Option<Logged>> {
        let corrupt = |what: &str| Error::corrupt(path, what);
        let is_all = self.tail.is_empty();
        // What a host was killed over is no line: it was never announced.
        let whole = |bytes: &[u8]| memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
        let head = &self.head[..whole(&self.head)];
        if head.is_empty() {
            // Of one line that is torn nothing is known; zeros are what a machine leaves that has died.
            let is_torn = is_all && !self.head.contains(&0);
            return if is_torn { Ok(None) } else { Err(corrupt("its first line is no event")) };
        }
        let tail = if is_all { head } else { &self.tail[..whole(&self.tail)] };
        for part in [head, tail] {
            if memchr::memchr(0, part).is_some() {
                return Err(corrupt("it holds bytes that are zero"));
            }
        }
        if is_all && std::str::from_utf8(head).is_err() {
            return Err(corrupt("it holds bytes that are no text"));
        }
        let first_line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let first = parse_line(first_line, 1, path)?;
        let EventKind::RunStarted(header) = first.kind else {
            return Err(corrupt("its first event is not run-started"));
        };
        if first.seq != 1 {
            return Err(Error::corrupt(path, format!("line 1 holds event {}", first.seq)));
        }
        let lines = memchr::memchr_iter(b'\n', head).count() as u64;
        let end = last_events(tail, path)?;
        if is_all && end.seq != lines {
            return Err(Error::corrupt(path, format!("line {lines} holds event {}", end.seq)));
        }
        let started = header.first_started.unwrap_or(first.time);
        Ok(Some(Logged { header, started, end: end.found, written: self.written }))
    }
}

/// What the last events say.
struct Last {
    seq: u64,
    found: Option<LoggedEnd>,
}

/// Reads whole lines from their end, up to where the run was started last or its end is clear.
fn last_events(tail: &[u8], path: &Path) -> Result<Last> {
    let mut lines = tail.strip_suffix(b"\n").unwrap_or(tail).rsplit(|byte| *byte == b'\n').peekable();
    let parse = |line: &[u8]| -> Result<Event> {
        serde_json::from_slice(line)
            .map_err(|error| Error::corrupt(path, format!("its last line is no event: {error}")))
    };
    let last = parse(lines.next().unwrap_or_default())?;
    let EventKind::RunFinished { exit_code, .. } = last.kind else { return Ok(Last { seq: last.seq, found: None }) };
    let mut exit_status = i64::from(exit_code);
    // 130 may be a signal, or the code of an operation that said so.
    if exit_code > 128 {
        for event in lines.map_while(|line| serde_json::from_slice::<Event>(line).ok()) {
            match event.kind {
                EventKind::RunStarted(_) => break,
                EventKind::Interrupted { signal, .. } => exit_status = -i64::from(signal),
                EventKind::TaskFinished(task) => match task.exit {
                    Some(Exit::Signal(signal)) if signal + 128 == exit_code => exit_status = -i64::from(signal),
                    _ => continue,
                },
                _ => continue,
            }
            break;
        }
    }
    Ok(Last { seq: last.seq, found: Some(LoggedEnd { exit_status, stopped: last.time }) })
}
