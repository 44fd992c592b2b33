//! Runs in one zip file, as Guild exports them: a folder a run, named by its id.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike, Local, Timelike};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::copy::is_of_the_moment;
use super::leaving::masked;
use super::links::stays_among_runs;
use super::{Error, Result, Secrets, durable};

/// A zip file that runs are added to. It appears, or takes the place of the one that was there, when it is whole.
pub(crate) struct ZipExport<'a> {
    path: PathBuf,
    temporary: tempfile::NamedTempFile,
    writer: ZipWriter<File>,
    present: BTreeSet<String>,
    copy_links: bool,
    /// What is masked in what is only read.
    secrets: Option<&'a Secrets>,
}

impl<'a> ZipExport<'a> {
    /// Begins to add to the zip file at `path`, which need not exist.
    pub(crate) fn begin(path: &Path, copy_links: bool) -> Result<Self> {
        let path = std::path::absolute(path).map_err(Error::io("find", path))?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let failed = || Error::io("write", &path);
        let mut builder = tempfile::Builder::new();
        builder.prefix(".rille-export-").permissions(fs::Permissions::from_mode(0o666));
        let temporary = builder.tempfile_in(folder).map_err(failed())?;
        let exists = path.try_exists().map_err(Error::io("read", &path))?;
        if exists {
            fs::copy(&path, temporary.path()).map_err(Error::io("copy", &path))?;
        }
        let file = File::options().read(true).write(true).open(temporary.path()).map_err(failed())?;
        let (mut present, mut writer) = (BTreeSet::new(), None);
        if exists {
            let copy = file.try_clone().map_err(failed())?;
            let archive = zip::ZipArchive::new(copy).map_err(|error| Error::corrupt(&path, error.to_string()))?;
            present.extend(archive.file_names().flatten().filter_map(|name| Some(name.split_once('/')?.0.to_owned())));
            let copy = file.try_clone().map_err(failed())?;
            writer = Some(ZipWriter::new_append(copy).map_err(|error| Error::corrupt(&path, error.to_string()))?);
        }
        let writer = writer.unwrap_or_else(|| ZipWriter::new(file));
        Ok(ZipExport { path, temporary, writer, present, copy_links, secrets: None })
    }

    /// Returns the same, with these secrets masked in what is only read of the runs that are added.
    pub(crate) fn masked_by(self, secrets: Option<&'a Secrets>) -> Self {
        Self { secrets, ..self }
    }

    /// Adds a run. Returns what could not be added, one note each; `None` if the zip has one of that id.
    pub(crate) fn add(&mut self, run: &Path, id: &str) -> Result<Option<Vec<String>>> {
        if !self.present.insert(id.to_owned()) {
            return Ok(None);
        }
        let mut notes = Vec::new();
        let mut open = vec![(PathBuf::new(), Vec::<PathBuf>::new())];
        while let Some((folder, mut above)) = open.pop() {
            let full = run.join(&folder);
            above.extend(full.canonicalize().ok());
            self.folder(id, &folder, &full)?;
            let entries = fs::read_dir(&full).and_then(Iterator::collect::<io::Result<Vec<_>>>);
            let mut names: Vec<_> = match entries {
                Ok(entries) => entries.into_iter().map(|entry| entry.file_name()).collect(),
                Err(error) => return Err(Error::io("read", &full)(error)),
            };
            names.sort_unstable();
            for name in names {
                let path = folder.join(name);
                if is_of_the_moment(&path) {
                    continue;
                }
                if let Some(below) = self.entry(run, id, &path, &above, &mut notes)? {
                    open.push((below, above.clone()));
                }
            }
        }
        Ok(Some(notes))
    }

    /// Adds a file or a link; returns the path of a folder that is to be gone into.
    fn entry(
        &mut self,
        run: &Path,
        id: &str,
        path: &Path,
        above: &[PathBuf],
        notes: &mut Vec<String>,
    ) -> Result<Option<PathBuf>> {
        let full = run.join(path);
        if path.to_str().is_none() {
            notes.push(format!("{}: the name is no text, so that a zip cannot have it: left out", path.display()));
            return Ok(None);
        }
        let Ok(own) = full.symlink_metadata() else { return Ok(None) };
        if own.is_symlink() {
            let leads_to = fs::read_link(&full).map_err(Error::io("read", &full))?;
            // A link to another run holds where that run is imported, too; any other is worth nothing elsewhere.
            let stays = stays_among_runs(&Path::new(id).join(path), &leads_to);
            let there = fs::metadata(&full);
            if (stays && !self.copy_links) || there.is_err() {
                if !stays {
                    notes.push(format!("{}: the link leads nowhere: left out", path.display()));
                    return Ok(None);
                }
                let name = format!("{id}/{}", path.display());
                let added = self.writer.add_symlink(name, leads_to.to_string_lossy(), options(&own));
                added.map_err(|error| self.failed(error))?;
                return Ok(None);
            }
        }
        let metadata = fs::metadata(&full).map_err(Error::io("read", &full))?;
        if metadata.is_dir() {
            let real = full.canonicalize().map_err(Error::io("read", &full))?;
            if above.contains(&real) {
                notes.push(format!("{}: leads to a folder that it is in: left out", path.display()));
                return Ok(None);
            }
            return Ok(Some(path.to_owned()));
        }
        if !metadata.is_file() {
            notes.push(format!("{}: is no file: left out", path.display()));
            return Ok(None);
        }
        let masked = self.secrets.map_or(Ok(None), |secrets| masked(&full, path, secrets, notes));
        let mut content: Box<dyn io::Read> = match masked.map_err(Error::io("read", &full))? {
            Some(masked) => masked,
            None => Box::new(File::open(&full).map_err(Error::io("read", &full))?),
        };
        let large = metadata.len() > u64::from(u32::MAX) / 2;
        let name = format!("{id}/{}", path.display());
        let started = self.writer.start_file(name, options(&metadata).large_file(large));
        started.map_err(|error| self.failed(error))?;
        io::copy(&mut content, &mut self.writer).map_err(Error::io("write", &self.path))?;
        Ok(None)
    }

    fn folder(&mut self, id: &str, path: &Path, full: &Path) -> Result<()> {
        let metadata = fs::metadata(full).map_err(Error::io("read", full))?;
        let name = if path.as_os_str().is_empty() { id.to_owned() } else { format!("{id}/{}", path.display()) };
        self.writer.add_directory(name, options(&metadata)).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: zip::result::ZipError) -> Error {
        Error::io("write", &self.path)(error.into())
    }

    /// Brings what was added to its place.
    pub(crate) fn finish(self) -> Result<()> {
        let failed = || Error::io("write", &self.path);
        let file = self.writer.finish().map_err(|error| failed()(error.into()))?;
        file.sync_data().map_err(failed())?;
        self.temporary.persist(&self.path).map_err(|error| failed()(error.error))?;
        // What is in it may be removed where it was from here on.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        durable::sync_folder(folder.unwrap_or(Path::new(".")))
    }
}

fn options(metadata: &fs::Metadata) -> SimpleFileOptions {
    let options = SimpleFileOptions::default().unix_permissions(metadata.mode() & 0o7777);
    let local = DateTime::from_timestamp(metadata.mtime(), 0).map(|time| time.with_timezone(&Local));
    let small = |number: u32| u8::try_from(number).unwrap_or_default();
    let time = local.and_then(|time| {
        let (month, day) = (small(time.month()), small(time.day()));
        let (hour, minute, second) = (small(time.hour()), small(time.minute()), small(time.second()));
        zip::DateTime::from_date_and_time(u16::try_from(time.year()).ok()?, month, day, hour, minute, second).ok()
    });
    // The form knows no time before 1980.
    options.last_modified_time(time.unwrap_or_default())
}
