//! The runner command line: `rille runner …`, and the same program under the name `avocado-runner-KIND`.
#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use std::fs;
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use regex::Regex;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Ended, Project, Running, StatusServer, until};

/// Starts the program under the name of a runner.
fn start(project: &Project, kind: &str, args: &[&str]) -> Running {
    let mut command = project.rille(args);
    command.arg0(format!("avocado-runner-{kind}"));
    project.start_command(command)
}

fn run(project: &Project, kind: &str, args: &[&str]) -> Ended {
    start(project, kind, args).wait()
}

/// Returns lines with their times replaced; signs of life are left out, as their number depends on the machine.
fn timeless(text: &str) -> String {
    let time = Regex::new(r#"(['"]time['"]): [0-9.e+-]+"#).unwrap();
    let beat = Regex::new(r#"(?m)^\{['"]status['"]: ['"]running['"].*\n"#).unwrap();
    beat.replace_all(&time.replace_all(text, "$1: T"), "").into_owned()
}

const BOTH: &str = "#!/bin/sh\necho out-line\necho err-line >&2\nprintf 'no newline\\001\\377'\nexit 3\n";

#[test]
fn what_runners_print_is_what_the_originals_print() {
    let project = Project::new().executable("both.sh", BOTH);
    let started = "{'status': 'started', 'time': T}\n";
    let empty = "{'type': 'stdout', 'log': b'', 'status': 'running', 'time': T}\n\
                 {'type': 'stderr', 'log': b'', 'status': 'running', 'time': T}\n";
    let cases: [(&str, &[&str], String); 9] = [
        ("noop", &["-k", "noop"], "{'result': 'pass', 'status': 'finished', 'time': T}\n".to_owned()),
        (
            "dry-run",
            &[],
            "{'result': 'cancel', 'fail_reason': 'Test cancelled due to --dry-run', 'status': 'finished', 'time': T}\n"
                .to_owned(),
        ),
        (
            "exec-test",
            &["-u", "/bin/true"],
            format!("{empty}{{'result': 'pass', 'returncode': 0, 'status': 'finished', 'time': T}}\n"),
        ),
        (
            // Any runner runs any kind.
            "noop",
            &["-k", "exec-test", "-u", "/bin/false"],
            format!("{empty}{{'result': 'fail', 'returncode': 1, 'status': 'finished', 'time': T}}\n"),
        ),
        (
            "exec-test",
            &["-u", "/no/such/bin"],
            "{'result': 'error', 'fail_reason': \"[Errno 2] No such file or directory: '/no/such/bin'\", \
             'status': 'finished', 'time': T}\n"
                .to_owned(),
        ),
        (
            "exec-test",
            &[],
            "{'result': 'error', 'fail_reason': 'expected str, bytes or os.PathLike object, not NoneType', \
             'status': 'finished', 'time': T}\n"
                .to_owned(),
        ),
        (
            "exec-test",
            &["-u", "/bin/true", "n=json:5"],
            "{'result': 'error', 'fail_reason': 'expected str, bytes or os.PathLike object, not int', \
             'status': 'finished', 'time': T}\n"
                .to_owned(),
        ),
        (
            "exec-test",
            &["-u", "./both.sh"],
            "{'type': 'stdout', 'log': b'out-line\\nno newline\\x01\\xff', 'status': 'running', 'time': T}\n\
             {'type': 'stderr', 'log': b'err-line\\n', 'status': 'running', 'time': T}\n\
             {'result': 'fail', 'returncode': 3, 'status': 'finished', 'time': T}\n"
                .to_owned(),
        ),
        (
            "exec-test",
            &["-u", "/bin/sh", "-a", "base64:LWM=", "-a", "kill -9 $$"],
            format!("{empty}{{'result': 'fail', 'returncode': -9, 'status': 'finished', 'time': T}}\n"),
        ),
    ];
    for (kind, args, expected) in cases {
        let ended = run(&project, kind, &[&["runnable-run"], args].concat());
        ended.code(0);
        assert_eq!(timeless(&ended.out()), format!("{started}{expected}"), "{kind} {args:?}");
        assert_eq!(ended.err(), "", "{kind} {args:?}");
    }
}

#[test]
fn a_long_test_shows_signs_of_life_twice_a_second_and_its_output_at_once() {
    let project = Project::new().executable("t.sh", "#!/bin/sh\necho first\nexec sleep 2\n");
    let running = start(&project, "exec-test", &["runnable-run", "-u", "./t.sh"]);
    running.wait_for_line("first");
    assert!(!running.has_ended());
    let ended = running.wait();
    let out = ended.code(0).out();
    let beats = out.lines().filter(|line| line.starts_with("{'status': 'running'")).count();
    assert!((3..=5).contains(&beats), "{out}");
    assert!(out.contains("{'type': 'stdout', 'log': b'first\\n',") && !out.contains("'stdout', 'log': b''"), "{out}");
}

#[test]
fn capabilities_are_json_and_mistakes_have_the_codes_of_the_originals() {
    let project = Project::new();
    let capabilities = run(&project, "exec-test", &["capabilities"]);
    capabilities.code(0).stdout(
        "{\"runnables\": [\"exec-test\"], \"commands\": [\"capabilities\", \"runnable-run\", \"runnable-run-recipe\", \
         \"task-run\", \"task-run-recipe\"], \"configuration_used\": [\"run.keep_tmp\", \
         \"runner.exectest.exitcodes.skip\", \"runner.exectest.clear_env\"]}\n",
    );
    let all = project.run(&["runner", "capabilities"]).code(0).json();
    let kinds = [
        "lua",
        "noop",
        "dry-run",
        "exec-test",
        "tap",
        "python-unittest",
        "pytest",
        "sysinfo",
        "package",
        "pip",
        "asset",
    ];
    assert_eq!(all["runnables"], json!(kinds));
    let cases: [(&[&str], i32, &str); 12] = [
        (&[], 2, "Usage"),
        (&["bogus"], 2, "bogus"),
        (&["task-run"], 2, "--identifier"),
        (&["runnable-run-recipe"], 2, "RECIPE"),
        (
            &["runnable-run", "foo"],
            2,
            "Invalid keyword parameter: \"foo\". Valid option must be a \"KEY=VALUE\" like expression",
        ),
        (&["runnable-run", "-k", "nosuchkind"], 1, "Unsupported kind of runnable: nosuchkind"),
        (&["runnable-run", "-k", "nop"], 1, "did you mean 'noop'?"),
        (&["runnable-run", "-c", "{bad"], 1, "is no JSON"),
        (&["runnable-run", "a=json:{bad"], 1, "the value of a is no JSON"),
        (&["runnable-run-recipe", "none.json"], 1, "none.json"),
        (&["task-run", "-i", "1", "-s", "none.sock"], 1, "cannot reach the status server none.sock"),
        (&["task-run", "-i", "1", "-s", "host:port"], 1, "'port' is no port"),
    ];
    for (args, code, text) in cases {
        run(&project, "noop", args).code(code).stdout("").stderr_has(text);
    }
    run(&project, "noop", &["runnable-run", "-c", "{\"x.y\": 1}"])
        .code(0)
        .stderr_has("does not look at the setting 'x.y'");
    project.run(&["runner", "runnable-run"]).code(2).stderr_has("-k/--kind");
    project.run(&["runner", "--help"]).code(0).stdout_has("task-run-recipe");
    let json = project.run(&["runner", "runnable-run", "-k", "noop"]).code(0).out();
    assert_eq!(
        timeless(&json.replace("\"time\"", "'time'")),
        "{\"status\": \"started\", 'time': T}\n{\"result\": \"pass\", \"status\": \"finished\", 'time': T}\n"
    );
}

#[test]
fn servers_get_the_bytes_that_the_originals_send() {
    let project = Project::new().executable("both.sh", BOTH);
    fs::create_dir(project.path("od")).unwrap();
    let server = StatusServer::unix(&project.path("st.sock"));
    let other = StatusServer::tcp("127.0.0.1:0");
    let third = StatusServer::tcp("[::1]:0");
    // The parameters stand before the servers, as Avocado puts them.
    let args = ["task-run", "-i", "4-x", "-j", "J", "-u", "./both.sh", "output_dir=od", "-s", "st.sock"];
    let uris = ["-s", other.uri.as_str(), "-s", third.uri.as_str()];
    run(&project, "exec-test", &[args.as_slice(), &uris].concat()).code(0);
    let lines = server.task();
    assert_eq!(other.task(), lines);
    assert_eq!(third.task(), lines);
    let tail = "\"status\": \"running\", \"time\": T, \"id\": \"4-x\", \"job_id\": \"J\"}\n";
    let expected = format!(
        "{{\"status\": \"started\", \"time\": T, \"output_dir\": \"od\", \"id\": \"4-x\", \"job_id\": \"J\"}}\n\
         {{\"type\": \"stdout\", \"log\": {{\"__base64_encoded__\": \"b3V0LWxpbmUKbm8gbmV3bGluZQH/\"}}, \"log_only\": true, {tail}\
         {{\"type\": \"stderr\", \"log\": {{\"__base64_encoded__\": \"ZXJyLWxpbmUK\"}}, \"log_only\": true, {tail}\
         {{\"result\": \"fail\", \"returncode\": 3, \"status\": \"finished\", \"time\": T, \"id\": \"4-x\", \"job_id\": \"J\"}}\n"
    );
    assert_eq!(timeless(&(lines.join("\n") + "\n")), expected);
    assert_eq!(fs::read(project.path("od/stdout")).unwrap(), b"out-line\nno newline\x01\xff");
    assert_eq!(project.read("od/stderr"), "err-line\n");

    // The files are there now, and nothing of a test is written over.
    run(&project, "exec-test", &[args.as_slice(), &uris].concat()).code(0);
    let last: Value = serde_json::from_str(server.task().last().unwrap()).unwrap();
    assert_eq!(
        (&last["result"], &last["fail_reason"]),
        (&json!("error"), &json!("[Errno 17] File exists: 'od/stdout'"))
    );

    run(&project, "noop", &["task-run", "-i", "3-x", "-s", "st.sock", "output_dir=od"]).code(0);
    assert_eq!(
        timeless(&(server.task().join("\n") + "\n")),
        "{\"status\": \"started\", \"time\": T, \"output_dir\": \"od\", \"id\": \"3-x\"}\n\
         {\"result\": \"pass\", \"status\": \"finished\", \"time\": T, \"id\": \"3-x\"}\n"
    );
}

#[test]
fn a_runner_says_how_it_ended_whatever_is_done_to_it() {
    let hang = "#!/bin/sh\ntrap '' TERM\nsetsid sleep 1000 &\necho ready\nsleep 1000\n";
    let killer = "#!/bin/sh\nsetsid sleep 1000 &\nkill -9 $PPID\nsleep 1000\n";
    let project = Project::new().executable("hang.sh", hang).executable("killer.sh", killer);
    let server = StatusServer::unix(&project.path("st.sock"));
    let args = |uri| ["task-run", "-i", "1", "-j", "J", "-s", "st.sock", "-u", uri];

    let running = start(&project, "exec-test", &args("./hang.sh"));
    until("the test to begin", Duration::from_mins(1), || server.next().contains("cmVhZHkK").then_some(()));
    let asked = Instant::now();
    running.signal(Signal::TERM);
    let last: Value = serde_json::from_str(server.task().last().unwrap()).unwrap();
    let took = asked.elapsed();
    assert_eq!(last["result"], "interrupted", "{last}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    running.wait();

    // The supervisor is killed as well, as Avocado does it; nothing of the test is left.
    let running = start(&project, "exec-test", &args("./hang.sh"));
    until("the test to begin", Duration::from_mins(1), || server.next().contains("cmVhZHkK").then_some(()));
    running.signal(Signal::KILL);
    let last: Value = serde_json::from_str(server.task().last().unwrap()).unwrap();
    assert_eq!(last["result"], "interrupted", "{last}");
    running.wait();

    run(&project, "exec-test", &args("./killer.sh")).code(0);
    let last: Value = serde_json::from_str(server.task().last().unwrap()).unwrap();
    assert_eq!((&last["result"], &last["id"], &last["job_id"]), (&json!("error"), &json!("1"), &json!("J")), "{last}");
    assert_eq!(last["fail_reason"], "the runner process was killed by SIGKILL (signal 9)");
    assert!(server.is_silent());
}

#[test]
fn what_a_test_leaves_behind_ends_with_it_and_nobody_waits_for_it() {
    let project = Project::new().executable("t.sh", "#!/bin/sh\nsetsid sleep 1000 &\nsleep 1000 &\necho left\n");
    let ended = run(&project, "exec-test", &["runnable-run", "-u", "./t.sh"]);
    ended.code(0).stdout_has("b'left\\n'").stdout_has("'result': 'pass'");
}

#[test]
fn large_output_comes_in_pieces_that_end_with_a_line() {
    let script = "#!/bin/sh\nyes 0123456789 | head -c 5500000\nhead -c 3000000 /dev/zero >&2\n";
    let project = Project::new().executable("t.sh", script);
    let server = StatusServer::unix(&project.path("st.sock"));
    run(&project, "exec-test", &["task-run", "-i", "1", "-s", "st.sock", "-u", "./t.sh", "-k", "exec-test"]).code(0);
    let mut streams: [Vec<u8>; 2] = Default::default();
    for line in server.task() {
        let message: Value = serde_json::from_str(&line).unwrap();
        let Some(payload) = message["log"]["__base64_encoded__"].as_str() else { continue };
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, payload).unwrap();
        assert!(bytes.len() <= 1 << 20);
        assert!(message["type"] != "stdout" || bytes.ends_with(b"\n"));
        streams[usize::from(message["type"] == "stderr")].extend(bytes);
    }
    assert_eq!(streams[0], b"0123456789\n".repeat(500_000));
    assert_eq!(streams[1], vec![0; 3_000_000]);
}

#[test]
fn a_server_that_is_late_is_waited_for_and_one_that_is_gone_is_not() {
    let project = Project::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let running = start(&project, "noop", &["task-run", "-i", "1", "-s", &port]);
    running.wait_for_line("trying again");
    let server = StatusServer::tcp(&port);
    assert_eq!(server.task().len(), 2);
    running.wait().code(0);

    let script = "#!/bin/sh\necho ready\nwhile ! test -e go; do sleep 0.01; done\necho done\n";
    let project = project.executable("t.sh", script);
    let path = project.path("gone.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let running = start(&project, "exec-test", &["task-run", "-i", "1", "-s", "gone.sock", "-u", "./t.sh"]);
    let (connection, _) = listener.accept().unwrap();
    running.wait_for_line("ready");
    drop((connection, listener));
    fs::write(project.path("go"), "").unwrap();
    running.wait().code(0).stderr_has("gone.sock has been lost").stdout_has("'result': 'pass'");
}

#[test]
fn only_a_server_of_rille_gets_the_token_and_only_by_tcp() {
    let project = Project::new().env("RILLE_STATUS_TOKEN", "secret");
    let (tcp, unix) = (StatusServer::tcp("127.0.0.1:0"), StatusServer::unix(&project.path("st.sock")));
    let args = ["task-run", "-i", "1", "-s", &tcp.uri, "-s", "st.sock", "-u", "/usr/bin/env"];
    let ended = run(&project, "exec-test", &args);
    assert!(!ended.code(0).out().contains("secret"), "{ended}");
    assert_eq!(tcp.next(), "{\"token\":\"secret\"}");
    assert_eq!(tcp.task(), unix.task());
}

#[test]
fn recipes_of_runnables_and_tasks_are_run() {
    let project = Project::new()
        .file("runnable.json", r#"{"kind": "exec-test", "uri": "/bin/sh", "args": ["-c", "exit $CODE"], "kwargs": {"CODE": "2"},
            "config": {"runner.exectest.exitcodes.skip": [2]}, "identifier": "x"}"#)
        .file("unknown.json", r#"{"kind": "noop", "url": "x"}"#)
        .file("list.json", r#"[{"kind": "noop"}]"#)
        .file("task.json", r#"{"id": 1, "job_id": "J", "category": "test", "status_uris": ["st.sock"],
            "runnable": {"kind": "exec-test", "uri": "/bin/sh", "args": ["-c", "echo $MODE"], "kwargs": {"MODE": "kept"}}}"#)
        .file("anonymous.json", r#"{"runnable": {"kind": "noop"}}"#);
    let recipe = |command: &str, file: &str| run(&project, "noop", &[command, file]);
    recipe("runnable-run-recipe", "runnable.json").code(0).stdout_has("{'result': 'skip', 'returncode': 2,");
    recipe("runnable-run-recipe", "unknown.json").code(1).stdout("").stderr_has("there is no key 'url' in a recipe");
    recipe("runnable-run-recipe", "list.json").code(1).stderr_has("list.json");
    recipe("task-run-recipe", "runnable.json").code(1).stderr_has("runnable");
    let server = StatusServer::unix(&project.path("st.sock"));
    recipe("task-run-recipe", "task.json").code(0).stdout_has("'id': 1, 'job_id': 'J'}").stdout_has("b'kept\\n'");
    let first: Value = serde_json::from_str(&server.task()[0]).unwrap();
    assert_eq!(first["id"], 1);
    let id = Regex::new(r"'id': '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'\}").unwrap();
    let out = recipe("task-run-recipe", "anonymous.json").code(0).out();
    assert!(out.lines().all(|line| id.is_match(line)), "{out}");
}

#[test]
fn links_make_the_program_a_runner() {
    let project = Project::new().file("bin/avocado-runner-pip", "not ours");
    project.run(&["runner", "install", "bin"]).code(1).stderr_has("--force replaces it");
    project.run(&["runner", "install", "bin", "--force"]).code(0).stdout_has("bin/avocado-runner-exec-test\n");
    project.run(&["runner", "install", "bin"]).code(0);
    project.run(&["runner", "install", "bin", "-k", "foo"]).code(1).stderr_has("there is no avocado-runner-foo.lua");
    let command = project.command(project.path("bin/avocado-runner-noop"));
    let mut command = command;
    command.arg("runnable-run");
    project.start_command(command).wait().code(0).stdout_has("{'result': 'pass', 'status': 'finished'");
}

#[test]
fn a_foreign_kind_is_handed_on_to_its_own_runner() {
    let foreign = "#!/bin/sh\nprintf '%s|' \"$@\"\nexit 9\n";
    let project = Project::new()
        .executable("bin/avocado-runner-foreign", foreign)
        .file("bin/avocado-runner-plain", foreign)
        .file("recipe.json", r#"{"kind": "foreign", "uri": "x"}"#);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rille"), project.path("bin/avocado-runner-ours")).unwrap();
    let call = |args: &[&str], name: Option<&str>| {
        let mut command = project.rille(args);
        let path = std::env::join_paths([project.path("bin"), "/usr/bin".into(), "/bin".into()]).unwrap();
        command.env("PATH", path);
        if let Some(name) = name {
            command.arg0(name);
        }
        project.start_command(command).wait()
    };
    let words = ["runnable-run", "-k", "foreign", "-u", "a b", "-a", "", "key=value"];
    let shown = "runnable-run|-k|foreign|-u|a b|-a||key=value|";
    call(&[&["runner"], words.as_slice()].concat(), None).code(9).stdout(shown);
    call(&[&["--home", "runner", "runner"], words.as_slice()].concat(), None).code(9).stdout(shown);
    call(&words, Some("avocado-runner-noop")).code(9).stdout(shown);
    call(&["runnable-run-recipe", "recipe.json"], Some("avocado-runner-noop"))
        .code(9)
        .stdout("runnable-run-recipe|recipe.json|");
    for kind in ["plain", "ours", "none", "../x"] {
        let ended = call(&["runner", "runnable-run", "-k", kind], None);
        ended.code(1).stdout("").stderr_has(&format!("Unsupported kind of runnable: {kind}"));
    }
}
