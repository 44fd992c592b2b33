//! The event log of a running run and those who listen to it.
//!
//! An event is on disk before anybody hears of it. The engine and the job write through the same journal, so that the
//! order of the log is the order of the announcements.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use crate::model::{Event, EventKind};
use crate::store::{self, EventLog, SyncHandle};

/// Hears every event after it was written, in the order of the log.
pub(crate) type Audience = Box<dyn Fn(Event) + Send + Sync>;

/// Keeps events in their order, for good. A test has one that fails when it is told to.
pub(crate) trait Log: Send {
    /// Appends events that happened at `time`, and returns them numbered: all of them, or none and an error.
    fn append(&mut self, kinds: Vec<EventKind>, time: DateTime<Utc>) -> store::Result<Vec<Event>>;

    /// Brings every event to the disk.
    fn sync(&mut self) -> store::Result<()>;

    /// Returns what does that beside others' appending; `None` if there is nothing to be done.
    fn sync_handle(&mut self) -> store::Result<Option<SyncHandle>>;
}

impl Log for EventLog {
    fn append(&mut self, kinds: Vec<EventKind>, time: DateTime<Utc>) -> store::Result<Vec<Event>> {
        self.append(kinds, time)
    }

    fn sync(&mut self) -> store::Result<()> {
        self.sync()
    }

    fn sync_handle(&mut self) -> store::Result<Option<SyncHandle>> {
        self.sync_handle()
    }
}

/// A shared handle to the event log; cloning it is cheap.
#[derive(Clone)]
pub(crate) struct Journal {
    inner: Arc<Inner>,
}

struct Inner {
    log: Mutex<Box<dyn Log>>,
    audience: Audience,
    syncing: Mutex<Option<JoinHandle<Result<(), store::Error>>>>,
}

impl Journal {
    /// Makes a journal over an open log.
    pub(crate) fn new(log: impl Log + 'static, audience: Audience) -> Self {
        let log: Box<dyn Log> = Box::new(log);
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
            let handle = Arc::new(handle);
            let theirs = Arc::clone(&handle);
            match thread::Builder::new().name("sync".to_owned()).spawn(move || theirs.sync()) {
                Ok(thread) => *running = Some(thread),
                // Where there is no thread to be had, a late time limit is the lesser evil.
                Err(_) => handle.sync()?,
            }
        }
        last
    }
}
