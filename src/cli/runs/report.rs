//! `rille runs report`: writes the reports of a run again, from its event log. It need not have come to its end.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::{Failure, FailureKind, present_masks};
use crate::job::ReportForm;
use crate::report::Summary;
use crate::store::{self, Home, Status};

/// Of which run which reports are written, and where.
#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// The run: its id, the beginning of it, `latest`, or the path of its directory
    #[arg(value_name = "RUN")]
    id: String,
    /// Write a page for a browser that needs no network; - for standard output
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write JUnit XML for a CI server
    #[arg(long, value_name = "FILE", visible_alias = "xunit")]
    junit: Option<PathBuf>,
    /// Write TAP 14
    #[arg(long, value_name = "FILE")]
    tap: Option<PathBuf>,
    /// Write what results.json holds
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Writes the reports.
pub(crate) fn main(args: &ReportArgs, home: &Home) -> Result<i32, Failure> {
    let wanted = [
        (ReportForm::Json, &args.json),
        (ReportForm::Junit, &args.junit),
        (ReportForm::Tap, &args.tap),
        (ReportForm::Html, &args.html),
    ];
    if wanted.iter().all(|(_, path)| path.is_none()) {
        let hint = "give a FILE to --html, --junit, --tap or --json, or - for standard output.";
        return Err(Failure::usage("no report is named").hint(hint));
    }
    let directory = home.find(&args.id)?;
    let mut summary = Summary::default();
    let masks = present_masks()?;
    for event in store::read(&directory.join(".guild").join("events.jsonl"))? {
        let mut event = event?;
        event.kind.mask(&masks);
        summary.apply(&event);
    }
    let still_running = store::summarise(&directory).status == Status::Running;
    let read = |path: &str, begin: u64, size: u64| {
        let (part, length) = store::read_part(&directory, path, begin, size)?;
        Some((masks.mask(&part).into_owned(), length))
    };
    for (form, path) in wanted.into_iter().filter_map(|(form, path)| Some((form, path.as_ref()?))) {
        // Nobody knows where that will be read which goes to standard output: it is the file of the run directory.
        let copy = Some(path.as_path()).filter(|path| *path != Path::new("-"));
        let write = |to: &mut dyn Write| form.write(&summary, &directory, still_running, copy, &read, to);
        write_to(path, write)?;
    }
    Ok(0)
}

/// Writes a report to a file as a whole or not at all; to standard output or a device as it comes.
fn write_to(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    if path == Path::new("-") {
        return match write(&mut io::stdout().lock()) {
            // A reader that has gone has seen what it wanted.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::general(format!("cannot write to standard output: {error}")))
            }
            _ => Ok(()),
        };
    }
    let written = match fs::metadata(path) {
        Ok(there) if !there.is_file() => File::create(path).and_then(|mut file| write(&mut file)),
        _ => replace(path, write),
    };
    written.map_err(|error| {
        let message = format!("cannot write {}: {error}", path.display());
        Failure { kind: FailureKind::General, message, hints: Vec::new() }
    })
}

fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Readable as any other file that a program makes.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    let mut file = tempfile::Builder::new().prefix(".rille-").permissions(mode).tempfile_in(folder)?;
    write(file.as_file_mut())?;
    file.persist(path).map(drop).map_err(|error| error.error)
}
