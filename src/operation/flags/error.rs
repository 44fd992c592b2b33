//! What is wrong with the flags that a user gave.

use std::fmt::Write as _;

use thiserror::Error;

use super::spread::SpreadError;

/// What is wrong with the flags that a user gave. The text is what happened; [`FlagError::hints`] is what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum FlagError {
    /// Words that are no flags.
    #[error("invalid argument(s):\n{}\nexpected NAME=VALUE", .words.join("\n"))]
    NoAssignment {
        /// The words.
        words: Vec<String>,
        /// What may be meant.
        hint: Option<String>,
    },
    /// Several values that cannot be had.
    #[error("{what}{} {flag}", used_for(.what))]
    Spread {
        /// The flag.
        flag: String,
        /// Why not.
        what: SpreadError,
    },
    /// A flag that the operation does not have.
    #[error("unsupported flag '{name}'")]
    Unsupported {
        /// Its name.
        name: String,
        /// The operation, as a user names it.
        operation: String,
        /// The flag that may be meant.
        meant: Option<String>,
        /// Whether the operation is a script that nothing defines.
        is_script: bool,
    },
    /// A value that is not right.
    #[error("invalid value {value} for {name}: {reason}")]
    Invalid {
        /// The flag.
        name: String,
        /// The value, as text.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A value that is none of those it may be.
    #[error("Unsupported value for '{name}' - supported values are:\n\n{}", table(.choices))]
    Choice {
        /// The flag.
        name: String,
        /// The value, as text.
        value: String,
        /// The values and what they mean.
        choices: Vec<(String, String)>,
        /// The choice that may be meant.
        meant: Option<String>,
    },
    /// Flags that must have a value.
    #[error("Operation requires the following missing flags:\n\n{}", table(.flags))]
    Missing {
        /// The flags and what they are for.
        flags: Vec<(String, String)>,
    },
    /// A flag by both of its names.
    #[error("cannot specify both alias '{alias}' and name for flag '{name}'")]
    AliasAndName {
        /// Its alias.
        alias: String,
        /// Its name.
        name: String,
    },
    /// Edited flags that are not YAML, or no map.
    #[error("{0}")]
    Edited(String),
}

impl FlagError {
    /// Returns what to do about it, a line each.
    pub(crate) fn hints(&self) -> Vec<String> {
        match self {
            Self::NoAssignment { hint, .. } => hint.iter().cloned().collect(),
            Self::Unsupported { operation, meant, is_script, .. } => {
                let meant = meant.as_ref().map(|meant| format!("Did you mean '{meant}'?"));
                let what = match is_script {
                    true => format!(
                        "'{operation}' is run as a script, without a definition of its flags: define an operation in rille.lua, \
                         or use --force-flags to hand them on."
                    ),
                    false => format!(
                        "Try 'rille run {operation} --help-op' for a list of flags or use --force-flags to skip this check."
                    ),
                };
                meant.into_iter().chain([what]).collect()
            }
            Self::Choice { meant, .. } => {
                let meant = meant.as_ref().map(|meant| format!("Did you mean '{meant}'?"));
                meant.into_iter().chain(["Run the command again using one of these options.".to_owned()]).collect()
            }
            Self::Missing { .. } => vec!["Run the command again with these flags specified as NAME=VAL.".to_owned()],
            Self::AliasAndName { .. } => vec!["Use --force-flags to skip this check.".to_owned()],
            Self::Spread { what: SpreadError::Unknown { meant, .. }, .. } => vec![format!("Did you mean '{meant}'?")],
            Self::Spread { .. } | Self::Invalid { .. } | Self::Edited(_) => Vec::new(),
        }
    }
}

/// Returns the words between what is wrong and the flag that it is wrong for.
const fn used_for(what: &SpreadError) -> &'static str {
    match what {
        SpreadError::Unknown { .. } => " used for flag",
        SpreadError::Arguments { .. } | SpreadError::Empty(_) | SpreadError::Long(_) => " for flag",
    }
}

/// Returns a table of two columns, set in by two.
fn table(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, description) in rows {
        let first = description.lines().next().unwrap_or_default();
        let line = format!("  {name}{:pad$}  {first}", "", pad = width - name.chars().count());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text.trim_end_matches('\n').to_owned()
}
