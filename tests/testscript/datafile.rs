//! Datafiles: what they set of a script's sections, who may give one, and what is told of wrong ones.

use super::{checked, script};
use crate::harness::Project;

const SCRIPT: &str = r#"local ts = require "rille.testscript"
ts.parameters { speed = 1 }
local a = ts.testcase("A", { groups = { "old" } })
a:test("t", function(self, p)
  print(self.uid, table.concat(self.groups, "+"), p.speed, p.x, self.routes and #self.routes)
  if self.routes then self.routes[#self.routes + 1] = 1 end
  assert(self.attempt > 1 or not p.again)
end)
ts.testcase("B", { base = a }):test("u", function() end)
"#;

const FILE: &str =
    "parameters: {speed: 9}\ntestcases:\n  A: {uid: alt, groups: [g, h], routes: [1, 2], parameters: {x: 'y'}}\n";

fn project() -> Project {
    Project::new().file("t.lua", SCRIPT).file("d.yaml", FILE)
}

fn output(project: &Project) -> String {
    let newest = project.runs().into_iter().max_by_key(|run| run.attr("started").as_i64());
    let run = newest.expect("there is a run");
    String::from_utf8(run.output("t", "stdout")).expect("it is text")
}

#[test]
fn who_starts_a_script_may_give_it_a_datafile() {
    let expected = "alt\tg+h\t9\ty\t2\nB\tg+h\t9\ty\t2\n";
    let project = project();
    project.run(&["run", "t.lua", "--datafile", "d.yaml"]).code(0);
    assert_eq!(output(&project), expected);
    // By the jobfile, as a file beside it and as a table; a parameter above it.
    for (given, expected) in [
        ("'d.yaml'", expected.to_owned()),
        ("'d.yaml', speed = 3", expected.replace('9', "3")),
        ("{ extends = 'd.yaml', parameters = { speed = 4 } }", expected.replace('9', "4")),
        ("{ testcases = { A = { groups = {} } } }", "A\t\t1\tnil\tnil\nB\t\t1\tnil\tnil\n".to_owned()),
    ] {
        let project =
            self::project().main(&format!("job.run {{ testscript = 't.lua', taskid = 't', datafile = {given} }}"));
        project.job(&[]).code(0);
        assert_eq!(output(&project), expected, "{given}");
    }
}

#[test]
fn the_nearest_to_the_user_holds() {
    let own = SCRIPT.replace("ts.parameters", "ts.datafile \"own.yaml\"\nts.parameters");
    let project = Project::new()
        .file("t.lua", own)
        .file("own.yaml", "parameters: {speed: 2}\n")
        .file("job.yaml", "parameters: {speed: 3}\n")
        .file("line.yaml", "parameters: {speed: 4}\n")
        .file(
            "none.lua",
            "local job = require 'rille.job'\nfunction main() job.run { testscript = 't.lua', taskid = 't' } end",
        )
        .main("job.run { testscript = 't.lua', taskid = 't', datafile = 'job.yaml' }");
    for (args, speed) in [
        (&["run", "none.lua"][..], "2"),
        (&["run", "job.lua"], "3"),
        (&["run", "job.lua", "--datafile", "line.yaml"], "4"),
        (&["run", "job.lua", "--datafile", "line.yaml", "--param", "speed=5"], "5"),
    ] {
        project.run(args).code(0);
        assert_eq!(output(&project).lines().next(), Some(&*format!("A\told\t{speed}\tnil\tnil")), "{args:?}");
    }
}

#[test]
fn uids_are_those_by_which_testcases_are_chosen_reported_and_run_again() {
    let project = project();
    let ended = project.run(&["run", "t.lua", "--datafile", "d.yaml", "--uids", "alt"]);
    checked(&ended, 0, "alt passed\n  t passed");
    project.run(&["run", "t.lua", "--datafile", "d.yaml", "--uids", "A"]).code(4).stderr_has("no testcase fits");
    project
        .run(&["run", "t.lua", "--datafile", "d.yaml", "--groups", "h", "--retry", "alt=1", "--param", "again=true"])
        .code(1);
    // A field is as the file has it in each attempt.
    assert_eq!(output(&project), "alt\tg+h\t9\ty\t2\nalt\tg+h\t9\ty\t2\nB\tg+h\t9\ty\t2\n");
}

#[test]
fn processors_are_named_by_module_and_function() {
    let lib = "local M = {}\nfunction M.pre(self, p, section, word, options) print('pre', section.uid, word, options and options.a) end\n\
               function M.block(self) self:blocked('the lib says so') end\nreturn M";
    let data = "processors:\n  pre: [{processor: lib.part.pre, args: [one], kwargs: {a: 1}}]\n\
                testcases:\n  A:\n    processors: {pre: [lib.part.pre, lib.part.block]}\n";
    let body = "ts.testcase('A'):test('t', function() end)\nts.testcase('B'):test('t', function() end)";
    let project = script(body).file("lib/part.lua", lib).file("d.yaml", data);
    let ended = project.run(&["run", "t.lua", "--datafile", "d.yaml"]);
    let expected = "
        A blocked: the lib says so
          t blocked: the lib says so
        B passed
          t passed";
    checked(&ended, 1, expected);
    assert_eq!(output(&project), "pre\tA\tone\t1\npre\tA\tnil\tnil\npre\tB\tone\t1\npre\tt\tone\t1\n");
}

#[test]
fn a_wrong_datafile_is_told_before_anything_runs() {
    let project = project().file("e.yaml", "extends: d.yml\n").file("odd.yaml", b"a: \xff\n");
    for (file, told) in [
        ("no.yaml", "cannot read the datafile "),
        ("e.yaml", "e.yaml:1: cannot read the datafile "),
        ("odd.yaml", "odd.yaml:1: this is not UTF-8 text"),
        (".", "it is no file"),
    ] {
        project.run(&["run", "t.lua", "--datafile", file]).code(2).stderr_has(told);
    }
    project.run(&["run", "t.lua", "--datafile", "e.yaml"]).stderr_has("did you mean 'd.yaml'?");
    let project = project.file("w.yaml", "\ntestcases:\n  A:\n    groups: 5\n");
    project
        .run(&["run", "t.lua", "--datafile", "w.yaml"])
        .code(2)
        .stderr_has("w.yaml:4: testcases.A.groups must be a list of texts, not 5");
    assert_eq!(project.runs().len(), 0);
}

#[test]
fn what_does_not_fit_the_script_is_told_with_file_and_line() {
    for (data, told) in [
        ("testcases:\n  Other: {}\n", "d.yaml:2: the script has no testcase 'Other'; it has: A, B"),
        ("\ncommon_setup: {}\n", "d.yaml:2: the script has no common setup"),
        ("common_cleanup: {}\n", "d.yaml:1: the script has no common cleanup"),
        ("testcases:\n  A:\n    uid: B\n", "d.yaml:3: the uid 'B' of testcase 'A' is that of another testcase"),
        (
            "testcases:\n  A: {uid: x}\n  B:\n    uid: x\n",
            "d.yaml:4: the uid 'x' of testcase 'B' is that of another testcase",
        ),
        (
            "testcases:\n  A: {uid: common_setup}\n",
            "d.yaml:2: the uid 'common_setup' of testcase 'A' is the name of common setup",
        ),
        ("processors:\n  pre:\n    - no.such\n", "d.yaml:2: processor 'no.such': there is no module 'no'"),
        (
            "processors:\n  pre: [lib.chekc]\n",
            "d.yaml:2: processor 'lib.chekc': module 'lib' has no function 'chekc'; did you mean 'check'?",
        ),
    ] {
        let project = project().file("lib.lua", "return { check = function() end }").file("d.yaml", data);
        let ended = project.run(&["run", "t.lua", "--datafile", "d.yaml"]);
        ended.code(1).reason_has("t", told);
    }
    let ping = script("ts.testcase('Ping'):test('t', function() end)").file("d.yaml", "testcases:\n  Pnig: {}\n");
    let ended = ping.run(&["run", "t.lua", "--datafile", "d.yaml"]);
    ended.code(1).reason_has("t", "d.yaml:2: the script has no testcase 'Pnig'; did you mean 'Ping'?");
    // By a jobfile it costs the one task.
    let project = project().main(
        "job.run { testscript = 't.lua', taskid = 'bad', datafile = 'no.yaml' }\n\
         job.run { testscript = 't.lua', taskid = 'wrong', datafile = { testcases = { A = { uid = 5 } } } }\n\
         job.run { testscript = 't.lua', taskid = 'kind', datafile = 5 }\n\
         job.run { testscript = 'sh', args = { '-c', 'true' }, taskid = 'other', datafile = 'd.yaml' }\n\
         job.run { testscript = 't.lua', taskid = 'good', datafile = 'd.yaml' }",
    );
    let ended = project.job(&[]);
    ended.code(1).outcomes("bad=errored wrong=errored kind=errored other=passed good=passed");
    ended.reason_has("bad", "cannot read the datafile").reason_has("wrong", "job.lua:");
    ended.reason_has("wrong", "testcases.A.uid must be a text in quotes, not 5");
    ended.reason_has("kind", "datafile must be the name of a file or a table");
    ended.stderr_has("'datafile' is for testscripts; it has no effect on kind");
    // A script without sections has nothing for it to set.
    let plain = Project::new().file("plain.lua", "return true").file("d.yaml", "parameters:\n  a: 1\n").main(
        "job.run { testscript = 'plain.lua', taskid = 'plain', datafile = 'd.yaml' } job.run { testscript = 'plain.lua' }",
    );
    let ended = plain.job(&[]);
    let told = "task 'plain': 'datafile' sets what sections have; the script has none, so it has no effect";
    ended.code(0).stderr_has(told);
    assert_eq!(ended.the_run().events_of("warning").len(), 1);
    // In the script it is a mistake of its definitions.
    for (line, told) in [
        ("ts.datafile 'no.yaml'", "cannot read the datafile "),
        ("ts.datafile(5)", "datafile takes the name of a file, not "),
        ("ts.datafile 'd.yaml' ts.datafile 'd.yaml'", "there is a datafile already, 'd.yaml'"),
        ("ts:datafile('d.yaml')", "with a dot"),
    ] {
        let project = script(&format!("{line}\nts.testcase('A'):test('t', function() end)")).file("d.yaml", FILE);
        project.run(&["run", "t.lua"]).code(1).reason_has("t", told);
    }
}

#[test]
fn a_key_that_looks_like_a_slip_is_warned_of_and_becomes_a_field() {
    let body = "ts.testcase('A'):test('t', function(self) assert(self.gruops == 'x') end)";
    let project = script(body).file("d.yaml", "testcases:\n  A: {gruops: x}\n");
    project
        .run(&["run", "t.lua", "--datafile", "d.yaml"])
        .code(0)
        .stderr_has("d.yaml:2: testcases.A.gruops becomes a field of self; did you mean 'groups'?");
}
