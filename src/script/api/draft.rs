//! Reading the table of a `run {}` or `Task {}`.
//!
//! What is wrong with one task must not cost the others, so it is not raised: it becomes the problem of the draft, and the
//! task is errored for it.

use std::collections::BTreeMap;
use std::time::Duration;

use mlua::{Function, Lua, Table, Value};
use serde_json::Value as Json;

use super::runnable::LuaRunnable;
use crate::job::{Draft, DraftSections, SectionFilter, Testscript, quoted};
use crate::model::{Place, SectionChoice, nearest, parse_size};
use crate::script::table::{shown, to_json};

/// The keys that mean something to Rille; every other one is a parameter of the script.
const RESERVED: [&str; 15] = [
    "testscript",
    "taskid",
    "runtime",
    "max_runtime",
    "kind",
    "args",
    "env",
    "cwd",
    "stdin",
    "retries",
    "needs",
    "resources",
    "tags",
    "uids",
    "groups",
];

/// Reads a task table that stands at `place`.
pub(super) fn read(table: &Table, place: Option<Place>) -> mlua::Result<Box<Draft>> {
    let mut draft = Box::new(Draft { place, ..Draft::default() });
    let mut fields: Vec<(String, Value)> = Vec::new();
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        match key {
            Value::String(key) => fields.push((key.to_string_lossy(), value)),
            other => {
                let text = format!("a task table has names as keys, got {}", shown(&other));
                draft.problem.get_or_insert(text);
            }
        }
    }
    // Lua's order of keys changes from run to run, and with it which problem would be told first.
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    for (key, value) in fields {
        if let Err(problem) = set(&mut draft, &key, &value) {
            draft.problem.get_or_insert(problem);
        }
    }
    Ok(draft)
}

/// Returns the parameters in a task table as a new table.
pub(super) fn kwargs(lua: &Lua, table: &Table) -> mlua::Result<Table> {
    let kwargs = lua.create_table()?;
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let is_reserved = matches!(&key, Value::String(key) if RESERVED.contains(&key.to_string_lossy().as_str()));
        if !is_reserved {
            kwargs.raw_set(key, value)?;
        }
    }
    Ok(kwargs)
}

fn set(draft: &mut Draft, key: &str, value: &Value) -> Result<(), String> {
    match key {
        "testscript" => draft.testscript = Some(testscript(value)?),
        "taskid" => draft.taskid = Some(text(key, value)?),
        "runtime" => {}
        "max_runtime" => draft.max_runtime = Some(max_runtime(value)?),
        "kind" => draft.kind = Some(text(key, value)?),
        "args" => draft.args = words(key, value)?,
        "env" => draft.env = environment(value)?,
        "cwd" => draft.cwd = Some(text(key, value)?),
        "stdin" => draft.stdin = Some(text(key, value)?),
        "retries" => draft.retries = Some(count(key, value)?),
        "needs" => draft.needs = words(key, value)?,
        "resources" => draft.resources = resources(value)?,
        "tags" => draft.tags = words(key, value)?,
        "uids" | "groups" => sections(&mut draft.sections, key, value)?,
        _ => {
            if let Some(near) = nearest(key, RESERVED) {
                draft.remarks.push(format!("'{key}' is handed on as a parameter; did you mean '{near}'?"));
            }
            draft.parameters.insert(key.to_owned(), to_json(value, &format!("parameter '{key}'"))?);
        }
    }
    Ok(())
}

/// Reads which sections run: an expression, a list of patterns, or a function.
fn sections(sections: &mut DraftSections, key: &str, value: &Value) -> Result<(), String> {
    let expressions = match value {
        Value::Function(_) => Vec::new(),
        Value::String(_) => vec![text(key, value)?],
        // The items of a list are patterns, not expressions: a name may hold spaces.
        Value::Table(_) => words(key, value)?.iter().map(|pattern| quoted(pattern)).collect(),
        other => return Err(wrong(key, "a pattern, a list of patterns or a function", other)),
    };
    let is_function = matches!(value, Value::Function(_));
    let choice = match key {
        "uids" => {
            sections.asks_uids = is_function;
            sections.uids = expressions;
            SectionChoice { uids: sections.uids.clone(), ..SectionChoice::default() }
        }
        _ => {
            sections.asks_groups = is_function;
            sections.groups = expressions;
            SectionChoice { groups: sections.groups.clone(), ..SectionChoice::default() }
        }
    };
    SectionFilter::new(&choice).map(|_| ()).map_err(|error| error.to_string())
}

/// Returns the function by which a task chooses its sections, if `uids` or `groups` is one that the command line leaves.
pub(super) fn selector(lua: &Lua, table: &Table, command_line: &SectionChoice) -> mlua::Result<Option<Function>> {
    let function = |key: &str, is_free: bool| match table.raw_get::<Value>(key)? {
        Value::Function(function) if is_free => Ok(Some(function)),
        _ => mlua::Result::Ok(None),
    };
    let uids = function("uids", command_line.uids.is_empty())?;
    let groups = function("groups", command_line.groups.is_empty())?;
    match (uids, groups) {
        (Some(uids), Some(groups)) => {
            let both = "local a, b = ... return function(u, g) return a(u, g) and b(u, g) end";
            lua.load(both).set_name("=[rille selector]").call((uids, groups)).map(Some)
        }
        (uids, groups) => Ok(uids.or(groups)),
    }
}

fn testscript(value: &Value) -> Result<Testscript, String> {
    match value {
        Value::String(path) => {
            let path = path.to_str().map_err(|_| "testscript holds bytes that are not UTF-8".to_owned())?;
            match path.is_empty() {
                true => Err("testscript is empty; write testscript = \"FILE\"".to_owned()),
                false => Ok(Testscript::Path(path.to_owned())),
            }
        }
        Value::Table(_) => {
            let recipe = to_json(value, "testscript")?;
            let recipe = serde_json::from_value(recipe).map_err(|error| format!("testscript is no recipe: {error}"))?;
            Ok(Testscript::Recipe(Box::new(recipe)))
        }
        Value::UserData(object) if object.is::<LuaRunnable>() => {
            let runnable = object.borrow::<LuaRunnable>().map_err(|error| error.to_string())?;
            Ok(Testscript::Recipe(Box::new(runnable.0.clone())))
        }
        other => Err(wrong("testscript", "a path, a recipe table or a runnable", other)),
    }
}

fn text(key: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => {
            text.to_str().map(|text| text.to_owned()).map_err(|_| format!("{key} holds bytes that are not UTF-8"))
        }
        other => Err(wrong(key, "a string", other)),
    }
}

fn max_runtime(value: &Value) -> Result<Duration, String> {
    let wanted = "a number of seconds above 0";
    let seconds = match value {
        Value::Integer(seconds) => i32::try_from(*seconds).ok().map(f64::from),
        Value::Number(seconds) => Some(*seconds),
        _ => None,
    };
    let limit = seconds.filter(|seconds| *seconds > 0.0).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    limit.ok_or_else(|| wrong("max_runtime", wanted, value))
}

fn count(key: &str, value: &Value) -> Result<u32, String> {
    match value {
        Value::Integer(number) => u32::try_from(*number).map_err(|_| wrong(key, "a whole number from 0", value)),
        other => Err(wrong(key, "a whole number from 0", other)),
    }
}

/// Reads a list of strings and numbers; one alone is a list of one.
fn words(key: &str, value: &Value) -> Result<Vec<String>, String> {
    match to_json(value, key)? {
        Json::String(word) => Ok(vec![word]),
        Json::Object(fields) if fields.is_empty() => Ok(Vec::new()),
        Json::Array(items) => (1..)
            .zip(items)
            .map(|(index, item)| match item {
                Json::String(word) => Ok(word),
                Json::Number(number) => Ok(number.to_string()),
                other => Err(format!("{key}[{index}] must be a string, got {other}")),
            })
            .collect(),
        _ => Err(wrong(key, "a list of strings", value)),
    }
}

fn environment(value: &Value) -> Result<BTreeMap<String, Option<String>>, String> {
    let Json::Object(fields) = to_json(value, "env")? else {
        return Err(wrong("env", "a table of names and texts", value));
    };
    let entry = |(name, value): (String, Json)| match value {
        Json::String(text) => Ok((name, Some(text))),
        Json::Number(number) => Ok((name, Some(number.to_string()))),
        Json::Bool(false) => Ok((name, None)),
        other => Err(format!("env.{name} must be a string, a number, or false to remove it, got {other}")),
    };
    fields.into_iter().map(entry).collect()
}

fn resources(value: &Value) -> Result<BTreeMap<String, u64>, String> {
    let Json::Object(fields) = to_json(value, "resources")? else {
        return Err(wrong("resources", "a table such as { cpus = 2 }", value));
    };
    let entry = |(name, value): (String, Json)| {
        let amount = match &value {
            Json::Number(number) => number.as_u64(),
            Json::String(text) => parse_size(text),
            _ => None,
        };
        match amount {
            Some(amount) => Ok((name, amount)),
            None => {
                Err(format!("resources.{name} must be a whole number from 0 or a size such as \"4G\", got {value}"))
            }
        }
    };
    fields.into_iter().map(entry).filter(|entry| !matches!(entry, Ok((_, 0)))).collect()
}

fn wrong(key: &str, wanted: &str, value: &Value) -> String {
    format!("{key} must be {wanted}, got {}", shown(value))
}
