//! What reaches the host from outside: signals of its own and those its guardian passes on.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, getpgid, getpgrp, getppid, kill_process};
use rustix::termios::{tcgetpgrp, tcsetpgrp};

use super::guardian::Guarded;
use super::signals;

/// The host's ear.
pub(super) struct Control {
    guardian: Pid,
    stream: OwnedFd,
    signals: OwnedFd,
}

impl Control {
    pub(super) fn new(guarded: Guarded) -> Self {
        let Guarded { guardian, stream, signals, .. } = guarded;
        Self { guardian, stream, signals }
    }

    pub(super) fn guardian(&self) -> impl AsFd {
        &self.stream
    }

    pub(super) fn signals(&self) -> impl AsFd {
        &self.signals
    }

    /// Returns the signals that the guardian passed on, `None` if it is gone.
    pub(super) fn hear_guardian(&self) -> Option<Vec<i32>> {
        read_bytes(&self.stream).ok()
    }

    /// Returns the signals that came to the host itself.
    pub(super) fn take_signals(&self) -> Vec<i32> {
        read_bytes(&self.signals).unwrap_or_default()
    }

    /// Handles a read from the terminal by the jobfile: the host is in the background only because of its guardian, so
    /// when that is in the foreground the host takes its place. Returns false for any other signal and state.
    pub(super) fn wants_terminal(&self, signal: i32) -> bool {
        let stdin = rustix::stdio::stdin();
        let Ok(foreground) = tcgetpgrp(stdin) else { return false };
        // One read sends the signal many times, so it may already have been heeded.
        let is_ours = foreground == getpgrp();
        let is_guardians = getpgid(Some(self.guardian)) == Ok(foreground);
        let take = || {
            // The call comes from the background, and would stop the process if this signal could reach it.
            let background = signals::for_host();
            background.block();
            let taken = tcsetpgrp(stdin, getpgrp()).is_ok();
            background.unblock();
            taken
        };
        signal == libc::SIGTTIN && (is_ours || is_guardians && take())
    }

    /// Stops the guardian, so that the shell sees the job stopped, and then this process. Returns when it is continued.
    pub(super) fn stop_ourselves(&self) {
        if getppid() == Some(self.guardian) {
            let _ = kill_process(self.guardian, Signal::STOP);
        }
        signals::stop_here();
    }
}

fn read_bytes(fd: &OwnedFd) -> io::Result<Vec<i32>> {
    let mut bytes = [0; 64];
    match rustix::io::read(fd, &mut bytes) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(count) => Ok(bytes[..count].iter().map(|byte| i32::from(*byte)).collect()),
        Err(Errno::AGAIN | Errno::INTR) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}
