//! The engine: a queue of tasks, what limits them, and the processes that run them.
//!
//! Nothing outside this room starts a process. The [`scheduler`] decides, as a pure state machine; the [`supervisor`]
//! carries out, on a thread of its own; the [`guardian`] is the process that cleans up when the host is killed. The engine
//! writes every event through the [`Journal`] before anybody hears of it, and it never prints.

mod background;
mod cgroup;
mod children;
mod clock;
mod control;
mod flow;
mod foreground;
mod guardian;
mod journal;
mod json_lines;
mod keep;
mod mark;
mod orphans;
mod piped_child;
mod private_folder;
mod program_path;
mod programs;
mod protocol;
mod query;
mod reactor;
mod request;
mod runner_lookup;
mod runner_process;
mod scheduler;
mod sections;
mod side_runs;
mod signals;
#[cfg(test)]
mod simulator;
mod spawner;
mod stop;
mod stop_run;
mod supervisor;
mod surroundings;
mod synchro;
mod verdict;
mod wants;
mod way;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use parking_lot::{Mutex, RwLock};

use self::clock::Stopwatch;
use self::control::Control;
use self::keep::Folders;
use self::request::{Request, Waker};
use self::scheduler::{Scheduler, Wait};
use self::spawner::local::Local;
use self::supervisor::{BookParts, Books, Dispatcher, Hooks, OnStall, Parts, Supervisor};
use crate::model::{Reply, RuntimeInfo, Task, TaskNumber};

pub(crate) use self::background::{Side, part, say_begun};
pub(crate) use self::foreground::{become_program, output_of, run_in_foreground, run_shell};
pub(crate) use self::guardian::{Guarded, split};
pub(crate) use self::journal::Journal;
pub(crate) use self::json_lines::{IncomingLines, OutgoingLines, json_line, send_now};
pub(crate) use self::keep::{OutputSink, OwnRun, SinkWaker};
pub(crate) use self::mark::{MARK, mark_host};
pub(crate) use self::orphans::{Orphan, orphans};
pub(crate) use self::private_folder::PrivateFolder;
pub(crate) use self::program_path::{not_on_path, on_path};
pub(crate) use self::programs::kill_own_programs;
pub(crate) use self::query::{Asked, Query, QueryError};
pub(crate) use self::request::{Call, Failure, OnCall, Origin, OutputTap, Waited};
pub(crate) use self::runner_lookup::{NoRunner, Runners};
pub(crate) use self::runner_process::{
    Half, Listener, ProgramEnd, RunnerProgram, StopRequest, die_of, run_program, split_runner,
};
pub(crate) use self::scheduler::{Answer, Capacity, End, Group, Limits, OnLimit, Reused, Submission, Timing};
pub(crate) use self::side_runs::{SideEvent, SideRuns};
pub(crate) use self::signals::{begin_clean, notice, wake_pipe};
pub(crate) use self::spawner::local::TASK_ROLE;
pub(crate) use self::stop::{Abandoned, StopReason};
pub(crate) use self::stop_run::{StopEnd, StopRefused, Stopping};
pub(crate) use self::supervisor::OPERATION_KIND;
pub(crate) use self::surroundings::{Surroundings, variable};
pub(crate) use self::synchro::{Synchro, SynchroClient};
pub(crate) use self::wants::{explain, is_want};

/// What an engine is made with.
pub(crate) struct Settings {
    /// The tie to the guardian.
    pub(crate) guarded: Guarded,
    /// Where events go.
    pub(crate) journal: Journal,
    /// What limits all tasks.
    pub(crate) limits: Limits,
    /// Grace times.
    pub(crate) timing: Timing,
    /// How long the engine waits to be closed after an interrupt, once every task has ended.
    pub(crate) patience: Duration,
    /// Where the status server listens by TCP, beside the sockets of tasks, for runners that can tell a token.
    pub(crate) status_listen: Option<SocketAddr>,
    /// What is the same for all tasks.
    pub(crate) surroundings: Surroundings,
    /// What tasks may read of their run; the job may change it while it runs.
    pub(crate) runtime: Arc<RwLock<RuntimeInfo>>,
    /// Hears what tasks write.
    pub(crate) tap: Option<OutputTap>,
    /// Tasks may write very much, and what they write is taken quickly.
    pub(crate) reads_much: bool,
    /// Hears that a task has a process, on the engine's thread.
    pub(crate) on_started: Box<dyn Fn(TaskNumber, i32) + Send>,
    /// Hears how a task ended, on the engine's thread, before anybody who waits for the task does.
    pub(crate) on_settled: Box<dyn Fn(TaskNumber, End) + Send>,
    /// Hears what a task wants that the engine does not know, on the engine's thread.
    pub(crate) on_call: OnCall,
    /// Called on the engine's thread before the process stops itself: what was announced should be shown by then.
    pub(crate) before_pause: Box<dyn Fn() + Send>,
    /// Called on the engine's thread when the run was interrupted or has passed its deadline, every task has ended, and the
    /// engine was not closed within the patience, or the grace. It has to end the process.
    pub(crate) on_abandoned: Box<dyn Fn(Abandoned) + Send>,
    /// Hears, on a thread of its own, that the engine stands still.
    pub(crate) on_stall: OnStall,
}

/// A running engine.
pub(crate) struct Engine {
    requests: Sender<Request>,
    waker: Arc<Waker>,
    interrupts: Arc<AtomicU32>,
    first_signal: Arc<AtomicI32>,
    next_wait: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Engine {
    /// Starts the engine's thread.
    pub(crate) fn start(settings: Settings) -> io::Result<Self> {
        let (requests, queue) = unbounded();
        let waker = Arc::new(Waker::new()?);
        let interrupts = Arc::new(AtomicU32::new(0));
        let first_signal = Arc::new(AtomicI32::new(0));
        let Settings { guarded, surroundings, .. } = settings;
        let Surroundings { directory, output_limit, masks, .. } = &surroundings;
        let keeper = Box::new(Folders::new(directory, *output_limit, masks.clone()));
        let spawner = Local::new(surroundings.clone(), guarded.view, settings.status_listen, settings.reads_much)?;
        let books = Books::new(BookParts {
            clock: Box::new(Stopwatch::start()),
            scheduler: Scheduler::new(settings.limits, settings.timing),
            journal: settings.journal,
            keeper,
            surroundings,
            runtime: settings.runtime,
            interrupts: Arc::clone(&interrupts),
            first_signal: Arc::clone(&first_signal),
            hooks: Hooks {
                tap: settings.tap,
                on_settled: settings.on_settled,
                on_started: settings.on_started,
                on_call: settings.on_call,
            },
        });
        let parts = Parts {
            requests: queue,
            waker: Arc::clone(&waker),
            control: Control::new(guarded),
            dispatcher: Dispatcher::new(books, Box::new(spawner)),
            before_pause: settings.before_pause,
            on_abandoned: settings.on_abandoned,
            on_stall: settings.on_stall,
            patience: settings.patience,
        };
        let supervisor = Supervisor::new(parts)?;
        let thread = thread::Builder::new().name("supervisor".to_owned()).spawn(move || supervisor.run())?;
        let thread = Mutex::new(Some(thread));
        Ok(Self { requests, waker, interrupts, first_signal, next_wait: AtomicU64::new(1), thread })
    }

    /// Hands tasks over. They start as soon as what they need and what limits them allows.
    pub(crate) fn submit(&self, tasks: Vec<Submission>, group: Option<Group>) {
        self.send(Request::Submit { tasks, group });
    }

    /// Gives a task a run directory of its own, if any, before it is submitted or while it waits to be admitted. What it runs may be
    /// known only now: its id and what it needs stay as they were.
    pub(crate) fn provide(&self, task: TaskNumber, run: Option<OwnRun>, work: Option<Box<Task>>) {
        let (requests, waker) = (self.requests.clone(), Arc::clone(&self.waker));
        if let Some(run) = &run {
            run.connect(Box::new(move || {
                // As in `send`.
                let _ = requests.send(Request::SinkHasRoom);
                waker.wake();
            }));
        }
        self.send(Request::Provide { task, run, work });
    }

    /// Returns the signal by which the run was asked to stop, if it was.
    pub(crate) fn interrupted(&self) -> Option<i32> {
        Some(self.first_signal.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }

    /// Asks for an answer when all of these tasks have ended, or when the limit is reached.
    pub(crate) fn wait(
        &self,
        tasks: Vec<TaskNumber>,
        limit: Option<(Duration, OnLimit)>,
    ) -> Receiver<Result<Waited, Failure>> {
        let id = self.next_wait.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = bounded(1);
        self.send(Request::Wait { wait: Wait { id, tasks, limit }, reply });
        answer
    }

    /// Ends tasks, without waiting for their end.
    pub(crate) fn stop(&self, tasks: Vec<TaskNumber>, reason: StopReason) {
        self.send(Request::Stop { tasks, reason });
    }

    /// Returns a way to ask which tasks start only when others have ended; the reply is called on the engine's thread.
    pub(crate) fn held_back(&self) -> impl Fn(Box<dyn FnOnce(Vec<TaskNumber>) + Send>) + Send + Sync + 'static {
        let (requests, waker) = (self.requests.clone(), Arc::clone(&self.waker));
        move |reply| {
            // As in `send`.
            let _ = requests.send(Request::HeldBack { reply });
            waker.wake();
        }
    }

    /// Has every task that has not started yet announced before it starts and after it has ended.
    pub(crate) fn use_hooks(&self) {
        self.send(Request::UseHooks);
    }

    /// Lets a task start that was announced by [`Call::Comes`], or blocks it for a reason.
    pub(crate) fn admit(&self, task: TaskNumber, refused: Option<String>) {
        self.send(Request::Admit { task, refused });
    }

    /// Lets a task leave that was announced by [`Call::Leaves`]; what has failed meanwhile makes it errored.
    pub(crate) fn dismiss(&self, task: TaskNumber, failed: Option<String>) {
        self.send(Request::Dismiss { task, failed });
    }

    /// Stops waiting for an answer about tasks that were announced.
    pub(crate) fn give_up_hooks(&self) {
        self.send(Request::GiveUpHooks);
    }

    /// Answers a task that has asked something.
    pub(crate) fn reply(&self, task: TaskNumber, reply: Reply) {
        self.send(Request::Reply { task, reply });
    }

    /// Returns how often the run was asked to stop.
    pub(crate) fn interrupts(&self) -> u32 {
        self.interrupts.load(Ordering::SeqCst)
    }

    /// Ends what is still alive, and asks for an answer when nothing is. The error is the one that made the run
    /// unrecordable.
    pub(crate) fn close(&self) -> Receiver<Result<(), Failure>> {
        let (reply, answer) = bounded(1);
        self.send(Request::Close { reply });
        answer
    }

    /// Ends the engine's thread, after its answer to [`Engine::close`]: nobody hears any more who wants this process to end.
    pub(crate) fn leave(&self) {
        self.send(Request::Leave);
        if let Some(thread) = self.thread.lock().take() {
            // A panic of that thread has ended the process already.
            let _ = thread.join();
        }
    }

    fn send(&self, request: Request) {
        // A supervisor that has ended takes no requests, and there is nothing left that they could be about.
        let _ = self.requests.send(request);
        self.waker.wake();
    }
}
