//! From what a jobfile names as a testscript to a runnable: which file, and which kind.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::draft::Testscript;
use crate::engine::{not_on_path, on_path};
use crate::model::{Kind, Recipes, Runnable, nearest, os_text, read_recipes};

/// Makes a runnable of a testscript. Paths are looked for in `folders`, in order. The error says what was tried.
///
/// `path` is the `PATH` on which a program is looked for that no folder has.
pub(super) fn resolve(
    testscript: &Testscript,
    kind: Option<&str>,
    folders: &[&Path],
    path: Option<&OsStr>,
) -> Result<Runnable, String> {
    let mut runnable = match testscript {
        Testscript::Recipe(recipe) => (**recipe).clone(),
        Testscript::Path(name) if Path::new(name).extension().is_some_and(|e| e == "json") => {
            read_recipe(&find(name, folders)?)?
        }
        Testscript::Path(name) => return from_path(name, kind, folders, path),
    };
    if let Some(kind) = kind {
        kind.clone_into(&mut runnable.kind);
    }
    let Some(uri) = runnable.uri.clone() else {
        return match is_file(&runnable.kind) {
            true => Err(format!("the recipe of kind '{}' has no uri", runnable.kind)),
            false => Ok(runnable),
        };
    };
    // A bare name of a program may stand for one on the PATH.
    let is_command = runnable.is(Kind::ExecTest) && !uri.contains('/');
    match find(&uri, folders) {
        Ok(path) => runnable.uri = Some(as_text(&path)?),
        Err(error) if is_command => check_on_path(&uri, error, path)?,
        Err(_) if !is_file(&runnable.kind) => {}
        Err(error) => return Err(error),
    }
    Ok(runnable)
}

fn from_path(name: &str, kind: Option<&str>, folders: &[&Path], path: Option<&OsStr>) -> Result<Runnable, String> {
    let by_file = match Path::new(name).extension().and_then(|extension| extension.to_str()) {
        Some("lua") => Kind::Lua,
        Some("t") => Kind::Tap,
        _ => Kind::ExecTest,
    };
    let kind = kind.unwrap_or(by_file.name());
    let uri = match find(name, folders) {
        Ok(path) => as_text(&path)?,
        Err(error) if kind == Kind::ExecTest.name() && !name.contains('/') => {
            check_on_path(name, error, path)?;
            name.to_owned()
        }
        Err(_) if !is_file(kind) => name.to_owned(),
        Err(error) => return Err(error),
    };
    Ok(Runnable { kind: kind.to_owned(), uri: Some(uri), ..Runnable::default() })
}

/// Returns whether the uri of a runnable of this kind is a file.
fn is_file(kind: &str) -> bool {
    Kind::named(kind).is_some_and(Kind::is_file)
}

fn find(path: &str, folders: &[&Path]) -> Result<PathBuf, String> {
    let candidates: Vec<PathBuf> = folders.iter().map(|folder| folder.join(path)).collect();
    if let Some(found) = candidates.iter().find(|candidate| candidate.is_file()) {
        return Ok(found.clone());
    }
    if let Some(folder) = candidates.iter().find(|candidate| candidate.is_dir()) {
        return Err(format!("testscript '{path}' is a folder: {}", folder.display()));
    }
    let mut looked: Vec<String> = Vec::new();
    for candidate in &candidates {
        let parent = candidate.parent().unwrap_or(candidate).display().to_string();
        if !looked.contains(&parent) {
            looked.push(parent);
        }
    }
    let hint = near_file(&candidates).map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
    Err(format!("there is no testscript '{path}' in {}{hint}", looked.join(" or ")))
}

fn near_file(candidates: &[PathBuf]) -> Option<String> {
    candidates.iter().find_map(|candidate| {
        let wanted = candidate.file_name()?.to_str()?;
        let entries = fs::read_dir(candidate.parent()?).ok()?;
        let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        nearest(wanted, names.iter().map(String::as_str)).map(str::to_owned)
    })
}

/// Fails unless a program is on the `PATH` that is no file of the folders, as `error` says.
fn check_on_path(program: &str, error: String, path: Option<&OsStr>) -> Result<(), String> {
    if path.is_some_and(|path| on_path(program, path).is_some()) {
        return Ok(());
    }
    // What lies beside the file is meant rather than what is somewhere on the PATH.
    Err(match error.contains("did you mean") || error.contains("is a folder") {
        true => error,
        false => format!("{error}, and {}", not_on_path(program, path)),
    })
}

fn read_recipe(path: &Path) -> Result<Runnable, String> {
    let unreadable = |error| format!("cannot read the recipe {}: {}", path.display(), os_text(&error));
    let text = fs::read(path).map_err(unreadable)?;
    match read_recipes(&text) {
        Ok(Recipes::One(runnable)) => Ok(*runnable),
        Ok(Recipes::List(list)) => {
            let count = list.len();
            Err(format!(
                "{} is a list of {count} recipes, and a task runs one; rille test runs them all",
                path.display()
            ))
        }
        Err(error) => Err(format!("{} is no recipe: {error}", path.display())),
    }
}

fn as_text(path: &Path) -> Result<String, String> {
    path.to_str().map(str::to_owned).ok_or_else(|| format!("the path {} is not valid UTF-8", path.display()))
}
