//! A runner process in two halves: a worker that starts the test, and a supervisor that outlives whatever the test does.
//!
//! Who waits for a runner waits for its last message. A test that kills its parent kills the worker; the supervisor sees
//! that, ends what is left, and can still say how it ended. It is a subreaper, and so is the worker: no descendant of the
//! test gets away.

mod program;

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitOptions, getpid, getppid, kill_process, set_child_subreaper, set_parent_process_death_signal, wait,
};

pub(crate) use self::program::{Listener, ProgramEnd, RunnerProgram, run_program};
use super::guardian::end_all_children;
use super::signals::{self, SignalSet};
use crate::model::Exit;

/// What asks a runner to end.
const REQUESTS: [i32; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];

/// How long a worker may take to end after it was asked to. Who asked kills a second later.
const PATIENCE: Duration = Duration::from_millis(800);

/// Which half this process is.
pub(crate) enum Half {
    /// The one that does the work, and what tells it to stop.
    Worker(StopRequest),
    /// The one that is left when the worker has ended.
    Supervisor(WorkerEnd),
}

/// How the worker ended.
#[derive(Debug)]
pub(crate) struct WorkerEnd {
    /// How its process ended.
    pub(crate) exit: Exit,
    /// The signal by which the runner was asked to end.
    pub(crate) asked_by: Option<i32>,
}

/// Tells whether this process was asked to end.
pub(crate) struct StopRequest {
    pipe: OwnedFd,
    signal: Cell<Option<i32>>,
}

impl StopRequest {
    /// Takes note of the signals that ask this process to end, instead of ending.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self { pipe: signals::into_pipe(&REQUESTS)?, signal: Cell::new(None) })
    }

    /// Returns the signal that asked, if one has.
    pub(crate) fn signal(&self) -> Option<i32> {
        if self.signal.get().is_none() {
            let mut byte = [0; 1];
            if rustix::io::read(&self.pipe, &mut byte).is_ok_and(|count| count == 1) {
                self.signal.set(Some(i32::from(byte[0])));
            }
        }
        self.signal.get()
    }
}

impl AsFd for StopRequest {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// Splits this process, which must have no other thread. Returns in both halves: in the supervisor when the worker and all
/// that it started have ended.
pub(crate) fn split_runner() -> io::Result<Half> {
    let supervisor = getpid();
    set_child_subreaper(Some(supervisor))?;
    let watched = SignalSet::unless_ignored(&[REQUESTS.as_slice(), &[libc::SIGCHLD]].concat());
    let inherited = watched.block();
    // SAFETY: the process has one thread, so the child finds no lock held by a thread that it does not have.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            set_child_subreaper(Some(getpid()))?;
            let stop = StopRequest::listen()?;
            set_parent_process_death_signal(Some(Signal::TERM))?;
            if getppid() != Some(supervisor) {
                // It died before the line above.
                let _ = kill_process(getpid(), Signal::TERM);
            }
            inherited.set_as_mask();
            Ok(Half::Worker(stop))
        }
        pid => {
            let worker = Pid::from_raw(pid).ok_or_else(|| io::Error::other("the worker has no process id"))?;
            let end = supervise(worker, &watched);
            end_all_children();
            inherited.set_as_mask();
            Ok(Half::Supervisor(end))
        }
    }
}

/// Waits for the end of the worker, and hands on what asks it to end.
fn supervise(worker: Pid, watched: &SignalSet) -> WorkerEnd {
    let mut asked_by = None;
    let mut deadline: Option<Instant> = None;
    loop {
        if let Some(exit) = reap_until(worker) {
            return WorkerEnd { exit, asked_by };
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            // It hangs; what it has started is the supervisor's from now on.
            let _ = kill_process(worker, Signal::KILL);
            deadline = None;
            continue;
        }
        match watched.wait_for(left) {
            None | Some(libc::SIGCHLD) => {}
            Some(signal) => {
                if asked_by.is_none() {
                    asked_by = Some(signal);
                    deadline = Some(Instant::now() + PATIENCE);
                }
                // It is there: nobody else reaps it.
                if let Some(signal) = Signal::from_named_raw(signal) {
                    let _ = kill_process(worker, signal);
                }
            }
        }
    }
}

/// Reaps what has ended; returns the worker's end if it has.
fn reap_until(worker: Pid) -> Option<Exit> {
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid == worker {
            let signal = status.terminating_signal().map(Exit::Signal);
            return Some(signal.unwrap_or(Exit::Code(status.exit_status().unwrap_or(255))));
        }
    }
    None
}

/// Ends this process as the signal does that asked for it. Returns if the signal is one that does not.
pub(crate) fn die_of(signal: i32) {
    // SAFETY: the default action is no code of this process, and raise takes any signal number.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}
