//! The testsuite of one task.

use std::fmt::Write;

use quick_junit::{FlakyOrRerun, NonSuccessKind, Property, TestCase, TestCaseStatus, TestRerun, TestSuite};

use super::duration;
use crate::model::{Outcome, SectionNumber};
use crate::report::excerpt::{self, ReadFile};
use crate::report::location::Location;
use crate::report::plain;
use crate::report::row::{Attempt, Row};
use crate::report::section_tree::{SectionState, SectionTree};
use crate::report::summary::Summary;

/// Bytes of output that a testcase may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// One that failed or has an error.
    pub(super) faults: u64,
    /// Any other.
    pub(super) others: u64,
}

/// Faults inside one testcase that are told in full.
const MOST_FAULTS: usize = 50;

/// How a testcase is to be shown.
struct Verdict<'a> {
    state: SectionState,
    reason: Option<&'a str>,
    kind: Option<&'a str>,
    text: String,
}

/// Returns the testsuite of a task, with output if there is room for it.
pub(super) fn suite(
    summary: &Summary,
    row: &Row,
    name: &str,
    run: &str,
    output: Option<(Room, ReadFile<'_>)>,
) -> TestSuite {
    let id = plain::line(name);
    let class = format!("{run}.{id}");
    let mut suite = TestSuite::new(&id);
    suite.set_time(duration(row.seconds));
    suite.timestamp = row.started.map(Into::into);
    let number = row.number.to_string();
    add_meta(&mut suite, summary);
    suite.add_property(Property::new("task", number));
    suite.add_property(Property::new("folder", plain::line(row.folder())));

    let tree = SectionTree::of(row);
    if let Some(tree) = &tree {
        for &number in tree.parts(0) {
            let mut case = section_case(row, tree, number, output);
            case.set_classname(&class);
            put(&mut case, Location::of_section(summary, row, tree, number));
            suite.add_test_case(case);
        }
    }
    if tree.as_ref().is_none_or(|tree| !accounts_for(tree, row)) {
        let mut case = task_case(summary, row, &id, None, output);
        case.set_classname(&class);
        suite.add_test_case(case);
    }
    suite
}

/// Puts a testcase at its place, by the attributes that pytest has introduced and CI servers read.
fn put(case: &mut TestCase, location: Option<Location>) {
    let Some(Location { file, line }) = location else { return };
    case.extra.insert("file".into(), plain::line(&file).into());
    if let Some(line) = line {
        case.extra.insert("line".into(), line.to_string().into());
    }
}

/// Returns whether the testcases tell all that is to be told of a task.
fn accounts_for(tree: &SectionTree<'_>, row: &Row) -> bool {
    let shown = Outcome::roll_up(tree.parts(0).iter().filter_map(|number| tree.state(*number).outcome()));
    let is_told =
        row.outcome.is_some_and(|outcome| outcome.is_good() || shown.is_some_and(|shown| shown.and(outcome) == shown));
    is_told && row.earlier().is_empty()
}

/// Returns the testcase of a task as a whole. `tree` has sections that no testcase of their own tells of.
pub(super) fn task_case(
    summary: &Summary,
    row: &Row,
    id: &str,
    tree: Option<&SectionTree<'_>>,
    output: Option<(Room, ReadFile<'_>)>,
) -> TestCase {
    let exit = row.exit.filter(|exit| !exit.is_success()).map(|exit| exit.to_string());
    let verdict = Verdict {
        state: row.outcome.map_or(SectionState::Open, SectionState::Ended),
        reason: match row.outcome {
            None if row.attempts == 0 && summary.is_complete() => Some("the task was never started"),
            None => Some("the task has no end"),
            Some(_) => row.reason().or(exit.as_deref()),
        },
        kind: row.data().and_then(|data| data.get("kind")?.as_str()),
        text: told(None, row.reason().or(exit.as_deref()), row.traceback()) + &faults(tree),
    };
    let mut case = TestCase::new(id, status(&verdict));
    remark(&mut case, &verdict);
    if row.attempts > 0 {
        case.set_time(duration(row.seconds));
    }
    if row.attempts > 1 {
        case.add_property(Property::new("attempts", row.attempts.to_string()));
    }
    if row.is_flaky() {
        case.add_property(Property::new("flaky", "true"));
    }
    put(&mut case, Location::of_task(summary, row));
    case.status.set_rerun_kind(FlakyOrRerun::Rerun);
    case.status.add_reruns(row.earlier().iter().filter_map(rerun));
    if let Some((room, read)) = output {
        let written = excerpt::output(row, room_for(&case, room), read);
        case.system_out = written.out.map(Into::into);
        case.system_err = written.err.map(Into::into);
    }
    case
}

fn section_case(
    row: &Row,
    tree: &SectionTree<'_>,
    number: SectionNumber,
    output: Option<(Room, ReadFile<'_>)>,
) -> TestCase {
    let section = tree.get(number);
    let reason = tree.reason(number);
    let state = tree.state(number);
    let faults = tree.faults(number);
    let mut text = String::new();
    for fault in faults.iter().take(MOST_FAULTS) {
        let name = (*fault != number).then(|| tree.full_id(*fault));
        let why = tree.reason(*fault);
        text.push_str(&told(name.as_deref(), why.as_deref(), tree.get(*fault).traceback()));
    }
    if faults.len() > MOST_FAULTS {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "and {} more", faults.len() - MOST_FAULTS);
    }
    let verdict = Verdict {
        state,
        reason: reason.as_deref(),
        kind: section.data().and_then(|data| data.get("kind")?.as_str()),
        text,
    };
    let mut case = TestCase::new(plain::line(section.uid()), status(&verdict));
    case.set_time(duration(section.seconds));
    case.timestamp = section.started.map(Into::into);
    remark(&mut case, &verdict);
    for group in section.groups() {
        case.add_property(Property::new("group", plain::line(group)));
    }
    if section.attempt() > 1 {
        case.add_property(Property::new("attempts", section.attempt().to_string()));
    }
    if section.is_flaky() {
        case.add_property(Property::new("flaky", "true"));
    }
    case.status.set_rerun_kind(FlakyOrRerun::Rerun);
    let earlier = tree.earlier(number).into_iter();
    case.status.add_reruns(earlier.filter_map(|earlier| section_rerun(row, tree, earlier, output)));
    if let (Some((room, read)), Some(slice)) = (output, tree.log(number)) {
        let log = excerpt::part(&row.path_of(row.log_name()), slice, room_for(&case, room), read);
        case.system_out = log.map(Into::into);
    }
    case
}

/// Returns what is told of the faults in the sections of a task.
fn faults(tree: Option<&SectionTree<'_>>) -> String {
    let Some(tree) = tree else { return String::new() };
    let faults: Vec<SectionNumber> = tree.parts(0).iter().flat_map(|part| tree.faults(*part)).collect();
    let mut text = String::new();
    for fault in faults.iter().take(MOST_FAULTS) {
        text.push_str(&told(Some(&tree.full_id(*fault)), tree.reason(*fault).as_deref(), tree.get(*fault).traceback()));
    }
    if faults.len() > MOST_FAULTS {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "and {} more", faults.len() - MOST_FAULTS);
    }
    text
}

/// Returns what is told of a fault: where it is, why, and its call stack, a line break behind it.
fn told(name: Option<&str>, reason: Option<&str>, traceback: Option<&str>) -> String {
    let name = name.map(|name| format!("{name}: ")).unwrap_or_default();
    let mut text = format!("{name}{}\n", reason.unwrap_or_default());
    if let Some(traceback) = traceback {
        text.push_str(traceback);
        text.push('\n');
    }
    text
}

fn status(verdict: &Verdict<'_>) -> TestCaseStatus {
    let reason = plain::first_line(verdict.reason.unwrap_or_default());
    let bad = |kind: NonSuccessKind, word: &str| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(if reason.is_empty() { word } else { &reason });
        status.set_type(plain::line(verdict.kind.unwrap_or(word)));
        let text = plain::text(verdict.text.trim_end());
        if !text.is_empty() {
            status.set_description(text);
        }
        status
    };
    let left_out = |word: &str| {
        let mut status = TestCaseStatus::skipped();
        status.set_message(if reason.is_empty() { word.to_owned() } else { format!("{word}: {reason}") });
        status
    };
    match verdict.state {
        SectionState::Ended(Outcome::Passed | Outcome::Passx) => TestCaseStatus::success(),
        SectionState::Ended(Outcome::Failed) => bad(NonSuccessKind::Failure, "failed"),
        SectionState::Ended(Outcome::Errored) => bad(NonSuccessKind::Error, "errored"),
        SectionState::Ended(Outcome::Aborted) => bad(NonSuccessKind::Error, "aborted"),
        SectionState::Open => bad(NonSuccessKind::Error, "unfinished"),
        SectionState::Ended(Outcome::Blocked) => left_out("blocked"),
        SectionState::Ended(Outcome::Skipped) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(if reason.is_empty() { "skipped" } else { &reason });
            status
        }
        SectionState::NotReached => left_out("not reached"),
    }
}

/// Adds what a pass has to say for itself.
fn remark(case: &mut TestCase, verdict: &Verdict<'_>) {
    let SectionState::Ended(outcome @ (Outcome::Passed | Outcome::Passx)) = verdict.state else { return };
    if outcome == Outcome::Passx {
        case.add_property(Property::new("result", outcome.name()));
    }
    if let Some(reason) = verdict.reason {
        case.add_property(Property::new("reason", plain::first_line(reason)));
    }
}

/// Adds the metadata of the run, by its own keys.
pub(super) fn add_meta(suite: &mut TestSuite, summary: &Summary) {
    for (key, value) in summary.header.iter().flat_map(|header| header.meta()) {
        suite.add_property(Property::new(plain::line(key), plain::line(value)));
    }
}

fn rerun(attempt: &Attempt) -> Option<TestRerun> {
    let (kind, word) = match attempt.outcome {
        Outcome::Failed => (NonSuccessKind::Failure, "failed"),
        Outcome::Errored | Outcome::Aborted => (NonSuccessKind::Error, attempt.outcome.name()),
        _ => return None,
    };
    let mut rerun = TestRerun::new(kind);
    rerun.set_type(word).set_time(duration(attempt.seconds));
    rerun.set_message(attempt.reason.as_deref().map_or_else(|| word.to_owned(), plain::first_line));
    if let Some(traceback) = &attempt.traceback {
        rerun.set_stack_trace(plain::text(traceback));
    }
    Some(rerun)
}

/// Returns what an attempt at a section came to that another followed.
fn section_rerun(
    row: &Row,
    tree: &SectionTree<'_>,
    number: SectionNumber,
    output: Option<(Room, ReadFile<'_>)>,
) -> Option<TestRerun> {
    let section = tree.get(number);
    let traceback = tree.faults(number).into_iter().find_map(|fault| tree.get(fault).traceback());
    let mut rerun = rerun(&Attempt {
        outcome: tree.state(number).outcome()?,
        reason: tree.reason(number).map(|reason| reason.into_owned().into()),
        traceback: traceback.map(Into::into),
        seconds: section.seconds,
    })?;
    if let (Some((room, read)), Some(slice)) = (output, tree.log(number))
        && let Some(log) = excerpt::part(&row.path_of(row.log_name()), slice, room.others, read)
    {
        rerun.set_system_out(log);
    }
    Some(rerun)
}

fn room_for(case: &TestCase, room: Room) -> u64 {
    match &case.status {
        TestCaseStatus::NonSuccess { .. } => room.faults,
        TestCaseStatus::Success { .. } | TestCaseStatus::Skipped { .. } => room.others,
    }
}
