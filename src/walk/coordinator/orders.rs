//! What workers are told next, and what becomes of what they say.

use std::ops::Range;

use serde_json::Value;

use super::death::is_crash;
use super::pool::next_pace;
use super::{Activity, Coordinator, Effect, Home, Phase, Ran, SerialEnded, Stopped};
use crate::model::{RaisedError, WalkEnd, WalkEnded, WalkOrder, WalkReport, WalkStep};

impl Coordinator {
    /// Takes in what a worker has said.
    pub(super) fn take_report(&mut self, worker: u32, report: WalkReport) {
        let Some(entry) = self.workers.get_mut(&worker) else { return };
        match (report, &mut entry.activity) {
            (WalkReport::Ready {}, activity @ Activity::Loading) => {
                *activity = Activity::Idle;
                self.vain_deaths = 0;
            }
            (WalkReport::Refused { error }, Activity::Loading) => self.stop(Stopped::Refused(error)),
            (WalkReport::Walk(walk), Activity::Run { ended, .. }) => ended.push(*walk),
            (WalkReport::Done { ran, actions, seconds, next }, Activity::Run { places, ended }) => {
                let (mut places, ended) = (places.clone(), std::mem::take(ended));
                entry.activity = Activity::Idle;
                let pace = &mut entry.paces[self.stage];
                *pace = next_pace(*pace, places.end - places.start, seconds);
                self.counts.actions += actions;
                self.vain_deaths = 0;
                if let Some(next) = next {
                    let all = places.end;
                    places.end = self.setup.selection.places(&(next..u64::MAX)).start.clamp(places.start, all);
                    self.put_back(places.end..all, worker);
                }
                self.take_ran(worker, places, ran, ended);
            }
            (WalkReport::Done { .. }, activity @ Activity::Adopt) => *activity = Activity::Idle,
            (WalkReport::Serial { returned, error, seconds }, Activity::Serial) => {
                entry.activity = Activity::Idle;
                if let Phase::Serial(step) = self.phase {
                    self.take_serial(step, returned, error, seconds);
                }
            }
            (WalkReport::States { states, more }, Activity::States { .. }) => {
                if !more {
                    entry.activity = Activity::Idle;
                }
                // Walks that were not run have no state, and those whose worker died may have none.
                let is_missing = |id: u64| {
                    self.ended.contains_key(&id)
                        || self.setup.selection.place(id).is_none_or(|place| !self.is_live(place))
                };
                let states = states.into_iter().filter(|(id, state)| state.is_ok() || !is_missing(*id));
                let effect = Effect::States(states.collect());
                self.effects.push(effect);
            }
            // What nobody has asked for counts for nothing; a worker that is confused does not come to its end, which is seen.
            _ => {}
        }
    }

    /// Puts walks that were handed to a worker and not run back to what is still to be run.
    pub(super) fn put_back(&mut self, places: Range<u64>, worker: u32) {
        if let Phase::Portions(pool) = &mut self.phase {
            match self.stage {
                0 => pool.put(places),
                _ => pool.put_owned(places, worker, true),
            }
        }
    }

    /// Takes in that walks have come through the stage at work.
    pub(super) fn take_ran(&mut self, worker: u32, places: Range<u64>, ran: u64, ended: Vec<WalkEnded>) {
        self.counts.segments += ran;
        if self.stage == 0 {
            self.counts.walks += ran;
        }
        self.note_states(&places, worker, &ended);
        if self.stage + 1 == self.setup.plan.stages().len() {
            let bad = ended.iter().filter(|walk| walk.end != WalkEnd::Passed).count() as u64;
            self.counts.passed += ran.saturating_sub(bad);
            self.through.set(places.clone(), Home::default());
        }
        self.note_ended(&ended);
        let stage = u32::try_from(self.stage).unwrap_or(u32::MAX);
        self.effects.push(Effect::Ran(Ran { path: self.path.clone(), stage, worker, places, portions: ran, ended }));
    }

    pub(super) fn note_ended(&mut self, ended: &[WalkEnded]) {
        for walk in ended.iter().filter(|walk| walk.end != WalkEnd::Passed) {
            if self.ended.insert(walk.id, walk.end).is_none() {
                match walk.end {
                    WalkEnd::Cancelled => self.counts.cancelled += 1,
                    _ => {
                        self.counts.failed += 1;
                        self.counts.crashed += u64::from(is_crash(walk));
                    }
                }
            }
        }
    }

    /// Takes in that the serial action of the stage at work has ended.
    pub(super) fn take_serial(
        &mut self,
        step: WalkStep,
        returned: Option<Value>,
        error: Option<RaisedError>,
        seconds: f64,
    ) {
        let stage = u32::try_from(self.stage).unwrap_or(u32::MAX);
        let ended = SerialEnded {
            path: self.path.clone(),
            step,
            stage,
            returned: returned.clone(),
            error: error.clone(),
            seconds,
        };
        self.effects.push(Effect::SerialEnded(ended));
        match error {
            Some(error) => self.stop(Stopped::Serial(step, error)),
            None => {
                self.note_returned(returned);
                self.begin_portions();
            }
        }
    }

    /// Gives every worker that has nothing to do what there is to do, and goes on to the next stage when one has ended.
    pub(super) fn advance(&mut self) {
        loop {
            if self.is_over() {
                return;
            }
            if let Some(most) = self.setup.max_failures.filter(|most| self.counts.failed >= *most) {
                self.stop(Stopped::Failures(most));
            }
            let is_busy = |worker: &super::Worker| !matches!(worker.activity, Activity::Idle | Activity::Loading);
            if self.stopped.is_some() {
                if self.workers.values().any(is_busy) {
                    return self.give_adoptions();
                }
                self.wind_up();
            }
            self.give_adoptions();
            match &mut self.phase {
                Phase::Portions(_) => {
                    self.give_portions();
                    let Phase::Portions(pool) = &self.phase else { return };
                    if !pool.is_empty() || self.workers.values().any(is_busy) {
                        return;
                    }
                    self.go_on();
                }
                Phase::SerialDue(step) => {
                    let step = *step;
                    let Some(worker) = self.idle().first().copied() else { return };
                    let state = self.state();
                    self.phase = Phase::Serial(step);
                    self.give(worker, Activity::Serial, WalkOrder::Serial { step, state });
                    return;
                }
                Phase::Gather(_) => {
                    self.give_gathering();
                    let Phase::Gather(left) = &self.phase else { return };
                    if !left.is_empty() || self.workers.values().any(is_busy) {
                        return;
                    }
                    self.end();
                }
                Phase::Serial(_) | Phase::Over => return,
            }
        }
    }

    /// Returns the workers that have nothing to do.
    fn idle(&self) -> Vec<u32> {
        let idle = |worker: &super::Worker| matches!(worker.activity, Activity::Idle) && worker.adopts.is_empty();
        self.workers.iter().filter(|(_, worker)| idle(worker)).map(|(number, _)| *number).collect()
    }

    fn give(&mut self, worker: u32, activity: Activity, order: WalkOrder) {
        if let Some(entry) = self.workers.get_mut(&worker) {
            entry.activity = activity;
            self.effects.push(Effect::Send { worker, order });
        }
    }

    fn give_portions(&mut self) {
        let update = self.returned.get(self.path.len().wrapping_sub(1)).cloned().flatten();
        let stage = u32::try_from(self.stage).unwrap_or(u32::MAX);
        let workers = self.workers.len() as u64;
        for worker in self.idle() {
            let pace = self.workers.get(&worker).map_or(1, |entry| entry.paces[self.stage]);
            let Phase::Portions(pool) = &mut self.phase else { return };
            let Some(places) = pool.take(worker, pace, workers) else { continue };
            let skip = self.skipped(&places);
            let walks = self.setup.selection.walks(&places);
            let activity = Activity::Run { places, ended: Vec::new() };
            self.give(worker, activity, WalkOrder::Run { stage, walks, skip, update: update.clone() });
        }
    }

    /// Returns the ids of the walks at these places that are not run any more, or at all.
    pub(super) fn skipped(&self, places: &Range<u64>) -> Vec<u64> {
        if places.is_empty() {
            return Vec::new();
        }
        let selection = &self.setup.selection;
        let ids = selection.id(places.start)..=selection.id(places.end - 1);
        let excluded = &self.setup.excluded;
        let from = excluded.partition_point(|id| id < ids.start());
        let excluded = excluded[from..].iter().take_while(|id| *id <= ids.end()).copied();
        let mut skipped: Vec<u64> = self.ended.range(ids.clone()).map(|(id, _)| *id).chain(excluded).collect();
        skipped.retain(|id| selection.place(*id).is_some());
        skipped.sort_unstable();
        skipped.dedup();
        skipped
    }

    fn give_adoptions(&mut self) {
        let waiting: Vec<u32> = self
            .workers
            .iter()
            .filter(|(_, worker)| matches!(worker.activity, Activity::Idle))
            .map(|(number, _)| *number)
            .collect();
        for worker in waiting {
            let Some(entry) = self.workers.get_mut(&worker) else { continue };
            let Some((spool, states)) = entry.adopts.pop_front() else { continue };
            entry.activity = Activity::Adopt;
            let walks = |(places, stage): (Range<u64>, u32)| (self.setup.selection.walks(&places), stage);
            let states = states.into_iter().map(walks).collect();
            self.effects.push(Effect::Adopt { worker, spool, states });
        }
    }

    fn give_gathering(&mut self) {
        for worker in self.idle() {
            let Phase::Gather(left) = &mut self.phase else { return };
            let Some(queue) = left.get_mut(&worker) else { continue };
            let Some(places) = queue.pop_front() else {
                left.remove(&worker);
                continue;
            };
            if queue.is_empty() {
                left.remove(&worker);
            }
            let walks = self.setup.selection.walks(&places);
            self.give(worker, Activity::States { places }, WalkOrder::States { walks });
        }
    }

    /// Returns the state that a serial action is given: that with which walks begin, with what the serial actions before it
    /// in its branch returned.
    fn state(&self) -> Value {
        let mut state = self.setup.state.clone();
        for returned in self.returned.iter().flatten() {
            match (&mut state, returned) {
                (Value::Object(fields), Value::Object(new)) if !is_encoded(fields) && !is_encoded(new) => {
                    fields.extend(new.iter().map(|(key, value)| (key.clone(), value.clone())));
                }
                (state @ Value::Null, returned) => *state = returned.clone(),
                _ => {}
            }
        }
        state
    }
}

/// Returns whether it stands for an object of a class.
fn is_encoded(fields: &serde_json::Map<String, Value>) -> bool {
    fields.contains_key("$class")
}
