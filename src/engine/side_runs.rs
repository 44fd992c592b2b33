//! Runs side by side that this process has started, each as a program of its own: this one with other words.
//!
//! Whoever holds them waits here for everything that can happen: the end of one, what one writes, a signal, and an entry that
//! comes into a folder. When this process is killed, all of them are asked to end, and end in order: each is the guardian of
//! its own run.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, getpid, getppid, pidfd_open, pidfd_send_signal, set_parent_process_death_signal,
};

use super::flow::Flow;
use super::signals;
use crate::model::{Stream, exit_code};

/// The program of each.
const OURSELVES: &str = "/proc/self/exe";

/// What is heard here.
const HEARD: [i32; 5] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGTSTP];

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// How many times a pipe is read when its run has ended; it holds a mebibyte at most.
const LAST_READS: usize = 64;

/// A line is given out in parts of this length.
const LONGEST_LINE: usize = 64 << 10;

/// Something that happened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SideEvent {
    /// The run with this number wrote a line, with its end.
    Line(u64, Stream, Vec<u8>),
    /// The run with this number has ended, with this exit code.
    Ended(u64, i32),
    /// This process got a signal that asks it to end.
    Signal(i32),
    /// An entry came into the folder.
    Entry,
}

/// See the module.
pub(crate) struct SideRuns {
    signals: OwnedFd,
    /// Without one entries are not noticed.
    folder: Option<OwnedFd>,
    runs: Vec<SideRun>,
}

struct SideRun {
    number: u64,
    child: Child,
    pidfd: OwnedFd,
    pipes: Vec<Pipe>,
}

struct Pipe {
    stream: Stream,
    from: OwnedFd,
    /// A line whose end has not come yet.
    begun: Vec<u8>,
}

impl SideRuns {
    /// Begins to hear signals, and what comes into `folder`.
    pub(crate) fn new(folder: &Path) -> io::Result<SideRuns> {
        let signals = signals::into_pipe(&HEARD)?;
        Ok(SideRuns { signals, folder: watch(folder).ok(), runs: Vec::new() })
    }

    /// Returns how many run.
    pub(crate) fn count(&self) -> usize {
        self.runs.len()
    }

    /// Starts this program with other words. What it writes is given out line by line, or goes where this process writes.
    pub(crate) fn start(&mut self, number: u64, words: &[OsString], by_line: bool) -> io::Result<()> {
        let mut command = Command::new(OURSELVES);
        // A group of its own: what is typed at the terminal is passed on from here, and only once.
        command.args(words).stdin(Stdio::null()).process_group(0);
        if by_line {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let own = getpid();
        let tie = move || {
            set_parent_process_death_signal(Some(Signal::TERM))?;
            // It may have been killed just before.
            if getppid() == Some(own) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
        };
        // SAFETY: the closure makes two calls to the system, takes no memory and no lock.
        unsafe { command.pre_exec(tie) };
        let mut child = command.spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
        // It is not reaped before its end is known, so the number is its own.
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).inspect_err(|_| {
            let _ = child.kill();
            let _ = child.wait();
        })?;
        let pipes = [
            (Stream::Stdout, child.stdout.take().map(OwnedFd::from)),
            (Stream::Stderr, child.stderr.take().map(OwnedFd::from)),
        ];
        let pipes =
            pipes.into_iter().filter_map(|(stream, from)| Some(Pipe { stream, from: from?, begun: Vec::new() }));
        let run = SideRun { number, child, pidfd, pipes: pipes.collect() };
        for pipe in &run.pipes {
            rustix::io::ioctl_fionbio(&pipe.from, true)?;
        }
        self.runs.push(run);
        Ok(())
    }

    /// Passes a signal on to all of them.
    pub(crate) fn signal(&self, signal: i32) {
        let Some(signal) = Signal::from_named_raw(signal) else { return };
        for run in &self.runs {
            // It may have ended in this moment.
            let _ = pidfd_send_signal(&run.pidfd, signal);
        }
    }

    /// Waits until something happens, not longer than `until`.
    pub(crate) fn wait(&mut self, until: Instant) -> io::Result<Vec<SideEvent>> {
        self.poll(until)?;
        let mut events = Vec::new();
        let mut buffer = vec![0; PIECE];
        while let Flow::Bytes(count) = Flow::read(&self.signals, &mut buffer)? {
            for signal in buffer[..count].iter().map(|signal| i32::from(*signal)) {
                match signal {
                    libc::SIGTSTP => self.pause(),
                    signal => events.push(SideEvent::Signal(signal)),
                }
            }
        }
        if let Some(folder) = &self.folder
            && matches!(Flow::read(folder, &mut buffer), Ok(Flow::Bytes(_)))
        {
            events.push(SideEvent::Entry);
        }
        let mut at = 0;
        while at < self.runs.len() {
            let run = &mut self.runs[at];
            let code = run
                .child
                .try_wait()?
                .map(|status| status.code().unwrap_or_else(|| exit_code::of_signal(status.signal().unwrap_or(0))));
            let number = run.number;
            run.pipes.retain_mut(|pipe| {
                let stream = pipe.stream;
                let give = &mut |line| events.push(SideEvent::Line(number, stream, line));
                pipe.read(&mut buffer, code.is_some(), give)
            });
            match code {
                Some(code) => {
                    self.runs.remove(at);
                    events.push(SideEvent::Ended(number, code));
                }
                None => at += 1,
            }
        }
        Ok(events)
    }

    fn poll(&self, until: Instant) -> io::Result<()> {
        let mut polled = vec![PollFd::new(&self.signals, PollFlags::IN)];
        polled.extend(self.folder.iter().map(|folder| PollFd::new(folder, PollFlags::IN)));
        for run in &self.runs {
            polled.push(PollFd::new(&run.pidfd, PollFlags::IN));
            polled.extend(run.pipes.iter().map(|pipe| PollFd::new(&pipe.from, PollFlags::IN)));
        }
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut polled, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Stands still with all of them until somebody lets this process go on.
    fn pause(&self) {
        self.signal(libc::SIGTSTP);
        signals::stop_here();
        self.signal(libc::SIGCONT);
    }
}

impl Pipe {
    /// Reads what is there, and gives out whole lines; at the end also one without an end. Returns whether more may come.
    fn read(&mut self, buffer: &mut [u8], is_last: bool, give: &mut dyn FnMut(Vec<u8>)) -> bool {
        let mut is_open = true;
        // A writer that never rests is not alone here.
        for _ in 0..if is_last { LAST_READS } else { 1 } {
            match Flow::read(&self.from, buffer) {
                Ok(Flow::Bytes(count)) => self.take(&buffer[..count], give),
                Ok(Flow::Dry) => break,
                Ok(Flow::Closed) | Err(_) => {
                    is_open = false;
                    break;
                }
            }
        }
        if (is_last || !is_open) && !self.begun.is_empty() {
            give(std::mem::take(&mut self.begun));
        }
        is_open
    }

    fn take(&mut self, bytes: &[u8], give: &mut dyn FnMut(Vec<u8>)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(part);
            if part.ends_with(b"\n") || self.begun.len() >= LONGEST_LINE {
                give(std::mem::take(&mut self.begun));
            }
        }
    }
}

fn watch(folder: &Path) -> io::Result<OwnedFd> {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    inotify::add_watch(&watch, folder, inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO)?;
    Ok(watch)
}
