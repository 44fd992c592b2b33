//! Programs that a command of rille uses for its user: an editor, a viewer, a program that compares files, git.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Output};

use rustix::process::{Pid, Signal, kill_process};

/// Runs a program on the terminal of this process, and waits for its end.
pub(crate) fn run_in_foreground(words: &[OsString], folder: Option<&Path>) -> io::Result<ExitStatus> {
    command(words, folder)?.status()
}

/// Puts a program in the place of this process. Returns only if that fails, and why.
pub(crate) fn become_program(words: &[OsString], folder: Option<&Path>) -> io::Error {
    match command(words, folder) {
        Ok(mut command) => command.exec(),
        Err(error) => error,
    }
}

/// Runs a command of the shell as a part of this process's group, and waits for its end. `asked` returns the signal that
/// asks this process to end, if one has come: where it came while the program was on its way, and perhaps missed it, the
/// program gets it as well.
pub(crate) fn run_shell(command: &OsStr, asked: &dyn Fn() -> Option<i32>) -> io::Result<ExitStatus> {
    let mut child = Command::new("/bin/sh").arg("-c").arg(command).spawn()?;
    if let Some(signal) = asked()
        && let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw)
        && let Some(signal) = Signal::from_named_raw(signal)
    {
        // It has not been waited for, so the number is its own.
        let _ = kill_process(pid, signal);
    }
    child.wait()
}

/// Runs a program to its end without a terminal, and returns what it wrote.
pub(crate) fn output_of(words: &[OsString], folder: &Path) -> io::Result<Output> {
    command(words, Some(folder))?.output()
}

fn command(words: &[OsString], folder: Option<&Path>) -> io::Result<Command> {
    let (program, arguments) = words.split_first().ok_or_else(|| io::Error::other("no program is named"))?;
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    Ok(command)
}
