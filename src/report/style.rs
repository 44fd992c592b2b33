//! Colour, and what of a task's own text may reach a terminal.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;

use anstyle::{AnsiColor, Style};

use super::locale;
use crate::model::Outcome;

/// What the user said about colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    /// In colour on a terminal that can, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// In colour wherever it goes.
    Always,
    /// Without colour.
    Never,
}

impl ColorChoice {
    /// Decides by the option, the values of `NO_COLOR` and `TERM`, and whether the stream is a terminal.
    fn decide(self, no_color: Option<&OsStr>, term: Option<&OsStr>, is_terminal: bool) -> Paint {
        let color = match self {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                is_terminal && no_color.is_none_or(OsStr::is_empty) && term.is_none_or(|term| term != "dumb")
            }
        };
        Paint { color, ascii: false }
    }

    /// The same by the environment, which also says whether the locale can show more than ASCII.
    pub(crate) fn by_environment(self, is_terminal: bool) -> Paint {
        let (no_color, term) = (std::env::var_os("NO_COLOR"), std::env::var_os("TERM"));
        let paint = self.decide(no_color.as_deref(), term.as_deref(), is_terminal);
        Paint { ascii: !locale::is_utf8(|name| std::env::var_os(name)), ..paint }
    }
}

/// Puts colour on text, or leaves it as it is, and knows what lines can be drawn with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paint {
    color: bool,
    /// What we draw ourselves is ASCII; what others wrote stays as it is.
    ascii: bool,
}

impl Paint {
    /// Returns text in the colour of an outcome.
    pub(crate) fn outcome<T: fmt::Display>(self, outcome: Outcome, text: T) -> impl fmt::Display {
        let color = match outcome {
            Outcome::Passed => AnsiColor::Green,
            Outcome::Passx | Outcome::Skipped => AnsiColor::Cyan,
            Outcome::Failed | Outcome::Errored => AnsiColor::Red,
            Outcome::Aborted => AnsiColor::Magenta,
            Outcome::Blocked => AnsiColor::Yellow,
        };
        self.styled(Style::new().bold().fg_color(Some(color.into())), text)
    }

    /// Returns the mark of what is left out.
    pub(super) const fn ellipsis(self) -> &'static str {
        if self.ascii { "..." } else { "\u{2026}" }
    }

    /// Returns what leads from a tree's trunk to an entry.
    pub(super) const fn branch(self, last: bool) -> &'static str {
        match (self.ascii, last) {
            (false, false) => "├── ",
            (false, true) => "└── ",
            (true, false) => "|-- ",
            (true, true) => "`-- ",
        }
    }

    /// Returns what stands before the parts of an entry.
    pub(super) const fn trunk(self, last: bool) -> &'static str {
        match (self.ascii, last) {
            (_, true) => "    ",
            (false, false) => "│   ",
            (true, false) => "|   ",
        }
    }

    /// Returns text that asks for attention.
    pub(crate) fn warning<T: fmt::Display>(self, text: T) -> impl fmt::Display {
        self.styled(Style::new().bold().fg_color(Some(AnsiColor::Yellow.into())), text)
    }

    /// Returns text that stands out.
    pub(crate) fn bold<T: fmt::Display>(self, text: T) -> impl fmt::Display {
        self.styled(Style::new().bold(), text)
    }

    /// Returns text that stands back.
    pub(crate) fn dim<T: fmt::Display>(self, text: T) -> impl fmt::Display {
        self.styled(Style::new().dimmed(), text)
    }

    fn styled<T: fmt::Display>(self, style: Style, text: T) -> impl fmt::Display {
        let style = if self.color { style } else { Style::new() };
        Styled { style, text }
    }
}

struct Styled<T> {
    style: Style,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Styled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:#}", self.style, self.text, self.style)
    }
}

/// Returns one line of a task's text without anything a terminal would act on: control characters but tab, escape
/// sequences, and marks that turn the direction of writing. Line breaks become spaces. With colour, colours are kept
/// and end with the text.
pub(crate) fn clean(text: &str, paint: Paint) -> Cow<'_, str> {
    if !text.chars().any(is_unfit) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut colored = false;
    let mut rest = text;
    while let Some(at) = rest.find(is_unfit) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = sequence(rest);
        let piece = &rest[..length];
        if paint.color && is_color(piece) {
            out.push_str(piece);
            colored = true;
        } else if piece == "\n" {
            out.push(' ');
        }
        rest = &rest[length..];
    }
    out.push_str(rest);
    if colored {
        out.push_str("\x1b[0m");
    }
    Cow::Owned(out)
}

/// Returns the first line of a task's text, cleaned, and cut to so many characters.
pub(super) fn clean_first_line(text: &str, max_chars: usize, paint: Paint) -> Cow<'_, str> {
    let first = text.trim().lines().next().unwrap_or_default();
    match first.char_indices().nth(max_chars) {
        None => clean(first, paint),
        Some((end, _)) => Cow::Owned(format!("{}{}", clean(&first[..end], paint), paint.ellipsis())),
    }
}

/// Returns one line of raw output as a terminal would leave it standing: decoded, cleaned, and what a carriage return
/// would have written over left out.
pub(super) fn clean_output(line: &[u8], paint: Paint) -> String {
    let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |at| at + 1);
    let last = line[..end].rsplit(|byte| *byte == b'\r').next().unwrap_or(line);
    clean(&String::from_utf8_lossy(last), paint).into_owned()
}

fn is_unfit(c: char) -> bool {
    (c.is_control() && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_color(piece: &str) -> bool {
    piece
        .strip_prefix("\x1b[")
        .and_then(|rest| rest.strip_suffix('m'))
        .is_some_and(|numbers| numbers.bytes().all(|b| b.is_ascii_digit() || b == b';' || b == b':'))
}

/// Returns the length in bytes of the control character or sequence that `text` begins with (ECMA-48, section 5).
fn sequence(text: &str) -> usize {
    let mut chars = text.char_indices();
    let first = chars.next().map_or('\0', |(_, c)| c);
    let body = first.len_utf8();
    let (introducer, body) = match (first, chars.next().map(|(_, c)| c)) {
        ('\x1b', Some(c @ '\x40'..='\x5f')) => (char::from(c as u8 + 0x40), body + 1),
        ('\x1b', Some('\x20'..='\x7e')) => return body + until(&text[body..], |c| matches!(c, '\x30'..='\x7e')),
        _ => (first, body),
    };
    let rest = &text[body..];
    match introducer {
        // CSI: parameters, then one final character.
        '\u{9b}' => body + until(rest, |c| matches!(c, '\x40'..='\x7e')),
        // DCS, SOS, OSC, PM, APC: everything to the string terminator, or BEL.
        '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => {
            let end = rest.find(['\x07', '\u{9c}', '\x1b', '\n']).unwrap_or(rest.len());
            let terminator = ["\x1b\\", "\x07", "\u{9c}"].into_iter().find(|t| rest[end..].starts_with(t));
            body + end + terminator.map_or(0, str::len)
        }
        _ => body,
    }
}

/// Returns the length up to and with the final character, or up to a character that cannot belong to a sequence.
fn until(text: &str, is_final: impl Fn(char) -> bool) -> usize {
    for (at, c) in text.char_indices() {
        if is_final(c) {
            return at + 1;
        }
        if !matches!(c, '\x20'..='\x3f') {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: Paint = Paint { color: false, ascii: false };
    const COLOR: Paint = Paint { color: true, ascii: false };

    #[test]
    fn the_option_then_no_color_then_the_terminal_decide() {
        use ColorChoice::{Always, Auto, Never};
        let cases = [
            (Auto, None, Some("xterm"), true, true),
            (Auto, None, None, true, true),
            (Auto, None, Some("xterm"), false, false),
            (Auto, Some("1"), Some("xterm"), true, false),
            (Auto, Some(""), Some("xterm"), true, true),
            (Auto, None, Some("dumb"), true, false),
            (Always, Some("1"), Some("dumb"), false, true),
            (Never, None, Some("xterm"), true, false),
        ];
        for (choice, no_color, term, terminal, color) in cases {
            let paint = choice.decide(no_color.map(OsStr::new), term.map(OsStr::new), terminal);
            assert_eq!(paint.color, color, "{choice:?} NO_COLOR={no_color:?} TERM={term:?} {terminal}");
        }
        assert_eq!(COLOR.outcome(Outcome::Passed, "ok").to_string(), "\x1b[1m\x1b[32mok\x1b[0m");
        assert_eq!(PLAIN.outcome(Outcome::Passed, "ok").to_string(), "ok");
    }

    #[test]
    fn what_a_terminal_would_act_on_is_taken_out() {
        let cases = [
            ("plain\ttext, größer 表", "plain\ttext, größer 表"),
            ("a\x1b]0;title\x07b", "ab"),
            ("a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\b", "alinkb"),
            ("a\x1b]52;c;never ended", "a"),
            ("a\x1b[2J\x1b[1;1Hb", "ab"),
            ("a\u{9b}2Jb\u{9d}0;t\u{9c}c", "abc"),
            ("a\x1bP1$qm\x1b\\b", "ab"),
            ("a\x1b(0b\x1bcd\x1b7e", "abde"),
            ("a\x1b[31", "a"),
            ("a\x1b", "a"),
            ("a\x1b\x1b[2Jb", "ab"),
            ("a\x1b[3\x07b", "ab"),
            ("one\ntwo\rthree\x08\x7f\0", "one twothree"),
            ("ab\u{202e}cd\u{2066}", "abcd"),
        ];
        for (text, expected) in cases {
            assert_eq!(clean(text, PLAIN), expected, "{text:?}");
            assert_eq!(clean(text, COLOR), expected, "{text:?}");
        }
    }

    #[test]
    fn colors_are_kept_with_color_only_and_end_with_the_text() {
        let text = "a\x1b[1;31mred\x1b[2Jb";
        assert_eq!(clean(text, PLAIN), "aredb");
        assert_eq!(clean(text, COLOR), "a\x1b[1;31mredb\x1b[0m");
        assert_eq!(clean("\x1b[>4;1mx", COLOR), "x");
    }

    #[test]
    fn a_line_of_output_is_what_a_terminal_would_leave_standing() {
        assert_eq!(clean_output(b"10%\r50%\r100%\r\n", PLAIN), "100%");
        assert_eq!(clean_output(b"\xff\xfe ok", PLAIN), "\u{fffd}\u{fffd} ok");
        assert_eq!(clean_output(b"\r\n", PLAIN), "");
        assert_eq!(clean_first_line("  one two\nthree", 100, PLAIN), "one two");
        assert_eq!(clean_first_line("größer", 3, PLAIN), "grö…");
        assert_eq!(clean_first_line("größer", 3, Paint { ascii: true, ..PLAIN }), "grö...");
        assert_eq!(clean_first_line("", 3, PLAIN), "");
    }

    proptest! {
        #[test]
        fn clean_lets_no_control_character_through(text in "(\\PC|\\pC|[\x1b\u{9b}\u{9d}\\[\\];m0-9]){0,60}") {
            let cleaned = clean(&text, PLAIN);
            prop_assert!(!cleaned.chars().any(|c| c.is_control() && c != '\t'), "{:?}", cleaned);
            let colored = clean(&text, COLOR).into_owned();
            let bare = regex::Regex::new("\x1b\\[[0-9;:]*m").unwrap().replace_all(&colored, "").into_owned();
            prop_assert!(!bare.chars().any(|c| c.is_control() && c != '\t'), "{:?}", colored);
            prop_assert_eq!(clean(&cleaned, PLAIN), cleaned.as_ref());
        }

        #[test]
        fn text_without_control_characters_is_left_alone(text in "[ -~ä-ü\t]{0,60}") {
            prop_assert_eq!(clean(&text, COLOR), text.as_str());
        }
    }
}
