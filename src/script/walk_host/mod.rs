//! What `rille.walk` does in a jobfile: walks are run by workers, tasks of the job's run.

mod options;
mod results;

use std::rc::Rc;

use mlua::{Function, Lua, Table, Value};

use self::options::Asked;
use super::api::walk::{WalkCall, WalkHost, WalkReplay};
use super::entropy;
use super::error::{calling_line, raise};
use super::host::Context;
use crate::job::{WalkError, WalkRun};
use crate::model::{WalkEnded, WalkOrder, WalkSuite};
use crate::walk::{Plan, PlanError, Selection, Shard, ShardTable, Slot};

/// How many random walks over a machine are run where nobody says.
const RANDOM_WALKS: u64 = 100;

/// How many walks are looked at between two looks at whether the run is to stop.
const STRIDE: u64 = 1024;

impl WalkHost for Context {
    fn is_loading(&self) -> bool {
        self.is_loading()
    }

    fn check(&self, lua: &Lua, what: &str) -> mlua::Result<()> {
        Self::check(self, lua, what)
    }

    fn run_tests(&self, lua: &Lua, call: WalkCall) -> mlua::Result<Table> {
        let WalkCall { mut suite, options, marks: _, instances, refused } = call;
        let asked = options::read(lua, &options, &self.job.settings().walks)?;
        let plan = plan(&suite, asked.options.sample).map_err(|error| no_plan(lua, &suite, &error))?;
        let draws = asked.options.sample.is_some() && suite.machine.is_none();
        let seed = asked.options.seed.or_else(|| draws.then(entropy::draw_seed));
        let mut selection = match asked.options.sample.filter(|_| draws) {
            Some(count) => Selection::sample(plan.walks(), count, seed.unwrap_or_default().cast_unsigned()),
            None => Selection::All(plan.walks()),
        };
        let shard = asked.options.shard.as_deref().map(str::parse::<Shard>).transpose();
        let mut shard = shard.map_err(|problem| raise(lua, "usage", format!("run_tests: {problem}")))?;
        if let (Some(given), Selection::List(_)) = (shard, &selection) {
            // Of a list it is found out here which are in the shard.
            let table = ShardTable::new(given, &suite.order);
            let mut keeps = |id: u64| Ok::<_, mlua::Error>(table.holds(&plan.options(id)));
            selection = selection.keep(&mut keeps)?;
            shard = None;
        }
        let excluded = self.excluded(lua, &plan, &selection, &asked, instances.as_ref(), refused.as_ref())?;
        suite.traces = asked.log_dir(lua, &self.job.settings().started_in)?;
        suite.max_walk_runtime = asked.options.max_walk_runtime;
        suite.share = asked.options.share.unwrap_or(false);
        let gathers = asked.options.gather_states.unwrap_or(false);
        let run = WalkRun {
            suite,
            plan,
            selection,
            shard,
            excluded: excluded.clone(),
            seed,
            workers: asked.options.workers,
            verbose: asked.options.verbose.unwrap_or(1),
            gathers,
            place: calling_line(lua),
            study: None,
        };
        let outcome = self.run_walks(lua, run).map_err(|error| failed(lua, "run_tests", &error))?;
        results::table(lua, &outcome, &excluded, gathers, seed)
    }

    fn replay(&self, lua: &Lua, replay: WalkReplay) -> mlua::Result<WalkEnded> {
        let WalkReplay { id: _, walk, state, step } = replay;
        let suite = WalkSuite { state: state.clone(), ..WalkSuite::default() };
        let order = WalkOrder::Replay { walk, state, step };
        let file = self.job.settings().jobfile.clone();
        let place = calling_line(lua);
        self.replay_walk(lua, file, suite, &order, place).map_err(|error| failed(lua, "replay", &error))
    }
}

impl Context {
    /// Returns the ids of the walks that the actions or the call refuse, ascending.
    fn excluded(
        &self,
        lua: &Lua,
        plan: &Plan,
        selection: &Selection,
        asked: &Asked,
        instances: Option<&Function>,
        refused: Option<&Function>,
    ) -> mlua::Result<Vec<u64>> {
        let mut excluded = Vec::new();
        if refused.is_none() && asked.refuses.is_empty() {
            return Ok(excluded);
        }
        let numbers = lua.create_table()?;
        for (count, id) in (0..).zip(selection.ids()) {
            if count % STRIDE == 0 {
                self.check_running(lua)?;
            }
            for (place, option) in (1..).zip(plan.options(id)) {
                numbers.raw_set(place, option)?;
            }
            let mut is_out = match refused {
                Some(refused) => !refused.call::<Value>(&numbers)?.is_nil(),
                None => false,
            };
            if let Some(instances) = instances.filter(|_| !is_out && !asked.refuses.is_empty()) {
                let list: Table = instances.call(&numbers)?;
                for (refuses, when) in &asked.refuses {
                    let said: Value = refuses.call((&list, id))?;
                    let is_true = !matches!(said, Value::Nil | Value::Boolean(false));
                    is_out |= is_true == *when;
                }
            }
            if is_out {
                excluded.push(id);
            }
        }
        Ok(excluded)
    }
}

/// Returns the plan of a suite. Of a machine it is a list of walks that have no options yet.
fn plan(suite: &WalkSuite, sample: Option<u64>) -> Result<Plan, PlanError> {
    if suite.machine.is_some() {
        let walks = sample.unwrap_or(RANDOM_WALKS);
        let options = u32::try_from(walks).map_err(|_| PlanError::TooMany)?;
        return Plan::new(vec![Slot { is_serial: false, options }]);
    }
    let slot = |slot: &crate::model::WalkSlot| Slot {
        is_serial: slot.is_serial,
        options: u32::try_from(slot.options.len()).unwrap_or(u32::MAX),
    };
    Plan::new(suite.order.iter().map(slot).collect())
}

fn no_plan(lua: &Lua, suite: &WalkSuite, error: &PlanError) -> mlua::Error {
    let text = match error {
        PlanError::NoOptions(place) => {
            let name = suite.order.get(*place).map_or("?", |slot| slot.action.as_str());
            format!(
                "run_tests: action '{name}', number {} of the order, has no options; each needs one at least",
                place + 1
            )
        }
        error => format!("run_tests: {error}"),
    };
    raise(lua, "definition", text)
}

fn failed(lua: &Lua, function: &str, error: &WalkError) -> mlua::Error {
    let kind = match error {
        WalkError::Wait(_) => "cancelled",
        WalkError::Refused(_) | WalkError::Changed => "definition",
        WalkError::Traces(..) => "usage",
        WalkError::Socket(_) | WalkError::Deaths(_) => "error",
    };
    raise(lua, kind, format!("{function}: {error}"))
}

/// Keeps the trait object and what it stands on together.
pub(super) fn of(context: &Rc<Context>) -> Rc<dyn WalkHost> {
    Rc::clone(context) as Rc<dyn WalkHost>
}
