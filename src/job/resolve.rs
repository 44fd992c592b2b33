//! From what a jobfile names as a testscript to a runnable: which file, and which kind.

use std::fs;
use std::path::{Path, PathBuf};

use super::draft::Testscript;
use crate::model::{Recipes, Runnable, nearest, read_recipes};

/// The kinds whose uri is a file. That of another one may be anything.
const NEEDS_FILE: [&str; 3] = ["exec-test", "lua", "tap"];

/// Makes a runnable of a testscript. Paths are looked for in `folders`, in order. The error says what was tried.
pub(super) fn resolve(testscript: &Testscript, kind: Option<&str>, folders: &[&Path]) -> Result<Runnable, String> {
    let mut runnable = match testscript {
        Testscript::Recipe(recipe) => (**recipe).clone(),
        Testscript::Path(path) if Path::new(path).extension().is_some_and(|e| e == "json") => {
            read_recipe(&find(path, folders)?)?
        }
        Testscript::Path(path) => return from_path(path, kind, folders),
    };
    if let Some(kind) = kind {
        kind.clone_into(&mut runnable.kind);
    }
    let Some(uri) = runnable.uri.clone() else {
        return match NEEDS_FILE.contains(&runnable.kind.as_str()) {
            true => Err(format!("the recipe of kind '{}' has no uri", runnable.kind)),
            false => Ok(runnable),
        };
    };
    // A bare name of a program may stand for one on the PATH.
    let is_command = runnable.kind == "exec-test" && !uri.contains('/');
    match find(&uri, folders) {
        Ok(path) => runnable.uri = Some(as_text(&path)?),
        Err(_) if is_command => {}
        Err(_) if !NEEDS_FILE.contains(&runnable.kind.as_str()) => {}
        Err(error) => return Err(error),
    }
    Ok(runnable)
}

fn from_path(path: &str, kind: Option<&str>, folders: &[&Path]) -> Result<Runnable, String> {
    let by_file = match Path::new(path).extension().and_then(|extension| extension.to_str()) {
        Some("lua") => "lua",
        Some("t") => "tap",
        _ => "exec-test",
    };
    let kind = kind.unwrap_or(by_file);
    let uri = match find(path, folders) {
        Ok(path) => as_text(&path)?,
        Err(_) if kind == "exec-test" && !path.contains('/') && is_on_path(path) => path.to_owned(),
        Err(_) if !NEEDS_FILE.contains(&kind) => path.to_owned(),
        Err(error) => return Err(error),
    };
    Ok(Runnable { kind: kind.to_owned(), uri: Some(uri), ..Runnable::default() })
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

fn is_on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

fn read_recipe(path: &Path) -> Result<Runnable, String> {
    let text = fs::read(path).map_err(|error| format!("cannot read the recipe {}: {error}", path.display()))?;
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
