//! `rille runs restore`: brings runs back from the trash.

use clap::Args;
use serde_json::json;

use super::act::{Act, Question, Weight};
use super::chosen::{Chosen, tell, warn};
use super::selection::Unnamed;
use crate::cli::Failure;
use crate::store::{self, Home, RunInfo};

/// Which runs are restored: of those in the trash, by default all.
#[derive(Args, Debug)]
pub(crate) struct RestoreArgs {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Write what was restored as JSON: a list of objects
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    chosen: Chosen,
}

/// Restores the runs. One whose id is taken stays in the trash.
pub(crate) fn main(args: &RestoreArgs, home: &Home) -> Result<i32, Failure> {
    let runs = args.chosen.select(&home.trash(), Unnamed::All)?;
    if runs.is_empty() {
        tell("Nothing to restore.");
        return Ok(0);
    }
    let text = "You are about to restore the following runs";
    let question = Question { text, runs: &runs, weight: Weight::Light, doing: "restoring runs" };
    let restore_one = |run: &RunInfo| {
        let path = store::restore(home, &run.path)?;
        if path.is_none() {
            warn(&format!("there is a run of the id of {} already, skipping", run.id));
        }
        Ok(path.map(|path| json!({"id": store::run_id(&path), "path": path})))
    };
    let act = Act { question, yes: args.yes, json: args.json };
    act.perform(restore_one, |restored| format!("Restored {} run(s)", restored.len()))
}
