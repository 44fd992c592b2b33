//! `require "rille.runner"`: kinds of runnables that are written in Lua.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Function, Lua, Value};

use super::object::{check_dot, read_only};
use crate::script::error::raise;
use crate::script::shown::shown;

/// The name of the module.
const MODULE: &str = "rille.runner";

/// The kinds that a file defines, with the function that runs a runnable.
pub(crate) type Kinds = Rc<RefCell<Vec<(String, Function)>>>;

/// Makes the module.
pub(crate) fn module(lua: &Lua, kinds: &Kinds) -> mlua::Result<Value> {
    let module = lua.create_table()?;
    let kinds = Rc::clone(kinds);
    let kind = lua.create_function(move |lua, (name, function): (Value, Value)| {
        check_dot(lua, MODULE, "kind", &name)?;
        let usage = "runner.kind(name, function(runnable, emit) … return { result = \"pass\" } end)";
        let (Value::String(name), Value::Function(function)) = (&name, &function) else {
            let given = if matches!(name, Value::String(_)) { &function } else { &name };
            return Err(raise(lua, "usage", format!("write {usage}; got {}", shown(given))));
        };
        let name = name.to_string_lossy();
        if name.is_empty() || name.contains(|c: char| c == '/' || c.is_control() || c.is_whitespace()) {
            return Err(raise(lua, "usage", format!("'{}' is no name of a kind", name.escape_debug())));
        }
        if kinds.borrow().iter().any(|(known, _)| *known == name) {
            return Err(raise(lua, "usage", format!("the kind '{name}' is defined twice")));
        }
        kinds.borrow_mut().push((name, function.clone()));
        Ok(())
    })?;
    module.set("kind", kind)?;
    Ok(Value::Table(read_only(lua, MODULE, &module)?))
}
