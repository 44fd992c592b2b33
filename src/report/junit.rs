//! `results.xml`: a run in the form of JUnit, as CI servers read it.
//!
//! A testsuite a task, with the top-level sections of its testscript as testcases, or the task itself where it has none.
//! A run of tests is one testsuite, with a testcase a test; what prepared the tests is a property of it, and what of that
//! failed an error in a testsuite beside it, which is in no count of tests. What is bad in a run is bad here: a task whose testcases do not account for its end is one more testcase, and what
//! went wrong with the run as a whole has a testsuite of its own. The file is written suite by suite.

mod cases;
mod tests_of_run;

use std::io::{self, BufWriter, Write};
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::excerpt::ReadFile;
use super::plain;
use super::problems::{nothing_ran, problems};
use super::summary::Summary;
use super::tasks::tasks;
use super::test_names::{TaskNames, has_tests};

/// Bytes of output that the whole file may hold, shared among what did not pass.
const OUTPUT: u64 = 32 * 1024 * 1024;

/// Bytes of output of a testcase that did not pass: 64 KiB at each end.
const MOST: u64 = 128 * 1024;

/// Bytes of output that every testcase may have, however many there are.
const LEAST: u64 = 1024;

/// Where the body of a report begins and ends in what quick-junit writes.
const ROOT: &str = "<testsuites";
const ROOT_END: &str = "</testsuites>";

/// Writes the run. `still_running` says that its host is alive.
pub(crate) fn write(summary: &Summary, still_running: bool, read: ReadFile<'_>, to: impl Write) -> io::Result<()> {
    let mut to = BufWriter::new(to);
    let name = plain::line(&summary.name);
    let whole = whole_run(summary, still_running, &name);

    let mut totals = Report::new(&name);
    totals.time = Some(duration(summary.seconds()));
    totals.timestamp = summary.started.map(Into::into);
    let (mut faults, mut others) = (0, 0);
    let mut count = |suite: &TestSuite| {
        totals.tests += suite.tests;
        totals.failures += suite.failures;
        totals.errors += suite.errors;
        totals.skipped += suite.skipped;
        let bad = (suite.failures + suite.errors) as u64;
        faults += bad;
        others += suite.tests as u64 - bad;
    };
    let is_of_tests = has_tests(summary);
    let names = TaskNames::of(summary);
    let of_tests = is_of_tests.then(|| tests_of_run::suite(summary, &name));
    let failed = if is_of_tests { tests_of_run::failed_preparations(summary, &name) } else { None };
    match &of_tests {
        Some(suite) => count(suite),
        None => tasks(summary).for_each(|row| count(&cases::suite(summary, row, names.get(row), &name, None))),
    }
    whole.iter().for_each(&mut count);
    totals.errors += failed.as_ref().map_or(0, |suite| suite.errors);
    let room = cases::Room {
        faults: (OUTPUT / faults.max(1)).clamp(LEAST, MOST),
        others: (OUTPUT / 4 / others.max(1)).clamp(LEAST / 4, 2 * LEAST),
    };

    let frame = totals.to_string().map_err(io::Error::other)?;
    let (head, tail) = frame.rsplit_once(ROOT_END).ok_or_else(unexpected)?;
    to.write_all(head.trim_end().as_bytes())?;
    to.write_all(b"\n")?;
    match of_tests {
        Some(suite) => tests_of_run::write(&mut to, suite, summary, (room, read))?,
        None => {
            for row in tasks(summary) {
                write_suite(&mut to, cases::suite(summary, row, names.get(row), &name, Some((room, read))))?;
            }
        }
    }
    failed.into_iter().chain(whole).try_for_each(|suite| write_suite(&mut to, suite))?;
    to.write_all(ROOT_END.as_bytes())?;
    to.write_all(tail.as_bytes())?;
    to.flush()
}

/// Writes one suite, as it stands in a report of its own.
fn write_suite(to: &mut impl Write, suite: TestSuite) -> io::Result<()> {
    to.write_all(text_of(suite)?.as_bytes())?;
    to.write_all(b"\n")
}

/// Returns a suite as it stands in a report.
fn text_of(suite: TestSuite) -> io::Result<String> {
    let mut report = Report::unnamed();
    report.test_suites.push(suite);
    let text = report.to_string().map_err(io::Error::other)?;
    let body = text.split_once(ROOT).and_then(|(_, rest)| rest.split_once('>'));
    let body = body.and_then(|(_, rest)| rest.rsplit_once(ROOT_END)).ok_or_else(unexpected)?.0;
    Ok(body.trim_matches('\n').trim_end().to_owned())
}

fn unexpected() -> io::Error {
    io::Error::other("the JUnit report has no root element")
}

/// Returns a suite for what is wrong with the run as a whole.
fn whole_run(summary: &Summary, still_running: bool, name: &str) -> Option<TestSuite> {
    let mut suite = TestSuite::new(name);
    for problem in problems(summary, still_running) {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type(plain::line(&problem.kind)).set_message(plain::first_line(&problem.message));
        let text = match &problem.traceback {
            Some(traceback) => format!("{}\n{traceback}", problem.message),
            None => problem.message.clone(),
        };
        status.set_description(plain::text(&text));
        let mut case = TestCase::new(plain::line(&problem.name), status);
        case.set_classname(name);
        suite.add_test_case(case);
    }
    if suite.test_cases.is_empty() && nothing_ran(summary) {
        let mut status = TestCaseStatus::skipped();
        status.set_message("nothing ran: no task was queued");
        let mut case = TestCase::new("run", status);
        case.set_classname(name);
        suite.add_test_case(case);
    }
    (!suite.test_cases.is_empty()).then_some(suite)
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixture::{
        cut_off, end, finished, fold, job, queued, run_finished, run_started, script, section_end, started,
    };
    use super::*;
    use crate::model::{EventKind, Outcome, OutputSize, RaisedError, TaskFinished};

    fn xml_with(kinds: Vec<EventKind>, output: &[u8]) -> String {
        let read = |path: &str, begin: u64, size: u64| {
            let text = [path.as_bytes(), b": ", output].concat();
            let from = usize::try_from(begin).unwrap().min(text.len());
            let to = (from + usize::try_from(size).unwrap()).min(text.len());
            Some((text[from..to].to_vec(), text.len() as u64))
        };
        let mut bytes = Vec::new();
        write(&fold(kinds), false, &read, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn xml(kinds: Vec<EventKind>) -> String {
        xml_with(kinds, b"x\x1b[31my\n".repeat(30).as_slice())
    }

    #[test]
    fn a_job() {
        insta::assert_snapshot!(xml(job()));
    }

    #[test]
    fn testscripts() {
        let kinds = [vec![run_started()], script(1), cut_off(2), vec![run_finished(Some(Outcome::Errored), 1)]];
        insta::assert_snapshot!(xml(kinds.concat()));
    }

    #[test]
    fn what_is_bad_in_a_run_is_bad_here() {
        let good = || vec![run_started(), queued(1, "a", 0), started(1, 1), end(finished(1, Outcome::Passed, None))];
        let error = RaisedError { kind: "error".into(), message: "job.lua:3: no".into(), traceback: None };
        let over = || run_finished(Some(Outcome::Errored), 1);
        let cases: [(Vec<EventKind>, &str); 5] = [
            (vec![EventKind::MainFinished { error: Some(error) }, over()], "<error message=\"job.lua:3: no\""),
            (vec![EventKind::Interrupted { signal: 2, times: 1 }, over()], "<error message=\"stopped by SIGINT\""),
            (vec![], "<error message=\"the run was lost: its host ended before it could record the end\""),
            (vec![queued(2, "b", 0), started(2, 1), over()], "<error message=\"the task has no end\""),
            (
                vec![
                    queued(2, "b", 0),
                    started(2, 1),
                    EventKind::TaskPlanned(Box::new(crate::model::TaskPlanned {
                        task: 2,
                        sections: vec![crate::model::SectionPlan::new(crate::model::SectionKind::Testcase, "T", 0)],
                    })),
                    EventKind::SectionFinished(Box::new(section_end(2, 1, Outcome::Passed))),
                    end(finished(2, Outcome::Errored, Some("exit code 3"))),
                    over(),
                ],
                "<error message=\"exit code 3\"",
            ),
        ];
        for (more, expected) in cases {
            let text = xml([good(), more].concat());
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
    }

    fn parsed(text: &str) -> Report {
        Report::deserialize_from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    fn failed_with(reason: &str, output: &[u8]) -> String {
        let size = OutputSize { bytes: output.len() as u64 + 1, ..OutputSize::default() };
        let data = Some(crate::model::Value::of_json(&serde_json::json!({ "traceback": reason })));
        let failed = TaskFinished { stdout: size, data, ..finished(1, Outcome::Failed, Some(reason)) };
        xml_with(vec![run_started(), queued(1, reason, 0), started(1, 1), end(failed)], output)
    }

    #[test]
    fn the_totals_are_those_of_the_suites() {
        let report = parsed(&xml([job(), script(6), cut_off(7)].concat()));
        let sum = |of: fn(&TestSuite) -> usize| report.test_suites.iter().map(of).sum::<usize>();
        assert_eq!(
            (report.tests, report.failures, report.errors, report.skipped),
            (
                sum(|suite| suite.tests),
                sum(|suite| suite.failures),
                sum(|suite| suite.errors),
                sum(|suite| suite.skipped)
            )
        );
        assert_eq!((report.tests, report.failures, report.errors, report.skipped), (11, 2, 2, 3));
    }

    proptest! {
        #[test]
        fn every_byte_sequence_gives_xml_that_can_be_read(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            reason in "(\\PC|\\pC|[<>&\"'\u{fffe}\\]]){0,40}",
        ) {
            let text = failed_with(&reason, &bytes);
            parsed(&text);
            let unfit = |c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{fffe}' | '\u{ffff}');
            prop_assert!(!text.contains(unfit), "{:?}", text);
        }
    }
}
