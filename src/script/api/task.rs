//! `Task`: a task that a jobfile starts, watches and ends itself.

use std::rc::Rc;
use std::time::Duration;

use mlua::{Lua, MetaMethod, Table, UserData, UserDataFields, UserDataMethods, Value};

use super::object::{ObjectName, add_method, guard};
use super::result::LuaResult;
use crate::engine::{End, OnLimit, StopReason};
use crate::job::{CannotStart, TaskView, WaitError};
use crate::model::TaskNumber;
use crate::script::context::Context;
use crate::script::error::raise;
use crate::script::shown::shown;

const NAME: ObjectName = ObjectName { is: "a Task", variable: "task" };

const FIELDS: [&str; 13] = [
    "taskid",
    "name",
    "kwargs",
    "testscript",
    "result",
    "pid",
    "exitcode",
    "error",
    "start",
    "join",
    "wait",
    "is_alive",
    "terminate",
];

/// A task of the job.
#[derive(Clone)]
pub(super) struct LuaTask {
    pub(super) context: Rc<Context>,
    pub(super) number: TaskNumber,
    pub(super) testscript: Value,
    pub(super) kwargs: Table,
}

impl LuaTask {
    fn view(&self) -> mlua::Result<TaskView> {
        let view = self.context.job.roster().view(self.number);
        view.ok_or_else(|| mlua::Error::runtime("this task is of another job"))
    }

    fn start(&self, lua: &Lua) -> mlua::Result<()> {
        self.context.check(lua, "Task:start")?;
        self.context.job.start(&[self.number], None).map_err(|error| cannot_start(lua, &error))
    }

    /// Fails unless the task was started.
    fn check_started(&self, lua: &Lua, method: &str) -> mlua::Result<()> {
        self.context.check_running(lua)?;
        let view = self.view()?;
        if view.is_started {
            return Ok(());
        }
        let text = format!("cannot {method}() task '{}', which has not been started; call task:start() first", view.id);
        Err(raise(lua, "usage", text))
    }

    fn wait(&self, lua: &Lua, max_runtime: &Value) -> mlua::Result<(bool, LuaResult)> {
        self.check_started(lua, "wait")?;
        let limit = seconds(lua, "max_runtime", max_runtime)?;
        let waited = self.context.wait(lua, vec![self.number], limit.map(|limit| (limit, OnLimit::End)));
        waited.map_err(|error| wait_failed(lua, &error))?;
        result(lua, &self.view()?)
    }

    fn join(&self, lua: &Lua, timeout: &Value) -> mlua::Result<bool> {
        self.check_started(lua, "join")?;
        let limit = seconds(lua, "timeout", timeout)?;
        let waited = self.context.wait(lua, vec![self.number], limit.map(|limit| (limit, OnLimit::Leave)));
        waited.map_err(|error| wait_failed(lua, &error))
    }
}

/// Raises that a task cannot be started.
pub(super) fn cannot_start(lua: &Lua, error: &CannotStart) -> mlua::Error {
    raise(lua, "usage", error.to_string())
}

/// Raises that a wait brought nothing.
pub(super) fn wait_failed(lua: &Lua, error: &WaitError) -> mlua::Error {
    let kind = match error {
        WaitError::Interrupted(_) => "cancelled",
        WaitError::Unrecordable(_) => "storage",
    };
    raise(lua, kind, error.to_string())
}

/// Returns whether a task passed, and its result; raises `timeout` if a time limit ended it.
pub(super) fn result(lua: &Lua, view: &TaskView) -> mlua::Result<(bool, LuaResult)> {
    let Some(end) = &view.end else {
        return Err(raise(lua, "error", format!("task '{}' has no result", view.id)));
    };
    if let Some(limit) = time_limit(end) {
        let text =
            format!("task '{}' has exceeded its max_runtime of {} seconds and was ended", view.id, limit.as_secs_f64());
        return Err(raise(lua, "timeout", text));
    }
    Ok((end.outcome.is_pass(), LuaResult::of(end.clone())))
}

fn time_limit(end: &End) -> Option<Duration> {
    match end.stopped {
        Some(StopReason::TimeLimit(limit) | StopReason::WaitLimit(limit)) => Some(limit),
        _ => None,
    }
}

/// Reads an optional number of seconds, not below 0.
pub(super) fn seconds(lua: &Lua, name: &str, value: &Value) -> mlua::Result<Option<Duration>> {
    let number = match value {
        Value::Nil => return Ok(None),
        Value::Integer(number) => i32::try_from(*number).ok().map(f64::from),
        Value::Number(number) => Some(*number),
        _ => None,
    };
    match number.and_then(|number| Duration::try_from_secs_f64(number).ok()) {
        Some(limit) => Ok(Some(limit)),
        None => Err(raise(lua, "usage", format!("{name} must be a number of seconds from 0, got {}", shown(value)))),
    }
}

impl UserData for LuaTask {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field_method_get("taskid", |_, this| Ok(this.view()?.id));
        fields.add_field_method_get("name", |_, this| Ok(this.view()?.id));
        fields.add_field_method_get("kwargs", |_, this| Ok(this.kwargs.clone()));
        fields.add_field_method_get("testscript", |_, this| Ok(this.testscript.clone()));
        fields.add_field_method_get("result", |_, this| Ok(this.view()?.end.map(LuaResult::of)));
        fields.add_field_method_get("pid", |_, this| Ok(this.view()?.pid));
        fields.add_field_method_get("exitcode", |_, this| {
            Ok(this.view()?.end.and_then(|end| end.exit).map(crate::model::Exit::as_python))
        });
        fields.add_field_method_get("error", |_, this| {
            let end = this.view()?.end;
            Ok(end.filter(|end| end.stopped.is_some()).and_then(|end| end.reason))
        });
        fields.add_meta_field("__name", "Task");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        add_method(methods, NAME, "start", |lua, this: &Self, _| this.start(lua));
        add_method(methods, NAME, "wait", |lua, this: &Self, given| this.wait(lua, first(given)));
        add_method(methods, NAME, "join", |lua, this: &Self, given| this.join(lua, first(given)));
        add_method(methods, NAME, "is_alive", |lua, this: &Self, _| {
            this.context.check_running(lua)?;
            let view = this.view()?;
            Ok(view.is_started && view.end.is_none())
        });
        add_method(methods, NAME, "terminate", |_, this: &Self, _| {
            this.context.job.terminate(vec![this.number]);
            Ok(())
        });
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(format!("Task '{}'", this.view()?.id)));
        guard(methods, NAME, &FIELDS);
    }
}

fn first(given: &[Value]) -> &Value {
    given.first().unwrap_or(&Value::Nil)
}
