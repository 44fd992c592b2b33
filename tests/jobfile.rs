//! The jobfile itself: its `main`, what is wrong with it, how it leaves, and the modules it requires.

use crate::harness::Project;

/// A jobfile with one task that passes, then `rest` in `main`.
fn after_a_pass(rest: &str) -> Project {
    Project::new().main(&format!("job.run {{ testscript = \"/bin/true\", taskid = \"first\" }}\n{rest}"))
}

#[test]
fn a_job_from_end_to_end() {
    let project = Project::new()
        .main(
            r#"print("main", #runtime.argv)
  print(job.run { testscript = "connect.lua", taskid = "connect", device = "sw1" })
  print(job.run { testscript = "/bin/false", taskid = "soak/a" })"#,
        )
        .file("connect.lua", "print('hello ' .. parameters.device)");
    let ended = project.job(&["--mine"]);
    insta::assert_snapshot!(ended.whole(), @r"
    exit code 1
    --- stdout
    main	1
    true	passed
    false	failed
    --- stderr
    [RUN] job: [WORK]/job.lua
    connect | hello sw1
       PASSED [TIME] connect
       FAILED [TIME] soak_a: exit code 1

    job
    ├── connect  PASSED [TIME]
    └── soak_a   FAILED [TIME]  exit code 1

       FAILED [TIME] soak_a: exit code 1
    Result: FAILED  2 tasks: 1 passed, 1 failed in [TIME]
    Run directory: [HOME]/runs/[RUN]
    ");
    let run = ended.the_run();
    assert_eq!(run.outcomes(), "connect=passed soak_a=failed");
    assert_eq!(run.output("connect", "stdout"), b"hello sw1\n");
}

#[test]
fn main_is_called_once_with_or_without_the_runtime() {
    let with = "local job = require 'rille.job'\nfunction main(runtime, more)\n\
                print(runtime.job.name, more)\njob.run { testscript = '/bin/true' }\nend";
    Project::new().file("nightly.lua", with).run(&["run", "nightly.lua"]).code(0).stdout("nightly\tnil\n");
    let without = "local job = require 'rille.job'\nfunction main()\nprint('once')\n\
                   job.run { testscript = '/bin/true' }\nend";
    Project::new().file("job.lua", without).job(&[]).code(0).stdout("once\n");
}

/// Jobfiles that cannot be used: the text, and what is said of it. Every one is recorded as a run that is errored.
const UNUSABLE: [(&str, &str, &str); 9] = [
    ("no main", "local x = 1\n", "job.lua: the jobfile does not define main; write function main(runtime) … end"),
    ("empty", "", "job.lua:1: the jobfile is empty and so has no main; write function main(runtime) … end"),
    ("blank", " \n\t\n", "job.lua:1: the jobfile is empty and so has no main"),
    (
        "local main",
        "local function main() end",
        "job.lua: main is local, so that nobody can call it; write function main",
    ),
    ("main is no function", "main = 3", "job.lua: main is the number 3, not a function"),
    ("syntax", "function main()\n  local x = = 3\nend", "job.lua:2: unexpected symbol near '='"),
    ("undeclared", "function main()\n  prnt(1)\nend", "job.lua:2: variable 'prnt' not declared; did you mean 'print'?"),
    (
        "global function",
        "function helper() end\nfunction main() end",
        "job.lua:1: variable 'helper' not declared; write 'local function helper'",
    ),
    ("error at the top", "error('boom')\nfunction main() end", "job.lua:1: boom"),
];

#[test]
fn a_jobfile_that_cannot_be_used_is_an_errored_run() {
    for (name, text, message) in UNUSABLE {
        let ended = Project::new().file("job.lua", text).job(&[]);
        ended.code(2).stderr_has(message).stderr_has("Result: ERRORED");
        let run = ended.the_run();
        let results = run.results();
        assert_eq!(results["run"]["result"]["value"], "errored", "{name}");
        assert_eq!(results["run"]["exit_code"], 2, "{name}");
        let recorded = results["run"]["error"]["message"].as_str().unwrap();
        assert!(recorded.contains(message), "{name}: {recorded}");
        assert_eq!(run.attr("exit_status"), 2, "{name}");
        assert_eq!(results["tasks"], serde_json::json!([]), "{name}");
    }
}

#[test]
fn a_jobfile_that_is_not_there_makes_no_run() {
    let project = Project::new().file("nightly.lua", "function main() end");
    let ended = project.run(&["run", "nightyl.lua"]);
    insta::assert_snapshot!(ended.whole(), @r"
    exit code 2
    --- stderr
    error: the jobfile 'nightyl.lua' does not exist
    hint: did you mean 'nightly.lua'?
    ");
    assert!(project.runs().is_empty());
    project.run(&["run", "."]).code(2).stderr_has("error: ");
    project.run(&["run"]).code(2).stderr_has("there is no rille.lua or guild.yml in");
    assert!(project.runs().is_empty());
}

#[test]
fn a_file_that_is_neither_a_jobfile_nor_a_program_is_refused() {
    let project = Project::new().file("notes.txt", "hello");
    project.run(&["run", "notes.txt"]).code(2).stderr_has("'notes.txt' is no script");
    assert!(project.runs().is_empty());
}

#[test]
fn bytecode_is_refused() {
    let project = Project::new().main(
        r#"local file = io.open("compiled.lua", "wb")
  file:write(string.dump(function() end))
  file:close()
  print(load(string.dump(function() end)))
  print(pcall(dofile, "compiled.lua"))
  job.run { testscript = "compiled.lua", taskid = "compiled" }"#,
    );
    let ended = project.job(&[]);
    ended.code(1).outcomes("compiled=errored").reason_has("compiled", "attempt to load a binary chunk");
    for line in ended.out().lines() {
        assert!(line.contains("attempt to load a binary chunk"), "{line}");
    }
    assert_eq!(ended.out().lines().count(), 2);
    project.run(&["run", "compiled.lua"]).code(2).stderr_has("attempt to load a binary chunk");
}

#[test]
fn a_first_line_may_turn_the_check_of_names_off() {
    let text = "global *\nfunction helper() return 'helped' end\nfunction main() total = 1 print(helper(), total)\n\
                require 'rille.job'.run { testscript = '/bin/true' } end";
    Project::new().file("job.lua", text).job(&[]).code(0).stdout("helped\t1\n");
}

#[test]
fn a_jobfile_can_be_a_program() {
    let rille = env!("CARGO_BIN_EXE_rille");
    let text = format!(
        "#!/usr/bin/env -S {rille} run\nlocal job = require 'rille.job'\nfunction main(runtime)\n\
         print(table.concat(runtime.argv, ' '))\nprint(runtime.job.name)\njob.run {{ testscript = '/bin/true' }}\nend"
    );
    let project = Project::new().executable("night", &text).executable("job.lua", &text);
    for name in ["night", "job.lua"] {
        let mut command = project.command(project.path(name));
        command.args(["--deep", "x"]);
        let stem = name.trim_end_matches(".lua");
        project.start_command(command).wait().code(0).stdout(&format!("--deep x\n{stem}\n"));
    }
}

#[test]
fn an_error_in_main_after_passing_tasks_is_told_everywhere() {
    let ended = after_a_pass("local function deep() error('boom') end\ndeep()").job(&[]);
    insta::assert_snapshot!(ended.whole(), @r"
    exit code 1
    --- stderr
    [RUN] job: [WORK]/job.lua
       PASSED [TIME] first

    job
    └── first  PASSED [TIME]

    main raised an error: job.lua:4: boom
        job.lua:4: in local 'deep'
        job.lua:5: in function 'main'

    Result: ERRORED  1 task: 1 passed in [TIME]
    Run directory: [HOME]/runs/[RUN]
    ");
    let run = ended.the_run();
    let results = run.results();
    assert_eq!(results["run"]["result"]["value"], "errored");
    assert_eq!(results["run"]["exit_code"], 1);
    assert_eq!(results["run"]["error"]["message"], "job.lua:4: boom");
    assert_eq!(results["counts"]["passed"], 1);
    assert_eq!(run.attr("exit_status"), 1);
    let events = run.events();
    assert_eq!(events[events.len() - 2]["error"]["message"], "job.lua:4: boom");
    assert_eq!(events[events.len() - 1]["outcome"], "errored");
}

#[test]
fn errors_of_every_shape_are_told() {
    let cases = [
        ("error('text')", "error", "job.lua:4: text"),
        ("error('plain', 0)", "error", "plain"),
        ("error({ kind = 'mine', message = 'told' })", "mine", "told"),
        ("error(setmetatable({}, { __tostring = function() return 'shown' end }))", "error", "shown"),
        ("error({})", "error", "{}"),
        ("error({ code = 7, 'x' })", "error", "{ \"x\", code = 7 }"),
        ("error(print)", "error", "<function>"),
        ("error(nil)", "error", "nil"),
        ("error(42)", "error", "42"),
        ("assert(false, 'not so')", "assertion", "job.lua:4: not so"),
        ("assert(nil)", "assertion", "job.lua:4: assertion failed!"),
        ("assert(1 == 2, { kind = 'mine', message = 'object' })", "mine", "object"),
        ("local x = nil\nreturn x.y", "error", "job.lua:5: attempt to index a nil value (local 'x')"),
        ("return runtime.tasksk", "usage", "job.lua:4: the runtime has no field 'tasksk'; did you mean 'tasks'?"),
        ("job.run(3)", "definition", "job.lua:4: run takes one table"),
        ("pcall(error, 'caught')\nerror(select(2, pcall(error, 'again', 0)), 0)", "error", "again"),
        ("coroutine.wrap(function() error('in a coroutine') end)()", "error", "job.lua:4: in a coroutine"),
        ("local function f() return f() + 1 end\nf()", "error", "stack overflow"),
        ("error(('long '):rep(100000))", "error", "long long"),
        ("error('\\xff\\0 bytes', 0)", "error", "bytes"),
    ];
    for (code, kind, message) in cases {
        let ended = after_a_pass(code).job(&[]);
        ended.code(1).outcomes("first=passed").stderr_has("main raised an error");
        let error = ended.the_run().results()["run"]["error"].clone();
        let found = error["message"].as_str().unwrap();
        assert!(error["kind"] == kind && found.contains(message), "{code}: {error}");
    }
}

#[test]
fn an_error_is_caught_with_kind_message_and_place() {
    let project = Project::new().main(
        r#"local ok, err = pcall(job.run, "x")
  print(ok, err.kind, err.message:sub(1, 19), err.line, tostring(err):match("^job.lua:%d+"))
  local ok, err = pcall(assert, false, "no")
  print(ok, err.kind, err.message, tostring(err))
  local ok, err = pcall(error, "text", 0)
  print(ok, err)
  job.run { testscript = "/bin/true" }"#,
    );
    let expected = "false\tdefinition\trun takes one table\t3\tjob.lua:3\n\
                    false\tassertion\tno\tjob.lua:5: no\nfalse\ttext\n";
    project.job(&[]).code(0).stdout(expected);
}

#[test]
fn os_exit_cannot_lose_the_reports() {
    let cases = [
        (0, "os.exit(0)", "first=passed"),
        (0, "os.exit(true)", "first=passed"),
        (1, "os.exit(9)", "first=passed"),
        (1, "os.exit(false)", "first=passed"),
        (1, "pcall(os.exit, 9)\njob.run { testscript = '/bin/true' }", "first=passed"),
        (1, "pcall(os.exit, 9)", "first=passed"),
        (1, "job.run { testscript = '/bin/false', taskid = 'second' }\nos.exit(0)", "first=passed second=failed"),
    ];
    for (code, rest, outcomes) in cases {
        let ended = after_a_pass(rest).job(&[]);
        ended.code(code).outcomes(outcomes).stderr_has("Result: ");
        let run = ended.the_run();
        assert_eq!(run.attr("exit_status"), code, "{rest}");
        let error = &run.results()["run"]["error"];
        let names_exit = error["message"].as_str().is_some_and(|message| message.contains("os.exit("));
        assert_eq!(names_exit, code == 1 && !rest.ends_with("exit(0)"), "{rest}: {error}");
    }
}

#[test]
fn os_exit_at_the_top_level_does_not_end_the_host_unseen() {
    let with_code = Project::new().file("job.lua", "os.exit(9)\nfunction main() end").job(&[]);
    with_code.code(2).stderr_has("os.exit(9)").stderr_has("Result: ERRORED");
    assert_eq!(with_code.the_run().results()["run"]["result"]["value"], "errored");
    // Nothing ran, so this is no success.
    let without = Project::new().file("job.lua", "os.exit(0)\nfunction main() end").job(&[]);
    without.code(4).stderr_has("Nothing ran");
}

#[test]
fn the_top_level_declares_and_does_not_act() {
    let acts = [
        "job.run { testscript = '/bin/true' }",
        "job.Task { testscript = '/bin/true' }:start()",
        "job.parallel { { testscript = '/bin/true' } }",
    ];
    for act in acts {
        let text = format!("local job = require 'rille.job'\n{act}\nfunction main() end");
        let ended = Project::new().file("job.lua", text).job(&[]);
        ended.code(2).stderr_has("job.lua:2: ").stderr_has("move it into main()");
        assert!(ended.the_run().events_of("task-started").is_empty(), "{act}");
    }
}

#[test]
fn modules_are_found_beside_the_jobfile_in_the_project_and_in_the_path() {
    let project = Project::new()
        .file("jobs/near.lua", "undeclared = 'not checked'; return { name = 'beside' }")
        .file("jobs/both.lua", "return 'beside'")
        .file("both.lua", "return 'project'")
        .file("lib/far.lua", "return 'project'")
        .file("more/path/init.lua", "return ...")
        .file("jobs/broken.lua", "local x =\n= 1")
        .file(
            "jobs/job.lua",
            "local job = require 'rille.job'\nfunction main()\n\
             print(require('near').name, require 'both', require 'lib.far', (require('path')))\n\
             print(select(2, pcall(require, 'broken')))\nprint((select(2, pcall(require, 'neither'))))\n\
             print(select(2, pcall(function() return require('rille.walk').acton end)))\n\
             job.run { testscript = '/bin/true' }\nend",
        );
    let project = project.file("rille.lua", "");
    let mut command = project.rille(&["run", "jobs/job.lua"]);
    command.env("RILLE_PATH", project.path("more"));
    let ended = project.start_command(command).wait();
    ended.code(0).stdout_has("beside\tbeside\tproject\tpath\n").stdout_has("broken.lua:2: unexpected symbol near '='");
    ended.stdout_has("job.lua:5: there is no module 'neither'; looked for ");
    ended.stdout_has("rille.walk has no 'acton'; did you mean 'action'?");
}

#[test]
fn arguments_go_on_to_the_jobfile_in_order() {
    let body = "print(table.concat(runtime.argv, ' '))\nprint(table.concat(arg, ' '))\n\
                print(runtime.args.jobs, runtime.args.jobfile)\njob.run { testscript = 'show.lua' }";
    let show = "io.stderr:write(table.concat(runtime.argv, ' '))";
    let cases: [(&[&str], &str, &str); 7] = [
        (&["run", "job.lua"], "", "nil"),
        (&["run", "job.lua", "--mine", "1", "stray"], "--mine 1 stray", "nil"),
        (&["run", "-j", "3", "job.lua", "--mine=1", "-q"], "--mine=1", "3"),
        (&["run", "job.lua", "-z", "--label", "mine", "last", "-j2"], "-z last", "2"),
        (&["run", "--mine", "job.lua", "-q"], "--mine", "nil"),
        (&["run", "job.lua", "--", "-j", "3", "--label", "x", "--"], "-j 3 --label x --", "nil"),
        (&["run", "-q", "--", "job.lua", "-v"], "-v", "nil"),
    ];
    for (args, handed_on, jobs) in cases {
        let project = Project::new().main(body).file("show.lua", show);
        let ended = project.run(args);
        ended.code(0).stdout(&format!("{handed_on}\n{handed_on}\n{jobs}\tjob.lua\n"));
        assert_eq!(ended.the_run().output("Task-1", "stderr"), handed_on.as_bytes(), "{args:?}");
    }
}

#[test]
fn wrong_values_of_options_are_usage_errors_and_make_no_run() {
    let project = Project::new().main("job.run { testscript = '/bin/true' }");
    let cases: [(&[&str], &str); 9] = [
        (&["-j", "0"], "0"),
        (&["--jobs=many"], "many"),
        (&["--grace", "-1"], "grace"),
        (&["--output-limit", "3"], "must be a size from 1K"),
        (&["--resource", "gpus"], "write NAME=N"),
        (&["--taskid", "a["], "--taskid 'a['"),
        (&["--tags", "a,,b"], "--tags 'a,,b'"),
        (&["--color", "blue"], "blue"),
        (&["-q", "-v"], "cannot be used with"),
    ];
    for (args, message) in cases {
        let ended = project.job(args);
        ended.code(2).stderr_has(message);
        assert!(project.runs().is_empty(), "{args:?}");
    }
}
