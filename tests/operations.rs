//! Runs of operations: how they are started, stopped, kept apart and recorded.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::harness::{DEADLINE, Ended, Project, Run};

/// An operation that says when it runs, and goes on until it is ended.
const SOAK: &str = "soak:\n  exec: sh soak.sh\n  flags:\n    name: a\n";
const SOAK_SCRIPT: &str = "echo READY; sleep 600 & wait\n";

/// Waits until something holds.
#[track_caller]
fn until(mut holds: impl FnMut() -> bool) {
    crate::harness::until("it to hold", DEADLINE, || holds().then_some(()));
}

/// Runs rille to its end beside another run of the project.
#[track_caller]
fn run_beside(project: &Project, args: &[&str]) -> Ended {
    project.start(args).wait_only(DEADLINE)
}

fn soaking() -> Project {
    Project::new().file("guild.yml", SOAK).file("soak.sh", SOAK_SCRIPT)
}

/// Waits until the operation of the run has said that it runs.
fn wait_ready(run: &Run) {
    until(|| fs::read(run.path().join(".guild/output")).is_ok_and(|output| output.starts_with(b"READY")));
}

fn the_run_when_ready(project: &Project) -> Run {
    until(|| project.runs().len() == 1 && project.the_run().has(".guild/output"));
    let run = project.the_run();
    wait_ready(&run);
    run
}

#[test]
fn the_exit_code_is_that_of_the_operation() {
    let project = Project::new().file(
        "guild.yml",
        "three:\n  exec: sh -c 'exit 3'\nkilled:\n  exec: sh -c 'kill -9 $$'\nnone:\n  exec: no-such-program-here --x\n",
    );
    project.run(&["run", "three"]).code(3);
    project.run(&["run", "killed"]).code(137).stderr_has("SIGKILL");
    project
        .run(&["run", "none"])
        .code(127)
        .stderr_has("cannot start no-such-program-here: there is no program of that name on the PATH (");
    let mut ends: Vec<_> = project.runs().iter().map(|run| run.attr("exit_status")).collect();
    ends.sort_by_key(serde_json::Value::as_i64);
    assert_eq!(ends, [json!(-9), json!(3), json!(127)]);
}

#[test]
fn a_run_that_runs_is_not_started_again() {
    let project = soaking();
    let running = project.start(&["run", "soak"]);
    let run = the_run_when_ready(&project);
    run_beside(&project, &["run", "--restart", &run.id()]).code(1).stderr_has(&format!(
        "cannot restart run {0} because it's running\nUse 'rille runs stop {0}' to stop it first and try again.",
        run.id()
    ));
    running.signal(Signal::TERM);
    running.wait().code(143);
    assert_eq!(run.attr("exit_status"), -15);
}

#[test]
fn of_two_restarts_at_once_one_wins() {
    let project = soaking();
    project.run(&["run", "soak", "--stage"]).code(0);
    let id = project.the_run().id();
    let mut both = vec![project.start(&["run", "--start", &id]), project.start(&["run", "--start", &id])];
    wait_ready(&project.the_run());
    until(|| both.iter().filter(|one| one.has_ended()).count() == 1);
    let at = both.iter().position(crate::harness::Running::has_ended).expect("one has ended");
    both.remove(at).wait_only(DEADLINE).code(1).stderr_has("because it's running");
    let winner = both.remove(0);
    winner.signal(Signal::INT);
    winner.wait().code(130);
    assert_eq!(project.the_run().attr("exit_status"), -2);
}

#[test]
fn a_restart_has_no_end_while_it_runs() {
    let project = Project::new()
        .file("guild.yml", "op:\n  exec: sh op.sh ${wait}\n  flags:\n    wait: no\n")
        .file("op.sh", "echo READY; [ -z \"$1\" ] || { sleep 600 & wait; }\n");
    project.run(&["run", "op"]).code(0);
    let run = project.the_run();
    fs::remove_file(run.path().join(".guild/output")).expect("it is there");
    let running = project.start(&["run", "--restart", &run.id(), "wait=yes"]);
    wait_ready(&run);
    assert!(!run.has(".guild/attrs/exit_status") && !run.has(".guild/attrs/stopped"));
    let listed = run_beside(&project, &["runs", "--json"]);
    assert_eq!(listed.json()[0]["status"], "running");
    running.signal(Signal::TERM);
    running.wait().code(143);
    assert_eq!(project.run(&["runs", "--json"]).json()[0]["status"], "terminated");
}

#[test]
fn a_host_that_is_killed_leaves_nothing_and_its_run_is_lost() {
    let project = soaking();
    let running = project.start(&["run", "soak"]);
    let run = the_run_when_ready(&project);
    running.kill_host();
    running.wait().code(7);
    assert_eq!(project.run(&["runs", "--json"]).json()[0]["status"], "lost");
    // What is lost can be run again.
    fs::remove_file(run.path().join(".guild/output")).expect("it is there");
    let again = project.start(&["run", "--restart", &run.id()]);
    wait_ready(&run);
    again.signal(Signal::TERM);
    again.wait().code(143);
}

#[test]
fn an_operation_goes_into_the_background() {
    let project = soaking();
    let ended = run_beside(&project, &["run", "soak", "--background", "--pidfile", "soak.pid"]);
    let run = project.the_run();
    ended.code(0).stdout(&format!("soak started in background as {} (pidfile soak.pid)\n", run.id()));
    wait_ready(&run);
    let pid: i32 = project.read("soak.pid").trim().parse().expect("it is a number");
    kill_process(Pid::from_raw(pid).expect("it is a process"), Signal::TERM).expect("it is there");
    until(|| !project.path("soak.pid").exists() && run.try_attr("exit_status").is_some());
    assert_eq!(run.attr("exit_status"), -15);
    project.survivors().assert_none_within(DEADLINE);

    project.run(&["run", "soak", "--background", "--stage"]).code(2);
    let missing = project.run(&["run", "sook", "--background"]);
    missing.code(2).stderr_has("did you mean 'soak'?");
}

#[test]
fn an_operation_is_ended_after_a_time() {
    let project = soaking();
    let ended = project.run(&["run", "soak", "--stop-after", "0.005"]);
    ended.code(143).stderr_has("ended after 0.005 minutes (--stop-after)");
    assert_eq!(project.the_run().attr("exit_status"), -15);
}

#[test]
fn a_run_that_is_the_same_is_not_needed() {
    let definition = |comment: &str, command: &str| {
        format!(
            "# {comment}\nop:\n  exec: {command}\n  flags: {{x: 1}}\n  requires: [{{file: data.txt}}]\nother:\n  exec: 'true'\n"
        )
    };
    let project = Project::new().file("guild.yml", definition("a", "cat data.txt")).file("data.txt", "one\n");
    let needed = |args: &[&str]| project.run(&[&["run", "op", "--needed", "--label", "again"], args].concat());
    needed(&[]).code(0).stdout("one\n");
    let first = project.the_run().id();
    let skipped = needed(&[]);
    skipped.code(0).stdout("").stderr_has(&format!(
        "Skipping because the following runs match this operation (--needed specified):\n  {first}  op"
    ));
    assert_eq!(project.runs().len(), 1);
    needed(&["x=2"]).code(0).stdout("one\n");
    fs::write(project.path("data.txt"), "two\n").expect("it can be written");
    needed(&[]).code(0).stdout("two\n");
    fs::write(project.path("data.txt"), "one\n").expect("it can be written");
    needed(&[]).code(0).stdout("");
    assert_eq!(project.runs().len(), 3);
    let unchanged = project.run(&["run", "--restart", &first, "--needed"]);
    unchanged.code(0).stderr_has("Skipping run because flags have not changed (--needed specified)");
}

#[test]
fn a_comment_in_a_definition_changes_nothing_of_what_is_needed() {
    let text = "op:\n  exec: echo ran\n  sourcecode: no\n";
    let project = Project::new().file("guild.yml", text);
    project.run(&["run", "op", "--needed"]).code(0).stdout("ran\n");
    fs::write(project.path("guild.yml"), format!("# more\n{text}other:\n  exec: 'true'\n")).expect("it can be written");
    project.run(&["run", "op", "--needed"]).code(0).stdout("");
    fs::write(project.path("guild.yml"), "op:\n  exec: echo changed\n  sourcecode: no\n").expect("it can be written");
    project.run(&["run", "op", "--needed"]).code(0).stdout("changed\n");
}

#[test]
fn a_prototype_gives_operation_flags_and_source_code() {
    let project = Project::new()
        .file("guild.yml", "op:\n  exec: sh op.sh ${x}\n  flags: {x: 1}\n")
        .file("op.sh", "echo old $1\n");
    project.run(&["run", "op", "x=7"]).code(0).stdout("old 7\n");
    let first = project.the_run();
    fs::write(project.path("op.sh"), "echo new $1\n").expect("it can be written");
    project.run(&["run", "--proto", &first.id()]).code(0).stdout("old 7\n");
    project.run(&["run", "--proto", &first.id(), "x=8"]).code(0).stdout("old 8\n");
    project.run(&["run", "op"]).code(0).stdout("new 1\n");
    assert_eq!(project.runs().len(), 4);
    let digests: Vec<_> = project.runs().iter().map(|run| run.attr("sourcecode_digest")).collect();
    assert_eq!(digests.iter().filter(|digest| **digest == first.attr("sourcecode_digest")).count(), 3);
}

#[test]
fn a_run_is_named_labelled_tagged_and_commented() {
    let project = Project::new()
        .file("guild.yml", "op:\n  exec: 'true'\n  flags: {lr: 0.123456789}\n  label: 'at ${lr}'\n  tags: [t2]\n");
    project
        .run(&["run", "--run-id", "mine", "--tag", "t1", "--comment", "look", "--random-seed", "7", "--gpus", "1,2"])
        .code(0);
    let run = project.the_run();
    assert_eq!(run.id(), "mine");
    assert_eq!(run.attr("label"), "at 0.12345");
    assert_eq!(run.attr("tags"), json!(["t1", "t2"]));
    assert_eq!(run.attr("comments")[0]["body"], "look");
    assert_eq!(run.attr("random_seed"), 7);
    assert_eq!(run.attr("env")["CUDA_VISIBLE_DEVICES"], "1,2");
    for id in ["../x", ".hidden", "a/b"] {
        project.run(&["run", "--run-id", id]).code(2).stderr_has("cannot be the id of a run");
    }
    project.run(&["run", "--run-id", "mine"]).code(2).stderr_has("already holds a run");
}

#[test]
fn a_token_is_in_no_file_of_the_run() {
    let project = Project::new()
        .file("guild.yml", "op:\n  exec: sh -c 'test -n \"$API_TOKEN\"'\n  env: {OWN_SECRET: s3cr3t-own}\n")
        .env("API_TOKEN", "t0k3n-value");
    project.run(&["run", "op"]).code(0);
    project.run(&["run", "op", "--stage"]).code(0);
    for run in project.runs() {
        for file in walk(run.path()) {
            let bytes = fs::read(&file).expect("it can be read");
            let holds = |secret: &[u8]| bytes.windows(secret.len()).any(|part| part == secret);
            assert!(!holds(b"t0k3n-value"), "{}", file.display());
            assert!(!holds(b"s3cr3t-own") || file.ends_with("guild.yml"), "{}", file.display());
        }
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("it can be listed").map(|entry| entry.expect("it can be listed").path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn what_would_run_is_shown_and_nothing_runs() {
    let project = Project::new()
        .file("guild.yml", "op:\n  exec: echo ${flag_args}\n  flags: {a: 1, b: two words}\n  env: {E: 'x ${a}'}\n");
    project.run(&["run", "op", "a=2", "--print-cmd"]).code(0).stdout("echo --a 2 --b 'two words'\n");
    let shown = project.run(&["run", "op", "--print-env"]);
    shown.code(0).stdout_has("E='x 1'\n").stdout_has("FLAG_B='two words'\n");
    project.run(&["run", "op", "--test-flags"]).code(0).stdout_has("b:");
    project.run(&["run", "op", "--help-op"]).code(0).stdout_has("b");
    project.run(&["run", "op", "--test-sourcecode"]).code(0).stdout_has("guild.yml");
    assert!(project.runs().is_empty());
}

#[test]
fn a_run_that_is_deleted_on_success_goes_to_the_trash() {
    let project = Project::new()
        .file("guild.yml", "op:\n  exec: sh -c 'exit ${code}'\n  flags: {code: 0}\n  delete-on-success: yes\n");
    project.run(&["run", "op"]).code(0);
    assert!(project.runs().is_empty());
    assert_eq!(fs::read_dir(project.home().join("trash/runs")).expect("there is one").count(), 1);
    project.run(&["run", "op", "code=4"]).code(4);
    assert_eq!(project.runs().len(), 1, "one that failed is kept");
    project.run(&["run", "op", "--keep-run"]).code(0);
    assert_eq!(project.runs().len(), 2);
}

#[test]
fn what_is_piped_in_is_the_operations() {
    let project = Project::new().file("guild.yml", "op:\n  exec: tr a-z A-Z\n").stdin("hello\n");
    project.run(&["run", "op"]).code(0).stdout("HELLO\n");
}

#[test]
fn flags_are_edited_first() {
    let project = Project::new()
        .file("guild.yml", "op:\n  exec: echo ${x} ${y}\n  flags: {x: 1, y: 2}\n")
        .executable("editor.sh", "#!/bin/sh\nsed -i 's/x: 1/x: 5/' \"$1\"\n")
        .env("EDITOR", "./editor.sh");
    project.run(&["run", "op", "--edit-flags"]).code(0).stdout("5 2\n");
    assert_eq!(project.the_run().attr("user_flags"), json!({"x": 5}), "those that were left alone are not the user's");
    project.run(&["run", "op", "y=3", "--edit-flags", "--run-id", "again"]).code(0).stdout("5 3\n");
    let run = Run::at(project.home().join("runs/again"), &project);
    assert_eq!(run.attr("user_flags"), json!({"x": 5, "y": 3}));
}

#[test]
fn ctrl_c_ends_a_download_that_hangs() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let url = format!("http://{}/never.txt", server.local_addr().expect("it has one"));
    let project = Project::new().file("guild.yml", format!("op:\n  exec: 'true'\n  requires: [{{url: '{url}'}}]\n"));
    let running = project.start(&["run", "op"]);
    // Nothing is ever answered.
    let (_connection, _) = server.accept().expect("it asks");
    running.signal(Signal::INT);
    running.wait().code(130);
    assert_eq!(project.the_run().attr("exit_status"), -2);
}
