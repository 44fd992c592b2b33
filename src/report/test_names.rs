//! What reports call the tests and the tasks of a run.
//!
//! A name does not depend on what else is in the run: who follows a test from run to run knows it by that.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::{Component, Path};

use super::row::Row;
use super::summary::Summary;
use super::tasks::tasks;
use crate::model::TaskNumber;

/// The front door of runs that have tests.
const DOOR: &str = "test";

/// The kinds whose tests are methods or functions of a Python file.
pub(super) const PYTHON_KINDS: [&str; 3] = ["avocado-instrumented", "python-unittest", "pytest"];

/// The folders in which programs are.
const PROGRAM_FOLDERS: [&str; 2] = ["bin", "sbin"];

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

/// Returns the id of a test without its number in the run.
pub(super) fn plain_name(row: &Row) -> &str {
    row.id().split_once('-').map_or(row.id(), |(_, name)| name)
}

/// What the tasks of a run that nobody named are called where a name is to be the same in the next run: by what they run.
/// Their ids have their numbers, which change when a task comes before them.
///
/// The name is made of the task alone: the path from the folder of the jobfile, less `.lua`, of a file elsewhere its last two
/// parts, of a program its name; and in brackets what the task was given.
#[derive(Debug, Default)]
pub(super) struct TaskNames(HashMap<TaskNumber, String>);

impl TaskNames {
    /// Names the tasks of a run. Of several that are the same in all this, the second has `-2` behind its name, and so on.
    pub(super) fn of(summary: &Summary) -> TaskNames {
        let is_given = |row: &Row| row.id() != format!("Task-{}", row.number);
        let mut taken: HashSet<String> =
            tasks(summary).filter(|row| is_given(row)).map(|row| row.id().to_owned()).collect();
        let folder = summary.header.as_ref().and_then(|header| Path::new(&header.file).parent());
        let mut counts: HashMap<String, u32> = HashMap::new();
        let mut names = HashMap::new();
        for row in tasks(summary).filter(|row| !is_given(row)) {
            let whole = whole_name(row, folder);
            let count = counts.entry(whole.clone()).or_default();
            let name = loop {
                *count += 1;
                let name = if *count == 1 { whole.clone() } else { format!("{whole}-{count}") };
                if taken.insert(name.clone()) {
                    break name;
                }
            };
            names.insert(row.number, name);
        }
        TaskNames(names)
    }

    /// Returns what a task is called.
    pub(super) fn get<'a>(&'a self, row: &'a Row) -> &'a str {
        self.0.get(&row.number).map_or(row.id(), String::as_str)
    }
}

/// Returns what a task is, in one word.
fn whole_name(row: &Row, folder: Option<&Path>) -> String {
    let path = Path::new(row.uri());
    let path = match path.extension() {
        Some(ending) if ending == "lua" => path.with_extension(""),
        _ => path.to_owned(),
    };
    let own = folder.and_then(|folder| path.strip_prefix(folder).ok());
    let parts = own.unwrap_or(&path).components();
    let parts: Vec<_> = parts.filter_map(normal).collect();
    // What lies elsewhere lies elsewhere on another machine.
    let shown = match (own, &parts[..]) {
        (Some(_), parts) => parts,
        // A program of the system is known by its name.
        (None, [.., folder, name]) if PROGRAM_FOLDERS.contains(&&**folder) => std::slice::from_ref(name),
        (None, parts) => &parts[parts.len().saturating_sub(2)..],
    };
    let name = if shown.is_empty() { row.kind().to_owned() } else { shown.join("/") };
    match row.variant() {
        Some(variant) => format!("{name}[{variant}]"),
        None => name,
    }
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
    path.components().filter_map(normal).collect::<Vec<_>>().join(".")
}

fn normal(part: Component<'_>) -> Option<Cow<'_, str>> {
    match part {
        Component::Normal(part) => Some(part.to_string_lossy()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{fold, queued, run_started};
    use super::super::tasks::tasks as tasks_of;
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

    /// Tasks by id ("" for none), uri and what they were given.
    fn task_names(tasks: &[(&str, &str, &str)]) -> Vec<String> {
        let kinds = (1..).zip(tasks).map(|(number, (id, uri, given))| {
            let id = if id.is_empty() { format!("Task-{number}") } else { (*id).to_owned() };
            let mut task = queued(number, &id, 0);
            if let EventKind::TaskQueued(task) = &mut task {
                (*uri).clone_into(&mut task.uri);
                task.variant = Some(*given).filter(|given| !given.is_empty()).map(str::to_owned);
            }
            task
        });
        let mut started = run_started();
        if let EventKind::RunStarted(header) = &mut started {
            header.file = "/j/nightly.lua".to_owned();
        }
        let summary = fold(std::iter::once(started).chain(kinds).collect());
        let names = TaskNames::of(&summary);
        tasks_of(&summary).map(|row| names.get(row).to_owned()).collect()
    }

    #[test]
    fn a_task_that_nobody_named_is_called_by_what_it_is() {
        let later = [
            ("", "/j/ping.lua", ""),
            ("", "/j/ping.lua", "host=a"),
            ("", "/j/ping.lua", "host=b"),
            ("soak", "/j/x.lua", ""),
            ("", "/bin/true", ""),
            ("", "/usr/bin/true", "-v"),
            ("", "/j/a/ping.lua", ""),
            ("", "/j/ping.sh", ""),
            ("", "/opt/lab/tests/ping.lua", ""),
            ("", "", ""),
        ];
        let known = task_names(&later);
        let expected = [
            "ping",
            "ping[host=a]",
            "ping[host=b]",
            "soak",
            "true",
            "true[-v]",
            "a/ping",
            "ping.sh",
            "tests/ping",
            "lua",
        ];
        assert_eq!(known, expected);
        // One before them changes none of their names: another kind of task, a file of the same name, and the same with
        // something else given.
        for before in [
            ("", "/bin/false", ""),
            ("first", "/j/ping.lua", ""),
            ("", "/j/new.lua", ""),
            ("", "/j/ping.lua", "host=c"),
            ("", "/j/b/ping.lua", ""),
            ("", "/j/ping.py", ""),
        ] {
            let all: Vec<_> = std::iter::once(before).chain(later).collect();
            assert_eq!(task_names(&all)[1..], known, "{before:?}");
        }
        // Nothing tells these apart but their order.
        assert_eq!(task_names(&[("", "/j/a.lua", "x=1"), ("", "/j/a.lua", "x=1")]), ["a[x=1]", "a[x=1]-2"]);
        // What somebody named keeps its name.
        let named = [("", "/j/ping.lua", ""), ("ping", "x.lua", ""), ("ping-2", "y.lua", "")];
        assert_eq!(task_names(&named), ["ping-3", "ping", "ping-2"]);
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
