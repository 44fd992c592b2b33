//! By what it is seen that the files of a run have changed.
//!
//! A stamp is made of the numbers and change times of the files that a row is read from: a time that no program can set
//! back, not even one that copies times. Rille replaces files of a run by way of a temporary file in `.guild`, whose change
//! time tells it; Guild and editors write into files, each of which is therefore looked at.

use std::ffi::CString;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, Mode, OFlags};

/// Files below `.guild` that are written into, and are shown or filtered by.
const FILES: [&std::ffi::CStr; 11] = [
    c"opref",
    c"attrs",
    c"attrs/exit_status",
    c"attrs/started",
    c"attrs/stopped",
    c"attrs/label",
    c"attrs/tags",
    c"attrs/marked",
    c"attrs/comments",
    c"attrs/flags",
    c"attrs/sourcecode_digest",
];

/// How long a change time must be past to be trusted: a file system may count in steps as large as this, and a change
/// within the same step is not seen.
const SETTLED: Duration = Duration::from_secs(2);

/// The state of the files of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    bytes: Vec<u8>,
    newest: i64,
}

impl Stamp {
    /// Returns the stamp of the run in `path`, which has event files at `events`; `None` if it has no `.guild`.
    pub(super) fn of<P: AsRef<Path>>(path: &Path, events: &[P]) -> Option<Stamp> {
        let guild: OwnedFd =
            rustix::fs::open(path.join(".guild"), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
                .ok()?;
        let mut stamp = Stamp { bytes: Vec::with_capacity((FILES.len() + 1 + events.len()) * 24), newest: i64::MIN };
        stamp.add(guild.as_fd(), c"");
        for file in FILES {
            stamp.add(guild.as_fd(), file);
        }
        for file in events {
            let name = CString::new(path.join(file).as_os_str().as_bytes()).ok()?;
            stamp.add(guild.as_fd(), &name);
        }
        Some(stamp)
    }

    fn add(&mut self, folder: BorrowedFd<'_>, name: &std::ffi::CStr) {
        let flags = if name.is_empty() { AtFlags::EMPTY_PATH } else { AtFlags::empty() };
        let (number, changed, size) = match rustix::fs::statat(folder, name, flags) {
            Ok(stat) => {
                let changed = stat.st_ctime.saturating_mul(1_000_000_000).saturating_add_unsigned(stat.st_ctime_nsec);
                (stat.st_ino, changed, stat.st_size)
            }
            // What is not there, or cannot be seen, is one state as well.
            Err(_) => (0, 0, -1),
        };
        self.newest = self.newest.max(changed);
        self.bytes.extend(number.to_ne_bytes());
        self.bytes.extend(changed.to_ne_bytes());
        self.bytes.extend(size.to_ne_bytes());
    }

    /// Returns whether it is the state that was stored.
    pub(super) fn is_same(&self, stored: &[u8]) -> bool {
        self.bytes == stored
    }

    /// Returns it as it is, however new it is.
    #[cfg(test)]
    pub(super) fn bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Returns what is stored of it, `None` while a change may go unseen: one of its files has only just changed.
    pub(super) fn settled(self) -> Option<Vec<u8>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let trusted = i64::try_from(now.saturating_sub(SETTLED).as_nanos()).unwrap_or(i64::MAX);
        (self.newest < trusted).then_some(self.bytes)
    }
}

/// Returns whether the run has `.guild`, and is no file.
pub(super) fn has_metadata(path: &Path) -> bool {
    fs::metadata(path.join(".guild")).is_ok()
}
