//! Which lines of an operation's output are scalars, as `output-scalars` says.

mod matching;
mod prefilter;
mod scan;

use std::collections::BTreeSet;

use serde_json::Value;

use self::matching::Pattern;
use self::prefilter::Prefilter;

pub(crate) use self::scan::{FoundScalar, ScalarScan};

/// What is a scalar where `output-scalars` is not given: `name: value`, with the step in parentheses behind it or not.
const DEFAULT: [&str; 2] =
    [r"^\key:\s+\value\s+\((?:step\s+)?(?P<step>\step)\)$", r"^(\key):\s+(\value)(?:\s+\(.*\))?$"];

/// Why `output-scalars` cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScalarsError {
    /// It has another form.
    #[error("{at} must be {expected}, not {found}")]
    Shape {
        /// Where: `output-scalars[2].loss`, from 1.
        at: String,
        /// What may stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A pattern cannot be used.
    #[error("{at}: cannot use the pattern '{pattern}': {what}")]
    Pattern {
        /// Where.
        at: String,
        /// As it was written.
        pattern: String,
        /// Why not.
        what: String,
    },
}

/// The patterns of an operation.
#[derive(Clone, Debug)]
pub(crate) struct ScalarPatterns {
    /// `None` for the default, which is made when there is output: most operations that are over at once have none.
    given: Option<Compiled>,
    /// Keys that are no scalars.
    ignored: BTreeSet<String>,
}

/// Patterns that can be looked for.
#[derive(Clone, Debug)]
struct Compiled {
    patterns: Vec<Pattern>,
    any: regex::bytes::RegexSet,
    prefilter: Prefilter,
    /// Whether these are the default, of which a match begins with a key and a colon.
    is_default: bool,
}

impl ScalarPatterns {
    /// Reads `output-scalars`; `None` stands for the default, which leaves out what has the name of a flag. Returns `None`
    /// where there are to be no scalars.
    pub(crate) fn read<'a>(
        spec: Option<&Value>,
        flags: impl IntoIterator<Item = &'a str>,
    ) -> Result<Option<Self>, ScalarsError> {
        let mut patterns = Vec::new();
        match spec {
            None | Some(Value::Null) => {
                let ignored = flags.into_iter().map(str::to_owned).collect();
                return Ok(Some(Self { given: None, ignored }));
            }
            Some(Value::Bool(false)) => return Ok(None),
            Some(Value::String(text)) if text.is_empty() => return Ok(None),
            Some(Value::Array(items)) => {
                for (number, item) in (1..).zip(items) {
                    read_item(&format!("{AT}[{number}]"), item, LIST_ITEM, &mut patterns)?;
                }
            }
            Some(item) => read_item(AT, item, WHOLE, &mut patterns)?,
        }
        if patterns.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { given: Some(Compiled::new(patterns, false)?), ignored: BTreeSet::new() }))
    }

    /// Returns the lines of a text, each followed by what every pattern finds in it: its groups, and the scalars they make.
    pub(crate) fn explain(self, text: &str) -> String {
        let (compiled, _) = self.compile();
        let mut out = String::new();
        for line in text.lines() {
            let line = line.trim_end();
            out.push_str(line);
            out.push('\n');
            for pattern in &compiled.patterns {
                out.push_str(&pattern.explain(line));
                out.push('\n');
            }
        }
        out
    }

    /// Returns the patterns, ready, and the keys that are no scalars.
    fn compile(self) -> (Compiled, BTreeSet<String>) {
        let default = || {
            let patterns = DEFAULT.iter().map(|pattern| Pattern::new(AT, None, pattern)).collect::<Result<_, _>>();
            patterns.and_then(|patterns| Compiled::new(patterns, true))
        };
        let compiled = self.given.map_or_else(default, Ok);
        (compiled.expect("the default is part of the program and is tested"), self.ignored)
    }
}

impl Compiled {
    fn new(patterns: Vec<Pattern>, is_default: bool) -> Result<Self, ScalarsError> {
        let any = regex::bytes::RegexSet::new(patterns.iter().map(|pattern| pattern.regex.as_str()));
        let any = any.map_err(|error| ScalarsError::Pattern {
            at: AT.to_owned(),
            pattern: patterns.iter().map(|pattern| pattern.regex.as_str()).collect::<Vec<_>>().join("', '"),
            what: error.to_string(),
        })?;
        let prefilter = match is_default {
            true => Prefilter::Key,
            false => Prefilter::of(patterns.iter().map(|pattern| pattern.regex.as_str())),
        };
        Ok(Self { patterns, any, prefilter, is_default })
    }
}

/// The attribute that everything is in.
const AT: &str = "output-scalars";

const WHOLE: &str = "'no', a pattern, a map of names and patterns, or a list of these";
const LIST_ITEM: &str = "a pattern, or a map of names and patterns";

fn read_item(at: &str, item: &Value, expected: &'static str, patterns: &mut Vec<Pattern>) -> Result<(), ScalarsError> {
    match item {
        Value::String(text) => patterns.push(Pattern::new(at, None, text)?),
        Value::Object(map) => {
            // Guild takes them by name, and the last that matches counts.
            let mut names: Vec<_> = map.iter().collect();
            names.sort_by_key(|(name, _)| *name);
            for (name, pattern) in names {
                let at = format!("{at}.{name}");
                let Value::String(text) = pattern else { return Err(shape(&at, "a pattern", pattern)) };
                patterns.push(Pattern::new(&at, Some(name), text)?);
            }
        }
        other => return Err(shape(at, expected, other)),
    }
    Ok(())
}

fn shape(at: &str, expected: &'static str, found: &Value) -> ScalarsError {
    let found = match found {
        Value::Null => "nothing".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
        other => other.to_string(),
    };
    ScalarsError::Shape { at: at.to_owned(), expected, found }
}

#[cfg(test)]
mod tests;
