//! Plain data that every room speaks: what can be run, how it is run, what a run says and how it ended.
//!
//! Nothing here does I/O, reads the clock or knows a process.

mod blob;
mod event;
mod exit;
mod level;
mod message;
mod nearest;
mod order;
mod outcome;
mod record;
mod runnable;
mod section;
mod size;
mod stream;
mod task;

pub(crate) use blob::Blob;
pub(crate) use event::{
    EVENT_FORMAT, Event, EventKind, OutputSize, PluginFailed, RaisedError, RunStarted, SectionFinished, SectionStarted,
    TaskFinished, TaskPlanned, TaskQueued,
};
pub(crate) use exit::Exit;
pub(crate) use level::Level;
pub(crate) use message::{Message, Reply};
pub(crate) use nearest::nearest;
pub(crate) use order::{JobInfo, Order, RuntimeInfo};
pub(crate) use outcome::Outcome;
pub(crate) use record::RecordForm;
pub(crate) use runnable::Runnable;
pub(crate) use section::{LogRange, SectionChoice, SectionKind, SectionNumber, SectionPlan};
pub(crate) use size::parse_size;
pub(crate) use stream::Stream;
pub(crate) use task::{Place, Task, TaskNumber};
