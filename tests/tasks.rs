//! Tasks and what a jobfile does with them: ids, results, waiting, time limits, and what is left at the end.

use crate::harness::{DEADLINE, Project, until};

/// A script that tells a file that it runs and then stays.
const STAY: &str = "#!/bin/sh\necho ready > \"${ready:-ready}\"\nexec sleep 1000\n";

#[test]
fn run_returns_whether_it_passed_and_the_result() {
    let script = "return parameters.word, 'why', { n = 3, list = { 'a' } }";
    let body = r#"for _, word in ipairs { "passed", "passx", "failed", "errored", "aborted", "blocked", "skipped" } do
    local ok, result = job.run { testscript = "say.lua", taskid = word, word = word }
    print(ok, result, result.value, result.code, result.reason, result.data.n, result.data.list[1])
  end"#;
    let ended = Project::new().main(body).file("say.lua", script).job(&[]);
    ended.code(1).stdout(
        "true\tpassed\tpassed\t1\twhy\t3\ta\n\
         true\tpassx\tpassx\t8\twhy\t3\ta\n\
         false\tfailed\tfailed\t0\twhy\t3\ta\n\
         false\terrored\terrored\t5\twhy\t3\ta\n\
         false\taborted\taborted\t2\twhy\t3\ta\n\
         false\tblocked\tblocked\t3\twhy\t3\ta\n\
         false\tskipped\tskipped\t4\twhy\t3\ta\n",
    );
    let results = ended.the_run().results();
    assert_eq!(results["run"]["result"]["value"], "aborted");
    for outcome in ["passed", "passx", "failed", "errored", "aborted", "blocked", "skipped"] {
        assert_eq!(results["counts"][outcome], 1, "{outcome}");
    }
}

#[test]
fn a_result_is_read_only_and_its_fields_are_known() {
    let body = r#"local _, result = job.run { testscript = "/bin/true" }
  print(result.reason, result.data, result == select(2, job.run { testscript = "/bin/true" }))
  print(select(2, pcall(function() return result.vlaue end)))
  print(select(2, pcall(function() result.value = "x" end)))"#;
    let expected = "nil\tnil\ttrue\njob.lua:5: a result has no field 'vlaue'; did you mean 'value'?\n\
                    job.lua:6: result.value cannot be set\n";
    Project::new().main(body).job(&[]).code(0).stdout(expected);
}

#[test]
fn tasks_run_one_after_the_other_in_the_order_of_run() {
    let body = "for i = 1, 3 do job.run { testscript = 'note.sh', args = { i } } end";
    let project = Project::new().main(body).executable(
        "note.sh",
        "#!/bin/sh\necho \"begin $1\" >> \"$RILLE_RUN_DIR/order\"\necho \"end $1\" >> \"$RILLE_RUN_DIR/order\"\n",
    );
    let run = project.job(&["-j", "8"]).code(0).outcomes("Task-1=passed Task-2=passed Task-3=passed").the_run();
    assert_eq!(run.text("order"), "begin 1\nend 1\nbegin 2\nend 2\nbegin 3\nend 3\n");
}

#[test]
fn default_ids_count_every_task_made_and_slashes_become_underscores() {
    let body = r#"job.run { testscript = "/bin/true" }
  job.Task { testscript = "/bin/true", taskid = "mine" }:start()
  local t = job.Task { testscript = "/bin/true" }
  print(t.taskid, t.name, tostring(t))
  job.run { testscript = "/bin/true" }
  t:start() t:wait()
  job.parallel { { testscript = "/bin/true", taskid = "a/b/c" }, { testscript = "/bin/true" } }
  job.run { testscript = "/bin/true", taskid = "../../up" }"#;
    let ended = Project::new().main(body).job(&[]);
    ended.code(0).stdout("Task-3\tTask-3\tTask 'Task-3'\n");
    ended.outcomes("Task-1=passed mine=passed Task-4=passed Task-3=passed a_b_c=passed Task-6=passed .._.._up=passed");
    let run = ended.the_run();
    for folder in ["1-Task-1", "5-a_b_c", "7-.._.._up"] {
        assert!(run.has(format!("tasks/{folder}")), "{folder}");
    }
}

#[test]
fn a_reused_id_is_refused_before_anything_starts_and_others_run() {
    let body = r#"print(job.run { testscript = "note.sh", taskid = "same" })
  local ok, result = job.run { testscript = "note.sh", taskid = "same" }
  print(ok, result, result.reason)
  local task = job.Task { testscript = "note.sh", taskid = "same" }
  task:start()
  print(task:wait())
  print(job.run { testscript = "note.sh", taskid = "a/b" })
  print(job.run { testscript = "note.sh", taskid = "a_b" })
  print(job.run { testscript = "note.sh", taskid = "other" })"#;
    let project = Project::new().main(body).executable("note.sh", "#!/bin/sh\necho ran >> \"$RILLE_RUN_DIR/ran\"\n");
    let ended = project.job(&[]);
    let reason = "job.lua:4: task id 'same' is already used by the task at job.lua:3; give each task its own taskid";
    ended.code(1).stdout(&format!(
        "true\tpassed\nfalse\terrored\t{reason}\nfalse\terrored\ntrue\tpassed\nfalse\terrored\ntrue\tpassed\n"
    ));
    ended.stderr_has(reason);
    let run = ended.the_run();
    assert_eq!(run.outcomes(), "same=passed same=errored same=errored a_b=passed a_b=errored other=passed");
    assert_eq!(run.text("ran"), "ran\nran\nran\n");
    assert_eq!(run.events_of("task-started").len(), 3);
}

#[test]
fn a_task_has_its_fields_before_while_and_after() {
    let body = r#"local t = job.Task { testscript = "stay.sh", taskid = "t", ready = runtime.directory .. "/ready", n = 3 }
  print(t.result, t.pid, t.exitcode, t.error, t.testscript, t.kwargs.n, t.kwargs.taskid, t:is_alive())
  t:terminate()
  print(t.result, t:is_alive())
  t:start()
  while not io.open(runtime.directory .. "/ready") do t:join(0.01) end
  print(t.result, math.type(t.pid), t.exitcode, t:is_alive(), t:join(0), t:join(0.01))
  local pid = t.pid
  t:terminate()
  print(t:join())
  print(t.result, t.pid == pid, t.exitcode, t.error, t:is_alive())
  print(t:wait())
  print(t:wait())
  print(select(2, pcall(function() return t.resutl end)))
  print(select(2, pcall(function() t.result = 1 end)))"#;
    let ended = Project::new().main(body).executable("stay.sh", STAY).job(&[]);
    ended.code(1).stdout(
        "nil\tnil\tnil\tnil\tstay.sh\t3\tnil\tfalse\nnil\tfalse\nnil\tinteger\tnil\ttrue\tfalse\tfalse\ntrue\n\
         aborted\ttrue\t-15\tterminated by the jobfile\tfalse\nfalse\taborted\nfalse\taborted\n\
         job.lua:16: a Task has no field 'resutl'; did you mean 'result'?\njob.lua:17: Task.result cannot be set\n",
    );
}

#[test]
fn the_exit_of_a_task_is_kept() {
    let body = r#"for _, how in ipairs { "exit 0", "exit 7", "kill -9 $$" } do
    local t = job.Task { testscript = "/bin/sh", args = { "-c", how } }
    t:start() t:wait()
    print(t.exitcode, t.result, t.result.reason, t.error)
  end"#;
    Project::new()
        .main(body)
        .job(&[])
        .code(1)
        .stdout("0\tpassed\tnil\tnil\n7\terrored\texit code 7\tnil\n-9\terrored\tkilled by SIGKILL (signal 9)\tnil\n");
}

#[test]
fn starting_twice_and_waiting_too_early_are_errors_that_can_be_caught() {
    let body = r#"local t = job.Task { testscript = "/bin/true", taskid = "t" }
  print(pcall(t.wait, t))
  print(pcall(t.join, t))
  t:start()
  local ok, err = pcall(t.start, t)
  print(ok, err.kind, err)
  print(t:wait())
  print(pcall(t.wait, t, "soon"))
  print(pcall(t.wait, t, -1))
  print(pcall(t.join, t, {}))"#;
    Project::new().main(body).job(&[]).code(0).outcomes("t=passed").stdout(
        "false\tjob.lua:4: cannot wait() task 't', which has not been started; call task:start() first\n\
         false\tjob.lua:5: cannot join() task 't', which has not been started; call task:start() first\n\
         false\tusage\tjob.lua:7: task 't' cannot be started twice\n\
         true\tpassed\n\
         false\tjob.lua:10: max_runtime must be a number of seconds from 0, got the string 'soon'\n\
         false\tjob.lua:11: max_runtime must be a number of seconds from 0, got the number -1\n\
         false\tjob.lua:12: timeout must be a number of seconds from 0, got a table\n",
    );
}

#[test]
fn a_time_limit_ends_the_task_and_raises_timeout() {
    let body = r#"local ok, err = pcall(job.run, { testscript = "stay.sh", taskid = "slow", max_runtime = 0.5 })
  print(ok, err.kind, err)
  print(job.run { testscript = "/bin/true", taskid = "after" })"#;
    let ended = Project::new().main(body).executable("stay.sh", STAY).job(&[]);
    ended.code(1).outcomes("slow=errored after=passed").reason_has("slow", "max_runtime of 0.5 s").stdout(
        "false\ttimeout\tjob.lua:3: task 'slow' has exceeded its max_runtime of 0.5 seconds and was ended\n\
         true\tpassed\n",
    );
    let seconds = ended.the_run().task("slow")["seconds"].as_f64().unwrap();
    assert!((0.5..3.0).contains(&seconds), "limit 0.5 s, grace 2 s: {seconds}");
}

#[test]
fn an_uncaught_timeout_makes_the_job_errored() {
    let body = "job.run { testscript = 'stay.sh', max_runtime = 0.2 }\nprint('not reached')";
    let ended = Project::new().main(body).executable("stay.sh", STAY).job(&[]);
    ended.code(1).stdout("").stderr_has("main raised an error: job.lua:3: task 'Task-1' has exceeded");
    assert_eq!(ended.the_run().results()["run"]["error"]["kind"], "timeout");
}

#[test]
fn wait_with_a_limit_ends_the_task_and_join_leaves_it() {
    let body = r#"local t = job.Task { testscript = "stay.sh", taskid = "t" }
  t:start()
  print(t:join(0.1), t:is_alive())
  local ok, err = pcall(t.wait, t, 0.2)
  print(ok, err.kind, err.message)
  print(t:is_alive(), t.result)
  print(pcall(t.wait, t))
  local a = job.Task { testscript = "stay.sh", taskid = "a" }
  local b = job.Task { testscript = "/bin/true", taskid = "b" }
  a:start() b:start()
  local ok, err = pcall(job.wait_all, { a, b }, 0.2)
  print(ok, err.kind, a.result, b.result)"#;
    let ended = Project::new().main(body).executable("stay.sh", STAY).job(&[]);
    let text = "task 't' has exceeded its max_runtime of 0.2 seconds and was ended";
    ended.code(1).outcomes("t=errored a=errored b=passed").stdout(&format!(
        "false\ttrue\nfalse\ttimeout\t{text}\nfalse\terrored\nfalse\tjob.lua:9: {text}\nfalse\ttimeout\terrored\tpassed\n"
    ));
}

#[test]
fn wait_all_and_parallel_return_results_in_order() {
    let body = r#"local tasks = {}
  for i, code in ipairs { 0, 1, 7 } do
    tasks[i] = job.Task { testscript = "/bin/sh", args = { "-c", "exit " .. code }, taskid = "w" .. i }
    tasks[i]:start()
  end
  for i, result in ipairs(job.wait_all(tasks)) do print(i, result) end
  local results = job.parallel { limit = 2,
    { testscript = "/bin/false", taskid = "p1" }, { testscript = "/bin/true", taskid = "p2" },
    { testscript = "no-such.lua", taskid = "p3" } }
  for i, result in ipairs(results) do print(i, result) end
  print(job.rollup(results), job.rollup { "passed", "skipped" }, job.rollup(job.wait_all(tasks)))
  print(#job.parallel {}, #job.wait_all {})"#;
    let ended = Project::new().main(body).job(&[]);
    ended
        .code(1)
        .outcomes("w1=passed w2=failed w3=errored p1=failed p2=passed p3=errored")
        .stdout("1\tpassed\n2\tfailed\n3\terrored\n1\tfailed\n2\tpassed\n3\terrored\nerrored\tpassed\terrored\n0\t0\n");
}

#[test]
fn wrong_calls_are_raised_with_their_line() {
    let cases = [
        ("job.run()", "run takes one table, run { testscript = \"FILE\" }, not nil"),
        ("job.Task 'x'", "Task takes one table"),
        ("job.parallel 'x'", "parallel takes a list of task tables"),
        ("job.parallel { 'x' }", "parallel: item 1 must be a task table, got the string 'x'"),
        ("job.parallel { lmit = 2, {} }", "did you mean 'limit'?"),
        ("job.parallel { limit = 0 }", "limit"),
        ("job.parallel { limit = 1.5 }", "limit"),
        ("job.wait_all(3)", "wait_all"),
        ("job.wait_all { 3 }", "wait_all"),
        ("job.rollup { 'good' }", "rollup: item 1 must be a result or its value, got the string 'good'"),
        ("job.rollup(3)", "rollup"),
        ("job.rnu {}", "job.lua:4: "),
    ];
    for (code, message) in cases {
        let ended = Project::new().main(&format!("job.run {{ testscript = '/bin/true' }}\n{code}")).job(&[]);
        ended.code(1).outcomes("Task-1=passed").stderr_has(message).stderr_has("main raised an error: job.lua:4: ");
    }
}

#[test]
fn a_task_alive_when_main_returns_is_ended_and_listed() {
    let body = r#"local t = job.Task { testscript = "stay.sh", taskid = "left", ready = runtime.directory .. "/ready" }
  t:start()
  while not io.open(runtime.directory .. "/ready") do t:join(0.01) end
  job.run { testscript = "/bin/true", taskid = "good" }"#;
    let ended = Project::new().main(body).executable("stay.sh", STAY).job(&[]);
    insta::assert_snapshot!(ended.whole(), @r"
    exit code 1
    --- stderr
    [RUN] job: [WORK]/job.lua
       PASSED [TIME] good
      ERRORED [TIME] left: was still alive when main returned and was ended

    job
    ├── left  ERRORED [TIME]  was still alive when main returned and was ended
    └── good  PASSED [TIME]

    dangling: 1 task ended because main returned without waiting for it; call task:wait()
        left: [WORK]/stay.sh

      ERRORED [TIME] left: was still alive when main returned and was ended
    Result: ERRORED  2 tasks: 1 passed, 1 errored in [TIME]
    Run directory: [HOME]/runs/[RUN]
    ");
    let run = ended.the_run();
    assert_eq!(run.outcomes(), "left=errored good=passed");
    assert_eq!(run.task("left")["dangling"], true);
    assert_eq!(run.task("good")["dangling"], false);
    assert_eq!(run.results()["run"]["result"]["value"], "errored");
}

#[test]
fn a_task_that_was_never_started_is_warned_of() {
    let body = "local t = job.Task { testscript = '/bin/true', taskid = 'idle' }\njob.run { testscript = '/bin/true' }";
    let ended = Project::new().main(body).job(&[]);
    ended.code(0).stderr_has("warning: job.lua:3: task 'idle' was made but never started").outcomes("Task-2=passed");
}

#[test]
fn a_missing_script_is_an_errored_task_and_others_run() {
    let body = "print(job.run { testscript = 'conect.lua', taskid = 'a' })\n\
                print(job.run { testscript = './none/x.sh', taskid = 'b' })\n\
                print(job.run { testscript = 'folder', taskid = 'c' })\n\
                print(job.run { testscript = '/bin/true', taskid = 'd' })";
    let project = Project::new().main(body).file("connect.lua", "").file("folder/x", "");
    let ended = project.job(&[]);
    ended.code(1).stdout("false\terrored\nfalse\terrored\nfalse\terrored\ntrue\tpassed\n");
    ended.reason_has("a", "there is no testscript 'conect.lua' in ").reason_has("a", "; did you mean 'connect.lua'?");
    ended.reason_has("b", "there is no testscript './none/x.sh'").reason_has("c", "testscript 'folder' is a folder");
    assert_eq!(ended.the_run().task("a")["place"], serde_json::json!({"file": "job.lua", "line": 3}));
}

#[test]
fn scripts_are_found_beside_the_jobfile_then_in_the_working_folder() {
    let body = "print(job.run { testscript = 'both.lua' })\nprint(job.run { testscript = 'here.lua' })";
    let text = format!("local job = require 'rille.job'\nfunction main()\n{body}\nend");
    let project = Project::new()
        .file("jobs/job.lua", text)
        .file("jobs/both.lua", "print('beside')")
        .file("both.lua", "print('here')")
        .file("here.lua", "print('here')");
    let run = project.run(&["run", "jobs/job.lua"]).code(0).the_run();
    assert_eq!(run.output("Task-1", "stdout"), b"beside\n");
    assert_eq!(run.output("Task-2", "stdout"), b"here\n");
}

#[test]
fn a_failed_task_is_tried_again() {
    let script = "#!/bin/sh\necho try $RILLE_ATTEMPT\ntest \"$RILLE_ATTEMPT\" -ge \"$1\"\n";
    let body = r#"local ok, result = job.run { testscript = "try.sh", args = { 3 }, retries = 3, taskid = "third" }
  print(ok, result)
  print(job.run { testscript = "try.sh", args = { 9 }, retries = 1, taskid = "never" })
  print(job.run { testscript = "try.sh", args = { 1 }, retries = 5, taskid = "first" })"#;
    let ended = Project::new().main(body).executable("try.sh", script).job(&[]);
    ended
        .code(1)
        .stdout("true\tpassx\nfalse\tfailed\ntrue\tpassed\n")
        .outcomes("third=passx never=failed first=passed");
    let run = ended.the_run();
    let shown = |id: &str| format!("{} {}", run.task(id)["attempts"], run.task(id)["flaky"]);
    assert_eq!([shown("third"), shown("never"), shown("first")], ["3 true", "2 false", "1 false"]);
    assert_eq!(run.output("first", "stdout"), b"try 1\n");
    for (folder, attempt) in [("1-third", 1), ("1-third.attempt-2", 2), ("1-third.attempt-3", 3)] {
        assert_eq!(run.text(format!("tasks/{folder}/stdout")), format!("try {attempt}\n"));
    }
    let ends = run.events_of("task-finished");
    let retried: Vec<bool> = ends.iter().map(|end| end["will_retry"] == true).collect();
    assert_eq!(retried, [true, true, false, true, false, false]);
}

#[test]
fn tasks_run_at_the_same_time_and_each_has_its_own_log() {
    // Each says that it is there and waits for both others: this ends only if all three run at once.
    let meet = "#!/bin/sh\necho \"I am $RILLE_TASK_ID\"\n: > \"$RILLE_RUN_DIR/here.$RILLE_TASK_ID\"\n\
                for other in a b c; do while [ ! -e \"$RILLE_RUN_DIR/here.$other\" ]; do sleep 0.01; done; done\n";
    let started = "local tasks = {}\nfor i, id in ipairs { 'a', 'b', 'c' } do\n\
                   tasks[i] = job.Task { testscript = 'meet.sh', taskid = id, max_runtime = 50 } tasks[i]:start() end\n\
                   job.wait_all(tasks)";
    let listed = "job.parallel { limit = 3, { testscript = 'meet.sh', taskid = 'a' },\n\
                  { testscript = 'meet.sh', taskid = 'b' }, { testscript = 'meet.sh', taskid = 'c' } }";
    for body in [started, listed] {
        let run = Project::new().main(body).executable("meet.sh", meet).job(&[]).code(0).the_run();
        for id in ["a", "b", "c"] {
            assert_eq!(run.output(id, "stdout"), format!("I am {id}\n").as_bytes());
        }
    }
}

#[test]
fn an_environment_and_globals_of_a_task_stay_its_own() {
    let body = r#"_G.shared = "main"
  local plain = { n = 1 }
  job.run { testscript = "change.lua", plain = plain, env = { MINE = "set" } }
  job.run { testscript = "look.lua", plain = plain }
  print(_G.shared, plain.n, os.getenv("MINE"))"#;
    let project = Project::new()
        .main(body)
        .file("change.lua", "parameters.plain.n = 2 _G.shared = 'task' string.upper = nil print(os.getenv('MINE'))")
        .file("look.lua", "print(rawget(_G, 'shared'), parameters.plain.n, ('x'):upper(), os.getenv('MINE'))");
    let ended = project.job(&[]);
    ended.code(0).stdout("main\t1\tnil\n");
    let run = ended.the_run();
    assert_eq!(run.output("Task-1", "stdout"), b"set\n");
    assert_eq!(run.output("Task-2", "stdout"), b"nil\t1\tX\tnil\n");
}

#[test]
fn two_tasks_of_one_name_in_two_runs_do_not_meet() {
    let project = Project::new().main("job.run { testscript = 'stay.sh', taskid = 't' }").executable("stay.sh", STAY);
    let (first, second) = (project.start(&["run", "job.lua"]), project.start(&["run", "job.lua"]));
    let all_up = || {
        let runs = project.runs();
        let up = runs.iter().filter(|run| run.has("tasks/1-t/ready")).count();
        (up == 2).then_some(())
    };
    until("both tasks", DEADLINE, all_up);
    for run in [first, second] {
        run.signal(rustix::process::Signal::TERM);
        run.wait_only(DEADLINE).code(143);
    }
    project.survivors().assert_none_within(DEADLINE);
    assert_eq!(project.runs().len(), 2);
}
