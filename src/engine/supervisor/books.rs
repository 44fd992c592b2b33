//! The books of a run: what is known of its tasks, what is written of them, and who waits for them.
//!
//! Here news become inputs of the scheduler, and its effects become wishes to spawners, records and answers. Nothing in here
//! waits, or has a descriptor: a test runs it with spawners and a clock of its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

use crossbeam::channel::Sender;
use parking_lot::RwLock;

use super::live::Live;
use super::starts;
use crate::engine::clock::Clock;
use crate::engine::journal::Journal;
use crate::engine::keep::{KeepOrder, Keeper, NoKeep, OwnRun};
use crate::engine::request::{Call, Failure, OnCall, OutputTap, Request, Waited};
use crate::engine::scheduler::{Answer, Effect, End, Input, Scheduler, Slots, WaitId, Written};
use crate::engine::spawner::{Ask, AttemptId, Start};
use crate::engine::stop::{Abandoned, StopReason};
use crate::engine::surroundings::Surroundings;
use crate::engine::verdict::Verdict;
use crate::engine::way::Way;
use crate::model::{EventKind, Kind, Reply, RuntimeInfo, StopOrder, Stream, TaskNumber, TestStatus};

/// How many events are written in one piece: a list of 100,000 tasks is not to be in memory once more as text.
const RECORDS_AT_ONCE: usize = 512;

/// Whom the books tell what happens.
pub(in crate::engine) struct Hooks {
    pub(in crate::engine) tap: Option<OutputTap>,
    pub(in crate::engine) on_settled: Box<dyn Fn(TaskNumber, End) + Send>,
    pub(in crate::engine) on_started: Box<dyn Fn(TaskNumber, i32) + Send>,
    pub(in crate::engine) on_call: OnCall,
}

/// What a spawner is to do.
#[derive(Debug)]
pub(super) enum Wish {
    Start(Slots),
    Ask(Ask),
    Answer(Reply),
    Hold(Stream, bool),
}

/// See the module.
pub(in crate::engine) struct Books {
    pub(super) clock: Box<dyn Clock>,
    pub(super) scheduler: Scheduler,
    journal: Journal,
    keeper: Box<dyn Keeper>,
    pub(super) surroundings: Surroundings,
    runtime: Arc<RwLock<RuntimeInfo>>,
    /// How often the run was asked to stop, and by which signal first; 0 for none.
    interrupts: Arc<AtomicU32>,
    first_signal: Arc<AtomicI32>,
    pub(super) hooks: Hooks,
    pub(super) live: BTreeMap<TaskNumber, Live>,
    /// Folders of tasks that are not done.
    folders: HashMap<TaskNumber, String>,
    /// Run directories of tasks that have one of their own and are not done.
    own_runs: HashMap<TaskNumber, OwnRun>,
    waiting: HashMap<WaitId, Sender<Result<Waited, Failure>>>,
    pub(super) records: Vec<EventKind>,
    replies: Vec<(WaitId, Answer)>,
    pub(super) inputs: Vec<Input>,
    pub(super) wishes: Vec<(AttemptId, Wish)>,
    /// Attempts that were heard of, whose logs are to be stored.
    pub(super) heard: Vec<TaskNumber>,
    /// Why the run ends with no result.
    failure: Option<Failure>,
    /// Nothing more is written.
    is_unrecordable: bool,
    interrupted: Option<Interrupted>,
    overdue: Option<Overdue>,
    /// Nobody answers for tasks that are announced.
    hooks_given_up: bool,
    closing: Option<Sender<Result<(), Failure>>>,
}

struct Interrupted {
    signal: i32,
    /// When a `main` that has not returned is given up.
    give_up_at: Duration,
}

/// The job has taken longer than it may.
struct Overdue {
    limit: Duration,
    /// When a `main` that has not returned is given up.
    give_up_at: Duration,
}

/// How much longer `main` has to return than tasks have to end.
pub(super) const AFTER_TASKS: Duration = Duration::from_millis(100);

/// What books are made with.
pub(in crate::engine) struct BookParts {
    pub(in crate::engine) clock: Box<dyn Clock>,
    pub(in crate::engine) scheduler: Scheduler,
    pub(in crate::engine) journal: Journal,
    pub(in crate::engine) keeper: Box<dyn Keeper>,
    pub(in crate::engine) surroundings: Surroundings,
    pub(in crate::engine) runtime: Arc<RwLock<RuntimeInfo>>,
    pub(in crate::engine) interrupts: Arc<AtomicU32>,
    pub(in crate::engine) first_signal: Arc<AtomicI32>,
    pub(in crate::engine) hooks: Hooks,
}

impl Books {
    /// Makes books without tasks.
    pub(in crate::engine) fn new(parts: BookParts) -> Self {
        let BookParts { clock, scheduler, journal, keeper, surroundings, runtime, interrupts, first_signal, hooks } =
            parts;
        Self {
            clock,
            scheduler,
            journal,
            keeper,
            surroundings,
            runtime,
            interrupts,
            first_signal,
            hooks,
            live: BTreeMap::new(),
            folders: HashMap::new(),
            own_runs: HashMap::new(),
            waiting: HashMap::new(),
            records: Vec::new(),
            replies: Vec::new(),
            inputs: Vec::new(),
            wishes: Vec::new(),
            heard: Vec::new(),
            failure: None,
            is_unrecordable: false,
            interrupted: None,
            overdue: None,
            hooks_given_up: false,
            closing: None,
        }
    }

    /// Takes in what somebody asks of the engine.
    pub(super) fn take(&mut self, request: Request) {
        match request {
            Request::SinkHasRoom => self.release_output(),
            Request::Submit { tasks, group } => {
                self.folders.extend(tasks.iter().map(|task| (task.number, task.folder.clone())));
                self.inputs.push(Input::Submit { tasks, group });
            }
            Request::Provide { task, run, work } => {
                self.own_runs.extend(run.map(|run| (task, run)));
                self.inputs.extend(work.map(|work| Input::Provided { task, work }));
            }
            Request::Wait { wait, reply } => {
                self.waiting.insert(wait.id, reply);
                self.inputs.push(Input::Wait(wait));
            }
            Request::Reply { task, reply } => self.reply(task, reply),
            Request::GiveUpHooks => self.hooks_given_up = true,
            Request::UseHooks => self.inputs.push(Input::UseHooks),
            Request::Admit { task, refused } => self.inputs.push(Input::Admitted { task, refused }),
            Request::Dismiss { task, failed } => self.inputs.push(Input::Dismissed { task, failed }),
            Request::Stop { tasks, reason } => self.inputs.push(Input::Stop { tasks, reason }),
            // What can start has been started when the queue is empty.
            Request::HeldBack { reply } => reply(self.scheduler.held_back()),
            // It is for who comes after the books.
            Request::Leave => {}
            Request::Close { reply } => {
                self.closing = Some(reply);
                self.inputs.push(Input::StopAll(StopReason::Dangling));
            }
        }
    }

    /// Feeds the scheduler until it has nothing more to do.
    pub(super) fn settle_inputs(&mut self) {
        while !self.inputs.is_empty() {
            for input in std::mem::take(&mut self.inputs) {
                let now = self.clock.now();
                for effect in self.scheduler.handle(input, now) {
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
            Effect::Comes { task } => (self.hooks.on_call)(task, Call::Comes),
            Effect::Leaves { task, end, seconds } => (self.hooks.on_call)(task, Call::Leaves(Box::new(end), seconds)),
            Effect::Spawn { task, attempt: ordinal, slots } => {
                self.wishes.push((AttemptId { task, ordinal }, Wish::Start(slots)));
            }
            Effect::Signal { task, reason } => {
                self.say_why(task, reason);
                self.ask(task, Ask::Signal(reason.signal().as_raw()));
            }
            Effect::Kill { task } => self.ask(task, Ask::Kill),
            Effect::Starve { want } => {
                self.failure.get_or_insert_with(|| Failure::starved(&want));
                self.inputs.push(Input::StopAll(StopReason::Starved));
            }
            Effect::Overdue { limit, grace } => {
                self.overdue = Some(Overdue { limit, give_up_at: self.clock.now() + grace + AFTER_TASKS });
            }
            Effect::Settled { task, end } => {
                self.folders.remove(&task);
                self.own_runs.remove(&task);
                (self.hooks.on_settled)(task, end);
            }
            Effect::Answer { wait, answer } => self.replies.push((wait, answer)),
        }
    }

    /// Tells a task that speaks why a signal comes: its script ends by that name.
    fn say_why(&mut self, task: TaskNumber, reason: StopReason) {
        let speaks = self.scheduler.task(task).is_some_and(|task| Way::of(task) == Way::Channel);
        if let Some(live) = self.live.get(&task).filter(|_| speaks) {
            let order = StopOrder { word: reason.word(), text: reason.text() };
            self.wishes.push((live.id, Wish::Answer(Reply::Stop(order))));
        }
    }

    fn ask(&mut self, task: TaskNumber, ask: Ask) {
        if let Some(live) = self.live.get(&task) {
            self.wishes.push((live.id, Wish::Ask(ask)));
        }
    }

    /// Asks the same of every attempt that has a process.
    pub(super) fn ask_all(&mut self, ask: Ask) {
        self.wishes.extend(self.live.values().map(|live| (live.id, Wish::Ask(ask))));
    }

    /// Prepares an attempt: its folder and its books; returns what its spawner is told. `None` where there is to be no process.
    pub(super) fn prepare(&mut self, id: AttemptId, slots: Slots) -> Option<Start> {
        let AttemptId { task: number, ordinal } = id;
        if self.is_unrecordable {
            let reason = StopReason::Unrecordable.text();
            self.inputs.push(Input::SpawnFailed { task: number, reason });
            return None;
        }
        let task = self.scheduler.task(number)?;
        let way = Way::of(task);
        let folder = self.folders.get(&number).map(String::as_str).unwrap_or_default();
        let has_runner = matches!(way, Way::Runner(_));
        let own_run = self.own_runs.get(&number);
        let keep = match own_run {
            Some(run) => run.open(),
            None => self.keeper.open(&KeepOrder { task: number, ordinal, folder, has_runner }),
        };
        let keep = match keep {
            Ok(keep) => keep,
            Err(NoKeep::Exhausted(reason)) => {
                self.inputs.push(Input::SpawnDeferred { task: number, reason });
                return None;
            }
            Err(NoKeep::Failed(failure)) => {
                self.inputs.push(Input::SpawnFailed { task: number, reason: failure.to_string() });
                self.fail(failure);
                return None;
            }
        };
        if way == Way::Nothing {
            let (status, reason) =
                task.runnable.own_kind().and_then(Kind::end_unrun).unwrap_or((TestStatus::Pass, None));
            let verdict = Verdict::of_status(status, reason.map(str::to_owned));
            self.inputs.push(Input::Reported { task: number, verdict });
            self.inputs.push(Input::Gone { task: number, written: Written::default(), killed_leftovers: 0 });
            return None;
        }
        let runtime = self.runtime.read();
        let start = starts::of_task(task, id, keep.folder(), slots, &runtime, &self.surroundings);
        let start = start.map(|start| Start { run: own_run.map(OwnRun::place), ..start });
        drop(runtime);
        match start {
            Ok(start) => {
                self.live.insert(number, Live::new(id, task, keep, self.clock.now(), &self.surroundings));
                Some(start)
            }
            Err(cannot) => {
                self.inputs.push(Input::SpawnFailed { task: number, reason: cannot.to_string() });
                None
            }
        }
    }

    /// Writes what there is to write, then gives the answers that rest on it.
    pub(super) fn flush(&mut self) {
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
    pub(super) fn write_records(&mut self) -> bool {
        let records = std::mem::take(&mut self.records);
        if records.is_empty() || self.is_unrecordable {
            return true;
        }
        match self.journal.record(records) {
            Ok(()) => true,
            Err(error) => {
                self.fail(Failure::from(error));
                false
            }
        }
    }

    /// Brings what was written to the disk, without waiting for it.
    pub(super) fn sync(&mut self) {
        if let Err(error) = self.journal.sync_in_background() {
            self.fail(Failure::from(error));
        }
    }

    /// Ends the run because it can no longer be recorded.
    pub(super) fn fail(&mut self, failure: Failure) {
        if !std::mem::replace(&mut self.is_unrecordable, true) {
            self.failure.get_or_insert(failure);
            self.inputs.push(Input::StopAll(StopReason::Unrecordable));
        }
    }

    /// Takes in that the run is asked to stop; so many of one kind weigh as two.
    pub(super) fn interrupt(&mut self, signal: i32, weight: u32, patience: Duration) {
        let times = self.interrupts.fetch_add(weight, Ordering::SeqCst) + weight;
        // What is asked later is the same stop.
        let _ = self.first_signal.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
        self.records.push(EventKind::Interrupted { signal, times });
        let signal = self.interrupted.as_ref().map_or(signal, |first| first.signal);
        let patience = if times >= 2 { Duration::ZERO } else { patience };
        self.interrupted = Some(Interrupted { signal, give_up_at: self.clock.now() + patience });
        self.inputs.push(Input::StopAll(StopReason::Interrupted(signal)));
        if times >= 2 {
            self.inputs.push(Input::KillAll);
        }
        // A wait on a task is over at once, so that main can put its things in order while tasks end.
        self.replies.extend(self.waiting.keys().map(|wait| (*wait, Answer::StillRunning)));
    }

    /// Records that nobody looked at tasks for so long, and what was due meanwhile.
    pub(super) fn note_stall(&mut self, length: Duration) {
        const MOST: usize = 3;
        let due = self.scheduler.overdue(self.clock.now());
        let mut late: Vec<String> = due.iter().take(MOST).map(|id| format!("'{id}'")).collect();
        if due.len() > MOST {
            late.push(format!("{} more", due.len() - MOST));
        }
        let late = match late.is_empty() {
            true => String::new(),
            false => format!("; late is the end of a time of {}", late.join(", ")),
        };
        let seconds = length.as_secs_f64();
        let text =
            format!("the engine stood still for {seconds:.1} s: it was stopped, starved or held up by a disk{late}");
        self.records.push(EventKind::Warning { text, place: None });
    }

    /// Takes in that the process is asked to end after its run has ended: nothing of that is recorded.
    pub(super) fn note_interrupt(&self, signal: i32) {
        let _ = self.first_signal.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Returns whether the run was asked to stop.
    pub(super) const fn is_interrupted(&self) -> bool {
        self.interrupted.is_some()
    }

    /// Returns why the run is to end, once `main` has had its time to return.
    pub(super) fn given_up_after(&self) -> Option<Abandoned> {
        let now = self.clock.now();
        let interrupted = self.interrupted.as_ref().filter(|interrupted| now >= interrupted.give_up_at);
        let overdue = self.overdue.as_ref().filter(|overdue| now >= overdue.give_up_at);
        interrupted
            .map(|interrupted| Abandoned::Interrupted(interrupted.signal))
            .or(overdue.map(|overdue| Abandoned::Overdue(overdue.limit)))
    }

    /// Gives up on plugins that do not come to their end, after an interrupt for one.
    pub(super) fn give_up_hooks(&mut self) {
        if self.live.is_empty() && (self.given_up_after().is_some() || self.hooks_given_up) {
            self.inputs.push(Input::DismissAll);
        }
    }

    /// Returns whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.scheduler.is_idle() && self.live.is_empty()
    }

    /// Takes who is to be answered when the engine has come to its end, if it is to.
    pub(super) fn take_closing(&mut self) -> Option<Sender<Result<(), Failure>>> {
        self.closing.take()
    }

    /// Returns why the run could not be recorded, if so.
    pub(super) fn outcome(&self) -> Result<(), Failure> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// Returns when something has to be done at the latest.
    pub(super) fn due(&self) -> Option<Duration> {
        // One that has passed is no reason to look again: what it waits for comes as news.
        let now = self.clock.now();
        let interrupted = self.interrupted.as_ref().map(|interrupted| interrupted.give_up_at);
        let overdue = self.overdue.as_ref().map(|overdue| overdue.give_up_at);
        let given_up = interrupted.into_iter().chain(overdue).filter(|at| *at > now);
        self.scheduler.next_deadline().into_iter().chain(self.silence_due()).chain(given_up).min()
    }
}
