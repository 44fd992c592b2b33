//! What is known of a document of TAP 14, or of a subtest in one, and how it ends.

use super::ids::Ids;
use super::line::{Directive, Plan, Point};
use super::surprise;
use crate::model::TestStatus;

/// A document, or a subtest in one.
#[derive(Debug, Default)]
pub(super) struct Document {
    plan: Option<u64>,
    /// The plan came after a test point, so that no other may follow.
    is_closed: bool,
    points: u64,
    ids: Ids,
    skipped: u64,
    /// What is no TAP is an error in it.
    pub(super) is_strict: bool,
    /// What has decided already.
    decided: Option<(TestStatus, String)>,
    surprise: Option<String>,
    skip_reason: Option<String>,
}

/// How a document ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) status: TestStatus,
    pub(super) reason: Option<String>,
}

impl Document {
    /// Begins a subtest, which is as strict as what it is in.
    pub(super) fn subtest(&self) -> Self {
        Self { is_strict: self.is_strict, ..Self::default() }
    }

    /// Takes the plan.
    pub(super) fn take_plan(&mut self, plan: &Plan<'_>) {
        if self.plan.is_some() {
            return self.broken("more than one plan found");
        }
        self.plan = Some(plan.count);
        self.is_closed = self.points > 0;
        if plan.count == 0 {
            self.skip_reason = plan.reason();
        }
    }

    /// Takes a test point, and the end of its subtest if it has one.
    ///
    /// The directive of the point counts before how its subtest went: who writes it knows of the failure.
    pub(super) fn take_point(&mut self, point: &Point<'_>, subtest: Option<End>) {
        if self.is_closed {
            self.broken("unexpected test after late plan");
        }
        self.points += 1;
        let number = point.id.unwrap_or(self.points);
        if point.id.is_some_and(|id| self.ids.take(id)) {
            self.broken(&format!("more than one test has the number {number}"));
        }
        let subtest = subtest.filter(|_| point.directive.is_none());
        let bad = subtest.as_ref().filter(|end| end.is_bad());
        match (&point.directive, point.is_ok) {
            (Some(Directive::Skip(reason)), _) => {
                self.skipped += 1;
                self.skip_reason = self.skip_reason.take().or_else(|| reason.as_deref().map(str::to_owned));
            }
            (Some(Directive::Todo), true) => {
                self.surprise.get_or_insert_with(|| surprise(&point.shown(number)));
            }
            (Some(Directive::Todo), false) => {}
            (None, true) if bad.is_none() => {
                if let Some(End { status: TestStatus::Warn, reason: Some(surprise), .. }) = subtest {
                    self.surprise.get_or_insert(surprise);
                }
            }
            (None, _) => {
                let (status, reason) = match bad {
                    Some(End { status, reason: Some(reason), .. }) => (*status, reason.clone()),
                    _ => (TestStatus::Fail, format!("test {} failed", point.shown(number))),
                };
                self.decide(status, reason);
            }
        }
    }

    /// Takes note of a subtest that was not announced and that no test point has closed: it may be no TAP at all, but a
    /// failure in it is not forgotten.
    pub(super) fn lose(&mut self, subtest: End) {
        if subtest.is_bad() {
            let reason = subtest.reason.unwrap_or_default();
            self.decide(subtest.status, reason);
        }
    }

    /// Takes note of a test point in a place where none is expected. It is no TAP there, but its failure is not forgotten.
    pub(super) fn take_stray(&mut self, point: &Point<'_>, line: u64) {
        self.take_text(line);
        if !point.is_ok && point.directive.is_none() {
            let shown = point.shown(self.points + 1);
            self.decide(TestStatus::Fail, format!("test {shown} failed"));
        }
    }

    /// Takes note that the program gave up.
    pub(super) fn bail_out(&mut self, reason: &str) {
        let reason = if reason.is_empty() { "Bail out!".to_owned() } else { format!("Bail out! {reason}") };
        self.decide(TestStatus::Error, reason);
    }

    /// Takes note of a line that is no TAP.
    pub(super) fn take_text(&mut self, line: u64) {
        if self.is_strict {
            self.broken(&format!("line {line} is no TAP, and the pragma strict is on"));
        }
    }

    /// Decides by what is wrong with the document, unless something else has.
    pub(super) fn broken(&mut self, what: &str) {
        self.decide(TestStatus::Error, format!("Tap format error: {what}"));
    }

    fn decide(&mut self, status: TestStatus, reason: String) {
        self.decided.get_or_insert((status, reason));
    }

    /// Ends the document.
    pub(super) fn end(mut self) -> End {
        match self.plan {
            None if self.points == 0 => {
                self.decide(TestStatus::Error, "there is no test in its output: is it TAP at all?".to_owned());
            }
            None => self.broken("there is no plan, which would tell whether its output is whole"),
            Some(count) if count != self.points => {
                let word = if self.points < count { "few" } else { "many" };
                self.broken(&format!("Too {word} tests run (expected {count}, got {})", self.points));
            }
            Some(count) => {
                if let Some(id) = self.ids.outside(count) {
                    self.broken(&format!("the test number {id} is not in the plan 1..{count}"));
                }
            }
        }
        let (status, reason) = match (self.decided, self.surprise) {
            (Some((status, reason)), _) => (status, Some(reason)),
            (None, Some(surprise)) => (TestStatus::Warn, Some(surprise)),
            (None, None) if self.points > self.skipped => (TestStatus::Pass, None),
            (None, None) => (TestStatus::Skip, self.skip_reason),
        };
        End { status, reason }
    }
}

impl End {
    /// Returns whether it is a failure of what it is in.
    fn is_bad(&self) -> bool {
        matches!(self.status, TestStatus::Fail | TestStatus::Error)
    }
}
