//! What to write instead, for messages of Lua itself that do not say it.

use std::fs;

use crate::model::nearest;

/// The names that the libraries of Lua have for functions.
const LIBRARY: [&str; 104] = [
    "abs",
    "acos",
    "asin",
    "assert",
    "atan",
    "byte",
    "ceil",
    "char",
    "clock",
    "close",
    "codepoint",
    "codes",
    "collectgarbage",
    "concat",
    "cos",
    "create",
    "date",
    "deg",
    "difftime",
    "dofile",
    "error",
    "execute",
    "exit",
    "exp",
    "find",
    "floor",
    "flush",
    "fmod",
    "format",
    "frexp",
    "getenv",
    "getinfo",
    "getmetatable",
    "gmatch",
    "gsub",
    "input",
    "insert",
    "ipairs",
    "isyieldable",
    "ldexp",
    "len",
    "lines",
    "load",
    "loadfile",
    "loadlib",
    "log",
    "lower",
    "match",
    "max",
    "min",
    "modf",
    "move",
    "next",
    "offset",
    "open",
    "output",
    "pack",
    "packsize",
    "pairs",
    "pcall",
    "popen",
    "print",
    "rad",
    "random",
    "randomseed",
    "rawequal",
    "rawget",
    "rawlen",
    "rawset",
    "read",
    "remove",
    "rename",
    "rep",
    "require",
    "resume",
    "reverse",
    "running",
    "searchpath",
    "seek",
    "select",
    "setlocale",
    "setmetatable",
    "setvbuf",
    "sin",
    "sort",
    "sqrt",
    "status",
    "sub",
    "tan",
    "time",
    "tmpfile",
    "tmpname",
    "tointeger",
    "tonumber",
    "tostring",
    "traceback",
    "type",
    "ult",
    "unpack",
    "upper",
    "wrap",
    "write",
    "xpcall",
    "yield",
];

/// The names that objects of Rille have for methods where an unknown field is nothing: `self`, `steps`.
const OWN: [&str; 8] = ["aborted", "blocked", "errored", "failed", "passed", "passx", "skipped", "start"];

/// Adds to the message of an error what the user may have meant.
pub(super) fn with_hint(message: String) -> String {
    match hint(&message) {
        Some(hint) => format!("{message}; {hint}"),
        None => message,
    }
}

fn hint(message: &str) -> Option<String> {
    if message.ends_with("attempt to index a nil value (field 'testbed')") || indexes_a_testbed(message) {
        return Some("no testbed was given: start the job with --testbed FILE".to_owned());
    }
    if message.ends_with("(string expected, got error object)") {
        return Some(
            "an error object is no string: write tostring(err), or call its methods, as in err:match(…)".to_owned(),
        );
    }
    if message.contains("(FILE* expected, got ") {
        return Some("a method of a file is called with a colon, as in file:read(…)".to_owned());
    }
    // `string:format(…)`: the library itself is the first argument.
    if message.contains("calling '") && message.contains("on bad self (string expected, got table)") {
        return Some(
            "a function of string is called with a dot, as in string.format(…), or as a method of a string".to_owned(),
        );
    }
    let (_, called) = message.rsplit_once("attempt to call a nil value (")?;
    let (what, name) = called.strip_suffix("')")?.split_once(" '")?;
    if !matches!(what, "field" | "method" | "global") {
        return None;
    }
    let near = nearest(name, LIBRARY.iter().chain(&OWN).copied());
    near.filter(|near| *near != name).map(|near| format!("did you mean '{near}'?"))
}

/// The most bytes of a script that are looked through.
const MOST_TEXT: u64 = 1 << 20;

/// Returns whether a message is about a variable that its script sets to the testbed: `local bed = runtime.testbed`.
fn indexes_a_testbed(message: &str) -> bool {
    let parts = || {
        let (place, what) = message.split_once(": attempt to index a nil value (")?;
        let (kind, name) = what.strip_suffix("')")?.split_once(" '")?;
        let (file, _) = place.rsplit_once(':')?;
        matches!(kind, "local" | "upvalue" | "global").then_some((file, name))
    };
    let Some((file, name)) = parts() else { return false };
    let is_small = fs::metadata(file).is_ok_and(|file| file.is_file() && file.len() <= MOST_TEXT);
    let text = is_small.then(|| fs::read(file).ok()).flatten().unwrap_or_default();
    is_set_to_testbed(&String::from_utf8_lossy(&text), name)
}

/// Returns whether a text has `NAME = …testbed`.
fn is_set_to_testbed(text: &str, name: &str) -> bool {
    text.lines().any(|line| {
        let Some((left, right)) = line.split_once('=') else { return false };
        let is_name = left.trim_end().strip_suffix(name).is_some_and(|before| !before.ends_with(is_part));
        is_name && right.split(|c: char| !is_part(c)).any(|word| word == "testbed")
    })
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_lua_say_what_to_write() {
        let cases = [
            ("a.lua:1: attempt to call a nil value (field 'fomat')", Some("did you mean 'format'?")),
            ("a.lua:1: attempt to call a nil value (method 'gusb')", Some("did you mean 'gsub'?")),
            ("a.lua:1: attempt to call a nil value (global 'prnt')", Some("did you mean 'print'?")),
            ("a.lua:1: attempt to call a nil value (method 'faild')", Some("did you mean 'failed'?")),
            ("a.lua:1: attempt to call a nil value (method 'connect')", None),
            ("a.lua:1: attempt to call a nil value (local 'x')", None),
            ("a.lua:1: attempt to call a nil value", None),
            ("a.lua:1: attempt to index a nil value (local 'x')", None),
            ("bad argument #1 to 'find' (string expected, got nil)", None),
        ];
        for (message, expected) in cases {
            assert_eq!(hint(message).as_deref(), expected, "{message}");
        }
        for (text, expected) in [
            ("local bed = runtime.testbed", true),
            ("  bed=parameters.testbed -- x", true),
            ("local mybed = runtime.testbed", false),
            ("local bed = runtime.testbeds", false),
            ("bed.testbed()", false),
        ] {
            assert_eq!(is_set_to_testbed(text, "bed"), expected, "{text}");
        }
        assert!(with_hint("x: attempt to index a nil value (field 'testbed')".to_owned()).ends_with("--testbed FILE"));
    }
}
