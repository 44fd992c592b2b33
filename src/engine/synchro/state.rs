//! All shared objects of a run, who uses them, and who waits. It knows neither sockets nor threads.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use super::holder::{Holder, HolderId, MAIN, MAIN_HOLDER, TaskEntry};
use super::types::{Ask, Body, Waiting, body};
use crate::model::{Answer, Fault, ObjectId, Op, Request, SharedKind, SharedRef, TaskNumber, Value};

/// See the module.
pub(super) struct State {
    pub(super) objects: HashMap<ObjectId, Object>,
    next_object: ObjectId,
    pub(super) holders: HashMap<HolderId, Holder>,
    pub(super) tasks: HashMap<TaskNumber, TaskEntry>,
    pub(super) blocked: HashMap<HolderId, Blocked>,
    pub(super) deadlines: BTreeSet<(Instant, HolderId)>,
    /// Answers to calls that have waited.
    pub(super) woken: Vec<(HolderId, Answer)>,
    /// The same for the call of `main`.
    pub(super) main_answer: Option<Answer>,
    /// Connections of tasks that have ended.
    pub(super) dismissed: Vec<HolderId>,
    /// Until when the server sleeps; `None` for ever.
    pub(super) sleeps_until: Option<Instant>,
    /// What `main` waits for without a limit: the end of these tasks.
    pub(super) followed: Option<Vec<TaskNumber>>,
    /// When it is looked which calls wait in vain.
    pub(super) judge_at: Option<Instant>,
    /// Counts what may start or end tasks, so that what the engine says of the queue is known to hold still.
    pub(super) generation: u64,
    /// The run is ending.
    pub(super) is_closed: bool,
}

/// A shared object.
pub(super) struct Object {
    pub(super) kind: SharedKind,
    pub(super) body: Box<dyn Body>,
    /// The objects to which a reference was ever put into this one: who reaches this one reaches them.
    pub(super) links: HashSet<ObjectId>,
    /// Who waits for it.
    pub(super) waiting: Waiting,
}

impl Object {
    /// Notes the references in a value that stays in the object.
    fn link(&mut self, value: &Value) {
        if self.body.keeps(&self.waiting) {
            value.references(&mut |reference| {
                self.links.insert(reference.id);
            });
        }
    }
}

/// A call that waits.
pub(super) struct Blocked {
    pub(super) object: SharedRef,
    pub(super) deadline: Option<Instant>,
}

/// What came of a request at once.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// It is done.
    Done(Answer),
    /// It waits; its answer comes in `woken`.
    Waits,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            objects: HashMap::new(),
            next_object: 1,
            holders: HashMap::from([(MAIN_HOLDER, Holder::of(MAIN))]),
            tasks: HashMap::new(),
            blocked: HashMap::new(),
            deadlines: BTreeSet::new(),
            woken: Vec::new(),
            main_answer: None,
            dismissed: Vec::new(),
            sleeps_until: None,
            followed: None,
            judge_at: None,
            generation: 0,
            is_closed: false,
        }
    }

    /// Does what a holder asks, or lets it wait.
    pub(super) fn request(&mut self, holder: HolderId, request: Request, now: Instant) -> Step {
        if self.is_closed {
            return Step::Done(Answer::Error(Fault::closed()));
        }
        match self.step(holder, request, now) {
            Ok(step) => step,
            Err(fault) => Step::Done(Answer::Error(fault)),
        }
    }

    fn step(&mut self, holder: HolderId, request: Request, now: Instant) -> Result<Step, Fault> {
        if request.op == Op::New {
            return self.make(holder, &request).map(|made| Step::Done(Answer::Ok(made)));
        }
        let Some(name) = request.object else {
            return Err(Fault::usage(format!("'{}' needs an object, such as \"dict:3\"", request.op.name())));
        };
        self.check_references(request.value.as_ref())?;
        let kind = self.objects.get(&name.id).map(|object| object.kind);
        if kind != Some(name.kind) {
            return Err(self.no_such(name));
        }
        self.learn_one(holder, name.id);
        let deadline = deadline(&request, now)?;
        let Some(object) = self.objects.get_mut(&name.id) else { return Err(self.no_such(name)) };
        let Request { op, key, value, .. } = request;
        if let Some(value) = &value {
            object.link(value);
        }
        let is_endless = deadline.is_none();
        let turn = object.body.ask(Ask { name, op, key, value, holder, is_endless, waiting: &object.waiting })?;
        let has_links = !object.links.is_empty();
        self.wake_all(name.id, turn.woken);
        let Some(answer) = turn.answer else { return self.block(holder, name, deadline, now) };
        if has_links {
            self.learn(holder, &answer);
        }
        if op == Op::Acquire {
            self.note_held(holder, name.id);
        }
        Ok(Step::Done(Answer::Ok(answer)))
    }

    /// Ends the waits for an object that are over.
    pub(super) fn wake_all(&mut self, object: ObjectId, woken: Vec<(HolderId, Value)>) {
        for (holder, value) in woken {
            self.learn(holder, &value);
            if self.objects.get(&object).is_some_and(|object| object.kind.row().can_be_held) {
                self.note_held(holder, object);
            }
            self.wake(holder, Answer::Ok(value));
        }
    }

    fn note_held(&mut self, holder: HolderId, object: ObjectId) {
        if let Some(holder) = self.holders.get_mut(&holder) {
            holder.held.insert(object);
        }
    }

    /// Returns when something is to be done that nobody asks for: a time is over, or it is to be looked who waits in vain.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let deadline = self.deadlines.first().map(|(deadline, _)| *deadline);
        // Each call with a limit has its deadline; the others may wait in vain.
        let judge_at = self.judge_at.filter(|_| self.blocked.len() > self.deadlines.len());
        deadline.into_iter().chain(judge_at).min()
    }

    /// Returns whether the server has something to do before it wakes by itself.
    pub(super) fn wants_server(&self) -> bool {
        let is_due = |due: Instant| self.sleeps_until.is_none_or(|until| due < until);
        self.is_closed || !self.woken.is_empty() || !self.dismissed.is_empty() || self.next_due().is_some_and(is_due)
    }

    /// Ends everything: what waits is told that the run is ending, and so is whoever asks from now on.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        let waiting: Vec<HolderId> = self.blocked.keys().copied().collect();
        for holder in waiting {
            self.wake(holder, Answer::Error(Fault::closed()));
        }
    }

    fn make(&mut self, holder: HolderId, request: &Request) -> Result<Value, Fault> {
        let kind = request.kind.ok_or_else(|| Fault::usage("'new' needs a type, such as \"dict\""))?;
        self.check_references(request.value.as_ref())?;
        let body = body(kind, request.value.as_ref())?;
        let mut object = Object { kind, body, links: HashSet::new(), waiting: Waiting::new() };
        if let Some(value) = &request.value {
            object.link(value);
        }
        let id = self.next_object;
        self.next_object += 1;
        self.objects.insert(id, object);
        self.learn_one(holder, id);
        Ok(Value::Shared(SharedRef { kind, id }))
    }

    /// Fails for a value with a reference to an object that there is not.
    fn check_references(&self, value: Option<&Value>) -> Result<(), Fault> {
        let Some(value) = value else { return Ok(()) };
        let mut wrong = None;
        value.references(&mut |name| {
            if self.objects.get(&name.id).is_none_or(|object| object.kind != name.kind) {
                wrong.get_or_insert(name);
            }
        });
        wrong.map_or(Ok(()), |name| Err(self.no_such(name)))
    }

    fn no_such(&self, name: SharedRef) -> Fault {
        match self.objects.get(&name.id) {
            Some(object) => Fault::usage(format!("there is no {name}; {} is a {}", name.id, object.kind.name())),
            None => Fault::usage(format!("there is no {name} in this run")),
        }
    }

    /// Notes that a holder's task knows an object.
    pub(super) fn learn_one(&mut self, holder: HolderId, object: ObjectId) {
        let party = self.holders.get(&holder).map_or(MAIN, |holder| holder.party);
        if let Some(task) = self.tasks.get_mut(&party) {
            task.known.insert(object);
        }
    }

    /// Notes that a holder's task knows the objects to which there are references in a value.
    pub(super) fn learn(&mut self, holder: HolderId, value: &Value) {
        let mut names = Vec::new();
        value.references(&mut |name| names.push(name.id));
        for id in names {
            self.learn_one(holder, id);
        }
    }
}

/// Returns until when a call may wait; `None` for ever.
fn deadline(request: &Request, now: Instant) -> Result<Option<Instant>, Fault> {
    let Some(seconds) = request.timeout else { return Ok(None) };
    if seconds.is_nan() || seconds < 0.0 {
        return Err(Fault::usage(format!("timeout must be a number of seconds from 0, got {seconds}")));
    }
    // What no clock can tell is a wait for ever, but one with a limit.
    let longest = Duration::from_hours(1_000_000);
    let limit = Duration::try_from_secs_f64(seconds).unwrap_or(longest).min(longest);
    Ok(now.checked_add(limit))
}
