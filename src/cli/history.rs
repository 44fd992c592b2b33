//! What the runs of a home know of tests.

use super::Failure;
use super::jobs::{is_of_tests, read_summary};
use crate::report::TestHistory;
use crate::store::{self, Home};

/// How many runs of tests are looked at where it is not said.
pub(super) const USUAL: usize = 20;

/// Returns what the latest runs of tests in a home did, at most so many. What cannot be read is passed over.
pub(super) fn of_home(home: &Home, most: usize) -> Result<TestHistory, Failure> {
    let mut history = TestHistory::default();
    let runs = store::list(home)?;
    for run in runs.iter().filter(|run| is_of_tests(&run.path)).take(most) {
        // One that is damaged, or is being removed, says nothing.
        if let Ok(summary) = read_summary(&run.path) {
            history.add(&run.id, &summary);
        }
    }
    Ok(history)
}
