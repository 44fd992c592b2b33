//! `rille runs import`: brings runs from a folder or a zip file.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::chosen::{Chosen, Question, Weight, each, tell, warn};
use super::export::is_zip;
use super::selection::Unnamed;
use crate::cli::Failure;
use crate::cli::output::write_json;
use crate::store::{self, Home, RunInfo, Status, Transfer, ZipImport};

/// Which runs are imported, and where from. Without RUN all that the filter leaves in.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are the options that there are")]
pub(crate) struct ImportArgs {
    /// The folder or the .zip file with the runs, as `rille runs export` and Guild make them
    #[arg(value_name = "SOURCE")]
    source: PathBuf,
    /// Move the runs instead of copying them; not out of a zip file
    #[arg(short, long = "move")]
    moves: bool,
    /// Copy what links lead to instead of the links
    #[arg(long)]
    copy_resources: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Write what was imported as JSON: a list of objects
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    chosen: Chosen,
}

/// Imports the runs.
pub(crate) fn main(args: &ImportArgs, home: &Home) -> Result<i32, Failure> {
    let source = std::path::absolute(&args.source).map_err(store::Error::io("find", &args.source))?;
    if !source.exists() {
        let failure = Failure::usage(format!("archive '{}' does not exist", args.source.display()));
        return Err(match crate::cli::near::near_file(&args.source) {
            Some(near) => failure.hint(format!("did you mean {near}?")),
            None => failure,
        });
    }
    if is_zip(&source) {
        return from_zip(args, home, &source);
    }
    if !source.is_dir() {
        return Err(Failure::usage(format!("'{}' is neither a folder nor a .zip file", args.source.display())));
    }
    let mut from = home.with_runs_in(source.clone());
    // A home has its runs one folder below.
    if from.ids()?.is_empty() && source.join("runs").is_dir() {
        from = home.with_runs_in(source.join("runs"));
    }
    let mut runs = args.chosen.select(&from, Unnamed::All)?;
    runs.retain(|run| {
        let is_running = run.status == Status::Running;
        if is_running {
            warn(&format!("run {} is running, skipping", run.id));
        }
        !is_running
    });
    if !goes_on(args, &runs)? {
        return Ok(i32::from(!runs.is_empty()));
    }
    let how = Transfer { is_move: args.moves, copy_links: args.copy_resources };
    let to = home.runs_dir();
    let (imported, all) = each(&runs, |run| {
        let Some(notes) = store::bring(&run.path, &to, &run.id, how)? else {
            return Ok(exists(home, run));
        };
        for note in &notes {
            warn(&format!("{}: {note}", run.id));
        }
        tell(&format!("{} {}", if args.moves { "Moving" } else { "Copying" }, run.id));
        let result = if args.moves { "moved" } else { "copied" };
        Ok(json!({"id": run.id, "path": to.join(&run.id), "result": result}))
    })?;
    finish(args, &imported, all)
}

fn from_zip(args: &ImportArgs, home: &Home, source: &std::path::Path) -> Result<i32, Failure> {
    if args.moves {
        return Err(
            Failure::usage("runs cannot be moved out of a zip file").hint("leave -m out, and remove the file then.")
        );
    }
    let mut zip = ZipImport::open(source)?;
    let outline = zip.outline()?;
    let runs = args.chosen.select(&home.with_runs_in(outline.path().to_owned()), Unnamed::All)?;
    if !goes_on(args, &runs)? {
        return Ok(i32::from(!runs.is_empty()));
    }
    let to = home.runs_dir();
    let (imported, all) = each(&runs, |run| {
        if !zip.bring(&run.id, &to)? {
            return Ok(exists(home, run));
        }
        tell(&format!("Copying {}", run.id));
        Ok(json!({"id": run.id, "path": to.join(&run.id), "result": "copied"}))
    })?;
    finish(args, &imported, all)
}

fn goes_on(args: &ImportArgs, runs: &[RunInfo]) -> Result<bool, Failure> {
    if runs.is_empty() {
        tell("Nothing to import.");
        return Ok(false);
    }
    let verb = if args.moves { "move" } else { "copy" };
    let text = format!("You are about to {verb} the following runs from '{}'", args.source.display());
    let weight = if args.moves { Weight::Heavy } else { Weight::Light };
    Question { text: &text, runs, weight, doing: "moving runs" }.ask(args.yes)
}

fn exists(home: &Home, run: &RunInfo) -> Value {
    warn(&format!("{} exists, skipping", run.id));
    json!({"id": run.id, "path": home.runs_dir().join(&run.id), "result": "exists"})
}

fn finish(args: &ImportArgs, imported: &[Value], all: bool) -> Result<i32, Failure> {
    if args.json {
        write_json(&imported)?;
    } else {
        let count = imported.iter().filter(|entry| entry["result"] != "exists").count();
        tell(&format!("Imported {count} run(s) from {}", args.source.display()));
    }
    Ok(i32::from(!all))
}
