//! The command line: one file a command. Only here do errors become text and exit codes.

mod failure;
mod output;
pub(crate) mod runs;
pub(crate) mod show;

pub(crate) use failure::{Failure, FailureKind};
