//! `runtime`: what `main` is called with.

use std::rc::Rc;

use mlua::{AnyUserData, Function, Lua, MetaMethod, Table, UserData, UserDataFields, UserDataMethods, Value};

use super::object::{ObjectName, add_method, check_dot, guard, guard_writes, unknown_key};
use super::result::LuaResult;
use crate::engine::End;
use crate::model::TaskNumber;
use crate::script::context::Context;
use crate::script::error::raise;
use crate::script::shown::shown;
use crate::script::table;

const RUNTIME: ObjectName = ObjectName { is: "the runtime", variable: "runtime" };
const JOB: ObjectName = ObjectName { is: "runtime.job", variable: "runtime.job" };
const TASKS: ObjectName = ObjectName { is: "runtime.tasks", variable: "runtime.tasks" };

const RUNTIME_FIELDS: [&str; 11] =
    ["job", "directory", "archive", "args", "argv", "env", "meta", "tasks", "testbed", "synchro", "plugin"];
const JOB_FIELDS: [&str; 8] = ["name", "uid", "file", "file_hash", "starttime", "stoptime", "elapsedtime", "result"];
const TASKS_FIELDS: [&str; 4] = ["active", "errors", "result", "terminate"];

/// Makes the object for a job.
pub(crate) fn runtime(lua: &Lua, context: &Rc<Context>) -> mlua::Result<Value> {
    let job = &context.job;
    let settings = job.settings();
    let environment = lua.create_table()?;
    for (name, value) in std::env::vars_os().filter(|(name, _)| name != crate::engine::MARK) {
        let (name, value) = (name.into_encoded_bytes(), value.into_encoded_bytes());
        environment.raw_set(lua.create_string(name)?, lua.create_string(value)?)?;
    }
    let sharing = Rc::clone(context);
    let plugin = lua.create_function(move |lua, definition: Value| {
        check_dot(lua, "runtime", "plugin", &definition)?;
        sharing.check_running(lua)?;
        super::plugin::add(lua, &sharing, &definition)
    })?;
    let runtime = Runtime {
        plugin,
        synchro: super::synchro::for_host(lua, context)?,
        job: lua.create_userdata(LuaJob(Rc::clone(context)))?,
        tasks: lua.create_userdata(LuaTasks(Rc::clone(context)))?,
        directory: job.run().directory().to_string_lossy().into_owned(),
        archive: settings.archive.as_ref().map(|archive| archive.path().to_string_lossy().into_owned()),
        args: table::from_json(lua, &serde_json::Value::Object(settings.options.clone()))?,
        argv: super::args::argv(lua, &context.arguments)?,
        env: environment,
        meta: lua.create_table_from(settings.meta.iter().map(|(key, value)| (key.as_str(), value.as_str())))?,
        testbed: settings.testbed.as_ref().map_or(Ok(Value::Nil), |testbed| table::from_json(lua, testbed))?,
    };
    Ok(Value::UserData(lua.create_userdata(runtime)?))
}

struct Runtime {
    job: AnyUserData,
    tasks: AnyUserData,
    directory: String,
    archive: Option<String>,
    args: Value,
    argv: mlua::Function,
    env: Table,
    meta: Table,
    testbed: Value,
    plugin: Function,
    synchro: Table,
}

impl UserData for Runtime {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field_method_get("job", |_, this| Ok(this.job.clone()));
        fields.add_field_method_get("tasks", |_, this| Ok(this.tasks.clone()));
        fields.add_field_method_get("directory", |_, this| Ok(this.directory.clone()));
        fields.add_field_method_get("archive", |_, this| Ok(this.archive.clone()));
        fields.add_field_method_get("args", |_, this| Ok(this.args.clone()));
        fields.add_field_method_get("argv", |_, this| this.argv.call::<Table>(()));
        fields.add_field_method_get("env", |_, this| Ok(this.env.clone()));
        fields.add_field_method_get("meta", |_, this| Ok(this.meta.clone()));
        fields.add_field_method_get("testbed", |_, this| Ok(this.testbed.clone()));
        fields.add_field_method_get("plugin", |_, this| Ok(this.plugin.clone()));
        fields.add_field_method_get("synchro", |_, this| Ok(this.synchro.clone()));
        fields.add_meta_field("__name", "runtime");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::ToString, |_, _, ()| Ok("runtime"));
        guard(methods, RUNTIME, &RUNTIME_FIELDS);
    }
}

/// Makes the object of the job, for those who have no runtime.
pub(super) fn job(lua: &Lua, context: &Context) -> mlua::Result<Value> {
    context.this().map_or(Ok(Value::Nil), |context| Ok(Value::UserData(lua.create_userdata(LuaJob(context))?)))
}

struct LuaJob(Rc<Context>);

impl UserData for LuaJob {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field_method_get("name", |_, this| Ok(this.0.job.run().runtime().job.name));
        fields.add_field_method_set("name", |lua, this, name: Value| match &name {
            Value::String(text) if !text.as_bytes().is_empty() => {
                this.0.job.run().rename(&text.to_string_lossy());
                Ok(())
            }
            other => {
                let text = format!("runtime.job.name must be a text, got {}", shown(other));
                Err(raise(lua, "usage", text))
            }
        });
        fields.add_field_method_get("uid", |_, this| Ok(this.0.job.run().runtime().job.uid));
        fields.add_field_method_get("file", |_, this| {
            Ok(this.0.job.run().runtime().job.file.to_string_lossy().into_owned())
        });
        fields.add_field_method_get("file_hash", |_, this| Ok(this.0.job.run().runtime().job.file_hash));
        fields.add_field_method_get("starttime", |_, this| Ok(this.0.job.run().runtime().job.starttime));
        fields.add_field_method_get("stoptime", |_, _| Ok(Value::Nil));
        fields.add_field_method_get("elapsedtime", |_, this| Ok(this.0.job.run().elapsed().as_secs_f64()));
        fields.add_field_method_get("result", |_, this| Ok(this.0.job.roster().outcome().map(LuaResult::plain)));
        fields.add_meta_field("__name", "runtime.job");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(this.0.job.run().runtime().job.name));
        guard(methods, JOB, &JOB_FIELDS);
    }
}

struct LuaTasks(Rc<Context>);

impl LuaTasks {
    /// Returns a row of a task: `taskid`, `pid`, `result`, `error`.
    fn row(&self, lua: &Lua, number: TaskNumber) -> mlua::Result<Value> {
        let Some(view) = self.0.job.roster().view(number) else { return Ok(Value::Nil) };
        let row = lua.create_table()?;
        row.set("taskid", view.id)?;
        row.set("pid", view.pid)?;
        row.set("error", view.end.as_ref().and_then(error_text))?;
        row.set("result", view.end.map(LuaResult::of))?;
        Ok(Value::Table(row))
    }
}

fn error_text(end: &End) -> Option<String> {
    (!end.outcome.is_good()).then(|| end.reason.clone().unwrap_or_else(|| end.outcome.to_string()))
}

impl UserData for LuaTasks {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field_method_get("active", |lua, this| {
            let rows = this.0.job.roster().active().into_iter().map(|number| this.row(lua, number));
            lua.create_sequence_from(rows.collect::<mlua::Result<Vec<_>>>()?)
        });
        fields.add_field_method_get("errors", |lua, this| {
            let count = TaskNumber::try_from(this.0.job.roster().count()).unwrap_or(TaskNumber::MAX);
            let bad = |number: &TaskNumber| {
                this.0.job.roster().view(*number).and_then(|view| view.end).is_some_and(|end| !end.outcome.is_good())
            };
            let rows = (1..=count).filter(bad).map(|number| this.row(lua, number));
            lua.create_sequence_from(rows.collect::<mlua::Result<Vec<_>>>()?)
        });
        fields.add_field_method_get("result", |_, this| Ok(this.0.job.roster().outcome().map(LuaResult::plain)));
        fields.add_meta_field("__name", "runtime.tasks");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        add_method(methods, TASKS, "terminate", |_, this: &Self, _| {
            this.0.job.terminate(this.0.job.roster().active());
            Ok(())
        });
        methods.add_meta_method(MetaMethod::Len, |_, this, ()| Ok(this.0.job.roster().count()));
        // Reading by number makes `ipairs` work.
        methods.add_meta_method(MetaMethod::Index, |lua, this, key: Value| match key {
            Value::Integer(number) => this.row(lua, TaskNumber::try_from(number).unwrap_or(0)),
            other => Err(unknown_key(lua, TASKS.is, &other, &TASKS_FIELDS)),
        });
        methods.add_meta_method(MetaMethod::Pairs, |lua, this, ()| {
            let rows = lua.create_table()?;
            for number in 1..=TaskNumber::try_from(this.0.job.roster().count()).unwrap_or(0) {
                rows.raw_push(this.row(lua, number)?)?;
            }
            let next: mlua::Function = lua.globals().get("next")?;
            Ok((next, rows, Value::Nil))
        });
        methods
            .add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(format!("{} tasks", this.0.job.roster().count())));
        guard_writes(methods, TASKS, &TASKS_FIELDS);
    }
}
