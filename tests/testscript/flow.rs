//! What blocks what, what is left out, and where a section can jump to.

use super::{check, checked, run, run_with};

#[test]
fn sections_run_in_the_order_of_definition_with_one_self_a_testcase() {
    let body = r#"ts.common_cleanup():subsection("last", function(self) print(self.uid, self.parent.uid) end)
local b = ts.testcase("B", { groups = { "g" } })
b:cleanup(function(self) print("cleanup", self.n) end)
b:test("t1", function(self) self.n = self.n + 1 end)
b:setup(function(self) self.n = 1 print(self.uid, self.groups[1]) end)
b:test("t2", function(self) self.n = self.n + 1 end)
ts.testcase("A"):test("t", function(self) assert(self.n == nil) end)
ts.common_setup():subsection("first", function() end):subsection("second", function() end)"#;
    let expected = "
        common_setup passed
          first passed
          second passed
        B passed
          setup passed
          t1 passed
          t2 passed
          cleanup passed
        A passed
          t passed
        common_cleanup passed
          last passed";
    let ended = run(body);
    checked(&ended, 0, expected);
    let output = String::from_utf8(ended.the_run().output("t", "stdout")).unwrap();
    assert_eq!(output, "B\tg\ncleanup\t3\ncommon_cleanup\tt\n");
}

#[test]
fn a_failed_setup_blocks_the_tests_and_the_cleanup_runs() {
    let body = r#"local case = ts.testcase("Tc")
case:setup(function(self) self:failed("no device") end)
case:test("a", function() end)
case:test("b", { loop = { n = { 1, 2 } } }, function() end)
case:cleanup(function() end)
ts.testcase("Next"):test("t", function() end)"#;
    let expected = "
        Tc failed: setup: no device
          setup failed: no device
          a blocked: the setup did not pass: no device
          b[n=1] blocked: the setup did not pass: no device
          b[n=2] blocked: the setup did not pass: no device
          cleanup passed
        Next passed
          t passed";
    check(body, 1, expected);
    check(
        &body.replace("failed(", "skipped("),
        0,
        &expected
            .replace("failed: setup: ", "passed")
            .replace("passedno device\n          setup failed", "passed\n          setup skipped")
            .replace("blocked: the setup did not pass: no device", "passed"),
    );
}

#[test]
fn a_failed_common_setup_blocks_the_testcases_and_the_common_cleanup_runs() {
    let body = r#"ts.common_setup()
  :subsection("one", function() error("gone", 0) end)
  :subsection("two", function() end)
local case = ts.testcase("Tc")
case:setup(function() end)
case:test("t", function() end)
case:cleanup(function() end)
ts.common_cleanup():subsection("end", function() end)"#;
    let blocked = "blocked: common setup did not pass: one: gone";
    let expected = format!(
        "
        common_setup errored: one: gone
          one errored: gone
          two passed
        Tc {blocked}
          setup {blocked}
          t {blocked}
          cleanup {blocked}
        common_cleanup passed
          end passed"
    );
    let ended = run(body);
    checked(&ended, 1, &expected);
    ended.outcomes("t=errored").reason_has("t", "common_setup: one: gone (2 of 3 did not pass)");
}

#[test]
fn what_must_pass_blocks_the_rest() {
    let body = r#"ts.common_setup():subsection("s", { must_pass = true }, function() end)
local first = ts.testcase("First", { must_pass = true })
first:test("a", { must_pass = true }, function(self) self:failed("no") end)
first:test("b", function() end)
first:cleanup(function() end)
ts.testcase("Second"):test("t", function() end)
ts.common_cleanup():subsection("end", function() end)"#;
    let expected = "
        common_setup passed
          s passed
        First failed: a: no
          a failed: no
          b blocked: test 'a' must pass and did not: no
          cleanup passed
        Second blocked: testcase 'First' must pass and did not
          t blocked: testcase 'First' must pass and did not
        common_cleanup passed
          end passed";
    check(body, 1, expected);
}

#[test]
fn after_max_failures_the_rest_is_blocked() {
    let body = r#"for i = 1, 4 do ts.testcase("Tc" .. i):test("t", function(self) if i > 1 then self:failed() end end) end
ts.common_cleanup():subsection("end", function() end)"#;
    let all = "
        Tc1 passed
          t passed
        Tc2 failed: t
          t failed
        Tc3 failed: t
          t failed
        Tc4 failed: t
          t failed
        common_cleanup passed
          end passed";
    check(body, 1, all);
    let blocked = "blocked: 2 testcases failed, which is as many as may (max_failures)";
    let some = all.replace("Tc4 failed: t\n          t failed", &format!("Tc4 {blocked}\n          t {blocked}"));
    check(&format!("ts.max_failures = 2\n{body}"), 1, &some);
    checked(&run_with(&format!("ts.max_failures = 1\n{body}"), &["--max-failures", "2"]), 1, &some);
    run_with(body, &["--max-failures", "0"]).code(2);
}

#[test]
fn a_section_jumps_forward_and_what_it_jumps_over_is_skipped_or_blocked() {
    let body = |result: &str, target: &str| {
        format!(
            r#"ts.common_setup():subsection("s", function() end)
local case = ts.testcase("Tc")
case:test("a", function(self) self:{result}("go", {{ go_to = "{target}" }}) end)
case:test("b", {{ loop = {{ n = {{ 1 }} }} }}, function() end)
case:cleanup(function() end)
ts.testcase("Next"):test("t", function() end)
ts.common_cleanup():subsection("end", function() end)"#
        )
    };
    let expected = |result: &str, over: &str, target: &str, cleanup: &str, next: &str, end: &str| {
        let over = format!("{over}: jumped over on the way to {target}");
        let show = |what: &str| if what == "over" { over.clone() } else { what.to_owned() };
        let worst = match result {
            _ if target == "exit" => format!("aborted: b[n=1]: jumped over on the way to {target}"),
            "failed" => "failed: a: go".to_owned(),
            _ => "passed".to_owned(),
        };
        format!(
            "
            common_setup passed
              s passed
            Tc {worst}
              a {result}: go
              b[n=1] {over}
              cleanup {}
            Next {}
              t {}
            common_cleanup {}
              end {}",
            show(cleanup),
            show(next),
            show(next),
            show(end),
            show(end)
        )
    };
    for (result, over, code) in [("passed", "skipped", 0), ("failed", "blocked", 1)] {
        check(&body(result, "exit"), 1, &expected(result, "aborted", "exit", "over", "over", "over"));
        for (target, cleanup, next, end) in [
            ("cleanup", "passed", "passed", "passed"),
            ("next_tc", "over", "passed", "passed"),
            ("common_cleanup", "over", "over", "passed"),
        ] {
            check(&body(result, target), code, &expected(result, over, target, cleanup, next, end));
        }
    }
}

#[test]
fn a_target_that_is_none_from_here_is_an_error_that_names_them() {
    let body = r#"ts.common_setup():subsection("s", function(self) self:passed("", { ["goto"] = "next_tc" }) end)
local case = ts.testcase("Tc")
case:test("slip", function(self) self:failed("x", { go_to = "claenup" }) end)
case:test("list", function(self) self:passed("x", { go_to = { "cleanup", "exit" } }) end)
case:test("step", function(self, p, steps) steps:start("s", function(step) step:passed("x", { go_to = "exit" }) end) end)
case:cleanup(function(self) self:passed("x", { go_to = "cleanup" }) end)
ts.common_cleanup():subsection("end", function(self) self:passed("x", { go_to = "next_tc" }) end)"#;
    let expected = "
        common_setup passed: s: 
          s passed: 
        Tc errored: slip: t.lua:4: a test cannot go to 'claenup', did you mean 'cleanup'?; from here it can go to: cleanup, next_tc, common_cleanup, exit
          slip errored: t.lua:4: a test cannot go to 'claenup', did you mean 'cleanup'?; from here it can go to: cleanup, next_tc, common_cleanup, exit
          list errored: t.lua:5: go_to takes one target
          step errored: step 1 's' errored: t.lua:6: a step cannot jump; let the section report: self:passed
            1 s errored: t.lua:6: a step cannot jump; let the section report: self:passed
          cleanup errored: t.lua:7: a cleanup cannot go to 'cleanup'; from here it can go to: next_tc, common_cleanup, exit
        common_cleanup errored: end: t.lua:8: a subsection cannot go to 'next_tc'; from here it can go to: exit
          end errored: t.lua:8: a subsection cannot go to 'next_tc'; from here it can go to: exit";
    check(body, 1, &expected.replace("common_setup passed: s: ", "common_setup passed"));
}

#[test]
fn sections_are_skipped_with_a_reason() {
    let body = r#"ts.parameters { fast = true }
ts.testcase("Always", { skip = "not today" }):test("t", function() end)
local case = ts.testcase("Tc")
case:setup({ skip = true }, function() end)
case:test("text", { skip = "why" }, function() end)
case:test("if", { skip_if = function(self, p) return p.fast, "too fast" end }, function() end)
case:test("if not", { skip_if = function(self, p) return not p.fast end }, function() end)
case:test("unless", { skip_unless = { false, "no licence" } }, function() end)
case:test("unless function", { skip_unless = function(self, p) return p.slow end }, function() end)
case:test("raises", { skip_if = function() error("odd") end }, function() end)
case:test("reports", { skip_if = function(self) self:blocked("by hand") end }, function() end)"#;
    let expected = "
        Always skipped: not today
          t skipped: not today
        Tc errored: raises: its skip condition raised: t.lua:11: odd
          setup skipped: skip is set
          text skipped: why
          if skipped: too fast
          if not passed
          unless skipped: no licence
          unless function skipped: its skip_unless does not hold
          raises errored: its skip condition raised: t.lua:11: odd
          reports blocked: by hand";
    check(body, 1, expected);
}
