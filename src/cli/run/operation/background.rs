//! `--background`: the run goes on in a process without a terminal, and who started it learns that it has started.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, setsid, waitpid};

use crate::cli::Failure;

/// The byte by which the background says that the operation has started. Nothing that is said to a user holds it.
const STARTED: u8 = 0;

/// Which side of the fork this is.
pub(super) enum Side {
    /// The process that the user started. Its work is done, with this exit code.
    User(i32),
    /// The one in the background.
    Background(Background),
}

/// The process in the background.
pub(super) struct Background {
    pidfile: Option<PathBuf>,
}

/// Parts this process, which must have no other thread. The user's side returns when the operation has started, after
/// saying `started`, or when the background has ended before that.
pub(super) fn part(pidfile: Option<&Path>, started: &str) -> Result<Side, Failure> {
    let failed = |error: io::Error| Failure::general(format!("cannot go into the background: {error}"));
    let (report, background_end) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| failed(error.into()))?;
    // Told now, while there is somebody to tell.
    let pidfile = pidfile.map(claim).transpose()?;
    // SAFETY: the process has one thread, so the child finds no lock held by a thread that it does not have.
    match unsafe { libc::fork() } {
        -1 => Err(failed(io::Error::last_os_error())),
        0 => {
            drop(report);
            detach(background_end).map_err(failed)?;
            let background = Background { pidfile };
            background.write_pid()?;
            Ok(Side::Background(background))
        }
        pid => {
            drop(background_end);
            Ok(Side::User(wait_for_start(File::from(report), pid, started)))
        }
    }
}

/// Makes sure that the file can be written, and returns its absolute path.
fn claim(path: &Path) -> Result<PathBuf, Failure> {
    let failed = |error: io::Error| Failure::usage(format!("cannot write the pidfile '{}': {error}", path.display()));
    let path = std::path::absolute(path).map_err(failed)?;
    File::create(&path).map_err(failed)?;
    Ok(path)
}

/// Leaves the terminal. What is said goes to the user's side as long as it listens.
fn detach(report: OwnedFd) -> io::Result<()> {
    setsid()?;
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    rustix::stdio::dup2_stderr(report)?;
    Ok(())
}

impl Background {
    fn write_pid(&self) -> Result<(), Failure> {
        let Some(path) = &self.pidfile else { return Ok(()) };
        fs::write(path, format!("{}\n", std::process::id()))
            .map_err(|error| Failure::general(format!("cannot write the pidfile '{}': {error}", path.display())))
    }

    /// Takes the pidfile away: the run has ended.
    pub(super) fn end(&self) {
        if let Some(path) = &self.pidfile {
            // Somebody may have removed it already.
            let _ = fs::remove_file(path);
        }
    }
}

/// Tells the user's side that the operation has started. Called in the background.
pub(super) fn say_started() {
    // Who does not listen any more needs no word.
    let _ = io::stderr().write_all(&[STARTED]);
    if let Ok(nothing) = File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stderr(&nothing);
    }
}

/// Shows what the background says until the operation has started; returns the exit code.
fn wait_for_start(mut report: File, pid: i32, started: &str) -> i32 {
    let mut buffer = [0; 4096];
    loop {
        let count = match report.read(&mut buffer) {
            Ok(0) => return exit_code(pid),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return exit_code(pid),
        };
        let said = &buffer[..count];
        let end = said.iter().position(|byte| *byte == STARTED);
        let _ = io::stderr().write_all(&said[..end.unwrap_or(count)]);
        if end.is_some() {
            let _ = writeln!(io::stdout(), "{started}");
            return 0;
        }
    }
}

/// Waits for the background, which has ended or is about to, and returns its exit code.
fn exit_code(pid: i32) -> i32 {
    let status = waitpid(Pid::from_raw(pid), WaitOptions::empty()).ok().flatten();
    status.and_then(|(_, status)| status.exit_status()).unwrap_or(7)
}
