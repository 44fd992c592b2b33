//! `rille test`: tests of any kind as the tasks of one run, with Avocado's folder of results.

mod avocado;
mod dependencies;
mod ends;
mod history;
mod listed;
mod names;
mod order;
mod results;

use serde_json::Value;

use crate::harness::{Project, Run};

/// Returns how each test ended, in the order of the list: `1-a=PASS 2-b=FAIL`.
#[track_caller]
fn ends(run: &Run) -> String {
    let results = run.results();
    let tests = results["tests"].as_array().expect("tests are a list").iter();
    let end = |test: &Value| format!("{}={}", text(&test["id"]), text(&test["status"]));
    tests.map(end).collect::<Vec<_>>().join(" ")
}

/// Returns the counts of `results.json` that are above zero, as in `total 2, pass 1, failures 1`.
#[track_caller]
fn counts(run: &Run) -> String {
    let results = run.results();
    let names = ["total", "pass", "failures", "errors", "skip", "cancel", "warn", "interrupt"];
    let count = |name: &str| (name.to_owned(), results[name].as_u64().expect("a count is a number"));
    let counts = names.into_iter().map(count).filter(|(_, count)| *count > 0);
    counts.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

/// Returns why a test ended as it did, by its id.
#[track_caller]
fn reason(run: &Run, id: &str) -> String {
    let results = run.results();
    let tests = results["tests"].as_array().expect("tests are a list");
    let test = tests.iter().find(|test| test["id"] == id).unwrap_or_else(|| panic!("no {id} in {results:#}"));
    text(&test["fail_reason"]).to_owned()
}

#[track_caller]
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} should be text"))
}

/// Returns the names in a folder, in order.
#[track_caller]
fn names(run: &Run, folder: &str) -> Vec<String> {
    let path = run.path().join(folder);
    let entries = std::fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("listed").file_name().into_string();
    let mut names: Vec<String> = entries.map(|entry| name(entry).expect("a name is text")).collect();
    names.sort();
    names
}

/// Makes a project with one list of recipes, `list.json`.
fn listed(recipes: &[Value]) -> Project {
    Project::new().file("list.json", serde_json::to_vec(recipes).expect("it is JSON"))
}

/// Returns a recipe that runs this in a shell.
fn sh(name: &str, code: &str) -> Value {
    serde_json::json!({"kind": "exec-test", "uri": "/bin/sh", "args": ["-c", code], "identifier": name})
}
