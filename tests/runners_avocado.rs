//! Runners of Rille under the real Avocado, and beside its own.
#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use regex::Regex;
use serde_json::Value;

use crate::harness::{Ended, Project, avocado_programs};

/// A project whose folder `bin` has links to Rille as runners.
fn project() -> Project {
    let project = Project::new();
    project.run(&["runner", "install", "bin"]).code(0);
    project
}

/// Returns a path with Avocado's programs, and before them these.
fn path(first: Option<PathBuf>, avocado: &Path) -> OsString {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let folders = first.into_iter().chain([avocado.to_owned()]).chain(std::env::split_paths(&rest));
    std::env::join_paths(folders).unwrap()
}

fn avocado(project: &Project, programs: &Path, uses_ours: bool, args: &[&str]) -> Ended {
    let mut command = project.command(programs.join("avocado"));
    command.env("PATH", path(uses_ours.then(|| project.path("bin")), programs));
    command.args(["run", "--disable-sysinfo", "--job-results-dir"]).arg(project.path("results")).args(args);
    project.start_command(command).wait()
}

fn results(project: &Project) -> Value {
    serde_json::from_str(&project.read("results/latest/results.json")).unwrap()
}

#[test]
fn avocado_runs_recipes_through_our_runners() {
    let Some(programs) = avocado_programs() else { return };
    let script = "print('hello ' .. parameters.mode)\nassert(parameters.n == 5)\nassert(arg[2] == '-y')\n";
    let project = project()
        .file("job.lua", script)
        .file("bad.lua", "assert(false, 'not so')\n")
        .executable("hang.sh", "#!/bin/sh\nkill -9 $PPID\nsleep 1000\n")
        .file(
            "one.json",
            r#"{"kind": "lua", "uri": "job.lua", "args": ["x", "-y"], "kwargs": {"mode": "ok", "n": 5}, "identifier": "lua-one"}"#,
        )
        .file("bad.json", r#"{"kind": "lua", "uri": "bad.lua"}"#)
        .executable("tap.sh", "#!/bin/sh\necho 1..1\necho 'not ok 1 - this'\n")
        .file("tap.json", r#"{"kind": "tap", "uri": "./tap.sh"}"#);
    let ended = avocado(&project, &programs, true, &["one.json", "bad.json", "tap.json", "./hang.sh"]);
    // The original hangs for ever where a runner was killed by its test.
    ended.code(1).stdout_has("PASS 1 | ERROR 1 | FAIL 2 | SKIP 0");
    let results = results(&project);
    let tests = results["tests"].as_array().unwrap();
    let of = |part: &str| tests.iter().find(|test| test["id"].as_str().unwrap().contains(part)).unwrap();
    assert_eq!(of("lua-one")["status"], "PASS");
    assert!(of("bad.lua")["fail_reason"].as_str().unwrap().contains("not so"));
    assert_eq!(of("tap.sh")["fail_reason"], "test 1 (this) failed");
    assert_eq!(of("hang.sh")["fail_reason"], "the runner process was killed by SIGKILL (signal 9)");
    assert_eq!(project.read("results/latest/test-results/1-lua-one/stdout"), "hello ok\n");
}

#[test]
fn avocado_ends_our_runner_and_nothing_is_left() {
    let Some(programs) = avocado_programs() else { return };
    let project = project().executable("slow.sh", "#!/bin/sh\nsetsid sleep 1000 &\nsleep 1000\n");
    let config = project.file("avocado.conf", "[task.timeout]\nrunning = 1\n");
    let ended = {
        let mut command = config.command(programs.join("avocado"));
        command.env("PATH", path(Some(config.path("bin")), &programs));
        command.args([
            "--config",
            "avocado.conf",
            "run",
            "--disable-sysinfo",
            "--job-results-dir",
            "results",
            "./slow.sh",
        ]);
        config.start_command(command).wait()
    };
    ended.code(8).stdout_has("INTERRUPT 1");
}

/// Times and what holds them, and signs of life, which differ from run to run.
fn content(text: &str) -> String {
    let time = Regex::new(r"'time': [0-9.e+-]+|Ran 1 test in [0-9.]+s").unwrap();
    let beat = Regex::new(r"(?m)^\{'status': 'running'.*\n").unwrap();
    beat.replace_all(&time.replace_all(text, "'time': T"), "").into_owned()
}

#[test]
fn our_messages_are_those_of_the_originals() {
    let Some(programs) = avocado_programs() else { return };
    let both = "#!/bin/sh\necho out-line\necho err-line >&2\nprintf 'no newline\\001\\377'\nexit 3\n";
    let unittest = "import unittest\nclass T(unittest.TestCase):\n    def test_ok(self): pass\n    \
                    def test_fail(self): self.fail('bad')\n    @unittest.skip('why not')\n    def test_skip(self): pass\n";
    let project = project()
        .executable("both.sh", both)
        .executable("tap.sh", "#!/bin/sh\necho 1..2\necho ok 1\n")
        .file("t.py", unittest);
    let cases: [(&str, &[&str]); 13] = [
        ("noop", &["-k", "noop"]),
        ("dry-run", &[]),
        ("exec-test", &["-u", "/bin/true"]),
        ("exec-test", &["-u", "/bin/false"]),
        ("exec-test", &["-u", "/no/such/bin"]),
        ("exec-test", &[]),
        ("exec-test", &["-u", "./both.sh"]),
        ("exec-test", &["-u", "/bin/true", "n=json:5"]),
        ("exec-test", &["-u", "/bin/sh", "-a", "base64:LWM=", "-a", "kill -9 $$"]),
        ("tap", &["-u", "./tap.sh"]),
        ("python-unittest", &["-u", "./t.py:T.test_ok"]),
        ("python-unittest", &["-u", "./t.py:T.test_skip"]),
        ("sysinfo", &["-u", "pre", "sysinfo=json:{\"commands\": [\"uname -r\"]}"]),
    ];
    for (kind, args) in cases {
        let run = |folder: &Path| {
            let mut command = project.command(folder.join(format!("avocado-runner-{kind}")));
            command.env("PATH", path(None, &programs)).arg("runnable-run").args(args);
            let ended = project.start_command(command).wait();
            content(&ended.code(0).out())
        };
        assert_eq!(run(&project.path("bin")), run(&programs), "{kind} {args:?}");
    }
}

#[test]
fn avocado_is_much_faster_with_our_runner() {
    let Some(programs) = avocado_programs() else { return };
    let project = project();
    let time = |uses_ours: bool, count: usize| {
        let references = vec!["/bin/true"; count];
        let begun = Instant::now();
        let args = [&["--max-parallel-tasks", "1"], references.as_slice()].concat();
        avocado(&project, &programs, uses_ours, &args).code(0).stdout_has(&format!("PASS {count} "));
        begun.elapsed()
    };
    let count = 200;
    // What Avocado takes to begin and to end is neither's.
    let (ours, base) = (time(true, count), time(true, 1));
    let theirs = time(false, 4).saturating_sub(base) / 3;
    let ours = ours.saturating_sub(base) / u32::try_from(count - 1).unwrap();
    println!("a test takes {ours:?} with our runner, and {theirs:?} with theirs");
    // Both were measured one after the other; the figure that counts is in the benchmark.
    assert!(ours < theirs.max(Duration::from_millis(1)), "{ours:?} {theirs:?}");
}
