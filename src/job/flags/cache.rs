//! What scripts have told of their flags, kept in the home for as long as the files that told it are as they were.
//!
//! A script has one entry for each way and interpreter that it was asked by. It names all files of the project that were
//! imported, with their digests. A cache that cannot be read or written is done without.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::inputs::hex;
use super::ask::Question;
use crate::operation::import::Declared;
use crate::store::Home;

/// The folder, in the home.
const FOLDER: &str = "cache/flags";

/// What was told.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// By what it is known, so that two of one name are told apart.
    key: String,
    /// The digests of the files.
    files: BTreeMap<PathBuf, String>,
    /// What was told, as it was.
    told: String,
}

/// The place of one answer.
pub(super) struct Place {
    path: PathBuf,
    key: String,
}

impl Place {
    /// Returns where the answer to a question is kept; `None` where nothing can be.
    pub(super) fn of(question: &Question<'_>, home: &Home) -> Option<Place> {
        let stamp = fs::metadata(&question.interpreter.program)
            .ok()
            .map(|found| (found.len(), found.mtime_nsec(), found.mtime()));
        let key = serde_json::json!([
            env!("CARGO_PKG_VERSION"),
            hex(&Sha256::digest(question.way.text())),
            format!("{:?}", question.way),
            question.file.to_str()?,
            question.project.to_str()?,
            question.module.package,
            question.module.folders,
            question.module.arguments,
            question.interpreter.program.to_str()?,
            stamp,
            std::env::var_os("PYTHONPATH").map(|path| path.to_string_lossy().into_owned()),
        ]);
        let key = key.to_string();
        let name = format!("{}.json", hex(&Sha256::digest(&key)));
        Some(Place { path: home.path().join(FOLDER).join(name), key })
    }

    /// Returns what was told, if it still holds.
    pub(super) fn read(&self) -> Option<Declared> {
        let entry: Entry = serde_json::from_slice(&fs::read(&self.path).ok()?).ok()?;
        let holds = |(path, known): (&PathBuf, &String)| digest(path).as_ref() == Some(known);
        if entry.key != self.key || entry.files.is_empty() || !entry.files.iter().all(holds) {
            return None;
        }
        Declared::read(&entry.told).ok()
    }

    /// Keeps what a script and the files that it imported have told. Two writers do no harm to each other: each writes a file
    /// of its own, and the last one has its name.
    pub(super) fn keep(&self, told: &str, files: impl Iterator<Item = PathBuf>) {
        let files: Option<BTreeMap<PathBuf, String>> =
            files.map(|path| digest(&path).map(|digest| (path, digest))).collect();
        // A file that is gone again could never be compared.
        let Some(files) = files else { return };
        let entry = Entry { key: self.key.clone(), files, told: told.to_owned() };
        let Some(folder) = self.path.parent() else { return };
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(folder)?;
            let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
            fresh.write_all(&serde_json::to_vec(&entry)?)?;
            fresh.persist(&self.path).map(drop).map_err(|error| error.error)
        };
        // Next time it is asked again.
        let _ = write();
    }
}

fn digest(path: &Path) -> Option<String> {
    Some(hex(&Sha256::digest(fs::read(path).ok()?)))
}
