//! The record of a run: its directory, its journal, its console, and what its tasks may read of it.
//!
//! It knows of no task and of no engine: whatever is to be kept or shown goes through here, with its masks.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::bounded;
use parking_lot::{Mutex, RwLock};

use crate::engine::Journal;
use crate::model::{EventKind, Level, Masks, Place, RuntimeInfo, Stream};
use crate::report::{Announcement, Live, LiveHandle, Summary};
use crate::store::{self, RunDir};

/// How long the console has to show what was announced, where nobody waits for a terminal that takes nothing.
const FLUSH: Duration = Duration::from_millis(200);

/// See the module.
pub(crate) struct Run {
    /// Taken by whoever wraps up.
    held: Mutex<Option<RunDir>>,
    directory: PathBuf,
    journal: Journal,
    runtime: Arc<RwLock<RuntimeInfo>>,
    live: Mutex<Option<Live>>,
    console: LiveHandle,
    /// What takes the place of secrets in all that is only read.
    masks: Masks,
    started: Instant,
    /// How long the run took before it was resumed.
    before: Duration,
}

impl Run {
    /// Makes the record of a run that begins now, and went on for `before` seconds before it was resumed.
    pub(super) fn new(
        held: RunDir,
        journal: Journal,
        live: Live,
        runtime: RuntimeInfo,
        masks: Masks,
        before: f64,
    ) -> Self {
        Self {
            directory: held.path().to_owned(),
            held: Mutex::new(Some(held)),
            journal,
            runtime: Arc::new(RwLock::new(runtime)),
            console: live.handle(),
            live: Mutex::new(Some(live)),
            masks,
            started: Instant::now(),
            before: Duration::try_from_secs_f64(before).unwrap_or_default(),
        }
    }

    /// Returns the run directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Hands out the run directory for its end; `None` if that has begun.
    pub(super) fn take_held(&self) -> Option<RunDir> {
        self.held.lock().take()
    }

    /// Calls `work` with the run directory; `None` if its end has begun.
    pub(super) fn with_held<T>(&self, work: impl FnOnce(&RunDir) -> T) -> Option<T> {
        self.held.lock().as_ref().map(work)
    }

    /// Returns the masks of the run.
    pub(crate) const fn masks(&self) -> &Masks {
        &self.masks
    }

    /// Returns what tasks may read of the run.
    pub(crate) fn runtime(&self) -> RuntimeInfo {
        self.runtime.read().clone()
    }

    /// Returns the same as the engine has it, so that a task gets what holds when it starts.
    pub(super) fn shared_runtime(&self) -> Arc<RwLock<RuntimeInfo>> {
        Arc::clone(&self.runtime)
    }

    /// Gives the job another reporting name.
    pub(crate) fn rename(&self, name: &str) {
        name.clone_into(&mut self.runtime.write().job.name);
        self.note(vec![EventKind::JobRenamed { name: name.to_owned() }]);
    }

    /// Sets the level of a logger for the tasks that start from now on, or takes it away.
    pub(crate) fn set_level(&self, logger: &str, level: Option<Level>) {
        let levels = &mut self.runtime.write().log_levels;
        match level {
            Some(level) => levels.insert(logger.to_owned(), level),
            None => levels.remove(logger),
        };
    }

    /// Sets what tasks that start from now on get of the arguments.
    pub(crate) fn hand_on(&self, argv: Vec<String>) {
        self.runtime.write().argv = argv;
    }

    /// Returns for how long the run has been going on.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed() + self.before
    }

    /// Writes events. Fails if they cannot be kept.
    pub(super) fn record(&self, kinds: Vec<EventKind>) -> store::Result<()> {
        self.journal.record(kinds)
    }

    /// Writes events of which nothing depends. The engine meets the same failure with its next event, and ends the run for
    /// it.
    pub(super) fn note(&self, kinds: Vec<EventKind>) {
        let _ = self.journal.record(kinds);
    }

    /// Brings to the disk what was written.
    pub(super) fn sync(&self) -> store::Result<()> {
        self.journal.sync()
    }

    /// Tells the user something.
    pub(crate) fn warn(&self, text: String, place: Option<Place>) {
        self.note(vec![EventKind::Warning { text, place }]);
    }

    /// Shows what the jobfile itself logs, and keeps it in the job's log.
    pub(crate) fn log(&self, level: Level, logger: &str, text: &[u8]) {
        self.console.announce(Announcement::Log { level, logger: logger.to_owned(), text: text.to_vec() });
    }

    /// Shows what the jobfile itself prints; returns when it was written.
    pub(crate) fn print(&self, stream: Stream, bytes: Vec<u8>) {
        let (done, written) = bounded(1);
        self.console.announce(Announcement::Print { stream, bytes, done });
        // A console that has ended acknowledges nothing more.
        let _ = written.recv();
    }

    /// Returns the console, for those that outlive a look at the run.
    pub(super) fn console(&self) -> LiveHandle {
        self.console.clone()
    }

    /// Looks at what the events of the run come to.
    pub(super) fn with_summary<T>(&self, look: impl FnOnce(&Summary) -> T) -> T {
        match &*self.live.lock() {
            Some(live) => live.with_summary(look),
            None => look(&Summary::default()),
        }
    }

    /// Hands out the renderers for their last words; `None` if those were said.
    pub(super) fn take_live(&self) -> Option<Live> {
        self.live.lock().take()
    }
}

/// Lets the console show what was announced, but does not wait for a terminal that takes nothing.
pub(super) fn flush(console: &LiveHandle) {
    let (done, shown) = bounded(1);
    console.announce(Announcement::Flush(done));
    let _ = shown.recv_timeout(FLUSH);
}

/// Shows a warning that is not in the event log: whoever writes that may be who stands still.
pub(super) fn warn_aloud(console: &LiveHandle, text: &str) {
    let (level, text) = (Level::Warning, text.as_bytes().to_vec());
    console.announce(Announcement::Log { level, logger: "rille".to_owned(), text });
}
