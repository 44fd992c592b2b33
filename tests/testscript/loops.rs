//! Loops over tests, subsections and testcases.

use super::{check, checked, run};

#[test]
fn turns_have_uids_made_of_their_values() {
    let body = r#"ts.common_setup():subsection("connect", { loop = { "r1", "r2" } }, function(self, p) assert(p.value) end)
local case = ts.testcase("Tc", { loop = { speed = { 10, 2.5 } } })
case:test("product", { loop = { b = { 1, 2 }, a = { "x", true } } }, function(self, p) assert(p.a and p.b and p.speed) end)
case:test("rows", { loop = { { host = "h", port = 1 }, { host = "i" } } }, function(self, p) assert(p.host) end)
case:test("named", { uids = { "first", "second" }, loop = { n = { 1, 2, 3 } } }, function(self, p) assert(p.n) end)
case:test("uids", { uids = { "u" } }, function() end)
case:test("same", { loop = { n = { 1, 1, {}, {} } } }, function() end)
case:test("odd", { loop = { s = { "a\nb", ("y"):rep(70) } } }, function() end)"#;
    let turn = |speed: &str| {
        format!(
            "
        Tc[speed={speed}] passed
          product[a=x,b=1] passed
          product[a=x,b=2] passed
          product[a=true,b=1] passed
          product[a=true,b=2] passed
          rows[host=h,port=1] passed
          rows[host=i] passed
          first passed
          second passed
          named[n=3] passed
          u passed
          same[n=1] passed
          same[n=1]#2 passed
          same[n=#3] passed
          same[n=#4] passed
          odd[s=a b] passed
          odd[s={}…] passed",
            "y".repeat(60)
        )
    };
    let setup = "
        common_setup passed
          connect[value=r1] passed
          connect[value=r2] passed";
    check(body, 0, &format!("{setup}{}{}", turn("10"), turn("2.5")));
}

#[test]
fn a_function_is_polled_turn_by_turn() {
    let body = r#"local polled = 0
local case = ts.testcase("Tc", { loop = { round = function() polled = polled + 1 return polled < 3 and polled or nil end } })
case:test("t", function(self, p) print("run", p.round, polled) end)
case:test("rows", { loop = coroutine.wrap(function() coroutine.yield({ a = 1 }) coroutine.yield(7) coroutine.yield(nil) end) },
  function(self, p) print(p.a, p.value) end)
case:cleanup(function() end)
ts.testcase("Stops"):test("t", { must_pass = true, loop = function() return 1 end }, function(self) self:failed("at once") end)"#;
    let ended = run(body);
    let expected = "
        Tc[round=1] passed
          t passed
          rows[a=1] passed
          rows[value=7] passed
          cleanup passed
        Tc[round=2] passed
          t passed
          rows skipped: its loop has no turns
          cleanup passed
        Stops failed: t[value=1]: at once
          t[value=1] failed: at once";
    checked(&ended, 1, expected);
    let output = String::from_utf8(ended.the_run().output("t", "stdout")).unwrap();
    assert_eq!(output, "run\t1\t1\n1\tnil\nnil\t7\nrun\t2\t2\n");
}

#[test]
fn a_loop_over_nothing_is_skipped_and_one_that_raises_is_errored() {
    let body = r#"local case = ts.testcase("Tc")
case:test("list", { loop = { n = {} } }, function() end)
case:test("empty", { loop = {} }, function() end)
case:test("lazy", { loop = function() end }, function() end)
case:test("raises", { loop = function() error("no values") end }, function() end)
local n = 0
case:test("raises later", { loop = function() n = n + 1 if n == 2 then error("late") end return n end }, function() end)
ts.testcase("None", { loop = { n = {} } }):test("t", function() end)
ts.testcase("Lazy", { loop = function() end }):test("t", function() end)"#;
    let nothing = "skipped: its loop has no turns";
    let expected = format!(
        "
        Tc errored: raises: its loop raised: t.lua:6: no values
          list {nothing}
          empty {nothing}
          lazy {nothing}
          raises errored: its loop raised: t.lua:6: no values
          raises later[value=1] passed
          raises later[2] errored: its loop raised: t.lua:8: late
        None {nothing}
          t {nothing}
        Lazy {nothing}
          t {nothing}"
    );
    check(body, 1, &expected);
}
