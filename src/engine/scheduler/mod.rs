//! What is to run when, and how each task ends: a state machine without processes, clocks or files.
//!
//! [`Scheduler::handle`] takes what happened and the time, and returns what is to be done. The supervisor carries that
//! out and reports back. The scheduler is the one truth about the state of every task: a process is started only by an
//! effect of it, so that a start and a cancel cannot race.

mod queue;
mod resources;
mod waiters;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use self::queue::ReadyQueue;
pub(crate) use self::queue::{Group, Limits};
pub(crate) use self::resources::Capacity;
pub(crate) use self::resources::Slots;
use self::waiters::Waiters;
pub(crate) use self::waiters::{Answer, OnLimit, Wait, WaitId};
use super::stop::StopReason;
use super::verdict::{self, Evidence, Verdict};
use crate::model::{EventKind, Exit, Message, Outcome, OutputSize, Task, TaskFinished, TaskNumber, TaskQueued};

/// What happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// These tasks are to run as soon as they may.
    Submit { tasks: Vec<Submission>, group: Option<Group> },
    /// Somebody waits for tasks.
    Wait(Wait),
    /// These tasks are to be ended.
    Stop { tasks: Vec<TaskNumber>, reason: StopReason },
    /// Every task that is not done is to be ended, and none is to start any more.
    StopAll(StopReason),
    /// Every process is to be killed at once.
    KillAll,
    /// The attempt that an effect asked for has a process.
    Spawned { task: TaskNumber, pid: i32 },
    /// It could not be started, for a reason that lies in the task.
    SpawnFailed { task: TaskNumber, reason: String },
    /// It could not be started for want of processes or descriptors; it is tried again when another task has ended.
    SpawnDeferred { task: TaskNumber, reason: String },
    /// A message came on the task's channel.
    Message { task: TaskNumber, message: Message },
    /// Something came on the task's channel that is no message.
    BadMessage { task: TaskNumber, what: String },
    /// The task's process has ended.
    Exited { task: TaskNumber, exit: Exit },
    /// The task's process and all that it left are gone, and its output is closed.
    Gone { task: TaskNumber, stdout: OutputSize, stderr: OutputSize, killed_leftovers: u32 },
    /// Time has passed.
    Tick,
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
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    /// Write this event.
    Record(EventKind),
    /// Start a process; answered by `Spawned`, `SpawnFailed` or `SpawnDeferred`.
    Spawn { task: TaskNumber, attempt: u32, slots: Slots },
    /// Ask the task's process group to end.
    Signal { task: TaskNumber, reason: StopReason },
    /// Kill everything of the task until nothing is left; answered by `Exited` and `Gone`.
    Kill { task: TaskNumber },
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
    pub(crate) data: Option<serde_json::Value>,
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
}

impl Default for Timing {
    fn default() -> Self {
        Self { grace: Duration::from_secs(2), leftover_grace: Duration::from_millis(200) }
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
    /// Set once nothing may start any more.
    closed: Option<StopReason>,
    effects: Vec<Effect>,
}

struct Entry {
    /// The task, until it is done.
    task: Option<Box<Task>>,
    phase: Phase,
    attempt: u32,
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
    /// Has its outcome.
    Done(Outcome),
}

struct Active {
    slots: Slots,
    started: Duration,
    has_process: bool,
    stop: Option<StopReason>,
    /// When the time limit strikes, then when the kill comes.
    deadline: Option<Duration>,
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
            ready: ReadyQueue::new(limits),
            timers: BinaryHeap::new(),
            waiters: Waiters::default(),
            settled: VecDeque::new(),
            open: 0,
            closed: None,
            effects: Vec::new(),
        }
    }

    /// Takes what happened at `now` and returns what is to be done, in order.
    pub(crate) fn handle(&mut self, input: Input, now: Duration) -> Vec<Effect> {
        match input {
            Input::Submit { tasks, group } => self.submit(tasks, group),
            Input::Wait(wait) => self.wait(wait, now),
            Input::Stop { tasks, reason } => {
                for task in tasks {
                    self.stop(task, reason, now);
                }
            }
            Input::StopAll(reason) => self.stop_all(reason, now),
            Input::KillAll => self.kill_all(),
            Input::Spawned { task, pid } => self.spawned(task, pid, now),
            Input::SpawnFailed { task, reason } => self.spawn_failed(task, reason, now),
            Input::SpawnDeferred { task, reason } => self.spawn_deferred(task, reason, now),
            Input::Message { task, message } => {
                if let Some(active) = self.active(task) {
                    active.evidence.take_message(message);
                }
            }
            Input::BadMessage { task, what } => self.bad_message(task, what, now),
            Input::Exited { task, exit } => self.exited(task, exit, now),
            Input::Gone { task, stdout, stderr, killed_leftovers } => {
                self.gone(task, stdout, stderr, killed_leftovers, now);
            }
            Input::Tick => {}
        }
        self.strike(now);
        self.tell_dependants();
        self.start_ready(now);
        std::mem::take(&mut self.effects)
    }

    /// Returns when `Tick` is due at the latest.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        timer.into_iter().chain(self.waiters.next_deadline()).min()
    }

    /// Returns whether every task has its outcome.
    pub(crate) fn is_idle(&self) -> bool {
        self.open == 0
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
        for Submission { number, folder, task, decided: outcome } in submissions {
            self.effects.push(Effect::Record(EventKind::TaskQueued(Box::new(TaskQueued {
                task: number,
                id: task.id.clone(),
                kind: task.runnable.kind.clone(),
                uri: task.runnable.uri.clone().unwrap_or_default(),
                folder,
                tags: task.tags.clone(),
                place: task.place.clone(),
                retries: task.retries,
            }))));
            // A reused id stays the id of its first owner.
            if !self.by_id.contains_key(&task.id) {
                self.by_id.insert(task.id.clone(), number);
            }
            let entry = Entry {
                task: Some(task),
                phase: Phase::Waiting { unmet: 0 },
                attempt: 0,
                group,
                dependants: Vec::new(),
            };
            self.tasks.insert(number, entry);
            self.open += 1;
            match outcome {
                Some(outcome) => decided.push((number, outcome)),
                None => numbers.push(number),
            }
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

    /// Connects a new task with those that it needs and those that wait for it.
    fn link(&mut self, number: TaskNumber) {
        let Some(task) = self.task(number) else { return };
        let (id, needs) = (task.id.clone(), task.needs.clone());
        if let Some(reason) = self.ready.impossible(&task.resources) {
            self.settle_unstarted(number, Outcome::Errored, reason, None);
            return;
        }
        let mut unmet = 0;
        for need in needs {
            match self.by_id.get(&need) {
                Some(&needed) => match self.tasks[&needed].phase {
                    Phase::Done(outcome) if outcome.is_pass() => {}
                    Phase::Done(outcome) => {
                        self.settle_unstarted(number, Outcome::Blocked, blocked_by(&need, outcome), None);
                        return;
                    }
                    _ => {
                        unmet += 1;
                        self.tasks.entry(needed).and_modify(|entry| entry.dependants.push(number));
                    }
                },
                None => {
                    unmet += 1;
                    self.wanted.entry(need).or_default().push(number);
                }
            }
        }
        if let Some(waiting) = self.wanted.remove(&id) {
            self.tasks.entry(number).and_modify(|entry| entry.dependants.extend(waiting));
        }
        if unmet == 0 {
            self.make_ready(number);
        } else if let Some(entry) = self.tasks.get_mut(&number) {
            entry.phase = Phase::Waiting { unmet };
        }
    }

    /// Returns the circles of needs among `numbers`, each as its members.
    fn find_cycles(&self, numbers: &[TaskNumber]) -> Vec<Vec<TaskNumber>> {
        let is_waiting = |number: TaskNumber| matches!(self.tasks[&number].phase, Phase::Waiting { .. });
        let mut cycles = Vec::new();
        let mut seen = HashSet::new();
        for &start in numbers {
            if !is_waiting(start) || !seen.insert(start) {
                continue;
            }
            let mut path: Vec<(TaskNumber, usize)> = vec![(start, 0)];
            let mut on_path = HashSet::from([start]);
            while let Some((number, next)) = path.last_mut() {
                let Some(need) = self.task(*number).and_then(|task| task.needs.get(*next)) else {
                    on_path.remove(number);
                    path.pop();
                    continue;
                };
                *next += 1;
                let Some(&needed) = self.by_id.get(need) else { continue };
                if on_path.contains(&needed) {
                    let members = path.iter().map(|(number, _)| *number).skip_while(|number| *number != needed);
                    cycles.push(members.collect());
                } else if is_waiting(needed) && seen.insert(needed) {
                    on_path.insert(needed);
                    path.push((needed, 0));
                }
            }
        }
        cycles
    }

    fn make_ready(&mut self, number: TaskNumber) {
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        let Some(task) = &entry.task else { return };
        entry.phase = Phase::Ready;
        self.ready.push(number, entry.group, &task.resources);
    }

    fn start_ready(&mut self, now: Duration) {
        while self.closed.is_none() {
            let tasks = &self.tasks;
            let is_ready = |number| tasks.get(&number).is_some_and(|entry| matches!(entry.phase, Phase::Ready));
            let Some((number, slots)) = self.ready.take(is_ready) else { break };
            let Some(entry) = self.tasks.get_mut(&number) else { continue };
            entry.attempt += 1;
            let limit = entry.task.as_ref().and_then(|task| task.max_runtime);
            self.effects.push(Effect::Spawn { task: number, attempt: entry.attempt, slots: slots.clone() });
            let deadline = limit.map(|limit| now + limit);
            entry.phase = Phase::Active(Box::new(Active {
                slots,
                started: now,
                has_process: false,
                stop: None,
                deadline,
                killing: false,
                evidence: Evidence::default(),
            }));
            self.arm(number, deadline);
        }
    }

    fn spawned(&mut self, task: TaskNumber, pid: i32, now: Duration) {
        let Some(entry) = self.tasks.get_mut(&task) else { return };
        let attempt = entry.attempt;
        let Phase::Active(active) = &mut entry.phase else { return };
        active.has_process = true;
        active.started = now;
        self.effects.push(Effect::Record(EventKind::TaskStarted { task, attempt, pid }));
        let (stop, killing) = (active.stop, active.killing);
        // It was stopped between the word to start and the start.
        if let Some(reason) = stop {
            self.effects.push(Effect::Signal { task, reason });
        }
        if killing {
            self.effects.push(Effect::Kill { task });
        }
    }

    fn spawn_failed(&mut self, task: TaskNumber, reason: String, now: Duration) {
        let Some(active) = self.active(task) else { return };
        active.evidence.cannot_start = Some(reason);
        self.finish_attempt(task, OutputSize::default(), OutputSize::default(), 0, now);
    }

    fn spawn_deferred(&mut self, task: TaskNumber, reason: String, now: Duration) {
        let others_run = self
            .tasks
            .iter()
            .any(|(number, entry)| *number != task && matches!(&entry.phase, Phase::Active(a) if a.has_process));
        if !others_run || self.active(task).is_some_and(|active| active.stop.is_some()) {
            self.spawn_failed(task, reason, now);
            return;
        }
        let Some(entry) = self.tasks.get_mut(&task) else { return };
        let Phase::Active(active) = std::mem::replace(&mut entry.phase, Phase::Ready) else { return };
        entry.attempt -= 1;
        let Some(spec) = &entry.task else { return };
        self.ready.give_back(entry.group, &spec.resources, &active.slots);
        self.ready.push_front(task, entry.group, &spec.resources);
        self.ready.hold_until_release();
    }

    fn bad_message(&mut self, task: TaskNumber, what: String, now: Duration) {
        let Some(active) = self.active(task) else { return };
        active.evidence.protocol_error.get_or_insert(what);
        self.stop(task, StopReason::Protocol, now);
    }

    fn exited(&mut self, task: TaskNumber, exit: Exit, now: Duration) {
        let leftover_grace = self.timing.leftover_grace;
        let Some(active) = self.active(task) else { return };
        active.evidence.exit = Some(exit);
        // What the process left behind may finish until the kill is due. A time limit no longer strikes: the process
        // that it was for has ended in time.
        let deadline = match (active.stop, active.deadline) {
            (Some(_), Some(kill_at)) => kill_at,
            _ => now + leftover_grace,
        };
        active.deadline = Some(deadline);
        self.arm(task, Some(deadline));
    }

    fn gone(&mut self, task: TaskNumber, stdout: OutputSize, stderr: OutputSize, killed: u32, now: Duration) {
        self.finish_attempt(task, stdout, stderr, killed, now);
    }

    fn stop(&mut self, number: TaskNumber, reason: StopReason, now: Duration) {
        let grace = self.timing.grace;
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        match &mut entry.phase {
            Phase::Done(_) => {}
            Phase::Waiting { .. } | Phase::Ready => {
                self.settle_unstarted(number, reason.outcome(), reason.text_for_unstarted(), Some(reason));
            }
            Phase::Active(active) => {
                // An exit that is already known decides; only the rest of its processes is still to go.
                let decided = active.evidence.exit.is_some();
                if decided || active.stop.is_some_and(|old| !reason.outranks(old)) {
                    return;
                }
                let first = active.stop.replace(reason).is_none();
                if !first {
                    return;
                }
                let kill_at = now + grace;
                active.deadline = Some(kill_at);
                if active.has_process {
                    self.effects.push(Effect::Signal { task: number, reason });
                }
                self.arm(number, Some(kill_at));
            }
        }
    }

    fn stop_all(&mut self, reason: StopReason, now: Duration) {
        self.closed.get_or_insert(reason);
        for number in self.unfinished() {
            self.stop(number, reason, now);
        }
    }

    fn kill_all(&mut self) {
        for number in self.unfinished() {
            self.kill(number);
        }
    }

    /// Returns the tasks that are not done, in the order of their numbers.
    fn unfinished(&self) -> Vec<TaskNumber> {
        let open = self.tasks.iter().filter(|(_, entry)| !matches!(entry.phase, Phase::Done(_)));
        let mut numbers: Vec<_> = open.map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        numbers
    }

    fn kill(&mut self, task: TaskNumber) {
        let Some(active) = self.active(task) else { return };
        active.deadline = None;
        if !std::mem::replace(&mut active.killing, true) && active.has_process {
            self.effects.push(Effect::Kill { task });
        }
    }

    fn arm(&mut self, task: TaskNumber, deadline: Option<Duration>) {
        if let Some(at) = deadline {
            self.timers.push(Reverse((at, task)));
        }
    }

    /// Does what is due at `now`.
    fn strike(&mut self, now: Duration) {
        while let Some(Reverse((at, task))) = self.timers.peek().copied()
            && at <= now
        {
            self.timers.pop();
            let Some(active) = self.active(task) else { continue };
            // A deadline that was moved left its old timer behind.
            if active.deadline != Some(at) {
                continue;
            }
            let (limit_is_due, exited) = (active.stop.is_none(), active.evidence.exit.is_some());
            let limit = self.task(task).and_then(|task| task.max_runtime);
            match limit {
                Some(limit) if limit_is_due && !exited => self.stop(task, StopReason::TimeLimit(limit), now),
                _ => self.kill(task),
            }
        }
        for (wait, tasks, limit) in self.waiters.expired(now) {
            match limit {
                Some(limit) => {
                    for task in tasks {
                        self.stop(task, StopReason::WaitLimit(limit), now);
                    }
                }
                None => self.effects.push(Effect::Answer { wait, answer: Answer::StillRunning }),
            }
        }
    }

    fn finish_attempt(
        &mut self,
        number: TaskNumber,
        stdout: OutputSize,
        stderr: OutputSize,
        killed_leftovers: u32,
        now: Duration,
    ) {
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        let Some(task) = &entry.task else { return };
        let Phase::Active(active) = std::mem::replace(&mut entry.phase, Phase::Ready) else { return };
        let Active { slots, started, stop, evidence, .. } = *active;
        let exit = evidence.exit;
        let Verdict { mut outcome, mut reason, data } = verdict::judge(&task.runnable, stop, evidence);
        let attempts = task.retries + 1;
        let could_help = matches!(outcome, Outcome::Failed | Outcome::Errored)
            && matches!(stop, None | Some(StopReason::TimeLimit(_) | StopReason::Protocol));
        let will_retry = could_help && entry.attempt < attempts && self.closed.is_none();
        if outcome == Outcome::Passed && entry.attempt > 1 {
            outcome = Outcome::Passx;
            reason = Some(format!("passed on attempt {} of {attempts}", entry.attempt));
        }
        self.ready.give_back(entry.group, &task.resources, &slots);
        self.effects.push(Effect::Record(EventKind::TaskFinished(Box::new(TaskFinished {
            task: number,
            attempt: entry.attempt,
            outcome,
            reason: reason.clone(),
            data: data.clone(),
            exit,
            seconds: now.saturating_sub(started).as_secs_f64(),
            stdout,
            stderr,
            killed_leftovers,
            will_retry,
            dangling: stop == Some(StopReason::Dangling),
        }))));
        if will_retry {
            self.make_ready(number);
        } else {
            self.settle(number, End { outcome, reason, data, exit, stopped: stop });
        }
    }

    /// Gives an outcome to a task that has no process and will have none.
    fn settle_unstarted(&mut self, number: TaskNumber, outcome: Outcome, reason: String, stopped: Option<StopReason>) {
        // It may have got its outcome in the same breath, as a member of two circles.
        if self.task(number).is_none() {
            return;
        }
        self.effects.push(Effect::Record(EventKind::TaskFinished(Box::new(TaskFinished {
            task: number,
            attempt: 0,
            outcome,
            reason: Some(reason.clone()),
            data: None,
            exit: None,
            seconds: 0.0,
            stdout: OutputSize::default(),
            stderr: OutputSize::default(),
            killed_leftovers: 0,
            will_retry: false,
            dangling: stopped == Some(StopReason::Dangling),
        }))));
        self.settle(number, End { outcome, reason: Some(reason), data: None, exit: None, stopped });
    }

    fn settle(&mut self, number: TaskNumber, end: End) {
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        let outcome = end.outcome;
        let id = entry.task.take().map(|task| task.id).unwrap_or_default();
        entry.phase = Phase::Done(outcome);
        let dependants = std::mem::take(&mut entry.dependants);
        self.effects.push(Effect::Settled { task: number, end });
        for wait in self.waiters.settled(number) {
            self.effects.push(Effect::Answer { wait, answer: Answer::Settled });
        }
        self.open -= 1;
        self.settled.push_back((id, outcome, dependants));
    }

    fn tell_dependants(&mut self) {
        while let Some((id, outcome, dependants)) = self.settled.pop_front() {
            for dependant in dependants {
                self.need_settled(dependant, &id, outcome);
            }
        }
    }

    fn need_settled(&mut self, dependant: TaskNumber, need: &str, outcome: Outcome) {
        let Some(entry) = self.tasks.get_mut(&dependant) else { return };
        let Phase::Waiting { unmet } = &mut entry.phase else { return };
        if !outcome.is_pass() {
            self.settle_unstarted(dependant, Outcome::Blocked, blocked_by(need, outcome), None);
            return;
        }
        *unmet -= 1;
        if *unmet == 0 {
            self.make_ready(dependant);
        }
    }

    fn wait(&mut self, wait: Wait, now: Duration) {
        let open: Vec<TaskNumber> = (wait.tasks.iter().copied())
            .filter(|number| self.tasks.get(number).is_some_and(|entry| !matches!(entry.phase, Phase::Done(_))))
            .collect();
        if open.is_empty() {
            self.effects.push(Effect::Answer { wait: wait.id, answer: Answer::Settled });
        } else if let Some((task, need)) = self.find_unsubmitted_need(&open) {
            self.effects.push(Effect::Answer { wait: wait.id, answer: Answer::NeedsUnstarted { task, need } });
        } else {
            self.waiters.add(wait, open, now);
        }
    }

    /// Returns a task, among `open` and what they need, that waits for an id nobody has submitted.
    fn find_unsubmitted_need(&self, open: &[TaskNumber]) -> Option<(TaskNumber, String)> {
        if self.wanted.is_empty() {
            return None;
        }
        let mut seen = HashSet::new();
        let mut look_at: Vec<TaskNumber> = open.to_vec();
        while let Some(number) = look_at.pop() {
            if !seen.insert(number) || !matches!(self.tasks[&number].phase, Phase::Waiting { .. }) {
                continue;
            }
            for need in &self.task(number)?.needs {
                match self.by_id.get(need) {
                    Some(needed) => look_at.push(*needed),
                    None => return Some((number, need.clone())),
                }
            }
        }
        None
    }
}

fn blocked_by(need: &str, outcome: Outcome) -> String {
    format!("needs '{need}', which did not pass: {outcome}")
}
