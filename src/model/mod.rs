//! Plain data that every room speaks: what can be run, how it is run, what a run says and how it ended.
//!
//! Nothing here does I/O, reads the clock or knows a process.

mod event;
mod exit;
mod message;
mod nearest;
mod order;
mod outcome;
mod runnable;
mod size;
mod stream;
mod task;

pub(crate) use event::{EVENT_FORMAT, Event, EventKind, OutputSize, RaisedError, RunStarted, TaskFinished, TaskQueued};
pub(crate) use exit::Exit;
pub(crate) use message::Message;
pub(crate) use nearest::nearest;
pub(crate) use order::{JobInfo, Order, RuntimeInfo};
pub(crate) use outcome::Outcome;
pub(crate) use runnable::Runnable;
pub(crate) use size::parse_size;
pub(crate) use stream::Stream;
pub(crate) use task::{Place, Task, TaskNumber};
