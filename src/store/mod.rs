//! The store: run directories, their metadata and event logs, and what can be told from them.
//!
//! A run directory is a Guild run with an event log beside Guild's files. Only this room writes metadata of a run. It
//! knows no engine, no report and no Lua, and it starts no process.

mod annotations;
mod archive;
mod archive_reader;
mod archive_writer;
mod attr;
mod birth;
mod confined;
mod copy;
mod durable;
mod encoder;
mod environment;
mod error;
mod event_log;
mod event_reader;
mod filter;
mod home;
mod index;
mod leaving;
mod links;
mod list;
mod lock;
mod logged;
#[cfg(test)]
mod made;
mod masked_reader;
mod opref;
mod platform;
mod remove;
mod repair;
mod run_dir;
mod run_edit;
mod run_files;
mod run_output;
mod run_reader;
mod secret_names;
mod secret_values;
mod secrets;
mod status;
mod task_folder;
pub(crate) mod tfevents;
mod trash;
mod worker;
mod zip_end;
mod zip_export;
mod zip_import;

pub(crate) use annotations::{
    Comment, LabelChange, TagChange, add_comment, change_label, change_tags, clear_comments, comments, delete_comment,
    mark,
};
pub(crate) use archive::{ArchiveTarget, BadArchive, Jobfile, archive};
pub(crate) use archive_reader::{archived_attribute, is_archive, with_archived_log};
pub(crate) use attr::{decode as from_yaml, encode as yaml};
pub(crate) use birth::sweep;
pub(crate) use copy::{Transfer, bring};
pub(crate) use durable::{MANY as MANY_RUNS, settle};
pub(crate) use encoder::Encoder;
pub(crate) use environment::recorded_environment;
pub(crate) use error::Error;
pub(crate) use event_log::{EventLog, SyncHandle};
pub(crate) use event_reader::{EventLookup, read, read_from};
pub(crate) use filter::{Filter, Lookup, TimeRange};
pub(crate) use home::Home;
pub(crate) use index::{RunRow, ScalarRow, newest, newest_paths, read_scalars, row, rows};
pub(crate) use list::{RunDetails, RunInfo, attribute, list, load, summarise};
pub(crate) use masked_reader::{copy_masked, holds_secrets, mask_into};
pub(crate) use opref::{NoOpref, Opref, read_opref};
pub(crate) use platform::{host, platform, user};
pub(crate) use remove::remove;
pub(crate) use repair::{Repaired, repair};
pub(crate) use run_dir::{NotReserved, Reserved, RunDir, Site, WAITS, Waits, now_micros, reserve, run_id, waited_with};
pub(crate) use run_files::{FileKind, RunFile, Walk, files, manifest, open_file, sourcecode_folder};
pub(crate) use run_output::RunOutput;
pub(crate) use secrets::{Secrets, keep_secret_variables, secret_variables};
pub(crate) use status::Status;
pub(crate) use task_folder::{
    apart_folder, attempt_folder, discard, is_told_of_log, log_name, name_beside, output_tail, read_part, task_folder,
};
pub(crate) use trash::{purge, restore};
pub(crate) use worker::{Worker, worker};
pub(crate) use zip_export::ZipExport;
pub(crate) use zip_import::{ImportLimits, ZipImport};

/// The result of everything that the store does.
pub(crate) type Result<T> = std::result::Result<T, Error>;
