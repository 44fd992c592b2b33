//! `rille runs`: lists, describes, shows, reports and removes runs, those of Guild included.

mod act;
mod archive;
mod archived;
mod cat;
mod chosen;
mod columns;
mod comment;
mod compare;
mod compared;
mod criteria;
mod diff;
mod export;
mod flaky;
mod import;
mod info;
mod label;
mod list;
mod ls;
mod mark;
mod markdown;
mod merge;
mod open;
mod orphans;
mod publish;
mod purge;
mod repair;
mod report;
mod restore;
mod rm;
mod scalars;
mod select;
mod selection;
mod shorts;
mod stop;
mod tag;
mod transfer;

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
    /// List the tests that pass in some runs of tests and not in others
    Flaky(flaky::FlakyArgs),
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
    #[command(visible_alias = "delete")]
    Rm(rm::RmArgs),
    /// Bring runs back from the trash
    Restore(restore::RestoreArgs),
    /// Delete runs of the trash for good
    Purge(purge::PurgeArgs),
    /// Write again what is damaged of runs, by their event logs
    Repair(repair::RepairArgs),
    /// List processes that runs have left behind, and kill them
    Orphans(orphans::OrphansArgs),
    /// Stop running runs
    Stop(stop::StopArgs),
    /// Change the labels of runs
    Label(label::LabelArgs),
    /// Put tags to runs, or take them away
    Tag(tag::TagArgs),
    /// Mark runs, which are preferred as dependencies then
    Mark(mark::MarkArgs),
    /// Write, list and delete comments on runs
    Comment(comment::CommentArgs),
    /// List the files of a run
    Ls(ls::LsArgs),
    /// Write a file of a run, or its output
    Cat(cat::CatArgs),
    /// Open a run, or a file of it, in another program
    Open(open::OpenArgs),
    /// Show in what two runs differ
    Diff(diff::DiffArgs),
    /// Copy files of a run back to its project
    Merge(merge::MergeArgs),
    /// Write a summary of runs in Markdown
    Publish(publish::PublishArgs),
    /// Copy or move runs to a folder or a zip file
    Export(export::ExportArgs),
    /// Bring runs from a folder or a zip file
    Import(import::ImportArgs),
}

/// Runs the command and returns the exit code.
pub(crate) fn main(args: RunsArgs, home: &Home) -> Result<i32, Failure> {
    match args.command {
        None => list::main(&args.list, home),
        Some(RunsCommand::List(args)) => list::main(&args, home),
        Some(RunsCommand::Select(args)) => select::main(&args, home),
        Some(RunsCommand::Compare(args)) => compare::main(&args, home),
        Some(RunsCommand::Flaky(args)) => flaky::main(&args, home),
        Some(RunsCommand::Info(args)) => info::main(&args, home),
        Some(RunsCommand::Show { id, json }) => show::main(home, &id, json),
        Some(RunsCommand::Archive(args)) => archive::main(&args, home),
        Some(RunsCommand::Report(args)) => report::main(&args, home),
        Some(RunsCommand::Rm(args)) => rm::main(&args, home),
        Some(RunsCommand::Restore(args)) => restore::main(&args, home),
        Some(RunsCommand::Purge(args)) => purge::main(&args, home),
        Some(RunsCommand::Repair(args)) => repair::main(&args, home),
        Some(RunsCommand::Orphans(args)) => orphans::main(&args, home),
        Some(RunsCommand::Stop(args)) => stop::main(&args, home),
        Some(RunsCommand::Label(args)) => label::main(&args, home),
        Some(RunsCommand::Tag(args)) => tag::main(&args, home),
        Some(RunsCommand::Mark(args)) => mark::main(&args, home),
        Some(RunsCommand::Comment(args)) => comment::main(&args, home),
        Some(RunsCommand::Ls(args)) => ls::main(&args, home),
        Some(RunsCommand::Cat(args)) => cat::main(&args, home),
        Some(RunsCommand::Open(args)) => open::main(&args, home),
        Some(RunsCommand::Diff(args)) => diff::main(&args, home),
        Some(RunsCommand::Merge(args)) => merge::main(&args, home),
        Some(RunsCommand::Publish(args)) => publish::main(&args, home),
        Some(RunsCommand::Export(args)) => export::main(&args, home),
        Some(RunsCommand::Import(args)) => import::main(&args, home),
    }
}
