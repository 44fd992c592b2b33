//! The few signal calls for which there is no safe wrapper.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};

/// Asks the run to stop, pause or go on.
const REQUESTS: [i32; 6] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGTSTP, libc::SIGTTIN];

/// A set of signals that can be blocked and waited for.
pub(super) struct SignalSet(libc::sigset_t);

impl SignalSet {
    /// Makes a set of these signals, without those that the program was started to ignore (`nohup`, `&` in a script).
    pub(super) fn unless_ignored(signals: &[i32]) -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the set it is given, and sigaddset takes only valid signal numbers.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in signals.iter().filter(|signal| !is_ignored(**signal)) {
                libc::sigaddset(set.as_mut_ptr(), *signal);
            }
            Self(set.assume_init())
        }
    }

    /// Blocks the set in this thread, and returns the mask as it was.
    pub(super) fn block(&self) -> Self {
        let mut old = MaybeUninit::uninit();
        // SAFETY: both pointers are to sets; the call fails only for an unknown `how`, and initialises the old mask.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const self.0, old.as_mut_ptr());
            Self(old.assume_init())
        }
    }

    /// Lets the set through again in this thread.
    pub(super) fn unblock(&self) {
        // SAFETY: the pointer is to a set, and no old mask is asked for.
        unsafe {
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const self.0, std::ptr::null_mut());
        }
    }

    /// Makes this set the mask of this thread.
    pub(super) fn set_as_mask(&self) {
        // SAFETY: the pointer is to a set, and no old mask is asked for.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut());
        }
    }

    /// Waits for one of the set, which must be blocked, and takes it.
    pub(super) fn wait(&self) -> i32 {
        loop {
            // SAFETY: the pointer is to a set, and no details are asked for.
            let signal = unsafe { libc::sigwaitinfo(&raw const self.0, std::ptr::null_mut()) };
            if signal > 0 {
                return signal;
            }
        }
    }

    /// Waits for one of the set, which must be blocked, and takes it; at most so long, if a time is given.
    pub(super) fn wait_for(&self, limit: Option<Duration>) -> Option<i32> {
        let Some(limit) = limit else { return Some(self.wait()) };
        let time = libc::timespec {
            tv_sec: limit.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        };
        // SAFETY: both pointers are valid, and no details are asked for.
        let signal = unsafe { libc::sigtimedwait(&raw const self.0, std::ptr::null_mut(), &raw const time) };
        (signal > 0).then_some(signal)
    }
}

/// Returns the signals of the guardian: all requests, that it may go on, that a child has ended, and writing to the
/// terminal from the background, which is allowed while it is blocked.
pub(super) fn for_guardian() -> SignalSet {
    let more = [libc::SIGCONT, libc::SIGCHLD, libc::SIGTTOU];
    SignalSet::unless_ignored(&[REQUESTS.as_slice(), &more].concat())
}

/// Returns the one signal that the host's threads block which write to the terminal: they do so from a background group.
pub(super) fn for_host() -> SignalSet {
    SignalSet::unless_ignored(&[libc::SIGTTOU])
}

/// Turns what asks the run to stop, pause or go on into bytes in a pipe; see [`into_pipe`].
pub(super) fn requests_into_pipe() -> io::Result<OwnedFd> {
    into_pipe(&REQUESTS)
}

/// Turns signals into bytes in a pipe, each the number of a signal; returns the end to read from.
pub(super) fn into_pipe(wanted: &[i32]) -> io::Result<OwnedFd> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    // The handlers need the writing end as long as the process lives.
    let writer: &'static OwnedFd = Box::leak(Box::new(writer));
    for signal in wanted.iter().copied().filter(|signal| !is_ignored(*signal)) {
        let number = u8::try_from(signal).unwrap_or_default();
        let action = move || {
            // SAFETY: the descriptor is never closed, the buffer is one byte long, and write is async-signal-safe. A full
            // pipe loses the signal, but then there are thousands before it.
            unsafe {
                libc::write(writer.as_raw_fd(), std::ptr::from_ref(&number).cast(), 1);
            }
        };
        // SAFETY: the action does nothing but an async-signal-safe write that ignores its outcome.
        unsafe { signal_hook::low_level::register(signal, action)? };
    }
    Ok(reader)
}

/// Stops this process until somebody continues it. The signal goes to this very thread: sent to the process it could stop
/// another thread first, and this one would run on for a moment as if it had been continued already.
pub(super) fn stop_here() {
    // SAFETY: raise takes any signal number.
    unsafe {
        libc::raise(libc::SIGSTOP);
    }
}

fn is_ignored(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: no new action is given, so the call only fills in the old one; it is read only when the call succeeded.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
            && signal != libc::SIGCHLD
    }
}
