//! What a Lua file is, told from its words without running it: a jobfile, a testscript, or a module that others require.

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word<'a> {
    Name(&'a str),
    Text(&'a str),
    Sign(u8),
}

/// Returns what the text of a Lua file is.
pub(super) fn classify(text: &str) -> LuaFile {
    let words = words(text);
    let mut depth = 0_usize;
    let (mut requires_testscript, mut requires_runner) = (false, false);
    let mut returned = None;
    for (at, word) in words.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| words[before]);
        match word {
            Word::Name("function" | "do" | "then" | "repeat") if depth == 0 && is_main(&words, at) => {
                return LuaFile::Jobfile;
            }
            // `if … then … elseif … then … end` is closed once.
            Word::Name("then") if closes_elseif(&words, at) => {}
            Word::Name("function" | "do" | "then" | "repeat") => depth += 1,
            Word::Name("end" | "until") => depth = depth.saturating_sub(1),
            Word::Name("return") if depth == 0 => returned = words.get(at + 1).copied(),
            Word::Text(module @ ("rille.testscript" | "rille.runner"))
                if matches!(before, Some(Word::Name("require") | Word::Sign(b'('))) =>
            {
                requires_testscript |= *module == "rille.testscript";
                requires_runner |= *module == "rille.runner";
            }
            _ => {}
        }
    }
    let is_module = match returned {
        Some(Word::Name(name)) => !["nil", "true", "false", "not", "function"].contains(&name),
        Some(Word::Sign(sign)) => sign == b'{',
        _ => false,
    };
    if (is_module || requires_runner) && !requires_testscript { LuaFile::Module } else { LuaFile::Testscript }
}

/// Returns whether the `function` at this place is that of a global `main`: `function main(` or `main = function`.
fn is_main(words: &[Word<'_>], at: usize) -> bool {
    let word = |offset: isize| at.checked_add_signed(offset).and_then(|at| words.get(at)).copied();
    if word(0) != Some(Word::Name("function")) {
        return false;
    }
    let is_declared = word(1) == Some(Word::Name("main"))
        && word(2) == Some(Word::Sign(b'('))
        && word(-1) != Some(Word::Name("local"));
    let is_assigned = word(-1) == Some(Word::Sign(b'='))
        && word(-2) == Some(Word::Name("main"))
        && !matches!(word(-3), Some(Word::Name("local") | Word::Sign(b'.')));
    is_declared || is_assigned
}

/// Returns whether the `then` at this place belongs to an `elseif`.
fn closes_elseif(words: &[Word<'_>], at: usize) -> bool {
    let opener = words[..at].iter().rev().find(|word| matches!(word, Word::Name("if" | "elseif")));
    opener == Some(&Word::Name("elseif"))
}

/// Returns the words of a Lua file, without comments.
fn words(text: &str) -> Vec<Word<'_>> {
    let bytes = text.as_bytes();
    let mut words = Vec::new();
    // The first line may be for the system.
    let mut at = if bytes.starts_with(b"#") { line_end(bytes, 0) } else { 0 };
    while at < bytes.len() {
        let rest = &bytes[at..];
        match rest[0] {
            b'-' if rest.starts_with(b"--") => {
                at = match long_bracket(bytes, at + 2) {
                    Some((_, end)) => end,
                    None => line_end(bytes, at),
                };
            }
            b'[' if long_bracket(bytes, at).is_some() => {
                let (content, end) = long_bracket(bytes, at).unwrap_or_default();
                words.push(Word::Text(text.get(content.0..content.1).unwrap_or_default()));
                at = end;
            }
            quote @ (b'"' | b'\'') => {
                let mut end = at + 1;
                while end < bytes.len() && bytes[end] != quote && bytes[end] != b'\n' {
                    end += if bytes[end] == b'\\' { 2 } else { 1 };
                }
                let end = end.min(bytes.len());
                words.push(Word::Text(text.get(at + 1..end).unwrap_or_default()));
                at = end + 1;
            }
            first if first.is_ascii_alphabetic() || first == b'_' => {
                let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
                words.push(Word::Name(&text[at..at + length]));
                at += length;
            }
            sign => {
                if !sign.is_ascii_whitespace() {
                    words.push(Word::Sign(sign));
                }
                at += 1;
            }
        }
    }
    words
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    memchr::memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |length| from + length)
}

/// Returns where the content of `[==[…]==]` is that begins at `from`, and its end.
fn long_bracket(bytes: &[u8], from: usize) -> Option<((usize, usize), usize)> {
    let rest = bytes.get(from..)?.strip_prefix(b"[")?;
    let level = rest.iter().take_while(|byte| **byte == b'=').count();
    rest.get(level).filter(|byte| **byte == b'[')?;
    let content = from + level + 2;
    let closing = format!("]{}]", "=".repeat(level));
    let length = memchr::memmem::find(&bytes[content..], closing.as_bytes());
    let end = length.map_or(bytes.len(), |length| content + length);
    Some(((content, end), (end + closing.len()).min(bytes.len())))
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

    proptest::proptest! {
        #[test]
        fn any_text_is_something(text in "([\\[\\]=\"'\\\\\n a-z(){}-]|\u{e4})*") {
            classify(&text);
        }
    }
}
