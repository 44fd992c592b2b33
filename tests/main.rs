//! Tests that start the real program. They are one binary, with a module a part.
//!
//! [`harness`] has what they share: a project of their own, whole-output comparison, runs as they are on disk, waiting
//! with a deadline, and a look for processes that were left behind.

mod examples;
mod harness;

mod architecture;
mod archive;
mod args;
mod config;
mod definitions;
mod dependencies;
mod disk;
mod easypy;
mod flags;
mod iris;
mod jobfile;
mod kinds;
mod logs;
mod lost;
mod plugins;
mod processes;
mod reports;
mod rerun;
mod resume;
mod runs;
mod runtime;
mod scheduling;
mod signals;
mod sourcecode;
mod synchro;
mod tasks;
mod testscript;
