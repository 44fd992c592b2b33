//! How sections end: by a method, by an assertion, by an error; and how that rolls up.

use super::{check, checked, run, short};

#[test]
fn every_result_ends_its_section_at_once() {
    let body = r#"local case = ts.testcase("All")
for _, result in ipairs { "passed", "failed", "errored", "skipped", "blocked", "aborted", "passx" } do
  case:test(result, function(self)
    local function inner() self[result](self, "because") end
    inner()
    print("reached")
  end)
end"#;
    let ended = run(body);
    let expected = "
        All aborted: aborted: because
          passed passed: because
          failed failed: because
          errored errored: because
          skipped skipped: because
          blocked blocked: because
          aborted aborted: because
          passx passx: because";
    checked(&ended, 1, expected);
    ended.outcomes("t=aborted").reason_has("t", "All: aborted: because").stderr_lacks("reached");
}

#[test]
fn an_assertion_is_failed_and_any_other_error_is_errored_with_a_traceback() {
    let body = r#"local case = ts.testcase("Tc")
case:test("asserts", function() assert(1 == 2, "one is not two") end)
case:test("plain", function() assert(false) end)
case:test("raises", function() error("boom") end)
case:test("object", function() error({ code = 7 }) end)
case:test("nothing", function() error() end)
case:test("calls nil", function() local x = nil; x() end)
case:test("deep", function() local function f() return 1 + f() end; f() end)
case:test("good", function() end)"#;
    let ended = run(body);
    ended.code(1);
    let events = ended.the_run().events_of("section-finished");
    let of = |at: usize| {
        let reason = short(events[at]["reason"].as_str().unwrap_or_default());
        format!("{} {reason}", events[at]["outcome"].as_str().unwrap())
    };
    assert_eq!(of(0), "failed t.lua:3: one is not two");
    assert_eq!(of(1), "failed t.lua:4: assertion failed!");
    assert_eq!(of(2), "errored t.lua:5: boom");
    assert_eq!(of(3), "errored { code = 7 }");
    assert_eq!(of(4), "errored error(nil) was raised");
    assert!(of(5).starts_with("errored t.lua:8: attempt to call a nil value (local 'x')"), "{}", of(5));
    assert!(of(6).starts_with("errored t.lua:9: stack overflow"), "{}", of(6));
    assert_eq!(of(7), "passed ");
    assert_eq!(events[0]["data"]["kind"], "assertion");
    assert_eq!(events[2]["data"]["kind"], "error");
    let traceback = short(events[2]["data"]["traceback"].as_str().unwrap());
    assert_eq!(traceback, "t.lua:5: in function <t.lua:5>");
    ended.outcomes("t=errored");
}

#[test]
fn a_result_survives_every_pcall_of_the_user() {
    let body = r#"local case = ts.testcase("Tc")
case:test("pcall", function(self) pcall(function() self:failed("no") end) print("reached") end)
case:test("nested", function(self) pcall(pcall, pcall, self.failed, self, "no") print("reached") end)
case:test("xpcall", function(self) xpcall(self.failed, function(e) return "mine" end, self, "no") print("reached") end)
case:test("coroutine", function(self)
  local thread = coroutine.create(function() self:failed("no") end)
  coroutine.resume(thread)
end)
case:test("close", function(self)
  local guard <close> = setmetatable({}, { __close = function() error("other") end })
  self:failed("no")
end)
case:test("swallowed, then passed", function(self)
  coroutine.resume(coroutine.create(function() self:failed("no") end))
  self:passed("yes")
end)
case:test("errors are the user's", function()
  local ok, err = pcall(error, "mine")
  assert(not ok and err == "mine")
  assert(select(2, xpcall(error, function(e) return e .. "!" end, "mine")) == "mine!")
  assert(select('#', pcall(function() return nil, nil end)) == 3)
  assert(not pcall(assert, false))
end)"#;
    let ended = run(body);
    let expected = "
        Tc errored: close: other
          pcall failed: no
          nested failed: no
          xpcall failed: no
          coroutine failed: no
          close errored: t.lua:11: other
          swallowed, then passed failed: no
          errors are the user's passed";
    let ended_expected = expected.replace("close: other", "close: t.lua:11: other");
    checked(&ended, 1, &ended_expected);
    ended.stderr_lacks("reached");
}

#[test]
fn all_49_pairs_of_results_roll_up_through_testcase_and_task() {
    let order = ["aborted", "errored", "failed", "blocked", "passx", "passed", "skipped"];
    let body = r#"local order = { "aborted", "errored", "failed", "blocked", "passx", "passed", "skipped" }
for _, a in ipairs(order) do
  for _, b in ipairs(order) do
    local case = ts.testcase(a .. "+" .. b)
    case:test("a", function(self) self[a](self) end)
    case:test("b", function(self) self[b](self) end)
  end
end"#;
    let ended = run(body);
    ended.code(1).outcomes("t=aborted");
    let run = ended.the_run();
    let planned = run.events_of("task-planned").remove(0);
    let sections = planned["sections"].as_array().unwrap();
    let mut pairs = 0;
    for event in run.events_of("section-finished") {
        let section = &sections[usize::try_from(event["section"].as_u64().unwrap()).unwrap() - 1];
        if section["kind"] != "testcase" {
            continue;
        }
        let uid = section["uid"].as_str().unwrap();
        let (a, b) = uid.split_once('+').unwrap();
        let at = |word: &str| order.iter().position(|one| *one == word).unwrap();
        assert_eq!(event["outcome"], order[at(a).min(at(b))], "{uid}");
        pairs += 1;
    }
    assert_eq!(pairs, 49);
}

#[test]
fn the_task_is_what_its_strongest_section_is() {
    for (result, code) in [("passed", 0), ("passx", 0), ("skipped", 0), ("blocked", 1), ("failed", 1), ("errored", 1)] {
        let body = format!("ts.testcase('Tc'):test('t', function(self) self:{result}() end)");
        run(&body).code(code).outcomes(&format!("t={result}"));
    }
}

#[test]
fn a_result_carries_data_and_the_error_it_comes_from() {
    let body = r#"local case = ts.testcase("Tc")
case:test("data", function(self) self:passed("ok", { data = { n = 3, list = { "a" } } }) end)
case:test("from", function(self)
  local ok, err = pcall(function() error("deep") end)
  self:failed("wrapped", { from_exception = err })
end)
case:test("cannot", function(self) self:passed("ok", { data = { f = print } }) end)
case:test("huge", function(self) self:passed("ok", { data = ("x"):rep(2 << 20) }) end)
case:test("slip", function(self) self:passed("ok", { dta = 1 }) end)
case:test("dot", function(self) self.passed("ok") end)
case:test("long", function(self) self:failed(("x"):rep(5 << 20)) end)
case:test("bytes", function(self) self:failed("\xff") end)"#;
    let ended = run(body);
    ended.code(1);
    let events = ended.the_run().events_of("section-finished");
    assert_eq!(events[0]["data"], serde_json::json!({ "n": 3, "list": ["a"] }));
    assert_eq!(short(events[1]["reason"].as_str().unwrap()), "wrapped: t.lua:5: deep");
    assert_eq!(events[1]["data"]["kind"], "error");
    let reason = |at: usize| short(events[at]["reason"].as_str().unwrap());
    // What was said stays as it was said, though not all that came with it can be kept.
    assert_eq!((reason(2), events[2]["outcome"].as_str()), ("ok".to_owned(), Some("passed")));
    assert_eq!(events[2]["data"], serde_json::json!({ "f": "<function>" }));
    ended.stderr_has(
        "warning: task 't': the data of a section.f is a function, which cannot be handed to another process",
    );
    assert_eq!((reason(3), events[3]["outcome"].as_str()), ("ok".to_owned(), Some("passed")));
    ended.stderr_has("the data of a section is 2097154 bytes as JSON and is left out; at most");
    assert_eq!(reason(4), "t.lua:10: a result has no key 'dta'; did you mean 'data'?");
    assert_eq!(reason(5), "t.lua:11: write self:passed(…), with a colon");
    assert!(reason(6).len() < 70_000 && reason(6).ends_with("bytes more)"));
    assert_eq!(reason(7), "\u{fffd}");
}

#[test]
fn a_section_that_leaves_by_os_exit_is_errored_and_what_was_not_reached_is_shown() {
    for code in [0, 3] {
        let body = format!(
            "local case = ts.testcase('Tc')
            case:test('leaves', function(self, p, steps) steps:start('s', function() os.exit({code}) end) end)
            case:test('next', function() end)
            case:cleanup(function() end)
            ts.testcase('Other'):test('t', function() end)
            ts.common_cleanup():subsection('end', function() end)"
        );
        let ended = run(&body);
        let expected = format!(
            "
            Tc errored: the script left by os.exit({code})
              leaves errored: the script left by os.exit({code})
                1 s errored: the script left by os.exit({code})
              next not reached
              cleanup not reached
            Other not reached
              t not reached
            common_cleanup not reached
              end not reached"
        );
        checked(&ended, 1, &expected);
        ended.outcomes("t=errored");
    }
}

#[test]
fn an_error_at_the_top_level_runs_nothing() {
    check("ts.testcase('Tc'):test('t', function() end)\nerror('at the top')", 1, "");
}

#[test]
fn a_script_without_sections_is_one_section() {
    run("return 'skipped', 'nothing here'").code(0).outcomes("t=skipped");
    run("assert(false, 'no')").code(1).outcomes("t=failed");
}
