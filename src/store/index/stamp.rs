//! By what it is seen that the files of a run have changed.
//!
//! A stamp is made of the numbers and change times of the files that a row is read from: a time that no program can set
//! back, not even one that copies times. Rille replaces files of a run by way of a temporary file in `.guild`, whose change
//! time tells it; Guild and editors write into files, each of which is therefore looked at.

use std::ffi::{CStr, CString};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, Mode, OFlags};

/// Files below `.guild` that are written into, and are shown or filtered by.
const FILES: [&CStr; 12] = [
    c"opref",
    c"events.jsonl",
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

/// Bytes of the state of one file.
const LENGTH: usize = 24;

/// The state of a file: its number, when it was changed, and its size.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State(u64, i64, i64);

impl State {
    /// What is not there, or cannot be seen, is one state as well.
    const ABSENT: State = State(0, 0, -1);

    fn of(folder: BorrowedFd<'_>, name: &CStr) -> State {
        let flags = if name.is_empty() { AtFlags::EMPTY_PATH } else { AtFlags::empty() };
        rustix::fs::statat(folder, name, flags).map_or(State::ABSENT, |stat| {
            let changed = stat.st_ctime.saturating_mul(1_000_000_000).saturating_add_unsigned(stat.st_ctime_nsec);
            State(stat.st_ino, changed, stat.st_size)
        })
    }

    fn bytes(self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(&self.0.to_ne_bytes());
        bytes[8..16].copy_from_slice(&self.1.to_ne_bytes());
        bytes[16..].copy_from_slice(&self.2.to_ne_bytes());
        bytes
    }
}

fn open(path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path.join(".guild"), flags, Mode::empty()).ok()
}

fn event_file<P: AsRef<Path>>(path: &Path, file: P) -> Option<CString> {
    CString::new(path.join(file).as_os_str().as_bytes()).ok()
}

/// Returns whether the files of the run in `path`, with event files at `events` (a line each), are as they were when
/// `stored` was made of them.
pub(super) fn is_same(path: &Path, events: &str, stored: &[u8]) -> bool {
    let (states, rest) = stored.as_chunks::<LENGTH>();
    let events = || events.lines();
    if !rest.is_empty() || states.len() != 1 + FILES.len() + events().count() {
        return false;
    }
    let Some(guild) = open(path) else { return false };
    let (own, others) = states.split_at(1 + FILES.len());
    // The folders stand before what is in them: where one has not changed, what was not there is not there now.
    let is_same = |(name, state): (&CStr, &[u8; LENGTH])| {
        *state == State::ABSENT.bytes() || *state == State::of(guild.as_fd(), name).bytes()
    };
    std::iter::once(c"").chain(FILES).zip(own).all(is_same)
        && events().zip(others).all(|(file, state)| {
            event_file(path, file).is_some_and(|name| *state == State::of(guild.as_fd(), &name).bytes())
        })
}

impl Stamp {
    /// Returns the stamp of the run in `path`, which has event files at `events`; `None` if it has no `.guild`.
    pub(super) fn of<P: AsRef<Path>>(path: &Path, events: &[P]) -> Option<Stamp> {
        let guild = open(path)?;
        let mut stamp =
            Stamp { bytes: Vec::with_capacity((FILES.len() + 1 + events.len()) * LENGTH), newest: i64::MIN };
        stamp.add(guild.as_fd(), c"");
        for file in FILES {
            stamp.add(guild.as_fd(), file);
        }
        for file in events {
            stamp.add(guild.as_fd(), &event_file(path, file)?);
        }
        Some(stamp)
    }

    fn add(&mut self, folder: BorrowedFd<'_>, name: &CStr) {
        let state = State::of(folder, name);
        // A link to what is not there, and a folder that may not be looked into: either may change unseen.
        let is_unsure = state == State::ABSENT
            && rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).err() != Some(rustix::io::Errno::NOENT);
        self.newest = self.newest.max(if is_unsure { i64::MAX } else { state.1 });
        self.bytes.extend(state.bytes());
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
