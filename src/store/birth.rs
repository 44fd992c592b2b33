//! A run directory before anybody sees it: made where no reader looks, and renamed once to its place.
//!
//! Who makes one holds the lock in it. What is there and held by nobody was left by a process that was killed: it is swept
//! by whoever comes next.

use std::ffi::OsString;
use std::fs::{self, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::lock::{self, Lock, Refused};
use super::{Error, Result, attr};

/// The folder among the runs in which runs are made.
const NURSERY: &str = ".new";

/// What `.guild` is called while a run is made in a directory that was there before.
pub(super) const GUILD_TO_BE: &str = ".guild.new";

/// How long one who sweeps is waited for. That takes microseconds; who makes a run takes longer.
const PATIENCE: Duration = Duration::from_millis(500);

/// A directory that is being made. Unless it appears it goes with the value.
#[derive(Debug)]
pub(super) struct Birth {
    /// The folder that is swept as a whole if its maker is killed.
    base: PathBuf,
    /// What is renamed, which may be the base itself.
    from: PathBuf,
    /// The place that it gets.
    to: PathBuf,
    /// The folder above the base, where it is there only for this and the like.
    above: Option<PathBuf>,
    is_over: bool,
}

/// What was found where somebody may be making a directory.
#[derive(Debug, PartialEq, Eq)]
enum Swept {
    /// There is nothing, or nothing any more.
    Gone,
    /// A process makes it, or is sweeping it.
    Held(Option<u32>),
    /// It is not known what it is, or not yet.
    Left,
}

impl Birth {
    /// Begins a run directory that is to be `name` in a folder of runs. The lock in its `.guild` is held by `pid`.
    pub(super) fn among_runs(folder: &Path, name: &str, pid: u32) -> Result<(Birth, Lock)> {
        let nursery = folder.join(NURSERY);
        let (birth, lock) = Birth::new(folder.join(name), nursery.clone()).begin(Path::new(".guild"), pid)?;
        sweep_but(&nursery, &birth.base);
        Ok((birth, lock))
    }

    /// The same anywhere. Where there is a folder it stays, and what appears is its `.guild`.
    pub(super) fn at(path: &Path, pid: u32) -> Result<(Birth, Lock)> {
        if path.is_dir() {
            let base = path.join(GUILD_TO_BE);
            let birth = Birth { from: base.clone(), base, to: path.join(".guild"), above: None, is_over: false };
            return birth.begin(Path::new(""), pid);
        }
        let mut above = OsString::from(".");
        above.push(path.file_name().unwrap_or_default());
        above.push(NURSERY);
        Birth::new(path.to_owned(), path.with_file_name(above)).begin(Path::new(".guild"), pid)
    }

    /// Begins a run directory that is to be `name` in a folder of runs, and whose content comes from elsewhere: the lock is
    /// beside it.
    pub(super) fn of_copy(folder: &Path, name: &str) -> Result<(Birth, Lock)> {
        let base = folder.join(NURSERY).join(format!("copy-{}", uuid::Uuid::new_v4().simple()));
        let birth = Birth {
            from: base.join(name),
            base,
            to: folder.join(name),
            above: Some(folder.join(NURSERY)),
            is_over: false,
        };
        birth.begin(Path::new(""), std::process::id())
    }

    fn new(to: PathBuf, above: PathBuf) -> Birth {
        let base = above.join(to.file_name().unwrap_or_default());
        Birth { from: base.clone(), base, to, above: Some(above), is_over: false }
    }

    /// Makes the base with nothing but the lock in it.
    fn begin(mut self, holds_lock: &Path, pid: u32) -> Result<(Birth, Lock)> {
        let deadline = Instant::now() + PATIENCE;
        // Until it is this process that has made the base.
        self.is_over = true;
        loop {
            if let Some(error) = self.taken()? {
                return Err(error);
            }
            let failed = || Error::io("create", self.directory());
            let met = match self.make(holds_lock, pid).map_err(failed())? {
                Ok(lock) => {
                    self.is_over = false;
                    return Ok((self, lock));
                }
                Err(met) => met,
            };
            if Instant::now() > deadline {
                return Err(match met {
                    Swept::Left => Error::DirectoryUsed { path: self.base.clone(), holds_run: false },
                    Swept::Held(holder) => lock_held(self.directory(), &self.guild(), holder),
                    Swept::Gone => lock_held(self.directory(), &self.guild(), None),
                });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Tries to make the base; returns what was met if somebody else is at it.
    fn make(&self, holds_lock: &Path, pid: u32) -> io::Result<std::result::Result<Lock, Swept>> {
        if let Some(above) = &self.above {
            match fs::create_dir_all(above) {
                // It was there, and has been removed since.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !above.exists() => {
                    return Ok(Err(Swept::Gone));
                }
                made => made?,
            }
        }
        let folder = self.base.join(holds_lock);
        let made = fs::create_dir(&self.base).and_then(|()| match folder == self.base {
            true => Ok(()),
            false => fs::create_dir(&folder),
        });
        match made {
            Ok(()) => {}
            // The folder above was empty, and was swept.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Err(Swept::Gone)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return match sweep_entry(&self.base) {
                    // Another has swept it meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Err(Swept::Gone)),
                    swept => swept.map(Err),
                };
            }
            Err(error) => return Err(error),
        }
        match Lock::acquire(&folder.join("LOCK"), pid) {
            Ok(lock) => Ok(Ok(lock)),
            // One who sweeps has come before the lock.
            Err(Refused::Held(holder)) => Ok(Err(Swept::Held(holder))),
            Err(Refused::Failed(Error::Io { source, .. })) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Err(Swept::Gone))
            }
            Err(Refused::Failed(Error::Io { source, .. })) => {
                let _ = fs::remove_dir_all(&self.base);
                Err(source)
            }
            Err(Refused::Failed(error)) => Err(io::Error::other(error)),
        }
    }

    /// Returns the run directory that is to be.
    fn directory(&self) -> &Path {
        if self.is_in_place() { self.to.parent().unwrap_or(&self.to) } else { &self.to }
    }

    /// Returns the folder in which a copy is put together.
    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    /// Returns whether the directory is there, and only its `.guild` is made.
    pub(super) fn is_in_place(&self) -> bool {
        self.above.is_none()
    }

    /// Returns where the files of the run are for the time being.
    pub(super) fn files(&self) -> &Path {
        if self.is_in_place() { self.directory() } else { &self.from }
    }

    /// Returns where its `.guild` is for the time being.
    pub(super) fn guild(&self) -> PathBuf {
        if self.is_in_place() { self.from.clone() } else { self.from.join(".guild") }
    }

    /// Returns why no run can be made there, if so: there is one, or something else.
    pub(super) fn taken(&self) -> Result<Option<Error>> {
        let directory = self.directory();
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("create", directory)(error)),
        };
        let is_own = |name: &OsString| name == GUILD_TO_BE;
        let names: Vec<OsString> = entries.flatten().map(|entry| entry.file_name()).collect();
        if names.iter().all(is_own) {
            return Ok(None);
        }
        let guild = directory.join(".guild");
        let lock = guild.join("LOCK");
        if lock::is_held(&lock).map_err(Error::io("read", &lock))? {
            return Ok(Some(lock_held(directory, &guild, lock::recorded_pid(&lock))));
        }
        let holds_run = names.iter().any(|name| name == ".guild");
        Ok(Some(Error::DirectoryUsed { path: directory.to_owned(), holds_run }))
    }

    /// Renames what was made to its place, with the lock if it is in it. Fails if there is something already.
    pub(super) fn appear(&mut self, lock: Option<&mut Lock>) -> Result<()> {
        match fs::rename(&self.from, &self.to) {
            Ok(()) => {}
            Err(error) => {
                return Err(self.taken()?.unwrap_or_else(|| Error::io("create", self.directory())(error)));
            }
        }
        if let Some(lock) = lock {
            lock.has_moved(&self.from, &self.to);
        }
        self.clear_up(true);
        Ok(())
    }

    /// The same for a copy: returns whether it has appeared, and not if there is something already.
    pub(super) fn appear_or_yield(&mut self) -> Result<bool> {
        match self.appear(None) {
            Ok(()) => Ok(true),
            Err(Error::DirectoryUsed { .. } | Error::LockHeld { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes what is left of the making. What cannot be removed is swept later.
    fn clear_up(&mut self, has_appeared: bool) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        // Once it was renamed the name of the base may be another's.
        if !has_appeared || self.base != self.from {
            let _ = fs::remove_dir_all(&self.base);
        }
        if let Some(above) = &self.above {
            // Others may be in it.
            let _ = fs::remove_dir(above);
        }
    }
}

impl Drop for Birth {
    fn drop(&mut self) {
        self.clear_up(false);
    }
}

/// Returns the error for a run directory that somebody holds.
pub(super) fn lock_held(directory: &Path, guild: &Path, pid: Option<u32>) -> Error {
    let host = fs::read_to_string(guild.join("attrs/host")).ok();
    let host = host.and_then(|text| attr::decode::<Option<String>>(&text).ok().flatten());
    Error::LockHeld { path: directory.to_owned(), pid, host }
}

/// Removes from a folder of runs what processes have left that were killed while they made a run. What cannot be removed
/// stays, and is no error.
pub(crate) fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_nursery = name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(NURSERY));
        if is_nursery && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sweep_but(&entry.path(), Path::new(""));
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Does so in a folder in which runs are made, but for what this process makes there.
fn sweep_but(nursery: &Path, own: &Path) {
    for entry in fs::read_dir(nursery).into_iter().flatten().flatten() {
        if entry.path() != own {
            let _ = sweep_entry(&entry.path());
        }
    }
}

/// Removes what somebody has begun to make, unless he lives.
fn sweep_entry(base: &Path) -> io::Result<Swept> {
    match fs::symlink_metadata(base) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Ok(Swept::Left),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Swept::Gone),
        Err(error) => return Err(error),
    }
    let guild = base.join(".guild");
    let has_guild = fs::symlink_metadata(&guild).is_ok_and(|metadata| metadata.is_dir());
    // Of a run that is staged another file is locked once it has given up its lock.
    let of_run = ["LOCK", "STAGED"].into_iter().filter(|_| has_guild).map(|name| guild.join(name));
    for path in std::iter::once(base.join("LOCK")).chain(of_run) {
        let mut options = OpenOptions::new();
        let file = match options.read(true).write(true).custom_flags(libc::O_NOFOLLOW).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        return match file.try_lock() {
            Ok(()) if lock::is_file_at(&file, &path)? => remove(base, &path),
            Ok(()) => Ok(Swept::Gone),
            Err(TryLockError::WouldBlock) => Ok(Swept::Held(lock::holder(&file, &path))),
            Err(TryLockError::Error(error)) => Err(error),
        };
    }
    // Its maker has not come to the lock yet, and finds it gone, or was killed before. The lock is the first file in it.
    let _ = fs::remove_dir(&guild);
    Ok(if fs::remove_dir(base).is_ok() { Swept::Gone } else { Swept::Left })
}

/// Removes a folder whose lock this process has taken, and the lock last: what a kill leaves of it can be swept again.
fn remove(base: &Path, lock: &Path) -> io::Result<Swept> {
    let mut folder = base;
    let above_lock = lock.parent().unwrap_or(base);
    loop {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if lock.starts_with(&path) {
                continue;
            }
            if fs::symlink_metadata(&path)?.is_dir() { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
        }
        if folder == above_lock {
            break;
        }
        folder = above_lock;
    }
    fs::remove_file(lock)?;
    // From here on another may have begun in it, and keeps it.
    for folder in [above_lock, base] {
        let _ = fs::remove_dir(folder);
    }
    Ok(Swept::Gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes files below a folder; returns what is left when it was swept.
    fn check(files: &[&str]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            match file.strip_suffix('/') {
                Some(_) => fs::create_dir_all(path).unwrap(),
                None => {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, "").unwrap();
                }
            }
        }
        sweep(dir.path());
        let mut left = Vec::new();
        let mut open = vec![dir.path().to_owned()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path.clone());
                }
                left.push(path.strip_prefix(dir.path()).unwrap().display().to_string());
            }
        }
        left.sort();
        left
    }

    #[test]
    fn what_a_killed_process_has_left_is_swept_and_nothing_else() {
        let none: [&str; 0] = [];
        assert_eq!(check(&[".new/ab/.guild/LOCK", ".new/ab/.guild/attrs/id", ".new/ab/big/file"]), none);
        assert_eq!(check(&[".x.new/x/.guild/LOCK", ".new/copy-1/LOCK", ".new/copy-1/ab/.guild/opref"]), none);
        assert_eq!(check(&[".new/ab/", ".new/cd/.guild/", ".x.new/"]), none);
        assert_eq!(check(&[".new/ab/.guild/STAGED", ".new/ab/.guild/attrs/id"]), none);
        // Not known to be anything of ours, a run, or still to get its lock or to appear.
        assert_eq!(check(&[".new/notes/mine"]), [".new", ".new/notes", ".new/notes/mine"]);
        assert_eq!(check(&["ab/.guild/LOCK"]), ["ab", "ab/.guild", "ab/.guild/LOCK"]);
        assert_eq!(check(&[".new/ab/.guild/attrs/id"]).len(), 5);
    }

    #[test]
    fn nothing_is_swept_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("ab");
        fs::create_dir_all(run.join(".guild")).unwrap();
        fs::write(run.join(".guild/LOCK"), "1").unwrap();
        fs::create_dir_all(dir.path().join(".new/cd")).unwrap();
        std::os::unix::fs::symlink("../ab", dir.path().join(".new/ab")).unwrap();
        std::os::unix::fs::symlink("../../ab/.guild", dir.path().join(".new/cd/.guild")).unwrap();
        sweep(dir.path());
        assert!(run.join(".guild/LOCK").exists());
    }

    #[test]
    fn what_was_left_under_the_same_name_is_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        let there = dir.path().join("there");
        fs::create_dir_all(there.join(GUILD_TO_BE)).unwrap();
        fs::create_dir_all(dir.path().join(".new.new/new/.guild")).unwrap();
        for lock in [there.join(GUILD_TO_BE).join("LOCK"), dir.path().join(".new.new/new/.guild/LOCK")] {
            fs::write(lock, "1").unwrap();
        }
        for path in [there, dir.path().join("new")] {
            let (mut birth, mut lock) = Birth::at(&path, 7).unwrap();
            birth.appear(Some(&mut lock)).unwrap();
            assert_eq!(fs::read_to_string(path.join(".guild/LOCK")).unwrap(), "7");
            lock.release().unwrap();
        }
    }
}
