//! The last line that a process wrote to its standard error: what there is of a reason where nobody gave one.

use std::borrow::Cow;

use anstream::adapter::strip_str;

use crate::model::without_torn_begin;

/// Bytes of the end that are kept.
const KEPT: usize = 4 << 10;

/// Characters of a line that are told.
const LONGEST: usize = 300;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct LastWords {
    end: Vec<u8>,
}

impl LastWords {
    /// Takes in what was written.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(KEPT)..];
        let over = (self.end.len() + bytes.len()).saturating_sub(KEPT);
        self.end.drain(..over);
        self.end.extend_from_slice(bytes);
    }

    /// Returns the last line that shows anything, as a terminal would leave it: without escape sequences, and of what a
    /// carriage return writes over only the last. `mask` takes secrets out of the bytes, of which the beginning may be cut off.
    pub(super) fn line(&self, mask: impl for<'a> FnOnce(&'a [u8]) -> Cow<'a, [u8]>) -> Option<String> {
        let bytes = mask(&self.end);
        let text = String::from_utf8_lossy(without_torn_begin(&bytes));
        let text = strip_str(&text).to_string();
        let line = text.split(['\n', '\r']).map(visible).rfind(|line| !line.is_empty())?;
        Some(match line.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line,
        })
    }
}

/// Returns a line without control characters, and without what surrounds it.
fn visible(line: &str) -> String {
    let kept: String = line.chars().map(|c| if c == '\t' { ' ' } else { c }).filter(|c| !c.is_control()).collect();
    kept.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(pieces: &[&[u8]]) -> Option<String> {
        let mut words = LastWords::default();
        for piece in pieces {
            words.take(piece);
        }
        words.line(|bytes| Cow::Borrowed(bytes))
    }

    #[test]
    fn the_last_line_that_shows_anything() {
        let long = "x".repeat(LONGEST + 1);
        let cases: [(&[&[u8]], Option<&str>); 14] = [
            (&[], None),
            (&[b"\n\n  \r\n\x1b[0m\n"], None),
            (&[b"one\ntwo\n"], Some("two")),
            (&[b"one\ntw", b"o"], Some("two")),
            (&[b"two\n", b"\n \n"], Some("two")),
            (&[b"\x1b[31merror: no\x1b[0m\n\x1b[0m"], Some("error: no")),
            (&[b"\x1b]0;title\x07said"], Some("said")),
            (&[b"10%\r100%\r\n"], Some("100%")),
            (&[b"caf\xc3", b"\xa9\n"], Some("caf\u{e9}")),
            (&[b"a\xffb\x00\n"], Some("a\u{fffd}b")),
            (&[b"\tin\tdented"], Some("in dented")),
            (&[b"  ::error::x"], Some("::error::x")),
            (&["\u{2028}\u{85}\n".as_bytes()], None),
            (&[long.as_bytes()], Some("")),
        ];
        for (pieces, expected) in cases {
            let cut = format!("{}…", &long[1..]);
            let expected = expected.map(|text| if text.is_empty() { cut.as_str() } else { text });
            assert_eq!(line(pieces).as_deref(), expected, "{pieces:?}");
        }
    }

    proptest! {
        #[test]
        fn it_is_one_line_whatever_was_written(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..6000), 0..4)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            if let Some(line) = line(&pieces) {
                prop_assert!(!line.is_empty() && !line.chars().any(char::is_control));
                prop_assert!(line.chars().count() <= LONGEST + 1);
            }
        }

        #[test]
        fn however_it_came_it_is_the_same(text in "[a-z\n ]{0,40}", cut in 0_usize..40) {
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            prop_assert_eq!(line(&[&bytes[..cut], &bytes[cut..]]), line(&[bytes]));
        }
    }
}
