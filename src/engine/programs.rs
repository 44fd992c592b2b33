//! The programs that the host's own Lua has started by `os.execute` and `io.popen`, and their end.

use std::fs;

use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

use super::mark::{self, HOST_MARK, MARK};

/// Kills what the jobfile or a plugin has started by itself and waits for now. What tasks have left behind is not touched.
/// What these programs have started themselves becomes the host's by their end, and is found by the next call.
pub(crate) fn kill_own_programs(run_id: &str) {
    let host = getpid().as_raw_nonzero();
    let children = fs::read_to_string(format!("/proc/{host}/task/{host}/children")).unwrap_or_default();
    let mark = format!("{MARK}={}", mark::of(run_id, HOST_MARK));
    for pid in children.split_whitespace().filter_map(|word| Pid::from_raw(word.parse().ok()?)) {
        // The mark is looked at behind the handle, so that a number that was given to another process does no harm.
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes()) {
            // It may have ended, which is what was wanted.
            let _ = pidfd_send_signal(&handle, Signal::KILL);
        }
    }
}
