//! Runs out of a zip file. Nothing of it gets outside of the folder that it is unpacked to, whatever its names and links
//! say, and it does not fill the disk.

use std::fs::{self, File, FileTimes};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chrono::{Local, NaiveDate, TimeZone};
use zip::ZipArchive;
use zip::read::ZipFile;

use super::birth::Birth;
use super::confined::Confined;
use super::copy::is_of_the_moment;
use super::links::{LinkRefused, Links};
use super::{Error, Result};
use crate::model::clean_path;

/// How many times the size of the file its content may have where that is more than the limit. Text becomes a tenth.
const HONEST_RATIO: u64 = 20;

/// The longest target of a link, in bytes.
const LONGEST_LINK: u64 = 4095;

/// What a zip file may hold. One that holds more is refused before anything of it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImportLimits {
    /// Bytes of all files together; [`HONEST_RATIO`] times the size of the file are always allowed.
    pub(crate) bytes: u64,
    /// Files, folders and links.
    pub(crate) entries: u64,
}

impl Default for ImportLimits {
    fn default() -> Self {
        Self { bytes: 2 << 30, entries: 100_000 }
    }
}

/// A zip file with runs, checked.
pub(crate) struct ZipImport {
    path: PathBuf,
    archive: ZipArchive<File>,
}

impl ZipImport {
    /// Opens the zip file at `path`. Fails if one of its names or links leads out of it, or if it holds too much.
    pub(crate) fn open(path: &Path, limits: ImportLimits) -> Result<ZipImport> {
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let size = file.metadata().map_err(Error::io("read", path))?.len();
        let most = |count: u64, limit: u64, what: &str| match count > limit {
            true => Err(Error::TooLarge { path: path.to_owned(), what: format!("{count} {what}"), limit }),
            false => Ok(()),
        };
        // Before a place in memory is made for each.
        if let Some(count) = super::zip_end::entries(&mut file).map_err(Error::io("read", path))? {
            most(count, limits.entries, "entries")?;
        }
        let archive = ZipArchive::new(file).map_err(|error| Error::corrupt(path, error.to_string()))?;
        let mut import = ZipImport { path: path.to_owned(), archive };
        most(import.archive.len() as u64, limits.entries, "entries")?;
        let mut bytes = 0_u64;
        for index in 0..import.archive.len() {
            let mut entry = entry(&mut import.archive, path, index)?;
            let (name, kind) = entry.checked().map_err(|error| damaged(path, &error))?;
            if let Kind::Link = kind {
                let leads_to = link_target(&mut entry.0);
                let checked = leads_to.and_then(|to| Ok(Links::check(&name, &to)?));
                checked.map_err(|why| damaged(path, &EntryError::at(&name, why)))?;
            }
            bytes = bytes.saturating_add(entry.0.size());
        }
        most(bytes, limits.bytes.max(size.saturating_mul(HONEST_RATIO)), "bytes")?;
        Ok(import)
    }

    /// Unpacks what tells what the runs are, into a folder that goes with the value.
    pub(crate) fn outline(&mut self) -> Result<tempfile::TempDir> {
        let folder = tempfile::tempdir().map_err(Error::io("create a folder in", &std::env::temp_dir()))?;
        let tells = |path: &Path| {
            let path: PathBuf = path.components().skip(1).collect();
            path.starts_with(".guild/attrs")
                || [".guild/opref", ".guild/PENDING", ".guild/STAGED", ".guild/events.jsonl"]
                    .map(Path::new)
                    .contains(&path.as_path())
        };
        self.unpack(folder.path(), None, tells)?;
        Ok(folder)
    }

    /// Brings the run `id` to `folder`. Returns whether it did; not if something of that name is there already.
    pub(crate) fn bring(&mut self, id: &str, folder: &Path) -> Result<bool> {
        let target = folder.join(id);
        if target.symlink_metadata().is_ok() {
            return Ok(false);
        }
        let (mut birth, _lock) = Birth::of_copy(folder, id)?;
        self.unpack(birth.base(), Some(folder), |path| path.starts_with(id))?;
        birth.appear_or_yield()
    }

    /// Unpacks the wanted entries to the empty folder `to`. Links are made last; those to other runs, which are in the folder
    /// `runs`, must not lead out of it by a link that is there.
    fn unpack(&mut self, to: &Path, runs: Option<&Path>, wanted: impl Fn(&Path) -> bool) -> Result<()> {
        let (mut links, mut needed) = (Vec::new(), 0_u64);
        let mut chosen = Vec::new();
        for index in 0..self.archive.len() {
            let entry = entry(&mut self.archive, &self.path, index)?;
            let (path, kind) = entry.checked().map_err(|error| damaged(&self.path, &error))?;
            if wanted(&path) && !is_of_the_moment(&path.components().skip(1).collect::<PathBuf>()) {
                needed = needed.saturating_add(entry.0.size());
                chosen.push((index, path, kind));
            }
        }
        let room = rustix::fs::statvfs(to).map_err(|error| Error::io("read", to)(error.into()))?;
        if needed > room.f_bavail.saturating_mul(room.f_frsize) {
            return Err(Error::io("write", to)(io::ErrorKind::StorageFull.into()));
        }
        let mut confined = Confined::open(to).map_err(Error::io("open", to))?;
        for (index, path, kind) in chosen {
            let zip = self.path.clone();
            let refused = |error: io::Error| refuse(&zip, &to.join(&path), &path, error);
            let damaged = |error: &dyn std::fmt::Display| Error::corrupt(&zip, format!("{}: {error}", path.display()));
            let mut entry = entry(&mut self.archive, &zip, index)?.0;
            match kind {
                Kind::Folder => confined.folder(&path).map_err(refused)?,
                Kind::Link => links.push((link_target(&mut entry).map_err(|what| damaged(&what))?, path.clone())),
                Kind::File(mode) => {
                    let mut file = confined.file(&path, mode | 0o600).map_err(refused)?;
                    let size = entry.size();
                    let time = entry.last_modified();
                    let written = io::copy(&mut (&mut entry).take(size.saturating_add(1)), &mut file);
                    if written.map_err(|error| damaged(&error))? > size {
                        return Err(damaged(&"it is larger than it says"));
                    }
                    // A copy with another time is a copy.
                    let _ = time.and_then(system_time).map(|time| file.set_times(FileTimes::new().set_modified(time)));
                    let _ = file.set_permissions(fs::Permissions::from_mode(mode));
                }
            }
        }
        let among = runs.map(Links::among).transpose().map_err(Error::io("open", to))?;
        for (leads_to, path) in links {
            // Judged again: between the first look and this one the file may have become another.
            let checked = match &among {
                Some(among) => among.judge(&path, &leads_to),
                None => Links::check(&path, &leads_to),
            };
            checked.map_err(|why| damaged(&self.path, &EntryError::at(&path, why.into())))?;
            let made = confined.link(&path, &leads_to);
            made.map_err(|error| refuse(&self.path, &to.join(&path), &path, error))?;
        }
        Ok(())
    }
}

fn entry<'a>(archive: &'a mut ZipArchive<File>, path: &Path, index: usize) -> Result<Entry<'a>> {
    archive.by_index(index).map(Entry).map_err(|error| Error::corrupt(path, error.to_string()))
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Folder,
    Link,
    /// A file, with what may be done with it.
    File(u32),
}

struct Entry<'a>(ZipFile<'a, File>);

impl Entry<'_> {
    /// Returns the path of an entry, which is below the folder that it is unpacked to, and what it is; else why it is refused.
    /// Every `..` is.
    fn checked(&self) -> std::result::Result<(PathBuf, Kind), EntryError> {
        let name = self.0.name()?;
        let refused = |why: Refused| Err(EntryError::at(Path::new(&*name), why));
        let is_plain = !name.contains(['\\', '\0']) && !name.split('/').any(|part| part == "..");
        let path = clean_path(Path::new(&*name)).filter(|path| is_plain && !path.as_os_str().is_empty());
        let Some(path) = path else { return refused(Refused::LeadsOut) };
        let mode = self.0.unix_mode().unwrap_or(0o644);
        if self.0.is_dir() {
            return Ok((path, Kind::Folder));
        }
        match mode & libc::S_IFMT {
            libc::S_IFLNK => Ok((path, Kind::Link)),
            // What it may do beyond that is not for a file to say.
            0 | libc::S_IFREG => Ok((path, Kind::File(mode & 0o777))),
            _ => refused(Refused::OddKind),
        }
    }
}

/// An entry that is refused.
#[derive(Debug, thiserror::Error)]
enum EntryError {
    /// Its name cannot be told.
    #[error(transparent)]
    Name(#[from] zip::result::ZipError),
    /// It is this one, for this.
    #[error("the entry '{}' {why}", path.display().to_string().escape_debug())]
    At {
        path: PathBuf,
        #[source]
        why: Refused,
    },
}

impl EntryError {
    fn at(path: &Path, why: Refused) -> Self {
        Self::At { path: path.to_owned(), why }
    }
}

/// Why an entry is refused.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("has a path that leads out of it")]
    LeadsOut,
    #[error("is neither file, folder nor link")]
    OddKind,
    #[error("is in it twice")]
    Twice,
    #[error("is a link to a path that is too long")]
    LongLink,
    #[error("is a link to no text")]
    LinkToNoText,
    #[error(transparent)]
    Link(#[from] LinkRefused),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Returns the error for an entry that was not written: the disk's, or its own.
fn refuse(zip: &Path, target: &Path, path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::AlreadyExists => damaged(zip, &EntryError::at(path, Refused::Twice)),
        io::ErrorKind::Other => damaged(zip, &EntryError::at(path, error.into())),
        _ => Error::io("create", target)(error),
    }
}

fn damaged(zip: &Path, error: &EntryError) -> Error {
    Error::corrupt(zip, error.to_string())
}

fn link_target(entry: &mut impl Read) -> std::result::Result<PathBuf, Refused> {
    let mut target = Vec::new();
    entry.take(LONGEST_LINK + 1).read_to_end(&mut target)?;
    if target.len() as u64 > LONGEST_LINK {
        return Err(Refused::LongLink);
    }
    let target = String::from_utf8(target).map_err(|_| Refused::LinkToNoText)?;
    Ok(PathBuf::from(target))
}

/// Returns the time of an entry, which is local, as everything in this form.
fn system_time(time: zip::DateTime) -> Option<std::time::SystemTime> {
    let date = NaiveDate::from_ymd_opt(i32::from(time.year()), u32::from(time.month()), u32::from(time.day()))?;
    let time = date.and_hms_opt(u32::from(time.hour()), u32::from(time.minute()), u32::from(time.second()))?;
    Some(Local.from_local_datetime(&time).earliest()?.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use std::os::unix::fs::symlink;

    use proptest::prelude::*;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::store::zip_export::ZipExport;

    /// Makes a zip of files, and of links, whose content begins with `->`.
    fn zip(entries: &[(&str, &str)]) -> tempfile::NamedTempFile {
        try_zip(entries).unwrap()
    }

    /// The same of names that the library may refuse to write.
    fn try_zip(entries: &[(&str, &str)]) -> zip::result::ZipResult<tempfile::NamedTempFile> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = ZipWriter::new(file.reopen().unwrap());
        for (name, content) in entries {
            match content.strip_prefix("->") {
                Some(to) => writer.add_symlink(*name, to, SimpleFileOptions::default())?,
                None => {
                    writer.start_file(*name, SimpleFileOptions::default())?;
                    writer.write_all(content.as_bytes())?;
                }
            }
        }
        writer.finish()?;
        Ok(file)
    }

    fn open(file: &tempfile::NamedTempFile) -> Result<ZipImport> {
        ZipImport::open(file.path(), ImportLimits::default())
    }

    const OPREF: (&str, &str) = ("ab/.guild/opref", "script:/a '' '' b");

    #[test]
    fn what_leads_out_is_refused() {
        let cases = [
            ("../evil", "x", "has a path that leads out"),
            ("ab/../../evil", "x", "has a path that leads out"),
            ("ab/../cd/evil", "x", "has a path that leads out"),
            ("/etc/evil", "x", "has a path that leads out"),
            ("ab\\..\\..\\evil", "x", "has a path that leads out"),
            ("ab/link", "->/etc/passwd", "is a link that leads out"),
            ("ab/link", "->../../x", "is a link that leads out"),
            ("ab/link", "->..", "is a link that leads out"),
            ("ab/link", "->../.new/cd", "is a link that leads out"),
            ("ab/link", "->d/../../cd", "is a link that leads out"),
            ("ab/link", "->", "is a link to nothing"),
            ("ab", "->cd", "is a link in the place of metadata"),
            ("ab/.guild/attrs", "->../d", "is a link in the place of metadata"),
            ("ab/.guild/attrs/label", "->../../d", "is a link in the place of metadata"),
            ("ab/.guild", "->d", "is a link in the place of metadata"),
        ];
        for (name, content, problem) in cases {
            let error = open(&zip(&[OPREF, (name, content)])).err().expect("it is refused").to_string();
            assert!(error.contains(problem), "{name}: {error}");
        }
    }

    #[test]
    fn what_is_no_file_is_refused() {
        for kind in [libc::S_IFCHR, libc::S_IFBLK, libc::S_IFIFO, libc::S_IFSOCK] {
            let file = tempfile::NamedTempFile::new().unwrap();
            let mut writer = ZipWriter::new(file.reopen().unwrap());
            writer.start_file("ab/node", SimpleFileOptions::default()).unwrap();
            writer.finish().unwrap();
            // The library does not write such a mode: it stands in the upper half of the attributes of the central record.
            let mut bytes = fs::read(file.path()).unwrap();
            let central = bytes.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
            bytes[central + 5] = 3;
            bytes[central + 40..central + 42].copy_from_slice(&u16::try_from(kind | 0o644).unwrap().to_le_bytes());
            fs::write(file.path(), bytes).unwrap();
            let error = open(&file).err().expect("it is refused").to_string();
            assert!(error.contains("the entry 'ab/node' is neither file, folder nor link"), "{error}");
        }
    }

    #[test]
    fn more_than_is_allowed_is_refused_unless_it_is_meant_so() {
        let content = "x".repeat(100_000);
        let file = zip(&[OPREF, ("ab/a", &content), ("ab/b", "")]);
        let check = |bytes, entries| match ZipImport::open(file.path(), ImportLimits { bytes, entries }) {
            Ok(_) => "taken".to_owned(),
            Err(error) => error.to_string().replace(&file.path().display().to_string(), "ZIP"),
        };
        assert_eq!(check(100_017, 3), "taken");
        assert_eq!(check(100_016, 3), "ZIP holds 100017 bytes, and at most 100016 are taken");
        assert_eq!(check(100_017, 2), "ZIP holds 3 entries, and at most 2 are taken");
        // Plain content is as large as its file, and no bomb.
        let plain = tempfile::NamedTempFile::new().unwrap();
        let mut writer = ZipWriter::new(plain.reopen().unwrap());
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        writer.start_file("ab/a", stored).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
        writer.finish().unwrap();
        assert!(ZipImport::open(plain.path(), ImportLimits { bytes: 1, entries: 1 }).is_ok());
    }

    /// Entries that are in each other's way, whatever comes first. Nothing of them is left.
    #[test]
    fn nothing_is_written_through_a_link_or_twice() {
        let cases: [&[(&str, &str)]; 8] = [
            &[("ab/d", "->../cd"), ("ab/d/evil", "x")],
            &[("ab/d/evil", "x"), ("ab/d", "->../cd")],
            &[("ab/d", "->e"), ("ab/./d", "x")],
            &[("ab/d", "x"), ("ab//d", "->e")],
            &[("ab/d", "->e"), ("ab//d", "->f")],
            &[("ab/d", "x"), ("ab/d/e", "x")],
            &[("ab/d/e", "x"), ("ab/d", "x")],
            &[("ab/d/", ""), ("ab/d", "->e")],
        ];
        for entries in cases {
            let file = zip(&[&[OPREF, ("cd/.guild/opref", "x")], entries].concat());
            let folder = tempfile::tempdir().unwrap();
            let mut import = open(&file).unwrap();
            let error = import.bring("ab", folder.path()).expect_err("it is refused").to_string();
            let is_told = error.contains("is in it twice") || error.contains("goes through what is no folder");
            assert!(is_told, "{entries:?}: {error}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn names_that_differ_in_case_are_two_or_refused() {
        let file = zip(&[OPREF, ("ab/D", "->../cd"), ("ab/d/x", "x")]);
        let folder = tempfile::tempdir().unwrap();
        // Which of both depends on the file system.
        if open(&file).unwrap().bring("ab", folder.path()).is_ok() {
            assert_eq!(fs::read_link(folder.path().join("ab/D")).unwrap(), Path::new("../cd"));
            assert!(folder.path().join("ab/d/x").exists());
        }
        assert!(!folder.path().join("cd").exists());
    }

    #[test]
    fn chains_of_any_length_are_refused() {
        for length in 1..40 {
            let climb = "d/e/".repeat(length);
            let to = format!("->{climb}{}etc", "../".repeat(length + 5));
            let entries = [OPREF, ("ab/d/e", "->.."), ("ab/k", to.as_str())];
            assert!(open(&zip(&entries)).is_err(), "{length}");
            // The same in steps, each of which leads a little higher.
            let mut steps = vec![("ab/s0".to_owned(), "->d".to_owned())];
            steps.extend((1..=length).map(|step| (format!("ab/s{step}"), format!("->s{}/..", step - 1))));
            let steps: Vec<(&str, &str)> = steps.iter().map(|(name, to)| (name.as_str(), to.as_str())).collect();
            assert!(open(&zip(&[&[OPREF], &steps[..]].concat())).is_err(), "{length}");
        }
    }

    #[test]
    fn a_link_through_a_run_that_is_there_must_not_lead_out() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("cd")).unwrap();
        symlink("/etc", folder.path().join("cd/data")).unwrap();
        let file = zip(&[OPREF, ("ab/x", "->../cd/data/passwd")]);
        let error = open(&file).unwrap().bring("ab", folder.path()).unwrap_err().to_string();
        assert!(error.contains("the entry 'ab/x' is a link that leads out of it"), "{error}");
        assert!(!folder.path().join("ab").exists());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_zip_writes_outside(
            entries in prop::collection::vec(("ab/[abD./]{1,6}", prop_oneof![Just("x".to_owned()), "->[ab./]{1,7}"]), 1..8),
        ) {
            let top = tempfile::tempdir().unwrap();
            let runs = top.path().join("x/runs");
            fs::create_dir_all(&runs).unwrap();
            let mut all = vec![OPREF];
            all.extend(entries.iter().map(|(name, content)| (name.as_str(), content.as_str())));
            let made = try_zip(&all);
            prop_assume!(made.is_ok());
            if let Ok(mut import) = open(&made.unwrap()) {
                let _ = import.bring("ab", &runs);
            }
            prop_assert_eq!(fs::read_dir(top.path()).unwrap().count(), 1);
            prop_assert_eq!(fs::read_dir(top.path().join("x")).unwrap().count(), 1);
            let root = runs.canonicalize().unwrap();
            let mut paths = vec![runs];
            while let Some(path) = paths.pop() {
                if let Ok(real) = path.canonicalize() {
                    prop_assert!(real.starts_with(&root), "{} leads to {}", path.display(), real.display());
                }
                if path.symlink_metadata().unwrap().is_dir() {
                    paths.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                }
            }
        }
    }

    #[test]
    fn a_run_goes_there_and_back() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("ab");
        for file in [".guild/opref", ".guild/attrs/id", ".guild/LOCK", "out/a b"] {
            fs::create_dir_all(run.join(file).parent().unwrap()).unwrap();
            fs::write(run.join(file), file).unwrap();
        }
        symlink("../cd/x", run.join("up")).unwrap();
        symlink(dir.path().join("ab/out"), run.join("far")).unwrap();
        let path = dir.path().join("deep/runs.zip");
        for expected in [true, false] {
            let mut export = ZipExport::begin(&path, false).unwrap();
            assert_eq!(export.add(&run, "ab").unwrap().is_some(), expected);
            assert!(export.add(&run, if expected { "cd" } else { "ef" }).unwrap().is_some());
            export.finish().unwrap();
        }
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left behind");
        let mut import = ZipImport::open(&path, ImportLimits::default()).unwrap();
        let outline = import.outline().unwrap();
        assert!(outline.path().join("cd/.guild/opref").exists() && !outline.path().join("cd/out").exists());
        let to = dir.path().join("to");
        assert!(import.bring("ab", &to).unwrap());
        assert!(!import.bring("ab", &to).unwrap());
        assert_eq!(fs::read_to_string(to.join("ab/out/a b")).unwrap(), "out/a b");
        assert_eq!(fs::read_link(to.join("ab/up")).unwrap(), Path::new("../cd/x"));
        assert!(to.join("ab/far/a b").exists() && !to.join("ab/far").is_symlink(), "what leads out is copied");
        assert!(!to.join("ab/.guild/LOCK").exists() && !to.join("cd").exists());
    }

    #[test]
    fn fuzz_of_archives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.zip");
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let plain = zip::write::SimpleFileOptions::default();
        for (name, text) in [
            ("0123abcd/.guild/opref", "script:/x:::"),
            ("0123abcd/.guild/attrs/id", "0123abcd\n"),
            ("0123abcd/output", "out"),
        ] {
            zip.start_file(name, plain).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        let whole = zip.finish().unwrap().into_inner();
        let limits = ImportLimits::default();
        crate::fuzz::fuzz(&[&whole], |input| {
            fs::write(&path, input).unwrap();
            let Ok(mut import) = ZipImport::open(&path, limits) else { return };
            drop(import.outline());
            let target = tempfile::tempdir_in(folder.path()).unwrap();
            drop(import.bring("0123abcd", target.path()));
        });
        // Whatever was in them, nothing has come beside the folders.
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["runs.zip"]);
    }
}
