//! Which tests run, how often, in which order, and as which variants.
#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use std::collections::BTreeSet;

use serde_json::json;

use super::{counts, ends, listed, reason, sh};
use crate::harness::{Project, Run};

/// Returns the order in which the tests of the last run were started.
fn order(project: &Project) -> Vec<String> {
    let run: Run = project.runs().pop().unwrap();
    let log = project.read("log");
    assert_eq!(ends(&run).matches("=PASS").count(), log.lines().count());
    log.lines().map(str::to_owned).collect()
}

#[test]
fn tests_run_in_the_order_that_a_seed_makes() {
    let tests: Vec<_> = (0..12).map(|n| sh(&format!("t{n}"), &format!("echo {n} >> log"))).collect();
    let project = listed(&tests);
    let run = |options: &[&str]| {
        let project = project.clone().file("log", "");
        let ended = project.run(&[&["test", "list.json", "-j1", "--disable-sysinfo"], options].concat());
        ended.code(0);
        (order(&project), ended.err())
    };
    let plain: Vec<String> = (0..12).map(|n| n.to_string()).collect();
    assert_eq!(run(&[]).0, plain);
    let (first, said) = run(&["--shuffle=7"]);
    assert!(first != plain && first.iter().collect::<BTreeSet<_>>() == plain.iter().collect(), "{first:?}");
    assert!(said.contains("--shuffle=7 repeats it"), "{said}");
    assert_eq!(run(&["--shuffle=7"]).0, first);
    assert_ne!(run(&["--shuffle=8"]).0, first);
    let (drawn, said) = run(&["--shuffle"]);
    let seed = said.split_once("--shuffle=").unwrap().1.split_once(' ').unwrap().0;
    assert_eq!(run(&[&format!("--shuffle={seed}")]).0, drawn);
    // What is run again, is run in the same order.
    let project = project.clone().file("log", "");
    project.run(&["replay", "latest", "-j1"]).code(0);
    assert_eq!(order(&project), drawn);
}

#[test]
fn as_many_tests_run_at_once_as_are_asked_for() {
    // Each waits for the other.
    let meet = |own: &str, other: &str| sh(own, &format!("touch {own}; until test -e {other}; do sleep 0.01; done"));
    let project = listed(&[meet("a", "b"), meet("b", "a")]);
    project.run(&["test", "list.json", "-j2"]).code(0);
    assert_eq!(ends(&project.the_run()), "1-a=PASS 2-b=PASS");
    let alone = "test ! -e busy || exit 1; touch busy; sleep 0.02; rm busy";
    let project = listed(&[sh("a", alone), sh("b", alone), sh("c", alone)]);
    project.run(&["test", "list.json", "-j", "1"]).code(0);
}

#[test]
fn no_test_starts_after_enough_failures() {
    let project = listed(&[sh("a", "true"), sh("b", "false"), sh("c", "true"), sh("d", "false"), sh("e", "true")]);
    project.run(&["test", "list.json", "-j1", "--failfast"]).code(1);
    let run = project.the_run();
    assert_eq!(ends(&run), "1-a=PASS 2-b=FAIL 3-c=SKIP 4-d=SKIP 5-e=SKIP");
    assert_eq!(reason(&run, "3-c"), "not run: a test had not passed");
    project.run(&["test", "list.json", "-j1", "--max-failures", "2"]).code(1);
    let run = project.runs().pop().unwrap();
    assert_eq!(ends(&run), "1-a=PASS 2-b=FAIL 3-c=PASS 4-d=FAIL 5-e=SKIP");
    assert_eq!(counts(&run), "total 5, pass 2, failures 2, skip 1");
    project.run(&["test", "list.json", "--max-failures", "0"]).code(2);
    project.run(&["test", "list.json", "--max-failures", "2", "--failfast"]).code(2);
}

#[test]
fn the_whole_list_is_repeated() {
    let project = listed(&[sh("a", "echo a >> log"), sh("b", "echo b >> log")]);
    project.run(&["test", "list.json", "-j1", "--repeat", "3"]).code(0);
    let run = project.the_run();
    assert_eq!(ends(&run), "1-a=PASS 2-b=PASS 3-a=PASS 4-b=PASS 5-a=PASS 6-b=PASS");
    assert_eq!(project.read("log"), "a\nb\na\nb\na\nb\n");
    project.run(&["test", "list.json", "--repeat", "0"]).code(2);
}

#[test]
fn a_dry_run_starts_nothing() {
    let mut needs = sh("b", "touch ran");
    needs["dependencies"] = json!([{"type": "exec-test", "uri": "./touch.sh"}]);
    let project = listed(&[sh("a", "touch ran"), needs]).executable("touch.sh", "#!/bin/sh\ntouch ran\n");
    project.run(&["test", "list.json", "--dry-run"]).code(0);
    let run = project.the_run();
    assert_eq!((ends(&run).as_str(), counts(&run).as_str()), ("1-a=CANCEL 2-b=CANCEL", "total 2, cancel 2"));
    assert!(!project.path("ran").exists());
}

#[test]
fn parameters_make_variants() {
    let project = listed(&[sh("t", "echo \"$a $b\"; test \"$a\" != 2 || test \"$b\" = x")]);
    project.run(&["test", "list.json", "-p", "a=[1,2]", "-p", "b=[x,y]", "--disable-sysinfo"]).code(1);
    let run = project.the_run();
    let results = run.results();
    let tests = results["tests"].as_array().unwrap();
    let mut told = Vec::new();
    let mut ids = BTreeSet::new();
    for (number, test) in (1..).zip(tests) {
        let id = test["id"].as_str().unwrap();
        assert!(id.starts_with(&format!("{number}-t;")), "{id}");
        ids.insert(id.split_once(';').unwrap().1.to_owned());
        let out = run.text(format!("test-results/{}/stdout", id.replace(';', "_")));
        told.push(format!("{} {}", out.trim(), test["status"].as_str().unwrap()));
    }
    assert_eq!(told, ["1 x PASS", "1 y PASS", "2 x PASS", "2 y FAIL"]);
    assert_eq!(ids.len(), 4, "{ids:?}");
    project.run(&["replay", "latest", "--failed"]).code(1);
    let again = project.runs().pop().unwrap();
    assert_eq!(ends(&again), format!("{}=FAIL", tests[3]["id"].as_str().unwrap()));
    // A parameter with one value makes no variants.
    project.run(&["test", "list.json", "-p", "a=5"]).code(0);
    let run = project.runs().pop().unwrap();
    let id = run.results()["tests"][0]["id"].as_str().unwrap().replace(';', "_");
    assert_eq!(run.text(format!("test-results/{id}/stdout")), "5 \n");
}

#[test]
fn a_file_of_variants_makes_them_too() {
    let project = listed(&[sh("t", "echo \"$a $b\"")])
        .file("product.json", r#"{"a": [1, 2], "b": "x"}"#)
        .file("list.yaml", "- {a: 1}\n- {a: 2, b: [3]}\n")
        .file("tree.yaml", "!mux\none:\n  a: 1\ntwo:\n  a: 2\n")
        .file(
            "dump.json",
            r#"[{"paths": ["/run/*"], "variant_id": "mine", "variant": [["/run/m", [["/run", "a", 7]]]]}]"#,
        )
        .file("broken.json", "[1");
    let told = |options: &[&str]| {
        project.run(&[&["test", "list.json", "--disable-sysinfo", "-j1"], options].concat()).code(0);
        let run = project.runs().pop().unwrap();
        let results = run.results();
        let id = |test: &serde_json::Value| test["id"].as_str().unwrap().replace(';', "_");
        let ids: Vec<String> = results["tests"].as_array().unwrap().iter().map(id).collect();
        let out = |id: &String| run.text(format!("test-results/{id}/stdout")).trim().to_owned();
        (ids.iter().map(out).collect::<Vec<_>>(), ids)
    };
    assert_eq!(told(&["--variants", "product.json"]).0, ["1 x", "2 x"]);
    assert_eq!(told(&["--variants", "list.yaml"]).0, ["1", "2 [3]"]);
    assert_eq!(told(&["--variants", "tree.yaml"]).0, ["1", "2"]);
    let (values, ids) = told(&["--variants", "dump.json"]);
    assert_eq!((values, ids), (vec!["7".to_owned()], vec!["1-t_mine".to_owned()]));
    // Those of two files follow each other, and every one has every parameter.
    let both = ["--variants", "product.json", "--variants", "dump.json", "-p", "b=[y,z]", "-p", "c=1"];
    assert_eq!(told(&both).0, ["1 x", "1 x", "2 x", "2 x", "7 y", "7 z"]);
    for (file, text) in [("broken.json", "broken.json: it is not JSON"), ("prodct.json", "did you mean product.json?")]
    {
        project.run(&["test", "list.json", "--variants", file]).code(2).stderr_has(text);
    }
    assert_eq!(project.runs().len(), 5);
}

#[test]
fn only_the_tests_that_are_asked_for_run() {
    let tagged = |name: &str, tags| json!({"kind": "noop", "identifier": name, "tags": tags});
    let project = listed(&[tagged("a", json!({"fast": null})), tagged("b", json!({"slow": null})), sh("c", "true")]);
    project.run(&["test", "list.json", "-t", "fast"]).code(0);
    assert_eq!(ends(&project.the_run()), "1-a=PASS");
    project.run(&["test", "list.json", "-E", "kind(noop) and not tag(fast)"]).code(0);
    assert_eq!(ends(&project.runs()[1]), "1-b=PASS");
    project.run(&["test", "list.json", "-t", "none"]).code(4).stderr_has("no tests are left by the filters, of 3");
    project.run(&["test", "lst.json"]).code(2).stderr_has("list.json");
    assert_eq!(project.runs().len(), 2);
}

#[test]
fn a_test_may_be_tried_again() {
    let project = listed(&[sh("flaky", "echo try; test -e again || { touch again; exit 1; }"), sh("bad", "exit 1")]);
    project.run(&["test", "list.json", "--retries", "2"]).code(1);
    let run = project.the_run();
    assert_eq!(ends(&run), "1-flaky=WARN 2-bad=FAIL");
    assert_eq!(reason(&run, "1-flaky"), "passed on attempt 2 of 3");
    assert_eq!(run.text("test-results/1-flaky/stdout"), "try\n");
    assert_eq!(run.text("test-results/1-flaky.attempt-2/stdout"), "try\n");
    let (latest, results) = ("test-results/1-flaky.attempt-2", run.results());
    assert_eq!(results["tests"][0]["logdir"], json!(run.path().join(latest)));
    let link = std::fs::read_link(run.path().join("test-results/by-status/WARN/1-flaky")).unwrap();
    assert_eq!(link.to_str(), Some("../../1-flaky.attempt-2"));
    assert!(run.has("test-results/2-bad.attempt-3") && !run.has("test-results/2-bad.attempt-4"));
}
