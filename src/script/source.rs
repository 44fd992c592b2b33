//! Lua files that Rille runs: read, checked for undeclared names, and compiled.

use std::path::Path;

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, Table};

use crate::model::{RaisedError, nearest};

/// The names that every file may use without declaring them.
const STANDARD: [&str; 27] = [
    "_G",
    "_VERSION",
    "assert",
    "collectgarbage",
    "coroutine",
    "debug",
    "dofile",
    "error",
    "getmetatable",
    "io",
    "ipairs",
    "load",
    "loadfile",
    "math",
    "next",
    "os",
    "package",
    "pairs",
    "pcall",
    "print",
    "rawequal",
    "rawget",
    "rawlen",
    "rawset",
    "require",
    "select",
    "setmetatable",
];
const STANDARD_REST: [&str; 7] = ["string", "table", "tonumber", "tostring", "type", "utf8", "xpcall"];

/// The words of the language that a slip turns into a name.
const KEYWORDS: [&str; 9] = ["break", "else", "elseif", "function", "global", "local", "repeat", "return", "while"];

/// Compiles the text of a file. Names that are neither declared in it nor standard nor in `declared` are an error, found
/// by Lua itself when it compiles: a `global` declaration stands before the first line. `global *` as the first line of
/// the file turns that off.
pub(crate) fn compile(lua: &Lua, path: &Path, text: &[u8], declared: &[&str]) -> Result<Function, RaisedError> {
    let name = path.display().to_string();
    let text = std::str::from_utf8(text).map_or_else(|_| text.to_vec(), |text| text.as_bytes().to_vec());
    let text = without_first_comment(text);
    if text.starts_with(b"\x1b") {
        // Behind the declarations Lua would only find an odd character.
        let message = format!("{name}: attempt to load a binary chunk; rille runs the text of a script, not bytecode");
        return Err(RaisedError { kind: "syntax".to_owned(), message, traceback: None });
    }
    let names: Vec<&str> = STANDARD.iter().chain(&STANDARD_REST).chain(declared).copied().collect();
    compile_with(lua, &name, &text, &names).map_err(|error| RaisedError {
        kind: "syntax".to_owned(),
        message: explain(&super::error::plain_text(&error), &names, &text, &module_for(lua)),
        traceback: None,
    })
}

/// Returns whether the text of a file names nothing but locals of its own, so that running it has no effect.
pub(super) fn uses_no_names(text: &[u8]) -> bool {
    let text = without_first_comment(text.to_vec());
    !is_lenient(&text) && compile_with(&Lua::new(), "", &text, &["none"]).is_ok()
}

fn compile_with(lua: &Lua, name: &str, text: &[u8], names: &[&str]) -> mlua::Result<Function> {
    let mut source = Vec::with_capacity(text.len() + 512);
    if !is_lenient(text) {
        source.extend_from_slice(format!("global {}; ", names.join(", ")).as_bytes());
    }
    source.extend_from_slice(text);
    lua.load(source).set_name(format!("@{name}")).set_mode(ChunkMode::Text).into_function()
}

/// Takes a `#!` line away and leaves its line break, so that line numbers stay.
fn without_first_comment(text: Vec<u8>) -> Vec<u8> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").map(<[u8]>::to_vec).unwrap_or(text);
    if !text.starts_with(b"#") {
        return text;
    }
    let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    text[end..].to_vec()
}

/// Returns whether the first line of code is `global *`.
fn is_lenient(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    first.strip_prefix("global").is_some_and(|rest| rest.trim_start().starts_with('*'))
}

/// Adds to what Lua says what the user may have meant.
fn explain(message: &str, names: &[&str], text: &[u8], module_for: &ModuleFor<'_>) -> String {
    let Some(name) = undeclared(message) else {
        return match syntax_remedy(message) {
            Some(remedy) => format!("{message}; {remedy}"),
            None => message.to_owned(),
        };
    };
    let text = String::from_utf8_lossy(text);
    let is_function = text.lines().any(|line| {
        let rest = line.trim_start().strip_prefix("function ").map(str::trim_start);
        rest.is_some_and(|rest| rest.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('(')))
    });
    if is_function {
        return format!("{message}; write 'local function {name}' (only main is called from outside)");
    }
    if let Some(remedy) = remedy(name, names, module_for) {
        return format!("{message}; {remedy}");
    }
    let local = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| word.len() > 2);
    match nearest(name, names.iter().copied().chain(KEYWORDS)).or_else(|| nearest_local(name, local, &text)) {
        Some(near) => format!("{message}; did you mean '{near}'?"),
        None => format!("{message}; write 'local {name} = …' before its first use"),
    }
}

/// Tells by which module a variable is meant.
type ModuleFor<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What the variable of a module is called where it does not end like the module.
const ALIASES: [(&str, &str); 1] = [("ts", "rille.testscript")];

/// Words of other languages, and of older versions of Lua.
const FOREIGN: [(&str, &str); 12] = [
    ("False", "false"),
    ("None", "nil"),
    ("True", "true"),
    ("continue", "goto continue, with ::continue:: at the end of the loop"),
    ("elif", "elseif"),
    ("len", "#value"),
    ("loadstring", "load"),
    ("null", "nil"),
    ("printf", "print(string.format(…))"),
    ("this", "self"),
    ("undefined", "nil"),
    ("unpack", "table.unpack"),
];

/// Returns by which module of Rille a variable is usually meant, of those that can be required.
fn module_for(lua: &Lua) -> impl Fn(&str) -> Option<String> {
    let preload = lua.globals().get::<Table>("package").and_then(|package| package.get::<Table>("preload"));
    move |variable| {
        let alias = ALIASES.iter().find(|(alias, _)| *alias == variable).map(|(_, module)| (*module).to_owned());
        let module = alias.unwrap_or_else(|| format!("rille.{variable}"));
        preload
            .as_ref()
            .is_ok_and(|preload| preload.contains_key(module.as_str()).unwrap_or_default())
            .then_some(module)
    }
}

/// Returns what to write for a name that is not declared, but known elsewhere. `names` are those that the file has.
fn remedy(name: &str, names: &[&str], module_for: &ModuleFor<'_>) -> Option<String> {
    if let Some(module) = module_for(name) {
        return Some(format!("write local {name} = require \"{module}\" before its first use"));
    }
    if let Some((_, meant)) = FOREIGN.iter().find(|(word, _)| *word == name) {
        return Some(format!("in Lua write {meant}"));
    }
    match name {
        "runtime" if names.contains(&"main") => Some("write function main(runtime)".to_owned()),
        "parameters" if names.contains(&"main") => {
            Some("it is there in the script of a task, which gets it from run { … }".to_owned())
        }
        "self" | "p" | "steps" => Some("write function(self, p, steps) where the section is defined".to_owned()),
        _ => None,
    }
}

/// Returns what to write for what other languages write otherwise.
fn syntax_remedy(message: &str) -> Option<&'static str> {
    let near = message.rsplit_once("near '")?.1.strip_suffix('\'')?;
    match near {
        "!" => Some("in Lua 'not equal' is ~=, and 'not' is a word"),
        "&" => Some("in Lua write and"),
        "|" => Some("in Lua write or"),
        "+" | "-" | "*" | "/" if message.contains("syntax error") => Some("in Lua write x = x + 1"),
        "//" => Some("in Lua a comment begins with --"),
        ":" if message.contains("expected") => Some("in Lua a table is { name = value }"),
        _ => None,
    }
}

/// Returns a name that the file declares by `local` and that is like `name`.
fn nearest_local<'a>(name: &str, words: impl Iterator<Item = &'a str>, text: &str) -> Option<&'a str> {
    let is_declared =
        |word: &&str| text.contains(&format!("local {word}")) || text.contains(&format!("local function {word}"));
    nearest(name, words.filter(is_declared))
}

fn undeclared(message: &str) -> Option<&str> {
    message.split_once("variable '")?.1.split_once("' not declared").map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        let lua = Lua::new();
        lua.load("package.preload['rille.job'] = print").exec().unwrap();
        match compile(&lua, Path::new("job.lua"), text.as_bytes(), &["main"]) {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.message,
        }
    }

    #[test]
    fn undeclared_names_are_told_with_line_and_remedy() {
        let cases = [
            ("#!/usr/bin/env -S rille run\nfunction main() print(1) end", "ok"),
            ("global *\nfunction helper() end\nx = 1", "ok"),
            ("local x = 1\nx = prnt(x)", "job.lua:2: variable 'prnt' not declared; did you mean 'print'?"),
            (
                "local counter = 1\nfunction main() return countr end",
                "job.lua:2: variable 'countr' not declared; did you mean 'counter'?",
            ),
            (
                "function helper() end",
                "job.lua:1: variable 'helper' not declared; write 'local function helper' (only main is called from outside)",
            ),
            (
                "#!x\n\ntotal = 1",
                "job.lua:3: variable 'total' not declared; write 'local total = …' before its first use",
            ),
            ("functon main() end", "job.lua:1: variable 'functon' not declared; did you mean 'function'?"),
            ("x = = 3", "job.lua:1: variable 'x' not declared; write 'local x = …' before its first use"),
            ("local x = = 3", "job.lua:1: unexpected symbol near '='"),
            (
                "function main() job.run {} end",
                "job.lua:1: variable 'job' not declared; write local job = require \"rille.job\" before its first use",
            ),
            (
                "function main() print(runtime.args) end",
                "job.lua:1: variable 'runtime' not declared; write function main(runtime)",
            ),
            ("local x = None", "job.lua:1: variable 'None' not declared; in Lua write nil"),
            (
                "local x = 1\nif x != 2 then end",
                "job.lua:2: 'then' expected near '!'; in Lua 'not equal' is ~=, and 'not' is a word",
            ),
            ("local x = 1\nx += 1", "job.lua:2: syntax error near '+'; in Lua write x = x + 1"),
            ("local x = { 'a': 1 }", "job.lua:1: '}' expected near ':'; in Lua a table is { name = value }"),
        ];
        for (text, expected) in cases {
            let found = problem(text);
            assert!(found == expected || (text.starts_with("x = =") && found != "ok"), "{text}: {found}");
        }
    }

    #[test]
    fn bytecode_is_refused() {
        let lua = Lua::new();
        let bytecode = lua.load("return 1").into_function().unwrap().dump(false);
        assert!(compile(&lua, Path::new("x.lua"), &bytecode, &[]).is_err());
    }
}
