//! Where files of settings are looked for.

use std::env;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::keys::{CONFIG_VARIABLE, SYSTEM_VARIABLE};

/// The name of every file of settings.
const FILE_NAME: &str = "rille.toml";

/// A place where a file of settings is looked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    /// Whose it is: `system`, `user`, `project`, or how it was named.
    pub(crate) whose: &'static str,
    /// The path.
    pub(crate) path: PathBuf,
    /// It was named, so it has to be there.
    pub(crate) is_named: bool,
    /// It is somebody else's, who must not decide what runs here.
    pub(crate) is_foreign: bool,
}

/// Returns the user's home folder.
pub(crate) fn user_home() -> Option<PathBuf> {
    variable("HOME")
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Returns the places in the order in which they are read, later ones win. `anchor` is the jobfile, or the working folder.
/// `named` is the option `--config`.
pub(crate) fn places(anchor: &Path, started_in: &Path, named: Option<&Path>) -> Vec<Place> {
    let place = |whose, path| Place { whose, path, is_named: false, is_foreign: false };
    let system = variable(SYSTEM_VARIABLE).unwrap_or_else(|| Path::new("/etc/rille").join(FILE_NAME));
    let mut places = vec![place("system", system)];
    // The specification of XDG_CONFIG_HOME says that a relative path is to be ignored.
    let user = variable("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    let user = user.or_else(|| Some(user_home()?.join(".config")));
    places.extend(user.map(|folder| place("user", folder.join("rille").join(FILE_NAME))));
    let (project, start) = project(anchor, started_in);
    let is_foreign = is_foreign(&project, &start);
    places.push(Place { is_foreign, ..place("project", project) });
    let named = named.map(|path| ("--config", path.to_owned()));
    if let Some((whose, path)) = named.or_else(|| Some((CONFIG_VARIABLE, variable(CONFIG_VARIABLE)?))) {
        let path = started_in.join(path);
        // A file that is named and stands in one of the usual places counts as named.
        places.retain(|other| other.path != path);
        places.push(Place { whose, path, is_named: true, is_foreign: false });
    }
    places
}

/// Returns the project's file, or where it would be, and what it was looked for from.
fn project(anchor: &Path, started_in: &Path) -> (PathBuf, PathBuf) {
    let beside = if anchor.is_dir() { anchor } else { anchor.parent().unwrap_or(anchor) };
    let above = |folder: &Path| folder.ancestors().map(|folder| folder.join(FILE_NAME)).find(|path| path.exists());
    if let Some(found) = above(beside) {
        return (found, anchor.to_owned());
    }
    match above(started_in) {
        Some(found) => (found, started_in.to_owned()),
        None => (beside.join(FILE_NAME), anchor.to_owned()),
    }
}

/// Returns whether a file belongs to somebody whom neither the user nor the owner of the project trusts: a file that
/// another user put into a folder above, such as `/tmp`, must not load plugins here.
fn is_foreign(file: &Path, start: &Path) -> bool {
    let owner = |path: &Path| path.metadata().ok().map(|found| found.uid());
    let own = rustix::process::geteuid().as_raw();
    owner(file).is_some_and(|uid| uid != 0 && uid != own && Some(uid) != owner(start))
}
