//! `rille runs mark`: marks runs, which are preferred as dependencies then.

use clap::Args;
use serde_json::json;

use super::act::{Act, Question, Weight};
use super::chosen::{Chosen, tell};
use super::selection::Unnamed;
use crate::cli::Failure;
use crate::store::{self, Home, RunInfo};

/// Which runs are marked.
#[derive(Args, Debug)]
pub(crate) struct MarkArgs {
    /// Take the mark away, by default from all marked runs
    #[arg(short, long)]
    clear: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Write the runs as JSON: a list of objects
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    chosen: Chosen,
}

/// Marks runs, by default the newest that is not marked.
pub(crate) fn main(args: &MarkArgs, home: &Home) -> Result<i32, Failure> {
    let runs = if args.chosen.runs.is_empty() {
        let mut runs = args.chosen.select(home, Unnamed::All)?;
        runs.retain(|run| run.marked == args.clear);
        runs.truncate(if args.clear { usize::MAX } else { 1 });
        runs
    } else {
        args.chosen.some(home, Unnamed::Latest)?
    };
    let what = if args.clear { "unmark" } else { "mark" };
    if runs.is_empty() {
        tell(&format!("Nothing to {what}."));
        return Ok(0);
    }
    let text = format!("You are about to {what} the following runs");
    let question = Question { text: &text, runs: &runs, weight: Weight::Light, doing: "marking runs" };
    let mark_one = |run: &RunInfo| {
        store::mark(&run.path, !args.clear)?;
        Ok(Some(json!({"id": run.id, "marked": !args.clear})))
    };
    let done = if args.clear { "Unmarked" } else { "Marked" };
    let act = Act { question, yes: args.yes, json: args.json };
    act.perform(mark_one, |changed| format!("{done} {} run(s)", changed.len()))
}
