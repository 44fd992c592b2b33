//! Walks through the real program: plan, coordination, results, reports, the command line and the settings.

use crate::harness::{Ended, Project};

/// Actions that note in their state what they were given, and what else they do.
const ACTIONS: &str = r#"local walk = require "rille.walk"
local function note(name, also)
  return function(param, state)
    state[#state + 1] = name .. tostring(param)
    if also then return also(param, state) end
  end
end
local function action(name, options, also) return walk.action { name = name, options = options, run = note(name, also) } end
local function serial(name, options, run) return walk.serial_action { name = name, options = options, run = run or function() end } end
"#;

/// Runs a suite made of definitions and a body of `main`.
fn job(definitions: &str, body: &str) -> Ended {
    project(definitions, body).job(&["-q"])
}

fn project(definitions: &str, body: &str) -> Project {
    Project::new().file("job.lua", format!("{ACTIONS}{definitions}\nfunction main(runtime)\n{body}\nend\n"))
}

/// Shows the results: counts, failed and cancelled ids.
const SHOW: &str = "print(r.walk_count, r.error_count, r.segment_count, table.concat(r.failed_tests, ' '), table.concat(r.cancelled_tests, ' '))";

#[test]
fn walks_come_in_the_order_of_their_ids() {
    // Cases 1 and 4 to 11 of the reference.
    let cases = [
        ("action('A', {0,1}), action('B', {'x','y','z'})", "6 6", "5", "A1 Bz"),
        ("action('A', {0,1}), serial('S', {'t'}), action('B', {7,8})", "4 8", "3", "A1 B8"),
        ("action('A', {0,1}), serial('S', {'on','off'}), action('B', {'x','y','z'})", "12 24", "7", "A1 Bx"),
        ("action('A', {0,1}), action('C', {7,8}), serial('S', {1,2}), action('B', {1,2,3})", "24 48", "13", "A0 C8 B1"),
        (
            "action('A', {0,1}), serial('S', {1,2}), action('C', {7,8}), serial('T', {1,2}), action('D', {0,1,2})",
            "48 144",
            "17",
            "A1 C7 D1",
        ),
        ("serial('S', {1,2}), action('A', {0,1})", "4 4", "3", "A1"),
        ("action('A', {0,1}), serial('S', {1,2})", "4 8", "2", "A0"),
        ("action('A', {0,1}), serial('S', {1,2}), serial('T', {1,2}), action('B', {1,2,3})", "24 72", "23", "A1 B3"),
    ];
    for (order, counts, id, state) in cases {
        let body = format!(
            "local r = walk.run_tests {{ order = order, state = {{}}, gather_states = true, workers = 2 }}
             print(r.walk_count, r.segment_count, #r.states, table.concat(r.states[{id}], ' '))"
        );
        let ended = job(&format!("local order = {{ {order} }}"), &body);
        let (walks, segments) = counts.split_once(' ').expect("two counts");
        ended.code(0).stdout(&format!("{walks}\t{segments}\t{walks}\t{state}\n"));
    }
}

#[test]
fn a_failing_walk_runs_no_further_and_the_others_run() {
    // Cases 14 and 15.
    let definitions =
        "local A, F = action('A', {0,1}), action('F', {0,1,2,3}, function(p) if p == 2 then error('two') end end)
      local S = serial('S', {1})";
    let body = format!(
        "local r = walk.run_tests {{ order = {{ A, F }}, state = {{}} }} {SHOW}
         r = walk.run_tests {{ order = {{ F, S, A }}, state = {{}} }} {SHOW}"
    );
    let ended = job(definitions, &body);
    ended.code(1).stdout("8\t2\t8\t2 6\t\n8\t2\t14\t2 6\t\n");
    let results = ended.the_run().results();
    assert_eq!(results["walks"][0]["end"]["failed"], 2);
    assert_eq!(results["walks"][0]["not_passed"][0]["walk"], "A(0), F(2)");
    assert_eq!(results["walks"][0]["end"]["causes"][0]["options"], "F(2)");
    let trace = ended.the_run().text("walks-1/failed.trace");
    assert!(trace.contains(r#"{"walk_id": 6, "walk": [{"A": 1}, {"F": 2}], "serial_action": null}"#), "{trace}");
}

#[test]
fn cancelled_walks_are_no_errors_and_run_no_further() {
    // Cases 17 to 19.
    let definitions = "local C = walk.action { name = 'C', options = {0,1,2}, run = function(p) if p == 1 then walk.cancel('no') end end }
      local B, S = walk.action { name = 'B', options = {7,8}, run = function() end }, serial('S', {1})";
    let body = format!(
        "local r = walk.run_tests {{ order = {{ C, B }} }} {SHOW}
         r = walk.run_tests {{ order = {{ C, S, B }}, state = {{}}, gather_states = true }} {SHOW} print(next(r.states[1]))"
    );
    job(definitions, &body).code(0).stdout("6\t0\t6\t\t2 3\n6\t0\t10\t\t1 4\nnil\n");
}

#[test]
fn should_cancel_and_constraints_leave_walks_out() {
    // Case 20.
    let definitions = "local Sh = walk.action { name = 'Sh', options = {0,1,2}, run = function() end, should_cancel = function(w, i) return w[i].param == 1 end }
      local A = walk.action { name = 'A', options = {0,1}, run = function() end }";
    let body = "local function show(t) t.order, t.workers = { Sh, A }, 1 local r = walk.run_tests(t)
        print(r.walk_count, table.concat(r.excluded_tests, ' ')) end
      show {}
      show { constraints = function(w) return not (w[1].param == 0 and w[2].param == 1) end }
      show { constraints = { { 'Sh', 'A', function(sh, a) return sh + a ~= 3 end } } }
      print(select(2, pcall(show, { constraints = { { 'Shh', 'A', print } } })))
      print(select(2, pcall(show, { constrants = 1 })))";
    job(definitions, body).code(0).stdout(
        "4\t2 3\n3\t1 2 3\n3\t2 3 5\n\
         job.lua:13: run_tests: a constraint names 'Shh', which is no action of the order; it has: Sh, A\n\
         job.lua:13: run_tests has no option 'constrants'; did you mean 'constraints'?\n",
    );
}

#[test]
fn a_serial_action_that_raises_ends_the_suite_with_what_was_done() {
    // Cases 21 and 22.
    let definitions = "local A = action('A', {0,1}) local B = action('B', {0,1})
      local S = serial('S', {1,2}, function(p) if p == 2 then error('broken', 0) end end)
      local Q = serial('Q', {1}, function() walk.cancel() end)";
    let body = format!(
        "local r = walk.run_tests {{ order = {{ A, S, B }}, state = {{}} }} {SHOW} print(r.not_run, r.stopped)
         r = walk.run_tests {{ order = {{ A, Q, B }}, state = {{}} }} print(r.not_run, r.stopped)"
    );
    let ended = job(definitions, &body);
    ended.code(1).stdout_has("8\t0\t12\t\t\n4\ta serial action failed: broken\n").stdout_has("'Q' called walk.cancel");
}

#[test]
fn what_a_serial_action_returns_is_merged_and_nothing_else() {
    // Cases 23 and 24.
    let definitions =
        "local Inc = walk.action { name = 'Inc', options = {1,10}, run = function(p, s) s.n = s.n + p end }
      local S = serial('S', {5}, function(p, s) s.n = 100 return { cfg = p } end)";
    let body = "local r = walk.run_tests { order = { Inc, S, Inc }, state = { n = 0 }, gather_states = true }
      for id = 0, 3 do io.write(r.states[id].n, '/', r.states[id].cfg, ' ') end print()";
    job(definitions, body).code(0).stdout("2/5 11/5 11/5 20/5 \n");
}

#[test]
fn a_worker_that_dies_costs_one_walk() {
    // Case 34, at each stage.
    let definitions = "local D = walk.action { name = 'D', options = {0,1,2,3}, run = function(p) if p == 1 then os.execute('kill -9 $PPID') end end }
      local A, S = action('A', {0,1}), serial('S', {1})";
    let body = format!(
        "local r = walk.run_tests {{ order = {{ D }}, workers = 1 }} {SHOW}
         r = walk.run_tests {{ order = {{ A, S, D }}, state = {{}}, workers = 2, gather_states = true }} {SHOW}
         print(r.states[6][1], r.states[7][1])"
    );
    let project = project(definitions, &body);
    let ended = project.job(&["-q"]);
    ended.code(1).stdout("4\t1\t4\t1\t\n8\t2\t16\t2 3\t\nA0\tA1\n");
    let walk = &ended.the_run().results()["walks"][0]["not_passed"][0];
    assert_eq!(walk["error"]["message"], "its worker was killed by SIGKILL (signal 9)");
    assert_eq!(ended.the_run().results()["walks"][1]["end"]["crashed"], 2);
}

#[test]
fn workers_that_die_while_loading_end_the_suite() {
    // Only tasks have the variable: the host loads the file as well.
    let definitions = "if os.getenv('RILLE_TASK_ID') then os.execute('kill -9 $PPID') end local A = action('A', {0,1})";
    let body = "print(select(2, pcall(walk.run_tests, { order = { A }, state = {}, workers = 1 })))";
    let ended = job(definitions, body);
    ended
        .code(1)
        .stdout_has("two workers in a row died before they had run a walk; the last was killed by SIGKILL (signal 9)");
    assert_eq!(ended.the_run().results()["walks"][0]["end"]["not_run"], 2);
}

#[test]
fn a_worker_that_dies_in_a_serial_action_fails_it() {
    let definitions =
        "local A = action('A', {0,1}) local S = serial('S', {1}, function() os.execute('kill -9 $PPID') end)";
    let body = format!(
        "local r = walk.run_tests {{ order = {{ A, S, A }}, state = {{}}, gather_states = true }} {SHOW} print(r.stopped, #r.states)"
    );
    let ended = job(definitions, &body);
    ended.code(1).stdout("4\t0\t4\t\t\na serial action failed: its worker was killed by SIGKILL (signal 9)\t4\n");
}

#[test]
fn an_action_that_leaves_a_daemon_leaves_nothing() {
    let definitions = "local D = walk.action { name = 'D', options = {1}, run = function() os.execute('setsid sleep 1000 >/dev/null 2>&1 &') end }";
    let body = format!("local r = walk.run_tests {{ order = {{ D }} }} {SHOW}");
    let project = project(definitions, &body);
    project.job(&["-q"]).code(0).stdout("1\t0\t1\t\t\n");
    project.survivors();
}

fn staying(suite: &str) -> Project {
    let project = Project::new().file("suite.lua", suite);
    let folder = project.path("");
    project.env("FOLDER", folder)
}

/// Walks in stages, of which one stays until a file is there. All of them note their portions in the file `ran`.
const STAYING: &str = r#"
local FOLDER <const> = os.getenv("FOLDER") .. "/"
local function ran(what) local f = assert(io.open(FOLDER .. "ran", "a")) f:write(what, "\n") f:close() end
local A = walk.action { name = "A", options = { 0, 1, 2 }, run = function(p, s) s.a = p ran("A" .. p) end }
local S = walk.serial_action { name = "S", options = { "on", "off" }, run = function(p) ran("S" .. p) return { s = p } end }
local B = walk.action { name = "B", options = { 1, 2 }, run = function(p, s)
  if s.a == 1 and p == 2 and s.s == STAYS and not io.open(FOLDER .. "go") then
    local ready = io.open(FOLDER .. "ready", "w") ready:write("ready\n") ready:close()
    os.execute("exec sleep 1000")
  end
  ran("B" .. s.a .. p .. s.s)
  if s.a == 2 and p == 1 then error("two") end
end }
return { order = { A, S, B }, state = {}, workers = 1 }
"#;

#[test]
fn every_walk_has_one_end_when_its_host_is_killed_and_the_run_resumed() {
    // Case 37, in the second stage of each branch.
    for stays in ["on", "off"] {
        let suite = format!("local walk = require 'rille.walk'\nlocal STAYS <const> = '{stays}'{STAYING}");
        let project = staying(&suite);
        let running = project.start(&["walk", "suite.lua", "-q"]);
        running.wait_for_file("ready");
        running.kill_host();
        running.wait().code(7);
        std::fs::write(project.path("go"), "").expect("a file can be written");
        let ended = project.run(&["walk", "suite.lua", "-q", "--resume", "latest"]);
        ended.code(1);
        let end = &project.the_run().results()["walks"][0]["end"];
        assert_eq!((&end["walk_count"], &end["passed"], &end["failed"]), (&12.into(), &10.into(), &2.into()), "{end}");
        let ran = project.read("ran");
        let count = |what: &str| ran.lines().filter(|line| *line == what).count();
        // What had ended is not run again: of the portions at hand only those of the order that was under way.
        for a in 0..3 {
            assert_eq!(count(&format!("A{a}")), 4, "{ran}");
            for b in 1..=2 {
                for at in ["on", "off"] {
                    let times = count(&format!("B{a}{b}{at}"));
                    assert!(times == 1 || at == stays && times == 2, "{ran}");
                }
            }
        }
        assert_eq!((count("B12on"), count("Soff")), (1, if stays == "on" { 1 } else { 2 }), "{ran}");
        let not_passed = &project.the_run().results()["walks"][0]["not_passed"];
        assert_eq!(not_passed.as_array().map(Vec::len), Some(2), "{not_passed}");
    }
}

#[test]
fn a_suite_that_has_changed_is_not_resumed() {
    let suite = format!("local walk = require 'rille.walk'\nlocal STAYS <const> = 'on'{STAYING}");
    let project = staying(&suite);
    let running = project.start(&["walk", "suite.lua", "-q"]);
    running.wait_for_file("ready");
    running.kill_host();
    running.wait().code(7);
    let project = project.file("suite.lua", suite.replace("{ 0, 1, 2 }", "{ 0, 1, 2, 3 }"));
    let ended = project.run(&["walk", "suite.lua", "--resume", "latest"]);
    ended.code(2).stderr_has("the walks are not those of the run that is resumed");
}

#[test]
fn an_interrupt_ends_the_walks_and_leaves_what_was_done() {
    let suite = format!("local walk = require 'rille.walk'\nlocal STAYS <const> = 'on'{STAYING}");
    let project = staying(&suite);
    let running = project.start(&["walk", "suite.lua", "-q"]);
    running.wait_for_file("ready");
    running.signal(rustix::process::Signal::INT);
    let ended = running.wait();
    ended.code(130);
    let end = &ended.the_run().results()["walks"][0]["end"];
    assert_eq!((&end["walk_count"], &end["stopped"]), (&12.into(), &"the run was asked to stop".into()), "{end}");
    project.survivors();
}

#[test]
fn a_walk_that_takes_too_long_fails_and_the_others_run() {
    let definitions = "local L = walk.action { name = 'L', options = {0,1,2}, run = function(p) if p == 1 then while true do end end end }";
    let body = format!("local r = walk.run_tests {{ order = {{ L }}, max_walk_runtime = 0.2 }} {SHOW}");
    let ended = job(definitions, &body);
    ended.code(1).stdout("3\t1\t3\t1\t\n");
}

#[test]
fn a_walk_that_waits_for_ever_is_killed() {
    let definitions = "local L = walk.action { name = 'L', options = {0,1,2}, run = function(p) if p == 1 then os.execute('sleep 1000') end end }";
    let body = format!("local r = walk.run_tests {{ order = {{ L }}, max_walk_runtime = 0.2 }} {SHOW}");
    let project = project(definitions, &body);
    let ended = project.job(&["-q", "--grace", "0.2"]);
    ended.code(1).stdout("3\t1\t3\t1\t\n");
    let walk = &ended.the_run().results()["walks"][0]["not_passed"][0];
    assert!(walk["error"]["message"].as_str().is_some_and(|text| text.contains("0.2 s")), "{walk}");
    project.survivors();
}

#[test]
fn what_cannot_be_planned_is_said_at_once() {
    // Case 33.
    let definitions =
        "local E = walk.action { name = 'E', options = {}, run = function() end } local A = action('A', {1})";
    let body = "print(select(2, pcall(walk.run_tests, { order = { A, E } })))
      print(select(2, pcall(walk.run_tests, { order = { A }, workers = 0 })))
      print(select(2, pcall(walk.run_tests, { order = { A }, shard = '4/3' })))
      print(select(2, pcall(walk.run_tests, { order = { A }, log_dir = 'no/such/folder' })))";
    let ended = job(definitions, body);
    ended
        .stdout_has("'E'")
        .stdout_has("workers is a whole number from 1 to 4096, not the number 0")
        .stdout_has("\"1/3\"")
        .stdout_has("log_dir");
}

#[test]
fn samples_and_shards_are_the_same_everywhere() {
    // Case 36.
    let suite = format!(
        "{ACTIONS}local o = {{}} for i = 1, 10 do o[i] = i end
      return {{ order = {{ action('A', o), action('B', o) }}, state = {{}} }}"
    );
    let project = Project::new().file("suite.lua", suite);
    let list = |options: &[&str]| {
        let args: Vec<&str> = ["walk", "suite.lua", "--list"].iter().chain(options).copied().collect();
        let ended = project.run(&args);
        ended.code(0);
        ended.out().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let all = list(&[]);
    assert_eq!((all.len(), all[99].as_str(), all[23].as_str()), (100, "99\tA(10), B(10)", "23\tA(3), B(4)"));
    let mut shards: Vec<String> = ["1/3", "2/3", "3/3"].iter().flat_map(|shard| list(&["--shard", shard])).collect();
    assert_eq!(shards.len(), 100);
    shards.sort();
    let mut sorted = all.clone();
    sorted.sort();
    assert_eq!(shards, sorted);
    let sample = list(&["--sample", "7", "--seed", "3"]);
    assert_eq!((sample.len(), &sample), (7, &list(&["--sample", "7", "--seed", "3"])));
    assert_eq!(list(&["--cover", "1"]).len(), 10);
    let ended = project.run(&["walk", "suite.lua", "--shard", "2/3", "-q"]);
    ended.code(0);
    let run = ended.the_run().results();
    assert_eq!(run["walks"][0]["end"]["walk_count"], list(&["--shard", "2/3"]).len());
    assert_eq!(run["run"]["door"], "walk");
}

#[test]
fn a_list_of_a_million_million_walks_needs_no_memory_and_ends_with_its_reader() {
    let suite = format!(
        "{ACTIONS}local o = {{}} for i = 1, 10000 do o[i] = i end
      return {{ order = {{ action('A', o), action('B', o), action('C', o) }} }}"
    );
    let project = Project::new().file("suite.lua", suite);
    let rille = project.rille::<&str>(&[]);
    let line = format!("'{}' walk suite.lua --list | head -n 2", rille.get_program().to_string_lossy());
    let mut shell = project.command("sh");
    shell.args(["-c", &line]);
    let output = shell.output().expect("sh is there");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0\tA(1), B(1), C(1)\n1\tA(1), B(1), C(2)\n");
    let sample = project.run(&["walk", "suite.lua", "--list", "--sample", "3", "--seed", "1"]);
    assert_eq!(sample.out().lines().count(), 3);
}

#[test]
fn settings_of_walks_come_from_files_calls_and_options() {
    // Case 32.
    let suite = format!("{ACTIONS}return {{ order = {{ action('A', {{ 1, 2 }}) }}, state = {{}}, verbose = 0 }}");
    let project = Project::new()
        .file("suite.lua", suite)
        .file("rille.toml", "[walk]\nworkers = 1\nverbose = 2\nlog_dir = 'logs'\nworker = 3\n");
    let ended = project.run(&["walk", "suite.lua"]);
    ended.code(0).stderr_has("unknown key 'walk.worker', which has no effect; did you mean 'walk.workers'?");
    ended.stderr_has("Ran 2 walks (0 errors) in ").stderr_lacks("Stage 1");
    assert_eq!(ended.the_run().results()["walks"][0]["workers"], 1);
    let ended = project.run(&["walk", "suite.lua", "--verbosity", "1", "--workers", "2", "--run-dir", "two"]);
    ended.code(0).stderr_has("Stage 1 of 2 walks").stderr_lacks("worker 1:");
    assert!(project.path("logs").is_dir());
}

#[test]
fn a_walk_of_a_trace_is_replayed() {
    // Cases 28 and 29.
    let suite = format!(
        "{ACTIONS}local F = action('F', {{0,1,2,3}}, function(p) if p == 2 then error('two') end end)
      return {{ order = {{ action('A', {{0,1}}), F }}, state = {{}}, log_dir = 'logs' }}"
    );
    let project = Project::new().file("suite.lua", suite);
    let ended = project.run(&["walk", "suite.lua", "-q"]);
    ended.code(1);
    let failed = ended.the_run().path().join("walks-1/failed.trace");
    let failed = failed.to_str().expect("it is text");
    let ended = project.run(&["replay", failed, "6", "-q"]);
    ended.code(1).stderr_has("Result: FAILED  1 task: 1 failed");
    assert!(ended.out().starts_with("walk 6 failed: ") && ended.out().ends_with(": two\n"), "{}", ended.out());
    project.run(&["replay", "latest", "2", "-q"]).code(1);
    project.run(&["replay", "latest", "6", "-q"]).code(1);
    project.run(&["replay", failed, "99"]).code(2).stderr_has("cannot find walk with id 99");
    project.run(&["replay", "no.trace", "1"]).code(2).stderr_has("there is no trace 'no.trace'");
    let folder =
        std::fs::read_dir(project.path("logs")).expect("there are traces").next().expect("one").expect("it is read");
    let master = folder.path().join("master.trace");
    let master = master.to_str().expect("it is text");
    // A worker that was ended before it got a walk is listed, and has written nothing.
    let mut listed = std::fs::read_to_string(master).expect("it is there");
    listed.push_str("{\"worker\": 99, \"trace\": \"logs/none.trace\"}\n");
    std::fs::write(master, listed).expect("it can be written");
    project.run(&["replay", master, "5", "-q"]).code(0).stdout("walk 5 passed; its state: [\"A1\",\"F1\"]\n");
    project
        .run(&["replay", master, "5", "-q", "--state", "[7]"])
        .code(0)
        .stdout("walk 5 passed; its state: [7,\"A1\",\"F1\"]\n");
}

#[test]
fn failing_walks_are_made_short() {
    let definitions = "local A, B = action('A', {0,1,2}), action('B', {0,1,2})
      local C = action('C', {0,1,2}, function(p, s) if p >= 1 and s[2] == 'B1' then error('both') end end)";
    let body = "local r = walk.run_tests { order = { A, B, C }, state = { }, shrink = true } print(r.error_count)";
    let ended = job(definitions, body);
    ended.code(1).stdout("6\n");
    let shrunk = &ended.the_run().results()["walks"][0]["end"]["shrunk"][0];
    assert_eq!(shrunk["walk"], "A(0), B(1), C(1)");
}

#[test]
fn walks_cover_pairs_within_constraints() {
    // Case 35.
    let definitions = "local o = { 1, 2, 3 } local order = {} for i = 1, 4 do order[i] = walk.action { name = 'P' .. i, options = o, run = function() end } end";
    let body = "local r = walk.run_tests { order = order, cover = 2 }
      print(r.walk_count >= 9 and r.walk_count <= 12, r.coverage[2].total, r.coverage[2].passed)
      r = walk.run_tests { order = order, cover = { t = 2 }, constraints = { { 'P1', 'P2', function(a, b) return a ~= b end } } }
      print(r.coverage[2].total, r.coverage[2].passed)";
    job(definitions, body).code(0).stdout("true\t54\t54\n51\t51\n");
}

#[test]
fn a_suite_that_is_none_says_what_to_write() {
    let project = Project::new().file("suite.lua", "local x = 1").file("bad.lua", "return {");
    project.run(&["walk", "suite.lua"]).code(2).stderr_has("return { order = {");
    project.run(&["walk", "suite.lua", "--list"]).code(2).stderr_has("return { order = {");
    project.run(&["walk", "bad.lua", "--list"]).code(2).stderr_has("bad.lua:1");
    project.run(&["walk", "siute.lua"]).code(2).stderr_has("did you mean 'suite.lua'?");
    project.run(&["walk", "suite.lua", "--shard", "3/2"]).code(2).stderr_has("1/3");
}
