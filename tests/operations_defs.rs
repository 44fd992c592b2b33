//! Definitions of operations: how they are listed and explained, what is told of mistakes, and Lua as an operation.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::{Project, has_program};

/// Returns a project with this `rille.lua`, after the line that requires the module as `op`.
fn lua(text: &str) -> Project {
    Project::new().file("rille.lua", format!("local op = require \"rille.op\"\n{text}"))
}

fn yaml(text: &str) -> Project {
    Project::new().file("guild.yml", text)
}

const TRAIN: &str = r#"op.define("train", {
  description = "Train the model\n\nWith care.",
  default = true,
  exec  = "python3 train.py ${flag_args}",
  flags = {
    lr = 0.1,
    optimizer = { default = "adam", choices = { "adam", { value = "sgd", description = "plain", alias = "s" } } },
    batch = { type = "int", min = 1, max = 4096, default = 32, description = "Images at a time" },
    data = { required = true, type = "existing-path", description = "Where the images are" },
    seed = { null_label = "random", description = "First line\nSecond line", alias = "s" },
  },
  requires = { { operation = "prepare" }, { sources = { "a.txt", { url = "https://h/b.zip" } }, name = "ab" } },
  env = { TOKENIZERS = "no", LR = "${lr}" },
})
"#;

#[test]
fn operations_are_listed_and_explained() {
    let project = lua(&format!(
        "{TRAIN}op.define('prepare', {{ main = 'prepare.sh --fast' }})\nop.define('_hidden', {{ exec = 'x' }})\n\
         op.define('cnn:train', {{ main = function() end }})\nop.define('all', {{ steps = {{ 'train' }} }})"
    ));
    insta::assert_snapshot!(project.run(&["ops"]).whole(), @"");
    insta::assert_snapshot!(project.run(&["ops", "--all", "--json"]).whole(), @"");
    insta::assert_snapshot!(project.run(&["help-op"]).whole(), @"");
    insta::assert_snapshot!(project.run(&["help-op", "cnn:train"]).whole(), @"");
    let help = project.run(&["help-op", "train", "--json"]).code(0).json();
    assert_eq!(help["flags"]["batch"]["min"], 1.0);
    assert_eq!(help["requires"][1]["sources"][1]["url"], "https://h/b.zip");
}

#[test]
fn a_mistake_in_lua_costs_its_operation_alone() {
    let project = lua("op.define('good', { exec = 'x' })\n\
         op.define('slip', { exce = 'x' })\n\
         op.define('dash', { exec = 'x', ['flags-dest'] = 'args', flags_des = 'args' })\n\
         op.define('stranger', { exec = 'x', colour = 'red' })\n\
         op.define('none', {})\n\
         op.define('not a table', 3)\n\
         op.define('again', { exec = 'x' })\n\
         op.define('again', { exec = 'y' })\n\
         op.define('deep', { exec = 'x', flags = { a = { choices = { { valeu = 1 } } } } })\n\
         op.define('fn', { exec = 'x', env = { A = print } })\n\
         op.define('mixed', { exec = 'x', tags = { 'a', b = 1 } })\n\
         op.define('needs', { exec = 'x', requires = 'good' })\n\
         op.define('odd', { exec = 'x', requires = { { file = 'a', url = 'b' } } })");
    insta::assert_snapshot!(project.run(&["ops"]).whole(), @"");
    insta::assert_snapshot!(project.run(&["help-op", "slip"]).whole(), @"");
    project.run(&["help-op", "good"]).code(0);
}

#[test]
fn a_project_file_that_cannot_be_read_is_told_with_its_line() {
    let cases = [
        "op.define('a', { exec = 'x' }",
        "op.dfine('a', {})",
        "op.define(3, {})",
        "prnt('x')",
        "error('boom')",
        "os.exit(0)",
        "op.settings { exec = 'x' }",
        "op.settings { flag_dest = 'args' }",
        "op.settings { default = 'trian' } op.define('train', { exec = 'x' })",
        "op.settings {} op.settings {}",
        "op.resource('r', {}) op.resource('r', {})",
        "require 'rille.job'",
        "function helper() end",
    ];
    let told = cases.map(|text| {
        // What guild.yml defines must not run in the place of what cannot be read.
        let project = lua(text).file("guild.yml", "a: {exec: other}");
        let ended = project.run(&["help-op", "a"]);
        ended.code(2);
        ended.err()
    });
    insta::assert_snapshot!(told.concat(), @"");
}

#[test]
fn nothing_usable_is_a_failure() {
    let told = [
        Project::new().run(&["ops"]).whole(),
        yaml("a: {exce: x}").run(&["ops"]).whole(),
        yaml("a: [\n").run(&["ops"]).whole(),
        yaml("a:\n\tb: 1\n").run(&["ops", "--json"]).whole(),
        yaml("").run(&["ops"]).whole(),
    ];
    insta::assert_snapshot!(told.join("\n"), @"");
    let project = yaml("a: {}").file("sub/x.txt", "");
    let mut command = project.rille(&["ops"]);
    command.current_dir(project.path("sub"));
    insta::assert_snapshot!(project.start_command(command).wait().whole(), @"");
}

#[test]
fn guild_files_are_read_in_both_formats() {
    let project = yaml(
        "- config: shared\n  flags: {seed: 1}\n\
         - model: cnn\n  default: yes\n  operations:\n    train: {flags: {$include: shared, lr: 1e-3}, main: 'train ${lr}'}\n    \
         test: {exec: test.sh, main: ignored, plugins: all}\n    bad: {flags: [lr]}\n\
         - model: mlp\n  extends: nope\n  operations: {train: train}\n- modle: x\n",
    );
    insta::assert_snapshot!(project.run(&["ops"]).whole(), @"");
    insta::assert_snapshot!(project.run(&["help-op", "train"]).whole(), @"");
    insta::assert_snapshot!(project.run(&["help-op", "cnn:tset"]).whole(), @"");
}

#[test]
fn rille_lua_wins_over_guild_yml() {
    let project = lua("op.define('a', { exec = 'lua' })\nop.define('b', { exce = 'x' })")
        .file("guild.yml", "a: {exec: yaml}\nb: {exec: yaml}\nc: {exec: yaml}\n");
    insta::assert_snapshot!(project.run(&["ops"]).whole(), @"");
    project
        .run(&["help-op", "a"])
        .code(0)
        .stdout_has("exec lua")
        .stderr_has("guild.yml:1: operation 'a' is also defined");
    project.run(&["help-op", "c"]).code(0).stdout_has("exec yaml").stderr_lacks("also");
}

#[test]
fn names_are_looked_up_as_guild_does() {
    let project = yaml("a: {}\n_b: {}\n").executable("tool", "#!/bin/sh\n").file("sub/run.py", "").file("data.csv", "");
    // The only one that is not private is the default.
    project.run(&["help-op"]).code(0).stdout_has("rille run [OPTIONS] a ");
    project.run(&["help-op", "_b"]).code(0);
    project.run(&["help-op", "sub/run.py"]).code(0).stdout_has("Runs: script sub/run.py");
    project.run(&["help-op", "./tool"]).code(0).stdout_has("Runs: script ./tool");
    let told = ["sub/rum.py", "data.csv", "sub", "zzz", "m:a"].map(|name| project.run(&["help-op", name]).whole());
    insta::assert_snapshot!(told.join("\n"), @"");
    let two = yaml("- model: x\n  operations: {a: {}, b: {}}\n- model: y\n  operations: {a: {}}\n");
    let told = ["a", "b", "x:b", "x:", "y:"].map(|name| two.run(&["help-op", name]).whole());
    insta::assert_snapshot!(told.join("\n"), @"");
    insta::assert_snapshot!(two.run(&["help-op"]).whole(), @"");
}

const REPORT: &str = r#"local part = require "part"
op.define("report", { flags = { n = 1 }, main = function(run, flags)
  print(run.id, run.dir == run.directory, run.op, #run.tags, run.label == "", part.name)
  io.write("no newline")
  run:scalar("loss", 0.25, 3)
  run:scalar("acc", 1)
  return part.ends(run, flags)
end })
op.define("m:other", { main = function() return 7 end })
"#;

/// A run directory as the host leaves it to the operation.
fn run_directory(project: Project, flags: &str) -> Project {
    project.file("run/.guild/opref", "guildfile:/p/rille.lua v '' report").file("run/.guild/attrs/flags", flags)
}

#[test]
fn the_main_of_an_operation_runs_in_its_own_process() {
    let cases = [
        ("return nil", "n: 2\n"),
        ("return false", "n: 2\n"),
        ("return 3", "n: 2\n"),
        ("os.exit(4)", "n: 2\n"),
        ("error('boom')", "n: 2\n"),
        ("error({ kind = 'x', message = 'an object' })", "n: 2\n"),
        ("assert(flags.n == 3, 'n is ' .. flags.n)", "n: 2\n"),
        ("return flags.m", "n: 2\n"),
        ("return run.lable", "n: 2\n"),
        ("run.scalar('a', 1)", "n: 2\n"),
        ("run:scalar('a b', 1)", "n: 2\n"),
        ("run:scalar('a', 'x')", "n: 2\n"),
        ("return flags.n", "n: null\n"),
    ];
    let told = cases.map(|(ends, flags)| {
        let part = format!("return {{ name = 'part', ends = function(run, flags) {ends} end }}");
        let project = run_directory(lua(REPORT).file("part.lua", part), flags);
        let mut command = project.rille(&["--as-operation", "rille.lua", "report"]);
        command.env("RUN_ID", "abc").env("RUN_DIR", project.path("run"));
        format!("{ends}: {}", project.start_command(command).wait().whole())
    });
    insta::assert_snapshot!(told.join("\n"), @"");
    let project = lua(REPORT).file("part.lua", "return {}");
    project.run(&["--as-operation", "rille.lua", "m:other"]).code(7);
    project.run(&["--as-operation", "rille.lua", "reprot"]).code(1).stderr_has("did you mean 'report'?");
}

#[test]
fn a_lua_script_has_flags_and_run() {
    let script =
        "local part = require 'part'\nprint(flags.n, flags.nothing, arg[0], arg[1], part.x)\nrun:scalar('a', 1e-9)\n";
    let project = run_directory(Project::new(), "n: 2\ntext: '2'\nlist: [1, x]\n")
        .file("s.lua", script)
        .file("part.lua", "return { x = 1 }")
        .file("slip.lua", "pritn(flags)")
        .file("op.lua", "require 'rille.op'");
    let run = |args: &[&str]| {
        let mut command = project.rille(&[&["--as-operation"], args].concat());
        command.env("RUN_DIR", project.path("run"));
        project.start_command(command).wait().whole()
    };
    let told = [run(&["s.lua", "--n"]), run(&["slip.lua"]), run(&["op.lua"]), run(&["gone.lua"]), run(&[])];
    insta::assert_snapshot!(told.join("\n"), @"");
}

#[test]
fn a_reader_that_leaves_ends_an_operation_like_any_program() {
    let project = Project::new().file("s.lua", "while true do print('x') end");
    let mut command = project.command("sh");
    command.args(["-c", "\"$0\" --as-operation s.lua | head -n 1", env!("CARGO_BIN_EXE_rille")]);
    project.start_command(command).wait().code(0).stdout("x\n");
}

/// Files of definitions that Guild reads as well.
const SHARED: [&str; 3] = [
    "a: {main: guild.pass, flags: {x: 1e3, b: 1.5e3, c: -.5, e: 1_0, f: '1:30', i: 1.5e+3, j: 08, k: 010, m: y, n: yes}}\n\
     b: {exec: 'echo hi', flags: {lr: {default: 0.1, description: rate}, name: {default: foo}}}\nc: guild.pass --x\n",
    "- config: c\n  params: {n: 3}\n  flags: {seed: 1}\n  operations: {t: {main: guild.pass, flags: {n: '{{n}}', s: 'n{{n}}'}}}\n\
     - model: m\n  extends: c\n  params: {n: 4}\n  operations: {t: {flags: {n: 5}}, u: {main: guild.pass, flags: {$include: c, z: 2}}}\n\
     - model: n\n  extends: c\n",
    "- include: more.yml\n- model: m\n  operation-defaults: {flags: {d: 1}}\n  operations: {a: guild.pass, b: {main: guild.pass, flags: {e: 2}}}\n",
];

#[test]
fn guild_reads_the_same_from_its_files() {
    let named = std::env::var("RILLE_TEST_GUILD").ok();
    let Some(guild) = named.or_else(|| has_program("guild").then(|| "guild".to_owned())) else {
        println!("skipped: there is no guild; name one with RILLE_TEST_GUILD");
        return;
    };
    for text in SHARED {
        let project =
            yaml(text).file("more.yml", "- model: inc\n  operations: {x: {main: guild.pass, flags: {q: off}}}\n");
        std::fs::create_dir(project.home()).unwrap();
        let guild = |args: &[&str]| {
            let mut command = project.command(&guild);
            command.env("GUILD_HOME", project.home()).env("LANG", "C.UTF-8").args(args);
            project.start_command(command).wait().code(0).out()
        };
        let names = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
        let theirs = names(&guild(&["operations"]));
        assert_eq!(names(&project.run(&["ops"]).code(0).out()), theirs);
        for name in theirs {
            let told = guild(&["run", &name, "--help-op"]);
            let flags = told.split_once("Flags:\n").map_or("", |(_, flags)| flags).lines();
            let flag = |line: &str| {
                let (name, rest) = line.trim().split_once(' ')?;
                let default = rest.split_once("default is ")?.1.strip_suffix(')')?;
                Some((name.to_owned(), default.to_owned()))
            };
            let theirs: BTreeMap<String, String> = flags.filter_map(flag).collect();
            let ours = project.run(&["help-op", &name, "--json"]).code(0).json();
            let text = |value: &Value| match value {
                Value::Bool(boolean) => if *boolean { "yes" } else { "no" }.to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let ours = ours["flags"].as_object().unwrap().iter();
            let ours: BTreeMap<String, String> =
                ours.map(|(name, flag)| (name.clone(), text(&flag["default"]))).collect();
            assert_eq!(ours, theirs, "{name}\n{told}");
        }
    }
}
