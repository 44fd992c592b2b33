//! The files that a runner's messages write into the folder of their task, and nowhere else.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;

/// The longest name of a file, in bytes.
const LONGEST_NAME: usize = 255;

/// How deep a file may lie.
const DEEPEST: usize = 64;

/// The files that the engine has open itself.
const OWN: [&str; 4] = ["task.log", "debug.log", "stdout", "stderr"];

/// The files that one attempt writes. Their names belong to the runner, except those that the engine writes itself.
#[derive(Debug)]
pub(crate) struct Files {
    limit: u64,
    written: u64,
}

impl Files {
    /// Makes the files of an attempt; together they may have `limit` bytes.
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, written: 0 }
    }

    /// Appends to a file of `folder`. Returns whether it was taken: what is over the limit is left out.
    pub(crate) fn append(&mut self, folder: &Path, name: &str, bytes: &[u8]) -> io::Result<bool> {
        if self.written + bytes.len() as u64 > self.limit {
            return Ok(false);
        }
        let parts = safe_path(name);
        let (last, folders) = parts.split_last().ok_or_else(|| io::Error::other("it has no name"))?;
        let flags = OFlags::CLOEXEC | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY;
        let mut at: OwnedFd = openat(CWD, folder, flags, Mode::empty())?;
        for part in folders {
            match mkdirat(&at, part.as_str(), Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            at = openat(&at, part.as_str(), flags, Mode::empty())?;
        }
        let flags =
            OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::NONBLOCK;
        let file = std::fs::File::from(openat(&at, last.as_str(), flags, Mode::from_raw_mode(0o666))?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("what is there is no file"));
        }
        io::Write::write_all(&mut &file, bytes)?;
        self.written += bytes.len() as u64;
        Ok(true)
    }
}

/// Returns the parts of a path that stays inside: what leads out of it is left out, and what no name may hold is replaced.
fn safe_path(name: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => parts.push(safe_name(&part.to_string_lossy())),
            Component::ParentDir => drop(parts.pop()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    parts.truncate(DEEPEST);
    if let [only] = parts.as_mut_slice()
        && OWN.iter().any(|own| only == own || only.strip_prefix(own).is_some_and(|rest| rest.starts_with(".tail")))
    {
        only.insert(0, '_');
    }
    parts
}

fn safe_name(name: &str) -> String {
    let mut safe: String = name.replace('\0', "_");
    if safe.len() > LONGEST_NAME {
        let end = (0..=LONGEST_NAME).rev().find(|end| safe.is_char_boundary(*end)).unwrap_or_default();
        safe.truncate(end);
    }
    safe
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_stay_inside() {
        let cases = [
            ("a", "a"),
            ("sub/dir/a.txt", "sub/dir/a.txt"),
            ("../../x", "x"),
            ("/etc/passwd", "etc/passwd"),
            ("a/../../../b", "b"),
            ("./a/./b", "a/b"),
            ("a\0b", "a_b"),
            ("\u{1F600}/x", "\u{1F600}/x"),
            ("task.log", "_task.log"),
            ("sub/task.log", "sub/task.log"),
            ("stdout", "_stdout"),
            ("..", ""),
        ];
        for (name, path) in cases {
            assert_eq!(safe_path(name).join("/"), path, "{name:?}");
        }
        let long = format!("{}\u{e9}", "x".repeat(254));
        assert_eq!(safe_path(&long)[0].len(), 254);
        assert_eq!(safe_path(&"x".repeat(300))[0].len(), LONGEST_NAME);
        assert_eq!(safe_path(&"d/".repeat(1000)).len(), DEEPEST);
    }

    #[test]
    fn bytes_are_appended_and_no_link_is_followed() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("task");
        fs::create_dir(&folder).unwrap();
        fs::write(base.path().join("secret"), "s").unwrap();
        std::os::unix::fs::symlink(base.path(), folder.join("out")).unwrap();
        std::os::unix::fs::symlink("../secret", folder.join("link")).unwrap();
        let mut files = Files::new(10);
        assert!(files.append(&folder, "../sub/x", b"ab").unwrap());
        assert!(files.append(&folder, "sub/x", b"\xff").unwrap());
        assert_eq!(fs::read(folder.join("sub/x")).unwrap(), b"ab\xff");
        for name in ["out/new", "link", "..", "sub"] {
            assert!(files.append(&folder, name, b"x").is_err(), "{name}");
        }
        assert_eq!(fs::read(base.path().join("secret")).unwrap(), b"s");
        assert!(!base.path().join("new").exists());
        assert!(!files.append(&folder, "y", b"12345678").unwrap());
        assert!(files.append(&folder, "y", b"1234567").unwrap());
    }
}
