//! The whole output of a small job, so that nothing of it changes unseen.

use crate::harness::Project;

#[test]
fn a_job_from_end_to_end() {
    let project = Project::new()
        .main(
            r#"print("main", #runtime.argv)
  print(job.run { testscript = "connect.lua", taskid = "connect", device = "sw1" })
  print(job.run { testscript = "/bin/false", taskid = "soak/a" })"#,
        )
        .file("connect.lua", "print('hello ' .. parameters.device)");
    let ended = project.job(&["--mine"]);
    insta::assert_snapshot!(ended.whole(), @r"
    exit code 1
    --- stdout
    main	1
    true	passed
    false	failed
    --- stderr
    [RUN] job: [WORK]/job.lua
       PASSED [TIME] connect
       FAILED [TIME] soak_a: exit code 1

    job
    ├── connect  PASSED [TIME]
    └── soak_a   FAILED [TIME]  exit code 1

    Result: FAILED  2 tasks: 1 passed, 1 failed in [TIME]
    Run directory: [HOME]/runs/[RUN]
    ");
    let run = ended.the_run();
    assert_eq!(run.outcomes(), "connect=passed soak_a=failed");
    assert_eq!(run.output("connect", "stdout"), b"hello sw1\n");
    assert_eq!(run.events().last().unwrap()["event"], "run-finished");
}

#[test]
fn a_task_that_outlives_its_time_is_ended_with_its_children() {
    let project = Project::new().main(
        r#"local ok, err = pcall(job.run, { testscript = "slow.sh", taskid = "slow", max_runtime = 0.5 })
  print(ok, err.kind)"#,
    );
    let project = project.executable("slow.sh", "#!/bin/sh\nsetsid sleep 1000 &\nsleep 1000\n");
    project.job(&[]).code(1).stdout("false\ttimeout\n").outcomes("slow=errored").reason_has("slow", "0.5 s");
}
