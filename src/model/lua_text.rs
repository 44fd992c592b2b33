//! What the text of a Lua file says of it, read word by word without running it.

/// A word of Lua.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LuaWord<'a> {
    /// A name or keyword.
    Name(&'a str),
    /// What stands in quotes or long brackets, as it is written.
    Text(&'a str),
    /// Any other byte.
    Sign(u8),
}

/// The words of a Lua file, comments left out.
#[derive(Debug)]
pub(crate) struct LuaText<'a> {
    words: Vec<LuaWord<'a>>,
}

impl<'a> LuaWord<'a> {
    /// Returns the name, or what stands in the quotes; nothing for a sign.
    pub(crate) const fn text(self) -> &'a str {
        match self {
            LuaWord::Name(text) | LuaWord::Text(text) => text,
            LuaWord::Sign(_) => "",
        }
    }
}

impl<'a> LuaText<'a> {
    /// Reads a text. No text is refused.
    pub(crate) fn new(text: &'a str) -> Self {
        Self { words: words(text) }
    }

    /// Returns all words.
    pub(crate) fn words(&self) -> impl Iterator<Item = LuaWord<'a>> {
        self.words.iter().copied()
    }

    /// Returns whether a name stands anywhere in the code.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.words.contains(&LuaWord::Name(name))
    }

    /// Returns the modules that `require` is called with; `None` for one that only running the file would tell.
    pub(crate) fn required(&self) -> Vec<Option<&'a str>> {
        let word = |at: usize| self.words.get(at).copied();
        let calls = self.words.iter().enumerate().filter(|(_, word)| **word == LuaWord::Name("require"));
        calls
            .map(|(at, _)| match (word(at + 1), word(at + 2)) {
                (Some(LuaWord::Text(module)), _) | (Some(LuaWord::Sign(b'(')), Some(LuaWord::Text(module))) => {
                    Some(module)
                }
                _ => None,
            })
            .collect()
    }

    /// Returns whether `require` is called with this module.
    pub(crate) fn requires(&self, module: &str) -> bool {
        self.required().contains(&Some(module))
    }

    /// Returns whether the file defines a global function `main`, in no block.
    pub(crate) fn defines_main(&self) -> bool {
        self.outside().any(|(at, _)| is_main(&self.words, at))
    }

    /// Returns the word after the last `return` that stands in no block.
    pub(crate) fn returned(&self) -> Option<LuaWord<'a>> {
        let (at, _) = self.outside().filter(|(_, word)| *word == LuaWord::Name("return")).last()?;
        self.words.get(at + 1).copied()
    }

    /// Returns the words that stand in no block, and those that open one there, with their places.
    fn outside(&self) -> impl Iterator<Item = (usize, LuaWord<'a>)> {
        let mut depth = 0_usize;
        self.words.iter().copied().enumerate().filter(move |(at, word)| {
            let is_outside = depth == 0;
            match word {
                // `if … then … elseif … then … end` is closed once.
                LuaWord::Name("then") if closes_elseif(&self.words, *at) => {}
                LuaWord::Name("function" | "do" | "then" | "repeat") => depth += 1,
                LuaWord::Name("end" | "until") => depth = depth.saturating_sub(1),
                _ => {}
            }
            is_outside
        })
    }
}

/// Returns whether the `function` at this place is that of a global `main`: `function main(` or `main = function`.
fn is_main(words: &[LuaWord<'_>], at: usize) -> bool {
    let word = |offset: isize| at.checked_add_signed(offset).and_then(|at| words.get(at)).copied();
    if word(0) != Some(LuaWord::Name("function")) {
        return false;
    }
    let is_declared = word(1) == Some(LuaWord::Name("main"))
        && word(2) == Some(LuaWord::Sign(b'('))
        && word(-1) != Some(LuaWord::Name("local"));
    let is_assigned = word(-1) == Some(LuaWord::Sign(b'='))
        && word(-2) == Some(LuaWord::Name("main"))
        && !matches!(word(-3), Some(LuaWord::Name("local") | LuaWord::Sign(b'.')));
    is_declared || is_assigned
}

/// Returns whether the `then` at this place belongs to an `elseif`.
fn closes_elseif(words: &[LuaWord<'_>], at: usize) -> bool {
    let opener = words[..at].iter().rev().find(|word| matches!(word, LuaWord::Name("if" | "elseif")));
    opener == Some(&LuaWord::Name("elseif"))
}

fn words(text: &str) -> Vec<LuaWord<'_>> {
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
                words.push(LuaWord::Text(text.get(content.0..content.1).unwrap_or_default()));
                at = end;
            }
            quote @ (b'"' | b'\'') => {
                let mut end = at + 1;
                while end < bytes.len() && bytes[end] != quote && bytes[end] != b'\n' {
                    end += if bytes[end] == b'\\' { 2 } else { 1 };
                }
                let end = end.min(bytes.len());
                words.push(LuaWord::Text(text.get(at + 1..end).unwrap_or_default()));
                at = end + 1;
            }
            first if first.is_ascii_alphabetic() || first == b'_' => {
                let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
                words.push(LuaWord::Name(&text[at..at + length]));
                at += length;
            }
            sign => {
                if !sign.is_ascii_whitespace() {
                    words.push(LuaWord::Sign(sign));
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
    use super::{LuaText, LuaWord};

    #[test]
    fn main_is_found_where_it_is_global() {
        let cases = [
            ("function main(runtime) end", true),
            ("function main (runtime) end", true),
            ("global function main() end", true),
            ("main = function() end", true),
            ("if x then y() elseif z then w() else v() end\nmain = function() end", true),
            ("for i = 1, 3 do print(i) end while false do end repeat until true\nfunction main() end", true),
            ("local f = function() return function() end end\nfunction main() end", true),
            ("local function main() end main()", false),
            ("local main = function() end", false),
            ("t.main = function() end", false),
            ("function t.main() end", false),
            ("mainly = function() end", false),
            ("-- function main() end\nassert(true)", false),
            ("--[==[\nfunction main() end\n]] ]==]\nlocal s = [[function main() end]]", false),
            ("local s = 'function main() end' .. \"\\\" function main()\"", false),
            ("do function main() end end", false),
            ("", false),
        ];
        for (text, expected) in cases {
            assert_eq!(LuaText::new(text).defines_main(), expected, "{text}");
        }
    }

    #[test]
    fn modules_and_returned_words_are_read() {
        let text =
            LuaText::new("local a = require 'a'\nlocal b = require(\"b\")\nrequire(name) -- require 'c'\nreturn { a }");
        assert_eq!(text.required(), [Some("a"), Some("b"), None]);
        assert_eq!(text.returned(), Some(LuaWord::Sign(b'{')));
        assert_eq!(LuaText::new("if x then return 1 end").returned(), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_read(text in "([\\[\\]=\"'\\\\\n a-z(){}-]|\u{e4})*") {
            let text = LuaText::new(&text);
            text.defines_main();
            text.required();
            text.returned();
        }
    }
}
