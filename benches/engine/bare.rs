//! The measure of all figures: processes started by `posix_spawn` and waited for, with nothing else around them.

use std::ffi::CStr;
use std::io;
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

unsafe extern "C" {
    static environ: *const *mut libc::c_char;
}

/// The program that is started.
const PROGRAM: &CStr = c"/bin/true";

/// Starts [`PROGRAM`] and waits for it, `count` times one after the other; returns the wall time.
pub(crate) fn one_by_one(count: u32) -> io::Result<Duration> {
    let started = Instant::now();
    for _ in 0..count {
        spawn_and_wait()?;
    }
    Ok(started.elapsed())
}

/// The same on two threads at once, each with its half of them.
pub(crate) fn on_two_threads(count: u32) -> io::Result<Duration> {
    let started = Instant::now();
    thread::scope(|scope| {
        let other = scope.spawn(|| one_by_one(count / 2));
        one_by_one(count - count / 2)?;
        other.join().map_err(|_| io::Error::other("a spawning thread panicked"))?
    })?;
    Ok(started.elapsed())
}

fn spawn_and_wait() -> io::Result<()> {
    let argv = [PROGRAM.as_ptr().cast_mut(), ptr::null_mut()];
    let mut pid = 0;
    // SAFETY: path and arguments are NUL-terminated, their list and the environment end with a null pointer, and no
    // thread of this program changes the environment.
    let error =
        unsafe { libc::posix_spawn(&raw mut pid, PROGRAM.as_ptr(), ptr::null(), ptr::null(), argv.as_ptr(), environ) };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    let mut status = 0;
    // SAFETY: the child is this thread's own and has not been reaped; `status` outlives the call.
    match unsafe { libc::waitpid(pid, &raw mut status, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ if status == 0 => Ok(()),
        _ => Err(io::Error::other("/bin/true failed")),
    }
}
