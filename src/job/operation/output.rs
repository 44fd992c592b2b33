//! Where the output of an operation goes: to the files of its run, to the console, and, as scalars, to an event file.
//!
//! The files are written as the bytes come, on the engine's thread. The console and the scalars have threads of their own,
//! behind queues of limited size: while one is full the operation is not read, so that it, and nobody else, waits for a
//! terminal that stands still. A console that has gone away ends the copy, and nothing else.
//!
//! In the files and on the console secrets are masked. Scalars are found in the bytes that came: a secret that is a number
//! changes none of them.

mod console;
mod queue;
mod scalars;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use self::queue::{Follow, Follower};
use crate::engine::{OutputSink, SinkWaker};
use crate::model::{MaskStream, Masks, Stream};
use crate::operation::ScalarPatterns;
use crate::store::{self, RunOutput};

/// The sink of an operation, and what its end has to be waited for with.
pub(crate) struct Recorder {
    /// What the engine is to be given.
    pub(crate) sink: Box<dyn OutputSink>,
    /// The threads behind it.
    pub(crate) recording: Recording,
}

/// The threads that follow the output of an operation.
pub(crate) struct Recording {
    followers: Arc<Mutex<Vec<Follower>>>,
}

impl Recorder {
    /// Prepares to record a run: its files, a copy on the console, and scalars by these patterns. Nothing is made before
    /// the operation starts.
    pub(crate) fn new(run: &Path, patterns: Option<ScalarPatterns>, console: bool, masks: &Masks) -> Self {
        let followers = Arc::default();
        let sink = Sink {
            run: run.to_owned(),
            patterns,
            console,
            masks: masks.clone(),
            streams: [masks.stream(), masks.stream()],
            waker: None,
            output: None,
            followers: Arc::clone(&followers),
            failed: None,
        };
        Self { sink: Box::new(sink), recording: Recording { followers } }
    }
}

impl Recording {
    /// Waits, no longer than `patience`, until everything that was written is on the console and in the event file. To be
    /// called when the operation has ended. There is nothing left to do the second time.
    pub(crate) fn finish(&self, patience: Option<Duration>) -> store::Result<()> {
        let followers = std::mem::take(&mut *self.followers.lock());
        let mut first = Ok(());
        for follower in followers {
            if let Err((path, source)) = follower.finish(patience) {
                first = first.and(Err(store::Error::Io { action: "write", path, source }));
            }
        }
        first
    }
}

/// See [`OutputSink`].
struct Sink {
    run: PathBuf,
    /// What the scalars are found by; taken when it is used.
    patterns: Option<ScalarPatterns>,
    /// Whether there is to be a copy on the console, and is none yet.
    console: bool,
    masks: Masks,
    /// What masks standard output and standard error in the files.
    streams: [MaskStream; 2],
    waker: Option<Arc<SinkWaker>>,
    /// The files, from the start of the operation on.
    output: Option<RunOutput>,
    followers: Arc<Mutex<Vec<Follower>>>,
    /// What could not be written, if it is not one of the files.
    failed: Option<PathBuf>,
}

impl Sink {
    fn follow(&self, name: &'static str, follow: Box<dyn Follow>) -> io::Result<()> {
        let follower = Follower::start(name, follow, self.waker.clone())?;
        self.followers.lock().push(follower);
        Ok(())
    }

    /// Starts the threads with the first output: an operation that writes nothing needs none.
    fn begin_to_follow(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.console) {
            self.follow("console copy", Box::new(console::Copy::new(&self.masks)))?;
        }
        if let Some(patterns) = self.patterns.take() {
            self.follow("scalars", Box::new(scalars::Scalars::new(patterns, &self.run.join(".guild"))))?;
        }
        Ok(())
    }

    /// Remembers what an error is about.
    fn failed(&mut self, error: store::Error) -> io::Error {
        match error {
            store::Error::Io { path, source, .. } => {
                self.failed = Some(path);
                source
            }
            other => io::Error::other(other),
        }
    }
}

impl OutputSink for Sink {
    fn connect(&mut self, waker: SinkWaker) {
        self.waker = Some(Arc::new(waker));
    }

    fn begin(&mut self) -> io::Result<()> {
        if self.output.is_some() {
            return Ok(());
        }
        let output = RunOutput::create(&self.run).map_err(|error| self.failed(error))?;
        self.output = Some(output);
        Ok(())
    }

    fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        if let Some(output) = &mut self.output {
            let mut written = Ok(());
            self.streams[index(stream)].write(bytes, &mut |bytes| {
                if written.is_ok() {
                    written = output.write(stream, bytes);
                }
            });
            written?;
        }
        self.begin_to_follow()?;
        let followers = self.followers.lock();
        if followers.is_empty() {
            return Ok(());
        }
        let bytes: Arc<[u8]> = bytes.into();
        for follower in &*followers {
            if let Err((path, error)) = follower.take(stream, Arc::clone(&bytes)) {
                self.failed = Some(path);
                return Err(error);
            }
        }
        Ok(())
    }

    fn has_room(&mut self) -> bool {
        // Each is asked: one that is full knows from this that somebody waits.
        self.followers.lock().iter().filter(|follower| !follower.has_room()).count() == 0
    }

    fn finish(&mut self) -> io::Result<()> {
        for follower in &*self.followers.lock() {
            follower.close();
        }
        let Some(output) = &mut self.output else { return Ok(()) };
        let mut written = Ok(());
        for stream in [Stream::Stdout, Stream::Stderr] {
            self.streams[index(stream)].finish(&mut |bytes| {
                if written.is_ok() {
                    written = output.write(stream, bytes);
                }
            });
        }
        written.and_then(|()| output.finish())
    }

    fn path(&self) -> &Path {
        let file = self.output.as_ref().map_or(self.run.as_path(), RunOutput::path);
        self.failed.as_deref().unwrap_or(file)
    }
}

/// Returns the place of a stream among the two.
const fn index(stream: Stream) -> usize {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
    }
}

#[cfg(test)]
mod tests;
