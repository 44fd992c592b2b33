//! Calls that may wait: queues, locks, events and barriers; and the end of waits.

use std::time::Instant;

use super::object::{Body, Grip, not_its};
use super::state::{Blocked, HolderId, MAIN_HOLDER, State, Step, done};
use crate::model::{Answer, Fault, FaultKind, ObjectId, Op, SharedKind, SharedRef, Value};

impl State {
    /// Lets a call wait, or ends it at once if its time is over already.
    pub(super) fn block(
        &mut self,
        holder: HolderId,
        object: SharedRef,
        deadline: Option<Instant>,
        now: Instant,
    ) -> Result<Step, Fault> {
        if self.blocked.contains_key(&holder) {
            // A plugin is called while main waits.
            return Err(Fault::usage(format!("cannot wait for {object} while main itself waits for a shared object")));
        }
        match deadline {
            Some(deadline) if deadline <= now => return Ok(Step::Done(Answer::Timeout(true))),
            Some(deadline) => {
                self.deadlines.insert((deadline, holder));
            }
            None => self.judge_soon(now),
        }
        if let Some(entry) = self.objects.get_mut(&object.id) {
            entry.waiting.push_back(holder);
        }
        self.blocked.insert(holder, Blocked { object, deadline });
        Ok(Step::Waits)
    }

    /// Ends the wait of a holder, without an answer. Returns what it waited for.
    pub(super) fn unblock(&mut self, holder: HolderId) -> Option<Blocked> {
        let blocked = self.blocked.remove(&holder)?;
        if let Some(deadline) = blocked.deadline {
            self.deadlines.remove(&(deadline, holder));
        }
        if let Some(object) = self.objects.get_mut(&blocked.object.id) {
            match object.waiting.front() {
                Some(first) if *first == holder => {
                    object.waiting.pop_front();
                }
                _ => object.waiting.retain(|waiting| *waiting != holder),
            }
        }
        Some(blocked)
    }

    /// Ends the wait of a holder with an answer.
    pub(super) fn wake(&mut self, holder: HolderId, answer: Answer) {
        match self.unblock(holder) {
            None => {}
            Some(_) if holder == MAIN_HOLDER => self.main_answer = Some(answer),
            Some(_) => self.woken.push((holder, answer)),
        }
    }

    /// Ends the wait of a holder that does not want it any more.
    pub(super) fn cancel(&mut self, holder: HolderId, now: Instant) {
        self.wake(holder, Answer::Error(Fault::new(FaultKind::Cancelled, "the wait was given up")));
        // An arrival that is withdrawn may have been the hope of others.
        self.judge_soon(now);
    }

    /// Ends the waits whose time is over.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((deadline, holder)) = self.deadlines.first().copied()
            && deadline <= now
        {
            self.deadlines.pop_first();
            self.wake(holder, Answer::Timeout(true));
            // An arrival that is withdrawn may have been the hope of others.
            self.judge_soon(now);
        }
    }

    pub(super) fn put(&mut self, name: SharedRef, value: Value) -> Result<Value, Fault> {
        let Some(object) = self.objects.get_mut(&name.id) else { return Ok(Value::Null) };
        let Body::Items(items) = &mut object.body else { return Err(not_its(name, Op::Put)) };
        if name.kind != SharedKind::Queue {
            return Err(not_its(name, Op::Put));
        }
        match object.waiting.front().copied() {
            None => {
                items.push_back(value.clone());
                object.link(&value);
            }
            Some(first) => {
                self.learn(first, &value);
                self.wake(first, Answer::Ok(value));
            }
        }
        Ok(Value::Null)
    }

    pub(super) fn take(
        &mut self,
        holder: HolderId,
        name: SharedRef,
        deadline: Option<Instant>,
        now: Instant,
    ) -> Result<Step, Fault> {
        let taken = match self.objects.get_mut(&name.id).map(|object| &mut object.body) {
            Some(Body::Items(items)) => items.pop_front(),
            _ => None,
        };
        match taken {
            Some(value) => {
                self.learn(holder, &value);
                Ok(done(value))
            }
            None => self.block(holder, name, deadline, now),
        }
    }

    pub(super) fn acquire(
        &mut self,
        holder: HolderId,
        name: SharedRef,
        deadline: Option<Instant>,
        now: Instant,
    ) -> Result<Step, Fault> {
        let Some(grip) = self.grip(name.id) else { return Ok(Step::Waits) };
        if grip.take(holder) {
            self.note_grip(holder, name.id);
            return Ok(done(Value::Bool(true)));
        }
        if name.kind == SharedKind::Lock && deadline.is_none() && grip.held_by(holder) > 0 {
            let text = format!(
                "{name} is held by this caller already and would wait for itself; an rlock() can be taken again"
            );
            return Err(Fault::usage(text));
        }
        self.block(holder, name, deadline, now)
    }

    pub(super) fn release(&mut self, holder: HolderId, name: SharedRef) -> Result<Value, Fault> {
        let Some(grip) = self.grip(name.id) else { return Ok(Value::Null) };
        if !grip.give_back(holder) {
            let what = match (grip.free(), name.kind) {
                (_, SharedKind::Semaphore) => "the caller has no slot of it",
                (0, _) => "another holds it",
                _ => "nobody holds it",
            };
            return Err(Fault::usage(format!(
                "{name} cannot be released: {what}; only who acquired it may release it"
            )));
        }
        if let Some(holder) = self.holders.get_mut(&holder)
            && let Some(at) = holder.grips.iter().position(|grip| *grip == name.id)
        {
            holder.grips.swap_remove(at);
        }
        self.hand_on(name.id);
        Ok(Value::Null)
    }

    /// Gives what is free to those who wait for it, in their order.
    pub(super) fn hand_on(&mut self, id: ObjectId) {
        while let Some(object) = self.objects.get_mut(&id)
            && let Some(first) = object.waiting.front().copied()
            && let Body::Grip(grip) = &mut object.body
            && grip.take(first)
        {
            self.note_grip(first, id);
            self.wake(first, Answer::Ok(Value::Bool(true)));
        }
    }

    pub(super) fn set_event(&mut self, name: SharedRef) -> Value {
        let Some(object) = self.objects.get_mut(&name.id) else { return Value::Null };
        object.body = Body::Event(true);
        for holder in object.waiting.clone() {
            self.wake(holder, Answer::Ok(Value::Bool(true)));
        }
        Value::Null
    }

    pub(super) fn arrive(
        &mut self,
        holder: HolderId,
        name: SharedRef,
        deadline: Option<Instant>,
        now: Instant,
    ) -> Result<Step, Fault> {
        let Some(object) = self.objects.get(&name.id) else { return Ok(Step::Waits) };
        let Body::Barrier(parties) = &object.body else { return Ok(Step::Waits) };
        if object.waiting.len() + 1 < *parties {
            return self.block(holder, name, deadline, now);
        }
        let last = *parties;
        for (index, waiting) in (1_usize..).zip(object.waiting.clone()) {
            self.wake(waiting, Answer::Ok(Value::from(index)));
        }
        Ok(done(Value::from(last)))
    }

    pub(super) fn grip(&mut self, id: ObjectId) -> Option<&mut Grip> {
        match &mut self.objects.get_mut(&id)?.body {
            Body::Grip(grip) => Some(grip),
            _ => None,
        }
    }

    fn note_grip(&mut self, holder: HolderId, object: ObjectId) {
        if let Some(holder) = self.holders.get_mut(&holder) {
            holder.grips.push(object);
        }
    }
}
