//! A Lua VM as Rille's users find it: standard Lua, with errors as objects, text-only loading and their own modules.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, LuaOptions, MultiValue, StdLib, Table, Value, Variadic};

use super::error;
use super::packages;
use super::shown::text_of;
use crate::model::RaisedError;

/// Writes what a script prints, to `stdout` or `stderr`.
pub(crate) type Write = Box<dyn Fn(&str, &[u8])>;

/// Handles `os.exit`: returns the error by which the script is ended.
pub(crate) type Exit = Box<dyn Fn(&Lua, i32) -> mlua::Error>;

/// The name of the function that calls another and keeps its error together with the stack.
pub(super) const PROTECTED: &str = "rille.protected";

/// The name of `debug.getlocal`.
pub(crate) const GETLOCAL: &str = "rille.getlocal";

/// Runs a command of a script's `os.execute` by the shell and returns how it ended.
pub(crate) type Execute = Box<dyn Fn(&Lua, &[u8]) -> mlua::Result<ExitStatus>>;

/// What differs between the VM of a host and that of a task.
pub(crate) struct Setup {
    /// Where `require` looks for the user's modules, in order.
    pub(crate) module_folders: Vec<PathBuf>,
    /// What `print` and `io.write` do; `None` leaves them to the standard library.
    pub(crate) write: Option<Write>,
    /// What comes before a program is started by `os.execute` or `io.popen`: its output must not overtake what was
    /// printed.
    pub(crate) before_program: Option<Box<dyn Fn()>>,
    /// Runs a command of the shell for `os.execute`; `None` leaves that to the standard library.
    pub(crate) execute: Option<Execute>,
    /// What comes after a program that `os.execute` has run; true if it died of SIGINT.
    pub(crate) after_program: Option<Box<dyn Fn(bool)>>,
    /// What `os.exit` does.
    pub(crate) exit: Exit,
}

/// A VM, and the way to call into it without losing an error.
pub(crate) struct Vm {
    lua: Lua,
}

impl Vm {
    /// Makes a VM with the standard libraries and the prelude.
    pub(crate) fn new(setup: Setup) -> mlua::Result<Self> {
        // SAFETY: what makes the full set of libraries unsafe is `debug` and modules in C. Of `debug` the prelude leaves
        // two harmless functions. A module in C is code that the user has installed and asks for by its name; what it
        // needs of Lua is that of this program, whose symbols build.rs makes visible to it.
        let lua = unsafe { Lua::unsafe_new_with(StdLib::ALL, LuaOptions::new().catch_rust_panics(false)) };
        // Everything that is made here stays: there is nothing to collect.
        lua.gc_stop();
        let host = lua.create_table()?;
        let raise = |lua: &Lua, message: mlua::LuaString| -> mlua::Result<()> {
            Err(error::raise_bytes(lua, "assertion", &message.as_bytes()))
        };
        host.set("raise_assertion", lua.create_function(raise)?)?;
        let exit = setup.exit;
        let exit = lua.create_function(move |lua, (code, _): (Value, Value)| -> mlua::Result<()> {
            Err(exit(lua, exit_code(&code)))
        })?;
        host.set("exit", exit)?;
        if let Some(write) = setup.write {
            let write = lua.create_function(move |_, (stream, bytes): (String, mlua::LuaString)| {
                write(&stream, &bytes.as_bytes());
                Ok(())
            })?;
            let streams = include_str!("../../lua/rille/streams.lua");
            lua.load(streams).set_name("=[rille streams]").set_mode(ChunkMode::Text).call::<()>(write)?;
        }
        if let Some(before_program) = setup.before_program {
            let before_program = lua.create_function(move |_, ()| {
                before_program();
                Ok(())
            })?;
            host.set("before_program", before_program)?;
        }
        if let Some(execute) = setup.execute {
            let execute = lua.create_function(move |lua, command: mlua::LuaString| {
                let status = execute(lua, &command.as_bytes())?;
                let good = status.success().then_some(true);
                Ok(match status.signal() {
                    Some(signal) => (good, "signal", signal),
                    None => (good, "exit", status.code().unwrap_or(255)),
                })
            })?;
            host.set("execute", execute)?;
        }
        if let Some(after_program) = setup.after_program {
            let after_program = lua.create_function(move |_, is_interrupted: bool| {
                after_program(is_interrupted);
                Ok(())
            })?;
            host.set("after_program", after_program)?;
        }
        expose_errors(&lua, &host)?;
        packages::set_up(&lua, setup.module_folders)?;
        let prelude = include_str!("../../lua/rille/prelude.lua");
        let prelude = lua.load(prelude).set_name("=[rille prelude]").set_mode(ChunkMode::Text);
        lua.set_named_registry_value(PROTECTED, prelude.call::<Function>(host)?)?;
        lua.gc_restart();
        Ok(Self { lua })
    }

    /// Returns the Lua state.
    pub(crate) fn lua(&self) -> &Lua {
        &self.lua
    }

    /// Calls a function; an error that it does not catch comes back with its stack.
    pub(crate) fn call(&self, function: &Function, arguments: Vec<Value>) -> Result<MultiValue, RaisedError> {
        call(&self.lua, function, arguments)
    }

    /// Makes `require(name)` give what `open` returns.
    pub(crate) fn preload(&self, name: &str, open: impl Fn(&Lua) -> mlua::Result<Value> + 'static) -> mlua::Result<()> {
        let preload: Table = self.lua.globals().get::<Table>("package")?.get("preload")?;
        preload.set(name, self.lua.create_function(move |lua, _: MultiValue| open(lua))?)
    }
}

/// Calls a function of a VM; an error that it does not catch comes back with its stack.
pub(crate) fn call(lua: &Lua, function: &Function, arguments: Vec<Value>) -> Result<MultiValue, RaisedError> {
    let mut all = vec![Value::Function(function.clone())];
    all.extend(arguments);
    let called = lua
        .named_registry_value::<Function>(PROTECTED)
        .and_then(|protected| protected.call::<MultiValue>(Variadic::from_iter(all)));
    let mut returned = match called {
        Ok(returned) => returned,
        // Even an error in the error handler is an error of the script.
        Err(error) => {
            let value = Value::Error(Box::new(error));
            return Err(error::uncaught(MultiValue::from_vec(vec![value])));
        }
    };
    match returned.pop_front() {
        Some(Value::Boolean(true)) => Ok(returned),
        _ => Err(error::uncaught(returned)),
    }
}

/// Returns the exit code that `os.exit` was given, as standard Lua reads it.
fn exit_code(code: &Value) -> i32 {
    match code {
        Value::Nil | Value::Boolean(true) => 0,
        Value::Integer(code) => i32::try_from(*code & 0xff).unwrap_or(1),
        _ => 1,
    }
}

/// Hands the prelude the metatable of mlua's errors, and the functions to fill it.
fn expose_errors(lua: &Lua, host: &Table) -> mlua::Result<()> {
    let debug: Table = lua.globals().get("debug")?;
    let sample = Value::Error(Box::new(mlua::Error::runtime("")));
    let metatable: Table = debug.get::<Function>("getmetatable")?.call(sample)?;
    host.set("error_metatable", metatable)?;
    let field = lua.create_function(|lua, (value, name): (Value, Value)| {
        let name = name.as_string().map(mlua::LuaString::to_string_lossy).unwrap_or_default();
        match (error::field(&value, &name), name.as_str()) {
            (Some(line), "line") => Ok(String::from_utf8_lossy(&line).parse().map_or(Value::Nil, Value::Integer)),
            (Some(text), _) => Ok(Value::String(lua.create_string(text)?)),
            (None, _) => Ok(Value::Nil),
        }
    })?;
    host.set("error_field", field)?;
    let text = lua.create_function(|lua, value: Value| match value {
        Value::Error(error) => lua.create_string(error::text_bytes(&error)),
        other => lua.create_string(text_of(&other)),
    })?;
    host.set("error_text", text)?;
    // For a prompt inside a section; scripts do not get it.
    lua.set_named_registry_value(GETLOCAL, debug.get::<Function>("getlocal")?)?;
    host.set("traceback", debug.get::<Function>("traceback")?)?;
    host.set("getinfo", debug.get::<Function>("getinfo")?)
}
