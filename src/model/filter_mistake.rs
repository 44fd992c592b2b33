//! A mistake in a filter, with the line it is in and carets below it.

use std::fmt;
use std::ops::Range;

/// What is wrong with a filter, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilterMistake {
    /// What is wrong, and what is right.
    pub(crate) message: String,
    /// The number of the line, from 1.
    pub(crate) line: usize,
    /// The text of that line.
    pub(crate) text: String,
    /// The characters that are wrong, in the line.
    pub(crate) columns: Range<usize>,
}

impl FilterMistake {
    /// Makes the mistake at the bytes `span` of `source`; an empty span is the place where something is missing.
    pub(crate) fn new(source: &str, span: Range<usize>, message: impl Into<String>) -> FilterMistake {
        // A part of a quoted name is reckoned by its length without the quotes, which may end within a character.
        let span = source.floor_char_boundary(span.start)..source.ceil_char_boundary(span.end);
        let before = &source[..span.start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let text = source[line_start..].lines().next().unwrap_or_default();
        let column = source[line_start..span.start].chars().count();
        let marked = source[span.clone()].lines().next().unwrap_or_default().chars().count().max(1);
        FilterMistake {
            message: message.into(),
            line: before.matches('\n').count() + 1,
            // A control character would move the carets, or the cursor of the terminal.
            text: text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
            columns: column..column + marked,
        }
    }

    /// Returns which character of the filter `source` is the first that is wrong, from 1.
    pub(crate) fn character(&self, source: &str) -> usize {
        let before = source.split_inclusive('\n').take(self.line - 1);
        before.map(|line| line.chars().count()).sum::<usize>() + self.columns.start + 1
    }
}

impl fmt::Display for FilterMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use unicode_width::UnicodeWidthStr;
        let width = |from: usize, to: usize| self.text.chars().take(to).skip(from).collect::<String>().width();
        let indent = width(0, self.columns.start);
        let carets = width(self.columns.start, self.columns.end).max(1);
        writeln!(f, "filter:{}: {}", self.line, self.message)?;
        writeln!(f, "  {}", self.text)?;
        write!(f, "  {:indent$}{}", "", "^".repeat(carets))
    }
}
