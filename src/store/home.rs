//! The home of all runs: where it is, and which run a user means.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Error, Result, list};

/// The folder that holds `runs/` and `trash/`.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    path: PathBuf,
    /// The folder of run directories, where it is not `runs/`.
    runs: Option<PathBuf>,
}

impl Home {
    /// Returns the home: the option `--home`, else `$RILLE_HOME`, else `~/.rille`. It need not exist.
    pub(crate) fn locate(option: Option<&Path>) -> Result<Home> {
        Home::choose(option, std::env::var_os("RILLE_HOME"), std::env::var_os("HOME"))
    }

    fn choose(option: Option<&Path>, rille_home: Option<OsString>, user_home: Option<OsString>) -> Result<Home> {
        let set = |value: Option<OsString>| value.filter(|v| !v.is_empty()).map(PathBuf::from);
        let path = option
            .map(Path::to_owned)
            .or_else(|| set(rille_home))
            .or_else(|| set(user_home).map(|home| home.join(".rille")))
            .ok_or(Error::NoHome)?;
        // An empty option is a mistake that must not become the working folder.
        let path = std::path::absolute(&path).map_err(Error::io("find the home", &path))?;
        Ok(Home { path, runs: None })
    }

    /// Returns the same home with the runs that were removed in the place of those that are there: they are listed,
    /// found and selected in the same way.
    pub(crate) fn trash(&self) -> Home {
        self.with_runs_in(self.trash_dir())
    }

    /// Returns the same home with the run directories in `folder` in the place of its own, such as those of an export.
    pub(crate) fn with_runs_in(&self, folder: PathBuf) -> Home {
        Home { path: self.path.clone(), runs: Some(folder) }
    }

    /// Returns the home itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the folder of the run directories.
    pub(crate) fn runs_dir(&self) -> PathBuf {
        self.runs.clone().unwrap_or_else(|| self.path.join("runs"))
    }

    /// Returns the file of the index of the runs; `None` for folders that have none.
    pub(crate) fn index_file(&self) -> Option<PathBuf> {
        self.runs.is_none().then(|| self.path.join("cache").join("rille-index.db"))
    }

    /// Returns the folder of the runs that were removed.
    pub(crate) fn trash_dir(&self) -> PathBuf {
        self.path.join("trash").join("runs")
    }

    /// Returns the run directory that `given` means: a path if it holds a `/`, else a full id, else `latest` for the
    /// newest run, else the beginning of exactly one id.
    pub(crate) fn find(&self, given: &str) -> Result<PathBuf> {
        if given.contains('/') {
            let path = std::path::absolute(given).map_err(Error::io("find", Path::new(given)))?;
            let is_run = path.join(".guild").is_dir();
            return if is_run { Ok(path) } else { Err(Error::NoSuchRun { given: given.to_owned(), near: Vec::new() }) };
        }
        let mut ids = self.ids()?;
        ids.sort();
        if ids.iter().any(|id| id == given) {
            return Ok(self.runs_dir().join(given));
        }
        if given == "latest" {
            let newest = super::newest_paths(self, 1)?.0.pop();
            return newest.ok_or_else(|| no_such_run(given, &ids));
        }
        let candidates: Vec<&String> = ids.iter().filter(|id| !given.is_empty() && id.starts_with(given)).collect();
        match candidates[..] {
            // A directory of the working folder needs no './', unless it could be meant as an id.
            [] if !given.is_empty() && Path::new(given).join(".guild").is_dir() => {
                std::path::absolute(given).map_err(Error::io("find", Path::new(given)))
            }
            [] => Err(no_such_run(given, &ids)),
            [id] => Ok(self.runs_dir().join(id)),
            _ => {
                Err(Error::Ambiguous { given: given.to_owned(), candidates: candidates.into_iter().cloned().collect() })
            }
        }
    }

    /// Returns the names of all run directories, in no order. A home that does not exist has none.
    pub(crate) fn ids(&self) -> Result<Vec<String>> {
        let runs = self.runs_dir();
        let entries = match fs::read_dir(&runs) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::io("list", &runs)(e)),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::io("list", &runs))?;
            // A name that is not UTF-8 was given by neither Rille nor Guild.
            if let Ok(name) = entry.file_name().into_string()
                && !list::is_hidden(&name)
                && list::may_be_run(&entry.path(), &name)
            {
                ids.push(name);
            }
        }
        Ok(ids)
    }
}

/// Returns the error that offers the ids whose beginning differs from `given` by a typing mistake.
fn no_such_run(given: &str, ids: &[String]) -> Error {
    let allowed = if given.chars().count() < 4 { 1 } else { 2 };
    let length = given.chars().count();
    let mut near: Vec<(usize, &String)> = ids
        .iter()
        .map(|id| {
            let beginning: String = id.chars().take(length).collect();
            (strsim::osa_distance(given, &beginning), id)
        })
        .filter(|(distance, _)| *distance <= allowed && *distance < length)
        .collect();
    near.sort();
    Error::NoSuchRun { given: given.to_owned(), near: near.into_iter().take(3).map(|(_, id)| id.clone()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home_with(ids: &[&str]) -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(dir.path())).unwrap();
        for (second, id) in ids.iter().enumerate() {
            let attrs = home.runs_dir().join(id).join(".guild/attrs");
            fs::create_dir_all(&attrs).unwrap();
            fs::write(attrs.join("../opref"), "script:/a '' '' b.lua").unwrap();
            fs::write(attrs.join("started"), format!("{}\n", (second + 1) * 1_000_000)).unwrap();
        }
        (dir, home)
    }

    #[test]
    fn the_option_wins_over_the_environment() {
        let os = |s: &str| Some(OsString::from(s));
        let cases = [
            (Some("/o"), os("/e"), os("/h"), Some("/o")),
            (None, os("/e"), os("/h"), Some("/e")),
            (None, os(""), os("/h"), Some("/h/.rille")),
            (None, None, None, None),
        ];
        for (option, rille_home, user_home, expected) in cases {
            let home = Home::choose(option.map(Path::new), rille_home, user_home);
            assert_eq!(home.ok().map(|h| h.path), expected.map(PathBuf::from));
        }
        assert!(Home::locate(Some(Path::new("relative"))).unwrap().path.is_absolute());
        assert!(Home::locate(Some(Path::new(""))).is_err());
    }

    #[test]
    fn a_run_is_found_by_id_prefix_word_and_path() {
        let (_dir, home) = home_with(&["ab12", "ab1", "cd34", "ee55"]);
        let found = |given: &str| home.find(given).map(|p| p.file_name().unwrap().to_str().unwrap().to_owned());
        assert_eq!(found("ab12").unwrap(), "ab12");
        assert_eq!(found("ab1").unwrap(), "ab1", "an id wins over a prefix");
        assert_eq!(found("c").unwrap(), "cd34");
        assert_eq!(found("latest").unwrap(), "ee55");
        let path = home.runs_dir().join("cd34");
        assert_eq!(home.find(path.to_str().unwrap()).unwrap(), path);
    }

    #[test]
    fn what_is_not_found_is_helped() {
        let (_dir, home) = home_with(&["ab12", "ab34", "cd34"]);
        let text = |given: &str| match home.find(given) {
            Err(Error::Ambiguous { candidates, .. }) => format!("one of {}", candidates.join(" ")),
            Err(Error::NoSuchRun { near, .. }) => format!("near {}", near.join(" ")),
            other => panic!("{other:?}"),
        };
        assert_eq!(text("ab"), "one of ab12 ab34");
        assert_eq!(text("cd43"), "near cd34");
        for nothing in ["", "zz", "..", "/no/such/run"] {
            assert_eq!(text(nothing), "near ");
        }
        let empty = Home::locate(Some(Path::new("/nonexistent/home"))).unwrap();
        assert!(matches!(empty.find("latest"), Err(Error::NoSuchRun { .. })));
    }
}
