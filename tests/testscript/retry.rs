//! Sections that are run again when they fail: what an attempt begins with, which one counts, and what reports say of each.
use serde_json::{Value, json};

use super::{check, checked, run, run_with, script};
use crate::harness::{Project, check_results};

/// Lets a script count how often something was called.
const COUNT: &str =
    "local calls = {}\nlocal function count(name) calls[name] = (calls[name] or 0) + 1 return calls[name] end\n";

fn counting(body: &str) -> String {
    format!("{COUNT}{body}")
}

/// Passes at its second attempt, never, and at once.
const THREE: &str = r#"ts.common_setup():subsection("connect", function() print("connected") end)
local flaky = ts.testcase("Flaky", { groups = { "g" }, retry = 2 })
flaky:setup(function(self) self.n = (self.n or 0) + 1 print("setup", self.n, self.attempt) end)
flaky:test("a", function() if count "Flaky" == 1 then print("this is the first") error("not <yet>") end end)
flaky:cleanup(function() print("cleaned") end)
ts.testcase("Bad", { retry = 1 }):test("a", function() assert(false, "no " .. count "Bad") end)
ts.testcase("Good", { retry = 5 }):test("a", function() assert(count "Good" == 1) end)"#;

#[test]
fn an_attempt_begins_anew_and_the_last_one_counts() {
    let ended = run(&counting(THREE));
    let expected = "
        common_setup passed
          connect passed
        Flaky errored: a: t.lua:7: not <yet>
          setup passed
          a errored: t.lua:7: not <yet>
          cleanup passed
        Flaky passx: passed on attempt 2 of 3
          setup passed
          a passed
          cleanup passed
        Bad failed: a: t.lua:9: no 1
          a failed: t.lua:9: no 1
        Bad failed: a: t.lua:9: no 2
          a failed: t.lua:9: no 2
        Good passed
          a passed";
    checked(&ended, 1, expected);
    let output = String::from_utf8(ended.the_run().output("t", "stdout")).unwrap();
    assert_eq!(output, "connected\nsetup\t1\t1\nthis is the first\ncleaned\nsetup\t1\t2\ncleaned\n");
    ended.stderr_has("3 testcases: 1 passed, 1 passx (1 on a later attempt), 1 failed");
    ended.stderr_has("attempt 2 of 2: a: ");
}

#[test]
fn every_report_tells_of_each_attempt() {
    let project = script(&counting(THREE));
    let ended = project.run(&["run", "t.lua", "-v"]);
    ended.code(1);
    ended
        .stderr_has("ERRORED [")
        .stderr_has("Flaky: attempt 1 of 3: a: ")
        .stderr_has("t Flaky: passed on attempt 2 of 3");
    let run = ended.the_run();
    let results = run.results();
    check_results(&project, &results);
    let section = |uid: &str| {
        let sections = results["tasks"][0]["sections"].as_array().unwrap();
        sections.iter().find(|section| section["uid"] == uid).unwrap().clone()
    };
    let flaky = section("Flaky");
    assert_eq!(
        (&flaky["attempts"], &flaky["flaky"], &flaky["result"]["value"]),
        (&2.into(), &true.into(), &"passx".into())
    );
    let earlier = &flaky["earlier"][0];
    assert_eq!((&earlier["fullid"], &earlier["result"]["value"]), (&"Flaky".into(), &"errored".into()));
    let part = &earlier["sections"][1];
    assert_eq!((&part["fullid"], &part["result"]["value"]), (&"Flaky.a".into(), &"errored".into()));
    assert!(part["result"]["reason"].as_str().unwrap().ends_with("not <yet>"));
    assert!(part["result"]["data"]["traceback"].is_string() && earlier["logs"]["size"].as_u64().unwrap() > 0);
    let bad = section("Bad");
    assert_eq!((&bad["attempts"], bad.get("flaky"), bad["earlier"].as_array().unwrap().len()), (&2.into(), None, 1));
    let good = section("Good");
    assert_eq!((good.get("attempts"), good.get("flaky"), good.get("earlier")), (None, None, None));
    let counts = &results["section_counts"]["testcases"];
    assert_eq!((&counts["total"], &counts["passx"], &counts["flaky"]), (&3.into(), &1.into(), &1.into()));
    assert_eq!(results["section_counts"]["tests"]["total"], 3);

    let junit = run.text("results.xml");
    for part in [
        "tests=\"4\" skipped=\"0\" failures=\"1\" errors=\"0\"",
        "<flakyError ",
        "not &lt;yet&gt;\" type=\"errored\"",
        "<rerunFailure ",
        "no 1\" type=\"failed\"",
        "this is the first",
        "<property name=\"flaky\" value=\"true\"/>",
    ] {
        assert!(junit.contains(part), "{part}:\n{junit}");
    }
    assert_eq!((junit.matches("<flakyError ").count(), junit.matches("<rerunFailure ").count()), (1, 1));

    let tap = run.text("results.tap");
    assert!(tap.contains("ok 2 - Flaky\n    # attempt 1: errored: a: "), "{tap}");
    assert!(tap.contains("    # flaky: passed at attempt 2 of 3\n"), "{tap}");
    // The diagnosis stands right behind its test point.
    assert!(tap.contains("not ok 3 - Bad\n      ---\n"), "{tap}");
    assert!(tap.contains("      ...\n    # attempt 1: failed: a: "), "{tap}");

    let page = run.text("report.html");
    assert!(page.contains("Flaky <i>flaky</i>") && page.contains("Flaky <small>attempt 1</small>"), "{page}");
    assert!(page.contains("<small>attempt 1</small>") && page.contains("data-filter=\"flaky\""), "{page}");
    assert!(run.text("tasks/1-t/task.log").contains("testcase Flaky is run again: attempt 2 of 3"));
    // The log tells the same as the file.
    assert_eq!(project.run(&["runs", "show", "latest", "--json"]).code(0).json(), results);
    // What has failed twice is run again, and what has passed in the end is not.
    project.run(&["run", "--rerun", "latest"]).code(1);
    let again = project.run(&["runs", "show", "latest", "--json"]).code(0).json();
    let uids: Vec<Value> =
        again["tasks"][0]["sections"].as_array().unwrap().iter().map(|one| one["uid"].clone()).collect();
    assert_eq!(uids, [json!("common_setup"), json!("Bad")]);
}

#[test]
fn turns_of_loops_parts_and_bases_are_run_again_for_themselves() {
    let body = r#"local n = 0
local function turns() n = n + 1 if n <= 2 then return { v = n } end end
ts.testcase("Loop", { loop = { k = { 1, 2, 3 } }, retry = 1 }):test("t", function(_, p) assert(p.k ~= 2 or count "L" == 2) end)
ts.testcase("Lazy", { loop = turns, retry = 1 }):test("t", function(_, p) assert(count("Z" .. p.v) == 2) end)
local base = ts.testcase("Base", { retry = 1, parameters = { x = 1 } })
base:test("t", { retry = 2, loop = { j = { 1, 2 } } }, function(self, p)
  assert(p.x == 1) self.parameters.x = 2
  assert(count(self.uid .. p.j) >= 2)
end)
ts.testcase("Own", { base = base, retry = 0 })"#;
    let body = body.replace("assert(p.x == 1) self.parameters.x = 2", "assert(p.x == 1)");
    let expected = "
        Loop[k=1] passed
          t passed
        Loop[k=2] failed: t: t.lua:6: assertion failed!
          t failed: t.lua:6: assertion failed!
        Loop[k=2] passx: passed on attempt 2 of 2
          t passed
        Loop[k=3] passed
          t passed
        Lazy[v=1] failed: t: t.lua:7: assertion failed!
          t failed: t.lua:7: assertion failed!
        Lazy[v=1] passx: passed on attempt 2 of 2
          t passed
        Lazy[v=2] failed: t: t.lua:7: assertion failed!
          t failed: t.lua:7: assertion failed!
        Lazy[v=2] passx: passed on attempt 2 of 2
          t passed
        Base passx: t[j=1]: passed on attempt 2 of 3
          t[j=1] failed: t.lua:11: assertion failed!
          t[j=1] passx: passed on attempt 2 of 3
          t[j=2] failed: t.lua:11: assertion failed!
          t[j=2] passx: passed on attempt 2 of 3
        Own passx: t[j=1]: passed on attempt 2 of 3
          t[j=1] failed: t.lua:11: assertion failed!
          t[j=1] passx: passed on attempt 2 of 3
          t[j=2] failed: t.lua:11: assertion failed!
          t[j=2] passx: passed on attempt 2 of 3";
    check(&counting(&body), 0, expected);
}

#[test]
fn parameters_of_an_attempt_are_as_at_the_first() {
    let body = r#"ts.testcase("T", { retry = 1, parameters = { x = 1 }, loop = { k = { 7 } } }):test("t", function(self, p)
  print(p.x, p.k) self.parameters.x = 2
  assert(self.attempt == 2)
end)"#;
    let ended = run(body);
    ended.code(0);
    assert_eq!(String::from_utf8(ended.the_run().output("t", "stdout")).unwrap(), "1\t7\n1\t7\n");
}

#[test]
fn what_the_last_attempt_says_decides_what_follows() {
    let body = r#"local seen = {}
local function post(self, _, section) seen[#seen + 1] = section.uid .. "=" .. section.result end
local first = ts.testcase("First", { retry = 1, must_pass = true, post = post })
first:test("a", function(self) if count "First" == 1 then self:failed("away", { go_to = "exit" }) end end)
local second = ts.testcase("Second", { retry = 1 })
second:test("a", function(self) count "Second" self:failed("no", { go_to = "common_cleanup" }) end)
ts.testcase("Third"):test("a", function() end)
ts.common_cleanup():subsection("c", function() print(table.concat(seen, " "), calls.Second) end)"#;
    let ended = run(&counting(body));
    let expected = "
        First failed: a: away
          a failed: away
        First passx: passed on attempt 2 of 2
          a passed
        Second failed: a: no
          a failed: no
        Second failed: a: no
          a failed: no
        Third blocked: jumped over on the way to common_cleanup
          a blocked: jumped over on the way to common_cleanup
        common_cleanup passed
          c passed";
    checked(&ended, 1, expected);
    let output = String::from_utf8(ended.the_run().output("t", "stdout")).unwrap();
    assert_eq!(output, "First=failed First=passed\t2\n");
    let counted = r#"ts.max_failures = 1
ts.testcase("A", { retry = 1 }):test("t", function() assert(count "A" == 2) end)
ts.testcase("B"):test("t", function() end)"#;
    let expected = "
        A failed: t: t.lua:5: assertion failed!
          t failed: t.lua:5: assertion failed!
        A passx: passed on attempt 2 of 2
          t passed
        B passed
          t passed";
    check(&counting(counted), 0, expected);
}

#[test]
fn only_what_failed_or_was_errored_is_run_again() {
    for (word, attempts) in
        [("passed", 1), ("skipped", 1), ("blocked", 1), ("aborted", 1), ("passx", 1), ("failed", 3), ("errored", 3)]
    {
        let body =
            format!("ts.testcase('T', {{ retry = 2 }}):test('t', function(self) print('tried') self:{word}('so') end)");
        let ended = run(&body);
        let output = String::from_utf8(ended.the_run().output("t", "stdout")).unwrap();
        assert_eq!(output.lines().count(), attempts, "{word}");
    }
    // It was not left out at first, so it is not left out now; what it says itself holds.
    let body = r#"ts.testcase("Skip", { retry = 1, skip_if = function() return count "s" > 1 end }):test("t", function() assert(count "S" == 2) end)
ts.testcase("Says", { retry = 1 }):test("t", function(self) if count "t" == 2 then self:skipped("not now") end assert(false) end)
ts.testcase("Passx", { retry = 1 }):test("t", function(self) if count "p" == 2 then self:passx("a remark") end assert(false) end)"#;
    let expected = "
        Skip failed: t: t.lua:4: assertion failed!
          t failed: t.lua:4: assertion failed!
        Skip passx: passed on attempt 2 of 2
          t passed
        Says failed: t: t.lua:5: assertion failed!
          t failed: t.lua:5: assertion failed!
        Says skipped: t: not now (skipped on attempt 2 of 2)
          t skipped: not now
        Passx failed: t: t.lua:6: assertion failed!
          t failed: t.lua:6: assertion failed!
        Passx passx: t: a remark (passed on attempt 2 of 2)
          t passx: a remark";
    check(&counting(body), 0, expected);
}

#[test]
fn the_command_line_says_how_often() {
    let body = counting(
        r#"ts.testcase("None"):test("t", function() print("None") assert(false) end)
ts.testcase("Own", { retry = 1 }):test("t", function() print("Own") assert(false) end)
ts.testcase("Loop[x", { loop = { size = { 64, 65 } } }):test("t", function(_, p) print("Loop" .. p.size) assert(false) end)"#,
    );
    let cases: [(&[&str], [usize; 4]); 7] = [
        (&[], [1, 2, 1, 1]),
        (&["--retry", "2"], [3, 2, 3, 3]),
        (&["--retry", "2", "--retry", "0"], [1, 2, 1, 1]),
        (&["--retry", "Own=2"], [1, 3, 1, 1]),
        (&["--retry", "N* or Own=0", "--retry", "1"], [1, 1, 2, 2]),
        (&["--retry", "*[[]x[[]size=64]=3"], [1, 2, 4, 1]),
        (&["--retry", "*=3", "--retry", "None=1"], [2, 4, 4, 4]),
    ];
    for (options, expected) in cases {
        let ended = run_with(&body, options);
        let output = String::from_utf8(ended.code(1).the_run().output("t", "stdout")).unwrap();
        let count = |name: &str| output.lines().filter(|line| *line == name).count();
        assert_eq!(["None", "Own", "Loop64", "Loop65"].map(count), expected, "{options:?}");
    }
}

#[test]
fn wrong_retries_are_told() {
    let body = "ts.testcase('Ping', { retry = 1 }):test('t', function() end)";
    for (option, told) in [
        ("x", "'x' is no whole number from 0 to 1000; write N, or UID=N such as Ping=2"),
        ("Ping=", "'' is no whole number"),
        ("=2", "the uid before '=' is missing"),
        ("a and=2", "--retry 'a and': at character 6: a pattern is missing"),
    ] {
        let project = script(body);
        project.run(&["run", "t.lua", "--retry", option]).code(2).stderr_has(told);
        assert_eq!(project.runs().len(), 0, "{option}");
    }
    run_with(body, &["--retry", "Pnig=2"]).code(0).stderr_has("no testcase fits --retry 'Pnig'; did you mean 'Ping'?");
    run_with(body, &["--retry", "Ping=2"]).code(0).stderr_lacks("no testcase fits");
    for (option, told) in [
        ("retry = -1", "retry must be a whole number from 0 to 1000, such as retry = 2, not the number -1"),
        ("retry = 1.5", "retry must be a whole number"),
        ("retry = true", "retry must be a whole number"),
        ("retry_wait = -1", "retry_wait must be a number of seconds from 0"),
        ("retry_wait = '1'", "retry_wait must be a number of seconds from 0"),
        ("retyr = 1", "testcase 'Ping' has no key 'retyr'; did you mean 'retry'?"),
    ] {
        let ended = run(&body.replace("retry = 1", option));
        ended.code(1).reason_has("t", told);
    }
}

#[test]
fn a_script_that_dies_in_a_later_attempt_has_not_passed() {
    let body = r#"ts.testcase("T", { retry = 2 }):test("t", function() if count "T" == 2 then os.exit(0) end assert(false, "no") end)"#;
    let ended = run(&counting(body));
    ended.code(1).reason_has("t", "T.t: the script left by os.exit(0)");
    let section = ended.the_run().task("t")["sections"][0].clone();
    assert_eq!((&section["result"]["value"], &section["attempts"]), (&"errored".into(), &2.into()));
    assert_eq!(section["earlier"][0]["result"]["value"], "failed");
}

#[test]
fn a_wait_before_an_attempt_ends_with_its_task() {
    let body = r#"local T = ts.testcase("T", { retry = 1, retry_wait = 1000 })
T:test("t", function() io.open("failed", "w"):close() assert(false) end)
T:cleanup(function() print("cleaned") end)"#;
    let project = Project::new()
        .main("job.run { testscript = 't.lua', taskid = 't', cwd = '.', max_runtime = 0.5 }")
        .file("t.lua", format!("local ts = require 'rille.testscript'\n{body}\n"));
    let ended = project.job(&[]);
    ended.code(1).outcomes("t=errored");
    let quick = run_with(
        &counting(
            r#"ts.testcase("T", { retry = 1, retry_wait = 0.01 }):test("t", function() assert(count "T" == 2) end)"#,
        ),
        &[],
    );
    quick.code(0);
    assert!(quick.the_run().task("t")["seconds"].as_f64().unwrap() >= 0.01);
}

#[test]
fn how_often_is_said_by_settings_too() {
    let script = "local ts = require 'rille.testscript'\nlocal count = 0\n\
                  ts.testcase('A'):test('t', function(self) count = count + 1 assert(count == 2) end)\n";
    let project = || Project::new().file("t.lua", script);
    project().run(&["run", "t.lua", "-q"]).code(1).outcomes("t=failed");
    let set = || project().file("rille.toml", "retry = 1\n");
    set().run(&["run", "t.lua", "-q"]).code(0).outcomes("t=passx");
    project().env("RILLE_RETRY", "1").run(&["run", "t.lua", "-q"]).code(0).outcomes("t=passx");
    // An option is above all.
    set().run(&["run", "t.lua", "-q", "--retry", "0"]).code(1).outcomes("t=failed");
    for wrong in ["1001", "-1", "'two'"] {
        let refused = project().file("rille.toml", format!("retry = {wrong}\n")).run(&["run", "t.lua"]);
        refused.code(2).stderr_has("rille.toml:1: retry must be a whole number from 0 to 1000");
    }
}
