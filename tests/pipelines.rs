//! Pipelines: operations whose steps are runs of other operations.

use std::fs;

use serde_json::json;

use crate::harness::{Ended, Project, Run, guild_program};

const GUILD: &str = "\
prepare:\n  exec: sh prepare.sh\n\
train:\n  exec: sh train.sh ${lr} ${code}\n  flags: {lr: 0.1, code: 0}\n  requires:\n    - operation: prepare\n      select: data.txt\n\
evaluate:\n  exec: cat model.txt\n  requires:\n    - operation: train\n      select: model.txt\n\
pipe:\n  flags: {lr: 0.3, 'train:code': 0}\n  steps:\n    - prepare\n    - run: train\n      flags: {lr: '${lr}'}\n      expect:\n        - output: 'loss: [0-9.]+$'\n    - evaluate\n\
graph:\n  steps:\n    - {run: prepare, needs: []}\n    - {run: prepare, name: other, needs: []}\n    - {run: 'train lr=[1,2]', name: grid, needs: [prepare, other]}\n    - {run: evaluate, for-each: grid}\n\
same:\n  steps: [prepare, prepare]\n\
itself:\n  steps: [itself]\n\
circle:\n  steps:\n    - {run: prepare, name: a, needs: b}\n    - {run: prepare, name: b, needs: a}\n";

fn project() -> Project {
    Project::new()
        .file("guild.yml", GUILD)
        .file("prepare.sh", "echo data >data.txt\n")
        .file("train.sh", "cat data.txt\necho \"loss: $1\"\necho model $1 >model.txt\nexit $2\n")
}

/// Returns the run of a step of a pipeline.
fn step(pipeline: &Run, name: &str, project: &Project) -> Run {
    Run::at(fs::canonicalize(pipeline.path().join(name)).expect("the step has a run"), project)
}

/// Returns the last run of an operation.
fn latest(project: &Project, operation: &str) -> Run {
    let runs = project.run(&["runs", "--json"]).json();
    let of_operation = |run: &&serde_json::Value| run["operation"] == operation;
    let run = runs.as_array().expect("a list").iter().find(of_operation).expect("there is one");
    Run::at(project.home().join("runs").join(run["id"].as_str().expect("text")), project)
}

fn whole(ended: &Ended) -> String {
    ended.whole()
}

#[test]
fn steps_are_runs_that_take_what_others_have_made() {
    let project = project();
    project.run(&["run", "prepare"]).code(0);
    project.run(&["run", "pipe", "lr=0.5", "--tag", "all"]).code(0);
    let pipeline = latest(&project, "pipe");
    assert_eq!(pipeline.outcomes(), "prepare=passed train=passed evaluate=passed");
    assert_eq!((pipeline.attr("flags")["lr"].clone(), pipeline.attr("exit_status")), (json!(0.5), json!(0)));
    let [prepare, train, evaluate] = ["prepare", "train", "evaluate"].map(|name| step(&pipeline, name, &project));
    assert_eq!(train.attr("flags"), json!({"code": 0, "lr": 0.5, "prepare": prepare.id()}));
    assert_eq!(evaluate.attr("flags"), json!({"train": train.id()}));
    assert_eq!((train.attr("tags"), evaluate.text(".guild/output")), (json!(["all"]), "model 0.5\n".to_owned()));
    let link = fs::read_link(pipeline.path().join("train")).expect("it is a link");
    assert_eq!(link, std::path::Path::new("..").join(train.id()));
    // What is outside of the pipeline is none of its business.
    let alone = Project::new().file("guild.yml", GUILD.replace("    - prepare\n    - run: train", "    - run: train"));
    let alone = alone.file("prepare.sh", "echo data >data.txt\n").file("train.sh", "exit 0\n");
    alone.run(&["run", "prepare"]).code(0);
    alone.run(&["run", "pipe"]).code(1).stderr_has("no suitable run for prepare");
}

#[test]
fn a_pipeline_ends_as_its_first_step_that_fails() {
    let project = project();
    project.run(&["run", "pipe", "train:code=4"]).code(4);
    let pipeline = latest(&project, "pipe");
    assert_eq!(pipeline.outcomes(), "prepare=passed train=errored evaluate=blocked");
    assert_eq!(pipeline.attr("exit_status"), 4);
    let (prepare, train) = (step(&pipeline, "prepare", &project), step(&pipeline, "train", &project));
    // What is missing runs, in its own folder, and what has completed stays.
    fs::write(train.path().join("train.sh"), "cat data.txt; echo loss: 1; echo m >model.txt\n")
        .expect("it can be written");
    project.run(&["run", "--restart", &pipeline.id()]).code(0);
    let pipeline = latest(&project, "pipe");
    assert_eq!(pipeline.outcomes(), "prepare=passed train=passed evaluate=passed");
    assert_eq!(step(&pipeline, "prepare", &project).id(), prepare.id());
    assert_eq!(step(&pipeline, "train", &project).id(), train.id());
    // A check that fails stops it with Guild's code.
    let project = project_with("echo nothing\necho m >model.txt\n");
    let ended = project.run(&["run", "pipe"]);
    ended.code(3).stderr_has("a check failed: could not find pattern 'loss: [0-9.]+$' in the output");
    assert_eq!(latest(&project, "pipe").outcomes(), "prepare=passed train=errored evaluate=blocked");
}

fn project_with(train: &str) -> Project {
    project().file("train.sh", train)
}

#[test]
fn steps_that_need_none_of_each_other_and_trials_of_a_step_fan_out() {
    let project = project();
    project.run(&["run", "graph", "-j", "2"]).code(0);
    let pipeline = latest(&project, "graph");
    assert_eq!(pipeline.outcomes(), "prepare=passed other=passed grid=passed evaluate=passed");
    let (grid, evaluate) = (step(&pipeline, "grid", &project), step(&pipeline, "evaluate", &project));
    let trials = |batch: &Run| -> Vec<serde_json::Value> {
        batch.text(".guild/trials").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let trained: Vec<_> = trials(&grid).iter().map(|trial| trial["id"].clone()).collect();
    let evaluated: Vec<_> = trials(&evaluate).iter().map(|trial| trial["flags"]["train"].clone()).collect();
    assert_eq!((trained.len(), &trained), (2, &evaluated));
    let picture = project.run(&["ops", "graph", "graph", "--form", "mermaid"]);
    picture.code(0).stdout_has("flowchart TD\n    s1[\"prepare\"]").stdout_has("    s3 -- each --> s4\n");
    project.run(&["ops", "graph", "train"]).code(2).stderr_has("operation 'train': it has no steps");
    project
        .run(&["run", "graph", "--print-cmd"])
        .code(0)
        .stdout("rille run prepare\nrille run prepare\nrille run train 'lr=[1,2]'\nrille run evaluate\n");
}

#[test]
fn what_is_not_needed_is_another_run() {
    let project = project();
    project.run(&["run", "same"]).code(0);
    let pipeline = latest(&project, "same");
    let ids = ["prepare", "prepare_2"].map(|name| step(&pipeline, name, &project).id());
    assert_ne!(ids[0], ids[1]);
    project.run(&["run", "same", "--needed"]).code(0);
    let again = latest(&project, "same");
    assert_ne!(again.id(), pipeline.id());
    assert_eq!(step(&again, "prepare", &project).id(), ids[1], "the newest that is the same");
    let count = project.runs().len();
    assert_eq!(count, 4, "two pipelines and two runs");
    let explained = project.run(&["run", "pipe", "--explain"]);
    let expected = "train: rille run train lr=0.3 code=0\n  would run: no run of it has completed yet\n";
    let text = whole(explained.code(0)).replace("code=0 lr=0.3", "lr=0.3 code=0");
    assert!(text.contains(expected) && text.contains("would run, since 'train' runs before it"), "{text}");
    assert_eq!(project.runs().len(), count);
}

#[test]
fn what_is_wrong_with_a_pipeline_is_told_before_anything_runs() {
    let project = project();
    let cases: [(&[&str], i32, &str); 7] = [
        (&["itself"], 2, "operation 'itself': step 'itself' is the pipeline itself"),
        (&["circle"], 2, "operation 'circle': steps need each other: a -> b -> a"),
        (
            &["pipe", "trian:lr=1"],
            1,
            "unsupported flag 'trian:lr': there is no step 'trian'\nhint: did you mean 'train'?",
        ),
        (&["pipe", "train:lrr=1"], 2, "step 'train': unsupported flag 'lrr' of operation 'train'"),
        (&["pipe", "lr=[1,2]"], 2, "a pipeline has one value for each flag, and 'lr' has several"),
        (&["pipe", "--stage"], 2, "a pipeline cannot be staged"),
        (&["pipe", "lrr=1"], 1, "unsupported flag 'lrr'"),
    ];
    for (words, code, expected) in cases {
        let words: Vec<&str> = ["run"].into_iter().chain(words.iter().copied()).collect();
        let ended = project.run(&words);
        assert_eq!(ended.exit_code(), Some(code), "{words:?}: {}", ended.whole());
        ended.stderr_has(expected);
    }
    assert_eq!(project.runs().len(), 0);
}

#[test]
fn guild_lists_a_pipeline_and_its_steps() {
    let Some(guild) = guild_program() else { return };
    let project = project();
    project.run(&["run", "pipe"]).code(0);
    let mut command = project.command(&guild);
    command.env("GUILD_HOME", project.home()).args(["runs"]);
    let listed = project.start_command(command).wait().code(0).out();
    let operations: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(operations, ["evaluate", "train", "prepare", "pipe"], "{listed}");
}
