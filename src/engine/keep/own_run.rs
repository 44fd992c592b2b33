//! A run directory of a task's own. The task works in it, and what it writes goes to a sink: no folder, log or file of output is
//! made for it in the directory of the run that it is a task of.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use super::output_sink::OutputSink;
use super::{Keep, NoKeep, SinkWaker};
use crate::engine::request::Failure;
use crate::engine::scheduler::Written;
use crate::model::Stream;

/// The sink of a run, as every attempt at its task has it.
type SharedSink = Arc<Mutex<Box<dyn OutputSink>>>;

/// See the module.
#[derive(Clone)]
pub(crate) struct OwnRun {
    id: String,
    directory: PathBuf,
    sink: SharedSink,
}

impl OwnRun {
    /// Takes the run with this id, whose directory is there.
    pub(crate) fn new(id: &str, directory: &Path, sink: Box<dyn OutputSink>) -> Self {
        Self { id: id.to_owned(), directory: directory.to_owned(), sink: Arc::new(Mutex::new(sink)) }
    }

    /// Returns the id and the directory of the run.
    pub(in crate::engine) fn place(&self) -> (String, PathBuf) {
        (self.id.clone(), self.directory.clone())
    }

    /// Hands the sink the means to say that there is room again.
    pub(in crate::engine) fn connect(&self, waker: SinkWaker) {
        self.sink.lock().connect(waker);
    }

    /// Makes what keeps an attempt.
    pub(in crate::engine) fn open(&self) -> Result<Box<dyn Keep>, NoKeep> {
        let mut sink = self.sink.lock();
        sink.begin().map_err(|error| Failure::at(sink.path(), &error))?;
        Ok(Box::new(Kept { sink: Arc::clone(&self.sink), directory: self.directory.clone() }))
    }
}

struct Kept {
    sink: SharedSink,
    directory: PathBuf,
}

impl Keep for Kept {
    fn folder(&self) -> &Path {
        &self.directory
    }

    fn store(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), Failure> {
        let mut sink = self.sink.lock();
        sink.write(stream, bytes).map_err(|error| Failure::at(sink.path(), &error))
    }

    fn store_log(&mut self, _: &[u8]) -> Result<(), Failure> {
        Ok(())
    }

    fn log_position(&self) -> Option<u64> {
        None
    }

    fn has_room(&mut self) -> bool {
        self.sink.lock().has_room()
    }

    fn withdraw(self: Box<Self>) {}

    fn finish(self: Box<Self>, _: DateTime<Utc>) -> (Written, Option<Failure>) {
        let mut sink = self.sink.lock();
        // What the sink holds is no file of the task.
        let finished = sink.finish().map_err(|error| Failure::at(sink.path(), &error));
        (Written::default(), finished.err())
    }
}
