//! The lock of a run directory: the file `.guild/LOCK`, which names the process that works on the run.
//!
//! For Guild the file holds a pid in decimal. For Rille the truth is the `flock` on it: the kernel gives it up when the
//! last process that holds it is gone, whatever ended it, and no pid that was reused can fake it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Error, Result};

/// How long a lock that readers look at (see [`is_held`]) is tried for. One look takes microseconds.
const READERS_PATIENCE: Duration = Duration::from_secs(1);

/// How long it is waited between two tries.
const AGAIN: Duration = Duration::from_micros(100);

/// A lock that this process holds.
///
/// Dropping it closes the file and so gives up the `flock`, but leaves the file: that is what tells a run that was
/// broken off from one that ended. [`Lock::release`] is the orderly end.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

/// Why a lock was not taken.
pub(crate) enum Refused {
    /// The process with this pid holds it, if the pid could be told.
    Held(Option<u32>),
    /// A call to the system failed.
    Failed(Error),
}

impl Lock {
    /// Takes the lock at `path` for the process `pid`, or says at once who holds it.
    pub(crate) fn acquire(path: &Path, pid: u32) -> std::result::Result<Lock, Refused> {
        let lock = Lock::take(path)?;
        lock.write(pid).map_err(|e| Refused::Failed(Error::io("write", path)(e)))?;
        Ok(lock)
    }

    fn take(path: &Path) -> std::result::Result<Lock, Refused> {
        let failed = |action| move |e| Refused::Failed(Error::io(action, path)(e));
        let deadline = Instant::now() + READERS_PATIENCE;
        loop {
            // Opened close-on-exec, as everything in std is: a task that inherited it would hold the lock.
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
                .map_err(failed("open"))?;
            match file.try_lock() {
                // Whoever held it before may have removed the file since it was opened here: then this is a lock on
                // nothing.
                Ok(()) if is_file_at(&file, path).map_err(failed("read"))? => {
                    return Ok(Lock { file, path: path.to_owned() });
                }
                Ok(()) => {}
                Err(TryLockError::Error(e)) => return Err(failed("lock")(e)),
                Err(TryLockError::WouldBlock) => {
                    // A shared lock goes together with those of readers and not with that of a holder.
                    let only_readers = file.try_lock_shared().is_ok();
                    if !only_readers || Instant::now() > deadline {
                        return Err(Refused::Held(holder(&file, path)));
                    }
                    drop(file);
                    std::thread::sleep(AGAIN);
                }
            }
        }
    }

    fn write(&self, pid: u32) -> io::Result<()> {
        self.file.set_len(0)?;
        (&self.file).write_all(pid.to_string().as_bytes())
    }

    /// Names another process in the file: one that works for the holder. Whoever reads it meanwhile finds the one or the other.
    pub(super) fn name(&self, pid: u32) -> Result<()> {
        // As long as the longest number that is read.
        let text = format!("{pid:<PID_LENGTH$}");
        self.file.write_all_at(text.as_bytes(), 0).map_err(Error::io("write", &self.path))
    }

    /// Takes note that the folder `from`, in which the file is, has been renamed to `to`.
    pub(super) fn has_moved(&mut self, from: &Path, to: &Path) {
        if let Ok(relative) = self.path.strip_prefix(from) {
            self.path = to.join(relative);
        }
    }

    /// Removes the file while the lock is held, and gives the lock up.
    pub(crate) fn release(self) -> Result<()> {
        fs::remove_file(&self.path).map_err(Error::io("remove", &self.path))
    }
}

/// Returns whether a live process holds the lock at `path`. A file that is not there is not locked.
///
/// The look is a shared lock for an instant; [`Lock::acquire`] knows that and tries again.
pub(crate) fn is_held(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// So many bytes Guild reads of the file.
const PID_LENGTH: usize = 10;

/// Returns the pid that the file at `path` holds, as Guild reads it: the first ten bytes.
pub(crate) fn recorded_pid(path: &Path) -> Option<u32> {
    read_pid(&File::open(path).ok()?)
}

fn read_pid(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_LENGTH as u64).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Returns who holds the lock: the recorded process if it is alive, else the one the kernel names. The file may still
/// hold nothing, or the pid of a dead holder, when the new one has only just locked it.
pub(super) fn holder(file: &File, path: &Path) -> Option<u32> {
    let recorded = read_pid(file);
    let is_alive = |pid: &u32| Path::new("/proc").join(pid.to_string()).exists();
    recorded.filter(is_alive).or_else(|| holder_by_kernel(path)).or(recorded)
}

/// Returns the process that `/proc/locks` lists for the file, in lines like
/// `1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF`.
pub(super) fn holder_by_kernel(path: &Path) -> Option<u32> {
    let inode = fs::metadata(path).ok()?.ino().to_string();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let is_exclusive_flock = words.next() == Some("FLOCK") && words.nth(1) == Some("WRITE");
        let pid = words.next()?;
        let is_file = words.next()?.rsplit(':').next() == Some(inode.as_str());
        if is_exclusive_flock && is_file { pid.parse().ok() } else { None }
    })
}

pub(super) fn is_file_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::thread;

    use super::*;

    /// Runs a test that could wait for ever on a thread of its own, and gives it up after a time.
    fn within_limit(test: impl FnOnce() + Send + 'static) {
        let (done, is_done) = std::sync::mpsc::channel();
        let running = thread::spawn(move || {
            test();
            let _ = done.send(());
        });
        match is_done.recv_timeout(Duration::from_mins(1)) {
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("it waits for a lock for ever"),
            // It has ended, or has panicked, which is handed on.
            Ok(()) | Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
                running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            }
        }
    }

    fn held_by(refused: Refused) -> Option<u32> {
        match refused {
            Refused::Held(pid) => pid,
            Refused::Failed(e) => panic!("{e}"),
        }
    }

    #[test]
    fn the_second_is_told_who_is_the_first() {
        within_limit(|| {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("LOCK");
            let me = std::process::id();
            assert!(!is_held(&path).unwrap());
            let lock = Lock::acquire(&path, me).unwrap_or_else(|_| panic!("nobody holds it"));
            assert_eq!(fs::read_to_string(&path).unwrap(), me.to_string());
            assert!(is_held(&path).unwrap());
            assert_eq!(held_by(Lock::acquire(&path, 1).unwrap_err()), Some(me));
            lock.release().unwrap();
            assert!(!path.exists());
        });
    }

    #[test]
    fn a_holder_that_has_not_written_its_pid_is_named_by_the_kernel() {
        within_limit(|| {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("LOCK");
            let _taken = Lock::take(&path).unwrap_or_else(|_| panic!("nobody holds it"));
            assert_eq!(held_by(Lock::acquire(&path, 1).unwrap_err()), Some(std::process::id()));
        });
    }

    #[test]
    fn a_lock_that_was_dropped_can_be_taken_and_leaves_its_file() {
        within_limit(|| {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("LOCK");
            drop(Lock::acquire(&path, 1_234_567).unwrap_or_else(|_| panic!("nobody holds it")));
            assert_eq!(recorded_pid(&path), Some(1_234_567));
            assert!(!is_held(&path).unwrap());
            let lock = Lock::acquire(&path, 7).unwrap_or_else(|_| panic!("nobody holds it"));
            assert_eq!(recorded_pid(&path), Some(7));
            lock.release().unwrap();
        });
    }

    #[test]
    fn one_at_a_time_however_many_try_and_look() {
        within_limit(|| {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("LOCK");
            let (inside, taken, done) = (AtomicU32::new(0), AtomicU32::new(0), AtomicBool::new(false));
            thread::scope(|scope| {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        is_held(&path).unwrap();
                    }
                });
                let workers: Vec<_> = (0..4)
                    .map(|_| {
                        scope.spawn(|| {
                            for _ in 0..300 {
                                match Lock::acquire(&path, std::process::id()) {
                                    Ok(lock) => {
                                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two held it");
                                        taken.fetch_add(1, Ordering::SeqCst);
                                        inside.fetch_sub(1, Ordering::SeqCst);
                                        lock.release().unwrap();
                                    }
                                    Err(Refused::Held(_)) => {}
                                    Err(Refused::Failed(e)) => panic!("{e}"),
                                }
                            }
                        })
                    })
                    .collect();
                for worker in workers {
                    worker.join().unwrap();
                }
                done.store(true, Ordering::Relaxed);
            });
            assert!(taken.load(Ordering::SeqCst) > 0);
        });
    }

    #[test]
    fn one_who_looks_does_not_keep_the_lock_from_anyone() {
        within_limit(|| {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("LOCK");
            let done = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        is_held(&path).unwrap();
                    }
                });
                for _ in 0..500 {
                    let lock = Lock::acquire(&path, 1).unwrap_or_else(|_| panic!("only a reader was there"));
                    lock.release().unwrap();
                }
                done.store(true, Ordering::Relaxed);
            });
        });
    }
}
