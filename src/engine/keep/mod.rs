//! What is kept of what an attempt writes: in files of its folder, or by the sink of a run directory of its own.
//!
//! What a task does in its own folder must not cost a result, nor anybody else's file. So there are two kinds of failure: what
//! lies in the folder is got around here and is nobody's failure; what lies in the store (a full disk, an error of it) is
//! told, and ends the run.

mod attempt_folder;
mod capped_file;
mod folder;
mod output_sink;
mod own_run;

use chrono::{DateTime, Utc};

use super::request::Failure;
use super::scheduler::Written;
use crate::model::{Stream, TaskNumber};

pub(super) use self::folder::Folders;
pub(crate) use self::output_sink::{OutputSink, SinkWaker};
pub(crate) use self::own_run::OwnRun;

/// Which attempt something is kept of.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeepOrder<'a> {
    /// The task.
    pub(super) task: TaskNumber,
    /// Which attempt at it, from 1.
    pub(super) ordinal: u32,
    /// The folder of the task, relative to the run directory.
    pub(super) folder: &'a str,
    /// It has a runner, which may put the output into files itself.
    pub(super) has_runner: bool,
}

/// Why an attempt cannot be kept.
#[derive(Debug)]
pub(super) enum NoKeep {
    /// There are no descriptors or memory left just now.
    Exhausted(String),
    /// The store does not take it.
    Failed(Failure),
}

impl From<Failure> for NoKeep {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Makes what keeps an attempt.
pub(super) trait Keeper: Send {
    /// Makes the folder of an attempt, and what its files will be opened by.
    fn open(&mut self, order: &KeepOrder<'_>) -> Result<Box<dyn Keep>, NoKeep>;
}

/// Keeps what one attempt writes.
pub(super) trait Keep: Send {
    /// Returns the absolute path of the attempt's folder.
    fn folder(&self) -> &std::path::Path;

    /// Stores bytes of a stream, as they came.
    fn store(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), Failure>;

    /// Stores whole records of the log.
    fn store_log(&mut self, records: &[u8]) -> Result<(), Failure>;

    /// Returns where the next record will begin in the log; `None` where no log is kept.
    fn log_position(&self) -> Option<u64>;

    /// Returns whether more should be read of the attempt now.
    fn has_room(&mut self) -> bool;

    /// Takes back what was made for an attempt that has got no process.
    fn withdraw(self: Box<Self>);

    /// Puts everything into its final shape. What could be kept is told also where something failed.
    fn finish(self: Box<Self>, now: DateTime<Utc>) -> (Written, Option<Failure>);
}
