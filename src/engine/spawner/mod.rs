//! Where attempts at tasks run. The supervisor keeps the books of an attempt (its files, its log, its sections); a spawner
//! has the process.
//!
//! A spawner is told what to start in data, and tells news. Nothing that crosses the border is a descriptor. It never
//! judges, never writes into the run directory, and never waits.

pub(super) mod local;

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;

use super::scheduler::Slots;
use crate::engine::protocol::Breach;
use crate::model::{Blob, Dropped, Exit, Message, Order, Reply, Runnable, Runner, StatusMessage, Stream, TaskNumber};

/// An attempt at a task, as both sides name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AttemptId {
    /// The task.
    pub(crate) task: TaskNumber,
    /// Which attempt at it, from 1.
    pub(crate) ordinal: u32,
}

/// What is to be started.
#[derive(Debug)]
pub(crate) struct Start {
    /// The attempt.
    pub(crate) id: AttemptId,
    /// The task's id, as people and runners know it.
    pub(crate) task_id: String,
    /// What runs.
    pub(crate) what: What,
    /// Variables that its parameters become. Those that the spawner gives every process win over them.
    pub(crate) parameters: Vec<(String, Blob)>,
    /// Variables that win over all others; `None` removes one.
    pub(crate) env: Vec<(String, Option<Blob>)>,
    /// It finds of the spawner's own environment only `PATH`.
    pub(crate) is_bare: bool,
    /// The attempt's folder, which is there.
    pub(crate) folder: PathBuf,
    /// The id and the directory of the run that it is told it belongs to, if that is not the run of all.
    pub(crate) run: Option<(String, PathBuf)>,
    /// The working folder, if it is not the attempt's.
    pub(crate) cwd: Option<PathBuf>,
    /// The file to read standard input from; `/dev/null` if there is none.
    pub(crate) stdin: Option<PathBuf>,
    /// Its pieces of counted resources.
    pub(crate) slots: Slots,
    /// It may write very much, and what it writes is taken quickly.
    pub(crate) has_large_pipes: bool,
}

/// What runs as the process of an attempt.
#[derive(Debug)]
pub(crate) enum What {
    /// This program in its task role, with its order. The text tells people which task it is.
    Speaker(Box<Order>, String),
    /// A program as it is.
    Program {
        /// Its path, or its name on the `PATH`.
        program: String,
        /// Its arguments.
        args: Vec<Blob>,
    },
    /// A runner, which reports to a socket that the spawner makes.
    Runner {
        /// The program.
        runner: Box<Runner>,
        /// What it is to run.
        runnable: Box<Runnable>,
    },
}

/// What is asked of an attempt that has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Its process group is to get this signal, and to go on if it stands still.
    Signal(i32),
    /// All of it is to be killed, again and again, until nothing is left.
    Kill,
    /// All of it is to stand still.
    Stop,
    /// It is to go on.
    Continue,
}

/// What a spawner tells of an attempt.
///
/// The order is a promise:
/// - `Started` or `NotStarted` comes first, and after `NotStarted` nothing.
/// - What the attempt's programs wrote before the attempt said or reported something is told before that.
/// - `Exited` comes once, `Gone` once and last: no process of the attempt is left then, and no byte of its output.
/// - `Lost` comes at any time after `Started`, and is the last as well.
#[derive(Debug)]
pub(crate) enum News<'a> {
    /// It has a process.
    Started {
        /// The process, for people.
        pid: i32,
    },
    /// It has none.
    NotStarted(NotStarted),
    /// A program of it wrote to a standard stream.
    Output {
        /// The stream.
        stream: Stream,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// It said something on its channel, or something that is no message.
    Said(Result<Message, Breach>),
    /// Its runner reported something, or something that is no report. Who may report was looked at.
    Reported(Box<Result<StatusMessage, Breach>>),
    /// Bytes of its runner came that are no whole report yet.
    Heard,
    /// Its process has ended. Processes that it has left may still be there.
    Exited(Exit),
    /// Nothing of it is left.
    Gone(Left),
    /// Where it ran is gone, and nothing is known of its end.
    Lost(String),
}

/// Why an attempt has no process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotStarted {
    /// It lies in the task.
    Task(String),
    /// There are no processes, descriptors or memory left just now.
    Exhausted(String),
}

/// What an attempt left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Left {
    /// How many processes it left that had to be killed.
    pub(crate) killed: u32,
    /// How many of them could not be killed.
    pub(crate) unkillable: u32,
    /// What was said in its name and did not count.
    pub(crate) dropped: Dropped,
}

/// Hears what spawners tell.
pub(crate) type Listener<'a> = dyn FnMut(AttemptId, News<'_>) + 'a;

/// See the module.
pub(crate) trait Spawner: Send {
    /// Starts an attempt; `Started` or `NotStarted` follows, perhaps from within this call.
    fn start(&mut self, start: Start, tell: &mut Listener<'_>);

    /// Asks something of an attempt. One that is gone need not heed it.
    fn ask(&mut self, id: AttemptId, ask: Ask);

    /// Hands an answer to an attempt that has asked.
    fn answer(&mut self, id: AttemptId, reply: &Reply);

    /// Reads nothing of a stream until told otherwise.
    fn hold(&mut self, id: AttemptId, stream: Stream, is_held: bool);

    /// Returns the descriptor behind which everything is that it waits for, if it waits for anything.
    fn wakes(&self) -> Option<BorrowedFd<'_>>;

    /// Returns when it wants to be heard at the latest, at `now`.
    fn due(&self, now: Duration) -> Option<Duration>;

    /// Tells what has happened. Called whenever the descriptor is ready or the time has come. Returns whether there may be
    /// more to tell at once.
    fn hear(&mut self, now: Duration, tell: &mut Listener<'_>) -> bool;

    /// Ends everything at once and by force: nobody will listen any more.
    fn abandon(&mut self);

    /// Returns what was said to it that counts for no attempt, since the last time it was asked.
    fn take_dropped(&mut self) -> Dropped;
}
