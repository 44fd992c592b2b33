//! Digests of folders that a run depends on, by which it is seen later whether such a folder has changed.
//!
//! Of a folder that was copied all bytes count; they have just been read. One that is linked to may be of any size, so it
//! counts what a listing shows: names, sizes and times of change.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use sha1::{Digest, Sha1};

use super::place::digest;
use crate::operation::hex;

/// What of a file counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counts {
    /// Its bytes, and whether it can be run.
    Bytes,
    /// Its size, and when it was changed.
    Stamp,
}

/// Returns the SHA-1 of a folder, hexadecimal: of all that is below it, by name. Links count by where they lead, and are not
/// followed; what is neither file, folder nor link does not count.
pub(super) fn tree_digest(folder: &Path, counts: Counts) -> io::Result<String> {
    let mut sha1 = Sha1::new();
    add_folder(&mut sha1, folder, counts)?;
    Ok(hex(&sha1.finalize()))
}

fn add_folder(sha1: &mut Sha1, folder: &Path, counts: Counts) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let metadata = fs::symlink_metadata(&path)?;
        let name = entry.file_name();
        let mut add = |kind: &str, what: &[u8]| {
            for part in [kind.as_bytes(), name.as_bytes(), what] {
                // With its length, so that no two trees give the same bytes.
                sha1.update(part.len().to_le_bytes());
                sha1.update(part);
            }
        };
        if metadata.is_symlink() {
            add("link", fs::read_link(&path)?.as_os_str().as_bytes());
        } else if metadata.is_dir() {
            add("folder", b"");
            add_folder(sha1, &path, counts)?;
            sha1.update(b"end");
        } else if metadata.is_file() {
            add("file", of_file(&path, &metadata, counts)?.as_bytes());
        }
    }
    Ok(())
}

fn of_file(path: &Path, metadata: &Metadata, counts: Counts) -> io::Result<String> {
    Ok(match counts {
        Counts::Bytes => {
            let can_run = metadata.permissions().mode() & 0o100 != 0;
            format!("{} {can_run}", digest(path, Sha1::new())?)
        }
        Counts::Stamp => format!("{} {} {}", metadata.len(), metadata.mtime(), metadata.mtime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::{Duration, SystemTime};

    use super::*;

    type Change<'a> = &'a dyn Fn(&tempfile::TempDir);

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/deep")).unwrap();
        fs::write(dir.path().join("a/one.txt"), "1").unwrap();
        fs::write(dir.path().join("a/deep/two.txt"), "2").unwrap();
        symlink("one.txt", dir.path().join("a/link")).unwrap();
        dir
    }

    #[test]
    fn a_digest_tells_every_change_of_a_tree() {
        let at = |dir: &tempfile::TempDir, name: &str| dir.path().join("a").join(name);
        let changes: [(&str, Change<'_>); 9] = [
            ("content", &|dir| fs::write(at(dir, "deep/two.txt"), "3").unwrap()),
            ("size", &|dir| fs::write(at(dir, "one.txt"), "11").unwrap()),
            ("new file", &|dir| fs::write(at(dir, "deep/new"), "").unwrap()),
            ("file gone", &|dir| fs::remove_file(at(dir, "one.txt")).unwrap()),
            ("other name", &|dir| fs::rename(at(dir, "one.txt"), at(dir, "uno.txt")).unwrap()),
            ("moved up", &|dir| fs::rename(at(dir, "deep/two.txt"), at(dir, "two.txt")).unwrap()),
            ("new folder", &|dir| fs::create_dir(at(dir, "empty")).unwrap()),
            ("other target", &|dir| {
                fs::remove_file(at(dir, "link")).unwrap();
                symlink("deep", at(dir, "link")).unwrap();
            }),
            ("can be run", &|dir| fs::set_permissions(at(dir, "one.txt"), fs::Permissions::from_mode(0o755)).unwrap()),
        ];
        for (what, change) in changes {
            let dir = tree();
            let digests = || [Counts::Bytes, Counts::Stamp].map(|by| tree_digest(&at(&dir, ""), by).unwrap());
            let before = digests();
            assert_eq!(digests(), before, "it stays");
            change(&dir);
            // A change within one tick of the clock has another time.
            if let Ok(file) = fs::File::open(at(&dir, "deep/two.txt")) {
                file.set_modified(SystemTime::now() + Duration::from_secs(5)).unwrap();
            }
            let after = digests();
            assert_ne!(after[0], before[0], "{what}");
            assert_ne!(after[1], before[1], "{what}");
        }
    }

    #[test]
    fn only_what_is_read_counts() {
        let (one, other) = (tree(), tree());
        let of = |dir: &tempfile::TempDir, by| tree_digest(&dir.path().join("a"), by).unwrap();
        assert_eq!(of(&one, Counts::Bytes), of(&other, Counts::Bytes), "times do not count");
        let file = fs::File::open(one.path().join("a/one.txt")).unwrap();
        let before = of(&one, Counts::Stamp);
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert_ne!(of(&one, Counts::Stamp), before, "nothing else is looked at");
        assert_eq!(of(&one, Counts::Bytes), of(&other, Counts::Bytes));
    }
}
