//! One runner: what it is told, what it says, and every way in which it can break off.

use std::collections::HashMap;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{file, foo, project};

#[test]
fn a_runner_is_told_its_task_and_what_it_reports_is_kept() {
    let code = r#"started()
assert (ID, OUT) == ("t", os.environ["RILLE_TASK_DIR"]), (ID, OUT)
assert (JOB, OPTIONS["-k"], OPTIONS["-u"]) == (os.environ["RILLE_RUN_ID"], "foo", "some thing"), OPTIONS
assert (ARGS, KWARGS["n"]) == (["-x", "y z"], [1, [2]]), (ARGS, KWARGS)
assert json.loads(OPTIONS["-c"]) == {"foo.used": 1, "runner.identifier_format": "{uri}"}, OPTIONS["-c"]
assert os.listdir(OUT) == [] and os.stat(URI).st_mode & 0o777 == 0o600
assert os.stat(os.path.dirname(URI)).st_mode & 0o777 == 0o700
running("log", b"a warning", log_name="my.part", log_level=30, log_levelname="WARNING", encoding="utf-8")
running("stdout", b"out\x01\xff\n")
running("stderr", b"err\n", encoding=None)
open(OUT + "/elsewhere", "w").write("mine")
running("whiteboard", b"white ")
running("whiteboard", b"board")
running("file", b"data", path="sub/data.txt")
running("file", b" more", path="sub/data.txt")
running("output", b"shown to the user")
say(status="running")
finished(returncode=0)"#;
    let body = format!(
        "job.run {{ taskid = 't', testscript = {{ kind = 'foo', uri = 'some thing', args = {{ '-x', 'y z' }}, config = \
         {{ ['foo.used'] = 1, other = 2 }}, kwargs = {{ n = {{ 1, {{ 2 }} }}, code = [==[{code}]==] }} }} }}"
    );
    let ended = project(&body).job(&[]);
    ended.code(0).outcomes("t=passed").stderr_has("t | shown to the user");
    let run = ended.the_run();
    assert_eq!(run.output("t", "stdout"), b"out\x01\xff\n");
    assert_eq!(run.output("t", "stderr"), b"err\n");
    assert_eq!(file(&run, "whiteboard"), "white board");
    assert_eq!(file(&run, "sub/data.txt"), "data more");
    let log = file(&run, "task.log");
    for part in [
        "WARNING  my.part [",
        "a warning\n",
        "INFO     stdout [",
        "INFO     stderr [",
        "INFO     output [",
        "shown to the user",
    ] {
        assert!(log.contains(part), "{part}\n{log}");
    }
    assert_eq!(run.task("t")["result"]["data"], json!({ "returncode": 0 }));
    assert!(!run.has("status"), "the folder of the socket is gone");
}

#[test]
fn the_result_is_the_outcome() {
    let cases = [
        ("finished('pass')", "passed", ""),
        ("finished('PASS')", "passed", ""),
        ("finished('fail', fail_reason='bad thing')", "failed", "bad thing"),
        ("finished('error', fail_reason='broken')", "errored", "broken"),
        ("finished('skip', fail_reason='why not')", "skipped", "why not"),
        ("finished('cancel', fail_reason='no')", "skipped", "no"),
        ("finished('warn')", "passx", ""),
        ("finished('interrupted', fail_reason='Test interrupted: Timeout reached')", "aborted", "Timeout reached"),
        // No order is asked for, and what is new is passed over.
        ("running('stdout', b'x'); finished()", "passed", ""),
        ("started(); started(); finished()", "passed", ""),
        ("say(status='finished', result='pass', what={'ever': [1]})", "passed", ""),
        (
            "raw(json.dumps({'status': 'finished', 'result': 'pass', 'id': ID, 'job_id': JOB}).encode() + b'\\r\\n')",
            "passed",
            "",
        ),
        ("raw(message(status='finished', result='pass').rstrip())", "passed", ""),
        ("running('stdout', 'plain text'); finished()", "passed", ""),
        ("finished('fail', fail_reason='f'); sys.exit(1)", "failed", "f"),
        (
            "for n in range(20): running_on = connect(); say(running_on, status='running', type='stdout', log=b'x'); running_on.close()\nfinished()",
            "passed",
            "",
        ),
        (
            "for n in range(3): subprocess.run([sys.executable, '-c', f'import socket; s = socket.socket(socket.AF_UNIX); s.connect({URI!r}); s.sendall({message(status=\"running\", type=\"stdout\", log=b\"x\")!r})'])\nfinished()",
            "passed",
            "",
        ),
        (
            "others = [connect() for _ in range(5)]\nfor o in others: say(o, status='running', type='stdout', log=b'x' * 100000)\nfinished()",
            "passed",
            "",
        ),
    ];
    let body: String = (1..).zip(cases).map(|(n, (code, ..))| foo(&format!("t{n}"), code)).collect();
    let ended = project(&body).job(&[]);
    let run = ended.the_run();
    for (number, (code, outcome, reason)) in (1..).zip(cases) {
        let task = run.task(&format!("t{number}"));
        let found = task["result"]["reason"].as_str().unwrap_or_default();
        assert_eq!(task["result"]["value"], outcome, "{code}: {found}\n{ended}");
        assert!(found.contains(reason), "{code}: {found}");
    }
    assert_eq!(run.output("t16", "stdout"), b"x".repeat(20));
    assert_eq!(run.output("t17", "stdout"), b"xxx");
    assert_eq!(run.output("t18", "stdout").len(), 500_000);
    assert!(run.events_of("messages-dropped").is_empty());
}

/// Notes the time in the run directory.
const BEGINS: &str = "import datetime\nopen(os.environ['RILLE_RUN_DIR'] + '/' + ID + '.began', 'w').write(datetime.datetime.now(datetime.timezone.utc).isoformat())";

#[test]
fn what_a_runner_does_wrong_costs_its_own_test_and_nothing_else() {
    let cases = [
        ("sys.exit(0)", "its runner left with exit code 0 before it reported how the test ended"),
        ("started(); sys.exit(3)", "its runner left with exit code 3 before it reported how the test ended"),
        ("started(); os.kill(os.getpid(), 9)", "its runner was killed by SIGKILL (signal 9) before it reported"),
        ("started(); subprocess.run(['sh', '-c', 'kill -9 $PPID'])", "its runner was killed by SIGKILL"),
        ("started(); raise RuntimeError('the runner is broken')", "RuntimeError: the runner is broken"),
        ("raw(b'hello\\n')\ntime.sleep(60)", "broke the protocol of its runner: it is no message"),
        ("raw(bytes(range(256)) + b'\\n')\ntime.sleep(60)", "broke the protocol of its runner: it is no message"),
        ("raw(message(status='finished', result='pass')[:20])", "before it reported how the test ended"),
        (
            "started(); say(status='finished', result='pass', id='other')\ntime.sleep(60)",
            "it spoke of the task 'other'",
        ),
        ("say(status='finished', result='pass', id=None)\ntime.sleep(60)", "broke the protocol of its runner"),
        (
            "raw(json.dumps({'status': 'finished', 'result': 'pass', 'id': ID}).encode() + b'\\n')\ntime.sleep(60)",
            "a message names no job",
        ),
        ("finished('fail'); finished('pass')\ntime.sleep(60)", "it reported its end twice: fail, then pass"),
        ("finished(); running('stdout', b'late')\ntime.sleep(60)", "it went on after it had reported its end (pass)"),
        ("finished(); say(status='running')", "it went on after it had reported its end (pass)"),
        ("finished('bogus')\ntime.sleep(60)", "bogus"),
        ("say(status='finished')\ntime.sleep(60)", "without a 'result'"),
        ("say(status='weird')\ntime.sleep(60)", "weird"),
        ("started(); say(status='finished', result='pass', job_id='0' * 40)", "before it reported how the test ended"),
        ("finished(); sys.exit(1)", "its runner ended with exit code 1 after it had reported pass"),
        ("finished(); os.kill(os.getpid(), 9)", "killed by SIGKILL (signal 9) after it had reported pass"),
        ("raw(b'{' + b'x' * 100000000 + b'}\\n')\ntime.sleep(60)", "a message is longer than 64 MiB"),
        ("raw(b'x' * 100000000)\ntime.sleep(60)", "a message is longer than 64 MiB"),
        (
            "for o in [connect() for _ in range(3)]: raw(b'x' * 30000000, o)\ntime.sleep(60)",
            "a message is longer than 64 MiB",
        ),
        ("os.close(line.fileno()); os.unlink(URI); sys.exit(0)", "before it reported how the test ended"),
    ];
    let good = "started(); time.sleep(0.2); running('stdout', b'fine'); finished()";
    let pairs: Vec<String> = (1..)
        .zip(cases)
        // It notes when it begins to do wrong: how long Python takes to start is nobody's fault.
        .map(|(n, (code, _))| (n, format!("{BEGINS}\n{code}")))
        .map(|(n, code)| format!("local g = job.Task {{ taskid = 'g{n}', testscript = {{ kind = 'foo', kwargs = {{ code = [==[{good}]==] }} }} }}\ng:start()\n{}g:wait()\n", foo(&format!("t{n}"), &code)))
        .collect();
    let ended = project(&pairs.concat()).job(&["-j", "2"]);
    ended.code(1);
    let run = ended.the_run();
    let end = |event: &Value| (event["task"].as_u64().unwrap(), event["time"].as_str().unwrap().parse().unwrap());
    let ends: HashMap<u64, DateTime<Utc>> = run.events_of("task-finished").iter().map(end).collect();
    for (number, (code, part)) in (1..).zip(cases) {
        let task = run.task(&format!("t{number}"));
        let reason = task["result"]["reason"].as_str().unwrap_or_default();
        assert_eq!(task["result"]["value"], "errored", "{code}: {reason}");
        assert!(reason.contains(part), "{code}\nfound: {reason}\nwanted: {part}");
        let began: DateTime<Utc> = run.text(format!("t{number}.began")).parse().unwrap();
        let took = ends[&task["number"].as_u64().unwrap()] - began;
        assert!(took < TimeDelta::seconds(2), "{code} took {took}");
        assert_eq!(run.task(&format!("g{number}"))["result"]["value"], "passed", "{code}");
    }
}

#[test]
fn a_runner_that_does_not_leave_has_said_everything() {
    let started = Instant::now();
    let ended = project(&foo("t", "finished('pass')\ntime.sleep(1000)")).job(&["--grace", "0.3"]);
    ended.code(0).outcomes("t=passed");
    assert!(started.elapsed().as_secs() < 100);
}

#[test]
fn names_of_files_stay_inside_whatever_they_are() {
    let code = r#"for path in ["../../x", "/abs/y", "n" * 300, "a\0b", "\U0001F600", "task.log", "s/../../../z", "stdout"]:
    running("file", path.encode(), path=path)
os.symlink(os.path.dirname(OUT), OUT + "/link")
running("file", b"never", path="link/escaped")
finished()"#;
    let ended = project(&foo("t", code)).job(&[]);
    ended.code(0);
    let run = ended.the_run();
    for (name, text) in [
        ("x", "../../x"),
        ("abs/y", "/abs/y"),
        ("a_b", "a\0b"),
        ("\u{1F600}", "\u{1F600}"),
        ("_task.log", "task.log"),
        ("z", "s/../../../z"),
        ("_stdout", "stdout"),
    ] {
        assert_eq!(file(&run, name), text, "{name}");
    }
    assert_eq!(file(&run, &"n".repeat(255)), "n".repeat(300));
    assert!(!run.has("tasks/escaped") && !run.has("x") && !run.has("tasks/x"));
    assert!(file(&run, "task.log").contains("cannot write the file \"link/escaped\" that the runner sent"));
}

#[test]
fn ids_that_are_odd_are_the_ids_of_messages() {
    let id = "a/b;v1 \u{1F600}--x";
    let body = foo("ID", "running('stdout', ID.encode()); finished()").replace("'ID'", &format!("'{id}'"));
    let ended = project(&body).job(&[]);
    let shown = "a_b;v1 \u{1F600}--x";
    ended.code(0);
    assert_eq!(ended.the_run().output(shown, "stdout"), shown.as_bytes());
}

#[test]
fn time_limits_retries_and_needs_are_those_of_any_task() {
    let attempts = "import pathlib\nnote = pathlib.Path(os.environ['RILLE_RUN_DIR'], 'n')\nnote.write_text(note.read_text() + 'x' if note.exists() else 'x')\nfinished('pass' if len(note.read_text()) == 2 else 'fail')";
    let stays = "started(); p = subprocess.Popen(['sh', '-c', 'setsid sleep 1000 & sleep 1000']); time.sleep(1000)";
    let body = format!(
        "pcall(job.run, {{ taskid = 'limit', max_runtime = 0.5, testscript = {{ kind = 'foo', kwargs = {{ code = [==[{stays}]==] }} }} }})\n\
         job.run {{ taskid = 'again', retries = 1, testscript = {{ kind = 'foo', kwargs = {{ code = [==[{attempts}]==] }} }} }}\n\
         job.run {{ taskid = 'after', needs = {{ 'limit' }}, testscript = '/bin/true' }}"
    );
    let ended = project(&body).job(&[]);
    ended.code(1).outcomes("limit=errored again=passx after=blocked");
    ended.reason_has("limit", "exceeded its max_runtime of 0.5 s");
}

#[test]
fn a_runner_that_cannot_be_used_is_told_by_name() {
    let body = "job.run { taskid = 'a', testscript = { kind = 'fooo' } }\n\
                job.run { taskid = 'b', testscript = { kind = 'qqqqqqqq' } }\n\
                job.run { taskid = 'c', testscript = { kind = 'bar' } }\n\
                job.run { taskid = 'd', testscript = { kind = 'noop', config = { ['rille.runner'] = 'none' } } }";
    let ended = project(body).executable("bin/avocado-runner-bar", "#!/bin/sh\necho oops >&2\nexit 3\n").job(&[]);
    ended.code(1).outcomes("a=errored b=errored c=errored d=errored");
    ended.reason_has("a", "kind 'fooo' is not known; did you mean 'foo'?");
    ended.reason_has("b", "another one needs avocado-runner-qqqqqqqq on the PATH");
    ended.reason_has("c", "`capabilities` wrote no JSON object with runnables");
    ended.reason_has("c", "(oops)");
    ended.reason_has("d", "none does not exist");
}

#[test]
fn the_exit_code_of_capabilities_says_nothing() {
    project(&foo("t", "finished()")).env("CAPABILITIES_EXIT", "7").job(&[]).code(0);
}

#[test]
fn kinds_without_a_process_end_at_once() {
    let body = "job.run { taskid = 'noop', testscript = { kind = 'noop' } }\n\
                job.run { taskid = 'dry', testscript = { kind = 'dry-run', uri = '/bin/false' } }";
    let ended = project(body).job(&[]);
    ended.code(0).outcomes("noop=passed dry=skipped").reason_has("dry", "Test cancelled due to --dry-run");
    let run = ended.the_run();
    assert!(run.events_of("task-started").is_empty() && run.has("tasks/1-noop"));
}

#[test]
fn tap_is_read_while_it_is_written() {
    let cases = [
        ("1..2\nok 1\nok 2", 0, "passed", ""),
        ("1..2\nok 1\nnot ok 2 - broken", 0, "failed", "broken"),
        ("1..2\nok 1", 0, "errored", "Too few tests run (expected 2, got 1)"),
        ("1..0 # SKIP not here", 0, "skipped", "not here"),
        ("Bail out! no", 0, "errored", "Bail out!"),
        ("1..1\nok 1 # TODO later", 0, "passx", "unexpectedly passed"),
        ("hello", 0, "errored", "is it TAP at all?"),
        ("ok 1", 3, "errored", "there is no plan"),
        ("1..1\nok 1", 3, "errored", "exit code 3"),
    ];
    let mut body = String::new();
    let mut project = project("");
    for (number, (text, code, ..)) in (1..).zip(cases) {
        body.extend([
            "job.run { taskid = 't",
            &number.to_string(),
            "', testscript = 't",
            &number.to_string(),
            ".t' }\n",
        ]);
        project = project.executable(format!("t{number}.t"), format!("#!/bin/sh\ncat <<'E'\n{text}\nE\nexit {code}\n"));
    }
    let ended = project.main(&body).job(&[]);
    for (number, (text, _, outcome, reason)) in (1..).zip(cases) {
        let task = ended.the_run().task(&format!("t{number}"));
        assert_eq!(task["result"]["value"], outcome, "{text}\n{ended}");
        assert!(task["result"]["reason"].as_str().unwrap_or_default().contains(reason), "{text}: {task}");
    }
    assert_eq!(ended.the_run().output("t1", "stdout"), b"1..2\nok 1\nok 2\n");
}
