//! Runs whose host was killed: what is recorded of them can be read, whatever the moment.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{DEADLINE, Project, Run, check_results, until};

/// A script that tells that it runs and stays.
const STAY: &str = "#!/bin/sh\necho ready > \"$RILLE_RUN_DIR/ready\"\nexec sleep 1000\n";

/// Starts a job with a finished task and one that stays, and kills its host when both are recorded.
fn lost_run() -> (Project, Run) {
    let body =
        "job.run { testscript = '/bin/true', taskid = 'done' }\njob.run { testscript = 'stay.sh', taskid = 'open' }";
    let project = Project::new().main(body).executable("stay.sh", STAY);
    let running = project.start(&["run", "job.lua"]);
    running.wait_for_event(|event| event["event"] == "task-started" && event["task"] == 2);
    let run = project.the_run();
    until("the task's word", DEADLINE, || run.has("ready").then_some(()));
    running.kill_host();
    let ended = running.wait();
    ended.code(7).stderr_has("the host process was killed by SIGKILL; its run is lost, and its tasks were ended");
    (project, run)
}

#[test]
fn a_run_whose_host_was_killed_is_lost_and_can_be_read() {
    let (project, run) = lost_run();
    let listed = project.run(&["runs", "--json"]).code(0).json();
    assert_eq!(listed[0]["status"], "lost");
    let shown = project.run(&["runs", "show", &run.id()]);
    insta::assert_snapshot!(shown.whole(), @r"
    exit code 0
    --- stdout
    [RUN] job: [WORK]/job.lua
       PASSED [TIME] done

    job
    ├── done  PASSED [TIME]
    └── open  LOST               -  its host ended before it did

    Run [RUN] was lost: its host ended before it could record the end.

    Result: LOST  2 tasks: 1 passed, 1 without an end in [TIME]
    Run directory: [HOME]/runs/[RUN]
    ");
    let results = project.run(&["runs", "show", "latest", "--json"]).code(0).json();
    check_results(&project, &results);
    assert_eq!(results["run"]["complete"], false);
    assert_eq!(results["run"]["result"]["value"], "errored");
    assert_eq!(results["tasks"][0]["result"]["value"], "passed");
    project.run(&["runs", "info", &run.id()]).code(0).stdout_has("status: lost\n");
    project.run(&["runs", "rm", "-y", "latest"]).code(0);
    assert!(project.runs().is_empty());
}

#[test]
fn a_torn_last_line_of_the_log_is_left_out() {
    let (project, run) = lost_run();
    let log = run.path().join(".guild/events.jsonl");
    let whole = fs::read(&log).unwrap();
    let before = project.run(&["runs", "show", "latest"]).code(0).out();
    fs::write(&log, [&whole[..], b"{\"seq\":99,\"time\":\"2026-"].concat()).unwrap();
    assert_eq!(project.run(&["runs", "show", "latest"]).code(0).out(), before);
}

/// The attributes in the order in which a run writes them.
const ATTRIBUTES: [&str; 16] = [
    "id",
    "initialized",
    "cmd",
    "flags",
    "label",
    "tags",
    "host",
    "user",
    "platform",
    "run_params",
    "env",
    "../events.jsonl",
    "started",
    "../../results.json",
    "exit_status",
    "stopped",
];

/// How many hosts are killed, and how many at a time.
const HOSTS: usize = 1000;
const THREADS: usize = 4;

#[test]
fn a_thousand_hosts_killed_in_the_middle_leave_nothing_unreadable() {
    let body = "for i = 1, 40 do runtime.job.name = ('name %d'):format(i) end\n\
                for i = 1, 6 do job.run { testscript = '/bin/true' } end";
    let project = Project::new().main(body);
    thread::scope(|scope| {
        for first in 0..THREADS {
            let project = &project;
            scope.spawn(move || (first..HOSTS).step_by(THREADS).for_each(|number| run_and_kill(project, number)));
        }
    });
    project.survivors().assert_none_within(DEADLINE);

    // What is half made is behind a dot, until somebody looks at the runs.
    let mut statuses = BTreeMap::new();
    let listed = project.run(&["runs", "--all", "--json"]).code(0).json();
    for run in listed.as_array().expect("a list") {
        *statuses.entry(run["status"].as_str().expect("a text").to_owned()).or_insert(0) += 1;
    }
    assert_eq!(behind_dots(&project), Vec::<String>::new());
    let runs = project.runs();
    assert_eq!(statuses.values().sum::<usize>(), runs.len(), "{statuses:?}");
    let unexpected = statuses.keys().find(|status| !["lost", "completed"].contains(&status.as_str()));
    assert!(unexpected.is_none(), "{statuses:?}");
    assert!(statuses["lost"] > HOSTS / 2, "too few were killed in the middle: {statuses:?}");
    for run in &runs {
        check_readable(run);
    }
    for run in runs.iter().filter(|run| run.has(".guild/events.jsonl")).step_by(40) {
        let shown = project.run(&["runs", "show", &run.id(), "--json"]).code(0).json();
        check_results(&project, &shown);
    }
}

/// Returns what is in the folder of runs and no run.
fn behind_dots(project: &Project) -> Vec<String> {
    let entries = fs::read_dir(project.home().join("runs")).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with('.')).collect()
}

/// Starts a host and kills it, or its guardian, at a moment that differs from number to number.
fn run_and_kill(project: &Project, number: usize) {
    let id = format!("{number:032x}");
    let folder: PathBuf = project.home().join("runs").join(&id);
    // Where it is made before it is seen.
    let hidden = folder.with_file_name(format!(".{id}.new")).join(&id);
    let running = project.start(&["run".as_ref(), "job.lua".as_ref(), "--run-dir".as_ref(), folder.as_os_str()]);
    let length = |path: &str| fs::metadata(folder.join(path)).map_or(0, |metadata| metadata.len());
    let is_time = || match number % 4 {
        // As soon as a certain attribute is there.
        0 => {
            let attribute = Path::new(".guild/attrs").join(ATTRIBUTES[number / 4 % ATTRIBUTES.len()]);
            [&hidden, &folder].iter().any(|folder| folder.join(&attribute).exists())
        }
        // When the log is so long.
        _ => length(".guild/events.jsonl") > (number as u64 * 7919) % 7_000,
    };
    until("the moment to kill", DEADLINE, || (is_time() || running.has_ended()).then_some(()));
    match number % 8 {
        0..5 => running.kill_host(),
        _ => running.signal(Signal::KILL),
    }
    running.wait_only(DEADLINE);
}

/// Checks that every file of metadata that is there is whole.
fn check_readable(run: &Run) {
    for name in run.attr_names() {
        let value = run.attr(&name);
        assert!(!value.is_null(), "{}: {name}", run.id());
    }
    for (number, event) in (1_u64..).zip(run.events_so_far()) {
        assert_eq!(event["seq"], number, "{}", run.id());
    }
    let log = fs::read(run.path().join(".guild/events.jsonl")).unwrap_or_default();
    let whole_lines = log.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")).count();
    assert_eq!(run.events_so_far().len(), whole_lines, "{}: a line is no event", run.id());
    if run.has("results.json") {
        let results: Value = run.results();
        assert_eq!(results["run"]["id"].as_str().map(str::len), Some(32));
    }
    if run.has(".guild/opref") {
        assert!(run.text(".guild/opref").ends_with(" job.lua"));
    }
}
