//! Unpacked archives in the cache, by what they hold: an archive is there whole, or not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha224, Sha256};

use super::archive;
use super::download::shown_size;
use super::place::digest;
use super::{Count, Outcome, Problem, Surroundings};
use crate::model::nearest;
use crate::operation::{Notice, hex};

/// What an archive may hold. One that holds more is refused: it would fill the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of all files together.
    pub(crate) bytes: u64,
    /// Files, folders and links.
    pub(crate) entries: u64,
    /// How many times the size of the archive the files may have, once they have [`Limits::ratio_from`] bytes.
    pub(crate) ratio: u64,
    /// Bytes from which the ratio is looked at.
    pub(crate) ratio_from: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 4 << 30, entries: 1_000_000, ratio: 500, ratio_from: 256 << 20 }
    }
}

/// A kind of archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArchiveKind {
    /// Several files in a zip.
    Zip,
    /// A tar, compressed or not: its first bytes tell.
    Tar,
    /// One file, compressed by gzip.
    Gzip,
}

/// What a definition may give as the type.
const TYPES: [(&str, ArchiveKind); 9] = [
    ("zip", ArchiveKind::Zip),
    ("tar", ArchiveKind::Tar),
    ("tar.gz", ArchiveKind::Tar),
    ("tgz", ArchiveKind::Tar),
    ("tar.bz2", ArchiveKind::Tar),
    ("tar.xz", ArchiveKind::Tar),
    ("tar.zst", ArchiveKind::Tar),
    ("gzip", ArchiveKind::Gzip),
    ("gz", ArchiveKind::Gzip),
];

impl ArchiveKind {
    /// Returns the kind of archive that a file is: the one that is given, else what its name tells. `None` for none.
    pub(super) fn of(path: &Path, given: Option<&str>) -> Result<Option<Self>, String> {
        if let Some(given) = given {
            let known = TYPES.into_iter().find(|(name, _)| *name == given).map(|(_, kind)| kind);
            return known.map(Some).ok_or_else(|| {
                let near = nearest(given, TYPES.map(|(name, _)| name));
                let near = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
                format!("'{}' cannot be unpacked (unsupported archive type '{given}'{near})", path.display())
            });
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending) && name.len() > ending.len());
        Ok(if ends(&[".zip"]) {
            Some(Self::Zip)
        } else if ends(&[
            ".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tzst", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst",
        ]) {
            Some(Self::Tar)
        } else if ends(&[".gz"]) {
            Some(Self::Gzip)
        } else {
            None
        })
    }
}

/// Returns the folder with what an archive holds, unpacking it if that was not done before. `post_process` is run where it
/// was unpacked, once.
pub(super) fn unpacked(
    path: &Path,
    kind: ArchiveKind,
    post_process: Option<&str>,
    surroundings: &Surroundings<'_>,
    notify: &mut dyn FnMut(Notice),
) -> Outcome<PathBuf> {
    let content =
        digest(path, Sha256::default()).map_err(|error| format!("cannot read '{}': {error}", path.display()))?;
    let stem = path.file_name().unwrap_or_default().to_string_lossy();
    // The name of the one file in a gzip is that of the archive.
    let name = if kind == ArchiveKind::Gzip { stem.as_ref() } else { "" };
    let key = format!("{content}\n{kind:?}\n{name}\n{}", post_process.unwrap_or_default());
    let folder = surroundings.cache.join(hex(&Sha224::digest(key.as_bytes())));
    if folder.is_dir() {
        return Ok(folder);
    }
    let cannot = |error: io::Error| {
        let reason = format!("cannot unpack '{}' in {}: {error}", path.display(), surroundings.cache.display());
        Problem::io(&error, reason)
    };
    fs::create_dir_all(surroundings.cache).map_err(cannot)?;
    // What is refused, or cut off, goes with this folder.
    let half = tempfile::Builder::new().prefix(".unpack-").tempdir_in(surroundings.cache).map_err(cannot)?;
    notify(Notice::Info(format!("Unpacking {}", path.display())));
    let inside = half.path().join("files");
    fs::create_dir(&inside).map_err(cannot)?;
    archive::unpack(path, kind, &inside, surroundings.limits, surroundings.is_interrupted).map_err(|problem| {
        match problem {
            archive::Problem::Io(error) => cannot(error),
            archive::Problem::Refused(what) => format!("'{}' is refused: {what}", path.display()).into(),
            archive::Problem::Damaged(what) => format!("'{}' cannot be unpacked: {what}", path.display()).into(),
        }
    })?;
    if let Some(command) = post_process {
        notify(Notice::Info(format!("Post processing {} in {}", path.display(), inside.display())));
        (surroundings.post_process)(command, &inside)
            .map_err(|error| format!("error post processing '{}': {error}", path.display()))?;
    }
    match fs::rename(&inside, &folder) {
        Ok(()) => Ok(folder),
        // Another run has unpacked it meanwhile.
        Err(_) if folder.is_dir() => Ok(folder),
        Err(error) => Err(cannot(error)),
    }
}

/// Keeps count of what comes out of an archive, and of what went in.
pub(super) struct Budget<'a> {
    limits: Limits,
    /// Bytes that were read of the archive.
    packed: &'a Count,
    is_interrupted: &'a dyn Fn() -> bool,
    bytes: u64,
    entries: u64,
}

impl<'a> Budget<'a> {
    pub(super) fn new(limits: Limits, packed: &'a Count, is_interrupted: &'a dyn Fn() -> bool) -> Self {
        Self { limits, packed, is_interrupted, bytes: 0, entries: 0 }
    }

    /// Counts an entry that says to have so many bytes.
    pub(super) fn entry(&mut self, declared: u64) -> Result<(), String> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(format!("it holds more than {} files", self.limits.entries));
        }
        self.check(self.bytes.saturating_add(declared))
    }

    /// Counts bytes that came out.
    pub(super) fn add(&mut self, bytes: u64) -> Result<(), String> {
        self.bytes = self.bytes.saturating_add(bytes);
        self.check(self.bytes)?;
        let packed = self.packed.get().max(1);
        if self.bytes >= self.limits.ratio_from && self.bytes / packed > self.limits.ratio {
            return Err(format!("it is a bomb: {} of it make {} and more", shown_size(packed), shown_size(self.bytes)));
        }
        Ok(())
    }

    fn check(&self, bytes: u64) -> Result<(), String> {
        if (self.is_interrupted)() {
            return Err("the run was interrupted".to_owned());
        }
        match bytes > self.limits.bytes {
            true => Err(format!("it holds more than {}", shown_size(self.limits.bytes))),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_the_kind() {
        let cases = [
            ("a.zip", None, Ok(Some(ArchiveKind::Zip))),
            ("A.ZIP", None, Ok(Some(ArchiveKind::Zip))),
            ("a.tar", None, Ok(Some(ArchiveKind::Tar))),
            ("a.tar.zst", None, Ok(Some(ArchiveKind::Tar))),
            ("a.tgz", None, Ok(Some(ArchiveKind::Tar))),
            ("a.csv.gz", None, Ok(Some(ArchiveKind::Gzip))),
            ("a.csv.xz", None, Ok(None)),
            ("a.csv", None, Ok(None)),
            (".zip", None, Ok(None)),
            ("data", Some("zip"), Ok(Some(ArchiveKind::Zip))),
            (
                "a",
                Some("tar.gs"),
                Err("'a' cannot be unpacked (unsupported archive type 'tar.gs'; did you mean 'tar.gz'?)"),
            ),
            ("a", Some("rar"), Err("'a' cannot be unpacked (unsupported archive type 'rar')")),
        ];
        for (name, given, expected) in cases {
            assert_eq!(ArchiveKind::of(Path::new(name), given), expected.map_err(str::to_owned), "{name}");
        }
    }

    #[test]
    fn the_budget_is_kept() {
        let packed = Count::default();
        packed.add(10);
        let limits = Limits { bytes: 10_000, entries: 2, ratio: 100, ratio_from: 2000 };
        let mut budget = Budget::new(limits, &packed, &|| false);
        assert_eq!(budget.entry(10_001), Err("it holds more than 9.7 KiB".to_owned()));
        assert_eq!(budget.add(1999), Ok(()));
        assert_eq!(budget.add(0), Ok(()));
        assert_eq!(budget.add(1), Err("it is a bomb: 10 bytes of it make 1.9 KiB and more".to_owned()));
        packed.add(100);
        assert_eq!(budget.add(1), Ok(()));
        assert_eq!(budget.entry(0), Ok(()));
        assert_eq!(budget.entry(0), Err("it holds more than 2 files".to_owned()));
        assert_eq!(budget.add(8000), Err("it holds more than 9.7 KiB".to_owned()));
    }
}
