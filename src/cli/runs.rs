//! `rille runs`: lists, describes, shows, reports and removes runs, those of Guild included.

mod archive;
mod archived;
mod columns;
mod compare;
mod criteria;
mod info;
mod list;
mod report;
mod rm;
mod select;
mod selection;
mod shorts;

use clap::{Args, Subcommand};

pub(crate) use self::shorts::spell_out;
use super::{Failure, show};
use crate::store::Home;

/// Lists runs, and works on them.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct RunsArgs {
    #[command(subcommand)]
    command: Option<RunsCommand>,
    #[command(flatten)]
    list: list::ListArgs,
}

/// What is done with the runs.
#[derive(Subcommand, Debug)]
pub(crate) enum RunsCommand {
    /// List runs, newest first (the default)
    List(Box<list::ListArgs>),
    /// Print the id of a run: the newest, or the one with the smallest or largest value
    Select(Box<select::SelectArgs>),
    /// Compare runs: their flags and scalars in one table
    Compare(Box<compare::CompareArgs>),
    /// Show what is recorded of a run
    Info(info::InfoArgs),
    /// Show what happened in a run, from its event log
    Show {
        /// The run: its id, the beginning of it, `latest`, or the path of its directory
        #[arg(value_name = "RUN")]
        id: String,
        /// Write JSON: what results.json holds
        #[arg(long)]
        json: bool,
    },
    /// Pack a run into one file, with the secrets of the environment masked
    Archive(archive::ArchiveArgs),
    /// Write the reports of a run again: HTML, JUnit, TAP, JSON
    Report(report::ReportArgs),
    /// Remove runs, to the trash
    Rm(rm::RmArgs),
}

/// Runs the command and returns the exit code.
pub(crate) fn main(args: RunsArgs, home: &Home) -> Result<i32, Failure> {
    match args.command {
        None => list::main(&args.list, home),
        Some(RunsCommand::List(args)) => list::main(&args, home),
        Some(RunsCommand::Select(args)) => select::main(&args, home),
        Some(RunsCommand::Compare(args)) => compare::main(&args, home),
        Some(RunsCommand::Info(args)) => info::main(&args, home),
        Some(RunsCommand::Show { id, json }) => show::main(home, &id, json),
        Some(RunsCommand::Archive(args)) => archive::main(&args, home),
        Some(RunsCommand::Report(args)) => report::main(&args, home),
        Some(RunsCommand::Rm(args)) => rm::main(&args, home),
    }
}
