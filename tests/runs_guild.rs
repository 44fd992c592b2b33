//! What Rille does to runs that Guild made, and Guild to what Rille did, with the real program.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{Ended, Project, guild_program};

const GUILDFILE: &str = "prep:\n  exec: >-\n    sh -c 'echo hi > out.txt; echo loss: 0.5'\n";

/// A project whose runs Guild has made, in the home that both use.
struct Both {
    project: Project,
    guild: PathBuf,
}

impl Both {
    fn new() -> Option<Both> {
        let guild = guild_program()?;
        let project = Project::new().file("guild.yml", GUILDFILE);
        fs::create_dir_all(project.home()).expect("it can be done");
        let both = Both { project, guild };
        both.guild(&["run", "prep", "-y", "--label", "first"]).code(0);
        Some(both)
    }

    fn guild(&self, args: &[&str]) -> Ended {
        self.guild_at("", args)
    }

    /// Runs Guild with a home in the working folder, or the shared one.
    fn guild_at(&self, home: &str, args: &[&str]) -> Ended {
        let home = if home.is_empty() { self.project.home() } else { self.project.path(home) };
        fs::create_dir_all(&home).expect("it can be done");
        let mut command = self.project.command(&self.guild);
        command.env("GUILD_HOME", home).env("LANG", "C.UTF-8").args(args);
        self.project.start_command(command).wait()
    }

    fn listed(&self) -> Value {
        self.guild(&["runs", "--json"]).code(0).json()
    }
}

#[test]
fn both_change_what_is_said_of_a_run() {
    let Some(both) = Both::new() else { return };
    let rille = |args: &[&str]| both.project.run(args);
    rille(&["label", "-a", "second"]).code(0);
    rille(&["tag", "-a", "t1", "-a", "no"]).code(0);
    rille(&["mark"]).code(0);
    rille(&["comment", "-a", "from rille: x\ny", "-u", "me@here"]).code(0);
    let run = &both.listed()[0];
    assert_eq!([&run["label"], &run["tags"]], [&json!("first second"), &json!(["t1", "no"])]);
    assert_eq!(run["marked"], true);
    assert_eq!([&run["comments"][0]["body"], &run["comments"][0]["user"]], ["from rille: x\ny", "me"]);
    assert!(run["comments"][0]["time"].is_number(), "{run}");

    both.guild(&["label", "-y", "-s", "by guild"]).code(0);
    both.guild(&["tag", "-y", "-d", "no", "-a", "t2"]).code(0);
    both.guild(&["comment", "-y", "-a", "from guild"]).code(0);
    let info = rille(&["runs", "info", "--json"]).code(0).json();
    assert_eq!([&info["label"], &info["tags"]], [&json!("by guild"), &json!(["t1", "t2"])]);
    rille(&["comment", "-l"]).code(0).stdout_has("  from rille: x\n  y\n").stdout_has("  from guild\n");
    rille(&["runs", "info"]).code(0).stdout_has("scalars:\n").stdout_has("loss: 0.5");
    rille(&["cat", "-O"]).code(0).stdout("loss: 0.5\n");
    rille(&["ls", "-g", "-n"]).code(0).stdout_has("out.txt\n");
    rille(&["comment", "--clear", "-y"]).code(0);
    rille(&["label", "-c"]).code(0);
    rille(&["mark", "-c"]).code(0);
    let run = &both.listed()[0];
    assert_eq!([&run["label"], &run["comments"], &run["marked"]], [&Value::Null; 3]);
}

#[test]
fn what_one_removes_the_other_restores() {
    let Some(both) = Both::new() else { return };
    both.project.run(&["runs", "rm", "-y"]).code(0);
    both.guild(&["runs", "restore", "-y"]).code(0);
    assert_eq!(both.listed().as_array().unwrap().len(), 1);
    both.guild(&["runs", "rm", "-y"]).code(0);
    both.project.run(&["runs", "restore", "-y"]).code(0).stderr_has("Restored 1 run(s)");
    assert_eq!(both.listed()[0]["status"], "completed");
}

#[test]
fn what_one_exports_the_other_imports() {
    let Some(both) = Both::new() else { return };
    let rille = |home: &str, args: &[&str]| both.project.run(&[&["--home", home], args].concat()).code(0).err();
    let own = both.project.home();
    let own = own.to_str().unwrap();
    for dest in ["folder", "runs.zip"] {
        rille(own, &["export", dest]);
        let home = format!("guild-{dest}");
        let ended = both.guild_at(&home, &["import", "-y", dest]);
        assert!(
            ended.code(0).err().contains("Imported 1 run(s)") || ended.out().contains("Imported 1 run(s)"),
            "{ended}"
        );
        let listed = both.guild_at(&home, &["runs", "--json"]).code(0).json();
        assert_eq!([&listed[0]["status"], &listed[0]["label"]], ["completed", "first"]);
        both.guild_at(&home, &["cat", "-p", "out.txt"]).code(0).stdout("hi\n");
    }
    for dest in ["guilds", "guilds.zip"] {
        both.guild(&["export", "-y", dest]).code(0);
        let home = format!("rille-{dest}");
        assert!(rille(&home, &["import", dest]).contains("Imported 1 run(s)"));
        let listed = both.project.run(&["--home", &home, "runs", "--json"]).code(0).json();
        assert_eq!([&listed[0]["status"], &listed[0]["label"]], ["completed", "first"]);
    }
}

#[test]
fn an_operation_under_guild_is_stopped() {
    let Some(guild) = guild_program() else { return };
    let project =
        Project::new().file("guild.yml", "stay:\n  exec: sh -c 'echo ready > ${project}/ready; exec sleep 1000'\n");
    let ready = project.path("ready");
    let yml =
        fs::read_to_string(project.path("guild.yml")).unwrap().replace("${project}/ready", ready.to_str().unwrap());
    fs::write(project.path("guild.yml"), yml).unwrap();
    fs::create_dir_all(project.home()).unwrap();
    let mut command = project.command(&guild);
    command.env("GUILD_HOME", project.home()).env("LANG", "C.UTF-8").args(["run", "stay", "-y"]);
    let running = project.start_command(command);
    running.wait_for_file("ready");
    let ended = project.start_command(project.rille(&["stop", "-y"])).wait_only(crate::harness::DEADLINE);
    ended.code(0).stderr_has("Stopped 1 run(s)");
    running.wait();
    let listed = project.run(&["runs", "--json"]).code(0).json();
    assert_eq!([&listed[0]["status"], &listed[0]["exit_status"]], [&json!("terminated"), &json!(-15)]);
}
