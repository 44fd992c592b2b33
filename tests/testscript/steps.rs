//! Steps: numbering, nesting, going on after a bad one, and what of them reaches the section.

use super::{checked, run};

#[test]
fn steps_are_numbered_nested_and_end_their_section_unless_they_go_on() {
    let body = r#"local case = ts.testcase("Tc")
case:test("nested", function(self, p, steps)
  steps:start("one", function(step)
    step:start("a", function(inner) inner:start("deep", function() end) end)
    step:start("b", { description = "the second" }, function() end)
  end)
  steps:start("two", function(step) step:passed("early") print("reached") end)
end)
case:test("stops", function(self, p, steps)
  steps:start("bad", function() assert(false, "no") end)
  print("reached")
end)
case:test("goes on", function(self, p, steps)
  steps:start("bad", { continue = true }, function(step) step:failed("no") end)
  assert(steps:start("good", function() end) == "passed")
  print("went on")
end)
case:test("inner", function(self, p, steps)
  steps:start("outer", { continue = true }, function(step)
    step:start("bad", function() error("boom", 0) end)
    print("reached")
  end)
  steps:start("after", function() end)
end)
case:test("section reports", function(self, p, steps)
  steps:start("s", { continue = true }, function() self:skipped("whole") end)
  print("reached")
end)
case:test("good", function(self, p, steps)
  steps:start("px", function(step) step:passx("with a remark") end)
  steps:start("sk", function(step) step:skipped() end)
end)
case:test("swallowed", function(self, p, steps) pcall(steps.start, steps, "bad", function(step) step:errored("e") end) end)"#;
    let expected = "
        Tc errored: inner: step 1 'outer' errored: step 1.1 'bad' errored: boom
          nested passed
            1 one passed
              1.1 a passed
                1.1.1 deep passed
              1.2 b passed
            2 two passed: early
          stops failed: step 1 'bad' failed: t.lua:11: no
            1 bad failed: t.lua:11: no
          goes on failed: step 1 'bad' failed: no
            1 bad failed: no
            2 good passed
          inner errored: step 1 'outer' errored: step 1.1 'bad' errored: boom
            1 outer errored: step 1.1 'bad' errored: boom
              1.1 bad errored: boom
            2 after passed
          section reports skipped: whole
            1 s skipped: whole
          good passx: step 1 'px' passx: with a remark
            1 px passx: with a remark
            2 sk skipped
          swallowed errored: step 1 'bad' errored: e
            1 bad errored: e";
    let ended = run(body);
    checked(&ended, 1, expected);
    ended.stderr_has("went on").stderr_lacks("reached");
    let started = ended.the_run().events_of("section-started");
    let second = started.iter().find(|event| event["plan"]["uid"] == "1.2 b").unwrap();
    assert_eq!(second["plan"]["description"], "the second");
    assert_eq!(second["plan"]["line"], 6);
    let log = ended.the_run().text("tasks/1-t/task.log");
    let report = "steps of nested:\n      1 one: PASSED\n        1.1 a: PASSED\n          1.1.1 deep: PASSED\n        1.2 b: PASSED";
    assert!(log.contains(report), "{log}");
}

#[test]
fn a_step_misused_is_told() {
    let body = r#"local case = ts.testcase("Tc")
local kept
case:test("keeps", function(self, p, steps) kept = steps end)
case:test("late", function() kept:start("s", function() end) end)
case:test("no function", function(self, p, steps) steps:start("s") end)
case:test("no name", function(self, p, steps) steps:start(function() end) end)
case:test("dot", function(self, p, steps) steps.start("s", function() end) end)
case:test("option", function(self, p, steps) steps:start("s", { continu = true }, function() end) end)
case:test("ended", function(self, p, steps)
  local step
  steps:start("s", function(s) step = s end)
  step:failed("too late")
end)"#;
    let expected = "
        Tc errored: late: t.lua:5: step 's' cannot start: the test that it would be a part of has ended
          keeps passed
          late errored: t.lua:5: step 's' cannot start: the test that it would be a part of has ended
          no function errored: t.lua:6: step 's' needs a function, not a nil
          no name errored: t.lua:7: the name of a step is a string, not a function
          dot errored: t.lua:8: write steps:start(…), with a colon
          option errored: t.lua:9: step 's' has no key 'continu'; did you mean 'continue'?
          ended errored: t.lua:13: failed was reported for a step that does not run
            1 s passed";
    checked(&run(body), 1, expected);
}
