//! `require "rille.job"`: `run`, `Task`, `parallel`, `wait_all`, `rollup`.

use std::rc::Rc;

use mlua::{Lua, LuaString, MultiValue, Table, UserDataRef, Value};

use super::draft;
use super::object::{check_dot, guard_module};
use super::result::LuaResult;
use super::runnable;
use super::task::{LuaTask, cannot_start, result, seconds, wait_failed};
use crate::engine::OnLimit;
use crate::model::{Outcome, Place, TaskNumber, nearest};
use crate::script::context::Context;
use crate::script::error::{calling_line, raise};
use crate::script::list;
use crate::script::shown::shown;

/// The name of the module.
const MODULE: &str = "rille.job";

const FIELDS: [&str; 5] = ["run", "Task", "parallel", "wait_all", "rollup"];

/// Makes the module.
pub(crate) fn module(lua: &Lua, context: &Rc<Context>) -> mlua::Result<Value> {
    let module = lua.create_table()?;
    let shared = Rc::clone(context);
    module.set("run", lua.create_function(move |lua, definition: Value| run(lua, &shared, &definition))?)?;
    let shared = Rc::clone(context);
    module.set("Task", lua.create_function(move |lua, definition: Value| task(lua, &shared, &definition))?)?;
    let shared = Rc::clone(context);
    module.set("parallel", lua.create_function(move |lua, list: Value| parallel(lua, &shared, &list))?)?;
    let shared = Rc::clone(context);
    let wait_all =
        lua.create_function(move |lua, (tasks, limit): (Value, Value)| wait_all(lua, &shared, &tasks, &limit));
    module.set("wait_all", wait_all?)?;
    module.set("rollup", lua.create_function(|lua, list: Value| rollup(lua, &list))?)?;
    guard_module(lua, &module, MODULE, &FIELDS)?;
    Ok(Value::Table(module))
}

/// Makes what the module is in a worker of walks: a jobfile that defines actions requires it as well, but only `main` uses it.
pub(crate) fn module_of_worker(lua: &Lua) -> mlua::Result<Value> {
    let module = lua.create_table()?;
    let metatable = lua.create_table()?;
    let index = lua.create_function(|lua, (_, name): (Table, LuaString)| {
        let name = name.to_string_lossy();
        lua.create_function(move |lua, _: MultiValue| -> mlua::Result<()> {
            let text = format!("job.{name} was called in a worker of walks; only main() of the jobfile runs tasks");
            Err(raise(lua, "usage", text))
        })
    })?;
    metatable.set("__index", index)?;
    module.set_metatable(Some(metatable))?;
    Ok(Value::Table(module))
}

/// Returns the task table that a value is, or stands for: a runnable is one, too.
fn task_table(lua: &Lua, value: &Value) -> mlua::Result<Option<Table>> {
    match value {
        Value::Table(table) => Ok(Some(table.clone())),
        Value::UserData(object) => runnable::task_table(lua, object),
        _ => Ok(None),
    }
}

fn definition(lua: &Lua, function: &str, value: &Value) -> mlua::Result<Table> {
    check_dot(lua, MODULE, function, value)?;
    task_table(lua, value)?.ok_or_else(|| {
        let text = format!("{function} takes one table, {function} {{ testscript = \"FILE\" }}, not {}", shown(value));
        raise(lua, "definition", text)
    })
}

/// Makes a task of its table.
fn define(lua: &Lua, context: &Rc<Context>, definition: &Table, place: Option<Place>) -> mlua::Result<TaskNumber> {
    let number = context.job.define(draft::read(definition, place)?);
    context.plugins.note_task(number, definition);
    if let Some(selector) = draft::selector(lua, definition, &context.job.settings().choice)? {
        context.selections.keep(number, selector);
    }
    Ok(number)
}

/// Runs one task and waits for its end, whatever that is.
pub(crate) fn run_one(lua: &Lua, context: &Rc<Context>, definition: Table) -> mlua::Result<()> {
    run(lua, context, &Value::Table(definition)).map(|_| ())
}

fn run(lua: &Lua, context: &Rc<Context>, value: &Value) -> mlua::Result<(bool, LuaResult)> {
    let definition = definition(lua, "run", value)?;
    context.check(lua, "run was called")?;
    let number = define(lua, context, &definition, calling_line(lua))?;
    context.job.start(&[number], None).map_err(|error| cannot_start(lua, &error))?;
    context.wait(lua, vec![number], None).map_err(|error| wait_failed(lua, &error))?;
    let view = context.job.roster().view(number);
    result(lua, &view.ok_or_else(|| mlua::Error::runtime("the task is not in the roster"))?)
}

fn task(lua: &Lua, context: &Rc<Context>, value: &Value) -> mlua::Result<LuaTask> {
    let definition = definition(lua, "Task", value)?;
    context.check_running(lua)?;
    let number = define(lua, context, &definition, calling_line(lua))?;
    let testscript = definition.get("testscript")?;
    let kwargs = draft::kwargs(lua, &definition)?;
    Ok(LuaTask { context: Rc::clone(context), number, testscript, kwargs })
}

fn parallel(lua: &Lua, context: &Rc<Context>, value: &Value) -> mlua::Result<Table> {
    let Value::Table(list) = value else {
        let text = format!(
            "parallel takes a list of task tables, parallel {{ limit = 2, {{…}}, {{…}} }}, not {}",
            shown(value)
        );
        return Err(raise(lua, "definition", text));
    };
    check_dot(lua, MODULE, "parallel", value)?;
    context.check(lua, "parallel was called")?;
    let limit = parallel_limit(lua, list)?;
    let length = list::length(list, "parallel", &["limit"]);
    let length = length.map_err(|problem| raise(lua, "definition", problem.to_string()))?;
    let mut has_needs = false;
    for index in 1..=length {
        let item = list.raw_get::<Value>(index)?;
        match task_table(lua, &item)? {
            Some(table) => has_needs |= table.raw_get::<Value>("needs")? != Value::Nil,
            None => {
                let text = format!("parallel: item {index} must be a task table, got {}", shown(&item));
                return Err(raise(lua, "definition", text));
            }
        }
    }
    let settings = context.job.settings();
    // With -j that limit alone holds, for this list as for every other task.
    let limit = limit.or(if settings.jobs.is_none() { Some(settings.cpus) } else { None });
    // Tasks that need others must all be known; else a long list is handed over piece by piece.
    let window = if has_needs { length.max(1) } else { WINDOW };
    let numbers = run_list(lua, context, &Listed { list, length }, limit, window)?;
    let results = lua.create_table_with_capacity(numbers.len(), 0)?;
    for (index, number) in (1..).zip(numbers) {
        let end = context.job.roster().view(number).and_then(|view| view.end);
        results.raw_set(index, end.map(LuaResult::of))?;
    }
    Ok(results)
}

/// How many tasks of a list are handed over at once: enough to keep any limit busy, few enough that a list of 100,000 is
/// not in memory in every form it has on its way.
const WINDOW: usize = 4096;

/// A list of task tables that was looked through.
struct Listed<'a> {
    list: &'a Table,
    length: usize,
}

/// Runs the tasks of a list and returns their numbers. While one window of them ends the next is at work already, so that
/// the limit is used up all the time.
fn run_list(
    lua: &Lua,
    context: &Rc<Context>,
    Listed { list, length: count }: &Listed<'_>,
    limit: Option<usize>,
    window: usize,
) -> mlua::Result<Vec<TaskNumber>> {
    let place = calling_line(lua);
    let group = limit.map(|limit| context.job.roster().new_group(limit));
    let count = *count;
    let mut numbers: Vec<TaskNumber> = Vec::with_capacity(count);
    let mut waited_for = 0;
    let mut waited = Ok(true);
    while numbers.len() < count {
        let from = numbers.len();
        for index in from + 1..=count.min(from + window) {
            let definition = definition(lua, "parallel", &list.raw_get(index)?)?;
            numbers.push(define(lua, context, &definition, place.clone())?);
        }
        context.job.start(&numbers[from..], group).map_err(|error| cannot_start(lua, &error))?;
        // After an interrupt the rest is handed over all the same: that it did not start is to be on record.
        if waited.is_ok() {
            waited = context.wait(lua, numbers[waited_for..from].to_vec(), None);
            waited_for = from;
        }
    }
    waited
        .and_then(|_| context.wait(lua, numbers[waited_for..].to_vec(), None))
        .map_err(|error| wait_failed(lua, &error))?;
    Ok(numbers)
}

fn parallel_limit(lua: &Lua, list: &Table) -> mlua::Result<Option<usize>> {
    for pair in list.pairs::<Value, Value>() {
        let (key, _) = pair?;
        let Value::String(key) = key else { continue };
        let key = key.to_string_lossy();
        if key != "limit" {
            let hint = nearest(&key, ["limit"]).map_or("its only key is 'limit'", |_| "did you mean 'limit'?");
            return Err(raise(lua, "definition", format!("parallel has no key '{key}'; {hint}")));
        }
    }
    match list.raw_get::<Value>("limit")? {
        Value::Nil => Ok(None),
        Value::Integer(limit) if limit >= 1 => Ok(usize::try_from(limit).ok()),
        other => Err(raise(
            lua,
            "definition",
            format!("parallel: limit must be a whole number from 1, got {}", shown(&other)),
        )),
    }
}

fn wait_all(lua: &Lua, context: &Rc<Context>, tasks: &Value, limit: &Value) -> mlua::Result<Table> {
    check_dot(lua, MODULE, "wait_all", tasks)?;
    context.check(lua, "wait_all was called")?;
    let wrong = |what: String| raise(lua, "usage", format!("wait_all takes a list of tasks, not {what}"));
    if !tasks.is_table() {
        return Err(wrong(shown(tasks)));
    }
    let items = list::items(tasks, "wait_all").map_err(|problem| raise(lua, "usage", problem.to_string()))?;
    let mut numbers = Vec::with_capacity(items.len());
    for (index, value) in (1..).zip(items) {
        let task = match &value {
            Value::UserData(object) => object.borrow::<LuaTask>().ok(),
            _ => None,
        };
        let task = task.ok_or_else(|| wrong(format!("one with {} as item {index}", shown(&value))))?;
        let view = context.job.roster().view(task.number);
        if let Some(view) = view.filter(|view| !view.is_started) {
            let text = format!("wait_all: task '{}' has not been started; call task:start() first", view.id);
            return Err(raise(lua, "usage", text));
        }
        numbers.push(task.number);
    }
    let limit = seconds(lua, "max_runtime", limit)?.map(|limit| (limit, OnLimit::End));
    context.wait(lua, numbers.clone(), limit).map_err(|error| wait_failed(lua, &error))?;
    let results = lua.create_table_with_capacity(numbers.len(), 0)?;
    for (index, number) in (1..).zip(numbers) {
        let view = context.job.roster().view(number);
        let view = view.ok_or_else(|| mlua::Error::runtime("the task is not in the roster"))?;
        let (_, result) = result(lua, &view)?;
        results.raw_set(index, result)?;
    }
    Ok(results)
}

fn rollup(lua: &Lua, list: &Value) -> mlua::Result<Option<LuaResult>> {
    check_dot(lua, MODULE, "rollup", list)?;
    if !list.is_table() {
        return Err(raise(lua, "usage", format!("rollup takes a list of results, not {}", shown(list))));
    }
    let items = list::items(list, "rollup").map_err(|problem| raise(lua, "usage", problem.to_string()))?;
    let mut outcomes = Vec::with_capacity(items.len());
    for (index, item) in (1..).zip(&items) {
        outcomes.push(outcome_of(lua, index, item)?);
    }
    Ok(Outcome::roll_up(outcomes).map(LuaResult::plain))
}

fn outcome_of(lua: &Lua, index: usize, value: &Value) -> mlua::Result<Outcome> {
    let found = match value {
        Value::UserData(object) => {
            object.borrow::<LuaResult>().ok().map(|result: UserDataRef<LuaResult>| result.outcome)
        }
        Value::String(word) => word.to_string_lossy().parse().ok(),
        _ => None,
    };
    found.ok_or_else(|| {
        raise(lua, "usage", format!("rollup: item {index} must be a result or its value, got {}", shown(value)))
    })
}
