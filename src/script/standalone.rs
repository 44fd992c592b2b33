//! `rille run script.lua` of a file that is the script of a task and has no `main`: it runs as the one task of a job.
//!
//! It is one if it defines sections, or if it reads what only a task has, its `parameters` or its `runtime`.

use std::path::Path;
use std::rc::Rc;

use mlua::Lua;

use super::context::Context;
use super::{api, source, task};
use crate::model::LuaText;

/// The module that makes a file a testscript.
const MODULE: &str = "rille.testscript";

/// Returns whether a file is a testscript by its text: it requires the module and defines no `main`.
pub(super) fn is_testscript(source: &[u8]) -> bool {
    let text = String::from_utf8_lossy(source);
    let text = LuaText::new(&text);
    text.requires(MODULE) && !text.defines_main()
}

/// Returns whether a file is the script of a task by its text: it needs names that only such a script has, and defines no
/// `main`. `names` are those that a jobfile has.
pub(super) fn is_task_script(source: &[u8], names: &[&str]) -> bool {
    let lua = Lua::new();
    let compiles = |names: &[&str]| source::compile(&lua, Path::new(""), source, names).is_ok();
    !defines_main(source) && compiles(&task::DECLARED) && !compiles(names)
}

/// Returns whether a file defines `main`.
pub(super) fn defines_main(source: &[u8]) -> bool {
    LuaText::new(&String::from_utf8_lossy(source)).defines_main()
}

/// Runs the file as a task named like the file. How the run ends follows from how that task ends.
pub(super) fn run(lua: &Lua, context: &Rc<Context>) -> mlua::Result<()> {
    let settings = context.job.settings();
    let task = lua.create_table()?;
    task.set("testscript", settings.jobfile.to_string_lossy().as_ref())?;
    task.set("kind", "lua")?;
    task.set("taskid", settings.jobfile.file_stem().map(|stem| stem.to_string_lossy().into_owned()))?;
    task.set("args", settings.argv.clone())?;
    api::run_one(lua, context, task)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_of_a_task_is_known_by_the_names_that_it_needs() {
        let cases = [
            ("print(parameters.device)", true),
            ("return runtime.task.taskid == arg[1]", true),
            ("function main(runtime) print(runtime.job.name) end", false),
            ("function main() print(runtime.job.name) end", false),
            ("local parameters = {} print(parameters.x)", false),
            ("print(arg[1])", false),
            ("print(parametrs.x)", false),
            ("global *\nprint(parameters.x)", false),
            ("print(", false),
        ];
        for (text, expected) in cases {
            assert_eq!(is_task_script(text.as_bytes(), &["main", "arg"]), expected, "{text}");
        }
    }

    #[test]
    fn a_testscript_is_known_by_its_text() {
        let cases = [
            ("local ts = require \"rille.testscript\"", true),
            ("local ts = require('rille.testscript')", true),
            ("-- require \"rille.testscript\"", false),
            ("local job = require \"rille.job\"\nfunction main() end", false),
            ("local ts = require \"rille.testscript\"\nfunction main (runtime) end", false),
            ("local ts = require \"rille.testscript\"\nmain = function() end", false),
            ("local ts = require \"rille.testscript\"\nlocal function main() end", true),
            ("local ts = require \"rille.testscript\"\nmainly = 1", true),
            ("", false),
        ];
        for (text, expected) in cases {
            assert_eq!(is_testscript(text.as_bytes()), expected, "{text}");
        }
    }
}
