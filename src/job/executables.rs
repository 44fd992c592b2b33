//! Programs that are run before there are tasks: executables that print recipes, and Python, which knows where its
//! modules are.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::engine::{Query, QueryError};
use crate::testing::{Collected, PytestItem};

/// The program by which pytest is asked, and runs.
pub(crate) const PYTEST_MAIN: &str = include_str!("../../python/rille/pytest_main.py");

/// How long pytest may take to collect: it imports what the tests import.
const COLLECTION: Duration = Duration::from_mins(10);

/// How long a run of this program may take that it makes itself: the limits are those of its tests.
const AGAIN: Duration = Duration::from_hours(24);

/// How long such an executable may take.
const LIMIT: Duration = Duration::from_mins(1);

/// Why a program that is asked before there are tasks has not answered. The text is the end of a sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// It could not be run, or did not come to its end.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// It says itself that it failed.
    #[error("it failed: {0}")]
    Failed(String),
}

/// Why this program was not run again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotRunAgain {
    /// There is no folder to run it in.
    #[error("the working folder: {0}")]
    Folder(io::Error),
    /// It could not be run, or did not come to its end.
    #[error("rille cannot be run again: {0}")]
    Query(#[from] QueryError),
}

/// Why pytest has not collected tests.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotCollected {
    /// There is no place for what it is told.
    #[error("cannot {action} its order: {source}")]
    Order {
        /// What was to be done with it.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Python could not be run, or did not come to its end.
    #[error("python3: {0}")]
    Query(#[from] QueryError),
    /// It says something else than it should.
    #[error("what pytest said cannot be read: {source}{last}")]
    Odd {
        /// What is wrong with it.
        source: serde_json::Error,
        /// What it said last, with what parts it from the rest.
        last: String,
    },
    /// It ended too early, with this code if it told.
    #[error("pytest ended {}before it had collected{last}", code.map_or_else(String::new, |code| format!("with code {code} ")))]
    Early {
        /// The code.
        code: Option<i32>,
        /// What it said last, with what parts it from the rest.
        last: String,
    },
    /// The interpreter has no pytest.
    #[error(
        "{python}, which is python3 here, has no pytest ({reason}); put the interpreter that has it first on the PATH, or \
         install it there: {python} -m pip install pytest"
    )]
    NoPytest {
        /// The interpreter.
        python: String,
        /// What Python said.
        reason: String,
    },
}

/// Runs an executable in `folder` and returns what it wrote to its standard output.
pub(crate) fn printed_by(
    executable: &Path,
    arguments: &[String],
    folder: &Path,
    is_interrupted: &dyn Fn() -> bool,
) -> Result<Vec<u8>, NoAnswer> {
    let mut query = Query::new("", &[], folder);
    query.program = executable.into();
    query.args = arguments.iter().map(Into::into).collect();
    query.limit = LIMIT;
    let answer = query.start().answer(is_interrupted)?;
    match answer.failure() {
        None => Ok(answer.stdout),
        Some(failure) => Err(NoAnswer::Failed(failure)),
    }
}

/// Returns the folders in which `python3` looks for modules; none if there is no Python.
pub(crate) fn python_folders(folder: &Path) -> Vec<PathBuf> {
    let query = Query::new("python3", &["-c", "import sys; print('\\n'.join(sys.path))"], folder);
    let answer = query.start().answer(&|| false).ok().filter(|answer| answer.failure().is_none());
    let printed = answer.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned()).unwrap_or_default();
    printed.lines().filter(|line| !line.is_empty()).map(PathBuf::from).collect()
}

/// Runs this program again with other arguments, to its end, whatever that is.
pub(crate) fn run_again(arguments: &[String], is_interrupted: &dyn Fn() -> bool) -> Result<(), NotRunAgain> {
    let folder = std::env::current_dir().map_err(NotRunAgain::Folder)?;
    let mut query = Query::new("/proc/self/exe", &[], &folder);
    query.args = arguments.iter().map(Into::into).collect();
    query.limit = AGAIN;
    query.start().answer(is_interrupted)?;
    Ok(())
}

/// What pytest says of what it collects.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Said {
    Root { path: PathBuf },
    Item { uri: String, path: PathBuf, tags: Map<String, Value> },
    Broken { path: PathBuf },
    LeftOut { path: PathBuf },
    Missing { python: String, reason: String },
    Over { code: i32 },
}

/// Has pytest collect what is in files and folders, named from `folder`.
pub(crate) fn pytest_items(
    roots: &[String],
    folder: &Path,
    is_interrupted: &dyn Fn() -> bool,
) -> Result<Collected, NotCollected> {
    let order = json!({ "mode": "collect", "args": roots }).to_string();
    // The order may be longer than an argument may be.
    let fault = |action| move |source| NotCollected::Order { action, source };
    let mut file = tempfile::NamedTempFile::new().map_err(fault("make a file for"))?;
    file.write_all(order.as_bytes()).map_err(fault("write"))?;
    let mut query = Query::new("python3", &["-c", PYTEST_MAIN], folder);
    query.args.push(file.path().into());
    query.limit = COLLECTION;
    let answer = query.start().answer(is_interrupted)?;
    let last = || {
        let said = || {
            let text = String::from_utf8_lossy(&answer.stderr);
            text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
        };
        answer.failure().or_else(said).map_or_else(String::new, |last| format!(": {last}"))
    };
    let mut collected = Collected::default();
    let mut root = PathBuf::new();
    let mut whole = Vec::new();
    let mut end = None;
    for line in answer.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let said = serde_json::from_slice(line).map_err(|source| NotCollected::Odd { source, last: last() })?;
        match said {
            Said::Root { path } => root = path,
            Said::Item { uri, path, tags } => {
                let path = path.canonicalize().unwrap_or(path);
                collected.items.entry(path).or_default().push(PytestItem { uri, tags: labels(tags) });
            }
            Said::Broken { path } | Said::LeftOut { path } => whole.push(path),
            Said::Missing { python, reason } => return Err(NotCollected::NoPytest { python, reason }),
            Said::Over { code } => end = Some(code),
        }
    }
    match end {
        // 1 and 2 are that some file could not be collected, 5 that there is no item.
        Some(0 | 1 | 2 | 5) => {}
        code => return Err(NotCollected::Early { code, last: last() }),
    }
    collected.whole =
        whole.into_iter().map(|path| root.join(path)).map(|path| path.canonicalize().unwrap_or(path)).collect();
    Ok(collected)
}

/// Returns marks as labels: null for one without values.
fn labels(marks: Map<String, Value>) -> Map<String, Value> {
    let label = |(name, values): (String, Value)| {
        let mut values: Vec<Value> = values.as_array().cloned().unwrap_or_default();
        values.sort_by_key(ToString::to_string);
        (name, if values.is_empty() { Value::Null } else { Value::Array(values) })
    };
    marks.into_iter().map(label).collect()
}
