//! `rille runs stop`: ends running runs and waits for their end.

use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::act::{Question, Weight};
use super::chosen::{Chosen, tell, warn};
use super::selection::Unnamed;
use crate::cli::Failure;
use crate::cli::output::write_json;
use crate::engine::{StopEnd, StopRefused, Stopping};
use crate::model::exit_code;
use crate::store::{self, Home, RunInfo, Status, Worker};

/// Which runs are stopped, and how. Without RUN the newest that is running; a trial of a batch is stopped by its id.
#[derive(Args, Debug)]
pub(crate) struct StopArgs {
    /// Wait so many seconds for the end of the runs
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    timeout: Duration,
    /// Kill those that have not ended by then
    #[arg(long)]
    force: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Write what became of the runs as JSON: a list of objects
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    chosen: Chosen,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "it is no number of seconds".to_owned())?;
    Duration::try_from_secs_f64(number).map_err(|_| "it is no number of seconds from 0".to_owned())
}

/// Stops the runs.
pub(crate) fn main(args: &StopArgs, home: &Home) -> Result<i32, Failure> {
    let unnamed = args.chosen.runs.is_empty();
    let mut runs = args.chosen.select(home, Unnamed::All)?;
    if unnamed {
        // A trial is not what is meant where its batch is running.
        runs.retain(|run| run.status == Status::Running && !matches!(store::worker(&run.path), Worker::Trial(_)));
        runs.truncate(1);
    }
    // What has ended is stopped: there is nothing to do and nothing wrong.
    let (running, ended): (Vec<RunInfo>, Vec<RunInfo>) =
        runs.into_iter().partition(|run| run.status == Status::Running);
    let mut results: Vec<StopResult> = ended.iter().map(|run| result(run, "not running")).collect();
    for run in &ended {
        tell(&format!("Run {} is not running", run.id));
    }
    if running.is_empty() {
        if args.json {
            write_json(&results)?;
        } else if unnamed {
            tell("Nothing to stop.");
        }
        return Ok(0);
    }
    let text = "You are about to stop the following runs";
    let question = Question { text, runs: &running, weight: Weight::Heavy, doing: "stopping runs" };
    if !question.ask(args.yes)? {
        return Ok(exit_code::FAILED);
    }
    let stopped = stop_each(&running, args.timeout, args.force);
    let is_over = stopped.iter().all(StopResult::is_over);
    results.extend(stopped);
    if args.json {
        write_json(&results)?;
    } else {
        let count = results.iter().filter(|result| matches!(result.result, "stopped" | "killed")).count();
        tell(&format!("Stopped {count} run(s)"));
    }
    Ok(i32::from(!is_over))
}

/// What became of a run that was to be stopped.
#[derive(Clone, Debug, Serialize)]
struct StopResult {
    id: String,
    result: &'static str,
}

impl StopResult {
    fn is_over(&self) -> bool {
        matches!(self.result, "stopped" | "killed" | "not running")
    }
}

fn result(run: &RunInfo, result: &'static str) -> StopResult {
    StopResult { id: run.id.clone(), result }
}

/// Stops running runs, or fails for the first that goes on.
pub(super) fn stop_all(runs: &[RunInfo], timeout: Duration, force: bool) -> Result<(), Failure> {
    match stop_each(runs, timeout, force).into_iter().find(|result| !result.is_over()) {
        Some(result) => Err(Failure::general(format!("run {} was not stopped, so that nothing was done", result.id))),
        None => Ok(()),
    }
}

/// Asks all of them first and waits for them then, so that the time is the same for many as for one.
fn stop_each(runs: &[RunInfo], timeout: Duration, force: bool) -> Vec<StopResult> {
    let asked: Vec<_> = runs.iter().map(|run| (run, Stopping::begin(&run.path))).collect();
    let start = Instant::now();
    // A time that no clock can tell is a time that nobody waits for.
    let deadline = start.checked_add(timeout).unwrap_or_else(|| start + Duration::from_hours(24 * 365));
    let finish = |(run, stopping): (&RunInfo, Result<Stopping, StopRefused>)| {
        let stopping = match stopping {
            Ok(stopping) => stopping,
            Err(StopRefused::NotRunning) => {
                tell(&format!("Run {} is not running", run.id));
                return result(run, "not running");
            }
            Err(StopRefused::Elsewhere(place)) => {
                warn(&format!("run {} runs on {place}, and can be stopped there only", run.id));
                return result(run, "elsewhere");
            }
            Err(StopRefused::NotBegun) => {
                warn(&format!("trial {} has no process yet: stop it again, or its batch", run.id));
                return result(run, "refused");
            }
            Err(StopRefused::Failed(error)) => {
                warn(&format!("cannot stop run {}: {error}", run.id));
                return result(run, "refused");
            }
        };
        match stopping.finish(deadline, force) {
            StopEnd::Ended => result(run, "stopped"),
            StopEnd::Killed => result(run, "killed"),
            StopEnd::StillRunning => {
                let hint = if force { "" } else { "; --force kills it" };
                warn(&format!("run {} is still running after {} s{hint}", run.id, timeout.as_secs_f64()));
                result(run, "running")
            }
        }
    };
    asked.into_iter().map(finish).collect()
}
