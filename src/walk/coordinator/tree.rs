//! The way through the tree of the options of serial actions, depth first.

use std::ops::Range;

use super::pool::Pool;
use super::{Coordinator, Effect, Phase, Stopped};
use crate::model::WalkStep;

impl Coordinator {
    /// Enters the first stage.
    pub(super) fn begin(&mut self) {
        self.stage = 0;
        if self.setup.plan.stages()[0].serial.is_some() {
            self.path.push(0);
        }
        self.enter();
    }

    /// Goes on to what follows the stage that has ended, in its branch or beside it.
    pub(super) fn go_on(&mut self) {
        match self.stage + 1 < self.setup.plan.stages().len() {
            true => {
                self.stage += 1;
                self.path.push(0);
            }
            false if self.turn() => {}
            false => return self.gather(),
        }
        self.enter();
    }

    /// Goes to the next option of the innermost serial action that has one. Returns false if there is none.
    fn turn(&mut self) -> bool {
        while let Some(option) = self.path.pop() {
            self.returned.truncate(self.path.len());
            let options = self.setup.plan.stages()[self.stage].serial.map(|slot| self.setup.plan.slots()[slot].options);
            if option + 1 < options.unwrap_or(0) {
                self.path.push(option + 1);
                return true;
            }
            self.stage = self.stage.saturating_sub(1);
        }
        false
    }

    /// Enters the stage at the end of the path; one without walks is passed over, with all below it.
    fn enter(&mut self) {
        loop {
            let places = self.branch();
            let has_ended = self.earlier.has_ended(&self.path, self.stage);
            if has_ended || places.clone().any(|place| self.is_live(place)) {
                break;
            }
            if !self.turn() {
                return self.gather();
            }
        }
        if self.earlier.has_ended(&self.path, self.stage) {
            let returned = self.earlier.returned(&self.path);
            self.note_returned(returned);
            return self.go_on();
        }
        match self.serial_step() {
            Some(step) => self.phase = Phase::SerialDue(step),
            None => self.begin_portions(),
        }
    }

    /// Returns the serial action that runs before the stage at work.
    fn serial_step(&self) -> Option<WalkStep> {
        let slot = self.setup.plan.stages()[self.stage].serial?;
        Some(WalkStep { slot: u32::try_from(slot).unwrap_or(u32::MAX), option: *self.path.last()? })
    }

    /// Returns the places of the walks of the branch at work.
    pub(super) fn branch(&self) -> Range<u64> {
        self.setup.selection.places(&self.setup.plan.branch(&self.path))
    }

    /// Hands out the portions of the stage at work.
    pub(super) fn begin_portions(&mut self) {
        let places = self.branch();
        let stage = u32::try_from(self.stage).unwrap_or(u32::MAX);
        let (serial, walks) = (self.serial_step(), places.end - places.start);
        self.effects.push(Effect::Stage { stage, serial, walks });
        let mut pool = Pool::default();
        let done = self.earlier.ran(&self.path, self.stage);
        if self.stage == 0 {
            // The first to be handed out is the last to be put.
            for part in without(&places, &done).into_iter().rev() {
                pool.put(part);
            }
        } else {
            for (part, worker) in self.owners.within(&places) {
                for part in without(&part, &done) {
                    pool.put_owned(part, worker, false);
                }
            }
        }
        self.phase = Phase::Portions(pool);
    }

    /// Notes what the serial action at the end of the path returned.
    pub(super) fn note_returned(&mut self, returned: Option<serde_json::Value>) {
        if self.serial_step().is_some() {
            self.returned.push(returned);
        }
    }

    /// Begins to gather states, or ends.
    pub(super) fn gather(&mut self) {
        if !self.setup.gathers || self.stopped == Some(Stopped::Asked) {
            return self.end();
        }
        let of = |worker: u32| (worker, self.owners.of(worker).into());
        let alive = self.owners.owners().into_iter().filter(|worker| self.workers.contains_key(worker));
        self.phase = Phase::Gather(alive.map(of).collect());
    }

    /// Ends early: what has run is gathered, and nothing more is run.
    pub(super) fn wind_up(&mut self) {
        if !matches!(self.phase, Phase::Gather(_) | Phase::Over) {
            self.gather();
        }
    }
}

/// Returns what is left of a range without others, which are sorted and do not overlap.
fn without(places: &Range<u64>, others: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut rest = Vec::new();
    let mut start = places.start;
    for other in others.iter().filter(|other| other.end > places.start && other.start < places.end) {
        if other.start > start {
            rest.push(start..other.start);
        }
        start = start.max(other.end);
    }
    if start < places.end {
        rest.push(start..places.end);
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "a range it is")]
    fn what_is_done_is_cut_out() {
        assert_eq!(without(&(0..10), &[]), [0..10]);
        assert_eq!(without(&(2..10), &[0..3, 5..6, 9..20]), [3..5, 6..9]);
        assert!(without(&(2..10), &[0..5, 5..12]).is_empty());
    }
}
