//! Which walks a call of `run_tests` runs: the plan, and what is selected of it.

use mlua::Lua;

use super::constraints::Constraints;
use super::covers;
use super::options::Asked;
use crate::model::{WalkSlot, WalkSuite};
use crate::script::api::walk::SlotMarks;
use crate::script::entropy;
use crate::script::error::raise;
use crate::walk::cover::Factors;
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
    /// The walks cover all that can be covered.
    pub(super) is_complete: bool,
    /// The constraints have been looked at already.
    pub(super) is_allowed: bool,
    /// What the user should know of what was chosen.
    pub(super) remarks: Vec<String>,
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
    let mut remarks = Vec::new();
    let draws = options.sample.is_some() && !is_machine;
    let seed = options.seed.or_else(|| draws.then(entropy::draw_seed));
    let number = seed.unwrap_or_default().cast_unsigned();
    let strength = options.cover.filter(|_| !is_machine);
    let mut rows = None;
    let mut is_complete = false;
    let mut factors = None;
    let is_listed = plan(suite, options.sample) == Err(PlanError::TooMany) && !is_machine;
    let numbered = match is_listed {
        true => None,
        false => Some(plan(suite, options.sample).map_err(|error| no_plan(lua, suite, &error))?),
    };
    if let Some(strength) = strength {
        let made = asked.cover.factors(lua, suite, marks, strength as usize, number)?;
        let found = covers::rows(lua, suite, &made, &asked.cover, constraints, &mut remarks)?;
        is_complete = found.left == 0 && found.undecided.is_empty();
        rows = Some(found.rows);
        factors = Some(made);
    }
    let is_drawn_allowed = rows.is_none() && (constraints.is_some() || is_listed);
    let mut selection = match (&rows, options.sample.filter(|_| draws)) {
        (None, Some(count)) if is_drawn_allowed => {
            let found = covers::drawn(lua, suite, numbered.as_ref(), count, number, constraints)?;
            remarks.extend(fewer(count, &found));
            rows = Some(found.walks.into_iter().collect());
            None
        }
        (None, Some(count)) => numbered.as_ref().map(|plan| Selection::sample(plan.walks(), count, number)),
        _ => None,
    };
    let plan = match (numbered, &rows) {
        (Some(plan), _) => plan,
        (None, Some(rows)) => Plan::listed(slots(suite), rows.clone()).map_err(|error| no_plan(lua, suite, &error))?,
        (None, None) => return Err(no_plan(lua, suite, &PlanError::TooMany)),
    };
    let mut selection = selection.take().unwrap_or_else(|| match (&rows, is_listed) {
        (Some(rows), false) => Selection::of(rows.iter().map(|row| plan.id(row)).collect()),
        _ => Selection::All(plan.walks()),
    });
    if let Some(count) = options.sample.filter(|_| draws && factors.is_some()) {
        selection = match Selection::sample(selection.len(), count, number) {
            Selection::All(_) => selection,
            places @ Selection::List(_) => Selection::of(places.ids().map(|place| selection.id(place)).collect()),
        };
    }
    let shard = options.shard.as_deref().map(str::parse::<Shard>).transpose();
    let mut shard = shard.map_err(|problem| raise(lua, "definition", format!("run_tests: {problem}")))?;
    if let Some(given) = shard
        && (matches!(selection, Selection::List(_)) || is_machine || is_listed)
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
    Ok(Planned { plan, selection, shard, seed, is_allowed, is_complete, cover: factors, remarks })
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

/// Returns the plan of a suite. Of a machine it is a list of walks that have no options yet.
fn plan(suite: &WalkSuite, sample: Option<u64>) -> Result<Plan, PlanError> {
    if suite.machine.is_some() {
        let walks = sample.unwrap_or(RANDOM_WALKS);
        let options = u32::try_from(walks).map_err(|_| PlanError::TooMany)?;
        return Plan::new(vec![Slot { is_serial: false, options }]);
    }
    Plan::new(slots(suite))
}

fn slots(suite: &WalkSuite) -> Vec<Slot> {
    let slot = |slot: &WalkSlot| Slot {
        is_serial: slot.is_serial,
        options: u32::try_from(slot.options.len()).unwrap_or(u32::MAX),
    };
    suite.order.iter().map(slot).collect()
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
