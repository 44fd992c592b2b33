//! What the ends of walks tell when all have ended: options that failing ones share, and what was covered. Nothing is run.

use std::collections::BTreeMap;
use std::ops::Range;

use super::words::steps_in_words;
use crate::model::{WalkCause, WalkCoverage, WalkEnd, WalkStep, WalkSuite, WalksEnd};

use crate::walk::cause::causes;
use crate::walk::cover::{Clause, Factors, Ran, measure};
use crate::walk::{Selection, Setup};

/// How many walks that passed are looked at for causes; of more, so many that are equally far apart.
const LOOKED_AT: u64 = 300_000;

/// Causes that are told.
const TOLD: usize = 8;

/// The most walks of which it is looked at what they cover, where not all of it has passed before.
const MEASURED: u64 = 20_000_000;

/// What is to be told of the coverage of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    /// The combinations of so many actions each.
    pub(crate) factors: Vec<Factors>,
    /// What is known of the constraints.
    pub(crate) clauses: Vec<Clause>,
    /// Whether the walks were chosen so that what they do not have is impossible.
    pub(crate) is_complete: bool,
}

/// Fills in causes and coverage. `through` are the places of the walks that came through their last stage, or ended in it.
pub(super) fn study(
    setup: &Setup,
    suite: &WalkSuite,
    ended: &BTreeMap<u64, WalkEnd>,
    through: &[Range<u64>],
    measured: &Measured,
    end: &mut WalksEnd,
) {
    if suite.machine.is_some() {
        return;
    }
    if end.failed > 0 {
        end.causes = find_causes(setup, suite, ended, through);
    }
    for factors in &measured.factors {
        if let Some(coverage) = coverage(setup, suite, ended, through, measured, factors) {
            end.coverage.insert(factors.strength.to_string(), coverage);
        }
    }
}

/// Returns what became of the combinations of the options of so many actions.
fn coverage(
    setup: &Setup,
    suite: &WalkSuite,
    ended: &BTreeMap<u64, WalkEnd>,
    through: &[Range<u64>],
    asked: &Measured,
    factors: &Factors,
) -> Option<WalkCoverage> {
    let mut measured = measure(factors).ok()?;
    let places = setup.selection.len();
    // What is far apart has most different options, so that soon everything has passed, if it has.
    let step = scattered(places);
    for number in 0..places {
        if number % BETWEEN == 0 && measured.all_passed() {
            break;
        }
        if number == MEASURED {
            return None;
        }
        let place = u64::try_from(u128::from(number) * u128::from(step) % u128::from(places)).unwrap_or(0);
        let id = setup.selection.id(place);
        if setup.excluded.binary_search(&id).is_ok() {
            continue;
        }
        let ran = match ended.get(&id) {
            Some(WalkEnd::Failed) => Ran::Failed,
            None if through.iter().any(|range| range.contains(&place)) && !is_excluded(setup, id) => Ran::Passed,
            _ => Ran::NotRun,
        };
        measured.add(&setup.plan.options(id), ran);
    }
    let mut account = measured.account(&asked.clauses);
    // Where all walks were looked at, or a cover was made, what none has is impossible: functions said so, if not clauses.
    if asked.is_complete || setup.selection == Selection::All(setup.plan.walks()) && setup.plan.rows().is_none() {
        let covered = measured.in_any_walk();
        let unseen = account.not_run - (covered - account.passed - account.failed);
        account.impossible += unseen;
        account.not_run -= unseen;
        account.gaps.retain(|gap| measured.has(gap));
    }
    let count = |number: usize| number as u64;
    let words = |gap: &Vec<Option<u32>>| {
        let step = |(slot, option): (u32, &Option<u32>)| Some(WalkStep { slot, option: (*option)? });
        steps_in_words(suite, &(0..).zip(gap).filter_map(step).collect::<Vec<_>>())
    };
    Some(WalkCoverage {
        total: count(account.passed + account.failed + account.not_run),
        passed: count(account.passed),
        failed: count(account.failed),
        not_run: count(account.not_run),
        impossible: count(account.impossible),
        gaps: account.gaps.iter().map(words).collect(),
    })
}

/// Walks between two looks at whether everything has passed.
const BETWEEN: u64 = 1 << 10;

/// Returns a step through so many places that meets each once, and goes far every time.
fn scattered(places: u64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "near is enough"
    )]
    let golden = (places as f64 * 0.618_033_988_75) as u64;
    let divisor = |mut a: u64, mut b: u64| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    (golden.max(1)..=places.max(1)).find(|step| divisor(*step, places) == 1).unwrap_or(1)
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
