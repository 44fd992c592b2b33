//! Files and URLs, and the archives that they may be.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::Sha256;

use super::names::substitute;
use super::place::{check_kind, digest};
use super::select::{has_select, select, top_level};
use super::unpack::{ArchiveKind, unpacked};
use super::{Origins, Outcome, Task, download};
use crate::operation::relative::normal;
use crate::operation::{DependencyRecord, FlagValues, Notice, SourceKind};

/// Returns the paths, relative to the folder of their project, of the files and settings that the resources name: they are
/// dependencies, and so no source code.
pub(crate) fn project_local(deps: &[DependencyRecord], flags: &FlagValues) -> Vec<PathBuf> {
    let sources = deps.iter().flat_map(|dep| dep.sources.iter().map(move |source| (dep, source)));
    let local = sources.filter_map(|(dep, source)| match &source.kind {
        SourceKind::File(path) | SourceKind::Config(path) => {
            let path = PathBuf::from(substitute(path, flags).unwrap_or_else(|_| path.clone()));
            Some(path.strip_prefix(&dep.location).map(Path::to_owned).unwrap_or(path))
        }
        _ => None,
    });
    local.map(|path| normal(&path)).filter(|path| !path.as_os_str().is_empty()).collect()
}

impl Task<'_> {
    /// Finds a file or folder of the project, or what is in it.
    pub(super) fn file(&self, path: &str, notify: &mut dyn FnMut(Notice)) -> Outcome<Origins> {
        if let Some(origins) = self.chosen_path(notify)? {
            return Ok(origins);
        }
        let (path, location) = self.project_path(path)?;
        self.take(&path, &location, notify)
    }

    /// Downloads a file, or takes it from the cache.
    pub(super) fn url(&self, url: &str, notify: &mut dyn FnMut(Notice)) -> Outcome<Origins> {
        if let Some(origins) = self.chosen_path(notify)? {
            return Ok(origins);
        }
        let url = self.with_flags(url)?;
        let path = match download::local_path(&url)? {
            Some(path) => {
                check_kind(&path)?;
                path
            }
            None => {
                let world = self.request.surroundings;
                let sha256 = self.source.sha256.as_deref();
                download::download(&url, world.cache, sha256, world.is_interrupted, notify)?
            }
        };
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        self.take(&path, &folder, notify)
    }

    /// Returns the file or folder that a flag gives in place of the source.
    pub(super) fn chosen_path(&self, notify: &mut dyn FnMut(Notice)) -> Outcome<Option<Origins>> {
        let Some(given) = self.chosen_text()? else { return Ok(None) };
        let here = normal(&self.request.surroundings.started_in.join(&given));
        let in_project = normal(&Path::new(&self.dep.location).join(&given));
        // What was typed is seen from where it was typed; a default of the definition, from the project.
        let path = if !here.exists() && in_project.exists() { in_project } else { here };
        check_kind(&path)?;
        notify(Notice::Info(format!("Using {given} for {}", self.name)));
        let base = path.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Some(Origins::of(vec![path], &base)))
    }

    /// Returns a path of the project, which must be there, and the folder of the project.
    pub(super) fn project_path(&self, path: &str) -> Outcome<(PathBuf, PathBuf)> {
        let path = self.with_flags(path)?;
        let location = PathBuf::from(&self.dep.location);
        let full = normal(&location.join(&path));
        match check_kind(&full) {
            Ok(()) => Ok((full, location)),
            Err(_) if fs::symlink_metadata(&full).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) => {
                Err(format!("cannot find source file '{path}'").into())
            }
            Err(reason) => Err(reason.into()),
        }
    }

    /// Takes a file, what an archive holds, or what is selected in a folder.
    fn take(&self, path: &Path, base: &Path, notify: &mut dyn FnMut(Notice)) -> Outcome<Origins> {
        if path.is_dir() {
            if self.source.sha256.is_some() {
                notify(Notice::Warning(format!("cannot verify '{}' because it's a directory", path.display())));
            }
            let paths = if has_select(self.source) { select(self.source, path)? } else { vec![path.to_owned()] };
            return Ok(Origins::of(paths, base));
        }
        if let Some(expected) = &self.source.sha256 {
            verify(path, expected)?;
        }
        let kind = match self.source.unpack.unwrap_or(true) {
            true => ArchiveKind::of(path, self.source.archive_type.as_deref())?,
            false => None,
        };
        let Some(kind) = kind else { return Ok(Origins::of(vec![path.to_owned()], base)) };
        let folder = unpacked(path, kind, self.source.post_process.as_deref(), self.request.surroundings, notify)?;
        let paths = if has_select(self.source) { select(self.source, &folder)? } else { top_level(&folder)? };
        Ok(Origins { from_archive: true, ..Origins::of(paths, &folder) })
    }
}

/// Returns an error if a file does not have this SHA-256.
pub(super) fn verify(path: &Path, expected: &str) -> Result<(), String> {
    let actual =
        digest(path, Sha256::default()).map_err(|error| format!("cannot read '{}': {error}", path.display()))?;
    match actual.eq_ignore_ascii_case(expected.trim()) {
        true => Ok(()),
        false => Err(mismatch(path, expected, &actual)),
    }
}

/// Says that a file is not what it should be.
pub(super) fn mismatch(path: &Path, expected: &str, actual: &str) -> String {
    format!("'{}' has an unexpected sha256 (expected {expected} but got {actual})", path.display())
}
