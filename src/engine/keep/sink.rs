//! A run with one task, whose output goes to a sink. The task works in the run directory itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use super::output_sink::OutputSink;
use super::{Keep, KeepOrder, Keeper, NoKeep};
use crate::engine::request::Failure;
use crate::engine::scheduler::Written;
use crate::model::Stream;

/// The sink of a run, as every attempt at its task has it.
type SharedSink = Arc<Mutex<Box<dyn OutputSink>>>;

/// See the module.
pub(in crate::engine) struct Sinks {
    sink: SharedSink,
    directory: PathBuf,
}

impl Sinks {
    /// Makes the keeper of the run with this directory.
    pub(in crate::engine) fn new(sink: Box<dyn OutputSink>, directory: &Path) -> Self {
        Self { sink: Arc::new(Mutex::new(sink)), directory: directory.to_owned() }
    }
}

impl Keeper for Sinks {
    fn open(&mut self, _: &KeepOrder<'_>) -> Result<Box<dyn Keep>, NoKeep> {
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
