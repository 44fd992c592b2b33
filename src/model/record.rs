//! The form of a log record: `2026-11-21T10:45:39.123456Z INFO     lib.part [1234 connect] text`.
//!
//! A record begins in the first column with its time; its further lines are indented by four spaces.

use std::io::Write;

use chrono::{DateTime, Utc};

use super::Level;

/// Writes the records of one process and task, or of one job.
#[derive(Debug)]
pub(crate) struct RecordForm {
    name: String,
    origin: String,
    /// The second whose text is at hand, and that text.
    second: (i64, String),
}

impl RecordForm {
    /// Makes the form for records of process `pid`, which is `name`.
    pub(crate) fn new(pid: u32, name: &str) -> Self {
        let name = name.replace(|c: char| c.is_control() || c == ']', "_");
        Self { origin: format!("[{pid} {name}]"), name, second: (i64::MIN, String::new()) }
    }

    /// Names another process from now on.
    pub(crate) fn set_pid(&mut self, pid: u32) {
        self.origin = format!("[{pid} {}]", self.name);
    }

    /// Appends a record to `out`. A line break at the end of the text is left out.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>, time: DateTime<Utc>, level: Level, logger: &str, text: &[u8]) {
        if self.second.0 != time.timestamp() {
            self.second = (time.timestamp(), time.format("%Y-%m-%dT%H:%M:%S").to_string());
        }
        let logger = if logger.is_empty() { "root" } else { logger };
        let micros = time.timestamp_subsec_micros();
        // Writing to a Vec cannot fail.
        let _ = write!(out, "{}.{micros:06}Z {level:<8} {logger} {} ", self.second.1, self.origin);
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', text) {
            out.extend_from_slice(&text[begin..=end]);
            out.extend_from_slice(b"    ");
            begin = end + 1;
        }
        out.extend_from_slice(&text[begin..]);
        out.push(b'\n');
    }
}
