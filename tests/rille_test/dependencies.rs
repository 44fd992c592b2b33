//! What tests depend on: it runs once for all of them, is remembered, and without it they do not run.

use std::fs;

use serde_json::{Value, json};

use super::{counts, ends, listed, names, reason, sh};
use crate::harness::{Project, Run};

/// Returns a recipe of `/bin/true` that depends on these.
fn with(name: &str, dependencies: Value) -> Value {
    json!({"kind": "exec-test", "uri": "/bin/true", "identifier": name, "dependencies": dependencies})
}

/// Returns whether the first task of a run, which prepares a test, was fulfilled without an attempt.
fn was_known(run: &Run) -> bool {
    let ended = run.events_of("task-finished");
    let first = ended.iter().find(|event| event["task"] == 1).expect("it has ended");
    assert_eq!(first["outcome"], "passed");
    first["attempt"] == 0
}

#[test]
fn one_that_two_tests_share_runs_once() {
    let shared = json!([{"type": "exec-test", "uri": "./prepare.sh"}]);
    let project = listed(&[with("a", shared.clone()), with("b", shared)])
        .executable("prepare.sh", "#!/bin/sh\necho prepared >> log\necho said\n");
    project.run(&["test", "list.json"]).code(0);
    let run = project.the_run();
    assert_eq!((ends(&run).as_str(), project.read("log").as_str()), ("1-a=PASS 2-b=PASS", "prepared\n"));
    assert_eq!(counts(&run), "total 2, pass 2");
    for test in ["1-a", "2-b"] {
        let links = names(&run, &format!("test-results/{test}/dependencies"));
        assert_eq!(links, ["1-exec-test-._prepare.sh"]);
        assert_eq!(run.text(format!("test-results/{test}/dependencies/{}/stdout", links[0])), "said\n");
    }
    assert_eq!(run.results()["tests"][0]["name"], "a");
}

#[test]
fn without_it_tests_are_skipped_and_the_run_fails() {
    let tests = [
        with("bad", json!([{"type": "exec-test", "uri": "/bin/false"}])),
        with("unknown", json!([{"type": "nobody-knows", "name": "x"}])),
        with("file", json!([{"type": "file", "uri": "there.txt"}])),
        with("no-file", json!([{"type": "file", "uri": "gone.txt"}])),
        with("after", json!([{"type": "test", "name": "file"}])),
        with("after-bad", json!([{"type": "test", "name": "bad"}])),
        with("typo", json!([{"type": "test", "name": "aftr"}])),
        sh("alone", "true"),
    ];
    let project = listed(&tests).file("there.txt", "");
    project.run(&["test", "list.json"]).code(1);
    let run = project.the_run();
    assert_eq!(
        ends(&run),
        "1-bad=SKIP 2-unknown=SKIP 3-file=PASS 4-no-file=SKIP 5-after=PASS 6-after-bad=SKIP 7-typo=SKIP 8-alone=PASS"
    );
    assert_eq!(counts(&run), "total 8, pass 3, skip 5");
    for (id, why) in [
        ("1-bad", "needs '1-1-exec-test-/bin/false', which did not pass: failed"),
        ("2-unknown", "needs '2-2-nobody-knows-x', which did not pass: errored"),
        ("4-no-file", "Dependency was not fulfilled: there is no file gone.txt"),
        ("6-after-bad", "needs '1-bad', which did not pass: blocked"),
        ("7-typo", "Dependency was not fulfilled: no test 'aftr' is run; did you mean 'after'?"),
    ] {
        assert_eq!(reason(&run, id), why);
    }
    assert_eq!(names(&run, "test-results/by-status/SKIP").len(), 5);
}

#[test]
fn a_test_waits_for_the_test_that_it_depends_on() {
    let mut late = sh("late", "cat made");
    late["dependencies"] = json!([{"type": "test", "name": "early"}]);
    let project = listed(&[late, sh("early", "echo done > made")]);
    project.run(&["test", "-j4", "list.json"]).code(0);
    let run = project.the_run();
    assert_eq!(ends(&run), "1-late=PASS 2-early=PASS");
    assert_eq!(run.text("test-results/1-late/stdout"), "done\n");
}

#[test]
fn tests_that_depend_on_each_other_end_too() {
    let project = listed(&[
        with("a", json!([{"type": "test", "name": "b"}])),
        with("b", json!([{"type": "test", "name": "a"}])),
        with("self", json!([{"type": "test", "name": "self"}])),
        sh("other", "true"),
    ]);
    project.run(&["test", "list.json"]).code(1);
    let run = project.the_run();
    assert_eq!(ends(&run), "1-a=ERROR 2-b=ERROR 3-self=ERROR 4-other=PASS");
    assert_eq!(reason(&run, "2-b"), "needs itself: 1-a needs 2-b needs 1-a");
}

#[test]
fn all_tests_wait_for_what_the_job_depends_on() {
    let project = listed(&[sh("a", "cat ready"), sh("b", "cat ready")])
        .file("job.json", r#"[{"type": "exec-test", "uri": "./prepare.sh"}]"#)
        .file("bad.json", r#"[{"type": "file", "uri": "gone"}]"#)
        .file("odd.json", r#"[{"name": "x"}]"#)
        .executable("prepare.sh", "#!/bin/sh\necho yes > ready\n");
    project.run(&["test", "list.json", "--job-dependency", "job.json"]).code(0);
    assert_eq!(ends(&project.the_run()), "1-a=PASS 2-b=PASS");
    project.run(&["test", "list.json", "--job-dependency", "bad.json"]).code(1);
    assert_eq!(ends(&project.runs()[1]), "1-a=SKIP 2-b=SKIP");
    let wrong = project.run(&["test", "list.json", "--job-dependency", "odd.json"]);
    wrong.code(2).stderr_has("entry 1 is no object with a \"type\"");
    let missing = project.run(&["test", "list.json", "--job-dependency", "jb.json"]);
    missing.code(2).stderr_has("did you mean job.json?");
    assert_eq!(project.runs().len(), 2);
}

#[test]
fn what_was_fulfilled_is_remembered_while_it_is_as_it_was() {
    let project = Project::new().file("data.txt", "data\n");
    let url = format!("file://{}", project.path("data.txt").display());
    let recipe = with("a", json!([{"type": "asset", "name": url}]));
    let project = project.file("list.json", json!([recipe]).to_string());
    let run = |options: &[&str]| {
        project.run(&[&["test", "list.json"], options].concat()).code(0);
        let run = project.runs().pop().expect("it ran");
        assert_eq!(ends(&run), "1-a=PASS");
        was_known(&run)
    };
    assert!(!run(&[]), "nothing is known at first");
    assert!(run(&[]), "it is known");
    assert!(!run(&["--no-dependency-cache"]), "it is not to be believed");
    assert!(run(&[]), "it is known still");
    let fetched = walk(&project.root().join("user")).into_iter().find(|path| path.ends_with("data.txt"));
    let fetched = fetched.expect("the file was fetched");
    fs::write(&fetched, "something else\n").expect("it can be written");
    assert!(!run(&[]), "the file has changed");
    assert!(run(&[]), "it is known again");
    fs::remove_file(&fetched).expect("it can be removed");
    assert!(!run(&[]), "the file is gone");
    assert_eq!(fs::read_to_string(&fetched).expect("it is back"), "data\n");
    // Damage to what is known costs only the work that it spares.
    fs::write(project.home().join("cache/dependencies.json"), "{").expect("it can be written");
    assert!(!run(&[]), "nothing is known");
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("listed").path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
