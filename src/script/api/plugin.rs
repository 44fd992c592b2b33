//! Plugins: tables with functions for the four stages of a job, from the jobfile and from files of their own.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use mlua::{Function, Lua, Table, Value};

use super::result::LuaResult;
use crate::engine::End;
use crate::model::{Place, RaisedError, TaskNumber, nearest, os_text};
use crate::script::context::Context;
use crate::script::error::{calling_line, plain_text, raise};
use crate::script::list;
use crate::script::shown::{shown, text_of};
use crate::script::source;
use crate::script::vm::Vm;

/// The stages, in the order in which they come.
const STAGES: [&str; 4] = ["pre_job", "pre_task", "post_task", "post_job"];

/// What a definition may hold.
const KEYS: [&str; 6] = ["name", "order", "pre_job", "pre_task", "post_task", "post_job"];

/// The order of a plugin that names none.
const DEFAULT_ORDER: f64 = 100.0;

/// One stage of a plugin, as it is called.
pub(in crate::script) struct Stage<'a> {
    /// The plugin's name.
    pub(in crate::script) plugin: &'a str,
    /// Which one, by its name.
    pub(in crate::script) name: &'static str,
    /// The task, in the stages of one.
    pub(in crate::script) task: Option<TaskNumber>,
}

impl fmt::Display for Stage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of plugin '{}'", self.name, self.plugin)
    }
}

/// The plugins of a job.
#[derive(Default)]
pub(crate) struct Plugins {
    /// Sorted by order, those of the same order as they came.
    list: RefCell<Vec<Rc<Plugin>>>,
    /// What is known of tasks, from their definition to their end.
    tasks: RefCell<HashMap<TaskNumber, Known>>,
    /// Something was done already, so that a plugin that is added begins at once.
    is_under_way: Cell<bool>,
    has_task_stages: Cell<bool>,
    /// Why the job may not go on.
    broken: RefCell<Option<String>>,
    /// A stage runs.
    is_busy: Cell<bool>,
}

struct Plugin {
    name: String,
    order: f64,
    stages: [Option<Function>; 4],
    place: Option<Place>,
    has_begun: Cell<bool>,
}

#[derive(Default)]
struct Known {
    /// The `run {}` or `Task {}` table.
    definition: Option<Table>,
    /// What the stages are called with.
    shown: Option<Table>,
    /// The plugins whose `pre_task` was called.
    begun: Vec<Rc<Plugin>>,
}

impl Plugins {
    /// Returns whether a stage runs now.
    pub(in crate::script) fn is_busy(&self) -> bool {
        self.is_busy.get()
    }

    /// Keeps the definition of a task for the stages that will see it.
    pub(super) fn note_task(&self, task: TaskNumber, definition: &Table) {
        if self.has_task_stages.get() {
            self.tasks.borrow_mut().entry(task).or_default().definition = Some(definition.clone());
        }
    }
}

/// Loads the plugin files of the settings: each returns the table of a plugin, or a list of them.
pub(in crate::script) fn load(vm: &Vm, context: &Context) -> Result<(), RaisedError> {
    let lua = vm.lua();
    for path in &context.job.settings().plugins {
        let broken = |kind: &str, what: String| {
            let message = format!("plugin file {}: {what}", path.display());
            RaisedError { kind: kind.to_owned(), message, traceback: None }
        };
        let text =
            std::fs::read(path).map_err(|error| broken("usage", format!("cannot be read: {}", os_text(&error))))?;
        let chunk = source::compile(lua, path, &text, &[])?;
        let returned = vm.call(&chunk, Vec::new())?;
        let plugins = match returned.front() {
            // A plugin has names as keys.
            Some(plugin @ Value::Table(list)) => {
                match list.pairs::<Value, Value>().flatten().any(|(key, _)| key.is_integer()) {
                    true => list::items(plugin, "the list of plugins")
                        .map_err(|problem| broken("definition", problem.to_string()))?,
                    false => vec![plugin.clone()],
                }
            }
            _ => return Err(broken("definition", "must return the table of a plugin, or a list of them".to_owned())),
        };
        let added = plugins.iter().try_for_each(|plugin| add(lua, context, plugin));
        added.map_err(|error| broken("definition", plain_text(&error)))?;
    }
    Ok(())
}

/// Adds the plugin that a table defines. One that comes when the job is under way begins at once.
pub(in crate::script) fn add(lua: &Lua, context: &Context, definition: &Value) -> mlua::Result<()> {
    let plugin = Rc::new(read(lua, definition)?);
    let plugins = &context.plugins;
    if let Some(other) = plugins.list.borrow().iter().find(|other| other.name == plugin.name) {
        let place = other.place.as_ref().map_or_else(String::new, |place| format!(" by {place}"));
        let text = format!("there is a plugin '{}' already, defined{place}; give each its own name", plugin.name);
        return Err(raise(lua, "definition", text));
    }
    let has_task_stages = plugin.stages[1].is_some() || plugin.stages[2].is_some();
    let mut list = plugins.list.borrow_mut();
    let at = list.partition_point(|other| other.order <= plugin.order);
    list.insert(at, plugin);
    drop(list);
    if has_task_stages && !plugins.has_task_stages.replace(true) {
        context.job.use_hooks();
    }
    if plugins.is_under_way.get() { begin_job(lua, context) } else { Ok(()) }
}

fn read(lua: &Lua, definition: &Value) -> mlua::Result<Plugin> {
    let wrong = |text: String| raise(lua, "definition", text);
    let Value::Table(table) = definition else {
        let text = "a plugin is a table, { name = \"…\", pre_job = function(job) … end, … }";
        return Err(wrong(format!("{text}, not {}", shown(definition))));
    };
    let mut keys = Vec::new();
    for pair in table.pairs::<Value, Value>() {
        keys.push(text_of(&pair?.0));
    }
    // Lua's order of keys changes from run to run.
    keys.sort();
    if let Some(key) = keys.iter().find(|key| !KEYS.contains(&key.as_str())) {
        let hint = match nearest(key, KEYS) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("its keys are: {}", KEYS.join(", ")),
        };
        return Err(wrong(format!("a plugin has no key '{key}'; {hint}")));
    }
    let name = match table.get::<Value>("name")? {
        Value::String(name) if !name.as_bytes().is_empty() => name.to_string_lossy(),
        other => return Err(wrong(format!("a plugin needs a name = \"…\", got {}", shown(&other)))),
    };
    let order = match table.get::<Value>("order")? {
        Value::Nil => DEFAULT_ORDER,
        #[expect(clippy::cast_precision_loss, reason = "orders that differ by one beyond 2^53 are nobody's")]
        Value::Integer(order) => order as f64,
        Value::Number(order) if order.is_finite() => order,
        other => return Err(wrong(format!("plugin '{name}': order must be a number, got {}", shown(&other)))),
    };
    let mut stages = [const { None }; 4];
    for (stage, slot) in STAGES.iter().zip(&mut stages) {
        *slot = match table.get::<Value>(*stage)? {
            Value::Nil => None,
            Value::Function(function) => Some(function),
            other => return Err(wrong(format!("plugin '{name}': {stage} must be a function, got {}", shown(&other)))),
        };
    }
    Ok(Plugin { name, order, stages, place: calling_line(lua), has_begun: Cell::new(false) })
}

/// Begins the job, before the first task: the plugins that `main` has added by now have their turn, in order.
pub(in crate::script) fn begin_job(lua: &Lua, context: &Context) -> mlua::Result<()> {
    if context.plugins.is_busy.get() {
        return Ok(());
    }
    context.plugins.is_under_way.set(true);
    begin(lua, context)
}

/// Calls `pre_job` of the plugins that have not begun, in ascending order. After one that fails the job may not go on:
/// this and every later call raises.
pub(in crate::script) fn begin(lua: &Lua, context: &Context) -> mlua::Result<()> {
    let plugins = &context.plugins;
    loop {
        if let Some(text) = plugins.broken.borrow().clone() {
            return Err(raise(lua, "plugin", text));
        }
        let next = plugins.list.borrow().iter().find(|plugin| !plugin.has_begun.get()).cloned();
        let Some(plugin) = next else { return Ok(()) };
        plugin.has_begun.set(true);
        let job = super::runtime::job(lua, context)?;
        if let Err(error) = call(lua, context, &plugin, 0, None, job) {
            *plugins.broken.borrow_mut() = Some(failure(&plugin, 0, &error));
        }
    }
}

/// Calls `post_job` of the plugins that have begun, in descending order; one that fails does not keep the others from it.
pub(in crate::script) fn end_job(lua: &Lua, context: &Context) {
    let begun: Vec<Rc<Plugin>> =
        context.plugins.list.borrow().iter().rev().filter(|plugin| plugin.has_begun.get()).cloned().collect();
    for plugin in begun {
        if let Ok(job) = super::runtime::job(lua, context) {
            // It is on record.
            let _ = call(lua, context, &plugin, 3, None, job);
        }
    }
}

/// Calls `pre_task` of all plugins in ascending order, and lets the task in, or not.
pub(in crate::script) fn task_comes(lua: &Lua, context: &Context, task: TaskNumber) {
    let list = context.plugins.list.borrow().clone();
    let mut refused = None;
    for plugin in list {
        let mut known = context.plugins.tasks.borrow_mut();
        known.entry(task).or_default().begun.push(Rc::clone(&plugin));
        drop(known);
        let called = task_table(lua, context, task, None)
            .map_err(|error| RaisedError { kind: "error".to_owned(), message: plain_text(&error), traceback: None })
            .and_then(|table| call(lua, context, &plugin, 1, Some(task), Value::Table(table)));
        if let Err(error) = called {
            refused = Some(failure(&plugin, 1, &error));
            break;
        }
    }
    context.job.admit(task, refused);
}

/// Calls `post_task` of the plugins whose `pre_task` was called, in descending order, and lets the task leave.
pub(in crate::script) fn task_leaves(lua: &Lua, context: &Context, task: TaskNumber, end: &End) {
    let begun = context.plugins.tasks.borrow().get(&task).map(|known| known.begun.clone()).unwrap_or_default();
    let mut failed = None;
    for plugin in begun.iter().rev() {
        let called = task_table(lua, context, task, Some(end))
            .map_err(|error| RaisedError { kind: "error".to_owned(), message: plain_text(&error), traceback: None })
            .and_then(|table| call(lua, context, plugin, 2, Some(task), Value::Table(table)));
        if let Err(error) = called {
            failed.get_or_insert_with(|| failure(plugin, 2, &error));
        }
    }
    context.plugins.tasks.borrow_mut().remove(&task);
    context.job.dismiss(task, failed);
}

/// Returns what the stages of a task are called with: the same table each time, so that they can keep things in it.
fn task_table(lua: &Lua, context: &Context, task: TaskNumber, end: Option<&End>) -> mlua::Result<Table> {
    let (shown, definition) = {
        let mut tasks = context.plugins.tasks.borrow_mut();
        let known = tasks.entry(task).or_default();
        (known.shown.clone(), known.definition.clone())
    };
    let table = match shown {
        Some(table) => table,
        None => {
            let table = lua.create_table()?;
            table.set("number", task)?;
            table.set("taskid", context.job.roster().view(task).map(|view| view.id))?;
            if let Some(definition) = definition {
                table.set("testscript", definition.raw_get::<Value>("testscript")?)?;
                table.set("kwargs", super::draft::kwargs(lua, &definition)?)?;
            }
            context.plugins.tasks.borrow_mut().entry(task).or_default().shown = Some(table.clone());
            table
        }
    };
    if let Some(end) = end {
        table.set("result", LuaResult::of(end.clone()))?;
        table.set("pid", context.job.roster().view(task).and_then(|view| view.pid))?;
    }
    Ok(table)
}

fn failure(plugin: &Plugin, stage: usize, error: &RaisedError) -> String {
    format!("plugin '{}' failed in {}: {}", plugin.name, STAGES[stage], error.message)
}

/// Calls one stage of a plugin, under the time limit. A failure is on record when this returns it.
fn call(
    lua: &Lua,
    context: &Context,
    plugin: &Plugin,
    stage: usize,
    task: Option<TaskNumber>,
    argument: Value,
) -> Result<(), RaisedError> {
    let Some(function) = &plugin.stages[stage] else { return Ok(()) };
    let what = Stage { plugin: &plugin.name, name: STAGES[stage], task };
    context.plugins.is_busy.set(true);
    let called = context.call_limited(lua, &what, function, vec![argument]);
    context.plugins.is_busy.set(false);
    called.map(|_| ()).inspect_err(|error| {
        context.job.plugin_failed(&plugin.name, STAGES[stage], task, error.clone());
    })
}
