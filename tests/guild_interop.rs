//! Operation runs of Rille under the real Guild AI, and Guild's under Rille.
#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use std::fs;
use std::path::PathBuf;

use crate::harness::{Ended, Project, Run, guild_program};

/// Two operations that shells can run: one makes a file and scalars, the other needs it.
const GUILD_FILE: &str = r"
prepare:
  exec: sh prepare.sh ${size}
  flags:
    size: 3
train:
  exec: sh train.sh ${lr}
  flags:
    lr: 0.5
  requires:
    - operation: prepare
";

const PREPARE: &str = "echo \"rows: $1\"\necho oops >&2\nseq $1 > data.txt\n";

const TRAIN: &str = "test -s data.txt || exit 9\nfor step in 1 2 3; do echo \"loss: $1$step (step $step)\"; done\n";

fn project() -> Project {
    Project::new().file("guild.yml", GUILD_FILE).file("prepare.sh", PREPARE).file("train.sh", TRAIN)
}

fn run_guild(project: &Project, guild: &PathBuf, home: &str, args: &[&str]) -> Ended {
    let mut command = project.command(guild);
    command.env("GUILD_HOME", project.root().join(home)).env("LANG", "C.UTF-8").args(args);
    project.start_command(command).wait()
}

/// Returns where Rille keeps the runs, relative to the root of the project.
fn own_home(project: &Project) -> String {
    project.home().strip_prefix(project.root()).unwrap().display().to_string()
}

fn run_named(project: &Project, operation: &str) -> Run {
    let of = |run: &Run| run.text(".guild/opref").ends_with(operation);
    project.runs().into_iter().find(of).unwrap()
}

#[test]
fn guild_works_on_runs_of_operations() {
    let Some(guild) = guild_program() else { return };
    let project = project();
    project.run(&["run", "prepare", "-y", "--label", "a label", "--tag", "t1"]).code(0).stdout_has("rows: 3");
    project.run(&["run", "train", "-y", "lr=0.25"]).code(0).stdout_has("loss: 0.253 (step 3)");
    let home = own_home(&project);
    let guild = |args: &[&str]| run_guild(&project, &guild, &home, args);
    let (prepare, train) = (run_named(&project, "prepare"), run_named(&project, "train"));

    guild(&["runs"]).code(0).stdout_has("train").stdout_has("prepare").stdout_has("completed").stdout_has("a label");
    guild(&["runs", "info", &train.id()])
        .code(0)
        .stdout_has("operation: train")
        .stdout_has("lr: 0.25")
        .stdout_has("loss: 0.253000 (step 3)")
        .stdout_has("exit_status: 0");
    let table = guild(&["compare", "--csv", "-"]).code(0).out();
    let header = table.lines().next().unwrap();
    for column in ["lr", "size", "loss", "rows", "step"] {
        assert!(header.split(',').any(|name| name == column), "{table}");
    }
    let row = table.lines().find(|line| line.contains(",train,")).unwrap();
    assert!(row.contains(",0.25,") && row.contains(",3,"), "{table}");

    guild(&["ls", "-n", &prepare.id()]).code(0).stdout_has("data.txt").stdout_has("prepare.sh");
    guild(&["cat", "-p", "data.txt", &prepare.id()]).code(0).stdout("1\n2\n3\n");
    guild(&["cat", "--output", &train.id()])
        .code(0)
        .stdout("loss: 0.251 (step 1)\nloss: 0.252 (step 2)\nloss: 0.253 (step 3)\n");
    let output = guild(&["cat", "--output", &prepare.id()]).code(0).out();
    let mut lines: Vec<&str> = output.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["oops", "rows: 3"]);
    let difference = guild(&["diff", "--cmd", "diff -ru", &prepare.id(), &train.id()]);
    assert!(difference.out().contains("data.txt"), "{}", difference.whole());
    guild(&["tensorboard", "--export-scalars", "-"])
        .code(0)
        .stdout_has(&format!("{},.guild,loss,0.25", train.id()))
        .stdout_has(&format!("{},.guild,rows,3", prepare.id()));
    // It can also change them.
    guild(&["label", "-y", "--set", "another", &train.id()]).code(0);
    assert_eq!(train.attr("label"), "another");
    guild(&["select", "--min", "loss", "-Fo", "train"]).code(0).stdout(&format!("{}\n", train.id()));
}

#[test]
fn guild_compares_runs_of_a_lua_definition() {
    let Some(guild) = guild_program() else { return };
    let definition = "local op = require \"rille.op\"\n\
        op.define(\"train\", { exec = \"echo loss: 0.5\", flags = { lr = 0.1 } })\n\
        op.define(\"m:train\", { exec = \"echo loss: ${lr}\", flags = { lr = 0.2 } })\n";
    let project = Project::new().file("rille.lua", definition);
    project.run(&["run", "train"]).code(0);
    project.run(&["run", "m:train"]).code(0);
    let table = run_guild(&project, &guild, &own_home(&project), &["compare", "--csv", "-"]).code(0).out();
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.lines().any(|line| line.contains(",train,") && line.contains(",0.5")), "{table}");
    // The definition is found again, also that of a model.
    let run = project.runs().into_iter().find(|run| run.attr("flags")["lr"] == 0.2).unwrap();
    project.run(&["run", "--restart", &run.id(), "lr=0.7"]).code(0).stdout("loss: 0.7\n");
}

#[test]
fn guild_restarts_a_run_of_an_operation() {
    let Some(guild) = guild_program() else { return };
    let project = project();
    project.run(&["run", "prepare", "-y"]).code(0);
    let run = project.the_run();
    fs::remove_file(run.path().join("data.txt")).unwrap();
    run_guild(&project, &guild, &own_home(&project), &["run", "-y", "--restart", &run.id(), "size=2"]).code(0);
    assert_eq!(run.text("data.txt"), "1\n2\n");
    assert_eq!(run.attr("flags")["size"], 2);
    assert_eq!(run.attr("exit_status"), 0);
    project.run(&["runs", "info", &run.id()]).code(0).stdout_has("completed");
}

#[test]
fn rille_works_on_runs_that_guild_made() {
    let Some(guild) = guild_program() else { return };
    let project = project();
    // Guild makes no home.
    fs::create_dir(project.root().join("guild-home")).unwrap();
    let by_guild = |args: &[&str]| run_guild(&project, &guild, "guild-home", args);
    by_guild(&["run", "-y", "prepare", "--label", "by guild"]).code(0);
    by_guild(&["run", "-y", "train", "lr=0.125", "--stage"]).code(0);
    let home = project.root().join("guild-home");
    let home = home.to_str().unwrap();
    let rille = |args: &[&str]| {
        let mut command = project.rille(args);
        command.env("RILLE_HOME", home);
        project.start_command(command).wait()
    };
    rille(&["runs"]).code(0).stdout_has("by guild").stdout_has("staged");
    let listed = rille(&["runs", "--json"]).code(0).json();
    let find = |name: &str| {
        let of = |path: &PathBuf| fs::read_to_string(path.join(".guild/opref")).unwrap().ends_with(name);
        let mut runs = fs::read_dir(project.root().join("guild-home/runs")).unwrap().map(|entry| entry.unwrap().path());
        Run::at(runs.find(of).unwrap(), &project)
    };
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed:#}");
    let (prepare, train) = (find("prepare"), find("train"));
    rille(&["runs", "cat", "--output", &prepare.id()]).code(0).stdout_has("rows: 3");
    rille(&["runs", "ls", &prepare.id()]).code(0).stdout_has("data.txt");

    rille(&["run", "-y", "--start", &train.id()]).code(0).stdout_has("loss: 0.1251 (step 1)");
    assert_eq!(train.attr("exit_status"), 0);
    assert!(!train.has(".guild/STAGED"));
    rille(&["run", "-y", "--restart", &prepare.id(), "size=4"]).code(0).stdout_has("rows: 4");
    assert_eq!(prepare.text("data.txt"), "1\n2\n3\n4\n");
    assert!(!prepare.text(".guild/output").contains("rows: 3"), "a restart begins the output anew");
    // And Guild finds all of it.
    by_guild(&["runs"]).code(0).stdout_has("completed");
    by_guild(&["compare", "--csv", "-"]).code(0).stdout_has("0.125,");
}
