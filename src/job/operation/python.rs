//! Which Python runs an operation.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::engine;
use crate::operation::OpRecord;
use crate::operation::python::{Interpreter, choose};

/// Prints the version alone, on any Python.
const PRINT_VERSION: &str = "import sys; print('.'.join(map(str, sys.version_info[:3])))";

/// Returns the interpreter's path: the first `python3` or `python` of the `PATH`, or the newest one there of a version that
/// the operation requires.
pub(super) fn interpreter(record: &OpRecord) -> Result<String, String> {
    match &record.python_requires {
        None => Ok(first().map_or_else(|| "python3".to_owned(), |path| path.to_string_lossy().into_owned())),
        Some(requirements) => Ok(choose(requirements, &all())?.program.clone()),
    }
}

/// Returns the Python that a shell would start.
fn first() -> Option<PathBuf> {
    let mut candidates =
        ["python3", "python"].into_iter().flat_map(|name| folders().map(move |folder| folder.join(name)));
    candidates.find(|path| is_executable(path))
}

/// Returns every Python of the `PATH` with its version, in the order of the `PATH`.
fn all() -> Vec<Interpreter> {
    let is_python = |name: &str| {
        name.strip_prefix("python").is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
    };
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for folder in folders() {
        let names = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut names: Vec<String> = names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.retain(|name| is_python(name));
        names.sort();
        found.extend(names.into_iter().map(|name| folder.join(name)).filter(|path| is_executable(path)));
    }
    // Several names often lead to one program, and each costs a start of it.
    found.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    found.iter().filter_map(|path| version(path)).collect()
}

/// Asks a Python for its version; `None` if it does not run.
fn version(program: &Path) -> Option<Interpreter> {
    let words = [program.as_os_str(), "-c".as_ref(), PRINT_VERSION.as_ref()].map(ToOwned::to_owned);
    let output = engine::output_of(&words, Path::new("/")).ok().filter(|output| output.status.success())?;
    let version = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    Some(Interpreter { program: program.to_string_lossy().into_owned(), version })
}

fn folders() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect::<Vec<_>>().into_iter().filter(|folder| folder.is_absolute())
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}
