//! What tasks wrote, as text for files: no control characters, no escape sequences, nothing that XML cannot hold.

use super::style::{Paint, clean, clean_output};

/// Columns from one tab stop to the next.
const TAB: usize = 8;

/// Returns bytes that a task wrote as lines of plain text. What is no UTF-8 or no character of XML is shown as `�`.
pub(super) fn lines(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if number > 0 {
            out.push('\n');
        }
        fit_line(&clean_output(line, Paint::default()), &mut out);
    }
    out
}

/// Returns text on one line.
pub(super) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    fit_line(&clean(text, Paint::default()), &mut out);
    out
}

/// Returns text with its lines.
pub(super) fn text(text: &str) -> String {
    lines(text.as_bytes())
}

/// Returns the first line of a text, which has something in it if any has.
pub(super) fn first_line(text: &str) -> String {
    line(text.trim().lines().next().unwrap_or_default())
}

/// Adds a cleaned line: tabs as the spaces they stand for, since not every format keeps them.
fn fit_line(cleaned: &str, out: &mut String) {
    let mut column = 0;
    for c in cleaned.chars() {
        match c {
            '\t' => {
                let spaces = TAB - column % TAB;
                out.extend(std::iter::repeat_n(' ', spaces));
                column += spaces;
                continue;
            }
            // No characters, and so not allowed in XML.
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
        column += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_becomes_text_that_every_format_can_hold() {
        let all: Vec<u8> = (0..=255).collect();
        let cases: [(&[u8], &str); 7] = [
            (b"", ""),
            (b"a\tb\n\tc\n", "a       b\n        c\n"),
            (b"10%\r100%\r\n\x1b[31mred\x1b[0m", "100%\nred"),
            (b"\xff\xfe \xef\xbf\xbe \xef\xbf\xbf", "\u{fffd}\u{fffd} \u{fffd} \u{fffd}"),
            (b"]]> </script> &amp;", "]]> </script> &amp;"),
            (b"\x00\x01\x0b\x0c\x7f", ""),
            (b"\xed\xa0\x80", "\u{fffd}\u{fffd}\u{fffd}"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(lines(bytes), expected, "{bytes:?}");
        }
        assert!(!lines(&all).chars().any(|c| c.is_control() && c != '\n'));
        assert_eq!((line("a\nb\tc"), first_line("\n x\ny")), ("a b     c".into(), "x".into()));
    }
}
