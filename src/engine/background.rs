//! A process that parts from its terminal: the work goes on in the background, and who started it learns that it has begun.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, setsid, waitpid};

use crate::model::exit_code;

/// The byte by which the background says that its work has begun. Nothing that is said to a user holds it.
const BEGUN: u8 = 0;

/// Which side of the fork this is.
pub(crate) enum Side {
    /// The process that the user started.
    User(Awaited),
    /// The one in the background. What it writes to standard error is heard by the user's side as long as that listens.
    Background,
}

/// The background, as the user's side sees it.
pub(crate) struct Awaited {
    pid: i32,
    report: File,
}

/// Parts this process, which must have no other thread.
pub(crate) fn part() -> io::Result<Side> {
    let (report, background_end) = pipe_with(PipeFlags::CLOEXEC)?;
    // SAFETY: the process has one thread, so the child finds no lock held by a thread that it does not have.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(report);
            detach(background_end)?;
            Ok(Side::Background)
        }
        pid => Ok(Side::User(Awaited { pid, report: report.into() })),
    }
}

/// Leaves the terminal.
fn detach(report: OwnedFd) -> io::Result<()> {
    setsid()?;
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    rustix::stdio::dup2_stderr(report)?;
    Ok(())
}

/// Tells the user's side that the work has begun. Called in the background, which is heard by nobody from then on.
pub(crate) fn say_begun() {
    // Who does not listen any more needs no word.
    let _ = rustix::io::write(rustix::stdio::stderr(), &[BEGUN]);
    if let Ok(nothing) = File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stderr(&nothing);
    }
}

impl Awaited {
    /// Hands on what the background says until its work has begun. Returns its exit code if it has ended before that, and
    /// `None` if not.
    pub(crate) fn listen(mut self, mut hear: impl FnMut(&[u8])) -> Option<i32> {
        let mut buffer = [0; 4096];
        loop {
            let count = match self.report.read(&mut buffer) {
                Ok(0) => return Some(self.exit_code()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Some(self.exit_code()),
            };
            let said = &buffer[..count];
            let end = said.iter().position(|byte| *byte == BEGUN);
            hear(&said[..end.unwrap_or(count)]);
            if end.is_some() {
                return None;
            }
        }
    }

    /// Waits for the background, which has ended or is about to, and returns its exit code.
    fn exit_code(&self) -> i32 {
        let status = waitpid(Pid::from_raw(self.pid), WaitOptions::empty()).ok().flatten();
        status.and_then(|(_, status)| status.exit_status()).unwrap_or(exit_code::NO_RESULT)
    }
}
