//! The few signal calls for which there is no safe wrapper.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};

/// Asks the run to stop, pause or go on.
const REQUESTS: [i32; 6] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGTSTP, libc::SIGTTIN];

/// A set of signals that can be blocked and waited for.
pub(super) struct SignalSet(libc::sigset_t);

impl SignalSet {
    /// Makes a set of these signals, without those that the program was started to ignore (`nohup`, `&` in a script).
    pub(super) fn unless_ignored(signals: &[i32]) -> Self {
        let heeded: Vec<i32> = signals.iter().copied().filter(|signal| !is_ignored(*signal)).collect();
        Self::of(&heeded)
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

    /// Makes a set of all signals, or of none.
    fn full(is_full: bool) -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: either call makes a set of what it is given.
        unsafe {
            match is_full {
                true => libc::sigfillset(set.as_mut_ptr()),
                false => libc::sigemptyset(set.as_mut_ptr()),
            };
            Self(set.assume_init())
        }
    }

    /// Makes a set of these signals.
    fn of(signals: &[i32]) -> Self {
        let mut set = Self::full(false);
        for signal in signals {
            // SAFETY: the set has a value, and the number is a signal's.
            unsafe { libc::sigaddset(&raw mut set.0, *signal) };
        }
        set
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

/// Calls `handler` at a signal, which breaks off whatever the process waits for. The handler may do what is safe in one.
pub(crate) fn notice(signal: i32, handler: extern "C" fn(libc::c_int)) -> io::Result<()> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: an action of zeros is the default one without flags; the mask is made before it is used.
    let set = unsafe {
        let action = action.assume_init_mut();
        action.sa_sigaction = handler as libc::sighandler_t;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(signal, action, std::ptr::null_mut())
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes a pipe through which a signal handler can wake who waits; returns the end to read from, then the other.
pub(crate) fn wake_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?)
}

/// Stops this process until somebody continues it. The signal goes to this very thread: sent to the process it could stop
/// another thread first, and this one would run on for a moment as if it had been continued already.
pub(super) fn stop_here() {
    // SAFETY: raise takes any signal number.
    unsafe {
        libc::raise(libc::SIGSTOP);
    }
}

/// Blocks all signals in this thread, so that none finds a new process in the memory of this one; returns the mask as it
/// was. Takes no memory and no lock.
pub(super) fn block_all() -> SignalSet {
    SignalSet::full(true).block()
}

/// Lets all signals through. Takes no memory and no lock.
pub(super) fn unblock_all() {
    SignalSet::full(false).set_as_mask();
}

/// Makes a descriptor from which whoever has it reads the signals that came to himself. They have to be blocked.
pub(super) fn descriptor(signals: &[i32]) -> io::Result<OwnedFd> {
    let set = SignalSet::of(signals);
    // SAFETY: the pointer is to a set, and the descriptor that is made is nobody else's.
    unsafe {
        match libc::signalfd(-1, &raw const set.0, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

/// The last signal there is.
const LAST: i32 = 64;

/// Asks of somebody who had this program started in the background, or so that it goes on without a terminal: to be ignored
/// where that was inherited.
const HEEDED: [i32; 7] =
    [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];

/// Takes back what whoever started this process had it ignore or hold back, but for [`HEEDED`] and for SIGPIPE, which is
/// ignored on purpose: without the end of children, for one, nothing here would work. Called before there is a second thread.
///
/// Descriptors beside the standard streams are not handed on either: who waits for the end of one would wait for whatever a
/// task leaves behind.
pub(crate) fn begin_clean() {
    keep_descriptors();
    unblock_all();
    let kept = |signal: &i32| HEEDED.contains(signal) || *signal == libc::SIGPIPE;
    ignored().filter(|signal| !kept(signal)).for_each(set_default);
}

/// Has the programs that this process starts find the standard streams only.
fn keep_descriptors() {
    const FIRST: libc::c_uint = 3;
    // SAFETY: the call changes a flag of descriptors, and nothing about what they are open on.
    let done = unsafe {
        libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_uint)
    };
    if done == 0 {
        return;
    }
    // The kernel is older than that call.
    let listed = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    for fd in listed.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()).filter(|fd| *fd > 2) {
        // SAFETY: as above; one that is gone by now is an error that changes nothing.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Ignores that a file has become as long as files may be here: writing to it fails, which is heard.
pub(super) fn outlive_file_limit() {
    // SAFETY: to ignore a signal is no code of this process.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Returns the signals that this process ignores.
fn ignored() -> impl Iterator<Item = i32> {
    (1..=LAST).filter(|signal| action_of(*signal) == Some(libc::SIG_IGN))
}

/// Returns the signals at which something else than the default is done.
pub(super) fn changed() -> Vec<i32> {
    (1..=LAST).filter(|signal| action_of(*signal).is_some_and(|action| action != libc::SIG_DFL)).collect()
}

fn is_ignored(signal: i32) -> bool {
    signal != libc::SIGCHLD && action_of(signal) == Some(libc::SIG_IGN)
}

/// An action as the kernel has it, on every architecture the handler first. All zero is the default.
type KernelAction = [usize; 4];

/// Returns what is done at a signal; `None` for a number that is none. The kernel is asked, since the C library hides two
/// signals that it uses itself, and they too are inherited.
fn action_of(signal: i32) -> Option<libc::sighandler_t> {
    let mut action: KernelAction = [0; 4];
    let nothing = std::ptr::null::<KernelAction>();
    // SAFETY: no new action is given, so the call only fills in the old one, which has room.
    let asked = unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, nothing, &raw mut action, size_of::<u64>()) };
    (asked == 0).then_some(action[0])
}

/// Has the default be done at a signal. Takes no memory and no lock.
pub(super) fn set_default(signal: i32) {
    let action: KernelAction = [0; 4];
    let nothing = std::ptr::null_mut::<KernelAction>();
    // SAFETY: the default action is no code of this process.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, &raw const action, nothing, size_of::<u64>()) };
}
