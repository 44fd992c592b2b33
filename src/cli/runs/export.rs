//! `rille runs export`: copies or moves runs to a folder or a zip file, where Guild and `rille runs import` find them.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::act::each;
use super::chosen::tell;
use super::selection::Unnamed;
use super::transfer::{TransferArgs, exists, without_running};
use crate::cli::{Failure, present_secrets};
use crate::model::exit_code;
use crate::store::{self, Home, RunInfo, Secrets, ZipExport};

/// The file by which Guild knows a folder that is not source code.
const NOCOPY: &str = ".guild-nocopy";

/// Which runs are exported, and where to. Without RUN all that the filter leaves in.
#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// The folder, or the file if its name ends in .zip
    #[arg(value_name = "DEST")]
    dest: PathBuf,
    /// Leave the values of secret environment variables as they are in what is only read of a run
    #[arg(long)]
    keep_secrets: bool,
    #[command(flatten)]
    how: TransferArgs,
}

/// Exports the runs.
pub(crate) fn main(args: &ExportArgs, home: &Home) -> Result<i32, Failure> {
    let runs = args.how.chosen.select(home, Unnamed::All)?;
    let dest = std::path::absolute(&args.dest).map_err(store::Error::io("find", &args.dest))?;
    check(&dest, &runs)?;
    let runs = without_running(runs);
    if runs.is_empty() {
        tell("Nothing to export.");
        return Ok(0);
    }
    if !args.how.ask(&runs, &format!("to '{}'", args.dest.display()))? {
        return Ok(exit_code::FAILED);
    }
    let (secrets, keeps) = present_secrets(args.keep_secrets)?;
    let secrets = Some(&secrets).filter(|_| !keeps);
    let (exported, all) = match is_zip(&dest) {
        true => to_zip(&args.how, home, &dest, &runs, secrets)?,
        false => to_folder(&args.how, &dest, &runs, secrets)?,
    };
    args.how.finish("Exported", &format!("to {}", args.dest.display()), &exported, all)
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

fn to_folder(
    how: &TransferArgs,
    dest: &Path,
    runs: &[RunInfo],
    secrets: Option<&Secrets>,
) -> Result<(Vec<Value>, bool), Failure> {
    fs::create_dir_all(dest).map_err(store::Error::io("create", dest))?;
    let marker = dest.join(NOCOPY);
    fs::File::options().create(true).append(true).open(&marker).map_err(store::Error::io("write", &marker))?;
    each(runs, |run| how.bring(run, dest, false, secrets))
}

fn to_zip(
    how: &TransferArgs,
    home: &Home,
    dest: &Path,
    runs: &[RunInfo],
    secrets: Option<&Secrets>,
) -> Result<(Vec<Value>, bool), Failure> {
    let mut zip = ZipExport::begin(dest, how.copy_resources)?.masked_by(secrets);
    let (mut exported, mut written) = (Vec::new(), Vec::new());
    for run in runs {
        exported.push(match zip.add(&run.path, &run.id)? {
            Some(notes) => {
                written.push(run.clone());
                how.brought(run, dest, &notes)
            }
            None => exists(run, dest),
        });
    }
    zip.finish()?;
    if !how.moves || written.is_empty() {
        return Ok((exported, true));
    }
    // Only now are they elsewhere.
    let (_, all) = each(&written, |run| Ok(store::remove(home, &run.path, true)?))?;
    Ok((exported, all))
}
