//! The 40 cases in which Rille does as Easypy does, or better where Easypy goes wrong: a test each, by their numbers.

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Ended, Project, check_results, needs};

/// Runs a jobfile with this body of `main`.
fn job(body: &str) -> Ended {
    Project::new().main(body).job(&[])
}

/// Makes a project with a testscript and a job that runs it as task `a`.
fn script(text: &str) -> Project {
    Project::new().main("print(job.run { testscript = 's.lua', taskid = 'a' })").file("s.lua", text)
}

#[test]
fn case_01_main_is_called_once_with_the_runtime_or_with_nothing() {
    let with =
        "function main(runtime) print(type(runtime.job.name)) require('rille.job').run { testscript = 'true' } end";
    Project::new().file("job.lua", with).job(&[]).code(0).stdout("string\n");
    let without = "function main() print('once') require('rille.job').run { testscript = 'true' } end";
    Project::new().file("job.lua", without).job(&[]).code(0).stdout("once\n");
}

#[test]
fn case_02_a_job_without_main_is_told_so_and_has_its_reports() {
    let ended = Project::new().file("job.lua", "local x = 1").job(&[]);
    ended.code(2).stderr_has("job.lua: the jobfile does not define main");
    assert_eq!(ended.the_run().outcomes(), "");
    assert_eq!(ended.the_run().results()["run"]["result"]["value"], "errored");
    assert!(ended.the_run().has("results.xml"));
}

#[test]
fn case_03_an_empty_jobfile_is_told_so() {
    let ended = Project::new().file("job.lua", "").job(&[]);
    ended.code(2).stderr_has("the jobfile is empty and so has no main");
}

#[test]
fn case_04_a_jobfile_that_is_not_there_makes_no_run() {
    let project = Project::new();
    project.job(&[]).code(2).stderr_has("the jobfile 'job.lua' does not exist");
    assert!(project.runs().is_empty());
}

#[test]
fn case_05_a_syntax_error_is_told_with_file_and_line() {
    Project::new().file("job.lua", "local x = 1\nlocal y = = 2").job(&[]).code(2).stderr_has("job.lua:2: ");
}

#[test]
fn case_06_an_error_in_main_is_never_a_pass() {
    let ended = job("job.run { testscript = 'true' }\nerror('boom')");
    ended.code(1).stderr_has("Result: ERRORED");
    let results = ended.the_run().results();
    assert_eq!(results["run"]["result"]["value"], "errored");
    assert!(results["run"]["error"]["message"].as_str().unwrap().contains("boom"), "{results:#}");
}

#[test]
fn case_07_a_job_may_name_itself() {
    let ended = job("runtime.job.name = 'other'\njob.run { testscript = 'true' }");
    ended.code(0).stderr_has("\nother\n");
    assert_eq!(ended.the_run().results()["run"]["name"], "other");
    assert!(ended.the_run().text("report.html").contains("other"));
}

#[test]
fn case_08_runs_come_one_after_the_other_and_return_results() {
    let body = "for n = 1, 3 do print(n, select(2, job.run { testscript = n == 2 and 'false' or 'true' })) end";
    let ended = job(body);
    ended.code(1).stdout("1\tpassed\n2\tfailed\n3\tpassed\n");
    let kinds: Vec<String> = ended.the_run().events().iter().map(|event| event["event"].to_string()).collect();
    let order = kinds.iter().filter(|kind| kind.contains("task-started") || kind.contains("task-finished"));
    assert_eq!(order.map(|kind| if kind.contains("started") { 'S' } else { 'F' }).collect::<String>(), "SFSFSF");
}

#[test]
fn case_09_passed_and_passx_are_true_and_nothing_else() {
    let body = "for _, outcome in ipairs { 'passed', 'passx', 'failed', 'errored', 'skipped', 'blocked', 'aborted' } do
    print((job.run { testscript = 's.lua', outcome = outcome }), outcome) end";
    let project = Project::new().main(body).file("s.lua", "return parameters.outcome");
    project.job(&[]).stdout(
        "true\tpassed\ntrue\tpassx\nfalse\tfailed\nfalse\terrored\nfalse\tskipped\nfalse\tblocked\nfalse\taborted\n",
    );
}

#[test]
fn case_10_default_ids_count_all_tasks() {
    let ended = job(
        "job.run { testscript = 'true' }\njob.run { testscript = 'true', taskid = 'x' }\njob.run { testscript = 'true' }",
    );
    ended.code(0).outcomes("Task-1=passed x=passed Task-3=passed");
}

#[test]
fn case_11_a_slash_in_an_id_becomes_an_underscore() {
    let ended = job("job.run { testscript = 'true', taskid = 'a/b' }");
    ended.code(0).outcomes("a_b=passed");
}

#[test]
fn case_12_a_reused_id_is_refused_before_anything_starts() {
    let body = "for n = 1, 2 do print(select(2, job.run { testscript = 'true', taskid = 'dup' })) end\njob.run { testscript = 'true' }";
    let ended = job(body);
    ended.code(1).stdout("passed\nerrored\n").stderr_has("task id 'dup' is already used");
    assert_eq!(ended.the_run().events_of("task-started").len(), 2);
}

#[test]
fn case_13_parameters_of_run_win_over_those_of_the_script() {
    let text = "local ts = require 'rille.testscript'\nts.parameters { speed = 1, other = 2 }\n\
                ts.testcase('T'):test('t', function(self, p) print(p.speed, p.other) end)";
    let project =
        Project::new().main("job.run { testscript = 's.lua', taskid = 'a', speed = 9600 }").file("s.lua", text);
    let ended = project.job(&[]);
    ended.code(0);
    assert_eq!(ended.the_run().output("a", "stdout"), b"9600\t2\n");
}

#[test]
fn case_14_the_testbed_is_nil_unless_it_is_given() {
    let project = Project::new()
        .main("job.run { testscript = 's.lua', taskid = 'a' }\njob.run { testscript = 's.lua', taskid = 'b', testbed = { x = 1 } }")
        .file("s.lua", "print(parameters.testbed and parameters.testbed.x)");
    let ended = project.job(&[]);
    ended.code(0);
    assert_eq!(ended.the_run().output("a", "stdout"), b"nil\n");
    assert_eq!(ended.the_run().output("b", "stdout"), b"1\n");
}

#[test]
fn case_15_started_tasks_overlap_and_have_logs_of_their_own() {
    // Each waits for the other, so both must be there at once.
    let meet = "local me, other = parameters.me, parameters.other\nio.open(parameters.dir .. '/' .. me, 'w'):close()\n\
                while not io.open(parameters.dir .. '/' .. other) do end\nprint('met ' .. other)";
    let body = "local dir = runtime.directory
  local a = job.Task { testscript = 's.lua', taskid = 'a', me = 'one', other = 'two', dir = dir }
  local b = job.Task { testscript = 's.lua', taskid = 'b', me = 'two', other = 'one', dir = dir }
  a:start() b:start() a:wait(60) b:wait(60)";
    let ended = Project::new().main(body).file("s.lua", meet).job(&[]);
    ended.code(0);
    assert!(ended.the_run().text("tasks/1-a/task.log").contains(" a] met two"));
    assert!(ended.the_run().text("tasks/2-b/task.log").contains(" b] met one"));
}

#[test]
fn case_16_starting_twice_and_waiting_too_early_are_errors() {
    let body = "local t = job.Task { testscript = 'true', taskid = 't' }
  print(select(2, pcall(t.wait, t)).kind) t:start() print(select(2, pcall(t.start, t)).kind) t:wait() print(t:wait())";
    job(body).code(0).stdout("usage\nusage\ntrue\tpassed\n");
}

#[test]
fn case_17_a_task_that_was_not_started_has_no_result_and_ending_it_is_harmless() {
    let body = "local t = job.Task { testscript = 'true', taskid = 't' }
  print(t.result) t:terminate() local d = runtime.synchro.dict() d.x = 1 print(d.x, (job.run { testscript = 'true' }))";
    job(body).stdout("nil\n1\ttrue\n");
}

#[test]
fn case_18_a_time_limit_can_be_caught_and_main_goes_on() {
    let body =
        "local ok, err = pcall(job.run, { testscript = 'sleep', args = { 60 }, taskid = 'slow', max_runtime = 1 })
  print(ok, err.kind, err.message:find('slow', 1, true) ~= nil, err.message:find('1 seconds', 1, true) ~= nil)
  print((job.run { testscript = 'true' }))";
    job(body).code(1).stdout("false\ttimeout\ttrue\ttrue\ntrue\n").outcomes("slow=errored Task-2=passed");
}

#[test]
fn case_19_a_task_that_ignores_sigterm_is_killed_with_its_children() {
    let body = "pcall(job.run, { testscript = 'sh', args = { '-c', \"trap '' TERM; sleep 600 & sleep 600\" }, taskid = 'deaf', max_runtime = 0.3 })";
    // The harness looks for survivors.
    let ended = Project::new().main(body).job(&["--grace", "0.2"]);
    ended.code(1).outcomes("deaf=errored");
}

#[test]
fn case_20_fractions_of_a_second_are_obeyed() {
    let ended = job("pcall(job.run, { testscript = 'sleep', args = { 60 }, taskid = 'slow', max_runtime = 0.5 })");
    let seconds = ended.the_run().task("slow")["seconds"].as_f64().unwrap();
    // Not before its time, and not at the next whole second or after the grace; the figure itself is a benchmark's.
    assert!((0.5..2.0).contains(&seconds), "{seconds}");
    ended.reason_has("slow", "exceeded its max_runtime of 0.5 s");
}

#[test]
fn case_21_a_task_alive_when_main_ends_is_ended_and_listed() {
    let ended = job("job.Task { testscript = 'sleep', args = { 600 }, taskid = 'left' }:start()");
    ended.code(1).stderr_has("dangling: 1 task").stderr_has("left: ").stderr_has("Result: ERRORED");
}

#[test]
fn case_22_what_a_finished_script_leaves_running_is_ended_and_reported() {
    let ended = script("os.execute('sleep 600 &')").job(&[]);
    ended.code(0).stderr_has("1 leftover process killed");
    assert_eq!(ended.the_run().task("a")["killed_leftovers"], 1);
}

#[test]
fn case_23_a_killed_task_is_errored_by_the_name_of_what_killed_it() {
    let body = "for _, s in ipairs { 'kill -9 $$', 'kill -SEGV $$', 'exit 7' } do
    print(select(2, job.run { testscript = 'sh', args = { '-c', s } })) end";
    let ended = job(body);
    ended.code(1).stdout("errored\nerrored\nerrored\n");
    ended.reason_has("Task-1", "SIGKILL").reason_has("Task-2", "SIGSEGV").reason_has("Task-3", "exit code 7");
}

#[test]
fn case_24_a_missing_script_costs_no_other_task() {
    job("job.run { testscript = 'nowhere.lua' }\njob.run { testscript = 'true' }")
        .code(1)
        .outcomes("Task-1=errored Task-2=passed");
}

#[test]
fn case_25_sections_that_a_script_did_not_reach_are_shown() {
    let text = "local ts = require 'rille.testscript'\nlocal one = ts.testcase('One')\n\
                one:test('leaves', function() os.exit(0) end)\none:test('after', function() end)\n\
                ts.testcase('Two'):test('t', function() end)";
    let ended = script(text).job(&[]);
    ended.code(1).outcomes("a=errored").stderr_has("after").stderr_has("Two").stderr_has("NOT REACHED");
    let sections = ended.the_run().task("a")["sections"].clone();
    assert_eq!(sections[0]["result"]["value"], "errored", "{sections:#}");
    assert_eq!(sections[1]["result"], json!(null), "{sections:#}");
}

#[test]
fn case_26_nothing_to_run_is_said_and_is_no_pass() {
    job("").code(4).stderr_has("Nothing ran");
    let ended = job("job.Task { testscript = 'true' }");
    ended.code(4).stderr_has("made but never started");
}

#[test]
fn case_27_shared_objects_are_seen_by_all_tasks_and_by_main() {
    let body = "local s = runtime.synchro
  local d, l, q, lock = s.dict(), s.list(), s.queue(), s.lock()
  local tasks = { limit = 4 }
  for n = 1, 4 do tasks[n] = { testscript = 's.lua', n = n, d = d, l = l, q = q, lock = lock } end
  job.parallel(tasks)
  local sum = 0
  for _ = 1, 4 do sum = sum + q:get(10) end
  print(d.count, #l, sum)";
    let text = "local p = parameters\nfor _ = 1, 50 do p.lock:with(function() p.d.count = (p.d.count or 0) + 1 end) end\n\
                p.l:append(p.n) p.q:put(p.n)";
    Project::new().main(body).file("s.lua", text).job(&[]).code(0).stdout("200\t4\t10\n");
}

#[test]
fn case_28_plain_tables_and_the_environment_stay_a_tasks_own() {
    let project = Project::new()
        .main("local t = { 1 }\njob.run { testscript = 's.lua', t = t }\nprint(#t, os.getenv('MARK'))\njob.run { testscript = 's.lua', t = t, taskid = 'b' }")
        .file("s.lua", "parameters.t[2] = 2\nassert(not os.getenv('MARK'))\nos.execute('export MARK=1')\nprint(#parameters.t)");
    project.job(&[]).code(0).stdout("1\tnil\n");
}

#[test]
fn case_29_unknown_arguments_go_on_and_each_layer_takes_its_own() {
    let body = "local args = require 'rille.args'
  local mine, rest = args.parser {}:option('--job-arg'):parse_known()
  print(mine.job_arg, table.concat(rest, ' '))
  job.run { testscript = 's.lua', taskid = 'a' }\njob.run { testscript = 's.lua', taskid = 'b' }";
    let text = "local mine, rest = require('rille.args').parser {}:option('--script-arg'):parse_known()\n\
                print(mine.script_arg, table.concat(rest, ' '))";
    let project = Project::new().main(body).file("s.lua", text);
    let ended = project.job(&["--job-arg", "J", "--script-arg", "S", "--typo-arg", "T"]);
    ended.code(0).stdout("J\t--script-arg S --typo-arg T\n").stderr_has("--typo-arg");
    for task in ["a", "b"] {
        let out = String::from_utf8(ended.the_run().output(task, "stdout")).unwrap();
        assert!(out.starts_with("S\t") && out.contains("--typo-arg T"), "{out}");
    }
}

#[test]
fn case_30_uids_of_the_command_line_win_and_others_are_not_reported() {
    let text = "local ts = require 'rille.testscript'\nfor _, name in ipairs { 'Tc1', 'Tc2', 'Tc3' } do\n\
                ts.testcase(name):test('t', function() print(name) end) end";
    let project =
        Project::new().main("job.run { testscript = 's.lua', taskid = 'a', uids = 'Tc2' }").file("s.lua", text);
    let ended = project.job(&["--uids", "Or('common_setup','Tc1')"]);
    ended.code(0);
    assert_eq!(ended.the_run().output("a", "stdout"), b"Tc1\n");
    let sections = ended.the_run().task("a")["sections"].clone();
    assert_eq!(sections.as_array().unwrap().len(), 1, "{sections:#}");
    assert!(!ended.err().contains("Tc2") && !ended.err().contains("Tc3"), "{ended}");
    let other = Project::new().main("job.run { testscript = 's.lua', taskid = 'a', uids = 'Tc2' }").file("s.lua", text);
    assert_eq!(other.job(&[]).code(0).the_run().output("a", "stdout"), b"Tc2\n");
}

#[test]
fn case_31_tasks_that_are_not_chosen_are_skipped() {
    let project =
        Project::new().main("for n = 1, 3 do print(select(2, job.run { testscript = 'true', taskid = 's' .. n })) end");
    let ended = project.job(&["--taskid", "s[12]"]);
    ended.code(0).stdout("passed\npassed\nskipped\n");
    assert_eq!(ended.the_run().results()["counts"]["skipped"], 1);
}

#[test]
fn case_32_levels_are_inherited_records_stay_one_and_slices_are_right() {
    let text = "local ts, log = require 'rille.testscript', require('rille.log').get('lib')\nlocal tc = ts.testcase('T')\n\
                tc:test('one', function() log:debug('first') end)\n\
                tc:test('two', function() log:info('second\\nof two lines') print('third') end)";
    let project = Project::new()
        .main("require('rille.log').get('lib'):set_level('DEBUG')\njob.run { testscript = 's.lua', taskid = 'a' }")
        .file("s.lua", text);
    let ended = project.job(&[]);
    ended.code(0);
    let log = ended.the_run().text("tasks/1-a/task.log");
    let slice = |section: &serde_json::Value| {
        let at = |key: &str| usize::try_from(section["logs"][key].as_u64().unwrap()).unwrap();
        log[at("begin")..at("begin") + at("size")].to_owned()
    };
    let case = ended.the_run().task("a")["sections"][0].clone();
    let (one, two) = (slice(&case["sections"][0]), slice(&case["sections"][1]));
    assert!(one.contains("DEBUG    lib ") && one.contains("first") && !one.contains("second"), "{one}");
    assert!(two.contains("] second\n    of two lines\n") && two.contains("] third\n"), "{two}");
    assert!(two.ends_with("=> PASSED\n") && slice(&case).contains(&(one + &two)), "{two}");
    let shown = project.run(&["logs", "latest", "a", "--section", "T.two"]);
    shown.code(0).stdout(&two);
}

#[test]
fn case_33_what_a_task_prints_is_in_its_log_and_has_its_id_on_the_console() {
    let project = Project::new()
        .main("job.parallel { { testscript = 's.lua', taskid = 'a' }, { testscript = 's.lua', taskid = 'b' } }")
        .file("s.lua", "print('from ' .. runtime.task.taskid)");
    let ended = project.job(&[]);
    ended.code(0).stderr_has("a | from a\n").stderr_has("b | from b\n");
    assert!(ended.the_run().text("tasks/2-b/task.log").contains("stdout ["));
}

#[test]
fn case_34_all_pairs_of_results_roll_up_as_the_ladder_says() {
    let ladder = ["aborted", "errored", "failed", "blocked", "passx", "passed", "skipped"];
    let body = format!(
        "for _, a in ipairs {0} do for _, b in ipairs {0} do\n\
         local l = {{}} for i, o in ipairs {{ a, b }} do l[i] = select(2, job.run {{ testscript = 's.lua', outcome = o }}) end\n\
         print(a, b, job.rollup(l)) end end",
        "{ 'aborted', 'errored', 'failed', 'blocked', 'passx', 'passed', 'skipped' }"
    );
    let ended = Project::new().main(&body).file("s.lua", "return parameters.outcome").job(&["-qq"]);
    let pairs = (0..7).flat_map(|a| (0..7).map(move |b| (a, b)));
    let expected = pairs.map(|(a, b)| [ladder[a], ladder[b], ladder[a.min(b)]].join("\t") + "\n").collect::<Vec<_>>();
    ended.stdout(&expected.concat());
}

#[test]
fn case_35_a_setup_that_does_not_pass_blocks_what_depends_on_it_and_cleanups_run() {
    let text = "local ts = require 'rille.testscript'\nlocal one = ts.testcase('One')\n\
                one:setup(function() assert(false, 'no') end)\none:test('t', function() end)\n\
                one:cleanup(function() print('cleaned') end)\n\
                ts.testcase('Two'):test('t', function() end)\n\
                ts.common_cleanup():subsection('last', function() print('done') end)";
    let ended = script(text).job(&[]);
    ended.code(1).outcomes("a=failed");
    assert_eq!(ended.the_run().output("a", "stdout"), b"cleaned\ndone\n");
    let one = ended.the_run().task("a")["sections"][0].clone();
    assert_eq!(
        (&one["sections"][0]["result"]["value"], &one["sections"][1]["result"]["value"]),
        (&json!("failed"), &json!("blocked"))
    );
    let text = text.replace("local one", "ts.common_setup():subsection('s', function() error('x') end)\nlocal one");
    let ended = script(&text).job(&[]);
    ended.code(1).outcomes("a=errored");
    assert_eq!(ended.the_run().output("a", "stdout"), b"done\n");
    let sections = ended.the_run().task("a")["sections"].clone();
    assert_eq!(
        (&sections[1]["result"]["value"], &sections[2]["result"]["value"]),
        (&json!("blocked"), &json!("blocked"))
    );
}

#[test]
fn case_36_plugins_run_in_order_and_a_failure_is_exit_3() {
    let body = "for _, n in ipairs { 2, 3, 1 } do
    runtime.plugin { name = 'p' .. n, order = n, pre_job = function() print('pre', n) end,
      pre_task = function() if n == 2 then error('no') end end,
      post_task = function() print('post_task', n) end, post_job = function() print('post', n) end }
  end
  print(select(2, job.run { testscript = 'true' }))";
    job(body)
        .code(3)
        .stdout("pre\t1\npre\t2\npre\t3\npost_task\t2\npost_task\t1\nblocked\npost\t3\npost\t2\npost\t1\n");
}

#[test]
fn case_37_an_archive_holds_the_run_with_its_secrets_masked() {
    if !needs("python3") {
        return;
    }
    let project = Project::new()
        .main("job.run { testscript = 's.lua', taskid = 'a' }")
        .file("s.lua", "print('the token is ' .. os.getenv('API_TOKEN'))")
        .env("API_TOKEN", "hunter2-very-secret");
    project.job(&["--archive", "out.zip"]).code(0);
    let list = "import zipfile,sys\nz=zipfile.ZipFile('out.zip')\nprint(sorted(n.split('/',1)[1] for n in z.namelist()))\n\
                sys.exit(any(b'hunter2' in z.read(n) for n in z.namelist()))";
    let listed = project.command("python3").args(["-c", list]).output().unwrap();
    let names = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.status.success(), "the secret is in the archive: {names}");
    for name in
        ["results.json", "results.xml", "report.html", "job.lua", "job.log", "tasks/1-a/task.log", "events.jsonl"]
    {
        assert!(names.contains(name), "{name} is not in {names}");
    }
}

#[test]
fn case_38_a_rerun_runs_just_the_testcases_that_failed() {
    let text = "local ts = require 'rille.testscript'\nfor _, name in ipairs { 'Good', 'Bad', 'Ugly' } do\n\
                ts.testcase(name):test('t', function() print(name) assert(name ~= 'Bad', 'bad') if name == 'Ugly' then error('x') end end) end";
    let project = script(text);
    let first = project.job(&[]).code(1).the_run().id();
    let again = project.job(&["--rerun", &first, "--rerun-condition", "failed"]);
    again.code(1);
    let run = project.runs().into_iter().find(|run| run.id() != first).unwrap();
    assert_eq!(run.output("a", "stdout"), b"Bad\n");
}

#[test]
fn case_39_one_signal_ends_the_job_in_order_and_leaves_no_orphan() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let body = "local a = job.Task { testscript = 'sh', args = { '-c', 'echo ready > ../../../../../ready; sleep 600' }, taskid = 'a', cwd = '.' }
  a:start() pcall(a.wait, a) pcall(job.run, { testscript = 'true', taskid = 'b' })";
        let body = body.replace("../../../../../ready", "ready");
        let running = Project::new().main(&body).start(&["run", "job.lua"]);
        running.wait_for_file("ready");
        running.signal(signal);
        let ended = running.wait();
        ended.code(code).stderr_has("Result: ABORTED");
        assert_eq!(ended.the_run().task("a")["result"]["value"], "aborted");
        assert!(ended.the_run().has("report.html"));
    }
}

#[test]
fn case_40_junit_says_what_failed_and_all_reports_agree() {
    let text = "local ts = require 'rille.testscript'\nlocal tc = ts.testcase('Tc')\n\
                tc:test('good', function() end)\ntc:test('bad', function() assert(false, 'three is not four') end)";
    let project = script(text);
    let ended = project.job(&[]);
    ended.code(1).stderr_has("Result: FAILED");
    let run = ended.the_run();
    let xml = run.text("results.xml");
    for part in ["classname=", "three is not four", "<failure", "s.lua:4"] {
        assert!(xml.contains(part), "{part} is not in {xml}");
    }
    let results = run.results();
    check_results(&project, &results);
    assert_eq!((&results["run"]["result"]["value"], &results["run"]["exit_code"]), (&json!("failed"), &json!(1)));
    assert!(run.text("results.tap").contains("not ok "));
}

#[test]
fn a_choice_that_fits_nothing_is_no_pass() {
    let text = "require('rille.testscript').testcase('Tc1'):test('t', function() end)";
    let ended = script(text).job(&["--uids", "Tc2"]);
    ended.code(4).outcomes("a=skipped").reason_has("a", "no testcase fits uids Tc2");
    assert_eq!(ended.the_run().results()["run"]["exit_code"], 4);
    script(text).job(&["--uids", "Tc1"]).code(0);
}
