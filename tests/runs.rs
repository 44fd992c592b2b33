//! Run directories: what is in them, how `rille runs` shows them, and what is left of a run whose host was killed.

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{DEADLINE, Project, Run, check_results, guild_program};

/// The attributes that every run has at its end.
const ATTRIBUTES: [&str; 13] = [
    "cmd",
    "env",
    "exit_status",
    "flags",
    "host",
    "id",
    "initialized",
    "label",
    "platform",
    "run_params",
    "started",
    "stopped",
    "tags",
];

/// Returns the short id that tables show.
fn short(run: &Run) -> String {
    run.id()[..8].to_owned()
}

/// A script that tells that it runs and stays.
const STAY: &str = "#!/bin/sh\necho ready > \"$RILLE_RUN_DIR/ready\"\nexec sleep 1000\n";

#[test]
fn a_run_directory_holds_what_it_should() {
    let project = Project::new()
        .env("USER", "ada")
        .env("API_TOKEN", "do not keep")
        .env("DB_PASSWORD", "do not keep")
        .env("PLAIN", "keep: \"this\"\n# too")
        .main("job.run { testscript = 's.sh', taskid = 'a' }")
        .executable("s.sh", "#!/bin/sh\necho out\necho err >&2\n");
    let ended = project.job(&["--label", "first: #1", "--tag", "x", "--tag", "y z", "-j", "3", "--mine"]);
    let run = ended.code(0).the_run();
    assert!(run.id().len() == 32 && run.id().bytes().all(|byte| byte.is_ascii_hexdigit()), "{}", run.id());

    let mut names = ATTRIBUTES.map(str::to_owned).to_vec();
    names.extend(["started_in", "user"].map(str::to_owned));
    names.sort();
    assert_eq!(run.attr_names(), names);
    assert_eq!(run.attr("id"), run.id());
    let rille = env!("CARGO_BIN_EXE_rille");
    let cmd = [rille, "run", "job.lua", "--label", "first: #1", "--tag", "x", "--tag", "y z", "-j", "3", "--mine"];
    assert_eq!(run.attr("cmd"), json!(cmd));
    assert_eq!(run.attr("exit_status"), 0);
    assert_eq!(run.attr("flags"), json!({}));
    assert_eq!(run.attr("label"), "first: #1");
    assert_eq!(run.attr("tags"), json!(["x", "y z"]));
    assert_eq!(run.attr("user"), "ada");
    assert_eq!(run.attr("host"), run.results()["run"]["host"]);
    let times = ["initialized", "started", "stopped"].map(|name| run.attr(name).as_u64().unwrap());
    assert!(times.is_sorted(), "{times:?}");
    let year_2020_in_microseconds = 1_577_836_800_000_000;
    assert!(times[0] > year_2020_in_microseconds, "{times:?}");
    let platform = run.attr("platform");
    assert!(platform["cpus"].as_u64().unwrap() >= 1 && platform["uname"].as_str().unwrap().starts_with("Linux "));
    let params = run.attr("run_params");
    assert_eq!([&params["jobs"], &params["jobfile"], &params["grace"]], [&json!(3), &json!("job.lua"), &json!(2.0)]);
    let env = run.attr("env");
    assert_eq!(env["PLAIN"], "keep: \"this\"\n# too");
    assert_eq!(env["RILLE_HOME"], project.home().display().to_string());
    for folder in [".guild/attrs", ".guild", "."] {
        for entry in fs::read_dir(run.path().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                assert!(!text.contains("do not keep"), "{} holds a secret", path.display());
            }
        }
    }
    assert_eq!(
        run.text(".guild/opref"),
        format!("script:{} '' '' job.lua", project.path("").display()).replace("/ ", " ")
    );

    for gone in ["LOCK", "PENDING", "ballast"] {
        assert!(!run.has(format!(".guild/{gone}")), "{gone} is left");
    }
    assert_eq!(run.text("tasks/1-a/stdout"), "out\n");
    assert_eq!(run.text("tasks/1-a/stderr"), "err\n");
    let leftovers: Vec<_> = fs::read_dir(run.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(leftovers.iter().all(|name| !name.to_string_lossy().starts_with(".new")), "{leftovers:?}");
}

#[test]
fn what_results_name_is_there() {
    let project = Project::new().main("job.run { testscript = 's.lua', taskid = 'a' }").file("s.lua", "print('x')");
    let run = project.job(&[]).code(0).the_run();
    let path = run.task("a")["folder"].as_str().unwrap().to_owned();
    assert!(run.has(&path), "results.json names {path}, which is not there");
    assert_eq!(run.text(format!("{path}/stdout")), "x\n");
}

#[test]
fn the_log_has_every_event_in_order() {
    let body = "runtime.job.name = 'n'\njob.run { testscript = '/bin/true', taskid = 'a' }\n\
                job.run { testscript = '/bin/false', taskid = 'b', retries = 1, max_runtme = 3 }";
    let run = Project::new().main(body).job(&[]).code(1).the_run();
    let kinds: Vec<String> = run.events().iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect();
    let task = ["task-queued", "task-started", "task-finished"];
    let expected = [
        &["run-started", "job-renamed"][..],
        &task,
        &["warning"],
        &task,
        &task[1..],
        &["main-finished", "run-finished"],
    ];
    assert_eq!(kinds, expected.concat());
    let first = &run.events()[0];
    assert_eq!(first["run_id"], run.id());
    assert_eq!([&first["format"], &first["door"]], [&json!(1), &json!("job")]);
}

#[test]
fn results_of_many_kinds_of_runs_are_as_the_schema_says() {
    let bodies = [
        "",
        "job.run { testscript = '/bin/true', tags = { 'a' } }",
        "job.run { testscript = '/bin/false', retries = 2 }",
        "job.run { testscript = 's.lua', taskid = 'with data' }\njob.run { testscript = 'e.lua' }",
        "job.run { testscript = 'no-such.lua' }\njob.run { testscript = 3 }",
        "job.run { testscript = '/bin/sh', args = { '-c', 'kill -9 $$' } }",
        "job.run { testscript = '/bin/true', taskid = 'x' }\njob.run { testscript = '/bin/true', taskid = 'x' }",
        "job.run { testscript = '/bin/true', device_ = 1, max_runtme = 3 }\nerror({ kind = 'mine' })",
        "job.Task { testscript = '/bin/sleep', args = { 1000 } }:start()",
        "job.Task { testscript = '/bin/true' }\nos.exit(3)",
        "pcall(job.run, { testscript = '/bin/sleep', args = { 1000 }, max_runtime = 0.1 })",
        "local x = = 1",
    ];
    for body in bodies {
        let project = Project::new().main(body);
        let project =
            project.file("s.lua", "return 'passx', 'why', { a = { 1, 2.5, 'x' } }").file("e.lua", "error('x')");
        let ended = project.job(&[]);
        let results = ended.the_run().results();
        check_results(&project, &results);
        assert_eq!(results["run"]["exit_code"], json!(ended.exit_code()), "{body}");
        let counts = results["counts"].as_object().unwrap();
        let sum: u64 = counts.iter().filter(|(name, _)| *name != "total").map(|(_, n)| n.as_u64().unwrap()).sum();
        assert_eq!(counts["total"], sum, "{body}");
        assert_eq!(results["tasks"].as_array().unwrap().len(), usize::try_from(sum).unwrap(), "{body}");
        // The same from the log.
        let id = ended.the_run().id();
        assert_eq!(project.run(&["runs", "show", &id, "--json"]).code(0).json(), results, "{body}");
    }
}

#[test]
fn show_says_again_what_the_console_said() {
    let body = "job.run { testscript = 's.lua', taskid = 'a' }\njob.run { testscript = '/bin/true' , max_runtme = 1 }";
    let project = Project::new().main(body).file("s.lua", "os.execute('echo told')\nerror('broken')");
    let live = project.job(&[]);
    let shown = project.run(&["runs", "show", "latest"]);
    shown.code(0);
    assert_eq!(shown.redacted_out(), live.redacted_err());
}

#[test]
fn runs_are_listed_described_and_removed() {
    let project = Project::new().main("job.run { testscript = '/bin/' .. runtime.argv[1] }");
    project.run(&["runs"]).code(0).stdout("").stderr_has("no runs");
    project.job(&["true", "--label", "good one"]).code(0);
    project.job(&["false"]).code(1);
    project.job(&["true", "--taskid", "none"]).code(4);
    let runs = project.runs();
    let listed = project.run(&["runs"]);
    let lines: Vec<String> = listed.code(0).out().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3);
    // Newest first.
    for (line, (run, status)) in lines.iter().rev().zip(runs.iter().zip(["completed", "error", "error"])) {
        assert!(line.starts_with(&short(run)) && line.contains("job.lua") && line.contains(status), "{line}");
    }
    assert!(lines[2].ends_with("good one"));
    let filtered = project.run(&["runs", "list", "--status", "completed"]);
    assert_eq!(filtered.code(0).out().lines().count(), 1);
    assert_eq!(project.run(&["runs", "-n", "2"]).code(0).stderr_has("2 of 3 runs").out().lines().count(), 2);
    let as_json = project.run(&["runs", "--json"]).code(0).json();
    let field = |name: &str| as_json.as_array().unwrap().iter().map(|run| run[name].clone()).collect::<Vec<_>>();
    assert_eq!(field("status"), ["error", "error", "completed"]);
    assert_eq!(field("id"), [runs[2].id(), runs[1].id(), runs[0].id()]);

    let id = runs[0].id();
    let info = project.run(&["runs", "info", &id]);
    info.code(0).stdout_has(&format!("id: {id}\n")).stdout_has("status: completed\n").stdout_has("label: good one\n");
    info.stdout_has("exit_status: 0\n").stdout_has("run job.lua true --label 'good one'\n");
    let as_json = project.run(&["runs", "info", &short(&runs[0]), "--json"]).code(0).json();
    assert_eq!(as_json["id"], id);
    assert_eq!(as_json["attrs"]["label"], "good one");

    project.run(&["runs", "rm", &id]).code(2).stderr_has("add -y");
    project.run(&["runs", "rm", "-y", &id[..8]]).code(0).stderr_has("1 run moved to the trash");
    assert_eq!(project.runs().len(), 2);
    let removed = project.run(&["runs", "rm", "-y", "--permanent", "--json", "latest", &runs[1].id()]).code(0).json();
    assert_eq!(removed.as_array().unwrap().len(), 2, "{removed}");
    assert!(project.runs().is_empty());
    project.run(&["runs", "info", &id]).code(2).stderr_has("error: ");
}

#[test]
fn a_run_that_is_not_there_is_a_usage_error_with_a_near_id() {
    let project = Project::new().main("job.run { testscript = '/bin/true' }");
    project.run(&["runs", "show", "abcdef"]).code(2).stderr_has("hint: ");
    project.job(&[]).code(0);
    let id = project.the_run().id();
    let mut near = id[..8].to_owned();
    let last = near.pop().unwrap();
    near.push(if last == 'z' { 'y' } else { 'z' });
    for command in ["show", "info"] {
        project.run(&["runs", command, &near]).code(2).stderr_has(&format!("did you mean {id}?"));
    }
    project.run(&["runs", "rm", "-y", &near]).code(2).stderr_has("did you mean");
    assert_eq!(project.runs().len(), 1);
}

#[test]
fn a_running_run_is_running_and_is_not_removed() {
    let project = Project::new().main("job.run { testscript = 'stay.sh' }").executable("stay.sh", STAY);
    let running = project.start(&["run", "job.lua"]);
    running.wait_for_event(|event| event["event"] == "task-started");
    let command = |args: &[&str]| project.start_command(project.rille(args)).wait_only(DEADLINE);
    assert_eq!(command(&["runs", "--json"]).json()[0]["status"], "running");
    command(&["runs", "show", "latest"]).code(0).stdout_has("RUNNING");
    command(&["runs", "rm", "-y", "latest"]).code(1).stderr_has("end it first");
    let recorded = project.the_run().text(".guild/LOCK");
    assert_eq!(recorded, running.pid().to_string());
    running.signal(Signal::TERM);
    running.wait().code(143);
    assert_eq!(project.run(&["runs", "--json"]).json()[0]["status"], "terminated");
    assert_eq!(project.the_run().attr("exit_status"), -15);
}

#[test]
fn a_damaged_run_is_one_row_and_disturbs_no_other() {
    let project = Project::new().main("job.run { testscript = '/bin/true' }");
    for _ in 0..4 {
        project.job(&[]).code(0);
    }
    let runs = project.runs();
    let guild = |number: usize, file: &str| runs[number].path().join(".guild").join(file);
    fs::write(guild(0, "attrs/exit_status"), "[ not yaml").unwrap();
    fs::write(guild(1, "opref"), b"\xff\xfe").unwrap();
    fs::write(guild(2, "events.jsonl"), "{\"seq\": 1, broken\n{}\n").unwrap();
    fs::create_dir_all(project.home().join("runs/0123456789abcdef0123456789abcdef/.guild/attrs")).unwrap();
    fs::write(project.home().join("runs/not a run"), "").unwrap();
    let listed = project.run(&["runs", "--json"]).code(0).json();
    let status = |id: &str| {
        let found = listed.as_array().unwrap().iter().find(|run| run["id"] == id);
        found.map_or("none".to_owned(), |run| run["status"].as_str().unwrap().to_owned())
    };
    assert_eq!(status(&runs[0].id()), "corrupt", "{listed:#}");
    assert_eq!(status(&runs[1].id()), "corrupt", "{listed:#}");
    assert_eq!(status(&runs[3].id()), "completed", "{listed:#}");
    let shown = project.run(&["runs", "show", &runs[2].id()]);
    assert_ne!(shown.exit_code(), Some(0), "{shown}");
    shown.stderr_has("events.jsonl").stderr_has("1");
    project.run(&["runs", "show", &runs[3].id()]).code(0).stdout_has("Result: PASSED");
    for run in &runs[..3] {
        project.run(&["runs", "rm", "-y", &run.id()]).code(0);
    }
}

#[test]
fn ten_hosts_on_one_home_lose_nothing() {
    let project = Project::new().main("for i = 1, 5 do job.run { testscript = '/bin/true' } end");
    let hosts: Vec<_> = (0..10).map(|_| project.start(&["run", "job.lua"])).collect();
    for host in hosts {
        host.wait_only(DEADLINE).code(0);
    }
    project.survivors().assert_none_within(DEADLINE);
    let runs = project.runs();
    assert_eq!(runs.len(), 10);
    for run in &runs {
        assert_eq!(run.results()["counts"]["passed"], 5);
        assert_eq!(run.events_of("task-finished").len(), 5);
    }
    let listed = project.run(&["runs", "--json"]).code(0).json();
    assert!(listed.as_array().unwrap().iter().all(|run| run["status"] == "completed"), "{listed:#}");
}

#[test]
fn the_second_host_on_a_run_directory_fails_at_once_and_names_the_first() {
    let project = Project::new().main("job.run { testscript = 'stay.sh' }").executable("stay.sh", STAY);
    let first = project.start(&["run", "job.lua", "--run-dir", "kept"]);
    first.wait_for_file("kept/ready");
    let second = project.start(&["run", "job.lua", "--run-dir", "kept"]).wait_only(DEADLINE);
    second.code(7).stderr_has(&format!("kept is in use by process {}", first.pid())).stderr_has("hint: ");
    let log = project.read("kept/.guild/events.jsonl");
    first.signal(Signal::INT);
    first.wait().code(130);
    assert!(project.read("kept/.guild/events.jsonl").starts_with(&log));
    project.run(&["run", "job.lua", "--run-dir", "kept"]).code(2).stderr_has("already holds a run");
    project.run(&["runs", "show", "kept"]).code(0).stdout_has("SIGINT");
}

#[test]
fn a_run_directory_with_other_files_is_refused_and_left_as_it_is() {
    let project = Project::new().main("job.run { testscript = '/bin/true' }").file("mine/thesis.tex", "text");
    project.run(&["run", "job.lua", "--run-dir", "mine"]).code(2).stderr_has("mine is not empty");
    assert_eq!(fs::read_dir(project.path("mine")).unwrap().count(), 1);
    project.run(&["run", "job.lua", "--run-dir", "new/deep"]).code(0);
    assert!(project.path("new/deep/results.json").is_file());
    assert!(project.runs().is_empty());
}

#[test]
fn guild_reads_the_runs() {
    let Some(guild) = guild_program() else { return };
    let project = Project::new().main("job.run { testscript = '/bin/' .. runtime.argv[1] }");
    project.job(&["true", "--label", "good one", "--tag", "t1"]).code(0);
    project.job(&["false"]).code(1);
    let guild = |args: &[&str]| {
        let mut command = project.command(&guild);
        command.env("GUILD_HOME", project.home()).env("LANG", "C.UTF-8").args(args);
        project.start_command(command).wait()
    };
    let listed = guild(&["runs", "--json"]);
    let listed = listed.code(0).json();
    let field = |name: &str| listed.as_array().unwrap().iter().map(|run| run[name].clone()).collect::<Vec<_>>();
    assert_eq!(field("status"), ["error", "completed"], "{listed:#}");
    assert_eq!(field("label")[1], "good one");
    let runs = project.runs();
    let info = guild(&["runs", "info", &runs[0].id()]);
    info.code(0)
        .stdout_has(&format!("id: {}", runs[0].id()))
        .stdout_has("status: completed")
        .stdout_has("exit_status: 0");
    info.stdout_has("operation: job.lua").stdout_has("label: good one");
    let table = guild(&["runs"]).code(0).out();
    assert!(table.contains("job.lua") && table.lines().count() == 2, "{table}");
}
