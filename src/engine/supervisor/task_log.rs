//! The log of a task: every record with time, level, logger, process and task, in the order in which things happened.
//!
//! The form of a record is that of [`RecordForm`]. What the task and the programs it starts write to their standard streams stands in
//! it as records of the loggers `stdout` and `stderr`.

use chrono::{DateTime, Utc};

use crate::model::{Level, MaskStream, Masks, RecordForm, Stream};

/// Bytes of a line without an end that are held back before they become a record all the same.
const LONGEST_LINE: usize = 64 << 10;

/// Bytes of records after which they are to be stored, whatever else is to be done.
const BATCH: usize = 256 << 10;

/// The log of one attempt, up to the moment when its records are stored.
#[derive(Debug)]
pub(super) struct TaskLog {
    /// Nothing is kept.
    is_off: bool,
    form: RecordForm,
    /// Records that are not stored yet.
    batch: Vec<u8>,
    /// Lines without an end, of standard output and standard error.
    open: [Vec<u8>; 2],
    masks: Masks,
    /// What masks standard output and standard error.
    masked: [MaskStream; 2],
}

impl TaskLog {
    /// Makes the log of a process, or one that keeps nothing.
    pub(super) fn new(is_off: bool, pid: i32, task: &str, masks: &Masks) -> Self {
        let form = RecordForm::new(pid.unsigned_abs(), &masks.mask_text(task));
        let masked = [masks.stream(), masks.stream()];
        Self { is_off, form, batch: Vec::new(), open: [Vec::new(), Vec::new()], masks: masks.clone(), masked }
    }

    /// Names the process from now on.
    pub(super) fn set_pid(&mut self, pid: i32) {
        self.form.set_pid(pid.unsigned_abs());
    }

    /// Takes a record in. Lines of output that have no end yet come before it.
    pub(super) fn record(&mut self, time: DateTime<Utc>, level: Level, logger: &str, text: &[u8]) {
        self.close_lines(time);
        if self.masks.is_empty() {
            return self.add(time, level, logger, text);
        }
        let masks = self.masks.clone();
        self.add(time, level, &masks.mask_text(logger), &masks.mask(text));
    }

    /// Takes in what was written to a stream: its whole lines become one record, the rest waits for its end.
    pub(super) fn output(&mut self, time: DateTime<Utc>, stream: Stream, bytes: &[u8]) {
        if self.is_off {
            return;
        }
        let mut masked = std::mem::replace(&mut self.masked[index(stream)], self.masks.stream());
        masked.write(bytes, &mut |bytes| self.take(time, stream, bytes));
        self.masked[index(stream)] = masked;
    }

    /// Makes records of all that is left.
    pub(super) fn end(&mut self, time: DateTime<Utc>) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let mut masked = std::mem::replace(&mut self.masked[index(stream)], self.masks.stream());
            masked.finish(&mut |bytes| self.take(time, stream, bytes));
        }
        self.close_lines(time);
    }

    fn take(&mut self, time: DateTime<Utc>, stream: Stream, bytes: &[u8]) {
        let mut open = std::mem::take(&mut self.open[index(stream)]);
        let whole = memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
        if whole > 0 && open.is_empty() {
            self.add(time, Level::Info, logger(stream), &bytes[..whole]);
        } else if whole > 0 {
            open.extend_from_slice(&bytes[..whole]);
            self.add(time, Level::Info, logger(stream), &open);
            open.clear();
        }
        open.extend_from_slice(&bytes[whole..]);
        if open.len() > LONGEST_LINE {
            self.add(time, Level::Info, logger(stream), &open);
            open.clear();
        }
        self.open[index(stream)] = open;
    }

    /// Makes records of lines that have no end yet.
    pub(super) fn close_lines(&mut self, time: DateTime<Utc>) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !self.open[index(stream)].is_empty() {
                let open = std::mem::take(&mut self.open[index(stream)]);
                self.add(time, Level::Info, logger(stream), &open);
            }
        }
    }

    /// Returns whether there is so much that it should be stored now.
    pub(super) fn is_full(&self) -> bool {
        self.batch.len() >= BATCH
    }

    /// Returns the records that are not stored yet.
    pub(super) fn unstored(&self) -> &[u8] {
        &self.batch
    }

    /// Takes note that they are stored.
    pub(super) fn clear(&mut self) {
        self.batch.clear();
    }

    fn add(&mut self, time: DateTime<Utc>, level: Level, logger: &str, text: &[u8]) {
        if !self.is_off {
            self.form.write(&mut self.batch, time, level, logger, text);
        }
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
    fn records_and_lines_are_kept_in_order() {
        let mut log = TaskLog::new(false, 42, "a]b\nc", &Masks::default());
        log.output(at(1), Stream::Stdout, b"half");
        log.output(at(2), Stream::Stdout, b" and half\nopen");
        log.output(at(3), Stream::Stderr, b"oh\xff\n");
        log.record(at(4), Level::Warning, "", b"two\nlines\n");
        log.record(at(999_999), Level::Debug, "lib.part", b"");
        log.output(at(1_000_000), Stream::Stdout, b"end");
        log.close_lines(at(1_000_001));
        let text = String::from_utf8_lossy(log.unstored()).into_owned();
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
        log.clear();
        assert_eq!(log.unstored(), b"");
    }

    #[test]
    fn a_log_that_is_off_keeps_nothing() {
        let mut log = TaskLog::new(true, 42, "a", &Masks::default());
        log.output(at(1), Stream::Stdout, b"line\nhalf");
        log.record(at(2), Level::Info, "", b"text");
        assert_eq!(log.unstored(), b"");
    }
}
