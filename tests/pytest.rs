//! The tests of pytest: collected by pytest itself, one test an item, those of a file in one process.
#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Project, pytest_programs, until};

/// Items of every way to end.
const WAYS: &str = r#"
import sys, unittest
import pytest

@pytest.fixture
def bad():
    raise ValueError("no fixture")

@pytest.fixture
def late():
    yield
    raise RuntimeError("late")

def test_ok(shared):
    print("to out")
    print("to err", file=sys.stderr)

def test_fail():
    assert 1 == 2, "why"

@pytest.mark.slow
@pytest.mark.issue("17")
@pytest.mark.parametrize("a,b", [(1, "x"), (2, "a::b[c]")])
def test_param(a, b):
    pass

def test_setup(bad):
    pass

def test_teardown(late):
    pass

@pytest.mark.skip(reason="not now")
def test_skip():
    pass

@pytest.mark.xfail(reason="a bug")
def test_xfail():
    assert 0

@pytest.mark.xfail(reason="a bug")
def test_xpass():
    pass

@pytest.mark.xfail(strict=True, reason="a bug")
def test_strict():
    pass

class TestIt:
    def test_inner(self):
        pytest.skip("inside")

class Unit(unittest.TestCase):
    def test_unit(self):
        self.assertEqual(1, 2)
"#;

/// A fixture of a folder, which counts how often it is set up in a process.
const CONFTEST: &str = "import os, pytest\n@pytest.fixture(scope='session')\ndef shared():\n    \
                        open('set-up', 'a').write(str(os.getpid()) + '\\n')\n";

/// Returns a path that begins with the folder of a `python3` that has pytest.
fn path(programs: &Path) -> OsString {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths([programs.to_owned()].into_iter().chain(std::env::split_paths(&rest))).unwrap()
}

fn project() -> Option<Project> {
    let programs = pytest_programs()?;
    Some(Project::new().env("PATH", path(&programs)).env("PYTHONDONTWRITEBYTECODE", "1"))
}

fn tests(project: &Project) -> Vec<Value> {
    let results = std::fs::read_to_string(project.home().join("latest/results.json")).unwrap();
    let results: Value = serde_json::from_str(&results).unwrap();
    results["tests"].as_array().unwrap().clone()
}

/// Returns how each test ended: `name STATUS reason`.
fn ends(project: &Project) -> Vec<String> {
    let text = |test: &Value, key: &str| test[key].as_str().unwrap().replace("<unknown>", "").trim().to_owned();
    let line = |test: &Value| {
        let line = [text(test, "name"), text(test, "status"), text(test, "fail_reason")].join(" ");
        line.trim_end().to_owned()
    };
    tests(project).iter().map(line).collect()
}

#[test]
fn items_are_listed_as_pytest_collects_them_and_none_is_run() {
    let Some(project) = project() else { return };
    let project = project
        .file("tests/test_ways.py", WAYS)
        .file("tests/conftest.py", CONFTEST)
        .file("tests/test_broken.py", "import nowhere_to_be_found\n")
        .file("tests/helper.py", "def test_of_a_helper(): pass\n")
        .file("tests/test_unit.py", "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): pass\n");
    let listed = project.run(&["list", "tests"]);
    let lines: Vec<String> = listed
        .code(0)
        .out()
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        lines,
        [
            "pytest tests/test_broken.py pytest",
            "python-unittest tests/test_unit.py:T.test_a python-unittest",
            "pytest tests/test_ways.py::test_ok pytest",
            "pytest tests/test_ways.py::test_fail pytest",
            "pytest tests/test_ways.py::test_param[1-x] pytest issue:17,slow",
            "pytest tests/test_ways.py::test_param[2-a::b[c]] pytest issue:17,slow",
            "pytest tests/test_ways.py::test_setup pytest",
            "pytest tests/test_ways.py::test_teardown pytest",
            "pytest tests/test_ways.py::test_skip pytest skip",
            "pytest tests/test_ways.py::test_xfail pytest xfail",
            "pytest tests/test_ways.py::test_xpass pytest xfail",
            "pytest tests/test_ways.py::test_strict pytest xfail",
            "pytest tests/test_ways.py::TestIt::test_inner pytest",
            "pytest tests/test_ways.py::Unit::test_unit pytest",
        ]
    );
    assert!(!project.path("set-up").exists());
    let count = |args: &[&str]| project.run(&[&["list"], args].concat()).out().lines().count().saturating_sub(1);
    assert_eq!(count(&["tests", "-t", "slow"]), 2);
    assert_eq!(count(&["tests", "-t", "issue:17"]), 2);
    assert_eq!(count(&["tests/test_ways.py::test_param"]), 2);
    assert_eq!(count(&["tests/test_ways.py::test_param[1-x]"]), 1);
    assert_eq!(count(&["tests/test_ways.py::TestIt"]), 1);
    assert_eq!(count(&["tests/test_ways.py:^test_x"]), 2);
    // A file that is named is looked at whatever its name is.
    assert_eq!(count(&["tests/helper.py"]), 1);
    project.run(&["list", "tests/test_ways.py::test_none"]).code(2).stderr_has("no test of it matches");
}

#[test]
fn every_way_to_end_is_told_with_its_reason() {
    let Some(project) = project() else { return };
    let project = project
        .file("test_ways.py", WAYS)
        .file("conftest.py", CONFTEST)
        .file("test_broken.py", "import nowhere_to_be_found\n")
        .file("test_left.py", "import pytest\npytest.skip('not here', allow_module_level=True)\ndef test_a(): pass\n");
    let expected = [
        "test_broken.py ERROR it cannot be collected: ModuleNotFoundError: No module named 'nowhere_to_be_found'",
        "test_left.py SKIP not here",
        "test_ways.py::test_ok PASS",
        "test_ways.py::test_fail FAIL AssertionError: why",
        "test_ways.py::test_param[1-x] PASS",
        "test_ways.py::test_param[2-a::b[c]] PASS",
        "test_ways.py::test_setup ERROR error at setup: ValueError: no fixture",
        "test_ways.py::test_teardown ERROR error at teardown: RuntimeError: late",
        "test_ways.py::test_skip SKIP not now",
        "test_ways.py::test_xfail PASS failed as expected: a bug",
        "test_ways.py::test_xpass WARN passed, although it was expected to fail: a bug",
        "test_ways.py::test_strict FAIL passed, although it was expected to fail: a bug",
        "test_ways.py::TestIt::test_inner SKIP inside",
        "test_ways.py::Unit::test_unit FAIL AssertionError: 1 != 2",
    ];
    for more in [&["-j2"][..], &["-j1"], &["--isolate"]] {
        let ended = project.run(&[&["test", ".", "--disable-sysinfo"], more].concat());
        ended.code(1);
        assert_eq!(ends(&project), expected, "{more:?}");
    }
    // What an item wrote is its own, and JUnit names it as pytest does.
    let run = project.home().join("latest");
    let xml = std::fs::read_to_string(run.join("results.xml")).unwrap();
    for part in [
        "name=\"test_param[2-a::b[c]]\" classname=\"test_ways\"",
        "name=\"test_inner\" classname=\"test_ways.TestIt\"",
        "<failure message=\"AssertionError: why\"",
    ] {
        assert!(xml.contains(part), "{part} is not in\n{xml}");
    }
    project.run(&["test", "test_ways.py", "--disable-sysinfo", "-qq"]);
    let folder = run.join("test-results/01-test_ways.py__test_ok");
    assert_eq!(std::fs::read_to_string(folder.join("stdout")).unwrap(), "to out\n");
    assert_eq!(std::fs::read_to_string(folder.join("stderr")).unwrap(), "to err\n");
    assert!(
        std::fs::read_to_string(run.join("test-results/02-test_ways.py__test_fail/debug.log")).unwrap().contains("why")
    );
}

#[test]
fn items_share_a_process_unless_asked_otherwise() {
    let Some(project) = project() else { return };
    let file = "import os\ndef note(): open('pids', 'a').write(str(os.getpid()) + '\\n')\n\
                def test_a(shared): note()\ndef test_b(shared): note()\ndef test_c(shared): note()\n";
    let project = project.file("conftest.py", CONFTEST).file("test_one.py", file).file("test_two.py", file);
    let pids = |args: &[&str]| {
        for name in ["pids", "set-up"] {
            let _ = std::fs::remove_file(project.path(name));
        }
        project.run(&[&["test", ".", "--disable-sysinfo", "-qq"], args].concat()).code(0);
        let distinct = |name: &str| {
            let text = project.read(name);
            let pids: Vec<&str> = text.lines().collect();
            let distinct: std::collections::HashSet<&str> = pids.iter().copied().collect();
            (pids.len(), distinct.len())
        };
        (distinct("pids"), distinct("set-up"))
    };
    assert_eq!(pids(&["-j1"]), ((6, 1), (1, 1)));
    assert_eq!(pids(&["-j2"]), ((6, 2), (2, 2)));
    assert_eq!(pids(&["--isolate"]), ((6, 6), (6, 6)));
    // The same item again is run by another process.
    assert_eq!(pids(&["-j1", "--repeat=2"]), ((12, 2), (2, 2)));
}

#[test]
fn an_item_that_ends_its_process_ends_no_other() {
    let Some(project) = project() else { return };
    let file = "import os, time\ndef test_a(): pass\ndef test_kill(): os.kill(os.getpid(), 9)\ndef test_b(): pass\n\
                def test_hang(): time.sleep(1000)\ndef test_exit(): os._exit(0)\ndef test_c(): pass\n";
    let project = project.file("test_bad.py", file);
    project.run(&["test", "test_bad.py", "--disable-sysinfo", "--timeout=2", "-qq"]).code(1);
    assert_eq!(
        ends(&project),
        [
            "test_bad.py::test_a PASS",
            "test_bad.py::test_kill ERROR its process ended with killed by SIGKILL (signal 9) while it ran",
            "test_bad.py::test_b PASS",
            "test_bad.py::test_hang INTERRUPTED exceeded its max_runtime of 2 s and was ended",
            "test_bad.py::test_exit ERROR its process ended with exit code 0 while it ran",
            "test_bad.py::test_c PASS",
        ]
    );
}

#[test]
fn enough_failures_let_no_other_item_start() {
    let Some(project) = project() else { return };
    let project = project.file("test_a.py", "def test_a(): pass\ndef test_b(): assert 0\ndef test_c(): pass\n");
    project.run(&["test", "test_a.py", "--disable-sysinfo", "--failfast", "-qq"]).code(1);
    assert_eq!(
        ends(&project),
        [
            "test_a.py::test_a PASS",
            "test_a.py::test_b FAIL assert 0",
            "test_a.py::test_c SKIP not run: a test had not passed",
        ]
        .map(|line| line.replace("FAIL assert", "FAIL AssertionError: assert"))
    );
}

#[test]
fn a_run_that_is_interrupted_tells_of_every_item_and_leaves_nothing() {
    let Some(project) = project() else { return };
    let file = "import time\ndef test_a(): pass\ndef test_b():\n    open('ready', 'w')\n    time.sleep(1000)\ndef test_c(): pass\n";
    let project = project.file("test_a.py", file);
    let running = project.start(&["test", "test_a.py", "--disable-sysinfo"]);
    until("the item to begin", Duration::from_mins(1), || project.path("ready").exists().then_some(()));
    running.signal(Signal::INT);
    let ended = running.wait();
    ended.code(130);
    let ends = ends(&project);
    assert_eq!(ends[0], "test_a.py::test_a PASS");
    assert!(ends[1].starts_with("test_a.py::test_b INTERRUPTED the run was interrupted by SIGINT"), "{ends:?}");
    assert!(ends[2].starts_with("test_a.py::test_c SKIP did not start"), "{ends:?}");
}

#[test]
fn the_runner_runs_one_item_for_whoever_asks() {
    let Some(project) = project() else { return };
    let project = project.file("test_a.py", "import pytest\ndef test_a(): print('out')\ndef test_b(): assert 1 == 3\n");
    let run = |uri: &str| project.run(&["runner", "runnable-run", "-k", "pytest", "-u", uri]);
    run("test_a.py::test_a").code(0).stdout_has("\"result\": \"pass\"");
    run("test_a.py::test_b").stdout_has("\"result\": \"fail\"").stdout_has("assert 1 == 3");
    run("test_a.py::test_none").stdout_has("\"result\": \"error\"").stdout_has("pytest finds no such test");
    run("test_none.py::test_none").stdout_has("\"result\": \"error\"");
}

#[test]
fn the_runner_hands_on_arguments_of_any_bytes() {
    let Some(project) = project() else { return };
    let code = "import os\ndef test_a(request):\n    name = request.config.getini('junit_suite_name')\n    \
                assert os.fsencode(name) == b'\\xff'\n";
    let recipe = r#"{ "kind": "pytest", "uri": "test_a.py::test_a",
        "args": ["-o", { "__base64_encoded__": "anVuaXRfc3VpdGVfbmFtZT3/" }] }"#;
    let project = project.file("test_a.py", code).file("recipe.json", recipe);
    let ended = project.run(&["runner", "runnable-run-recipe", "recipe.json"]);
    ended.code(0).stdout_has("\"result\": \"pass\"");
}

#[test]
fn without_pytest_the_interpreter_that_was_tried_is_named() {
    // An interpreter of its own, which finds nothing that is installed.
    let python = "#!/bin/sh\nexec /usr/bin/env -i PATH=/usr/bin:/bin python3 -I -S \"$@\"\n";
    let project = Project::new()
        .executable("bin/python3", python)
        .file("tests/test_a.py", "def test_a(): pass\n")
        .file("tests/plain.t", "#!/bin/sh\necho 1..1\necho ok 1\n");
    let path = std::env::join_paths([project.path("bin"), "/usr/bin".into(), "/bin".into()]).unwrap();
    let project = project.env("PATH", path);
    let ended = project.run(&["test", "tests"]);
    ended
        .code(2)
        .stderr_has("pytest cannot be asked for its tests: /")
        .stderr_has("which is python3 here, has no pytest");
    ended.stderr_has("-m pip install pytest");
}

#[test]
fn a_thousand_small_items_take_no_more_processes_than_there_are_files() {
    let Some(programs) = pytest_programs() else { return };
    let mut project = Project::new().env("PATH", path(&programs)).file(
        "suite/conftest.py",
        "import os, pytest\n\n@pytest.fixture(autouse=True)\ndef note():\n    with open(os.environ['PIDS'], 'a') as pids:\n        \
         print(os.getpid(), file=pids)\n",
    );
    for file in 0..20 {
        let tests: String = (0..50)
            .flat_map(|n| ["def test_".to_owned(), n.to_string(), format!("():\n    assert {n} + 1 == {}\n\n", n + 1)])
            .collect();
        project = project.file(format!("suite/test_{file}.py"), tests);
    }
    let pids = project.path("pids");
    let mut command = project.rille(&["test", "suite", "-j2", "--disable-sysinfo", "-qq"]);
    command.env("PIDS", &pids);
    project.start_command(command).wait().code(0);
    assert_eq!(tests(&project).len(), 1000);
    // How fast that is beside pytest-xdist is measured by `cargo bench -- pytest`.
    let pids = fs::read_to_string(pids).unwrap();
    assert_eq!(pids.lines().count(), 1000);
    let processes = pids.lines().collect::<std::collections::BTreeSet<_>>().len();
    assert!((2..=20).contains(&processes), "{processes} processes");
}
