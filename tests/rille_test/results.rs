//! What tests of each kind come to, and the folder of results.
#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::{counts, ends, listed, names, reason, sh};
use crate::harness::{Project, avocado_programs, needs};

#[test]
fn every_kind_has_its_outcomes() {
    let project = listed(&[
        json!({"kind": "noop", "identifier": "noop"}),
        json!({"kind": "dry-run", "identifier": "dry"}),
        sh("bad", "exit 3"),
        sh("killed", "kill -9 $$"),
        json!({"kind": "exec-test", "uri": "/bin/sh", "args": ["-c", "exit 2"], "identifier": "skips",
               "config": {"runner.exectest.exitcodes.skip": [2]}}),
        json!({"kind": "exec-test", "uri": "./missing", "identifier": "missing"}),
        json!({"kind": "nobody-runs-it", "identifier": "unknown"}),
        json!({"kind": "lua", "uri": "good.lua", "identifier": "lua"}),
        json!({"kind": "lua", "uri": "bad.lua", "identifier": "lua-bad"}),
    ])
    .file("good.lua", "print('from Lua')\n")
    .file("bad.lua", "assert(1 == 2, 'not so')\n")
    .file("script.lua", "local ts = require 'rille.testscript'\nts.testcase('Tc'):test('t', function() end)\n")
    .executable("good.t", "#!/bin/sh\nprintf '1..2\\nok 1\\nok 2\\n'\n")
    .executable("bad.t", "#!/bin/sh\nprintf '1..2\\nok 1\\nnot ok 2 - broken\\n'\n")
    .executable("none.t", "#!/bin/sh\nprintf '1..0 # SKIP not here\\n'\n");
    project.run(&["test", "list.json", "good.t", "bad.t", "none.t", "script.lua", "/bin/true"]).code(1);
    let run = project.the_run();
    assert_eq!(
        ends(&run),
        "01-noop=PASS 02-dry=CANCEL 03-bad=FAIL 04-killed=ERROR 05-skips=SKIP 06-missing=ERROR 07-unknown=ERROR \
         08-lua=PASS 09-lua-bad=FAIL 10-good.t=PASS 11-bad.t=FAIL 12-none.t=SKIP 13-script.lua=PASS 14-/bin/true=PASS"
    );
    assert_eq!(counts(&run), "total 14, pass 5, failures 3, errors 3, skip 2, cancel 1");
    for (id, why) in [
        ("01-noop", "<unknown>"),
        ("03-bad", "exit code 3"),
        ("09-lua-bad", "not so"),
        ("11-bad.t", "test 2 (broken) failed"),
        ("12-none.t", "not here"),
    ] {
        assert!(reason(&run, id).contains(why), "{id}: {}", reason(&run, id));
    }
    assert!(reason(&run, "07-unknown").contains("nobody-runs-it"), "{}", reason(&run, "07-unknown"));
    assert_eq!(run.text("test-results/08-lua/stdout"), "from Lua\n");
}

#[test]
fn each_test_of_python_is_a_test() {
    if !needs("python3") {
        return;
    }
    let project = Project::new().file(
        "test_it.py",
        "import unittest\nclass T(unittest.TestCase):\n    def test_good(self):\n        print('said')\n    def \
         test_bad(self):\n        self.fail('not so')\n    def test_skip(self):\n        self.skipTest('not here')\n    \
         def test_broken(self):\n        raise ValueError('broken')\n",
    );
    project.run(&["test", "test_it.py"]).code(1);
    let run = project.the_run();
    assert_eq!(
        ends(&run),
        "1-test_it.py:T.test_good=PASS 2-test_it.py:T.test_bad=FAIL 3-test_it.py:T.test_skip=SKIP \
         4-test_it.py:T.test_broken=ERROR"
    );
    assert_eq!(reason(&run, "3-test_it.py:T.test_skip"), "not here");
    assert!(run.text("test-results/1-test_it.py_T.test_good/stdout").contains("said"));
}

#[test]
fn what_a_test_leaves_is_in_its_folder() {
    let project = listed(&[
        sh("talks", "echo out; echo err >&2; echo board > \"$AVOCADO_TEST_OUTPUTDIR/whiteboard\"; exit 3"),
        json!({"kind": "nobody-runs-it", "identifier": "nobody"}),
        sh("says nothing", "true"),
    ]);
    project.run(&["test", "list.json"]).code(1);
    let run = project.the_run();
    assert_eq!(ends(&run), "1-talks=FAIL 2-nobody=ERROR 3-says nothing=PASS");
    let file = |name: &str| run.text(format!("test-results/1-talks/{name}"));
    assert_eq!(
        (file("stdout"), file("stderr"), file("whiteboard")),
        ("out\n".into(), "err\n".into(), "board\n".into())
    );
    assert_eq!(names(&run, "test-results/3-says nothing"), ["debug.log", "stderr", "stdout"]);
    assert!(file("debug.log").contains("out") && file("debug.log").contains("err"), "{}", file("debug.log"));
    let tests = run.results();
    let test = &tests["tests"][0];
    assert_eq!((&test["whiteboard"], &tests["tests"][2]["whiteboard"]), (&json!("board\n"), &json!("<unknown>")));
    assert_eq!(test["logfile"], json!(run.path().join("test-results/1-talks/debug.log")));
    assert_eq!(test["logdir"], json!(run.path().join("test-results/1-talks")));
    // Links by how they ended, and to this run.
    assert_eq!(names(&run, "test-results/by-status"), ["ERROR", "FAIL", "PASS"]);
    assert_eq!(run.text("test-results/by-status/FAIL/1-talks/stdout"), "out\n");
    let latest = fs::canonicalize(project.home().join("latest")).unwrap();
    assert_eq!(latest, fs::canonicalize(run.path()).unwrap());
    let xml = run.text("results.xml");
    assert_eq!(junit_counts(&xml), ("3".to_owned(), "1".to_owned(), "1".to_owned()), "{xml}");
    assert!(xml.contains("exit code 3"), "{xml}");
    let tap = run.text("results.tap");
    assert!(tap.starts_with("TAP version 14\n1..3\nnot ok 1 - talks\n") && tap.contains("\nok 3 - "), "{tap}");
    // The next run is the latest then.
    project.run(&["test", "/bin/true"]).code(0);
    let latest = fs::canonicalize(project.home().join("latest")).unwrap();
    assert_eq!(latest, fs::canonicalize(project.runs()[1].path()).unwrap());
}

/// Returns how many tests, failures and errors the root of a JUnit file tells.
fn junit_counts(xml: &str) -> (String, String, String) {
    let root = xml.lines().find(|line| line.starts_with("<testsuites ")).unwrap();
    let attribute = |name: &str| {
        let rest = root.split_once(&format!(" {name}=\"")).unwrap().1;
        rest.split('"').next().unwrap().to_owned()
    };
    (attribute("tests"), attribute("failures"), attribute("errors"))
}

/// Returns the keys of an object.
fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

/// The keys of `results.json` and of a test in it, as Avocado 113.0 has them.
const KEYS: [&str; 13] = [
    "cancel",
    "debuglog",
    "errors",
    "failures",
    "interrupt",
    "job_id",
    "pass",
    "skip",
    "start",
    "tests",
    "time",
    "total",
    "warn",
];
const TEST_KEYS: [&str; 13] = [
    "actual_time_end",
    "actual_time_start",
    "fail_reason",
    "id",
    "logdir",
    "logfile",
    "name",
    "status",
    "tags",
    "time_elapsed",
    "time_end",
    "time_start",
    "whiteboard",
];

#[test]
fn results_have_the_keys_of_avocado() {
    let project = listed(&[json!({"kind": "exec-test", "uri": "/bin/true", "identifier": "a"}), sh("b", "false")]);
    project.run(&["test", "list.json"]).code(1);
    let results = project.the_run().results();
    assert_eq!(keys(&results), KEYS.map(str::to_owned).into());
    for test in results["tests"].as_array().unwrap() {
        assert_eq!(keys(test), TEST_KEYS.map(str::to_owned).into());
        assert!(test["time_elapsed"].as_f64().unwrap() >= 0.0);
        assert!(test["time_end"].as_f64().unwrap() >= test["time_start"].as_f64().unwrap());
    }
    let tagged = json!({"kind": "noop", "tags": {"fast": null, "arch": ["x", "y"]}});
    let project = project.file("tagged.json", tagged.to_string());
    project.run(&["test", "tagged.json"]).code(0);
    let tags = &project.runs()[1].results()["tests"][0]["tags"];
    assert_eq!(tags, &json!({"fast": null, "arch": ["x", "y"]}));

    let Some(programs) = avocado_programs() else { return };
    let mut command = project.command(programs.join("avocado"));
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", programs.display()));
    command.args(["run", "--disable-sysinfo", "--job-results-dir"]).arg(project.path("theirs")).arg("list.json");
    project.start_command(command).wait().code(1);
    let theirs: Value = serde_json::from_str(&project.read("theirs/latest/results.json")).unwrap();
    assert_eq!(keys(&theirs), keys(&results));
    let by_name = |results: &Value, name: &str| {
        let tests = results["tests"].as_array().unwrap().iter();
        tests.clone().find(|test| test["id"].as_str().unwrap().contains(name)).unwrap().clone()
    };
    for name in ["-a", "-b"] {
        let (ours, theirs) = (by_name(&results, name), by_name(&theirs, name));
        assert_eq!(keys(&ours), keys(&theirs));
        assert_eq!(ours["status"], theirs["status"]);
        let kind = |value: &Value| std::mem::discriminant(value);
        for key in TEST_KEYS {
            assert_eq!(kind(&ours[key]), kind(&theirs[key]), "{key}: {} and {}", ours[key], theirs[key]);
        }
    }
    for key in ["total", "pass", "failures", "errors", "skip", "cancel", "warn", "interrupt"] {
        assert_eq!(results[key], theirs[key], "{key}");
    }
}

#[test]
fn the_machine_is_recorded_before_and_after() {
    let project = listed(&[sh("a", "true")]);
    project.run(&["test", "list.json"]).code(0);
    let run = project.the_run();
    for when in ["pre", "post"] {
        let found = names(&run, &format!("sysinfo/{when}"));
        for name in ["cpuinfo", "meminfo", "uptime", "uname -a"] {
            assert!(found.iter().any(|found| found == name), "{name} in {found:?}");
        }
        assert!(run.text(format!("sysinfo/{when}/uname -a")).contains("Linux"));
    }
    project.run(&["test", "list.json", "--disable-sysinfo"]).code(0);
    assert!(!project.runs()[1].has("sysinfo"));
}

#[test]
fn a_test_may_ask_for_an_environment_without_that_of_the_run() {
    let test = |name: &str, clear: Value| {
        json!({"kind": "exec-test", "uri": "env", "identifier": name, "kwargs": {"MINE": "1", "HOME": null},
               "config": {"runner.exectest.clear_env": clear}})
    };
    let tests = [test("none", Value::Null), test("system", json!("system")), test("all", json!("all"))];
    let project = listed(&[tests.as_slice(), &[test("odd", json!("some"))]].concat());
    let mut command = project.rille(&["test", "list.json", "--disable-sysinfo"]);
    command.env("OF_THE_RUN", "1");
    project.start_command(command).wait().code(1);
    let run = project.the_run();
    assert_eq!(ends(&run), "1-none=PASS 2-system=PASS 3-all=PASS 4-odd=ERROR");
    assert!(reason(&run, "4-odd").contains("clear_env is \"some\", and neither"), "{}", reason(&run, "4-odd"));
    for (folder, expected) in [("1-none", "1111"), ("2-system", "1101"), ("3-all", "1100")] {
        let stdout = run.text(format!("test-results/{folder}/stdout"));
        let has = |name: &str| stdout.lines().any(|line| line.starts_with(&format!("{name}=")));
        let found = ["MINE", "PATH", "OF_THE_RUN", "AVOCADO_VERSION"].map(|name| if has(name) { '1' } else { '0' });
        assert_eq!(found.iter().collect::<String>(), expected, "{folder}: {stdout}");
        assert!(!has("HOME"), "{folder}: {stdout}");
    }
}
