//! A run of tests as one testsuite: a testcase a test, under the name that it has in every run.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};

use super::cases::{self, Room};
use super::{duration, text_of, unexpected};
use crate::report::excerpt::ReadFile;
use crate::report::plain;
use crate::report::row::Row;
use crate::report::section_tree::SectionTree;
use crate::report::summary::Summary;
use crate::report::tasks::{preparations, tests};
use crate::report::test_names::TestName;

/// Where the testcases stand in what quick-junit writes of a suite.
const CASE: &str = "<testcase";
const SUITE_END: &str = "</testsuite>";

/// Returns the testsuite with its counts, and without its testcases.
pub(super) fn suite(summary: &Summary, name: &str) -> TestSuite {
    let mut counted = TestSuite::new(name);
    for row in tests(summary) {
        counted.add_test_case(case(summary, row, None));
        counted.test_cases.clear();
    }
    counted.set_time(duration(summary.seconds()));
    counted.timestamp = summary.started.map(Into::into);
    cases::add_meta(&mut counted, summary);
    for row in preparations(summary) {
        counted.add_property(Property::new("preparation", format!("{}: {}", plain::line(row.id()), word(row))));
    }
    counted
}

/// Returns a testsuite with what of the preparations failed.
pub(super) fn failed_preparations(summary: &Summary, name: &str) -> Option<TestSuite> {
    let name = format!("{name} preparations");
    let mut suite = TestSuite::new(&name);
    for row in preparations(summary).filter(|row| !row.is_good()) {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        let reason = row.reason().unwrap_or_else(|| word(row));
        status.set_type(word(row)).set_message(plain::first_line(reason)).set_description(plain::text(reason));
        let mut case = TestCase::new(plain::line(row.id()), status);
        case.set_classname(&name).set_time(duration(row.seconds));
        suite.add_test_case(case);
    }
    (!suite.test_cases.is_empty()).then_some(suite)
}

fn word(row: &Row) -> &'static str {
    row.outcome.map_or("unfinished", crate::model::Outcome::name)
}

/// Writes the testsuite, with its testcases one by one.
pub(super) fn write(
    to: &mut impl Write,
    suite: TestSuite,
    summary: &Summary,
    output: (Room, ReadFile<'_>),
) -> io::Result<()> {
    let text = text_of(suite)?;
    match (text.rsplit_once(SUITE_END), text.strip_suffix("/>")) {
        (Some((head, _)), _) => writeln!(to, "{}", head.trim_end())?,
        // A suite with nothing in it.
        (None, Some(head)) => writeln!(to, "{}>", head.trim_end())?,
        (None, None) => return Err(unexpected()),
    }
    for row in tests(summary) {
        let mut only = TestSuite::new("");
        only.add_test_case(case(summary, row, Some(output)));
        let text = text_of(only)?;
        let begin = text.find(CASE).ok_or_else(unexpected)?;
        let end = text.rfind(SUITE_END).ok_or_else(unexpected)?;
        writeln!(to, "        {}", text[begin..end].trim_end())?;
    }
    writeln!(to, "    {SUITE_END}")
}

fn case(summary: &Summary, row: &Row, output: Option<(Room, ReadFile<'_>)>) -> TestCase {
    let TestName { class, name } = TestName::of(summary, row);
    let tree = SectionTree::of(row);
    let mut case = cases::task_case(summary, row, &plain::line(&name), tree.as_ref(), output);
    case.set_classname(plain::line(&class));
    if let Some(until) = row.quarantine() {
        case.add_property(Property::new("quarantine", plain::line(until)));
        if let TestCaseStatus::NonSuccess { message, .. } = &case.status {
            // It is told, and no server takes it for a failure of the run.
            let why = message.as_ref().map(|message| format!(": {}", message.as_str())).unwrap_or_default();
            let mut status = TestCaseStatus::skipped();
            status.set_message(plain::first_line(&format!("in quarantine until {until}{why}")));
            case.status = status;
        }
    }
    case.add_property(Property::new("id", plain::line(row.id())));
    case.add_property(Property::new("folder", plain::line(row.folder())));
    case
}
