//! The Lua half of a worker: loaded, given the actions of the suite that the file has defined, and kept to its time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use mlua::chunk::ChunkMode;
use mlua::{Function, HookTriggers, Lua, Table, Value, VmState};

use super::loaded::seconds_since;
use super::page::{Broken, Shared, monotonic};
use super::states::Spool;
use super::{Worker, internal};
use crate::model::{RaisedError, WalkEnd, WalkEnded, WalkReport, WalkSuite, nearest};
use crate::script::api::walk::decode;
use crate::script::error::{plain_text, raise};

/// Instructions between two looks at the clock, where walks have a time limit.
const INSTRUCTIONS: u32 = 10_000;

/// Returns how many actions from the first on can be shared by the walks that have them in common.
pub(super) fn shared_depth(slots: &[Table]) -> mlua::Result<usize> {
    for (depth, slot) in slots.iter().enumerate() {
        if !slot.get::<bool>("is_shareable")? {
            return Ok(depth);
        }
    }
    Ok(slots.len())
}

/// Makes the tables by which the Lua half knows the actions of an order.
pub(super) fn slots(lua: &Lua, defined: &Table, suite: &WalkSuite, script: &str) -> Result<Vec<Table>, RaisedError> {
    let wrong = |message: String| RaisedError { kind: "definition".to_owned(), message, traceback: None };
    let fault = |error: mlua::Error| internal(&error);
    let known: Table = match &suite.machine {
        None => defined.get("actions").map_err(fault)?,
        Some(machine) => {
            let machines: Table = defined.get("machines").map_err(fault)?;
            let found: Option<Table> = machines.get(machine.name.as_str()).map_err(fault)?;
            let found = found.ok_or_else(|| missing(&machines, "machine", &machine.name, script))?;
            let rules = lua.create_table().map_err(fault)?;
            for rule in found.get::<Table>("rules").map_err(fault)?.sequence_values::<Table>() {
                let rule = rule.map_err(fault)?;
                rules.set(rule.get::<Value>("name").map_err(fault)?, rule).map_err(fault)?;
            }
            rules
        }
    };
    let mut slots = Vec::with_capacity(suite.order.len());
    for (place, slot) in (1..).zip(&suite.order) {
        let action: Option<Table> = known.get(slot.action.as_str()).map_err(fault)?;
        let action = action.ok_or_else(|| missing(&known, "action", &slot.action, script))?;
        let made = lua.create_table().map_err(fault)?;
        let options = lua.create_table_with_capacity(slot.options.len(), 0).map_err(fault)?;
        for (number, option) in (1..).zip(&slot.options) {
            let option = decode(lua, option).map_err(|error| {
                wrong(format!("option {number} of action '{}': {}", slot.action, plain_text(&error)))
            })?;
            options.raw_set(number, option).map_err(fault)?;
        }
        let fill = || -> mlua::Result<()> {
            made.set("name", slot.action.as_str())?;
            made.set("place", place)?;
            made.set("count", slot.options.len())?;
            made.set("options", options)?;
            made.set("is_serial", slot.is_serial)?;
            made.set("run", action.raw_get::<Value>("run")?)?;
            for key in ["precondition", "weight"] {
                made.set(key, action.raw_get::<Value>(key)?)?;
            }
            // Those that are not given are false.
            for key in ["snapshot", "restore"] {
                made.set(key, action.raw_get::<Option<Function>>(key).ok().flatten())?;
            }
            let is_pure = action.raw_get::<Value>("pure")? == Value::Boolean(true);
            made.set("is_shareable", is_pure || made.contains_key("snapshot")?)
        };
        fill().map_err(fault)?;
        slots.push(made);
    }
    Ok(slots)
}

/// Makes the error for a name that the file does not define.
pub(super) fn missing(known: &Table, what: &str, name: &str, script: &str) -> RaisedError {
    let mut names: Vec<String> = known.pairs::<String, Value>().filter_map(|pair| Some(pair.ok()?.0)).collect();
    names.sort();
    let hint = match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => format!("; did you mean '{near}'?"),
        None => "; define it at the top level of the file, whatever loads it".to_owned(),
    };
    let message = format!("the {what} '{name}' is not there when a worker loads {script}{hint}");
    RaisedError { kind: "definition".to_owned(), message, traceback: None }
}

/// Raises `timeout` in a walk that takes too long.
pub(super) fn limit(lua: &Lua, shared: &Rc<Shared>, seconds: f64) -> mlua::Result<()> {
    let limit = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).as_nanos();
    let shared = Rc::clone(shared);
    lua.set_global_hook(HookTriggers::new().every_nth_instruction(INSTRUCTIONS), move |lua, _| {
        let begun = shared.begun_at();
        if begun != 0 && u128::from(monotonic().saturating_sub(begun)) > limit {
            shared.break_walk(Broken::Late);
            let what = shared.subject();
            let text = format!("{what} took longer than {seconds} s (max_walk_runtime) and was ended");
            return Err(raise(lua, "timeout", text));
        }
        Ok(VmState::Continue)
    })
}

/// Loads the Lua half.
pub(super) fn core(
    worker: &Worker<'_>,
    lua: &Lua,
    defined: &Table,
    suite: &WalkSuite,
    spool: Option<&Rc<RefCell<Spool>>>,
) -> mlua::Result<Table> {
    let host = lua.create_table()?;
    host.set("begin", worker.shared.begin_function(lua, false)?)?;
    host.set("begin_timed", worker.shared.begin_function(lua, true)?)?;
    host.set("sentinel", worker.shared.sentinel())?;
    host.set("traceback", lua.globals().get::<Table>("debug")?.get::<Function>("traceback")?)?;
    let (line, shared) = (Rc::clone(&worker.line), Rc::clone(&worker.shared));
    let (spool, reports_all) = (spool.cloned(), suite.reports_all);
    let stage = Rc::clone(&worker.stage);
    let ended = lua.create_function(move |lua, (id, state): (u64, Value)| {
        if shared.is_broken() {
            return Err(mlua::Error::runtime("the walk is to be failed"));
        }
        if let Some(spool) = &spool {
            spool.borrow_mut().write(lua, id, stage.get(), &state).map_err(mlua::Error::runtime)?;
        }
        if reports_all {
            let ended = WalkEnded {
                id,
                stage: stage.get(),
                end: WalkEnd::Passed,
                slot: None,
                error: None,
                state: None,
                steps: Vec::new(),
                seconds: seconds_since(shared.begun_at()),
            };
            line.send(&WalkReport::Walk(Box::new(ended)))?;
        }
        Ok(())
    })?;
    host.set("ended", ended)?;
    let source = include_str!("../../../lua/rille/walk/worker.lua");
    lua.load(source).set_name("=[rille walk worker]").set_mode(ChunkMode::Text).call((host, defined))
}
