//! A thread that follows the output of an operation behind a queue of limited size.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use parking_lot::Mutex;

use crate::engine::SinkWaker;
use crate::model::Stream;

/// Bytes in a queue from which on the operation is not read.
const FULL: usize = 4 << 20;

/// Bytes in a queue at which it is read again.
const LOW: usize = 1 << 20;

/// How long nothing comes until what is kept back is let go: whoever writes a question waits for an answer.
const STALL: Duration = Duration::from_millis(100);

/// What cannot be written, and where.
pub(super) type WriteError = (PathBuf, io::Error);

/// What is done with output.
pub(super) trait Follow: Send {
    /// Takes bytes of a stream. `more` says that others follow at once.
    fn take(&mut self, stream: Stream, bytes: &[u8], more: bool) -> Result<(), WriteError>;

    /// Returns whether something is kept back that is to be let go if nothing comes for a while.
    fn waits(&self) -> bool {
        false
    }

    /// Lets go what is kept back: nothing came for a while.
    fn stalled(&mut self) -> Result<(), WriteError> {
        Ok(())
    }

    /// Nothing more comes.
    fn finish(&mut self) -> Result<(), WriteError>;
}

type Piece = (Stream, Arc<[u8]>);

/// The near end of a queue.
pub(super) struct Follower {
    /// `None` when nothing more comes.
    pieces: Mutex<Option<Sender<Piece>>>,
    level: Arc<Level>,
    /// Is closed when the thread has ended.
    end: Receiver<()>,
}

/// How full a queue is.
#[derive(Default)]
struct Level {
    bytes: AtomicUsize,
    /// Whether somebody waits for room.
    awaited: AtomicBool,
    /// Whether the thread has ended, for an error or because nothing more comes.
    ended: AtomicBool,
    /// The error that nobody was told yet.
    error: Mutex<Option<WriteError>>,
    waker: Option<Arc<SinkWaker>>,
}

impl Follower {
    /// Starts the thread. It calls `waker` when there is room again that somebody waits for.
    pub(super) fn start(
        name: &'static str,
        follow: Box<dyn Follow>,
        waker: Option<Arc<SinkWaker>>,
    ) -> io::Result<Self> {
        let (sender, pieces) = unbounded();
        let level = Arc::new(Level { waker, ..Level::default() });
        let far = Arc::clone(&level);
        let (ending, end) = bounded(0);
        let run = move || {
            if let Err(error) = run(follow, &pieces, &far) {
                *far.error.lock() = Some(error);
            }
            // Nobody takes more out, so nobody must wait for that.
            far.ended.store(true, Ordering::SeqCst);
            far.lower(usize::MAX);
            drop(ending);
        };
        thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Self { pieces: Mutex::new(Some(sender)), level, end })
    }

    /// Puts bytes into the queue, full or not. Returns the error by which the thread has ended, once.
    pub(super) fn take(&self, stream: Stream, bytes: Arc<[u8]>) -> Result<(), WriteError> {
        if self.level.ended.load(Ordering::SeqCst) {
            return self.level.told();
        }
        let length = bytes.len();
        self.level.bytes.fetch_add(length, Ordering::SeqCst);
        if let Some(pieces) = &*self.pieces.lock() {
            // A thread that has ended takes nothing.
            let _ = pieces.send((stream, bytes));
        }
        Ok(())
    }

    /// Returns whether the queue is not full. If it is, the waker is called when it no longer is.
    pub(super) fn has_room(&self) -> bool {
        let has_room = || self.level.ended.load(Ordering::SeqCst) || self.level.bytes.load(Ordering::SeqCst) < FULL;
        if has_room() {
            return true;
        }
        self.level.awaited.store(true, Ordering::SeqCst);
        // It may have been emptied before it could see that somebody waits.
        has_room()
    }

    /// Tells the thread that nothing more comes.
    pub(super) fn close(&self) {
        self.pieces.lock().take();
    }

    /// Waits, no longer than `patience`, until everything was taken out. Returns the error by which the thread has ended,
    /// unless it was told.
    pub(super) fn finish(self, patience: Option<Duration>) -> Result<(), WriteError> {
        self.close();
        // The thread sends nothing: it drops its end.
        let _ = match patience {
            Some(patience) => self.end.recv_timeout(patience).map_err(drop),
            None => self.end.recv().map_err(drop),
        };
        self.level.told()
    }
}

impl Level {
    fn told(&self) -> Result<(), WriteError> {
        self.error.lock().take().map_or(Ok(()), Err)
    }

    fn lower(&self, by: usize) {
        let before =
            self.bytes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |bytes| Some(bytes.saturating_sub(by)));
        let left = before.unwrap_or_default().saturating_sub(by);
        if left <= LOW
            && self.awaited.swap(false, Ordering::SeqCst)
            && let Some(waker) = &self.waker
        {
            waker();
        }
    }
}

fn run(mut follow: Box<dyn Follow>, pieces: &Receiver<Piece>, level: &Level) -> Result<(), WriteError> {
    let mut has_stalled = false;
    loop {
        let piece = match follow.waits() && !has_stalled {
            true => pieces.recv_timeout(STALL),
            false => pieces.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match piece {
            Ok((stream, bytes)) => {
                follow.take(stream, &bytes, !pieces.is_empty())?;
                level.lower(bytes.len());
                has_stalled = false;
            }
            Err(RecvTimeoutError::Timeout) => {
                follow.stalled()?;
                // What it keeps all the same is not asked for again.
                has_stalled = true;
            }
            Err(RecvTimeoutError::Disconnected) => return follow.finish(),
        }
    }
}
