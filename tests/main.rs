//! Tests that start the real program. They are one binary, with a module a part.
//!
//! [`harness`] has what they share: a project of their own, whole-output comparison, runs as they are on disk, waiting
//! with a deadline, and a look for processes that were left behind.

mod examples;
mod harness;

mod architecture;
mod archive;
mod args;
mod combtest;
mod config;
mod damage;
mod definitions;
mod dependencies;
mod disk;
mod easypy;
mod ends;
mod flags;
mod guild_interop;
mod guild_seeds;
mod iris;
mod jobfile;
mod kinds;
mod list;
mod logs;
mod lost;
mod older;
mod operations;
mod operations_defs;
mod operations_lua;
mod packages;
mod plugins;
mod processes;
mod pytest;
mod reports;
mod rerun;
mod resume;
mod rille_test;
mod runnable;
mod runner_kinds;
mod runners;
mod runners_avocado;
mod runs;
mod runs_annotations;
mod runs_compare;
mod runs_files;
mod runs_filter;
mod runs_guild;
mod runs_transfer;
mod runs_trash;
mod runtime;
mod scheduling;
mod signals;
mod slips;
mod sourcecode;
mod status;
mod synchro;
mod tap;
mod tasks;
mod tests_history;
mod testscript;
mod values;
mod variants;
mod walk_worker;
mod walks;
