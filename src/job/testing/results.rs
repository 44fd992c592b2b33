//! What a run of tests leaves beside its reports: links by status, to dependencies, and to the latest run.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, mknodat, open};
use rustix::io::Errno;

use super::TEST_RESULTS;
use crate::report::{Row, Summary};
use crate::store;

/// The folder of a link to each test, by how it ended.
const BY_STATUS: &str = "by-status";

/// The link in the home to the latest run of tests.
const LATEST: &str = "latest";

/// Makes the links `by-status/STATUS/TEST` of all tests that have ended.
pub(super) fn link_by_status(directory: &Path, summary: &Summary) -> store::Result<()> {
    let root = directory.join(TEST_RESULTS).join(BY_STATUS);
    for row in summary.rows().iter().filter(|row| !row.prepares()) {
        let (Some(status), Some(name)) = (row.status(), test_name(row)) else { continue };
        let folder = root.join(status.title());
        let link = folder.join(name);
        let latest = row.latest_folder();
        let target = Path::new("../..").join(Path::new(&latest).file_name().unwrap_or_default());
        let made = match symlink(&target, &link) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&folder).and_then(|()| symlink(&target, &link))
            }
            // The reports are written once more where something went wrong with them.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        };
        made.map_err(store::Error::io("link", &link))?;
    }
    Ok(())
}

/// Makes the files that Avocado leaves of every test where there are none, as the test was silent. They are made at the end
/// of the run: between two tests they would cost more than the bytes that are not in them.
pub(super) fn make_missing_files(directory: &Path, summary: &Summary) -> store::Result<()> {
    for row in summary.rows().iter().filter(|row| row.attempts > 0 && test_name(row).is_some()) {
        let path = directory.join(row.latest_folder());
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // One that the test has removed, or made something else of, stays as it is.
        let Ok(folder) = open(&path, flags, Mode::empty()) else { continue };
        for name in [store::log_name(row.folder()), "stdout", "stderr"] {
            match mknodat(&folder, name, FileType::RegularFile, Mode::from_raw_mode(0o666), 0) {
                // The test may have taken from everybody the right to write there.
                Ok(()) | Err(Errno::EXIST | Errno::ACCESS | Errno::PERM) => {}
                Err(error) => return Err(store::Error::io("create", &path.join(name))(error.into())),
            }
        }
    }
    Ok(())
}

fn test_name(row: &Row) -> Option<&str> {
    row.folder().strip_prefix(TEST_RESULTS)?.strip_prefix('/').filter(|name| !name.is_empty())
}

/// Makes the link to a dependency in the folder of a test.
pub(super) fn link_dependency(test: &Path, name: &str, dependency: &Path) -> store::Result<()> {
    let folder = test.join("dependencies");
    fs::create_dir_all(&folder).map_err(store::Error::io("create", &folder))?;
    let link = folder.join(name);
    symlink(dependency, &link).map_err(store::Error::io("link", &link))
}

/// Points the link `latest` in the home to a run directory.
pub(super) fn link_latest(home: &Path, directory: &Path) -> store::Result<()> {
    let link = home.join(LATEST);
    // Whoever reads it at this moment finds the one or the other, never none.
    let fresh: PathBuf = home.join(format!(".{LATEST}-{}", std::process::id()));
    let target = directory.strip_prefix(home).unwrap_or(directory);
    let failed = store::Error::io("link", &link);
    let _ = fs::remove_file(&fresh);
    // A run that is kept elsewhere may be the first that the home hears of.
    fs::create_dir_all(home).map_err(store::Error::io("create", home))?;
    symlink(target, &fresh).and_then(|()| fs::rename(&fresh, &link)).map_err(failed)
}
