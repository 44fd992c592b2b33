//! What stands between the parentheses of a predicate.

use globset::{GlobBuilder, GlobMatcher};
use regex::Regex;

/// What a text is compared with.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// It is the whole.
    Whole(String),
    /// It is a part.
    Part(String),
    /// The whole is like this.
    Glob(GlobMatcher),
    /// A part is like this.
    Regex(Regex),
}

/// What a pattern without a sign is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Default {
    Whole,
    Part,
}

/// A pattern that is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum PatternError {
    #[error("it is no regular expression: {}", last_line(.0))]
    Regex(#[from] regex::Error),
    #[error("it is no glob: {}", .0.kind())]
    Glob(#[from] globset::Error),
}

impl Pattern {
    /// Reads a pattern.
    pub(super) fn read(text: &str, default: Default) -> Result<Pattern, PatternError> {
        if let Some(regex) =
            text.strip_prefix('/').and_then(|text| text.strip_suffix('/')).filter(|text| !text.is_empty())
        {
            return Ok(Pattern::Regex(Regex::new(regex)?));
        }
        if let Some(whole) = text.strip_prefix('=') {
            return Ok(Pattern::Whole(whole.to_owned()));
        }
        if let Some(part) = text.strip_prefix('~') {
            return Ok(Pattern::Part(part.to_owned()));
        }
        match text.strip_prefix('#') {
            Some(pattern) => glob(pattern),
            None if text.contains(['*', '?']) => glob(text),
            None if default == Default::Whole => Ok(Pattern::Whole(text.to_owned())),
            None => Ok(Pattern::Part(text.to_owned())),
        }
    }

    /// Returns whether a text is like it.
    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Pattern::Whole(whole) => text == whole,
            Pattern::Part(part) => text.contains(part.as_str()),
            Pattern::Glob(glob) => glob.is_match(text),
            Pattern::Regex(regex) => regex.is_match(text),
        }
    }
}

fn glob(pattern: &str) -> Result<Pattern, PatternError> {
    Ok(Pattern::Glob(GlobBuilder::new(pattern).backslash_escape(true).build()?.compile_matcher()))
}

/// Returns what is wrong with a regular expression, without the expression itself.
pub(in crate::testing) fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
