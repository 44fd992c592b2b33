//! A disk that is full, and a home that cannot be written: exit 7, the path named, and no result better than the record.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::harness::{Ended, Project, Run};

/// Runs `command` in the project with a file system of this size as the home. What is in it afterwards is in `kept`.
fn on_small_disk(project: &Project, options: &str, command: &str) -> Ended {
    let script = format!(
        "mkdir -p \"$RILLE_HOME\" && mount -t tmpfs -o {options} tmpfs \"$RILLE_HOME\" || exit 99\n\
         {command}\ncode=$?\nmkdir kept && cp -r \"$RILLE_HOME\"/. kept\nexit $code\n"
    );
    let mut unshare = project.command("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
    project.start_command(unshare).wait()
}

/// Returns whether this user may mount in a namespace; says so if not.
fn may_mount() -> bool {
    let tried = on_small_disk(&Project::new(), "size=64k", "true");
    if tried.exit_code() != Some(0) {
        println!("skipped: mounting in a user namespace is not permitted here: {}", tried.err().trim());
    }
    tried.exit_code() == Some(0)
}

/// Returns the one run that was kept, if there was one: a disk that is full before a run appears holds none.
fn try_kept(project: &Project) -> Option<Run> {
    let entry = fs::read_dir(project.path("kept/runs")).ok()?.next()?;
    Some(Run::at(entry.expect("it is listed").path(), project))
}

fn kept(project: &Project) -> Run {
    try_kept(project).expect("there is a run")
}

/// Checks that nothing is called passed that the event log does not have as passed; returns how many there are.
#[track_caller]
fn check_truth(ended: &Ended, run: &Run) -> usize {
    let is_pass = |event: &&Value| event["event"] == "task-finished" && event["outcome"] == "passed";
    let recorded: BTreeSet<u64> =
        run.events_so_far().iter().filter(is_pass).map(|event| event["task"].as_u64().expect("a number")).collect();
    let told = ended.err().lines().filter(|line| line.trim_start().starts_with("PASSED")).count();
    assert!(told <= recorded.len(), "{told} are told as passed, {} are recorded\n{ended}", recorded.len());
    if run.has("results.json") {
        let results = run.results();
        for task in results["tasks"].as_array().expect("a list") {
            let number = task["number"].as_u64().expect("a number");
            assert!(task["result"]["value"] != "passed" || recorded.contains(&number), "{task} is not in the log");
        }
        assert_ne!(results["run"]["exit_code"], 0);
        assert_ne!(results["run"]["result"]["value"], "passed");
    }
    for (report, sign) in [("results.xml", "<error"), ("results.tap", "not ok"), ("report.html", "<dt>Exit code<dd>7")]
    {
        if run.has(report) {
            let text = run.text(report);
            assert!(text.contains(sign), "{report} says nothing of it:\n{text}");
        }
    }
    assert_ne!(run.try_attr("exit_status"), Some(Value::from(0)));
    recorded.len()
}

#[test]
fn a_task_that_fills_the_disk_ends_the_run_with_its_path() {
    if !may_mount() {
        return;
    }
    let project = Project::new()
        .main("job.run { testscript = '/bin/true', taskid = 'first' }\njob.run { testscript = 'big.sh', taskid = 'big' }\n\
               job.run { testscript = '/bin/true', taskid = 'last' }")
        .executable("big.sh", "#!/bin/sh\nhead -c 4000000 /dev/zero\n");
    let ended = on_small_disk(&project, "size=1m", &format!("{} run job.lua", env!("CARGO_BIN_EXE_rille")));
    ended.code(7).stderr_has("No space left on device").stderr_has("home/runs/");
    let run = kept(&project);
    check_truth(&ended, &run);
    assert_eq!(run.attr("exit_status"), 7);
    let last = run.events_so_far().pop().expect("there are events");
    assert_eq!([&last["event"], &last["exit_code"]], [&Value::from("run-finished"), &Value::from(7)]);
}

#[test]
fn whatever_moment_the_disk_is_full_no_result_is_better_than_the_record() {
    if !may_mount() {
        return;
    }
    let mut passed = BTreeSet::new();
    for size in (92..220).step_by(8) {
        let project = Project::new().main("for i = 1, 2000 do job.run { testscript = '/bin/true' } end\nprint('end')");
        let command = format!("{} run job.lua", env!("CARGO_BIN_EXE_rille"));
        let ended = on_small_disk(&project, &format!("size={size}k"), &command);
        ended.code(7).stderr_has("home/runs/");
        assert!(ended.err().contains("No space left on device"), "size {size}k: {ended}");
        if let Some(run) = try_kept(&project) {
            passed.insert(check_truth(&ended, &run));
        }
    }
    assert!(passed.len() > 3, "all runs met the end of the disk in the same moment: {passed:?}");
}

#[test]
fn a_disk_that_is_full_before_the_start_makes_no_run_that_looks_good() {
    if !may_mount() {
        return;
    }
    let project = Project::new().main("job.run { testscript = '/bin/true' }");
    let command = format!(
        "head -c 1000000 /dev/zero > home-filler; cat home-filler > \"$RILLE_HOME/filler\"; {} run job.lua",
        env!("CARGO_BIN_EXE_rille")
    );
    let ended = on_small_disk(&project, "size=256k", &command);
    ended.code(7).stderr_has("home/runs").stderr_has("No space left on device").stderr_has("hint: make room");
}

#[test]
fn a_home_that_cannot_be_written_is_named() {
    let project = Project::new().main("job.run { testscript = '/bin/true' }").file("file", "");
    let inside = project.path("file/home").display().to_string();
    project.run(&["--home", &inside, "run", "job.lua"]).code(7).stderr_has(&inside);
    project.run(&["run", "job.lua", "--home=/proc/none"]).code(7).stderr_has("/proc/none");
    if may_mount() {
        let command = format!("{} run job.lua", env!("CARGO_BIN_EXE_rille"));
        on_small_disk(&project, "ro", &command).code(7).stderr_has("Read-only file system").stderr_has("home/runs");
    }
}

#[test]
fn an_operation_whose_files_do_not_fit_is_not_recorded() {
    if !may_mount() {
        return;
    }
    let big = "a line of text\n".repeat(60_000);
    let project = Project::new().file("big.txt", &big).file("big.py", big.replace("a line", "# line")).file(
        "guild.yml",
        "source:\n  exec: echo ran\n  sourcecode: '*.py'\n\
         dependency:\n  exec: echo ran\n  sourcecode: no\n  requires: [{file: big.txt, optional: yes}]\n",
    );
    for (operation, what) in [
        ("source", "cannot write "),
        ("dependency --force-deps", "could not resolve 'file:big.txt' in file:big.txt resource: cannot copy "),
    ] {
        let command = format!("rm -rf kept; {} run {operation} -y", env!("CARGO_BIN_EXE_rille"));
        let ended = on_small_disk(&project, "size=512k", &command);
        ended.code(7).stdout("").stderr_has(&format!("error: the run could not be recorded: {what}"));
        ended.stderr_has("/big.").stderr_has("No space left on device").stderr_has("hint: make room on the disk");
        assert_eq!(kept(&project).attr("exit_status"), 7, "{ended}");
    }
}

#[test]
fn walks_go_on_where_their_traces_have_no_room_and_their_workers_say_so() {
    if !may_mount() {
        return;
    }
    let suite = "local walk = require 'rille.walk'\nlocal options = {}\nfor i = 1, 2000 do options[i] = i end
local A = walk.action { name = 'A', options = options, run = function() end }
return { order = { A }, state = {} }";
    let project = Project::new().file("suite.lua", suite);
    let rille = env!("CARGO_BIN_EXE_rille");
    let command = format!("{rille} --home elsewhere walk suite.lua --log-dir \"$RILLE_HOME/traces\"");
    let ended = on_small_disk(&project, "size=64k", &command);
    ended
        .code(1)
        .stderr_has("Ran 2000 walks (0 errors) in ")
        .stderr_has("No space left on device")
        .stderr_has("ERRORED");
}
