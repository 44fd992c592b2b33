//! `require "rille.runnable"`: what can be run, as data, and its recipes.

use std::fs;
use std::path::{Path, PathBuf};

use mlua::{Lua, MetaMethod, Table, UserData, UserDataFields, UserDataMethods, Value};
use serde_json::Value as Json;

use super::object::{ObjectName, add_method, check_dot, guard, guard_module};
use crate::model::{Recipes, Runnable, os_text, read_recipes};
use crate::script::error::{calling_line, raise};
use crate::script::plain::to_recipe;
use crate::script::shown::shown;
use crate::script::table;

/// The name of the module.
pub(crate) const MODULE: &str = "rille.runnable";

const NAME: ObjectName = ObjectName { is: "a runnable", variable: "runnable" };

const FUNCTIONS: [&str; 2] = ["Runnable", "from_recipe"];

const FIELDS: [&str; 11] =
    ["kind", "uri", "args", "kwargs", "config", "tags", "dependencies", "identifier", "variant", "name", "to_recipe"];

/// A runnable as scripts see it.
#[derive(Clone, Debug)]
pub(super) struct LuaRunnable(pub(super) Runnable);

/// Makes the module.
pub(crate) fn module(lua: &Lua) -> mlua::Result<Value> {
    let module = lua.create_table()?;
    module.set("Runnable", lua.create_function(|lua, definition: Value| runnable(lua, &definition))?)?;
    module.set("from_recipe", lua.create_function(|lua, path: Value| from_recipe(lua, &path))?)?;
    guard_module(lua, &module, MODULE, &FUNCTIONS)?;
    Ok(Value::Table(module))
}

fn runnable(lua: &Lua, definition: &Value) -> mlua::Result<LuaRunnable> {
    check_dot(lua, MODULE, "Runnable", definition)?;
    let Value::Table(_) = definition else {
        let text = format!("Runnable takes one table, Runnable {{ kind = \"exec-test\" }}, not {}", shown(definition));
        return Err(raise(lua, "definition", text));
    };
    let recipe = to_recipe(definition, "Runnable").map_err(|bad| raise(lua, "definition", bad.to_string()))?;
    // A table without content may be a list as well.
    let recipe = if recipe == Json::Array(Vec::new()) { Json::Object(serde_json::Map::new()) } else { recipe };
    let made = Runnable::try_from(recipe).map_err(|error| raise(lua, "definition", format!("Runnable: {error}")))?;
    Ok(LuaRunnable(made))
}

/// Returns the text that names a file.
fn path_text(lua: &Lua, function: &str, value: &Value) -> mlua::Result<String> {
    match value {
        Value::String(path) => match path.to_str() {
            Ok(path) => Ok(path.to_owned()),
            Err(_) => Err(raise(lua, "usage", format!("{function}: the path holds bytes that are not UTF-8"))),
        },
        other => Err(raise(lua, "usage", format!("{function} takes the path of a file, not {}", shown(other)))),
    }
}

/// Reads a recipe file: a runnable, or a list of them. It is looked for beside the file that asks, then from the working
/// folder.
fn from_recipe(lua: &Lua, path: &Value) -> mlua::Result<Value> {
    check_dot(lua, MODULE, "from_recipe", path)?;
    let path = path_text(lua, "from_recipe", path)?;
    let found = look_for(lua, &path);
    let failed = |what: String| raise(lua, "usage", what);
    let text = fs::read(&found)
        .map_err(|error| failed(format!("cannot read the recipe {}: {}", found.display(), os_text(&error))))?;
    match read_recipes(&text) {
        Ok(Recipes::One(runnable)) => lua.create_userdata(LuaRunnable(*runnable)).map(Value::UserData),
        Ok(Recipes::List(list)) => {
            let items = list.into_iter().map(|runnable| lua.create_userdata(LuaRunnable(runnable)));
            lua.create_sequence_from(items.collect::<mlua::Result<Vec<_>>>()?).map(Value::Table)
        }
        Err(error) => Err(failed(format!("{} is no recipe: {error}", found.display()))),
    }
}

fn look_for(lua: &Lua, path: &str) -> PathBuf {
    let beside = calling_line(lua).map(|place| Path::new(place.file.as_ref()).with_file_name("").join(path));
    beside.filter(|beside| beside.is_file()).unwrap_or_else(|| PathBuf::from(path))
}

/// Returns the table of the task that runs a runnable.
pub(super) fn task_table(lua: &Lua, object: &mlua::AnyUserData) -> mlua::Result<Option<Table>> {
    let Ok(runnable) = object.borrow::<LuaRunnable>() else { return Ok(None) };
    let definition = lua.create_table()?;
    definition.set("testscript", object.clone())?;
    if let Some(identifier) = &runnable.0.identifier {
        definition.set("taskid", identifier.as_str())?;
    }
    let tags = lua.create_table()?;
    for (name, values) in &runnable.0.tags {
        match values.as_array() {
            Some(values) => {
                for value in values.iter().filter_map(Json::as_str) {
                    tags.push(format!("{name}:{value}"))?;
                }
            }
            None => tags.push(name.as_str())?,
        }
    }
    definition.set("tags", tags)?;
    Ok(Some(definition))
}

impl LuaRunnable {
    fn to_recipe(&self, lua: &Lua, path: &Value) -> mlua::Result<()> {
        let path = path_text(lua, "to_recipe", path)?;
        let recipe = Json::from(self.0.clone());
        fs::write(&path, format!("{recipe:#}\n"))
            .map_err(|error| raise(lua, "usage", format!("cannot write the recipe {path}: {}", os_text(&error))))
    }
}

impl UserData for LuaRunnable {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field_method_get("kind", |_, this| Ok(this.0.kind.clone()));
        fields.add_field_method_get("uri", |_, this| Ok(this.0.uri.clone()));
        fields.add_field_method_get("identifier", |_, this| Ok(this.0.identifier.clone()));
        fields.add_field_method_get("name", |_, this| Ok(this.0.name()));
        fields.add_field_method_get("args", |lua, this| super::args::strings(lua, &this.0.args));
        fields.add_field_method_get("kwargs", |lua, this| table::from_json(lua, &this.0.kwargs.clone().into()));
        fields.add_field_method_get("config", |lua, this| table::from_json(lua, &this.0.config.clone().into()));
        fields.add_field_method_get("tags", |lua, this| {
            // A tag without values is there, which nil would not be.
            let tags =
                this.0.tags.iter().map(|(name, values)| {
                    (name.clone(), if values.is_null() { Json::Bool(true) } else { values.clone() })
                });
            table::from_json(lua, &Json::Object(tags.collect()))
        });
        fields.add_field_method_get("dependencies", |lua, this| {
            table::from_json(lua, &this.0.dependencies.clone().into())
        });
        fields.add_field_method_get("variant", |lua, this| match &this.0.variant {
            Some(variant) => table::from_json(lua, variant),
            None => Ok(Value::Nil),
        });
        fields.add_meta_field("__name", "runnable");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        add_method(methods, NAME, "to_recipe", |lua, this: &Self, given| {
            this.to_recipe(lua, given.first().unwrap_or(&Value::Nil))
        });
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(format!("{} {}", this.0.kind, this.0.name())));
        methods.add_meta_method(MetaMethod::Eq, |_, this, other: Value| {
            let other = other.as_userdata().and_then(|other| other.borrow::<Self>().ok());
            Ok(other.is_some_and(|other| other.0 == this.0))
        });
        guard(methods, NAME, &FIELDS);
    }
}
