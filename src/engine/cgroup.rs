//! Groups of processes as the kernel keeps them (cgroup v2), where this process's place among them was delegated to it.
//!
//! A process stays in the group in which it was started, whoever its parent is by then, and the kernel ends a whole group at
//! once, however fast it forks. Owners do their work without groups; where there are some, an end comes sooner, and no
//! process can get out of reach in the moment between two looks. A run has a group, and each attempt has one below it.
//!
//! Nothing is made where somebody else rules: the manager of a system marks what it leaves to others.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, getxattr, open, statfs};
use rustix::process::{Pid, getpid, getuid};

/// Where the tree of groups is mounted: alone, or beside the older ones.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// What `statfs` says of such a tree (`CGROUP2_SUPER_MAGIC`).
const MAGIC: u64 = 0x6367_7270;

/// How systemd marks a group below which others may make groups.
const MARKS: [&str; 2] = ["trusted.delegate", "user.delegate"];

/// How the group of a run is named; the number of the host follows.
const PREFIX: &str = "rille-";

/// The file by which a group is ended.
const KILL: &str = "cgroup.kill";

/// How long it is tried to remove groups whose processes have been killed.
const REMOVED_AFTER: Duration = Duration::from_secs(1);

/// The group of a run. It is removed when it is dropped, and by the guardian if the host is killed.
pub(super) struct RunGroup {
    path: PathBuf,
    /// Locked as long as the host lives: nobody sweeps it meanwhile.
    _held: OwnedFd,
    next: u64,
}

/// The group of an attempt, which is removed when this is dropped.
pub(super) struct AttemptGroup(PathBuf);

/// How an attempt and its owner reach their group.
pub(super) struct Ends {
    /// Who writes "0" here is in the group from then on.
    entry: OwnedFd,
    /// Who writes "1" here ends all that are in it.
    kill: OwnedFd,
}

impl RunGroup {
    /// Makes a group for the run of this process; `None` where that is not given to it.
    pub(super) fn make() -> Option<Self> {
        let place = delegated(&fs::read_to_string("/proc/self/cgroup").ok()?)?;
        sweep(&place);
        let path = place.join(name_of(getpid()));
        fs::create_dir(&path).ok()?;
        let group = open(&path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .and_then(|held| flock(&held, FlockOperation::LockShared).map(|()| held))
            .map(|held| Self { path: path.clone(), _held: held, next: 0 });
        if group.is_err() {
            let _ = fs::remove_dir(&path);
        }
        group.ok()
    }

    /// Makes a group for an attempt; `None` where there can be no more.
    pub(super) fn attempt(&mut self) -> Option<(AttemptGroup, Ends)> {
        self.next += 1;
        let path = self.path.join(self.next.to_string());
        fs::create_dir(&path).ok()?;
        let group = AttemptGroup(path);
        let ends = Ends { entry: group.file("cgroup.procs").ok()?, kill: group.file(KILL).ok()? };
        Some((group, ends))
    }
}

impl Drop for RunGroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
    }
}

impl AttemptGroup {
    /// Ends all that are in the group.
    pub(super) fn kill(&self) {
        let _ = self.file(KILL).map(kill);
    }

    fn file(&self, name: &str) -> rustix::io::Result<OwnedFd> {
        file(&self.0, name)
    }
}

impl Drop for AttemptGroup {
    fn drop(&mut self) {
        // What could not be killed is still in it; the guardian tries again.
        let _ = fs::remove_dir(&self.0);
    }
}

impl Ends {
    /// Returns the descriptors of the entry and of the end, for processes that have no value of this.
    pub(super) fn raw(&self) -> (RawFd, RawFd) {
        (self.entry.as_raw_fd(), self.kill.as_raw_fd())
    }
}

fn file(group: &Path, name: &str) -> rustix::io::Result<OwnedFd> {
    open(group.join(name), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
}

/// Asks the kernel to end a group. Takes no memory and no lock.
pub(super) fn kill(group: impl AsFd) {
    let _ = rustix::io::write(group, b"1");
}

/// Enters a group. Takes no memory and no lock.
pub(super) fn enter(group: impl AsFd) -> rustix::io::Result<()> {
    rustix::io::write(group, b"0").map(|_| ())
}

/// Ends what is left in the group of the run whose host had this number, by whatever hand it has died. Its processes are
/// reaped by `reap`, which is called until the group is empty.
pub(super) fn end_run(host: Pid, mut reap: impl FnMut()) {
    let Some(place) = fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| delegated(&text)) else {
        return reap();
    };
    let path = place.join(name_of(host));
    let asked = file(&path, KILL).map(kill);
    reap();
    let started = Instant::now();
    while asked.is_ok() && !remove(&path) && started.elapsed() < REMOVED_AFTER {
        std::thread::sleep(Duration::from_millis(1));
        reap();
    }
}

/// Removes a group of a run with those of its attempts, if nothing lives in them.
fn remove(path: &Path) -> bool {
    for below in fs::read_dir(path).into_iter().flatten().flatten() {
        if below.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = fs::remove_dir(below.path());
        }
    }
    fs::remove_dir(path).map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |()| true)
}

/// Removes the empty groups of runs whose host and guardian were killed.
fn sweep(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        if !entry.file_name().as_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        let held = open(entry.path(), OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        if held.is_ok_and(|held| flock(&held, FlockOperation::NonBlockingLockExclusive).is_ok()) {
            remove(&entry.path());
        }
    }
}

fn name_of(host: Pid) -> String {
    format!("{PREFIX}{}", host.as_raw_nonzero())
}

/// Returns the group in which this process is, by the text of `/proc/self/cgroup`, if it may make others below it.
fn delegated(text: &str) -> Option<PathBuf> {
    let own = own_group(text)?;
    let mount = MOUNTS.iter().find(|mount| statfs(**mount).is_ok_and(|of| of.f_type.cast_unsigned() == MAGIC))?;
    let place = Path::new(mount).join(own);
    if !is_left_to_us(&place) || !place.join(KILL).exists() {
        return None;
    }
    // The tree that is mounted may be another than the one by which this process is told its place.
    let own = getpid().as_raw_nonzero().to_string();
    let is_here = fs::read_to_string(place.join("cgroup.procs")).ok()?.lines().any(|pid| pid == own);
    is_here.then_some(place)
}

/// Returns the path of the group of a process below the root of the tree, without a slash before it.
fn own_group(text: &str) -> Option<&str> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    // A group outside of this namespace, and one that was removed.
    let is_seen = !path.split('/').any(|part| part == "..") && !path.ends_with(" (deleted)");
    is_seen.then_some(path)
}

/// Returns whether groups may be made below this one: it is marked so, belongs to a user who is not the system's, or is all
/// that a container has of the tree. The root of the whole tree is never: it has no `cgroup.kill`.
fn is_left_to_us(place: &Path) -> bool {
    let is_marked = MARKS.iter().any(|mark| {
        let mut value = [0_u8; 2];
        getxattr(place, *mark, &mut value[..]) == Ok(1) && value[0] == b'1'
    });
    let is_root = MOUNTS.iter().any(|mount| Path::new(mount) == place);
    let is_ours = || fs::metadata(place).is_ok_and(|of| of.uid() == getuid().as_raw() && (is_root || of.uid() != 0));
    is_marked || is_ours()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_read_from_the_line_of_the_one_tree() {
        let cases = [
            ("0::/\n", Some("")),
            (
                "0::/user.slice/user@1.service/app.slice/a b.scope\n",
                Some("user.slice/user@1.service/app.slice/a b.scope"),
            ),
            ("9:name=systemd:/x\n4:memory:/y\n0::/z\n", Some("z")),
            ("4:memory:/y\n", None),
            ("0::/../outside\n", None),
            ("0::/a/.. b/c..\n", Some("a/.. b/c..")),
            ("0::/gone (deleted)\n", None),
            ("", None),
        ];
        for (text, own) in cases {
            assert_eq!(own_group(text), own, "{text:?}");
        }
    }

    #[test]
    fn a_folder_that_is_no_group_is_left_to_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let is_other_users = fs::metadata(folder.path()).unwrap().uid() == 0;
        assert_eq!(
            is_left_to_us(folder.path()),
            !is_other_users,
            "it belongs to who runs this, and may be the system's"
        );
        assert!(!is_left_to_us(&folder.path().join("none")));
    }

    #[test]
    fn empty_groups_go_and_what_else_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let held = folder.path().join("rille-2");
        for name in ["rille-1/1", "rille-1/2", "rille-2/1", "others/1"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("rille-9"), "").unwrap();
        let lives = open(&held, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        flock(&lives, FlockOperation::LockShared).unwrap();
        sweep(folder.path());
        let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["others", "rille-2", "rille-9"]);
        flock(&lives, FlockOperation::Unlock).unwrap();
        sweep(folder.path());
        assert!(!held.exists());
    }
}
