//! What the ends of walks tell when all have ended: options that failing ones share, and what was covered. Nothing is run.

use std::collections::BTreeMap;
use std::ops::Range;

use super::words::steps_in_words;
use crate::model::{WalkCause, WalkCoverage, WalkEnd, WalkStep, WalkSuite, WalksEnd};
use crate::walk::Setup;
use crate::walk::cause::causes;
use crate::walk::cover::{Factors, Ran, measure};

/// How many walks that passed are looked at for causes; of more, so many that are equally far apart.
const LOOKED_AT: u64 = 300_000;

/// Causes that are told.
const TOLD: usize = 8;

/// Fills in causes and coverage. `through` are the places of the walks that came through their last stage, or ended in it.
pub(super) fn study(
    setup: &Setup,
    suite: &WalkSuite,
    ended: &BTreeMap<u64, WalkEnd>,
    through: &[Range<u64>],
    cover: Option<&Factors>,
    end: &mut WalksEnd,
) {
    if suite.machine.is_some() {
        return;
    }
    if end.failed > 0 {
        end.causes = find_causes(setup, suite, ended, through);
    }
    let Some(mut measured) = cover.and_then(|factors| measure::<std::convert::Infallible>(factors).ok()) else {
        return;
    };
    for place in 0..setup.selection.len() {
        let id = setup.selection.id(place);
        let ran = match ended.get(&id) {
            Some(WalkEnd::Failed) => Ran::Failed,
            None if through.iter().any(|range| range.contains(&place)) && !is_excluded(setup, id) => Ran::Passed,
            _ => Ran::NotRun,
        };
        measured.add(&setup.plan.options(id), ran);
    }
    // What no walk has is told by the rows, which were checked; here it counts as forbidden.
    let Ok((found, _)) = measured.coverage::<std::convert::Infallible>(&mut |_| Ok(false));
    let count = |number: usize| number as u64;
    let coverage = WalkCoverage {
        total: count(found.allowed),
        passed: count(found.passed),
        failed: count(found.covered - found.passed - found.not_run),
        not_run: count(found.not_run),
    };
    end.coverage.insert(cover.map_or(0, |factors| factors.strength).to_string(), coverage);
}

fn is_excluded(setup: &Setup, id: u64) -> bool {
    let is_out = setup.excluded.binary_search(&id).is_ok();
    is_out || setup.shard.as_ref().is_some_and(|shard| !shard.holds(&setup.plan.options(id)))
}

fn find_causes(
    setup: &Setup,
    suite: &WalkSuite,
    ended: &BTreeMap<u64, WalkEnd>,
    through: &[Range<u64>],
) -> Vec<WalkCause> {
    let total: u64 = through.iter().map(|range| range.end - range.start).sum();
    let stride = usize::try_from(total.div_ceil(LOOKED_AT).max(1)).unwrap_or(1);
    let show = |see: &mut dyn FnMut(&[u32], bool)| {
        for (id, _) in ended.iter().filter(|(_, end)| **end == WalkEnd::Failed) {
            see(&setup.plan.options(*id), true);
        }
        for place in through.iter().cloned().flatten().step_by(stride) {
            let id = setup.selection.id(place);
            if !ended.contains_key(&id) && !is_excluded(setup, id) {
                see(&setup.plan.options(id), false);
            }
        }
    };
    let found = causes(&show);
    let cause = |cause: &crate::walk::cause::Cause| {
        let step =
            |(slot, option): &(usize, u32)| WalkStep { slot: u32::try_from(*slot).unwrap_or(0), option: *option };
        let steps: Vec<WalkStep> = cause.choices.iter().map(step).collect();
        WalkCause {
            options: steps_in_words(suite, &steps),
            failed: cause.failed as u64,
            passed: (cause.passed * stride) as u64,
        }
    };
    found.causes.iter().take(TOLD).map(cause).collect()
}
