//! Where the engine's files of an attempt are: in the attempt's folder, which is the task's to do with as it likes.
//!
//! A file is opened new, by way of the folder's descriptor, and through no link. A name that the task took stays the task's;
//! the engine's file then has `.rille` behind its name. Where the folder takes nothing (it was removed, made unreadable, is
//! no folder any more) the file stands under `.guild/tasks/`, and so does, at the end, what was removed or moved away.

use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, fstat, openat, statat};
use rustix::io::Errno;

use crate::model::{FilePlace, Masks};
use crate::store;

/// See the module.
#[derive(Debug)]
pub(super) struct AttemptFolder {
    run: PathBuf,
    /// Relative to the run directory.
    folder: PathBuf,
    /// The same, absolute.
    path: PathBuf,
    /// Where files stand that the folder does not take, relative to the run directory.
    apart: PathBuf,
    descriptor: OwnedFd,
}

/// A file of the engine.
#[derive(Debug)]
pub(super) struct OwnFile {
    pub(super) file: File,
    pub(super) place: FilePlace,
}

impl AttemptFolder {
    /// Makes the folder of an attempt; that of all tasks is made with the first. One that is there already, because something
    /// was prepared in it or its start was put off, is as good. What else stands in its place, a link for one that another task
    /// has made, is moved aside and not lost.
    pub(super) fn make(run: &Path, folder: &str, apart: &str) -> io::Result<Self> {
        let path = run.join(folder);
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::create_dir_all(&path)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !is_folder(&path) {
                    move_aside(&path)?;
                    std::fs::create_dir(&path)?;
                }
            }
            made => made?,
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::PATH | OFlags::CLOEXEC;
        let descriptor = openat(CWD, &path, flags, Mode::empty())?;
        Ok(Self { run: run.to_owned(), folder: folder.into(), path, apart: apart.into(), descriptor })
    }

    /// Returns the absolute path of the folder.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a file with this name, or near it. The error is one of the store.
    pub(super) fn create(&self, name: &str) -> io::Result<OwnFile> {
        for (place, name) in [(FilePlace::Named, name.to_owned()), (FilePlace::Beside, store::name_beside(name))] {
            match openat(&self.descriptor, &name, NEW, MODE) {
                Ok(file) => return Ok(OwnFile { file: file.into(), place }),
                Err(Errno::EXIST | Errno::LOOP) => {}
                Err(error) if is_of_the_store(error) => return Err(error.into()),
                Err(_) => break,
            }
        }
        Ok(OwnFile { file: self.create_apart(name)?, place: FilePlace::Apart })
    }

    /// Removes a file that was made ahead, if nobody has written to it.
    pub(super) fn withdraw(&self, name: &str, own: &OwnFile) {
        let is_empty = own.file.metadata().is_ok_and(|meta| meta.len() == 0);
        if is_empty && self.is_in_place(&own.file, name, own.place) {
            // It is as good empty as not there.
            let _ = std::fs::remove_file(self.path_of(name, own.place));
        }
    }

    /// Makes a file that the task does not see.
    pub(super) fn create_apart(&self, name: &str) -> io::Result<File> {
        let folder = self.run.join(&self.apart);
        std::fs::create_dir_all(&folder)?;
        // An earlier start of this attempt may have left one.
        match openat(CWD, folder.join(name), NEW, MODE) {
            Err(Errno::EXIST) => {
                std::fs::remove_file(folder.join(name))?;
                Ok(openat(CWD, folder.join(name), NEW, MODE)?.into())
            }
            made => Ok(made?.into()),
        }
    }

    /// Removes a file that [`AttemptFolder::create_apart`] made.
    pub(super) fn remove_apart(&self, name: &str) -> io::Result<()> {
        let folder = self.run.join(&self.apart);
        std::fs::remove_file(folder.join(name))?;
        // The folder goes with its last file.
        let _ = std::fs::remove_dir(folder);
        Ok(())
    }

    /// Returns the path of a file in the run directory, for a message about it.
    pub(super) fn path_of(&self, name: &str, place: FilePlace) -> PathBuf {
        match place {
            FilePlace::Named => self.path.join(name),
            FilePlace::Beside => self.path.join(store::name_beside(name)),
            FilePlace::Apart => self.run.join(&self.apart).join(name),
        }
    }

    /// Looks whether a file is still where it was made, and if not keeps what it holds elsewhere; returns where it stands.
    pub(super) fn settle(&self, name: &str, own: OwnFile) -> io::Result<FilePlace> {
        let OwnFile { mut file, place } = own;
        if place == FilePlace::Apart || self.is_in_place(&file, name, place) {
            return Ok(place);
        }
        let mut copy = self.create_apart(name)?;
        file.rewind()?;
        io::copy(&mut file, &mut copy)?;
        Ok(FilePlace::Apart)
    }

    /// Masks the secrets in a file that somebody else has made here. What is something else is left alone.
    pub(super) fn mask(&self, name: &str, masks: &Masks) -> io::Result<()> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = openat(&self.descriptor, name, flags, Mode::empty()) else { return Ok(()) };
        let mut file = File::from(file);
        let meta = file.metadata()?;
        // One that has another name elsewhere is not only of this folder.
        if meta.is_file() && meta.nlink() == 1 { self.mask_file(name, &mut file, masks) } else { Ok(()) }
    }

    /// Masks the secrets in a file. As long as it is not whole, all of it is where the task does not see it.
    pub(super) fn mask_file(&self, name: &str, file: &mut File, masks: &Masks) -> io::Result<()> {
        file.rewind()?;
        if !store::holds_secrets(masks, &*file)? {
            return Ok(());
        }
        let name = format!("{name}.masked");
        let mut masked = self.create_apart(&name)?;
        file.rewind()?;
        store::mask_into(&*file, &mut masked, masks)?;
        masked.rewind()?;
        file.set_len(0)?;
        file.rewind()?;
        io::copy(&mut masked, file)?;
        self.remove_apart(&name)
    }

    fn is_in_place(&self, file: &File, name: &str, place: FilePlace) -> bool {
        let path = self.folder.join(if place == FilePlace::Named { name.to_owned() } else { store::name_beside(name) });
        let Ok(own) = fstat(file) else { return false };
        // The folder itself may have been moved, and a link to somewhere put in its place.
        let mut at = self.run.clone();
        let mut parts = path.components().peekable();
        while let Some(part) = parts.next() {
            at.push(part);
            let Ok(there) = statat(CWD, &at, AtFlags::SYMLINK_NOFOLLOW) else { return false };
            let kind = rustix::fs::FileType::from_raw_mode(there.st_mode);
            match parts.peek() {
                Some(_) if kind.is_dir() => {}
                None => return (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino),
                Some(_) => return false,
            }
        }
        false
    }
}

/// Returns whether a folder is there, and no link to one.
fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| meta.is_dir())
}

/// Gives what is at `path` another name.
fn move_aside(path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let free = (1..).map(|n| path.with_file_name(format!("{name}.taken-{n}")));
    let free = free.into_iter().find(|free| free.symlink_metadata().is_err());
    free.map_or(Ok(()), |free| std::fs::rename(path, free))
}

/// How a file is made: new, through no link, to be read again at the end, and written at its end whoever else writes to it.
const NEW: OFlags = OFlags::RDWR
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::APPEND)
    .union(OFlags::CLOEXEC);

const MODE: Mode = Mode::from_raw_mode(0o666);

/// Returns whether a failure lies in what keeps all files, and not in what a task has made of its folder.
fn is_of_the_store(error: Errno) -> bool {
    matches!(
        error,
        Errno::NOSPC
            | Errno::IO
            | Errno::DQUOT
            | Errno::ROFS
            | Errno::MFILE
            | Errno::NFILE
            | Errno::NOMEM
            | Errno::FBIG
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use super::*;

    /// What a task does with its folder, at a time when the engine has a file there or has none yet.
    type Deed = fn(&Path);

    const DEEDS: [(&str, Deed); 9] = [
        ("nothing", |_| ()),
        ("removes its folder", |folder| fs::remove_dir_all(folder).unwrap()),
        ("moves its folder", |folder| fs::rename(folder, folder.with_file_name("moved")).unwrap()),
        ("makes a link of its folder", |folder| {
            fs::rename(folder, folder.with_file_name("moved")).unwrap();
            symlink("moved", folder).unwrap();
        }),
        ("has a file of that name", |folder| {
            let _ = fs::remove_file(folder.join("stdout"));
            fs::write(folder.join("stdout"), "mine").unwrap();
        }),
        ("has a folder of that name", |folder| {
            let _ = fs::remove_file(folder.join("stdout"));
            fs::create_dir(folder.join("stdout")).unwrap();
        }),
        ("has a link of that name", |folder| {
            let _ = fs::remove_file(folder.join("stdout"));
            symlink("../../outside", folder.join("stdout")).unwrap();
        }),
        ("has taken both names", |folder| {
            let _ = fs::remove_file(folder.join("stdout"));
            fs::write(folder.join("stdout"), "mine").unwrap();
            fs::write(folder.join("stdout.rille"), "mine").unwrap();
        }),
        ("removes the file", |folder| {
            let _ = fs::remove_file(folder.join("stdout"));
        }),
    ];

    #[test]
    fn whatever_a_task_does_in_its_folder_all_bytes_are_kept_and_nothing_else_is_touched() {
        for (what, deed) in DEEDS {
            for is_before in [true, false] {
                let run = tempfile::tempdir().unwrap();
                fs::write(run.path().join("outside"), "precious").unwrap();
                let folder = AttemptFolder::make(run.path(), "tasks/1-a", ".guild/tasks/1").unwrap();
                let path = folder.path().to_owned();
                if is_before {
                    deed(&path);
                }
                let mut own = folder.create("stdout").unwrap();
                own.file.write_all(b"by the engine, ").unwrap();
                if !is_before {
                    deed(&path);
                }
                own.file.write_all(b"to the end").unwrap();
                let place = folder.settle("stdout", own).unwrap();
                let kept = fs::read_to_string(folder.path_of("stdout", place)).unwrap();
                assert_eq!(kept, "by the engine, to the end", "{what}, {is_before}");
                assert_eq!(fs::read_to_string(run.path().join("outside")).unwrap(), "precious", "{what}");
                if what.contains("has a file") || what.contains("both") {
                    assert_eq!(fs::read_to_string(path.join("stdout")).unwrap(), "mine", "{what}, {is_before}");
                }
                let expected = match (what, is_before) {
                    ("nothing", _) | ("removes the file", true) => FilePlace::Named,
                    ("has a file of that name" | "has a folder of that name" | "has a link of that name", true) => {
                        FilePlace::Beside
                    }
                    _ => FilePlace::Apart,
                };
                assert_eq!(place, expected, "{what}, {is_before}");
            }
        }
    }

    #[test]
    fn what_stands_in_the_place_of_a_folder_is_moved_aside() {
        let run = tempfile::tempdir().unwrap();
        let make = || AttemptFolder::make(run.path(), "tasks/1-a", ".guild/tasks/1").unwrap();
        make();
        fs::write(run.path().join("tasks/1-a/x"), "prepared").unwrap();
        make();
        fs::rename(run.path().join("tasks/1-a"), run.path().join("tasks/b")).unwrap();
        symlink("b", run.path().join("tasks/1-a")).unwrap();
        make();
        fs::remove_dir(run.path().join("tasks/1-a")).unwrap();
        fs::write(run.path().join("tasks/1-a"), "a file").unwrap();
        make();
        let names = ["1-a/x", "1-a", "b/x", "1-a.taken-1/x", "1-a.taken-2"];
        let there = names.map(|name| run.path().join("tasks").join(name).exists());
        assert_eq!(there, [false, true, true, true, true]);
    }

    #[test]
    fn a_file_that_was_made_ahead_is_taken_back_only_while_it_is_empty() {
        let run = tempfile::tempdir().unwrap();
        let folder = AttemptFolder::make(run.path(), "tasks/1-a", ".guild/tasks/1").unwrap();
        let own = folder.create("debug.log").unwrap();
        fs::write(folder.path().join("debug.log"), "x").unwrap();
        folder.withdraw("debug.log", &own);
        assert!(folder.path().join("debug.log").exists());
        fs::write(folder.path().join("debug.log"), "").unwrap();
        folder.withdraw("debug.log", &own);
        assert!(!folder.path().join("debug.log").exists());
    }

    #[test]
    fn what_others_wrote_is_masked_in_their_file_and_in_nothing_else() {
        let run = tempfile::tempdir().unwrap();
        let folder = AttemptFolder::make(run.path(), "tasks/1-a", ".guild/tasks/1").unwrap();
        let masks = Masks::new(["hunter22"]);
        let (path, outside) = (folder.path().join("stdout"), run.path().join("outside"));
        let text = "a hunter22 b\u{ff}".repeat(100_000);
        let after = |make: &dyn Fn()| {
            make();
            folder.mask("stdout", &masks).unwrap();
            let kept = fs::read_to_string(&path).ok();
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
            kept
        };
        assert_eq!(after(&|| fs::write(&path, &text).unwrap()), Some(text.replace("hunter22", "***")));
        assert_eq!(after(&|| fs::write(&path, "plain").unwrap()).as_deref(), Some("plain"));
        assert_eq!(after(&|| ()), None);
        assert_eq!(after(&|| fs::create_dir(&path).unwrap()), None);
        fs::write(&outside, "hunter22").unwrap();
        assert_eq!(after(&|| symlink(&outside, &path).unwrap()).as_deref(), Some("hunter22"));
        assert_eq!(after(&|| fs::hard_link(&outside, &path).unwrap()).as_deref(), Some("hunter22"));
        assert!(!run.path().join(".guild").join("tasks/1").exists(), "nothing is left of the way");
        // The engine's own, to which the task has written.
        let mut own = folder.create("stdout").unwrap();
        own.file.write_all(b"ours\n").unwrap();
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"hunter22\n").unwrap();
        folder.mask_file("stdout", &mut own.file, &masks).unwrap();
        own.file.write_all(b"the end").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "ours\n***\nthe end");
    }
}
