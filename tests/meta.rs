//! Metadata of a run: `--meta KEY=VALUE`, `[meta]` and `RILLE_META`, and where it is told.
#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use std::fs;

use serde_json::json;

use crate::harness::{Project, Run, check_results};

/// Prints the metadata as `main` sees it, and then as a task does.
const BODY: &str = "print(runtime.meta.build, runtime.meta.lab, runtime.meta.none)\n\
    job.run { testscript = 'show.lua', taskid = 'show' }";

fn project() -> Project {
    Project::new().main(BODY).file("show.lua", "print(runtime.meta.build, runtime.meta.none)\nruntime.meta.mine = 1")
}

#[test]
fn metadata_stands_in_every_report() {
    let project = project().file("rille.toml", "[meta]\nlab = 'north <2>'\nbuild = 1\n");
    let ended = project.job(&["--meta", "build=1234", "--meta", "note=a=b\nc"]);
    ended.code(0).stdout_has("1234\tnorth <2>\tnil\n").stderr_has("show | 1234\tnil\n");
    ended.stderr_has(", build=1234, lab=north <2>, note=a=b");
    let run = ended.the_run();
    let meta = json!({"build": "1234", "lab": "north <2>", "note": "a=b\nc"});
    assert_eq!(run.attr("meta"), meta);
    let results = run.results();
    check_results(&project, &results);
    assert_eq!(results["run"]["meta"], meta);
    assert_eq!(run.attr("run_params")["meta"], meta);
    let junit = run.text("results.xml");
    assert!(junit.contains(r#"<property name="build" value="1234"/>"#), "{junit}");
    assert!(junit.contains(r#"<property name="lab" value="north &lt;2&gt;"/>"#), "{junit}");
    assert!(run.text("report.html").contains("<dt>lab<dd>north &lt;2&gt;"));
    let tap = run.text("results.tap");
    assert!(tap.contains("\n# meta build=1234\n# meta lab=north <2>\n# meta note=a=b"), "{tap}");
    project.run(&["runs", "info"]).code(0).stdout_has("\nmeta:\n  build: 1234\n  lab: north <2>\n");
    // What was lost of the attributes is had again from the log.
    fs::remove_file(run.path().join(".guild/attrs/meta")).unwrap();
    project.run(&["runs", "show", "latest"]).code(0).stdout_has(", build=1234, lab=north <2>");
    assert_eq!(project.run(&["runs", "show", "latest", "--json"]).code(0).json()["run"]["meta"], meta);
}

/// Returns the run that ended last.
fn ended_run(project: &Project) -> Run {
    project.runs().into_iter().max_by_key(|run| run.attr("stopped").as_i64()).unwrap()
}

#[test]
fn runs_of_tests_and_walks_have_metadata_and_others_no_word_of_it() {
    let walk = "local walk = require 'rille.walk'\n\
                local A = walk.action { name = 'A', options = { 1 }, run = function() end }\n\
                function main() walk.run_tests { order = { A } } end";
    let project = project().executable("t.sh", "#!/bin/sh\n").file("walk.lua", walk);
    for (command, place) in [(["test", "./t.sh"], "/meta"), (["walk", "walk.lua"], "/run/meta")] {
        let ended = project.run(&[&command[..], &["--meta", "build=7"]].concat());
        ended.code(0);
        let run = ended_run(&project);
        let meta = json!({"build": "7"});
        assert_eq!((run.attr("meta"), run.results().pointer(place)), (meta.clone(), Some(&meta)));
        assert!(run.text("results.xml").contains(r#"<property name="build" value="7"/>"#), "{command:?}");
    }
    project.job(&[]).code(0).stdout_has("nil\tnil\tnil\n");
    let run = ended_run(&project);
    assert_eq!((run.try_attr("meta"), run.results()["run"].get("meta")), (None, None));
    assert!(!run.text("results.tap").contains("# meta"));
}

#[test]
fn wrong_metadata_is_refused_before_anything_is_made() {
    let project = project();
    let cases: [(&[&str], &str); 5] = [
        (&["--meta", "build"], "write KEY=VALUE, for example build=1234"),
        (&["--meta", "=1"], "a key of metadata is empty"),
        (&["--meta", "a b=1"], "\"a b\" is no key of metadata"),
        (&["--meta", "a=1", "--meta", "a=2"], "--meta gives 'a' twice, as \"1\" and as \"2\""),
        (&["--meta", "a=1", "--meta=a=1"], "--meta gives 'a' twice"),
    ];
    for (args, message) in cases {
        project.job(args).code(2).stderr_has(message);
    }
    let files = [
        ("[meta]\nok = 'x'\nversion = 1.10", "rille.toml:3: meta.version must be a text: put the number 1.1 in quotes"),
        ("[meta]\nbuild.id = 1", "rille.toml:2: meta.build must be a text and no table"),
        ("[meta]\nlist = [1]", "rille.toml:2: meta.list must be a text, not [1]"),
        ("[meta]\n'a b' = 'x'", "is no key of metadata"),
        ("meta = 'x'", "rille.toml:1: meta"),
    ];
    for (text, message) in files {
        fs::write(project.path("rille.toml"), text).unwrap();
        project.job(&[]).code(2).stderr_has(message);
    }
    fs::remove_file(project.path("rille.toml")).unwrap();
    let project = project.env("RILLE_META", "a=1,a=2");
    project.job(&[]).code(2).stderr_has("the environment variable RILLE_META has 'a' twice");
    assert_eq!(project.runs().len(), 0);
}

#[test]
fn a_key_that_looks_like_a_slip_is_told() {
    let project = project().file("rille.toml", "[meta]\nbuild = 'x'\n").env("RILLE_META", "lab=a, floor=2");
    project
        .job(&["--meta", "biuld=3"])
        .code(0)
        .stderr_has("the metadata 'biuld' (option --meta) stands beside 'build' (");
    project.job(&["--meta", "build=3"]).code(0).stderr_lacks("stands beside");
    assert_eq!(ended_run(&project).attr("meta"), json!({"build": "3", "lab": "a", "floor": "2"}));
}

#[test]
fn runs_are_found_by_their_metadata() {
    let project = project();
    project.job(&["--meta", "build=1", "--meta", "lab=north"]).code(0);
    project.job(&["--meta", "build=2", "--meta", "lab=north"]).code(0);
    project.job(&[]).code(0);
    for (filter, count) in [
        ("meta.build = 1", 1),
        ("meta.lab = north", 2),
        ("meta.lab contains NOR and meta.build != 1", 1),
        ("meta.build is undefined", 1),
        ("attr:meta.build in [1, 2]", 2),
    ] {
        let listed = project.run(&["runs", "list", "--filter", filter, "--json"]).code(0).json();
        assert_eq!(listed.as_array().unwrap().len(), count, "{filter}");
    }
    project.run(&["runs", "list", "--filter", "meta.biuld = 1"]).stderr_has("did you mean 'meta.build'?");
}

#[test]
fn a_run_that_is_gone_on_with_keeps_its_metadata_and_a_rerun_has_its_own() {
    let stop = "#!/bin/sh\n[ -e \"$0.go\" ] && exit 0\necho ready > \"$0.ready\"\nexec sleep 1000\n";
    let project = Project::new()
        .main("job.run { testscript = 'stay.sh', taskid = 'stay' }\nprint(runtime.meta.build, runtime.meta.lab)")
        .executable("stay.sh", stop)
        .file("rille.toml", "[meta]\nlab = 'north'\nfloor = '1'\n");
    let running = project.start(&["run", "job.lua", "--meta", "build=1", "--meta", "kept=yes"]);
    running.wait_for_file("stay.sh.ready");
    running.kill_host();
    running.wait().code(7);
    let project = project.file("stay.sh.go", "").file("rille.toml", "[meta]\nlab = 'south'\nnew = '1'\n");
    project.run(&["run", "--resume", "latest", "--meta", "build=2"]).code(0).stdout_has("2\tnorth\n");
    let run = project.the_run();
    let meta = json!({"build": "2", "kept": "yes", "lab": "north", "floor": "1"});
    assert_eq!((run.attr("meta"), run.results()["run"]["meta"].clone()), (meta.clone(), meta));
    let ended = project.run(&["run", "--rerun", "latest", "--rerun-condition", "passed"]);
    ended.code(0).stdout_has("nil\tsouth\n");
}

#[test]
fn what_is_secret_in_metadata_is_masked() {
    let project = project().env("MY_TOKEN", "hunter2-hunter2");
    let ended = project.job(&["--meta", "build=x-hunter2-hunter2"]);
    ended.code(0);
    let run = ended.the_run();
    assert_eq!(
        (run.attr("meta"), run.results()["run"]["meta"].clone()),
        (json!({"build": "x-***"}), json!({"build": "x-***"}))
    );
    for file in ["results.xml", "results.tap", "report.html", ".guild/events.jsonl"] {
        let text = run.text(file);
        assert!(text.contains("x-***") && !text.contains("hunter2"), "{file}");
    }
}
