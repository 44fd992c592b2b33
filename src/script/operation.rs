//! The operations of a project: those of `rille.lua`, and those of `guild.yml` beside it.

use std::cell::RefCell;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::api::log::Logging;
use super::api::op::Definitions;
use super::error::{plain_text, raise};
use super::modules::{Face, Given};
use super::vm::{Setup, Vm};
use super::{modules, source};
use crate::model::{Place, os_text};
use crate::operation::read::Mistake;
use crate::operation::{Broken, Origin, Project, Remark, add_guild_file};

/// The name of the project file.
pub(crate) const PROJECT_FILE: &str = "rille.lua";

/// Reads what the project in a folder defines. Where both files define an operation, `rille.lua` wins.
pub(crate) fn load_project(folder: &Path) -> Project {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    // `.` comes last in what `absolute` makes of a path like `./.`.
    let absolute: PathBuf = absolute.components().collect();
    let is_here = std::env::current_dir().is_ok_and(|here| here == absolute);
    let shown = if is_here { PathBuf::new() } else { folder.to_owned() };
    let mut project = Project::empty(absolute.clone());
    let path = absolute.join(PROJECT_FILE);
    let has_rille_file = path.exists() || path.is_symlink();
    project.is_defined = has_rille_file;
    if has_rille_file && let Err(mistake) = add_rille_file(&path, &shown.join(PROJECT_FILE), &mut project) {
        // What it would define wins over what guild.yml does, so nothing of that may run in its place.
        project.broken.push(Broken::file(mistake));
        return project;
    }
    let mut guild = Project::empty(absolute.clone());
    if add_guild_file(&absolute, &shown, &mut guild) {
        project.is_defined = true;
        merge(&mut project, guild);
    }
    project.operations.sort_by(|a, b| (&a.model, &a.name).cmp(&(&b.model, &b.name)));
    project
}

/// Adds what `guild.yml` defines to what `rille.lua` does.
fn merge(project: &mut Project, guild: Project) {
    let own: Vec<String> = project.operations.iter().map(crate::operation::Operation::full_name).collect();
    let own: Vec<String> = own.into_iter().chain(project.broken.iter().filter_map(Broken::full_name)).collect();
    for operation in guild.operations {
        let name = operation.full_name();
        if own.contains(&name) {
            let message = format!("operation '{name}' is also defined in {PROJECT_FILE}, which wins");
            let mistake = Mistake { place: operation.place.clone(), message };
            project.remarks.push(Remark { operation: Some(name), mistake });
        } else {
            project.operations.push(operation);
        }
    }
    let is_new = |broken: &Broken| broken.full_name().is_none_or(|name| !own.contains(&name));
    project.broken.extend(guild.broken.into_iter().filter(is_new));
    let about_new = |remark: &Remark| remark.operation.as_ref().is_none_or(|name| !own.contains(name));
    project.remarks.extend(guild.remarks.into_iter().filter(about_new));
    for model in guild.models {
        match project.models.iter_mut().find(|present| present.name == model.name) {
            Some(present) => present.is_default |= model.is_default,
            None => project.models.push(model),
        }
    }
}

/// Adds what `rille.lua` defines to a project.
fn add_rille_file(path: &Path, shown: &Path, project: &mut Project) -> Result<(), Mistake> {
    let at_line = |message: String| Mistake { place: None, message };
    let definitions = Rc::new(RefCell::new(Definitions::default()));
    let setup = Setup {
        module_folders: modules::folders(path, &project.folder),
        // The standard output is for data, and the file is read to list operations as well.
        write: Some(Box::new(|_, bytes| {
            let _ = io::stderr().write_all(bytes);
        })),
        before_program: None,
        execute: None,
        after_program: None,
        exit: Box::new(|lua, _| raise(lua, "usage", "the project file cannot exit; it declares operations")),
    };
    let vm = Vm::new(setup).map_err(|error| at_line(format!("cannot set Lua up: {}", plain_text(&error))))?;
    load(&vm, path, shown, Given { definitions: Some(Rc::clone(&definitions)), ..of_operations(Face::Project) })?;
    definitions.take().add_to(path, project)
}

/// Returns what every file of operations has.
pub(super) fn of_operations(face: Face) -> Given {
    Given { log: Some(Logging::to_stderr()), ..Given::to(face) }
}

/// Runs the top level of a project file, which declares. The error is about the file as a whole.
pub(super) fn load(vm: &Vm, path: &Path, shown: &Path, given: Given) -> Result<(), Mistake> {
    let at_line = |message: String| Mistake { place: None, message };
    let unreadable = |error: io::Error| at_line(format!("cannot read {}: {}", shown.display(), os_text(&error)));
    let text = fs::read(path).map_err(unreadable)?;
    modules::preload(vm, given).map_err(|error| at_line(format!("cannot set Lua up: {}", plain_text(&error))))?;
    let chunk = source::compile(vm.lua(), shown, &text, &[]).map_err(|error| located(&error.message, shown))?;
    vm.call(&chunk, Vec::new()).map_err(|error| located(&error.message, shown))?;
    Ok(())
}

/// Takes the line out of a message of Lua that begins with the file's name.
fn located(message: &str, shown: &Path) -> Mistake {
    let name = shown.to_string_lossy();
    let rest = message.strip_prefix(name.as_ref()).and_then(|rest| rest.strip_prefix(':'));
    let parts = rest.and_then(|rest| rest.split_once(": "));
    match parts.and_then(|(line, text)| Some((line.parse().ok()?, text))) {
        Some((line, text)) => Mistake::at(&Place { file: name.into(), line }, text),
        None => Mistake { place: None, message: message.to_owned() },
    }
}

/// Returns the file as the origin of an operation.
pub(super) fn origin(path: &Path) -> Origin {
    Origin::RilleFile(path.to_owned())
}
