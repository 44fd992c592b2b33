//! The process above a task: it owns whatever the task starts, and lives until nothing of that is left.
//!
//! An owner is a subreaper. A descendant of the task that loses its parent becomes the owner's child, whatever session,
//! group or environment it has put on, so that a tree is never laid at another task's door. When the host dies, by whatever
//! hand, the kernel tells the owner, which ends its tree by itself. A task that ends its parent (`kill $PPID`) ends its
//! owner, and so itself and nobody else.
//!
//! A copy of the host's memory would cost more than many a task. So there is none: owner and task are made in the memory of
//! the host, as `vfork` does it, each on a stack of its own. The task leaves that memory when it becomes its program; the
//! owner stays there. It is a process and no thread, so a signal that ends it ends nobody else.
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
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpid, pidfd_send_signal, waitid};
use rustix::thread::futex;

use super::image::{Image, last_error};
use super::owner_process::{self, Duty};
use crate::engine::cgroup::{self, AttemptGroup, Ends, RunGroup};
use crate::engine::children::ProcView;
use crate::engine::signals;
use crate::model::Exit;

/// The sizes of the stacks, in bytes: a few frames that hold little are on them.
const OWNER_STACK: usize = 48 << 10;
const TASK_STACK: usize = 16 << 10;

/// How often it is looked whether the owner was killed before it made the task: nothing wakes the host then.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The signal by which the host, or its death, calls upon an owner.
pub(super) const CALL: i32 = libc::SIGUSR1;

/// What ends an owner, besides what cannot be blocked. A signal that would dump its memory, which is the host's, does not.
const LETHAL: [i32; 6] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, CALL, libc::SIGUSR2, libc::SIGALRM];

/// What owners are made with.
pub(super) struct Owners {
    /// Where an owner reads the signals that came to it.
    signals: OwnedFd,
    /// Where it says that its task has ended while something of it is left.
    notices: OwnedFd,
    /// How `/proc` names processes.
    view: ProcView,
    /// Signals at which this process does something else than a task is to do.
    changed: Vec<i32>,
    /// Where the groups of attempts are made.
    groups: Option<RunGroup>,
}

/// A task that has an owner.
pub(super) struct Owned {
    /// The process of the task, which leads its process group. It is reaped by [`Owned::reap`] and by nobody else.
    pub(super) pid: Pid,
    /// The owner.
    pub(super) owner: Pid,
    /// Readable when the owner has ended.
    pub(super) pidfd: OwnedFd,
    room: Handle,
    /// The group of its processes, where there are groups.
    group: Option<AttemptGroup>,
}

/// What a task and its owner share with the host. It is given back when the owner has left it.
struct Handle(NonNull<Room>);

// SAFETY: the room is behind this one pointer; what other processes do in it goes by atomics, or touches their stacks only.
unsafe impl Send for Handle {}

/// The memory that host, owner and task share.
#[repr(C, align(16))]
pub(super) struct Room {
    owner_stack: [MaybeUninit<u8>; OWNER_STACK],
    task_stack: [MaybeUninit<u8>; TASK_STACK],
    pub(super) words: Words,
}

/// What they tell each other.
pub(super) struct Words {
    /// [`HERE`] until the kernel has seen the owner leave.
    owner: AtomicU32,
    /// [`HERE`] until the kernel has seen the task leave: it has become its program, or could not.
    task: AtomicU32,
    /// The process of the task; 0 before it is there.
    pub(super) pid: AtomicI32,
    /// Why the program could not be started; 0 if it could.
    pub(super) error: AtomicI32,
    /// How the task's process ended, as [`encoded`].
    pub(super) exit: AtomicI32,
    /// The signal of somebody else that ended the owner; 0 for none.
    pub(super) ended_by: AtomicI32,
    /// What the host wants, as bits of [`ask`].
    pub(super) asks: AtomicU32,
    /// How many processes the task left that were killed.
    pub(super) killed: AtomicU32,
    /// How many that could not be killed.
    pub(super) unkillable: AtomicU32,
}

/// Bits of what the host may ask.
pub(super) mod ask {
    pub(in super::super) const KILL: u32 = 1;
    pub(in super::super) const STOP: u32 = 2;
    pub(in super::super) const CONTINUE: u32 = 4;
}

const HERE: u32 = 1;
const GONE: u32 = 0;

/// The exit of a process that has not ended.
const NO_EXIT: i32 = -1;

/// What tells an exit by a signal from an exit code.
const BY_SIGNAL: i32 = 1 << 16;

/// What the task is to become. It lives until the task has left the room.
struct Plan<'a> {
    room: NonNull<Room>,
    image: &'a Image,
    stdio: [RawFd; 3],
    /// Where it enters its group.
    entry: Option<RawFd>,
    changed: &'a [i32],
    duty: Duty,
}

impl Owners {
    /// Makes what owners need. Returns also where it is read that tasks have ended which left something: their numbers, four
    /// bytes each.
    pub(super) fn new(view: ProcView) -> io::Result<(Self, OwnedFd)> {
        let (heard, notices) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let signals = signals::descriptor(&[LETHAL.as_slice(), &[libc::SIGCHLD]].concat())?;
        Ok((Self { signals, notices, view, changed: signals::changed(), groups: RunGroup::make() }, heard))
    }

    /// Starts a program in a process group of its own, with these standard streams, below an owner of its own.
    pub(super) fn start(&mut self, number: u32, image: &Image, stdio: [BorrowedFd<'_>; 3]) -> io::Result<Owned> {
        let stdio = stdio.map(above_streams);
        let mut kept = Vec::with_capacity(3);
        for fd in stdio {
            kept.push(fd?);
        }
        let room = Handle::new();
        let (group, ends) = self.groups.as_mut().and_then(RunGroup::attempt).unzip();
        let (entry, kill) = ends.as_ref().map(Ends::raw).unzip();
        let duty = Duty {
            host: getpid(),
            number,
            view: self.view,
            signals: self.signals.as_raw_fd(),
            notices: self.notices.as_raw_fd(),
            kill,
        };
        let stdio = [kept[0].raw(), kept[1].raw(), kept[2].raw()];
        let plan = Plan { room: room.0, image, stdio, entry, changed: &self.changed, duty };
        let mut pidfd: RawFd = -1;
        let flags = libc::CLONE_VM | libc::CLONE_PIDFD | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD;
        let before = signals::block_all();
        // SAFETY: the stack belongs to the new process alone, and the room is freed only after that process has ended. The
        // plan outlives the task's stay in the room, which is waited for below, and the owner reads it only before.
        let made = unsafe {
            let room = room.0.as_ptr();
            let stack = (&raw mut (*room).owner_stack).cast::<u8>().add(OWNER_STACK).cast();
            let plan = (&raw const plan).cast_mut().cast();
            let nothing: *mut libc::c_void = ptr::null_mut();
            libc::clone(be_owner, stack, flags, plan, &raw mut pidfd, nothing, &raw mut (*room).words.owner)
        };
        let error = last_error();
        before.set_as_mask();
        let Some(owner) = Some(made).filter(|made| *made > 0).and_then(Pid::from_raw) else {
            room.words().owner.store(GONE, Ordering::Release);
            return Err(io::Error::from_raw_os_error(error));
        };
        // SAFETY: the kernel has just made the descriptor, for us alone.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        room.wait_for_start();
        let words = room.words();
        let error = match (words.error.load(Ordering::Acquire), Pid::from_raw(words.pid.load(Ordering::Acquire))) {
            (0, Some(pid)) => return Ok(Owned { pid, owner, pidfd, room, group }),
            (0, None) => io::Error::other("the process that was to start it was killed"),
            (error, _) => io::Error::from_raw_os_error(error),
        };
        // It ends at once; nobody else reaps it.
        while matches!(waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED), Err(Errno::INTR)) {}
        Err(error)
    }
}

impl Owned {
    /// Asks the owner for something.
    pub(super) fn ask(&self, what: u32) {
        self.room.words().asks.fetch_or(what, Ordering::SeqCst);
        // One that has ended need not heed it.
        let _ = pidfd_send_signal(&self.pidfd, Signal::USR1);
        self.wake();
    }

    /// Has an owner that was made to stand still go on.
    pub(super) fn wake(&self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::CONT);
    }

    /// Ends the group of its processes, where there is one.
    pub(super) fn kill_group(&self) {
        if let Some(group) = &self.group {
            group.kill();
        }
    }

    /// Returns how the task's process ended, once its owner knows.
    pub(super) fn exit(&self) -> Option<Exit> {
        decoded(self.room.words().exit.load(Ordering::Acquire))
    }

    /// Returns by which signal of somebody else the owner was ended.
    pub(super) fn ended_by(&self) -> Option<i32> {
        Some(self.room.words().ended_by.load(Ordering::Acquire)).filter(|signal| *signal != 0)
    }

    /// Returns how many processes the task left that were killed, and how many that could not be.
    pub(super) fn left(&self) -> (u32, u32) {
        let words = self.room.words();
        (words.killed.load(Ordering::Acquire), words.unkillable.load(Ordering::Acquire))
    }

    /// Reaps the owner if it has ended; returns the signal that ended it by itself, or `None` for an owner that has left in
    /// good order. The error is that it has not ended.
    pub(super) fn reap_owner(&self) -> Result<Option<i32>, Errno> {
        match waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
            Ok(Some(status)) => Ok(status.terminating_signal()),
            Ok(None) => Err(Errno::AGAIN),
            // Somebody else reaped it, which takes a bug or a debugger: its task is looked after as if it had been killed.
            Err(Errno::CHILD) => Ok(Some(libc::SIGKILL)),
            Err(error) => Err(error),
        }
    }

    /// Reaps the task's process, which has become the host's child by the end of its owner. Returns how it ended; `None` if
    /// it has not.
    pub(super) fn reap(&self) -> Option<Exit> {
        match waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
            Ok(status) => status.and_then(|status| exit_of(&status)),
            Err(_) => Some(UNKNOWN),
        }
    }
}

/// Of a process that somebody else has reaped: what it left by is not known, so it is not said to be good.
const UNKNOWN: Exit = Exit::Code(255);

/// Returns how a process ended, unless it only stands still.
pub(super) fn exit_of(status: &rustix::process::WaitIdStatus) -> Option<Exit> {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Some(Exit::Code(code)),
        (None, signal) => signal.map(Exit::Signal),
    }
}

/// Returns an exit as a number that fits into a word.
pub(super) const fn encoded(exit: Exit) -> i32 {
    match exit {
        Exit::Code(code) => code & (BY_SIGNAL - 1),
        Exit::Signal(signal) => BY_SIGNAL | signal,
    }
}

const fn decoded(word: i32) -> Option<Exit> {
    match word {
        NO_EXIT => None,
        word if word & BY_SIGNAL != 0 => Some(Exit::Signal(word & !BY_SIGNAL)),
        word => Some(Exit::Code(word)),
    }
}

impl Handle {
    fn new() -> Self {
        let room = Box::into_raw(Box::<Room>::new_uninit()).cast::<Room>();
        let words = Words {
            owner: AtomicU32::new(HERE),
            task: AtomicU32::new(HERE),
            pid: AtomicI32::new(0),
            error: AtomicI32::new(0),
            exit: AtomicI32::new(NO_EXIT),
            ended_by: AtomicI32::new(0),
            asks: AtomicU32::new(0),
            killed: AtomicU32::new(0),
            unkillable: AtomicU32::new(0),
        };
        // SAFETY: the memory was just made; stacks need no value, and the words get theirs.
        unsafe {
            (&raw mut (*room).words).write(words);
            Self(NonNull::new_unchecked(room))
        }
    }

    fn words(&self) -> &Words {
        words(self.0)
    }

    /// Waits until the task has left the room, or is known never to come into it.
    fn wait_for_start(&self) {
        let words = self.words();
        let interval = futex::Timespec { tv_sec: 0, tv_nsec: LOOK_INTERVAL.subsec_nanos().into() };
        while words.task.load(Ordering::Acquire) == HERE {
            if words.owner.load(Ordering::Acquire) == GONE && words.pid.load(Ordering::Acquire) == 0 {
                return;
            }
            // Whatever ends the wait, the words tell.
            let _ = futex::wait(&words.task, futex::Flags::empty(), HERE, Some(&interval));
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.words().owner.load(Ordering::Acquire) == GONE {
            // SAFETY: it was made as a box, and the last process beside this one has left it.
            drop(unsafe { Box::from_raw(self.0.as_ptr().cast::<MaybeUninit<Room>>()) });
        }
        // Else the host ends before its tasks do, and somebody still stands on these stacks.
    }
}

fn words<'a>(room: NonNull<Room>) -> &'a Words {
    // SAFETY: the room is there as long as its owner or the host's handle of it, which are the callers; the words have
    // values since it was made, and the stacks are not referred to.
    unsafe { &(*room.as_ptr()).words }
}

/// The owner: makes the task, and looks after it.
extern "C" fn be_owner(plan: *mut libc::c_void) -> libc::c_int {
    // SAFETY: the host waits with its plan until the task has left the room.
    let (room, duty, changed) = unsafe {
        let plan = &*plan.cast::<Plan<'_>>();
        (plan.room, plan.duty, plan.changed)
    };
    let words = words(room);
    if !owner_process::prepare(&duty, changed) {
        return 1;
    }
    let flags =
        libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PARENT_SETTID | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD;
    // SAFETY: as in `start`; this process stands still until the task has left the room.
    let made = unsafe {
        let stack = (&raw mut (*room.as_ptr()).task_stack).cast::<u8>().add(TASK_STACK).cast();
        let nothing: *mut libc::c_void = ptr::null_mut();
        libc::clone(be_task, stack, flags, plan, words.pid.as_ptr(), nothing, words.task.as_ptr())
    };
    if made == -1 {
        words.error.store(last_error(), Ordering::Release);
        words.task.store(GONE, Ordering::Release);
        let _ = futex::wake(&words.task, futex::Flags::empty(), 1);
        return 1;
    }
    let Some(task) = Pid::from_raw(made) else { return 1 };
    if words.error.load(Ordering::Acquire) != 0 {
        while matches!(waitid(WaitId::Pid(task), WaitIdOptions::EXITED), Err(Errno::INTR)) {}
        return 1;
    }
    owner_process::serve(&duty, task, words);
    0
}

/// The task, until it becomes its program.
extern "C" fn be_task(plan: *mut libc::c_void) -> libc::c_int {
    // SAFETY: as in `be_owner`.
    let plan = unsafe { &*plan.cast::<Plan<'_>>() };
    let failed = |error: i32| words(plan.room).error.store(error, Ordering::Release);
    if let Err(error) = owner_process::prepare_task() {
        failed(error.raw_os_error());
        return 127;
    }
    if let Some(entry) = plan.entry {
        // SAFETY: the host holds it open until the task has left the room. A task that does not come into its group is
        // its owner's all the same.
        let _ = cgroup::enter(unsafe { BorrowedFd::borrow_raw(entry) });
    }
    for (fd, stream) in plan.stdio.into_iter().zip(0..) {
        // SAFETY: the descriptors are open, and above those of the streams.
        if unsafe { libc::dup2(fd, stream) } == -1 {
            failed(last_error());
            return 127;
        }
    }
    signals::unblock_all();
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
