//! Makes failing walks short, by running shorter ones.

use super::single::Single;
use super::words::{steps_in_words, traced};
use super::{HostCall, WalkError};
use crate::model::{WalkEnd, WalkOrder, WalkShrunk, WalkStep, WalkSuite};
use crate::walk::shrink::{Shrink, Step};

/// The most walks that are run to make one short.
const TRIES: usize = 500;

/// Makes a failing walk short.
pub(super) fn shrink(
    single: &mut Single<'_>,
    suite: &WalkSuite,
    id: u64,
    steps: &[WalkStep],
    serve: &mut dyn FnMut(HostCall),
) -> Result<WalkShrunk, WalkError> {
    let step = |step: &WalkStep| {
        let is_serial = suite.order.get(step.slot as usize).is_some_and(|slot| slot.is_serial);
        Step { rule: step.slot as usize, option: step.option, may_go: !is_serial, may_change: !is_serial }
    };
    let mut shrinking = Shrink::new(steps.iter().map(step).collect(), TRIES);
    let mut error = String::new();
    while let Some(candidate) = shrinking.next() {
        let ended = single.ask(&WalkOrder::Try { steps: plain(candidate) }, serve)?;
        let fails = ended.end == WalkEnd::Failed;
        if fails {
            error = ended.error.map(|error| error.message).unwrap_or_default();
        }
        shrinking.answer(fails);
    }
    let best = plain(shrinking.best());
    Ok(WalkShrunk {
        id,
        walk: steps_in_words(suite, &best),
        steps: best.iter().map(|step| traced(suite, *step)).collect(),
        error,
        tries: shrinking.tries() as u64,
    })
}

fn plain(steps: &[Step]) -> Vec<WalkStep> {
    let step = |step: &Step| WalkStep { slot: u32::try_from(step.rule).unwrap_or(u32::MAX), option: step.option };
    steps.iter().map(step).collect()
}
