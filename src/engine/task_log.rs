//! The log of a task: every record with time, level, logger, process and task, in the order in which things happened.
//!
//! The form of a record is that of [`RecordForm`]. What the task and the programs it starts write to their standard streams stands in
//! it as records of the loggers `stdout` and `stderr`.

use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::capped_file::CappedFile;
use crate::model::{Level, OutputSize, RecordForm, Stream};

/// Bytes of a line without an end that are held back before they become a record all the same.
const LONGEST_LINE: usize = 64 << 10;

/// Bytes of records after which they are written, whatever else is to be done.
const BATCH: usize = 256 << 10;

/// The log of one attempt.
#[derive(Debug)]
pub(super) struct TaskLog {
    /// `None` for a task whose run has a sink: nothing is kept.
    file: Option<CappedFile>,
    form: RecordForm,
    /// Records that are not written yet.
    batch: Vec<u8>,
    /// Lines without an end, of standard output and standard error.
    open: [Vec<u8>; 2],
}

impl TaskLog {
    /// Makes the log of a process in this file, or none.
    pub(super) fn new(file: Option<CappedFile>, pid: i32, task: &str) -> Self {
        Self {
            file,
            form: RecordForm::new(pid.unsigned_abs(), task),
            batch: Vec::new(),
            open: [Vec::new(), Vec::new()],
        }
    }

    /// Takes a record in. Lines of output that have no end yet come before it.
    pub(super) fn record(&mut self, time: DateTime<Utc>, level: Level, logger: &str, text: &[u8]) -> io::Result<()> {
        self.close_lines(time)?;
        self.write_record(time, level, logger, text)
    }

    /// Takes in what was written to a stream: its whole lines become one record, the rest waits for its end.
    pub(super) fn output(&mut self, time: DateTime<Utc>, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            return Ok(());
        }
        let mut open = std::mem::take(&mut self.open[index(stream)]);
        let whole = memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
        if whole > 0 && open.is_empty() {
            self.write_record(time, Level::Info, logger(stream), &bytes[..whole])?;
        } else if whole > 0 {
            open.extend_from_slice(&bytes[..whole]);
            self.write_record(time, Level::Info, logger(stream), &open)?;
            open.clear();
        }
        open.extend_from_slice(&bytes[whole..]);
        if open.len() > LONGEST_LINE {
            self.write_record(time, Level::Info, logger(stream), &open)?;
            open.clear();
        }
        self.open[index(stream)] = open;
        Ok(())
    }

    /// Makes records of lines that have no end yet, and returns where the next record will begin.
    pub(super) fn position(&mut self, time: DateTime<Utc>) -> io::Result<u64> {
        self.close_lines(time)?;
        Ok(self.file.as_ref().map_or(0, CappedFile::total) + self.batch.len() as u64)
    }

    /// Writes what was taken in.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let written = self.file.as_mut().map_or(Ok(()), |file| file.write(&self.batch));
        self.batch.clear();
        written
    }

    /// Returns where the records go.
    pub(super) fn path(&self) -> &Path {
        self.file.as_ref().map_or(Path::new(""), CappedFile::path)
    }

    /// Puts the file into its final shape.
    pub(super) fn finish(mut self, time: DateTime<Utc>) -> io::Result<OutputSize> {
        self.close_lines(time)?;
        self.flush()?;
        self.file.map_or(Ok(OutputSize::default()), CappedFile::finish)
    }

    fn close_lines(&mut self, time: DateTime<Utc>) -> io::Result<()> {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !self.open[index(stream)].is_empty() {
                let open = std::mem::take(&mut self.open[index(stream)]);
                self.write_record(time, Level::Info, logger(stream), &open)?;
            }
        }
        Ok(())
    }

    fn write_record(&mut self, time: DateTime<Utc>, level: Level, logger: &str, text: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            return Ok(());
        }
        self.form.write(&mut self.batch, time, level, logger, text);
        if self.batch.len() >= BATCH { self.flush() } else { Ok(()) }
    }
}

const fn index(stream: Stream) -> usize {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
    }
}

const fn logger(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(1_795_000_000_000_000 + micros).unwrap()
    }

    #[test]
    fn records_lines_and_positions_are_kept_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("task.log");
        let mut log = TaskLog::new(Some(CappedFile::new(path.clone(), 1 << 20)), 42, "a]b\nc");
        log.output(at(1), Stream::Stdout, b"half").unwrap();
        log.output(at(2), Stream::Stdout, b" and half\nopen").unwrap();
        log.output(at(3), Stream::Stderr, b"oh\xff\n").unwrap();
        log.record(at(4), Level::Warning, "", b"two\nlines\n").unwrap();
        let begin = log.position(at(5)).unwrap();
        log.record(at(999_999), Level::Debug, "lib.part", b"").unwrap();
        log.output(at(1_000_000), Stream::Stdout, b"end").unwrap();
        let size = log.finish(at(1_000_001)).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(size.bytes, bytes.len() as u64);
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> =
            text.lines().map(|line| line.strip_prefix("2026-11-18T11:06:4").unwrap_or(line)).collect();
        assert_eq!(
            lines,
            [
                "0.000002Z INFO     stdout [42 a_b_c] half and half",
                "0.000003Z INFO     stderr [42 a_b_c] oh\u{fffd}",
                "0.000004Z INFO     stdout [42 a_b_c] open",
                "0.000004Z WARNING  root [42 a_b_c] two",
                "    lines",
                "0.999999Z DEBUG    lib.part [42 a_b_c] ",
                "1.000001Z INFO     stdout [42 a_b_c] end",
            ],
            "{text}"
        );
        let begin = usize::try_from(begin).unwrap();
        assert!(bytes[begin..].starts_with(b"2026-11-18T11:06:40.999999Z DEBUG"));
    }
}
