//! Writing what comes from elsewhere into a folder, so that nothing of it gets outside, whatever is there already or comes
//! there meanwhile: every step on a path is taken from a folder that is held open, and none through a link.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// The most folders that may be inside of one another.
const DEEPEST: usize = 200;

/// The longest path, in bytes. One that is much longer could be made step by step, and then be named by nobody.
const LONGEST: usize = 3000;

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A folder that is written into.
#[derive(Debug)]
pub(super) struct Confined {
    root: OwnedFd,
    /// The folder that was written into last: most often the next file is for it, too.
    last: Option<(PathBuf, OwnedFd)>,
}

impl Confined {
    /// Opens the folder at `path`.
    pub(super) fn open(path: &Path) -> io::Result<Confined> {
        Ok(Confined { root: rustix::fs::open(path, FOLDER, Mode::empty())?, last: None })
    }

    /// Makes a folder, and those above it, unless they are there.
    pub(super) fn folder(&mut self, path: &Path) -> io::Result<()> {
        self.enter(path).map(drop)
    }

    /// Makes a file. Nothing may be there by its name.
    pub(super) fn file(&mut self, path: &Path, mode: u32) -> io::Result<File> {
        let (folder, name) = self.parent(path)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(mode))?.into())
    }

    /// Makes a link. Nothing may be there by its name. Where it leads to is not looked at; see
    /// [`link_stays`](crate::model::link_stays).
    pub(super) fn link(&mut self, path: &Path, leads_to: &Path) -> io::Result<()> {
        let (folder, name) = self.parent(path)?;
        Ok(rustix::fs::symlinkat(leads_to, folder, name)?)
    }

    /// Sets what may be done in a folder.
    pub(super) fn set_mode(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::fchmod(self.enter(path)?, Mode::from_raw_mode(mode))?)
    }

    fn parent<'a>(&mut self, path: &'a Path) -> io::Result<(BorrowedFd<'_>, &'a OsStr)> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        Ok((self.enter(path.parent().unwrap_or(Path::new("")))?, name))
    }

    /// Opens a folder, making it where it is missing.
    fn enter(&mut self, path: &Path) -> io::Result<BorrowedFd<'_>> {
        if self.last.as_ref().is_none_or(|(last, _)| last != path) {
            check(path)?;
            let mut folder: Option<OwnedFd> = None;
            for component in path.components() {
                let Component::Normal(name) = component else { return Err(leads_out()) };
                let above = folder.as_ref().map_or(self.root.as_fd(), AsFd::as_fd);
                folder = Some(step(above, name)?);
            }
            let folder = folder.map_or_else(|| self.root.try_clone(), Ok)?;
            self.last = Some((path.to_owned(), folder));
        }
        Ok(self.last.as_ref().map_or(self.root.as_fd(), |(_, folder)| folder.as_fd()))
    }
}

/// Opens a folder in another, making it where it is missing.
fn step(above: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let open = || rustix::fs::openat(above, name, FOLDER, Mode::empty());
    let opened = match open() {
        Err(Errno::NOENT) => match rustix::fs::mkdirat(above, name, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => open(),
            Err(error) => Err(error),
        },
        opened => opened,
    };
    opened.map_err(|error| match error {
        Errno::NOTDIR | Errno::LOOP => io::Error::other("goes through what is no folder"),
        error => error.into(),
    })
}

fn check(path: &Path) -> io::Result<()> {
    match path.components().count() > DEEPEST || path.as_os_str().len() > LONGEST {
        true => Err(io::Error::other("has a path that is too long")),
        false => Ok(()),
    }
}

fn leads_out() -> io::Error {
    io::Error::other("has a path that leads out of it")
}

/// Opens a file or folder below a folder, by a way that goes through no link.
pub(super) fn open_below(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = rustix::fs::openat(root, ".", FOLDER, Mode::empty())?;
    let mut components = path.components().peekable();
    while let Some(component) = components.next() {
        let Component::Normal(name) = component else { return Err(leads_out()) };
        let flags = if components.peek().is_some() { FOLDER } else { flags };
        at = rustix::fs::openat(&at, name, flags, Mode::empty())?;
    }
    Ok(at)
}

/// Returns whether what is at `path` below a folder, once all links on the way are followed, is outside of it. What is not
/// there is not.
pub(super) fn is_outside(root: BorrowedFd<'_>, path: &Path) -> io::Result<bool> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    // While anything on the machine is renamed, the kernel may ask to be asked again.
    let ask = || rustix::fs::openat2(root, path, flags, Mode::empty(), beneath);
    let asked = std::iter::repeat_with(ask).take(1000).find(|asked| !matches!(asked, Err(Errno::AGAIN)));
    match asked.unwrap_or(Err(Errno::NOSYS)) {
        Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
        Err(Errno::XDEV | Errno::LOOP) => Ok(true),
        // A kernel that cannot tell: then no link is good enough.
        Err(Errno::NOSYS | Errno::INVAL | Errno::PERM) => goes_through_link(root, path),
        Err(error) => Err(error.into()),
    }
}

fn goes_through_link(root: BorrowedFd<'_>, path: &Path) -> io::Result<bool> {
    let mut at = PathBuf::new();
    for component in path.components() {
        at.push(component);
        match rustix::fs::statat(root, &at, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if rustix::fs::FileType::from_raw_mode(stat.st_mode).is_symlink() => return Ok(true),
            Ok(_) => {}
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn nothing_is_written_through_a_link_or_over_anything() {
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("root"), dir.path().join("outside"));
        fs::create_dir_all(root.join("d")).unwrap();
        fs::create_dir(&outside).unwrap();
        symlink("../outside", root.join("l")).unwrap();
        symlink("d", root.join("inner")).unwrap();
        symlink("../outside/new", root.join("dangling")).unwrap();
        fs::write(root.join("f"), "").unwrap();
        let mut confined = Confined::open(&root).unwrap();
        let mut file = |path: &str| confined.file(Path::new(path), 0o644).map(drop).map_err(|error| error.to_string());
        for path in ["l/x", "inner/x", "f/x", "l/deep/x"] {
            assert_eq!(file(path), Err("goes through what is no folder".to_owned()), "{path}");
        }
        for path in ["l", "f", "dangling", "d"] {
            assert!(file(path).unwrap_err().contains("File exists"), "{path}");
        }
        for path in ["../x", "d/../x", "/x"] {
            assert_eq!(file(path), Err("has a path that leads out of it".to_owned()), "{path}");
        }
        assert_eq!(file(&"d/".repeat(DEEPEST + 2)), Err("has a path that is too long".to_owned()));
        assert_eq!(file("a/b/c"), Ok(()));
        assert_eq!(file("d/x"), Ok(()));
        assert!(confined.link(Path::new("l"), Path::new("x")).is_err());
        assert!(confined.folder(Path::new("inner/y")).is_err());
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        assert_eq!(fs::read_dir(root.join("d")).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_becomes_a_link_meanwhile_leads_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("root"), dir.path().join("outside"));
        fs::create_dir_all(root.join("d")).unwrap();
        fs::create_dir(&outside).unwrap();
        symlink("../outside", root.join("link")).unwrap();
        let done = AtomicBool::new(false);
        let mut written = 0;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Folder and link change places at once, so that both are met at every moment.
                while !done.load(Ordering::Relaxed) {
                    let exchange = rustix::fs::RenameFlags::EXCHANGE;
                    let (one, other) = (root.join("d"), root.join("link"));
                    rustix::fs::renameat_with(rustix::fs::CWD, &one, rustix::fs::CWD, &other, exchange).unwrap();
                }
            });
            for number in 0..4000 {
                // Each time from the top, as the first of its folder.
                let mut confined = Confined::open(&root).unwrap();
                if let Ok(mut file) = confined.file(Path::new(&format!("d/{number}")), 0o644) {
                    file.write_all(b"x").unwrap();
                    written += 1;
                }
            }
            done.store(true, Ordering::Relaxed);
        });
        assert!(written > 0 && written < 4000, "{written} of 4000: both were to be met");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn what_links_on_disk_lead_to_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("cd/sub")).unwrap();
        for (link, leads_to) in
            [("cd/out", "/etc"), ("cd/up", "../.."), ("cd/in", "sub"), ("cd/to", "out/passwd"), ("cd/loop", "loop")]
        {
            symlink(leads_to, root.join(link)).unwrap();
        }
        let folder = fs::File::open(&root).unwrap();
        let cases = [
            ("cd", false),
            ("cd/in", false),
            ("cd/none/x", false),
            ("ef", false),
            ("cd/out", true),
            ("cd/out/passwd", true),
            ("cd/up", true),
            ("cd/to", true),
            ("cd/loop", true),
        ];
        for (path, expected) in cases {
            assert_eq!(is_outside(folder.as_fd(), Path::new(path)).unwrap(), expected, "{path}");
        }
        assert!(goes_through_link(folder.as_fd(), Path::new("cd/in")).unwrap());
        assert!(!goes_through_link(folder.as_fd(), Path::new("cd/sub/none")).unwrap());
    }

    #[test]
    fn what_is_read_is_below() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        fs::write(dir.path().join("d/f"), "x").unwrap();
        symlink("d", dir.path().join("l")).unwrap();
        symlink("f", dir.path().join("d/l")).unwrap();
        let root = fs::File::open(dir.path()).unwrap();
        let open = |path: &str| open_below(root.as_fd(), Path::new(path), OFlags::RDONLY).is_ok();
        assert!(open("d/f") && open("d") && open(""));
        assert!(!open("l/f") && !open("d/l") && !open("../x") && !open("l"));
    }
}
