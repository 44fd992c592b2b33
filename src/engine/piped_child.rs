//! A child process in a group of its own, and the pipes of its outputs: waited for and read together, and not left behind.
//!
//! How long it may take, how much it may write and what interrupts it is said by its [`Attendant`].

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::flow::Flow;
use crate::model::Stream;

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// How many times the pipes are read when the child has ended; a pipe holds a mebibyte at most.
const LAST_READS: usize = 64;

/// Attends a child while it runs. An error ends the child and its group.
pub(super) trait Attendant {
    /// Why it has no patience any more.
    type Error: From<io::Error>;

    /// Does what is due; returns when it wants to be called again at the latest.
    fn turn(&mut self, child: &PipedChild) -> Result<Instant, Self::Error>;

    /// Takes what the child wrote.
    fn output(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Returns what it wants to be called for as well.
    fn wakers(&self) -> Vec<PollFd<'_>> {
        Vec::new()
    }

    /// Hears that the child has ended, before the last of its outputs is read.
    fn ended(&mut self, _child: &mut PipedChild) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// See the module.
pub(super) struct PipedChild {
    child: Child,
    pid: Pid,
    pidfd: OwnedFd,
    /// What can be read of each output; `None` after its end.
    outputs: [(Stream, Option<OwnedFd>); 2],
    is_reaped: bool,
}

impl PipedChild {
    /// Starts a program; its standard input is the command's.
    pub(super) fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("it got no process id"))?;
        let outputs = [
            (Stream::Stdout, child.stdout.take().map(OwnedFd::from)),
            (Stream::Stderr, child.stderr.take().map(OwnedFd::from)),
        ];
        // It is not reaped before its end is known, so the number is still its own.
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).inspect_err(|_| {
            let _ = kill_process_group(pid, Signal::KILL);
            let _ = child.wait();
        })?;
        let spawned = Self { child, pid, pidfd, outputs, is_reaped: false };
        for pipe in spawned.pipes() {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        Ok(spawned)
    }

    /// Has it run to its end, with its outputs read up to there: what others still write to its pipes is not waited for.
    pub(super) fn attend<A: Attendant>(mut self, attendant: &mut A) -> Result<ExitStatus, A::Error> {
        let mut buffer = vec![0; PIECE];
        loop {
            let until = attendant.turn(&self)?;
            let has_ended = self.wait(attendant.wakers(), until)?;
            self.read(&mut buffer, attendant)?;
            if has_ended {
                break;
            }
        }
        attendant.ended(&mut self)?;
        for _ in 0..LAST_READS {
            if !self.read(&mut buffer, attendant)? {
                break;
            }
        }
        Ok(self.reap()?)
    }

    /// Sends a signal to its group, unless it was reaped: then the number may be another's.
    pub(super) fn signal(&self, signal: Signal) {
        if !self.is_reaped {
            // It may be dead, and then there is nobody to tell.
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// Waits for its end; returns how it ended.
    pub(super) fn reap(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait();
        self.is_reaped = true;
        status
    }

    fn pipes(&self) -> impl Iterator<Item = &OwnedFd> {
        self.outputs.iter().filter_map(|(_, pipe)| pipe.as_ref())
    }

    /// Waits until there is something to do; returns whether it has ended.
    fn wait(&self, others: Vec<PollFd<'_>>, until: Instant) -> io::Result<bool> {
        let mut polled = vec![PollFd::new(&self.pidfd, PollFlags::IN)];
        polled.extend(self.pipes().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        polled.extend(others);
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut polled, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(!polled[0].revents().is_empty()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads once from each pipe; returns whether there was anything.
    fn read<A: Attendant>(&mut self, buffer: &mut [u8], attendant: &mut A) -> Result<bool, A::Error> {
        let mut has_read = false;
        for (stream, pipe) in &mut self.outputs {
            let Some(open) = pipe else { continue };
            match Flow::read(open, buffer) {
                Ok(Flow::Bytes(count)) => attendant.output(*stream, &buffer[..count])?,
                Ok(Flow::Dry) => continue,
                Ok(Flow::Closed) | Err(_) => *pipe = None,
            }
            has_read = true;
        }
        Ok(has_read)
    }
}

impl Drop for PipedChild {
    fn drop(&mut self) {
        if !self.is_reaped {
            self.signal(Signal::KILL);
            // It was killed, so this does not wait long.
            let _ = self.reap();
        }
    }
}
