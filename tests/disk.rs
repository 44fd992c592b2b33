//! A disk that is full, and a home that cannot be written: exit 7, the path named, and no result better than the record.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Ended, Project, Run, needs, skipped};

/// Runs `command` in the project with a file system of this size as the home. What is in it afterwards is in `kept`.
fn on_small_disk(project: &Project, options: &str, command: &str) -> Ended {
    let script = format!(
        "mkdir -p \"$RILLE_HOME\" && mount -t tmpfs -o {options} tmpfs \"$RILLE_HOME\" || exit 99\n\
         {command}\ncode=$?\nmkdir kept && cp -r \"$RILLE_HOME\"/. kept\nexit $code\n"
    );
    let mut unshare = project.command("unshare");
    // The superuser needs no namespace of users, which not every machine allows.
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare.args(["--mount", "sh", "-c", &script]);
    project.start_command(unshare).wait()
}

/// Returns whether this user may mount in a namespace; says so if not.
fn may_mount() -> bool {
    let tried = on_small_disk(&Project::new(), "size=64k", "true");
    if tried.exit_code() != Some(0) {
        skipped(&format!("mounting in a namespace is not permitted here: {}", tried.err().trim()));
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

/// A call to the system, as strace tells it: when it began or ended, in their order.
#[derive(Debug)]
struct Call {
    name: String,
    /// Its arguments, where it began.
    text: String,
    has_ended: bool,
}

/// Starts rille under strace; `None`, with a word, where that cannot be done.
fn traced(project: &Project, args: &[&str]) -> Option<Vec<Call>> {
    if !needs("strace") {
        return None;
    }
    let trace = project.path("trace");
    let mut command = project.command("strace");
    command
        .args(["-f", "-y", "-s", "100000", "-e", "trace=write,fsync,fdatasync,syncfs,unlink,unlinkat,rename", "-o"])
        .arg(&trace);
    command.arg(env!("CARGO_BIN_EXE_rille")).args(args);
    let ended = project.start_command(command).wait();
    if ended.err().contains("ptrace") {
        skipped(&format!("strace may not look at a process here: {}", ended.err().trim()));
        return None;
    }
    ended.code(0);
    let text = String::from_utf8_lossy(&fs::read(trace).expect("strace writes it")).into_owned();
    let mut calls = Vec::new();
    for line in text.lines() {
        let Some((_, line)) = line.split_once(' ') else { continue };
        let line = line.trim_start();
        let call = |name: &str, text: &str, has_ended| Call { name: name.to_owned(), text: text.to_owned(), has_ended };
        if let Some((name, _)) = line.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            // Whose end it is does not matter: those that are looked at are made by one thread, one after the other.
            let begun = calls.iter().rev().find(|begun: &&Call| begun.name == name && !begun.has_ended);
            let text = begun.map(|begun| begun.text.clone()).unwrap_or_default();
            calls.push(call(name, &text, true));
        } else if let Some((name, rest)) = line.split_once('(') {
            calls.push(call(name, rest, false));
            if !rest.ends_with("<unfinished ...>") {
                calls.push(call(name, rest, true));
            }
        }
    }
    Some(calls)
}

/// Checks that each of these is on the disk before the call that `is_told` knows is begun.
#[track_caller]
fn check_synced(calls: &[Call], paths: &[String], is_told: impl Fn(&Call) -> bool) {
    let told = calls.iter().position(|call| !call.has_ended && is_told(call)).expect("it is told");
    for path in paths {
        let is_sync = |call: &&Call| {
            let is_it = call.text.split_once('<').is_some_and(|(_, rest)| rest.starts_with(&format!("{path}>")));
            call.has_ended && is_it && matches!(call.name.as_str(), "fsync" | "fdatasync")
        };
        let synced = calls[..told].iter().rposition(|call| is_sync(&call));
        let synced = synced.unwrap_or_else(|| panic!("{path} is not synced before it is told"));
        let is_write = |call: &Call| call.name == "write" && call.text.contains(&format!("<{path}>"));
        let written = calls[..told].iter().rposition(is_write);
        assert!(written.is_none_or(|written| written < synced), "{path} is written once more before it is told");
    }
}

/// Returns the paths of what must be on the disk of a run: these files, and the folders by which they are found.
fn with_folders(run: &Run, files: &[&str]) -> Vec<String> {
    let mut paths: Vec<_> = files.iter().map(|file| run.path().join(file)).collect();
    paths.extend([".guild/attrs", ".guild"].map(|folder| run.path().join(folder)));
    paths.extend([run.path().to_owned(), run.path().parent().expect("it is in a folder").to_owned()]);
    paths.iter().map(|path| path.display().to_string()).collect()
}

#[test]
fn an_end_is_on_the_disk_before_it_is_told() {
    let definition = "op:\n  exec: echo ran\n  sourcecode: no\n";
    let doors: [(&[&str], &str); 2] = [(&["run", "job.lua"], "Result: PASSED"), (&["run", "op", "-y"], "")];
    for (args, word) in doors {
        let project = Project::new().main("job.run { testscript = '/bin/true' }").file("guild.yml", definition);
        let Some(calls) = traced(&project, args) else { return };
        let run = project.the_run();
        let paths = with_folders(&run, &[".guild/events.jsonl", ".guild/attrs/exit_status", ".guild/attrs/stopped"]);
        // Others hear of it when nobody holds the run any more.
        check_synced(&calls, &paths, |call| call.name == "unlink" && call.text.contains("/.guild/LOCK\""));
        if !word.is_empty() {
            check_synced(&calls, &paths, |call| call.name == "write" && call.text.contains(word));
        }
        let is_end = |call: &Call| call.name == "write" && call.text.contains("run-finished");
        assert_eq!(
            calls.iter().filter(|call| !call.has_ended && is_end(call)).count(),
            1,
            "it is the log that is synced"
        );
    }
}

#[test]
fn a_staged_run_is_on_the_disk_before_it_is_told() {
    let project = Project::new().file("guild.yml", "op:\n  exec: echo ran\n  sourcecode: no\n");
    let Some(calls) = traced(&project, &["run", "op", "-y", "--stage", "--label", "x"]) else { return };
    let run = project.the_run();
    let mut files: Vec<String> = run.attr_names().iter().map(|name| format!(".guild/attrs/{name}")).collect();
    files.extend([".guild/opref", ".guild/ENV", ".guild/STAGED"].map(str::to_owned));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let paths = with_folders(&run, &files);
    check_synced(&calls, &paths, |call| call.name == "write" && call.text.contains("staged as"));
    // Made whole, and renamed once.
    let renames = calls.iter().filter(|call| call.name == "rename" && !call.has_ended).count();
    assert_eq!(renames, 1, "{calls:?}");
}

#[test]
fn what_is_moved_is_on_the_disk_before_it_is_gone_from_where_it_was() {
    let project = Project::new();
    project.handmade("aa11", 1, &[(".guild/attrs/label", "one\n")]);
    let removes = |call: &Call, run: &Path| {
        let is_of_run = call.text.contains(&run.display().to_string());
        ["unlink", "unlinkat", "rename"].contains(&call.name.as_str()) && is_of_run && !call.has_ended
    };
    // A zip file is synced, and then the folder by which it is found.
    let source = project.home().join("runs/aa11");
    let Some(calls) = traced(&project, &["export", "out/all.zip", "-m", "-y"]) else { return };
    check_synced(&calls, &[project.path("out").display().to_string()], |call| removes(call, &source));
    // With what links lead to a run is copied also on the same file system.
    project.run(&["import", "out/all.zip"]).code(0);
    project.run(&["export", "there"]).code(0);
    project.run(&["runs", "rm", "-y", "-p", "aa11"]).code(0);
    let source = project.path("there/aa11");
    let Some(calls) = traced(&project, &["import", "there", "-m", "-y", "-r"]) else { return };
    let gone = calls.iter().position(|call| removes(call, &source)).expect("it is removed");
    let synced = calls[..gone].iter().filter(|call| call.name == "syncfs" && call.has_ended).count();
    assert_eq!(synced, 1, "{:?}", &calls[..gone]);
    assert!(project.home().join("runs/aa11/.guild/attrs/label").exists() && !source.exists());
}

#[test]
fn a_full_disk_costs_no_staged_run() {
    if !may_mount() {
        return;
    }
    let project = Project::new().file("guild.yml", "op:\n  exec: echo done\n  flags: {n: 0}\n");
    let rille = env!("CARGO_BIN_EXE_rille");
    let command = format!(
        "{rille} run op 'n=[1,2,3]' --stage-trials -y >/dev/null\n\
         head -c 9000000 /dev/zero >$RILLE_HOME/fill\n\
         {rille} queue --run-once; echo full=$?\n\
         ls $RILLE_HOME/runs/*/.guild/STAGED | wc -l\n\
         rm $RILLE_HOME/fill; {rille} queue --run-once >/dev/null; echo free=$?\n\
         ls $RILLE_HOME/runs/*/.guild/STAGED 2>/dev/null | wc -l\n"
    );
    let ended = on_small_disk(&project, "size=4m", &command);
    ended.stderr_has("No space left on device").stdout_has("op: could not be recorded, and stays staged\n");
    let said: Vec<String> =
        ended.out().lines().filter(|line| !line.starts_with('[')).map(|line| line.trim().to_owned()).collect();
    assert_eq!(said, ["full=7", "3", "free=0", "0"], "{ended}");
    assert_eq!(ended.out().matches(": started").count(), 1, "the others are not tried: {ended}");
}
