//! What is to run when, and how each task ends: a state machine without processes, clocks or files.
//!
//! [`Scheduler::handle`] takes what happened and the time, and returns what is to be done. The supervisor carries that
//! out and reports back. The scheduler is the one truth about the state of every task: a process is started only by an
//! effect of it, so that a start and a cancel cannot race.

mod attempts;
mod hooks;
mod needs;
mod queue;
mod resources;
mod stopping;
mod waiters;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use self::hooks::Leaving;
use self::queue::ReadyQueue;
pub(crate) use self::queue::{Group, Limits};
pub(crate) use self::resources::Capacity;
pub(crate) use self::resources::Slots;
use self::waiters::Waiters;
pub(crate) use self::waiters::{Answer, OnLimit, Wait, WaitId};
use super::stop::StopReason;
use super::verdict::{Evidence, Verdict};
use crate::model::{EventKind, Exit, Message, Outcome, OutputSize, Task, TaskFinished, TaskNumber, TaskQueued};

/// What happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// These tasks are to run as soon as they may.
    Submit { tasks: Vec<Submission>, group: Option<Group> },
    /// What this task does is known only now.
    Provided { task: TaskNumber, work: Box<Task> },
    /// Somebody waits for tasks.
    Wait(Wait),
    /// A task waits for the user: its time limit stands still.
    Held { task: TaskNumber },
    /// It goes on.
    Released { task: TaskNumber },
    /// These tasks are to be ended.
    Stop { tasks: Vec<TaskNumber>, reason: StopReason },
    /// Every task that is not done is to be ended, and none is to start any more.
    StopAll(StopReason),
    /// Every process is to be killed at once.
    KillAll,
    /// From now on tasks are announced before they start and after they have ended.
    UseHooks,
    /// A task that was announced may start, unless there is a reason against it.
    Admitted { task: TaskNumber, refused: Option<String> },
    /// A task whose end was announced may leave; the text says what failed meanwhile.
    Dismissed { task: TaskNumber, failed: Option<String> },
    /// Nobody will answer for tasks that were announced.
    DismissAll,
    /// The attempt that an effect asked for has a process.
    Spawned { task: TaskNumber, pid: i32 },
    /// It could not be started, for a reason that lies in the task.
    SpawnFailed { task: TaskNumber, reason: String },
    /// It could not be started for want of processes or descriptors; it is tried again when another task has ended, and
    /// after a while.
    SpawnDeferred { task: TaskNumber, reason: String },
    /// A message came on the task's channel.
    Message { task: TaskNumber, message: Message },
    /// It is known how the task ended, by what its runner says or by its output.
    Reported { task: TaskNumber, verdict: Verdict },
    /// What the runner of a task said last, of itself.
    LastWords { task: TaskNumber, words: String },
    /// A top-level section of the task's script has ended.
    SectionEnded { task: TaskNumber, outcome: Outcome },
    /// Something came on the task's channel that is no message.
    BadMessage { task: TaskNumber, what: String },
    /// The task's process has ended.
    Exited { task: TaskNumber, exit: Exit },
    /// Where the task ran is gone, and nothing is known of its end; `Gone` follows.
    Lost { task: TaskNumber, why: String },
    /// The task's process and all that it left are gone, and its output is closed.
    Gone { task: TaskNumber, written: Written, killed_leftovers: u32 },
    /// Time has passed, and everything that is known to have happened was told: what is due may be judged.
    Tick,
}

/// What an attempt has left in its files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Standard output.
    pub(crate) stdout: OutputSize,
    /// Standard error.
    pub(crate) stderr: OutputSize,
    /// The log, in which both of them stand too.
    pub(crate) log: OutputSize,
}

/// A task with the number and the folder it got in its run.
#[derive(Debug)]
pub(crate) struct Submission {
    /// Its number.
    pub(crate) number: TaskNumber,
    /// Its folder, relative to the run directory.
    pub(crate) folder: String,
    /// The task.
    pub(crate) task: Box<Task>,
    /// An outcome that was decided before anything could start: left out by a filter, a reused id, a bad definition.
    pub(crate) decided: Option<(Outcome, String)>,
    /// How it ended before the run was resumed; then nothing of it runs.
    pub(crate) reused: Option<Box<Reused>>,
}

/// A task's end in an earlier part of a resumed run.
#[derive(Debug)]
pub(crate) struct Reused {
    /// What the log said of it, to be said again.
    pub(crate) events: Vec<EventKind>,
    /// How it ended.
    pub(crate) end: End,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    /// Write this event.
    Record(EventKind),
    /// The task could start; answered by `Admitted`.
    Comes { task: TaskNumber },
    /// The task has ended, so many seconds after its last attempt started; answered by `Dismissed`.
    Leaves { task: TaskNumber, end: End, seconds: f64 },
    /// Start a process; answered by `Spawned`, `SpawnFailed` or `SpawnDeferred`.
    Spawn { task: TaskNumber, attempt: u32, slots: Slots },
    /// Ask the task's process group to end.
    Signal { task: TaskNumber, reason: StopReason },
    /// Kill everything of the task until nothing is left; answered by `Exited` and `Gone`.
    Kill { task: TaskNumber },
    /// Nothing can be started, for this want, and nothing runs that would end: the run is over.
    Starve { want: String },
    /// The job as a whole has taken longer than this limit, and what is alive was asked to end within the grace.
    Overdue { limit: Duration, grace: Duration },
    /// The task has its final outcome.
    Settled { task: TaskNumber, end: End },
    /// Answer somebody who waits.
    Answer { wait: WaitId, answer: Answer },
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct End {
    /// The outcome.
    pub(crate) outcome: Outcome,
    /// Why, unless it simply passed.
    pub(crate) reason: Option<String>,
    /// What the script gave with its result.
    pub(crate) data: Option<crate::model::Value>,
    /// How the last attempt's process ended.
    pub(crate) exit: Option<Exit>,
    /// Why it was ended from outside.
    pub(crate) stopped: Option<StopReason>,
}

/// Times that hold for every task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// From the request to end until the kill.
    pub(crate) grace: Duration,
    /// How long processes that a task leaves behind may still finish what they do.
    pub(crate) leftover_grace: Duration,
    /// How long a runner may say nothing.
    pub(crate) silence: Option<Duration>,
}

impl Default for Timing {
    fn default() -> Self {
        Self { grace: Duration::from_secs(2), leftover_grace: Duration::from_millis(200), silence: None }
    }
}

/// All tasks of a run and what limits them.
pub(crate) struct Scheduler {
    timing: Timing,
    tasks: HashMap<TaskNumber, Entry>,
    by_id: HashMap<String, TaskNumber>,
    /// Tasks that wait for an id nobody has submitted yet.
    wanted: HashMap<String, Vec<TaskNumber>>,
    ready: ReadyQueue,
    timers: BinaryHeap<Reverse<(Duration, TaskNumber)>>,
    waiters: Waiters,
    /// Tasks that settled and whose dependants have not been told. A queue, since a chain of needs can be long.
    settled: VecDeque<(String, Outcome, Vec<TaskNumber>)>,
    /// How many tasks have no outcome yet.
    open: usize,
    /// Tasks are announced before they start and after they have ended.
    has_hooks: bool,
    /// See [`Limits::max_failures`].
    max_failures: Option<u32>,
    /// When all tasks are ended and no other starts, unless that has come.
    deadline: Option<Duration>,
    /// How many tasks have ended badly, those left out that only prepare others.
    failures: u32,
    /// Since when nothing runs for want of room.
    starving_since: Option<Duration>,
    /// Set once nothing may start any more.
    closed: Option<StopReason>,
    effects: Vec<Effect>,
}

struct Entry {
    /// The task, until it is done.
    task: Option<Box<Task>>,
    phase: Phase,
    attempt: u32,
    /// How the last attempt ended, while another one is to come.
    last: Option<Box<TaskFinished>>,
    /// It was announced before its first attempt.
    is_greeted: bool,
    group: Option<Group>,
    /// Tasks that need this one.
    dependants: Vec<TaskNumber>,
}

enum Phase {
    /// Waits for so many tasks that it needs.
    Waiting { unmet: usize },
    /// Could start.
    Ready,
    /// Has been given the word to start, or runs.
    Active(Box<Active>),
    /// Has ended, and was not dismissed yet.
    Leaving(Box<Leaving>),
    /// Has its outcome.
    Done(Outcome),
}

struct Active {
    slots: Slots,
    started: Duration,
    /// Waits to be admitted.
    at_the_door: bool,
    has_process: bool,
    stop: Option<StopReason>,
    /// When the time limit strikes, then when the kill comes.
    deadline: Option<Duration>,
    /// How much of the time limit was left when the task began to wait for the user.
    held: Option<Duration>,
    killing: bool,
    evidence: Evidence,
}

impl Scheduler {
    /// Makes a scheduler without tasks.
    pub(crate) fn new(limits: Limits, timing: Timing) -> Self {
        Self {
            timing,
            tasks: HashMap::new(),
            by_id: HashMap::new(),
            wanted: HashMap::new(),
            max_failures: limits.max_failures,
            failures: 0,
            deadline: limits.deadline,
            ready: ReadyQueue::new(limits),
            timers: BinaryHeap::new(),
            waiters: Waiters::default(),
            settled: VecDeque::new(),
            open: 0,
            has_hooks: false,
            starving_since: None,
            closed: None,
            effects: Vec::new(),
        }
    }

    /// Takes what happened at `now` and returns what is to be done, in order.
    pub(crate) fn handle(&mut self, input: Input, now: Duration) -> Vec<Effect> {
        match input {
            Input::Submit { tasks, group } => self.submit(tasks, group),
            Input::Provided { task, work } => self.provide(task, work),
            Input::Wait(wait) => self.wait(&wait, now),
            Input::Stop { tasks, reason } => {
                for task in tasks {
                    self.stop(task, reason, now);
                }
            }
            Input::StopAll(reason) => self.stop_all(reason, now),
            Input::KillAll => self.kill_all(),
            Input::UseHooks => self.has_hooks = true,
            Input::Admitted { task, refused } => self.admitted(task, refused, now),
            Input::Dismissed { task, failed } => self.dismissed(task, failed),
            Input::DismissAll => self.dismiss_all(now),
            Input::Spawned { task, pid } => self.spawned(task, pid, now),
            Input::SpawnFailed { task, reason } => self.spawn_failed(task, reason, now),
            Input::SpawnDeferred { task, reason } => self.spawn_deferred(task, reason, now),
            Input::Message { task, message } => self.heard(task, message, now),
            Input::Reported { task, verdict } => self.reported(task, verdict, now),
            Input::LastWords { task, words } => {
                if let Some(active) = self.active(task) {
                    active.evidence.last_words = Some(words);
                }
            }
            Input::SectionEnded { task, outcome } => {
                if let Some(active) = self.active(task) {
                    active.evidence.take_section(outcome);
                }
            }
            Input::Held { task } => self.hold(task, now),
            Input::Released { task } => self.release_hold(task, now),
            Input::BadMessage { task, what } => self.bad_message(task, what, now),
            Input::Exited { task, exit } => self.exited(task, exit, now),
            Input::Lost { task, why } => {
                if let Some(active) = self.active(task) {
                    active.evidence.lost = Some(why);
                }
            }
            Input::Gone { task, written, killed_leftovers } => {
                self.finish_attempt(task, written, killed_leftovers, now);
            }
            // Only here: what has happened by `now` was told before.
            Input::Tick => self.strike(now),
        }
        self.heed_failures(now);
        self.tell_dependants();
        self.start_ready(now);
        std::mem::take(&mut self.effects)
    }

    /// Returns when `Tick` is due at the latest.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        // Once nothing may start, what is held does not matter.
        let held = self.ready.next_deadline().filter(|_| self.closed.is_none());
        timer.into_iter().chain(self.waiters.next_deadline()).chain(held).chain(self.deadline).min()
    }

    /// Returns how long a runner may say nothing.
    pub(crate) const fn silence(&self) -> Option<Duration> {
        self.timing.silence
    }

    /// Returns whether every task has its outcome.
    pub(crate) fn is_idle(&self) -> bool {
        self.open == 0
    }

    /// Returns the tasks that start only when others have ended: what can start has been started.
    pub(crate) fn held_back(&self) -> Vec<TaskNumber> {
        let is_held = |entry: &Entry| matches!(entry.phase, Phase::Waiting { .. } | Phase::Ready);
        self.tasks.iter().filter(|(_, entry)| is_held(entry)).map(|(number, _)| *number).collect()
    }

    /// Returns the ids of the tasks of which a time has ended that was not judged yet, by their numbers.
    pub(crate) fn overdue(&self, now: Duration) -> Vec<&str> {
        let is_due = |entry: &Entry| match &entry.phase {
            Phase::Active(active) => active.deadline.is_some_and(|at| at <= now),
            _ => false,
        };
        let mut due: Vec<_> = self.tasks.iter().filter(|(_, entry)| is_due(entry)).collect();
        due.sort_by_key(|(number, _)| **number);
        due.into_iter().filter_map(|(_, entry)| Some(entry.task.as_ref()?.id.as_str())).collect()
    }

    /// Returns the task, unless it is done.
    pub(crate) fn task(&self, number: TaskNumber) -> Option<&Task> {
        self.tasks.get(&number)?.task.as_deref()
    }

    fn active(&mut self, task: TaskNumber) -> Option<&mut Active> {
        match &mut self.tasks.get_mut(&task)?.phase {
            Phase::Active(active) => Some(active),
            _ => None,
        }
    }

    fn submit(&mut self, submissions: Vec<Submission>, group: Option<Group>) {
        let mut numbers = Vec::with_capacity(submissions.len());
        let mut decided = Vec::new();
        let mut known = Vec::new();
        for Submission { number, folder, task, decided: outcome, reused } in submissions {
            self.effects.push(Effect::Record(EventKind::TaskQueued(Box::new(TaskQueued {
                task: number,
                id: task.id.clone(),
                kind: task.runnable.kind.clone(),
                uri: task.runnable.uri.clone().unwrap_or_default(),
                folder,
                tags: task.tags.clone(),
                place: task.place.clone(),
                retries: task.retries,
                prepares: task.prepares,
                elsewhere: task.cwd.is_some() || task.runner.is_some(),
                inputs: task.inputs.clone(),
                variant: task.variant.clone(),
            }))));
            // A reused id stays the id of its first owner.
            if !self.by_id.contains_key(&task.id) {
                self.by_id.insert(task.id.clone(), number);
            }
            let entry = Entry {
                task: Some(task),
                phase: Phase::Waiting { unmet: 0 },
                attempt: 0,
                last: None,
                is_greeted: false,
                group,
                dependants: Vec::new(),
            };
            self.tasks.insert(number, entry);
            self.open += 1;
            match (outcome, reused) {
                (Some(outcome), _) => decided.push((number, outcome)),
                (None, Some(reused)) => {
                    self.effects.extend(reused.events.into_iter().map(Effect::Record));
                    known.push((number, reused.end));
                }
                (None, None) => numbers.push(number),
            }
        }
        for (number, end) in known {
            self.settle(number, end);
        }
        for (number, (outcome, reason)) in decided {
            self.settle_unstarted(number, outcome, reason, None);
        }
        for &number in &numbers {
            self.link(number);
        }
        for cycle in self.find_cycles(&numbers) {
            let ids: Vec<&str> = cycle.iter().filter_map(|number| Some(self.task(*number)?.id.as_str())).collect();
            let reason = format!("needs itself: {} needs {}", ids.join(" needs "), ids.first().unwrap_or(&""));
            for number in cycle {
                self.settle_unstarted(number, Outcome::Errored, reason.clone(), None);
            }
        }
        // A run that is being stopped takes note of what was asked for, and starts nothing.
        if let Some(reason) = self.closed {
            for number in numbers {
                self.stop(number, reason, Duration::ZERO);
            }
        }
    }

    fn make_ready(&mut self, number: TaskNumber) {
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        let Some(task) = &entry.task else { return };
        entry.phase = Phase::Ready;
        self.ready.push(number, entry.group, &task.resources);
    }

    /// Gives an outcome to a task that has no process and will have none.
    fn settle_unstarted(&mut self, number: TaskNumber, outcome: Outcome, reason: String, stopped: Option<StopReason>) {
        // It may have got its outcome in the same breath, as a member of two circles.
        if self.task(number).is_none() {
            return;
        }
        if let Some(last) = self.tasks.get_mut(&number).and_then(|entry| entry.last.take()) {
            return self.settle_without_retry(*last, outcome, &reason, stopped);
        }
        self.effects.push(Effect::Record(EventKind::TaskFinished(Box::new(TaskFinished {
            status: stopped.and_then(StopReason::status_of_unstarted),
            reason: Some(reason.clone()),
            dangling: stopped == Some(StopReason::Dangling),
            ..TaskFinished::new(number, 0, outcome)
        }))));
        self.settle(number, End { outcome, reason: Some(reason), data: None, exit: None, stopped });
    }

    /// Gives an outcome to a task that was tried, and will not be tried again although it was to be.
    fn settle_without_retry(
        &mut self,
        last: TaskFinished,
        outcome: Outcome,
        reason: &str,
        stopped: Option<StopReason>,
    ) {
        let told = last.reason.clone().unwrap_or_else(|| last.outcome.to_string());
        let reason = format!("{told} (attempt {}); another attempt: {reason}", last.attempt);
        let finished = TaskFinished {
            // What it was is not made better by not being tried again.
            outcome: last.outcome.and(outcome),
            reason: Some(reason),
            will_retry: false,
            dangling: stopped == Some(StopReason::Dangling),
            ..last
        };
        let TaskFinished { task, outcome, .. } = finished;
        let end =
            End { outcome, reason: finished.reason.clone(), data: finished.data.clone(), exit: finished.exit, stopped };
        self.effects.push(Effect::Record(EventKind::TaskFinished(Box::new(finished))));
        self.settle(task, end);
    }

    fn settle(&mut self, number: TaskNumber, end: End) {
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        let outcome = end.outcome;
        let task = entry.task.take();
        let counts = task.as_ref().is_some_and(|task| task.counts());
        if counts && outcome.is_failure() {
            self.failures += 1;
        }
        let id = task.map(|task| task.id).unwrap_or_default();
        entry.phase = Phase::Done(outcome);
        let dependants = std::mem::take(&mut entry.dependants);
        self.effects.push(Effect::Settled { task: number, end });
        for wait in self.waiters.settled(number) {
            self.effects.push(Effect::Answer { wait, answer: Answer::Settled });
        }
        self.open -= 1;
        self.settled.push_back((id, outcome, dependants));
    }

    fn wait(&mut self, wait: &Wait, now: Duration) {
        self.give_up_unmeetable(&wait.tasks);
        let open: Vec<TaskNumber> = (wait.tasks.iter().copied())
            .filter(|number| self.tasks.get(number).is_some_and(|entry| !matches!(entry.phase, Phase::Done(_))))
            .collect();
        if open.is_empty() {
            self.effects.push(Effect::Answer { wait: wait.id, answer: Answer::Settled });
        } else {
            self.waiters.add(wait, open, now);
        }
    }
}
