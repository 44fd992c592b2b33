//! Runs that repeat a part of an earlier one, and tasks that pass at a later attempt.

use std::fs;

use crate::harness::{Project, check_results};

/// Ends as its task's id says, and better where there is a file `fixed`.
const BY_ID: &str = "#!/bin/sh\ncase $RILLE_TASK_ID in\n\
    fail*) [ -e \"$FIXED\" ];;\n crash*) [ -e \"$FIXED\" ] || exit 3;;\n skip*) exit 77;;\nesac\n";

const BODY: &str = "job.parallel { limit = 2, { testscript = 'by-id.sh', taskid = 'pass' },\n\
    { testscript = 'by-id.sh', taskid = 'fail' }, { testscript = 'by-id.sh', taskid = 'crash' },\n\
    { testscript = { kind = 'exec-test', uri = 'by-id.sh', config = { ['runner.exectest.exitcodes.skip'] = { 77 } } },\n\
      taskid = 'skip' },\n\
    { testscript = 'by-id.sh', taskid = 'blocked', needs = { 'fail' } } }";

fn project() -> Project {
    let project = Project::new();
    let fixed = project.path("fixed");
    project.env("FIXED", fixed).main(BODY).executable("by-id.sh", BY_ID)
}

#[test]
fn what_did_not_pass_runs_again() {
    let project = project();
    project.job(&[]).code(1).outcomes("pass=passed fail=failed crash=errored skip=skipped blocked=blocked");
    let first = project.the_run();
    fs::write(project.path("fixed"), "").unwrap();
    let ended = project.run(&["run", "--rerun", "latest", "-v"]);
    ended.code(0).stderr_has(&format!("a rerun of {}", &first.id()[..8]));
    let second = project.runs().pop().expect("a run");
    // What it needs was not left out, so that it can run.
    assert_eq!(second.outcomes(), "pass=skipped fail=passed crash=passed skip=skipped blocked=passed");
    assert_eq!(second.reason("pass"), format!("not in the rerun of {}", &first.id()[..8]));
    assert_eq!(second.reason("skip"), "exit code 77, which means skipped here", "it was asked again");
    assert_eq!(second.attr("rerun_of"), first.id().as_str());
    let results = second.results();
    check_results(&project, &results);
    assert_eq!(results["run"]["rerun_of"], first.id().as_str());
    assert_eq!(first.results()["run"]["rerun_of"], serde_json::Value::Null);

    // A rerun of the rerun: what was left out has not failed. What skipped itself is asked for the third time.
    let third = project.run(&["run", "--rerun", "latest", "--rerun-condition", "failed, errored"]);
    third.code(4).stderr_has("nothing to run: ");
    assert_eq!(project.runs().len(), 2);
    project.run(&["run", "--rerun", "latest"]).code(0);
    assert_eq!(
        project.runs().pop().expect("a run").outcomes(),
        "pass=skipped fail=skipped crash=skipped skip=skipped blocked=skipped"
    );
}

#[test]
fn a_condition_chooses() {
    let project = project();
    project.job(&[]).code(1);
    let first = project.the_run().id();
    let cases = [
        ("failed", "pass=skipped fail=failed crash=skipped skip=skipped blocked=skipped"),
        ("errored,PASSED", "pass=passed fail=skipped crash=errored skip=skipped blocked=skipped"),
    ];
    for (condition, outcomes) in cases {
        project.run(&["run", "--rerun", &first, "--rerun-condition", condition]);
        assert_eq!(project.runs().pop().expect("a run").outcomes(), outcomes, "{condition}");
    }
    let slip = project.run(&["run", "--rerun", &first, "--rerun-condition", "faild"]);
    slip.code(2).stderr_has("'faild' is no condition; did you mean 'failed'?");
    project.run(&["run", "job.lua", "--rerun-condition", "failed"]).code(2).stderr_has("--rerun");
    project.run(&["run", "--rerun", "nosuch"]).code(2).stderr_has("no run matches 'nosuch'");
}

#[test]
fn another_jobfile_can_be_named() {
    let project =
        project().file("other.lua", format!("local job = require 'rille.job'\nfunction main()\n{BODY}\nend\n"));
    project.job(&[]).code(1);
    project.run(&["run", "other.lua", "--rerun", "latest", "--rerun-condition", "failed"]).code(1);
    let run = project.runs().pop().expect("a run");
    assert!(run.results()["run"]["file"].as_str().is_some_and(|file| file.ends_with("/other.lua")));
    assert_eq!(run.outcomes(), "pass=skipped fail=failed crash=skipped skip=skipped blocked=skipped");
}

#[test]
fn an_archive_tells_as_much_as_the_run() {
    let project = project();
    for name in ["a.zip", "a.tar.zst"] {
        project.job(&["--archive", name]).code(1);
        for run in project.runs() {
            fs::remove_dir_all(run.path()).unwrap();
        }
        project.run(&["run", "--rerun", name, "--rerun-condition", "failed"]).code(1);
        let run = project.the_run();
        assert_eq!(run.outcomes(), "pass=skipped fail=failed crash=skipped skip=skipped blocked=skipped");
        fs::remove_dir_all(run.path()).unwrap();
    }
    fs::write(project.path("bad.zip"), "no zip").unwrap();
    project.run(&["run", "--rerun", "bad.zip"]).code(7).stderr_has("bad.zip is damaged");
}

#[test]
fn a_pass_at_a_later_attempt_is_marked() {
    let body = "job.run { testscript = 'flaky.sh', taskid = 'flaky', retries = 2 }\n\
                job.run { testscript = '/bin/false', taskid = 'never', retries = 1 }\n\
                job.run { testscript = '/bin/true', taskid = 'sound', retries = 1 }";
    let project = Project::new().main(body).executable("flaky.sh", "#!/bin/sh\n[ $RILLE_ATTEMPT = 2 ]\n");
    let ended = project.job(&[]);
    ended.code(1).outcomes("flaky=passx never=failed sound=passed").reason_has("flaky", "passed on attempt 2 of 3");
    ended.stderr_has("attempt 1 of 3: exit code 1, trying again").stderr_has("passed on attempt 2 of 3");
    let run = project.the_run();
    let flaky = |id: &str| (run.task(id)["flaky"].clone(), run.task(id)["attempts"].clone());
    assert_eq!(flaky("flaky"), (true.into(), 2.into()));
    assert_eq!(flaky("never"), (false.into(), 2.into()));
    assert_eq!(flaky("sound"), (false.into(), 1.into()));
    let retried = run.events_of("task-finished").into_iter().filter(|event| event["will_retry"] == true).count();
    assert_eq!(retried, 2);
    ended.stderr_has("1 passx (1 on a later attempt)");
}
