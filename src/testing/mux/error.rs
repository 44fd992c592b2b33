//! What can be wrong with a file in YAML, or with the tree that it holds.

use std::io;
use std::path::PathBuf;

use serde_saphyr::granit_parser::ScanError;

use super::yaml::{MAX_DEPTH, MOST_NODES, tag_names};
use crate::model::nearest;

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MuxError {
    /// It is not YAML.
    #[error("it is not YAML: line {}: {}", .0.marker().line(), .0.info())]
    NoYaml(#[source] ScanError),
    /// A name is in a mapping more than once.
    #[error("the mapping that ends on line {end} has the name '{name}' twice")]
    Twice {
        /// The line on which the mapping ends.
        end: usize,
        /// The name.
        name: String,
    },
    /// A line is wrong.
    #[error("line {line}: {source}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        source: LineError,
    },
    /// An included file cannot be read.
    #[error("it cannot be read: {0}")]
    Unread(#[source] io::Error),
    /// A file is included by itself.
    #[error("the files include each other")]
    Circle,
    /// An included file is a list or a scalar.
    #[error("expected a mapping")]
    NoMapping,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    /// An alias comes before its anchor has ended.
    #[error("the alias stands for nothing before it")]
    Alias,
    /// An alias has no anchor.
    #[error("there is no anchor &{0} before it")]
    NoAnchor(String),
    /// Something is nested too deep.
    #[error("it is more than {MAX_DEPTH} deep")]
    TooDeep,
    /// The file is too large, its aliases counted as what they stand for.
    #[error("there are more than {MOST_NODES} nodes")]
    TooMany,
    /// A list or a scalar has a tag of the multiplexer.
    #[error("only a mapping, or nothing, can be tagged like this")]
    Tagged,
    /// The tag of a key stands before a value.
    #[error("{0} is a key and needs a colon with blanks around it: {0} : VALUE")]
    NoColon(String),
    /// Nobody knows the tag.
    #[error("the tag {0} is not known; there are {names}{near}", names = tag_names().collect::<Vec<_>>().join(", "), near = near(.0))]
    UnknownTag(String),
    /// A tag stands for a key in plain data.
    #[error("only a tree has tags as keys")]
    TagAsKey,
    /// There is more than one document.
    #[error("a second document begins; expected one")]
    SecondDocument,
    /// A key is a list or a mapping.
    #[error("a key must be a name")]
    NoName,
    /// `!using` stands in a node more than once.
    #[error("!using can be used only once in a node")]
    UsingTwice,
    /// A pattern of names is none.
    #[error("'{pattern}' is no regular expression")]
    NoRegex {
        /// The pattern as it was written.
        pattern: String,
        /// Why it is none.
        source: regex::Error,
    },
    /// An included file is wrong.
    #[error("it includes {}: {source}", path.display())]
    Include {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<MuxError>,
    },
}

impl LineError {
    /// Returns it as what is wrong with a file.
    pub(super) const fn on(self, line: usize) -> MuxError {
        MuxError::Line { line, source: self }
    }
}

fn near(tag: &str) -> String {
    nearest(tag, tag_names()).map(|near| format!("; did you mean {near}?")).unwrap_or_default()
}
