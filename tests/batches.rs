//! Batches: flags with several values, their trials, and what becomes of them.

use std::collections::BTreeSet;
use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{DEADLINE, Project, Run, Running, guild_program, until};

/// An operation that leaves a file, writes a scalar and ends with the code that it is given.
const TRAIN: &str = "train:\n  exec: sh train.sh ${lr} ${code}\n  flags:\n    lr: 0.1\n    code: 0\n    opt:\n      default: adam\n      \
                     choices: [adam, {value: sgd, flags: {lr: 0.5}}]\n";
const TRAIN_SCRIPT: &str = "echo \"loss: $1\"; echo x >>steps; exit $2\n";

fn training() -> Project {
    Project::new().file("guild.yml", TRAIN).file("train.sh", TRAIN_SCRIPT)
}

/// Returns the batch that the project has run, and its trials in the order of its list.
fn the_batch(project: &Project) -> (Run, Vec<Run>) {
    let is_batch = |run: &Run| run.has(".guild/proto");
    let batches: Vec<Run> = project.runs().into_iter().filter(is_batch).collect();
    let [batch] = batches.as_slice() else { panic!("there is not one batch but {}", batches.len()) };
    let batch = Run::at(batch.path().to_owned(), project);
    let ids = listed(&batch).into_iter().map(|trial| trial["id"].as_str().expect("an id is text").to_owned());
    let trials = ids.map(|id| Run::at(project.home().join("runs").join(id), project)).collect();
    (batch, trials)
}

fn listed(batch: &Run) -> Vec<Value> {
    batch.text(".guild/trials").lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
}

fn flags(trials: &[Run], name: &str) -> Value {
    trials.iter().map(|trial| trial.attr("flags")[name].clone()).collect()
}

/// Returns the names of a script's flags and the command to print trials.
fn printed(project: &Project, words: &[&str]) -> String {
    let words: Vec<&str> = ["run", "train", "--print-trials"].into_iter().chain(words.iter().copied()).collect();
    project.run(&words).code(0).out()
}

#[test]
fn a_list_of_values_is_a_batch_with_a_run_for_each() {
    let project = Project::new().file("pass.py", "");
    project.run(&["run", "pass.py", "a=[1,2,3]", "--force-flags", "--quiet", "-y"]).code(0);
    let (batch, trials) = the_batch(&project);
    assert_eq!(project.runs().len(), 4);
    assert_eq!((batch.attr("flags"), flags(&trials, "a")), (json!({}), json!([1, 2, 3])));
    let names = project.run(&["runs", "--json"]).json();
    let names: Vec<&str> =
        names.as_array().expect("a list").iter().filter_map(|run| run["operation"].as_str()).collect();
    assert_eq!(names, ["pass.py", "pass.py", "pass.py", "pass.py+"], "newest first");
    for trial in &trials {
        let link = batch.path().join(trial.id());
        assert_eq!(fs::read_link(link).expect("it is a link"), std::path::Path::new("..").join(trial.id()));
        assert_eq!(trial.attr("exit_status"), 0);
        assert!(trial.has(".guild/sourcecode/pass.py"), "each has the source code");
    }
    assert_eq!(batch.outcomes(), "a=1=passed a=2=passed a=3=passed");
}

#[test]
fn values_ids_and_order_do_not_depend_on_how_many_run_at_once() {
    let seen = |jobs: &str| {
        let project = training();
        let words =
            ["run", "train", "lr=range[0:1:0.3]", "opt=[adam,sgd]", "-j", jobs, "-m", "6", "--random-seed", "7"];
        project.run(&words).code(0);
        let (batch, trials) = the_batch(&project);
        let queued: Vec<Value> = batch.events_of("task-queued").iter().map(|event| event["id"].clone()).collect();
        (flags(&trials, "lr"), flags(&trials, "opt"), queued)
    };
    let alone = seen("1");
    assert_eq!(alone, seen("8"));
    assert_eq!(alone.2.len(), 6);
}

#[test]
fn a_failed_trial_fails_the_batch_and_no_other() {
    let project = training();
    let ended = project.run(&["run", "train", "code=[0,3,1,0]", "-j", "2"]);
    ended.code(1).stderr_has("code=3: exit code 3").stderr_has("3     0.1   ERRORED");
    let (batch, trials) = the_batch(&project);
    let statuses: Vec<Value> = trials.iter().map(|trial| trial.attr("exit_status")).collect();
    assert_eq!((json!(statuses), batch.attr("exit_status")), (json!([0, 3, 1, 0]), json!(1)));
    assert_eq!(batch.outcomes(), "code=0=passed code=3=errored code=1=failed code=0 #2=passed");
    for trial in &trials {
        let ends: Vec<Value> = trial.events().iter().map(|event| event["event"].clone()).collect();
        assert_eq!(json!(ends), json!(["run-started", "task-queued", "task-started", "task-finished", "run-finished"]));
    }
    // The first that fails ends it.
    let project = training();
    project.run(&["run", "train", "code=[0,3,0,0]", "--fail-on-trial-error"]).code(1);
    let (_, trials) = the_batch(&project);
    let made: Vec<bool> = trials.iter().map(|trial| trial.path().exists()).collect();
    assert_eq!(made, [true, true, false, false]);
}

#[test]
fn trials_are_printed_saved_and_read_back() {
    let project = training().file("more.yml", "- {lr: 1, code: [0, 1]}\n- {lr: 2, opt: sgd}\n");
    let table = "#  code  lr   opt\n1  0     0.5  sgd\n2  0     0.1  adam\n";
    assert_eq!(printed(&project, &["opt=[sgd,adam]"]), table);
    project
        .run(&["run", "train", "opt=[sgd,adam]", "--save-trials", "t.csv"])
        .code(0)
        .stdout("Saving trials to t.csv\n");
    assert_eq!(project.read("t.csv"), "code,lr,opt\n0,0.5,sgd\n0,0.1,adam\n");
    assert_eq!(printed(&project, &["@t.csv"]), table);
    project.run(&["run", "train", "opt=[sgd,adam]", "--save-trials", "t.json"]).code(0);
    assert_eq!(printed(&project, &["@t.json"]), table);
    assert_eq!(
        printed(&project, &["@more.yml"]),
        "#  code  lr  opt\n1  0     1   adam\n2  1     1   adam\n3  0     2   sgd\n"
    );
    let wins = printed(&project, &["@more.yml", "lr=[7,8]", "code=0"]);
    assert_eq!(wins, "#  code  lr  opt\n1  0     7   adam\n2  0     8   adam\n3  0     7   sgd\n4  0     8   sgd\n");
    assert_eq!(project.runs().len(), 0, "nothing was run");
    // One trial is an ordinary run.
    let project = training().file("one.csv", "lr,opt\n3,sgd\n");
    project.run(&["run", "train", "@one.csv"]).code(0);
    assert_eq!(project.the_run().attr("flags"), json!({"code": 0, "lr": 3, "opt": "sgd"}));
    project.run(&["run", "train", "code=0,1", "--print-cmd"]).code(0).stdout("sh train.sh 0.1 0,1\n");
    project
        .run(&["run", "train", "code=[0,1]", "--print-cmd"])
        .code(0)
        .stdout("sh train.sh 0.1 0\nsh train.sh 0.1 1\n");
}

#[test]
fn what_is_wrong_is_told_before_anything_is_made() {
    let project = training().file("t.txt", "").file("bad.csv", "lr,cod\n1,2\n").file("none.csv", "lr\n");
    let cases: [(&[&str], &str); 17] = [
        (&["--opt-flag", "foo=123"], "invalid optimizer flag foo=123: no optimizer specified"),
        (
            &["-o", "+", "--opt-flag", "baz=789"],
            "unsupported flag 'baz'\nhint: Try 'rille run + --help-op' for a list of flags or use --force-flags to skip this check.",
        ),
        (&["lr=1", "--print-trials"], "cannot print trials for a non-batch operation"),
        (&["lr=1", "--stage-trials"], "cannot stage trials for a non-batch operation"),
        (&["lr=1", "--save-trials", "x.csv"], "cannot save trials for a non-batch operation"),
        (
            &["lr=[1,2]", "--save-trials", "x.yml"],
            "Unsupported extension '.yml' - use '.csv', '.json', or no extension",
        ),
        (&["@nope.csv"], "batch file nope.csv does not exist"),
        (&["@t.txt"], "cannot read trials for t.txt: unsupported extension"),
        (&["@bad.csv"], "bad.csv: trial 1: unsupported flag 'cod'\nhint: Did you mean 'code'?"),
        (&["@none.csv"], "there are no trials in none.csv"),
        (&["opt=[adam,adma]"], "Unsupported value for 'opt'"),
        (&["lr=range[0:1:0]"], "invalid function args in 'range[0:1:0]': the step is 0 for flag lr"),
        (&["lr=rnge[0:1]"], "unknown function 'rnge' used for flag lr\nhint: Did you mean 'range'?"),
        (
            &["lr=range[1:100000]", "code=range[1:10000]"],
            "the flags stand for 1000000000 trials; a batch may have 100000\nhint: --max-trials N draws N of them by the seed.",
        ),
        (
            &["-o", "random", "lr=1", "code=1", "opt=adam"],
            "flags for batch (code=1, lr=1, opt=adam) do not contain any search dimensions\nhint: Try specifying a range for one or more flags as NAME=[MIN:MAX].",
        ),
        (&["lr=[1,2]", "-o", "gp"], "the optimizer 'gp' is not there yet"),
        (
            &["lr=[1,2]", "-o", "randm"],
            "operation 'randm' is not defined for this project\nhint: Did you mean 'random'?",
        ),
    ];
    for (words, expected) in cases {
        let words: Vec<&str> = ["run", "train"].into_iter().chain(words.iter().copied()).collect();
        let ended = project.run(&words);
        assert_eq!(ended.exit_code(), Some(1), "{words:?}: {}", ended.whole());
        ended.stderr_has(expected);
    }
    project.run(&["run", "+", "--help-op"]).code(0).stdout_has("Usage: rille run [OPTIONS] + [FLAG]...");
    assert_eq!(project.runs().len(), 0);
    let product = printed(&project, &["lr=range[1:100000]", "code=range[1:10000]", "-m", "2"]);
    assert_eq!(product.lines().count(), 3, "{product}");
    project.run(&["run", "train", "-m", "3"]).code(0).stderr_has("WARNING: not a batch run - ignoring --max-trials");
}

#[test]
fn a_search_draws_from_ranges_and_choices() {
    let project = training();
    let draw = |words: &[&str]| {
        let words: Vec<&str> = words.iter().copied().chain(["--random-seed", "3"]).collect();
        printed(&project, &words)
    };
    let drawn = draw(&["lr=[0.5:1.5:1]", "opt=[adam,sgd]"]);
    assert_eq!(drawn.lines().count(), 21, "twenty where nobody says: {drawn}");
    assert!(drawn.lines().nth(1).expect("a trial").contains(" 1 "), "it begins where it is told: {drawn}");
    assert!(drawn.contains("adam") && drawn.contains("sgd"), "{drawn}");
    assert_eq!(drawn, draw(&["lr=[0.5:1.5:1]", "opt=[adam,sgd]"]), "the seed decides");
    let asked = draw(&["-o", "random", "lr=loguniform[1e-4:1]", "-m", "30"]);
    assert!(
        asked.contains("adam") && asked.contains("sgd"),
        "choices are searched where a search is asked for: {asked}"
    );
    let grid = draw(&["-o", "grid", "lr=[1:3]", "opt=sgd"]);
    assert_eq!(grid, "#  code  lr  opt\n1  0     1   sgd\n2  0     2   sgd\n3  0     3   sgd\n");
}

#[test]
fn a_batch_is_staged_and_started_and_what_has_completed_stays() {
    let project = training();
    let staged = project.run(&["run", "train", "code=[0,3]", "--stage", "--batch-label", "both", "--batch-tag", "t"]);
    staged.code(0).stdout_has("train+ staged as ");
    let (batch, _) = the_batch(&project);
    assert_eq!((batch.attr("label"), batch.attr("tags")), (json!("both"), json!(["t"])));
    assert!(batch.has(".guild/STAGED") && project.runs().len() == 1);
    project.run(&["run", "--start", &batch.id()]).code(1);
    let (batch, trials) = the_batch(&project);
    assert_eq!(batch.outcomes(), "code=0=passed code=3=errored");
    // What is wrong is mended, and the trial goes on with what it left.
    fs::write(trials[1].path().join("train.sh"), "echo x >>steps; exit 0\n").expect("it can be written");
    project.run(&["run", "--restart", &batch.id()]).code(0).stderr_has("code=0: from before");
    let (batch, trials) = the_batch(&project);
    assert_eq!(batch.outcomes(), "code=0=passed code=3=passed");
    assert_eq!([trials[0].text("steps"), trials[1].text("steps")], ["x\n", "x\nx\n"]);
    project.run(&["run", "--restart", &batch.id(), "lr=3"]).code(2).stderr_has("keep their flags");
    project.run(&["run", "--proto", &batch.id(), "code=[0]"]).code(0);
    assert_eq!(project.runs().len(), 5);
}

#[test]
fn trials_are_staged_each_for_itself() {
    let project = training();
    project.run(&["run", "train", "code=[0,1]", "--stage-trials"]).code(0).stdout_has("Staging trial ");
    let (batch, trials) = the_batch(&project);
    assert_eq!(batch.attr("exit_status"), 0);
    let listed = project.run(&["runs", "info", &batch.id(), "--json"]).code(0).json();
    assert_eq!((&listed["status"], &listed["damage"]), (&json!("completed"), &Value::Null));
    assert!(trials.iter().all(|trial| trial.has(".guild/STAGED")));
    project.run(&["run", "--start", &trials[1].id()]).code(1);
    assert_eq!(trials[1].attr("exit_status"), 1);
}

#[test]
fn a_dependency_that_is_not_met_costs_its_trial() {
    let project = Project::new()
        .file("guild.yml", "op:\n  exec: cat ${name}.txt\n  flags: {name: a}\n  requires:\n    - file: ${name}.txt\n")
        .file("a.txt", "A\n");
    project.run(&["run", "op", "name=[a,b]"]).code(1).stderr_has("run failed because a dependency was not met");
    let (batch, trials) = the_batch(&project);
    assert_eq!(batch.outcomes(), "name=a=passed name=b=blocked");
    assert_eq!(trials[1].attr("exit_status"), 1);
}

/// Says what became of the trials of a batch: how often each has ended, by the log of the batch.
fn ends(batch: &Run) -> Vec<u64> {
    let mut ends = vec![0; listed(batch).len()];
    let events = batch.events();
    let last = events.iter().rposition(|event| event["event"] == "run-started").expect("it has begun");
    for event in &events[last..] {
        if event["event"] == "task-finished" {
            let task = event["task"].as_u64().expect("a number");
            ends[usize::try_from(task).expect("a small number") - 1] += 1;
        }
    }
    ends
}

#[test]
fn a_batch_whose_host_is_killed_goes_on_where_it_was() {
    for killed_after in [0, 2, 5, 9] {
        let project = Project::new()
            .file("guild.yml", "op:\n  exec: sh op.sh\n  sourcecode: {dest: .}\n  flags: {n: 0}\n")
            .file("op.sh", "echo x >>runs; sleep 0.02\n");
        let running = project.start(&["run", "op", "n=range[1:12]", "-j", "3"]);
        until("some trials to end", DEADLINE, || {
            let ended = project.runs().iter().filter(|run| run.try_attr("exit_status").is_some()).count();
            (ended >= killed_after && project.runs().iter().any(|run| run.has(".guild/trials"))).then_some(())
        });
        running.kill_host();
        running.wait();
        let (batch, _) = the_batch(&project);
        project.run(&["run", "--restart", &batch.id(), "-j", "3"]).code(0);
        let (batch, trials) = the_batch(&project);
        assert_eq!(ends(&batch), [1; 12], "each has one end");
        assert!(trials.iter().all(|trial| trial.attr("exit_status") == 0));
        let known: BTreeSet<String> = trials.iter().map(Run::id).chain([batch.id()]).collect();
        assert_eq!(project.runs().iter().map(Run::id).collect::<BTreeSet<_>>(), known, "nothing else was made");
    }
}

#[test]
fn an_interrupt_ends_what_runs_and_leaves_the_rest_to_be_started() {
    let project = Project::new()
        .file("guild.yml", "op:\n  exec: sh op.sh\n  flags: {n: 0}\n")
        .file("op.sh", "trap 'exit 5' TERM INT; echo READY; while :; do sleep 0.01; done\n");
    let running = project.start(&["run", "op", "n=[1,2,3]", "-j", "2"]);
    let ready = |run: &Run| fs::read(run.path().join(".guild/output")).is_ok_and(|output| output.starts_with(b"READY"));
    until("two trials to run", DEADLINE, || {
        (project.runs().iter().filter(|run| ready(run)).count() == 2).then_some(())
    });
    running.signal(Signal::INT);
    running.wait().code(130);
    let (batch, trials) = the_batch(&project);
    assert_eq!((batch.attr("exit_status"), trials[0].attr("exit_status")), (json!(-2), json!(-2)));
    assert!(!trials[2].path().exists(), "it was never made");
    fs::write(project.path("op.sh"), "").expect("it can be written");
    for trial in &trials[..2] {
        fs::write(trial.path().join("op.sh"), "").expect("it can be written");
    }
    fs::write(batch.path().join(".guild/proto/op.sh"), "").expect("it can be written");
    project.run(&["run", "--restart", &batch.id()]).code(0);
    assert_eq!(the_batch(&project).0.outcomes(), "n=1=passed n=2=passed n=3=passed");
}

/// A batch of trials that run until they are asked to end, two of them at work.
fn batch_at_work() -> (Project, Running, Run, Vec<Run>) {
    let project = Project::new()
        .file("guild.yml", "op:\n  exec: sh op.sh\n  flags: {n: 0}\n")
        .file("op.sh", "trap 'exit 5' TERM INT; echo READY; while :; do [ -e go ] && exit 0; sleep 0.01; done\n");
    let running = project.start(&["run", "op", "n=[1,2]", "-j", "2"]);
    let ready = |run: &Run| fs::read(run.path().join(".guild/output")).is_ok_and(|output| output.starts_with(b"READY"));
    until("two trials to run", DEADLINE, || {
        (project.runs().iter().filter(|run| ready(run)).count() == 2).then_some(())
    });
    let (batch, trials) = the_batch(&project);
    (project, running, batch, trials)
}

#[test]
fn a_trial_is_stopped_for_itself() {
    let (project, running, batch, trials) = batch_at_work();
    let beside = |words: &[&str]| project.start(words).wait_only(DEADLINE);
    for run in [&trials[0], &batch] {
        let refused = beside(&["runs", "rm", &run.id(), "-y"]);
        refused.code(1).stderr_has("is running");
    }
    beside(&["runs", "stop", &trials[0].id(), "-y"]).code(0).stderr_has("Stopped 1 run(s)");
    assert_eq!((trials[0].attr("exit_status"), trials[1].try_attr("exit_status")), (json!(5), None));
    assert!(!running.has_ended());
    fs::write(trials[1].path().join("go"), "").expect("it can be written");
    running.wait().code(1);
    assert_eq!(the_batch(&project).0.outcomes(), "n=1=errored n=2=passed");
    // It can be started for itself, and is then a run like any other.
    let alone = project.start(&["run", "--start", &trials[0].id()]);
    until("the trial to run", DEADLINE, || trials[0].has(".guild/LOCK").then_some(()));
    until("the trial to be ready", DEADLINE, || {
        let output = fs::read(trials[0].path().join(".guild/output")).unwrap_or_default();
        (trials[0].try_attr("exit_status").is_none() && output == b"READY\n").then_some(())
    });
    beside(&["runs", "stop", &trials[0].id(), "-y"]).code(0);
    alone.wait().code(143);
}

#[test]
fn guild_stops_a_trial_for_itself() {
    let Some(guild) = guild_program() else { return };
    let (project, running, batch, trials) = batch_at_work();
    let mut command = project.command(&guild);
    command.env("GUILD_HOME", project.home()).args(["stop", &trials[0].id(), "-y"]);
    project.start_command(command).wait_only(DEADLINE).code(0);
    until("the end of the trial", DEADLINE, || trials[0].try_attr("exit_status"));
    assert!(!running.has_ended() && trials[1].try_attr("exit_status").is_none());
    fs::write(trials[1].path().join("go"), "").expect("it can be written");
    running.wait().code(1);
    let statuses = [&batch, &trials[0], &trials[1]].map(|run| run.attr("exit_status"));
    assert_eq!(json!(statuses), json!([1, 5, 0]));
}

#[test]
fn a_batch_is_stopped_with_its_trials() {
    for words in [&[][..], &["--force", "--timeout", "20"]] {
        let (project, running, batch, trials) = batch_at_work();
        // Without a name it is the batch, and not the trial that is newer.
        let id = batch.id();
        let named: &[&str] = if words.is_empty() { &[] } else { &[id.as_str()] };
        let words = [&["runs", "stop", "-y"], named, words].concat();
        project.start(&words).wait_only(DEADLINE).code(0).stderr_has("Stopped 1 run(s)");
        running.wait().code(143);
        let statuses = [&batch, &trials[0], &trials[1]].map(|run| run.attr("exit_status"));
        assert_eq!(json!(statuses), json!([-15, -15, -15]));
    }
}

#[test]
fn a_trial_that_heeds_nothing_is_killed_and_its_batch_goes_on() {
    let project = Project::new()
        .file("guild.yml", "op:\n  exec: sh op.sh\n  flags: {n: 0}\n")
        .file("op.sh", "trap '' TERM INT; echo READY; while :; do [ -e go ] && exit 0; sleep 0.01; done\n");
    let running = project.start(&["run", "op", "n=[1,2]"]);
    let first = until("the first trial to run", DEADLINE, || {
        let ready = |run: &Run| fs::read(run.path().join(".guild/output")).is_ok_and(|output| output == b"READY\n");
        project.runs().into_iter().find(ready)
    });
    let beside = |words: &[&str]| project.start(words).wait_only(DEADLINE);
    beside(&["runs", "stop", &first.id(), "-y", "--timeout", "0.05"]).code(1).stderr_has("--force kills it");
    beside(&["runs", "stop", &first.id(), "-y", "--timeout", "0.05", "--force"]).code(0);
    assert_eq!(first.attr("exit_status"), -9);
    let second = until("the second trial", DEADLINE, || {
        let (_, trials) = the_batch(&project);
        trials.into_iter().find(|trial| trial.id() != first.id() && trial.path().exists())
    });
    fs::write(second.path().join("go"), "").expect("it can be written");
    running.wait().code(1);
    assert_eq!(second.attr("exit_status"), 0);
}

#[test]
fn each_trial_has_a_gpu_of_its_own() {
    let project = Project::new()
        .file("guild.yml", "op:\n  exec: sh -c 'echo GPU $CUDA_VISIBLE_DEVICES; sleep 0.05'\n  flags: {n: 0}\n");
    project.run(&["run", "op", "n=range[1:6]", "-j", "8", "--gpu-per-trial", "--gpus", "4,7"]).code(0);
    let (_, trials) = the_batch(&project);
    let gpus: BTreeSet<String> = trials.iter().map(|trial| trial.text(".guild/output")).collect();
    assert_eq!(gpus.into_iter().collect::<Vec<_>>(), ["GPU 4\n", "GPU 7\n"]);
}

#[test]
fn trials_that_exist_are_not_needed() {
    let project = training();
    project.run(&["run", "train", "lr=1"]).code(0);
    let first = project.the_run().id();
    project.run(&["run", "train", "lr=2", "code=3"]).code(3);
    let ended = project.run(&["run", "train", "lr=[1,2,3]", "code=[0,3]", "--needed", "-j", "2"]);
    // Whatever failed is run again.
    ended.code(1).stderr_has("Skipping 1 of 6 trials because the following runs match (--needed specified):\n");
    ended.stderr_has(&format!("  {first}  train (code=0 lr=1"));
    let (batch, trials) = the_batch(&project);
    assert_eq!(trials[0].id(), first);
    let outcomes = batch.outcomes();
    assert!(
        outcomes.starts_with("code=0 lr=1=skipped code=0 lr=2=passed code=0 lr=3=passed code=3 lr=1=errored"),
        "{outcomes}"
    );
    assert_eq!(batch.results()["counts"]["skipped"], 1);
    ended.stderr_has(&format!("run {} is the same (--needed)", &first[..8]));
    assert!(batch.path().join(&first).exists(), "it is linked");
    assert_eq!(trials[0].text("steps"), "x\n", "it was not run again");
    // It stays skipped when the batch goes on, and what has completed stays.
    let before = project.runs().len();
    for trial in &trials {
        fs::write(trial.path().join("train.sh"), "echo x >>steps; exit 0\n").expect("it can be written");
    }
    project.run(&["run", "--restart", &batch.id(), "--needed", "-j", "2"]).code(0);
    let (_, trials) = the_batch(&project);
    let steps: Vec<String> = trials.iter().map(|trial| trial.text("steps")).collect();
    assert_eq!(steps, ["x\n", "x\n", "x\n", "x\nx\n", "x\nx\n", "x\nx\n"]);
    assert_eq!(project.runs().len(), before);
    // One that was removed is run.
    project.run(&["runs", "rm", &first, "-y"]).code(0);
    project.run(&["run", "--restart", &batch.id()]).code(0);
    assert_eq!(the_batch(&project).0.outcomes().matches("passed").count(), 6);
}

#[test]
fn a_batch_of_which_all_is_there_makes_nothing() {
    let project = training();
    project.run(&["run", "train", "lr=[1,2]", "-y"]).code(0);
    let before: BTreeSet<String> = project.runs().iter().map(Run::id).collect();
    for words in [&[][..], &["--stage"], &["--stage-trials"]] {
        let ended = project.run(&[&["run", "train", "lr=[2,1]", "--needed"][..], words].concat());
        ended
            .code(0)
            .stdout("")
            .stderr_has("Skipping all 2 trials because the following runs match (--needed specified):\n");
        assert_eq!(project.runs().iter().map(Run::id).collect::<BTreeSet<_>>(), before);
        let hidden = fs::read_dir(project.home().join("runs/.new")).map_or(0, Iterator::count);
        assert_eq!(hidden, 0, "nothing is left of what was looked at");
    }
    // Other source code is another trial.
    fs::write(project.path("train.sh"), "exit $2\n").expect("it can be written");
    let ended = project.run(&["run", "train", "lr=[2,1]", "--needed"]);
    ended.code(0);
    assert!(!ended.err().contains("Skipping"), "{}", ended.err());
    assert_eq!(project.runs().len(), before.len() + 3);
}

#[test]
fn trials_are_compared_with_what_their_dependencies_are() {
    let project = Project::new()
        .file("guild.yml", "op:\n  exec: cat data.txt\n  flags: {n: 0}\n  requires:\n    - file: data.txt\n")
        .file("data.txt", "one\n");
    project.run(&["run", "op", "n=[1,2]"]).code(0);
    project.run(&["run", "op", "n=[1,2,3]", "--needed"]).code(0).stderr_has("Skipping 2 of 3 trials");
    project.run(&["run", "op", "n=[1,2,3]", "--needed"]).code(0).stderr_has("Skipping all 3 trials");
    let count = project.runs().len();
    fs::write(project.path("data.txt"), "two\n").expect("it can be written");
    let ended = project.run(&["run", "op", "n=[1,2]", "--needed"]);
    ended.code(0);
    assert!(!ended.err().contains("Skipping"), "{}", ended.err());
    assert_eq!(project.runs().len(), count + 3);
    // What cannot be prepared is told by the trial itself.
    fs::remove_file(project.path("data.txt")).expect("it is there");
    project.run(&["run", "op", "n=[1,2]", "--needed"]).code(1).stderr_has("a dependency was not met");
}

#[test]
fn guild_knows_batch_and_trials() {
    let Some(guild) = guild_program() else { return };
    let project = training();
    project.run(&["run", "train", "lr=[1,2]"]).code(0);
    let (batch, _) = the_batch(&project);
    let run = |args: &[&str]| -> String {
        let mut command = project.command(&guild);
        command.env("GUILD_HOME", project.home()).args(args);
        project.start_command(command).wait().code(0).out()
    };
    let listed = run(&["runs"]);
    let operations: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(operations, ["train", "train", "train+"], "{listed}");
    let compared = run(&["compare", "--csv", "-"]);
    assert!(compared.contains(",1.0\n") && compared.contains(",2.0\n"), "{compared}");
    assert!(run(&["runs", "info", &batch.id()]).contains("operation: train+"));
}

#[test]
fn guild_prints_the_same_trials() {
    let Some(guild) = guild_program() else { return };
    let project = training()
        .file("t.csv", "lr,code\n0.5,0\n1e-3,yes\n\"[1,2]\",\n")
        .file("t.yml", "- {lr: 1, code: [0, 1]}\n- {lr: 2, opt: sgd}\n")
        .file("t.json", "[{\"lr\": 0.25}, {\"lr\": null, \"code\": \"a b\"}]");
    let cases: [&[&str]; 10] = [
        &["lr=[1,2]"],
        &["lr=[1,2]", "code=[3,4]", "opt=[sgd,adam]"],
        &["lr=[1]*3"],
        &["lr=[yes, no, 1e3, '2', x y, null, 0x1f]"],
        &["lr=linspace[0:1]", "code=7"],
        &["lr=logspace[-4:-1:4]"],
        &["lr=range[1:3]"],
        &["@t.csv"],
        &["@t.yml", "lr=[7,8]"],
        &["@t.json", "@t.yml"],
    ];
    let mut same = 0;
    for words in cases {
        let mut command = project.command(&guild);
        fs::create_dir_all(project.path("guild-home")).expect("it can be made");
        command.env("GUILD_HOME", project.path("guild-home")).args(["run", "train", "--print-trials"]).args(words);
        let theirs = project.start_command(command).wait();
        // Its lists of numbers come from numpy, which may not be there.
        if theirs.whole().contains("numpy") {
            continue;
        }
        // What goes with a choice is theirs only where a run is no trial.
        let cells = |text: &str| -> Vec<Vec<String>> {
            text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
        };
        let (ours, theirs) = (cells(&printed(&project, words)), cells(&theirs.code(0).out()));
        assert_eq!(ours[0], theirs[0], "{words:?}");
        assert_eq!(ours.len(), theirs.len(), "{words:?}: {ours:?} {theirs:?}");
        let is_plain = !ours.iter().flatten().any(|cell| cell == "sgd");
        assert!(!is_plain || ours == theirs, "{words:?}: {ours:?} {theirs:?}");
        same += 1;
    }
    assert!(same >= 7, "only {same} could be compared");
}
