//! What a run has left behind although nobody is there any more: it is listed by its run, and killed when asked to.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};

use crate::harness::{DEADLINE, Project, Run};

/// Starts a process that looks as if a task of this run had left it.
fn left_by(run: &Run, task: u32) -> Child {
    let id = run.path().file_name().expect("it has a name").to_string_lossy().into_owned();
    let mut command = Command::new("sleep");
    command.arg("4321").env("RILLE_TASK_MARK", format!("{id}:{task}")).env("RILLE_RUN_DIR", run.path());
    command.env("RILLE_TASK_ID", "the task");
    command.spawn().expect("it can be started")
}

#[test]
fn what_an_ended_run_has_left_is_listed_and_killed() {
    let project = Project::new().main("job.run { testscript = '/bin/true' }");
    project.job(&[]).code(0);
    let run = project.the_run();
    // Other tests make orphans too.
    let id = run.path().file_name().expect("it has a name").to_string_lossy().into_owned();
    let orphans = |more: &[&str]| project.run(&[&["runs", "orphans", &id], more].concat());
    orphans(&[]).code(0).stdout("").stderr_has("No processes of runs that have ended");
    let (mut one, mut other) = (left_by(&run, 1), left_by(&run, 2));
    let listed = orphans(&["--json"]).json();
    let listed = listed.as_array().expect("a list");
    let pids: Vec<_> = listed.iter().map(|orphan| orphan["pid"].as_u64().expect("a number")).collect();
    assert_eq!(pids, [one.id().into(), u64::from(other.id())], "{listed:?}");
    assert_eq!(listed[0]["command"], serde_json::json!(["sleep", "4321"]));
    assert_eq!((&listed[0]["task"], &listed[0]["task_id"]), (&1.into(), &"the task".into()));
    orphans(&[]).code(0).stdout_has("the task").stdout_has("sleep 4321");
    assert!(one.try_wait().expect("it is ours").is_none(), "only listed");
    orphans(&["--kill"]).code(0).stderr_has("Killed 2 of 2");
    for child in [&mut one, &mut other] {
        assert_eq!(child.wait().expect("it is ours").signal(), Some(libc::SIGKILL));
    }
    orphans(&[]).code(0).stdout("");
}

#[test]
fn what_belongs_to_a_run_under_way_is_left_alone() {
    let project = Project::new().main("job.run { testscript = 'sh', args = { '-c', 'echo up; exec sleep 1000' } }");
    let running = project.start(&["run", "job.lua", "-v"]);
    running.wait_for_line("up");
    let run = project.the_run();
    let mut other = left_by(&run, 7);
    let id = run.path().file_name().expect("it has a name").to_string_lossy().into_owned();
    project.start(&["runs", "orphans", &id, "--kill"]).wait_only(DEADLINE).code(0).stdout("");
    assert!(other.try_wait().expect("it is ours").is_none(), "its run is under way");
    other.kill().expect("it is ours");
    other.wait().expect("it is ours");
    running.signal(rustix::process::Signal::INT);
    running.wait().code(130);
}
