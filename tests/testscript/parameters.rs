//! Parameters: where they come from, which wins, and when functions among them are evaluated.

use super::{checked, run, run_with};
use crate::harness::Project;

const SCRIPT: &str = r#"local ts = require "rille.testscript"
ts.parameters { a = "script", b = "script", c = "script", d = "script", e = "script" }
local case = ts.testcase("Tc", { parameters = { b = "case", c = "case", d = "case", e = "case" } })
case:test("t", { loop = { e = { "loop" } } }, function(self, p)
  print(p.a, p.b, p.c, p.d, p.e, p.testbed, p.nothing, self.parameters.b)
end)
ts.testcase("Other"):test("t", function(self, p) print(p.b) end)"#;

#[test]
fn the_nearer_source_wins_and_the_command_line_over_all_but_a_loop() {
    let project = Project::new()
        .main("job.run { testscript = 't.lua', taskid = 't', c = 'job', d = 'job', e = 'job' }")
        .file("t.lua", SCRIPT);
    let ended = project.job(&["--param", "d=line", "--param=e=line"]);
    ended.code(0);
    let output = String::from_utf8(ended.the_run().output("t", "stdout")).unwrap();
    assert_eq!(output, "script\tcase\tjob\tline\tloop\tnil\tnil\tcase\nscript\n");
    assert_eq!(ended.the_run().attr("run_params")["param"]["d"], "line");
}

#[test]
fn the_command_line_gives_json_or_text() {
    let body = r#"ts.testcase("Tc"):test("t", function(self, p)
  print(math.type(p.n), p.list[2], p.map.x, p.yes, p.text, p.none)
end)"#;
    let options = ["--param", "n=3", "--param", "list=[1,2]", "--param", "map={\"x\":1}", "--param", "yes=true"];
    let ended = run_with(body, &[&options[..], &["--param", "text=a b", "--param", "none=null"]].concat());
    ended.code(0);
    let output = String::from_utf8(ended.the_run().output("t", "stdout")).unwrap();
    assert_eq!(output, "integer\t2\t1\ttrue\ta b\tnil\n");
    run_with(body, &["--param", "n"]).code(2).stderr_has("a parameter is given as NAME=VALUE");
}

#[test]
fn a_testbed_is_a_parameter_unless_the_job_gives_another() {
    let script = "local ts = require 'rille.testscript'
ts.testcase('Tc'):test('t', function(self, p) print(p.testbed.name) end)";
    let project = Project::new()
        .main("job.run { testscript = 't.lua', taskid = 'a' }\njob.run { testscript = 't.lua', taskid = 'b', testbed = { name = 'mine' } }")
        .file("t.lua", script)
        .file("bed.json", "{\"name\":\"bed\"}");
    let ended = project.job(&["--testbed", "bed.json"]);
    ended.code(0);
    assert_eq!(ended.the_run().output("a", "stdout"), b"bed\n");
    assert_eq!(ended.the_run().output("b", "stdout"), b"mine\n");
}

#[test]
fn functions_are_evaluated_when_they_are_read_and_know_their_section() {
    let body = r#"local count = 0
ts.parameters { id = function(self) count = count + 1 return self.uid .. count end, bad = function() error("broken") end }
local case = ts.testcase("Tc")
case:test("twice", function(self, p) print(p.id, p.id) end)
case:test("again", function(self, p) print(p.id) end)
case:test("unread", function(self, p) print(count) end)
case:test("raises", function(self, p) return p.bad end)
case:test("all", function(self, p)
  local names = {}
  p.bad = 1
  for name in pairs(p) do names[#names + 1] = name end
  table.sort(names)
  print(table.concat(names, " "))
end)"#;
    let ended = run(body);
    let expected = "
        Tc errored: raises: t.lua:3: broken
          twice passed
          again passed
          unread passed
          raises errored: t.lua:3: broken
          all passed";
    checked(&ended, 1, expected);
    let output = String::from_utf8(ended.the_run().output("t", "stdout")).unwrap();
    assert_eq!(output, "Tc1\tTc1\nTc2\n2\nbad id\n");
}

#[test]
fn what_common_setup_sets_is_seen_by_all_and_a_testcase_keeps_its_own() {
    let body = r#"ts.parameters { device = "name" }
ts.common_setup():subsection("connect", function(self, p) self.parent.parameters.device = { name = p.device, open = true } end)
local a = ts.testcase("A")
a.parameters.speed = 1
a:test("t1", function(self, p) assert(p.device.open and p.device.name == "given") self.parameters.mine = 5 end)
a:test("t2", function(self, p) print(p.mine, p.speed, ts.parameters.device.name) end)
ts.testcase("B"):test("t", function(self, p) print(p.mine, p.speed) end)"#;
    let ended = run_with(body, &["--param", "device=given"]);
    ended.code(0);
    let output = String::from_utf8(ended.the_run().output("t", "stdout")).unwrap();
    assert_eq!(output, "5\t1\tgiven\nnil\tnil\n");
}

#[test]
fn a_parameter_that_looks_like_a_slip_is_warned_of_once() {
    let body = r#"ts.parameters { speed = 1 }
local case = ts.testcase("Tc")
case:test("a", function(self, p) print(p.sped, p.sped, p.skip) end)
case:test("b", function(self, p) print(p.sped) end)"#;
    let ended = run(body);
    let log = ended.code(0).the_run().text("tasks/1-t/task.log");
    assert_eq!(log.matches("there is no parameter 'sped'; did you mean 'speed'?").count(), 1, "{log}");
    assert_eq!(log.matches("there is no parameter").count(), 1, "{log}");
}
