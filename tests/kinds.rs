//! What a task process can do, and what its end is called: Lua scripts and executables.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::{Project, needs};

/// Runs one task of a script and returns what came of it.
#[track_caller]
fn lua(script: &str) -> crate::harness::Ended {
    Project::new().main("job.run { testscript = 's.lua', taskid = 't' }").file("s.lua", script).job(&[])
}

#[track_caller]
fn sh(script: &str) -> crate::harness::Ended {
    let text = format!("#!/bin/sh\n{script}\n");
    Project::new().main("job.run { testscript = 's.sh', taskid = 't' }").executable("s.sh", text).job(&[])
}

#[test]
fn the_end_of_a_lua_script_is_its_outcome() {
    let cases = [
        ("", "passed", ""),
        ("return true", "passed", ""),
        ("return false, 'no'", "failed", "no"),
        ("return nil, 'note'", "passed", "note"),
        ("return 'skipped', 'no device'", "skipped", "no device"),
        ("return 'passx', 'known'", "passx", "known"),
        ("return 'great'", "errored", "the script returned 'great' is no outcome; the outcomes are passed, failed"),
        ("return 3", "errored", "the script returned the number 3"),
        ("return 'passed', nil, print", "passed", ""),
        ("return 'passed', 'note', { f = print }", "passed", "note"),
        ("return 'failed', '\\xff'", "failed", "\u{fffd}"),
        ("return 'failed', { code = 7 }", "failed", "{ code = 7 }"),
        ("assert(false, 'reply was \\xff')", "failed", "s.lua:1: reply was \u{fffd}"),
        ("assert(1 == 2)", "failed", "s.lua:1: assertion failed!"),
        ("assert(1 == 2, 'one is not two')", "failed", "s.lua:1: one is not two"),
        ("local ok = pcall(assert, false)\nassert(not ok)", "passed", ""),
        ("error('broken')", "errored", "s.lua:1: broken"),
        ("error({ kind = 'assertion', message = 'mine' })", "failed", "mine"),
        ("local x = nil + 1", "errored", "s.lua:1: attempt to perform arithmetic on a nil value"),
        ("local x = = 1", "errored", "s.lua:1: unexpected symbol near '='"),
        ("prnt(1)", "errored", "s.lua:1: variable 'prnt' not declared; did you mean 'print'?"),
        ("require 'none'", "errored", "there is no module 'none'"),
        ("os.exit(0)", "errored", "left with exit code 0 before it reached its end"),
        ("os.exit(7)", "errored", "exit code 7"),
        ("pcall(os.exit, 7)", "errored", "exit code 7"),
        ("os.execute('kill -9 $PPID')", "errored", "killed by SIGKILL (signal 9)"),
        ("os.execute('kill -SEGV $PPID')", "errored", "killed by SIGSEGV (signal 11)"),
        ("local _, _, signal = os.execute('kill -PIPE $$')\nassert(signal == 13)", "passed", ""),
        ("os.execute('kill -TERM $PPID') while true do end", "errored", "killed by SIGTERM (signal 15)"),
    ];
    for (script, outcome, reason) in cases {
        let ended = lua(script);
        let good = ["passed", "passx", "skipped"].contains(&outcome);
        let code = i32::from(!good);
        assert_eq!(ended.exit_code(), Some(code), "{script}\n{ended}");
        let run = ended.the_run();
        assert_eq!(run.outcomes(), format!("t={outcome}"), "{script}\n{ended}");
        let found = run.reason("t");
        assert!(found.contains(reason) && found.is_empty() == reason.is_empty(), "{script}: {found}");
    }
}

#[test]
fn an_error_in_a_script_has_its_traceback() {
    let script = "local function inner() error('broken') end\nlocal function outer() inner() end\nouter()";
    let ended = lua(script);
    insta::assert_snapshot!(ended.whole(), @r"
    exit code 1
    --- stderr
    [RUN] job: [WORK]/job.lua
      ERRORED [TIME] t: [WORK]/s.lua:1: broken

    job
    └── t  ERRORED [TIME]  [WORK]/s.lua:1: broken

    t: traceback
        [WORK]/s.lua:1: in upvalue 'inner'
        [WORK]/s.lua:2: in local 'outer'
        [WORK]/s.lua:3: in main chunk

      ERRORED [TIME] t: [WORK]/s.lua:1: broken
    Result: ERRORED  1 task: 1 errored in [TIME]
    Run directory: [HOME]/runs/[RUN]
    ");
    let data = ended.the_run().task("t")["result"]["data"].clone();
    assert_eq!(data["kind"], "error");
    assert_eq!(data["traceback"].as_str().unwrap().lines().count(), 3);
}

#[test]
fn what_a_script_writes_is_kept_in_order_also_when_it_is_killed() {
    let script = "print('one') io.write('two\\n', 3, '\\n') io.stdout:write('four\\n') print('five', nil)\n\
                  os.execute('echo six')\nio.stderr:write('oops\\n')\nos.execute('kill -9 $PPID')";
    let ended = lua(script);
    ended.code(1);
    let run = ended.the_run();
    assert_eq!(run.output("t", "stdout"), b"one\ntwo\n3\nfour\nfive\tnil\nsix\n");
    assert_eq!(run.output("t", "stderr"), b"oops\n");
    assert_eq!(run.task("t")["stdout"], serde_json::json!({"bytes": 28, "left_out": 0}));
}

#[test]
fn unfinished_lines_are_kept_however_a_script_ends() {
    for end in ["", "error('x')", "os.exit(3)", "assert(false)"] {
        let run = lua(&format!("io.write('no newline')\n{end}")).the_run();
        assert_eq!(run.output("t", "stdout"), b"no newline", "{end}");
    }
}

#[test]
fn the_jobfile_prints_in_order_with_what_the_console_says() {
    let body = r#"io.write("a", 1, "\n") print("b", nil) io.stdout:write("c"):write("d\n")
  job.run { testscript = "/bin/true" }
  io.stderr:write("told\n")
  print(pcall(io.write, {}))
  io.output("out.txt") io.write("in a file") io.close()"#;
    let project = Project::new().main(body);
    let ended = project.job(&[]);
    ended.code(0).stdout_has("a1\nb\tnil\ncd\nfalse\t");
    let err = ended.err();
    let (task, told) = (err.find("PASSED").unwrap(), err.find("told").unwrap());
    assert!(task < told && told < err.find("Result:").unwrap(), "{err}");
    assert_eq!(project.read("out.txt"), "in a file");
}

#[test]
fn verbose_shows_output_behind_the_id_of_its_task() {
    let body = "job.run { testscript = 's.sh', taskid = 'a' }\njob.run { testscript = 's.lua', taskid = 'b' }";
    let project = Project::new()
        .main(body)
        .executable("s.sh", "#!/bin/sh\necho one\necho two\nprintf open\n")
        .file("s.lua", "print('from lua')");
    let ended = project.job(&["-v"]);
    ended.code(0);
    let shown = ended.out() + &ended.err();
    for line in ["a", "b"] {
        assert!(shown.contains("START") && shown.contains(line));
    }
    for (id, text) in [("a", "one"), ("a", "two"), ("a", "open"), ("b", "from lua")] {
        let found = shown.lines().any(|line| line.contains(text) && line.trim_start().starts_with(id));
        assert!(found, "no line of {id} with '{text}' in\n{shown}");
    }
    let quiet = project.job(&["-q"]);
    assert_eq!(quiet.redacted_err(), "Result: PASSED  2 tasks: 2 passed in [TIME]\n");
    let silent = project.job(&["-qq"]);
    silent.code(0).stdout("");
    assert_eq!(silent.err(), "");
}

#[test]
fn the_exit_of_an_executable_is_its_outcome() {
    let cases = [
        ("exit 0", "passed", ""),
        ("exit 1", "failed", "exit code 1"),
        ("exit 2", "errored", "exit code 2"),
        ("exit 7", "errored", "exit code 7"),
        ("exit 126", "errored", "exit code 126: found but not executable"),
        ("exit 127", "errored", "exit code 127: command not found"),
        ("exit 255", "errored", "exit code 255"),
        ("kill -9 $$", "errored", "killed by SIGKILL (signal 9)"),
        ("kill -SEGV $$", "errored", "killed by SIGSEGV (signal 11)"),
        ("kill -ABRT $$", "errored", "killed by SIGABRT (signal 6)"),
        ("kill -INT $$", "errored", "killed by SIGINT (signal 2)"),
    ];
    for (script, outcome, reason) in cases {
        let ended = sh(script);
        ended.code(i32::from(outcome != "passed")).outcomes(&format!("t={outcome}"));
        assert_eq!(ended.the_run().reason("t"), reason, "{script}");
    }
}

#[test]
fn a_program_that_cannot_be_started_is_errored_with_a_remedy() {
    let body = r#"job.run { testscript = "plain.sh", taskid = "mode" }
  job.run { testscript = "loader", taskid = "interpreter" }
  job.run { testscript = "text", taskid = "text" }
  job.run { testscript = "no-such-program-anywhere", taskid = "none" }
  job.run { testscript = "true", taskid = "path" }"#;
    let project = Project::new()
        .main(body)
        .file("plain.sh", "#!/bin/sh\n")
        .executable("loader", "#!/no/such/interpreter\n")
        .executable("text", "just text\n");
    let ended = project.job(&[]);
    ended.code(1).outcomes("mode=errored interpreter=errored text=errored none=errored path=passed");
    ended.reason_has("mode", "make it executable (chmod +x)");
    ended.reason_has("interpreter", "its first line names the interpreter /no/such/interpreter, which does not exist");
    ended.reason_has("text", "does its first line name an interpreter (#!/bin/sh)?");
    ended.reason_has("none", "there is no testscript 'no-such-program-anywhere'");
}

#[test]
fn a_python_file_runs_by_python3() {
    let body = "job.run { testscript = 's.py', args = { 'a' }, n = 3, taskid = 't' }\n\
                job.run { testscript = 'fail.py' }";
    let script = "import os, sys\nprint(sys.argv[1:], os.environ['n'], sys.version_info[0])\n";
    let project = Project::new().main(body).file("s.py", script).file("fail.py", "assert 1 == 2, 'no'\n");
    let ended = project.job(&[]);
    ended.code(1).outcomes("t=passed Task-2=failed");
    assert_eq!(ended.the_run().output("t", "stdout"), b"['a'] 3 3\n");
}

#[test]
fn bytes_that_are_no_text_are_kept_as_they_are() {
    let ended = sh(r"printf '\000\001\377\376 a\r\n\033[31mred'; printf '\377' >&2");
    ended.code(0);
    let run = ended.the_run();
    assert_eq!(run.output("t", "stdout"), b"\x00\x01\xff\xfe a\r\n\x1b[31mred");
    assert_eq!(run.output("t", "stderr"), b"\xff");
    let run = lua("io.write('\\0\\xff\\xfe') io.stderr:write('\\xff') return 'failed', '\\xff reason'").the_run();
    assert_eq!(run.output("t", "stdout"), b"\x00\xff\xfe");
    assert_eq!(run.outcomes(), "t=failed");
}

#[test]
fn output_cannot_reach_the_terminal_as_control_characters() {
    let project = Project::new()
        .main("job.run { testscript = 's.sh', taskid = 'a\\27[31m\\nb' }")
        .executable("s.sh", "#!/bin/sh\nprintf '\\033]0;title\\007\\033[2J' >&2\nexit 1\n");
    let ended = project.job(&["-v"]);
    ended.code(1);
    for byte in [0x1b, 0x07] {
        assert!(!ended.err().as_bytes().contains(&byte) && !ended.out_bytes().contains(&byte), "{ended}");
    }
}

#[test]
fn a_line_of_100_mb_is_kept_whole() {
    let ended = sh("head -c 100000000 /dev/zero | tr '\\0' x");
    ended.code(0);
    let run = ended.the_run();
    assert_eq!(run.task("t")["stdout"]["bytes"], 100_000_000);
    let output = run.output("t", "stdout");
    assert!(output.len() == 100_000_000 && output.iter().all(|byte| *byte == b'x'));
}

#[test]
fn output_over_the_limit_keeps_head_and_tail_and_says_how_much_is_left_out() {
    let script = "#!/bin/sh\necho first line\nhead -c 10000000 /dev/zero | tr '\\0' x\necho\necho last line\n";
    let project = Project::new().main("job.run { testscript = 's.sh', taskid = 't' }").executable("s.sh", script);
    let run = project.job(&["--output-limit", "64K"]).code(0).the_run();
    let task = run.task("t");
    let (bytes, left_out) = (task["stdout"]["bytes"].as_u64().unwrap(), task["stdout"]["left_out"].as_u64().unwrap());
    assert_eq!(bytes, 10_000_000 + 11 + 1 + 10);
    let kept = run.output("t", "stdout");
    let shown = String::from_utf8_lossy(&kept);
    assert!(shown.starts_with("first line\nxxx") && shown.ends_with("xxx\nlast line\n"), "{} bytes", kept.len());
    let note = shown.lines().find(|line| line.contains(&left_out.to_string()));
    assert!(note.is_some(), "the number of bytes left out, {left_out}, is not in the file");
    // Cap and note, no more.
    assert!(kept.len() <= 65_536 + 200 && u64::try_from(kept.len()).unwrap() + left_out >= bytes, "{}", kept.len());
}

#[test]
fn a_task_may_close_its_output_and_go_on() {
    let ended = sh("exec >&- 2>&-\n: > \"$RILLE_TASK_DIR/went-on\"\nexit 1");
    ended.code(1).outcomes("t=failed");
    assert!(ended.the_run().has("tasks/1-t/went-on"));
}

#[test]
fn a_task_that_leaves_a_process_with_its_output_open_ends_all_the_same() {
    let ended = sh("sleep 1000 &\necho done");
    ended.code(0).outcomes("t=passed");
    assert_eq!(ended.the_run().output("t", "stdout"), b"done\n");
    assert_eq!(ended.the_run().task("t")["killed_leftovers"], 1);
}

#[test]
fn a_task_cannot_read_the_run_lock_nor_hold_it() {
    let ended = sh("ls -l /proc/$$/fd > \"$RILLE_TASK_DIR/fds\"");
    ended.code(0);
    let open = ended.the_run().text("tasks/1-t/fds");
    for file in ["LOCK", "events.jsonl", "socket:"] {
        assert!(!open.contains(file), "{file} is open in a task:\n{open}");
    }
}

#[test]
fn a_script_that_was_made_unreadable_is_errored() {
    let project = Project::new().main("job.run { testscript = 's.lua', taskid = 't' }").file("s.lua", "");
    fs::set_permissions(project.path("s.lua"), fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser reads every file, unless it is without that privilege.
    let mut command = project.rille(&["run", "job.lua"]);
    if fs::read(project.path("s.lua")).is_ok() {
        if !needs("setpriv") {
            return;
        }
        let without = ["--bounding-set", "-dac_override,-dac_read_search"];
        let rille = command.get_program().to_owned();
        command = project.command("setpriv");
        command.args(without).arg(rille).args(["run", "job.lua"]);
    }
    project.start_command(command).wait().code(1).outcomes("t=errored").reason_has("t", "cannot read");
}

#[test]
fn a_gibibyte_of_output_stays_out_of_the_hosts_memory() {
    // The jobfile runs in the host, so that it can read the host's own peak.
    let body = r#"print(job.run { testscript = "head", args = { "-c", "1073741824", "/dev/zero" }, taskid = "flood" })
  for line in io.lines("/proc/self/status") do
    local peak = line:match("^VmHWM:%s+(%d+) kB$")
    if peak then print(math.tointeger(peak) < 64 * 1024 or "the host took " .. peak .. " KiB") end
  end"#;
    let ended = Project::new().main(body).job(&["--output-limit", "1M"]);
    ended.code(0).stdout("true\tpassed\ntrue\n");
    let run = ended.the_run();
    let stdout = run.task("flood")["stdout"].clone();
    assert_eq!(stdout["bytes"], 1_u64 << 30);
    let left_out = stdout["left_out"].as_u64().expect("it is told how much is missing");
    let mark = format!("\n[rille: {left_out} bytes left out here]\n");
    let kept = run.output("flood", "stdout");
    assert_eq!(kept.len() as u64, (1 << 30) - left_out + mark.len() as u64);
    assert!(kept.len() <= (1 << 20) + mark.len(), "{} bytes are kept", kept.len());
    assert!(String::from_utf8_lossy(&kept).contains(&mark));
}

#[test]
fn what_a_program_complains_of_is_shown_with_the_folder_it_ran_in() {
    let body = "job.run { testscript = 'sh', args = { '-c', 'echo no rule >&2; exit 2' }, taskid = 'build' }\n  \
                job.run { testscript = 'sh', args = { '-c', 'echo no rule >&2; exit 2' }, taskid = 'here', cwd = '.' }";
    let ended = Project::new().main(body).job(&[]);
    ended
        .code(1)
        .stderr_has("build: stderr (in tasks/1-build)\n    no rule\n")
        .stderr_has("here: stderr\n    no rule\n");
}
