//! What is known of dependencies that were fulfilled in earlier runs, and whether that can still be believed.
//!
//! An entry is found by all that the dependency is made of, and by whose machine and Python it was for. It names witnesses:
//! files that change when what was done is undone, such as the package manager's list. An entry is believed as long as its
//! witnesses are as they were then. Only kinds that have witnesses are remembered.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::engine::Query;
use crate::job::inputs::hex;
use crate::model::{Kind, Runnable};
use crate::store::{self, Home};

/// The file, in the home.
const FILE: &str = "cache/dependencies.json";

/// Lists that package managers keep of what is installed.
const PACKAGE_LISTS: [&str; 5] = [
    "/var/lib/dpkg/status",
    "/var/lib/rpm/rpmdb.sqlite",
    "/var/lib/rpm/Packages",
    "/lib/apk/db/installed",
    "/var/lib/pacman/local",
];

/// What the runner of the kind `asset` says of the file.
const FETCHED: &str = "File fetched at ";

/// Environment variables that decide which Python and which programs a dependency is about.
const VARIABLES: [&str; 4] = ["PATH", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"];

/// Size, and time of the last change in nanoseconds, of a witness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    changed: i128,
}

type Witnesses = BTreeMap<PathBuf, Stamp>;

/// The dependencies that were fulfilled.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Cache {
    entries: BTreeMap<String, Witnesses>,
}

impl Cache {
    /// Reads what is known; a file that is missing or damaged holds nothing.
    pub(super) fn read(home: &Home) -> Cache {
        let text = fs::read(home.path().join(FILE)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Returns whether a dependency is fulfilled, as far as its witnesses tell.
    pub(super) fn holds(&self, key: &str) -> bool {
        let witnesses = self.entries.get(key).filter(|witnesses| !witnesses.is_empty());
        witnesses.is_some_and(|all| all.iter().all(|(path, stamp)| Stamp::of(path).as_ref() == Some(stamp)))
    }

    /// Adds what was fulfilled now to what is known by then, and writes it. The folder is that of the dependency's task.
    pub(super) fn remember(home: &Home, fulfilled: &[(String, Runnable, PathBuf)], cwd: &Path) -> store::Result<()> {
        let mut cache = Cache::read(home);
        for (key, runnable, folder) in fulfilled {
            let witnesses = witnesses(runnable, folder, cwd);
            match witnesses.is_empty() {
                true => cache.entries.remove(key),
                false => cache.entries.insert(key.clone(), witnesses),
            };
        }
        let path = home.path().join(FILE);
        let folder = path.parent().unwrap_or(home.path());
        let fresh = folder.join(format!(".dependencies-{}", std::process::id()));
        let text = serde_json::to_vec_pretty(&cache).unwrap_or_default();
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&fresh, text));
        written.and_then(|()| fs::rename(&fresh, &path)).map_err(store::Error::io("write", &path))
    }
}

/// Returns by what a dependency is known; `None` for a kind that is never remembered.
pub(super) fn key(runnable: &Runnable) -> Option<String> {
    if !matches!(runnable.own_kind()?, Kind::Package | Kind::Pip | Kind::Asset) {
        return None;
    }
    let variables = VARIABLES.map(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()));
    let all = serde_json::json!([store::host(), store::user(), serde_json::Value::from(runnable.clone()), variables]);
    Some(hex(&Sha256::digest(all.to_string())))
}

fn witnesses(runnable: &Runnable, folder: &Path, cwd: &Path) -> Witnesses {
    let paths: Vec<PathBuf> = match runnable.own_kind() {
        Some(Kind::Package) => PACKAGE_LISTS.iter().map(PathBuf::from).collect(),
        Some(Kind::Pip) => python_folders(cwd),
        _ => fetched_file(folder).into_iter().collect(),
    };
    paths.into_iter().filter_map(|path| Stamp::of(&path).map(|stamp| (path, stamp))).collect()
}

/// Returns the folders that pip installs into.
fn python_folders(cwd: &Path) -> Vec<PathBuf> {
    let code = "import sysconfig\nfor name in ('purelib', 'platlib'): print(sysconfig.get_path(name))";
    let answer = Query::new("python3", &["-c", code], cwd).start().answer(&|| false);
    let text = answer.ok().filter(|answer| answer.failure().is_none()).map(|answer| answer.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().map(PathBuf::from).collect()
}

/// Returns the file that an asset was fetched to, as its runner said.
fn fetched_file(folder: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(folder.join("stdout")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(FETCHED)).map(|path| PathBuf::from(path.trim()))
}

impl Stamp {
    fn of(path: &Path) -> Option<Stamp> {
        let found = fs::metadata(path).ok()?;
        Some(Stamp {
            size: found.size(),
            changed: i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_believed_while_its_witness_is_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(dir.path())).unwrap();
        let asset = dir.path().join("asset.bin");
        fs::write(&asset, "one").unwrap();
        fs::write(dir.path().join("stdout"), format!("{FETCHED}{}\n", asset.display())).unwrap();
        let runnable = Runnable { kind: "asset".into(), ..Runnable::default() };
        let key = key(&runnable).unwrap();
        assert!(!Cache::read(&home).holds(&key));
        Cache::remember(&home, &[(key.clone(), runnable.clone(), dir.path().to_owned())], dir.path()).unwrap();
        assert!(Cache::read(&home).holds(&key));
        fs::write(&asset, "another").unwrap();
        assert!(!Cache::read(&home).holds(&key));
        fs::remove_file(&asset).unwrap();
        assert!(!Cache::read(&home).holds(&key));
        // What leaves no witness is forgotten.
        Cache::remember(&home, &[(key.clone(), runnable, dir.path().to_owned())], dir.path()).unwrap();
        assert!(!Cache::read(&home).holds(&key));
    }

    #[test]
    fn everything_that_matters_is_in_the_key() {
        let pip = |name: &str, action: &str| {
            let recipe = serde_json::json!({"kind": "pip", "kwargs": {"name": name, "action": action}});
            key(&serde_json::from_value(recipe).unwrap())
        };
        assert_eq!(pip("a", "install"), pip("a", "install"));
        assert_ne!(pip("a", "install"), pip("a", "uninstall"));
        assert_ne!(pip("a==1", "install"), pip("a==2", "install"));
        assert_eq!(key(&Runnable { kind: "exec-test".into(), ..Runnable::default() }), None);
    }
}
