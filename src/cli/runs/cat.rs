//! `rille runs cat`: writes a file of a run to standard output.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::chosen::one;
use super::selection::RunFilter;
use crate::cli::Failure;
use crate::engine;
use crate::model::nearest;
use crate::store::{self, Home, Walk};

/// Which file of which run is written.
#[derive(Args, Debug)]
pub(crate) struct CatArgs {
    /// The file, relative to the run directory
    #[arg(short, long, value_name = "PATH")]
    path: Option<PathBuf>,
    /// PATH is relative to the folder of the source code
    #[arg(short, long)]
    sourcecode: bool,
    /// Write what the operation wrote to standard output and error
    #[arg(short = 'O', long, conflicts_with_all = ["path", "sourcecode"])]
    output: bool,
    /// On a terminal, show it by $PAGER [default: less; Guild: -pa]
    #[arg(long)]
    page: bool,
    /// The run, its id or the beginning of it, its number in the list, `latest`, or a path; and the file, where --path does
    /// not name it
    #[arg(value_name = "[RUN] FILE", num_args = 0..=2)]
    words: Vec<String>,
    #[command(flatten)]
    filter: RunFilter,
}

/// The file with what an operation wrote.
pub(super) const OUTPUT: &str = ".guild/output";

/// Writes the file.
pub(crate) fn main(args: &CatArgs, home: &Home) -> Result<i32, Failure> {
    let is_named = args.path.is_some() || args.output;
    let (run, file) = match (&args.words[..], is_named) {
        ([], true) => ("latest", None),
        ([run], true) => (run.as_str(), None),
        ([_, file, ..], true) => {
            return Err(Failure::usage(format!("'{file}' is one file too many: --path or --output names another")));
        }
        ([], false) => {
            return Err(Failure::usage("-p / --path is required unless --output is specified")
                .hint("or write 'rille runs cat [RUN] FILE'."));
        }
        // One word alone is a file of the latest run, unless it is a run whose file is missing.
        ([word], false) => {
            let latest = one(home, "latest", &args.filter)?;
            if !latest.path.join(word).exists() && one(home, word, &args.filter).is_ok() {
                return Err(Failure::usage("-p / --path is required unless --output is specified"));
            }
            ("latest", Some(Path::new(word)))
        }
        ([run, file, ..], false) => (run.as_str(), Some(Path::new(file))),
    };
    let run = one(home, run, &args.filter)?;
    let relative = match (args.path.as_deref().or(file), args.output) {
        (Some(path), false) => located(&run.path, path, args.sourcecode),
        _ => PathBuf::from(OUTPUT),
    };
    let mut file = store::open_file(&run.path, &relative).map_err(|error| missing(&run.path, &relative, &error))?;
    if args.page && io::stdout().is_terminal() {
        return Err(paged(&file));
    }
    let mut out = io::stdout().lock();
    match io::copy(&mut file, &mut out).and_then(|_| out.flush()) {
        // A reader that has gone has seen what it wanted.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::general(format!("cannot copy {} to standard output: {error}", relative.display())))
        }
        _ => Ok(0),
    }
}

/// Lets the user's pager take the place of this process. Returns why that failed.
fn paged(file: &File) -> Failure {
    let named = std::env::var_os("PAGER").filter(|pager| !pager.is_empty());
    // The variable is a command line. Not every pager takes names, but all read their standard input.
    let words = ["sh".into(), "-c".into(), named.unwrap_or_else(|| "less".into())];
    let error =
        rustix::stdio::dup2_stdin(file).err().map_or_else(|| engine::become_program(&words, None), io::Error::from);
    Failure::general(format!("cannot start the pager: {error}")).hint("set PAGER, or leave --page out.")
}

/// Returns the path, relative to the run directory, of a file that the user names.
pub(super) fn located(run: &Path, path: &Path, is_sourcecode: bool) -> PathBuf {
    if is_sourcecode { store::sourcecode_folder(run).join(path) } else { path.to_owned() }
}

/// Returns the failure to open a file of a run, with the name that may have been meant.
pub(super) fn missing(run: &Path, relative: &Path, error: &store::Error) -> Failure {
    let is_missing = matches!(error, store::Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound);
    let message = match is_missing {
        true => format!("{} does not exist", run.join(relative).display()),
        false => error.to_string(),
    };
    let failure = Failure::usage(message);
    if !is_missing {
        return failure;
    }
    if relative == Path::new(OUTPUT) {
        return failure.hint("the output of a job is in the files of its tasks; 'rille logs' shows its log.");
    }
    let files = store::files(run, Walk::default()).unwrap_or_default();
    let names: Vec<String> = files.iter().map(|file| file.path.to_string_lossy().into_owned()).collect();
    match nearest(&relative.to_string_lossy(), names.iter().map(String::as_str)) {
        Some(near) => failure.hint(format!("did you mean '{near}'?")),
        None => failure.hint("'rille runs ls' lists the files of a run."),
    }
}
