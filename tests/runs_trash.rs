//! Removing runs, bringing them back, and stopping them.

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{DEADLINE, Project};

#[test]
fn runs_are_removed_by_filter_restored_and_purged() {
    let project = Project::new();
    project.handmade("aa11", 1, &[(".guild/attrs/label", "keep\n")]);
    project.handmade("bb22", 2, &[("out", "x")]);
    project.handmade("cc33", 3, &[]);
    project.run(&["runs", "rm", "-Fu", "-y"]).code(0).stderr_has("2 runs moved to the trash");
    assert_eq!(project.runs().len(), 1);
    project.run(&["runs", "restore", "zz"]).code(2).stderr_has("no run matches 'zz'");
    let restored = project.run(&["runs", "restore", "bb", "--json"]).code(0).json();
    assert_eq!(restored[0]["id"], "bb22");
    assert!(project.home().join("runs/bb22/out").exists());
    project.run(&["runs", "purge"]).code(2).stderr_has("add -y");
    project
        .run(&["runs", "purge", "-y", project.home().join("runs/bb22").to_str().unwrap()])
        .code(2)
        .stderr_has("not in the trash");
    project.run(&["runs", "purge", "-y"]).code(0).stderr_has("Permanently deleted 1 run(s)");
    assert!(!project.trashed("cc33").exists());
    project.run(&["runs", "purge", "-y"]).code(0).stderr_has("Nothing to purge.");
    project.run(&["runs", "restore"]).code(0).stderr_has("Nothing to restore.");
}

#[test]
fn two_of_one_id_both_have_room_in_the_trash() {
    let project = Project::new();
    for text in ["first", "second"] {
        project.handmade("aa11", 1, &[("out", text)]);
        project.run(&["runs", "rm", "-y", "aa11"]).code(0);
    }
    let ended = project.run(&["runs", "restore", "-y"]);
    ended.code(1).stderr_has("already, skipping").stderr_has("Restored 1 run(s)");
    assert_eq!(project.runs().len(), 1);
    let left: Vec<_> = fs::read_dir(project.home().join("trash/runs")).unwrap().collect();
    assert_eq!(left.len(), 1);
}

const STAY: &str = "#!/bin/sh\necho ready > \"$RILLE_RUN_DIR/ready\"\nexec sleep 1000\n";

#[test]
fn a_running_run_is_stopped_and_says_how_it_ended() {
    let project = Project::new().main("job.run { testscript = 'stay.sh' }").executable("stay.sh", STAY);
    let running = project.start(&["run", "job.lua"]);
    running.wait_for_event(|event| event["event"] == "task-started");
    let command = |args: &[&str]| project.start_command(project.rille(args)).wait_only(DEADLINE);
    command(&["label", "-s", "while it runs"]).code(0);
    command(&["runs", "stop"]).code(2).stderr_has("add -y");
    assert_eq!(project.the_run().attr("label"), "while it runs");
    let id = project.the_run().id();
    let stopped = command(&["runs", "stop", "-y", "--json"]).code(0).json();
    assert_eq!(stopped, json!([{"id": id, "result": "stopped"}]));
    running.wait().code(143);
    assert_eq!(project.the_run().attr("exit_status"), -15);
    assert_eq!(project.the_run().attr("label"), "while it runs");
    project.run(&["stop", "-y", &id]).code(0).stderr_has(&format!("Run {id} is not running"));
    project.run(&["stop", "-y"]).code(0).stderr_has("Nothing to stop.");
}

#[test]
fn a_run_is_stopped_before_it_is_removed_where_that_is_wanted() {
    let project = Project::new().main("job.run { testscript = 'stay.sh' }").executable("stay.sh", STAY);
    let running = project.start(&["run", "job.lua"]);
    running.wait_for_event(|event| event["event"] == "task-started");
    let command = |args: &[&str]| project.start_command(project.rille(args)).wait_only(DEADLINE);
    command(&["runs", "rm", "-y", "1"]).code(1).stderr_has("end it first").stderr_has("--stop");
    command(&["runs", "rm", "-y", "--stop", "1"]).code(0).stderr_has("1 run moved to the trash");
    running.wait().code(143);
    assert!(project.runs().is_empty());
}

#[test]
fn a_host_that_does_not_end_is_killed_only_by_force() {
    // The host itself stands in the jobfile and not in a task, and takes no heed of the signal.
    let body = "local file <close> = io.open('here', 'w') file:write('x\\n') file:flush() while true do end";
    let project = Project::new().main(body);
    let running = project.start(&["run", "job.lua"]);
    running.wait_for_file("here");
    let command = |args: &[&str]| project.start_command(project.rille(args)).wait_only(DEADLINE);
    let forced = command(&["stop", "-y", "--force", "--timeout", "0.1", "--json"]).code(0).json();
    assert!(["stopped", "killed"].map(|word| json!(word)).contains(&forced[0]["result"]), "{forced}");
    running.wait();
    let status = project.run(&["runs", "--json"]).json()[0]["status"].clone();
    assert_ne!(status, "running");
}

/// Starts a process as Guild would for the run `id`, and writes its number as Guild does.
fn operation(project: &Project, id: &str, script: &str) -> crate::harness::Running {
    let mut command = project.command("/bin/sh");
    command.args(["-c", script]).env("RUN_ID", id);
    let running = project.start_command(command);
    let run = project.handmade(id, 1, &[(".guild/LOCK", &running.pid().to_string())]);
    fs::remove_file(run.path().join(".guild/attrs/exit_status")).expect("it can be done");
    running
}

#[test]
fn an_operation_of_guild_is_stopped_with_what_it_started() {
    let project = Project::new();
    let running = operation(&project, "aa11", "sleep 1000 & echo $! > child; wait");
    running.wait_for_file("child");
    let ended = project.start_command(project.rille(&["stop", "-y", "aa11"])).wait_only(DEADLINE);
    ended.code(0).stderr_has("Stopped 1 run(s)");
    running.wait();
}

#[test]
fn an_operation_that_takes_no_heed_is_killed_only_by_force() {
    let project = Project::new();
    let running = operation(&project, "aa11", "trap '' TERM; echo ready > ready; while :; do sleep 1000; done");
    running.wait_for_file("ready");
    let command = |args: &[&str]| project.start_command(project.rille(args)).wait_only(DEADLINE);
    command(&["stop", "-y", "aa11", "--timeout", "0.1"]).code(1).stderr_has("is still running after 0.1 s; --force");
    command(&["stop", "-y", "aa11", "--timeout", "-1"]).code(2);
    let forced = command(&["stop", "-y", "aa11", "--timeout", "0.1", "--force", "--json"]).code(0).json();
    assert_eq!(forced, json!([{"id": "aa11", "result": "killed"}]));
    running.wait();
}

#[test]
fn a_process_that_is_not_the_runs_is_never_signalled() {
    let project = Project::new();
    let mut command = project.command("/bin/sleep");
    command.arg("1000");
    let stranger = project.start_command(command);
    let run = project.handmade("aa11", 1, &[(".guild/LOCK", &stranger.pid().to_string())]);
    fs::remove_file(run.path().join(".guild/attrs/exit_status")).unwrap();
    let ended =
        project.start_command(project.rille(&["stop", "-y", "--force", "--timeout", "0", "aa11"])).wait_only(DEADLINE);
    ended.code(1).stderr_has("can be stopped there only");
    assert!(!stranger.has_ended());
    stranger.signal(Signal::KILL);
    stranger.wait();
}
