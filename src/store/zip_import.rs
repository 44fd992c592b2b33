//! Runs out of a zip file. Nothing of it gets outside of the folder that it is unpacked to, whatever its names and links
//! say, and it does not fill the disk.

use std::fs::{self, File, FileTimes};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use chrono::{Local, NaiveDate, TimeZone};
use zip::ZipArchive;

use super::copy::incoming;
use super::zip_export::stays_among_runs;
use super::{Error, Result};
use crate::model::clean_path;

/// Above this size, in bytes, the content of an archive may not be much larger than the archive.
const SUSPECT_SIZE: u64 = 1 << 30;

/// How many times larger. Text becomes a tenth, seldom a hundredth.
const SUSPECT_RATIO: u64 = 200;

/// The longest target of a link.
const LONGEST_LINK: u64 = 4096;

/// A zip file with runs, checked.
pub(crate) struct ZipImport {
    path: PathBuf,
    archive: ZipArchive<File>,
}

impl ZipImport {
    /// Opens the zip file at `path`. Fails if one of its names or links leads out of it.
    pub(crate) fn open(path: &Path) -> Result<ZipImport> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let size = file.metadata().map_err(Error::io("read", path))?.len();
        let mut archive = ZipArchive::new(file).map_err(|error| Error::corrupt(path, error.to_string()))?;
        let mut total = 0_u64;
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(|error| Error::corrupt(path, error.to_string()))?;
            let name = entry.name().map_err(|error| Error::corrupt(path, error.to_string()))?.into_owned();
            let refused = |why: &str| Error::corrupt(path, format!("the entry '{}' {why}", name.escape_debug()));
            let inside = inside(&name).ok_or_else(|| refused("has a path that leads out of it"))?;
            if entry.is_symlink() {
                let target = link_target(&mut entry).map_err(|error| refused(&error.to_string()))?;
                if !stays_among_runs(&inside, &target) {
                    return Err(refused(&format!("is a link that leads out of it, to {}", target.display())));
                }
            }
            total = total.saturating_add(entry.size());
        }
        if total > SUSPECT_SIZE && total / SUSPECT_RATIO > size {
            return Err(Error::corrupt(
                path,
                format!(
                    "its {size} bytes would become {total}; unpack it yourself and import the folder if it is meant so"
                ),
            ));
        }
        Ok(ZipImport { path: path.to_owned(), archive })
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
        self.unpack(folder.path(), |path| tells(path))?;
        Ok(folder)
    }

    /// Brings the run `id` to `folder`. Returns whether it did; not if something of that name is there already.
    pub(crate) fn bring(&mut self, id: &str, folder: &Path) -> Result<bool> {
        let target = folder.join(id);
        if target.symlink_metadata().is_ok() {
            return Ok(false);
        }
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let incoming = incoming(folder)?;
        self.unpack(incoming.path(), |path| path.starts_with(id))?;
        match fs::rename(incoming.path().join(id), &target) {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {
                Ok(false)
            }
            Err(error) => Err(Error::io("write", &target)(error)),
        }
    }

    /// Unpacks the wanted entries to the empty folder `to`. Links are made last, so that nothing is written through one.
    fn unpack(&mut self, to: &Path, wanted: impl Fn(&Path) -> bool) -> Result<()> {
        let (mut links, mut needed) = (Vec::new(), 0_u64);
        let mut chosen = Vec::new();
        for index in 0..self.archive.len() {
            let entry =
                self.archive.by_index_raw(index).map_err(|error| Error::corrupt(&self.path, error.to_string()))?;
            let name = entry.name().map_err(|error| Error::corrupt(&self.path, error.to_string()))?.into_owned();
            if let Some(path) = inside(&name).filter(|path| wanted(path)) {
                needed = needed.saturating_add(entry.size());
                chosen.push((index, path));
            }
        }
        let room = rustix::fs::statvfs(to).map_err(|error| Error::io("read", to)(error.into()))?;
        if needed > room.f_bavail.saturating_mul(room.f_frsize) {
            return Err(Error::io("write", to)(io::ErrorKind::StorageFull.into()));
        }
        for (index, path) in chosen {
            let target = to.join(&path);
            let damaged =
                |error: &dyn std::fmt::Display| Error::corrupt(&self.path, format!("{}: {error}", path.display()));
            let mut entry = self.archive.by_index(index).map_err(|error| damaged(&error))?;
            if entry.is_dir() {
                fs::create_dir_all(&target).map_err(Error::io("create", &target))?;
                continue;
            }
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
            }
            if entry.is_symlink() {
                let leads_to = link_target(&mut entry).map_err(|error| damaged(&error))?;
                links.push((target, leads_to));
                continue;
            }
            // What it may do beyond that is not for a file to say.
            let mode = entry.unix_mode().unwrap_or(0o644) & 0o777;
            let mut options = File::options();
            options.write(true).create_new(true).mode(mode | 0o600);
            let mut file = options.open(&target).map_err(Error::io("create", &target))?;
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
        for (target, leads_to) in links {
            symlink(leads_to, &target).map_err(Error::io("create", &target))?;
        }
        Ok(())
    }
}

/// Returns the path of an entry; `None` if it is not one below the folder it is unpacked to. Every `..` is refused.
fn inside(name: &str) -> Option<PathBuf> {
    let is_plain = !name.contains(['\\', '\0']) && !name.split('/').any(|part| part == "..");
    clean_path(Path::new(name)).filter(|path| is_plain && !path.as_os_str().is_empty())
}

fn link_target(entry: &mut impl Read) -> io::Result<PathBuf> {
    let mut target = Vec::new();
    entry.take(LONGEST_LINK).read_to_end(&mut target)?;
    let target = String::from_utf8(target).map_err(|_| io::Error::other("is a link to no text"))?;
    if target.is_empty() { Err(io::Error::other("is a link to nothing")) } else { Ok(PathBuf::from(target)) }
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

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::store::zip_export::ZipExport;

    /// Makes a zip of files, and of links, whose content begins with `->`.
    fn zip(entries: &[(&str, &str)]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = ZipWriter::new(file.reopen().unwrap());
        for (name, content) in entries {
            match content.strip_prefix("->") {
                Some(to) => writer.add_symlink(*name, to, SimpleFileOptions::default()).unwrap(),
                None => {
                    writer.start_file(*name, SimpleFileOptions::default()).unwrap();
                    writer.write_all(content.as_bytes()).unwrap();
                }
            }
        }
        writer.finish().unwrap();
        file
    }

    #[test]
    fn what_leads_out_is_refused() {
        let cases = [
            ("../evil", "x", "has a path that leads out"),
            ("ab/../../evil", "x", "has a path that leads out"),
            ("/etc/evil", "x", "has a path that leads out"),
            ("ab\\..\\..\\evil", "x", "has a path that leads out"),
            ("ab/link", "->/etc/passwd", "is a link that leads out"),
            ("ab/link", "->../../x", "is a link that leads out"),
            ("ab/link", "->", "is a link to nothing"),
        ];
        for (name, content, problem) in cases {
            let file = zip(&[("ab/.guild/opref", "script:/a '' '' b"), (name, content)]);
            let error = ZipImport::open(file.path()).err().expect("it is refused").to_string();
            assert!(error.contains(problem), "{name}: {error}");
        }
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let file = zip(&[("ab/.guild/opref", "x"), ("ab/d", "->../cd"), ("ab/d/evil", "x"), ("cd/.guild/opref", "x")]);
        let folder = tempfile::tempdir().unwrap();
        let mut import = ZipImport::open(file.path()).unwrap();
        assert!(import.bring("ab", folder.path()).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
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
        let mut import = ZipImport::open(&path).unwrap();
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
}
