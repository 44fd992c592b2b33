//! The one list of tests that all reports have: their names, their counts, and what prepares them.

use serde_json::json;

use super::{listed, reason};
use crate::harness::{Project, Run};

/// Returns `classname name` of every testcase of a JUnit file.
fn cases(run: &Run) -> Vec<String> {
    let xml = run.text("results.xml");
    let value = |line: &str, key: &str| {
        let rest = line.split_once(&format!("{key}=\"")).map(|(_, rest)| rest).unwrap_or_default();
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    let lines = xml.lines().filter(|line| line.trim_start().starts_with("<testcase "));
    lines.map(|line| format!("{} {}", value(line, " classname"), value(line, " name"))).collect()
}

/// Returns how many tests each report counts: `results.json`, JUnit, TAP.
fn counts(run: &Run) -> [u64; 3] {
    let number = |text: &str| {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_else(|_| panic!("no number begins {text}"))
    };
    let xml = run.text("results.xml");
    let tap = run.text("results.tap");
    let after = |text: &str, mark: &str| number(text.split_once(mark).unwrap_or_else(|| panic!("no {mark}")).1);
    [run.results()["total"].as_u64().unwrap_or_default(), after(&xml, " tests=\""), after(&tap, "\n1..")]
}

#[test]
fn names_stay_when_a_test_is_put_in_front() {
    let python = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): pass\n";
    let project = Project::new()
        .file("tests/test_x.py", python)
        .executable("tests/net/ping.sh", "#!/bin/sh\n")
        .file("lists/all.json", json!([{ "kind": "noop", "identifier": "n" }]).to_string());
    let named = |references: &[&str]| {
        project.run(&[&["test", "--disable-sysinfo", "-qq"], references].concat()).code(0);
        let runs = project.runs();
        cases(runs.last().unwrap())
    };
    let all = ["tests/test_x.py", "./tests/net/ping.sh", "lists/all.json"];
    let expected = ["tests.test_x.T test_a", "tests.net.ping ./tests/net/ping.sh", "lists.all n"];
    assert_eq!(named(&all), expected);
    let more: Vec<&str> = std::iter::repeat_n("/bin/true", 9).chain(all).collect();
    assert_eq!(named(&more)[9..], expected);
    let tap = project.runs().last().unwrap().text("results.tap");
    assert!(tap.contains("\nok 10 - tests/test_x.py:T.test_a\n"), "{tap}");
}

#[test]
fn what_prepares_tests_is_apart_in_each_report() {
    let needs = |uri: &str| json!([{ "type": "exec-test", "uri": uri, "name": "prep" }]);
    let project = listed(&[
        json!({"kind": "noop", "identifier": "good", "dependencies": needs("/bin/true")}),
        json!({"kind": "noop", "identifier": "bad", "dependencies": needs("/bin/false")}),
    ]);
    let ended = project.run(&["test", "list.json", "--disable-sysinfo"]);
    ended.code(1).stderr_has("2 tasks: 1 passed, 1 blocked; 2 preparations: 1 passed, 1 failed");
    let run = project.the_run();
    assert_eq!(counts(&run), [2, 2, 2]);
    // One that failed is an error of the run all the same.
    let xml = run.text("results.xml");
    assert!(xml.contains("<testsuite name=\"test preparations\"") && xml.contains("errors=\"1\""), "{xml}");
    let tap = run.text("results.tap");
    assert!(tap.contains("# preparation 1-1-exec-test-prep passed\n"), "{tap}");
    assert!(tap.contains("# preparation 2-2-exec-test-prep failed: exit code 1\n"), "{tap}");
}

#[test]
fn the_reason_of_a_unittest_is_its_exception_line() {
    let python = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.fail('first\\nlast')\n\
                  \x20   def test_b(self): raise ValueError('boom\\nmore')\n\
                  \x20   def test_c(self):\n        with self.subTest(n=1): self.assertEqual([1], [2])\n";
    let project = Project::new().file("test_x.py", python);
    project.run(&["test", "test_x.py", "--disable-sysinfo", "-qq"]).code(1);
    let run = project.the_run();
    let of = |number: u32, name: &str| reason(&run, &format!("{number}-test_x.py:T.{name}"));
    assert_eq!(of(1, "test_a"), "AssertionError: first");
    assert_eq!(of(2, "test_b"), "ValueError: boom");
    assert_eq!(of(3, "test_c"), "AssertionError: Lists differ: [1] != [2]");
}

#[test]
fn what_a_look_at_unittests_does_not_see_is_said() {
    let python = "import unittest\nclass T(unittest.TestCase):\n    def runTest(self): pass\n\
                  class U(unittest.TestCase): pass\nsetattr(U, 'test_made', lambda self: None)\n\
                  def load_tests(loader, tests, pattern): return tests\n";
    let project = Project::new().file("check.py", python);
    let ended = project.run(&["test", "check.py", "--disable-sysinfo", "-qq"]);
    ended.code(0).stderr_has("WARNING: check.py: it has setattr in line 5, load_tests in line 6, which was not run");
    assert_eq!(project.the_run().results()["tests"][0]["name"], "check.py:T.runTest");
}
