//! Definitions of operations: how they are listed and explained, what is told of mistakes, and Lua as an operation.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::{Project, guild_program};

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
fn operations_are_listed_model_by_model_without_hidden_ones() {
    let models = "- model: b\n  operations: {z: {exec: x}, a: {exec: x}, _own: {exec: x}}\n\
                  - model: ''\n  operations: {c: {exec: x}}\n- model: _check\n  operations: {all: {exec: x}}\n";
    let project = Project::new().file("guild.yml", models);
    assert_eq!(project.run(&["ops"]).code(0).out(), "c\nb:a\nb:z\n");
    assert_eq!(project.run(&["ops", "--all"]).code(0).out(), "c\n_check:all\nb:_own\nb:a\nb:z\n");
}

#[test]
fn operations_are_listed_and_explained() {
    let project = lua(&format!(
        "{TRAIN}op.define('prepare', {{ main = 'prepare.sh --fast' }})\nop.define('_hidden', {{ exec = 'x' }})\n\
         op.define('cnn:train', {{ main = function() end }})\nop.define('all', {{ steps = {{ 'train' }} }})"
    ));
    insta::assert_snapshot!(project.run(&["ops"]).whole(), @"
    exit code 0
    --- stdout
    all
    prepare
    train      (default) Train the model
    cnn:train
    ");
    insta::assert_snapshot!(project.run(&["ops", "--all", "--json"]).whole(), @r#"
    exit code 0
    --- stdout
    [
      {
        "name": "_hidden",
        "description": "",
        "default": false,
        "kind": "exec",
        "file": "[WORK]/rille.lua",
        "line": 17,
        "error": null
      },
      {
        "name": "all",
        "description": "",
        "default": false,
        "kind": "steps",
        "file": "[WORK]/rille.lua",
        "line": 19,
        "error": null
      },
      {
        "name": "prepare",
        "description": "",
        "default": false,
        "kind": "script",
        "file": "[WORK]/rille.lua",
        "line": 16,
        "error": null
      },
      {
        "name": "train",
        "description": "Train the model\n\nWith care.",
        "default": true,
        "kind": "exec",
        "file": "[WORK]/rille.lua",
        "line": 2,
        "error": null
      },
      {
        "name": "cnn:train",
        "description": "",
        "default": false,
        "kind": "main",
        "file": "[WORK]/rille.lua",
        "line": 18,
        "error": null
      }
    ]
    "#);
    insta::assert_snapshot!(project.run(&["help-op"]).whole(), @"
    exit code 0
    --- stdout
    Usage: rille run [OPTIONS] train [FLAG=VALUE]...

    Train the model

    With care.

    Runs: exec python3 train.py ${flag_args}
    Defined in: rille.lua:2

    Flags:
      batch      Images at a time (int, default is 32, min 1, max 4096)
      data       Where the images are (existing-path, required)
      lr         (default is 0.1)
      optimizer  (default is adam)
                 choices:
                   adam
                   sgd (alias s)  plain
      seed       First line
                 Second line
                 (default is random, alias s)

    Dependencies:
      prepare (files of a run of prepare)
      ab (file a.txt, url https://h/b.zip)

    Environment:
      LR=${lr}
      TOKENIZERS=no
    ");
    insta::assert_snapshot!(project.run(&["help-op", "cnn:train"]).whole(), @"
    exit code 0
    --- stdout
    Usage: rille run [OPTIONS] cnn:train [FLAG=VALUE]...

    Runs: Lua function main
    Defined in: rille.lua:18
    ");
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
    insta::assert_snapshot!(project.run(&["ops"]).whole(), @r#"
    exit code 0
    --- stdout
    again        BROKEN rille.lua:9: operation 'again' is defined a second time; the first is on line 8
    dash         BROKEN rille.lua:4: operation 'dash' has no attribute 'flags_des'; did you mean 'flags_dest'?
    deep         BROKEN rille.lua:10: a choice of flag 'a' has no attribute 'valeu'; did you mean 'value'?
    fn           BROKEN rille.lua:11: operation 'fn'.env.A is a function, which cannot be handed to another process
    good
    mixed        BROKEN rille.lua:12: operation 'mixed'.tags is a list that also has the key 'b'; it must be one or the other
    needs        BROKEN rille.lua:13: resource 'good' is not defined; for the files of the operation write { operation = "good" }
    none         BROKEN rille.lua:6: operation 'none' must define either exec, main, or steps
    not a table  BROKEN rille.lua:7: operation 'not a table' must be a table, got the number 3
    odd          BROKEN rille.lua:14: a source is more than one thing: conflicting attributes (file, url)
    slip         BROKEN rille.lua:3: operation 'slip' has no attribute 'exce'; did you mean 'exec'?
    stranger     BROKEN rille.lua:5: operation 'stranger' has no attribute 'colour'; it has: can_stage_trials, compare, default, default_flag_arg_skip, default_max_trials, delete_on_success, description, env, env_secrets, exec, flag_encoder, flags, flags_dest, flags_import, flags_import_skip, handle_keyboard_interrupt, label, main, notebook, objective, optimizer, optimizers, output_attrs, output_scalars, pip_freeze, plugins, publish, python_path, python_requires, references, requires, run_attrs, sourcecode, steps, stop_after, stoppable, tags
    "#);
    insta::assert_snapshot!(project.run(&["help-op", "slip"]).whole(), @"
    exit code 2
    --- stderr
    error: rille.lua:3: operation 'slip' has no attribute 'exce'; did you mean 'exec'?
    ");
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
    insta::assert_snapshot!(told.concat(), @"
    error: rille.lua:2: ')' expected near <eof>
    error: rille.lua:2: rille.op has no field 'dfine'; did you mean 'define'?
    error: rille.lua:2: op.define(name, { … }) begins with a name, got the number 3
    error: rille.lua:2: variable 'prnt' not declared; did you mean 'print'?
    error: rille.lua:2: boom
    error: rille.lua:2: the project file cannot exit; it declares operations
    error: rille.lua:2: op.settings cannot have 'exec': each operation has its own
    error: rille.lua:2: op.settings has no 'flag_dest'; did you mean 'flags_dest'?
    error: rille.lua:2: op.settings.default names the operation 'trian', which is not defined; did you mean 'train'?
    error: rille.lua:2: op.settings is called a second time; the first is on line 2
    error: rille.lua:2: resource 'r' is defined a second time; the first is on line 2
    error: rille.lua:2: module 'rille.job' is for jobfiles; this is a file of operations
    error: rille.lua:2: variable 'helper' not declared; write 'local function helper' (only main is called from outside)
    ");
}

#[test]
fn nothing_usable_is_a_failure() {
    let told = [
        Project::new().run(&["ops"]).whole(),
        yaml("a: {requires: x}").run(&["ops"]).whole(),
        yaml("a: [\n").run(&["ops"]).whole(),
        yaml("a:\n\tb: 1\n").run(&["ops", "--json"]).whole(),
        yaml("").run(&["ops"]).whole(),
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
    exit code 2
    --- stderr
    error: there are no operations: [WORK] has no rille.lua and no guild.yml

    exit code 2
    --- stdout
    a  BROKEN guild.yml:1: resource 'x' is not defined
    --- stderr
    error: no operation of this project can be used

    exit code 2
    --- stderr
    error: guild.yml:1: this is not YAML: unclosed bracket '['
    error: no operation of this project can be used

    exit code 2
    --- stdout
    [
      {
        "name": null,
        "model": "",
        "line": 2,
        "error": "guild.yml:2: this is not YAML: tabs disallowed within this context (block indentation)"
      }
    ]
    --- stderr
    error: no operation of this project can be used

    exit code 0
    --- stderr
    no operations
    "#);
    let project = yaml("a: {}").file("sub/x.txt", "");
    let mut command = project.rille(&["ops"]);
    command.current_dir(project.path("sub"));
    insta::assert_snapshot!(project.start_command(command).wait().whole(), @"
    exit code 2
    --- stderr
    error: there are no operations: [WORK]/sub has no rille.lua and no guild.yml
    hint: there is one in [WORK]; go there.
    ");
}

/// Leaves out which Python it would be: that is another on every machine.
fn without_python(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("Python: ")).collect();
    lines.push("");
    lines.join("\n")
}

#[test]
fn guild_files_are_read_in_both_formats() {
    let project = yaml(
        "- config: shared\n  flags: {seed: 1}\n\
         - model: cnn\n  default: yes\n  operations:\n    train: {flags: {$include: shared, lr: 1e-3}, main: 'train ${lr}'}\n    \
         test: {exec: test.sh, main: ignored, plugins: all}\n    bad: {flags: [lr]}\n\
         - model: mlp\n  extends: nope\n  operations: {train: train}\n- modle: x\n",
    );
    insta::assert_snapshot!(project.run(&["ops"]).whole(), @"
    exit code 0
    --- stdout
    cnn:bad    BROKEN guild.yml:8: flags must be a mapping of names and defaults, got a list; write 'NAME: DEFAULT' lines
    cnn:test
    cnn:train
    --- stderr
    error: guild.yml:10: undefined model or config 'nope'
    error: guild.yml:12: missing required type (one of: config, include, model, package); did you mean 'model'?
    WARNING: guild.yml:7: operation 'test': 'plugins' is not supported yet; it runs without them
    WARNING: guild.yml:7: operation 'exec' and 'main' both specified, ignoring 'main'
    ");
    insta::assert_snapshot!(without_python(&project.run(&["help-op", "train"]).whole()), @"
    exit code 0
    --- stdout
    Usage: rille run [OPTIONS] cnn:train [FLAG=VALUE]...

    Runs: Python module train ${lr}
    Defined in: guild.yml:6

    Flags:
      lr    (default is 0.001)
      seed  (default is 1)
    ");
    insta::assert_snapshot!(project.run(&["help-op", "cnn:tset"]).whole(), @"
    exit code 2
    --- stderr
    error: operation 'cnn:tset' is not defined for this project
    hint: did you mean 'cnn:test'?
    ");
}

#[test]
fn rille_lua_wins_over_guild_yml() {
    let project = lua("op.define('a', { exec = 'lua' })\nop.define('b', { exce = 'x' })")
        .file("guild.yml", "a: {exec: yaml}\nb: {exec: yaml}\nc: {exec: yaml}\n");
    insta::assert_snapshot!(project.run(&["ops"]).whole(), @"
    exit code 0
    --- stdout
    a
    b  BROKEN rille.lua:3: operation 'b' has no attribute 'exce'; did you mean 'exec'?
    c
    --- stderr
    WARNING: guild.yml:1: operation 'a' is also defined in rille.lua, which wins
    WARNING: guild.yml:2: operation 'b' is also defined in rille.lua, which wins
    ");
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
    project.run(&["help-op", "./tool"]).code(0).stdout_has("Runs: script tool");
    let told = ["sub/rum.py", "data.csv", "sub", "zzz", "m:a"].map(|name| project.run(&["help-op", name]).whole());
    insta::assert_snapshot!(told.join("\n"), @"
    exit code 2
    --- stderr
    error: operation 'sub/rum.py' is not defined for this project
    hint: did you mean 'sub/run.py'?

    exit code 2
    --- stderr
    error: operation 'data.csv' is not defined for this project
    hint: 'data.csv' is no script: its name ends in none of .py, .sh and .lua, and it cannot be executed.

    exit code 2
    --- stderr
    error: operation 'sub' is not defined for this project
    hint: 'sub' is a folder; name a file in it.

    exit code 2
    --- stderr
    error: operation 'zzz' is not defined for this project
    hint: 'rille ops' lists the operations.

    exit code 2
    --- stderr
    error: operation 'm:a' is not defined for this project
    hint: 'rille ops' lists the operations.
    ");
    let two = yaml("- model: x\n  operations: {a: {}, b: {}}\n- model: y\n  operations: {a: {}}\n");
    let told = ["a", "b", "x:b", "x:", "y:"].map(|name| without_python(&two.run(&["help-op", name]).whole()));
    insta::assert_snapshot!(told.join("\n"), @"
    exit code 2
    --- stderr
    error: there are multiple operations that match 'a'
    hint: name one of x:a, y:a.

    exit code 0
    --- stdout
    Usage: rille run [OPTIONS] x:b [FLAG=VALUE]...

    Runs: Python module b
    Defined in: guild.yml:2

    exit code 0
    --- stdout
    Usage: rille run [OPTIONS] x:b [FLAG=VALUE]...

    Runs: Python module b
    Defined in: guild.yml:2

    exit code 2
    --- stderr
    error: a default operation is not defined for this project
    hint: 'rille ops' lists the operations.

    exit code 0
    --- stdout
    Usage: rille run [OPTIONS] y:a [FLAG=VALUE]...

    Runs: Python module a
    Defined in: guild.yml:4
    ");
    insta::assert_snapshot!(two.run(&["help-op"]).whole(), @"
    exit code 2
    --- stderr
    error: a default operation is not defined for this project
    hint: 'rille ops' lists the operations.
    ");
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

/// Runs an operation whose `main` ends by each of these, with these flags.
fn ended_by(cases: &[(&str, &str)]) -> String {
    let told = cases.iter().map(|(ends, flags)| {
        let part = format!("return {{ name = 'part', ends = function(run, flags) {ends} end }}");
        let project = run_directory(lua(REPORT).file("part.lua", part), flags);
        let mut command = project.rille(&["--as-operation", "rille.lua", "report"]);
        command.env("RUN_ID", "abc").env("RUN_DIR", project.path("run"));
        format!("{ends}: {}", project.start_command(command).wait().whole())
    });
    told.collect::<Vec<_>>().join("\n")
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
    ];
    insta::assert_snapshot!(ended_by(&cases), @"
    return nil: exit code 0
    --- stdout
    abc	true	report	0	true	part
    no newline
    loss: 0.25 (step 3)
    acc: 1

    return false: exit code 1
    --- stdout
    abc	true	report	0	true	part
    no newline
    loss: 0.25 (step 3)
    acc: 1

    return 3: exit code 3
    --- stdout
    abc	true	report	0	true	part
    no newline
    loss: 0.25 (step 3)
    acc: 1

    os.exit(4): exit code 4
    --- stdout
    abc	true	report	0	true	part
    no newline
    loss: 0.25 (step 3)
    acc: 1

    error('boom'): exit code 1
    --- stdout
    abc	true	report	0	true	part
    no newline
    loss: 0.25 (step 3)
    acc: 1
    --- stderr
    error: part.lua:1: boom
    stack traceback:
      part.lua:1: in function 'part.ends'

    error({ kind = 'x', message = 'an object' }): exit code 1
    --- stdout
    abc	true	report	0	true	part
    no newline
    loss: 0.25 (step 3)
    acc: 1
    --- stderr
    error: an object
    stack traceback:
      part.lua:1: in function 'part.ends'

    assert(flags.n == 3, 'n is ' .. flags.n): exit code 1
    --- stdout
    abc	true	report	0	true	part
    no newline
    loss: 0.25 (step 3)
    acc: 1
    --- stderr
    error: part.lua:1: n is 2
    stack traceback:
      part.lua:1: in function 'part.ends'
    ");
    let project = lua(REPORT).file("part.lua", "return {}");
    project.run(&["--as-operation", "rille.lua", "m:other"]).code(7);
    project.run(&["--as-operation", "rille.lua", "reprot"]).code(1).stderr_has("did you mean 'report'?");
}

#[test]
fn slips_in_the_main_of_an_operation_are_told() {
    let cases = [
        ("return flags.m", "n: 2\n"),
        ("return run.lable", "n: 2\n"),
        ("run.scalar('a', 1)", "n: 2\n"),
        ("run:scalar('a b', 1)", "n: 2\n"),
        ("run:scalar('a', 'x')", "n: 2\n"),
        ("return flags.n", "n: null\n"),
    ];
    insta::assert_snapshot!(ended_by(&cases), @"
    return flags.m: exit code 1
    --- stdout
    abc	true	report	0	true	part
    no newline
    loss: 0.25 (step 3)
    acc: 1
    --- stderr
    error: part.lua:1: flags has no 'm'; it has: n
    stack traceback:
      part.lua:1: in function 'part.ends'

    return run.lable: exit code 1
    --- stdout
    abc	true	report	0	true	part
    no newline
    loss: 0.25 (step 3)
    acc: 1
    --- stderr
    error: part.lua:1: run has no field 'lable'; did you mean 'label'?
    stack traceback:
      part.lua:1: in function 'part.ends'

    run.scalar('a', 1): exit code 1
    --- stdout
    abc	true	report	0	true	part
    no newline
    loss: 0.25 (step 3)
    acc: 1
    --- stderr
    error: part.lua:1: write run:scalar(name, value[, step]), with a colon
    stack traceback:
      part.lua:1: in function 'part.ends'

    run:scalar('a b', 1): exit code 1
    --- stdout
    abc	true	report	0	true	part
    no newline
    loss: 0.25 (step 3)
    acc: 1
    --- stderr
    error: part.lua:1: 'a b' is no name of a scalar: it has no spaces and no ':'
    stack traceback:
      part.lua:1: in function 'part.ends'

    run:scalar('a', 'x'): exit code 1
    --- stdout
    abc	true	report	0	true	part
    no newline
    loss: 0.25 (step 3)
    acc: 1
    --- stderr
    error: part.lua:1: the scalar 'a' must be a finite number, got the string 'x'
    stack traceback:
      part.lua:1: in function 'part.ends'

    return flags.n: exit code 0
    --- stdout
    abc	true	report	0	true	part
    no newline
    loss: 0.25 (step 3)
    acc: 1
    ");
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
    insta::assert_snapshot!(told.join("\n"), @"
    exit code 0
    --- stdout
    2	nil	s.lua	--n	1
    a: 1e-9

    exit code 1
    --- stderr
    error: slip.lua:1: variable 'pritn' not declared; did you mean 'print'?

    exit code 1
    --- stderr
    error: op.lua:1: module 'rille.op' is for the project file rille.lua, which declares operations; this is the script of an operation
    stack traceback:
      op.lua:1: in main chunk

    exit code 1
    --- stderr
    error: cannot read gone.lua: No such file or directory

    exit code 2
    --- stderr
    error: --as-operation needs a file
    ");
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
    let Some(guild) = guild_program() else { return };
    for text in SHARED {
        let project =
            yaml(text).file("more.yml", "- model: inc\n  operations: {x: {main: guild.pass, flags: {q: off}}}\n");
        std::fs::create_dir(project.home()).unwrap();
        let guild = |args: &[&str]| {
            let mut command = project.command(&guild);
            command.env("GUILD_HOME", project.home()).env("LANG", "C.UTF-8").args(args);
            project.start_command(command).wait().code(0).out()
        };
        let lines_of = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
        let theirs = lines_of(&guild(&["operations"]));
        assert_eq!(lines_of(&project.run(&["ops"]).code(0).out()), theirs);
        for name in theirs {
            let told = guild(&["run", &name, "--help-op"]);
            let flags = told.split_once("Flags:\n").map_or("", |(_, flags)| flags).lines();
            let flag = |line: &str| {
                let (name, rest) = line.trim().split_once(' ')?;
                let default = rest.split_once("default is ")?.1.strip_suffix(')')?;
                Some((name.to_owned(), default.trim_matches('\'').to_owned()))
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
