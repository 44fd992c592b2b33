//! `rille runs repair`: writes again what is damaged of runs, by what their event logs say.

use clap::Args;
use serde_json::json;

use super::act::{Question, Weight, each};
use super::chosen::{Chosen, tell, warn};
use super::selection::Unnamed;
use crate::cli::Failure;
use crate::cli::output::write_json;
use crate::model::exit_code;
use crate::store::{self, Home, Status};

/// Which runs are repaired. Without RUN all that are corrupt.
#[derive(Args, Debug)]
pub(crate) struct RepairArgs {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Write what was done as JSON: a list of objects
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    chosen: Chosen,
}

/// Repairs the runs; returns 1 if something is still damaged.
pub(crate) fn main(args: &RepairArgs, home: &Home) -> Result<i32, Failure> {
    let mut runs = args.chosen.select(home, Unnamed::All)?;
    if args.chosen.runs.is_empty() {
        runs.retain(|run| run.status == Status::Corrupt);
    }
    if runs.is_empty() {
        tell("Nothing to repair.");
        return Ok(0);
    }
    let text = "You are about to repair the following runs";
    let question = Question { text, runs: &runs, weight: Weight::Light, doing: "repairing runs" };
    if !question.ask(args.yes)? {
        return Ok(exit_code::FAILED);
    }
    let (repaired, all) = each(&runs, |run| {
        let done = store::repair(&run.path)?;
        if !args.json {
            tell_of(&run.id, &done);
        }
        Ok((run.id.clone(), done))
    })?;
    let is_damaged = repaired.iter().any(|(_, done)| done.damage.is_some());
    if args.json {
        let lines: Vec<_> = repaired
            .iter()
            .map(|(id, done)| json!({"id": id, "written": done.written, "aside": done.aside, "damage": done.damage}))
            .collect();
        write_json(&lines)?;
    }
    Ok(i32::from(!all || is_damaged))
}

fn tell_of(id: &str, done: &store::Repaired) {
    let list = |what: &str, names: &[String]| match names {
        [] => String::new(),
        names => format!("; {what} {}", names.join(", ")),
    };
    let done_to_it = list("wrote", &done.written) + &list("put aside", &done.aside);
    match &done.damage {
        None if done_to_it.is_empty() => tell(&format!("{id}: nothing to repair")),
        None => tell(&format!("{id}: repaired{done_to_it}")),
        Some(damage) => warn(&format!("{id}: still damaged: {damage}{done_to_it}")),
    }
}
