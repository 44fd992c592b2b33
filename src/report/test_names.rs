//! The tests of a run in their one list, which all reports have, and what the reports call them.
//!
//! A name does not depend on what else is in the run: who follows a test from run to run knows it by that.

use std::path::{Component, Path};

use super::row::Row;
use super::summary::Summary;

/// The front door of runs that have tests.
const DOOR: &str = "test";

/// The kinds whose tests are methods or functions of a Python file.
const PYTHON_KINDS: [&str; 3] = ["avocado-instrumented", "python-unittest", "pytest"];

/// What a test is called in a report.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TestName {
    /// What it is part of: the module and the class, or the file that it was found in; with dots between.
    pub(super) class: String,
    /// Its own name.
    pub(super) name: String,
}

/// Returns whether the tasks of a run are tests.
pub(super) fn has_tests(summary: &Summary) -> bool {
    summary.header.as_ref().is_some_and(|header| header.door == DOOR)
}

/// Returns the tests of a run in the order of their numbers: its tasks, less what only prepares others. Tests that share
/// processes are recorded as they end.
pub(super) fn tests(summary: &Summary) -> impl Iterator<Item = &Row> {
    let mut rows: Vec<&Row> = summary.rows().iter().filter(|row| !row.prepares()).collect();
    rows.sort_by_key(|row| row.number);
    rows.into_iter()
}

/// Returns what prepares the tests of a run.
pub(super) fn preparations(summary: &Summary) -> impl Iterator<Item = &Row> {
    summary.rows().iter().filter(|row| row.prepares())
}

/// Returns the id of a test without its number in the run.
pub(super) fn plain_name(row: &Row) -> &str {
    row.id().split_once('-').map_or(row.id(), |(_, name)| name)
}

impl TestName {
    /// Returns what a test of this run is called.
    pub(super) fn of(summary: &Summary, row: &Row) -> TestName {
        let folder = summary.header.as_ref().map_or("", |header| header.file.as_str());
        let known = plain_name(row);
        if PYTHON_KINDS.contains(&row.kind())
            && let Some((path, classes, test)) = python_parts(row.uri())
        {
            let class = [dotted(path, folder)].into_iter().chain(classes.into_iter().map(str::to_owned));
            let class = class.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
            // Who named the test himself means that name.
            let name = match known.strip_prefix(row.uri()) {
                Some(variant) => format!("{test}{variant}"),
                None => known.to_owned(),
            };
            return TestName { class, name };
        }
        let place = row.place();
        let path = place.as_ref().map_or(row.uri(), |place| &place.file);
        TestName { class: dotted(path, folder), name: known.to_owned() }
    }
}

/// Parts the uri of a Python test: its file, its classes, its own name.
fn python_parts(uri: &str) -> Option<(&str, Vec<&str>, &str)> {
    if let Some((path, node)) = uri.split_once("::") {
        // A parameter may hold anything.
        let (node, parameter) = node.split_at(node.find('[').unwrap_or(node.len()));
        let mut classes: Vec<&str> = node.split("::").collect();
        let test = classes.pop()?;
        return Some((path, classes, &uri[uri.len() - parameter.len() - test.len()..]));
    }
    let (path, test) = uri.rsplit_once(':')?;
    let mut classes: Vec<&str> = test.split('.').collect();
    let test = classes.pop()?;
    Some((path, classes, test))
}

/// Returns a path below the folder of the run with dots between its parts, and without the ending of its file.
fn dotted(path: &str, folder: &str) -> String {
    let path = Path::new(path);
    let path = path.strip_prefix(folder).unwrap_or(path).with_extension("");
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(part) => Some(part.to_string_lossy()),
        _ => None,
    });
    parts.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{fold, queued, run_started};
    use super::*;
    use crate::model::{EventKind, Place};

    fn name(kind: &str, uri: &str, id: &str, reference: Option<&str>) -> (String, String) {
        let mut started = run_started();
        if let EventKind::RunStarted(header) = &mut started {
            header.file = "/work/here".to_owned();
        }
        let mut task = queued(1, id, 0);
        if let EventKind::TaskQueued(task) = &mut task {
            task.kind = kind.to_owned();
            task.uri = uri.to_owned();
            task.place = reference.map(|file| Place { file: file.into(), line: 0 });
        }
        let summary = fold(vec![started, task]);
        let TestName { class, name } = TestName::of(&summary, &summary.rows()[0]);
        (class, name)
    }

    #[test]
    fn names_are_those_that_ci_servers_know() {
        let cases = [
            ("python-unittest", "tests/test_a.py:T.test_b", None, "tests.test_a.T", "test_b"),
            ("python-unittest", "./test_a.py:T.test_b", Some("test_a.py:T"), "test_a.T", "test_b"),
            ("python-unittest", "/work/here/t/a.py:T.test_b", None, "t.a.T", "test_b"),
            ("python-unittest", "/elsewhere/a.py:T.test_b", None, "elsewhere.a.T", "test_b"),
            ("pytest", "tests/test_a.py::test_b", None, "tests.test_a", "test_b"),
            ("pytest", "tests/test_a.py::T::test_b[a::b.c-1]", None, "tests.test_a.T", "test_b[a::b.c-1]"),
            ("exec-test", "./net/ping.sh", Some("./net/ping.sh"), "net.ping", "./net/ping.sh"),
            ("exec-test", "/bin/true", Some("recipes/all.json"), "recipes.all", "/bin/true"),
            ("exec-test", "../up.sh", None, "up", "../up.sh"),
        ];
        for (kind, uri, reference, class, test) in cases {
            let id = format!("07-{uri}");
            assert_eq!(name(kind, uri, &id, reference), (class.to_owned(), test.to_owned()), "{uri}");
        }
        assert_eq!(name("pytest", "a.py::t", "1-a.py::t;v-1f", None), ("a".to_owned(), "t;v-1f".to_owned()));
        assert_eq!(name("pytest", "a.py::t", "1-own", None), ("a".to_owned(), "own".to_owned()));
        assert_eq!(name("noop", "", "1-n1", Some("/tmp/a.json")), ("tmp.a".to_owned(), "n1".to_owned()));
    }
}
