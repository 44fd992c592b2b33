//! Writes scalars as they come, so that a reader finds each of them soon.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::event::{Scalar, scalar_event, version_event};
use super::record;
use crate::store::host;

/// Bytes of events after which they are written, whoever may be interested.
const BATCH: usize = 128 << 10;

/// A new event file, which appears with the first scalar.
#[derive(Debug)]
pub(crate) struct ScalarWriter {
    folder: PathBuf,
    path: PathBuf,
    file: Option<File>,
    batch: Vec<u8>,
    event: Vec<u8>,
}

impl ScalarWriter {
    /// Makes a writer of a file in this folder.
    pub(crate) fn new(folder: &Path) -> Self {
        let (folder, path) = (folder.to_owned(), folder.to_owned());
        Self { folder, path, file: None, batch: Vec::new(), event: Vec::new() }
    }

    /// Takes a scalar in.
    pub(crate) fn add(&mut self, scalar: &Scalar) -> io::Result<()> {
        let seconds = seconds();
        if self.file.is_none() {
            let (path, file) = create(&self.folder, seconds)?;
            self.path = path;
            self.file = Some(file);
            record::put(&mut self.batch, &version_event(seconds));
        }
        scalar_event(&mut self.event, scalar, seconds);
        record::put(&mut self.batch, &self.event);
        if self.batch.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    /// Writes what was taken in, whole records at once.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        if self.batch.is_empty() {
            return Ok(());
        }
        let written = file.write_all(&self.batch);
        self.batch.clear();
        written
    }

    /// Returns the file, or the folder as long as there is none.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn create(folder: &Path, seconds: f64) -> io::Result<(PathBuf, File)> {
    let begin = format!("events.out.tfevents.{seconds:.0}.{}.{}", host(), std::process::id());
    let mut last = None;
    for number in 0..100 {
        let path = folder.join(format!("{begin}.{number}"));
        match OpenOptions::new().append(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AlreadyExists.into()))
}
