//! Finds the lines that may match at the speed of memory: by what every match must hold.

use aho_corasick::AhoCorasick;
use memchr::memmem::Finder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// The most pieces of text that are looked for together.
const MOST: usize = 16;

/// Finds places at which a line that matches may be.
#[derive(Clone, Debug)]
pub(super) enum Prefilter {
    /// Every line may match.
    Everything,
    /// A line that matches holds this.
    One(Box<Finder<'static>>),
    /// A line that matches holds one of these.
    Some(AhoCorasick),
    /// A line that matches holds a colon with white space behind it, as the default patterns have it. In a log most colons
    /// are those of times.
    Key,
}

/// Returns whether a byte is white space, or the first of a character that may be: beyond ASCII each has several bytes.
pub(super) const fn may_be_white(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b || byte >= 0x80
}

impl Prefilter {
    /// Makes the filter of several patterns, in the spelling of the crate `regex`.
    pub(super) fn of<'a>(patterns: impl Iterator<Item = &'a str>) -> Self {
        let mut all: Vec<Vec<u8>> = Vec::new();
        for pattern in patterns {
            let Some(needed) = needed_by(pattern) else { return Self::Everything };
            all.extend(needed);
        }
        all.sort();
        all.dedup();
        match &all[..] {
            [one] => Self::One(Box::new(Finder::new(one).into_owned())),
            [] => Self::Everything,
            some if some.len() > MOST => Self::Everything,
            some => AhoCorasick::new(some).map_or(Self::Everything, Self::Some),
        }
    }

    /// Returns where in `bytes` something is that a match may hold.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Everything => (!bytes.is_empty()).then_some(0),
            Self::One(finder) => finder.find(bytes),
            Self::Some(searcher) => searcher.find(bytes).map(|found| found.start()),
            Self::Key => {
                let is_end = |at: &usize| bytes.get(at + 1).is_none_or(|byte| may_be_white(*byte));
                memchr::memchr_iter(b':', bytes).find(is_end)
            }
        }
    }
}

/// Returns texts of which every match of a pattern holds at least one.
fn needed_by(pattern: &str) -> Option<Vec<Vec<u8>>> {
    // Patterns are for bytes, as `regex::bytes` has it.
    let hir = regex_syntax::ParserBuilder::new().utf8(false).build().parse(pattern).ok()?;
    needed(&hir)
}

/// Returns texts of which every match holds at least one; `None` if there are none, or too many.
fn needed(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(vec![literal.0.to_vec()]),
        HirKind::Capture(capture) => needed(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => needed(&repetition.sub),
        HirKind::Concat(parts) => {
            // The longer the rarer, and the fewer the faster.
            let worth = |texts: &Vec<Vec<u8>>| {
                (texts.iter().map(Vec::len).min().unwrap_or_default(), std::cmp::Reverse(texts.len()))
            };
            parts.iter().filter_map(needed).max_by_key(worth)
        }
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(needed(part)?);
            }
            (all.len() <= MOST).then_some(all)
        }
        // A letter of either case.
        HirKind::Class(Class::Unicode(class)) => {
            let characters: usize = class.iter().map(regex_syntax::hir::ClassUnicodeRange::len).sum();
            let texts = class.iter().flat_map(|range| range.start()..=range.end()).map(|c| c.to_string().into_bytes());
            (characters <= 3 && characters > 0).then(|| texts.collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_is_the_end_of_a_key_before_white_space_only() {
        let cases: [(&[u8], Option<usize>); 8] = [
            (b"12:30:59 a b\n", None),
            (b"12:30:59 loss: 1\n", Some(13)),
            (b"loss:\t1", Some(4)),
            (b"loss:\x0b1", Some(4)),
            ("loss:\u{a0}1".as_bytes(), Some(4)),
            (b"a:b:\n", Some(3)),
            (b"a:", Some(1)),
            (b"", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Prefilter::Key.find(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn what_every_match_holds_is_found() {
        let cases: [(&[&str], Option<&[&str]>); 8] = [
            (&[r"^([^ \t]+):\s+([0-9]+)$"], Some(&[":"])),
            (&[r"loss: ([0-9]+)", r"accuracy=(.*)"], Some(&["accuracy=", "loss: "])),
            (&[r"(?:loss|acc): (\d+)"], Some(&["acc", "loss"])),
            (&[r"(loss|acc)(\d+)"], Some(&["acc", "loss"])),
            (&[r"(?i)ab(\d)"], Some(&["A", "a"])),
            (&[r"(?:ab)*(\d+)"], None),
            (&[r"a(\d)", r"(\d+)"], None),
            (&[r"(?:xy){2,}"], Some(&["xy"])),
        ];
        for (patterns, expected) in cases {
            let found: Option<Vec<_>> = patterns.iter().map(|pattern| needed_by(pattern)).collect();
            let found = found.map(|texts| texts.concat());
            let mut found: Option<Vec<String>> =
                found.map(|texts| texts.into_iter().map(|text| String::from_utf8(text).unwrap()).collect());
            if let Some(found) = &mut found {
                found.sort();
            }
            let expected = expected.map(|texts| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
            match (&found, &expected) {
                // Of pieces that are as good one is as good.
                (Some(found), Some(expected)) if patterns[0].starts_with("(?i)") => {
                    assert!(found == expected || *found == ["B", "b"], "{found:?}");
                }
                _ => assert_eq!(found, expected, "{patterns:?}"),
            }
            let filter = Prefilter::of(patterns.iter().copied());
            assert_eq!(matches!(filter, Prefilter::Everything), expected.is_none(), "{patterns:?}");
        }
    }
}
