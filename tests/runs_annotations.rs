//! Labels, tags, marks and comments of runs.

use std::fs;

use serde_json::json;

use crate::harness::{DEADLINE, Project};

#[test]
fn labels_are_set_and_changed_in_words() {
    let project = Project::new();
    let run = project.handmade("aa11", 1, &[]);
    let steps: [(&[&str], Option<&str>); 9] = [
        (&["-s", "a b"], Some("a b")),
        (&["-p", "x"], Some("x a b")),
        (&["--append", "y"], Some("x a b y")),
        (&["-rm", "b"], Some("x a y")),
        (&["--remove", "x", "--remove", "y"], Some("a")),
        (&["-s", "--odd"], Some("--odd")),
        (&["-s", "'\"\\ \u{1f600} #:\n2"], Some("'\"\\ \u{1f600} #:\n2")),
        (&["-s", "12"], Some("12")),
        (&["-c"], None),
    ];
    for (change, label) in steps {
        let ended = project.run(&[&["runs", "label"], change, &["aa11"]].concat());
        ended.code(0).stderr_has(if label.is_some() { "Labeled 1 run(s)" } else { "Cleared label for 1 run(s)" });
        assert_eq!(run.try_attr("label"), label.map(|label| json!(label)), "{change:?}");
    }
    project.run(&["runs", "label"]).code(2).stderr_has("--set");
    project.run(&["runs", "label", "-s", "a", "-c"]).code(2);
    project.run(&["runs", "label", "-s", "a", "zz"]).code(2).stderr_has("no run matches 'zz'");
}

#[test]
fn several_runs_are_labelled_at_once_and_the_newest_by_default() {
    let project = Project::new();
    for (number, id) in ["aa11", "bb22", "cc33"].into_iter().enumerate() {
        project.handmade(id, number as u64, &[]);
    }
    let labels = || project.run(&["runs", "--json"]).json();
    let column = |name: &str| labels().as_array().unwrap().iter().map(|run| run[name].clone()).collect::<Vec<_>>();
    let done = project.run(&["runs", "label", "-s", "old", "2:3", "--json"]).code(0).json();
    assert_eq!(done, json!([{"id": "bb22", "label": "old"}, {"id": "aa11", "label": "old"}]));
    project.run(&["label", "-s", "new"]).code(0);
    assert_eq!(column("label"), ["new", "old", "old"]);
    project.run(&["runs", "label", "-a", "x", ":", "-Fl", "old"]).code(0).stderr_has("Labeled 2 run(s)");
    assert_eq!(column("label"), ["new", "old x", "old x"]);
}

#[test]
fn tags_are_added_and_taken_away() {
    let project = Project::new();
    let run =
        project.handmade("aa11", 1, &[(".guild/attrs/label", "t1 lr=0.1\n"), (".guild/attrs/tags", "- t1\n- 2\n")]);
    project.handmade("bb22", 0, &[(".guild/attrs/tags", "- other\n")]);
    project.run(&["tag", "-a", "b", "-a", "t1", "aa11"]).code(0).stderr_has("Modified tags for 1 run(s)");
    assert_eq!(run.attr("tags"), json!(["t1", "2", "b"]));
    assert_eq!(run.attr("label"), "t1 lr=0.1");
    project.run(&["tag", "-a", "best", "-d", "t1", "--sync-labels", "aa11"]).code(0);
    assert_eq!((run.attr("tags"), run.attr("label")), (json!(["2", "b", "best"]), json!("best lr=0.1")));
    project.run(&["tag", "--list-all"]).code(0).stdout("2\nb\nbest\nother\n");
    assert_eq!(project.run(&["tag", "--list-all", "bb22", "--json"]).code(0).json(), json!(["other"]));
    project.run(&["tag", "-c", "-a", "only", "aa11"]).code(0);
    assert_eq!(run.attr("tags"), json!(["only"]));
    project.run(&["tag", "aa11"]).code(2).stderr_has("--add");
}

#[test]
fn marks_are_put_to_the_newest_and_taken_from_all() {
    let project = Project::new();
    let (old, new) = (project.handmade("aa11", 1, &[]), project.handmade("bb22", 2, &[]));
    project.run(&["mark"]).code(0).stderr_has("Marked 1 run(s)");
    assert_eq!((old.try_attr("marked"), new.try_attr("marked")), (None, Some(json!(true))));
    project.run(&["mark"]).code(0);
    assert_eq!(old.attr("marked"), true);
    project.run(&["mark"]).code(0).stderr_has("Nothing to mark.");
    project.run(&["mark", "--clear"]).code(0).stderr_has("Unmarked 2 run(s)");
    assert!(!old.has(".guild/attrs/marked") && !new.has(".guild/attrs/marked"));
}

#[test]
fn comments_are_written_listed_and_deleted() {
    let project = Project::new()
        .env("USER", "ada")
        .executable("editor", "#!/bin/sh\ngrep -q '\\[aa11\\]' \"$1\" || exit 3\necho 'by hand' >> \"$1\"\n");
    let run = project.handmade("aa11", 1, &[]);
    project.run(&["comment", "-a", "first\nsecond \u{1b}[31m"]).code(0).stderr_has("Added comment to 1 run(s)");
    project.run(&["comment", "-a", "other", "-u", "me@there"]).code(0);
    let listed = project.run(&["comment", "-l"]);
    listed.code(0).stdout_has("[1] ada@").stdout_has("\n\n  first\n  second  [31m\n").stdout_has("[2] me@there ");
    let mut with_editor = project.rille(&["comment", "-e"]);
    with_editor.env("EDITOR", project.path("editor"));
    project.start_command(with_editor).wait().code(0);
    let bodies = |run: &crate::harness::Run| {
        run.attr("comments").as_array().unwrap().iter().map(|comment| comment["body"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(bodies(&run), ["first\nsecond \u{1b}[31m", "other", "by hand"]);
    project.run(&["comment", "-d", "9", "-y"]).code(2).stderr_has("has no comment 9").stderr_has("it has 3");
    project.run(&["comment", "-d", "1"]).code(2).stderr_has("add -y");
    project.run(&["comment", "-d", "1", "-y"]).code(0).stderr_has("Deleted comment for 1 run(s)");
    assert_eq!(bodies(&run), ["other", "by hand"]);
    let as_json = project.run(&["comment", "-l", "--json"]).code(0).json();
    assert_eq!(as_json[0]["comments"][0]["user"], "me");
    project.run(&["comment", "--clear", "-y"]).code(0);
    project.run(&["comment", "-l"]).code(0).stdout_has("<no comments>");
    project.run(&["comment"]).code(2).stderr_has("--add");
}

#[test]
fn no_change_is_lost_however_many_change_at_once() {
    let project = Project::new();
    let run = project.handmade("aa11", 1, &[]);
    let names: Vec<String> = (0..12).map(|number| format!("t{number}")).collect();
    let started: Vec<_> = names
        .iter()
        .flat_map(|name| [project.start(&["tag", "-a", name, "aa11"]), project.start(&["comment", "-a", name, "aa11"])])
        .collect();
    for process in started {
        process.wait_only(DEADLINE).code(0);
    }
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    let texts = |value: serde_json::Value, key: Option<&str>| {
        let items = value.as_array().unwrap().clone().into_iter();
        let texts = items.map(|item| key.map_or(item.clone(), |key| item[key].clone()).as_str().unwrap().to_owned());
        sorted(texts.collect())
    };
    assert_eq!(texts(run.attr("tags"), None), sorted(names.clone()));
    assert_eq!(texts(run.attr("comments"), Some("body")), sorted(names));
    let left: Vec<_> =
        fs::read_dir(run.path().join(".guild")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "only attrs and opref: {left:?}");
}

#[test]
fn a_damaged_run_is_told_and_the_others_are_done() {
    let project = Project::new();
    let (good, bad) =
        (project.handmade("aa11", 1, &[]), project.handmade("bb22", 2, &[(".guild/attrs/label", "a: [\n")]));
    let ended = project.run(&["label", "-a", "x", ":"]);
    ended.code(1).stderr_has("WARNING: ").stderr_has("skipping run bb22").stderr_has("Labeled 1 run(s)");
    assert_eq!(good.attr("label"), "x");
    // What is replaced need not be read.
    project.run(&["label", "-s", "whole", "bb22"]).code(0);
    assert_eq!(bad.attr("label"), "whole");
    fs::write(bad.path().join(".guild/attrs/exit_status"), "[").unwrap();
    project.run(&["tag", "-a", "x", "bb22"]).code(0);
}
