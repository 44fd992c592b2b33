//! The sections of a task as reports show them: what was reached in the order of its beginning, then what was not.

use std::borrow::Cow;

use super::row::Row;
use super::sections::{Section, Sections};
use crate::model::{FileSlice, Outcome, SectionKind, SectionNumber};

/// A section that lies deeper is shown at this depth: readers of JSON stop at some depth, and so does a stack.
const MAX_DEPTH: u8 = 32;

/// What is told of a section that was open when its task ended and gave no reason.
const CUT_OFF: &str = "its task ended before it did";

/// Sections in the order of a report.
pub(crate) struct SectionTree<'a> {
    row: &'a Row,
    sections: &'a Sections,
    /// The numbers of all sections, sorted by their parents.
    numbers: Vec<SectionNumber>,
    /// Where the parts of a section begin in `numbers`, by its number, and after the last the end.
    first: Vec<usize>,
}

/// How a section ended, or why it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SectionState {
    /// With this outcome, its own or, where its task ended first, that of the task.
    Ended(Outcome),
    /// It goes on, or its host ended and nobody knows.
    Open,
    /// It was to come and never did.
    NotReached,
}

impl SectionState {
    /// Returns the outcome, if it has one.
    pub(crate) const fn outcome(self) -> Option<Outcome> {
        match self {
            SectionState::Ended(outcome) => Some(outcome),
            SectionState::Open | SectionState::NotReached => None,
        }
    }

    /// Returns whether it passed or was left out on purpose.
    pub(crate) fn is_good(self) -> bool {
        self.outcome().is_some_and(Outcome::is_good)
    }
}

impl<'a> SectionTree<'a> {
    /// Returns the sections of a task in order; `None` if it has none.
    pub(crate) fn of(row: &'a Row) -> Option<Self> {
        let sections = row.sections().filter(|sections| sections.len() > 0)?;
        let mut parents = vec![0; sections.len() + 1];
        let mut depths = vec![0_u8; sections.len() + 1];
        for (number, section) in sections.iter() {
            // Parents have lower numbers, so theirs is known.
            let parent = section.parent as usize;
            let parent = if depths[parent] < MAX_DEPTH { section.parent } else { parents[parent] };
            parents[number as usize] = parent;
            depths[number as usize] = depths[parent as usize] + 1;
        }
        // Attempts that another followed are no parts; what they are made of is theirs.
        let counts = |(number, section): (SectionNumber, &Section)| (!section.is_followed()).then_some(number);
        let mut numbers: Vec<SectionNumber> = sections.iter().filter_map(counts).collect();
        let order = |number: SectionNumber| match sections.get(number).map_or(0, |section| section.order) {
            0 => u32::MAX,
            order => order,
        };
        numbers.sort_by_key(|number| (parents[*number as usize], order(*number), *number));
        let mut first = vec![0; sections.len() + 2];
        for number in &numbers {
            first[parents[*number as usize] as usize + 1] += 1;
        }
        for at in 1..first.len() {
            first[at] += first[at - 1];
        }
        Some(SectionTree { row, sections, numbers, first })
    }

    /// Returns the numbers of the parts of a section, or with 0 of the testscript, in order.
    pub(crate) fn parts(&self, of: SectionNumber) -> &[SectionNumber] {
        let at = of as usize;
        match (self.first.get(at), self.first.get(at + 1)) {
            (Some(from), Some(to)) => &self.numbers[*from..*to],
            _ => &[],
        }
    }

    /// Returns a section. The number must be one of this tree.
    pub(crate) fn get(&self, number: SectionNumber) -> &'a Section {
        self.sections.get(number).expect("the numbers of a tree are those of its sections")
    }

    /// Returns how many sections there are.
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Returns the names from the top-level section down, as in `Ping.sweep[size=64]`.
    pub(crate) fn full_id(&self, number: SectionNumber) -> String {
        self.sections.full_id(number)
    }

    /// Returns the attempts before a section, the first one first.
    pub(crate) fn earlier(&self, number: SectionNumber) -> Vec<SectionNumber> {
        self.sections.earlier(number)
    }

    /// Returns how a section ended.
    pub(crate) fn state(&self, number: SectionNumber) -> SectionState {
        state(self.get(number), self.row)
    }

    /// Returns why a section ended as it did; of one that its task's end cut off, why the task ended.
    pub(crate) fn reason(&self, number: SectionNumber) -> Option<Cow<'a, str>> {
        let section = self.get(number);
        if section.outcome.is_some() {
            return section.reason().map(Cow::Borrowed);
        }
        match state(section, self.row) {
            SectionState::Ended(_) => Some(match (self.row.reason(), self.row.exit) {
                (Some(reason), _) => Cow::Borrowed(reason),
                (None, Some(exit)) if !exit.is_success() => Cow::Owned(exit.to_string()),
                (None, _) => Cow::Borrowed(CUT_OFF),
            }),
            SectionState::Open | SectionState::NotReached => None,
        }
    }

    /// Returns where the bytes that a section logged stand in the task's log; `None` if it has logged nothing.
    pub(crate) fn log(&self, number: SectionNumber) -> Option<FileSlice> {
        let range = self.get(number).log;
        (range.size > 0).then(|| self.row.log().slice(range))
    }

    /// Returns the sections below and including this one where the fault lies: those that did not end well and have no
    /// part that did not, or an error of their own.
    pub(crate) fn faults(&self, number: SectionNumber) -> Vec<SectionNumber> {
        let mut found = Vec::new();
        self.collect_faults(number, &mut found);
        found
    }

    fn collect_faults(&self, number: SectionNumber, found: &mut Vec<SectionNumber>) {
        if !is_fault(self.state(number)) {
            return;
        }
        let before = found.len();
        for part in self.parts(number) {
            self.collect_faults(*part, found);
        }
        // An error of its own is told too; one that a part has handed on to it is not told twice.
        let traceback = self.get(number).traceback();
        let is_own = traceback.is_some() && found[before..].iter().all(|part| self.get(*part).traceback() != traceback);
        if found.len() == before || is_own {
            found.push(number);
        }
    }
}

/// Returns whether a section is one to look at: it failed, errored or was aborted.
pub(crate) const fn is_fault(state: SectionState) -> bool {
    matches!(state, SectionState::Ended(Outcome::Failed | Outcome::Errored | Outcome::Aborted))
}

fn state(section: &Section, row: &Row) -> SectionState {
    match section.outcome {
        Some(outcome) => SectionState::Ended(outcome),
        None if section.order == 0 => SectionState::NotReached,
        None if row.running => SectionState::Open,
        // Its task has ended. Where that was aborted, so was what it was at; else nothing is known of it.
        None => SectionState::Ended(row.outcome.unwrap_or(Outcome::Errored).and(Outcome::Errored)),
    }
}

/// How many sections of a sort ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    by_outcome: [u32; 7],
    /// Those that were to come and never did.
    pub(crate) not_reached: u32,
    /// Those that have begun and not ended.
    pub(crate) open: u32,
    /// Those that passed, but not at the first attempt.
    pub(crate) flaky: u32,
    /// All of them.
    pub(crate) total: u32,
}

impl Tally {
    /// Returns how many ended with this outcome.
    pub(crate) const fn of(&self, outcome: Outcome) -> u32 {
        self.by_outcome[outcome as usize]
    }

    fn add(&mut self, state: SectionState, is_flaky: bool) {
        self.total += 1;
        self.flaky += u32::from(is_flaky);
        match state {
            SectionState::Ended(outcome) => self.by_outcome[outcome as usize] += 1,
            SectionState::Open => self.open += 1,
            SectionState::NotReached => self.not_reached += 1,
        }
    }
}

/// How many sections of a run ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SectionCounts {
    /// Testcases.
    pub(crate) testcases: Tally,
    /// Tests of testcases.
    pub(crate) tests: Tally,
    /// Every section but steps.
    pub(crate) sections: Tally,
}

impl SectionCounts {
    /// Returns the counts over these tasks.
    pub(crate) fn of(rows: &[Row]) -> Self {
        let mut counts = SectionCounts::default();
        for row in rows {
            let Some(sections) = row.sections() else { continue };
            for (number, section) in sections.iter() {
                if section.kind == SectionKind::Step || sections.is_past(number) {
                    continue;
                }
                let (state, is_flaky) = (state(section, row), section.is_flaky());
                match section.kind {
                    SectionKind::Testcase => counts.testcases.add(state, is_flaky),
                    SectionKind::Test => counts.tests.add(state, is_flaky),
                    _ => {}
                }
                counts.sections.add(state, is_flaky);
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{
        cut_off, end, finished, fold, planned, queued, run_started, script, section_end, section_started, started,
    };
    use super::*;
    use crate::model::{EventKind, SectionPlan};

    fn ids(tree: &SectionTree<'_>, of: SectionNumber, out: &mut Vec<String>) {
        for part in tree.parts(of) {
            out.push(format!("{} {:?}", tree.full_id(*part), tree.state(*part)));
            ids(tree, *part, out);
        }
    }

    fn shown(kinds: Vec<EventKind>, task: u32) -> Vec<String> {
        let summary = fold(kinds);
        let tree = SectionTree::of(summary.row(task).unwrap()).unwrap();
        let mut out = Vec::new();
        ids(&tree, 0, &mut out);
        out
    }

    #[test]
    fn what_was_reached_comes_in_the_order_of_its_beginning_and_then_the_rest() {
        let kinds = [vec![run_started()], script(1)].concat();
        assert_eq!(
            shown(kinds, 1),
            [
                "common_setup Ended(Passed)",
                "common_setup.connect Ended(Passed)",
                "Ping Ended(Failed)",
                "Ping.setup Ended(Passed)",
                "Ping.icmp Ended(Failed)",
                "Ping.icmp.send Ended(Passed)",
                "Ping.icmp.receive Ended(Failed)",
                "Ping.sweep[size=64] Ended(Passed)",
                "Ping.sweep[size=1500] Ended(Passed)",
                "Trace Ended(Blocked)",
                "Trace.hops Ended(Blocked)",
                "common_cleanup Ended(Passed)",
            ]
        );
    }

    #[test]
    fn what_the_end_of_its_task_cut_off_has_the_tasks_reason() {
        let summary = fold([vec![run_started()], cut_off(1)].concat());
        let tree = SectionTree::of(summary.row(1).unwrap()).unwrap();
        assert_eq!(tree.state(2), SectionState::Ended(Outcome::Errored));
        assert_eq!(tree.reason(2).as_deref(), Some("killed by SIGSEGV (signal 11)"));
        assert_eq!((tree.state(3), tree.reason(3)), (SectionState::NotReached, None));
        let counts = SectionCounts::of(summary.rows());
        assert_eq!((counts.testcases.total, counts.testcases.not_reached), (2, 1));
        assert_eq!(counts.sections.of(Outcome::Errored), 2);
    }

    #[test]
    fn a_new_attempt_begins_anew() {
        let mut kinds = vec![run_started(), queued(1, "a", 1), started(1, 1)];
        kinds.push(planned(1, vec![SectionPlan::new(SectionKind::Testcase, "One", 0)]));
        kinds.push(section_started(1, 1));
        kinds.push(end(crate::model::TaskFinished { will_retry: true, ..finished(1, Outcome::Failed, None) }));
        assert_eq!(shown(kinds.clone(), 1), ["One Ended(Errored)"]);
        kinds.push(started(1, 2));
        assert!(SectionTree::of(fold(kinds.clone()).row(1).unwrap()).is_none());
        kinds.push(planned(
            1,
            vec![SectionPlan::new(SectionKind::Testcase, "One", 0), SectionPlan::new(SectionKind::Testcase, "Two", 0)],
        ));
        kinds.push(section_started(1, 2));
        assert_eq!(shown(kinds, 1), ["Two Open", "One NotReached"]);
    }

    #[test]
    fn very_deep_steps_end_at_a_depth_that_readers_bear() {
        let mut kinds = vec![run_started(), queued(1, "a", 0), started(1, 1)];
        let plans = (0..10_000).map(|parent| SectionPlan::new(SectionKind::Step, "s", parent)).collect();
        kinds.push(planned(1, plans));
        kinds.push(EventKind::SectionFinished(Box::new(section_end(1, 10_000, Outcome::Passed))));
        let summary = fold(kinds);
        let tree = SectionTree::of(summary.row(1).unwrap()).unwrap();
        assert_eq!((tree.parts(0), tree.parts(3), tree.parts(30)), (&[1][..], &[4][..], &[31][..]));
        assert_eq!((tree.parts(32).len(), tree.parts(33).len()), (0, 0));
        assert_eq!(tree.parts(31).len() + 31, 10_000);
    }
}
