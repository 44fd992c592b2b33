//! The store: run directories, their metadata and event logs, and what can be told from them.
//!
//! A run directory is a Guild run with an event log beside Guild's files. Only this room writes metadata of a run. It
//! knows no engine, no report and no Lua, and it starts no process.

mod archive;
mod archive_reader;
mod archive_writer;
mod attr;
mod environment;
mod error;
mod event_log;
mod event_reader;
mod filter;
mod home;
mod index;
mod list;
mod lock;
mod opref;
mod platform;
mod remove;
mod run_dir;
mod secrets;
mod status;
mod task_folder;

pub(crate) use archive::{ArchiveTarget, BadArchive, Jobfile, archive};
pub(crate) use archive_reader::{archived_attribute, is_archive, with_archived_log};
pub(crate) use environment::recorded_environment;
pub(crate) use error::Error;
pub(crate) use event_log::EventLog;
pub(crate) use event_reader::{EventLookup, read, read_from};
pub(crate) use filter::{Filter, Lookup, Mistake, Name, Scope, TimeRange};
pub(crate) use home::Home;
pub(crate) use index::{RunRow, ScalarRow, newest, newest_paths, row, rows};
pub(crate) use list::{RunDetails, RunInfo, attribute, load, summarise};
#[cfg(test)]
pub(crate) use list::list;
pub(crate) use opref::Opref;
pub(crate) use platform::{host, platform, user};
pub(crate) use remove::remove;
pub(crate) use run_dir::{RunDir, now_micros, run_id};
pub(crate) use secrets::Secrets;
pub(crate) use status::Status;
pub(crate) use task_folder::{attempt_folder, discard, output_tail, read_part, task_folder};

/// The result of everything that the store does.
pub(crate) type Result<T> = std::result::Result<T, Error>;
