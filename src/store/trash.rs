//! Taking runs out of the trash, back or for good.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Error, Home, Result, run_id};

/// Moves the run in the directory `path` of the trash back to the runs of `home`. Returns where it is now; `None` if there
/// is a run of that id, which stays.
pub(crate) fn restore(home: &Home, path: &Path) -> Result<Option<PathBuf>> {
    let runs = home.runs_dir();
    fs::create_dir_all(&runs).map_err(Error::io("create", &runs))?;
    let target = runs.join(id_of(path));
    // A rename replaces an empty folder at the most, and no run is one.
    match fs::rename(path, &target) {
        Ok(()) => Ok(Some(target)),
        Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {
            Ok(None)
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
        Err(error) => Err(Error::io("restore", path)(error)),
    }
}

/// Deletes the run in the directory `path` of the trash.
pub(crate) fn purge(path: &Path) -> Result<()> {
    fs::remove_dir_all(path).map_err(Error::io("delete", path))
}

/// Returns the id that a run of the trash had: its folder has another name if a run of the same id is there, too.
fn id_of(path: &Path) -> String {
    let id = run_id(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_renamed = name.strip_prefix(&id).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    let is_a_name = !id.contains('/') && !id.starts_with('.');
    if is_renamed && is_a_name { id } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trashed(home: &Home, name: &str, id: &str) -> PathBuf {
        let path = home.trash_dir().join(name);
        fs::create_dir_all(path.join(".guild/attrs")).unwrap();
        fs::write(path.join(".guild/attrs/id"), format!("{id}\n")).unwrap();
        path
    }

    #[test]
    fn a_run_comes_back_under_its_id_unless_that_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(dir.path())).unwrap();
        let (first, second) = (trashed(&home, "ab", "ab"), trashed(&home, "ab_2", "ab"));
        assert_eq!(restore(&home, &second).unwrap(), Some(home.runs_dir().join("ab")));
        assert_eq!(restore(&home, &first).unwrap(), None);
        assert!(first.exists());
        purge(&first).unwrap();
        assert!(!first.exists());
        let stranger = trashed(&home, "cd", "../../out");
        assert_eq!(restore(&home, &stranger).unwrap(), Some(home.runs_dir().join("cd")));
    }
}
