//! The Lua modules of Rille, a file each.

pub(super) mod args;
mod draft;
pub(super) mod job;
pub(super) mod log;
pub(super) mod object;
pub(super) mod op;
pub(super) mod plugin;
mod result;
pub(super) mod runnable;
pub(super) mod runner;
pub(super) mod runs;
mod runtime;
mod selection;
pub(super) mod synchro;
mod task;
pub(super) mod testscript;
pub(crate) mod walk;

pub(super) use self::job::run_one;
pub(super) use self::object::read_only;
pub(super) use self::runtime::runtime;
pub(super) use self::selection::Selections;
