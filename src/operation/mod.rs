//! Operations: their definitions, flags, source code and dependencies, as Guild AI has them.
//!
//! A definition (from `rille.lua`, `guild.yml` or a script) becomes a [`OpRecord`], which with the values of the flags is all
//! that a run needs: it is kept in the run directory, so that a staged or restarted run never needs the project again.
//!
//! Nothing here starts a process or knows where runs are kept; clock, environment and randomness come by argument.

pub(crate) mod batch;
pub(crate) mod command;
mod definition;
pub(crate) mod dependency;
mod encode;
mod flag;
pub(crate) mod flags;
mod guildfile;
pub(crate) mod import;
mod inside;
mod label;
mod notice;
mod project;
pub(crate) mod python;
mod python_regex;
pub(crate) mod read;
mod record;
mod record_new;
mod record_read;
mod relative;
mod reserved;
mod resource;
mod scalar;
mod scalars;
pub(crate) mod sourcecode;
pub(crate) mod steps;
mod yaml_word;

pub(crate) use definition::{Body, Objective, Operation, Origin};
pub(crate) use encode::{join, quote};
pub(crate) use flag::{Choice, Flag, FlagType};
pub(crate) use guildfile::add_guild_file;
pub(crate) use label::label;
pub(crate) use notice::Notice;
pub(crate) use project::{Broken, LookupError, ModelName, Project, Remark};
pub(crate) use record::{DependencyRecord, FlagPassing, OpCommand, OpRecord, SourceCodeRecord};
pub(crate) use relative::normal as normal_path;
pub(crate) use reserved::is_of_the_run;
pub(crate) use resource::{Resource, Source, SourceKind, TargetType};
pub(crate) use scalars::{FoundScalar, ScalarPatterns, ScalarScan};

/// Values of flags by name, as YAML and JSON have them: null, boolean, number, string or list.
pub(crate) type FlagValues = std::collections::BTreeMap<String, serde_json::Value>;

/// Returns whether a write failed because there is no room, or because nothing can be written there at all.
pub(crate) fn takes_no_more(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge | ReadOnlyFilesystem)
}

/// Returns bytes as lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
