//! How a task, or the runner of one, can break what was agreed on about what it says.

use crate::model::{BadMessage, Outcome};

use super::sections::BadSection;

/// What was wrong. After it nothing that is said counts any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Breach {
    /// A message has no end within so many bytes.
    #[error("a message is longer than {0} bytes")]
    TooLong(usize),
    /// A report has no end within so many MiB.
    #[error("a message is longer than {0} MiB")]
    TooLongReport(usize),
    /// A line of the channel is none.
    #[error("'{shown}' is no message: {source}")]
    NoMessage {
        /// How it begins.
        shown: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A line of a runner is none.
    #[error(transparent)]
    NoReport(#[from] BadMessage),
    /// What it says of its sections makes no sense.
    #[error(transparent)]
    Section(#[from] BadSection),
    /// It cannot be so good while so many sections go on.
    #[error("it reported {result} while {open} of its sections had not ended")]
    OpenSections {
        /// What it reported.
        result: Outcome,
        /// How many had not ended.
        open: usize,
    },
    /// It does not say of which run it speaks.
    #[error("a message names no job (job_id)")]
    NoJob,
    /// It does not say of which task it speaks.
    #[error("a message names no task (id)")]
    NoTask,
    /// It speaks of another task.
    #[error("it spoke of the task '{0}'")]
    OtherTask(String),
    /// It has ended before.
    #[error("it reported its end twice: {before}, then {then}")]
    EndedTwice {
        /// How it ended.
        before: &'static str,
        /// And how it says that it has now.
        then: &'static str,
    },
    /// It goes on after its end.
    #[error("it went on after it had reported its end ({0})")]
    WentOn(&'static str),
}
