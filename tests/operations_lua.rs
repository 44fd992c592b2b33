//! Operations in Lua: which door a script goes through, and what it has there.

use serde_json::json;

use crate::harness::Project;

const JOBFILE: &str =
    "local job = require 'rille.job'\nfunction main()\nprint('job')\njob.run { testscript = '/bin/true' }\nend\n";

#[test]
fn a_plain_lua_script_is_an_operation() {
    let script = "print('ran', arg[1])\nrun:scalar('loss', 0.5)\n";
    let project = Project::new().file("train.lua", script);
    let ended = project.run(&["run", "train.lua", "-y", "--label", "first", "--tag", "best"]);
    ended.code(0).stdout("ran\tnil\nloss: 0.5\n");
    let run = project.the_run();
    assert_eq!((run.attr("label"), run.attr("tags")), (json!("first"), json!(["best"])));
    assert!(run.has(".guild/sourcecode/train.lua") && run.attr("op")["op-cmd"].is_object());
    project.run(&["run", "--restart", &run.id(), "-y"]).code(0).stdout("ran\tnil\nloss: 0.5\n");
    project.run(&["run", "train.lua", "--print-cmd"]).code(0).stdout_has("--as-operation .guild/sourcecode/train.lua");
    project.run(&["run", "train.lua", "lr=0.1"]).code(1).stderr_has("unsupported flag 'lr'");
    project.run(&["run", "train.lua", "lr=0.1", "--force-flags"]).code(0).stdout_has("ran\t--lr\n");
    project.run(&["run", "train.lua", "--stage"]).code(0).stdout_has("train.lua staged as ");
}

#[test]
fn a_lua_file_of_jobs_stays_one_whatever_is_handed_to_it() {
    let project = Project::new()
        .file("job.lua", JOBFILE)
        .file("common.lua", "return require 'rille.testscript'")
        .file("t.lua", "local ts = require 'common'\nlocal c = ts.testcase('c')\nc:test('t', function() end)\n");
    project.run(&["run", "job.lua", "--stage", "lr=1"]).code(0).stdout_has("job\n");
    // What it loads makes it a testscript.
    project.run(&["run", "t.lua"]).code(0).stderr_has("Result: PASSED");
    assert!(project.runs().iter().all(|run| run.has(".guild/events.jsonl")));
}

#[test]
fn what_the_text_does_not_tell_the_options_do() {
    let project = Project::new()
        .file("common.lua", "return { greet = function() print 'hello' end }")
        .file("s.lua", "require('common').greet()\n")
        .file("job.lua", "local function main() end\nprint 'forced'\n");
    let unclear = project.run(&["run", "s.lua"]);
    unclear.code(2).stderr_has("the jobfile does not define main; ").stderr_has("run the file as an operation by --op");
    project.run(&["run", "--op", "s.lua"]).code(0).stdout("hello\n");
    project.run(&["run", "s.lua", "--keep-run", "-y"]).code(0).stdout("hello\n");
    project.run(&["run", "s.lua", "n=1"]).code(1).stderr_has("unsupported flag 'n'");
    project.run(&["run", "job.lua"]).code(2).stderr_has("main is local");
    project.run(&["run", "--op", "job.lua"]).code(0).stdout("forced\n");
    project.run(&["run", "gone.lua", "n=1"]).code(2).stderr_has("the jobfile 'gone.lua' does not exist");
}

#[test]
fn operations_in_lua_log_to_their_standard_error() {
    let script = "local log = require 'rille.log'\nlog:debug('low')\nlog:info('n is %d', 3)\n\
                  log.get('lib.part'):warning('two\\nlines')\n";
    let definitions = format!(
        "local op = require 'rille.op'\nlocal log = require 'rille.log'\nlog:debug('declared')\n\
         op.define('main', {{ main = function() {} end }})\n",
        script.replace('\n', " ")
    );
    let project = Project::new().file("rille.lua", definitions).file("s.lua", script);
    let logged = "INFO root: n is 3\nWARNING lib.part: two\n    lines\n";
    for operation in ["main", "s.lua"] {
        let ended = project.run(&["run", operation, "-y"]);
        assert_eq!(ended.code(0).stdout("").err(), logged);
    }
    assert_eq!(project.runs()[0].text(".guild/output"), logged);
    let project = project.env("LOG_LEVEL", "10");
    project.run(&["run", "main", "-y"]).code(0).stderr_has("DEBUG root: declared\n").stderr_has("DEBUG root: low\n");
}
