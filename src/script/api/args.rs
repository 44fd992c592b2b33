//! `require "rille.args"`: what the parser in `lua/rille/args.lua` needs of its process.

use std::cell::Cell;
use std::rc::Rc;

use mlua::chunk::ChunkMode;
use mlua::{Lua, MultiValue, Table, Value};

use crate::model::{Blob, nearest};
use crate::script::error::raise;

/// Hears which of the words that were handed on, counted from 0, were read; all if there is no list.
type OnRead = Box<dyn Fn(Option<&[usize]>)>;

/// The arguments of a process, and who hears what becomes of them.
pub(crate) struct Arguments {
    /// The name in the usage line.
    pub(crate) program: String,
    /// Words that this process alone was given, by `args` of a task.
    pub(crate) own: Vec<Blob>,
    /// Words that were handed on on the command line.
    pub(crate) handed_on: Vec<String>,
    /// Words that look like a slip in an option of the launcher, and the option.
    pub(crate) slips: Vec<(String, String)>,
    /// Hears which of the words that were handed on, counted from 0, were read; all if there is no list.
    pub(crate) read: OnRead,
    /// Makes the error by which a process ends that has shown its help.
    pub(crate) help: Box<dyn Fn(&Lua) -> mlua::Error>,
    /// Hears that the arguments were refused, with what was told.
    pub(crate) refused: Box<dyn Fn(&str)>,
    /// [`Arguments::settle`] is called when the process has come to its end.
    pub(crate) settles: bool,
    /// The list of words was asked for.
    pub(crate) is_pending: Cell<bool>,
}

/// Makes the module.
pub(crate) fn module(lua: &Lua, arguments: &Rc<Arguments>) -> mlua::Result<Value> {
    let host = lua.create_table()?;
    host.set("program", arguments.program.as_str())?;
    host.set("own", strings(lua, &arguments.own)?)?;
    host.set("handed_on", arguments.handed_on.clone())?;
    host.set("slips", lua.create_table_from(arguments.slips.iter().cloned())?)?;
    let raising = |lua: &Lua, (kind, text): (String, String)| -> mlua::Result<()> {
        let kind = if kind == "definition" { "definition" } else { "usage" };
        Err(raise(lua, kind, text))
    };
    host.set("raise", lua.create_function(raising)?)?;
    let near = |_: &Lua, (word, names): (String, Vec<String>)| {
        Ok(nearest(&word, names.iter().map(String::as_str)).map(str::to_owned))
    };
    host.set("nearest", lua.create_function(near)?)?;
    super::object::add_primitives(lua, &host)?;
    let shared = Rc::clone(arguments);
    let is_handed_on = move |lua: &Lua, list: Table| {
        let known = lua.named_registry_value::<Option<Table>>(HANDED_ON)?;
        let is_it = known.is_some_and(|known| known == list);
        if is_it {
            shared.is_pending.set(false);
        }
        Ok(is_it)
    };
    host.set("is_handed_on", lua.create_function(is_handed_on)?)?;
    let shared = Rc::clone(arguments);
    let read = move |_: &Lua, places: Vec<usize>| {
        let places: Vec<usize> = places.into_iter().map(|place| place.saturating_sub(1)).collect();
        (shared.read)(Some(&places));
        Ok(())
    };
    host.set("read", lua.create_function(read)?)?;
    let shared = Rc::clone(arguments);
    host.set(
        "read_all",
        lua.create_function(move |_, ()| {
            shared.note_all();
            Ok(())
        })?,
    )?;
    let shared = Rc::clone(arguments);
    let refuse = move |lua: &Lua, text: String| -> mlua::Result<()> {
        (shared.refused)(&text);
        Err(raise(lua, "usage", text))
    };
    host.set("refuse", lua.create_function(refuse)?)?;
    let shared = Rc::clone(arguments);
    host.set("help", lua.create_function(move |lua, ()| -> mlua::Result<()> { Err((shared.help)(lua)) })?)?;
    let source = include_str!("../../../lua/rille/args.lua");
    lua.load(source).set_name("=[rille args]").set_mode(ChunkMode::Text).call(host)
}

/// Makes a list of strings of any bytes.
pub(crate) fn strings(lua: &Lua, words: &[Blob]) -> mlua::Result<Table> {
    let words = words.iter().map(|word| lua.create_string(&word.0));
    lua.create_sequence_from(words.collect::<mlua::Result<Vec<_>>>()?)
}

impl Arguments {
    /// Says that every word was read, if there is one.
    pub(crate) fn note_all(&self) {
        if !self.handed_on.is_empty() {
            (self.read)(None);
        }
    }

    /// Notes that the list of words was asked for. A jobfile may give it to a parser, which says more exactly what it reads;
    /// so that counts as reading all of them only by [`Arguments::settle`]. A task may be ended before that.
    fn note_list(&self) {
        match self.settles {
            true => self.is_pending.set(true),
            false => self.note_all(),
        }
    }

    /// Says that every word was read, if the list of them was asked for and no parser got it.
    pub(crate) fn settle(&self) {
        if self.is_pending.take() {
            self.note_all();
        }
    }
}

/// Where a VM keeps the list of words that `runtime.argv`, or `arg` of a jobfile, is.
const HANDED_ON: &str = "rille.args.handed_on";

/// Makes that list.
fn handed_on(lua: &Lua, arguments: &Arguments) -> mlua::Result<Table> {
    if let Some(known) = lua.named_registry_value::<Option<Table>>(HANDED_ON)? {
        return Ok(known);
    }
    let list = lua.create_sequence_from(arguments.handed_on.iter().map(String::as_str))?;
    lua.set_named_registry_value(HANDED_ON, &list)?;
    Ok(list)
}

/// Sets the global `arg` to the list of words that were handed on; its first use counts as reading them all.
pub(crate) fn set_arg(lua: &Lua, arguments: &Rc<Arguments>) -> mlua::Result<()> {
    let globals = lua.globals();
    let list = handed_on(lua, arguments)?;
    if arguments.handed_on.is_empty() {
        return globals.set("arg", list);
    }
    let arguments = Rc::clone(arguments);
    let metatable = lua.create_table()?;
    // The global is made when it is first looked for.
    let index = move |_: &Lua, (globals, name): (Table, Value)| {
        if !matches!(&name, Value::String(name) if name.as_bytes() == b"arg") {
            return Ok(Value::Nil);
        }
        arguments.note_list();
        globals.raw_set("arg", &list)?;
        Ok(Value::Table(list.clone()))
    };
    metatable.set("__index", lua.create_function(index)?)?;
    globals.set_metatable(Some(metatable))
}

/// Has the first read of `argv` in a read-only `runtime` count as reading all that was handed on.
pub(crate) fn watch_argv(runtime: &Table, lua: &Lua, arguments: &Rc<Arguments>) -> mlua::Result<()> {
    let list: Table = runtime.get("argv")?;
    lua.set_named_registry_value(HANDED_ON, list)?;
    let Some(metatable) = runtime.metatable().filter(|_| !arguments.handed_on.is_empty()) else { return Ok(()) };
    let index: mlua::Function = metatable.get("__index")?;
    let (arguments, watched) = (Rc::clone(arguments), metatable.clone());
    let watching = move |_: &Lua, (runtime, name): (Table, Value)| -> mlua::Result<Value> {
        if matches!(&name, Value::String(name) if name.as_bytes() == b"argv") {
            arguments.note_list();
            watched.set("__index", &index)?;
        }
        index.call((runtime, name))
    };
    metatable.set("__index", lua.create_function(watching)?)
}

/// Makes a function that returns the list of words that were handed on; its first call counts as reading them all.
pub(crate) fn argv(lua: &Lua, arguments: &Rc<Arguments>) -> mlua::Result<mlua::Function> {
    let list = handed_on(lua, arguments)?;
    let is_read = Cell::new(arguments.handed_on.is_empty());
    let arguments = Rc::clone(arguments);
    lua.create_function(move |_, _: MultiValue| {
        if !is_read.replace(true) {
            arguments.note_list();
        }
        Ok(list.clone())
    })
}
