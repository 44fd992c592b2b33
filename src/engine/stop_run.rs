//! Ending a run that another process works on. A process is signalled only through a handle, and only after it was seen
//! behind that handle that it is the one which works on the run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::store::{Status, Worker, summarise, worker};

/// How often it is looked whether the lock of a run is free whose processes have ended.
const LOOK: Duration = Duration::from_millis(10);

/// How long the end of a run is waited for that was told to end at once.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// A run that was asked to end.
pub(crate) struct Stopping {
    run: PathBuf,
    /// The process that was signalled.
    process: OwnedFd,
    /// The host of a run of Rille.
    host: Option<OwnedFd>,
    /// What the operation of a run of Guild had started. The host of a run of Rille looks after that itself.
    descendants: Vec<OwnedFd>,
}

/// Why a run was not asked.
#[derive(Debug)]
pub(crate) enum StopRefused {
    /// It is not running.
    NotRunning,
    /// It runs there.
    Elsewhere(String),
    /// It is a trial that its batch prepares, or whose end is being written.
    NotBegun,
    /// The system did not let us.
    Failed(std::io::Error),
}

/// What became of a run that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopEnd {
    /// It ended.
    Ended,
    /// It ended when it was made to.
    Killed,
    /// It is still running.
    StillRunning,
}

impl Stopping {
    /// Asks the run in the directory `run` to end, by SIGTERM to the process that works on it.
    pub(crate) fn begin(run: &Path) -> Result<Stopping, StopRefused> {
        let found = begun(run);
        let (pid, holder) = match &found {
            Worker::Nobody => return Err(StopRefused::NotRunning),
            Worker::Elsewhere(place) => return Err(StopRefused::Elsewhere(place.clone())),
            Worker::Process { pid, holder } => (*pid, *holder),
            // Its host goes on, and looks after what it leaves.
            Worker::Trial(Some(pid)) => (*pid, None),
            Worker::Trial(None) => return Err(StopRefused::NotBegun),
        };
        let opened = open(pid).and_then(|process| Ok((process, holder.map(open).transpose()?)));
        let (process, host) = match opened {
            Ok(opened) => opened,
            Err(Errno::SRCH) => return Err(StopRefused::NotRunning),
            Err(error) => return Err(StopRefused::Failed(error.into())),
        };
        // They may have ended in between, and their numbers be others'.
        if worker(run) != found {
            return Err(StopRefused::NotRunning);
        }
        let is_of_guild = matches!(found, Worker::Process { holder: None, .. });
        let descendants = if is_of_guild { descendants(pid) } else { Vec::new() };
        match pidfd_send_signal(&process, Signal::TERM) {
            // It has ended by itself, which is as good.
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => return Err(StopRefused::Failed(error.into())),
        }
        Ok(Stopping { run: run.to_owned(), process, host, descendants })
    }

    /// Waits until the run has ended, not longer than `deadline`; then, if `force`, makes it end.
    pub(crate) fn finish(self, deadline: Instant, force: bool) -> StopEnd {
        let mut has_ended = self.ended_by(deadline);
        if has_ended {
            for process in self.descendants.iter().filter(|process| !is_over(process)) {
                let _ = pidfd_send_signal(process, Signal::TERM);
            }
            has_ended = self.descendants.iter().all(|process| is_over_by(process, deadline));
        }
        match (has_ended, force) {
            (true, _) => return StopEnd::Ended,
            (false, false) => return StopEnd::StillRunning,
            (false, true) => {}
        }
        if let Some(host) = &self.host {
            // The host kills its tasks at once and records that.
            let _ = pidfd_send_signal(&self.process, Signal::QUIT);
            if self.ended_by(Instant::now() + LAST_PATIENCE) {
                return StopEnd::Killed;
            }
            // Its end ends all of its tasks.
            let _ = pidfd_send_signal(host, Signal::KILL);
        } else {
            for process in std::iter::once(&self.process).chain(&self.descendants) {
                let _ = pidfd_send_signal(process, Signal::KILL);
            }
        }
        if self.ended_by(Instant::now() + LAST_PATIENCE) { StopEnd::Killed } else { StopEnd::StillRunning }
    }

    /// Returns whether the run has ended by `deadline`: its processes, and what is written of it.
    fn ended_by(&self, deadline: Instant) -> bool {
        if !std::iter::once(&self.process).chain(&self.host).all(|process| is_over_by(process, deadline)) {
            return false;
        }
        // A process that was just starting another program has the lock for a moment longer, and one that starts the run
        // again has it now. No handle says when a lock is free.
        while summarise(&self.run).status == Status::Running {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        true
    }
}

/// Returns who works on a run, after a moment if that is a trial without a process.
fn begun(run: &Path) -> Worker {
    let patience = Instant::now() + LAST_PATIENCE;
    loop {
        match worker(run) {
            Worker::Trial(None) if Instant::now() < patience => std::thread::sleep(LOOK),
            found => return found,
        }
    }
}

fn open(pid: u32) -> Result<OwnedFd, Errno> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
    pidfd_open(pid, PidfdFlags::empty())
}

fn is_over(process: &OwnedFd) -> bool {
    is_over_by(process, Instant::now())
}

fn is_over_by(process: &OwnedFd, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit =
            Timespec { tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&limit)) {
            Err(Errno::INTR) => {}
            ready => return ready.is_ok_and(|ready| ready > 0),
        }
    }
}

/// Returns handles of the processes below `pid`, as far as they can be had.
fn descendants(pid: u32) -> Vec<OwnedFd> {
    let (mut found, mut open_pids) = (Vec::new(), vec![pid]);
    while let Some(pid) = open_pids.pop() {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for thread in threads {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace().filter_map(|word| word.parse().ok()) {
                let Ok(handle) = open(child) else { continue };
                // Seen again behind the handle, so that it is no other process of that number.
                let again = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
                if again.split_whitespace().any(|word| word.parse() == Ok(child)) {
                    found.push(handle);
                    open_pids.push(child);
                }
            }
        }
    }
    found
}
