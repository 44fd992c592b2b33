//! Operations: their definitions, flags, source code and dependencies, as Guild AI has them.
//!
//! A definition (from `rille.lua`, `guild.yml` or a script) becomes a [`OpRecord`], which with the values of the flags is all
//! that a run needs: it is kept in the run directory, so that a staged or restarted run never needs the project again.
//!
//! Nothing here starts a process or knows where runs are kept; clock, environment and randomness come by argument.

#![expect(dead_code, unused_imports, reason = "the parts that use it are being built")]

mod definition;
mod flag;
mod guildfile;
mod notice;
mod project;
pub(crate) mod read;
mod record;
mod resource;

pub(crate) use definition::{Body, Objective, Operation, Origin};
pub(crate) use flag::{Choice, Flag, FlagType};
pub(crate) use guildfile::add_guild_file;
pub(crate) use notice::Notice;
pub(crate) use project::{Broken, LookupError, ModelName, Project, Remark};
pub(crate) use record::{DependencyRecord, FlagPassing, OpCommand, OpRecord, SourceCodeRecord};
pub(crate) use resource::{Resource, Source, SourceKind, TargetType};

/// Values of flags by name, as YAML and JSON have them: null, boolean, number, string or list.
pub(crate) type FlagValues = std::collections::BTreeMap<String, serde_json::Value>;
