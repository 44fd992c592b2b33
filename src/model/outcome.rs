//! The seven values a section, a task or a run can end with, and how many of them become one.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How something ended. The names and codes are those of pyATS results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// Did what it should.
    Passed,
    /// Says itself that it did not do what it should (a failed assertion, exit code 1).
    Failed,
    /// Ended in a way that says nothing of the thing under test: a crash, a time limit, a broken script.
    Errored,
    /// Was ended from outside before it could tell.
    Aborted,
    /// Could not start because something it depends on did not pass.
    Blocked,
    /// Was left out on purpose.
    Skipped,
    /// Passed, with a remark: an exception that was expected, or a pass on a later attempt.
    Passx,
}

/// A word that names no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no outcome; the outcomes are passed, failed, errored, aborted, blocked, skipped and passx")]
pub(crate) struct UnknownOutcome(pub(crate) String);

impl Outcome {
    /// Every outcome, strongest first: in a roll-up the first of these that occurs wins.
    pub(crate) const BY_STRENGTH: [Outcome; 7] = [
        Outcome::Aborted,
        Outcome::Errored,
        Outcome::Failed,
        Outcome::Blocked,
        Outcome::Passx,
        Outcome::Passed,
        Outcome::Skipped,
    ];

    /// Returns whether what was looked at is not as it should be, or nothing is known of it.
    pub(crate) const fn is_failure(self) -> bool {
        matches!(self, Outcome::Failed | Outcome::Errored | Outcome::Aborted)
    }

    /// Returns the lower-case name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::Errored => "errored",
            Outcome::Aborted => "aborted",
            Outcome::Blocked => "blocked",
            Outcome::Skipped => "skipped",
            Outcome::Passx => "passx",
        }
    }

    /// Returns the number that pyATS gives this result.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Outcome::Failed => 0,
            Outcome::Passed => 1,
            Outcome::Aborted => 2,
            Outcome::Blocked => 3,
            Outcome::Skipped => 4,
            Outcome::Errored => 5,
            Outcome::Passx => 8,
        }
    }

    /// Returns whether a caller may go on as after a pass: true for `passed` and `passx` only.
    pub(crate) const fn is_pass(self) -> bool {
        matches!(self, Outcome::Passed | Outcome::Passx)
    }

    /// Returns whether this outcome leaves a run good: a pass, or left out on purpose.
    pub(crate) const fn is_good(self) -> bool {
        matches!(self, Outcome::Passed | Outcome::Passx | Outcome::Skipped)
    }

    /// Returns the stronger of two outcomes.
    pub(crate) const fn and(self, other: Outcome) -> Outcome {
        if self.weakness() <= other.weakness() { self } else { other }
    }

    /// Rolls many outcomes up to one; `None` for none.
    pub(crate) fn roll_up(outcomes: impl IntoIterator<Item = Outcome>) -> Option<Outcome> {
        outcomes.into_iter().reduce(Outcome::and)
    }

    /// Returns the place in the order of strength, 0 for the strongest.
    const fn weakness(self) -> usize {
        let mut place = 0;
        // Each of them is in the table.
        while Outcome::BY_STRENGTH[place] as u8 != self as u8 {
            place += 1;
        }
        place
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Outcome {
    type Err = UnknownOutcome;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Outcome::BY_STRENGTH.into_iter().find(|o| o.name() == word).ok_or_else(|| UnknownOutcome(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The roll-up of every pair, written out: rows and columns in the order of `COLUMNS`.
    const COLUMNS: &str = "aborted errored failed blocked passx passed skipped";
    const TABLE: &str = "
        aborted | aborted aborted aborted aborted aborted aborted aborted
        errored | aborted errored errored errored errored errored errored
        failed  | aborted errored failed  failed  failed  failed  failed
        blocked | aborted errored failed  blocked blocked blocked blocked
        passx   | aborted errored failed  blocked passx   passx   passx
        passed  | aborted errored failed  blocked passx   passed  passed
        skipped | aborted errored failed  blocked passx   passed  skipped";

    #[test]
    fn all_49_pairs_roll_up_as_the_table_says() {
        let columns: Vec<Outcome> = COLUMNS.split_whitespace().map(|w| w.parse().unwrap()).collect();
        let mut pairs = 0;
        for row in TABLE.trim().lines() {
            let (left, cells) = row.split_once('|').unwrap();
            let left: Outcome = left.trim().parse().unwrap();
            for (right, cell) in columns.iter().zip(cells.split_whitespace()) {
                assert_eq!(left.and(*right).name(), cell, "{left} and {right}");
                pairs += 1;
            }
        }
        assert_eq!(pairs, 49);
    }

    #[test]
    fn codes_and_truth_are_those_of_pyats() {
        let expected = [
            ("failed", 0, false),
            ("passed", 1, true),
            ("aborted", 2, false),
            ("blocked", 3, false),
            ("skipped", 4, false),
            ("errored", 5, false),
            ("passx", 8, true),
        ];
        for (word, code, truth) in expected {
            let outcome: Outcome = word.parse().unwrap();
            assert_eq!(outcome.is_good(), truth || word == "skipped", "{word}");
            assert_eq!((outcome.code(), outcome.is_pass(), outcome.to_string().as_str()), (code, truth, word));
        }
    }

    #[test]
    fn nothing_rolls_up_to_nothing_and_an_unknown_word_is_named() {
        assert_eq!(Outcome::roll_up([]), None);
        let many = [Outcome::Passed, Outcome::Blocked, Outcome::Skipped, Outcome::Passx];
        assert_eq!(Outcome::roll_up(many), Some(Outcome::Blocked));
        assert_eq!("passt".parse::<Outcome>(), Err(UnknownOutcome("passt".into())));
    }
}
