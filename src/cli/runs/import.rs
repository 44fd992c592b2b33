//! `rille runs import`: brings runs from a folder or a zip file.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::act::each;
use super::chosen::tell;
use super::export::is_zip;
use super::selection::Unnamed;
use super::transfer::{TransferArgs, exists, without_running};
use crate::cli::Failure;
use crate::model::parse_size;
use crate::store::{self, Home, ImportLimits, RunInfo, ZipImport};

/// Which runs are imported, and where from. Without RUN all that the filter leaves in.
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// The folder or the .zip file with the runs, as `rille runs export` and Guild make them
    #[arg(value_name = "SOURCE")]
    source: PathBuf,
    /// Take a .zip file whose content has up to so many bytes, as in 10G [default: 2G, or 20 times the size of the file]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_bytes: Option<u64>,
    /// Take a .zip file with up to so many files and folders [default: 100000]
    #[arg(long, value_name = "N")]
    max_entries: Option<u64>,
    #[command(flatten)]
    how: TransferArgs,
}

fn size(text: &str) -> Result<u64, String> {
    parse_size(text).ok_or_else(|| "SIZE is a whole number, with K, M, G or T behind it if you like".to_owned())
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
    let runs = without_running(args.how.chosen.select(&from, Unnamed::All)?);
    if !goes_on(args, &runs)? {
        return Ok(i32::from(!runs.is_empty()));
    }
    let to = home.runs_dir();
    let (imported, all) = each(&runs, |run| args.how.bring(run, &to, true, None))?;
    finish(args, &imported, all)
}

fn from_zip(args: &ImportArgs, home: &Home, source: &Path) -> Result<i32, Failure> {
    if args.how.moves {
        return Err(
            Failure::usage("runs cannot be moved out of a zip file").hint("leave -m out, and remove the file then.")
        );
    }
    let limits = ImportLimits::default();
    let limits = ImportLimits {
        bytes: args.max_bytes.unwrap_or(limits.bytes),
        entries: args.max_entries.unwrap_or(limits.entries),
    };
    let mut zip = ZipImport::open(source, limits)?;
    let outline = zip.outline()?;
    let runs = args.how.chosen.select(&home.with_runs_in(outline.path().to_owned()), Unnamed::All)?;
    if !goes_on(args, &runs)? {
        return Ok(i32::from(!runs.is_empty()));
    }
    let to = home.runs_dir();
    let (imported, all) = each(&runs, |run| {
        let path = to.join(&run.id);
        Ok(if zip.bring(&run.id, &to)? { args.how.brought(run, &path, &[]) } else { exists(run, &path) })
    })?;
    finish(args, &imported, all)
}

fn goes_on(args: &ImportArgs, runs: &[RunInfo]) -> Result<bool, Failure> {
    if runs.is_empty() {
        tell("Nothing to import.");
        return Ok(false);
    }
    args.how.ask(runs, &format!("from '{}'", args.source.display()))
}

fn finish(args: &ImportArgs, imported: &[Value], all: bool) -> Result<i32, Failure> {
    args.how.finish("Imported", &format!("from {}", args.source.display()), imported, all)
}
