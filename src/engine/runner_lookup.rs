//! Which program runs tasks of a kind: `avocado-runner-KIND` on the `PATH`, or this same program in that role.
//!
//! A program is asked once a run what it can do, with a time limit, and believed if it says that it runs the kind.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;

use super::query::{Query, QueryError};
use super::spawner::local::reports::argv::RUNNER_KEY;
use crate::model::{Kind, Runnable, Runner, nearest};

/// What the name of a runner begins with.
const PREFIX: &str = "avocado-runner-";

/// How long a runner may take to tell what it can do.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much it may say about that, in bytes.
const MOST: usize = 1 << 20;

/// By this path the program starts again even if its file was replaced or deleted meanwhile.
const OURSELVES: &str = "/proc/self/exe";

/// The runners of a run.
pub(crate) struct Runners {
    /// The folders of the `PATH`.
    path: Vec<PathBuf>,
    /// Folders with kinds that are written in Lua.
    folders: Vec<PathBuf>,
    cwd: PathBuf,
    known: Mutex<HashMap<(String, Option<String>), Lookup>>,
}

type Lookup = Result<Option<Arc<Runner>>, NoRunner>;

/// Why nobody runs a kind. It is asked for as often as there are tasks, so its copies share what they hold.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum NoRunner {
    /// The config names no program.
    #[error("config {RUNNER_KEY} must be the path of a program, not {0}")]
    NoPath(serde_json::Value),
    /// Nothing here has the kind.
    #[error("{}", unknown(kind, near.as_deref(), kinds))]
    Unknown {
        /// The kind.
        kind: String,
        /// A kind that is much like it.
        near: Option<String>,
        /// The kinds that there are.
        kinds: Vec<String>,
    },
    /// There is no such program.
    #[error("the runner {} does not exist", .0.display())]
    Missing(PathBuf),
    /// It was asked and has not answered.
    #[error("the runner {} does not tell what it can do: {source}", program.display())]
    Silent {
        /// The program.
        program: PathBuf,
        /// Why there is no answer.
        source: Arc<QueryError>,
    },
    /// It has answered something else.
    #[error(
        "the runner {} does not tell what it can do: `capabilities` wrote no JSON object with runnables: {source}{}",
        program.display(),
        failure.as_ref().map_or_else(String::new, |failure| format!(" ({failure})"))
    )]
    Odd {
        /// The program.
        program: PathBuf,
        /// What is wrong with its answer.
        source: Arc<serde_json::Error>,
        /// How it ended, if not well.
        failure: Option<String>,
    },
    /// It runs other kinds.
    #[error("the runner {} does not run the kind '{kind}'; it says that it runs: {}", program.display(), kinds.join(", "))]
    OtherKinds {
        /// The program.
        program: PathBuf,
        /// The kind.
        kind: String,
        /// Those that it runs.
        kinds: Vec<String>,
    },
}

fn unknown(kind: &str, near: Option<&str>, kinds: &[String]) -> String {
    match near {
        Some(near) => format!("kind '{kind}' is not known; did you mean '{near}'?"),
        None => format!(
            "kind '{kind}' is not known; the kinds are: {}; another one needs {PREFIX}{kind} on the PATH",
            kinds.join(", ")
        ),
    }
}

/// What a runner says of itself.
#[derive(Deserialize)]
struct Capabilities {
    runnables: Vec<String>,
    #[serde(default)]
    configuration_used: Option<Vec<String>>,
    /// Only runners that know this status server say so.
    #[serde(default)]
    status_token: bool,
}

impl Runners {
    /// Makes the runners of a run that was started in `cwd`, with the `PATH` as it is there; kinds that are written in Lua
    /// are looked for in `folders` as well.
    pub(crate) fn new(path: Option<OsString>, folders: Vec<PathBuf>, cwd: &Path) -> Self {
        let path = path.map(|path| std::env::split_paths(&path).map(|folder| cwd.join(folder)).collect());
        Self { path: path.unwrap_or_default(), folders, cwd: cwd.to_owned(), known: Mutex::default() }
    }

    /// Finds the program that runs a runnable: the one that it names itself under [`RUNNER_KEY`], or that of its kind.
    /// `None` for a kind that the engine runs itself. The error says what was tried. `is_interrupted` ends the wait for a
    /// program that does not answer.
    pub(crate) fn find(&self, runnable: &Runnable, is_interrupted: &dyn Fn() -> bool) -> Lookup {
        let kind = runnable.kind.as_str();
        let given = match runnable.config.get(RUNNER_KEY) {
            None => None,
            Some(serde_json::Value::String(path)) => Some(path.clone()),
            Some(other) => return Err(NoRunner::NoPath(other.clone())),
        };
        let own = runnable.own_kind();
        if given.is_none() && own.is_some_and(Kind::is_the_engines) {
            return Ok(None);
        }
        let key = (kind.to_owned(), given.clone());
        if let Some(known) = self.known.lock().get(&key) {
            return known.clone();
        }
        let found = match given {
            Some(program) => self.ask(&self.cwd.join(program), kind, is_interrupted),
            None if own.is_some() => Ok(ourselves(format!("{PREFIX}{kind}").into())),
            None => self.look(kind, is_interrupted),
        };
        let found = found.map(|program| Some(Arc::new(program)));
        if !is_interrupted() {
            self.known.lock().insert(key, found.clone());
        }
        found
    }

    fn look(&self, kind: &str, is_interrupted: &dyn Fn() -> bool) -> Result<Runner, NoRunner> {
        let name = format!("{PREFIX}{kind}");
        let is_name = !kind.is_empty() && !kind.contains(['/', '\0']);
        let on_path = self.path.iter().map(|folder| folder.join(&name)).find(|file| is_name && is_executable(file));
        if let Some(program) = on_path {
            return self.ask(&program, kind, is_interrupted);
        }
        let file = format!("{name}.lua");
        let in_lua = self.folders.iter().chain(&self.path).map(|folder| folder.join(&file));
        if let Some(file) = in_lua.into_iter().find(|file| is_name && file.is_file()) {
            // It looks for the file beside the name that it is called by.
            return Ok(ourselves(file.with_extension("").into()));
        }
        let kinds = self.kinds();
        let near = nearest(kind, kinds.iter().map(String::as_str)).map(str::to_owned);
        Err(NoRunner::Unknown { kind: kind.to_owned(), near, kinds })
    }

    /// Returns the kinds that can be run here, as far as names tell.
    fn kinds(&self) -> Vec<String> {
        let mut kinds: Vec<String> = Kind::ALL.map(|kind| kind.name().to_owned()).into();
        for folder in self.path.iter().chain(&self.folders) {
            let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let names = files.filter_map(|file| file.file_name().into_string().ok());
            let found = names.filter_map(|name| {
                let kind = name.strip_prefix(PREFIX)?;
                Some(kind.strip_suffix(".lua").unwrap_or(kind).to_owned())
            });
            kinds.extend(found);
        }
        kinds.sort();
        kinds.dedup();
        kinds
    }

    fn ask(&self, program: &Path, kind: &str, is_interrupted: &dyn Fn() -> bool) -> Result<Runner, NoRunner> {
        let mut query = Query::new("", &["capabilities"], &self.cwd);
        query.program = program.into();
        query.limit = PATIENCE;
        query.most = MOST;
        // Its exit code says nothing: some that leave with another than 0 can do what they say.
        let answer = query.start().answer(is_interrupted).map_err(|error| match error {
            QueryError::NotFound => NoRunner::Missing(program.to_owned()),
            error => NoRunner::Silent { program: program.to_owned(), source: Arc::new(error) },
        })?;
        let told: Capabilities = serde_json::from_slice(answer.stdout.trim_ascii()).map_err(|error| {
            let failure = answer.failure();
            NoRunner::Odd { program: program.to_owned(), source: Arc::new(error), failure }
        })?;
        if !told.runnables.iter().any(|told| told == kind) {
            let (program, kind) = (program.to_owned(), kind.to_owned());
            return Err(NoRunner::OtherKinds { program, kind, kinds: told.runnables });
        }
        Ok(Runner {
            program: program.to_owned(),
            takes_token: told.status_token,
            configuration_used: Some(told.configuration_used.unwrap_or_default()),
            ..Runner::default()
        })
    }
}

/// Returns this program in its role of a runner, called by this name.
fn ourselves(name: OsString) -> Runner {
    Runner { program: PathBuf::from(OURSELVES), name: Some(name), takes_token: true, configuration_used: None }
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    fn program(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_runner_is_asked_once_and_believed_if_it_runs_the_kind() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let says = |text: &str| format!("#!/bin/sh\necho asked >> '{}/asked'\necho '{text}'\nexit 7\n", at.display());
        program(at, "avocado-runner-good", &says(r#"{"runnables": ["other", "good"], "configuration_used": ["a"]}"#));
        program(at, "avocado-runner-bad", &says(r#"{"runnables": ["good"]}"#));
        program(at, "avocado-runner-odd", &says("hello"));
        program(at, "mine", &says(r#"{"runnables": ["noop"]}"#));
        fs::write(at.join("avocado-runner-plain"), "").unwrap();
        fs::write(at.join("avocado-runner-inlua.lua"), "").unwrap();
        let runners = Runners::new(Some(at.into()), Vec::new(), at);
        let find = |kind: &str, config: serde_json::Value| {
            let config = config.as_object().unwrap().clone();
            let runnable = Runnable { kind: kind.to_owned(), config, ..Runnable::default() };
            let found = runners.find(&runnable, &|| false).map_err(|error| error.to_string());
            found.map(|found| {
                found.map(|found| found.program.display().to_string().replace(&at.display().to_string(), ""))
            })
        };
        for _ in 0..3 {
            assert_eq!(find("good", json!({})), Ok(Some("/avocado-runner-good".into())));
        }
        assert_eq!(fs::read_to_string(at.join("asked")).unwrap(), "asked\n");
        assert_eq!(find("noop", json!({})), Ok(None));
        assert_eq!(find("noop", json!({ "rille.runner": "mine" })), Ok(Some("/mine".into())));
        assert_eq!(find("pip", json!({})), Ok(Some(OURSELVES.into())));
        assert_eq!(find("inlua", json!({})), Ok(Some(OURSELVES.into())));
        let cases = [
            ("bad", "does not run the kind 'bad'; it says that it runs: good"),
            ("odd", "`capabilities` wrote no JSON object"),
            ("plain", "kind 'plain' is not known"),
            ("god", "did you mean 'good'?"),
            ("", "kind '' is not known"),
            ("a/../b", "kind 'a/../b' is not known"),
        ];
        for (kind, message) in cases {
            let error = find(kind, json!({})).unwrap_err();
            assert!(error.contains(message), "{kind}: {error}");
        }
        let error = find("noop", json!({ "rille.runner": "none" })).unwrap_err();
        assert!(error.ends_with("none does not exist"), "{error}");
    }
}
