//! What the filter options of `rille runs` ask of a run.

use globset::{Glob, GlobMatcher};
use regex::Regex;
use serde_json::Value;

use crate::cli::Failure;

/// A pattern for operations: `op`, `model:op`, either with `*`, or a regular expression that begins with `^` or ends
/// with `$`.
#[derive(Clone, Debug)]
pub(super) enum OperationPattern {
    /// Is searched in `model:op`.
    Regex(Regex),
    /// Model and operation; one that is not given may be anything.
    Parts(Option<Part>, Option<Part>),
}

/// One part of an operation's name.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// The name itself.
    Name(String),
    /// A name with `*`.
    Glob(GlobMatcher),
}

impl OperationPattern {
    /// Returns the pattern that `text` is.
    pub(super) fn parse(text: &str) -> Result<OperationPattern, Failure> {
        let wrong = |what: String| Failure::usage(format!("'{text}' is no pattern for operations: {what}"));
        if text.starts_with('^') || text.ends_with('$') {
            return Regex::new(text).map(OperationPattern::Regex).map_err(|error| wrong(error.to_string()));
        }
        let (model, op) = text.rsplit_once(':').unwrap_or(("", text));
        let part = |text: &str| match text {
            "" => Ok(None),
            text if text.contains(['*', '?', '[']) => {
                Glob::new(text).map(|glob| Some(Part::Glob(glob.compile_matcher()))).map_err(|e| wrong(e.to_string()))
            }
            text => Ok(Some(Part::Name(text.to_owned()))),
        };
        Ok(OperationPattern::Parts(part(model)?, part(op)?))
    }

    /// Returns whether an operation, as `model:op` or `op`, is meant.
    pub(super) fn matches(&self, operation: &str) -> bool {
        match self {
            OperationPattern::Regex(regex) => regex.is_match(operation),
            OperationPattern::Parts(model, op) => {
                let (its_model, its_op) = operation.rsplit_once(':').unwrap_or(("", operation));
                let fits = |part: &Option<Part>, name: &str| part.as_ref().is_none_or(|part| part.matches(name));
                fits(model, its_model) && fits(op, its_op)
            }
        }
    }
}

impl Part {
    fn matches(&self, name: &str) -> bool {
        match self {
            Part::Name(own) => own == name,
            Part::Glob(glob) => glob.is_match(name),
        }
    }
}

/// Returns whether a label is meant by one of `wanted`: it contains it, or for `-` there is none.
pub(super) fn label_matches(wanted: &[String], label: Option<&str>) -> bool {
    let label = label.unwrap_or_default().trim();
    wanted.iter().any(|part| if part == "-" { label.is_empty() } else { label.contains(part.as_str()) })
}

/// Returns whether comments, as the attribute has them, contain one of `wanted` in any case; `-` is for none.
pub(super) fn comments_match(wanted: &[String], comments: Option<&Value>) -> bool {
    let mut text = String::new();
    for comment in comments.and_then(Value::as_array).into_iter().flatten() {
        for field in ["user", "host", "body"] {
            text += comment.get(field).and_then(Value::as_str).unwrap_or_default();
            text.push('\n');
        }
    }
    let text = text.to_lowercase();
    wanted.iter().any(|part| if part == "-" { text.trim().is_empty() } else { text.contains(&part.to_lowercase()) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn operations_match_by_part_star_and_regex() {
        let cases = [
            ("train", "train", true),
            ("train", "m:train", true),
            ("train", "m:train2", false),
            ("tr*", "m:train2", true),
            ("m:", "m:train", true),
            ("m:", "train", false),
            ("m:train", "m:train", true),
            ("n:train", "m:train", false),
            ("^m:", "m:train", true),
            ("ain$", "m:train", true),
            ("^ain$", "m:train", false),
            ("*", "anything", true),
        ];
        for (pattern, operation, expected) in cases {
            let found = OperationPattern::parse(pattern).unwrap().matches(operation);
            assert_eq!(found, expected, "{pattern} of {operation}");
        }
        assert!(OperationPattern::parse("^(").unwrap_err().message.starts_with("'^(' is no pattern for operations: "));
    }

    #[test]
    fn labels_and_comments_match_by_what_they_contain() {
        let wanted = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        assert!(label_matches(&wanted(&["x", "best"]), Some("the best")));
        assert!(!label_matches(&wanted(&["Best"]), Some("the best")));
        assert!(label_matches(&wanted(&["-"]), Some(" ")) && label_matches(&wanted(&["-"]), None));
        let comments = json!([{"body": "Nice one", "host": "vm", "user": "Ada"}]);
        assert!(comments_match(&wanted(&["nice"]), Some(&comments)));
        assert!(comments_match(&wanted(&["ada"]), Some(&comments)));
        assert!(!comments_match(&wanted(&["-"]), Some(&comments)) && comments_match(&wanted(&["-"]), None));
    }
}
