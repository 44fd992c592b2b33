//! Makes failing walks short, by running shorter ones.

use std::sync::LazyLock;

use regex::Regex;

use super::single::Single;
use super::words::{steps_in_words, traced};
use super::{HostCall, WalkError};
use crate::model::{WalkEnd, WalkEnded, WalkOrder, WalkShrunk, WalkStep, WalkSuite};
use crate::walk::shrink::{Shrink, Step};

/// The file and line with which the message of an error begins.
static PLACE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[^\n]*?:\d+:").expect("the pattern is part of the program and is tested"));

/// The most walks that are run to make one short.
const TRIES: usize = 500;

/// Makes a failing walk short: what is left fails in the same way.
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
    let whole = single.ask(&WalkOrder::Try { steps: steps.to_vec() }, serve)?;
    let shrunk = |best: &[WalkStep], error: Option<String>, tries: usize| WalkShrunk {
        id,
        walk: steps_in_words(suite, best),
        steps: best.iter().map(|step| traced(suite, *step)).collect(),
        error,
        tries: tries as u64,
    };
    if whole.end != WalkEnd::Failed {
        return Ok(shrunk(steps, None, 1));
    }
    let way = way_of_failing(&whole);
    // What comes behind the action that failed was never run.
    let end = whole.slot.and_then(|slot| steps.iter().rposition(|step| step.slot == slot));
    let steps = &steps[..end.map_or(steps.len(), |end| end + 1)];
    let mut shrinking = Shrink::new(steps.iter().map(step).collect(), TRIES);
    let message = |ended: WalkEnded| ended.error.map(|error| error.message).unwrap_or_default();
    let mut error = message(whole);
    while let Some(candidate) = shrinking.next() {
        let ended = single.ask(&WalkOrder::Try { steps: plain(candidate) }, serve)?;
        // An action that misses what another one should have done fails as well, but that is another failure.
        let fails = ended.end == WalkEnd::Failed && way_of_failing(&ended) == way;
        if fails {
            error = message(ended);
        }
        shrinking.answer(fails);
    }
    Ok(shrunk(&plain(shrinking.best()), Some(error), shrinking.tries() + 1))
}

/// Returns what stays the same in a failure when options change: the action, the kind of the error, and where it was raised;
/// of an error without a place its message, numbers left out.
fn way_of_failing(ended: &WalkEnded) -> (Option<u32>, String) {
    let Some(error) = &ended.error else { return (ended.slot, String::new()) };
    let place = PLACE.find(&error.message).map(|place| place.as_str().to_owned());
    let what = place.unwrap_or_else(|| error.message.chars().filter(|c| !c.is_ascii_digit()).collect());
    (ended.slot, format!("{} {what}", error.kind))
}

fn plain(steps: &[Step]) -> Vec<WalkStep> {
    let step = |step: &Step| WalkStep { slot: u32::try_from(step.rule).unwrap_or(u32::MAX), option: step.option };
    steps.iter().map(step).collect()
}
