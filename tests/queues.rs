//! Queues: staged runs, and who starts them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{DEADLINE, Ended, Project, Run, Running, until};

/// Runs leave a line in a file of the project, so that each start is counted, whoever starts them.
fn counting() -> Project {
    let project = Project::new();
    let told = project.path("told").display().to_string();
    project.file(
        "guild.yml",
        format!("op:\n  exec: sh -c 'echo $RUN_ID >>{told}; exit ${{code}}'\n  flags: {{code: 0, n: 0}}\n"),
    )
}

/// Returns how often each run was started.
fn starts(project: &Project) -> BTreeMap<String, usize> {
    let mut starts = BTreeMap::new();
    for id in fs::read_to_string(project.path("told")).unwrap_or_default().lines() {
        *starts.entry(id.to_owned()).or_default() += 1;
    }
    starts
}

fn stage(project: &Project, words: &[&str]) -> Run {
    let words: Vec<&str> = ["run"].into_iter().chain(words.iter().copied()).chain(["--stage", "-y"]).collect();
    let said = project.run(&words).code(0).out();
    let id = said.lines().next().and_then(|line| line.split_once(" staged as ")).expect("it is staged").1;
    run(project, id)
}

/// Runs a command while a queue is running.
fn beside(project: &Project, words: &[&str]) -> Ended {
    project.start(words).wait_only(DEADLINE)
}

fn run(project: &Project, id: &str) -> Run {
    Run::at(project.home().join("runs").join(id), project)
}

fn is_staged(run: &Run) -> bool {
    run.has(".guild/STAGED")
}

#[test]
fn staged_runs_are_started_oldest_first() {
    let project = counting();
    project.run(&["run", "op", "n=[1,2,3]", "--stage-trials"]).code(0);
    let last = stage(&project, &["op", "n=9"]);
    let ended = project.run(&["queue", "--run-once"]);
    ended.code(0);
    let order: Vec<String> = project.read("told").lines().map(str::to_owned).collect();
    let flags: Vec<_> = order.iter().map(|id| run(&project, id).attr("flags")["n"].clone()).collect();
    assert_eq!(json!(flags), json!([1, 2, 3, 9]));
    let said = ended.out();
    let short = &last.id()[..8];
    assert!(said.contains(&format!("[{short}] op: started\n[{short}] op: completed (")), "{said}");
    assert_eq!(said.lines().count(), 8, "{said}");
    // There is nothing left.
    project.run(&["queue", "--run-once"]).code(0).stdout("");
}

#[test]
fn a_run_that_fails_fails_the_queue_and_no_other_run() {
    let project = counting();
    let runs = ["code=0", "code=3", "code=0"].map(|code| stage(&project, &["op", code]));
    let ended = project.run(&["queue", "--run-once", "-j", "3"]);
    ended.code(1).stdout_has(&format!("[{}] op: failed with exit code 3 (", &runs[1].id()[..8]));
    assert_eq!(runs.map(|run| run.attr("exit_status")), [json!(0), json!(3), json!(0)]);
}

#[test]
fn ten_queues_start_each_run_once() {
    let project = counting();
    project.run(&["run", "op", "n=range[1:120]", "--stage-trials"]).code(0);
    let queues: Vec<Running> = (0..10).map(|_| project.start(&["queue", "--run-once", "-j", "2"])).collect();
    for queue in queues {
        queue.wait_only(DEADLINE).code(0);
    }
    let starts = starts(&project);
    assert_eq!(starts.len(), 120);
    assert!(starts.values().all(|count| *count == 1), "{starts:?}");
    assert!(starts.keys().all(|id| run(&project, id).attr("exit_status") == 0));
}

#[test]
fn what_another_has_completed_meanwhile_is_not_run_again() {
    let project = counting();
    let staged = stage(&project, &["op"]);
    // A queue has seen that it is staged, and somebody starts it by hand.
    project.run(&["run", "--start", &staged.id()]).code(0);
    let before = staged.attr("stopped");
    let path = staged.path().display().to_string();
    project.run(&["run", "-y", "--start", &path, "--if-staged"]).code(4);
    assert_eq!((staged.attr("stopped"), starts(&project)), (before, [(staged.id(), 1)].into()));
    assert!(!staged.has(".guild/LOCK") && !staged.has(".guild/PENDING"));
}

/// A project whose run `down` needs the files of a run `up`.
fn chain() -> Project {
    Project::new().file(
        "guild.yml",
        "up:\n  exec: sh -c 'echo U >u; exit ${code}'\n  flags: {code: 0}\n\
         down:\n  exec: cat u\n  requires:\n    - operation: up\n",
    )
}

#[test]
fn a_run_waits_for_its_dependency_and_is_started_when_that_has_changed() {
    let project = chain();
    let (up, down) = (stage(&project, &["up", "code=3"]), stage(&project, &["down"]));
    let ended = project.run(&["queue", "--run-once"]);
    ended.code(1).stdout_has(&format!("[{}] down: stays staged and waits: ", &down.id()[..8]));
    let reason = down.attr("waits");
    let reason = reason.as_str().expect("it is text");
    assert!(reason.contains(&format!("run {} has ended in error", &up.id()[..8])), "{reason}");
    assert!(is_staged(&down) && !down.has(".guild/events.jsonl") && !down.has(".guild/LOCK"));
    // As long as nothing has changed, nobody tries it.
    let ended = project.run(&["queue", "--run-once"]);
    ended.code(0).stdout_has("passed over: it waits: could not resolve");
    assert!(!ended.out().contains("started"), "{}", ended.out());
    // A queue that goes on looking notices it.
    let queue = project.start(&["queue", "--poll", "0.05"]);
    queue.wait_for_line("Waiting for staged runs; 1 run is passed over");
    beside(&project, &["run", "--start", &up.id(), "code=0"]).code(0);
    queue.wait_for_line("down: completed");
    queue.signal(Signal::TERM);
    queue.wait().code(0);
    assert_eq!((down.text(".guild/output"), down.try_attr("waits")), ("U\n".to_owned(), None));
    assert!(!down.has(".guild/WAITS"));
}

#[test]
fn a_run_waits_for_one_that_is_still_running() {
    let project = Project::new().file(
        "guild.yml",
        "up:\n  exec: sh -c 'echo U >u; while [ ! -e go ]; do sleep 0.01; done; echo V >u'\n\
         down:\n  exec: cat u\n  requires:\n    - operation: up\n",
    );
    let (up, down) = (stage(&project, &["up"]), stage(&project, &["down"]));
    let queue = project.start(&["queue", "-j", "2", "--run-once"]);
    queue.wait_for_line("down: stays staged and waits: ");
    assert!(down.attr("waits").as_str().expect("it is text").contains("is still running"));
    fs::write(up.path().join("go"), "").expect("it can be written");
    queue.wait().code(0);
    assert_eq!(down.text(".guild/output"), "V\n");
}

#[test]
fn a_batch_waits_for_a_run_that_its_trials_need() {
    let project = Project::new().file(
        "guild.yml",
        "up:\n  exec: sh -c 'echo U >u; exit ${code}'\n  flags: {code: 0}\n\
         down:\n  exec: cat u\n  flags: {n: 0}\n  requires:\n    - operation: up\n",
    );
    let (up, down) = (stage(&project, &["up", "code=3"]), stage(&project, &["down", "n=[1,2]"]));
    let ended = project.run(&["queue", "--run-once"]);
    ended
        .code(1)
        .stdout_has(&format!("[{}] down+: stays staged and waits: could not resolve 'operation:up'", &down.id()[..8]));
    assert!(is_staged(&down) && !down.has(".guild/LOCK") && project.runs().len() == 2, "no trial was made");
    let ended = project.run(&["queue", "--run-once"]);
    ended.code(0).stdout_has("down+: passed over: it waits: ");
    assert_eq!(ended.out().lines().count(), 1, "{}", ended.out());
    project.run(&["run", "--start", &up.id(), "code=0"]).code(0);
    project.run(&["queue", "--run-once"]).code(0).stdout_has("down+: completed");
    assert_eq!((project.runs().len(), down.try_attr("waits")), (4, None));
    let trials: Vec<Run> = project.runs().into_iter().filter(|run| run.try_attr("batch").is_some()).collect();
    assert!(trials.iter().all(|trial| trial.text(".guild/output") == "U\n" && trial.try_attr("run_params").is_some()));
}

#[test]
fn a_queue_stands_still_with_its_runs() {
    let project = lasting();
    let staged = stage(&project, &["op"]);
    let queue = project.start(&["queue", "--run-once"]);
    says(&staged, "READY");
    let state = |pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    };
    let started = staged.events_so_far().into_iter().find(|event| event["event"] == "task-started");
    let pid = started.and_then(|event| event["pid"].as_i64()).and_then(|pid| i32::try_from(pid).ok());
    let pids = [queue.pid(), pid.expect("the operation has a number")];
    queue.signal(Signal::TSTP);
    until("all to stand still", DEADLINE, || pids.iter().all(|pid| state(*pid) == Some('T')).then_some(()));
    queue.signal(Signal::CONT);
    until("all to go on", DEADLINE, || pids.iter().all(|pid| state(*pid) != Some('T')).then_some(()));
    queue.signal(Signal::INT);
    queue.wait().code(1);
    assert_eq!(staged.attr("exit_status"), -2);
}

#[test]
fn a_run_waits_for_a_file() {
    let project = Project::new()
        .file("guild.yml", "op:\n  exec: cat data.txt\n  requires:\n    - file: data.txt\n")
        .file("data.txt", "old\n");
    let staged = stage(&project, &["op"]);
    // As of a run that was staged where nothing was resolved yet.
    fs::remove_file(staged.path().join("data.txt")).expect("it was brought");
    fs::remove_file(staged.path().join(".guild/attrs/deps")).expect("it was resolved");
    fs::remove_file(project.path("data.txt")).expect("it is there");
    project.run(&["queue", "--run-once"]).code(0).stdout_has("stays staged and waits: ");
    assert!(!project.run(&["queue", "--run-once"]).code(0).out().contains("started"));
    fs::write(project.path("data.txt"), "new\n").expect("it can be written");
    project.run(&["queue", "--run-once"]).code(0).stdout_has("op: completed");
    assert_eq!(staged.text(".guild/output"), "new\n");
}

#[test]
fn a_run_for_other_gpus_is_passed_over() {
    let project =
        Project::new().file("guild.yml", "op:\n  exec: sh -c 'echo gpus=$CUDA_VISIBLE_DEVICES'\n  sourcecode: no\n");
    let cases: [&[&str]; 4] = [&["op", "--gpus", "0, 1"], &["op", "--gpus", "2"], &["op"], &["op", "--no-gpus"]];
    let [same, other, any, none] = cases.map(|words| stage(&project, words));
    let ended = project.run(&["queue", "--run-once", "--gpus", "0,1"]);
    ended.code(0).stdout_has(&format!(
        "[{}] op: passed over: it was staged for the GPUs '2', and this queue has '0,1'\n",
        &other.id()[..8]
    ));
    let gpus = |run: &Run| run.text(".guild/output");
    assert_eq!([&same, &any, &none].map(gpus), ["gpus=0,1\n", "gpus=0,1\n", "gpus=\n"]);
    assert!(is_staged(&other));
    // One that has none of its own takes what the run was staged for.
    project.run(&["queue", "--run-once"]).code(0);
    assert_eq!(gpus(&other), "gpus=2\n");
}

#[test]
fn a_staged_batch_is_started_with_its_options() {
    let project = counting();
    let batch = stage(&project, &["op", "n=[1,2,3]", "code=[0,3]", "-j", "2"]);
    let ended = project.run(&["queue", "--run-once"]);
    ended.code(1).stdout_has(&format!("[{}] op+: failed with exit code 1", &batch.id()[..8]));
    assert_eq!(starts(&project).len(), 6);
    assert_eq!(batch.attr("exit_status"), 1);
    let staged = batch.attr("initialized").as_i64().expect("a time");
    assert!(
        batch.attr("started").as_i64().expect("a time") > staged && !is_staged(&batch) && !batch.has(".guild/PENDING")
    );
}

/// Runs that say that they run, and go on until they are asked to end.
fn lasting() -> Project {
    Project::new()
        .file("guild.yml", "op:\n  exec: sh op.sh\n  flags: {n: 0}\n")
        .file("op.sh", "trap 'echo ENDING; [ -e stay ] || exit 5' TERM INT; echo READY; while :; do sleep 0.01; done\n")
}

fn says(run: &Run, text: &str) {
    until(&format!("{text} of a run"), DEADLINE, || {
        fs::read_to_string(run.path().join(".guild/output")).ok().filter(|output| output.contains(text))
    });
}

#[test]
fn asked_once_a_queue_ends_what_runs_and_starts_no_other() {
    for signal in [Signal::INT, Signal::TERM] {
        let project = lasting();
        let runs = ["n=1", "n=2", "n=3"].map(|n| stage(&project, &["op", n]));
        let queue = project.start(&["queue", "-j", "2"]);
        runs[..2].iter().for_each(|run| says(run, "READY"));
        queue.signal(signal);
        let ended = queue.wait();
        ended.code(1).stderr_has("Ending 2 runs, and starting no other");
        let status = json!(-signal.as_raw());
        assert_eq!([runs[0].attr("exit_status"), runs[1].attr("exit_status")], [status.clone(), status]);
        assert!(is_staged(&runs[2]));
    }
}

#[test]
fn asked_twice_a_queue_ends_at_once() {
    let project = lasting();
    let staged = stage(&project, &["op"]);
    fs::write(staged.path().join("stay"), "").expect("it can be written");
    let queue = project.start(&["queue"]);
    says(&staged, "READY");
    queue.signal(Signal::INT);
    says(&staged, "ENDING");
    queue.signal(Signal::INT);
    queue.wait().code(1);
    assert_eq!(staged.attr("exit_status"), -2);
}

#[test]
fn nothing_is_left_of_a_queue_that_is_killed_and_another_goes_on() {
    let project = lasting();
    let runs = ["n=1", "n=2"].map(|n| stage(&project, &["op", n]));
    let queue = project.start(&["queue"]);
    says(&runs[0], "READY");
    queue.signal(Signal::KILL);
    queue.wait();
    assert_eq!(runs[0].attr("exit_status"), -15, "it was ended in order");
    assert!(is_staged(&runs[1]));
    fs::write(runs[1].path().join("op.sh"), "").expect("it can be written");
    project.run(&["queue", "--run-once"]).code(0).stdout_has("op: completed");
    assert_eq!(runs[1].attr("exit_status"), 0);
}

#[test]
fn a_queue_that_is_killed_at_any_moment_costs_no_staged_run() {
    let project = counting();
    project.run(&["run", "op", "n=range[1:30]", "--stage-trials"]).code(0);
    let all: Vec<Run> = project.runs().into_iter().filter(is_staged).collect();
    for round in 1..=10 {
        let queue = project.start(&["queue", "-j", "2"]);
        until("a few runs", DEADLINE, || (starts(&project).len() >= round * 2).then_some(()));
        queue.signal(Signal::KILL);
        queue.wait();
    }
    project.run(&["queue", "--run-once"]);
    let left: Vec<String> = all.iter().filter(|run| is_staged(run)).map(Run::id).collect();
    assert_eq!(left, Vec::<String>::new());
    let starts = starts(&project);
    assert!(starts.values().all(|count| *count == 1), "{starts:?}");
    for run in &all {
        let status = run.try_attr("exit_status");
        assert!(status.is_some() || run.has(".guild/events.jsonl"), "run {} was never started", run.id());
    }
}

#[test]
fn a_run_that_is_staged_while_the_queue_waits_is_started() {
    let project = counting();
    let queue = project.start(&["queue", "--poll", "3600"]);
    queue.wait_for_line("Waiting for staged runs");
    beside(&project, &["run", "op", "--stage"]).code(0);
    queue.wait_for_line("op: completed");
    queue.signal(Signal::INT);
    queue.wait().code(0);
    assert_eq!(starts(&project).len(), 1);
}

#[test]
fn lines_of_several_runs_have_their_run_in_front() {
    let project = Project::new().file("guild.yml", "op:\n  exec: sh -c 'echo out; echo err >&2; printf end'\n");
    let runs = [stage(&project, &["op"]), stage(&project, &["op"])];
    let ended = project.run(&["queue", "--run-once", "-j", "2"]);
    ended.code(0);
    for run in runs {
        let short = &run.id()[..8];
        ended.stdout_has(&format!("[{short}] out\n")).stdout_has(&format!("[{short}] end\n"));
        ended.stderr_has(&format!("[{short}] err\n"));
    }
}

#[test]
fn what_is_wrong_with_a_queue_is_told() {
    let project = counting();
    for (words, expected) in [
        (["--poll", "0"], "it is no number of seconds over 0"),
        (["--poll", "x"], "it is no number of seconds"),
        (["-j", "0"], "0 is not in 1.."),
    ] {
        project.run(&[&["queue"][..], &words].concat()).code(2).stderr_has(expected);
    }
    // A damaged run is one failure, and no end of the queue.
    let (bad, good) = (stage(&project, &["op"]), stage(&project, &["op"]));
    fs::write(bad.path().join(".guild/attrs/op"), "{").expect("it can be written");
    let ended = project.run(&["queue", "--run-once"]);
    assert_eq!(good.attr("exit_status"), 0, "{}", ended.out());
    assert!(Path::new(bad.path()).exists());
}
