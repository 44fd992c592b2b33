//! What becomes of the walks of a worker that died.

use std::ops::Range;

use super::{Activity, Coordinator, Page, Phase, Stopped};
use crate::model::{RaisedError, WalkEnd, WalkEnded};

/// The kind of the error of what a worker ran when it died.
const CRASHED: &str = "crashed";

/// How many workers in a row may die without having done anything before that ends the suite.
const VAIN_DEATHS: u32 = 2;

impl Coordinator {
    /// Takes in that a worker is gone.
    pub(super) fn take_death(&mut self, number: u32, how: &str, page: Page) {
        let Some(worker) = self.workers.remove(&number) else { return };
        if self.is_over() {
            return;
        }
        let mut has_worked = true;
        match worker.activity {
            Activity::Loading | Activity::Adopt => has_worked = false,
            Activity::Idle => {}
            Activity::Run { places, ended } => {
                has_worked = page.current.is_some() || page.ended > 0;
                self.take_crash(number, &places, ended, how, page);
            }
            Activity::Serial => {
                if let Phase::Serial(step) = self.phase {
                    let error = died(how);
                    self.take_serial(step, None, Some(error), 0.0);
                }
            }
            Activity::States { places } => {
                if let Phase::Gather(left) = &mut self.phase {
                    left.entry(number).or_default().push_front(places);
                }
            }
        }
        if self.stopped.is_none() && !has_worked {
            self.vain_deaths += 1;
            if self.vain_deaths >= VAIN_DEATHS {
                self.stop(Stopped::Deaths(how.to_owned()));
            }
        }
        self.replace(number);
    }

    /// Starts a worker in the place of one that died, if one is needed. It takes over the states.
    fn replace(&mut self, number: u32) {
        let owned = self.owners.of(number);
        let is_needed = match &self.phase {
            Phase::Portions(pool) => {
                pool.has_free() || !owned.is_empty() || self.setup.plan.stages().len() > 1 || self.workers.is_empty()
            }
            Phase::SerialDue(_) | Phase::Serial(_) => true,
            Phase::Gather(_) => !owned.is_empty(),
            Phase::Over => false,
        };
        // After a stop what has been done is gathered, and for that a worker has to be there as well.
        let is_wanted = match &self.stopped {
            None => true,
            Some(Stopped::Serial(..) | Stopped::Failures(_)) => self.setup.gathers && !owned.is_empty(),
            Some(_) => false,
        };
        if !is_needed || !is_wanted {
            if let Phase::Gather(left) = &mut self.phase {
                left.remove(&number);
            }
            return;
        }
        let heir = self.start_worker();
        self.owners.inherit(number, heir);
        match &mut self.phase {
            Phase::Portions(pool) => pool.inherit(number, heir),
            Phase::Gather(left) => {
                if let Some(queue) = left.remove(&number) {
                    left.insert(heir, queue);
                }
            }
            _ => {}
        }
        self.adopt(heir);
    }

    /// Parts the walks of an order whose worker died: those before have ended, the one that ran has crashed, the others run
    /// elsewhere.
    fn take_crash(&mut self, worker: u32, places: &Range<u64>, mut ended: Vec<WalkEnded>, how: &str, page: Page) {
        let current = page.current.filter(|id| !ended.iter().any(|walk| walk.id == *id));
        let place = current.and_then(|id| self.setup.selection.place(id)).filter(|place| places.contains(place));
        let (end, ran) = match (place, current) {
            (Some(place), Some(id)) => {
                ended.push(WalkEnded {
                    id,
                    stage: u32::try_from(self.stage).unwrap_or(u32::MAX),
                    end: WalkEnd::Failed,
                    slot: None,
                    error: Some(died(how)),
                    state: None,
                    steps: Vec::new(),
                    seconds: 0.0,
                });
                (place + 1, page.ended + 1)
            }
            // It died between two walks, or with the one whose end it had told.
            _ => {
                let ended = page.ended.max(ended.len() as u64);
                let mut live = places.clone().filter(|place| self.is_live(*place));
                let last = ended.checked_sub(1).and_then(|last| live.nth(usize::try_from(last).ok()?));
                (last.map_or(places.start, |last| last + 1), ended)
            }
        };
        let rest = end..places.end;
        if end > places.start || !ended.is_empty() {
            self.take_ran(worker, places.start..end, ran, ended);
        }
        self.put_back(rest, worker);
    }
}

/// Returns whether a walk failed since its worker died.
pub(super) fn is_crash(walk: &WalkEnded) -> bool {
    walk.error.as_ref().is_some_and(|error| error.kind == CRASHED)
}

/// Makes the error of what a worker ran when it died.
fn died(how: &str) -> RaisedError {
    RaisedError { kind: CRASHED.to_owned(), message: format!("its worker {how}"), traceback: None }
}
