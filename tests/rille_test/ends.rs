//! Ends before the end: time limits, interrupts, and tests that turn on who runs them. No process is left behind, which
//! the harness looks for after each run.

use rustix::process::Signal;
use serde_json::json;

use super::{counts, ends, listed, reason, sh};
use crate::harness::Project;

/// Has children that outlive it, one of them in a session of its own, and hears nobody.
const HANGS: &str = "trap '' TERM INT; sleep 1000 & setsid sleep 1000 & echo up; sleep 1000; sleep 1000";

#[test]
fn a_test_that_takes_too_long_is_ended_with_all_its_processes() {
    let mut own = sh("own", HANGS);
    own["config"] = json!({"task.timeout.running": 1});
    let project = listed(&[sh("hangs", HANGS), sh("quick", "true"), own]);
    project.run(&["test", "list.json", "--timeout", "0.3", "-j3"]).code(1);
    let run = project.the_run();
    assert_eq!(ends(&run), "1-hangs=INTERRUPTED 2-quick=PASS 3-own=INTERRUPTED");
    assert_eq!(counts(&run), "total 3, pass 1, interrupt 2");
    assert!(reason(&run, "1-hangs").contains("0.3 s"), "{}", reason(&run, "1-hangs"));
    assert_eq!(run.text("test-results/1-hangs/stdout"), "up\n");
    project.run(&["test", "list.json", "--timeout", "5x"]).code(2).stderr_has("the units are s, m, h and d");
}

#[test]
fn a_run_that_takes_too_long_is_ended_with_all_its_processes() {
    let project = listed(&[sh("first", "true"), sh("hangs", HANGS), sh("never", "touch ran")]);
    project.run(&["test", "list.json", "-j1", "--job-timeout", "0.5s"]).code(1);
    let run = project.the_run();
    assert_eq!(ends(&run), "1-first=PASS 2-hangs=INTERRUPTED 3-never=SKIP");
    assert_eq!(counts(&run), "total 3, pass 1, skip 1, interrupt 1");
    assert!(reason(&run, "2-hangs").contains("the run exceeded its time limit of 0.5 s"));
    assert!(!project.path("ran").exists());
}

#[test]
fn an_interrupt_ends_what_runs_and_writes_the_reports() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let project =
            listed(&[sh("first", "true"), sh("runs", "echo up > up; sleep 1000 & sleep 1000"), sh("waits", "true")]);
        let running = project.start(&["test", "list.json", "-j1"]);
        running.wait_for_file("up");
        running.signal(signal);
        running.wait().code(code);
        let run = project.the_run();
        assert_eq!(ends(&run), "1-first=PASS 2-runs=INTERRUPTED 3-waits=SKIP");
        assert_eq!(counts(&run), "total 3, pass 1, skip 1, interrupt 1");
        for file in ["results.xml", "results.tap", "report.html", "test-results/by-status/INTERRUPTED/2-runs"] {
            assert!(run.has(file), "{file}");
        }
        project.run(&["replay", "latest", "--failed", "--timeout", "0.1"]).code(1);
        assert_eq!(ends(&project.runs()[1]), "2-runs=INTERRUPTED 3-waits=PASS");
    }
}

#[test]
fn a_test_that_kills_its_parent_ends_only_itself() {
    let project = listed(&[
        sh("before", "sleep 0.3"),
        sh("killer", "kill -9 $PPID; sleep 1000"),
        sh("gentle", "kill $PPID"),
        json!({"kind": "tap", "uri": "./killer.t", "identifier": "tap"}),
        sh("after", "true"),
    ])
    .executable("killer.t", "#!/bin/sh\necho 1..1\nkill -9 $PPID\nsleep 1000\n")
    .file(
        "test_killer.py",
        "import os, signal, unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        \
         os.kill(os.getppid(), signal.SIGKILL)\n",
    );
    project.run(&["test", "list.json", "test_killer.py", "-j2"]).code(1);
    let run = project.the_run();
    assert_eq!(
        ends(&run),
        "1-before=PASS 2-killer=ERROR 3-gentle=ERROR 4-tap=ERROR 5-after=PASS 6-test_killer.py:T.test_it=ERROR"
    );
}

#[test]
fn what_a_test_does_to_its_group_or_with_its_parent_is_its_own() {
    let project = listed(&[
        // It is not the group of what stands between the test and the run.
        sh("group", "trap '' TERM; kill 0; echo went on"),
        sh("leader", "set -- $(cat /proc/$$/stat); test $5 = $$"),
        sh("group-killed", "kill -9 0"),
        sh("dumps", "kill -SEGV $PPID; echo went on"),
        sh("streams", "read line; test $? = 1 && test -p /dev/stdout && test -p /dev/stderr"),
        json!({"kind": "exec-test", "uri": "./plain", "identifier": "plain"}),
        json!({"kind": "exec-test", "uri": "./locked", "identifier": "locked"}),
        json!({"kind": "exec-test", "uri": "./nowhere", "identifier": "nowhere"}),
        json!({"kind": "exec-test", "uri": "no-such-program", "identifier": "none"}),
        sh("long", &format!("true {}", "x".repeat(130_000))),
        sh("too-long", &format!("true {}", "x".repeat(140_000))),
    ])
    .executable("plain", "echo no line names an interpreter\n")
    .file("locked", "#!/bin/sh\n")
    .executable("nowhere", "#!/no/such/interpreter\n");
    project.run(&["test", "list.json", "-j2"]).code(1);
    let run = project.the_run();
    assert_eq!(
        ends(&run),
        "01-group=PASS 02-leader=PASS 03-group-killed=ERROR 04-dumps=PASS 05-streams=PASS 06-plain=ERROR 07-locked=ERROR \
         08-nowhere=ERROR 09-none=ERROR 10-long=PASS 11-too-long=ERROR"
    );
    for (id, expected) in [
        ("06-plain", "does its first line name an interpreter"),
        ("07-locked", "make it executable"),
        ("08-nowhere", "its first line names the interpreter /no/such/interpreter, which does not exist"),
        ("09-none", "there is no program of that name on the PATH ("),
        ("11-too-long", "too long"),
    ] {
        assert!(reason(&run, id).contains(expected), "{id}: {}", reason(&run, id));
    }
}

#[test]
fn a_test_that_stops_its_parent_ends_at_its_limit() {
    let project = listed(&[sh("stops", "kill -STOP $PPID; sleep 1000 & sleep 1000"), sh("after", "true")]);
    project.run(&["test", "list.json", "-j1", "--timeout", "0.3"]).code(1);
    assert_eq!(ends(&project.the_run()), "1-stops=INTERRUPTED 2-after=PASS");
}

#[test]
fn a_home_that_cannot_be_written_is_told() {
    let project = Project::new().file("file", "");
    let ended = project.run(&["test", "/bin/true", "--home", "file/home"]);
    assert_ne!(ended.exit_code().unwrap(), 0, "{ended}");
    project.run(&["test", "/bin/true", "--run-dir", "kept"]).code(0);
    assert!(project.path("kept/results.json").is_file());
}
