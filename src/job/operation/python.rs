//! Which Python runs an operation, and where it finds what runs modules.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::engine;
use crate::job::interpreter::{self, is_executable};
use crate::operation::python::{FILES, GUILD_OP_MAIN, Interpreter, OP_MAIN, choose};
use crate::operation::{self, OpRecord};
use crate::store::Home;

/// Returns the folder below the home with what runs modules of Python. It is told by the version, so that programs of
/// several versions do not fight over it.
pub(super) fn shared(home: &Home) -> PathBuf {
    home.path().join("cache/python").join(env!("CARGO_PKG_VERSION"))
}

/// Puts there what runs modules. Each run has it itself; Guild alone has need of it, for a run that it makes with another
/// one as its prototype, so that a home which cannot be written to is no failure of this run.
pub(super) fn share(home: &Home) {
    for (name, text) in FILES {
        let path = shared(home).join(name);
        if std::fs::read(&path).is_ok_and(|present| present == text.as_bytes()) {
            continue;
        }
        let Some(folder) = path.parent() else { continue };
        let _ = std::fs::create_dir_all(folder).and_then(|()| {
            let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
            fresh.write_all(text.as_bytes())?;
            fresh.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
            fresh.persist(&path).map(drop).map_err(|error| error.error)
        });
    }
}

/// Returns the record of a run that Guild made as one that has no need of Guild, where Guild is no longer to be found: what
/// runs modules for Rille does it as well. `None` where the record can stay as it is.
pub(super) fn without_guild(record: &OpRecord) -> Option<OpRecord> {
    let at = record.op_cmd.cmd_args.iter().position(|word| word == GUILD_OP_MAIN)?;
    if of_guild(record).is_some() {
        return None;
    }
    let mut record = record.clone();
    OP_MAIN.clone_into(&mut record.op_cmd.cmd_args[at]);
    Some(record)
}

/// Returns the interpreter of the Guild that made a run, if both are still there: what the run imports is installed there.
fn of_guild(record: &OpRecord) -> Option<PathBuf> {
    if !record.op_cmd.cmd_args.iter().any(|word| word == GUILD_OP_MAIN) {
        return None;
    }
    let recorded = record.op_cmd.cmd_env.get("PYTHONPATH")?.as_str()?;
    operation::python::paths(recorded).find_map(|packages| {
        let packages = Path::new(packages);
        if !packages.join("guild/op_main.py").is_file() {
            return None;
        }
        // PREFIX/lib/python3.11/site-packages
        let version = packages.parent()?.file_name()?.to_str().filter(|name| name.starts_with("python"))?;
        let program = packages.ancestors().nth(3)?.join("bin").join(version);
        is_executable(&program).then_some(program)
    })
}

/// Returns the interpreter's path: that of the project, or of all that there are the highest version that the operation
/// accepts. A run that Guild made gets Guild's.
pub(super) fn interpreter(record: &OpRecord) -> Result<String, String> {
    if let Some(program) = of_guild(record) {
        return Ok(program.to_string_lossy().into_owned());
    }
    let project = record.op_cmd.cmd_env.get("PROJECT_DIR").and_then(serde_json::Value::as_str).map(Path::new);
    let found = of_project(project, record.python_requires.as_deref())?;
    Ok(found.map_or_else(|| "python3".to_owned(), |found| found.program.to_string_lossy().into_owned()))
}

/// Returns the interpreter of a project; `None` if there is none at all. Where that one does not fit what is required, it is the
/// highest version of the `PATH` that does.
pub(in crate::job) fn of_project(
    project: Option<&Path>,
    requirements: Option<&str>,
) -> Result<Option<interpreter::Interpreter>, String> {
    let surroundings = interpreter::Surroundings::of_process();
    let found = surroundings.interpreter(project);
    let Some(requirements) = requirements.filter(|text| !text.trim().is_empty()) else { return Ok(found) };
    if let Some(found) = found.filter(|found| found.origin != interpreter::Origin::Path)
        && asked(&found.program).is_some_and(|own| choose(requirements, &[own]).is_ok())
    {
        return Ok(Some(found));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let candidates: Vec<Interpreter> = all(&folders).iter().filter_map(|program| asked(program)).collect();
    let chosen = choose(requirements, &candidates)?;
    let program = PathBuf::from(&chosen.program);
    Ok(Some(interpreter::Interpreter { program, origin: interpreter::Origin::Path }))
}

/// Returns the interpreters of the `PATH`, those without a version in their names first, each program once.
fn all(folders: &[PathBuf]) -> Vec<PathBuf> {
    let first = |name: &str| folders.iter().map(|folder| folder.join(name)).find(|path| is_executable(path));
    let mut found: Vec<PathBuf> = ["python3", "python"].into_iter().filter_map(first).collect();
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
