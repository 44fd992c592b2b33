//! A testscript without a jobfile.

use super::script;
use crate::harness::Project;

const GOOD: &str = "ts.testcase('Tc'):test('t', function() print(arg[1], runtime.argv[2], runtime.job.name) end)";

#[test]
fn a_testscript_runs_alone_and_the_arguments_are_handed_on() {
    let project = script(GOOD);
    let ended = project.run(&["run", "t.lua", "--mine", "x"]);
    ended.code(0).outcomes("t=passed");
    assert_eq!(ended.the_run().output("t", "stdout"), b"--mine\tx\tt\n");
    script("ts.testcase('Tc'):test('t', function() assert(false, 'no') end)").run(&["run", "t.lua"]).code(1);
}

#[test]
fn the_module_may_be_required_by_a_module_of_the_script() {
    let project = Project::new()
        .file("shared.lua", "return require 'rille.testscript'")
        .file("t.lua", "local ts = require 'shared'\nts.testcase('Tc'):test('t', function() end)");
    project.run(&["run", "t.lua"]).code(0).outcomes("t=passed");
}

#[test]
fn a_jobfile_with_a_main_is_told_what_the_module_is_for() {
    let project = Project::new().file("job.lua", "local ts = require 'rille.testscript'\nfunction main() end");
    project.job(&[]).code(2).stderr_has(
        "job.lua:1: module 'rille.testscript' is for testscripts; a jobfile runs one by run { testscript = \"FILE\" }",
    );
}

#[test]
fn a_testscript_that_cannot_be_compiled_is_errored() {
    let ended = script("ts.testcase('Tc'").run(&["run", "t.lua"]);
    ended.code(1).outcomes("t=errored").reason_has("t", "t.lua:3: ')' expected (to close '(' at line 2) near <eof>");
}

#[test]
fn the_script_of_a_task_runs_alone_with_its_parameters() {
    let script = "print('connecting to ' .. parameters.device)\nassert(parameters.device:match('^sw%d+$'), 'no such device')\n\
                  return 'passed', runtime.job.name, { arg[1] }";
    let project = Project::new().file("connect.lua", script);
    let ended = project.run(&["run", "connect.lua", "--param", "device=sw1", "--", "word"]);
    ended.code(0).outcomes("connect=passed").reason_has("connect", "connect");
    assert_eq!(ended.the_run().output("connect", "stdout"), b"connecting to sw1\n");
    assert_eq!(ended.the_run().results()["tasks"][0]["result"]["data"], serde_json::json!(["word"]));
    let again = |arguments: &[&str]| Project::new().file("connect.lua", script).run(arguments);
    again(&["run", "connect.lua", "--param", "device=x"]).code(1).outcomes("connect=failed");
    let ended = again(&["run", "connect.lua"]);
    ended.code(1).reason_has("connect", "attempt to concatenate a nil value (field 'device')");
}
