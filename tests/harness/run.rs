//! A run as it is on disk, read without the program that wrote it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Project;

/// A run directory. It keeps the project it is of.
pub(crate) struct Run {
    path: PathBuf,
    _project: Project,
}

impl Run {
    /// Names the run in this directory.
    pub(crate) fn at(path: PathBuf, project: &Project) -> Self {
        Self { path, _project: project.clone() }
    }

    /// Returns its directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns its id, the name of its directory.
    pub(crate) fn id(&self) -> String {
        self.path.file_name().expect("a run directory has a name").to_string_lossy().into_owned()
    }

    /// Returns the bytes of one of its files.
    #[track_caller]
    pub(crate) fn bytes(&self, path: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path.join(path);
        fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
    }

    /// Returns the text of one of its files.
    #[track_caller]
    pub(crate) fn text(&self, path: impl AsRef<Path>) -> String {
        String::from_utf8(self.bytes(path)).expect("the file is text")
    }

    /// Returns whether it has such a file or folder.
    pub(crate) fn has(&self, path: impl AsRef<Path>) -> bool {
        self.path.join(path).exists()
    }

    /// Returns the value of an attribute, which is a YAML document.
    #[track_caller]
    pub(crate) fn attr(&self, name: &str) -> Value {
        let text = self.text(Path::new(".guild/attrs").join(name));
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("the attribute {name} is no YAML: {error}\n{text}"))
    }

    /// Returns the value of an attribute; `None` if it is not there or not whole yet.
    pub(crate) fn try_attr(&self, name: &str) -> Option<Value> {
        serde_saphyr::from_str(&fs::read_to_string(self.path.join(".guild/attrs").join(name)).ok()?).ok()
    }

    /// Returns the names of its attributes in order.
    pub(crate) fn attr_names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path.join(".guild/attrs")).expect("there is a folder of attributes");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("listed").file_name().into_string().expect("a name is text")).collect();
        names.sort();
        names
    }

    /// Returns `results.json`.
    #[track_caller]
    pub(crate) fn results(&self) -> Value {
        serde_json::from_slice(&self.bytes("results.json")).expect("results.json is JSON")
    }

    /// Returns all events. Every line must be whole, and the numbers without gaps.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = self.text(".guild/events.jsonl");
        assert!(text.ends_with('\n'), "the event log ends in the middle of a line:\n{text}");
        let events: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("no event: {error}\n{line}")))
            .collect();
        for (number, event) in (1_u64..).zip(&events) {
            assert_eq!(event["seq"], number, "the numbers of events have a gap: {event}");
        }
        events
    }

    /// Returns the events that are whole by now, of a run under way or lost.
    pub(crate) fn events_so_far(&self) -> Vec<Value> {
        let text = fs::read(self.path.join(".guild/events.jsonl")).unwrap_or_default();
        let lines = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }

    /// Returns the events of one kind, such as `task-finished`.
    #[track_caller]
    pub(crate) fn events_of(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event"] == kind).collect()
    }

    /// Returns a task of `results.json` by its id.
    #[track_caller]
    pub(crate) fn task(&self, id: &str) -> Value {
        let results = self.results();
        let tasks = results["tasks"].as_array().expect("tasks are a list");
        let found = tasks.iter().find(|task| task["id"] == id);
        found.unwrap_or_else(|| panic!("there is no task {id} in {results:#}")).clone()
    }

    /// Returns the outcome of every task in `results.json`, as in `a=passed b=failed`.
    #[track_caller]
    pub(crate) fn outcomes(&self) -> String {
        let results = self.results();
        let tasks = results["tasks"].as_array().expect("tasks are a list").iter();
        let shown = tasks.map(|task| {
            let outcome = task["result"]["value"].as_str().unwrap_or("none");
            format!("{}={outcome}", task["id"].as_str().expect("an id is text"))
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    /// Returns the reason of a task in `results.json`; empty if it has none.
    #[track_caller]
    pub(crate) fn reason(&self, task: &str) -> String {
        self.task(task)["result"]["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// Returns what the last attempt at a task wrote to `stdout` or `stderr`; nothing if there is no such file.
    #[track_caller]
    pub(crate) fn output(&self, task: &str, stream: &str) -> Vec<u8> {
        let task = self.task(task);
        let folder = task["folder"].as_str().expect("a folder is text");
        fs::read(self.path.join(folder).join(stream)).unwrap_or_default()
    }

    /// Returns the sections of a task in `results.json`: for each its full id, its outcome and its reason; without an end the
    /// outcome is empty.
    #[track_caller]
    pub(crate) fn sections(&self, task: &str) -> Vec<(String, String, String)> {
        fn add(found: &mut Vec<(String, String, String)>, parts: &Value, prefix: &str) {
            for part in parts.as_array().into_iter().flatten() {
                let id = format!("{prefix}{}", part["uid"].as_str().expect("a uid is text"));
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                found.push((id.clone(), text(&part["result"]["value"]), text(&part["result"]["reason"])));
                add(found, &part["sections"], &format!("{id}."));
            }
        }
        let mut found = Vec::new();
        add(&mut found, &self.task(task)["sections"], "");
        found
    }

    /// Returns the warnings in `results.json`, one a line.
    #[track_caller]
    pub(crate) fn warnings(&self) -> String {
        let results = self.results();
        let warnings = results["warnings"].as_array().expect("warnings are a list").iter();
        warnings.map(|warning| warning["text"].as_str().expect("it has a text").to_owned() + "\n").collect()
    }
}
