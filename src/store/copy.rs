//! Copying the directory of a run to where it appears when it is whole.

use std::fs::{self, File, FileTimes, Metadata};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::birth::Birth;
use super::confined::{Confined, open_below};
use super::leaving::{has_no_secret, masked};
use super::links::Links;
use super::{Error, Result, Secrets, durable};

/// Files of a run directory that mean something only where the run goes on.
const OF_THE_MOMENT: [&str; 2] = [".guild/LOCK", ".guild/ballast"];

/// How a run is brought elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Transfer<'a> {
    /// It is not left where it was.
    pub(crate) is_move: bool,
    /// What links lead to is copied in their place.
    pub(crate) copy_links: bool,
    /// It comes from elsewhere: links of it that do not stay among the runs are refused.
    pub(crate) is_strange: bool,
    /// What is masked in what is only read.
    pub(crate) secrets: Option<&'a Secrets>,
}

/// Returns whether a file of a run directory, by its path in it, is not taken along.
pub(super) fn is_of_the_moment(path: &Path) -> bool {
    OF_THE_MOMENT.iter().any(|name| path == Path::new(name))
}

/// Brings the run in the directory `run` to `folder`, under the name `id`. Returns what could not be copied, one note
/// each; `None` if something of that name is there already, which stays.
pub(crate) fn bring(run: &Path, folder: &Path, id: &str, how: Transfer<'_>) -> Result<Option<Vec<String>>> {
    let target = folder.join(id);
    if target.symlink_metadata().is_ok() {
        return Ok(None);
    }
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let links = how.is_strange.then(|| Links::among(folder)).transpose().map_err(Error::io("open", folder))?;
    let is_as_it_is = || how.secrets.map_or(Ok(true), |secrets| has_no_secret(run, &secrets.masks()));
    if how.is_move && !how.copy_links && is_as_it_is().map_err(Error::io("read", run))? {
        if let Some(links) = &links {
            judge_tree(run, Path::new(id), links)?;
        }
        // At once to its place: where copies are put together they may be swept.
        match fs::rename(run, &target) {
            Ok(()) => return Ok(Some(Vec::new())),
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {}
            Err(error) => return Err(Error::io("move", run)(error)),
        }
    }
    // Half a run must not be taken for one: it is made where nobody looks for runs.
    let (mut birth, _lock) = Birth::of_copy(folder, id)?;
    let confined = Confined::open(birth.base()).map_err(Error::io("open", birth.base()))?;
    let mut copy = Copy {
        from: run,
        id: Path::new(id),
        to: confined,
        links,
        follows_links: how.copy_links,
        secrets: how.secrets,
        notes: Vec::new(),
    };
    copy.tree()?;
    let notes = std::mem::take(&mut copy.notes);
    if !birth.appear_or_yield()? {
        return Ok(None);
    }
    if how.is_move {
        // It is nowhere else then.
        durable::settle_file_system(folder)?;
        fs::remove_dir_all(run).map_err(Error::io("remove", run))?;
    }
    Ok(Some(notes))
}

/// Judges every link of a run.
fn judge_tree(run: &Path, id: &Path, links: &Links) -> Result<()> {
    let mut open = vec![PathBuf::new()];
    while let Some(relative) = open.pop() {
        let folder = run.join(&relative);
        for entry in fs::read_dir(&folder).map_err(Error::io("read", &folder))? {
            let entry = entry.map_err(Error::io("read", &folder))?;
            let (path, kind) = (relative.join(entry.file_name()), entry.file_type());
            let kind = kind.map_err(Error::io("read", &entry.path()))?;
            if kind.is_symlink() {
                let leads_to = fs::read_link(entry.path()).map_err(Error::io("read", &entry.path()))?;
                links.judge(&id.join(&path), &leads_to).map_err(|why| Error::BadLink { path, why })?;
            } else if kind.is_dir() {
                open.push(path);
            }
        }
    }
    Ok(())
}

/// A folder that is being copied with all that is in it.
struct Copy<'a> {
    from: &'a Path,
    /// What it is called where it is copied to.
    id: &'a Path,
    to: Confined,
    links: Option<Links>,
    /// What links lead to is copied in their place.
    follows_links: bool,
    /// What is masked in what is only read.
    secrets: Option<&'a Secrets>,
    notes: Vec<String>,
}

impl Copy<'_> {
    fn tree(&mut self) -> Result<()> {
        let mut open = vec![(PathBuf::new(), Vec::<PathBuf>::new())];
        let mut modes = Vec::new();
        while let Some((relative, mut above)) = open.pop() {
            let source = self.from.join(&relative);
            let mode = fs::metadata(&source).map_err(Error::io("read", &source))?.permissions().mode();
            self.to.folder(&self.id.join(&relative)).map_err(Error::io("create", &self.id.join(&relative)))?;
            above.extend(source.canonicalize().ok());
            for entry in fs::read_dir(&source).map_err(Error::io("read", &source))? {
                let path = relative.join(entry.map_err(Error::io("read", &source))?.file_name());
                if !is_of_the_moment(&path) && self.entry(&path, &above)? {
                    open.push((path, above.clone()));
                }
            }
            modes.push((self.id.join(relative), mode));
        }
        // Last, and from within: a folder that may not be written to has its files by now.
        for (path, mode) in modes.into_iter().rev() {
            self.to.set_mode(&path, mode).map_err(Error::io("create", &path))?;
        }
        Ok(())
    }

    /// Copies what is no folder; returns whether it is one that is to be gone into.
    fn entry(&mut self, path: &Path, above: &[PathBuf]) -> Result<bool> {
        let full = self.from.join(path);
        let Ok(own) = full.symlink_metadata() else { return Ok(false) };
        let seen = if own.is_symlink() && self.follows_links { fs::metadata(&full).unwrap_or(own) } else { own };
        let (kind, target) = (seen.file_type(), self.id.join(path));
        let note = |what: &str| format!("{} {what}", path.display());
        if kind.is_symlink() {
            let leads_to = fs::read_link(&full).map_err(Error::io("read", &full))?;
            if let Some(links) = &self.links {
                links.judge(&target, &leads_to).map_err(|why| Error::BadLink { path: path.to_owned(), why })?;
            }
            self.to.link(&target, &leads_to).map_err(Error::io("create", &target))?;
            if self.follows_links {
                self.notes.push(note("leads nowhere: the link was copied"));
            }
        } else if kind.is_dir() {
            let real = full.canonicalize().map_err(Error::io("read", &full))?;
            if !above.contains(&real) {
                return Ok(true);
            }
            self.notes.push(note("leads to a folder that it is in: left out"));
        } else if kind.is_file() {
            self.file(path, &seen)?;
        } else {
            self.notes.push(note("is no file: left out"));
        }
        Ok(false)
    }

    /// Copies a file with its mode and its time, which tells how old something is.
    fn file(&mut self, path: &Path, seen: &Metadata) -> Result<()> {
        let (full, target) = (self.from.join(path), self.id.join(path));
        // A file that has become a link since it was seen is not read.
        let opened = match self.follows_links {
            true => File::open(&full),
            false => File::open(self.from)
                .and_then(|root| open_below(root.as_fd(), path, OFlags::RDONLY | OFlags::NONBLOCK))
                .map(File::from),
        };
        let source = opened.map_err(Error::io("copy", &full))?;
        let masked = self.secrets.map_or(Ok(None), |secrets| masked(&full, path, secrets, &mut self.notes));
        let mut source: Box<dyn Read> = match masked.map_err(Error::io("copy", &full))? {
            Some(masked) => masked,
            None => Box::new(source),
        };
        let mut copy = self.to.file(&target, 0o600).map_err(Error::io("create", &target))?;
        io::copy(&mut source, &mut copy).map_err(Error::io("copy", &full))?;
        copy.set_permissions(seen.permissions()).map_err(Error::io("copy", &full))?;
        if let Ok(time) = seen.modified() {
            // A copy with another time is a copy.
            let _ = copy.set_times(FileTimes::new().set_modified(time));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

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
        let notes = bring(&run, &to, "cd", Transfer { copy_links: true, is_move: true, ..Transfer::default() })
            .unwrap()
            .unwrap();
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(to.join("cd/out/link").symlink_metadata().unwrap().is_file());
        assert!(to.join("cd/out/up").symlink_metadata().is_err());
        assert!(!run.exists());
    }

    #[test]
    fn what_comes_from_elsewhere_brings_no_link_that_leads_out() {
        let cases = [
            ("out/x", "/etc"),
            ("out/x", "../../.."),
            ("out/x", "link/../.."),
            (".guild/attrs/label", "../../out/a"),
            ("tasks", "out"),
        ];
        for (number, (path, leads_to)) in cases.into_iter().enumerate() {
            for is_move in [false, true] {
                let dir = tempfile::tempdir().unwrap();
                let run = run(dir.path());
                fs::remove_file(run.join("out/broken")).unwrap();
                symlink(leads_to, run.join(path)).unwrap();
                let to = dir.path().join("to");
                let how = Transfer { is_move, copy_links: false, is_strange: true, secrets: None };
                let error = bring(&run, &to, "ab", how).unwrap_err();
                assert!(matches!(&error, Error::BadLink { path: found, .. } if found == Path::new(path)), "{error}");
                assert_eq!(fs::read_dir(&to).unwrap().count(), 0, "nothing is left behind");
                assert!(run.join(path).is_symlink(), "case {number}: it is as it was");
                assert!(bring(&run, &to, "ab", Transfer { is_move, ..Transfer::default() }).unwrap().is_some());
            }
        }
    }
}
