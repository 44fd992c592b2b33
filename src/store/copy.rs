//! Copying the directory of a run to where it appears when it is whole.

use std::fs::{self, File, FileTimes};
use std::io::{self, Read};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::leaving::{has_no_secret, masked};
use super::{Error, Result, Secrets};

/// Files of a run directory that mean something only where the run goes on.
const OF_THE_MOMENT: [&str; 2] = [".guild/LOCK", ".guild/ballast"];

/// How a run is brought elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Transfer<'a> {
    /// It is not left where it was.
    pub(crate) is_move: bool,
    /// What links lead to is copied in their place.
    pub(crate) copy_links: bool,
    /// What is masked in what is only read.
    pub(crate) secrets: Option<&'a Secrets>,
}

/// Brings the run in the directory `run` to `folder`, under the name `id`. Returns what could not be copied, one note
/// each; `None` if something of that name is there already, which stays.
pub(crate) fn bring(run: &Path, folder: &Path, id: &str, how: Transfer<'_>) -> Result<Option<Vec<String>>> {
    let target = folder.join(id);
    if target.symlink_metadata().is_ok() {
        return Ok(None);
    }
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let is_as_it_is = || how.secrets.map_or(Ok(true), |secrets| has_no_secret(run, &secrets.masks()));
    if how.is_move && !how.copy_links && is_as_it_is().map_err(Error::io("read", run))? {
        match fs::rename(run, &target) {
            Ok(()) => return Ok(Some(Vec::new())),
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {}
            Err(error) => return Err(Error::io("move", run)(error)),
        }
    }
    // Half a run must not be taken for one: it is made where nobody looks for runs.
    let incoming = incoming(folder)?;
    let made = incoming.path().join(id);
    let mut notes = Vec::new();
    copy_tree(run, &made, how, &mut notes)?;
    if let Err(error) = fs::rename(&made, &target) {
        let is_taken = matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists);
        return if is_taken { Ok(None) } else { Err(Error::io("write", &target)(error)) };
    }
    if how.is_move {
        fs::remove_dir_all(run).map_err(Error::io("remove", run))?;
    }
    Ok(Some(notes))
}

/// Makes a folder in `folder` where runs are put together; it goes with the value.
pub(super) fn incoming(folder: &Path) -> Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix(".incoming-").tempdir_in(folder).map_err(Error::io("create a folder in", folder))
}

/// Copies a folder with all that is in it.
fn copy_tree(from: &Path, to: &Path, how: Transfer<'_>, notes: &mut Vec<String>) -> Result<()> {
    let copy_links = how.copy_links;
    let mut open = vec![(PathBuf::new(), Vec::<PathBuf>::new())];
    let mut modes = Vec::new();
    while let Some((relative, mut above)) = open.pop() {
        let (source, target) = (from.join(&relative), to.join(&relative));
        let mode = fs::metadata(&source).map_err(Error::io("read", &source))?.permissions();
        fs::create_dir_all(&target).map_err(Error::io("create", &target))?;
        above.extend(source.canonicalize().ok());
        for entry in fs::read_dir(&source).map_err(Error::io("read", &source))? {
            let path = relative.join(entry.map_err(Error::io("read", &source))?.file_name());
            if OF_THE_MOMENT.iter().any(|name| path == Path::new(name)) {
                continue;
            }
            let full = from.join(&path);
            let Ok(own) = full.symlink_metadata() else { continue };
            let seen = if own.is_symlink() && copy_links { fs::metadata(&full).unwrap_or(own) } else { own };
            let kind = seen.file_type();
            if kind.is_symlink() {
                let leads_to = fs::read_link(&full).map_err(Error::io("read", &full))?;
                symlink(leads_to, to.join(&path)).map_err(Error::io("create", &to.join(&path)))?;
                if copy_links {
                    notes.push(format!("{} leads nowhere: the link was copied", path.display()));
                }
            } else if kind.is_dir() {
                let real = full.canonicalize().map_err(Error::io("read", &full))?;
                if above.contains(&real) {
                    notes.push(format!("{} leads to a folder that it is in: left out", path.display()));
                } else {
                    open.push((path, above.clone()));
                }
            } else if kind.is_file() {
                let masked = how.secrets.map_or(Ok(None), |secrets| masked(&full, &path, secrets, notes));
                match masked.map_err(Error::io("copy", &full))? {
                    Some(mut content) => write_masked(&full, &to.join(&path), &mut content)?,
                    None => copy_file(&full, &to.join(&path))?,
                }
            } else {
                notes.push(format!("{} is no file: left out", path.display()));
            }
        }
        modes.push((target, mode));
    }
    // Last, and from within: a folder that may not be written to has its files by now.
    for (target, mode) in modes.into_iter().rev() {
        fs::set_permissions(&target, mode).map_err(Error::io("create", &target))?;
    }
    Ok(())
}

/// Copies a file with its mode and its time, which tells how old something is.
pub(super) fn copy_file(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map_err(Error::io("copy", from))?;
    keep_times(from, to);
    Ok(())
}

/// Makes a file of this content that otherwise is a copy of another.
fn write_masked(from: &Path, to: &Path, content: &mut dyn Read) -> Result<()> {
    let mode = fs::metadata(from).map_err(Error::io("read", from))?.permissions();
    let mut file = File::create(to).map_err(Error::io("create", to))?;
    io::copy(content, &mut file).map_err(Error::io("write", to))?;
    file.set_permissions(mode).map_err(Error::io("create", to))?;
    keep_times(from, to);
    Ok(())
}

fn keep_times(from: &Path, to: &Path) {
    let times =
        fs::metadata(from).and_then(|metadata| metadata.modified()).map(|time| FileTimes::new().set_modified(time));
    if let Ok(times) = times
        && let Ok(file) = File::open(to)
    {
        // A copy with another time is a copy.
        let _ = file.set_times(times);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(dir: &Path) -> PathBuf {
        let run = dir.join("ab");
        for file in [".guild/opref", ".guild/LOCK", ".guild/attrs/id", "out/a"] {
            fs::create_dir_all(run.join(file).parent().unwrap()).unwrap();
            fs::write(run.join(file), file).unwrap();
        }
        symlink("../../other", run.join("out/broken")).unwrap();
        symlink("a", run.join("out/link")).unwrap();
        symlink("..", run.join("out/up")).unwrap();
        run
    }

    #[test]
    fn a_run_is_copied_whole_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let run = run(dir.path());
        let to = dir.path().join("to");
        assert_eq!(bring(&run, &to, "ab", Transfer::default()).unwrap(), Some(Vec::new()));
        assert!(to.join("ab/out/a").exists() && !to.join("ab/.guild/LOCK").exists());
        assert_eq!(fs::read_link(to.join("ab/out/broken")).unwrap(), Path::new("../../other"));
        assert_eq!(bring(&run, &to, "ab", Transfer::default()).unwrap(), None);
        assert_eq!(fs::read_dir(&to).unwrap().count(), 1, "nothing is left behind");
        let times = [&run, &to.join("ab")].map(|path| path.join("out/a").metadata().unwrap().modified().unwrap());
        assert_eq!(times[0], times[1]);
    }

    #[test]
    fn what_links_lead_to_is_copied_where_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let run = run(dir.path());
        let to = dir.path().join("to");
        let notes =
            bring(&run, &to, "cd", Transfer { copy_links: true, is_move: true, secrets: None }).unwrap().unwrap();
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(to.join("cd/out/link").symlink_metadata().unwrap().is_file());
        assert!(to.join("cd/out/up").symlink_metadata().is_err());
        assert!(!run.exists());
    }
}
