//! `job.log`: what the jobfile printed and logged and what happened to its tasks, in order, each record with its time.

use std::io::Write;

use chrono::Utc;

use super::announcement::Announcement;
use super::lines::{Look, Verbosity, line};
use super::style::Paint;
use super::summary::Summary;
use crate::model::{EventKind, Level, Masks, Outcome, RecordForm, Stream};

/// Bytes of records after which they are written.
const BATCH: usize = 64 << 10;

/// The log of a job. It gives up at the first error: the event log has what happened, and the run ends by that.
pub(crate) struct JobLog {
    out: Box<dyn Write + Send>,
    form: RecordForm,
    batch: Vec<u8>,
    masks: Masks,
}

impl JobLog {
    /// Makes the log of a job by that name, whose host is process `pid`.
    pub(crate) fn new(out: Box<dyn Write + Send>, pid: u32, name: &str, masks: Masks) -> Self {
        let form = RecordForm::new(pid, &masks.mask_text(name));
        Self { out, form, batch: Vec::new(), masks }
    }

    /// Takes in what is announced. What tasks write is in their own logs.
    pub(super) fn take(&mut self, announcement: &Announcement, summary: &Summary) {
        match announcement {
            Announcement::Event(event) => {
                let look = Look { verbosity: Verbosity::Verbose, paint: Paint::default() };
                if let Some(text) = line(event, summary, look) {
                    let text = text.trim();
                    self.form.write(&mut self.batch, event.time, level(&event.kind), "rille", text.as_bytes());
                }
            }
            Announcement::Print { stream, bytes, .. } => {
                let logger = if *stream == Stream::Stderr { "stderr" } else { "stdout" };
                self.form.write(&mut self.batch, Utc::now(), Level::Info, logger, &self.masks.mask(bytes));
            }
            Announcement::Log { level, logger, text } => {
                let logger = self.masks.mask_text(logger);
                self.form.write(&mut self.batch, Utc::now(), *level, &logger, &self.masks.mask(text));
            }
            Announcement::Output { .. } | Announcement::Flush(_) => {}
        }
        if self.batch.len() >= BATCH {
            self.flush();
        }
    }

    /// Writes what was taken in.
    pub(super) fn flush(&mut self) {
        if !self.batch.is_empty() && self.out.write_all(&self.batch).is_err() {
            self.out = Box::new(std::io::sink());
        }
        self.batch.clear();
    }
}

fn level(kind: &EventKind) -> Level {
    match kind {
        EventKind::TaskFinished(finished)
            if matches!(finished.outcome, Outcome::Passed | Outcome::Passx | Outcome::Skipped) =>
        {
            Level::Info
        }
        EventKind::TaskFinished(_) | EventKind::PluginFailed(_) => Level::Error,
        EventKind::MessagesDropped { .. } | EventKind::Warning { .. } | EventKind::Interrupted { .. } => Level::Warning,
        _ => Level::Info,
    }
}
