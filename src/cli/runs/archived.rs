//! The runs of an export, for a look at them: a folder as it is, of a zip file the metadata.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use tempfile::TempDir;

use crate::cli::Failure;

/// Bytes of one file of metadata that are read at most.
const MOST: u64 = 4 << 20;

/// Files of metadata that are read at most.
const MOST_FILES: usize = 1_000_000;

/// The folder of the run directories of an export.
pub(super) enum Archived {
    /// The export itself.
    Folder(PathBuf),
    /// What was unpacked for the time of the look.
    Unpacked(TempDir),
}

impl Archived {
    /// Opens an export.
    pub(super) fn open(path: &Path) -> Result<Archived, Failure> {
        let wrong = |what: String| Failure::usage(format!("cannot list the runs in {}: {what}", path.display()));
        let meta = fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
        if meta.is_dir() {
            return Ok(Archived::Folder(path.to_owned()));
        }
        let unpacked = unpack(path).map_err(|error| {
            wrong(error.to_string()).hint("name a folder or a zip file that 'rille runs export' or Guild has made.")
        })?;
        Ok(Archived::Unpacked(unpacked))
    }

    /// Returns the folder that holds the run directories.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Archived::Folder(folder) => folder,
            Archived::Unpacked(folder) => folder.path(),
        }
    }
}

/// Unpacks the metadata of the runs in a zip file.
fn unpack(path: &Path) -> io::Result<TempDir> {
    let mut archive = zip::ZipArchive::new(File::open(path)?).map_err(io::Error::other)?;
    let folder = tempfile::tempdir()?;
    for index in 0..archive.len().min(MOST_FILES) {
        let mut entry = archive.by_index(index).map_err(io::Error::other)?;
        let Some(target) = entry.enclosed_name().and_then(|name| metadata(&name)) else { continue };
        if !entry.is_file() {
            continue;
        }
        let target = folder.path().join(target);
        fs::create_dir_all(target.parent().unwrap_or(folder.path()))?;
        io::copy(&mut entry.by_ref().take(MOST), &mut File::create(target)?)?;
    }
    Ok(folder)
}

/// Returns the path below the folder of runs if it is one of a file of metadata: `ID/.guild/NAME` or
/// `ID/.guild/attrs/NAME`.
fn metadata(name: &Path) -> Option<PathBuf> {
    let parts: Vec<&str> = name
        .components()
        .map(|part| match part {
            Component::Normal(part) => part.to_str(),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let at = parts.iter().position(|part| *part == ".guild").filter(|at| *at > 0)?;
    match parts[at + 1..] {
        ["opref" | "PENDING" | "STAGED" | "events.jsonl" | "LOCK.remote"] | ["attrs", _] => {
            Some(parts[at - 1..].iter().collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_metadata_of_runs_is_taken() {
        let cases = [
            ("ab/.guild/opref", Some("ab/.guild/opref")),
            ("runs/ab/.guild/attrs/id", Some("ab/.guild/attrs/id")),
            ("ab/.guild/attrs/x/y", None),
            ("ab/.guild/output", None),
            (".guild/opref", None),
            ("ab/data", None),
        ];
        for (name, expected) in cases {
            assert_eq!(metadata(Path::new(name)), expected.map(PathBuf::from), "{name}");
        }
    }
}
