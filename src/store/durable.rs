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
/// have written: their event logs are then part of it.
pub(crate) const MANY: usize = 8;

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

/// Brings everything to the disk that was written to the file systems of these runs.
fn settle_file_systems(runs: &[&RunDir]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for run in runs {
        let metadata = fs::metadata(run.path()).map_err(Error::io("sync", run.path()))?;
        if seen.insert(metadata.dev()) {
            settle_file_system(run.path())?;
        }
    }
    Ok(())
}

/// Brings everything to the disk that was written to the file system that this folder is on.
pub(super) fn settle_file_system(folder: &Path) -> Result<()> {
    let opened = File::open(folder).map_err(Error::io("sync", folder))?;
    rustix::fs::syncfs(&opened).map_err(|error| Error::io("sync", folder)(error.into()))
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

#[cfg(test)]
mod tests {
    use super::super::made::new_run;
    use super::*;

    #[test]
    fn few_ends_and_many_are_brought_to_the_disk_and_a_run_that_is_gone_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for count in [1, MANY - 1, MANY, 3 * MANY] {
            let path = |number: usize| folder.path().join(format!("{count}-{number}"));
            let runs: Vec<RunDir> = (0..count).map(|number| new_run(&path(number))).collect();
            let runs: Vec<&RunDir> = runs.iter().collect();
            for run in &runs {
                run.conclude(0, 1).unwrap();
            }
            settle(&runs).unwrap();
            fs::remove_dir_all(path(0)).unwrap();
            let error = settle(&runs).unwrap_err().to_string();
            assert!(error.contains(&path(0).display().to_string()), "{error}");
        }
    }
}
