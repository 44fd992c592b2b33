//! The end of a task process whose script has ended: files are flushed, finalisers get a moment, and it leaves.
//!
//! Nothing that the script has left open can hold it: neither a program that it reads from, nor a thread, nor a finaliser
//! that does not end.

use std::io::{self, Write};
use std::sync::atomic::{AtomicI32, Ordering};

use crate::engine;

/// How many seconds finalisers have.
const PATIENCE: u32 = 1;

/// The exit code with which the process leaves. A signal handler has no other way to it.
static CODE: AtomicI32 = AtomicI32::new(0);

/// Leaves with this exit code, after `last` or one second later.
pub(crate) fn leave(code: i32, last: impl FnOnce()) -> ! {
    CODE.store(code, Ordering::SeqCst);
    // Without the alarm finalisers would have all the time they want.
    let is_timed = engine::notice(libc::SIGALRM, on_alarm).is_ok();
    // SAFETY: the calls take no pointers but one that says "all files".
    unsafe {
        libc::alarm(PATIENCE);
        libc::fflush(std::ptr::null_mut());
    }
    if is_timed {
        last();
    }
    let _ = io::stdout().flush();
    // SAFETY: as above; nothing of this process runs any more.
    unsafe {
        libc::fflush(std::ptr::null_mut());
        libc::_exit(code)
    }
}

extern "C" fn on_alarm(_: libc::c_int) {
    // SAFETY: _exit may be called in a signal handler.
    unsafe { libc::_exit(CODE.load(Ordering::SeqCst)) }
}
