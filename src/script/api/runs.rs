//! `require "rille.runs"`: the runs of a home, to read.

use std::path::Path;

use chrono::{DateTime, Local, Utc};
use mlua::{Lua, Table, Value};

use super::object::{check_dot, guard_module, unknown_field, unknown_key};
use crate::script::error::raise;
use crate::script::shown::{shown, text_of};
use crate::script::table;
use crate::store::{self, Filter, Home, RunRow};

/// What a run has.
const FIELDS: [&str; 13] = [
    "id",
    "path",
    "status",
    "operation",
    "label",
    "tags",
    "marked",
    "started",
    "stopped",
    "exit_status",
    "flags",
    "attrs",
    "scalars",
];

/// The name of the module, and its functions.
const MODULE: &str = "rille.runs";
const FUNCTIONS: [&str; 2] = ["get", "list"];

/// The keys of `runs.list {}`.
const KEYS: [&str; 2] = ["filter", "limit"];

/// Returns the home of the run in `directory`, which a task of it looks into; else that of the environment.
pub(crate) fn home_of(directory: &Path) -> Option<Home> {
    let runs = directory.parent().filter(|folder| folder.ends_with("runs"));
    let own = runs.and_then(Path::parent).and_then(|home| Home::locate(Some(home)).ok());
    own.or_else(|| Home::locate(None).ok())
}

/// Makes the module. `home` is `None` where it cannot be told.
pub(crate) fn module(lua: &Lua, home: Option<Home>) -> mlua::Result<Value> {
    let home = home.ok_or_else(|| raise(lua, "usage", "there is no home of runs: set RILLE_HOME or HOME"))?;
    let module = lua.create_table()?;
    let listed = home.clone();
    let all = lua.create_function(move |lua, options: Value| {
        check_dot(lua, MODULE, "list", &options)?;
        match &options {
            Value::Nil => list(lua, &listed, None),
            Value::Table(options) => list(lua, &listed, Some(options)),
            other => {
                let text = format!("runs.list takes a table, runs.list {{ filter = \"…\" }}, not {}", shown(other));
                Err(raise(lua, "usage", text))
            }
        }
    })?;
    module.set("list", all)?;
    let get = move |lua: &Lua, id: Value| {
        check_dot(lua, MODULE, "get", &id)?;
        let Value::String(id) = &id else {
            return Err(raise(lua, "usage", format!("runs.get takes the id of a run, not {}", shown(&id))));
        };
        let path = home.find(&id.to_string_lossy()).map_err(|error| raise(lua, "usage", error.to_string()))?;
        run(lua, &store::row(&path))
    };
    module.set("get", lua.create_function(get)?)?;
    guard_module(lua, &module, MODULE, &FUNCTIONS)?;
    Ok(Value::Table(module))
}

/// Returns the list of runs, newest first.
fn list(lua: &Lua, home: &Home, options: Option<&Table>) -> mlua::Result<Table> {
    let mut filter = None;
    let mut limit = usize::MAX;
    if let Some(options) = options {
        for pair in options.pairs::<Value, Value>() {
            let (key, value) = pair?;
            match (text_of(&key).as_str(), value) {
                ("filter", Value::String(text)) => {
                    let text = text.to_string_lossy();
                    let parsed = Filter::parse(&text, &Local::now());
                    filter = Some(parsed.map_err(|mistake| raise(lua, "usage", format!("runs.list: {mistake}")))?);
                }
                ("limit", Value::Integer(count)) if count >= 0 => limit = usize::try_from(count).unwrap_or(usize::MAX),
                ("filter", other) => {
                    let what = format!("runs.list: filter must be a string, not {}", shown(&other));
                    return Err(raise(lua, "usage", what));
                }
                ("limit", other) => {
                    let what = format!("runs.list: limit must be a whole number from 0, not {}", shown(&other));
                    return Err(raise(lua, "usage", what));
                }
                (key, _) => return Err(unknown_field(lua, "the table of runs.list", key, &KEYS)),
            }
        }
    }
    let failed = |error: store::Error| raise(lua, "storage", error.to_string());
    let rows = match &filter {
        None if limit < usize::MAX => store::newest(home, limit).map_err(failed)?.runs,
        _ => store::rows(home).map_err(failed)?,
    };
    let runs = lua.create_table()?;
    let chosen = rows.iter().filter(|row| filter.as_ref().is_none_or(|filter| filter.matches(*row)));
    for row in chosen.take(limit) {
        runs.push(run(lua, row)?)?;
    }
    Ok(runs)
}

/// Returns a run as a table. What it does not have is nil, and a name that no run has is an error.
fn run(lua: &Lua, row: &RunRow) -> mlua::Result<Table> {
    let info = &row.info;
    let fields = lua.create_table()?;
    fields.set("id", info.id.as_str())?;
    fields.set("path", info.path.to_string_lossy().as_ref())?;
    fields.set("status", info.status.name())?;
    fields.set("operation", info.operation.as_deref())?;
    fields.set("label", info.label.as_deref())?;
    fields.set("tags", info.tags.clone())?;
    fields.set("marked", info.marked)?;
    fields.set("started", seconds(info.started))?;
    fields.set("stopped", seconds(info.stopped))?;
    fields.set("exit_status", info.exit_status)?;
    let flags = lua.create_table()?;
    for (name, value) in row.flags() {
        flags.set(name.as_str(), table::from_json(lua, value)?)?;
    }
    fields.set("flags", flags)?;
    let metatable = lua.create_table()?;
    let path = info.path.clone();
    let index = lua.create_function(move |lua, (run, key): (Table, Value)| {
        let name = key.as_string().map(mlua::LuaString::to_string_lossy).unwrap_or_default();
        // These are read when they are asked for: there are many, and event files are large.
        let value = match name.as_str() {
            "attrs" => attrs(lua, &path)?,
            "scalars" => scalars(lua, &path)?,
            name if FIELDS.contains(&name) => return Ok(Value::Nil),
            _ => return Err(unknown_key(lua, "a run", &key, &FIELDS)),
        };
        run.raw_set(name, &value)?;
        Ok(Value::Table(value))
    })?;
    metatable.set("__index", index)?;
    metatable.set("__name", "run")?;
    let id = info.id.clone();
    metatable.set("__tostring", lua.create_function(move |_, _: Value| Ok(format!("run {id}")))?)?;
    fields.set_metatable(Some(metatable))?;
    Ok(fields)
}

fn seconds(time: Option<DateTime<Utc>>) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 have 51 bits")]
    time.map(|time| time.timestamp_micros() as f64 / 1e6)
}

fn attrs(lua: &Lua, path: &Path) -> mlua::Result<Table> {
    let details = store::load(path).map_err(|error| raise(lua, "storage", error.to_string()))?;
    let attrs = lua.create_table()?;
    for (name, value) in &details.attrs {
        attrs.set(name.as_str(), table::from_json(lua, value)?)?;
    }
    Ok(attrs)
}

/// Returns the last value of each scalar.
fn scalars(lua: &Lua, path: &Path) -> mlua::Result<Table> {
    let scalars = lua.create_table()?;
    for scalar in store::row(path).scalars() {
        scalars.set(scalar.full_name(), scalar.last.0)?;
    }
    Ok(scalars)
}
