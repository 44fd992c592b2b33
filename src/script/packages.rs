//! `require`: Rille's own modules, the user's beside the file that runs, and what is installed for Lua 5.5.
//!
//! A module is looked for in this order: those that Rille brings, the user's own folders, the templates of `package.path`,
//! those of `package.cpath`. A relative template means the working folder, then each of the own folders. What is found
//! must be text, or a module in C; bytecode is refused.

use std::fs;
use std::path::{Path, PathBuf};

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, MultiValue, Table, Value};

use super::error::{plain_text, raise};
use super::used;
use crate::model::{nearest, os_text};

/// What a template has in the place of the module's name.
const MARK: &str = "?";

/// Makes `require` look where it should.
pub(super) fn set_up(lua: &Lua, folders: Vec<PathBuf>) -> mlua::Result<()> {
    let package: Table = lua.globals().get("package")?;
    let searchers: Table = package.get("searchers")?;
    let (preloaded, in_c, all_in_one): (Function, Function, Function) =
        (searchers.get(1)?, searchers.get(3)?, searchers.get(4)?);
    let kept = package.clone();
    let search = lua.create_function(move |lua, name: mlua::LuaString| {
        let name = name.to_string_lossy();
        search(lua, &kept, &name, &folders, &[&in_c, &all_in_one])
    })?;
    package.set("searchers", vec![preloaded, search])
}

fn search(lua: &Lua, package: &Table, name: &str, folders: &[PathBuf], in_c: &[&Function]) -> mlua::Result<MultiValue> {
    let mut tried = Vec::new();
    let relative = name.replace('.', "/");
    for folder in folders {
        for candidate in [folder.join(format!("{relative}.lua")), folder.join(&relative).join("init.lua")] {
            if candidate.is_file() {
                return load(lua, &candidate);
            }
            tried.push(candidate.display().to_string());
        }
    }
    // Whatever the user has made of it.
    let template = |field: &str| match package.get::<Value>(field) {
        Ok(Value::String(path)) => path.to_string_lossy(),
        _ => String::new(),
    };
    for candidate in candidates(&template("path"), &relative, folders) {
        if candidate.is_file() {
            return load(lua, &candidate);
        }
    }
    for searcher in in_c {
        let found: MultiValue = searcher.call(name).map_err(|error| {
            let text = plain_text(&error).replace("\n\t", " ").replace('\n', " ");
            raise(lua, "usage", format!("{text}; a module in C must be built for Lua 5.5"))
        })?;
        if matches!(found.front(), Some(Value::Function(_))) {
            used::note_module(lua, None);
            return Ok(found);
        }
    }
    // This is the last searcher; what Lua makes of their answers does not fit on a line.
    let text = match near_module(lua, name, folders)? {
        Some(near) => format!("there is no module '{name}'; did you mean '{near}'?"),
        None => format!(
            "there is no module '{name}'; looked for {}, then in package.path and package.cpath; put it beside the file, or \
             name its folder in RILLE_PATH or package.path",
            tried.join(", ")
        ),
    };
    Err(raise(lua, "usage", text))
}

/// Returns the files that the templates of a path stand for, in order, each once.
fn candidates(templates: &str, relative: &str, folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut candidates = Vec::new();
    for template in templates.split(';').filter(|template| template.contains(MARK)) {
        let path = PathBuf::from(template.replace(MARK, relative));
        let in_folders = folders.iter().filter(|_| path.is_relative()).map(|folder| folder.join(&path));
        for candidate in std::iter::once(path.clone()).chain(in_folders) {
            if !candidates.contains(&candidate) {
                candidates.push(candidate);
            }
        }
    }
    candidates
}

/// Returns the module that is most like `name`: of Rille's own, or of those in the user's folders.
fn near_module(lua: &Lua, name: &str, folders: &[PathBuf]) -> mlua::Result<Option<String>> {
    let preload: Table = lua.globals().get::<Table>("package")?.get("preload")?;
    let mut known = preload.pairs::<String, Value>().map(|pair| Ok(pair?.0)).collect::<mlua::Result<Vec<_>>>()?;
    let (parent, _) = name.rsplit_once('.').unwrap_or(("", name));
    for folder in folders {
        let entries = fs::read_dir(folder.join(parent.replace('.', "/"))).into_iter().flatten();
        let modules = entries.filter_map(|entry| {
            let path = entry.ok()?.path();
            let is_module =
                path.extension().is_some_and(|extension| extension == "lua") || path.join("init.lua").is_file();
            let stem = path.file_stem().filter(|_| is_module)?.to_str()?.to_owned();
            Some(if parent.is_empty() { stem } else { format!("{parent}.{stem}") })
        });
        known.extend(modules);
    }
    known.sort();
    Ok(nearest(name, known.iter().map(String::as_str)).map(str::to_owned))
}

fn load(lua: &Lua, path: &Path) -> mlua::Result<MultiValue> {
    let text = fs::read(path).map_err(|error| {
        raise(lua, "usage", format!("cannot read the module {}: {}", path.display(), os_text(&error)))
    })?;
    used::note_module(lua, Some(path));
    let chunk = lua.load(text).set_name(format!("@{}", path.display())).set_mode(ChunkMode::Text).into_function()?;
    let path = lua.create_string(path.as_os_str().as_encoded_bytes())?;
    Ok(MultiValue::from_vec(vec![Value::Function(chunk), Value::String(path)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_template_means_the_working_folder_then_the_own_ones() {
        let folders = [PathBuf::from("/job"), PathBuf::from("/project")];
        let shown: Vec<String> = candidates("./x/?.lua;/abs/?/init.lua;;none;./x/?.lua", "a/b", &folders)
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        assert_eq!(shown, ["./x/a/b.lua", "/job/./x/a/b.lua", "/project/./x/a/b.lua", "/abs/a/b/init.lua"]);
    }
}
