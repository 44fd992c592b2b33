//! How much a log record matters.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The level of a log record. The names are those of Python's `logging`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Level {
    /// For whoever looks for a fault.
    Debug,
    /// What goes on.
    #[default]
    Info,
    /// Something that may be wrong.
    Warning,
    /// Something that is wrong.
    Error,
    /// Something after which there is no going on.
    Critical,
}

/// A word that names no level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no log level; the levels are DEBUG, INFO, WARNING, ERROR and CRITICAL")]
pub(crate) struct UnknownLevel(pub(crate) String);

impl Level {
    /// Every level, from the least.
    pub(crate) const ALL: [Level; 5] = [Level::Debug, Level::Info, Level::Warning, Level::Error, Level::Critical];

    /// Returns the upper-case name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warning => "WARNING",
            Level::Error => "ERROR",
            Level::Critical => "CRITICAL",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Level::ALL
            .into_iter()
            .find(|level| level.name().eq_ignore_ascii_case(word))
            .ok_or_else(|| UnknownLevel(word.to_owned()))
    }
}
