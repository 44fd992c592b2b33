//! Which Python runs an operation.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::engine;
use crate::operation::OpRecord;
use crate::operation::python::{Interpreter, choose};

/// Returns the interpreter's path: the first `python3` or `python` of the `PATH`, or of all of them the highest version
/// that the operation accepts.
pub(super) fn interpreter(record: &OpRecord) -> Result<String, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let Some(requirements) = record.python_requires.as_deref().filter(|text| !text.trim().is_empty()) else {
        let found = ["python3", "python"].iter().find_map(|name| on_path(&folders, name));
        return Ok(found.map_or_else(|| "python3".to_owned(), |path| path.to_string_lossy().into_owned()));
    };
    let candidates: Vec<Interpreter> = all(&folders).iter().filter_map(|program| asked(program)).collect();
    choose(requirements, &candidates).map(|chosen| chosen.program.clone())
}

/// Returns the first program of this name on the `PATH`.
fn on_path(folders: &[PathBuf], program: &str) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(program)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Returns the interpreters of the `PATH`, those without a version in their names first, each program once.
fn all(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = ["python3", "python"].iter().filter_map(|name| on_path(folders, name)).collect();
    let mut names = BTreeSet::new();
    for entry in folders.iter().filter_map(|folder| folder.read_dir().ok()).flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let version = name.strip_prefix("python").unwrap_or_default();
        let is_version = version.contains('.') && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if is_version && names.insert(name) && is_executable(&entry.path()) {
            found.push(entry.path());
        }
    }
    found
}

/// Returns an interpreter with the version that it says it has. What does not answer is none.
fn asked(program: &Path) -> Option<Interpreter> {
    let words = [program.as_os_str().to_owned(), OsString::from("--version")];
    let output = engine::output_of(&words, Path::new("/")).ok().filter(|output| output.status.success())?;
    // Python 2 says it on the standard error.
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let version = text.trim().strip_prefix("Python ")?.split_whitespace().next()?.to_owned();
    Some(Interpreter { program: program.to_string_lossy().into_owned(), version })
}
