//! Copies the source code into a run directory, and tells what was copied.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use md5::Md5;
use sha1::{Digest, Sha1};

use super::{Error, Plan};
use crate::model::{EntryKind, ManifestEntry};
use crate::operation::inside::make_parents;
use crate::operation::relative::{normal, relative_to};
use crate::operation::{Notice, hex};

/// The source code of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// An entry for each file, by path.
    pub(crate) manifest: Vec<ManifestEntry>,
    /// The MD5, hexadecimal, over the files by their path in the run: path, NUL, bytes, NUL. `None` without files.
    pub(crate) digest: Option<String>,
    /// What the user should know.
    pub(crate) notices: Vec<Notice>,
}

impl Plan {
    /// Copies the files into the folder `dest` of a run directory. What was copied is what is recorded, also where somebody
    /// writes to the project meanwhile.
    pub(crate) fn copy(&self, run_dir: &Path, dest: &str) -> Result<Snapshot, Error> {
        let mut snapshot = Snapshot { notices: self.notices.clone(), ..Snapshot::default() };
        let mut all = Md5::new();
        let mut files: Vec<(PathBuf, PathBuf)> = self
            .selected
            .iter()
            .map(|chosen| (normal(&Path::new(dest).join(&chosen.path)), self.root.join(&chosen.path)))
            .collect();
        files.sort_by(|a, b| a.0.as_os_str().as_bytes().cmp(b.0.as_os_str().as_bytes()));
        let mut buffer = vec![0; 128 << 10];
        for (path, origin) in files {
            let source = match File::open(&origin) {
                Ok(source) => source,
                // It was deleted since it was found.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(Error::io("copy", &origin)(error)),
            };
            let target = run_dir.join(&path);
            make_parents(run_dir, &path).map_err(Error::io("copy into", &target))?;
            let known = source.metadata().map_err(Error::io("copy", &origin))?;
            let mode = known.permissions().mode() & 0o777;
            // A log that is being written would be followed for ever.
            let mut source = source.take(known.len());
            let mut copy = create(&target, mode).map_err(Error::io("write", &target))?;
            all.update(path.as_os_str().as_bytes());
            all.update([0]);
            let mut own = Sha1::new();
            loop {
                let count = match source.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(Error::io("read", &origin)(error)),
                };
                own.update(&buffer[..count]);
                all.update(&buffer[..count]);
                copy.write_all(&buffer[..count]).map_err(Error::io("write", &target))?;
            }
            all.update([0]);
            snapshot.manifest.push(ManifestEntry {
                kind: EntryKind::SourceCode,
                path,
                sha1: Some(hex(&own.finalize())),
                origin: relative_to(&origin, &self.project).into_os_string(),
                subpath: None,
            });
        }
        for (path, place) in &self.links {
            let (path, place) = (normal(&Path::new(dest).join(path)), normal(&Path::new(dest).join(place)));
            let target = run_dir.join(&path);
            make_parents(run_dir, &path).map_err(Error::io("copy into", &target))?;
            let from = path.parent().unwrap_or(Path::new(""));
            let to = relative_to(&Path::new("/").join(place), &Path::new("/").join(from));
            all.update(path.as_os_str().as_bytes());
            all.update(b"\0-> ");
            all.update(to.as_os_str().as_bytes());
            all.update([0]);
            match symlink(&to, &target) {
                // What is there was copied.
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(Error::io("write", &target)(error));
                }
                _ => {}
            }
        }
        if !snapshot.manifest.is_empty() && !self.config.no_digest {
            snapshot.digest = Some(hex(&all.finalize()));
        }
        Ok(snapshot)
    }
}

/// Makes a file in place of what is there.
fn create(path: &Path, mode: u32) -> io::Result<File> {
    let open = || OpenOptions::new().write(true).create_new(true).mode(mode | 0o200).open(path);
    let file = match open() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            open()
        }
        other => other,
    }?;
    // Whether it can be executed counts; who may write to the project's file need not count in the run.
    Ok(file)
}
