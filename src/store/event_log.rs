//! The event log of a run, `.guild/events.jsonl`, as its host writes it: one JSON object a line, only ever appended.
//!
//! An event is in the file before anyone is told of it. A batch of events is one `write`, and one that fails leaves no
//! half line behind.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{Error, Result, durable};
use crate::model::{Event, EventKind, Masks};

/// An event log that this process appends to. The lock of the run directory keeps others from doing the same.
#[derive(Debug)]
pub(crate) struct EventLog {
    file: File,
    path: PathBuf,
    next_seq: u64,
    /// The bytes of the file up to the end of its last whole event.
    length: u64,
    /// Whether a failed append has left bytes behind `length`.
    torn: bool,
    dirty: bool,
    /// Whether the disk has the rest of the run as it was when it began.
    is_settled: Arc<AtomicBool>,
    buffer: Vec<u8>,
    /// What takes the place of secrets in the events.
    masks: Masks,
}

impl EventLog {
    /// Makes a new, empty log. Fails if there is one.
    pub(crate) fn create(path: &Path) -> Result<EventLog> {
        EventLog::create_as(path, path)
    }

    /// The same at `path`, from where it is moved to `place`.
    pub(super) fn create_as(path: &Path, place: &Path) -> Result<EventLog> {
        let opened = OpenOptions::new().read(true).append(true).create_new(true).open(path);
        let file = opened.map_err(Error::io("create", place))?;
        Ok(EventLog::new(file, place, 0, 1))
    }

    /// Opens a log to go on with it. A torn last line, which a host left that was killed while it wrote, is cut off.
    pub(crate) fn open(path: &Path) -> Result<EventLog> {
        let opened = OpenOptions::new().read(true).append(true).open(path);
        let mut file = opened.map_err(Error::io("open", path))?;
        let (length, last_line) = whole_lines(&mut file).map_err(Error::io("read", path))?;
        file.set_len(length).map_err(Error::io("cut a torn line off", path))?;
        let next_seq = match last_line {
            None => 1,
            Some(line) => {
                let numbered: Numbered = serde_json::from_slice(&line)
                    .map_err(|e| Error::corrupt(path, format!("its last line is no event: {e}")))?;
                numbered.seq + 1
            }
        };
        Ok(EventLog::new(file, path, length, next_seq))
    }

    fn new(file: File, path: &Path, length: u64, next_seq: u64) -> EventLog {
        let path = path.to_owned();
        EventLog {
            file,
            path,
            next_seq,
            length,
            torn: false,
            dirty: false,
            is_settled: Arc::default(),
            buffer: Vec::new(),
            masks: Masks::default(),
        }
    }

    /// Returns the same log, with secrets masked in what is appended from now on.
    pub(crate) fn masked_by(mut self, masks: Masks) -> EventLog {
        self.masks = masks;
        self
    }

    /// Appends events that happened at `time`, numbers them, and returns them as they are in the log: all of them, or
    /// none and an error. After an error the log is as it was, and can be appended to again.
    pub(crate) fn append(&mut self, kinds: Vec<EventKind>, time: DateTime<Utc>) -> Result<Vec<Event>> {
        let failed = |action, path: &Path, e| Error::io(action, path)(e);
        if self.torn {
            self.cut_back().map_err(|e| failed("cut a torn line off", &self.path, e))?;
        }
        self.buffer.clear();
        let mut events = Vec::with_capacity(kinds.len());
        for (seq, mut kind) in (self.next_seq..).zip(kinds) {
            kind.mask(&self.masks);
            let event = Event { seq, time, kind };
            serde_json::to_writer(&mut self.buffer, &event).map_err(|e| failed("encode", &self.path, e.into()))?;
            self.buffer.push(b'\n');
            events.push(event);
        }
        // `write_all` goes on after a short write; only a disk that fills up makes one.
        if let Err(e) = self.file.write_all(&self.buffer) {
            self.torn = true;
            // A second failure is met again, and reported, by the next append.
            let _ = self.cut_back();
            return Err(failed("write", &self.path, e));
        }
        self.length += self.buffer.len() as u64;
        self.next_seq += events.len() as u64;
        self.dirty |= !events.is_empty();
        Ok(events)
    }

    /// Brings every event to the disk, so that it survives the death of the machine.
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.file.sync_data().map_err(Error::io("sync", &self.path))?;
        self.dirty = false;
        Ok(())
    }

    /// Returns what can bring the events written by now to the disk while others are appended; `None` if they are there.
    pub(crate) fn sync_handle(&mut self) -> Result<Option<SyncHandle>> {
        if !std::mem::take(&mut self.dirty) {
            return Ok(None);
        }
        let file = self.file.try_clone().map_err(Error::io("sync", &self.path))?;
        Ok(Some(SyncHandle { file, path: self.path.clone(), is_settled: Arc::clone(&self.is_settled) }))
    }

    #[cfg(test)]
    pub(super) fn is_settled(&self) -> bool {
        self.is_settled.load(Ordering::Relaxed)
    }

    fn cut_back(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.torn = false;
        Ok(())
    }
}

/// Brings a log to the disk, away from the one who appends to it.
#[derive(Debug)]
pub(crate) struct SyncHandle {
    file: File,
    path: PathBuf,
    is_settled: Arc<AtomicBool>,
}

impl SyncHandle {
    /// Waits until the disk has every event that was written when this was made. With the first of them it gets what else
    /// there is of the run, without which a log is found by nobody.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(Error::io("sync", &self.path))?;
        if self.is_settled.load(Ordering::Relaxed) {
            return Ok(());
        }
        match self.path.parent().map(durable::settle_whole) {
            // The run has not appeared yet.
            Some(Err(Error::Io { source, .. })) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
            Some(settled) => settled?,
            None => {}
        }
        self.is_settled.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// The part of an event that numbering goes on from.
#[derive(Deserialize)]
struct Numbered {
    seq: u64,
}

/// Returns how long the part of the file is that consists of whole lines, and the last of these lines. Reads from the
/// end, and no more than it needs.
fn whole_lines(file: &mut File) -> io::Result<(u64, Option<Vec<u8>>)> {
    const STEP: u64 = 64 * 1024;
    let mut start = file.seek(SeekFrom::End(0))?;
    let mut tail: Vec<u8> = Vec::new();
    loop {
        let step = STEP.min(start);
        start -= step;
        let mut block = vec![0; usize::try_from(step).unwrap_or_default()];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut block)?;
        block.append(&mut tail);
        tail = block;
        let end = tail.iter().rposition(|&byte| byte == b'\n');
        let before = end.and_then(|end| tail[..end].iter().rposition(|&byte| byte == b'\n'));
        match (end, before) {
            (Some(end), Some(before)) => return Ok((start + end as u64 + 1, Some(tail[before + 1..end].to_vec()))),
            (Some(end), None) if start == 0 => return Ok((end as u64 + 1, Some(tail[..end].to_vec()))),
            (None, _) if start == 0 => return Ok((0, None)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{Exit, FilePlace, Outcome, OutputSize, RunStarted, TaskFinished, Value};
    use crate::store::read;

    fn time() -> DateTime<Utc> {
        DateTime::from_timestamp_micros(1_795_247_695_121_219).unwrap()
    }

    fn started() -> EventKind {
        EventKind::RunStarted(Box::new(RunStarted {
            format: crate::model::EVENT_FORMAT,
            rille: "0.1.0".into(),
            run_id: "0".repeat(32),
            door: "job".into(),
            name: "nightly".into(),
            file: "/a/job.lua".into(),
            file_hash: "ff".into(),
            argv: vec!["rille".into(), "run".into()],
            pid: 7,
            host: "vm".into(),
            user: "me".into(),
            first_started: None,
            rerun_of: None,
            secrets: Vec::new(),
            attrs: serde_json::Map::new(),
        }))
    }

    fn warning(text: &str) -> EventKind {
        EventKind::Warning { text: text.to_owned(), place: None }
    }

    fn finished(task: u32) -> EventKind {
        EventKind::TaskFinished(Box::new(TaskFinished {
            status: None,
            task,
            attempt: 1,
            outcome: Outcome::Errored,
            reason: Some("time limit\nof 2 s \u{2028}".into()),
            data: Some(Value::of_json(&serde_json::json!({"b": 1, "a": [null, 0.5]}))),
            exit: Some(Exit::Signal(9)),
            seconds: 2.25,
            stdout: OutputSize { bytes: 10, left_out: 3, head: 0, place: FilePlace::Named },
            stderr: OutputSize::default(),
            log: OutputSize::default(),
            killed_leftovers: 2,
            will_retry: false,
            dangling: true,
            time_limit: None,
        }))
    }

    fn events_of(path: &Path) -> Vec<Event> {
        read(path).unwrap().map(|event| event.unwrap()).collect()
    }

    #[test]
    fn what_is_appended_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut log = EventLog::create(&path).unwrap();
        assert!(!log.dirty);
        let mut written = log.append(vec![started()], time()).unwrap();
        written.extend(log.append(vec![finished(1), EventKind::Paused {}, warning("w")], time()).unwrap());
        assert!(log.append(vec![], time()).unwrap().is_empty());
        assert!(log.dirty);
        log.sync().unwrap();
        assert!(!log.dirty);
        assert_eq!(written.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(events_of(&path), written);
        assert!(EventLog::create(&path).is_err(), "a log is never begun twice");
    }

    #[test]
    fn secrets_are_masked_in_what_is_written_and_in_what_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let masks = Masks::default();
        let mut log = EventLog::create(&path).unwrap().masked_by(masks.clone());
        let mut written = log.append(vec![warning("hunter22")], time()).unwrap();
        masks.add(["hunter22"]);
        written.extend(log.append(vec![warning("a hunter22"), finished(1)], time()).unwrap());
        drop(log);
        let mut log = EventLog::open(&path).unwrap().masked_by(masks);
        written.extend(log.append(vec![warning("hunter22")], time()).unwrap());
        let texts = written.iter().filter_map(|event| match &event.kind {
            EventKind::Warning { text, .. } => Some(text.as_str()),
            _ => None,
        });
        assert_eq!(texts.collect::<Vec<_>>(), ["hunter22", "a ***", "***"]);
        assert_eq!(events_of(&path), written);
    }

    #[test]
    fn a_log_is_gone_on_with_behind_its_last_whole_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut log = EventLog::create(&path).unwrap();
        let oversized = warning(&"x".repeat(200_000));
        let mut written = log.append(vec![started(), oversized.clone(), oversized], time()).unwrap();
        drop(log);
        let mut killed = OpenOptions::new().append(true).open(&path).unwrap();
        killed.write_all(b"{\"seq\":4,\"time\":\"2026-1").unwrap();
        let mut log = EventLog::open(&path).unwrap();
        written.extend(log.append(vec![warning("more")], time()).unwrap());
        assert_eq!(events_of(&path), written);
        assert_eq!(written.last().unwrap().seq, 4);
    }

    #[test]
    fn an_append_that_fails_leaves_the_log_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut log = EventLog::create(&path).unwrap();
        let mut written = log.append(vec![started()], time()).unwrap();
        let whole = std::mem::replace(&mut log.file, OpenOptions::new().write(true).open("/dev/full").unwrap());
        let error = log.append(vec![warning("lost")], time()).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write {}: No space left on device", path.display()));
        // What a disk that filled up in the middle of a line would leave.
        log.file = whole;
        log.file.write_all(b"{\"seq\":2,").unwrap();
        log.torn = true;
        written.extend(log.append(vec![warning("kept")], time()).unwrap());
        assert_eq!(events_of(&path), written);
        assert_eq!(written[1].seq, 2);
    }

    #[test]
    fn a_log_with_a_broken_last_line_is_not_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        fs::write(&path, "nonsense\n").unwrap();
        assert!(matches!(EventLog::open(&path), Err(Error::Corrupt { .. })));
    }

    proptest! {
        #[test]
        fn any_truncation_is_a_prefix_and_can_be_gone_on_with(
            texts in prop::collection::vec(".{0,40}", 0..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("events.jsonl");
            let mut log = EventLog::create(&path).unwrap();
            let mut written = log.append(vec![started()], time()).unwrap();
            written.extend(log.append(texts.iter().map(|text| warning(text)).collect(), time()).unwrap());
            drop(log);
            let whole = fs::metadata(&path).unwrap().len();
            let length = cut.index(usize::try_from(whole).unwrap() + 1) as u64;
            OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();

            let mut left = events_of(&path);
            prop_assert_eq!(&left[..], &written[..left.len()]);
            prop_assert!(length < whole || left.len() == written.len());

            let mut log = EventLog::open(&path).unwrap();
            let first = if left.is_empty() { started() } else { finished(1) };
            left.extend(log.append(vec![first, warning("last")], time()).unwrap());
            prop_assert_eq!(events_of(&path), left);
        }
    }
}
