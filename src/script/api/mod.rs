//! The Lua modules of Rille, a file each.

pub(super) mod args;
mod draft;
mod job;
pub(super) mod log;
pub(super) mod op;
pub(super) mod plugin;
mod result;
pub(super) mod runnable;
pub(super) mod runs;
mod runtime;
mod selection;
pub(super) mod synchro;
mod task;
pub(super) mod testscript;
pub(crate) mod walk;

use mlua::{Lua, Table, Value};

use super::error::raise;
use crate::model::nearest;

pub(super) use self::job::{module as job_module, run_one};
pub(super) use self::runtime::runtime;
pub(super) use self::selection::Selections;

/// Makes the error for reading a field that an object does not have.
fn unknown_field(lua: &Lua, object: &str, name: &str, known: &[&str]) -> mlua::Error {
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("it has: {}", known.join(", ")),
    };
    raise(lua, "usage", format!("{object} has no field '{name}'; {hint}"))
}

/// Makes the error for setting a field that cannot be set.
fn not_settable(lua: &Lua, object: &str, name: &str) -> mlua::Error {
    raise(lua, "usage", format!("{object}.{name} cannot be set"))
}

/// Makes a table that reads like `fields`, and raises for unknown fields and for writes.
pub(super) fn read_only(lua: &Lua, object: &'static str, fields: &Table) -> mlua::Result<Table> {
    let mut known = Vec::new();
    for pair in fields.pairs::<String, Value>() {
        known.push(pair?.0);
    }
    known.sort();
    let shown = lua.create_table()?;
    let metatable = lua.create_table()?;
    let content = fields.clone();
    let index = lua.create_function(move |lua, (_, name): (Table, Value)| {
        let value: Value = content.raw_get(&name)?;
        // A testbed that was not given is nil, as the original has it.
        if !value.is_nil() || matches!(&name, Value::String(name) if name.as_bytes() == b"testbed") {
            return Ok(value);
        }
        let name = name.to_string()?;
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        Err(unknown_field(lua, object, &name, &known))
    })?;
    metatable.set("__index", index)?;
    let newindex = lua.create_function(move |lua, (_, name, _): (Table, Value, Value)| -> mlua::Result<()> {
        Err(not_settable(lua, object, &name.to_string()?))
    })?;
    metatable.set("__newindex", newindex)?;
    let content = fields.clone();
    let pairs = lua.create_function(move |lua, _: Table| {
        let next: mlua::Function = lua.globals().get("next")?;
        Ok((next, content.clone(), Value::Nil))
    })?;
    metatable.set("__pairs", pairs)?;
    metatable.set("__name", object)?;
    shown.set_metatable(Some(metatable))?;
    Ok(shown)
}
