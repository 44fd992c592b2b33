//! The event log of a running run and those who listen to it.
//!
//! An event is on disk before anybody hears of it. The engine and the job write through the same journal, so that the
//! order of the log is the order of the announcements.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::Utc;
use parking_lot::Mutex;

use crate::model::{Event, EventKind};
use crate::store::{self, EventLog};

/// Hears every event after it was written, in the order of the log.
pub(crate) type Audience = Box<dyn Fn(Event) + Send + Sync>;

/// A shared handle to the event log; cloning it is cheap.
#[derive(Clone)]
pub(crate) struct Journal {
    inner: Arc<Inner>,
}

struct Inner {
    log: Mutex<EventLog>,
    path: PathBuf,
    audience: Audience,
}

impl Journal {
    /// Makes a journal over an open log.
    pub(crate) fn new(log: EventLog, path: PathBuf, audience: Audience) -> Self {
        Self { inner: Arc::new(Inner { log: Mutex::new(log), path, audience }) }
    }

    /// Writes the events in one piece, then announces them. When writing fails nothing is announced.
    pub(crate) fn record(&self, kinds: Vec<EventKind>) -> Result<(), store::Error> {
        if kinds.is_empty() {
            return Ok(());
        }
        // The announcements happen under the lock: their order must be the log's.
        let mut log = self.inner.log.lock();
        for event in log.append(kinds, Utc::now())? {
            (self.inner.audience)(event);
        }
        Ok(())
    }

    /// Brings what was written to the disk.
    pub(crate) fn sync(&self) -> Result<(), store::Error> {
        self.inner.log.lock().sync()
    }

    /// Returns the path of the log.
    pub(crate) fn path(&self) -> &Path {
        &self.inner.path
    }
}
