//! A program that a runner process runs: started, listened to while it works, and ended with all that it left.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid};

use super::flow::Flow;
use super::guardian::end_all_children;
use super::json_lines::{IncomingLines, OutgoingLines};
use super::runner_halves::StopRequest;
use crate::model::Exit;

/// How long a program may take to end by itself when the runner was asked to.
const GRACE: Duration = Duration::from_millis(400);

/// The longest line that a program may send on its channel, in bytes.
const LONGEST_LINE: usize = 64 << 20;

/// How many times the pipes are read when the program has ended; a pipe holds a mebibyte at most.
const LAST_READS: usize = 64;

/// What is to be run. The process must be a subreaper and have no other children: they are ended with the program.
#[derive(Debug, Default)]
pub(crate) struct RunnerProgram {
    /// Its name on the `PATH`, or its path.
    pub(crate) program: OsString,
    /// The name it is given, if that is another.
    pub(crate) name: Option<OsString>,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
    /// Whether it gets none of the environment of this process.
    pub(crate) clears_environment: bool,
    /// Variables that it gets, or does not get.
    pub(crate) environment: Vec<(OsString, Option<OsString>)>,
    /// Its working folder, if it is not that of this process.
    pub(crate) folder: Option<PathBuf>,
    /// Its standard input is a socket on which it finds this and can send lines; without it there is nothing to read.
    pub(crate) order: Option<Vec<u8>>,
    /// How long it may take.
    pub(crate) limit: Option<Duration>,
}

/// Hears what a program does.
pub(crate) trait Listener {
    /// It wrote to its standard output.
    fn stdout(&mut self, bytes: &[u8]);
    /// It wrote to its standard error.
    fn stderr(&mut self, bytes: &[u8]);
    /// It sent a line on its channel; returns what is sent back.
    fn line(&mut self, line: &[u8]) -> Option<Vec<u8>>;
    /// The time has come that [`Listener::wakes_at`] named.
    fn wakes(&mut self);
    /// Returns when it wants to be called next.
    fn wakes_at(&self) -> Instant;
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProgramEnd {
    /// By itself.
    Exited(Exit),
    /// Because the runner was asked to end by this signal.
    Stopped(i32),
    /// Because its time was over.
    TimedOut,
}

/// Runs a program to its end. The error is that it could not be started or listened to.
pub(crate) fn run_program(
    program: &RunnerProgram,
    stop: &StopRequest,
    listener: &mut dyn Listener,
) -> io::Result<ProgramEnd> {
    let mut command = Command::new(&program.program);
    if let Some(name) = &program.name {
        command.arg0(name);
    }
    if program.clears_environment {
        command.env_clear();
    }
    for (name, value) in &program.environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(folder) = &program.folder {
        command.current_dir(folder);
    }
    let (channel, stdin) = match &program.order {
        Some(order) => {
            let (channel, other) = Channel::new(order)?;
            (Some(channel), Stdio::from(other))
        }
        None => (None, Stdio::null()),
    };
    command.args(&program.args).process_group(0).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn()?;
    drop(command);
    let process = Process::new(child);
    let ended = process.and_then(|process| process.listen(channel, program.limit, stop, listener));
    end_all_children();
    ended
}

struct Process {
    pid: Pid,
    pidfd: OwnedFd,
    stdout: Option<File>,
    stderr: Option<File>,
}

impl Process {
    fn new(mut child: Child) -> io::Result<Self> {
        let no_id = || io::Error::other("the program has no process id");
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(no_id)?;
        // It is not reaped before its end is known, so the number is still its own.
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let open = |pipe: Option<OwnedFd>| -> io::Result<Option<File>> {
            if let Some(pipe) = &pipe {
                rustix::io::ioctl_fionbio(pipe, true)?;
            }
            Ok(pipe.map(File::from))
        };
        let stdout = open(child.stdout.take().map(OwnedFd::from))?;
        let stderr = open(child.stderr.take().map(OwnedFd::from))?;
        Ok(Self { pid, pidfd, stdout, stderr })
    }

    fn listen(
        mut self,
        mut channel: Option<Channel>,
        limit: Option<Duration>,
        stop: &StopRequest,
        listener: &mut dyn Listener,
    ) -> io::Result<ProgramEnd> {
        let mut buffer = vec![0; 64 << 10];
        let mut deadline = limit.map(|limit| Instant::now() + limit);
        let mut stopped_by = None;
        let mut timed_out = false;
        listener.wakes();
        let exit = loop {
            let now = Instant::now();
            if stopped_by.is_none()
                && let Some(signal) = stop.signal()
            {
                stopped_by = Some(signal);
                deadline = Some(now + GRACE);
                // It may have ended, which is what is wanted.
                let _ = kill_process_group(self.pid, Signal::TERM);
            }
            if deadline.is_some_and(|deadline| deadline <= now) {
                timed_out |= stopped_by.is_none();
                deadline = None;
                let _ = kill_process_group(self.pid, Signal::KILL);
            }
            if listener.wakes_at() <= now {
                listener.wakes();
            }
            let until = deadline.map_or(listener.wakes_at(), |deadline| deadline.min(listener.wakes_at()));
            let has_ended = self.wait(channel.as_ref(), stop, stopped_by.is_none(), until)?;
            self.read(&mut buffer, listener);
            if let Some(channel) = &mut channel {
                channel.exchange(&mut buffer, listener)?;
            }
            if has_ended {
                break self.reap()?;
            }
        };
        // What it has left behind could write for ever.
        end_all_children();
        for _ in 0..LAST_READS {
            if !self.read(&mut buffer, listener) {
                break;
            }
        }
        if let Some(channel) = &mut channel {
            channel.exchange(&mut buffer, listener)?;
        }
        Ok(match stopped_by {
            Some(signal) => ProgramEnd::Stopped(signal),
            None if timed_out => ProgramEnd::TimedOut,
            None => ProgramEnd::Exited(exit),
        })
    }

    /// Waits until there is something to do; returns whether the program has ended.
    fn wait(
        &self,
        channel: Option<&Channel>,
        stop: &StopRequest,
        heeds_stop: bool,
        until: Instant,
    ) -> io::Result<bool> {
        let mut polled = vec![PollFd::new(&self.pidfd, PollFlags::IN)];
        polled.extend([&self.stdout, &self.stderr].into_iter().flatten().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        if let Some(channel) = channel.filter(|channel| channel.is_open) {
            let flags = if channel.outgoing.held() > 0 { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            polled.push(PollFd::new(channel, flags));
        }
        if heeds_stop {
            polled.push(PollFd::new(stop, PollFlags::IN));
        }
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut polled, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(!polled[0].revents().is_empty()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads once from each pipe; returns whether there was anything.
    fn read(&mut self, buffer: &mut [u8], listener: &mut dyn Listener) -> bool {
        let mut has_read = false;
        for is_stdout in [true, false] {
            let pipe = if is_stdout { &mut self.stdout } else { &mut self.stderr };
            let Some(file) = pipe else { continue };
            match file.read(buffer) {
                Ok(0) => *pipe = None,
                Ok(count) if is_stdout => listener.stdout(&buffer[..count]),
                Ok(count) => listener.stderr(&buffer[..count]),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                    continue;
                }
                Err(_) => *pipe = None,
            }
            has_read = true;
        }
        has_read
    }

    fn reap(&self) -> io::Result<Exit> {
        loop {
            match waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED) {
                Ok(Some(status)) => {
                    let signal = status.terminating_signal().map(Exit::Signal);
                    return Ok(signal.unwrap_or(Exit::Code(status.exit_status().unwrap_or(255))));
                }
                Ok(None) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The runner's end of the socket that is a program's standard input.
struct Channel {
    socket: OwnedFd,
    outgoing: OutgoingLines,
    incoming: IncomingLines,
    is_open: bool,
}

impl Channel {
    /// Makes the pair; the order waits to be sent. Returns the runner's and the program's end.
    fn new(order: &[u8]) -> io::Result<(Self, OwnedFd)> {
        let (socket, other) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        let mut outgoing = OutgoingLines::default();
        outgoing.push(order);
        let incoming = IncomingLines::with_limit(LONGEST_LINE);
        Ok((Self { socket, outgoing, incoming, is_open: true }, other))
    }

    /// Sends what it takes, and hands every line that came to the listener.
    fn exchange(&mut self, buffer: &mut [u8], listener: &mut dyn Listener) -> io::Result<()> {
        self.flush();
        while self.is_open {
            match Flow::read(&self.socket, buffer) {
                Ok(Flow::Bytes(count)) => self.incoming.push(&buffer[..count]),
                Ok(Flow::Dry) => break,
                Ok(Flow::Closed) | Err(_) => self.is_open = false,
            }
            let too_long = |_| io::Error::other(format!("it sent a line longer than {LONGEST_LINE} bytes"));
            while let Some(line) = self.incoming.next().map_err(too_long)? {
                if let Some(answer) = listener.line(line) {
                    self.outgoing.push(&answer);
                }
            }
            self.flush();
        }
        Ok(())
    }

    fn flush(&mut self) {
        if self.is_open {
            self.is_open = self.outgoing.flush(&self.socket).is_ok();
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
