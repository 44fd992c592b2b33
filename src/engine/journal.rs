//! The event log of a running run and those who listen to it.
//!
//! An event is on disk before anybody hears of it. The engine and the job write through the same journal, so that the
//! order of the log is the order of the announcements.

use std::sync::Arc;
use std::thread::JoinHandle;

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
    audience: Audience,
    syncing: Mutex<Option<JoinHandle<Result<(), store::Error>>>>,
}

impl Journal {
    /// Makes a journal over an open log.
    pub(crate) fn new(log: EventLog, audience: Audience) -> Self {
        Self { inner: Arc::new(Inner { log: Mutex::new(log), audience, syncing: Mutex::new(None) }) }
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

    /// Brings what was written to the disk, on another thread: a slow disk must not hold up a time limit. While one such
    /// sync is under way another is not begun. Returns the error of the last one.
    pub(crate) fn sync_in_background(&self) -> Result<(), store::Error> {
        let mut running = self.inner.syncing.lock();
        if running.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Ok(());
        }
        let last = running.take().map_or(Ok(()), |thread| thread.join().unwrap_or(Ok(())));
        let handle = self.inner.log.lock().sync_handle()?;
        if let Some(handle) = handle {
            *running = Some(std::thread::spawn(move || handle.sync()));
        }
        last
    }
}
