//! The event log of a run as anyone reads it, while it is written or ages later.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Error, Result};
use crate::model::{EVENT_FORMAT, Event};

/// Opens the event log at `path` for reading from its first event.
pub(crate) fn read(path: &Path) -> Result<EventReader> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    Ok(read_from(file, path))
}

/// Returns the events that `log` holds, a log in whatever place; `path` names it in errors.
pub(crate) fn read_from<R: Read>(log: R, path: &Path) -> EventReader<R> {
    EventReader {
        lines: BufReader::new(log),
        path: path.to_owned(),
        line: Vec::new(),
        number: 0,
        offset: 0,
        next_offset: 0,
        ended: false,
    }
}

/// The events of a log, in order. After an error there are no more.
#[derive(Debug)]
pub(crate) struct EventReader<R = File> {
    lines: BufReader<R>,
    path: PathBuf,
    line: Vec<u8>,
    /// The number of the line that was read last, from 1; it is the number of its event, too.
    number: u64,
    /// Where that line begins in the file.
    offset: u64,
    next_offset: u64,
    ended: bool,
}

/// What the first event says of the log, whatever else a newer release put into it.
#[derive(Deserialize)]
struct Head {
    event: String,
    format: Option<u32>,
}

impl<R: Read> EventReader<R> {
    /// Returns where the event that was read last begins, for [`EventLookup`].
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns where the event that was read last ends, which is where the next one begins.
    pub(super) const fn end(&self) -> u64 {
        self.next_offset
    }

    /// Reads the next line; `None` at the end, and at a torn last line, which is no event: it was never announced.
    fn next_event(&mut self) -> Option<Result<Event>> {
        self.line.clear();
        if let Err(e) = self.lines.read_until(b'\n', &mut self.line) {
            return Some(Err(Error::io("read", &self.path)(e)));
        }
        if self.line.pop() != Some(b'\n') {
            return None;
        }
        self.number += 1;
        self.offset = self.next_offset;
        self.next_offset += self.line.len() as u64 + 1;
        Some(self.parse())
    }

    fn parse(&self) -> Result<Event> {
        let event = parse_line(&self.line, self.number, &self.path)?;
        if event.seq == self.number {
            Ok(event)
        } else {
            Err(Error::corrupt(&self.path, format!("line {} holds event {}", self.number, event.seq)))
        }
    }
}

/// Reads the event in a line of the log at `path`. Its number is not looked at.
pub(super) fn parse_line(line: &[u8], number: u64, path: &Path) -> Result<Event> {
    if number == 1
        && let Ok(Head { event, format: Some(found) }) = serde_json::from_slice(line)
        && event == "run-started"
        && found > EVENT_FORMAT
    {
        return Err(Error::NewerFormat { path: path.to_owned(), found, known: EVENT_FORMAT });
    }
    serde_json::from_slice(line).map_err(|e| Error::corrupt(path, format!("line {number} is no event: {e}")))
}

impl<R: Read> Iterator for EventReader<R> {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Result<Event>> {
        if self.ended {
            return None;
        }
        let next = self.next_event();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Reads single events of a log again.
#[derive(Debug)]
pub(crate) struct EventLookup {
    lines: BufReader<File>,
    path: PathBuf,
    /// Where the reader stands.
    position: u64,
    line: Vec<u8>,
}

impl EventLookup {
    /// Opens the event log at `path`.
    pub(crate) fn open(path: &Path) -> Result<EventLookup> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        Ok(EventLookup { lines: BufReader::new(file), path: path.to_owned(), position: 0, line: Vec::new() })
    }

    /// Returns the event that begins at `offset`, as [`EventReader::offset`] told it.
    pub(crate) fn at(&mut self, offset: u64) -> Result<Event> {
        // What lies near is in the buffer, which a seek from the start would throw away.
        let sought = match i64::try_from(offset).ok().zip(i64::try_from(self.position).ok()) {
            Some((to, from)) => self.lines.seek_relative(to - from),
            None => self.lines.seek(SeekFrom::Start(offset)).map(|_| ()),
        };
        self.line.clear();
        let read = sought.and_then(|()| self.lines.read_until(b'\n', &mut self.line));
        let read = read.map_err(Error::io("read", &self.path))?;
        self.position = offset + read as u64;
        serde_json::from_slice(&self.line)
            .map_err(|e| Error::corrupt(&self.path, format!("there is no event at byte {offset}: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const WARNING: &str = r#"{"seq":1,"time":"2026-11-21T09:42:41.5Z","event":"warning","text":"w"}"#;

    /// Reads a log of these lines: the numbers of its events, and the error it ends with.
    fn check(text: &str, events: usize, error: Option<&str>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, text).unwrap();
        let mut reader = read(&path).unwrap();
        let mut count = 0;
        let found = loop {
            match reader.next() {
                None => break None,
                Some(Ok(_)) => count += 1,
                Some(Err(e)) => break Some(e.to_string()),
            }
        };
        assert!(reader.next().is_none());
        assert_eq!(count, events, "{text}");
        match (found, error) {
            (Some(found), Some(error)) => assert!(found.contains(error), "{found}"),
            (found, error) => assert_eq!(found.as_deref(), error),
        }
    }

    #[test]
    fn a_log_is_read_to_its_last_whole_line() {
        let second = WARNING.replace("\"seq\":1", "\"seq\":2");
        check("", 0, None);
        check(WARNING, 0, None);
        check(&format!("{WARNING}\n{second}"), 1, None);
        check(&format!("{WARNING}\n{second}\n"), 2, None);
        check(&format!("{WARNING}\n\0\0\0"), 1, None);
    }

    #[test]
    fn events_are_found_again_by_where_they_begin() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let lines: Vec<String> = (1..=300).map(|n| WARNING.replace("\"seq\":1", &format!("\"seq\":{n}"))).collect();
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        let mut reader = read(&path).unwrap();
        let mut offsets = Vec::new();
        while let Some(event) = reader.next() {
            offsets.push((event.unwrap().seq, reader.offset()));
        }
        let mut lookup = EventLookup::open(&path).unwrap();
        for (seq, offset) in offsets.iter().chain(offsets.iter().rev().step_by(7)) {
            assert_eq!(lookup.at(*offset).unwrap().seq, *seq);
        }
        assert!(lookup.at(3).unwrap_err().to_string().contains("no event at byte 3"));
    }

    #[test]
    fn damage_and_the_unknown_are_named_with_their_line() {
        let unknown = WARNING.replace("\"seq\":1", "\"seq\":2").replace("warning", "wedding");
        check(&format!("{WARNING}\n{unknown}\n"), 1, Some("line 2 is no event: unknown variant `wedding`"));
        check(&format!("{WARNING}\n{WARNING}\n"), 1, Some("line 2 holds event 1"));
        check("\n", 0, Some("line 1 is no event"));
        check("\0\0\n", 0, Some("line 1 is no event"));
    }

    #[test]
    fn a_newer_format_is_refused_as_such() {
        let newer = r#"{"seq":"one","event":"run-started","format":2}"#;
        check(&format!("{newer}\n"), 0, Some("has event format 2, and this release reads formats up to 1"));
    }

    #[test]
    fn fuzz_of_event_logs() {
        let log = concat!(
            r#"{"seq":1,"time":"2026-01-02T03:04:05Z","event":"run-started","format":1,"rille":"0","run_id":"r","door":"job","name":"n","file":"/j","file_hash":"","argv":["a"],"pid":1,"host":"h","user":"u"}"#,
            "\n",
            r#"{"seq":2,"time":"2026-01-02T03:04:05Z","event":"task-queued","task":1,"id":"t","kind":"lua","uri":"x","folder":"tasks/1"}"#,
            "\n",
            r#"{"seq":3,"time":"2026-01-02T03:04:06Z","event":"task-finished","task":1,"attempt":1,"outcome":"passed","exit":{"code":0},"seconds":0.5,"data":{"a":[1,2.5,"\u00e9"]}}"#,
            "\n"
        );
        assert_eq!(
            read_from(log.as_bytes(), Path::new("log")).filter_map(Result::ok).count(),
            3,
            "the corpus is a log"
        );
        crate::fuzz::fuzz(&[log.as_bytes()], |input| {
            let _ = read_from(input, Path::new("log")).take(100_000).filter_map(Result::ok).count();
        });
    }
}
