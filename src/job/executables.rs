//! Programs that are run before there are tasks: executables that print recipes, and Python, which knows where its
//! modules are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::engine::Query;

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
