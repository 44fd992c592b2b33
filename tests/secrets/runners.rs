//! What runners and frameworks of tests bring of secrets, in whatever way, and whoever writes it into a file.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{LEAK, holds, nothing_in, nothing_leaks, project, unzip};
use crate::harness::{Ended, Project, needs, pytest_programs};

/// A runner of the kind `foo` that does what the parameter `code`, in Python, says.
const RUNNER: &str = include_str!("../status/runner.py");

/// What that runner says: all secrets in every kind of message, whole or in two.
const SAID: &str = r#"
started()
ALL = "".join(os.environ[name] + "\n" for name in os.environ["LEAK"].split())
ONE = os.environ["PGPASSWORD"]
def halves(say):
    for name in os.environ["LEAK"].split():
        value = os.environ[name].encode()
        for part in (value[:4], value[4:] + b"\n"):
            say(part)
for what in ("stdout", "output", "whiteboard", "log"):
    running(what, ALL.encode())
running("log", ALL.encode(), log_name="of-" + ONE, log_level=40, log_levelname="ERROR")
halves(lambda part: running("stdout", part))
halves(lambda part: running("whiteboard", part))
with open(OUT + "/stderr", "wb") as own:
    for part in ALL.splitlines(True):
        own.write(part.encode())
        running("stderr", part.encode(), log_only=True)
def word(part):
    sys.stderr.buffer.write(part)
    sys.stderr.buffer.flush()
    time.sleep(0.002)
halves(word)
running("file", ALL.encode(), path="sysinfo/pre/env")
running("file", ONE.encode(), path="model.bin")
"#;

/// What it says last, and how that ends.
const ENDS: [(&str, &str); 6] = [
    (
        "finished('fail', fail_reason='no ' + ALL, returncode=3, class_name=ONE, fail_class=ONE, traceback=ALL)",
        "no ***",
    ),
    ("finished('fail', fail_reason=(ONE + ' ') * 40)", "*** ***"),
    ("sys.stderr.write('x' * 290 + ONE); sys.exit(1)", "x***"),
    ("say(status=ONE)", ""),
    ("running(ONE, b'')", ""),
    ("say(status='running', type='log', log=b'x', id=ONE); line.recv(1)", ""),
];

#[test]
fn nothing_that_a_runner_sends_or_writes_holds_a_secret() {
    let path = std::env::var("PATH").unwrap_or_default();
    let job = |(number, (end, _)): (usize, (&str, &str))| {
        let code = [SAID, end].concat();
        format!(
            "job.run {{ taskid = 't{number}', testscript = {{ kind = 'foo', kwargs = {{ code = [==[{code}]==] }} }} }}"
        )
    };
    let jobs = (1..).zip(ENDS).map(job).collect::<Vec<_>>().join("\n");
    let project = project();
    let bin = project.path("bin").display().to_string();
    let project = project.env("PATH", format!("{bin}:{path}")).executable("bin/avocado-runner-foo", RUNNER).main(&jobs);
    let ended = project.job(&["-v", "--archive", "run.zip"]);
    ended.code(1);
    nothing_in(ended.out_bytes(), "the standard output");
    nothing_in(ended.err().as_bytes(), "the standard error");
    let run = project.the_run();
    nothing_leaks(run.path(), &["/model.bin"]);
    for (number, (end, reason)) in (1..).zip(ENDS) {
        let id = format!("t{number}");
        assert!(run.reason(&id).contains(reason), "{end}: {}", run.reason(&id));
        let file = |name: &str| run.text(format!("tasks/{number}-{id}/{name}"));
        for name in ["stdout", "stderr", "whiteboard", "sysinfo/pre/env"] {
            assert!(file(name).contains("***\n"), "{name} of {end}");
        }
        assert_eq!(file("model.bin"), "pg-pass-0001");
        let log = file("task.log");
        let warning = "the file \"model.bin\" that the runner sent holds the value of a secret variable, and is kept";
        assert!(log.contains(warning) && log.contains("of-*** ["), "{log}");
    }
    nothing_leaks(&unzip(&project, "run.zip"), &[]);
    project.run(&["runs", "export", "-y", "out"]).code(0);
    nothing_leaks(&project.path("out"), &["/model.bin"]);
    project.job(&["--keep-secrets"]).code(1);
    let run = project.runs().pop().unwrap();
    for name in ["stdout", "stderr", "whiteboard"] {
        assert!(holds(&run.bytes(format!("tasks/1-t1/{name}")), b"pg-pass-0001"), "{name}");
    }
}

#[track_caller]
fn ran_without_leak(project: &Project, ended: &Ended) -> Vec<Value> {
    ended.code(1);
    nothing_in(ended.out_bytes(), "the standard output");
    nothing_in(ended.err().as_bytes(), "the standard error");
    let run = project.the_run();
    nothing_leaks(run.path(), &[]);
    project.run(&["runs", "archive", "latest", "run.zip"]).code(0);
    nothing_leaks(&unzip(project, "run.zip"), &[]);
    run.results()["tests"].as_array().expect("a run of tests has a list of them").clone()
}

/// What a test of each kind writes by itself into what it is told of.
const TO_FILES: &str = "import os\nwith open(os.environ['AVOCADO_TEST_LOGFILE'], 'a') as log:\n    \
                        for name in os.environ['LEAK'].split():\n        log.write(os.environ[name] + '\\n')\n";

#[test]
fn no_kind_of_test_leaves_a_secret() {
    let python = |code: &str| json!({"kind": "exec-test", "uri": "python3", "args": ["-c", code]});
    let tap = "import os\nprint('1..1')\nprint('not ok 1 - ' + os.environ['PGPASSWORD'])\n\
               print('# ' + os.environ['SSHPASS'])\nprint('  ---\\n  message: ' + os.environ['PGPASSWORD'] + '\\n  ...')\n";
    let unittest = "import os, sys, unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        \
                    print(os.environ['SSHPASS'])\n        sys.stderr.write(os.environ['MYSQL_PWD'])\n        \
                    self.assertEqual(os.environ['PGPASSWORD'], 'other')\n";
    let recipes = json!([
        python(&format!("{LEAK}\n{TO_FILES}\nsys.exit(1)")),
        {"kind": "tap", "uri": "python3", "args": ["-c", tap]},
        {"kind": "python-unittest", "uri": "./test_it.py:T.test_it"},
        {"kind": "python-unittest", "uri": "./nothing.py:T.test_it"},
        python("import os\nos.kill(os.getpid(), 9)"),
    ]);
    let project = project().file("list.json", recipes.to_string()).file("test_it.py", unittest);
    let ended = project.run(&["test", "list.json"]);
    let tests = ran_without_leak(&project, &ended);
    let statuses: Vec<&str> = tests.iter().map(|test| test["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["FAIL", "FAIL", "FAIL", "ERROR", "ERROR"]);
    assert!(tests[1]["fail_reason"].as_str().unwrap().contains("***"), "{}", tests[1]);
    assert!(tests[2]["fail_reason"].as_str().unwrap().contains("***"), "{}", tests[2]);
    let log = project.the_run().text(format!("test-results/{}/debug.log", tests[0]["id"].as_str().unwrap()));
    assert!(log.contains("\n***\n***\n"), "what the test wrote into it is there, with masks: {log}");
    // The longest first: earlier runs know the tests by what is left of their names.
    project.run(&["test", "list.json", "--order", "longest"]).code(1);
}

const PYTEST: &str = "import os, pytest, sys\nNAMES = os.environ['LEAK'].split()\n\
                      @pytest.mark.parametrize('word', [os.environ['PGPASSWORD'], os.environ['GH_PAT']])\n\
                      def test_bad(word):\n    for name in NAMES:\n        print(os.environ[name])\n        \
                      sys.stderr.write(os.environ[name])\n    assert word == 'other ' + os.environ['SIX_PASSWORD']\n\
                      def test_skip():\n    pytest.skip('not ' + os.environ['SSHPASS'])\n\
                      def test_error():\n    raise ValueError(os.environ['PASSPHRASE'])\n";

#[test]
fn no_item_of_pytest_leaves_a_secret() {
    let Some(programs) = pytest_programs() else { return };
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let path = |programs: &Path| -> OsString {
        std::env::join_paths([programs.to_owned()].into_iter().chain(std::env::split_paths(&rest))).unwrap()
    };
    let project = project().env("PATH", path(&programs)).env("PYTHONDONTWRITEBYTECODE", "1");
    let project = project.file("test_words.py", PYTEST);
    for way in [&[][..], &["--isolate"]] {
        let ended = project.run(&[&["test", "test_words.py"][..], way].concat());
        ended.code(1);
        nothing_in(ended.out_bytes(), "the standard output");
        nothing_in(ended.err().as_bytes(), "the standard error");
        let run = project.runs().pop().unwrap();
        // What the tests are is kept, so that they can be run again.
        nothing_leaks(run.path(), &["jobdata/suite.json", "jobdata/args.json", "/tests.json"]);
        let tests = run.results()["tests"].as_array().unwrap().clone();
        assert_eq!(tests.len(), 4, "{tests:?}");
        let folder = Path::new(tests[0]["logdir"].as_str().unwrap());
        for name in ["stdout", "debug.log"] {
            assert!(fs::read_to_string(folder.join(name)).unwrap().contains("***"), "{name} {way:?}");
        }
    }
}

#[test]
fn an_instrumented_test_of_avocado_leaves_no_secret() {
    let Some(programs) = crate::harness::avocado_programs() else { return };
    if !needs("python3") {
        return;
    }
    let code = "import os, sys\nfrom avocado import Test\nclass T(Test):\n    def test_it(self):\n        \
                for name in os.environ['LEAK'].split():\n            self.log.info('it is %s', os.environ[name])\n            \
                print(os.environ[name])\n            print(os.environ[name], file=sys.stderr)\n        \
                self.whiteboard = os.environ['PGPASSWORD']\n        self.fail('no ' + os.environ['SSHPASS'])\n";
    let path = std::env::var("PATH").unwrap_or_default();
    let recipes = json!([{"kind": "avocado-instrumented", "uri": "t.py:T.test_it"}]);
    let project = project()
        .env("PATH", format!("{}:{path}", programs.display()))
        .file("t.py", code)
        .file("list.json", recipes.to_string());
    let ended = project.run(&["test", "list.json"]);
    let tests = ran_without_leak(&project, &ended);
    assert_eq!((&tests[0]["whiteboard"], &tests[0]["fail_reason"]), (&json!("***"), &json!("no ***")));
}
