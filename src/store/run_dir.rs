//! A run directory that this process writes.
//!
//! Every file of metadata is written to a temporary file and renamed, so a reader sees all of it or nothing. None is
//! synced one by one: what was written survives the death of any process, and what must survive the death of the
//! machine, the results, is in the event log, which is synced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::FallocateFlags;
use serde::Serialize;

use super::lock::{self, Lock, Refused};
use super::{Error, Opref, Result, attr};

/// The size of the ballast, in bytes: room for the last events and attributes of a run on a full disk.
const BALLAST: u64 = 64 * 1024;

/// How long the guardian of a host that was killed is waited for. It ends when all tasks of the host have.
const GUARDIANS_PATIENCE: Duration = Duration::from_secs(10);

/// A run directory whose lock this process holds.
#[derive(Debug)]
pub(crate) struct RunDir {
    path: PathBuf,
    id: String,
    lock: Lock,
    temporaries: AtomicU64,
}

/// Returns the time now in microseconds since 1970, the unit of Guild's `initialized`, `started` and `stopped`.
pub(crate) fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Returns the id of the run in the directory `path`.
pub(crate) fn run_id(path: &Path) -> String {
    let id = fs::read_to_string(path.join(".guild/attrs/id")).ok();
    let id = id.and_then(|text| attr::decode::<Option<String>>(&text).ok().flatten());
    // Of a run of Guild, and of one that was broken off in its first moment.
    let name = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    id.filter(|id| !id.is_empty()).unwrap_or_else(name)
}

impl RunDir {
    /// Makes the directory `path` the run `id` of the process `pid`, pending until [`RunDir::start`].
    ///
    /// Fails at once if another live process holds the directory, if it holds a run, or if it holds anything else.
    pub(crate) fn create(path: &Path, id: &str, pid: u32) -> Result<RunDir> {
        let path = std::path::absolute(path).map_err(Error::io("find", path))?;
        let guild = path.join(".guild");
        fs::create_dir_all(&path).map_err(Error::io("create", &path))?;
        if let Some(error) = used(&path, &guild)? {
            let lock = guild.join("LOCK");
            let is_held = lock::is_held(&lock).map_err(Error::io("read", &lock))?;
            return Err(if is_held { lock_held(path, lock::recorded_pid(&lock)) } else { error });
        }
        let attrs = guild.join("attrs");
        fs::create_dir_all(&attrs).map_err(Error::io("create", &attrs))?;

        let lock = match Lock::acquire(&guild.join("LOCK"), pid) {
            Ok(lock) => lock,
            Err(Refused::Held(pid)) => return Err(lock_held(path, pid)),
            Err(Refused::Failed(error)) => return Err(error),
        };
        // Looked at again under the lock: another host may have run and ended in between.
        if let Some(error) = used(&path, &guild)? {
            lock.release()?;
            return Err(error);
        }
        let run = RunDir { path, id: id.to_owned(), lock, temporaries: AtomicU64::new(0) };
        run.reserve_ballast()?;
        let pending = run.guild("PENDING");
        File::create(&pending).map_err(Error::io("create", &pending))?;
        run.write_attr("id", &id)?;
        run.write_attr("initialized", &now_micros())?;
        Ok(run)
    }

    /// Takes up the run in the directory `path` again for the process `pid`, pending until [`RunDir::restart`].
    ///
    /// Fails at once if a live process holds it. What is left of a host that was killed, its guardian, is waited for:
    /// tasks of that host may still be there as long as it is.
    pub(crate) fn reopen(path: &Path, pid: u32) -> Result<RunDir> {
        let path = std::path::absolute(path).map_err(Error::io("find", path))?;
        let guild = path.join(".guild");
        let id = run_id(&path);
        let lock_path = guild.join("LOCK");
        if lock::is_held(&lock_path).map_err(Error::io("read", &lock_path))? {
            return Err(Error::Running { id });
        }
        let patience = Instant::now() + GUARDIANS_PATIENCE;
        while super::status::recorded_process_lives(&lock_path) {
            if Instant::now() > patience {
                return Err(lock_held(path, lock::recorded_pid(&lock_path)));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let lock = match Lock::acquire(&lock_path, pid) {
            Ok(lock) => lock,
            Err(Refused::Held(_)) => return Err(Error::Running { id }),
            Err(Refused::Failed(error)) => return Err(error),
        };
        let run = RunDir { path, id, lock, temporaries: AtomicU64::new(0) };
        run.reserve_ballast()?;
        let pending = run.guild("PENDING");
        File::create(&pending).map_err(Error::io("create", &pending))?;
        Ok(run)
    }

    /// Marks a run that was taken up again as running, at `resumed_micros`: it has no end any more.
    pub(crate) fn restart(&self, resumed_micros: i64) -> Result<()> {
        self.remove("attrs/exit_status")?;
        self.remove("attrs/stopped")?;
        self.write_attr("resumed", &resumed_micros)?;
        self.remove("PENDING")
    }

    /// Takes the end of a run that is started again away, before anything of it runs: from here on it has none. What it
    /// was staged for is under way.
    pub(crate) fn begin_again(&self) -> Result<()> {
        for name in ["attrs/exit_status", "attrs/stopped", "STAGED"] {
            self.remove(name)?;
        }
        Ok(())
    }

    /// Leaves the run staged since `staged_micros`, to be started later, and gives it up.
    pub(crate) fn stage(self, staged_micros: i64) -> Result<()> {
        // Guild lists a staged run by this time.
        self.write_attr("started", &staged_micros)?;
        let staged = self.guild("STAGED");
        File::create(&staged).map_err(Error::io("create", &staged))?;
        // What happens to it begins when it is started.
        self.remove("events.jsonl")?;
        self.remove("PENDING")?;
        self.free_ballast()?;
        self.lock.release()
    }

    /// Removes a run that came to nothing, for good.
    pub(crate) fn discard(self) -> Result<()> {
        fs::remove_dir_all(&self.path).map_err(Error::io("remove", &self.path))
    }

    /// Returns the absolute path of the run directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the id of the run.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Returns the path of the event log.
    pub(crate) fn event_log(&self) -> PathBuf {
        self.guild("events.jsonl")
    }

    /// Returns the path of a file in `.guild`.
    fn guild(&self, name: &str) -> PathBuf {
        self.path.join(".guild").join(name)
    }

    /// Writes the attribute `name`.
    pub(crate) fn write_attr(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let path = self.guild("attrs").join(name);
        let text = attr::encode(value).map_err(|e| Error::io("encode", &path)(io::Error::other(e)))?;
        // The temporary file is not beside the attribute: Guild takes every file there for one.
        self.replace(&path, &self.guild(""), |mut file| file.write_all(text.as_bytes()))
    }

    /// Writes what was run.
    pub(crate) fn write_opref(&self, opref: &Opref) -> Result<()> {
        let text = opref.to_string();
        self.replace(&self.guild("opref"), &self.guild(""), |mut file| file.write_all(text.as_bytes()))
    }

    /// Opens a file of the run that grows while it goes on. One that is there already, of a run that is resumed, grows on.
    pub(crate) fn append_file(&self, relative: impl AsRef<Path>) -> Result<File> {
        let path = self.path.join(relative);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.map_err(Error::io("create", &path))
    }

    /// Writes a file of the run, by its path relative to the run directory. Its folder is made if it is not there.
    pub(crate) fn write_file(&self, relative: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
        self.write_file_with(relative, |mut file| file.write_all(bytes))
    }

    /// The same for content that is too large to have in memory at once.
    pub(crate) fn write_file_with(
        &self,
        relative: impl AsRef<Path>,
        content: impl FnOnce(&File) -> io::Result<()>,
    ) -> Result<()> {
        let path = self.path.join(relative);
        let folder = path.parent().unwrap_or(&self.path).to_owned();
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        self.replace(&path, &folder, content)
    }

    /// Removes a file of the run, if it is there.
    pub(crate) fn remove_file(&self, relative: impl AsRef<Path>) -> Result<()> {
        self.remove_at(&self.path.join(relative))
    }

    /// Puts `content` in the place of the file `path`, by way of a temporary file in `folder`.
    fn replace(&self, path: &Path, folder: &Path, content: impl FnOnce(&File) -> io::Result<()>) -> Result<()> {
        let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
        let temporary = folder.join(format!(".new-{number}"));
        let written = File::create(&temporary).and_then(|file| content(&file));
        written.and_then(|()| fs::rename(&temporary, path)).map_err(|source| {
            // On a full disk the part that was written is room for something else.
            let _ = fs::remove_file(&temporary);
            Error::io("write", path)(source)
        })
    }

    /// Marks the run as started at `started_micros` (microseconds since 1970).
    pub(crate) fn start(&self, started_micros: i64) -> Result<()> {
        self.write_attr("started", &started_micros)?;
        self.remove("PENDING")
    }

    /// Gives the reserved room back, for the last records of a run on a full disk.
    pub(crate) fn free_ballast(&self) -> Result<()> {
        self.remove("ballast")
    }

    /// Writes how the run ended, while it is still held: what is made of it from now on shows its end. See
    /// [`RunDir::finish`].
    pub(crate) fn conclude(&self, exit_status: i32, stopped_micros: i64) -> Result<()> {
        self.write_attr("exit_status", &exit_status)?;
        self.write_attr("stopped", &stopped_micros)
    }

    /// Ends the run: 0 is completed, a negative number terminated by that signal, any other an error.
    ///
    /// The lock is given up last, and also when the records could not be written; the first error is returned.
    pub(crate) fn finish(self, exit_status: i32, stopped_micros: i64) -> Result<()> {
        // The room that was kept for this, first. Then the status: killed after it, the run is what it says, before it,
        // lost.
        let freed = self.free_ballast();
        let recorded = self.remove("PENDING").and_then(|()| self.write_attr("exit_status", &exit_status));
        let recorded = recorded.and_then(|()| self.write_attr("stopped", &stopped_micros));
        let released = self.lock.release();
        freed.and(recorded).and(released)
    }

    fn reserve_ballast(&self) -> Result<()> {
        let path = self.guild("ballast");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(Error::io("create", &path))?;
        match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, BALLAST) {
            // Not every file system can reserve; a run without ballast is still a run.
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
            Err(e) => Err(Error::io("reserve room in", &path)(e.into())),
        }
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.remove_at(&self.guild(name))
    }

    #[expect(clippy::unused_self, reason = "only who holds the run may change its files")]
    fn remove_at(&self, path: &Path) -> Result<()> {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path)(e)),
            _ => Ok(()),
        }
    }
}

/// Returns why no new run can be made in the directory, if so: it holds a run, or files and no run.
fn used(path: &Path, guild: &Path) -> Result<Option<Error>> {
    let holds_run = guild.join("opref").exists() || guild.join("events.jsonl").exists();
    let mut entries = fs::read_dir(path).map_err(Error::io("list", path))?;
    let used = holds_run || entries.any(|entry| entry.is_ok_and(|entry| entry.file_name() != ".guild"));
    Ok(used.then(|| Error::DirectoryUsed { path: path.to_owned(), holds_run }))
}

fn lock_held(path: PathBuf, pid: Option<u32>) -> Error {
    let host = fs::read_to_string(path.join(".guild/attrs/host")).ok();
    let host = host.and_then(|text| attr::decode::<Option<String>>(&text).ok().flatten());
    Error::LockHeld { path, pid, host }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::store::{EventLog, Home, Status, list, load};

    fn opref() -> Opref {
        Opref::for_script(Path::new("/home/me/job.lua"))
    }

    #[test]
    fn a_run_goes_from_pending_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        let run = RunDir::create(&path, "0123abcd", std::process::id()).unwrap();
        let names = |folder: &str| {
            let entries = fs::read_dir(path.join(folder)).unwrap();
            let mut names: Vec<String> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names.join(" ")
        };
        assert_eq!(names(".guild"), "LOCK PENDING attrs ballast");
        assert_eq!(names(".guild/attrs"), "id initialized");
        assert_eq!(fs::metadata(path.join(".guild/ballast")).unwrap().len(), BALLAST);
        run.write_opref(&opref()).unwrap();
        run.start(1_795_247_695_970_581).unwrap();
        run.write_file("tasks/1-a/whiteboard", b"x").unwrap();
        run.write_file("tasks/1-a/whiteboard", b"yz").unwrap();
        assert_eq!(names(".guild"), "LOCK attrs ballast opref");
        assert_eq!(load(&path).unwrap().info.status, Status::Running);
        run.finish(-15, 1_795_247_696_836_704).unwrap();
        assert_eq!(names(".guild"), "attrs opref");
        assert_eq!(names(".guild/attrs"), "exit_status id initialized started stopped");
        assert_eq!(fs::read(path.join("tasks/1-a/whiteboard")).unwrap(), b"yz");
        assert_eq!(fs::read_to_string(path.join(".guild/attrs/exit_status")).unwrap(), "-15\n");
        assert_eq!(fs::read_to_string(path.join(".guild/opref")).unwrap(), "script:/home/me '' '' job.lua");
        assert_eq!(load(&path).unwrap().info.status, Status::Terminated);
    }

    #[test]
    fn the_second_host_on_a_directory_fails_at_once_and_names_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        let first = RunDir::create(&path, "r", std::process::id()).unwrap();
        let second = || RunDir::create(&path, "r", 1).map(|_| ()).unwrap_err().to_string();
        let expected = format!("{} is in use by process {}", path.display(), std::process::id());
        assert_eq!(second(), expected, "before it is known what runs");
        first.write_attr("host", &"vm").unwrap();
        first.write_opref(&opref()).unwrap();
        first.start(1).unwrap();
        first.write_file("results.json", b"{}").unwrap();
        assert_eq!(second(), format!("{expected} on vm"), "while it runs");
        first.finish(0, 2).unwrap();
        assert_eq!(second(), format!("{} already holds a run", path.display()));
        assert!(!path.join(".guild/LOCK").exists());
    }

    #[test]
    fn a_directory_with_other_files_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.tex"), "").unwrap();
        let error = RunDir::create(dir.path(), "r", 1).unwrap_err();
        assert!(matches!(error, Error::DirectoryUsed { holds_run: false, .. }), "{error}");
        assert!(!dir.path().join(".guild").exists());
    }

    #[test]
    fn ten_hosts_on_one_home_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(dir.path())).unwrap();
        thread::scope(|scope| {
            for host in 0..10_u32 {
                let home = &home;
                scope.spawn(move || {
                    let id = format!("{host:032x}");
                    let run = RunDir::create(&home.runs_dir().join(&id), &id, std::process::id()).unwrap();
                    run.write_opref(&opref()).unwrap();
                    run.write_attr("label", &format!("host {host}")).unwrap();
                    drop(EventLog::create(&run.event_log()).unwrap());
                    run.start(i64::from(host) + 1).unwrap();
                    run.finish(0, i64::from(host) + 2).unwrap();
                });
            }
        });
        let runs = list(&home).unwrap();
        let labels: Vec<_> = runs.iter().map(|run| run.label.clone().unwrap()).collect();
        assert_eq!(labels, (0..10).rev().map(|host| format!("host {host}")).collect::<Vec<_>>());
        assert!(runs.iter().all(|run| run.status == Status::Completed), "{runs:?}");
    }

    #[test]
    fn ten_hosts_on_one_directory_make_one_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        let results: Vec<Result<RunDir>> = thread::scope(|scope| {
            let hosts: Vec<_> =
                (0..10).map(|_| scope.spawn(|| RunDir::create(&path, "r", std::process::id()))).collect();
            hosts.into_iter().map(|host| host.join().unwrap()).collect()
        });
        let (made, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!(made.len(), 1);
        for error in refused {
            let error = error.unwrap_err();
            assert!(matches!(error, Error::LockHeld { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
        }
    }

    #[test]
    fn errors_name_the_path() {
        let error = RunDir::create(Path::new("/proc/no/run"), "r", 1).unwrap_err();
        assert!(error.is_storage());
        assert!(error.to_string().starts_with("cannot create /proc/no/run: "), "{error}");
    }
}
