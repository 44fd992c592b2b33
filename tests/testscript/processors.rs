//! Processors before, after, and at errors of sections.

use super::{check, checked, run};

#[test]
fn global_processors_come_first_and_post_sees_the_result() {
    let body = r#"local function note(text)
  return function(self, p, section) print(text, section.kind, section.uid, section.result) end
end
ts.global_processors { pre = note "global pre", post = { note "global post" } }
local case = ts.testcase("Tc", { pre = note "own pre", post = note "own post" })
case:test("t", { pre = { note "test pre", note "test pre 2" }, post = note "test post" }, function(self) self:passx("x") end)"#;
    let ended = run(body);
    ended.code(0);
    let output = String::from_utf8(ended.the_run().output("t", "stdout")).unwrap();
    let expected = "global pre\ttestcase\tTc\tnil
own pre\ttestcase\tTc\tnil
global pre\ttest\tt\tnil
test pre\ttest\tt\tnil
test pre 2\ttest\tt\tnil
global post\ttest\tt\tpassx
test post\ttest\tt\tpassx
global post\ttestcase\tTc\tpassx
own post\ttestcase\tTc\tpassx
";
    assert_eq!(output, expected);
}

#[test]
fn a_processor_decides_on_its_section() {
    let body = r#"local function no() return false end
local function asserts() assert(false, "not now") end
local function raises() error("odd") end
local case = ts.testcase("Tc")
case:test("pre false", { pre = no, post = raises }, function() print("reached") end)
case:test("pre asserts", { pre = asserts }, function() print("reached") end)
case:test("pre raises", { pre = raises }, function() print("reached") end)
case:test("pre reports", { pre = function(self) self:blocked("by pre") end }, function() print("reached") end)
case:test("pre by section", { pre = function(self, p, section) section:passed("by section") end }, function() print("reached") end)
case:test("post false", { post = no }, function() end)
case:test("post asserts", { post = asserts }, function() end)
case:test("post raises", { post = raises }, function() end)
case:test("post mends", { post = function(self) self:passed("fine") end }, function(self) self:failed("bad") end)
case:test("post worsens", { post = function(self) self:failed("seen later") end }, function() end)
ts.testcase("Whole", { pre = no }):test("t", function() print("reached") end)
ts.testcase("Broken", { pre = raises }):test("t", function() print("reached") end)"#;
    let ended = run(body);
    let expected = "
        Tc errored: pre raises: a pre processor raised: t.lua:4: odd
          pre false skipped: a pre processor returned false
          pre asserts blocked: t.lua:3: not now
          pre raises errored: a pre processor raised: t.lua:4: odd
          pre reports blocked: by pre
          pre by section passed: by section
          post false failed: a post processor returned false
          post asserts failed: a post processor raised: t.lua:3: not now
          post raises errored: a post processor raised: t.lua:4: odd
          post mends passed: fine (was failed: bad)
          post worsens failed: seen later
        Whole skipped: a pre processor returned false
          t skipped: a pre processor returned false
        Broken errored: a pre processor raised: t.lua:4: odd
          t blocked: a pre processor raised: t.lua:4: odd";
    checked(&ended, 1, expected);
    ended.stderr_lacks("reached");
}

#[test]
fn an_exception_processor_may_handle_an_error_or_turn_it_into_a_result() {
    let body = r#"ts.global_processors { exception = function(self, p, section, err) print("seen", section.uid, tostring(err):match("[^ ]+$")) end }
local case = ts.testcase("Tc")
case:test("handled", { exception = function() return true end }, function() error("one") end)
case:test("left", { exception = function() return "no" end }, function() error("two") end)
case:test("turned", { exception = function(self) self:passx("known") end }, function() error("three") end)
case:test("raises", { exception = function() error("worse") end }, function() error("four") end)
case:test("assertion", { exception = function(self, p, s, err) assert(err.kind == "assertion") return true end }, function() assert(false, "five") end)
case:test("results are no errors", { exception = function() return true end }, function(self) self:failed("no") end)"#;
    let ended = run(body);
    let expected = "
        Tc errored: left: t.lua:5: two
          handled passed
          left errored: t.lua:5: two
          turned passx: known
          raises errored: an exception processor raised: t.lua:7: worse (about: t.lua:7: four)
          assertion passed
          results are no errors failed: no";
    checked(&ended, 1, expected);
    let output = String::from_utf8(ended.the_run().output("t", "stdout")).unwrap();
    assert_eq!(
        output,
        "seen\thandled\tone\nseen\tleft\ttwo\nseen\tturned\tthree\nseen\traises\tfour\nseen\tassertion\tfive\n"
    );
}

#[test]
fn a_global_pre_that_raises_breaks_every_section_it_meets() {
    let body = r#"ts.global_processors { pre = function(self, p, section) if section.kind == "test" then error("no", 0) end end }
local case = ts.testcase("Tc")
case:test("t", function() end)
case:cleanup(function() end)"#;
    let expected = "
        Tc errored: t: a pre processor raised: no
          t errored: a pre processor raised: no
          cleanup passed";
    check(body, 1, expected);
}
