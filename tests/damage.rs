//! Damaged runs among many: each is one row that says so, none hides another, and what the event log tells is written again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::harness::{Project, Run};

/// How many runs there are.
const RUNS: usize = 1000;

/// Damages a file of `.guild`.
type Harm = fn(&Path);

fn empty(path: &Path) {
    fs::write(path, "").expect("it can be written");
}

fn zeros(path: &Path) {
    let length = fs::read(path).expect("it is there").len();
    fs::write(path, vec![0; length]).expect("it can be written");
}

fn no_text(path: &Path) {
    fs::write(path, [0xff, 0xfe, 0x0a]).expect("it can be written");
}

fn gone(path: &Path) {
    fs::remove_file(path).or_else(|_| fs::remove_dir_all(path)).expect("it can be removed");
}

fn folder(path: &Path) {
    fs::remove_file(path).expect("it can be removed");
    fs::create_dir_all(path.join("x")).expect("it can be made");
}

fn file(path: &Path) {
    fs::remove_dir_all(path).expect("it can be removed");
    empty(path);
}

fn half(path: &Path) {
    let bytes = fs::read(path).expect("it is there");
    fs::write(path, &bytes[..bytes.len() / 2]).expect("it can be written");
}

fn of_the_future(path: &Path) {
    let text = fs::read_to_string(path).expect("it is there");
    fs::write(path, text.replace("\"format\":1", "\"format\":99")).expect("it can be written");
}

/// What is damaged, and whether the log tells how it was.
const KINDS: [(&str, Harm, bool); 30] = [
    ("attrs/exit_status", empty, true),
    ("attrs/exit_status", zeros, true),
    ("attrs/exit_status", no_text, true),
    ("attrs/exit_status", folder, true),
    ("attrs/exit_status", gone, true),
    ("attrs/started", empty, true),
    ("attrs/started", zeros, true),
    ("attrs/started", folder, true),
    ("attrs/stopped", empty, true),
    ("attrs/initialized", empty, true),
    ("attrs/id", empty, true),
    ("attrs/label", no_text, true),
    ("attrs/tags", zeros, true),
    ("attrs/flags", no_text, true),
    ("attrs/cmd", empty, true),
    ("attrs/env", zeros, true),
    ("attrs", gone, true),
    ("attrs", file, true),
    ("opref", empty, true),
    ("opref", zeros, true),
    ("opref", no_text, true),
    ("opref", gone, true),
    ("opref", half, true),
    ("opref", folder, true),
    ("events.jsonl", zeros, false),
    ("events.jsonl", empty, false),
    ("events.jsonl", half, false),
    ("events.jsonl", no_text, false),
    ("events.jsonl", folder, false),
    ("events.jsonl", of_the_future, false),
];

/// Copies a run, by links where it is not going to be changed.
fn copy(from: &Path, to: &Path, is_linked: bool) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("it can be listed") {
        let path = entry.expect("it is listed").path();
        let target = to.join(path.file_name().expect("it has a name"));
        if path.is_dir() {
            copy(&path, &target, is_linked);
        } else if is_linked {
            fs::hard_link(&path, &target).expect("a link can be made");
        } else {
            fs::copy(&path, &target).expect("it can be copied");
        }
    }
}

#[test]
fn every_kind_of_damage_is_one_row_among_a_thousand() {
    let project = Project::new().main("job.run { testscript = '/bin/true', taskid = 'a' }");
    let run = project.job(&["--label", "night", "--tag", "t"]).code(0).the_run();
    let mut harmed = BTreeMap::new();
    for number in 0..RUNS - 1 {
        let id = format!("{number:032x}");
        let path = run.path().with_file_name(&id);
        let kind = (number % 33 == 7).then(|| KINDS.get(number / 33)).flatten();
        copy(run.path(), &path, kind.is_none());
        if let Some((name, harm, is_told)) = kind {
            harm(&path.join(".guild").join(name));
            harmed.insert(id, (*name, *is_told));
        }
    }
    assert_eq!(harmed.len(), KINDS.len());

    for _ in 0..2 {
        let listed = project.run(&["runs", "--all", "--json"]).code(0).json();
        let rows = listed.as_array().expect("a list");
        assert_eq!(rows.len(), RUNS);
        for row in rows {
            let id = row["id"].as_str().expect("a text");
            let Some((name, is_told)) = harmed.get(id) else {
                assert_eq!((&row["status"], row.get("damage")), (&"completed".into(), None), "{row:#}");
                continue;
            };
            let damage = row["damage"].as_str().unwrap_or_default();
            let word = match *name {
                "events.jsonl" => "event log",
                name => name.trim_start_matches("attrs/"),
            };
            let is_named = damage.contains(word) || damage.contains("attributes") || damage.contains("events.jsonl");
            assert!(row["status"] == "corrupt" && is_named, "{name}: {row:#}");
            assert_eq!(row["log_status"] == "completed", *is_told, "{name}: {row:#}");
            if *is_told {
                let times = ["initialized", "started", "stopped"].map(|time| row[time].is_string());
                assert_eq!((times, &row["exit_status"]), ([true; 3], &0.into()), "{name}: {row:#}");
                assert_eq!((&row["operation"], &row["label"]), (&"job.lua".into(), &"night".into()), "{name}: {row:#}");
            }
        }
        assert_eq!(project.run(&["runs", "--all"]).code(0).out().lines().count(), RUNS);
        assert_eq!(project.run(&["runs", "--all", "-Sx"]).code(0).out().lines().count(), KINDS.len());
    }

    let repaired = project.run(&["runs", "repair", "-y"]);
    let untold = harmed.values().filter(|(_, is_told)| !is_told).count();
    repaired.code(1).stderr_has(": repaired; wrote exit_status; put aside attrs/exit_status\n");
    let left = project.run(&["runs", "--all", "-Sx"]).code(0).out();
    assert_eq!(left.lines().count(), untold, "{left}\n{repaired}");
    let (first, _) = harmed.iter().next().expect("there is one");
    let whole = Run::at(run.path().with_file_name(first), &project);
    assert_eq!((whole.attr("exit_status"), whole.attr("stopped")), (run.attr("exit_status"), run.attr("stopped")));
    assert_eq!(whole.bytes(".guild/damaged/attrs-exit_status"), b"");
}
