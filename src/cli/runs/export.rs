//! `rille runs export`: copies or moves runs to a folder or a zip file, where Guild and `rille runs import` find them.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::chosen::{Chosen, Question, Weight, each, tell, warn};
use super::selection::Unnamed;
use crate::cli::Failure;
use crate::cli::output::write_json;
use crate::store::{self, Home, RunInfo, Status, Transfer, ZipExport};

/// The file by which Guild knows a folder that is not source code.
const NOCOPY: &str = ".guild-nocopy";

/// Which runs are exported, and where to. Without RUN all that the filter leaves in.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are the options that there are")]
pub(crate) struct ExportArgs {
    /// The folder, or the file if its name ends in .zip
    #[arg(value_name = "DEST")]
    dest: PathBuf,
    /// Move the runs instead of copying them
    #[arg(short, long = "move")]
    moves: bool,
    /// Copy what links lead to instead of the links
    #[arg(short = 'r', long)]
    copy_resources: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Write what was exported as JSON: a list of objects
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    chosen: Chosen,
}

/// Exports the runs.
pub(crate) fn main(args: &ExportArgs, home: &Home) -> Result<i32, Failure> {
    let mut runs = args.chosen.select(home, Unnamed::All)?;
    let dest = std::path::absolute(&args.dest).map_err(store::Error::io("find", &args.dest))?;
    check(&dest, &runs)?;
    runs.retain(|run| {
        let is_running = run.status == Status::Running;
        if is_running {
            warn(&format!("run {} is running, skipping", run.id));
        }
        !is_running
    });
    if runs.is_empty() {
        tell("Nothing to export.");
        return Ok(0);
    }
    let verb = if args.moves { "move" } else { "copy" };
    let text = format!("You are about to {verb} the following runs to '{}'", args.dest.display());
    let weight = if args.moves { Weight::Heavy } else { Weight::Light };
    let question = Question { text: &text, runs: &runs, weight, doing: "moving runs" };
    if !question.ask(args.yes)? {
        return Ok(1);
    }
    let (exported, all) =
        if is_zip(&dest) { to_zip(args, home, &dest, &runs)? } else { to_folder(args, &dest, &runs)? };
    if args.json {
        write_json(&exported)?;
    } else {
        let count = exported.iter().filter(|entry| entry["result"] != "exists").count();
        tell(&format!("Exported {count} run(s) to {}", args.dest.display()));
    }
    Ok(i32::from(!all))
}

/// Returns whether runs are to be in a zip file by this name.
pub(super) fn is_zip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip")) && !path.is_dir()
}

fn check(dest: &Path, runs: &[RunInfo]) -> Result<(), Failure> {
    // Of a place that does not exist yet, the part that does tells where it is.
    let there = dest.ancestors().find_map(|folder| folder.canonicalize().ok()).unwrap_or_else(|| dest.to_owned());
    let is_in = |run: &&RunInfo| run.path.canonicalize().is_ok_and(|path| there.starts_with(path));
    match runs.iter().find(is_in) {
        Some(run) => Err(Failure::usage(format!("{} is in run {}, which is to be exported", dest.display(), run.id))),
        None if dest.exists() && !dest.is_dir() && !is_zip(dest) => {
            Err(Failure::usage(format!("{} is a file, and neither a folder nor a .zip", dest.display())))
        }
        None => Ok(()),
    }
}

fn to_folder(args: &ExportArgs, dest: &Path, runs: &[RunInfo]) -> Result<(Vec<Value>, bool), Failure> {
    fs::create_dir_all(dest).map_err(store::Error::io("create", dest))?;
    let marker = dest.join(NOCOPY);
    fs::File::options().create(true).append(true).open(&marker).map_err(store::Error::io("write", &marker))?;
    let how = Transfer { is_move: args.moves, copy_links: args.copy_resources };
    each(runs, |run| {
        let path = dest.join(&run.id);
        let Some(notes) = store::bring(&run.path, dest, &run.id, how)? else {
            warn(&format!("{} exists, skipping", path.display()));
            return Ok(json!({"id": run.id, "path": path, "result": "exists"}));
        };
        for note in &notes {
            warn(&format!("{}: {note}", run.id));
        }
        tell(&format!("{} {}", if args.moves { "Moving" } else { "Copying" }, run.id));
        Ok(json!({"id": run.id, "path": path, "result": if args.moves { "moved" } else { "copied" }}))
    })
}

fn to_zip(args: &ExportArgs, home: &Home, dest: &Path, runs: &[RunInfo]) -> Result<(Vec<Value>, bool), Failure> {
    let mut zip = ZipExport::begin(dest, args.copy_resources)?;
    let (mut exported, mut written) = (Vec::new(), Vec::new());
    for run in runs {
        let Some(notes) = zip.add(&run.path, &run.id)? else {
            warn(&format!("{} exists, skipping", run.id));
            exported.push(json!({"id": run.id, "path": dest, "result": "exists"}));
            continue;
        };
        for note in &notes {
            warn(&format!("{}: {note}", run.id));
        }
        tell(&format!("{} {}", if args.moves { "Moving" } else { "Copying" }, run.id));
        exported.push(json!({"id": run.id, "path": dest, "result": if args.moves { "moved" } else { "copied" }}));
        written.push(run.clone());
    }
    zip.finish()?;
    if !args.moves || written.is_empty() {
        return Ok((exported, true));
    }
    // Only now are they elsewhere.
    let (_, all) = each(&written, |run| Ok(store::remove(home, &run.path, true)?))?;
    Ok((exported, all))
}
