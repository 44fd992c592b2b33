//! `rille runs purge`: deletes runs of the trash for good.

use clap::Args;
use serde_json::json;

use super::act::{Act, Question, Weight};
use super::chosen::{Chosen, tell};
use super::selection::Unnamed;
use crate::cli::Failure;
use crate::store::{self, Home, RunInfo};

/// Which runs are deleted: of those in the trash, by default all.
#[derive(Args, Debug)]
pub(crate) struct PurgeArgs {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Write what was deleted as JSON: a list of objects
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    chosen: Chosen,
}

/// Deletes the runs.
pub(crate) fn main(args: &PurgeArgs, home: &Home) -> Result<i32, Failure> {
    let trash = home.trash();
    let runs = args.chosen.select(&trash, Unnamed::All)?;
    // A path may name any run, and only the trash is purged.
    if let Some(run) = runs.iter().find(|run| run.path.parent() != Some(&trash.runs_dir())) {
        return Err(Failure::usage(format!("run {} is not in the trash", run.id))
            .hint("'rille runs rm --permanent' deletes runs that are not."));
    }
    if runs.is_empty() {
        tell("Nothing to purge.");
        return Ok(0);
    }
    let text = "You are about to delete the following runs for good";
    let question = Question { text, runs: &runs, weight: Weight::Heavy, doing: "purging runs" };
    let purge_one = |run: &RunInfo| {
        store::purge(&run.path)?;
        Ok(Some(json!({"id": run.id, "path": run.path})))
    };
    let act = Act { question, yes: args.yes, json: args.json };
    act.perform(purge_one, |purged| format!("Permanently deleted {} run(s)", purged.len()))
}
