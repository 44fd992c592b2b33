//! What the objects and modules of Rille have in common: a slip with the dot, the colon or a name is told with what to
//! write.

use mlua::{IntoLuaMulti, Lua, MetaMethod, MultiValue, Table, UserData, UserDataMethods, Value};

use crate::model::nearest;
use crate::script::error::raise;
use crate::script::list;
use crate::script::shown::{shown, shown_key, text_of};

/// Makes the error for reading a field that an object does not have.
pub(super) fn unknown_field(lua: &Lua, object: &str, name: &str, known: &[&str]) -> mlua::Error {
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("it has: {}", known.join(", ")),
    };
    raise(lua, "usage", format!("{object} has no field '{name}'; {hint}"))
}

/// The same for a key of any kind.
pub(super) fn unknown_key(lua: &Lua, object: &str, key: &Value, known: &[&str]) -> mlua::Error {
    match key {
        Value::String(name) => unknown_field(lua, object, &name.to_string_lossy(), known),
        other => unknown_field(lua, object, &shown_key(other), known),
    }
}

/// Makes the error for setting a field that cannot be set; `known` are those that there are.
pub(super) fn not_settable(lua: &Lua, object: &str, name: &str, known: &[&str]) -> mlua::Error {
    let near = nearest(name, known.iter().copied()).filter(|near| *near != name);
    let hint = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
    raise(lua, "usage", format!("{object}.{name} cannot be set{hint}"))
}

/// The name of a class of objects, and how one of them is called in what is to be written: "a Task", "task".
#[derive(Clone, Copy)]
pub(super) struct ObjectName {
    /// With its article.
    pub(super) is: &'static str,
    /// The variable that holds one.
    pub(super) variable: &'static str,
}

impl ObjectName {
    /// Returns the name without its article.
    fn name(self) -> &'static str {
        self.is.split_once(' ').map_or(self.is, |(_, name)| name)
    }
}

/// Adds a method. Called with a dot it says to write a colon.
pub(super) fn add_method<T, M, R>(
    methods: &mut M,
    object: ObjectName,
    name: &'static str,
    call: impl Fn(&Lua, &T, &[Value]) -> mlua::Result<R> + 'static,
) where
    T: UserData + 'static,
    M: UserDataMethods<T>,
    R: IntoLuaMulti,
{
    methods.add_function(name, move |lua, arguments: MultiValue| {
        let arguments: Vec<Value> = arguments.into_iter().collect();
        let (this, rest) = match arguments.split_first() {
            Some((Value::UserData(this), rest)) => (this.borrow::<T>().ok(), rest),
            _ => (None, &[][..]),
        };
        let Some(this) = this else {
            let ObjectName { is, variable } = object;
            let text = format!("'{name}' is a method of {is}; write {variable}:{name}(…), with a colon");
            return Err(raise(lua, "usage", text));
        };
        call(lua, &this, rest)
    });
}

/// Has every name that is not there, and every write, raise.
pub(super) fn guard<T, M>(methods: &mut M, object: ObjectName, known: &'static [&'static str])
where
    T: UserData + 'static,
    M: UserDataMethods<T>,
{
    methods.add_meta_method(MetaMethod::Index, move |lua, _, key: Value| -> mlua::Result<Value> {
        Err(unknown_key(lua, object.is, &key, known))
    });
    guard_writes(methods, object, known);
}

/// Has every write raise.
pub(super) fn guard_writes<T, M>(methods: &mut M, object: ObjectName, known: &'static [&'static str])
where
    T: UserData + 'static,
    M: UserDataMethods<T>,
{
    methods.add_meta_method(MetaMethod::NewIndex, move |lua, _, (key, _): (Value, Value)| -> mlua::Result<()> {
        let name = key.as_string().map_or_else(|| shown_key(&key), mlua::LuaString::to_string_lossy);
        Err(not_settable(lua, object.name(), &name, known))
    });
}

/// Makes a table that reads like `fields`, and raises for unknown fields and for writes. What it is called stands in
/// messages and in its text.
pub(in crate::script) fn read_only(lua: &Lua, object: &'static str, fields: &Table) -> mlua::Result<Table> {
    let mut known = Vec::new();
    for pair in fields.pairs::<String, Value>() {
        known.push(pair?.0);
    }
    if object == "runtime" {
        // There is none where none was given.
        known.push("testbed".to_owned());
    }
    known.sort();
    known.dedup();
    let shown = lua.create_table()?;
    let metatable = lua.create_table()?;
    let content = fields.clone();
    let names = known.clone();
    let index = lua.create_function(move |lua, (_, name): (Value, Value)| {
        let value: Value = content.raw_get(&name)?;
        // A testbed that was not given is nil, as the original has it.
        if !value.is_nil() || matches!(&name, Value::String(name) if name.as_bytes() == b"testbed") {
            return Ok(value);
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Err(unknown_key(lua, object, &name, &names))
    })?;
    metatable.set("__index", index)?;
    let newindex = lua.create_function(move |lua, (_, name, _): (Value, Value, Value)| -> mlua::Result<()> {
        let name = name.as_string().map_or_else(|| shown_key(&name), mlua::LuaString::to_string_lossy);
        Err(not_settable(lua, object, &name, &known.iter().map(String::as_str).collect::<Vec<_>>()))
    })?;
    metatable.set("__newindex", newindex)?;
    let content = fields.clone();
    let pairs = lua.create_function(move |lua, _: Value| {
        let next: mlua::Function = lua.globals().get("next")?;
        Ok((next, content.clone(), Value::Nil))
    })?;
    metatable.set("__pairs", pairs)?;
    name(lua, &metatable, object)?;
    shown.set_metatable(Some(metatable))?;
    Ok(shown)
}

/// Gives the tables of a metatable a name, which is also their text.
pub(super) fn name(lua: &Lua, metatable: &Table, object: &'static str) -> mlua::Result<()> {
    metatable.set("__name", object)?;
    metatable.set("__tostring", lua.create_function(move |_, _: Value| Ok(object))?)
}

/// Makes the metatable of a module raise for names that it does not have; `functions` are those of the module.
pub(super) fn guard_module(
    lua: &Lua,
    module: &Table,
    name_of: &'static str,
    known: &'static [&'static str],
) -> mlua::Result<()> {
    let metatable = lua.create_table()?;
    let index = move |lua: &Lua, (_, key): (Value, Value)| -> mlua::Result<Value> {
        Err(unknown_key(lua, name_of, &key, known))
    };
    metatable.set("__index", lua.create_function(index)?)?;
    name(lua, &metatable, name_of)?;
    module.set_metatable(Some(metatable))
}

/// Fails if a function of a module was called with a colon, so that its first argument is the module.
pub(in crate::script) fn check_dot(lua: &Lua, module: &str, function: &str, first: &Value) -> mlua::Result<()> {
    let is_it = match first {
        Value::Table(table) => table
            .metatable()
            .is_some_and(|metatable| metatable.raw_get::<Value>("__name").is_ok_and(|name| is_name(&name, module))),
        Value::UserData(object) => object.type_name().is_ok_and(|name| name.as_bytes() == module.as_bytes()),
        _ => false,
    };
    if !is_it {
        return Ok(());
    }
    // The variable that holds a module has by custom its last name.
    let variable = module.strip_prefix("rille.").unwrap_or(module);
    let text = format!("'{function}' is a function of {module}; write {variable}.{function}(…), with a dot");
    Err(raise(lua, "usage", text))
}

/// Adds to the functions that a Lua half calls those that all of them need: `shown` and `text`, how a value looks in a
/// message, and `check_list`, which raises for a list that is none and returns its length.
pub(super) fn add_primitives(lua: &Lua, host: &Table) -> mlua::Result<()> {
    host.set("shown", lua.create_function(|lua, value: Value| lua.create_string(shown(&value)))?)?;
    host.set("text", lua.create_function(|lua, value: Value| lua.create_string(text_of(&value)))?)?;
    let check = |lua: &Lua, (list, what): (Table, mlua::LuaString)| {
        let length = list::length(&list, &what.to_string_lossy(), &[]);
        length.map_err(|problem| raise(lua, "definition", problem.to_string()))
    };
    host.set("check_list", lua.create_function(check)?)
}

fn is_name(value: &Value, name: &str) -> bool {
    matches!(value, Value::String(text) if text.as_bytes() == name.as_bytes())
}
