//! What a Lua file is that `rille run` is given, by its text: a part of a job, or a script that is an operation.

use std::path::Path;

use mlua::Lua;

use super::{modules, source, standalone};
use crate::model::LuaText;

/// What a Lua file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LuaFile {
    /// A jobfile, a testscript, or a file of definitions.
    Job,
    /// A script that needs nothing that only jobs have.
    Script,
    /// What it is, only files that it loads may tell, or it does nothing at all.
    Unclear,
}

/// Names that the script of an operation has.
pub(super) const OF_OPERATIONS: [&str; 3] = ["flags", "run", "arg"];

/// Names that a jobfile has.
pub(super) const OF_JOBFILES: [&str; 2] = ["main", "arg"];

/// Returns what a file is by its text, without running it.
pub(crate) fn lua_file(text: &[u8]) -> LuaFile {
    let code = String::from_utf8_lossy(text);
    let code = LuaText::new(&code);
    let required = code.required();
    let is_of_rille = |module: &str| module.starts_with("rille.");
    if code.has_name("main")
        || required.iter().flatten().any(|module| is_of_rille(module) && !modules::is_of_operations(module))
    {
        return LuaFile::Job;
    }
    let loads_others = required.iter().any(|module| !module.is_some_and(is_of_rille))
        || ["dofile", "loadfile", "load"].into_iter().any(|name| code.has_name(name));
    let is_script = || source::compile(&Lua::new(), Path::new(""), text, &OF_OPERATIONS).is_ok();
    if standalone::is_task_script(text, &OF_JOBFILES) && !is_script() {
        return LuaFile::Job;
    }
    // What has no effect is rather the beginning of a jobfile.
    if loads_others || source::uses_no_names(text) || !is_script() { LuaFile::Unclear } else { LuaFile::Script }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_text() {
        let cases = [
            ("function main(runtime) end", LuaFile::Job),
            ("local function main() print(1) end", LuaFile::Job),
            ("_G.main = print", LuaFile::Job),
            ("local ts = require 'rille.testscript'\nts.testcase()", LuaFile::Job),
            ("local job = require('rille.job')\njob.run {}", LuaFile::Job),
            ("local op = require \"rille.op\"\nop.define('a', {})", LuaFile::Job),
            ("print('loss: 1')", LuaFile::Script),
            ("#!/usr/bin/env lua\nlocal log = require 'rille.log'\nlog.info(flags.lr)", LuaFile::Script),
            ("-- no function main\nrun:scalar('loss', flags.lr) -- main", LuaFile::Script),
            ("global *\nx = 1", LuaFile::Script),
            ("print(parameters.device)", LuaFile::Job),
            ("require 'common'\nreturn runtime.task.taskid == 'a'", LuaFile::Job),
            ("local parameters = { 1 }\nprint(parameters[1])", LuaFile::Script),
            ("print(flags.lr, parameters.device)", LuaFile::Unclear),
            ("require 'common'\nprint(1)", LuaFile::Unclear),
            ("require(name)", LuaFile::Unclear),
            ("dofile 'setup.lua'", LuaFile::Unclear),
            ("prnt(1)", LuaFile::Unclear),
            ("function mian(runtime) print(1) end", LuaFile::Unclear),
            ("print(", LuaFile::Unclear),
            ("local x = 1", LuaFile::Unclear),
            ("", LuaFile::Unclear),
        ];
        for (text, expected) in cases {
            assert_eq!(lua_file(text.as_bytes()), expected, "{text:?}");
        }
    }
}
