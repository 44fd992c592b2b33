//! What `rille.walk` does in a jobfile: walks are run by workers, tasks of the job's run.

mod constraints;
mod cover;
mod covers;
mod forms;
mod learnt;
mod list;
mod options;
mod planned;
mod results;

use std::rc::Rc;

use mlua::{Lua, Table};

use self::constraints::Constraints;
pub(crate) use self::list::list_walks;
pub(super) use self::list::{no_suite, run_suite};
use self::planned::{Planned, planned};
use super::api::walk::{WalkCall, WalkHost, WalkReplay};
use super::context::Context;
use super::error::{calling_line, raise};
use crate::job::{WalkError, WalkRun};
use crate::model::{WalkEnded, WalkOrder, WalkSuite};
use crate::report::Verbosity;

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
        let WalkCall { mut suite, options, marks, instances, refused } = call;
        let mut asked = options::read(lua, &options, &self.job.settings().walks)?;
        let given = std::mem::take(&mut asked.constraints);
        let constraints = Constraints::new(lua, &suite, given, instances, refused)?;
        let planned = planned(lua, &suite, &asked, &marks, constraints.as_ref())?;
        for remark in &planned.remarks {
            self.job.run().warn(remark.clone(), calling_line(lua));
        }
        let rules = constraints.as_ref().filter(|_| !planned.is_allowed);
        let excluded = rules.map_or(Ok(Vec::new()), |rules| self.excluded(lua, &planned, rules))?;
        suite.traces = asked.log_dir(lua, &self.job.settings().started_in)?;
        suite.max_walk_runtime = asked.options.max_walk_runtime;
        suite.max_failures = asked.options.max_failures;
        suite.share = asked.options.share.unwrap_or(false);
        let gathers = asked.options.gather_states.unwrap_or(false);
        let seed = planned.seed;
        let measured = asked.measured(lua, &suite, &marks, &planned, constraints.as_ref())?;
        let run = WalkRun {
            suite,
            plan: planned.plan,
            selection: planned.selection,
            shard: planned.shard,
            excluded: excluded.clone(),
            seed,
            workers: asked.options.workers,
            verbose: asked.options.verbose.unwrap_or_else(|| usual_verbosity(self)),
            gathers,
            shrinks: asked.options.shrink.unwrap_or(false),
            measured,
            place: calling_line(lua),
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

/// Returns how much is said of walks where nobody asked: the stages, unless the console is quiet.
fn usual_verbosity(context: &Context) -> u8 {
    u8::from(context.job.settings().verbosity >= Verbosity::Normal)
}

impl Context {
    /// Returns the ids of the walks that are not allowed, ascending.
    fn excluded(&self, lua: &Lua, planned: &Planned, rules: &Constraints) -> mlua::Result<Vec<u64>> {
        let mut excluded = Vec::new();
        for (count, id) in (0..).zip(planned.selection.ids()) {
            if count % STRIDE == 0 {
                self.check_running(lua)?;
            }
            let options: Vec<Option<u32>> = planned.plan.options(id).into_iter().map(Some).collect();
            if !rules.allow(lua, &options, Some(id))? {
                excluded.push(id);
            }
        }
        Ok(excluded)
    }
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

/// Returns the context as the module has it.
pub(super) fn of(context: &Rc<Context>) -> Rc<dyn WalkHost> {
    Rc::clone(context) as Rc<dyn WalkHost>
}
