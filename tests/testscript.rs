//! Testscripts: sections and their results, what blocks what, parameters, loops, processors, and which sections run.

mod choice;
mod datafile;
mod definitions;
mod flow;
mod loops;
mod parameters;
mod pause;
mod processors;
mod results;
mod retry;
mod standalone;
mod steps;

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use crate::harness::{Ended, Project, Run};

/// Returns a project with a testscript of this body, behind the line that requires the module as `ts`.
fn script(body: &str) -> Project {
    Project::new().file("t.lua", format!("local ts = require \"rille.testscript\"\n{body}\n"))
}

/// Runs a testscript of this body without a jobfile.
#[track_caller]
fn run(body: &str) -> Ended {
    script(body).run(&["run", "t.lua"])
}

/// Runs it with these options.
#[track_caller]
fn run_with(body: &str, options: &[&str]) -> Ended {
    script(body).run(&[&["run", "t.lua"], options].concat())
}

/// Checks exit code and sections: `check(body, 1, "Ping failed: setup: no\n  setup failed: no\n…")`.
#[track_caller]
fn check(body: &str, code: i32, expected: &str) {
    checked(&run(body), code, expected);
}

/// Checks the same of a run that has ended.
#[track_caller]
fn checked(ended: &Ended, code: i32, expected: &str) {
    ended.code(code);
    let found = tree(&ended.the_run());
    assert!(found.trim_end() == outdented(expected), "expected:\n{}\nfound:\n{found}\n{ended}", outdented(expected));
}

/// Takes away the indentation that the first line has.
fn outdented(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let indent = lines.first().map_or(0, |line| line.len() - line.trim_start().len());
    lines.iter().map(|line| line.get(indent..).unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[derive(Default)]
struct Section {
    kind: String,
    uid: String,
    parent: u64,
    /// Where in the log it began or was passed over; those never reached come last.
    place: usize,
    end: Option<String>,
    started: bool,
}

/// Returns the sections of the only task, by the events of its run: a line for each, with its outcome and its reason,
/// parts indented, in the order in which they were begun or passed over.
fn tree(run: &Run) -> String {
    let mut sections: BTreeMap<u64, Section> = BTreeMap::new();
    let add = |sections: &mut BTreeMap<u64, Section>, plan: &Value| {
        let number = sections.len() as u64 + 1;
        let text = |key: &str| plan[key].as_str().unwrap_or_default().to_owned();
        let parent = plan["parent"].as_u64().unwrap_or_default();
        let place = usize::MAX;
        sections.insert(number, Section { kind: text("kind"), uid: text("uid"), parent, place, ..Section::default() });
    };
    for (at, event) in run.events().iter().enumerate() {
        let number = event["section"].as_u64().unwrap_or_default();
        match event["event"].as_str() {
            Some("task-planned") => {
                for plan in event["sections"].as_array().expect("a list") {
                    add(&mut sections, plan);
                }
            }
            Some("section-started") => {
                if event["plan"].is_object() {
                    add(&mut sections, &event["plan"]);
                }
                let section = sections.get_mut(&number).expect("it is known");
                assert!(!section.started && section.end.is_none(), "{} begins twice", section.uid);
                section.started = true;
                section.place = at;
                if let Some(uid) = event["uid"].as_str() {
                    uid.clone_into(&mut section.uid);
                }
            }
            Some("section-finished") => {
                let section = sections.get_mut(&number).expect("it is known");
                assert!(section.end.is_none(), "{} ends twice", section.uid);
                section.place = section.place.min(at);
                let reason = event["reason"].as_str().map_or_else(String::new, |reason| format!(": {reason}"));
                let reason = reason.replace(&format!("{}/", run.path().join("../../..").join("work").display()), "");
                section.end = Some(format!("{}{}", event["outcome"].as_str().expect("a text"), short(&reason)));
            }
            _ => {}
        }
    }
    let mut text = String::new();
    write_parts(&mut text, &sections, 0, 0);
    text
}

/// Takes the folder of the project out of a text.
fn short(text: &str) -> String {
    let folder = regex::Regex::new(r"/[^ :]*/work/").expect("it is an expression");
    folder.replace_all(text, "").into_owned()
}

fn write_parts(text: &mut String, sections: &BTreeMap<u64, Section>, parent: u64, depth: usize) {
    let mut parts: Vec<(&u64, &Section)> = sections.iter().filter(|(_, section)| section.parent == parent).collect();
    parts.sort_by_key(|(number, section)| (section.place, **number));
    for (number, section) in parts {
        let end = section.end.as_deref().unwrap_or(if section.started { "no end" } else { "not reached" });
        writeln!(text, "{:depth$}{} {end}", "", section.uid, depth = depth * 2).expect("a string takes it");
        assert!(!section.kind.is_empty());
        write_parts(text, sections, *number, depth + 1);
    }
}
