//! The language that chooses by names: `Ping`, `sweep*`, `sanity and not (slow or flaky)`, and the forms of aetest,
//! `Or('a', 'b')`, `And(…)`, `Not(…)`.
//!
//! A pattern is that of a shell, where `*` also stands for slashes; one that is exactly the name always fits, whatever `[`
//! and `*` in it may mean. A comma is an `or`, `!` a `not`.

mod token;

use std::fmt;

use globset::{Glob, GlobMatcher};

use super::{FilterMistake, Logic, Token, parse_logic};

pub(crate) use self::token::{FilterKind, filter_tokens};
use self::token::{is_bare, is_keyword};

/// A choice by names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NameFilter {
    logic: Logic<NamePattern>,
}

/// A pattern as it was written, and compiled.
#[derive(Clone, Debug)]
pub(crate) struct NamePattern {
    text: String,
    /// `None` where a quoted text is no pattern but can be a name: `'sweep['`.
    matcher: Option<GlobMatcher>,
}

/// What is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadPattern {
    /// There is nothing in it.
    #[error("a pattern is empty")]
    Empty,
    /// It is none.
    #[error("it is no pattern: {}", .0.kind())]
    NoPattern(#[from] globset::Error),
}

impl NameFilter {
    /// Reads a filter whose patterns are first changed in this way.
    pub(crate) fn parse_with(source: &str, change: &dyn Fn(&str) -> String) -> Result<NameFilter, FilterMistake> {
        let logic = parse_logic(filter_tokens(source)?, "fast and not slow*", &mut |tokens, first| match first {
            Some(Token { kind: FilterKind::Word(word), span }) if is_keyword(&word) => {
                Err(tokens.wrong(span, format!("a pattern is missing before '{word}'")))
            }
            Some(Token { kind: FilterKind::Predicate { length, .. }, span }) => {
                let message = "a name with parentheses is put in quotes";
                Err(tokens.wrong(span.start + length..span.end, message))
            }
            Some(Token { kind: FilterKind::Word(text), span }) => {
                NamePattern::bare(change(&text)).map(Logic::Test).map_err(|bad| tokens.wrong(span, bad.to_string()))
            }
            Some(Token { kind: FilterKind::Quoted(text), span }) => {
                NamePattern::quoted(change(&text)).map(Logic::Test).map_err(|bad| tokens.wrong(span, bad.to_string()))
            }
            Some(token) => Err(tokens.wrong(token.span, "a pattern is missing")),
            None => Err(tokens.missing("a pattern is missing")),
        })?;
        Ok(NameFilter { logic })
    }

    /// Returns whether it holds for something with these names.
    pub(crate) fn fits(&self, names: &[&str]) -> bool {
        self.logic.holds(&|pattern| pattern.fits(names))
    }

    /// Returns all patterns, in order.
    pub(crate) fn patterns(&self) -> Vec<&NamePattern> {
        self.logic.conditions()
    }

    /// Returns whether this very name stands in it, not just a pattern that fits.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.patterns().iter().any(|pattern| pattern.text == name)
    }
}

impl NamePattern {
    /// Makes a pattern of a text without quotes.
    pub(crate) fn bare(text: String) -> Result<NamePattern, BadPattern> {
        match Glob::new(&text) {
            Ok(glob) => Ok(NamePattern { matcher: Some(glob.compile_matcher()), text }),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a pattern of a text in quotes. One that is no pattern is a name.
    pub(crate) fn quoted(text: String) -> Result<NamePattern, BadPattern> {
        if text.is_empty() {
            return Err(BadPattern::Empty);
        }
        Ok(NamePattern { matcher: Glob::new(&text).ok().map(|glob| glob.compile_matcher()), text })
    }

    /// Returns whether one of the names fits.
    pub(crate) fn fits(&self, names: &[&str]) -> bool {
        let is_match = |name: &str| self.matcher.as_ref().is_some_and(|matcher| matcher.is_match(name));
        names.iter().any(|name| self.text == *name || is_match(name))
    }

    /// Returns it without quotes.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl PartialEq for NamePattern {
    fn eq(&self, other: &NamePattern) -> bool {
        self.text == other.text
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_bare(&self.text) { f.write_str(&self.text) } else { f.write_str(&quoted_name(&self.text)) }
    }
}

impl fmt::Display for NameFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.logic.fmt(f)
    }
}

/// Returns a filter that fits this name, whatever characters it is made of.
pub(crate) fn quoted_name(name: &str) -> String {
    format!("'{}'", name.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests;
