//! A program that a runner process runs: started, listened to while it works, and ended with all that it left.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::Signal;

use super::StopRequest;
use crate::engine::guardian::end_all_children;
use crate::engine::json_lines::{IncomingLines, OutgoingLines};
use crate::engine::piped_child::{Attendant, PipedChild};
use crate::model::{Exit, Stream};

/// How long a program may take to end by itself when the runner was asked to.
const GRACE: Duration = Duration::from_millis(400);

/// The longest line that a program may send on its channel, in bytes.
const LONGEST_LINE: usize = 64 << 20;

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
            (Some(channel), Stdio::from(OwnedFd::from(other)))
        }
        None => (None, Stdio::null()),
    };
    let child = PipedChild::spawn(command.args(&program.args).stdin(stdin))?;
    drop(command);
    let deadline = program.limit.map(|limit| Instant::now() + limit);
    let mut attended = Attended { channel, stop, listener, deadline, stopped_by: None, timed_out: false };
    attended.listener.wakes();
    let ended = child.attend(&mut attended).and_then(|status| attended.end(status));
    end_all_children();
    ended
}

/// A program that is listened to.
struct Attended<'a> {
    channel: Option<Channel>,
    stop: &'a StopRequest,
    listener: &'a mut dyn Listener,
    /// When it is killed.
    deadline: Option<Instant>,
    stopped_by: Option<i32>,
    timed_out: bool,
}

impl Attendant for Attended<'_> {
    type Error = io::Error;

    fn turn(&mut self, child: &PipedChild) -> io::Result<Instant> {
        self.exchange()?;
        let now = Instant::now();
        if self.stopped_by.is_none()
            && let Some(signal) = self.stop.signal()
        {
            self.stopped_by = Some(signal);
            self.deadline = Some(now + GRACE);
            child.signal(Signal::TERM);
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.timed_out |= self.stopped_by.is_none();
            self.deadline = None;
            child.signal(Signal::KILL);
        }
        if self.listener.wakes_at() <= now {
            self.listener.wakes();
        }
        let wakes_at = self.listener.wakes_at();
        Ok(self.deadline.map_or(wakes_at, |deadline| deadline.min(wakes_at)))
    }

    fn output(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        match stream {
            Stream::Stdout => self.listener.stdout(bytes),
            Stream::Stderr => self.listener.stderr(bytes),
        }
        Ok(())
    }

    fn wakers(&self) -> Vec<PollFd<'_>> {
        let open = self.channel.as_ref().filter(|channel| channel.is_open);
        let heeded = Some(self.stop).filter(|_| self.stopped_by.is_none());
        open.map(Channel::waker).into_iter().chain(heeded.map(|stop| PollFd::new(stop, PollFlags::IN))).collect()
    }

    fn ended(&mut self, child: &mut PipedChild) -> io::Result<()> {
        self.exchange()?;
        child.reap()?;
        // What it has left behind could write for ever.
        end_all_children();
        Ok(())
    }
}

impl Attended<'_> {
    fn exchange(&mut self) -> io::Result<()> {
        match &mut self.channel {
            Some(channel) => channel.exchange(self.listener),
            None => Ok(()),
        }
    }

    /// Takes in what was sent last; returns how the program ended.
    fn end(mut self, status: ExitStatus) -> io::Result<ProgramEnd> {
        self.exchange()?;
        Ok(match self.stopped_by {
            Some(signal) => ProgramEnd::Stopped(signal),
            None if self.timed_out => ProgramEnd::TimedOut,
            None => {
                let code = || Exit::Code(status.code().unwrap_or(255));
                ProgramEnd::Exited(status.signal().map_or_else(code, Exit::Signal))
            }
        })
    }
}

/// The runner's end of the socket that is a program's standard input.
struct Channel {
    socket: UnixStream,
    outgoing: OutgoingLines,
    incoming: IncomingLines,
    is_open: bool,
}

impl Channel {
    /// Makes the pair; the order waits to be sent. Returns the runner's and the program's end.
    fn new(order: &[u8]) -> io::Result<(Self, UnixStream)> {
        let (socket, other) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        let mut outgoing = OutgoingLines::default();
        outgoing.push(order);
        let incoming = IncomingLines::with_limit(LONGEST_LINE);
        Ok((Self { socket, outgoing, incoming, is_open: true }, other))
    }

    /// Sends what it takes, and hands every line that came to the listener.
    fn exchange(&mut self, listener: &mut dyn Listener) -> io::Result<()> {
        self.flush();
        while self.is_open {
            match self.incoming.fill(&self.socket) {
                Ok(is_open) => self.is_open = is_open,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.is_open = false,
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

    fn waker(&self) -> PollFd<'_> {
        let flags = if self.outgoing.held() > 0 { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        PollFd::new(&self.socket, flags)
    }
}
