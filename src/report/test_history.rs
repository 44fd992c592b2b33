//! What tests have done in earlier runs: how often they passed, since when they fail, how long they take.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::summary::Summary;
use super::tasks::tests;
use super::test_names::plain_name;

/// The tests of some runs, by what they are called in each.
#[derive(Debug, Default)]
pub(crate) struct TestHistory {
    tests: HashMap<String, TestRecord>,
    /// How many runs there were.
    pub(crate) runs: usize,
}

/// What a test has done.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct TestRecord {
    /// What it is called: its id without its number.
    pub(crate) name: String,
    /// In how many runs it came to an end. One that was left out did not.
    pub(crate) runs: usize,
    /// In how many of them it passed.
    pub(crate) passed: usize,
    /// In how many of those it passed, but not at the first attempt.
    pub(crate) passed_later: usize,
    /// The oldest of the runs in which it did not pass.
    pub(crate) first_failure: Option<Failure>,
    /// The longest time that it took, in seconds.
    pub(crate) slowest: f64,
    /// The run in which that was.
    pub(crate) slowest_in: String,
    /// The sum of its times, in seconds.
    #[serde(skip)]
    seconds: f64,
}

/// A run in which a test did not pass.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Failure {
    /// The id of the run.
    pub(crate) run: String,
    /// When it started.
    pub(crate) started: Option<DateTime<Utc>>,
    /// Why the test did not pass.
    pub(crate) reason: Option<String>,
}

impl TestHistory {
    /// Takes in a run that is older than those before.
    pub(crate) fn add(&mut self, run: &str, summary: &Summary) {
        self.runs += 1;
        for row in tests(summary).filter(|row| row.attempts > 0) {
            let Some(outcome) = row.outcome else { continue };
            if outcome.is_good() && !outcome.is_pass() {
                continue;
            }
            let name = plain_name(row);
            let record = self
                .tests
                .entry(name.to_owned())
                .or_insert_with(|| TestRecord { name: name.to_owned(), ..TestRecord::default() });
            record.runs += 1;
            record.seconds += row.seconds;
            if record.slowest_in.is_empty() || row.seconds > record.slowest {
                record.slowest = row.seconds;
                run.clone_into(&mut record.slowest_in);
            }
            if outcome.is_pass() {
                record.passed += 1;
                record.passed_later += usize::from(row.has_flaky());
            } else {
                let reason = row.reason().map(str::to_owned);
                record.first_failure = Some(Failure { run: run.to_owned(), started: summary.started, reason });
            }
        }
    }

    /// Returns the records, those that pass least often first.
    pub(crate) fn records(&self) -> Vec<&TestRecord> {
        let mut records: Vec<&TestRecord> = self.tests.values().collect();
        records.sort_by(|one, other| {
            let rates = one.pass_rate().total_cmp(&other.pass_rate());
            rates.then_with(|| other.passed_later.cmp(&one.passed_later)).then_with(|| one.name.cmp(&other.name))
        });
        records
    }

    /// Returns the places of tests with these names, from 1, in the order in which they are best started: the longest first. A
    /// test that is not known is taken for one of the middling ones.
    pub(crate) fn longest_first<'a>(&self, names: impl Iterator<Item = &'a str>) -> Vec<usize> {
        let known: Vec<f64> = self.tests.values().map(TestRecord::mean).collect();
        #[expect(clippy::cast_precision_loss, reason = "there are not that many tests")]
        let middling = if known.is_empty() { 0.0 } else { known.iter().sum::<f64>() / known.len() as f64 };
        let mut places: Vec<(usize, f64)> =
            (1..).zip(names.map(|name| self.tests.get(name).map_or(middling, TestRecord::mean))).collect();
        places.sort_by(|one, other| other.1.total_cmp(&one.1));
        places.into_iter().map(|(place, _)| place).collect()
    }
}

impl TestRecord {
    /// Returns in which part of its runs it passed, from 0 to 1.
    pub(crate) fn pass_rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "there are not that many runs")]
        let rate = self.passed as f64 / self.runs.max(1) as f64;
        rate
    }

    /// Returns whether it has both passed and not passed.
    pub(crate) fn is_flaky(&self) -> bool {
        self.passed_later > 0 || (self.passed > 0 && self.passed < self.runs)
    }

    fn mean(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "there are not that many runs")]
        let mean = self.seconds / self.runs.max(1) as f64;
        mean
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{end, finished, fold, queued, run_started, started};
    use super::*;
    use crate::model::{EventKind, Outcome, TaskFinished};

    fn run(tests: &[(&str, Outcome, f64)]) -> Summary {
        let mut kinds = vec![run_started()];
        for (number, (name, outcome, seconds)) in (1..).zip(tests) {
            let ended = TaskFinished { seconds: *seconds, ..finished(number, *outcome, Some("why")) };
            kinds.extend([queued(number, &format!("{number}-{name}"), 0), started(number, 1), end(ended)]);
        }
        kinds.push(EventKind::JobRenamed { name: "x".to_owned() });
        fold(kinds)
    }

    #[test]
    fn runs_add_up_to_records() {
        use Outcome::{Errored, Failed, Passed, Skipped};
        let mut history = TestHistory::default();
        history.add("new", &run(&[("a", Passed, 1.0), ("b", Failed, 5.0), ("c", Skipped, 0.0)]));
        history.add("mid", &run(&[("b", Errored, 2.0), ("a", Failed, 3.0), ("d", Passed, 9.0)]));
        history.add("old", &run(&[("a", Passed, 2.0), ("b", Passed, 1.0)]));
        let shown: Vec<String> = history
            .records()
            .iter()
            .map(|test| {
                let first = test.first_failure.as_ref().map_or("-", |failure| failure.run.as_str());
                format!("{} {}/{} {first} {} {}", test.name, test.passed, test.runs, test.slowest, test.slowest_in)
            })
            .collect();
        assert_eq!(shown, ["b 1/3 mid 5 new", "a 2/3 mid 3 mid", "d 1/1 - 9 mid"]);
        assert_eq!(history.records().iter().map(|test| test.is_flaky()).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(history.longest_first(["a", "unknown", "b", "d"].into_iter()), [4, 2, 3, 1]);
        assert_eq!(TestHistory::default().longest_first(["x", "y"].into_iter()), [1, 2]);
    }
}
