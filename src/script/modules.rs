//! Where scripts find modules, and what Rille's own are.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use mlua::Value;

use super::api::op::MODULE;
use super::api::{runnable, walk};
use super::vm::Vm;

/// The files that make a folder a project.
const PROJECT_FILES: [&str; 2] = ["rille.lua", "guild.yml"];

/// Returns where `require` looks: beside the file that runs, in the project folder, then in `RILLE_PATH`. The project
/// folder is the nearest with a project file, else the one that rille was started in.
pub(super) fn folders(file: &Path, started_in: &Path) -> Vec<PathBuf> {
    let beside = file.parent().unwrap_or(Path::new(".")).to_owned();
    let has_project_file = |folder: &&Path| PROJECT_FILES.iter().any(|name| folder.join(name).is_file());
    let project = beside.ancestors().find(has_project_file).map(Path::to_owned);
    let project = project.unwrap_or_else(|| started_in.to_owned());
    let path = std::env::var_os("RILLE_PATH").unwrap_or_default();
    let more = std::env::split_paths(&path).filter(|folder| !folder.as_os_str().is_empty()).collect::<Vec<_>>();
    let mut folders = vec![beside, project];
    folders.extend(more);
    folders.dedup();
    folders
}

/// Makes `require` say of modules that are for other files where they are; `rille.runnable`, which is data alone, is there
/// for every file.
pub(super) fn preload_elsewhere(vm: &Vm) -> mlua::Result<()> {
    vm.preload(runnable::MODULE, runnable::module)?;
    walk::preload(vm, Rc::new(walk::Elsewhere))?;
    vm.preload("rille.runner", |lua| -> mlua::Result<Value> {
        let text = "module 'rille.runner' is for files named avocado-runner-KIND.lua, which define kinds of runnables";
        Err(super::error::raise(lua, "usage", text))
    })?;
    vm.preload(MODULE, |lua| -> mlua::Result<Value> {
        let text = format!("module '{MODULE}' is for the project file rille.lua, which declares operations");
        Err(super::error::raise(lua, "usage", text))
    })
}
