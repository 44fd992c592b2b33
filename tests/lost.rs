//! Runs whose host was killed: what is recorded of them can be read, whatever the moment.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

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

         LOST [        -] open: its host ended before it did
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
        assert!(!value.is_null() || name == "sourcecode_digest", "{}: {name}", run.id());
    }
    for (number, event) in (1_u64..).zip(run.events_so_far()) {
        assert_eq!(event["seq"], number, "{}", run.id());
    }
    let log = fs::read(run.path().join(".guild/events.jsonl")).unwrap_or_default();
    let whole_lines = log.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")).count();
    assert_eq!(run.events_so_far().len(), whole_lines, "{}: a line is no event", run.id());
    if run.has("results.json") {
        // Of tests it is in another form.
        let results: Value = run.results();
        assert!(
            results["run"]["id"].as_str().map(str::len) == Some(32) || results["job_id"].is_string(),
            "{results:#}"
        );
    }
    assert_eq!(run.text(".guild/opref").split(' ').count(), 4, "{}", run.id());
}

/// What is started, and killed before it has begun to do anything: one line a door.
const DOORS: [(&str, &[&str]); 9] = [
    ("job", &["run", "job.lua", "--testbed", "lab.yaml"]),
    ("test", &["test", "true.sh"]),
    ("walk", &["walk", "suite.lua"]),
    ("operation", &["run", "quick", "-y"]),
    ("operation with files", &["run", "copies", "-y", "--label", "x", "--tag", "t"]),
    ("staged operation", &["run", "quick", "-y", "--stage"]),
    ("staged operation with files", &["run", "copies", "-y", "--stage"]),
    ("job in a new directory", &["run", "job.lua", "--run-dir", "DIR"]),
    ("operation in a directory that is there", &["run", "copies", "-y", "--run-dir", "THERE"]),
];

/// How often each is killed.
const KILLS: u32 = 12;

fn with_doors() -> Project {
    let suite = "local walk = require 'rille.walk'\n\
                 return { order = { walk.action { name = 'A', options = { 1 }, run = function() end } }, state = {} }";
    Project::new()
        .main("job.run { testscript = '/bin/true' }")
        .file("lab.yaml", "devices: {}\n")
        .executable("true.sh", "#!/bin/sh\nexit 0\n")
        .file("suite.lua", suite)
        .file("data.txt", "data")
        .file("code.py", "# code")
        .file(
            "guild.yml",
            "quick:\n  exec: 'true'\n  sourcecode: no\n\
             copies:\n  exec: 'true'\n  sourcecode: '*.py'\n  requires: [{file: data.txt}]\n",
        )
}

/// A sequence of numbers that looks like chance, and is the same each time.
struct Chance(u64);

impl Chance {
    /// Returns a number from 0 up to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.0 >> 32).expect("it has 32 bits")) / f64::from(u32::MAX)
    }
}

/// What became of the runs of a door that were killed, by their number.
#[derive(Debug, Default)]
struct Fates {
    absent: u32,
    lost: u32,
    other: u32,
}

/// However early, a run that is killed leaves nothing that is seen, or is lost; never is it corrupt, and what was left of it is
/// in nobody's way.
#[test]
fn a_run_that_is_killed_early_is_absent_or_lost_whatever_the_door() {
    let all: Vec<Fates> = thread::scope(|scope| {
        let doors: Vec<_> = (0..2)
            .map(|half| {
                scope.spawn(move || {
                    let doors = DOORS.iter().zip(1..).filter(|(_, number)| number % 2 == half);
                    doors.map(|((door, args), seed)| kill_early(door, args, seed)).collect::<Vec<_>>()
                })
            })
            .collect();
        doors.into_iter().flat_map(|doors| doors.join().expect("it is checked")).collect()
    });
    let (absent, lost) = all.iter().fold((0, 0), |(absent, lost), fates| (absent + fates.absent, lost + fates.lost));
    assert!(absent > 10 && lost > 10, "both were to be met: {all:?}");
}

fn kill_early(door: &str, args: &[&str], seed: u64) -> Fates {
    let project = with_doors();
    let mut chance = Chance(seed);
    let (mut found, mut absent) = (Vec::new(), Vec::new());
    let mut length = None;
    for number in 0..=KILLS {
        let folder = project.path(format!("run-{number}"));
        if args.contains(&"THERE") {
            fs::create_dir(&folder).expect("it can be made");
        }
        let path = folder.display().to_string();
        let args: Vec<&str> =
            args.iter().map(|arg| if matches!(*arg, "DIR" | "THERE") { &path } else { *arg }).collect();
        let known: Vec<String> = project.runs().iter().map(Run::id).collect();
        let begun = Instant::now();
        let running = project.start(&args);
        let Some(length) = length else {
            // The first is let through, to know how long it takes.
            running.wait().code(0);
            length = Some(begun.elapsed());
            continue;
        };
        let moment = length.mul_f64(chance.next());
        thread::sleep(moment.saturating_sub(begun.elapsed()));
        match number % 3 {
            0 => running.kill_host(),
            1 => running.signal(Signal::KILL),
            _ => {
                running.kill_host();
                running.signal(Signal::KILL);
            }
        }
        running.wait_only(DEADLINE);
        // The half that was not killed follows.
        project.survivors().assert_none_within(DEADLINE);
        let run = if args.contains(&"--run-dir") {
            folder.join(".guild").exists().then(|| Run::at(folder.clone(), &project))
        } else {
            project.runs().into_iter().find(|run| !known.contains(&run.id()))
        };
        match run {
            Some(run) => found.push((moment, run)),
            None => absent.push(args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>()),
        }
    }
    let mut fates = Fates { absent: u32::try_from(absent.len()).expect("they are few"), ..Fates::default() };
    if let Some(args) = absent.pop().filter(|args| args.contains(&"--run-dir".to_owned())) {
        project.run(&args).code(0);
    }
    for (moment, run) in found {
        check_readable(&run);
        let path = format!("{}/", run.path().display());
        let info = project.run(&["runs", "info", &path, "--json"]).code(0).json();
        match info["status"].as_str().expect("a text") {
            "lost" => fates.lost += 1,
            "completed" | "staged" => fates.other += 1,
            other => panic!("{door}, after {moment:?} of {length:?}: {other}: {info:#}"),
        }
    }
    project.run(&["runs"]).code(0);
    assert_eq!(behind_dots(&project), Vec::<String>::new(), "{door}");
    fates
}
