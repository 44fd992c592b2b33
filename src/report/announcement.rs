//! What a run announces to its console.

use std::sync::Arc;

use crossbeam::channel::Sender;

use crate::model::{Event, Level, Stream, TaskNumber};

/// Something to be shown.
#[derive(Debug)]
pub(crate) enum Announcement {
    /// Something happened in the run.
    Event(Arc<Event>),
    /// A task wrote this. It is shown line by line with the task's id, on standard error.
    Output {
        /// Which task.
        task: TaskNumber,
        /// Where it wrote to.
        stream: Stream,
        /// What it wrote.
        bytes: Vec<u8>,
    },
    /// The jobfile itself printed this. It is written as it is.
    Print {
        /// Where to.
        stream: Stream,
        /// What.
        bytes: Vec<u8>,
        /// Is sent to once it is written.
        done: Sender<()>,
    },
    /// The jobfile itself logged this.
    Log {
        /// How much it matters.
        level: Level,
        /// The logger's name; empty for the root.
        logger: String,
        /// One line or several.
        text: Vec<u8>,
    },
    /// Everything announced before is to be written.
    Flush(Sender<()>),
}
