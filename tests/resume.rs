//! Runs that are gone on with after their host was killed, or after they were stopped.

use std::collections::BTreeMap;
use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{DEADLINE, Project, Run, Running, check_results, until};

/// Writes its task's id behind those of all that ran before, and ends as the id says.
const NOTE: &str = "#!/bin/sh\necho \"$RILLE_TASK_ID\" >> \"$RAN\"\necho \"this is $RILLE_TASK_ID\"\n\
    case $RILLE_TASK_ID in fail*) exit 1;; crash*) kill -9 $$;; esac\n";

/// Runs until somebody puts a file in its way.
const STAY: &str = "#!/bin/sh\necho \"$RILLE_TASK_ID\" >> \"$RAN\"\n[ -e \"$RAN.go\" ] && exit 0\n\
    echo partial > left\necho ready > \"$RAN.ready\"\nexec sleep 1000\n";

fn project(body: &str) -> Project {
    let project = Project::new();
    let ran = project.path("ran");
    project.env("RAN", ran).main(body).executable("note.sh", NOTE).executable("stay.sh", STAY)
}

/// Returns how often each task ran.
fn ran(project: &Project) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for id in fs::read_to_string(project.path("ran")).unwrap_or_default().lines() {
        *counts.entry(id.to_owned()).or_insert(0) += 1;
    }
    counts
}

/// Starts the job and kills its host when `stay.sh` runs.
fn lose(project: &Project, args: &[&str]) -> Run {
    let running = project.start(&[&["run", "job.lua"], args].concat());
    running.wait_for_file("ran.ready");
    running.kill_host();
    running.wait().code(7);
    fs::write(project.path("ran.go"), "").expect("a file can be written");
    project.the_run()
}

const THREE: &str = "job.run { testscript = 'note.sh', taskid = 'fail' }\n\
    job.run { testscript = 'stay.sh', taskid = 'stay' }\njob.run { testscript = 'note.sh', taskid = 'last' }";

#[test]
fn what_had_ended_stands_and_the_rest_runs_in_an_empty_folder() {
    let project = project(THREE);
    let run = lose(&project, &["--label", "nightly"]);
    assert!(run.has("tasks/2-stay/left"));
    let started = run.attr("started");
    let ended = project.run(&["run", "--resume", "latest"]);
    ended.code(1).outcomes("fail=failed stay=passed last=passed").stderr_has("fail: from before: exit code 1");
    let run = project.the_run();
    assert_eq!(ran(&project), BTreeMap::from([("fail".into(), 1), ("stay".into(), 2), ("last".into(), 1)]));
    assert!(!run.has("tasks/2-stay/left"), "the outputs of two attempts are mixed");
    assert_eq!(run.text("tasks/1-fail/stdout"), "this is fail\n");
    assert_eq!(
        (run.attr("started"), run.attr("exit_status"), run.attr("label")),
        (started, 1.into(), "nightly".into())
    );
    assert!(run.attr("resumed").as_i64() > run.attr("started").as_i64());
    let results = run.results();
    check_results(&project, &results);
    assert_eq!((&results["tasks"][0]["reused"], &results["tasks"][1]["reused"]), (&true.into(), &Value::Null));
    assert!(results["run"]["resumed"].as_str() > results["run"]["started"].as_str());
    // The log and the file tell the same.
    assert_eq!(project.run(&["runs", "show", "latest", "--json"]).code(0).json(), results);
    project
        .run(&["runs", "show", "latest"])
        .code(0)
        .stdout_has("job.lua, resumed\n")
        .stdout_has("3 tasks: 2 passed, 1 failed");
    let listed = project.run(&["runs", "--json"]).code(0).json();
    assert_eq!(listed[0]["status"], "error");
}

#[test]
fn a_run_that_is_gone_on_with_annotates_as_it_did() {
    let project = project(THREE);
    lose(&project, &["--annotations", "github"]);
    project.run(&["run", "--resume", "latest"]).code(1).stderr_has("::error ");
    let other = self::project(THREE);
    lose(&other, &["--annotations", "github"]);
    other.run(&["run", "--resume", "latest", "--annotations", "none"]).code(1).stderr_lacks("::error ");
}

#[test]
fn a_task_whose_inputs_changed_runs_again() {
    let body = |speed: u32, fresh: &str| {
        format!(
            "job.run {{ testscript = 'note.sh', taskid = 'same', env = {{ A = 'b' }}, x = {{ y = 1, z = 2 }} }}\n\
             job.run {{ testscript = 'note.sh', taskid = 'parameter', speed = {speed} }}\n\
             job.run {{ testscript = 'other.sh', taskid = 'script' }}\n\
             job.run {{ testscript = 'note.sh', taskid = 'input', stdin = 'input.txt' }}\n{fresh}\
             job.run {{ testscript = 'stay.sh', taskid = 'stay' }}"
        )
    };
    let project = project(&body(1, "")).executable("other.sh", NOTE).file("input.txt", "1");
    lose(&project, &[]);
    let fresh = "job.run { testscript = 'note.sh', taskid = 'fresh' }\n";
    let project = project.main(&body(2, fresh)).executable("other.sh", format!("{NOTE}# new")).file("input.txt", "2");
    let ended = project.run(&["run", "--resume", "latest"]);
    ended.code(0).stderr_has("job.lua is not as it was; tasks that it makes as before are taken from before");
    ended.outcomes("same=passed parameter=passed script=passed input=passed fresh=passed stay=passed");
    let twice = ["parameter", "script", "input", "stay"].map(|id| (id.to_owned(), 2));
    let once = ["same", "fresh"].map(|id| (id.to_owned(), 1));
    assert_eq!(ran(&project), twice.into_iter().chain(once).collect());
}

#[test]
fn a_task_of_another_number_keeps_its_folder() {
    let body = "if not io.open('swap') then job.run { testscript = 'note.sh', taskid = 'a b' } end\n\
                job.run { testscript = 'note.sh', taskid = 'c' }\n\
                if io.open('swap') then job.run { testscript = 'note.sh', taskid = 'a_b' } end\n\
                job.run { testscript = 'stay.sh', taskid = 'stay' }";
    let project = project(body);
    lose(&project, &[]);
    let project = project.file("swap", "");
    project.run(&["run", "--resume", "latest"]).code(0).outcomes("c=passed a_b=passed stay=passed");
    let run = project.the_run();
    assert_eq!((run.task("c")["folder"].clone(), run.task("c")["number"].clone()), ("tasks/2-c".into(), 1.into()));
    assert_eq!(run.text("tasks/2-c/stdout"), "this is c\n");
    assert_eq!(run.text("tasks/2-a_b/stdout"), "this is a_b\n");
    assert_eq!(ran(&project)["c"], 1);
}

#[test]
fn a_time_limit_raises_again_what_it_raised() {
    let body = "local ok, err = pcall(job.run, { testscript = 'slow.sh', taskid = 'slow', max_runtime = 0.2 })\n\
                print(ok, err.kind)\njob.run { testscript = 'stay.sh', taskid = 'stay' }";
    let project = project(body).executable("slow.sh", "#!/bin/sh\necho slow >> \"$RAN\"\nexec sleep 1000\n");
    lose(&project, &[]);
    project.run(&["run", "--resume", "latest"]).code(1).stdout("false\ttimeout\n").outcomes("slow=errored stay=passed");
    assert_eq!(ran(&project)["slow"], 1);
}

#[test]
fn the_options_of_the_start_hold_and_can_be_replaced() {
    let body = "print(runtime.args.grace, table.concat(runtime.argv, ' '), runtime.testbed and runtime.testbed.name)\n\
                job.run { testscript = 'stay.sh', taskid = 'stay' }";
    let project = project(body).file("bed.json", "{\"name\": \"one\"}").file("sub/bed.json", "{\"name\": \"two\"}");
    let run = lose(&project, &["--grace", "1.5", "--testbed", "bed.json", "--speed", "3"]);
    let cmd = run.attr("cmd");
    let elsewhere = |args: &[&str]| {
        let mut command = project.rille(args);
        command.current_dir(project.path("sub"));
        project.start_command(command).wait()
    };
    elsewhere(&["run", "--resume", &run.id(), "-q"]).code(0).stdout("1.5\t--speed 3\tone\n");
    assert_eq!(project.the_run().attr("cmd"), cmd);
    let again = elsewhere(&[
        "run",
        "--rerun",
        &run.id(),
        "--rerun-condition",
        "passed",
        "-t",
        "bed.json",
        "--",
        "--speed",
        "4",
    ]);
    again.code(0).stdout("1.5\t--speed 4\ttwo\n");
}

#[test]
fn a_stopped_run_is_gone_on_with() {
    let project = project(THREE);
    let running = project.start(&["run", "job.lua"]);
    running.wait_for_file("ran.ready");
    running.signal(Signal::INT);
    running.wait().code(130);
    fs::write(project.path("ran.go"), "").unwrap();
    let ended = project.run(&["run", "--resume", "latest"]);
    ended.code(1).outcomes("fail=failed stay=passed last=passed");
    assert_eq!(ran(&project)["fail"], 1);
    assert_eq!(project.the_run().results()["run"]["interrupted_by"], Value::Null);
    let refused = project.run(&["run", "--resume", "latest"]);
    refused
        .code(2)
        .stderr_has("came to its end, so that there is nothing to resume")
        .stderr_has(&format!("rille run --rerun {}", project.the_run().id()));
}

#[test]
fn what_cannot_be_resumed_is_refused() {
    let project = project(THREE);
    project.run(&["run", "--resume", "latest"]).code(2).stderr_has("no run matches 'latest'");
    let running = project.start(&["run", "job.lua"]);
    running.wait_for_file("ran.ready");
    let busy = project.start(&["run", "--resume", "latest"]).wait_only(DEADLINE);
    busy.code(1).stderr_has("is running").stderr_has("end it first");
    running.signal(Signal::TERM);
    running.wait().code(143);
    let guild = project.home().join("runs").join("a".repeat(32)).join(".guild/attrs");
    fs::create_dir_all(&guild).unwrap();
    fs::write(guild.join("../opref"), "script:/a '' '' b.py").unwrap();
    fs::write(guild.join("exit_status"), "0").unwrap();
    fs::write(guild.join("cmd"), "- python\n- b.py\n").unwrap();
    project.run(&["run", "--resume", "aaaa"]).code(2).stderr_has("was not started by 'rille run'");
    project.run(&["run", "--resume", "aaaa", "job.lua", "--rerun", "aaaa"]).code(2).stderr_has("cannot be used with");
}

/// Tasks of every end, some of them at once, with and without retries.
const MANY: &str = "job.run { testscript = 'note.sh', taskid = 'one' }\n\
    job.run { testscript = 'note.sh', taskid = 'fail-two', retries = 1 }\n\
    job.parallel { limit = 3, { testscript = 'a.lua', taskid = 'lua', x = 1 }, { testscript = 'note.sh', taskid = 'crash' },\n\
      { testscript = 'skip.lua', taskid = 'skip' }, { testscript = 'none.sh', taskid = 'none' },\n\
      { testscript = 'note.sh', taskid = 'late' }, { testscript = 'note.sh', taskid = 'blocked', needs = { 'crash' } } }\n\
    local t = job.Task { testscript = 'note.sh', taskid = 'task' } t:start() t:wait()\n\
    runtime.job.name = t.result.value\njob.run { testscript = 'flaky.sh', taskid = 'flaky', retries = 2 }";

const LUA: &str =
    "local f = io.open(os.getenv 'RAN', 'a') f:write(os.getenv 'RILLE_TASK_ID', '\\n') f:close()\nprint('in lua')";

const FLAKY: &str = "#!/bin/sh\necho \"$RILLE_TASK_ID\" >> \"$RAN\"\n[ $RILLE_ATTEMPT = 2 ]\n";

fn many() -> Project {
    project(MANY).file("a.lua", LUA).file("skip.lua", LUA).executable("flaky.sh", FLAKY)
}

/// Returns the results without what differs from run to run.
fn timeless(run: &Run) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                for key in ["started", "stopped", "seconds", "resumed", "reused", "id_of_run", "time", "begin"] {
                    map.remove(key);
                }
                map.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            Value::String(text) if text.len() == 32 => text.clear(),
            _ => {}
        }
    }
    let mut results = run.results();
    results["run"]["argv"] = Value::Null;
    results["run"]["file"] = Value::Null;
    for task in results["tasks"].as_array_mut().expect("a list") {
        task["uri"] = Value::Null;
        // Its records hold process numbers, of more or fewer digits.
        task["log"] = Value::Null;
        let reason = task["result"]["reason"].as_str().unwrap_or_default();
        task["result"]["reason"] = reason.split(" in ").next().into();
    }
    strip(&mut results);
    results
}

/// Kills the host once the log has `bytes`, or lets it end.
fn kill_at(running: Running, run: &std::path::Path, bytes: u64) {
    let length = || fs::metadata(run.join(".guild/events.jsonl")).map_or(0, |metadata| metadata.len());
    until("the moment to kill", DEADLINE, || (length() > bytes || running.has_ended()).then_some(()));
    running.kill_host();
    running.wait_only(DEADLINE);
}

/// At how many points of the log a host is killed.
const POINTS: u64 = 16;

#[test]
fn a_host_killed_anywhere_leaves_a_run_that_ends_as_if_nothing_had_been() {
    let undisturbed = many();
    undisturbed.job(&[]).code(1);
    let whole = undisturbed.the_run();
    let expected = timeless(&whole);
    let length = fs::metadata(whole.path().join(".guild/events.jsonl")).unwrap().len();
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let expected = &expected;
            scope.spawn(move || {
                for point in (0..POINTS).filter(|point| point % 2 == thread) {
                    kill_and_resume(length * point / POINTS, length * (POINTS + point) / POINTS / 2, expected);
                }
            });
        }
    });
}

fn kill_and_resume(first: u64, second: u64, expected: &Value) {
    let project = many();
    let folder = project.path("run");
    let path = folder.to_str().expect("a text");
    kill_at(project.start(&["run", "job.lua", "--run-dir", path]), &folder, first);
    if !folder.join(".guild/events.jsonl").exists() {
        return;
    }
    let run = Run::at(folder.clone(), &project);
    // Twice, and the second time in the middle of taking over what the first part had.
    let length = fs::metadata(folder.join(".guild/events.jsonl")).map_or(0, |metadata| metadata.len());
    for bytes in [Some(length + second / 3), None] {
        let (ended, before) = (ended_by_themselves(&run), ran(&project));
        let running = project.start(&["run", "--resume", path]);
        match bytes {
            Some(bytes) => kill_at(running, &folder, bytes),
            None => drop(running.wait_only(DEADLINE)),
        }
        let after = ran(&project);
        for id in ended {
            assert_eq!(after.get(&id), before.get(&id), "{id} had ended and ran again, {first} {second}");
        }
    }
    let found = timeless(&run);
    assert_eq!(&found, expected, "{first} {second}: {found:#}\n{expected:#}");
    let ends = run.events().into_iter().rev().take_while(|event| event["event"] != "run-started");
    let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
    for event in ends.filter(|event| event["event"] == "task-finished" && event["will_retry"] != true) {
        *counts.entry(event["task"].as_u64().expect("a number")).or_default() += 1;
    }
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
}

/// Returns the ids of tasks that have come to their end with a process.
fn ended_by_themselves(run: &Run) -> Vec<String> {
    let mut ids = BTreeMap::new();
    let mut ended = Vec::new();
    for event in run.events_so_far() {
        match event["event"].as_str() {
            Some("run-started") => ids.clear(),
            Some("task-queued") => drop(ids.insert(event["task"].as_u64(), event["id"].as_str().map(str::to_owned))),
            Some("task-finished") if event["will_retry"] != true && event["attempt"] != 0 => {
                ended.extend(ids.get(&event["task"].as_u64()).cloned().flatten());
            }
            _ => {}
        }
    }
    ended
}
