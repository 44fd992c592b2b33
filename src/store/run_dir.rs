//! A run directory that this process writes.
//!
//! It is made where nobody looks and appears whole; see [`super::birth`]. From then on every file of metadata is written to a
//! temporary file and renamed, so a reader sees all of it or nothing. What was written survives the death of any process;
//! what must survive the death of the machine is in the event log, which is synced, and at the end in the last attributes;
//! see [`super::durable`].

mod again;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::FallocateFlags;
use serde::Serialize;

pub(crate) use self::again::{NotReserved, Reserved, WAITS, Waits, reserve, waited_with};
use super::attr::AttrError;
use super::birth::Birth;
use super::durable;
use super::lock::Lock;
use super::{Encoder, Error, EventLog, Opref, Result, attr};

/// The size of the ballast, in bytes: room for the last events and attributes of a run on a full disk.
const BALLAST: u64 = 64 * 1024;

/// So many files can be opened for the end of a run, whatever the tasks and the jobfile hold open.
const SPARE_DESCRIPTORS: usize = 6;

/// A run directory whose lock this process holds.
#[derive(Debug)]
pub(crate) struct RunDir {
    /// The place that it has, or gets.
    path: PathBuf,
    /// Its `.guild`, where it is now.
    guild: PathBuf,
    id: String,
    /// While nobody sees it. It goes before the lock does.
    birth: Option<Birth>,
    lock: Lock,
    temporaries: AtomicU64,
    /// Held for nothing but their numbers; see [`RunDir::free_descriptors`].
    spare: Mutex<Vec<OwnedFd>>,
}

/// Where a new run directory is made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Site<'a> {
    /// In this folder of runs, by the name of the id.
    Among(&'a Path),
    /// It is this one, which the user named.
    At(&'a Path),
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
    // Of a run of Guild, and of one whose attribute is damaged.
    let name = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    id.filter(|id| !id.is_empty()).unwrap_or_else(name)
}

impl RunDir {
    /// Begins the run `id` of the process `pid`, with its event log, where nobody sees it until [`RunDir::appear`]; dropped
    /// before that it leaves nothing.
    ///
    /// Fails at once if another live process holds the directory, if it holds a run, or if it holds anything else.
    pub(crate) fn begin(site: Site<'_>, id: &str, pid: u32, opref: &Opref) -> Result<(RunDir, EventLog)> {
        let begun = RunDir::begin_small(site, id, pid, opref)?;
        begun.0.reserve_ballast()?;
        *begun.0.spare.lock() = spare_descriptors(&begun.0.path)?;
        Ok(begun)
    }

    /// The same for one of many that one process works on: nothing is reserved for its end, as the run that they belong to has
    /// its own reserve.
    pub(crate) fn begin_small(site: Site<'_>, id: &str, pid: u32, opref: &Opref) -> Result<(RunDir, EventLog)> {
        let (path, (birth, lock)) = match site {
            Site::Among(folder) => (folder.join(id), Birth::among_runs(folder, id, pid)?),
            Site::At(path) => {
                let path = std::path::absolute(path).map_err(Error::io("find", path))?;
                let begun = Birth::at(&path, pid)?;
                (path, begun)
            }
        };
        let (temporaries, spare) = (AtomicU64::new(0), Mutex::default());
        let run =
            RunDir { guild: birth.guild(), path, id: id.to_owned(), birth: Some(birth), lock, temporaries, spare };
        run.put("opref", opref.to_string().as_bytes())?;
        let attrs = run.guild("attrs");
        fs::create_dir(&attrs).map_err(run.failed("create", Path::new(".guild/attrs")))?;
        run.write_attr("id", &id)?;
        run.write_attr("initialized", &now_micros())?;
        let log = EventLog::create_as(&run.guild("events.jsonl"), &run.event_log())?;
        Ok((run, log))
    }

    /// Has the run appear at its place. It is pending until [`RunDir::start`], unless that was called before. The second call
    /// does nothing.
    ///
    /// Fails if a run of another process has appeared there meanwhile.
    pub(crate) fn appear(&mut self) -> Result<()> {
        let Some(birth) = &mut self.birth else { return Ok(()) };
        if !self.guild.join("attrs/started").exists() {
            File::create(self.guild.join("PENDING")).map_err(Error::io("create", &self.path))?;
        }
        birth.appear(Some(&mut self.lock))?;
        self.birth = None;
        self.guild = self.path.join(".guild");
        Ok(())
    }

    /// Has the run appear if its directory was there before: files beside its `.guild` would be seen in it.
    pub(crate) fn appear_in_place(&mut self) -> Result<()> {
        if self.birth.as_ref().is_some_and(Birth::is_in_place) { self.appear() } else { Ok(()) }
    }

    /// Marks a run that was taken up again as running, at `resumed_micros`: it has no end any more.
    pub(crate) fn restart(&self, resumed_micros: i64) -> Result<()> {
        self.remove("attrs/exit_status")?;
        self.remove("attrs/stopped")?;
        self.write_attr("resumed", &resumed_micros)?;
        self.forget_staging()?;
        self.remove("PENDING")
    }

    /// Takes the end of a run that is started again away, before anything of it runs: from here on it has none. What it
    /// was staged for is under way.
    pub(crate) fn begin_again(&self) -> Result<()> {
        for name in ["attrs/exit_status", "attrs/stopped"] {
            self.remove(name)?;
        }
        self.forget_staging()
    }

    /// Leaves the run staged since `staged_micros`, to be started later, and gives it up. It is on the disk then.
    pub(crate) fn stage(mut self, staged_micros: i64) -> Result<()> {
        // Guild lists a staged run by this time.
        self.write_attr("started", &staged_micros)?;
        self.put("STAGED", b"")?;
        // What happens to it begins when it is started.
        self.remove("events.jsonl")?;
        self.remove("PENDING")?;
        self.free_ballast()?;
        // Between the one lock and the place that it gets: else it might be swept.
        let staged = File::open(self.guild("STAGED")).map_err(self.failed("open", Path::new(".guild/STAGED")))?;
        staged.lock_shared().map_err(self.failed("lock", Path::new(".guild/STAGED")))?;
        self.lock.release()?;
        if let Some(mut birth) = self.birth.take() {
            birth.appear(None)?;
        }
        durable::settle_whole(&self.path.join(".guild"))
    }

    /// Leaves the run pending, for one that is never started itself, and gives it up.
    pub(crate) fn leave_pending(mut self) -> Result<()> {
        self.put("PENDING", b"")?;
        self.remove("events.jsonl")?;
        self.free_ballast()?;
        self.appear()?;
        self.lock.release()
    }

    /// Removes a run that came to nothing, for good.
    pub(crate) fn discard(self) -> Result<()> {
        match self.birth {
            Some(birth) => drop(birth),
            None => fs::remove_dir_all(&self.path).map_err(Error::io("remove", &self.path))?,
        }
        Ok(())
    }

    /// Returns the absolute path of the run directory, which it has from the moment on that it appears.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns where the files of the run are now.
    pub(crate) fn place(&self) -> &Path {
        self.birth.as_ref().map_or(&self.path, Birth::files)
    }

    /// Returns the id of the run.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Returns the path of the event log.
    pub(crate) fn event_log(&self) -> PathBuf {
        self.path.join(".guild/events.jsonl")
    }

    /// Returns the path of a file in `.guild`.
    fn guild(&self, name: &str) -> PathBuf {
        self.guild.join(name)
    }

    /// Returns where a file of the run is now.
    fn locate(&self, relative: &Path) -> PathBuf {
        match relative.strip_prefix(".guild") {
            Ok(name) => self.guild.join(name),
            Err(_) => self.place().join(relative),
        }
    }

    /// Returns a function that wraps what the system said with what was `action` on which file, by the place that it gets.
    fn failed(&self, action: &'static str, relative: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
        Error::io(action, &self.path.join(relative))
    }

    /// Writes the attribute `name`.
    pub(crate) fn write_attr(&self, name: &str, value: &impl Serialize) -> Result<()> {
        self.put_attr(name, attr::encode(value))
    }

    /// The same for one that many runs have alike.
    pub(crate) fn write_attr_by(&self, encoder: &Encoder, name: &str, value: &impl Serialize) -> Result<()> {
        self.put_attr(name, encoder.encode(name, value))
    }

    /// The same for a map of which few entries differ.
    pub(crate) fn write_map_by(&self, encoder: &Encoder, name: &str, map: &BTreeMap<String, String>) -> Result<()> {
        self.put_attr(name, encoder.encode_map(name, map))
    }

    fn put_attr(&self, name: &str, text: std::result::Result<String, AttrError>) -> Result<()> {
        let relative = Path::new("attrs").join(name);
        let text =
            text.map_err(|e| self.failed("encode", &Path::new(".guild").join(&relative))(io::Error::other(e)))?;
        self.put(relative, text.as_bytes())
    }

    /// Writes a file in `.guild`.
    fn put(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
        // The temporary file is not beside an attribute: Guild takes every file there for one.
        self.replace(&Path::new(".guild").join(name), &self.guild, |mut file| file.write_all(bytes))
    }

    /// Opens a file of the run that grows while it goes on. One that is there already, of a run that is resumed, grows on.
    pub(crate) fn append_file(&self, relative: impl AsRef<Path>) -> Result<File> {
        let path = self.locate(relative.as_ref());
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.map_err(self.failed("create", relative.as_ref()))
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
        let relative = relative.as_ref();
        let path = self.locate(relative);
        let folder = path.parent().unwrap_or(&self.path);
        fs::create_dir_all(folder).map_err(self.failed("create", relative.parent().unwrap_or(relative)))?;
        self.replace(relative, folder, content)
    }

    /// Removes a file of the run, if it is there.
    pub(crate) fn remove_file(&self, relative: impl AsRef<Path>) -> Result<()> {
        self.remove_at(relative.as_ref())
    }

    /// Puts `content` in the place of a file, by way of a temporary file in `folder`. While nobody sees the run it is written
    /// straight to its place.
    fn replace(&self, relative: &Path, folder: &Path, content: impl FnOnce(&File) -> io::Result<()>) -> Result<()> {
        let path = self.locate(relative);
        if self.birth.is_some() {
            return File::create(&path).and_then(|file| content(&file)).map_err(self.failed("write", relative));
        }
        let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
        let temporary = folder.join(format!(".new-{number}"));
        let written = File::create(&temporary).and_then(|file| content(&file));
        written.and_then(|()| fs::rename(&temporary, path)).map_err(|source| {
            // On a full disk the part that was written is room for something else.
            let _ = fs::remove_file(&temporary);
            self.failed("write", relative)(source)
        })
    }

    /// Marks the run as started at `started_micros` (microseconds since 1970).
    pub(crate) fn start(&self, started_micros: i64) -> Result<()> {
        self.write_attr("started", &started_micros)?;
        if self.birth.is_none() {
            self.forget_staging()?;
        }
        self.remove("PENDING")
    }

    /// Gives the reserved room back, for the last records of a run on a full disk.
    pub(crate) fn free_ballast(&self) -> Result<()> {
        self.remove("ballast")
    }

    /// Gives the reserved descriptors back, for the reports and the last records of a run that may open no more files.
    pub(crate) fn free_descriptors(&self) {
        self.spare.lock().clear();
    }

    /// Writes how the run ended: 0 is completed, a negative number terminated by that signal, any other an error. It is
    /// still held; what is made of it from now on shows its end. See [`durable::settle`] and [`RunDir::release`].
    pub(crate) fn conclude(&self, exit_status: i32, stopped_micros: i64) -> Result<()> {
        // The room that was kept for this, first. Then the status: killed after it, the run is what it says, before it,
        // lost.
        self.free_descriptors();
        let freed = self.free_ballast();
        let recorded = self.remove("PENDING").and_then(|()| self.write_last("exit_status", i64::from(exit_status)));
        let recorded = recorded.and_then(|()| self.write_last("stopped", stopped_micros));
        freed.and(recorded)
    }

    fn write_last(&self, name: &str, number: i64) -> Result<()> {
        let relative = Path::new(".guild/attrs").join(name);
        self.replace(&relative, &self.guild, |mut file| {
            writeln!(file, "{number}")?;
            // The disk is waited for once, when the event log is brought there.
            durable::begin_to_write(file);
            Ok(())
        })
    }

    /// Names in the lock the process of a run that has none of its own otherwise: a trial, which its batch holds. As in Guild
    /// it can be stopped by that.
    pub(crate) fn name_process(&self, pid: u32) -> Result<()> {
        self.lock.name(pid)
    }

    /// Gives up the run, whose end is written.
    pub(crate) fn release(self) -> Result<()> {
        self.lock.release()
    }

    fn reserve_ballast(&self) -> Result<()> {
        let path = self.guild("ballast");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(self.failed("create", Path::new(".guild/ballast")))?;
        match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, BALLAST) {
            // Not every file system can reserve; a run without ballast is still a run.
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
            Err(e) => Err(self.failed("reserve room in", Path::new(".guild/ballast"))(e.into())),
        }
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.remove_at(&Path::new(".guild").join(name))
    }

    fn remove_at(&self, relative: &Path) -> Result<()> {
        match fs::remove_file(self.locate(relative)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(self.failed("remove", relative)(e)),
            _ => Ok(()),
        }
    }
}

/// Opens what is closed again at the end of the run.
fn spare_descriptors(path: &Path) -> Result<Vec<OwnedFd>> {
    let held: rustix::io::Result<Vec<OwnedFd>> =
        (0..SPARE_DESCRIPTORS).map(|_| eventfd(0, EventfdFlags::CLOEXEC)).collect();
    held.map_err(|errno| Error::io("keep descriptors for the end of", path)(errno.into()))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use chrono::Utc;

    use super::*;
    use crate::store::made::{begun, finished, new_run, opref, started};
    use crate::store::{Home, Status, list, load, settle};

    fn me() -> u32 {
        std::process::id()
    }

    fn names(folder: &Path) -> String {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names.join(" ")
    }

    #[test]
    fn a_run_goes_from_pending_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        let run = new_run(&path);
        let guild = path.join(".guild");
        assert_eq!(names(&guild), "LOCK PENDING attrs ballast events.jsonl opref");
        assert_eq!(names(&guild.join("attrs")), "id initialized");
        assert_eq!(fs::metadata(guild.join("ballast")).unwrap().len(), BALLAST);
        run.start(1_795_247_695_970_581).unwrap();
        run.write_file("tasks/1-a/whiteboard", b"x").unwrap();
        run.write_file("tasks/1-a/whiteboard", b"yz").unwrap();
        assert_eq!(names(&guild), "LOCK attrs ballast events.jsonl opref");
        assert_eq!(load(&path).unwrap().info.status, Status::Running);
        run.conclude(-15, 1_795_247_696_836_704).unwrap();
        settle(&[&run]).unwrap();
        assert_eq!(names(&guild), "LOCK attrs events.jsonl opref");
        assert_eq!(load(&path).unwrap().info.status, Status::Running);
        run.release().unwrap();
        assert_eq!(names(&guild), "attrs events.jsonl opref");
        assert_eq!(names(&guild.join("attrs")), "exit_status id initialized started stopped");
        assert_eq!(fs::read(path.join("tasks/1-a/whiteboard")).unwrap(), b"yz");
        assert_eq!(fs::read_to_string(guild.join("attrs/exit_status")).unwrap(), "-15\n");
        assert_eq!(fs::read_to_string(guild.join("opref")).unwrap(), "script:/home/me '' '' job.lua");
        assert_eq!(load(&path).unwrap().info.status, Status::Terminated);
        assert_eq!(names(dir.path()), "r");
    }

    #[test]
    fn nobody_sees_a_run_before_it_appears_whole() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(dir.path())).unwrap();
        let runs = home.runs_dir();
        let id = "0".repeat(32);
        let (mut run, _log) = RunDir::begin(Site::Among(&runs), &id, me(), &opref()).unwrap();
        run.write_attr("label", &"x").unwrap();
        run.write_file("jobdata/pwd", b"/").unwrap();
        run.start(2).unwrap();
        assert!(list(&home).unwrap().is_empty() && home.ids().unwrap().is_empty());
        assert_eq!(names(&runs), ".new");
        // Who looks for what was left by the dead leaves it alone.
        super::super::sweep(&runs);
        assert!(run.place().join(".guild/attrs/label").exists());
        run.appear().unwrap();
        assert_eq!(names(&runs), id);
        assert_eq!(names(run.path()), ".guild jobdata");
        assert_eq!(names(&run.path().join(".guild")), "LOCK attrs ballast events.jsonl opref");
        let listed = list(&home).unwrap();
        assert_eq!((listed[0].status, listed[0].label.as_deref()), (Status::Running, Some("x")));
        run.write_attr("label", &"y").unwrap();
        run.write_file("jobdata/pwd", b"/home").unwrap();
        assert_eq!(fs::read_to_string(run.path().join("jobdata/pwd")).unwrap(), "/home");
    }

    #[test]
    fn a_folder_of_the_user_stays_and_gets_its_metadata_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0".repeat(32));
        fs::create_dir(&path).unwrap();
        let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
        let before = inode(&path);
        let mut run = begun(&path);
        assert!(!crate::store::list::may_be_run(&path, &"0".repeat(32)));
        run.appear_in_place().unwrap();
        run.write_file("testbed.json", b"{}").unwrap();
        run.start(1).unwrap();
        assert_eq!((names(&path), inode(&path)), (".guild testbed.json".to_owned(), before));
        assert_eq!(load(&path).unwrap().info.status, Status::Running);
    }

    #[test]
    fn a_run_that_comes_to_nothing_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (new, there) = (dir.path().join("new"), dir.path().join("there"));
        fs::create_dir(&there).unwrap();
        for path in [&new, &there] {
            drop(begun(path));
            begun(path).discard().unwrap();
        }
        assert_eq!(names(dir.path()), "there");
        assert_eq!(names(&there), "");
        new_run(&new).discard().unwrap();
        assert_eq!(names(dir.path()), "there");
    }

    #[test]
    fn a_staged_run_has_no_lock_and_no_log() {
        let dir = tempfile::tempdir().unwrap();
        let (hidden, seen) = (dir.path().join("hidden"), dir.path().join("seen"));
        begun(&hidden).stage(5).unwrap();
        new_run(&seen).stage(5).unwrap();
        for path in [hidden, seen] {
            assert_eq!(names(&path.join(".guild")), "STAGED attrs opref");
            assert_eq!(load(&path).unwrap().info.status, Status::Staged);
            let again = RunDir::reopen(&path, me()).unwrap();
            again.begin_again().unwrap();
            again.start(6).unwrap();
            assert_eq!(names(&path.join(".guild")), "LOCK attrs ballast opref");
        }
        assert_eq!(names(dir.path()), "hidden seen");
    }

    #[test]
    fn a_staged_run_is_claimed_once_and_can_be_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        begun(&path).stage(5).unwrap();
        let before = names(&path.join(".guild"));
        let status = || load(&path).unwrap().info.status;
        let claimed = RunDir::claim(&path, me()).unwrap().expect("it is staged");
        assert!(matches!(RunDir::claim(&path, me()), Err(Error::Running { .. })));
        claimed.leave_staged(None).unwrap();
        assert_eq!((names(&path.join(".guild")), status(), waited_with(&path)), (before, Status::Staged, None));
        // It waits for something, and says for what until it is started.
        let waits = Waits { reason: "no data".to_owned(), seen: "12".to_owned() };
        RunDir::claim(&path, me()).unwrap().expect("it is staged").leave_staged(Some(&waits)).unwrap();
        assert_eq!((status(), waited_with(&path).as_deref()), (Status::Staged, Some("12")));
        assert_eq!(crate::store::attribute(&path, WAITS), Some("no data".into()));
        // Who dies on the way leaves it staged, too.
        drop(RunDir::claim(&path, me()).unwrap());
        fs::write(path.join(".guild/LOCK"), "999999999").unwrap();
        assert_eq!(status(), Status::Staged);
        let run = RunDir::claim(&path, me()).unwrap().expect("it is staged");
        run.start(6).unwrap();
        assert_eq!((status(), waited_with(&path)), (Status::Running, None));
        assert!(!path.join(".guild/attrs").join(WAITS).exists());
        run.conclude(0, 7).unwrap();
        run.release().unwrap();
        assert!(RunDir::claim(&path, me()).unwrap().is_none());
        assert!(!path.join(".guild/LOCK").exists());
    }

    #[test]
    fn a_staged_run_is_reserved_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        assert_eq!(reserve(&path).err(), Some(NotReserved::Gone));
        begun(&path).stage(5).unwrap();
        let reserved = reserve(&path).unwrap();
        assert_eq!(reserve(&path).err(), Some(NotReserved::Gone));
        // Nobody is kept from starting it by that.
        assert!(RunDir::claim(&path, me()).unwrap().is_some());
        drop(reserved);
        let staging = File::open(path.join(".guild/STAGED")).unwrap();
        staging.lock_shared().unwrap();
        assert_eq!(reserve(&path).err(), Some(NotReserved::BeingStaged));
    }

    #[test]
    fn the_second_host_on_a_directory_fails_at_once_and_names_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        let second = || RunDir::begin(Site::At(&path), "r", 1, &opref()).map(|_| ()).unwrap_err().to_string();
        let expected = format!("{} is in use by process {}", path.display(), me());
        let mut first = begun(&path);
        assert_eq!(second(), expected, "before it is seen");
        first.write_attr("host", &"vm").unwrap();
        first.appear().unwrap();
        first.start(1).unwrap();
        first.write_file("results.json", b"{}").unwrap();
        assert_eq!(second(), format!("{expected} on vm"), "while it runs");
        first.conclude(0, 2).unwrap();
        first.release().unwrap();
        assert_eq!(second(), format!("{} already holds a run", path.display()));
        assert!(!path.join(".guild/LOCK").exists());
        assert_eq!(names(dir.path()), "r");
    }

    #[test]
    fn a_directory_with_other_files_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.tex"), "").unwrap();
        let error = RunDir::begin(Site::At(dir.path()), "r", 1, &opref()).unwrap_err();
        assert!(matches!(error, Error::DirectoryUsed { holds_run: false, .. }), "{error}");
        assert_eq!(names(dir.path()), "thesis.tex");
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
                    let runs = home.runs_dir();
                    let (mut run, mut log) = RunDir::begin(Site::Among(&runs), &id, me(), &opref()).unwrap();
                    run.write_attr("label", &format!("host {host}")).unwrap();
                    run.start(i64::from(host) + 1).unwrap();
                    run.appear().unwrap();
                    log.append(vec![started(), finished(0)], Utc::now()).unwrap();
                    run.conclude(0, i64::from(host) + 2).unwrap();
                    run.release().unwrap();
                });
            }
        });
        let runs = list(&home).unwrap();
        let labels: Vec<_> = runs.iter().map(|run| run.label.clone().unwrap()).collect();
        assert_eq!(labels, (0..10).rev().map(|host| format!("host {host}")).collect::<Vec<_>>());
        assert!(runs.iter().all(|run| run.status == Status::Completed), "{runs:?}");
        assert!(!home.runs_dir().join(".new").exists());
    }

    #[test]
    fn few_runs_and_many_are_brought_to_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let runs: Vec<RunDir> = (0..10).map(|number| new_run(&dir.path().join(number.to_string()))).collect();
        for run in &runs {
            run.conclude(0, 1).unwrap();
        }
        for count in [0, 1, 3, 10] {
            settle(&runs.iter().take(count).collect::<Vec<_>>()).unwrap();
        }
        // What a task has taken away is not waited for.
        fs::remove_file(runs[0].path().join(".guild/attrs/stopped")).unwrap();
        settle(&[&runs[0]]).unwrap();
    }

    #[test]
    fn with_the_first_events_the_disk_gets_the_run_once_it_has_appeared() {
        let dir = tempfile::tempdir().unwrap();
        let (mut run, mut log) = RunDir::begin(Site::At(&dir.path().join("r")), "r", me(), &opref()).unwrap();
        for is_settled in [false, true] {
            log.append(vec![started()], Utc::now()).unwrap();
            log.sync_handle().unwrap().unwrap().sync().unwrap();
            assert_eq!(log.is_settled(), is_settled);
            run.appear().unwrap();
        }
        assert!(log.sync_handle().unwrap().is_none());
    }

    #[test]
    fn ten_hosts_on_one_directory_make_one_run() {
        for exists in [false, true] {
            for _ in 0..20 {
                let dir = tempfile::tempdir().unwrap();
                let path = dir.path().join("r");
                if exists {
                    fs::create_dir(&path).unwrap();
                }
                let attempt = || -> Result<RunDir> {
                    let (mut run, _log) = RunDir::begin(Site::At(&path), "r", me(), &opref())?;
                    run.appear()?;
                    Ok(run)
                };
                let results: Vec<Result<RunDir>> = thread::scope(|scope| {
                    let hosts: Vec<_> = (0..10).map(|_| scope.spawn(attempt)).collect();
                    hosts.into_iter().map(|host| host.join().unwrap()).collect()
                });
                let (made, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
                assert_eq!(made.len(), 1);
                for error in refused {
                    let error = error.unwrap_err();
                    let is_named = matches!(error, Error::LockHeld { pid: Some(pid), .. } if pid == me());
                    assert!(is_named, "{error}");
                }
                drop(made);
                assert_eq!((names(dir.path()).as_str(), names(&path).as_str()), ("r", ".guild"));
            }
        }
    }

    #[test]
    fn errors_name_the_path() {
        let error = RunDir::begin(Site::At(Path::new("/proc/no/run")), "r", 1, &opref()).unwrap_err();
        assert!(error.is_storage());
        assert!(error.to_string().starts_with("cannot create /proc/no/run: "), "{error}");
    }
}
