//! What the job asks of the supervisor, and what it is answered.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use crossbeam::channel::{Receiver, Sender};
use rustix::event::{EventfdFlags, eventfd};

use super::keep::OwnRun;
use super::scheduler::{Answer, End, Group, Submission, Wait};
use super::stop::StopReason;
use super::wants;
use crate::model::{Level, Reply, Stream, Task, TaskNumber, Used};
use crate::store;

/// A request to the supervisor.
pub(super) enum Request {
    /// The sink takes bytes again.
    SinkHasRoom,
    /// Run these tasks.
    Submit { tasks: Vec<Submission>, group: Option<Group> },
    /// This task has a run directory of its own, and this to do.
    Provide { task: TaskNumber, run: Option<OwnRun>, work: Option<Box<Task>> },
    /// Answer when these tasks have ended.
    Wait { wait: Wait, reply: Sender<Result<Waited, Failure>> },
    /// From now on tasks are announced before they start and after they have ended.
    UseHooks,
    /// Let a task start that was announced, unless there is a reason against it.
    Admit { task: TaskNumber, refused: Option<String> },
    /// Let a task leave that was announced to have ended.
    Dismiss { task: TaskNumber, failed: Option<String> },
    /// Nobody will answer for tasks that were announced.
    GiveUpHooks,
    /// Hand this answer to a task that has asked.
    Reply { task: TaskNumber, reply: Reply },
    /// End these tasks.
    Stop { tasks: Vec<TaskNumber>, reason: StopReason },
    /// Tell which tasks wait for others to end before they start.
    HeldBack { reply: Box<dyn FnOnce(Vec<TaskNumber>) + Send> },
    /// End what is alive, answer when nothing is, and stop.
    Close { reply: Sender<Result<(), Failure>> },
    /// After that: nobody needs to know any more who wants the process to end.
    Leave,
}

/// How a wait ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Waited {
    /// As the scheduler answered.
    Answer(Answer),
    /// The run was asked to stop by this signal.
    Interrupted(i32),
}

/// Why a run can no longer be recorded or supervised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);

impl Failure {
    /// Names what was being done.
    pub(super) fn new(what: &str, error: &io::Error) -> Self {
        Self(format!("{what}: {}", wants::explain(error)))
    }

    /// Says why, in words of who keeps the run.
    pub(crate) fn of(text: String) -> Self {
        Self(text)
    }

    /// Says that nothing could be started for so long.
    pub(super) fn starved(want: &str) -> Self {
        Self(format!("no task could be started: {want}"))
    }

    /// Names the path that could not be written.
    pub(crate) fn at(path: &Path, error: &io::Error) -> Self {
        Self(format!("cannot write {}: {}", path.display(), wants::explain(error)))
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self(error.to_string())
    }
}

/// Hears what tasks write, piece by piece, as it is stored.
pub(crate) type OutputTap = Box<dyn Fn(TaskNumber, Origin, &[u8]) + Send>;

/// By which way a task wrote something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A program wrote it to a standard stream.
    Program(Stream),
    /// A Lua script printed it.
    Script(Stream),
    /// A Lua script logged it. The bytes are its line as it is to be shown.
    Log(Level),
}

/// What a task wants from somebody outside the engine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Call {
    /// It could start now; wants [`Engine::admit`](super::Engine::admit).
    Comes,
    /// It has ended so, after so many seconds; wants [`Engine::dismiss`](super::Engine::dismiss).
    Leaves(Box<End>, f64),
    /// It has read these arguments of the command line; `None` for all.
    ArgumentsRead(Option<Vec<String>>),
    /// It has had a use for this of the command line.
    Used(Box<Used>),
    /// It says something that the user is to know.
    Remark(String),
    /// It asks which of its testcases, by uid and groups, are to run; wants a [`Reply::Selected`].
    Select(Vec<(String, Vec<String>)>),
    /// It asks the user, after showing this; wants a [`Reply::Line`].
    Prompt(Vec<u8>),
}

/// Hears what tasks want, on the engine's thread.
pub(crate) type OnCall = Box<dyn Fn(TaskNumber, Call) + Send>;

/// Wakes the supervisor when a request is in its queue and it sleeps; one that is awake looks before it goes to sleep.
#[derive(Debug)]
pub(super) struct Waker {
    event: OwnedFd,
    asleep: AtomicBool,
}

impl Waker {
    pub(super) fn new() -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { event, asleep: AtomicBool::new(false) })
    }

    /// Called after a request was put into the queue.
    pub(super) fn wake(&self) {
        // Together with that in `falls_asleep`: either the sleeper sees the request, or this sees the sleeper.
        fence(Ordering::SeqCst);
        if self.asleep.swap(false, Ordering::SeqCst) {
            // The only failure of a write is a full counter, and then it is awake.
            let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
        }
    }

    /// Says that the supervisor is going to wait, unless there is a request. Returns whether it may.
    pub(super) fn falls_asleep(&self, requests: &Receiver<Request>) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if requests.is_empty() {
            return true;
        }
        self.asleep.store(false, Ordering::SeqCst);
        false
    }

    /// Says that the supervisor is awake, whatever woke it.
    pub(super) fn is_up(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    pub(super) fn drain(&self) {
        let _ = rustix::io::read(&self.event, &mut [0; 8]);
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SinkHasRoom => "SinkHasRoom",
            Self::Submit { .. } => "Submit",
            Self::Provide { .. } => "Provide",
            Self::Wait { .. } => "Wait",
            Self::UseHooks => "UseHooks",
            Self::Admit { .. } => "Admit",
            Self::Dismiss { .. } => "Dismiss",
            Self::GiveUpHooks => "GiveUpHooks",
            Self::Reply { .. } => "Reply",
            Self::Stop { .. } => "Stop",
            Self::HeldBack { .. } => "HeldBack",
            Self::Close { .. } => "Close",
            Self::Leave => "Leave",
        })
    }
}
