//! One walk, or one serial action, on its own: for shrinking, for replay, and at a barrier.

use std::rc::Rc;

use mlua::{Function, MultiValue, Table, Value};
use serde_json::Value as Json;

use super::Worker;
use super::loaded::{Loaded, seconds_since};
use super::lua_half::missing;
use super::page::{SERIAL, WALK, monotonic};
use super::portions::{explain, steps};
use crate::model::{Blob, Message, RaisedError, Reply, WalkEnd, WalkEnded, WalkReport, WalkStep};
use crate::script::api::walk::{decode, encode};
use crate::script::error::{plain_text, raise};

/// The kind of the error by which a user ends a replay.
const QUIT_KIND: &str = "quit";

/// Runs a serial action.
pub(super) fn serial(worker: &Worker<'_>, loaded: &Loaded, step: WalkStep, state: &Json) -> WalkReport {
    let begun = monotonic();
    let ended = |returned: Option<Json>, error: Option<RaisedError>| WalkReport::Serial {
        returned,
        error,
        seconds: seconds_since(begun),
    };
    let wrong = |error: mlua::Error| ended(None, Some(super::internal(&error)));
    let Some(slot) = loaded.slot(step.slot) else {
        return wrong(mlua::Error::runtime(format!("the order has no action {}", step.slot)));
    };
    let (serial, state) = match (loaded.core.get::<Function>("serial"), decode(&loaded.lua, state)) {
        (Ok(serial), Ok(state)) => (serial, state),
        (Err(error), _) | (_, Err(error)) => return wrong(error),
    };
    let arguments = vec![Value::Table(slot.clone()), Value::Integer(step.option.into()), state];
    worker.shared.start_single(SERIAL, loaded.is_timed);
    let returned = loaded.call(serial, arguments);
    worker.shared.idle(0);
    let broken = worker.shared.take_broken();
    let caught = match (returned, broken) {
        (Ok(returned), None) => {
            let returned = returned.into_iter().next().unwrap_or(Value::Nil);
            return match encode(&loaded.lua, &returned, "what the serial action returned") {
                Ok(Json::Null) => ended(None, None),
                Ok(returned) => ended(Some(returned), None),
                Err(lost) => {
                    let (kind, message) = ("error".to_owned(), lost.to_string());
                    ended(None, Some(RaisedError { kind, message, traceback: None }))
                }
            };
        }
        (Ok(_), Some(_)) => None,
        (Err(caught), _) => Some(caught),
    };
    let (end, mut error) = explain(worker, caught, broken);
    if end == WalkEnd::Cancelled {
        let name: String = slot.get("name").unwrap_or_default();
        "usage".clone_into(&mut error.kind);
        error.message = format!(
            "serial action '{name}' called walk.cancel; it runs for many walks and cannot cancel one: cancel in an action, or \
             raise an error to end the suite"
        );
    }
    ended(None, Some(error))
}

/// Runs a walk of any steps, each an action of the order.
pub(super) fn tried(worker: &Worker<'_>, loaded: &Loaded, steps: &[WalkStep]) -> WalkReport {
    let begun = monotonic();
    let prepare = || -> mlua::Result<(Function, Vec<Value>)> {
        let list = loaded.lua.create_table()?;
        if let Some(machine) = &loaded.machine {
            for step in steps {
                let item = loaded.lua.create_table()?;
                item.set("rule", step.slot + 1)?;
                item.set("option", step.option)?;
                list.push(item)?;
            }
            return Ok((machine.get("replay")?, vec![Value::Table(list)]));
        }
        for step in steps {
            let slot = loaded.slot(step.slot).ok_or_else(|| mlua::Error::runtime("the order has no such action"))?;
            let item = loaded.lua.create_table()?;
            for key in ["name", "place", "run", "is_serial"] {
                item.set(key, slot.get::<Value>(key)?)?;
            }
            item.set("param", slot.get::<Table>("options")?.get::<Value>(step.option + 1)?)?;
            list.push(item)?;
        }
        let fresh: Value = loaded.core.get::<Function>("fresh")?.call(())?;
        Ok((loaded.core.get("steps")?, vec![Value::Table(list), fresh, Value::Boolean(true)]))
    };
    finish(worker, loaded, begun, prepare(), Some(steps))
}

/// Runs a walk as it stands in a trace.
pub(super) fn replay(worker: &Worker<'_>, loaded: &Loaded, walk: &[Json], state: &Json, step: bool) -> WalkReport {
    let begun = monotonic();
    let prepare = || -> mlua::Result<(Function, Vec<Value>)> {
        let pause = if step { Value::Function(pause(worker, loaded, walk.len())?) } else { Value::Nil };
        if let Some(machine) = machine_of(loaded, walk)? {
            return replay_machine(loaded, &machine, walk, pause);
        }
        let list = loaded.lua.create_table()?;
        let script = worker.order.script.display().to_string();
        let actions: Table = loaded.defined.get("actions")?;
        for (place, action) in (1..).zip(walk) {
            let (name, option) = action.as_object().and_then(|fields| fields.iter().next()).ok_or_else(|| {
                mlua::Error::runtime(format!("item {place} of the walk is {action}, not {{\"ACTION\": OPTION}}"))
            })?;
            let item = loaded.lua.create_table()?;
            let found: Option<Table> = actions.get(name.as_str())?;
            let found =
                found.ok_or_else(|| mlua::Error::runtime(missing(&actions, "action", name, &script).message))?;
            item.set("name", name.as_str())?;
            item.set("place", place)?;
            item.set("run", found.raw_get::<Value>("run")?)?;
            item.set("is_serial", found.raw_get::<Value>("is_serial")?)?;
            let option = decode(&loaded.lua, option).map_err(|error| {
                mlua::Error::runtime(format!("the option of item {place}, '{name}': {}", plain_text(&error)))
            })?;
            item.set("param", option)?;
            list.push(item)?;
        }
        let state = decode(&loaded.lua, state)
            .map_err(|error| mlua::Error::runtime(format!("the state: {}", plain_text(&error))))?;
        Ok((loaded.core.get("steps")?, vec![Value::Table(list), state, Value::Boolean(false), pause]))
    };
    finish(worker, loaded, begun, prepare(), None)
}

/// Returns the machine whose rules the steps of a walk are; `None` if they are actions.
fn machine_of(loaded: &Loaded, walk: &[Json]) -> mlua::Result<Option<Table>> {
    let actions: Table = loaded.defined.get("actions")?;
    let names: Vec<&String> = walk.iter().filter_map(|step| step.as_object()?.keys().next()).collect();
    for name in &names {
        if actions.contains_key(name.as_str())? {
            return Ok(None);
        }
    }
    let mut fitting = Vec::new();
    for pair in loaded.defined.get::<Table>("machines")?.pairs::<String, Table>() {
        let (name, machine) = pair?;
        let mut rules = std::collections::HashSet::new();
        for rule in machine.get::<Table>("rules")?.sequence_values::<Table>() {
            rules.insert(rule?.get::<String>("name")?);
        }
        let is_suites = loaded.suite.machine.as_ref().is_some_and(|machine| machine.name == name);
        if !names.is_empty() && names.iter().all(|name| rules.contains(*name)) {
            fitting.push((!is_suites, name, machine));
        }
    }
    fitting.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    Ok(fitting.into_iter().next().map(|(_, _, machine)| machine))
}

/// Prepares the run of steps over a machine; the options of its rules are those of the steps.
fn replay_machine(
    loaded: &Loaded,
    machine: &Table,
    walk: &[Json],
    pause: Value,
) -> mlua::Result<(Function, Vec<Value>)> {
    let lua = &loaded.lua;
    let (rules, list) = (lua.create_table()?, lua.create_table()?);
    for (place, rule) in (1..).zip(machine.get::<Table>("rules")?.sequence_values::<Table>()) {
        let rule = rule?;
        let made = lua.create_table()?;
        for key in ["name", "run", "precondition", "weight"] {
            made.set(key, rule.get::<Value>(key)?)?;
        }
        made.set("place", place)?;
        made.set("options", lua.create_table()?)?;
        rules.push(made)?;
    }
    for step in walk.iter().filter_map(Json::as_object) {
        let Some((name, option)) = step.iter().next() else { continue };
        for (place, rule) in (1..).zip(rules.sequence_values::<Table>()) {
            let rule = rule?;
            if rule.get::<String>("name")? == *name {
                let options: Table = rule.get("options")?;
                let number = options.raw_len();
                options.raw_set(number + 1, decode(lua, option)?)?;
                let item = lua.create_table()?;
                item.set("rule", place)?;
                item.set("option", number)?;
                list.push(item)?;
            }
        }
    }
    let made: Table = loaded.core.get::<Function>("machine")?.call((machine, rules, lua.create_table()?))?;
    Ok((made.get("replay")?, vec![Value::Table(list), pause]))
}

/// Makes the function that shows what was done and waits for the user.
fn pause(worker: &Worker<'_>, loaded: &Loaded, count: usize) -> mlua::Result<Function> {
    let host = Rc::clone(&worker.host);
    loaded.lua.create_function(move |lua, (number, action, state): (usize, mlua::LuaString, Value)| {
        let state = encode(lua, &state, "the state").map_or_else(|lost| lost.to_string(), |state| state.to_string());
        let action = action.to_string_lossy();
        let text = format!("{number}/{count} {action}\n    state: {state}\nEnter goes on, q ends the replay: ");
        match host.ask(&Message::Prompt { text: Blob(text.into_bytes()) })? {
            Reply::Line { text: Some(line) } if line.trim().eq_ignore_ascii_case("q") => {
                Err(raise(lua, QUIT_KIND, format!("the replay was ended after action {number} of {count}")))
            }
            _ => Ok(()),
        }
    })
}

/// Runs what was prepared, and reports how it ended.
fn finish(
    worker: &Worker<'_>,
    loaded: &Loaded,
    begun: u64,
    prepared: mlua::Result<(Function, Vec<Value>)>,
    given: Option<&[WalkStep]>,
) -> WalkReport {
    let ended = |end: WalkEnd, slot: Option<u32>, error: Option<RaisedError>, state: &Value| {
        let steps = match (given, &loaded.machine) {
            (Some(given), None) => given.to_vec(),
            _ => steps(loaded),
        };
        let state = encode(&loaded.lua, state, "the state").ok().filter(|state| !state.is_null());
        WalkReport::Tried(Box::new(WalkEnded {
            id: 0,
            stage: 0,
            end,
            slot,
            error,
            state,
            steps,
            seconds: seconds_since(begun),
        }))
    };
    let (function, arguments) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return ended(WalkEnd::Failed, None, Some(super::internal(&error)), &Value::Nil),
    };
    worker.shared.start_single(WALK, loaded.is_timed);
    let returned: Result<MultiValue, MultiValue> = loaded.call(function, arguments);
    worker.shared.idle(0);
    let broken = worker.shared.take_broken();
    let at = loaded.core.get::<Function>("where").and_then(|at| at.call::<(Value, u32)>(()));
    let (state, place) = at.unwrap_or((Value::Nil, 0));
    let caught = match (returned, broken) {
        (Ok(_), None) => return ended(WalkEnd::Passed, None, None, &state),
        (Ok(_), Some(_)) => None,
        (Err(caught), _) => Some(caught),
    };
    let (mut end, error) = explain(worker, caught, broken);
    if error.kind == QUIT_KIND {
        end = WalkEnd::Cancelled;
    }
    ended(end, place.checked_sub(1), Some(error), &state)
}
