//! What `rille runs export` and `rille runs import` have in common.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::act::{Question, Weight};
use super::chosen::{Chosen, tell, warn};
use crate::cli::Failure;
use crate::cli::output::write_json;
use crate::store::{self, RunInfo, Secrets, Status};

/// Which runs are brought elsewhere, and how.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are the options that there are")]
pub(super) struct TransferArgs {
    /// Move the runs instead of copying them; not out of a zip file
    #[arg(short, long = "move")]
    pub(super) moves: bool,
    /// Copy what links lead to instead of the links
    #[arg(short = 'r', long)]
    pub(super) copy_resources: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Write what was done as JSON: a list of objects
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) chosen: Chosen,
}

impl TransferArgs {
    /// Returns whether it is to be done, which is asked of the user. `place` is `to '…'` or `from '…'`.
    pub(super) fn ask(&self, runs: &[RunInfo], place: &str) -> Result<bool, Failure> {
        let verb = if self.moves { "move" } else { "copy" };
        let text = format!("You are about to {verb} the following runs {place}");
        let weight = if self.moves { Weight::Heavy } else { Weight::Light };
        Question { text: &text, runs, weight, doing: "moving runs" }.ask(self.yes)
    }

    /// Brings a run into a folder of runs, perhaps one that comes from elsewhere. Returns what is told of it as JSON.
    /// Of what is only read, these secrets are masked.
    pub(super) fn bring(
        &self,
        run: &RunInfo,
        folder: &Path,
        is_strange: bool,
        secrets: Option<&Secrets>,
    ) -> Result<Value, Failure> {
        let how = store::Transfer { is_move: self.moves, copy_links: self.copy_resources, is_strange, secrets };
        let path = folder.join(&run.id);
        match store::bring(&run.path, folder, &run.id, how)? {
            Some(notes) => Ok(self.brought(run, &path, &notes)),
            None => Ok(exists(run, &path)),
        }
    }

    /// Tells that a run was brought to `path`.
    pub(super) fn brought(&self, run: &RunInfo, path: &Path, notes: &[String]) -> Value {
        for note in notes {
            warn(&format!("{}: {note}", run.id));
        }
        let (doing, done) = if self.moves { ("Moving", "moved") } else { ("Copying", "copied") };
        tell(&format!("{doing} {}", run.id));
        json!({"id": run.id, "path": path, "result": done})
    }

    /// Tells what was done, and returns the exit code. `what` begins the sentence whose end is `place`.
    pub(super) fn finish(&self, what: &str, place: &str, results: &[Value], all: bool) -> Result<i32, Failure> {
        if self.json {
            write_json(&results)?;
        } else {
            let count = results.iter().filter(|entry| entry["result"] != "exists").count();
            tell(&format!("{what} {count} run(s) {place}"));
        }
        Ok(i32::from(!all))
    }
}

/// Tells that a run is there already.
pub(super) fn exists(run: &RunInfo, path: &Path) -> Value {
    warn(&format!("{} exists, skipping", run.id));
    json!({"id": run.id, "path": path, "result": "exists"})
}

/// Leaves out the runs that are running, and says so.
pub(super) fn without_running(mut runs: Vec<RunInfo>) -> Vec<RunInfo> {
    runs.retain(|run| {
        let is_running = run.status == Status::Running;
        if is_running {
            warn(&format!("run {} is running, skipping", run.id));
        }
        !is_running
    });
    runs
}
