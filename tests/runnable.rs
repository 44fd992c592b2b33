//! `rille.runnable` in jobfiles, and recipes as testscripts.
#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use serde_json::{Value, json};

use crate::harness::Project;

#[test]
fn runnables_are_made_read_written_and_run() {
    let body = r#"local Runnable = require("rille.runnable").Runnable
  local from_recipe = require("rille.runnable").from_recipe
  local good = Runnable { kind = "exec-test", uri = "/bin/true", identifier = "good", tags = { "fast", "net:ip" } }
  local env = Runnable { kind = "exec-test", uri = "env.sh", args = { "x" }, kwargs = { MODE = "on" } }
  print(good, good.kind, good.uri, good.identifier, good.name, env.name, env.identifier, env.args[1], env.kwargs.MODE)
  print(good.tags.fast, good.tags.net[1], #good.dependencies, good.variant)
  env:to_recipe("env.json")
  print(from_recipe("env.json") == env, from_recipe("env.json") == good)
  local list = from_recipe("list.json")
  print(#list, list[1].name, list[2].name)
  local results = job.parallel { limit = 1, good, env, list[2], { testscript = env, taskid = "last" } }
  print(results[1], results[2], results[3], results[4])
  print(job.run(Runnable { kind = "exec-test", uri = "/bin/true" }))
  local task = job.Task(list[1])
  task:start() task:wait()
  print(task.taskid, task.result)"#;
    let list = r#"[{"kind": "exec-test", "uri": "/bin/true", "identifier": "a"}, {"kind": "exec-test", "uri": "/bin/false", "identifier": "b"}]"#;
    let project =
        Project::new().main(body).executable("env.sh", "#!/bin/sh\ntest \"$MODE$1\" = onx\n").file("list.json", list);
    let ended = project.job(&[]);
    let expected = "\
exec-test good\texec-test\t/bin/true\tgood\tgood\tenv.sh\tnil\tx\ton
true\tip\t0\tnil
true\tfalse
2\ta\tb
passed\tpassed\tfailed\tpassed
true\tpassed
a\tpassed
";
    ended.code(1).stdout(expected).outcomes("good=passed Task-2=passed b=failed last=passed Task-5=passed a=passed");
    let written: Value = serde_json::from_str(&project.read("env.json")).unwrap();
    assert_eq!(written, json!({"kind": "exec-test", "uri": "env.sh", "args": ["x"], "kwargs": {"MODE": "on"}}));
    let run = ended.the_run();
    assert_eq!(run.task("good")["tags"], json!(["fast", "net:ip"]));
}

#[test]
fn mistakes_of_runnables_are_raised_where_they_are() {
    let cases = [
        ("R.Runnable { knd = 'x' }", "Runnable: there is no key 'knd' in a recipe; did you mean 'kind'?"),
        ("R.Runnable {}", "Runnable: 'kind' is missing"),
        ("R.Runnable 'x'", "Runnable takes one table, Runnable { kind = \"exec-test\" }, not the string 'x'"),
        ("R.Runnable { kind = 'x', args = { 5 } }", "Runnable: args[1] must be a text, not 5"),
        ("R.Runnable { kind = 'x', uri = print }", "Runnable.uri is a function"),
        ("R.Runnable { kind = 'x' }.knd = 1", "runnable.knd cannot be set"),
        ("print(R.Runnable { kind = 'x' }.knd)", "a runnable has no field 'knd'; did you mean 'kind'?"),
        ("R.from_recip 'x'", "rille.runnable has no field 'from_recip'; did you mean 'from_recipe'?"),
        ("R.from_recipe 'none.json'", "cannot read the recipe none.json: No such file"),
        ("R.from_recipe 'bad.json'", "bad.json is no recipe: recipe 1 of the list: 'kind' is missing"),
        ("R.Runnable { kind = 'x' }:to_recipe('no/folder.json')", "cannot write the recipe no/folder.json"),
    ];
    for (script, expected) in cases {
        let body = format!("local R = require 'rille.runnable'\n{script}");
        let project = Project::new().main(&body).file("bad.json", "[{}]");
        project.job(&[]).code(1).stderr_has("job.lua:4: ").stderr_has(expected);
    }
}

#[test]
fn recipes_of_tasks_are_read_by_the_same_rules() {
    let body = r#"job.run { testscript = "list.json", taskid = "list" }
  job.run { testscript = "typo.json", taskid = "typo" }
  job.run { testscript = { kind = "exec-test", url = "/bin/true" }, taskid = "table" }
  job.run { testscript = "tagged.json", taskid = "tagged" }"#;
    let project = Project::new()
        .main(body)
        .file("list.json", r#"[{"kind": "exec-test", "uri": "/bin/true"}]"#)
        .file("typo.json", r#"{"kind": "exec-test", "uri": "/bin/true", "arg": []}"#)
        .file("tagged.json", r#"{"kind": "exec-test", "uri": "/bin/true", "kwargs": {"tags": {"a": null}, "n": "1"}}"#);
    let ended = project.job(&[]);
    ended.code(1).outcomes("list=errored typo=errored table=errored tagged=passed");
    ended.reason_has("list", "list.json is a list of 1 recipes, and a task runs one");
    ended.reason_has("typo", "typo.json is no recipe: there is no key 'arg' in a recipe; did you mean 'args'?");
    ended.reason_has("table", "testscript is no recipe: there is no key 'url' in a recipe; a recipe has kind, uri,");
}
