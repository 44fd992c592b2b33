//! A program that takes over the terminal for a while, such as an editor, and is waited for.

use std::ffi::OsString;
use std::io;
use std::process::Command;

use crate::model::Exit;

/// Runs a command line with the streams of this process and returns how it ended.
pub(crate) fn run_in_foreground(words: &[OsString]) -> io::Result<Exit> {
    let (program, args) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let status = Command::new(program).args(args).status()?;
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    Ok(signal.map_or_else(|| Exit::Code(status.code().unwrap_or_default()), Exit::Signal))
}
