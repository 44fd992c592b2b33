//! `rille runs orphans`: processes that runs have left behind, should there be any.

use clap::Args;
use serde_json::json;

use super::chosen::{tell, warn};
use crate::cli::Failure;
use crate::cli::output::{one_line, table, terminal_width, write_json, write_out};
use crate::engine::{Orphan, orphans};
use crate::store::Home;

/// What becomes of the processes that are found.
#[derive(Args, Debug)]
pub(crate) struct OrphansArgs {
    /// Only those of these runs, by id or the beginning of it; without RUN those of all runs, whatever their home
    #[arg(value_name = "RUN")]
    runs: Vec<String>,
    /// Kill them
    #[arg(long)]
    kill: bool,
    /// Write them as JSON: a list of objects
    #[arg(long)]
    json: bool,
}

/// Lists or kills the processes; returns 1 if one that was to be killed is still there.
pub(crate) fn main(args: &OrphansArgs, home: &Home) -> Result<i32, Failure> {
    let mut found =
        orphans(&home.runs_dir()).map_err(|error| Failure::general(format!("cannot read /proc: {error}")))?;
    found.retain(|orphan| args.runs.is_empty() || args.runs.iter().any(|id| orphan.run.starts_with(id.as_str())));
    if args.json {
        write_json(&found.iter().map(as_json).collect::<Vec<_>>())?;
    } else if found.is_empty() {
        tell("No processes of runs that have ended.");
    } else {
        let head = ["RUN", "TASK", "PID", "COMMAND"].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(head).chain(found.iter().map(row)).collect();
        write_out(&(table(&rows, terminal_width()).join("\n") + "\n"))?;
    }
    if !args.kill {
        return Ok(0);
    }
    let mut left = 0;
    for orphan in &found {
        match orphan.kill() {
            Ok(true) => continue,
            Ok(false) => warn(&format!("process {} was killed and does not end: it waits for the kernel", orphan.pid)),
            Err(error) => warn(&format!("process {} cannot be killed: {error}", orphan.pid)),
        }
        left += 1;
    }
    if !args.json && !found.is_empty() {
        tell(&format!("Killed {} of {} process(es)", found.len() - left, found.len()));
    }
    Ok(i32::from(left > 0))
}

fn row(orphan: &Orphan) -> [String; 4] {
    let run = orphan.run.chars().take(8).collect();
    let task = orphan.task_id.clone().unwrap_or_else(|| orphan.task.to_string());
    [run, one_line(&task), orphan.pid.to_string(), one_line(&orphan.command.join(" "))]
}

fn as_json(orphan: &Orphan) -> serde_json::Value {
    let Orphan { pid, run, task, task_id, command, .. } = orphan;
    json!({ "run": run, "task": task, "task_id": task_id, "pid": pid, "command": command })
}
