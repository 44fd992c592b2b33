//! From a call of `run_tests`, whose definitions the Lua half has read, to the suite that workers are told.

use mlua::{Lua, Table, Value};

use super::value::encode;
use super::{SlotMarks, WalkCall};
use crate::model::{WalkMachine, WalkSlot, WalkSuite};
use crate::script::entropy;
use crate::script::error::raise;
use crate::script::table::NotCarried;

/// The most steps of a walk over a machine, where nobody says.
const MAX_STEPS: i64 = 50;

/// Reads a call.
pub(super) fn call(lua: &Lua, call: &Table) -> mlua::Result<WalkCall> {
    let definition = |lost: NotCarried| raise(lua, "definition", lost.to_string());
    let options: Table = call.get("options")?;
    let mut order = Vec::new();
    let mut marks = Vec::new();
    for slot in call.get::<Table>("slots")?.sequence_values::<Table>() {
        let slot = slot?;
        let given: Table = slot.get("options")?;
        let values: Table = given.get("values")?;
        let count: i64 = given.get("count")?;
        let what: String = slot.get("what")?;
        let mut encoded = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
        for number in 1..=count {
            let value: Value = values.raw_get(number)?;
            encoded.push(encode(lua, &value, &format!("option {number} of {what}")).map_err(definition)?);
        }
        order.push(WalkSlot { action: slot.get("action")?, is_serial: slot.get("is_serial")?, options: encoded });
        marks.push(SlotMarks { weights: given.get("weights")?, invalid: given.get("invalid")? });
    }
    let state = encode(lua, &call.get::<Value>("state")?, "the state").map_err(definition)?;
    let machine = match call.get::<Option<String>>("machine")? {
        Some(name) => Some(machine(lua, name, call, &options)?),
        None => None,
    };
    Ok(WalkCall {
        suite: WalkSuite { order, state, machine, ..WalkSuite::default() },
        options,
        marks,
        instances: call.get("instances")?,
        refused: call.get("refused")?,
    })
}

fn machine(lua: &Lua, name: String, call: &Table, options: &Table) -> mlua::Result<WalkMachine> {
    let max_steps = match call.get::<Value>("max_steps")? {
        Value::Nil => MAX_STEPS,
        Value::Integer(steps) if (1..=i64::from(u32::MAX)).contains(&steps) => steps,
        other => {
            let text = format!("run_tests: max_steps is a number from 1, not {}", crate::script::shown::shown(&other));
            return Err(raise(lua, "definition", text));
        }
    };
    // The seed is told at the end, so that the same walks can be made again.
    let seed = match options.get::<Value>("seed")? {
        Value::Nil => {
            let seed = entropy::draw_seed();
            options.set("seed", seed)?;
            seed
        }
        Value::Integer(seed) => seed,
        other => {
            let text = format!("run_tests: seed is a whole number, not {}", crate::script::shown::shown(&other));
            return Err(raise(lua, "definition", text));
        }
    };
    let max_steps = u32::try_from(max_steps).unwrap_or(u32::MAX);
    Ok(WalkMachine { name, seed: seed.cast_unsigned(), max_steps })
}
