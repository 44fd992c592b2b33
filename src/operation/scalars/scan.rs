//! Goes through what an operation writes, as it comes, and finds the scalars in it.

use std::collections::{BTreeMap, BTreeSet};

use super::prefilter::may_be_white;
use super::{Compiled, ScalarPatterns};
use crate::model::Stream;

/// Bytes of the longest line that is looked at. A longer one holds no scalars: no pattern may need more time the longer a
/// line is, and what is so long was not written to be read line by line.
const LONGEST_LINE: usize = 64 << 10;

/// A value that was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FoundScalar {
    /// The name.
    pub(crate) key: String,
    /// The value.
    pub(crate) value: f64,
    /// The last step that was named before, or in the same line; 0 before any.
    pub(crate) step: i64,
}

/// What is known between pieces of output.
#[derive(Debug)]
pub(crate) struct ScalarScan {
    patterns: Compiled,
    /// Keys that are no scalars.
    ignored: BTreeSet<String>,
    step: i64,
    lines: [OpenLine; 2],
}

/// A line whose end has not come.
#[derive(Debug, Default)]
struct OpenLine {
    bytes: Vec<u8>,
    too_long: bool,
}

impl OpenLine {
    fn add(&mut self, bytes: &[u8]) {
        self.too_long |= self.bytes.len() + bytes.len() > LONGEST_LINE;
        if self.too_long {
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }
}

impl ScalarScan {
    /// Begins with the first byte of an operation's output.
    pub(crate) fn new(patterns: ScalarPatterns) -> Self {
        let (patterns, ignored) = patterns.compile();
        Self { patterns, ignored, step: 0, lines: <[OpenLine; 2]>::default() }
    }

    /// Takes bytes of a stream, and hands over the scalars of the lines that are complete with them.
    pub(crate) fn take(&mut self, stream: Stream, mut bytes: &[u8], found: &mut dyn FnMut(FoundScalar)) {
        let line = usize::from(stream == Stream::Stderr);
        if !self.lines[line].bytes.is_empty() || self.lines[line].too_long {
            let Some(end) = memchr::memchr(b'\n', bytes) else {
                self.lines[line].add(bytes);
                return;
            };
            self.lines[line].add(&bytes[..end]);
            self.close(line, found);
            bytes = &bytes[end + 1..];
        }
        let whole = memchr::memrchr(b'\n', bytes).map_or(0, |end| end + 1);
        self.lines[line].add(&bytes[whole..]);
        let mut rest = &bytes[..whole];
        while let Some(at) = self.patterns.prefilter.find(rest) {
            let begin = memchr::memrchr(b'\n', &rest[..at]).map_or(0, |end| end + 1);
            // A piece that is looked for may hold the end of a line itself; then there is no match.
            let end = memchr::memchr(b'\n', &rest[at..]).map_or(rest.len(), |end| at + end);
            self.line(&rest[begin..end], found);
            rest = rest.get(end + 1..).unwrap_or_default();
        }
    }

    /// Takes what has no end as lines: nothing more comes.
    pub(crate) fn finish(&mut self, found: &mut dyn FnMut(FoundScalar)) {
        for line in 0..self.lines.len() {
            self.close(line, found);
        }
    }

    fn close(&mut self, line: usize, found: &mut dyn FnMut(FoundScalar)) {
        let mut open = std::mem::take(&mut self.lines[line]);
        if !open.too_long && self.patterns.prefilter.find(&open.bytes).is_some() {
            self.line(&open.bytes, found);
        }
        // The room is used again.
        open.bytes.clear();
        self.lines[line].bytes = open.bytes;
    }

    fn line(&mut self, line: &[u8], found: &mut dyn FnMut(FoundScalar)) {
        let line = line.trim_ascii_end();
        if self.patterns.is_default && !begins_with_key(line) {
            return;
        }
        if line.len() > LONGEST_LINE || !self.patterns.any.is_match(line) {
            return;
        }
        let mut values = BTreeMap::new();
        for pattern in &self.patterns.patterns {
            pattern.apply(line, &mut values);
        }
        if let Some(step) = values.remove("step").filter(|step| step.is_finite()) {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a step is a whole number, and the largest is far away"
            )]
            let step = step as i64;
            self.step = step;
        }
        for (key, value) in values {
            if !self.ignored.contains(&key) {
                found(FoundScalar { key, value, step: self.step });
            }
        }
    }
}

/// Returns whether a line may begin with a key as the default patterns have it: no space or tab, then a colon and white
/// space. Most lines of a log do not, and are told apart here for much less than a pattern costs.
fn begins_with_key(line: &[u8]) -> bool {
    let end = memchr::memchr2(b' ', b'\t', line).unwrap_or(line.len());
    memchr::memchr_iter(b':', &line[..end]).any(|at| line.get(at + 1).is_some_and(|byte| may_be_white(*byte)))
}
