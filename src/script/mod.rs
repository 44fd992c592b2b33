//! Embedded Lua: the VM, the files it runs, the errors it raises, and the modules that scripts require.
//!
//! Only this room and those above it know mlua.

pub(crate) mod api;
pub(crate) mod error;
mod host;
mod modules;
pub(crate) mod source;
pub(crate) mod table;
mod task;
mod vm;

pub(crate) use self::host::run_jobfile;
pub(crate) use self::task::{ScriptEnd, run_script};
