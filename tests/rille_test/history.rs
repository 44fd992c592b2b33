//! Runs of tests afterwards: they are listed, shown, run again and compared.
#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use serde_json::json;

use super::{counts, ends, listed, names, sh};
use crate::harness::Project;

/// A project whose test `second` fails until there is a file `fixed`.
fn project() -> Project {
    listed(&[sh("first", "true"), sh("second", "echo tried; test -e fixed"), sh("third", "exit 0")])
}

#[test]
fn runs_are_listed_and_shown() {
    let project = project();
    project.run(&["jobs", "list"]).code(0).stdout("").stderr_has("no runs of jobfiles or of tests");
    project.run(&["test", "list.json"]).code(1);
    let id = project.the_run().id();
    let list = project.run(&["jobs", "list", "--json"]).code(0).json();
    let run = &list[0];
    assert_eq!((&run["id"], &run["door"], &run["result"]), (&json!(id), &json!("test"), &json!("failed")));
    assert_eq!((&run["counts"], list.as_array().unwrap().len()), (&json!({"FAIL": 1, "PASS": 2}), 1));
    let shown = project.run(&["jobs", "list"]);
    shown.code(0).stdout_has("1 FAIL, 2 PASS").stdout_has(&id[..8]);
    let shown = project.run(&["jobs", "show", "latest"]);
    shown.code(0);
    let all = shown.out() + &shown.err();
    assert!(all.contains("2-second  FAILED") && all.contains("exit code 1") && all.contains("tried"), "{shown}");
    let found = project.run(&["jobs", "show", "--json", &id[..6]]).code(0).json();
    assert_eq!(found, project.the_run().results());
    project.run(&["jobs", "show", "nothing"]).code(2);
}

#[test]
fn tests_that_failed_are_run_again_under_the_same_ids() {
    let project = project();
    project.run(&["test", "list.json", "--failfast", "-j1"]).code(1);
    assert_eq!(ends(&project.runs()[0]), "1-first=PASS 2-second=FAIL 3-third=SKIP");
    let project = project.file("fixed", "").file("list.json", "[]");
    // What was kept of the run counts, and not what the files say now.
    project.run(&["replay", "latest", "--failed"]).code(0);
    let runs = project.runs();
    assert_eq!((ends(&runs[1]).as_str(), counts(&runs[1]).as_str()), ("2-second=PASS 3-third=PASS", "total 2, pass 2"));
    assert_eq!(names(&runs[1], "test-results"), ["2-second", "3-third", "by-status"]);
    project
        .run(&["replay", "latest", "--failed"])
        .code(4)
        .stderr_has("nothing to run: every test of run latest passed");
    project.run(&["replay", &runs[0].id()]).code(0);
    assert_eq!(ends(&project.runs()[2]), "1-first=PASS 2-second=PASS 3-third=PASS");
    project.run(&["replay", "deadbeef"]).code(2);
}

#[test]
fn what_is_no_run_of_tests_cannot_be_replayed() {
    let project = Project::new().main("");
    project.job(&[]);
    let ended = project.run(&["replay", "latest"]);
    ended.code(2).stderr_has("is not a run of tests").stderr_has("rille jobs list");
}

#[test]
fn two_runs_are_told_apart_test_by_test() {
    let project = project();
    project.run(&["test", "list.json"]).code(1);
    let first = project.the_run().id();
    let project = project.file("fixed", "");
    project.run(&["test", "list.json"]).code(0);
    project.run(&["test", "list.json"]).code(0);
    let ids: Vec<String> = project.runs().iter().map(super::Run::id).collect();
    for command in [&["diff"][..], &["jobs", "diff"]] {
        let diff = |one: &str, other: &str| project.run(&[command, &[one, other]].concat());
        let alike = diff(&ids[1], &ids[2]);
        alike.code(0).stdout_has("All 3 tests ended alike.\n").stdout_has("\nstarted:\n");
        let changed = diff(&first, &ids[1]);
        changed.code(1).stdout_has("TEST").stdout_has("2-second  FAIL  PASS   exit code 1\n");
        assert!(!changed.out().contains("1-first"), "{changed}");
        let json = project.run(&[command, &["--json", &first[..8], "latest"]].concat());
        let json = json.code(1).json();
        assert_eq!(
            json["tests"],
            serde_json::json!([{"id": "2-second", "one": "FAIL", "other": "PASS", "reason": "exit code 1"}])
        );
        assert_eq!((&json["one"]["id"], &json["other"]["id"]), (&json!(first), &json!(ids[2])));
    }
    // What is asked for by name is compared as of all other runs.
    project.run(&["diff", "-a", &first, &ids[1]]).code(0).stdout_has("/.guild/attrs/exit_status\n");
}
