//! Covers and samples of the walks of a call: made by `walk::cover`, told in the names of actions.

use std::time::{Duration, Instant};

use mlua::Lua;

use super::constraints::Constraints;
use super::cover::Cover;
use crate::job::{option_in_words, step_in_words};
use crate::model::{WalkStep, WalkSuite};
use crate::script::error::raise;
use crate::walk::cover::{self, Factors, Patience, Rows, Warning};
use crate::walk::{Plan, sample};

/// How many looks at a combination a second of a budget stands for: fewer than any machine of today takes, so that the same
/// budget gives the same rows.
const LOOKS: f64 = 1e8;

/// How long a cover may take before what is not covered is left.
const LONGEST: Duration = Duration::from_mins(1);

/// How many of a kind are named.
const NAMED: usize = 5;

/// Makes the rows of a covering array.
pub(super) fn rows(
    lua: &Lua,
    suite: &WalkSuite,
    factors: &Factors,
    asked: &Cover,
    constraints: Option<&Constraints>,
    remarks: &mut Vec<String>,
) -> mlua::Result<Rows> {
    let begun = Instant::now();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    let of_time = asked.budget.map(|budget| (budget.as_secs_f64() * LOOKS) as u64);
    let most = asked.looks.or(of_time);
    let mut was_cut = false;
    let mut keep_going = |looks: u64, _| {
        let is_late = asked.budget.is_some_and(|budget| begun.elapsed() >= budget);
        let goes_on = most.is_some_and(|most| looks < most);
        was_cut |= goes_on && is_late;
        goes_on && !is_late
    };
    let longest = asked.budget.map_or(LONGEST, |budget| budget.max(LONGEST));
    let mut give_up = || begun.elapsed() > longest;
    let mut patience = Patience { keep_going: &mut keep_going, give_up: &mut give_up };
    let mut ask = |chosen: &[Option<u32>]| constraints.map_or(Ok(true), |rules| rules.ask(lua, chosen, None));
    let mut known = match constraints {
        Some(constraints) => constraints.known(&mut ask),
        None => cover::Constraints { clauses: Vec::new(), ask: None },
    };
    let made = cover::rows(factors, &mut known, &mut patience).map_err(|error| failed(lua, suite, error))?;
    if let Some(text) = gained(&made, asked, was_cut) {
        remarks.push(text);
    }
    remarks.extend(told(suite, &made, longest));
    Ok(made)
}

/// Says what a budget gained.
fn gained(made: &Rows, asked: &Cover, was_cut: bool) -> Option<String> {
    asked.budget?;
    let (rows, first) = (made.rows.len(), made.at_first);
    let gain = match first - rows {
        0 => format!("the cover has {rows} walks, as it has without a budget"),
        gain => format!("the cover has {rows} walks, {gain} fewer than the {first} without a budget"),
    };
    let again = match was_cut {
        false => String::new(),
        true => format!("; the clock ended the search, cover.looks = {} gives the same walks anywhere", made.looks),
    };
    Some(format!("{gain}{again}"))
}

/// Says what users should know of a cover: options that no walk has, rows of the seed that were left out, what is not covered.
fn told(suite: &WalkSuite, made: &Rows, longest: Duration) -> Vec<String> {
    let mut told = Vec::new();
    for (slot, option) in made.impossible.iter().take(NAMED) {
        let name = &suite.order[*slot].action;
        let option = suite.order[*slot].options.get(*option as usize).map(option_in_words).unwrap_or_default();
        told.push(format!("no walk that the constraints allow has the option {option} of action '{name}'"));
    }
    if made.impossible.len() > NAMED {
        told.push(format!("so it is with {} more options", made.impossible.len() - NAMED));
    }
    for warning in &made.warnings {
        told.push(of_seed(suite, warning));
    }
    let tuples = made.tuples;
    if made.left > 0 {
        let all = tuples.covered + made.left + made.undecided.len();
        told.push(format!(
            "the cover is not complete: after {} s its {} walks have {} of {all} combinations",
            longest.as_secs(),
            made.rows.len(),
            tuples.covered
        ));
    }
    if !made.undecided.is_empty() {
        let first: Vec<String> = made.undecided.iter().take(NAMED).map(|options| in_words(suite, options)).collect();
        let more = match made.undecided.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        told.push(format!(
            "it was not found out in time whether an allowed walk can have {}{more}; walk.when, walk.forbid, walk.same and walk.not_applicable say what functions hide",
            first.join("; ")
        ));
    }
    told
}

fn of_seed(suite: &WalkSuite, warning: &Warning) -> String {
    let row = warning.row() + 1;
    let name = |factor: usize| suite.order.get(factor).map_or("?", |slot| slot.action.as_str());
    let why = match warning {
        Warning::Length { length, .. } => format!("it has {length} options"),
        Warning::Unknown { factor, option, .. } => format!("action '{}' has no option {option}", name(*factor)),
        Warning::Invalid { factors: [one, other], .. } => {
            format!("it has invalid values of both '{}' and '{}'", name(*one), name(*other))
        }
        Warning::Forbidden { .. } => "the constraints allow no walk that has its options".to_owned(),
    };
    format!("row {row} of cover.seed_rows was left out: {why}")
}

/// Returns some options in words, in the order of the actions.
fn in_words(suite: &WalkSuite, options: &[Option<u32>]) -> String {
    let step = |(slot, option): (u32, &Option<u32>)| Some(step_in_words(suite, WalkStep { slot, option: (*option)? }));
    (0..).zip(options).filter_map(step).collect::<Vec<_>>().join(", ")
}

/// Draws walks that are allowed.
pub(super) fn drawn(
    lua: &Lua,
    suite: &WalkSuite,
    plan: Option<&Plan>,
    count: u64,
    seed: u64,
    constraints: Option<&Constraints>,
) -> mlua::Result<sample::Drawn> {
    let counts: Vec<u32> = suite.order.iter().map(|slot| u32::try_from(slot.options.len()).unwrap_or(0)).collect();
    let mut ask = |chosen: &[Option<u32>]| {
        let whole: Option<Vec<u32>> = chosen.iter().copied().collect();
        let id = plan.zip(whole).map(|(plan, whole)| plan.id(&whole));
        constraints.map_or(Ok(true), |rules| rules.ask(lua, chosen, id))
    };
    let mut known = match constraints {
        Some(constraints) => constraints.known(&mut ask),
        None => cover::Constraints { clauses: Vec::new(), ask: None },
    };
    sample::sample(&counts, count, seed, &mut known).map_err(|error| failed(lua, suite, error))
}

/// Returns the error of a cover in the words of the call.
fn failed(lua: &Lua, suite: &WalkSuite, error: cover::Error<mlua::Error>) -> mlua::Error {
    let with = |text: &str, options: &[Option<u32>]| format!("{text}: {}", in_words(suite, options));
    let text = match &error {
        // It says itself which constraint it was.
        cover::Error::Constraint(_) => match error {
            cover::Error::Constraint(error) => return error,
            _ => String::new(),
        },
        cover::Error::Fickle { part } => with(&error.to_string(), part),
        cover::Error::Unverified { options, .. } => with(&error.to_string(), options),
        error => named(suite, &error.to_string()),
    };
    raise(lua, "definition", format!("run_tests: cover: {text}"))
}

/// Puts the names of actions in the place of their numbers.
fn named(suite: &WalkSuite, text: &str) -> String {
    let mut text = text.to_owned();
    for (number, slot) in suite.order.iter().enumerate().rev() {
        text = text.replace(&format!("action {number} "), &format!("action '{}' ", slot.action));
    }
    text
}
