//! Operations: their definitions, flags, source code and dependencies, as Guild AI has them.
//!
//! A definition (from `rille.lua`, `guild.yml` or a script) becomes a [`OpRecord`], which with the values of the flags is all
//! that a run needs: it is kept in the run directory, so that a staged or restarted run never needs the project again.
//!
//! Nothing here starts a process or knows where runs are kept; clock, environment and randomness come by argument.

#![expect(dead_code, unused_imports, reason = "the parts that use it are being built")]

pub(crate) mod command;
mod definition;
mod encode;
mod flag;
pub(crate) mod flags;
mod label;
mod notice;
pub(crate) mod python;
mod python_regex;
mod record;
mod record_new;
mod resource;
mod scalar;
mod scalars;

pub(crate) use definition::{Body, Objective, Operation, Origin};
pub(crate) use encode::{join, quote};
pub(crate) use flag::{Choice, Flag, FlagType};
pub(crate) use label::{default_label, formatted, label};
pub(crate) use notice::Notice;
pub(crate) use python_regex::from_python;
pub(crate) use record::{DependencyRecord, FlagPassing, OpCommand, OpRecord, SourceCodeRecord};
pub(crate) use resource::{Resource, Source, SourceKind, TargetType};
pub(crate) use scalars::{FoundScalar, ScalarPatterns, ScalarScan, ScalarsError};

/// Values of flags by name, as YAML and JSON have them: null, boolean, number, string or list.
pub(crate) type FlagValues = std::collections::BTreeMap<String, serde_json::Value>;
