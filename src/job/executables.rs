//! Executables that are run before there are tasks, for the recipes that they print.

use std::path::Path;
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
