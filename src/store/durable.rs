//! What survives the death of the machine. An end is on the disk before anybody is told of it: the event log, which its
//! writer brings there, then the last attributes and the folders that all of it is found by.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Error, Result, RunDir};

/// The attributes that say how a run ended.
const LAST: [&str; 2] = ["exit_status", "stopped"];

/// From how many runs on the whole file system is brought to the disk in one go. For few that would wait for all that others
/// have written.
const MANY: usize = 8;

/// Brings the ends of runs to the disk, as [`RunDir::conclude`] has written them. The event logs are not part of it.
pub(crate) fn settle(runs: &[&RunDir]) -> Result<()> {
    if runs.len() >= MANY {
        return settle_file_systems(runs);
    }
    let mut above = BTreeSet::new();
    for run in runs {
        let guild = run.path().join(".guild");
        for name in LAST {
            sync_file(&guild.join("attrs").join(name))?;
        }
        sync_folders(&guild)?;
        above.extend(run.path().parent());
    }
    above.into_iter().try_for_each(sync_folder)
}

fn settle_file_systems(runs: &[&RunDir]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for run in runs {
        let folder = File::open(run.path()).map_err(Error::io("sync", run.path()))?;
        let device = folder.metadata().map_err(Error::io("sync", run.path()))?.dev();
        if seen.insert(device) {
            rustix::fs::syncfs(&folder).map_err(|error| Error::io("sync", run.path())(error.into()))?;
        }
    }
    Ok(())
}

/// Brings all metadata of the run with this `.guild` to the disk, but for its event log.
pub(super) fn settle_whole(guild: &Path) -> Result<()> {
    let attrs = guild.join("attrs");
    let listed = fs::read_dir(&attrs).map_err(Error::io("list", &attrs))?;
    let mut files: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).collect();
    files.extend(["opref", "manifest", "ENV", "STAGED"].map(|name| guild.join(name)));
    // All at once, so that the disk is waited for once.
    for file in &files {
        if let Ok(file) = File::open(file) {
            begin_to_write(&file);
        }
    }
    files.iter().try_for_each(|file| sync_file(file))?;
    sync_folders(guild)?;
    guild.parent().and_then(Path::parent).map_or(Ok(()), sync_folder)
}

/// Has the disk begin to write what a file holds, and does not wait for it.
pub(super) fn begin_to_write(file: &File) {
    // SAFETY: The call takes an open descriptor and numbers.
    let _ = unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
}

/// Waits until the disk has a file. One that is not there, or was taken from its owner, is not waited for: the log is what
/// holds.
fn sync_file(path: &Path) -> Result<()> {
    match File::open(path) {
        Ok(file) => file.sync_data().map_err(Error::io("sync", path)),
        Err(_) => Ok(()),
    }
}

/// Does so with the folders of a run, the innermost first.
fn sync_folders(guild: &Path) -> Result<()> {
    sync_folder(&guild.join("attrs"))?;
    sync_folder(guild)?;
    guild.parent().map_or(Ok(()), sync_folder)
}

/// Waits until the disk has the names in a folder.
pub(super) fn sync_folder(path: &Path) -> Result<()> {
    match File::open(path).and_then(|folder| folder.sync_all()) {
        // Not every file system can do that for a folder, and not every folder can be opened.
        Err(error)
            if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EBADF | libc::ENOTSUP | libc::EACCES)) =>
        {
            Ok(())
        }
        synced => synced.map_err(Error::io("sync", path)),
    }
}
