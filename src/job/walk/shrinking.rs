//! Makes failing walks short, by running shorter ones, and finds out whether they fail again.

use super::failures::Failing;
use super::single::Single;
use super::words::{steps_in_words, traced};
use super::{HostCall, WalkError};
use crate::model::{Masks, WalkEnd, WalkEnded, WalkOrder, WalkShrunk, WalkStep, WalkSuite};
use crate::walk::WayOfFailing;
use crate::walk::shrink::{Shrink, Step};

/// The most walks that are run to make one short.
const TRIES: usize = 500;

/// How often the shortest is run in a fresh worker before it is told: once alone, and once behind itself.
const CONFIRMATIONS: usize = 2;

/// Runs walks for the shrinking of one suite.
pub(super) struct Shrinking<'a, 'b> {
    pub(super) single: &'a mut Single<'b>,
    pub(super) suite: &'a WalkSuite,
    pub(super) masks: &'a Masks,
}

impl Shrinking<'_, '_> {
    /// Makes the first of walks that fail alike short: what is left fails in the same way. Returns its steps as well.
    pub(super) fn shrink(
        &mut self,
        failing: &Failing,
        serve: &mut dyn FnMut(HostCall),
    ) -> Result<(WalkShrunk, Vec<WalkStep>), WalkError> {
        let step = |step: &WalkStep| {
            let is_serial = self.suite.order.get(step.slot as usize).is_some_and(|slot| slot.is_serial);
            Step { rule: step.slot as usize, option: step.option, may_go: !is_serial, may_change: !is_serial }
        };
        let given: Vec<Step> = failing.steps.iter().map(step).collect();
        // What the walks before have left in their worker is nothing that this one may need.
        self.single.renew(serve)?;
        let whole = self.run(&failing.steps, serve)?;
        let way = self.way(&whole).filter(|way| way.is_at_place_of(&failing.way));
        let Some(way) = way else { return Ok(self.shrunk(failing, &failing.steps, None, false, 1)) };
        // What comes behind the action that failed was never run.
        let end = whole.slot.and_then(|slot| failing.steps.iter().rposition(|step| step.slot == slot));
        let given = &given[..end.map_or(given.len(), |end| end + 1)];
        let mut shrinking = Shrink::new(given.to_vec(), TRIES);
        let mut error = message(whole);
        while let Some(candidate) = shrinking.next() {
            let ended = self.run(&plain(candidate), serve)?;
            // An action that misses what another one should have done fails as well, but that is another failure.
            let fails = self.way(&ended).as_ref() == Some(&way);
            if fails {
                error = message(ended);
            }
            shrinking.answer(fails);
        }
        let best = plain(shrinking.best());
        let mut tries = shrinking.tries() + 1;
        let mut is_flaky = false;
        self.single.renew(serve)?;
        for _ in 0..CONFIRMATIONS {
            let ended = self.run(&best, serve)?;
            tries += 1;
            if self.way(&ended).as_ref() != Some(&way) {
                is_flaky = true;
                break;
            }
        }
        Ok(self.shrunk(failing, &best, Some(error), is_flaky, tries))
    }

    fn run(&mut self, steps: &[WalkStep], serve: &mut dyn FnMut(HostCall)) -> Result<WalkEnded, WalkError> {
        self.single.ask(&WalkOrder::Try { steps: steps.to_vec() }, serve)
    }

    /// Returns the way in which a walk failed, if it did, as if it had been recorded: masked.
    fn way(&self, ended: &WalkEnded) -> Option<WayOfFailing> {
        let action = ended.slot.and_then(|slot| self.suite.order.get(slot as usize)).map(|slot| slot.action.as_str());
        let mut error = ended.error.clone();
        if let Some(error) = &mut error {
            error.message = self.masks.mask_text(&error.message).into_owned();
        }
        let action = action.map(|action| self.masks.mask_text(action));
        (ended.end == WalkEnd::Failed).then(|| WayOfFailing::of(action.as_deref(), error.as_ref()))
    }

    fn shrunk(
        &self,
        failing: &Failing,
        best: &[WalkStep],
        error: Option<String>,
        is_flaky: bool,
        tries: usize,
    ) -> (WalkShrunk, Vec<WalkStep>) {
        let shrunk = WalkShrunk {
            id: failing.ids[0],
            alike: failing.ids[1..].to_vec(),
            walks: failing.walks,
            walk: steps_in_words(self.suite, best),
            steps: best.iter().map(|step| traced(self.suite, *step)).collect(),
            error,
            is_flaky,
            tries: tries as u64,
        };
        (shrunk, best.to_vec())
    }
}

fn message(ended: WalkEnded) -> String {
    ended.error.map(|error| error.message).unwrap_or_default()
}

fn plain(steps: &[Step]) -> Vec<WalkStep> {
    let step = |step: &Step| WalkStep { slot: u32::try_from(step.rule).unwrap_or(u32::MAX), option: step.option };
    steps.iter().map(step).collect()
}
