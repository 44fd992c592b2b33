//! The console of a run under way: the senders' side. One thread renders what is announced.
//!
//! Nothing that announces ever waits for a terminal. Events always get through; the output of tasks is left out on the
//! console while a slow terminal has too much of it waiting (the files of the tasks have it all). Only who asks for an
//! acknowledgement waits, and may stop waiting.

use std::collections::{BTreeMap, VecDeque};
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded, unbounded};
use parking_lot::Mutex;

use super::announcement::Announcement;
use super::canvas::terminal_size;
use super::console::Console;
use super::job_log::JobLog;
use super::lines::{Look, Verbosity};
use super::outlines::Key;
use super::renderer::{BATCH, Renderer};
use super::style::ColorChoice;
use super::summary::Summary;
use crate::model::{Event, EventKind, Masks, TaskNumber};

/// Bytes of tasks' output that may wait for the console.
const MAX_OUTPUT: usize = 4 * 1024 * 1024;

/// How long a renderer may write nothing once the run is to end. It gives up a reader by itself, but a terminal that says it
/// takes something, and does not take all of it, holds it.
const STUCK_AFTER: Duration = Duration::from_secs(1);

/// What the console of a run is like.
pub(crate) struct Settings {
    /// How it looks.
    pub(crate) look: Look,
    /// Whether to draw a progress bar, which takes a terminal on standard error.
    pub(crate) bar: bool,
    /// Whether standard output is a terminal too, so that a print may stand where the bar is.
    pub(crate) stdout_is_terminal: bool,
    /// Columns and rows of the terminal.
    pub(crate) size: fn() -> (u16, u16),
    /// Where the text goes.
    pub(crate) console: Console,
    /// The log of the job, which gets everything whatever the look.
    pub(crate) log: Option<JobLog>,
    /// What takes the place of secrets.
    pub(crate) masks: Masks,
}

impl Settings {
    /// Returns the settings for the standard streams of this process and its environment.
    pub(crate) fn standard(color: ColorChoice, verbosity: Verbosity) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let term = std::env::var_os("TERM");
        let paint = color.by_environment(terminal);
        Settings {
            look: Look { verbosity, paint },
            bar: terminal && term.is_none_or(|term| term != "dumb") && verbosity >= Verbosity::Normal,
            stdout_is_terminal: std::io::stdout().is_terminal(),
            size: terminal_size,
            console: Console::standard(),
            log: None,
            masks: Masks::default(),
        }
    }
}

/// A message to the renderer.
#[derive(Debug)]
pub(super) enum Message {
    /// Something to be shown.
    Announce(Announcement),
    /// The last words. Nothing is shown after them.
    Stop(String),
    /// Here output of a task was left out.
    Gap(Key, Arc<Gap>),
    /// Somebody else has taken messages out of the inbox: look at the backlog.
    Wake,
}

/// What sender and renderer share.
pub(super) struct Shared {
    /// What came and what was made of it.
    pub(super) fold: Mutex<Fold>,
    /// Bytes of output that wait.
    pub(super) waiting: AtomicUsize,
    /// Of the streams whose latest output was left out, what is to be told of it.
    gaps: Mutex<BTreeMap<Key, Arc<Gap>>>,
}

/// Output of one stream that is left out, until it goes on or the gap is shown.
#[derive(Debug, Default)]
pub(super) struct Gap {
    bytes: AtomicU64,
    /// Whether the last of it ended a line.
    ended_line: AtomicBool,
}

impl Shared {
    /// Takes note of output that is left out. Returns its gap if it is a new one.
    fn leave_out(&self, key: Key, bytes: &[u8]) -> Option<Arc<Gap>> {
        let mut gaps = self.gaps.lock();
        let new = !gaps.contains_key(&key);
        let gap = gaps.entry(key).or_default();
        gap.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        gap.ended_line.store(bytes.ends_with(b"\n"), Ordering::Relaxed);
        new.then(|| Arc::clone(gap))
    }

    /// Closes a gap that is to be shown. Returns its bytes, and whether it ended where a line does.
    pub(super) fn close(&self, key: Key, gap: &Arc<Gap>) -> (u64, bool) {
        let mut gaps = self.gaps.lock();
        if gaps.get(&key).is_some_and(|open| Arc::ptr_eq(open, gap)) {
            gaps.remove(&key);
        }
        (gap.bytes.load(Ordering::Relaxed), gap.ended_line.load(Ordering::Relaxed))
    }
}

/// The fold of the events, and the messages it has seen but that were not shown yet, in the order in which they came.
pub(super) struct Fold {
    /// What is to come.
    pub(super) inbox: Receiver<Message>,
    /// What was folded and is to be shown.
    pub(super) backlog: VecDeque<Message>,
    /// The fold.
    pub(super) summary: Summary,
}

impl Fold {
    /// Takes in what has come by now. Returns false once nothing can come any more.
    pub(super) fn drain(&mut self) -> bool {
        // Not more than there is now: a fast sender must not keep the lock.
        for _ in 0..=self.inbox.len() {
            match self.inbox.try_recv() {
                Ok(message) => {
                    if let Message::Announce(Announcement::Event(event)) = &message {
                        self.summary.apply(event);
                    }
                    self.backlog.push_back(message);
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        true
    }
}

/// Announces to the console of a run. Cheap to clone, and never waits.
#[derive(Clone)]
pub(crate) struct LiveHandle {
    sender: Sender<Message>,
    hurry: Sender<()>,
    is_to_end: Arc<AtomicBool>,
    shared: Arc<Shared>,
}

impl LiveHandle {
    /// Announces something. After the end of the console it is forgotten, and an acknowledgement never comes: its
    /// channel is closed.
    pub(crate) fn announce(&self, announcement: Announcement) {
        let is_urgent = match &announcement {
            Announcement::Event(event) => {
                if let Some(task) = ended_task(&event.kind) {
                    // What comes of a later attempt is none of this one.
                    self.shared.gaps.lock().retain(|key, _| key.0 != task);
                }
                false
            }
            Announcement::Log { .. } => false,
            Announcement::Print { .. } | Announcement::Flush(_) => true,
            Announcement::Output { task, stream, bytes } => {
                let (key, length) = ((*task, *stream), bytes.len());
                let waiting = self.shared.waiting.fetch_add(length, Ordering::Relaxed) + length;
                if waiting > MAX_OUTPUT {
                    self.shared.waiting.fetch_sub(length, Ordering::Relaxed);
                    if let Some(gap) = self.shared.leave_out(key, bytes) {
                        // It stands among what is shown where it is; an error means that the renderer has stopped.
                        let _ = self.sender.send(Message::Gap(key, gap));
                    }
                    return;
                }
                // What is left out from here on is another gap.
                self.shared.gaps.lock().remove(&key);
                waiting > BATCH
            }
        };
        // An error means that the renderer has stopped.
        let _ = self.sender.send(Message::Announce(announcement));
        if is_urgent {
            self.hurry();
        }
    }

    /// Has the renderer look at once at what was sent.
    fn hurry(&self) {
        // One that was told already and has not looked yet need not be told again.
        let _ = self.hurry.try_send(());
    }

    /// Announces an event.
    pub(crate) fn event(&self, event: Arc<Event>) {
        if matches!(event.kind, EventKind::Interrupted { .. }) {
            self.is_to_end.store(true, Ordering::Relaxed);
        }
        self.announce(Announcement::Event(event));
    }
}

/// The console of a run.
pub(crate) struct Live {
    handle: LiveHandle,
    written: Arc<AtomicU64>,
    ended: Receiver<()>,
    thread: JoinHandle<()>,
}

impl Live {
    /// Starts the thread that renders.
    pub(crate) fn start(settings: Settings) -> std::io::Result<Self> {
        let (sender, inbox) = unbounded();
        let (hurry, hurried) = bounded(1);
        let fold = Fold { inbox: inbox.clone(), backlog: VecDeque::new(), summary: Summary::default() };
        let shared = Arc::new(Shared { fold: Mutex::new(fold), waiting: AtomicUsize::new(0), gaps: Mutex::default() });
        let written = settings.console.written();
        let is_to_end = settings.console.is_to_end();
        let (end, ended) = bounded(1);
        let renderer = Renderer::new(settings, Arc::clone(&shared), inbox, hurried);
        let thread = std::thread::Builder::new().name("console".to_owned()).spawn(move || {
            renderer.run();
            let _ = end.send(());
        })?;
        Ok(Live { handle: LiveHandle { sender, hurry, is_to_end, shared }, written, ended, thread })
    }

    /// Returns a handle to announce with.
    pub(crate) fn handle(&self) -> LiveHandle {
        self.handle.clone()
    }

    /// Shows the fold of everything announced before. Does not wait for the terminal; nothing is rendered meanwhile.
    pub(crate) fn with_summary<T>(&self, look: impl FnOnce(&Summary) -> T) -> T {
        let mut fold = self.handle.shared.fold.lock();
        fold.drain();
        if !fold.backlog.is_empty() {
            // The renderer waits for the inbox, which is empty now.
            let _ = self.handle.sender.send(Message::Wake);
        }
        look(&fold.summary)
    }

    /// Ends the console: takes the progress bar away, writes what is waiting and then what `closing` says, and returns
    /// the fold. It waits for the terminal as long as that takes, until the run `is_to_end`.
    pub(crate) fn finish(self, is_to_end: &dyn Fn() -> bool, closing: impl FnOnce(&Summary) -> String) -> Summary {
        let text = self.with_summary(closing);
        let _ = self.handle.sender.send(Message::Stop(text));
        self.handle.hurry();
        if self.wait(is_to_end) {
            // A panic of the renderer was reported when it happened and must not take the results with it.
            let _ = self.thread.join();
        }
        let mut fold = self.handle.shared.fold.lock();
        fold.drain();
        std::mem::take(&mut fold.summary)
    }

    /// Waits for the renderer's end. Returns false when it is stuck.
    fn wait(&self, is_to_end: &dyn Fn() -> bool) -> bool {
        let mut seen = self.written.load(Ordering::Relaxed);
        let mut since = Instant::now();
        loop {
            match self.ended.recv_timeout(Duration::from_millis(50)) {
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let written = self.written.load(Ordering::Relaxed);
            if !self.handle.is_to_end.load(Ordering::Relaxed) && is_to_end() {
                self.handle.is_to_end.store(true, Ordering::Relaxed);
                since = Instant::now();
            }
            if written != seen {
                (seen, since) = (written, Instant::now());
            } else if self.handle.is_to_end.load(Ordering::Relaxed) && since.elapsed() >= STUCK_AFTER {
                return false;
            }
        }
    }
}

/// Returns the task that an event ends, if it does.
pub(super) fn ended_task(kind: &EventKind) -> Option<TaskNumber> {
    match kind {
        EventKind::TaskFinished(finished) => Some(finished.task),
        _ => None,
    }
}
