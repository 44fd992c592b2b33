//! Two hundred slips of the first hour: each message says what to write, and none speaks of anything but what the user
//! wrote. No name of Rust, no address, no path of the program itself, no word of a library stands in any text.

#[path = "slips/definitions.rs"]
mod definitions;
#[path = "slips/jobs.rs"]
mod jobs;
#[path = "slips/starts.rs"]
mod starts;
#[path = "slips/tasks.rs"]
mod tasks;

use std::collections::BTreeMap;

use crate::harness::{Ended, Project};

/// A slip: the code, and what its message must say.
type Slip = (&'static str, &'static str);

/// Words that say nothing to a user.
const FOREIGN: [&str; 31] = [
    "/proc/self/exe",
    "(os error",
    "userdata",
    "UserData",
    "mlua",
    "serde",
    "rust",
    "Rust",
    "panicked",
    "unwrap",
    "LuaTask",
    "LuaResult",
    "LuaRunnable",
    "LuaJob",
    "Some(",
    "None)",
    "Ok(",
    "Err(",
    "Vec<",
    "Option<",
    "error converting",
    "invalid type",
    "expected value at line",
    "trailing characters",
    "utf-8 sequence",
    "runtime error",
    "CallbackError",
    "bad argument `",
    "$map",
    "$float",
    "__synchro__",
];

/// Returns what in a text is not for users.
fn foreign(text: &str) -> Option<String> {
    if let Some(word) = FOREIGN.iter().find(|word| text.contains(**word)) {
        return Some((*word).to_owned());
    }
    // An address: more hexadecimal digits than anybody writes.
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_hexdigit).count();
    text.split("0x").skip(1).find(|rest| digits(rest) >= 6).map(|rest| format!("0x{}", &rest[..digits(rest)]))
}

/// Compares what was told of each slip with what must be told.
#[track_caller]
fn check(slips: &[Slip], told: impl Fn(usize) -> String) {
    let mut wrong = Vec::new();
    for (index, (code, expected)) in slips.iter().enumerate() {
        let told = told(index);
        if let Some(word) = foreign(&told) {
            wrong.push(format!("{code}\n    speaks of {word}: {told}"));
        } else if !told.contains(expected) {
            wrong.push(format!("{code}\n    expected {expected}\n    found    {told}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), slips.len(), wrong.join("\n"));
}

/// Checks that nothing foreign stands in all that a run has shown and written.
#[track_caller]
fn check_whole(ended: &Ended) {
    for text in [ended.out(), ended.err()] {
        let line = text.lines().find_map(|line| Some((foreign(line)?, line)));
        assert!(line.is_none(), "{line:?}");
    }
}

/// Returns the reasons of the tasks of a run by their ids.
fn reasons(ended: &Ended) -> BTreeMap<String, String> {
    let results = ended.the_run().results();
    let tasks = results["tasks"].as_array().expect("a list").iter();
    let reason = |task: &serde_json::Value| task["result"]["reason"].as_str().unwrap_or_default().to_owned();
    tasks.map(|task| (task["id"].as_str().expect("a text").to_owned(), reason(task))).collect()
}

#[test]
fn the_corpus_is_as_large_as_it_should_be() {
    let count =
        tasks::SLIPS.len() + definitions::SLIPS.len() + jobs::SLIPS.len() + starts::TASKS.len() + starts::RUNS.len();
    assert!(count >= 200, "there are {count}");
    for text in ["at 0x55d0c0ffee", "table: 0x7f00aa11", "value: Some(1)", "run /proc/self/exe"] {
        assert!(foreign(text).is_some(), "{text}");
    }
    assert_eq!(foreign("0x10 is sixteen, None is nothing in Python"), None);
}

/// Each slip is the body of a test of one testscript, so that its message is the one of an error that nobody caught.
#[test]
fn slips_inside_a_task_are_told_with_what_to_write() {
    let mut script = String::from(
        "local ts = require 'rille.testscript'\nlocal log, args = require 'rille.log', require 'rille.args'\n\
         local runnable, runs = require 'rille.runnable', require 'rille.runs'\nlocal case = ts.testcase('Slips')\n",
    );
    for (index, (code, _)) in tasks::SLIPS.iter().enumerate() {
        script.extend([format!(
            "case:test('s{index}', function(self, p, steps) local _ = {{ self, p, steps }} {code} end)\n"
        )]);
    }
    let project = Project::new()
        .main("job.run { testscript = 's.lua', taskid = 't' }")
        .file("s.lua", script)
        .file("bad.json", "{ no json");
    let ended = project.job(&["-q"]);
    ended.code(1);
    check_whole(&ended);
    let sections = &ended.the_run().results()["tasks"][0]["sections"][0]["sections"];
    let told = |index: usize| {
        let section = &sections[index];
        assert_eq!(section["uid"], format!("s{index}"), "{section:#}");
        section["result"]["reason"].as_str().unwrap_or("nothing").to_owned()
    };
    check(tasks::SLIPS, told);
}

/// Each slip is a script of its own: it is told when the script is loaded.
#[test]
fn slips_in_definitions_are_told_with_what_to_write() {
    let mut project = Project::new();
    let mut tasks = String::new();
    for (index, (code, _)) in definitions::SLIPS.iter().enumerate() {
        let begin = if code.contains("--bare") { "" } else { "local ts = require 'rille.testscript' " };
        project = project.file(format!("s{index}.lua"), format!("{begin}{code}\n"));
        tasks.extend([format!("{{ testscript = 's{index}.lua', taskid = 's{index}' }}, ")]);
    }
    let ended = project.main(&format!("job.parallel {{ {tasks} }}")).job(&["-q"]);
    ended.code(1);
    check_whole(&ended);
    let reasons = reasons(&ended);
    check(definitions::SLIPS, |index| reasons[&format!("s{index}")].clone());
}

/// Each slip is a function of one jobfile, whose error is caught and printed.
#[test]
fn slips_in_a_jobfile_are_told_with_what_to_write() {
    let mut body = String::from(
        "local walk, args, log = require 'rille.walk', require 'rille.args', require 'rille.log'\n  \
         local t = job.Task { testscript = 'true', taskid = 'ready' }\n  \
         local ok, result = job.run { testscript = 'true', taskid = 'done' }\n  \
         local s = runtime.synchro\n  local d, l, q, lock, e, v = s.dict(), s.list(), s.queue(), s.lock(), s.event(), s.value(1)\n  \
         local function try(f) local ok, err = pcall(f) print(ok and 'nothing' or (tostring(err):gsub('\\n', ' '))) end\n",
    );
    for (code, _) in jobs::SLIPS {
        body.extend([format!("  try(function() {code} end)\n")]);
    }
    let ended = Project::new().main(&body).job(&["-q"]);
    check_whole(&ended);
    let told: Vec<String> = ended.out().lines().map(str::to_owned).collect();
    assert_eq!(told.len(), jobs::SLIPS.len(), "{ended}");
    check(jobs::SLIPS, |index| told[index].clone());
}

/// Each slip is a task that cannot be started.
#[test]
fn slips_in_what_a_task_runs_are_told_with_what_to_write() {
    let mut project = Project::new()
        .executable("crlf.sh", "#!/bin/sh\r\necho\r\n")
        .executable("no-interpreter", "#!/usr/bin/pyhton3\n")
        .executable("relative", "#!python3\n")
        .executable("empty", "")
        .executable("text", "no program\n")
        .file("not-executable.sh", "#!/bin/sh\n")
        .file("broken.json", "{ \"kind\": ")
        .file("no-kind.json", "{}")
        .file("list.json", "[{ \"kind\": \"noop\" }, { \"kind\": \"noop\" }]")
        .file("bytecode.lua", "\u{1b}Lua")
        .file("syntax.lua", "local x = = 1")
        .file("folder/file", "");
    let mut tasks = String::new();
    for (index, (code, _)) in starts::TASKS.iter().enumerate() {
        tasks.extend([format!("{{ taskid = 's{index}', {code} }}, ")]);
    }
    project = project.main(&format!("job.parallel {{ {tasks} }}"));
    let ended = project.job(&["-q"]);
    ended.code(1);
    check_whole(&ended);
    let reasons = reasons(&ended);
    check(starts::TASKS, |index| reasons[&format!("s{index}")].clone());
}

/// Each slip is a run of its own: a jobfile, and the arguments behind it.
#[test]
fn slips_in_starting_a_run_are_told_with_what_to_write() {
    let told = |index: usize| {
        let (line, _) = starts::RUNS[index];
        let (arguments, text) = line.split_once(": ").expect("it has a jobfile");
        let project = Project::new()
            .file("job.lua", text)
            .file("bed.yaml", "a: 1\n  b: [\n")
            .file("twice.yaml", "a: 1\na: 2\n")
            .file("bed.json", "{ \"a\": }")
            .file("bed.lua", "return 3")
            .file("raises.lua", "error { code = 7 }")
            .file("bed.txt", "a")
            .file("scalar.yaml", "3");
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let ended = project.run(&words);
        assert_ne!(ended.exit_code(), Some(0), "{line}\n{ended}");
        check_whole(&ended);
        ended.err()
    };
    check(starts::RUNS, told);
}
