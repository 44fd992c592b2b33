//! Puts files into the run directory: where, under which name, and as a copy or as a link.

use std::fs::{self, File, FileType};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

use super::rename::rename;
use super::tree_digest::{Counts, tree_digest};
use super::{Origins, Outcome, Problem, Task};
use crate::model::{EntryKind, ManifestEntry, is_inside};
use crate::operation::inside::make_parents;
use crate::operation::relative::{normal, relative_to};
use crate::operation::{Notice, SourceKind, TargetType, hex};

impl Task<'_> {
    /// Puts one file or folder into the run directory; `None` where something of that name is there already.
    pub(super) fn put(
        &self,
        path: &Path,
        origins: &Origins,
        notify: &mut dyn FnMut(Notice),
    ) -> Outcome<Option<ManifestEntry>> {
        let target = self.target(path, origins)?;
        let run_dir = self.request.run_dir;
        let full = run_dir.join(&target);
        let is_link = self.target_type() == TargetType::Link;
        let word = if is_link { "link" } else { "copy" };
        let cannot = |error: io::Error| {
            Problem::io(&error, format!("cannot {word} {} to {}: {error}", path.display(), full.display()))
        };
        check_kind(path)?;
        if fs::symlink_metadata(&full).is_ok() {
            // What is required was asked for; that a file of the project has the same name was not.
            if !self.source.replace_existing && !self.is_source_code(&target) {
                notify(Notice::Warning(format!("{} already exists, skipping {word}", full.display())));
                return Ok(None);
            }
            remove(&full).map_err(cannot)?;
        }
        make_parents(run_dir, &target).map_err(cannot)?;
        if is_link {
            let folder = full.parent().unwrap_or(run_dir);
            // The way up is that of the real folder, wherever links have led to it.
            let folder = fs::canonicalize(folder).map_err(cannot)?;
            symlink(relative_to(path, &folder), &full).map_err(cannot)?;
        } else {
            let mut left_out = Vec::new();
            let run = fs::metadata(run_dir).map_err(cannot)?;
            let mut copy = Copy { avoid: (run.dev(), run.ino()), above: Vec::new(), left_out: &mut left_out };
            copy.any(path, &full, path).map_err(cannot)?;
            for path in left_out {
                notify(Notice::Warning(format!("{} is neither file nor folder, skipping copy", path.display())));
            }
        }
        let sha1 = match (full.is_file(), is_link) {
            (true, _) => file_sha1(&full),
            (false, true) => tree_digest(&full, Counts::Stamp),
            (false, false) => tree_digest(&full, Counts::Bytes),
        };
        let sha1 = Some(sha1.map_err(cannot)?);
        Ok(Some(self.entry(path, origins, target, sha1)))
    }

    /// Returns whether what is at a path of the run directory is a copy of source code.
    fn is_source_code(&self, target: &Path) -> bool {
        self.request.manifest.source_code().any(|path| path == target)
    }

    fn entry(&self, path: &Path, origins: &Origins, target: PathBuf, sha1: Option<String>) -> ManifestEntry {
        let location = Path::new(&self.dep.location);
        let in_project = path.strip_prefix(location).ok().filter(|_| !self.dep.location.is_empty());
        let is_file = matches!(self.source.kind, SourceKind::File(_));
        let origin = match in_project {
            Some(relative) if is_file => {
                let mut origin = std::ffi::OsString::from("file:");
                origin.push(relative);
                origin
            }
            _ => self.source.uri().into(),
        };
        let inside = || path.strip_prefix(&origins.base).ok().map(Path::to_owned);
        let subpath = if origins.from_archive { inside() } else { None };
        ManifestEntry { kind: EntryKind::Dependency, path: target, sha1, origin, subpath }
    }

    /// Returns how files are put into the run directory: those of other runs as links, all others as copies.
    fn target_type(&self) -> TargetType {
        let is_operation = matches!(self.source.kind, SourceKind::Operation(_));
        self.source.target_type.unwrap_or(if is_operation { TargetType::Link } else { TargetType::Copy })
    }

    /// Returns where in the run directory a file goes, as a path without dots.
    pub(super) fn target(&self, path: &Path, origins: &Origins) -> Outcome<PathBuf> {
        let folder = match (&self.source.target_path, self.source.preserve_path) {
            (_, Some(true)) => {
                let parent = path.parent().unwrap_or(Path::new("/"));
                relative_to(parent, &origins.base)
            }
            (Some(folder), _) => PathBuf::from(self.with_flags(folder)?),
            (None, _) => PathBuf::new(),
        };
        let invalid =
            |path: &Path, why: &str| format!("invalid path '{}' in {} resource ({why})", path.display(), self.dep.name);
        if folder.is_absolute() {
            return Err(invalid(&folder, "path must be relative").into());
        }
        let name = path.file_name().unwrap_or_default();
        let pairs = self.source.rename.iter();
        let pairs = pairs.map(|(pattern, repl)| Ok((self.with_flags(pattern)?, self.with_flags(repl)?)));
        let pairs: Vec<(String, String)> = pairs.collect::<Outcome<_>>()?;
        let name = std::ffi::OsString::from_vec(rename(name.as_bytes(), &pairs)?);
        let target = folder.join(&name);
        let is_outside = !is_inside(&target) || !is_inside(Path::new(&name)) || Path::new(&name).is_absolute();
        if is_outside || name.as_bytes().contains(&0) {
            return Err(invalid(&target, "path must stay in the run directory").into());
        }
        let target = normal(&target);
        if target.starts_with(".guild") {
            return Err(invalid(&target, ".guild is where the run keeps what is known of it").into());
        }
        Ok(target)
    }

    /// Writes the standard input to its file in the run directory.
    pub(super) fn stdin(
        &self,
        name: &str,
        manifest: &mut Vec<ManifestEntry>,
        notify: &mut dyn FnMut(Notice),
    ) -> Outcome<serde_json::Value> {
        let name = self.with_flags(name)?;
        let run_dir = self.request.run_dir;
        let origins = Origins::of(Vec::new(), run_dir);
        let target = self.target(&run_dir.join(&name), &origins)?;
        let full = run_dir.join(&target);
        let cannot = |error: io::Error| {
            Problem::io(&error, format!("cannot write the standard input to {}: {error}", full.display()))
        };
        if fs::symlink_metadata(&full).is_ok() {
            if !self.source.replace_existing && !self.source.always_resolve {
                notify(Notice::Warning(format!("{} already exists, skipping copy", full.display())));
                return Ok(self.record(std::slice::from_ref(&full), None));
            }
            remove(&full).map_err(cannot)?;
        }
        make_parents(run_dir, &target).map_err(cannot)?;
        let mut file = File::options().write(true).create_new(true).open(&full).map_err(cannot)?;
        let written = io::copy(&mut (self.request.surroundings.stdin)(), &mut file).map_err(cannot)?;
        if written == 0 && self.source.fail_if_empty {
            return Err("the standard input is empty".into());
        }
        let sha1 = Some(file_sha1(&full).map_err(cannot)?);
        manifest.push(self.entry(&full, &origins, target, sha1));
        Ok(self.record(std::slice::from_ref(&full), None))
    }
}

/// Says what is wrong with a path that nothing can be taken from.
pub(super) fn check_kind(path: &Path) -> Result<(), String> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() || metadata.is_dir() => Ok(()),
        Ok(metadata) => {
            Err(format!("'{}' is {}, and neither a file nor a folder", path.display(), kind_name(metadata.file_type())))
        }
        Err(error) => match fs::read_link(path) {
            Ok(target) => Err(format!("'{}' is a link to '{}', which is not there", path.display(), target.display())),
            Err(_) if error.kind() == io::ErrorKind::NotFound => Err(format!("'{}' does not exist", path.display())),
            Err(_) => Err(format!("cannot read '{}': {error}", path.display())),
        },
    }
}

fn kind_name(kind: FileType) -> &'static str {
    if kind.is_fifo() {
        "a fifo"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

fn remove(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// A copy that is under way.
struct Copy<'a> {
    /// The run directory itself, which a folder that is copied may hold.
    avoid: (u64, u64),
    /// The folders on the way, so that links make no circle.
    above: Vec<(u64, u64)>,
    /// What is neither file nor folder.
    left_out: &'a mut Vec<PathBuf>,
}

impl Copy<'_> {
    /// Copies a file or a folder. A link inside a folder stays one if it leads to inside of `root`, or nowhere; else what it
    /// leads to is copied.
    fn any(&mut self, from: &Path, to: &Path, root: &Path) -> io::Result<()> {
        if from != root
            && let Ok(target) = fs::read_link(from)
        {
            let leads_to = from.parent().unwrap_or(from).join(&target);
            let is_kept = target.is_relative() && normal(&leads_to).starts_with(root);
            if is_kept || fs::metadata(from).is_err() {
                return symlink(target, to);
            }
        }
        let metadata = fs::metadata(from)?;
        if metadata.is_file() {
            fs::copy(from, to)?;
            // The run may write to its copy, whoever may write to the original.
            let mode = metadata.permissions().mode() & 0o777;
            return if mode & 0o200 == 0 {
                fs::set_permissions(to, fs::Permissions::from_mode(mode | 0o200))
            } else {
                Ok(())
            };
        }
        if !metadata.is_dir() {
            self.left_out.push(from.to_owned());
            return Ok(());
        }
        let own = (metadata.dev(), metadata.ino());
        if own == self.avoid || self.above.contains(&own) {
            return Ok(());
        }
        self.above.push(own);
        fs::create_dir(to)?;
        // Listed before anything is written: the copy may be below the folder.
        let entries = fs::read_dir(from)?.collect::<io::Result<Vec<_>>>()?;
        for entry in entries {
            self.any(&entry.path(), &to.join(entry.file_name()), root)?;
        }
        self.above.pop();
        Ok(())
    }
}

/// Returns the SHA-1 of a file, hexadecimal.
fn file_sha1(path: &Path) -> io::Result<String> {
    digest(path, Sha1::new())
}

/// Returns a digest of a file's bytes, hexadecimal.
pub(super) fn digest(path: &Path, mut digest: impl Digest) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex(&digest.finalize())),
            Ok(count) => digest.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
