//! A process between a test and the host, so that a test which ends its parent (`kill -9 $PPID`) ends itself and nobody
//! else.
//!
//! The process waits for the test and ends as it does, by the same exit code or the same signal. It is forked of the host
//! and runs no program of its own, which would cost as much as the test.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Puts a process between the host and the program that the command starts.
pub(super) fn shelter(command: &mut Command) {
    // SAFETY: what runs between fork and exec makes system calls only; it takes no lock and no memory.
    unsafe { command.pre_exec(step_between) };
}

/// Forks once more. The new process returns and becomes the program; the old one stays to wait for it.
fn step_between() -> io::Result<()> {
    let mut blocked = std::mem::MaybeUninit::uninit();
    let mut before = std::mem::MaybeUninit::uninit();
    // SAFETY: both sets are written before they are read. A signal to the process group is for the test: whoever waits for
    // it goes on waiting. SIGKILL cannot be blocked.
    unsafe {
        libc::sigfillset(blocked.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, blocked.as_ptr(), before.as_mut_ptr());
    }
    // SAFETY: the plain system call, as fork makes it, without what the C library does around it: this process is itself a
    // copy of one thread of the host, and only makes system calls.
    let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    match child {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            // SAFETY: `before` was written above.
            unsafe { libc::sigprocmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
            Ok(())
        }
        child => wait_for(child),
    }
}

/// Waits for the test and ends as it did.
fn wait_for(child: libc::c_long) -> ! {
    // SAFETY: system calls on numbers. The descriptors are closed because whoever reads their other ends waits for the test
    // alone, and the standard library for the start of the program.
    unsafe {
        libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0);
        // Should it end by the signal of a crash, its own memory is of no interest.
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
        libc::prctl(libc::PR_SET_NAME, c"rille-wait".as_ptr());
    }
    let mut status = 0;
    loop {
        // SAFETY: `status` outlives the call.
        let ended = unsafe { libc::syscall(libc::SYS_wait4, child, &raw mut status, 0, 0) };
        // SAFETY: the C library's own place for the number of the last error.
        if ended == child || (ended == -1 && unsafe { *libc::__errno_location() } != libc::EINTR) {
            break;
        }
    }
    if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status);
        // SAFETY: system calls on numbers and on a set that is written before it is read.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            let mut all = std::mem::MaybeUninit::uninit();
            libc::sigemptyset(all.as_mut_ptr());
            libc::kill(libc::getpid(), signal);
            libc::sigprocmask(libc::SIG_SETMASK, all.as_ptr(), std::ptr::null_mut());
        }
    }
    // SAFETY: ends the process without running what belongs to the host.
    unsafe { libc::_exit(if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 }) }
}
