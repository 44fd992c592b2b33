//! The thread that carries out what the scheduler decides, and tells it what happens.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, TryRecvError};
use parking_lot::RwLock;
use rustix::process::{Pid, Signal, WaitId as WaitFor, WaitIdOptions, kill_process_group, pidfd_send_signal, waitid};

use super::clock::Stopwatch;
use super::control::Control;
use super::descendants::{self, Descendants};
use super::journal::Journal;
use super::output::Flow;
use super::reactor::{Reactor, Source};
use super::request::{Failure, OutputTap, Request, Waited, Waker};
use super::scheduler::{Answer, Effect, End, Input, Scheduler, Slots, WaitId};
use super::spawn::{self, Attempt, Launched, SpawnError, Surroundings};
use super::stop::StopReason;
use crate::model::{EventKind, Exit, OutputSize, RuntimeInfo, Stream, TaskNumber};
use crate::store;

/// How often descendants are looked for again while some are being killed.
const KILL_INTERVAL: Duration = Duration::from_millis(2);

/// How often the log is brought to the disk, and orphans are looked at, while tasks run.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(1);

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
    pub(super) tap: Option<OutputTap>,
    pub(super) on_settled: Box<dyn Fn(TaskNumber, End) + Send>,
    pub(super) on_started: Box<dyn Fn(TaskNumber, i32) + Send>,
    pub(super) on_abandoned: Box<dyn Fn(i32) + Send>,
    pub(super) grace: Duration,
}

/// See the module.
pub(super) struct Supervisor {
    parts: Parts,
    reactor: Reactor,
    clock: Stopwatch,
    descendants: Descendants,
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
    failure: Option<Failure>,
    interrupted: Option<Interrupted>,
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
    exit: Option<Exit>,
    stdout_open: bool,
    stderr_open: bool,
    killing: bool,
    killed: Vec<i32>,
}

impl Supervisor {
    pub(super) fn new(parts: Parts) -> io::Result<Self> {
        let reactor = Reactor::new()?;
        reactor.watch(&*parts.waker, Source::Waker)?;
        reactor.watch(parts.control.guardian(), Source::Guardian)?;
        reactor.watch(parts.control.signals(), Source::Signals)?;
        let descendants = Descendants::new(&parts.surroundings.run_id);
        Ok(Self {
            parts,
            reactor,
            clock: Stopwatch::start(),
            descendants,
            live: HashMap::new(),
            groups: HashMap::new(),
            folders: HashMap::new(),
            waiting: HashMap::new(),
            records: Vec::new(),
            replies: Vec::new(),
            inputs: Vec::new(),
            buffer: vec![0; 64 << 10],
            failure: None,
            interrupted: None,
            housekeeping_at: HOUSEKEEPING_INTERVAL,
            closing: None,
        })
    }

    /// Runs until the engine is closed and every task has ended.
    pub(super) fn run(mut self) {
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
        if self.live.values().any(|live| live.killing || live.exit.is_some()) {
            at(now + KILL_INTERVAL);
        }
        if let Some(interrupted) = &self.interrupted {
            at(interrupted.give_up_at);
        }
        next.map(|next| next.saturating_sub(now))
    }

    fn is_over(&mut self) -> bool {
        if !self.parts.scheduler.is_idle() || !self.live.is_empty() {
            return false;
        }
        if let Some(reply) = self.closing.take() {
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
                Ok(Request::Submit { tasks, group }) => {
                    self.folders.extend(tasks.iter().map(|task| (task.number, task.folder.clone())));
                    self.inputs.push(Input::Submit { tasks, group });
                }
                Ok(Request::Wait { wait, reply }) => {
                    self.waiting.insert(wait.id, reply);
                    self.inputs.push(Input::Wait(wait));
                }
                Ok(Request::Stop { tasks, reason }) => self.inputs.push(Input::Stop { tasks, reason }),
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

    fn spawn(&mut self, number: TaskNumber, attempt: u32, slots: &Slots) {
        let Some(task) = self.parts.scheduler.task(number) else { return };
        let folder = self.folders.get(&number).map(String::as_str).unwrap_or_default();
        let folder = store::attempt_folder(folder, attempt);
        let folder = self.parts.surroundings.directory.join(folder);
        let runtime = self.parts.runtime.read();
        let attempt = Attempt { task, number, attempt, folder, slots, runtime: &runtime };
        let spawned = spawn::spawn(&attempt, &self.parts.surroundings);
        drop(runtime);
        match spawned {
            Ok(launched) => self.watch(number, launched),
            Err(SpawnError::Task(reason)) => self.inputs.push(Input::SpawnFailed { task: number, reason }),
            Err(SpawnError::Exhausted(reason)) => self.inputs.push(Input::SpawnDeferred { task: number, reason }),
            Err(SpawnError::Storage(path, error)) => {
                let reason = format!("cannot write {}: {error}", path.display());
                self.inputs.push(Input::SpawnFailed { task: number, reason });
                self.fail(Failure::at(&path, &error));
            }
        }
    }

    fn watch(&mut self, number: TaskNumber, mut launched: Launched) {
        let pid = launched.pid;
        let mut watched = self
            .reactor
            .watch(&launched.pidfd, Source::Process(number))
            .and_then(|()| self.reactor.watch(&launched.stdout, Source::Stdout(number)))
            .and_then(|()| self.reactor.watch(&launched.stderr, Source::Stderr(number)));
        if let Some(channel) = &mut launched.channel {
            let unsent = channel.flush();
            watched = watched
                .and_then(|()| self.reactor.watch(&*channel, Source::Channel(number)))
                .and_then(|()| self.reactor.rewatch(&*channel, Source::Channel(number), unsent));
        }
        self.groups.insert(pid, number);
        let live =
            Live { launched, exit: None, stdout_open: true, stderr_open: true, killing: false, killed: Vec::new() };
        self.live.insert(number, live);
        (self.parts.on_started)(number, pid);
        self.inputs.push(Input::Spawned { task: number, pid });
        if let Err(error) = watched {
            self.fail(Failure::new("watching a task", &error));
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
            Source::Stdout(task) => {
                self.read_output(task, Stream::Stdout, 1);
            }
            Source::Stderr(task) => {
                self.read_output(task, Stream::Stderr, 1);
            }
            Source::Channel(task) => self.talk(task),
        }
    }

    fn talk(&mut self, task: TaskNumber) {
        let Some(live) = self.live.get_mut(&task) else { return };
        let Some(channel) = &mut live.launched.channel else { return };
        let unsent = channel.flush();
        let received = channel.receive(&mut self.buffer);
        if received.closed {
            self.reactor.forget(&*channel);
            live.launched.channel = None;
        } else if !unsent {
            let _ = self.reactor.rewatch(&*channel, Source::Channel(task), false);
        }
        self.inputs.extend(received.messages.into_iter().map(|message| match message {
            Ok(message) => Input::Message { task, message },
            Err(what) => Input::BadMessage { task, what },
        }));
    }

    /// Reads one stream of a task at most `times` times; returns whether it may still bring something.
    fn read_output(&mut self, task: TaskNumber, stream: Stream, times: usize) -> bool {
        for _ in 0..times {
            let Some(live) = self.live.get_mut(&task) else { return false };
            let (capture, open) = match stream {
                Stream::Stdout => (&mut live.launched.stdout, &mut live.stdout_open),
                Stream::Stderr => (&mut live.launched.stderr, &mut live.stderr_open),
            };
            if !*open {
                return false;
            }
            match capture.read_once(&mut self.buffer) {
                Ok((_, Flow::Closed)) => {
                    *open = false;
                    self.reactor.forget(&*capture);
                    return false;
                }
                Ok((_, Flow::Dry)) => return true,
                Ok((count, Flow::More)) => {
                    if let Some(tap) = &self.parts.tap {
                        tap(task, stream, &self.buffer[..count]);
                    }
                }
                Err(error) => {
                    let path = capture.path().to_owned();
                    *open = false;
                    self.reactor.forget(&*capture);
                    self.fail(Failure::at(&path, &error));
                    return false;
                }
            }
        }
        true
    }

    fn process_ended(&mut self, task: TaskNumber) {
        let Some(live) = self.live.get_mut(&task) else { return };
        if live.exit.is_some() {
            return;
        }
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let exit = match waitid(WaitFor::PidFd(std::os::fd::AsFd::as_fd(&live.launched.pidfd)), options) {
            Ok(Some(status)) => match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, Some(signal)) => Exit::Signal(signal),
                (None, None) => return,
            },
            Ok(None) | Err(rustix::io::Errno::INTR) => return,
            // Somebody else reaped it: what it left by is not known, so it is not said to be good.
            Err(_) => Exit::Code(255),
        };
        live.exit = Some(exit);
        self.reactor.forget(&live.launched.pidfd);
        self.talk(task);
        self.inputs.push(Input::Exited { task, exit });
        self.sweep(task);
    }

    /// Looks whether anything of a task is left, kills it if it is to be killed, and reports when nothing is.
    fn sweep(&mut self, task: TaskNumber) {
        let Some(live) = self.live.get_mut(&task) else { return };
        if live.exit.is_none() {
            if live.killing {
                kill_group(live.launched.pid, Signal::KILL);
            }
            return;
        }
        self.descendants.scan(&self.groups);
        let is_open = |number| self.live.contains_key(&number);
        let left = self.descendants.of(task, is_open);
        if !left.is_empty() {
            if let Some(live) = self.live.get_mut(&task)
                && live.killing
            {
                for pid in left {
                    descendants::kill_child(pid);
                    if !live.killed.contains(&pid) {
                        live.killed.push(pid);
                    }
                }
            }
            return;
        }
        // Nobody is left to write: what the pipes still hold is all there is.
        while self.read_output(task, Stream::Stdout, 16) && !self.is_dry(task, Stream::Stdout) {}
        while self.read_output(task, Stream::Stderr, 16) && !self.is_dry(task, Stream::Stderr) {}
        self.gone(task);
    }

    fn is_dry(&mut self, task: TaskNumber, stream: Stream) -> bool {
        let Some(live) = self.live.get(&task) else { return true };
        let capture = match stream {
            Stream::Stdout => &live.launched.stdout,
            Stream::Stderr => &live.launched.stderr,
        };
        rustix::io::ioctl_fionread(capture).is_ok_and(|bytes| bytes == 0)
    }

    fn gone(&mut self, task: TaskNumber) {
        let Some(live) = self.live.remove(&task) else { return };
        let Live { launched, killed, .. } = live;
        if self.groups.get(&launched.pid) == Some(&task) {
            self.groups.remove(&launched.pid);
        }
        let mut sizes = [OutputSize::default(); 2];
        for (size, capture) in sizes.iter_mut().zip([launched.stdout, launched.stderr]) {
            let path = capture.path().to_owned();
            match capture.finish() {
                Ok(done) => *size = done,
                Err(error) => self.fail(Failure::at(&path, &error)),
            }
        }
        let killed_leftovers = u32::try_from(killed.len()).unwrap_or(u32::MAX);
        self.inputs.push(Input::Gone { task, stdout: sizes[0], stderr: sizes[1], killed_leftovers });
    }

    fn keep_house(&mut self) {
        let now = self.clock.elapsed();
        let leaving: Vec<TaskNumber> =
            (self.live.iter()).filter(|(_, live)| live.killing || live.exit.is_some()).map(|(task, _)| *task).collect();
        for task in leaving {
            self.sweep(task);
        }
        if now >= self.housekeeping_at && !self.live.is_empty() {
            self.housekeeping_at = now + HOUSEKEEPING_INTERVAL;
            self.descendants.scan(&self.groups);
            if let Err(error) = self.parts.journal.sync_in_background() {
                self.fail(Failure::from(error));
            }
        }
    }

    fn signal(&self, task: TaskNumber, signal: Signal) {
        let Some(live) = self.live.get(&task) else { return };
        if live.exit.is_none() {
            kill_group(live.launched.pid, signal);
            // A task that stands still could not heed it.
            kill_group(live.launched.pid, Signal::CONT);
        }
    }

    fn hear_guardian(&mut self) {
        match self.parts.control.hear_guardian() {
            Some(signals) => {
                for signal in signals {
                    self.take_signal(signal);
                }
            }
            None => self.die_with_guardian(),
        }
    }

    /// The guardian was killed. Nobody would end the tasks after us, so they end now, and the run is lost: as after a
    /// `kill -9` of the host, which to the user is the guardian.
    fn die_with_guardian(&mut self) -> ! {
        for live in self.live.values() {
            let _ = pidfd_send_signal(&live.launched.pidfd, Signal::KILL);
        }
        super::guardian::end_all_children();
        super::guardian::leave(137);
    }

    fn take_signal(&mut self, signal: i32) {
        match signal {
            libc::SIGTSTP | libc::SIGTTIN if self.parts.control.wants_terminal(signal) => {}
            libc::SIGTSTP | libc::SIGTTIN => self.pause(),
            libc::SIGCONT => {}
            libc::SIGQUIT => self.interrupt(signal, 2),
            _ => self.interrupt(signal, 1),
        }
    }

    fn interrupt(&mut self, signal: i32, weight: u32) {
        let times = self.parts.interrupts.fetch_add(weight, Ordering::SeqCst) + weight;
        self.records.push(EventKind::Interrupted { signal, times });
        let now = self.clock.elapsed();
        let signal = self.interrupted.as_ref().map_or(signal, |first| first.signal);
        let patience = if times >= 2 { Duration::ZERO } else { self.parts.grace + Duration::from_millis(100) };
        let give_up_at = now + patience;
        self.interrupted = Some(Interrupted { signal, give_up_at });
        self.inputs.push(Input::StopAll(StopReason::Interrupted(signal)));
        if times >= 2 {
            self.inputs.push(Input::KillAll);
        }
        // A wait on a task is over at once, so that main can put its things in order while tasks end.
        self.replies.extend(self.waiting.keys().map(|wait| (*wait, Answer::StillRunning)));
    }

    fn pause(&mut self) {
        self.settle_inputs();
        self.records.push(EventKind::Paused {});
        self.flush();
        self.clock.pause();
        self.signal_everything(Signal::STOP);
        self.parts.control.stop_ourselves();
        // Here somebody has sent SIGCONT.
        self.signal_everything(Signal::CONT);
        self.clock.resume();
        self.records.push(EventKind::Resumed {});
    }

    fn signal_everything(&mut self, signal: Signal) {
        self.descendants.scan(&self.groups);
        for (task, live) in &self.live {
            if live.exit.is_none() {
                kill_group(live.launched.pid, signal);
            }
            for pid in self.descendants.of(*task, |_| false) {
                descendants::signal_child(pid, signal);
            }
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
