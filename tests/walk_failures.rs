//! Failing walks told apart, made short, confirmed and run again; and what ends a suite before all walks have run.

use crate::harness::{Ended, Project};

/// Checks what was shown, on whichever stream.
#[track_caller]
fn shows(ended: &Ended, part: &str) {
    assert!(ended.whole().contains(part), "expected: {part}\n{ended}");
}

/// Runs a suite whose file defines `order`; `options` are further ones of `run_tests`.
fn walk(definitions: &str, options: &str, args: &[&str]) -> Ended {
    project(definitions, options).run(&[&["walk", "suite.lua"], args].concat())
}

fn project(definitions: &str, options: &str) -> Project {
    let text = format!(
        "local walk = require 'rille.walk'\nlocal log = require('rille.log').get('net')\n\
         local function A(name, options, run) return walk.action {{ name = name, options = options, run = run or function() end }} end\n\
         local function S(name, run) return walk.serial_action {{ name = name, options = {{ 1 }}, run = run }} end\n\
         local order = {{}}\n{definitions}\nreturn {{ order = order, {options} }}\n"
    );
    Project::new().file("suite.lua", text)
}

#[test]
fn each_way_of_failing_has_its_shortest_walk_whatever_stands_on_the_line() {
    // One line holds three checks; the last of them fails in many more walks, and where the state is missing altogether.
    let definitions = "for i, n in ipairs { 'A', 'B', 'C' } do order[i] = A(n, { 0, 1, 2, 3 }, function(p, s) s[n] = p
  if n == 'C' then if s.A == 3 and p == 3 then error('both ' .. s.B) end if s.B == 2 and p >= 1 then error('other ' .. p) end assert(s.A < 3, 'A is ' .. s.A) end
end) end";
    let project = project(definitions, "state = {}, shrink = true, workers = 2");
    let ended = project.run(&["walk", "suite.lua"]);
    ended.code(1);
    let shrunk = &project.the_run().results()["walks"][0]["end"]["shrunk"];
    let found: Vec<(u64, &str)> = shrunk
        .as_array()
        .into_iter()
        .flatten()
        .map(|walk| (walk["walks"].as_u64().unwrap_or(0), walk["walk"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(found, [(11, "B(2), C(1)"), (10, "A(3), C(0)"), (4, "A(3), B(0), C(3)")], "{ended}");
    shows(&ended, "the shortest to fail like walks 48, 49, 50 and 7 more: A(3), C(0)\n");
    // What is left can be run again, one by one, the first where no id is given.
    for (args, message) in [
        (vec!["replay", "latest", "--shrunk"], "walk 9 failed: "),
        (vec!["replay", "latest", "48", "--shrunk"], "walk 48 failed: "),
    ] {
        project.run(&args).code(1).stdout_has(message);
    }
    project.run(&["replay", "latest", "5", "--shrunk"]).code(2).stderr_has("cannot find walk with id 5");
}

#[test]
fn a_failure_that_does_not_come_back_is_flaky_and_no_shortest_walk() {
    // In each process the first walk with B(2) fails.
    let once = "local first = true
order[1] = A('A', { 1, 2, 3 }) order[2] = A('B', { 1, 2, 3 }, function(p) if first and p == 2 then first = false error('only once') end end)";
    let ended = walk(once, "shrink = true, workers = 1", &[]);
    ended.code(1);
    shows(&ended, "walk 1: flaky: A(1), B(2) failed, then passed when it was run again\n");
    assert!(!ended.whole().contains("the shortest"), "{ended}");
    // In a worker of its own it does not fail at all.
    let behind = "local before = 0
order[1] = A('A', { 1, 2, 3 }, function() before = before + 1 if before == 3 then error('third') end end)";
    let ended = walk(behind, "shrink = true, workers = 1", &[]);
    ended.code(1);
    shows(&ended, "walk 2: flaky: walk 2 did not fail so when it was run again\n");
}

#[test]
fn no_more_walks_start_once_enough_have_failed() {
    let down = "local t = {} for i = 1, 5000 do t[i] = i end order[1] = A('A', t, function(p) if p > 2 then error('down') end end)";
    let cases: [(&str, &[&str], u64); 4] = [
        ("", &["--max-failures", "3"], 3),
        ("max_failures = 2", &[], 2),
        ("max_failures = 200", &["--failfast"], 1),
        ("gather_states = true", &["--max-failures", "5"], 5),
    ];
    for (options, args, failures) in cases {
        let project = project(down, &format!("workers = 1, {options}"));
        let args = [&["walk", "suite.lua", "-q"], args].concat();
        let ended = project.run(&args);
        ended.code(1);
        let end = &project.the_run().results()["walks"][0]["end"];
        assert_eq!((&end["failed"], &end["walk_count"]), (&failures.into(), &(failures + 2).into()), "{end}");
        assert_eq!(end["not_run"], 4998 - failures, "{end}");
        shows(&ended, if failures == 1 { ": a walk has failed\n" } else { " walks have failed\n" });
    }
    // Where they were the last ones, nothing was stopped.
    let ended =
        walk("order[1] = A('A', { 1, 2 }, function() error('down') end)", "workers = 1", &["--max-failures", "2"]);
    ended.code(1);
    assert!(!ended.whole().contains("not run"), "{ended}");
}

#[test]
fn a_serial_action_that_takes_too_long_ends_the_suite() {
    let before = "order[1] = A('A', { 1, 2 }) order[2] = S('T', function() RUN end) order[3] = A('C', { 1 })";
    // The second does not heed its limit and is killed.
    for (run, how) in [
        ("while true do end", "the serial action took longer than 0.3 s (max_walk_runtime) and was ended"),
        ("string.rep('a', 1 << 20):find(('a-'):rep(60) .. 'b')", "did not heed its time limit"),
    ] {
        let options = "workers = 1, max_walk_runtime = 0.3";
        let project = project(&before.replace("RUN", run), options).env("RILLE_GRACE", "0.2");
        let ended = project.run(&["walk", "suite.lua", "-q"]);
        ended.code(1);
        shows(&ended, "2 were not run: a serial action failed: ");
        shows(&ended, how);
    }
    // One that is quick enough, many times over, is not ended.
    let quick = before.replace("RUN", "local till = os.clock() + 0.02 repeat until os.clock() > till");
    walk(&quick, "workers = 1, max_walk_runtime = 30", &["-q"]).code(0);
}

#[test]
fn verbose_says_from_which_level_on_the_log_is_shown_and_kept() {
    let talks = "order[1] = A('A', { 1 }, function() log:error('an-error') log:warning('a-warning') log:info('some-info') log:debug('a-detail') end)";
    for (verbose, shown, kept) in [
        ("0", &["an-error", "a-warning"][..], 3),
        ("1", &["an-error", "a-warning", "some-info"], 3),
        ("2", &["an-error", "a-warning", "some-info", "a-detail"], 4),
    ] {
        let project = project(talks, "workers = 1");
        let ended = project.run(&["walk", "suite.lua", "-q", "--verbosity", verbose]);
        ended.code(0);
        let log = project.the_run().path().join("tasks/1-walks-1_worker-1/task.log");
        let log = std::fs::read_to_string(&log).unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        for (number, word) in ["an-error", "a-warning", "some-info", "a-detail"].into_iter().enumerate() {
            let text = ended.whole();
            assert_eq!(text.matches(word).count(), usize::from(shown.contains(&word)), "{verbose}: {word}: {ended}");
            assert_eq!(log.matches(word).count(), usize::from(number < kept), "{verbose}: {word}: {log}");
        }
    }
}

#[test]
fn a_sample_is_of_allowed_walks_as_many_as_there_are() {
    let many = "local t = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 } for i = 1, 12 do order[i] = A('P' .. i, t) end";
    let options = "constraints = { { 'P1', 'P2', function(a, b) return a == b end }, { 'P3', 'P4', function(a, b) return a + b == 3 end } }";
    let list = |args: &[&str]| walk(many, options, &[&["--list", "--seed", "4"], args].concat()).code(0).out();
    let listed = list(&["--sample", "100"]);
    assert_eq!(listed.lines().count(), 100);
    assert_eq!(listed, list(&["--sample", "100"]));
    // Shards part the sample.
    let parts: usize =
        ["1/3", "2/3", "3/3"].map(|shard| list(&["--sample", "100", "--shard", shard]).lines().count()).iter().sum();
    assert_eq!(parts, 100);
    let few = "order[1] = A('A', { 1, 2, 3 }) order[2] = A('B', { 1, 2, 3 })";
    let same = "sample = 50, constraints = { { 'A', 'B', function(a, b) return a == b end } }";
    let project = project(few, same);
    let ended = project.run(&["walk", "suite.lua", "-q"]);
    ended.code(0);
    shows(&ended, "Ran 3 walks (0 errors)");
    assert!(project.the_run().warnings().contains("the constraints allow 3: these are all"));
}
