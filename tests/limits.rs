//! What limits a whole job: `--max-failures` over its tasks, and `--deadline`.

use crate::harness::Project;

/// A job of three tasks one after the other, then two beside each other; `a` and `c` fail.
const MAIN: &str = r#"
  job.run { testscript = "false", taskid = "a" }
  job.run { testscript = "true", taskid = "b" }
  job.run { testscript = "false", taskid = "c" }
  job.run { testscript = "true", taskid = "d" }
  job.parallel { { testscript = "true", taskid = "e" }, { testscript = "true", taskid = "f", needs = "a" } }"#;

#[test]
fn no_task_starts_after_as_many_failures_as_may_be() {
    let one = "a=failed b=skipped c=skipped d=skipped e=skipped f=blocked";
    for (most, expected) in [
        ("1", one),
        ("2", "a=failed b=passed c=failed d=skipped e=skipped f=blocked"),
        ("3", "a=failed b=passed c=failed d=passed e=passed f=blocked"),
    ] {
        Project::new().main(MAIN).job(&["-q", "--max-failures", most]).code(1).outcomes(expected);
    }
    let configured = Project::new().main(MAIN).file("rille.toml", "max_failures = 1\n");
    configured.job(&["-q"]).code(1).outcomes(one);
}

#[test]
fn a_script_and_the_job_are_limited_by_one_option() {
    let script = r#"local ts = require "rille.testscript"
for i = 1, 3 do ts.testcase("T" .. i):test("t", function(self) self:failed("no") end) end"#;
    let main = "job.run { testscript = 't.lua', taskid = 'a' } job.run { testscript = 't.lua', taskid = 'b' }\n\
                job.run { testscript = 't.lua', taskid = 'c' }";
    let ended = Project::new().main(main).file("t.lua", script).job(&["-q", "--max-failures", "2"]);
    ended.code(1).outcomes("a=failed b=failed c=skipped").reason_has("a", "T1: t: no (3 of 3 did not pass)");
}

#[test]
fn at_its_deadline_a_job_ends_what_runs_and_starts_no_more() {
    let main = r#"
  local soak = job.Task { testscript = "sleep", args = { "300" }, taskid = "soak" }
  soak:start()
  job.run { testscript = "true", taskid = "first" }
  job.run { testscript = "sleep", args = { "300" }, taskid = "long" }
  job.run { testscript = "true", taskid = "after" }
  soak:wait()"#;
    let project = Project::new().main(main).file("rille.toml", "deadline = '1.5s'\n");
    let ended = project.job(&["-q"]);
    ended
        .code(1)
        .outcomes("soak=errored first=passed long=errored after=blocked")
        .reason_has("long", "the job exceeded its deadline of 1.5 s")
        .reason_has("after", "did not start: the job exceeded its deadline of 1.5 s");
}

/// Code that only computes, in each of the places where it can stand, and what the task `a` came to where there is one.
const ENDLESS: [(&str, &str, &str, &str); 5] = [
    ("main alone", "function main() while true do end end", "", ""),
    (
        "main after a task",
        "function main() JOB.run { testscript = 'true', taskid = 'a' } repeat until false end",
        "",
        "a=passed",
    ),
    ("the file itself", "repeat until false", "", ""),
    (
        "a section",
        "function main() JOB.run { testscript = 's.lua', taskid = 'a' } end",
        "TS.testcase('T'):test('t', function() while true do end end)",
        "a=errored",
    ),
    (
        "a section that catches all",
        "function main() JOB.run { testscript = 's.lua', taskid = 'a' } end",
        "TS.testcase('T'):test('t', function() while true do pcall(function() while true do end end) end end)",
        "a=errored",
    ),
];

#[test]
fn what_only_computes_ends_with_the_job_all_the_same() {
    for (what, jobfile, script, outcomes) in ENDLESS {
        let project = Project::new()
            .file("job.lua", format!("local JOB = require 'rille.job'\n{jobfile}\n"))
            .file("s.lua", format!("local TS = require 'rille.testscript'\n{script}\n"));
        let ended = project.job(&["-q", "--deadline", "1.5s", "--grace", "0.5"]);
        ended.code(1).stderr_has("the job exceeded its deadline of 1.5 s");
        let run = ended.the_run();
        assert_eq!(run.outcomes(), outcomes, "{what}");
        assert_eq!(run.attr("exit_status"), 1, "{what}");
        let end = run.events_of("run-finished").pop().expect("its results are written");
        let seconds = end["seconds"].as_f64().expect("a time");
        assert!((1.5..30.0).contains(&seconds), "{what}: {seconds}");
        let junit = run.text("results.xml");
        assert!(junit.contains("the job exceeded its deadline of 1.5 s"), "{what}: {junit}");
        assert!(run.warnings().contains("the job exceeded its deadline of 1.5 s"), "{what}");
    }
}

#[test]
fn a_main_that_returns_within_the_grace_is_not_given_up() {
    let main = r#"
  job.run { testscript = "sleep", args = { "300" }, taskid = "long" }
  job.run { testscript = "true", taskid = "after" }
  print("put in order")"#;
    let ended = Project::new().main(main).job(&["-q", "--deadline", "1s", "--grace", "60"]);
    let run = ended.code(1).stdout("put in order\n").outcomes("long=errored after=blocked").the_run();
    assert_eq!(run.events_of("main-finished")[0]["error"], serde_json::Value::Null);
    assert!(run.warnings().contains("the job exceeded its deadline of 1 s"), "{}", run.warnings());
}

#[test]
fn a_deadline_that_is_not_reached_changes_nothing_and_one_that_is_none_is_refused() {
    let project = Project::new().main("job.run { testscript = 'true', taskid = 'a' }");
    project.job(&["-q", "--deadline", "1h"]).code(0).outcomes("a=passed");
    for (wrong, why) in
        [("0", "a time above zero"), ("-3", "deadline"), ("3 weeks", "no unit of time"), ("nan", "no unit of time")]
    {
        project.job(&["-q", &format!("--deadline={wrong}")]).code(2).stderr_has(why);
    }
}
