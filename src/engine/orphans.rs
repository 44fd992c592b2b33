//! Processes of runs that have ended: none is left by the engine itself, but its own processes may be killed together, or the
//! machine may have taken away what they need.
//!
//! They are found by their mark, which every process of a task has in its environment unless it has taken that off.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

use super::mark::MARK;
use super::surroundings::variable;
use crate::model::TaskNumber;
use crate::store::{Worker, worker};

/// A process of a run on which nobody works.
#[derive(Debug)]
pub(crate) struct Orphan {
    handle: OwnedFd,
    /// The process.
    pub(crate) pid: i32,
    /// The id of its run.
    pub(crate) run: String,
    /// The number of its task; 0 for what the jobfile itself started.
    pub(crate) task: TaskNumber,
    /// The id of its task, if it is told.
    pub(crate) task_id: Option<String>,
    /// Its command line.
    pub(crate) command: Vec<String>,
}

/// Looks for processes of runs on which nobody works. `runs` is the folder in which a run is looked for whose process does
/// not tell its directory.
pub(crate) fn orphans(runs: &Path) -> io::Result<Vec<Orphan>> {
    let own = getpid().as_raw_nonzero().get();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let pid = entry.ok().and_then(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let Some(pid) = pid.filter(|pid| *pid != own) else { continue };
        found.extend(look_at(pid, runs));
    }
    found.sort_by(|a, b| (&a.run, a.task, a.pid).cmp(&(&b.run, b.task, b.pid)));
    Ok(found)
}

fn look_at(pid: i32, runs: &Path) -> Option<Orphan> {
    // By the handle it is this process and no other, whatever becomes of its number.
    let handle = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let value = |name: &str| {
        let mut entries = environment.split(|byte| *byte == 0);
        entries.find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
    };
    let (run, task) = read_mark(value(MARK)?)?;
    let directory = match value(variable::RUN_DIR) {
        Some(path) => PathBuf::from(OsStr::from_bytes(path)),
        None => runs.join(&run),
    };
    // What runs elsewhere cannot be judged here.
    if worker(&directory) != Worker::Nobody {
        return None;
    }
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = command.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    let command = words.map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let task_id = value(variable::TASK_ID).map(|id| String::from_utf8_lossy(id).into_owned());
    (!has_ended(&handle)).then_some(Orphan { handle, pid, run, task, task_id, command })
}

/// Reads a mark; `None` for what is none.
fn read_mark(mark: &[u8]) -> Option<(String, TaskNumber)> {
    let (run, task) = std::str::from_utf8(mark).ok()?.rsplit_once(':')?;
    let is_id = !run.is_empty() && run.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    Some((run.to_owned(), task.parse().ok().filter(|_| is_id)?))
}

fn has_ended(handle: &OwnedFd) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&now)).is_ok_and(|ready| ready > 0)
}

impl Orphan {
    /// Kills it, and waits a moment for its end. Returns whether it is gone.
    pub(crate) fn kill(&self) -> io::Result<bool> {
        match pidfd_send_signal(&self.handle, Signal::KILL) {
            Ok(()) => {}
            Err(Errno::SRCH) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
        let patience = Timespec { tv_sec: 5, tv_nsec: 0 };
        Ok(poll(&mut [PollFd::new(&self.handle, PollFlags::IN)], Some(&patience))? > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::read_mark;

    #[test]
    fn a_mark_names_a_run_and_a_task_and_anything_else_is_none() {
        assert_eq!(read_mark(b"0123abcd:7"), Some(("0123abcd".to_owned(), 7)));
        assert_eq!(read_mark(b"my-run.1:0"), Some(("my-run.1".to_owned(), 0)));
        for wrong in [&b""[..], b":", b"a:", b":1", b"a:b", b"../x:1", b"a/b:1", b"\xff:1", b"a:-1", b"a:1:"] {
            assert_eq!(read_mark(wrong), None, "{}", String::from_utf8_lossy(wrong));
        }
    }
}
