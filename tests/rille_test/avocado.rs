//! Avocado's own runners under `rille test`.

use serde_json::{Value, json};

use super::{ends, reason};
use crate::harness::{Project, avocado_programs};

const INSTRUMENTED: &str = "\
from avocado import Test

class T(Test):
    def test_good(self):
        self.log.info('a line for the log')
        print('a line for stdout')
        self.whiteboard = 'kept here'

    def test_bad(self):
        self.fail('not so')

    def test_cancel(self):
        self.cancel('no need')

    def test_broken(self):
        raise ValueError('broken')

    def test_parameter(self):
        self.assertEqual(self.params.get('depth', default='none'), 'none')
";

#[test]
fn instrumented_tests_run_by_their_own_runner() {
    let Some(programs) = avocado_programs() else { return };
    let path = std::env::var("PATH").unwrap_or_default();
    let recipe = |name: &str| {
        json!({"kind": "avocado-instrumented", "uri": format!("t.py:T.{name}"), "identifier": name,
               "config": {"run.test_parameters": []}})
    };
    let recipes = ["test_good", "test_bad", "test_cancel", "test_broken", "test_parameter"].map(recipe);
    let project = Project::new()
        .env("PATH", format!("{}:{path}", programs.display()))
        .file("t.py", INSTRUMENTED)
        .file("list.json", json!(recipes).to_string());
    project.run(&["test", "list.json"]).code(1);
    let run = project.the_run();
    assert_eq!(
        ends(&run),
        "1-test_good=PASS 2-test_bad=FAIL 3-test_cancel=CANCEL 4-test_broken=ERROR 5-test_parameter=PASS"
    );
    assert_eq!(reason(&run, "2-test_bad"), "not so");
    assert_eq!(reason(&run, "3-test_cancel"), "no need");
    assert_eq!(reason(&run, "4-test_broken"), "broken");
    let file = |name: &str| run.text(format!("test-results/1-test_good/{name}"));
    assert!(file("debug.log").contains("a line for the log"), "{}", file("debug.log"));
    assert!(file("stdout").contains("a line for stdout"), "{}", file("stdout"));
    assert_eq!(
        (file("whiteboard").as_str(), &run.results()["tests"][0]["whiteboard"]),
        ("kept here", &json!("kept here"))
    );
}

#[test]
fn its_other_runners_have_their_outcomes_too() {
    let Some(programs) = avocado_programs() else { return };
    let path = std::env::var("PATH").unwrap_or_default();
    let recipe = |kind: &str, name: &str, mut fields: Value| {
        let runner = programs.join(format!("avocado-runner-{kind}"));
        fields["kind"] = json!(kind);
        fields["identifier"] = json!(name);
        fields["config"] = json!({"rille.runner": runner});
        fields
    };
    let recipes = [
        recipe("noop", "noop", json!({})),
        recipe("exec-test", "true", json!({"uri": "/bin/true"})),
        recipe("exec-test", "talks", json!({"uri": "/bin/sh", "args": ["-c", "echo out; echo err >&2; exit 3"]})),
        recipe("tap", "tap", json!({"uri": "./bad.t"})),
        recipe("python-unittest", "unittest", json!({"uri": "test_it.py:T.test_it"})),
        recipe("sysinfo", "sysinfo", json!({"uri": "pre", "kwargs": {"sysinfo": {"commands": ["uname -a"]}}})),
    ];
    let project = Project::new()
        .env("PATH", format!("{}:{path}", programs.display()))
        .executable("bad.t", "#!/bin/sh\nprintf '1..1\\nnot ok 1 - broken\\n'\n")
        .file("test_it.py", "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        pass\n")
        .file("list.json", json!(recipes).to_string());
    project.run(&["test", "list.json"]).code(1);
    let run = project.the_run();
    assert_eq!(ends(&run), "1-noop=PASS 2-true=PASS 3-talks=FAIL 4-tap=FAIL 5-unittest=PASS 6-sysinfo=PASS");
    assert_eq!(reason(&run, "3-talks"), "exit code 3: err");
    let file = |name: &str| run.text(format!("test-results/3-talks/{name}"));
    assert_eq!((file("stdout").as_str(), file("stderr").as_str()), ("out\n", "err\n"));
    assert!(run.text("test-results/6-sysinfo/sysinfo/pre/uname -a").contains("Linux"));
}
