//! Programs that are run before there are tasks: executables that print recipes, and Python, which knows where its
//! modules are.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::engine::Query;
use crate::testing::{Collected, PytestItem};

/// The program by which pytest is asked, and runs.
pub(crate) const PYTEST_MAIN: &str = include_str!("../../python/rille/pytest_main.py");

/// How long pytest may take to collect: it imports what the tests import.
const COLLECTION: Duration = Duration::from_mins(10);

/// How long a run of this program may take that it makes itself: the limits are those of its tests.
const AGAIN: Duration = Duration::from_hours(24);

/// How long such an executable may take.
const LIMIT: Duration = Duration::from_mins(1);

/// Runs an executable in `folder` and returns what it wrote to its standard output. The error is the end of a sentence.
pub(crate) fn printed_by(
    executable: &Path,
    arguments: &[String],
    folder: &Path,
    is_interrupted: &dyn Fn() -> bool,
) -> Result<Vec<u8>, String> {
    let mut query = Query::new("", &[], folder);
    query.program = executable.into();
    query.args = arguments.iter().map(Into::into).collect();
    query.limit = LIMIT;
    let answer = query.start().answer(is_interrupted).map_err(|error| error.to_string())?;
    match answer.failure() {
        None => Ok(answer.stdout),
        Some(failure) => Err(format!("it failed: {failure}")),
    }
}

/// Returns the folders in which `python3` looks for modules; none if there is no Python.
pub(crate) fn python_folders(folder: &Path) -> Vec<PathBuf> {
    let query = Query::new("python3", &["-c", "import sys; print('\\n'.join(sys.path))"], folder);
    let answer = query.start().answer(&|| false).ok().filter(|answer| answer.failure().is_none());
    let printed = answer.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned()).unwrap_or_default();
    printed.lines().filter(|line| !line.is_empty()).map(PathBuf::from).collect()
}

/// Runs this program again with other arguments, to its end, whatever that is. The error says why it could not be run.
pub(crate) fn run_again(arguments: &[String], is_interrupted: &dyn Fn() -> bool) -> Result<(), String> {
    let folder = std::env::current_dir().map_err(|error| format!("the working folder: {error}"))?;
    let mut query = Query::new("/proc/self/exe", &[], &folder);
    query.args = arguments.iter().map(Into::into).collect();
    query.limit = AGAIN;
    query.start().answer(is_interrupted).map(drop).map_err(|error| format!("rille cannot be run again: {error}"))
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

/// Has pytest collect what is in files and folders, named from `folder`. The error says why it could not, with the
/// interpreter that was tried.
pub(crate) fn pytest_items(
    roots: &[String],
    folder: &Path,
    is_interrupted: &dyn Fn() -> bool,
) -> Result<Collected, String> {
    let order = json!({ "mode": "collect", "args": roots }).to_string();
    // The order may be longer than an argument may be.
    let mut file =
        tempfile::NamedTempFile::new().map_err(|error| format!("cannot make a file for its order: {error}"))?;
    file.write_all(order.as_bytes()).map_err(|error| format!("cannot write its order: {error}"))?;
    let mut query = Query::new("python3", &["-c", PYTEST_MAIN], folder);
    query.args.push(file.path().into());
    query.limit = COLLECTION;
    let answer = query.start().answer(is_interrupted).map_err(|error| format!("python3: {error}"))?;
    let failed = |what: String| match answer.failure() {
        Some(failure) => format!("{what}: {failure}"),
        None => {
            let text = String::from_utf8_lossy(&answer.stderr);
            let last = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().to_owned();
            if last.is_empty() { what } else { format!("{what}: {last}") }
        }
    };
    let mut collected = Collected::default();
    let mut root = PathBuf::new();
    let mut whole = Vec::new();
    let mut end = None;
    for line in answer.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let said = serde_json::from_slice(line)
            .map_err(|error| failed(format!("what pytest said cannot be read: {error}")))?;
        match said {
            Said::Root { path } => root = path,
            Said::Item { uri, path, tags } => {
                let path = path.canonicalize().unwrap_or(path);
                collected.items.entry(path).or_default().push(PytestItem { uri, tags: labels(tags) });
            }
            Said::Broken { path } | Said::LeftOut { path } => whole.push(path),
            Said::Missing { python, reason } => {
                return Err(format!(
                    "{python}, which is python3 here, has no pytest ({reason}); put the interpreter that has it first on the \
                     PATH, or install it there: {python} -m pip install pytest"
                ));
            }
            Said::Over { code } => end = Some(code),
        }
    }
    match end {
        // 1 and 2 are that some file could not be collected, 5 that there is no item.
        Some(0 | 1 | 2 | 5) => {}
        Some(code) => return Err(failed(format!("pytest ended with code {code} before it had collected"))),
        None => return Err(failed("pytest ended before it had collected".to_owned())),
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
