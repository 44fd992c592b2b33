//! `rille runs rm`: removes runs, after asking.

use std::time::Duration;

use clap::Args;

use super::act::{Act, Question, Weight};
use super::chosen::{Chosen, tell};
use super::selection::Unnamed;
use super::stop::stop_all;
use crate::cli::Failure;
use crate::model::exit_code;
use crate::store::{self, Home, RunInfo, Status};

/// How long a running run is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which runs are removed, and how. Without RUN all that the filter leaves in.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are the options that there are")]
pub(crate) struct RmArgs {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Delete them instead of moving them to the trash
    #[arg(long, short)]
    permanent: bool,
    /// Stop those that are running first
    #[arg(long)]
    stop: bool,
    /// Write what was removed as JSON: a list of objects
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    chosen: Chosen,
}

/// Removes the runs: all of them, or none if one cannot be found or is running.
pub(crate) fn main(args: &RmArgs, home: &Home) -> Result<i32, Failure> {
    let runs = args.chosen.select(home, Unnamed::All)?;
    if runs.is_empty() {
        tell("Nothing to remove.");
        return Ok(0);
    }
    let running: Vec<RunInfo> = runs.iter().filter(|run| run.status == Status::Running).cloned().collect();
    if let (Some(first), false) = (running.first(), args.stop) {
        let failure: Failure = store::Error::Running { id: first.id.clone() }.into();
        return Err(failure.hint("or add --stop to have it stopped first."));
    }
    let text = match (args.permanent, running.len()) {
        (true, 0) => "These runs will be deleted for good".to_owned(),
        (false, 0) => "These runs will be moved to the trash".to_owned(),
        (true, count) => format!("{count} of these runs will be stopped, and all deleted for good"),
        (false, count) => format!("{count} of these runs will be stopped, and all moved to the trash"),
    };
    let question = Question { text: &text, runs: &runs, weight: Weight::Heavy, doing: "removing runs" };
    let act = Act { question, yes: args.yes, json: args.json };
    if !act.is_agreed()? {
        return Ok(exit_code::FAILED);
    }
    if !running.is_empty() {
        stop_all(&running, PATIENCE, false)?;
    }
    let remove_one = |run: &RunInfo| Ok(Some(store::remove(home, &run.path, args.permanent)?));
    act.perform_agreed(remove_one, |removed| {
        let plural = if removed.len() == 1 { "run" } else { "runs" };
        let done = if args.permanent { "deleted" } else { "moved to the trash" };
        format!("{} {plural} {done}", removed.len())
    })
}
