//! A suite in a worker: its actions found, its options decoded, and the code that runs its stages.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::rc::Rc;

use mlua::{Function, Lua, MultiValue, Table, Value};

use super::lua_half::{core, limit, shared_depth, slots};
use super::page::monotonic;
use super::records::Records;
use super::states::{self, Kept, Spool};
use super::{Worker, internal};
use crate::model::{NoState, RaisedError, WalkReport, WalkSlot, WalkSuite, Walks};
use crate::script::api::walk::{decode, defined, encode};
use crate::script::error::plain_text;
use crate::walk::{Plan, Shard, ShardTable, Slot};

/// Bytes of states that go into one report.
const PIECE: usize = 256 << 10;

/// See the module.
pub(super) struct Loaded {
    pub(super) lua: Lua,
    pub(super) suite: WalkSuite,
    /// There is none for a machine, or where a suite is loaded for a replay alone.
    pub(super) plan: Option<Plan>,
    /// The Lua half.
    pub(super) core: Table,
    pub(super) protect: Function,
    /// What the file has defined.
    pub(super) defined: Table,
    slots: Vec<Table>,
    /// The functions of a machine.
    pub(super) machine: Option<Table>,
    codes: HashMap<(usize, bool), Code>,
    /// States outlive a portion.
    pub(super) keeps: bool,
    pub(super) is_timed: bool,
    pub(super) records: Option<Records>,
    has_told_problem: bool,
    pub(super) spool: Option<Rc<RefCell<Spool>>>,
    /// Of the walks that are handed out only those of a shard are run.
    pub(super) shard: Option<ShardTable>,
    /// The stage of the present order.
    stage: Rc<Cell<u32>>,
    /// Actions that were run, and portions that failed.
    pub(super) actions: u64,
    pub(super) failed: u64,
}

/// The code of a stage.
#[derive(Clone)]
pub(super) struct Code {
    /// Runs walks.
    pub(super) run: Function,
    /// Returns the state and the place of the action at hand.
    pub(super) at: Function,
    /// Returns how many actions were run; where they cannot be told from the number of walks.
    pub(super) actions: Option<Function>,
    /// Returns how many walks failed together.
    pub(super) span: Option<Function>,
}

impl Loaded {
    /// Finds the actions of a suite among what the file has defined.
    pub(super) fn new(worker: &Worker<'_>, lua: &Lua, suite: WalkSuite) -> Result<Self, RaisedError> {
        let script = worker.order.script.display().to_string();
        let wrong = |message: String| RaisedError { kind: "definition".to_owned(), message, traceback: None };
        let fault = |error: mlua::Error| internal(&error);
        let Some(defined) = defined(lua).map_err(fault)? else {
            return Err(wrong(format!("{script} does not require 'rille.walk' when a worker loads it")));
        };
        let plan = match suite.order.is_empty() || suite.machine.is_some() {
            true => None,
            false => {
                let slots = suite.order.iter().map(slot_of).collect();
                let plan = match suite.rows.is_empty() {
                    true => Plan::new(slots),
                    false => Plan::listed(slots, suite.rows.clone()),
                };
                Some(plan.map_err(|error| wrong(error.to_string()))?)
            }
        };
        let spool = match &suite.spool {
            Some(path) => Some(Rc::new(RefCell::new(Spool::open(path).map_err(|error| wrong(error.to_string()))?))),
            None => None,
        };
        let records = match (&suite.traces, suite.machine.is_none()) {
            (Some(folder), true) => {
                let script = &worker.order.script;
                let records = Records::open(folder, worker.number, &worker.run_name(), script, &suite);
                Some(records.map_err(|error| wrong(error.to_string()))?)
            }
            _ => None,
        };
        let shard = suite.shard.map(|(index, of)| ShardTable::new(Shard { index, of }, &suite.order));
        let is_timed = suite.max_walk_runtime.is_some() || suite.reports_all || records.is_some();
        let keeps = spool.is_some() || plan.as_ref().is_some_and(|plan| plan.stages().len() > 1);
        let core = core(worker, lua, &defined, &suite, spool.as_ref()).map_err(fault)?;
        let template =
            decode(lua, &suite.state).map_err(|error| wrong(format!("the state: {}", plain_text(&error))))?;
        core.get::<Function>("set_template").and_then(|set| set.call::<()>(template)).map_err(fault)?;
        let slots = slots(lua, &defined, &suite, &script)?;
        if let Some(seconds) = suite.max_walk_runtime {
            limit(lua, &worker.shared, seconds).map_err(fault)?;
        }
        let protect = core.get("protect").map_err(fault)?;
        let mut loaded = Self {
            lua: lua.clone(),
            suite,
            plan,
            core,
            protect,
            defined,
            slots,
            machine: None,
            codes: HashMap::new(),
            keeps,
            is_timed,
            records,
            has_told_problem: false,
            spool,
            shard,
            stage: Rc::clone(&worker.stage),
            actions: 0,
            failed: 0,
        };
        loaded.machine = loaded.make_machine().map_err(fault)?;
        Ok(loaded)
    }

    /// Returns whether a walk is in the shard that is run.
    pub(super) fn is_in_shard(&self, id: u64) -> bool {
        match (&self.shard, &self.plan) {
            (Some(shard), Some(plan)) => shard.holds(&plan.options(id)),
            _ => true,
        }
    }

    fn shape(&self) -> mlua::Result<Table> {
        let shape = self.lua.create_table()?;
        shape.set("is_timed", self.is_timed)?;
        shape.set("keeps", self.keeps)?;
        shape.set("tells", self.spool.is_some() || self.suite.reports_all)?;
        Ok(shape)
    }

    fn make_machine(&self) -> mlua::Result<Option<Table>> {
        let Some(machine) = &self.suite.machine else { return Ok(None) };
        let shape = self.shape()?;
        shape.set("seed", machine.seed.cast_signed())?;
        shape.set("max_steps", machine.max_steps)?;
        let definition: Table = self.defined.get::<Table>("machines")?.get(machine.name.as_str())?;
        self.core.get::<Function>("machine")?.call((definition, self.slots.clone(), shape)).map(Some)
    }

    /// Returns the code of a stage, made where it is first wanted.
    pub(super) fn code(&mut self, stage: usize, merges: bool) -> mlua::Result<Code> {
        if let Some(machine) = &self.machine {
            let at = self.core.get("where")?;
            return Ok(Code { run: machine.get("run")?, at, actions: Some(machine.get("actions")?), span: None });
        }
        if let Some(code) = self.codes.get(&(stage, merges)) {
            return Ok(code.clone());
        }
        let plan = self.plan.as_ref().ok_or_else(|| mlua::Error::runtime("the suite has no order"))?;
        let place = plan.stages().get(stage).ok_or_else(|| mlua::Error::runtime("the suite has no such stage"))?;
        let slots = &self.slots[place.actions.clone()];
        let shape = self.shape()?;
        shape.set("takes", stage > 0)?;
        shape.set("merges", merges)?;
        shape.set("stride", place.stride())?;
        shape.set("portions", place.portions)?;
        if let Some(rows) = plan.rows() {
            let digits = |row: &Vec<u32>| self.lua.create_sequence_from(row[place.actions.clone()].iter().copied());
            let rows: Vec<Table> = rows.iter().map(digits).collect::<mlua::Result<_>>()?;
            shape.set("rows", rows)?;
        }
        let depth = shared_depth(slots)?;
        let code = if self.suite.share && stage == 0 && depth > 0 && slots.len() > 1 {
            let made = self.core.get::<Function>("shared_stage")?.call((slots.to_vec(), shape, depth))?;
            let (run, at, actions, span): (Function, Function, Function, Function) = made;
            Code { run, at, actions: Some(actions), span: Some(span) }
        } else {
            let (run, at) = self.core.get::<Function>("stage")?.call((slots.to_vec(), shape))?;
            Code { run, at, actions: None, span: None }
        };
        self.codes.insert((stage, merges), code.clone());
        Ok(code)
    }

    /// Calls a function; returns what it raised, or returned.
    pub(super) fn call(&self, function: Function, arguments: Vec<Value>) -> Result<MultiValue, MultiValue> {
        let mut all = vec![Value::Function(function)];
        all.extend(arguments);
        let mut returned = match self.protect.call::<MultiValue>(mlua::Variadic::from_iter(all)) {
            Ok(returned) => returned,
            // Even an error in the error handler is an error of the walk.
            Err(error) => return Err(MultiValue::from_vec(vec![Value::Error(Box::new(error))])),
        };
        match returned.pop_front() {
            Some(Value::Boolean(true)) => Ok(returned),
            _ => Err(returned),
        }
    }

    pub(super) fn slot(&self, place: u32) -> Option<&Table> {
        self.slots.get(place as usize)
    }

    /// Keeps the state of a walk that ended otherwise than by running through.
    pub(super) fn keep(&self, id: u64, state: &Value) {
        if !self.keeps {
            return;
        }
        // It is reported with the walk; that it can be asked for again is not worth an error of its own.
        let _ = self.core.get::<Function>("keep_state").and_then(|keep| keep.call::<()>((id, state)));
        if let Some(spool) = &self.spool {
            let _ = spool.borrow_mut().write(&self.lua, id, self.stage.get(), state);
        }
    }

    /// Takes over the states of another worker's walks.
    pub(super) fn adopt(&self, spool: &Path, wanted: &[(Walks, u32)]) -> WalkReport {
        let begun = monotonic();
        let kept = states::read(spool, &states::Wanted::new(wanted));
        let lose = self.core.get::<Function>("lose");
        let keep = self.core.get::<Function>("keep_state");
        if let (Ok(lose), Ok(keep)) = (lose, keep) {
            match kept {
                Err(error) => {
                    let problem = error.to_string();
                    each_of(wanted, &mut |id, _| drop(lose.call::<()>((id, problem.as_str()))));
                }
                Ok(kept) => each_of(wanted, &mut |id, stage| {
                    let problem = match kept.get(&id) {
                        Some(Kept::State(state)) => match decode(&self.lua, state) {
                            Ok(state) => {
                                if let Some(own) = &self.spool {
                                    let _ = own.borrow_mut().write(&self.lua, id, stage, &state);
                                }
                                drop(keep.call::<()>((id, state)));
                                return;
                            }
                            Err(error) => plain_text(&error),
                        },
                        Some(Kept::Lost(problem)) => problem.clone(),
                        None => format!("{} does not have it as it was after stage {}", spool.display(), stage + 1),
                    };
                    drop(lose.call::<()>((id, problem)));
                }),
            }
        }
        WalkReport::Done { ran: 0, actions: 0, seconds: seconds_since(begun), next: None }
    }

    /// Sends states and forgets them. Returns the last report.
    pub(super) fn states(
        &self,
        walks: &Walks,
        send: &mut dyn FnMut(&WalkReport) -> io::Result<()>,
    ) -> io::Result<WalkReport> {
        let mut states = Vec::new();
        let mut bytes = 0;
        let mut outcome = Ok(());
        each(walks, &mut |id| {
            let state = self.take_state(id);
            bytes += state.as_ref().map_or(64, |state| state.to_string().len() + 16);
            states.push((id, state));
            if bytes > PIECE && outcome.is_ok() {
                bytes = 0;
                outcome = send(&WalkReport::States { states: std::mem::take(&mut states), more: true });
            }
        });
        outcome?;
        Ok(WalkReport::States { states, more: false })
    }

    fn take_state(&self, id: u64) -> Result<serde_json::Value, NoState> {
        let asked = self.core.get::<Function>("state_of").and_then(|of| of.call::<(bool, Value)>(id));
        let (is_there, state) = asked.map_err(|error| NoState(plain_text(&error)))?;
        if !is_there {
            return Err(NoState("its state is not in this worker".to_owned()));
        }
        let encoded = encode(&self.lua, &state, "the state").map_err(|lost| NoState(lost.to_string()));
        let _ = self.core.get::<Function>("forget").and_then(|forget| forget.call::<()>(id));
        encoded
    }

    /// Returns whether so many walks have failed that no more are started.
    pub(super) fn has_failed_enough(&self) -> bool {
        self.suite.max_failures.is_some_and(|most| self.failed >= most)
    }

    /// Returns why the trace is not whole, once.
    pub(super) fn new_problem(&mut self) -> Option<String> {
        let problem = self.records_problem().filter(|_| !self.has_told_problem);
        self.has_told_problem |= problem.is_some();
        problem
    }

    pub(super) fn records_problem(&self) -> Option<String> {
        self.records.as_ref().and_then(Records::problem)
    }

    /// Returns the rules of a machine that never ran, with how often they were tried.
    pub(super) fn idle_rules(&self) -> Vec<(String, u64)> {
        let Some(machine) = &self.machine else { return Vec::new() };
        let idle = machine.get::<Function>("idle").and_then(|idle| idle.call::<Vec<Table>>(()));
        let read = |rule: Table| Some((rule.get(1).ok()?, rule.get(2).ok()?));
        idle.unwrap_or_default().into_iter().filter_map(read).collect()
    }
}

/// Returns the seconds since a time of the monotonic clock.
#[expect(clippy::cast_precision_loss, reason = "a walk does not take 100 days")]
pub(super) fn seconds_since(begun: u64) -> f64 {
    monotonic().saturating_sub(begun) as f64 / 1e9
}

fn slot_of(slot: &WalkSlot) -> Slot {
    Slot { is_serial: slot.is_serial, options: u32::try_from(slot.options.len()).unwrap_or(u32::MAX) }
}

/// Calls `f` with the id of each walk.
pub(super) fn each(walks: &Walks, f: &mut dyn FnMut(u64)) {
    match walks {
        Walks::Range(from, to) => (*from..*to).for_each(f),
        Walks::List(ids) => ids.iter().copied().for_each(f),
    }
}

/// Calls `f` with the id of each walk and its stage.
fn each_of(walks: &[(Walks, u32)], f: &mut dyn FnMut(u64, u32)) {
    for (walks, stage) in walks {
        each(walks, &mut |id| f(id, *stage));
    }
}
