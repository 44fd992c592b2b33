//! The thread that carries out what the scheduler decides, and tells it what happens.

mod callers;
mod hearing;
mod interrupts;
mod runners;
mod status;
mod tasks;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32};
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, TryRecvError};
use parking_lot::RwLock;
use rustix::process::{Pid, Signal, kill_process_group};

use super::clock::Stopwatch;
use super::control::Control;
use super::descendants::Descendants;
use super::descriptors::Descriptors;
use super::journal::Journal;
use super::output::Capture;
use super::output_sink::SharedSink;
use super::reactor::{Reactor, Source};
use super::request::{Call, Failure, OnCall, OutputTap, Request, Waited, Waker};
use super::scheduler::{Answer, Effect, End, Input, Scheduler, WaitId};
use super::sections::Sections;
use super::signals;
use super::spawn::{Launched, Surroundings};
use super::status::{Line, NO_TASK, Status};
use super::stop::StopReason;
use super::task_log::TaskLog;
use crate::model::{EventKind, Exit, RuntimeInfo, Stream, TaskNumber};
use crate::testing::TapScan;

/// How often descendants are looked for again while some are being killed.
const KILL_INTERVAL: Duration = Duration::from_millis(2);

/// How often it is looked whether what a task has left behind is gone by itself.
const LEAVING_INTERVAL: Duration = Duration::from_millis(10);

/// How often the log is brought to the disk, and orphans are looked at, while tasks run.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(1);

/// Bytes that are read of a task at once.
const READ: usize = 64 << 10;

/// Bytes that are read at once of the only task of a run with a sink.
const SINK_READ: usize = 256 << 10;

/// How many events are written in one piece: a list of 100,000 tasks is not to be in memory once more as text.
const RECORDS_AT_ONCE: usize = 512;

/// What the supervisor needs from its makers.
pub(super) struct Parts {
    pub(super) requests: Receiver<Request>,
    pub(super) waker: Arc<Waker>,
    pub(super) control: Control,
    pub(super) scheduler: Scheduler,
    pub(super) journal: Journal,
    pub(super) surroundings: Surroundings,
    pub(super) runtime: Arc<RwLock<RuntimeInfo>>,
    pub(super) interrupts: Arc<AtomicU32>,
    /// The signal of the first request to stop; 0 for none.
    pub(super) first_signal: Arc<AtomicI32>,
    pub(super) tap: Option<OutputTap>,
    pub(super) sink: Option<SharedSink>,
    pub(super) on_settled: Box<dyn Fn(TaskNumber, End) + Send>,
    pub(super) on_started: Box<dyn Fn(TaskNumber, i32) + Send>,
    pub(super) on_call: OnCall,
    pub(super) before_pause: Box<dyn Fn() + Send>,
    pub(super) on_abandoned: Box<dyn Fn(i32) + Send>,
    pub(super) patience: Duration,
    pub(super) status_listen: Option<SocketAddr>,
}

/// See the module.
pub(super) struct Supervisor {
    parts: Parts,
    reactor: Reactor,
    clock: Stopwatch,
    descendants: Descendants,
    descriptors: Descriptors,
    status: Status,
    live: HashMap<TaskNumber, Live>,
    /// The process groups of live tasks.
    groups: HashMap<i32, TaskNumber>,
    /// Folders of tasks that have not started their first attempt yet or may start another.
    folders: HashMap<TaskNumber, String>,
    waiting: HashMap<WaitId, Sender<Result<Waited, Failure>>>,
    records: Vec<EventKind>,
    replies: Vec<(WaitId, Answer)>,
    inputs: Vec<Input>,
    buffer: Vec<u8>,
    /// Streams that are not read because the sink has no room.
    held_output: Vec<(TaskNumber, Stream)>,
    failure: Option<Failure>,
    interrupted: Option<Interrupted>,
    /// Nobody answers for tasks that are announced.
    hooks_given_up: bool,
    housekeeping_at: Duration,
    closing: Option<Sender<Result<(), Failure>>>,
}

struct Interrupted {
    signal: i32,
    /// When a `main` that has not returned is given up.
    give_up_at: Duration,
}

struct Live {
    launched: Launched,
    log: TaskLog,
    sections: Sections,
    /// Where its runner reports, if it has one.
    line: Option<Box<Line>>,
    /// Reads its standard output, if that is TAP.
    tap: Option<Box<TapScan>>,
    exit: Option<Exit>,
    stdout_open: bool,
    stderr_open: bool,
    killing: bool,
    killed: Vec<i32>,
}

impl Live {
    /// Returns where a stream is read.
    fn capture(&self, stream: Stream) -> &Capture {
        match stream {
            Stream::Stdout => &self.launched.stdout,
            Stream::Stderr => &self.launched.stderr,
        }
    }
}

impl Supervisor {
    pub(super) fn new(parts: Parts) -> io::Result<Self> {
        let reactor = Reactor::new()?;
        reactor.watch(&*parts.waker, Source::Waker)?;
        reactor.watch(parts.control.guardian(), Source::Guardian)?;
        reactor.watch(parts.control.signals(), Source::Signals)?;
        let mut status = Status::default();
        if let Some(address) = parts.status_listen {
            status.listen(address)?;
        }
        if let Some(listener) = status.listener() {
            reactor.watch(listener, Source::Listener(NO_TASK))?;
        }
        let descendants = Descendants::new(&parts.surroundings.run_id);
        let buffer = vec![0; if parts.sink.is_some() { SINK_READ } else { READ }];
        Ok(Self {
            parts,
            reactor,
            clock: Stopwatch::start(),
            descendants,
            descriptors: Descriptors::new(),
            status,
            live: HashMap::new(),
            groups: HashMap::new(),
            folders: HashMap::new(),
            waiting: HashMap::new(),
            records: Vec::new(),
            replies: Vec::new(),
            inputs: Vec::new(),
            buffer,
            held_output: Vec::new(),
            failure: None,
            interrupted: None,
            hooks_given_up: false,
            housekeeping_at: HOUSEKEEPING_INTERVAL,
            closing: None,
        })
    }

    /// Runs until the engine is closed and every task has ended.
    pub(super) fn run(mut self) {
        // Tasks inherit the mask of this thread, and theirs is to be that of any other program.
        signals::for_host().unblock();
        loop {
            self.take_requests();
            self.settle_inputs();
            self.flush();
            if self.is_over() {
                return;
            }
            let timeout =
                if self.parts.waker.falls_asleep(&self.parts.requests) { self.timeout() } else { Some(Duration::ZERO) };
            let ready = match self.reactor.wait(timeout) {
                Ok(ready) => ready,
                Err(error) => {
                    self.fail(Failure::new("waiting for tasks", &error));
                    Vec::new()
                }
            };
            self.parts.waker.is_up();
            for source in ready {
                self.attend(source);
            }
            self.keep_house();
            self.look_after_runners();
            self.give_up_hooks();
            self.inputs.push(Input::Tick);
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let now = self.clock.elapsed();
        let mut next = self.parts.scheduler.next_deadline();
        let mut at = |deadline: Duration| next = Some(next.map_or(deadline, |next| next.min(deadline)));
        if !self.live.is_empty() {
            at(self.housekeeping_at);
        }
        if self.live.values().any(|live| live.killing) {
            at(now + KILL_INTERVAL);
        } else if self.live.values().any(|live| live.exit.is_some()) {
            at(now + LEAVING_INTERVAL);
        }
        if let Some(due) = self.runners_due() {
            at(due);
        }
        if let Some(interrupted) = &self.interrupted {
            at(interrupted.give_up_at);
        }
        next.map(|next| next.saturating_sub(now))
    }

    /// Gives up on plugins that do not come to their end, after an interrupt for one.
    fn give_up_hooks(&mut self) {
        let now = self.clock.elapsed();
        let is_late = self.interrupted.as_ref().is_some_and(|interrupted| now >= interrupted.give_up_at);
        if self.live.is_empty() && (is_late || self.hooks_given_up) {
            self.inputs.push(Input::DismissAll);
        }
    }

    fn is_over(&mut self) -> bool {
        if !self.parts.scheduler.is_idle() || !self.live.is_empty() {
            return false;
        }
        if let Some(reply) = self.closing.take() {
            self.close_status();
            self.flush();
            let _ = reply.send(self.failure.clone().map_or(Ok(()), Err));
            return true;
        }
        if let Some(interrupted) = &self.interrupted
            && self.clock.elapsed() >= interrupted.give_up_at
        {
            // Main is busy with something that is not ours; what is recorded must not depend on it.
            (self.parts.on_abandoned)(interrupted.signal);
            return true;
        }
        false
    }

    fn take_requests(&mut self) {
        loop {
            match self.parts.requests.try_recv() {
                Ok(Request::SinkHasRoom) => self.release_output(),
                Ok(Request::Submit { tasks, group }) => {
                    self.folders.extend(tasks.iter().map(|task| (task.number, task.folder.clone())));
                    self.inputs.push(Input::Submit { tasks, group });
                }
                Ok(Request::Wait { wait, reply }) => {
                    self.waiting.insert(wait.id, reply);
                    self.inputs.push(Input::Wait(wait));
                }
                Ok(Request::Reply { task, reply }) => self.reply(task, &reply),
                Ok(Request::GiveUpHooks) => self.hooks_given_up = true,
                Ok(Request::UseHooks) => self.inputs.push(Input::UseHooks),
                Ok(Request::Admit { task, refused }) => self.inputs.push(Input::Admitted { task, refused }),
                Ok(Request::Dismiss { task, failed }) => self.inputs.push(Input::Dismissed { task, failed }),
                Ok(Request::Stop { tasks, reason }) => self.inputs.push(Input::Stop { tasks, reason }),
                // What can start has been started when the queue is empty.
                Ok(Request::HeldBack { reply }) => {
                    reply(self.parts.scheduler.held_back());
                }
                Ok(Request::Close { reply }) => {
                    self.closing = Some(reply);
                    self.inputs.push(Input::StopAll(StopReason::Dangling));
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
            // One at a time, so that a wait sees the tasks that were submitted before it.
            self.settle_inputs();
        }
    }

    /// Feeds the scheduler until it has nothing more to do.
    fn settle_inputs(&mut self) {
        while !self.inputs.is_empty() {
            for input in std::mem::take(&mut self.inputs) {
                let now = self.clock.elapsed();
                for effect in self.parts.scheduler.handle(input, now) {
                    self.carry_out(effect);
                }
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Record(kind) => {
                self.records.push(kind);
                if self.records.len() >= RECORDS_AT_ONCE {
                    self.write_records();
                }
            }
            Effect::Comes { task } => (self.parts.on_call)(task, Call::Comes),
            Effect::Leaves { task, end } => (self.parts.on_call)(task, Call::Leaves(Box::new(end))),
            Effect::Spawn { task, attempt, slots } => self.spawn(task, attempt, &slots),
            Effect::Signal { task, reason } => self.signal(task, reason.signal()),
            Effect::Kill { task } => {
                if let Some(live) = self.live.get_mut(&task) {
                    live.killing = true;
                }
                self.sweep(task);
            }
            Effect::Settled { task, end } => {
                self.folders.remove(&task);
                (self.parts.on_settled)(task, end);
            }
            Effect::Answer { wait, answer } => self.replies.push((wait, answer)),
        }
    }

    /// Writes what there is to write, then gives the answers that rest on it.
    fn flush(&mut self) {
        if !self.write_records() {
            self.settle_inputs();
            self.records.clear();
        }
        for (wait, answer) in std::mem::take(&mut self.replies) {
            let Some(reply) = self.waiting.remove(&wait) else { continue };
            let answer = match (&self.failure, &self.interrupted) {
                (Some(failure), _) => Err(failure.clone()),
                (None, Some(Interrupted { signal, .. })) => Ok(Waited::Interrupted(*signal)),
                (None, None) => Ok(Waited::Answer(answer)),
            };
            let _ = reply.send(answer);
        }
    }

    /// Writes the events that came together. Returns false if that failed just now.
    fn write_records(&mut self) -> bool {
        let records = std::mem::take(&mut self.records);
        if records.is_empty() || self.failure.is_some() {
            return true;
        }
        match self.parts.journal.record(records) {
            Ok(()) => true,
            Err(error) => {
                self.fail(Failure::from(error));
                false
            }
        }
    }

    /// Ends the run because it can no longer be recorded.
    fn fail(&mut self, failure: Failure) {
        if self.failure.is_none() {
            self.failure = Some(failure);
            self.inputs.push(Input::StopAll(StopReason::Unrecordable));
        }
    }

    fn attend(&mut self, source: Source) {
        match source {
            Source::Waker => self.parts.waker.drain(),
            Source::Guardian => self.hear_guardian(),
            Source::Signals => {
                for signal in self.parts.control.take_signals() {
                    self.take_signal(signal);
                }
            }
            Source::Process(task) => self.process_ended(task),
            Source::Stdout(task) => self.output_came(task, Stream::Stdout),
            Source::Stderr(task) => self.output_came(task, Stream::Stderr),
            Source::Channel(task) => self.talk(task),
            Source::Listener(NO_TASK) => self.strangers_came(),
            Source::Listener(task) => self.callers_came(task),
            Source::Caller(caller) => self.caller_speaks(caller),
        }
    }
}

/// Signals a task's process group. The caller knows that its first process has not been reaped, so that the number
/// cannot be another group's.
fn kill_group(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process_group(pid, signal);
    }
}
