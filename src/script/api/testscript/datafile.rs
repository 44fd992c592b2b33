//! The datafile of a testscript: the one that the task was given, or else the script's own, `ts.datafile(FILE)`.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use mlua::{Lua, Table, Value, Variadic};

use crate::job::read_datafile;
use crate::model::{Datafile, Order};
use crate::script::error::raise;
use crate::script::table;

/// Adds to the table of primitives what the Lua half needs of datafiles.
pub(super) fn add(lua: &Lua, host: &Table, order: &Order) -> mlua::Result<()> {
    let is_given = order.choice.datafile.is_some();
    let kept: Rc<RefCell<Option<Datafile>>> = Rc::new(RefCell::new(order.choice.datafile.as_deref().cloned()));

    let shared = Rc::clone(&kept);
    let content = move |lua: &Lua, ()| match &*shared.borrow() {
        Some(datafile) => table::from_value(lua, &datafile.content),
        None => Ok(Value::Nil),
    };
    host.set("datafile", lua.create_function(content)?)?;

    let shared = Rc::clone(&kept);
    let place = move |_: &Lua, names: Variadic<String>| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Ok(shared.borrow().as_ref().and_then(|datafile| datafile.place(&names).map(ToString::to_string)))
    };
    host.set("datafile_place", lua.create_function(place)?)?;

    let folder = order.script.parent().unwrap_or(Path::new("/")).to_owned();
    // Returns what is to be said of it; nothing if another one was given, which holds.
    let read = move |lua: &Lua, file: mlua::LuaString| {
        if is_given {
            return Ok(Vec::new());
        }
        let path = folder.join(OsStr::from_bytes(&file.as_bytes()));
        let (datafile, remarks) = read_datafile(&path).map_err(|error| raise(lua, "definition", error.to_string()))?;
        *kept.borrow_mut() = Some(datafile);
        Ok(remarks.iter().map(ToString::to_string).collect::<Vec<String>>())
    };
    host.set("read_datafile", lua.create_function(read)?)
}
