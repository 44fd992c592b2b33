//! All shared objects of a run, who uses them, and who waits. It knows neither sockets nor threads.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::broken::{MAIN, Party};
use super::object::{Body, Object};
use super::parties::TaskEntry;
use crate::model::{Answer, Fault, ObjectId, Op, Request, SharedRef, TaskNumber, Value};

/// Who makes requests: a connection, or `main`.
pub(super) type HolderId = u64;

/// The holder that is `main`.
pub(super) const MAIN_HOLDER: HolderId = 0;

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

/// Somebody who makes requests.
pub(super) struct Holder {
    pub(super) party: Party,
    /// What it holds, each as often as it was taken.
    pub(super) grips: Vec<ObjectId>,
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
        let main = Holder { party: MAIN, grips: Vec::new() };
        Self {
            objects: HashMap::new(),
            next_object: 1,
            holders: HashMap::from([(MAIN_HOLDER, main)]),
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
            return self.make(holder, &request).map(done);
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
        match (&object.body, request.op) {
            (Body::Items(_), Op::Put) => self.put(name, request.value.unwrap_or_default()).map(done),
            (Body::Items(_), Op::Get) if request.key.is_none() && is_queue(name) => {
                self.take(holder, name, deadline, now)
            }
            (Body::Items(items), Op::Length) if is_queue(name) => Ok(done(Value::from(items.len()))),
            (Body::Grip(_), Op::Acquire) => self.acquire(holder, name, deadline, now),
            (Body::Grip(_), Op::Release) => self.release(holder, name).map(done),
            (Body::Grip(grip), Op::IsSet) => Ok(done(Value::Bool(grip.free() == 0))),
            (Body::Grip(grip), Op::Length) => Ok(done(Value::from(grip.free()))),
            (Body::Event(_), Op::Set) => Ok(done(self.set_event(name))),
            (Body::Event(_), Op::Clear) => {
                object.body = Body::Event(false);
                Ok(done(Value::Null))
            }
            (Body::Event(is_set), Op::IsSet) => Ok(done(Value::Bool(*is_set))),
            (Body::Event(true), Op::Wait) => Ok(done(Value::Bool(true))),
            (Body::Event(false), Op::Wait) => self.block(holder, name, deadline, now),
            (Body::Barrier(_), Op::Wait) => self.arrive(holder, name, deadline, now),
            (Body::Barrier(_), Op::Length) => Ok(done(Value::from(object.waiting.len()))),
            _ => {
                let value = object.handle(name, request)?;
                if !object.links.is_empty() {
                    self.learn(holder, &value);
                }
                Ok(done(value))
            }
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
        let object = Object::new(kind, request.value.as_ref())?;
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

fn is_queue(name: SharedRef) -> bool {
    name.kind == crate::model::SharedKind::Queue
}

/// Makes the step of a request that is done.
pub(super) fn done(value: Value) -> Step {
    Step::Done(Answer::Ok(value))
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
