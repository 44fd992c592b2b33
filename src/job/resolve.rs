//! From what a jobfile names as a testscript to a runnable: which file, and which kind.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::draft::Testscript;
use crate::engine::{not_on_path, on_path};
use crate::model::{Kind, RecipeError, Recipes, Runnable, nearest, os_text, read_recipes};

/// Why a testscript cannot be run.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unresolved {
    /// Its recipe names no file, and its kind needs one.
    #[error("the recipe of kind '{0}' has no uri")]
    NoUri(String),
    /// It is a folder.
    #[error("testscript '{name}' is a folder: {}", folder.display())]
    Folder {
        /// How it is named.
        name: String,
        /// The folder.
        folder: PathBuf,
    },
    /// It is in none of the folders, nor a program on the `PATH` if it could be one.
    #[error("there is no testscript '{name}' in {}{}{}", folders.join(" or "), meant(near.as_deref()), tried(not_on_path.as_deref()))]
    Missing {
        /// How it is named.
        name: String,
        /// Where it was looked for.
        folders: Vec<String>,
        /// A file there whose name is much like it.
        near: Option<String>,
        /// What was found, or not, on the `PATH`, where that was looked at.
        not_on_path: Option<String>,
    },
    /// Its recipe cannot be read.
    #[error("cannot read the recipe {}: {}", path.display(), os_text(source))]
    Unreadable {
        /// The recipe.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its recipe is a list.
    #[error("{} is a list of {count} recipes, and a task runs one; rille test runs them all", path.display())]
    Many {
        /// The recipe.
        path: PathBuf,
        /// How many there are.
        count: usize,
    },
    /// Its recipe is none.
    #[error("{} is no recipe: {source}", path.display())]
    NoRecipe {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: RecipeError,
    },
    /// Its path cannot be handed on as a text.
    #[error("the path {} is not valid UTF-8", .0.display())]
    NoText(PathBuf),
    /// Nothing is named.
    #[error("has no testscript; write testscript = \"FILE\"")]
    Nothing,
}

fn meant(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"))
}

fn tried(not_on_path: Option<&str>) -> String {
    not_on_path.map_or_else(String::new, |tried| format!(", and {tried}"))
}

/// Makes a runnable of a testscript. Paths are looked for in `folders`, in order.
///
/// `path` is the `PATH` on which a program is looked for that no folder has.
pub(super) fn resolve(
    testscript: &Testscript,
    kind: Option<&str>,
    folders: &[&Path],
    path: Option<&OsStr>,
) -> Result<Runnable, Unresolved> {
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
            true => Err(Unresolved::NoUri(runnable.kind)),
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

fn from_path(name: &str, kind: Option<&str>, folders: &[&Path], path: Option<&OsStr>) -> Result<Runnable, Unresolved> {
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

fn find(path: &str, folders: &[&Path]) -> Result<PathBuf, Unresolved> {
    let candidates: Vec<PathBuf> = folders.iter().map(|folder| folder.join(path)).collect();
    if let Some(found) = candidates.iter().find(|candidate| candidate.is_file()) {
        return Ok(found.clone());
    }
    if let Some(folder) = candidates.iter().find(|candidate| candidate.is_dir()) {
        return Err(Unresolved::Folder { name: path.to_owned(), folder: folder.clone() });
    }
    let mut looked: Vec<String> = Vec::new();
    for candidate in &candidates {
        let parent = candidate.parent().unwrap_or(candidate).display().to_string();
        if !looked.contains(&parent) {
            looked.push(parent);
        }
    }
    let near = near_file(&candidates);
    Err(Unresolved::Missing { name: path.to_owned(), folders: looked, near, not_on_path: None })
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
fn check_on_path(program: &str, error: Unresolved, path: Option<&OsStr>) -> Result<(), Unresolved> {
    if path.is_some_and(|path| on_path(program, path).is_some()) {
        return Ok(());
    }
    // What lies beside the file is meant rather than what is somewhere on the PATH.
    Err(match error {
        Unresolved::Missing { name, folders, near: None, .. } => {
            Unresolved::Missing { name, folders, near: None, not_on_path: Some(not_on_path(program, path)) }
        }
        error => error,
    })
}

fn read_recipe(path: &Path) -> Result<Runnable, Unresolved> {
    let text = fs::read(path).map_err(|source| Unresolved::Unreadable { path: path.to_owned(), source })?;
    match read_recipes(&text) {
        Ok(Recipes::One(runnable)) => Ok(*runnable),
        Ok(Recipes::List(list)) => Err(Unresolved::Many { path: path.to_owned(), count: list.len() }),
        Err(source) => Err(Unresolved::NoRecipe { path: path.to_owned(), source }),
    }
}

fn as_text(path: &Path) -> Result<String, Unresolved> {
    path.to_str().map(str::to_owned).ok_or_else(|| Unresolved::NoText(path.to_owned()))
}
