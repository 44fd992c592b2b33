//! What a Lua file is, told from its words without running it: a jobfile, a testscript, or a module that others require.

use crate::model::{LuaText, LuaWord};

/// What a Lua file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LuaFile {
    /// It has a global function `main`, which is called with the runtime.
    Jobfile,
    /// It is run as a test.
    Testscript,
    /// It ends by returning a name or a table, for `require`, or it says how kinds of tests are run.
    Module,
}

/// Returns what the text of a Lua file is.
pub(super) fn classify(text: &str) -> LuaFile {
    let text = LuaText::new(text);
    if text.defines_main() {
        return LuaFile::Jobfile;
    }
    let is_module = match text.returned() {
        Some(LuaWord::Name(name)) => !["nil", "true", "false", "not", "function"].contains(&name),
        Some(LuaWord::Sign(sign)) => sign == b'{',
        _ => false,
    };
    let is_for_others = is_module || text.requires("rille.runner");
    if is_for_others && !text.requires("rille.testscript") { LuaFile::Module } else { LuaFile::Testscript }
}

#[cfg(test)]
mod tests {
    use super::{LuaFile, classify};

    #[test]
    fn files_are_told_by_their_words() {
        let cases = [
            ("function main(runtime) end", LuaFile::Jobfile),
            (
                "#!/usr/bin/env -S rille run\nlocal job = require 'rille.job'\nfunction main(runtime)\nend\n",
                LuaFile::Jobfile,
            ),
            ("if x then y() elseif z then w() else v() end\nmain = function() end", LuaFile::Jobfile),
            (
                "for i = 1, 3 do print(i) end while false do end repeat until true\nfunction main() end",
                LuaFile::Jobfile,
            ),
            ("local f = function() return function() end end\nfunction main() end", LuaFile::Jobfile),
            ("local function main() end main()", LuaFile::Testscript),
            ("local main = function() end", LuaFile::Testscript),
            ("t.main = function() end", LuaFile::Testscript),
            ("function t.main() end", LuaFile::Testscript),
            ("-- function main() end\nassert(true)", LuaFile::Testscript),
            ("--[==[\nfunction main() end\n]] ]==]\nlocal s = [[function main() end]]", LuaFile::Testscript),
            ("local s = 'function main() end' .. \"\\\" function main()\"", LuaFile::Testscript),
            ("do function main() end end", LuaFile::Testscript),
            ("", LuaFile::Testscript),
            ("return 'failed', 'why'", LuaFile::Testscript),
            ("return true", LuaFile::Testscript),
            ("local M = {}\nfunction M.f() return M end\nreturn M\n", LuaFile::Module),
            ("return { a = 1 }", LuaFile::Module),
            ("local r = require 'rille.runner'\nr.kind('foo', f)\n", LuaFile::Module),
            ("local ts = require 'rille.testscript'\nreturn ts", LuaFile::Testscript),
            ("'unclosed\n[[unclosed", LuaFile::Testscript),
            ("\u{e4}\u{f6} = '\u{fc}' --", LuaFile::Testscript),
        ];
        for (text, expected) in cases {
            assert_eq!(classify(text), expected, "{text}");
        }
    }
}
