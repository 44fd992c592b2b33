//! How a test ended, in Avocado's words.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Outcome;

/// The statuses that a runner of Avocado gives a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TestStatus {
    /// Did what it should.
    Pass,
    /// Did not do what it should.
    Fail,
    /// Could not tell.
    Error,
    /// Was left out on purpose, before it began.
    Skip,
    /// Left itself out after it had begun.
    Cancel,
    /// Passed, with a remark.
    Warn,
    /// Was ended from outside.
    Interrupted,
}

/// A word that names no status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no status of a test; the statuses are pass, fail, error, skip, cancel, warn and interrupted")]
pub(crate) struct UnknownStatus(pub(crate) String);

impl TestStatus {
    /// Every status.
    pub(crate) const ALL: [TestStatus; 7] = [
        TestStatus::Pass,
        TestStatus::Fail,
        TestStatus::Error,
        TestStatus::Skip,
        TestStatus::Cancel,
        TestStatus::Warn,
        TestStatus::Interrupted,
    ];

    /// Returns the lower-case name, as messages have it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            TestStatus::Pass => "pass",
            TestStatus::Fail => "fail",
            TestStatus::Error => "error",
            TestStatus::Skip => "skip",
            TestStatus::Cancel => "cancel",
            TestStatus::Warn => "warn",
            TestStatus::Interrupted => "interrupted",
        }
    }

    /// Returns the upper-case name, as results have it.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            TestStatus::Pass => "PASS",
            TestStatus::Fail => "FAIL",
            TestStatus::Error => "ERROR",
            TestStatus::Skip => "SKIP",
            TestStatus::Cancel => "CANCEL",
            TestStatus::Warn => "WARN",
            TestStatus::Interrupted => "INTERRUPTED",
        }
    }

    /// Returns the outcome that this status is here.
    pub(crate) const fn outcome(self) -> Outcome {
        match self {
            TestStatus::Pass => Outcome::Passed,
            TestStatus::Fail => Outcome::Failed,
            TestStatus::Error => Outcome::Errored,
            TestStatus::Skip | TestStatus::Cancel => Outcome::Skipped,
            TestStatus::Warn => Outcome::Passx,
            TestStatus::Interrupted => Outcome::Aborted,
        }
    }

    /// Returns the status nearest to an outcome.
    pub(crate) const fn from_outcome(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Passed => TestStatus::Pass,
            Outcome::Failed => TestStatus::Fail,
            Outcome::Errored => TestStatus::Error,
            Outcome::Aborted => TestStatus::Interrupted,
            Outcome::Blocked | Outcome::Skipped => TestStatus::Skip,
            Outcome::Passx => TestStatus::Warn,
        }
    }
}

impl fmt::Display for TestStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for TestStatus {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, UnknownStatus> {
        let named = TestStatus::ALL.into_iter().find(|status| status.name().eq_ignore_ascii_case(word));
        named.ok_or_else(|| UnknownStatus(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case_and_each_has_its_outcome() {
        let cases = [
            ("pass", "PASS", Outcome::Passed),
            ("fail", "FAIL", Outcome::Failed),
            ("error", "ERROR", Outcome::Errored),
            ("skip", "SKIP", Outcome::Skipped),
            ("cancel", "CANCEL", Outcome::Skipped),
            ("warn", "WARN", Outcome::Passx),
            ("interrupted", "INTERRUPTED", Outcome::Aborted),
        ];
        assert_eq!(cases.len(), TestStatus::ALL.len());
        for (name, title, outcome) in cases {
            let status: TestStatus = name.parse().unwrap();
            assert_eq!(title.parse(), Ok(status));
            assert_eq!((status.name(), status.title(), status.outcome()), (name, title, outcome));
        }
        for word in ["", "passed", "bogus"] {
            assert_eq!(word.parse::<TestStatus>(), Err(UnknownStatus(word.to_owned())));
        }
    }

    #[test]
    fn an_outcome_comes_back_from_its_status() {
        for outcome in Outcome::BY_STRENGTH {
            let expected = if outcome == Outcome::Blocked { Outcome::Skipped } else { outcome };
            assert_eq!(TestStatus::from_outcome(outcome).outcome(), expected);
        }
    }
}
