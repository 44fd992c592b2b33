//! When tasks run: how many at once, with which resources, after which others, and which not at all.

use crate::harness::Project;

/// A script that fails if it sees more than `most` of its like inside, and that meets the task named `with`, if one is.
const INSIDE: &str = r#"#!/bin/sh
cd "$RILLE_RUN_DIR" || exit 9
mkdir -p inside met
: > "inside/$RILLE_TASK_ID"
test "$(ls inside | wc -l)" -le "$most" || exit 1
if [ -n "$with" ]; then
  : > "met/$RILLE_TASK_ID"
  while [ ! -e "met/$with" ]; do sleep 0.01; done
fi
test "$(ls inside | wc -l)" -le "$most" || exit 1
rm "inside/$RILLE_TASK_ID"
"#;

/// Returns task tables: pairs that meet each other, so that two at once are needed, and more than two are seen.
fn pairs(count: u32, more: &str) -> String {
    let task = |n: u32| {
        let with = if n.is_multiple_of(2) { n - 1 } else { n + 1 };
        format!("{{ testscript = 'inside.sh', taskid = 't{n}', most = 2, with = 't{with}', max_runtime = 50, {more} }}")
    };
    (1..=count).map(task).collect::<Vec<_>>().join(",\n")
}

#[test]
fn parallel_runs_as_many_as_its_limit_says_and_no_more() {
    let project = Project::new().executable("inside.sh", INSIDE);
    let body = format!("print(job.rollup(job.parallel {{ limit = 2,\n{} }}))", pairs(10, ""));
    project.main(&body).job(&[]).code(0).stdout("passed\n");
}

#[test]
fn the_option_j_limits_parallel_and_started_tasks() {
    let listed = format!("print(job.rollup(job.parallel {{ {} }}))", pairs(8, ""));
    let started = format!(
        "local tasks = {{}}\nfor i, task in ipairs {{ {} }} do tasks[i] = job.Task(task) tasks[i]:start() end\n\
         print(job.rollup(job.wait_all(tasks)))",
        pairs(8, "")
    );
    for body in [listed, started] {
        Project::new().executable("inside.sh", INSIDE).main(&body).job(&["-j", "2"]).code(0).stdout("passed\n");
    }
}

#[test]
fn a_task_starts_at_once_without_j() {
    // Twelve tasks that all meet the first one's next neighbour in a ring: all must run at once.
    let body = r#"local tasks = {}
  for i = 1, 12 do
    tasks[i] = job.Task { testscript = "inside.sh", taskid = "t" .. i, most = 12, with = "t" .. i % 12 + 1, max_runtime = 50 }
    tasks[i]:start()
  end
  print(job.rollup(job.wait_all(tasks)))"#;
    Project::new().executable("inside.sh", INSIDE).main(body).job(&[]).code(0).stdout("passed\n");
}

#[test]
fn resources_are_held_one_by_one_and_told_to_the_task() {
    let slots = "#!/bin/sh\nmkdir \"$RILLE_RUN_DIR/slot.$RILLE_SLOTS_BENCH\" || exit 1\n\
                 echo \"$RILLE_SLOTS_BENCH\"\nrmdir \"$RILLE_RUN_DIR/slot.$RILLE_SLOTS_BENCH\"\n";
    let task = "{ testscript = 'slots.sh', resources = { bench = 1 } }";
    let body = format!("print(job.rollup(job.parallel {{ limit = 8, {} }}))", [task; 12].join(", "));
    let project = Project::new().executable("slots.sh", slots).main(&body);
    let run = project.job(&["--resource", "bench=2"]).code(0).stdout("passed\n").the_run();
    for number in 1..=12 {
        let slot = run.output(&format!("Task-{number}"), "stdout");
        assert!(slot == b"0\n" || slot == b"1\n", "{slot:?}");
    }
    // Two pieces of two, and one of a resource that nobody counted, which is there once: one task at a time.
    for resources in ["resources = { bench = 2 }", "resources = { printer = 1 }"] {
        let pairs = pairs(6, resources).replace("most = 2", "most = 1").replace("with =", "without =");
        let body = format!("print(job.rollup(job.parallel {{ limit = 6, {pairs} }}))");
        let project = Project::new().executable("inside.sh", INSIDE).main(&body);
        project.job(&["--resource", "bench=2"]).code(0).stdout("passed\n");
    }
}

#[test]
fn a_task_that_asks_for_more_than_there_is_is_errored_and_others_run() {
    let body = r#"print(job.run { testscript = "/bin/true", taskid = "many", resources = { bench = 3 } })
  print(job.run { testscript = "/bin/true", taskid = "none", resources = { other = 2 } })
  print(job.run { testscript = "/bin/true", taskid = "fits", resources = { bench = 2, cpus = 0 } })"#;
    let ended = Project::new().main(body).job(&["--resource", "bench=2"]);
    ended.code(1).outcomes("many=errored none=errored fits=passed");
    ended.reason_has("many", "needs 3 of resource 'bench', of which there are 2; --resource bench=N sets it");
    ended.reason_has("none", "needs 2 of resource 'other', of which there are 1; --resource other=N sets it");
}

#[test]
fn a_task_waits_for_what_it_needs_and_is_blocked_if_that_did_not_pass() {
    let body = r#"local build = job.Task { testscript = "note.sh", taskid = "b/uild" }
  local test = job.Task { testscript = "note.sh", taskid = "test", needs = "b/uild" }
  test:start() build:start()
  job.wait_all { test, build }
  job.parallel { limit = 3,
    { testscript = "/bin/false", taskid = "bad" },
    { testscript = "note.sh", taskid = "after", needs = { "bad" } },
    { testscript = "note.sh", taskid = "later", needs = { "test", "after" } },
    { testscript = "note.sh", taskid = "free", needs = { "test" } } }
  print(job.run { testscript = "note.sh", taskid = "late", needs = { "bad" } })"#;
    let note = "#!/bin/sh\necho \"$RILLE_TASK_ID\" >> \"$RILLE_RUN_DIR/order\"\n";
    let ended = Project::new().main(body).executable("note.sh", note).job(&[]);
    ended.code(1).stdout("false\tblocked\n");
    let run = ended.the_run();
    for outcome in ["b_uild=passed", "test=passed", "bad=failed", "after=blocked", "later=blocked", "free=passed"] {
        assert!(run.outcomes().contains(outcome), "{outcome} in {}", run.outcomes());
    }
    assert_eq!(run.text("order"), "b_uild\ntest\nfree\n");
    ended.reason_has("after", "'bad'").reason_has("later", "'after'").reason_has("late", "'bad'");
    assert_eq!(run.task("after")["attempts"], 0);
}

#[test]
fn more_tasks_than_descriptors_take_turns() {
    let body = r#"local tasks = {}
  for i = 1, 60 do
    tasks[i] = job.Task { testscript = "sh", args = { "-c", "echo out; echo err >&2" } }
    tasks[i]:start()
  end
  job.wait_all(tasks)"#;
    let project = Project::new().main(body);
    let mut command = project.command("sh");
    command.args(["-c", "ulimit -n 64; exec \"$0\" run job.lua", env!("CARGO_BIN_EXE_rille")]);
    let ended = project.start_command(command).wait();
    ended.code(0).stderr_has("60 tasks: 60 passed");
    assert_eq!(ended.the_run().output("Task-60", "stderr"), b"err\n");
}

#[test]
fn needs_that_can_never_be_met_are_told_and_hang_nothing() {
    let unknown = r#"job.Task { testscript = "/bin/true", taskid = "build" }:start()
  print(job.run { testscript = "/bin/true", taskid = "test", needs = { "buidl" } })
  print(job.run { testscript = "/bin/true", taskid = "other" })"#;
    let ended = Project::new().main(unknown).job(&[]);
    ended.code(1).outcomes("build=passed test=errored other=passed").stdout("false\terrored\ntrue\tpassed\n");
    ended.reason_has("test", "needs 'buidl', but no task of that id was started; did you mean 'build'?");

    let unstarted = r#"local build = job.Task { testscript = "/bin/true", taskid = "build" }
  local test = job.Task { testscript = "/bin/true", taskid = "test", needs = { "build" } }
  test:start()
  print(test:wait())
  build:start()
  print(build:wait())"#;
    let ended = Project::new().main(unstarted).job(&[]);
    ended.code(1).outcomes("test=errored build=passed").stdout("false\terrored\ntrue\tpassed\n");
    ended.reason_has("test", "needs 'build', but no task of that id was started");

    let circle = r#"print(job.rollup(job.parallel { limit = 2,
    { testscript = "/bin/true", taskid = "a", needs = { "b" } },
    { testscript = "/bin/true", taskid = "b", needs = { "a" } },
    { testscript = "/bin/true", taskid = "c" } }))"#;
    let ended = Project::new().main(circle).job(&[]);
    ended.code(1);
    let outcomes = ended.the_run().outcomes();
    assert!(outcomes.contains("c=passed") && !outcomes.contains("a=passed"), "{outcomes}\n{ended}");
    ended.reason_has("a", "needs itself: a needs b needs a");

    let own = r#"print(job.run { testscript = "/bin/true", taskid = "me", needs = { "me" } })"#;
    let ended = Project::new().main(own).job(&[]);
    ended.code(1).reason_has("me", "needs itself");
    assert!(!ended.the_run().outcomes().contains("me=passed"), "{ended}");
}

/// A job of three tasks with tags.
const TAGGED: &str = r#"print(job.run { testscript = "/bin/true", taskid = "net/up", tags = { "fast", "net" } })
  print(job.run { testscript = "/bin/true", taskid = "net/down", tags = "net" })
  print(job.run { testscript = "/bin/true", taskid = "disk" })
  print(job.run { testscript = "no-such.lua", taskid = "zero" , tags = "broken"})"#;

#[test]
fn only_the_chosen_tasks_run_and_the_others_are_skipped() {
    let cases: [(&[&str], [&str; 4]); 8] = [
        (&["--taskid", "net/*"], ["passed", "passed", "skipped", "skipped"]),
        (&["--taskid", "net_up,disk"], ["passed", "skipped", "passed", "skipped"]),
        (&["--taskid", "!zero"], ["passed", "passed", "passed", "skipped"]),
        (&["--taskid", "d?sk"], ["skipped", "skipped", "passed", "skipped"]),
        (&["--tags", "fast"], ["passed", "skipped", "skipped", "skipped"]),
        (&["--tags", "net", "--tags", "!fast"], ["skipped", "passed", "skipped", "skipped"]),
        (&["--tags=net", "--taskid=*down"], ["skipped", "passed", "skipped", "skipped"]),
        (&["--taskid", "nothing"], ["skipped", "skipped", "skipped", "skipped"]),
    ];
    for (args, [up, down, disk, zero]) in cases {
        let ended = Project::new().main(TAGGED).job(args);
        let nothing_ran = [up, down, disk, zero].iter().all(|outcome| *outcome == "skipped");
        ended.code(if nothing_ran { 4 } else { 0 });
        ended.outcomes(&format!("net_up={up} net_down={down} disk={disk} zero={zero}"));
        ended.reason_has("zero", "not selected by --ta");
        let started = ended.the_run().events_of("task-started").len();
        assert_eq!(started, [up, down, disk, zero].iter().filter(|outcome| **outcome == "passed").count(), "{args:?}");
    }
}

#[test]
fn a_job_without_tasks_runs_nothing_and_says_so() {
    let ended = Project::new().main("print('nothing to do')").job(&[]);
    insta::assert_snapshot!(ended.whole(), @r"
    exit code 4
    --- stdout
    nothing to do
    --- stderr
    [RUN] job: [WORK]/job.lua

    Nothing ran: no task was queued.

    Result: NOTHING RAN  0 tasks in [TIME]
    Run directory: [HOME]/runs/[RUN]
    ");
    assert_eq!(ended.the_run().attr("exit_status"), 4);
    assert_eq!(ended.the_run().results()["run"]["result"], serde_json::Value::Null);
}

#[test]
fn a_task_that_needs_a_skipped_one_does_not_run() {
    let body = r#"job.run { testscript = "/bin/true", taskid = "build" }
  print(job.run { testscript = "/bin/true", taskid = "test", needs = { "build" } })"#;
    let ended = Project::new().main(body).job(&["--taskid", "test"]);
    assert_eq!(ended.the_run().events_of("task-started").len(), 0, "{ended}");
    ended.outcomes("build=skipped test=blocked").code(1).reason_has("test", "'build'");
}
