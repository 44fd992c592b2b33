//! `rille runs open`: opens a run or a file of it in another program, or a shell in its directory.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::cat::{OUTPUT, located, missing};
use super::chosen::ChosenOne;
use crate::cli::{Failure, editor};
use crate::engine;
use crate::model::clean_path;
use crate::store::{self, Home};

/// What of which run is opened, and by what.
#[derive(Args, Debug)]
pub(crate) struct OpenArgs {
    /// The file or folder, relative to the run directory
    #[arg(short, long, value_name = "PATH")]
    path: Option<PathBuf>,
    /// Open the folder of the source code, or PATH in it
    #[arg(short, long)]
    sourcecode: bool,
    /// Open what the operation wrote to standard output and error
    #[arg(short = 'O', long, conflicts_with_all = ["path", "sourcecode", "shell", "shell_cmd"])]
    output: bool,
    /// Open it by this command, to which its path is added [default: xdg-open, or $EDITOR for a file]
    #[arg(short, long, value_name = "CMD")]
    cmd: Option<String>,
    /// Start a shell in the folder instead
    #[arg(long, conflicts_with = "cmd")]
    shell: bool,
    /// Start this shell in the folder instead
    #[arg(long, value_name = "CMD", conflicts_with = "cmd")]
    shell_cmd: Option<String>,
    #[command(flatten)]
    chosen: ChosenOne,
}

/// Opens it: the program takes the place of this process.
pub(crate) fn main(args: &OpenArgs, home: &Home) -> Result<i32, Failure> {
    let run = args.chosen.find(home)?;
    let relative = match (&args.path, args.output) {
        (_, true) => PathBuf::from(OUTPUT),
        (path, _) => located(&run.path, path.as_deref().unwrap_or(&PathBuf::new()), args.sourcecode),
    };
    let path = run.path.join(&relative);
    let metadata = std::fs::metadata(&path);
    let metadata = metadata.map_err(|error| missing(&run.path, &relative, &store::Error::io("open", &path)(error)))?;
    if clean_path(&relative).is_none() {
        return Err(Failure::usage(format!("{} is not below the run directory", relative.display())));
    }
    if args.shell || args.shell_cmd.is_some() {
        if !metadata.is_dir() {
            return Err(Failure::usage(format!("{} is no folder, which a shell needs", path.display())));
        }
        let shell = std::env::var("SHELL").ok().filter(|shell| !shell.is_empty());
        let words = match &args.shell_cmd {
            Some(command) => words_of(command)?,
            None => vec![shell.unwrap_or_else(|| "/bin/sh".to_owned()).into()],
        };
        return Err(not_started(&words, &engine::become_program(&words, Some(&path))));
    }
    let mut words = match &args.cmd {
        Some(command) => words_of(command)?,
        None => match editor::named().filter(|_| metadata.is_file()) {
            Some(command) => words_of(&command)?,
            None => vec!["xdg-open".into()],
        },
    };
    words.push(path.into_os_string());
    Err(not_started(&words, &engine::become_program(&words, None)))
}

fn not_started(words: &[OsString], error: &std::io::Error) -> Failure {
    let program = words[0].to_string_lossy();
    Failure::general(format!("cannot start '{program}': {error}")).hint("name another program with --cmd.")
}

/// Returns the words of a command line; there is at least one.
pub(super) fn words_of(command: &str) -> Result<Vec<OsString>, Failure> {
    let words = shlex::split(command).unwrap_or_default();
    if words.is_empty() {
        return Err(Failure::usage(format!("'{command}' is no command line")));
    }
    Ok(words.into_iter().map(OsString::from).collect())
}
