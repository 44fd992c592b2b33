//! An attempt with a folder of its own, in which its output and its log are kept.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::attempt_folder::AttemptFolder;
use super::capped_file::CappedFile;
use super::{Keep, KeepOrder, Keeper, NoKeep};
use crate::engine::request::Failure;
use crate::engine::scheduler::Written;
use crate::model::{OutputSize, Stream};
use crate::store;

/// Makes folders of attempts in a run directory.
pub(in crate::engine) struct Folders {
    directory: PathBuf,
    limit: u64,
}

impl Folders {
    /// Makes the keeper of the run with this directory; each file may have `limit` bytes, and no more than files may have at
    /// all here.
    pub(in crate::engine) fn new(directory: &Path, limit: u64) -> Self {
        let most = getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX);
        Self { directory: directory.to_owned(), limit: limit.min(most) }
    }
}

impl Keeper for Folders {
    fn open(&mut self, order: &KeepOrder<'_>) -> Result<Box<dyn Keep>, NoKeep> {
        let relative = store::attempt_folder(order.folder, order.ordinal);
        let log = store::log_name(order.folder);
        let apart = store::apart_folder(order.task, order.ordinal);
        let failed = |error: io::Error| match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => {
                NoKeep::Exhausted(format!("cannot open the folder of the task: {error}"))
            }
            _ => NoKeep::Failed(Failure::at(&self.directory.join(&relative), &error)),
        };
        let folder = AttemptFolder::make(&self.directory, &relative, &apart).map_err(failed)?;
        let file = |name| CappedFile::new(name, self.limit);
        let mut log = file(log);
        if store::is_told_of_log(order.folder) {
            log.create(&folder).map_err(failed)?;
        }
        Ok(Box::new(Kept { stdout: file("stdout"), stderr: file("stderr"), log, folder }))
    }
}

struct Kept {
    stdout: CappedFile,
    stderr: CappedFile,
    log: CappedFile,
    folder: AttemptFolder,
}

impl Keep for Kept {
    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn store(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), Failure> {
        let file = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        file.write(&self.folder, bytes).map_err(|error| Failure::at(&file.path(&self.folder), &error))
    }

    fn store_log(&mut self, records: &[u8]) -> Result<(), Failure> {
        let log = &mut self.log;
        log.write(&self.folder, records).map_err(|error| Failure::at(&log.path(&self.folder), &error))
    }

    fn log_position(&self) -> Option<u64> {
        Some(self.log.position())
    }

    fn has_room(&mut self) -> bool {
        true
    }

    fn withdraw(self: Box<Self>) {
        self.log.withdraw(&self.folder);
    }

    fn finish(self: Box<Self>, _: DateTime<Utc>) -> (Written, Option<Failure>) {
        let Self { stdout, stderr, log, folder } = *self;
        let mut failure = None;
        let mut finish = |file: CappedFile| {
            let path = file.path(&folder);
            file.finish(&folder).unwrap_or_else(|error| {
                failure.get_or_insert(Failure::at(&path, &error));
                OutputSize::default()
            })
        };
        let written = Written { stdout: finish(stdout), stderr: finish(stderr), log: finish(log) };
        (written, failure)
    }
}
