//! What an owner does while its task lives: takes in the dead, heeds the host, and ends the tree when it is to end.
//!
//! This runs as a process of its own in the memory of the host; see [`super::owner`] for what it must not do.

use std::mem::offset_of;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::atomic::Ordering;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getpgid, getpid, getppid, kill_process, kill_process_group,
    set_child_subreaper, set_parent_process_death_signal, setpgid, waitid,
};
use rustix::time::{ClockId, clock_gettime};

use super::owner::{Words, ask, encoded, exit_of};
use crate::engine::cgroup;
use crate::engine::children::{OF_THIS_THREAD, ProcView};
use crate::engine::signals;

/// How long processes that do not die of SIGKILL (in an uninterruptible call, or of another user) are waited for, in seconds.
const UNKILLABLE_AFTER: i64 = 5;

/// How long is waited for the next to die before it is looked again, in nanoseconds.
const KILL_INTERVAL: i64 = 1_000_000;

/// What an owner has to know.
#[derive(Clone, Copy)]
pub(super) struct Duty {
    /// The process for which it works.
    pub(super) host: Pid,
    /// The number of the task.
    pub(super) number: u32,
    /// How `/proc` names processes.
    pub(super) view: ProcView,
    /// The descriptor from which it reads signals.
    pub(super) signals: RawFd,
    /// The descriptor to which it writes the number of its task when that has ended and has left something.
    pub(super) notices: RawFd,
    /// The descriptor by which the group of the task is ended, where it has one.
    pub(super) kill: Option<RawFd>,
}

/// Makes the new process an owner. Returns false if its host is gone already. `changed` are signals at which the host does
/// something else than the default; what the owner does its task inherits.
pub(super) fn prepare(duty: &Duty, changed: &[i32]) -> bool {
    // A signal to the group of the host, or of the task, is not for us.
    let _ = setpgid(None, None);
    let _ = set_child_subreaper(Some(getpid()));
    let _ = set_parent_process_death_signal(Some(Signal::USR1));
    for signal in changed {
        signals::set_default(*signal);
    }
    getppid() == Some(duty.host)
}

/// Makes the new process that of a task: a group of its own, and an end with its owner.
pub(super) fn prepare_task() -> Result<(), Errno> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    setpgid(None, None)
}

/// Looks after a task until nothing of it is left but its own process, which waits for the host to reap it.
pub(super) fn serve(duty: &Duty, task: Pid, words: &Words) {
    keep_only(duty);
    let mut watch = Watch { duty, task, words, exit_is_known: false, killing: None, end_is_told: false };
    loop {
        let living = watch.take_in_the_dead();
        // What the task has sent before it ended is here by now.
        let mut others_died = false;
        while let Some(came) = watch.next_signal(Some(0)) {
            others_died |= came.0 == libc::SIGCHLD;
            if watch.heed(came) {
                return watch.end_all();
            }
        }
        if others_died {
            continue;
        }
        if watch.exit_is_known && living == 0 {
            return;
        }
        watch.tell_of_end();
        if watch.next_signal(None).is_some_and(|came| watch.heed(came)) {
            return watch.end_all();
        }
    }
}

/// Closes what the host has open: whoever reads the other ends of its pipes waits for the task alone.
fn keep_only(duty: &Duty) {
    let mut kept = [duty.signals, duty.notices, duty.kill.unwrap_or(duty.notices)];
    kept.sort_unstable();
    let mut first = 0;
    // SAFETY: the descriptors are this process's own, and nothing here uses another one.
    unsafe {
        for kept in kept {
            if first < kept {
                libc::syscall(libc::SYS_close_range, first, kept - 1, 0);
            }
            first = kept + 1;
        }
        libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0);
    }
    let _ = rustix::thread::set_name(c"rille-wait");
}

/// A signal that came, and who sent it.
type Came = (i32, u32);

struct Watch<'a> {
    duty: &'a Duty,
    task: Pid,
    words: &'a Words,
    /// The task's process has ended, and the host can read how.
    exit_is_known: bool,
    /// Everything is being killed; the task's process had ended by itself before that.
    killing: Option<Left>,
    /// The host was told that the process has ended while something of it is left.
    end_is_told: bool,
}

/// What dies by being killed was left by the task, unless it died with the task's own group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    ByItsEnd,
    InOtherGroups,
}

impl Watch<'_> {
    /// Notes the end of the task's process, and reaps every other child that is dead; returns how many are not. The task's
    /// own process is left to the host: as long as it is not reaped its number is nobody else's, nor is that of its group.
    fn take_in_the_dead(&mut self) -> u32 {
        if !self.exit_is_known {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            if let Ok(Some(status)) = waitid(WaitId::Pid(self.task), options)
                && let Some(exit) = exit_of(&status)
            {
                self.exit_is_known = true;
                self.words.exit.store(encoded(exit), Ordering::Release);
            }
        }
        let mut living = 0;
        self.each_child(|child| {
            let group = getpgid(Some(child));
            match waitid(WaitId::Pid(child), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
                Ok(Some(status)) => {
                    let was_left = match self.killing {
                        None => false,
                        Some(Left::ByItsEnd) => true,
                        Some(Left::InOtherGroups) => group != Ok(self.task),
                    };
                    if was_left && status.terminating_signal() == Some(libc::SIGKILL) {
                        self.words.killed.fetch_add(1, Ordering::AcqRel);
                    }
                }
                Ok(None) | Err(_) => living += 1,
            }
        });
        living
    }

    /// Does what a signal asks for. Returns whether everything is to end now.
    fn heed(&self, (signal, sender): Came) -> bool {
        if signal == libc::SIGCHLD {
            return false;
        }
        let host = self.duty.host;
        let host_is_gone = getppid() != Some(host);
        let asks = self.words.asks.swap(0, Ordering::SeqCst);
        if asks & ask::STOP != 0 {
            self.pass(Signal::STOP);
        }
        if asks & ask::CONTINUE != 0 {
            self.pass(Signal::CONT);
        }
        // A call that was heeded together with the one before is no news.
        let is_stray = asks == 0 && sender != host.as_raw_nonzero().get().unsigned_abs();
        if is_stray && !host_is_gone && !self.end_is_told {
            self.words.ended_by.store(signal, Ordering::Release);
        }
        asks & ask::KILL != 0 || host_is_gone || is_stray
    }

    /// Tells the host that the task's process has ended while something of it is left.
    fn tell_of_end(&mut self) {
        if !self.exit_is_known || self.end_is_told {
            return;
        }
        // SAFETY: the descriptor was kept open for this.
        let notices = unsafe { BorrowedFd::borrow_raw(self.duty.notices) };
        match rustix::io::write(notices, &self.duty.number.to_ne_bytes()) {
            // Thousands are told at once; it is tried again.
            Err(Errno::AGAIN) => {
                let _ = self.next_signal(Some(KILL_INTERVAL));
            }
            _ => self.end_is_told = true,
        }
    }

    /// Waits for a signal, at most so many nanoseconds, and takes it.
    fn next_signal(&self, limit: Option<i64>) -> Option<Came> {
        // SAFETY: the descriptor was kept open for this.
        let signals = unsafe { BorrowedFd::borrow_raw(self.duty.signals) };
        let limit = limit.map(|nanos| Timespec { tv_sec: 0, tv_nsec: nanos });
        let mut polled = [PollFd::new(&signals, PollFlags::IN)];
        if !poll(&mut polled, limit.as_ref()).is_ok_and(|ready| ready > 0) {
            return None;
        }
        let mut info = [0_u8; size_of::<libc::signalfd_siginfo>()];
        if rustix::io::read(signals, &mut info) != Ok(info.len()) {
            return None;
        }
        let word = |at: usize| [info[at], info[at + 1], info[at + 2], info[at + 3]];
        let signal = i32::from_ne_bytes(word(offset_of!(libc::signalfd_siginfo, ssi_signo)));
        Some((signal, u32::from_ne_bytes(word(offset_of!(libc::signalfd_siginfo, ssi_pid)))))
    }

    /// Passes a signal to everything that is known of the task.
    fn pass(&self, signal: Signal) {
        let _ = kill_process_group(self.task, signal);
        self.each_child(|child| {
            let _ = reach(child, signal);
        });
    }

    /// Kills everything until nothing is left. What dies leaves its children to this process, so it is done again and again:
    /// whenever one has died, and every millisecond.
    fn end_all(&mut self) {
        self.killing = Some(if self.exit_is_known { Left::ByItsEnd } else { Left::InOtherGroups });
        let give_up_at = clock_gettime(ClockId::Monotonic).tv_sec + UNKILLABLE_AFTER;
        loop {
            if let Some(kill) = self.duty.kill {
                // SAFETY: the descriptor was kept open for this.
                cgroup::kill(unsafe { BorrowedFd::borrow_raw(kill) });
            }
            let _ = kill_process_group(self.task, Signal::KILL);
            self.each_child(|child| {
                let _ = reach(child, Signal::KILL);
            });
            let living = self.take_in_the_dead();
            if self.exit_is_known && living == 0 {
                return;
            }
            if clock_gettime(ClockId::Monotonic).tv_sec > give_up_at {
                self.words.unkillable.store(living + u32::from(!self.exit_is_known), Ordering::Release);
                return;
            }
            let _ = self.next_signal(Some(KILL_INTERVAL));
            self.tell_of_end();
        }
    }

    fn each_child(&self, mut tell: impl FnMut(Pid)) {
        // Without `/proc` nothing is known but the task's own group.
        let _ = self.duty.view.each_child(OF_THIS_THREAD, |pid| {
            if let Some(pid) = Pid::from_raw(pid).filter(|pid| *pid != self.task) {
                tell(pid);
            }
        });
    }
}

/// Sends a signal to a child, and to the group that it leads. It has not been reaped, so both numbers are its own.
fn reach(child: Pid, signal: Signal) -> Result<(), Errno> {
    if getpgid(Some(child)) == Ok(child) {
        let _ = kill_process_group(child, signal);
    }
    kill_process(child, signal)
}
