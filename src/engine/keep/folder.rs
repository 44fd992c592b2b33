//! An attempt with a folder of its own, in which its output and its log are kept.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::attempt_folder::AttemptFolder;
use super::capped_file::CappedFile;
use super::{Keep, KeepOrder, Keeper, NoKeep};
use crate::engine::explain;
use crate::engine::request::Failure;
use crate::engine::scheduler::Written;
use crate::model::{MaskStream, Masks, OutputSize, Stream};
use crate::store;

/// Makes folders of attempts in a run directory.
pub(in crate::engine) struct Folders {
    directory: PathBuf,
    limit: u64,
    masks: Masks,
}

impl Folders {
    /// Makes the keeper of the run with this directory; each file may have `limit` bytes, and no more than files may have at
    /// all here, and secrets are masked in it.
    pub(in crate::engine) fn new(directory: &Path, limit: u64, masks: Masks) -> Self {
        let most = getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX);
        Self { directory: directory.to_owned(), limit: limit.min(most), masks }
    }
}

impl Keeper for Folders {
    fn open(&mut self, order: &KeepOrder<'_>) -> Result<Box<dyn Keep>, NoKeep> {
        let relative = store::attempt_folder(order.folder, order.ordinal);
        let log = store::log_name(order.folder);
        let apart = store::apart_folder(order.task, order.ordinal);
        let failed = |error: io::Error| match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => {
                NoKeep::Exhausted(format!("cannot open the folder of the task: {}", explain(&error)))
            }
            _ => NoKeep::Failed(Failure::at(&self.directory.join(&relative), &error)),
        };
        let folder = AttemptFolder::make(&self.directory, &relative, &apart).map_err(failed)?;
        let file = |name| CappedFile::new(name, self.limit);
        let mut log = file(log);
        if store::is_told_of_log(order.folder) {
            log.create(&folder).map_err(failed)?;
        }
        let masked = [self.masks.stream(), self.masks.stream()];
        let (stdout, stderr) = (file("stdout"), file("stderr"));
        let (has_runner, masks) = (order.has_runner, self.masks.clone());
        Ok(Box::new(Kept { stdout, stderr, masked, log, folder, has_runner, masks }))
    }
}

struct Kept {
    stdout: CappedFile,
    stderr: CappedFile,
    /// What masks each of them.
    masked: [MaskStream; 2],
    log: CappedFile,
    folder: AttemptFolder,
    has_runner: bool,
    masks: Masks,
}

impl Keep for Kept {
    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn store(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), Failure> {
        let (file, masked) = match stream {
            Stream::Stdout => (&mut self.stdout, &mut self.masked[0]),
            Stream::Stderr => (&mut self.stderr, &mut self.masked[1]),
        };
        let mut written = Ok(());
        masked.write(bytes, &mut |bytes| {
            if written.is_ok() {
                written = file.write(&self.folder, bytes);
            }
        });
        written.map_err(|error| Failure::at(&file.path(&self.folder), &error))
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
        let Self { stdout, stderr, masked: [mut out, mut err], log, folder, has_runner, masks } = *self;
        let mut failure = None;
        if has_runner && !masks.is_empty() {
            for file in [&stdout, &stderr] {
                // The runner was not to be hindered, and hears of no secrets.
                if let Err(error) = file.mask_foreign(&folder, &masks) {
                    failure.get_or_insert(Failure::at(&file.path(&folder), &error));
                }
            }
        }
        let mut finish = |mut file: CappedFile, masked: Option<&mut MaskStream>| {
            let mut written = Ok(());
            if let Some(masked) = masked {
                masked.finish(&mut |bytes| {
                    if written.is_ok() {
                        written = file.write(&folder, bytes);
                    }
                });
            }
            let path = file.path(&folder);
            written.and_then(|()| file.finish(&folder, &masks)).unwrap_or_else(|error| {
                failure.get_or_insert(Failure::at(&path, &error));
                OutputSize::default()
            })
        };
        let written = Written {
            stdout: finish(stdout, Some(&mut out)),
            stderr: finish(stderr, Some(&mut err)),
            log: finish(log, None),
        };
        (written, failure)
    }
}
