//! Which walks a call of `run_tests` runs: the plan, and what is selected of it.

use std::time::{Duration, Instant};

use mlua::Lua;

use super::constraints::Constraints;
use super::options::Asked;
use crate::model::{WalkSlot, WalkSuite};
use crate::script::api::walk::SlotMarks;
use crate::script::entropy;
use crate::script::error::{plain_text, raise};
use crate::walk::cover::{self, Factors};
use crate::walk::{Plan, PlanError, Selection, Shard, ShardTable, Slot, sample};

/// How many random walks over a machine are run where nobody says.
const RANDOM_WALKS: u64 = 100;

/// The walks of a call.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) selection: Selection,
    /// What of the selection is run; `None` if that has been looked at already.
    pub(super) shard: Option<Shard>,
    /// The seed, where something was drawn.
    pub(super) seed: Option<i64>,
    /// What is covered, where the walks were chosen for it.
    pub(super) cover: Option<Factors>,
    /// The constraints have been looked at already.
    pub(super) is_allowed: bool,
    /// What the user should know of what was chosen.
    pub(super) remark: Option<String>,
}

/// Plans the walks of a call.
pub(super) fn planned(
    lua: &Lua,
    suite: &WalkSuite,
    asked: &Asked,
    marks: &[SlotMarks],
    constraints: Option<&Constraints>,
) -> mlua::Result<Planned> {
    let options = &asked.options;
    let is_machine = suite.machine.is_some();
    let plan = plan(suite, options.sample).map_err(|error| no_plan(lua, suite, &error))?;
    let draws = options.sample.is_some() && !is_machine;
    let seed = options.seed.or_else(|| draws.then(entropy::draw_seed));
    let number = seed.unwrap_or_default().cast_unsigned();
    let strength = options.cover.filter(|_| !is_machine);
    let (mut selection, mut factors) = (Selection::All(plan.walks()), None);
    if let Some(strength) = strength {
        let made = asked.cover.factors(lua, suite, marks, strength as usize, number)?;
        let rows = rows(lua, suite, &made, asked.cover.budget, constraints)?;
        selection = Selection::of(rows.iter().map(|row| plan.id(row)).collect());
        factors = Some(made);
    }
    let mut remark = None;
    let is_drawn_allowed = matches!(selection, Selection::All(_)) && constraints.is_some();
    if let Some(count) = options.sample.filter(|_| draws) {
        selection = match selection {
            Selection::All(_) if let Some(rules) = constraints => {
                let counts: Vec<u32> = plan.slots().iter().map(|slot| slot.options).collect();
                let mut allowed = |chosen: &[Option<u32>]| {
                    let whole: Option<Vec<u32>> = chosen.iter().copied().collect();
                    rules.allow(chosen, whole.map(|whole| plan.id(&whole)))
                };
                let allowed_ones = sample::sample(&counts, count, number, &mut allowed)?;
                remark = fewer(count, &allowed_ones);
                Selection::of(allowed_ones.walks.iter().map(|walk| plan.id(walk)).collect())
            }
            Selection::All(walks) => Selection::sample(walks, count, number),
            Selection::List(ids) => match Selection::sample(ids.len() as u64, count, number) {
                Selection::All(_) => Selection::List(ids),
                places @ Selection::List(_) => {
                    let list = Selection::List(ids);
                    Selection::of(places.ids().map(|place| list.id(place)).collect())
                }
            },
        };
    }
    let shard = options.shard.as_deref().map(str::parse::<Shard>).transpose();
    let mut shard = shard.map_err(|problem| raise(lua, "definition", format!("run_tests: {problem}")))?;
    if let Some(given) = shard
        && (matches!(selection, Selection::List(_)) || is_machine)
    {
        // Of a list it is found out here which are in the shard. Of a machine's walks each is but a number.
        let ids = [WalkSlot { action: "walk".to_owned(), is_serial: false, options: Vec::new() }];
        let numbers = |count: u64| (0..count).map(serde_json::Value::from).collect();
        let table = match is_machine {
            false => ShardTable::new(given, &suite.order),
            true => ShardTable::new(given, &ids.map(|slot| WalkSlot { options: numbers(plan.walks()), ..slot })),
        };
        selection = selection.keep(&mut |id: u64| Ok::<_, mlua::Error>(table.holds(&plan.options(id))))?;
        shard = None;
    }
    let is_allowed = factors.is_some() || (draws && is_drawn_allowed);
    Ok(Planned { plan, selection, shard, seed, is_allowed, cover: factors, remark })
}

/// Says that fewer walks were drawn than were wanted.
fn fewer(wanted: u64, drawn: &sample::Drawn) -> Option<String> {
    let found = drawn.walks.len();
    (found as u64 != wanted).then(|| match drawn.are_all {
        true => format!("a sample of {wanted} walks was asked for, and the constraints allow {found}: these are all"),
        false => format!(
            "a sample of {wanted} walks was asked for, and no more than {found} were found that the constraints allow"
        ),
    })
}

/// Makes the rows of a covering array.
fn rows(
    lua: &Lua,
    suite: &WalkSuite,
    factors: &Factors,
    budget: Option<Duration>,
    constraints: Option<&Constraints>,
) -> mlua::Result<Vec<Vec<u32>>> {
    let until = budget.map(|budget| Instant::now() + budget);
    let mut keep_going = || until.is_some_and(|until| Instant::now() < until);
    let mut allowed = |chosen: &[Option<u32>]| constraints.map_or(Ok(true), |rules| rules.allow(chosen, None));
    let made = cover::rows(factors, &mut allowed, &mut keep_going).map_err(|error| {
        let text = match error {
            cover::Error::Constraint(error) => format!("a constraint raised: {}", plain_text(&error)),
            error => named(suite, &error.to_string()),
        };
        raise(lua, "definition", format!("run_tests: cover: {text}"))
    })?;
    Ok(made.rows)
}

/// Puts the names of actions in the place of their numbers.
fn named(suite: &WalkSuite, text: &str) -> String {
    let mut text = text.to_owned();
    for (number, slot) in suite.order.iter().enumerate().rev() {
        text = text.replace(&format!("action {number} "), &format!("action '{}' ", slot.action));
    }
    text
}

/// Returns the plan of a suite. Of a machine it is a list of walks that have no options yet.
fn plan(suite: &WalkSuite, sample: Option<u64>) -> Result<Plan, PlanError> {
    if suite.machine.is_some() {
        let walks = sample.unwrap_or(RANDOM_WALKS);
        let options = u32::try_from(walks).map_err(|_| PlanError::TooMany)?;
        return Plan::new(vec![Slot { is_serial: false, options }]);
    }
    let slot = |slot: &WalkSlot| Slot {
        is_serial: slot.is_serial,
        options: u32::try_from(slot.options.len()).unwrap_or(u32::MAX),
    };
    Plan::new(suite.order.iter().map(slot).collect())
}

fn no_plan(lua: &Lua, suite: &WalkSuite, error: &PlanError) -> mlua::Error {
    let text = match error {
        PlanError::NoOptions(place) => {
            let name = suite.order.get(*place).map_or("?", |slot| slot.action.as_str());
            format!("action '{name}', number {} of the order, has no options; each needs one at least", place + 1)
        }
        error => error.to_string(),
    };
    raise(lua, "definition", format!("run_tests: {text}"))
}
