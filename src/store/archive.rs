//! The archive of a run: one file with its logs, results, jobfile, testscripts and environment, and without secrets.
//!
//! Unpacked, its one folder is a run directory again.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Cursor, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::archive_writer::{Format, Stamp, Writer};
use super::{Error, Result, attr, run_id};
use crate::model::{EventKind, Masks};

/// Files of a run directory that mean something only while the run goes on.
const OF_THE_MOMENT: [&str; 3] = [".guild/LOCK", ".guild/PENDING", ".guild/ballast"];

/// The file of an archive that says what is not in it.
const NOTES: &str = "archive-notes.txt";

/// Bytes of an attribute that is read as a document; what is larger is none that Rille writes.
const LARGEST_ATTRIBUTE: u64 = 16 << 20;

/// Where an archive is to be, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArchiveTarget {
    path: PathBuf,
    format: Format,
    replaces: bool,
}

/// Why an archive cannot be where it is wanted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadArchive {
    /// The name does not tell the form.
    #[error("the archive '{}' is neither a .zip nor a .tar.zst", .0.display())]
    Form(PathBuf),
    /// There is a folder by that name.
    #[error("the archive '{}' is a folder", .0.display())]
    Folder(PathBuf),
    /// There is a file by that name.
    #[error("the archive '{}' exists already", .0.display())]
    Exists(PathBuf),
    /// The folder it would be in is none.
    #[error("the folder of the archive, {}, does not exist", .0.display())]
    NoFolder(PathBuf),
    /// Nothing can be written there.
    #[error("the folder of the archive, {}, cannot be written: {source}", path.display())]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ArchiveTarget {
    /// Checks where an archive is to be. An existing file is refused, unless it is `own`, the archive that the run made
    /// before it was resumed.
    pub(crate) fn check(given: &Path, own: Option<&Path>) -> std::result::Result<ArchiveTarget, BadArchive> {
        let format = Format::of(given).ok_or_else(|| BadArchive::Form(given.to_owned()))?;
        let path = std::path::absolute(given).map_err(|_| BadArchive::NoFolder(given.to_owned()))?;
        let replaces = own == Some(path.as_path());
        match path.symlink_metadata() {
            Ok(found) if found.is_dir() => return Err(BadArchive::Folder(path)),
            Ok(_) if !replaces => return Err(BadArchive::Exists(path)),
            _ => {}
        }
        let folder = path.parent().unwrap_or(Path::new("/"));
        if !folder.is_dir() {
            return Err(BadArchive::NoFolder(folder.to_owned()));
        }
        rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
            .map_err(|error| BadArchive::Unwritable { path: folder.to_owned(), source: error.into() })?;
        Ok(ArchiveTarget { path, format, replaces })
    }

    /// Returns the absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// The jobfile of a run as it was run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jobfile<'a> {
    /// Its absolute path.
    pub(crate) path: &'a Path,
    /// Its bytes; `None` if they are not known any more.
    pub(crate) source: Option<&'a [u8]>,
}

/// Makes the archive of the run in the directory `run`, whose reporting name is `name`, with the secrets of `masks` masked
/// wherever they stand. It appears under its name when it is whole.
pub(crate) fn archive(
    run: &Path,
    target: &ArchiveTarget,
    name: &str,
    jobfile: Jobfile<'_>,
    masks: &Masks,
) -> Result<()> {
    let folder = target.path.parent().unwrap_or(Path::new("/"));
    let failed = || Error::io("write the archive", &target.path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".rille-archive-").permissions(fs::Permissions::from_mode(0o666));
    let temporary = builder.tempfile_in(folder).map_err(failed())?;
    let short = run_id(run);
    let top = format!("{}-{}", safe(name), short.get(..8).unwrap_or(&short));
    let file = temporary.as_file().try_clone().map_err(failed())?;
    let skipped = temporary.path().to_owned();
    let mut packing = Packing {
        writer: Writer::new(target.format, file).map_err(failed())?,
        masks,
        top: masks.mask(top.as_bytes()).into_owned(),
        names: HashSet::new(),
        notes: Vec::new(),
        skipped: &skipped,
    };
    packing.tree(run).map_err(failed())?;
    packing.jobfile(jobfile).map_err(failed())?;
    let beside = jobfile.path.parent().unwrap_or(Path::new("/"));
    for script in scripts(&run.join(".guild/events.jsonl"))? {
        packing.script(&script, beside).map_err(failed())?;
    }
    packing.finish().map_err(failed())?;
    let placed = match target.replaces {
        true => temporary.persist(&target.path),
        false => temporary.persist_noclobber(&target.path),
    };
    placed.map(drop).map_err(|error| failed()(error.error))
}

/// An archive that is being packed.
struct Packing<'a> {
    writer: Writer,
    masks: &'a Masks,
    top: Vec<u8>,
    /// Names that are taken: two that differ in a secret are the same with it masked.
    names: HashSet<Vec<u8>>,
    notes: Vec<String>,
    /// The archive itself.
    skipped: &'a Path,
}

impl Packing<'_> {
    /// Adds everything below the run directory, in the order of its names.
    fn tree(&mut self, run: &Path) -> io::Result<()> {
        self.writer.folder(&OsString::from_vec(self.top.clone()), Stamp::of(&run.metadata()?))?;
        let mut open = vec![PathBuf::new()];
        while let Some(relative) = open.pop() {
            let path = run.join(&relative);
            let metadata = match path.symlink_metadata() {
                Ok(metadata) => metadata,
                Err(error) => {
                    self.leave_out(&relative, &error.to_string());
                    continue;
                }
            };
            if !metadata.is_dir() {
                self.entry(&path, &relative, &metadata)?;
                continue;
            }
            if !relative.as_os_str().is_empty() {
                let name = self.name(&relative);
                self.writer.folder(&name, Stamp::of(&metadata))?;
            }
            match fs::read_dir(&path).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
                Ok(entries) => {
                    let mut names: Vec<OsString> = entries.into_iter().map(|entry| entry.file_name()).collect();
                    names.sort_unstable_by(|a, b| b.cmp(a));
                    open.extend(
                        names.into_iter().map(|name| relative.join(name)).filter(|name| !is_of_the_moment(name)),
                    );
                }
                Err(error) => self.leave_out(&relative, &error.to_string()),
            }
        }
        Ok(())
    }

    /// Adds what is no folder.
    fn entry(&mut self, path: &Path, relative: &Path, metadata: &Metadata) -> io::Result<()> {
        let kind = metadata.file_type();
        if path == self.skipped {
            return Ok(());
        }
        if kind.is_symlink() {
            let Ok(to) = fs::read_link(path) else { return Ok(()) };
            let name = self.name(relative);
            let to = OsString::from_vec(self.masks.mask(to.as_os_str().as_bytes()).into_owned());
            return self.writer.link(&name, &to, Stamp::of(metadata));
        }
        if !kind.is_file() {
            let what = match () {
                () if kind.is_fifo() => "a pipe",
                () if kind.is_socket() => "a socket",
                () => "a device",
            };
            self.leave_out(relative, what);
            return Ok(());
        }
        match open_file(path) {
            Ok((mut file, metadata)) => {
                let masked = self.masked_attribute(relative, &mut file);
                match masked {
                    Some(text) => self.file(relative, Stamp::of(&metadata), &mut Cursor::new(text.into_bytes())),
                    None => self.file(relative, Stamp::of(&metadata), &mut file),
                }
            }
            Err(error) => {
                self.leave_out(relative, &error.to_string());
                Ok(())
            }
        }
    }

    /// Returns an attribute with the secrets masked as a document again: a mask that stands bare is no YAML.
    fn masked_attribute(&self, relative: &Path, file: &mut File) -> Option<String> {
        if self.masks.is_empty() || !relative.starts_with(".guild/attrs") {
            return None;
        }
        let mut text = String::new();
        file.take(LARGEST_ATTRIBUTE).read_to_string(&mut text).ok()?;
        let mut value: Value = attr::decode(&text).ok()?;
        self.masks.mask_json(&mut value);
        attr::encode(&value).ok()
    }

    fn file(&mut self, relative: &Path, stamp: Stamp, content: &mut (impl Read + io::Seek)) -> io::Result<()> {
        let name = self.name(relative);
        if let Some(error) = self.writer.file(&name, stamp, content, self.masks)? {
            self.notes.push(format!("{}: not whole: {error}", relative.display()));
        }
        Ok(())
    }

    fn jobfile(&mut self, jobfile: Jobfile<'_>) -> io::Result<()> {
        let name = jobfile.path.file_name().unwrap_or(OsStr::new("jobfile"));
        let relative = Path::new("jobfile").join(name);
        match jobfile.source {
            Some(source) => self.file(&relative, Stamp::now(), &mut Cursor::new(source)),
            None => {
                self.leave_out(&relative, "it is not as it was when the run was made");
                Ok(())
            }
        }
    }

    /// Adds a script that ran. A program in machine code is not one.
    fn script(&mut self, path: &Path, beside: &Path) -> io::Result<()> {
        let relative = path.strip_prefix(beside).or_else(|_| path.strip_prefix("/")).unwrap_or(path);
        let relative = Path::new("testscripts").join(relative);
        match open_file(path) {
            Ok((mut file, metadata)) => {
                let mut start = Vec::new();
                let read = (&mut file).take(4).read_to_end(&mut start);
                if read.is_ok() && start == b"\x7fELF" {
                    self.leave_out(&relative, "a program in machine code");
                    return Ok(());
                }
                self.file(&relative, Stamp::of(&metadata), &mut file)
            }
            Err(error) => {
                self.leave_out(&relative, &error.to_string());
                Ok(())
            }
        }
    }

    fn leave_out(&mut self, relative: &Path, why: &str) {
        self.notes.push(format!("{}: left out: {why}", relative.display()));
    }

    /// Returns the name of an entry in the archive.
    fn name(&mut self, relative: &Path) -> OsString {
        let masked = self.masks.mask(relative.as_os_str().as_bytes());
        let mut name = [&self.top[..], b"/", &masked].concat();
        while !self.names.insert(name.clone()) {
            name.push(b'+');
        }
        OsString::from_vec(name)
    }

    fn finish(mut self) -> io::Result<()> {
        if !self.notes.is_empty() {
            let text = self.notes.join("\n") + "\n";
            self.file(Path::new(NOTES), Stamp::now(), &mut Cursor::new(text.into_bytes()))?;
        }
        self.writer.finish()
    }
}

fn is_of_the_moment(relative: &Path) -> bool {
    let is_temporary = |name: &OsStr| {
        let name = name.as_bytes();
        name.starts_with(b".new-") || name.starts_with(b".discarded-")
    };
    OF_THE_MOMENT.iter().any(|name| relative == Path::new(name)) || relative.file_name().is_some_and(is_temporary)
}

/// Opens a file and nothing else: a pipe by its name, put there a moment ago, would never be opened to its end.
fn open_file(path: &Path) -> io::Result<(File, Metadata)> {
    let flags = libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("no regular file"));
    }
    Ok((file, metadata))
}

/// Returns the scripts of all tasks that ran, by absolute path.
fn scripts(log: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut scripts = BTreeSet::new();
    let mut queued = HashMap::new();
    for event in super::read(log)? {
        match event?.kind {
            EventKind::TaskQueued(task) => {
                queued.insert(task.task, PathBuf::from(task.uri));
            }
            EventKind::TaskStarted { task, .. } => {
                scripts.extend(queued.remove(&task).filter(|path| path.is_absolute()));
            }
            EventKind::TaskFinished(finished) => drop(queued.remove(&finished.task)),
            _ => {}
        }
    }
    Ok(scripts)
}

/// Returns a name that can be that of a folder.
fn safe(name: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '=' | '+' | '@');
    let safe: String = name.chars().map(|c| if fits(c) { c } else { '_' }).take(80).collect();
    safe.trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_an_archive_is_checked() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("folder.zip")).unwrap();
        fs::write(at("old.zip"), "").unwrap();
        let check = |name: &str| ArchiveTarget::check(&at(name), None).map_err(|error| error.to_string());
        for name in ["a.zip", "a.b.ZIP", "a.tar.zst"] {
            assert_eq!(check(name).unwrap().path(), at(name));
        }
        let problems = [
            ("a.b", "is neither a .zip nor a .tar.zst"),
            (".zip", "is neither a .zip nor a .tar.zst"),
            ("a.zst", "is neither a .zip nor a .tar.zst"),
            ("folder.zip", "is a folder"),
            ("old.zip", "exists already"),
            ("none/a.zip", "/none, does not exist"),
            ("old.zip/a.zip", "/old.zip, does not exist"),
        ];
        for (name, problem) in problems {
            let found = check(name).unwrap_err();
            assert!(found.contains(problem), "{name}: {found}");
        }
        assert!(ArchiveTarget::check(&at("old.zip"), Some(&at("old.zip"))).unwrap().replaces);
    }

    #[test]
    fn names_of_jobs_become_names_of_folders() {
        assert_eq!(safe("../night ly/1"), "_night_ly_1");
        assert_eq!(safe("b\u{fc}ro"), "b\u{fc}ro");
    }
}
