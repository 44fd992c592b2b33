//! A process between a test and the host, so that a test which ends its parent (`kill $PPID`, by whatever signal) ends
//! itself and nobody else.
//!
//! A copy of the host's memory would cost more than the test, twice even, since the shelter itself runs no program. So
//! there is no copy: shelter and test are made in the memory of the host, as `vfork` does it, each on a stack of its own.
//! The test leaves that memory when it becomes its program; the shelter stays there, and waits. It is a process and no
//! thread, so a signal that ends it ends nobody else.
//!
//! What runs here beside the host must take no memory and no lock, and must not touch what belongs to a thread (the number
//! of the last error) once the host goes on.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, pidfd_send_signal, setpgid, waitid};
use rustix::thread::futex;

use super::image::{Image, last_error};

/// The size of a stack, in bytes; a few frames that hold little are on it.
const STACK: usize = 16 << 10;

/// What ends a shelter, besides what cannot be blocked. A signal that would dump its memory, which is the host's, does not.
const LETHAL: [i32; 6] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2, libc::SIGALRM];

/// How often it is looked whether the shelter was killed before it made the test: nothing wakes the host then.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A test that has started.
pub(super) struct Sheltered {
    /// The test, which leads its process group.
    pub(super) pid: i32,
    /// The process between, which ends after the test, or by what was meant for the host.
    pub(super) pidfd: OwnedFd,
    /// To be kept until that process was reaped.
    pub(super) shelter: Shelter,
}

/// The memory of a shelter.
pub(super) struct Shelter(NonNull<Room>);

// SAFETY: the room is behind this one pointer; what other processes do in it goes by atomics, or touches their stacks only.
unsafe impl Send for Shelter {}

/// What host, shelter and test share.
#[repr(C, align(16))]
struct Room {
    shelter_stack: [MaybeUninit<u8>; STACK],
    test_stack: [MaybeUninit<u8>; STACK],
    /// [`HERE`] until the kernel has seen the shelter leave.
    shelter: AtomicU32,
    /// [`HERE`] until the kernel has seen the test leave: it has become its program, or could not.
    test: AtomicU32,
    /// The process of the test; 0 before it is there.
    pid: AtomicI32,
    /// Why the program could not be started; 0 if it could.
    error: AtomicI32,
}

const HERE: u32 = 1;
const GONE: u32 = 0;

/// What the test is to become. It lives until the test has left the room.
struct Plan<'a> {
    room: NonNull<Room>,
    image: &'a Image,
    stdio: [RawFd; 3],
}

/// Starts a program in a process group of its own, with these standard streams, below a shelter.
pub(super) fn spawn(image: &Image, stdio: [BorrowedFd<'_>; 3]) -> io::Result<Sheltered> {
    let stdio = stdio.map(above_streams);
    let mut kept = Vec::new();
    for fd in stdio {
        kept.push(fd?);
    }
    let room = Shelter::new();
    let plan = Plan { room: room.0, image, stdio: [kept[0].raw(), kept[1].raw(), kept[2].raw()] };
    let mut pidfd: RawFd = -1;
    let flags = libc::CLONE_VM | libc::CLONE_PIDFD | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD;
    let before = block_all_signals();
    // SAFETY: the stack belongs to the new process alone, and the room is freed only after that process has ended. The
    // plan outlives the test's stay in the room, which is waited for below, and the shelter reads it only before.
    let made = unsafe {
        let room = room.0.as_ptr();
        let stack = (&raw mut (*room).shelter_stack).cast::<u8>().add(STACK).cast();
        let plan = (&raw const plan).cast_mut().cast();
        let nothing: *mut libc::c_void = ptr::null_mut();
        libc::clone(be_shelter, stack, flags, plan, &raw mut pidfd, nothing, &raw mut (*room).shelter)
    };
    let error = last_error();
    set_mask(&before);
    if made == -1 {
        room.words().shelter.store(GONE, Ordering::Release);
        return Err(io::Error::from_raw_os_error(error));
    }
    // SAFETY: the kernel has just made the descriptor, for us alone.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    room.wait_for_start();
    let error = match (room.words().error.load(Ordering::Acquire), room.words().pid.load(Ordering::Acquire)) {
        (0, pid) if pid > 0 => return Ok(Sheltered { pid, pidfd, shelter: room }),
        (0, _) => io::Error::other("the process that was to start it was killed"),
        (error, _) => io::Error::from_raw_os_error(error),
    };
    // It ends at once; nobody else reaps it.
    while matches!(waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED), Err(Errno::INTR)) {}
    Err(error)
}

impl Shelter {
    fn new() -> Self {
        let room = Box::into_raw(Box::<Room>::new_uninit()).cast::<Room>();
        // SAFETY: the memory was just made; stacks need no value, and the words get theirs.
        unsafe {
            (&raw mut (*room).shelter).write(AtomicU32::new(HERE));
            (&raw mut (*room).test).write(AtomicU32::new(HERE));
            (&raw mut (*room).pid).write(AtomicI32::new(0));
            (&raw mut (*room).error).write(AtomicI32::new(0));
            Self(NonNull::new_unchecked(room))
        }
    }

    fn words(&self) -> Words<'_> {
        words(self.0)
    }

    /// Waits until the test has left the room, or is known never to come into it.
    fn wait_for_start(&self) {
        let words = self.words();
        let interval = futex::Timespec { tv_sec: 0, tv_nsec: LOOK_INTERVAL.subsec_nanos().into() };
        while words.test.load(Ordering::Acquire) == HERE {
            if words.shelter.load(Ordering::Acquire) == GONE && words.pid.load(Ordering::Acquire) == 0 {
                return;
            }
            // Whatever ends the wait, the words tell.
            let _ = futex::wait(words.test, futex::Flags::empty(), HERE, Some(&interval));
        }
    }

    /// Has a shelter that was made to stand still go on.
    pub(super) fn resume(pidfd: &OwnedFd) {
        // One that has ended need not.
        let _ = pidfd_send_signal(pidfd, Signal::CONT);
    }
}

impl Drop for Shelter {
    fn drop(&mut self) {
        if self.words().shelter.load(Ordering::Acquire) == GONE {
            // SAFETY: it was made as a box, and the last process beside this one has left it.
            drop(unsafe { Box::from_raw(self.0.as_ptr().cast::<MaybeUninit<Room>>()) });
        }
        // Else the host ends before its tests do, and somebody still stands on these stacks.
    }
}

/// The part of a room that is not a stack.
struct Words<'a> {
    shelter: &'a AtomicU32,
    test: &'a AtomicU32,
    pid: &'a AtomicI32,
    error: &'a AtomicI32,
}

fn words<'a>(room: NonNull<Room>) -> Words<'a> {
    let room = room.as_ptr();
    // SAFETY: the room is there as long as its shelter or the host's handle of it, which are the callers; the words have
    // values since it was made, and the stacks are not referred to.
    unsafe { Words { shelter: &(*room).shelter, test: &(*room).test, pid: &(*room).pid, error: &(*room).error } }
}

/// The shelter: makes the test, waits for its end, and leaves it to be reaped by the host.
extern "C" fn be_shelter(plan: *mut libc::c_void) -> libc::c_int {
    // SAFETY: the host waits with its plan until the test has left the room.
    let room = unsafe { (*plan.cast::<Plan<'_>>()).room };
    let words = words(room);
    // A signal to the group of the host, or of the test, is not for us.
    let _ = setpgid(None, None);
    forget_handlers();
    let flags =
        libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PARENT_SETTID | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD;
    // SAFETY: as in `spawn`; this process stands still until the test has left the room.
    let made = unsafe {
        let stack = (&raw mut (*room.as_ptr()).test_stack).cast::<u8>().add(STACK).cast();
        let nothing: *mut libc::c_void = ptr::null_mut();
        libc::clone(be_test, stack, flags, plan, words.pid.as_ptr(), nothing, words.test.as_ptr())
    };
    if made == -1 {
        words.error.store(last_error(), Ordering::Release);
        words.test.store(GONE, Ordering::Release);
        let _ = futex::wake(words.test, futex::Flags::empty(), 1);
        return 1;
    }
    // Whoever reads the other ends of its pipes waits for the test alone.
    // SAFETY: the descriptors are this process's own, and nothing here uses one.
    unsafe {
        libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0);
        libc::prctl(libc::PR_SET_NAME, c"rille-wait".as_ptr());
    }
    let (Some(test), is_started) = (Pid::from_raw(made), words.error.load(Ordering::Acquire) == 0) else { return 1 };
    if is_started {
        let lethal = signal_set(&LETHAL);
        // SAFETY: the pointer is to a set.
        unsafe { libc::sigprocmask(libc::SIG_UNBLOCK, &raw const lethal, ptr::null_mut()) };
    }
    let mut options = WaitIdOptions::EXITED;
    // The host takes the status of what has become a program, and until then nobody else gets its number.
    options.set(WaitIdOptions::NOWAIT, is_started);
    while matches!(waitid(WaitId::Pid(test), options), Err(Errno::INTR)) {}
    0
}

/// The test, until it becomes its program.
extern "C" fn be_test(plan: *mut libc::c_void) -> libc::c_int {
    // SAFETY: as in `be_shelter`.
    let plan = unsafe { &*plan.cast::<Plan<'_>>() };
    let failed = |error: i32| words(plan.room).error.store(error, Ordering::Release);
    if let Err(error) = setpgid(None, None) {
        failed(error.raw_os_error());
        return 127;
    }
    for (fd, stream) in plan.stdio.into_iter().zip(0..) {
        // SAFETY: the descriptors are open, and above those of the streams.
        if unsafe { libc::dup2(fd, stream) } == -1 {
            failed(last_error());
            return 127;
        }
    }
    // SAFETY: the default action is one for every signal; the program is to find it as any other does.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    set_mask(&signal_set(&[]));
    failed(plan.image.become_it());
    127
}

/// A descriptor that is none of the standard streams', or it could be overwritten before it is used.
enum Above<'a> {
    Same(BorrowedFd<'a>),
    Copy(OwnedFd),
}

impl Above<'_> {
    fn raw(&self) -> RawFd {
        match self {
            Self::Same(fd) => fd.as_raw_fd(),
            Self::Copy(fd) => fd.as_raw_fd(),
        }
    }
}

fn above_streams(fd: BorrowedFd<'_>) -> io::Result<Above<'_>> {
    match fd.as_raw_fd() > 2 {
        true => Ok(Above::Same(fd)),
        false => Ok(Above::Copy(rustix::io::fcntl_dupfd_cloexec(fd, 3)?)),
    }
}

/// Takes back what the host does at signals: it would be done in the host's memory. What is ignored stays so.
fn forget_handlers() {
    for signal in 1..32 {
        let mut action = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: the call only fills in the action, which is read only when it succeeded.
        let has_handler = unsafe {
            libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) == 0
                && ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.assume_init().sa_sigaction)
        };
        if has_handler {
            // SAFETY: there is a handler, so the signal takes actions.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
}

fn signal_set(signals: &[i32]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset makes a set of what it is given, and the signals are valid.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

/// Blocks all signals in this thread, so that none finds a new process in the memory of this one; returns the mask as it
/// was.
fn block_all_signals() -> libc::sigset_t {
    let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: both sets are written before they are read.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        before.assume_init()
    }
}

fn set_mask(mask: &libc::sigset_t) {
    // SAFETY: the pointer is to a set.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, ptr::from_ref(mask), ptr::null_mut()) };
}
