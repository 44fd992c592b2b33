//! Removing runs: to the trash, where `guild runs restore` finds them too, or for good.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::status::{self, Status};
use super::{Error, Home, Result};

/// What became of a run that was removed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Removed {
    /// The id of the run.
    pub(crate) id: String,
    /// Where its directory was.
    pub(crate) path: PathBuf,
    /// Where it is now; `None` if it is gone for good.
    pub(crate) trash: Option<PathBuf>,
}

/// Removes the run in the directory `path`, to the trash of `home` or permanently. Refuses one that is running.
pub(crate) fn remove(home: &Home, path: &Path, permanent: bool) -> Result<Removed> {
    let id = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if status::derive(&path.join(".guild"), None) == Status::Running {
        return Err(Error::Running { id });
    }
    let trash = home.trash_dir();
    fs::create_dir_all(&trash).map_err(Error::io("create", &trash))?;
    let target = free_name(&trash, &id);
    match fs::rename(path, &target) {
        Ok(()) => {}
        // A run outside the home may be on another disk: nothing is copied to be thrown away.
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices && permanent => {
            fs::remove_dir_all(path).map_err(Error::io("remove", path))?;
            return Ok(Removed { id, path: path.to_owned(), trash: None });
        }
        Err(e) => return Err(Error::io("move to the trash", path)(e)),
    }
    if permanent {
        // From the trash, so that one that is half removed is in no list.
        fs::remove_dir_all(&target).map_err(Error::io("remove", &target))?;
    }
    Ok(Removed { id, path: path.to_owned(), trash: (!permanent).then_some(target) })
}

/// Returns a path in the trash that nothing has yet: a run that was restored and removed again finds its older self.
fn free_name(trash: &Path, id: &str) -> PathBuf {
    let names = std::iter::once(id.to_owned()).chain((2..).map(|number: u32| format!("{id}_{number}")));
    names.map(|name| trash.join(name)).find(|path| path.symlink_metadata().is_err()).unwrap_or_else(|| trash.join(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::made::new_run;

    fn finished(home: &Home, id: &str) -> PathBuf {
        let path = home.runs_dir().join(id);
        let run = new_run(&path);
        run.write_file("out/a", b"a").unwrap();
        run.conclude(0, 1).unwrap();
        run.release().unwrap();
        path
    }

    #[test]
    fn a_run_goes_to_the_trash_and_finds_room_there() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(dir.path())).unwrap();
        for name in ["ab", "ab_2"] {
            let removed = remove(&home, &finished(&home, "ab"), false).unwrap();
            assert_eq!(removed.trash, Some(home.trash_dir().join(name)));
            assert!(home.trash_dir().join(name).join("out/a").exists());
            assert!(!removed.path.exists());
        }
    }

    #[test]
    fn a_run_can_be_removed_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(dir.path())).unwrap();
        let removed = remove(&home, &finished(&home, "ab"), true).unwrap();
        assert_eq!((removed.id.as_str(), removed.trash), ("ab", None));
        assert_eq!(fs::read_dir(home.trash_dir()).unwrap().count(), 0);
        assert_eq!(fs::read_dir(home.runs_dir()).unwrap().count(), 0);
    }

    #[test]
    fn a_running_run_stays() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(dir.path())).unwrap();
        let path = home.runs_dir().join("ab");
        let run = new_run(&path);
        for permanent in [false, true] {
            assert!(matches!(remove(&home, &path, permanent), Err(Error::Running { id }) if id == "ab"));
        }
        run.conclude(0, 1).unwrap();
        run.release().unwrap();
    }
}
