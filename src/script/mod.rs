//! Embedded Lua: the VM, the files it runs, the errors it raises, and the modules that scripts require.
//!
//! Only this room and those above it know mlua.

pub(crate) mod api;
mod context;
pub(crate) mod entropy;
mod error;
mod hints;
mod host;
pub(crate) mod kept;
mod leave;
mod list;
mod lua_file;
mod modules;
pub(crate) mod operation;
mod operation_main;
mod packages;
mod plain;
mod runner_kind;
mod shown;
pub(crate) mod source;
mod standalone;
mod stop;
pub(crate) mod table;
mod task;
mod time_limit;
mod used;
mod vm;
mod voice;
mod walk;
mod walk_host;

pub(crate) use self::host::run_jobfile;
pub(crate) use self::lua_file::{LuaFile, lua_file};
pub(crate) use self::modules::types as module_types;
pub(crate) use self::operation::load_project;
pub(crate) use self::operation_main::{RunFacts, run_operation};
pub(crate) use self::runner_kind::{Say, kinds_of, run_kind};
pub(crate) use self::walk_host::list_walks;

/// Finds a walk in a trace, or in those that a master file lists.
pub(crate) fn find_walk(trace: &Path, id: u64) -> Result<crate::walk::trace::Found, api::walk::NoWalk> {
    api::walk::find_in_files(&[trace.to_owned()], id)
}
pub(crate) use self::leave::leave;
pub(crate) use self::stop::Stop;
pub(crate) use self::task::{HostLine, ScriptEnd, run_script};
pub(crate) use self::walk::run_worker;

use std::path::Path;

/// Why a Lua file gives no table of plain values.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoTable {
    /// Lua could not be set up.
    #[error("{}", error::plain_text(.0))]
    Lua(#[from] mlua::Error),
    /// It cannot be run, or has raised an error.
    #[error(transparent)]
    Raised(#[from] crate::model::RaisedError),
    /// Something in its table is no plain value.
    #[error(transparent)]
    NotCarried(#[from] table::NotCarried),
    /// It returns something else.
    #[error("it must return a table")]
    Other,
}

/// Runs a Lua file that returns a table of plain values, and returns it.
pub(crate) fn read_table(path: &Path, text: &[u8]) -> Result<crate::model::Value, NoTable> {
    let setup = vm::Setup {
        module_folders: modules::folders(path, Path::new(".")),
        write: None,
        before_program: None,
        execute: None,
        after_program: None,
        exit: Box::new(|lua, _| error::raise(lua, "usage", "a data file cannot exit")),
    };
    let vm = vm::Vm::new(setup)?;
    let chunk = source::compile(vm.lua(), path, text, &[])?;
    let returned = vm.call(&chunk, Vec::new())?;
    match returned.front() {
        Some(value @ mlua::Value::Table(_)) => Ok(table::to_value(value, "the table")?),
        _ => Err(NoTable::Other),
    }
}
