//! Where scripts find modules, and what Rille's own are: one table, for every kind of file that Lua runs.
//!
//! A module is there where the file has what it needs. Elsewhere `require` says which files it is for.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use mlua::{Lua, Value};

use super::api::{args, job, log, op, runnable, runner, runs, testscript, walk};
use super::context::Context;
use super::error::raise;
use super::vm::Vm;

/// A module of Rille.
struct Module {
    /// What `require` calls it.
    name: &'static str,
    /// Which files it is for, as the error elsewhere says it.
    home: &'static str,
    /// The script of an operation may use it, so that requiring it makes no file a part of a job.
    is_of_operations: bool,
    /// Makes it, of what a file has; `None` where that is not there.
    open: fn(&Lua, &Given) -> Option<mlua::Result<Value>>,
    /// Its annotations.
    types: &'static str,
}

/// Every module, by name.
const MODULES: [Module; 9] = [
    Module {
        name: "rille.args",
        home: "jobfiles and their tasks",
        is_of_operations: false,
        open: |lua, given| Some(args::module(lua, given.arguments.as_ref()?)),
        types: include_str!("../../lua/types/rille.args.d.lua"),
    },
    Module {
        name: "rille.job",
        home: "jobfiles",
        is_of_operations: false,
        open: |lua, given| match (&given.face, &given.context) {
            (Face::Worker, _) => Some(job::module_of_worker(lua)),
            (_, context) => Some(job::module(lua, context.as_ref()?)),
        },
        types: include_str!("../../lua/types/rille.job.d.lua"),
    },
    Module {
        name: "rille.log",
        home: "jobfiles, their tasks and operations",
        is_of_operations: true,
        open: |lua, given| Some(log::module(lua, given.log.as_ref()?)),
        types: include_str!("../../lua/types/rille.log.d.lua"),
    },
    Module {
        name: "rille.op",
        home: "the project file rille.lua, which declares operations",
        is_of_operations: false,
        open: |lua, given| Some(op::module(lua, given.definitions.as_ref()?)),
        types: include_str!("../../lua/types/rille.op.d.lua"),
    },
    Module {
        name: "rille.runnable",
        home: "every file",
        is_of_operations: false,
        open: |lua, _| Some(runnable::module(lua)),
        types: include_str!("../../lua/types/rille.runnable.d.lua"),
    },
    Module {
        name: "rille.runner",
        home: "files named avocado-runner-KIND.lua, which define kinds of runnables",
        is_of_operations: false,
        open: |lua, given| Some(runner::module(lua, given.kinds.as_ref()?)),
        types: include_str!("../../lua/types/rille.runner.d.lua"),
    },
    Module {
        name: "rille.runs",
        home: "jobfiles, their tasks and operations",
        is_of_operations: true,
        open: |lua, given| {
            let home = match (&given.context, &given.run) {
                (Some(context), _) => Some(context.job.settings().home.clone()),
                (None, Some(run)) => runs::home_of(run),
                (None, None) => return None,
            };
            Some(runs::module(lua, home))
        },
        types: include_str!("../../lua/types/rille.runs.d.lua"),
    },
    Module {
        name: "rille.testscript",
        home: "testscripts",
        is_of_operations: false,
        open: |lua, given| match (&given.sections, &given.context) {
            (Some(sections), _) => Some(testscript::module(lua, sections)),
            (None, context) => Some(Err(context.as_ref()?.asks_for_sections(lua))),
        },
        types: include_str!("../../lua/types/rille.testscript.d.lua"),
    },
    Module {
        name: "rille.walk",
        home: "every file",
        is_of_operations: false,
        open: |lua, given| {
            let elsewhere = || Rc::new(walk::Elsewhere) as Rc<dyn walk::WalkHost>;
            Some(walk::module(lua, &given.walks.clone().unwrap_or_else(elsewhere)))
        },
        types: include_str!("../../lua/types/rille.walk.d.lua"),
    },
];

/// A kind of file that Lua runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    /// A jobfile.
    Jobfile,
    /// A jobfile that is asked which walks it has.
    WalkList,
    /// The script of a task.
    Task,
    /// A jobfile in a worker of walks.
    Worker,
    /// The project file.
    Project,
    /// The script of an operation.
    Operation,
    /// A file that defines kinds of runnables.
    RunnerKind,
}

impl Face {
    /// Says what such a file is, as the error has it.
    const fn is(self) -> &'static str {
        match self {
            Face::Jobfile => "a jobfile",
            Face::WalkList => "a list of walks",
            Face::Task => "the script of a task",
            Face::Worker => "a worker of walks",
            Face::Project => "a file of operations",
            Face::Operation => "the script of an operation",
            Face::RunnerKind => "a file of kinds of runnables",
        }
    }
}

/// What a file has for the modules that need it.
pub(super) struct Given {
    /// What kind of file it is.
    pub(super) face: Face,
    /// The job that it is the file of.
    pub(super) context: Option<Rc<Context>>,
    /// The arguments that were handed on.
    pub(super) arguments: Option<Rc<args::Arguments>>,
    /// Where records of its log go.
    pub(super) log: Option<log::Logging>,
    /// The directory of the run that it is a part of.
    pub(super) run: Option<PathBuf>,
    /// What it may define sections with.
    pub(super) sections: Option<testscript::Sections>,
    /// Where walks are run.
    pub(super) walks: Option<Rc<dyn walk::WalkHost>>,
    /// Where the operations go that it defines.
    pub(super) definitions: Option<op::Shared>,
    /// Where the kinds go that it defines.
    pub(super) kinds: Option<runner::Kinds>,
}

impl Given {
    /// A file that has nothing yet.
    pub(super) const fn to(face: Face) -> Self {
        Self {
            face,
            context: None,
            arguments: None,
            log: None,
            run: None,
            sections: None,
            walks: None,
            definitions: None,
            kinds: None,
        }
    }
}

/// Makes `require` give the modules of Rille to a file that has this.
pub(super) fn preload(vm: &Vm, given: Given) -> mlua::Result<()> {
    let given = Rc::new(given);
    MODULES.iter().try_for_each(|module| {
        let given = Rc::clone(&given);
        vm.preload(module.name, move |lua| {
            (module.open)(lua, &given).unwrap_or_else(|| {
                let Module { name, home, .. } = module;
                let here = given.face.is();
                Err(raise(lua, "usage", format!("module '{name}' is for {home}; this is {here}")))
            })
        })
    })
}

/// Returns whether the script of an operation may use a module.
pub(super) fn is_of_operations(name: &str) -> bool {
    MODULES.iter().any(|module| module.name == name && module.is_of_operations)
}

/// Returns the annotations of every module, by the name of the module.
pub(crate) fn types() -> impl Iterator<Item = (&'static str, &'static str)> {
    MODULES.iter().map(|module| (module.name, module.types))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_in_order_have_annotations_and_say_elsewhere_what_they_are_for() {
        assert!(MODULES.windows(2).all(|pair| pair[0].name < pair[1].name));
        for face in [Face::Jobfile, Face::WalkList, Face::Task, Face::Worker, Face::Project, Face::Operation] {
            let lua = Lua::new();
            for Module { name, open, types, .. } in &MODULES {
                assert!(types.starts_with("---@meta") && types.contains(name), "{name} has other annotations");
                // Nothing was given, and so nothing but these is there.
                let is_there = open(&lua, &Given::to(face)).is_some();
                let expected =
                    ["rille.runnable", "rille.walk"].contains(name) || (*name == "rille.job" && face == Face::Worker);
                assert_eq!(is_there, expected, "{name} in {face:?}");
            }
        }
    }

    #[test]
    fn every_annotation_file_of_a_module_is_in_the_table() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("lua/types");
        for entry in std::fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            let Some(name) = file.strip_suffix(".d.lua").filter(|name| name.starts_with("rille.")) else { continue };
            // Objects of `runtime`, and no module.
            if name != "rille.synchro" {
                assert!(MODULES.iter().any(|module| module.name == name), "{file} is of no module");
            }
        }
    }
}
