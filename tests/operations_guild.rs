//! What Guild takes with a warning is run with one, and modules are found where `python -m` finds them.

use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::json;

use crate::harness::{Project, needs};

#[test]
fn what_guild_only_warns_of_is_run_with_a_warning() {
    // What the definition has, and what is said of it.
    let cases = [
        (
            "exec: echo ran\n  flags-des: args",
            "guild.yml:3: operation 'op' has no attribute 'flags-des'; did you mean 'flags-dest'?",
        ),
        ("exec: echo ran\n  flags‑import: all", "guild.yml:3: operation 'op' has no attribute 'flags‑import'"),
        ("exec: echo ran\n  colour: red", "guild.yml:3: operation 'op' has no attribute 'colour'; it has no effect"),
        (
            "exec: echo ran\n  flags:\n    a: {default: 1, arg_name: b}",
            "guild.yml:4: flag 'a' has no attribute 'arg_name'; did you mean 'arg-name'?",
        ),
        (
            "exec: echo ran\n  flags:\n    a: {default: 1, choices: [{value: 1, aliass: x}]}",
            "guild.yml:4: a choice of flag 'a' has no attribute 'aliass'; did you mean 'alias'?",
        ),
        (
            "exec: echo no\n  exec: echo ran",
            "guild.yml:3: 'exec' stands here a second time, and the last one counts; the first is on line 2",
        ),
        (
            "exec: echo ran\n  flags:\n    a: {default: 1, type: integer}",
            "guild.yml:4: 'integer' is no type of a flag; did you mean 'int'? It is taken for 'auto'",
        ),
        (
            "exec: echo ran\n  sourcecode:\n    select: ['*.sh']\n    exclude: b",
            "guild.yml:5: sourcecode has no attribute 'exclude'; beside others it has no effect",
        ),
        (
            "exec: echo ran\n  label: no",
            "guild.yml:3: operation 'op': 'label' is 'no', which is as if it were not there",
        ),
        ("exec: echo ran\n  compare: off", "guild.yml:3: operation 'op': 'compare' is 'no'"),
        ("exec: echo ran\n  requires: no", "guild.yml:3: operation 'op': 'requires' is 'no'"),
        ("exec: echo ran\n  flags-dest: arg", "guild.yml:3: 'arg' is no destination of flags; did you mean 'args'?"),
        ("exec: echo ran\n  flags:\n    my flag: 1", "guild.yml:4: 'my flag' is an odd name of a flag"),
        ("exec: echo ran\n  run-attrs: {started: x}", "guild.yml:3: the attribute 'started' is the run's own"),
        (
            "exec: echo ran\n  requires:\n    - file: a\n      optional: yes\n      nmae: b",
            "guild.yml:6: a source has no attribute 'nmae'; did you mean 'name'?",
        ),
        (
            "exec: echo ran\n  publish: {filess: x}",
            "guild.yml:3: publish has no attribute 'filess'; did you mean 'files'?",
        ),
    ];
    for (definition, told) in cases {
        let project = Project::new().file("guild.yml", format!("op:\n  {definition}\n")).file("a", "");
        project.run(&["run", "op", "-y"]).code(0).stdout_has("ran\n").stderr_has(&format!("WARNING: {told}"));
        let refused = project.run(&["run", "op", "-y", "--strict"]);
        refused.code(2).stderr_has(told).stderr_has("without --strict").stdout("");
        assert_eq!(project.runs().len(), 1, "{definition}");
    }
    let clean = Project::new().file("guild.yml", "op:\n  exec: echo ran\n  sourcecode: no\n  flags-import: no\n");
    clean.run(&["run", "op", "-y", "--strict"]).code(0).stderr_lacks("WARNING");
}

#[test]
fn a_flag_whose_name_has_a_space_is_a_flag() {
    let project = Project::new().file("guild.yml", "op:\n  exec: echo ${flag_args}\n  flags:\n    my flag: 1\n");
    project.run(&["run", "op", "my flag=2", "-y"]).code(0).stdout("--my flag 2\n");
    assert_eq!(project.the_run().attr("flags"), json!({"my flag": 2}));
    project.run(&["run", "op", "my flag=2", "--print-env"]).code(0).stdout_has("FLAG_MY_FLAG=2\n");
}

#[test]
fn attributes_of_the_run_are_its_own() {
    let definition = "op:\n  exec: echo ran\n  run-attrs: {id: x, initialized: today, exit_status: z, tags: 3, owner: me, '../a': b}\n";
    let project = Project::new().file("guild.yml", definition);
    let ended = project.run(&["run", "op", "-y"]);
    ended.code(0).stderr_has("'id' is the run's own").stderr_has("'../a' cannot be the name of an attribute");
    let run = project.the_run();
    assert_eq!(run.attr("owner"), "me");
    assert_ne!(run.attr("id"), "x");
    project.run(&["runs"]).code(0).stdout_has("completed");
    project.run(&["runs", "select", "--attr", "owner"]).code(0).stdout("me\n");
}

#[test]
fn attributes_are_printed_as_guild_prints_them() {
    let project = Project::new().file("guild.yml", "op:\n  exec: echo ran\n  flags: {b: yes, a: 1}\n  tags: [x, z]\n");
    project.run(&["run", "op", "-y"]).code(0);
    project.run(&["runs", "select", "--attr", "flags"]).code(0).stdout("a: 1\nb: true\n");
    project.run(&["runs", "select", "--attr", "tags"]).code(0).stdout("- x\n- z\n");
    project.run(&["runs", "select", "--attr", "exit_status"]).code(0).stdout("0\n");
    project.run(&["runs", "select", "--attr", "cmd"]).code(0).stdout("- echo\n- ran\n");
}

#[test]
fn a_file_of_a_run_is_shown_by_its_name() {
    let project = Project::new().file("guild.yml", "op:\n  exec: sh -c 'echo 1 > a.txt'\n");
    project.run(&["run", "op", "-y", "--run-id", "one1"]).code(0);
    project.run(&["runs", "cat", "a.txt"]).code(0).stdout("1\n");
    project.run(&["runs", "cat", "one1", "a.txt"]).code(0).stdout("1\n");
    project.run(&["runs", "cat", "one1", "-p", "a.txt"]).code(0).stdout("1\n");
    project.run(&["runs", "cat", "b.txt"]).code(2).stderr_has("did you mean 'a.txt'?");
    project.run(&["runs", "cat", "one1"]).code(2).stderr_has("-p / --path is required");
    project.run(&["runs", "cat", "one1", "a.txt", "-p", "b.txt"]).code(2).stderr_has("one file too many");
}

#[test]
fn compare_shows_the_columns_that_an_operation_asks_for() {
    let definition = "op:\n  exec: 'echo loss: 0.5'\n  flags: {a: 1, b: 2}\n  compare: [=a, loss]\n\
                      other:\n  exec: 'echo acc: 1'\n  flags: {c: 3}\n";
    let project = Project::new().file("guild.yml", definition);
    project.run(&["run", "op", "-y"]).code(0);
    let header = |args: &[&str]| {
        let ended = project.run(&[&["runs", "compare", "--csv", "-"], args].concat());
        ended.code(0).out().lines().next().unwrap().to_owned()
    };
    let core = "run,operation,started,time,status,label";
    assert_eq!(header(&[]), format!("{core},a,loss"));
    assert_eq!(header(&["-p"]), format!("{core},a,b"));
    project.run(&["run", "other", "-y"]).code(0);
    assert_eq!(header(&[]), format!("{core},c,step,acc,a,loss"));
}

#[test]
fn options_of_guild_that_are_not_there_are_named() {
    let project = Project::new().file("guild.yml", "op:\n  exec: echo ran\n");
    for option in [&["--help-model"][..], &["--debug-sourcecode", "x"], &["--break", "1"], &["--break-on-error"]] {
        let ended = project.run(&[&["run", "op", "-y"], option].concat());
        ended.code(2).stderr_has(&format!("rille has no option '{}', which Guild AI has", option[0])).stdout("");
    }
}

#[test]
fn a_dependency_can_be_added_on_the_command_line() {
    let project = Project::new().file("guild.yml", "op:\n  exec: cat extra.txt\n  sourcecode: no\n");
    let project = project.file("elsewhere/extra.txt", "more\n");
    project.run(&["run", "op", "-y", "-D", "elsewhere/extra.txt"]).code(0).stdout("more\n");
    assert!(project.the_run().path().join("extra.txt").is_symlink());
    project.run(&["run", "op", "-y", "--dep", "none.txt"]).code(1).stderr_has("none.txt");
}

#[test]
fn the_present_source_code_can_be_forced_on_an_earlier_run() {
    let project =
        Project::new().file("guild.yml", "op:\n  exec: sh a.sh\n").file("a.sh", "echo old\n").file("b.sh", "");
    project.run(&["run", "op", "-y", "--run-id", "one1"]).code(0).stdout("old\n");
    let project = project.file("a.sh", "echo new\n").file("c.sh", "");
    std::fs::remove_file(project.path("b.sh")).unwrap();
    project.run(&["run", "-y", "--proto", "one1", "--run-id", "two2"]).code(0).stdout("old\n");
    project.run(&["run", "-y", "--proto", "one1", "--run-id", "three3", "--force-sourcecode"]).code(0).stdout("new\n");
    let run = project.home().join("runs/one1");
    let before = std::fs::read_to_string(run.join(".guild/attrs/sourcecode_digest")).unwrap();
    project.run(&["run", "-y", "--restart", "one1"]).code(0).stdout("old\n");
    project.run(&["run", "-y", "--restart", "one1", "--force-sourcecode"]).code(0).stdout("new\n");
    assert!(run.join("c.sh").exists() && !run.join("b.sh").exists());
    assert_ne!(std::fs::read_to_string(run.join(".guild/attrs/sourcecode_digest")).unwrap(), before);
}

#[test]
fn scalars_of_a_file_are_tested() {
    let definition =
        "op:\n  exec: 'true'\n  output-scalars: [{loss: 'L=(\\value)'}]\nnone:\n  exec: 'true'\n  output-scalars: no\n";
    let project = Project::new().file("guild.yml", definition).file("out.txt", "L=0.5\nother\n");
    let expected =
        "L=0.5\n  'L=([0-9\\\\.e\\\\-]+)': [('0.5',)] (loss=0.5)\nother\n  'L=([0-9\\\\.e\\\\-]+)': <no matches>\n";
    project.run(&["run", "op", "--test-output-scalars", "out.txt"]).code(0).stdout(expected);
    let piped = Project::new().file("guild.yml", definition).stdin("L=0.5\nother\n");
    piped.run(&["run", "op", "--test-output-scalars", "-"]).code(0).stdout(expected);
    project.run(&["run", "none", "--test-output-scalars", "out.txt"]).code(0).stdout_has("disabled");
    project.run(&["run", "op", "--test-output-scalars", "gone.txt"]).code(1).stderr_has("cannot read gone.txt");
}

#[test]
fn a_comment_is_written_in_an_editor() {
    let project =
        Project::new().file("guild.yml", "op:\n  exec: echo ran\n").executable("edit", "#!/bin/sh\necho more >> $1\n");
    let project = project.env("EDITOR", "./edit");
    project.run(&["run", "op", "-y", "--edit-comment", "-c", "first"]).code(0);
    assert_eq!(project.the_run().attr("comments")[0]["body"], "firstmore");
    // Guild's short form is no `-e` with a `-c` that takes the next word.
    project.run(&["run", "op", "-ec", "-y", "--label", "short"]).code(0);
    let info = project.run(&["runs", "info", "latest", "--json"]).code(0).json();
    assert_eq!((&info["label"], &info["attrs"]["comments"][0]["body"]), (&json!("short"), &json!("more")));
}

/// Values from the command line or the definition, through checks, records and configs, to Python, a shell and a file.
#[test]
fn values_reach_the_program_as_they_were_given() {
    if !needs("python3") {
        return;
    }
    let definition = "
op:
  main: m
  flags-dest: globals
  flags:
    f: {type: float, default: .inf}
    n: {type: int, default: 18446744073709551616}
    s: {default: 2020-01-31}
sh:
  exec: sh -c 'printf \"%s|\" \"$@\"; echo \"$FLAG_S\"' sh ${flag_args}
  flags: {s: null}
conf:
  exec: cat c.yml
  flags-dest: config:c.yml
  flags: {lr: 0.5, net.big: 1, when: 2020-01-31}
";
    let config = "# Settings.\nlr: 0.1  # the rate\nnet: {big: 2, other: 'x'}\nwhen: 2020-01-31\nlast: yes\n";
    let project = Project::new()
        .file("guild.yml", definition)
        .file("c.yml", config)
        .file("m.py", "f = 1.0\nn = 1\ns = ''\nprint(repr(f), repr(n), repr(s))\n");
    let run = |words: &[&str]| project.run(&[&["run", "-y"], words].concat()).code(0).out();
    let big = "-99999999999999999999999999999999999999999999";
    assert_eq!(run(&["op"]), "inf 18446744073709551616 '2020-01-31'\n");
    assert_eq!(run(&["op", "f=-inf", &format!("n={big}"), "s= a  b "]), format!("-inf {big} ' a  b '\n"));
    assert_eq!(run(&["op", "f=nan", "n=1", "s=!tag x"]), "nan 1 '!tag x'\n");
    // A record brings the same values back.
    for run in project.runs() {
        let text = run.text(".guild/output");
        project.run(&["run", "-y", "--restart", &run.id()]).code(0).stdout(&text);
    }
    for (value, text) in
        [("inf", "inf"), (big, big), ("2020-01-31", "2020-01-31"), (" a  b ", " a  b "), ("!tag x", "!tag x")]
    {
        assert_eq!(run(&["sh", &format!("s={value}")]), format!("--s|{text}|{text}\n"), "{value}");
    }
    // Of settings only what flags name is written anew.
    let expected = config.replace("lr: 0.1", "lr: .inf").replace("big: 2", &format!("big: {big}"));
    assert_eq!(run(&["conf", "lr=inf", &format!("net.big={big}")]), expected);
    assert_eq!(run(&["conf", "lr=0.1", "net.big=2"]), config);
}

#[test]
fn modules_are_found_in_the_run_directory_and_in_the_source_code() {
    if !needs("python3") {
        return;
    }
    let definition = "
made:
  exec: sh -c \"echo 'x = 41' > settings.py\"
  sourcecode: no
dep:
  main: mod
  requires:
    - file: mod.py
    - file: helper.py
up:
  main: uses
  requires:
    - operation: made
      select: settings.py
both:
  main: sub/inner
  requires:
    - file: lib/same.py
      target-path: .
";
    let project = Project::new()
        .file("guild.yml", definition)
        .file("mod.py", "import helper\nprint('dep', helper.x)\n")
        .file("helper.py", "x = 1\n")
        .file("uses.py", "import settings, other\nprint('up', settings.x, other.y)\n")
        .file("other.py", "y = 2\n")
        .file("lib/same.py", "where = 'run'\n")
        .file("same.py", "where = 'source'\n")
        .file("beside.py", "at = 'top'\n")
        .file("sub/beside.py", "at = 'sub'\n")
        .file("sub/only.py", "at = 'only'\n")
        .file("sub/inner.py", "import same, beside, only\nprint(same.where, beside.at, only.at)\n");
    project.run(&["run", "dep", "-y"]).code(0).stdout_has("dep 1\n");
    project.run(&["run", "made", "-y"]).code(0);
    project.run(&["run", "up", "-y"]).code(0).stdout_has("up 41 2\n");
    // The run directory comes first, then the source code, then the folder of the module.
    project.run(&["run", "both", "-y"]).code(0).stdout_has("run top only\n");
}

#[test]
fn needed_looks_at_what_is_run_and_not_at_how_it_is_written_down() {
    let definition =
        "op:\n  exec: sh a.sh ${lr}\n  flags: {lr: 1}\n  env: {MODE: fast}\n  requires:\n    - file: data.txt\n";
    let project = Project::new()
        .file("guild.yml", "- include: ops.yml\n")
        .file("ops.yml", format!("- model: ''\n  operations:\n{}", indented(definition)));
    let project = project.file("a.sh", "echo ran\n").file("data.txt", "1\n").file("other.sh", "true\n");
    let explain = |words: &[&str]| project.run(&[&["run", "op", "--explain"], words].concat()).code(0).out();
    let needed = |words: &[&str]| project.run(&[&["run", "op", "-y", "--needed"], words].concat());
    assert_eq!(explain(&[]), "There is no run of op that has ended: --needed would run it.\n");
    assert!(project.runs().is_empty(), "it is only looked at");
    needed(&[]).code(0).stdout("ran\n").stderr_lacks("--needed");
    let id: String = project.the_run().id().chars().take(8).collect();
    // A comment in a file of definitions is no part of what is run.
    for file in ["guild.yml", "ops.yml"] {
        let text = project.read(file);
        std::fs::write(project.path(file), format!("# a comment\n{text}")).unwrap();
    }
    std::fs::write(project.path("log.txt"), "").unwrap();
    needed(&[]).code(0).stdout("").stderr_has("Skipping because the following runs match");
    assert_eq!(explain(&[]), format!("op is the same as run {id}: --needed would skip it.\n"));
    // Each thing that is part of it is told.
    let told = explain(&["lr=2"]);
    assert_eq!(
        told,
        format!(
            "op differs from run {id}, the nearest one:\n  flag lr: 2, was 1\nIt would run again: --needed would run it.\n"
        )
    );
    std::fs::write(project.path("data.txt"), "2\n").unwrap();
    assert!(explain(&[]).contains("\n  dependency file data.txt: it has changed\n"));
    std::fs::write(project.path("other.sh"), "echo\n").unwrap();
    std::fs::write(project.path("new.sh"), "echo\n").unwrap();
    let told = explain(&[]);
    assert!(told.contains("\n  source file new.sh: it is new\n  source file other.sh: it has changed\n"), "{told}");
    let text = project.read("ops.yml").replace("fast", "slow").replace("sh a.sh", "sh -e a.sh");
    std::fs::write(project.path("ops.yml"), text).unwrap();
    let told = explain(&[]);
    assert!(told.contains("\n  command: sh -e a.sh '${lr}', was sh a.sh '${lr}'\n"), "{told}");
    assert!(told.contains("\n  environment MODE: slow, was fast\n"), "{told}");
    assert_eq!(project.runs().len(), 1, "nothing was run");
    needed(&[]).code(0).stdout("ran\n").stderr_has(&format!("Running op because it differs from run {id}"));
    needed(&[]).code(0).stdout("").stderr_has("Skipping");
}

#[test]
fn explain_looks_at_the_runs_that_would_be_used() {
    let definition = "\
- operations:
    prepare: {exec: cp raw.csv data.csv, sourcecode: no, flags: {seed: 1}, requires: [{file: raw.csv}]}
    train: {exec: sh train.sh, sourcecode: train.sh, flags: {lr: 1}, requires: [{operation: prepare}]}
    evaluate:
      exec: sh evaluate.sh
      sourcecode: evaluate.sh
      requires: [{operation: train}, {operation: prepare}]
";
    let project = Project::new().file("guild.yml", definition).file("raw.csv", "1\n");
    let project = project.file("train.sh", "touch model\n").file("evaluate.sh", "ls\n");
    let explain = || project.run(&["run", "evaluate", "--explain"]).code(0).out();
    let id = |operation: &str| {
        let runs = project.run(&["runs", "list", "--operation", operation, "--json"]).code(0).json();
        runs[0]["id"].as_str().unwrap()[..8].to_owned()
    };
    project.run(&["run", "prepare", "-y", "seed=2"]).code(0);
    project.run(&["run", "train", "-y", "lr=2"]).code(0);
    let [prepare, train] = ["prepare", "train"].map(id);
    let used = |of_prepare: &str, of_train: &str, end: &str| {
        format!(
            "evaluate and train would use run {prepare} of prepare, {of_prepare}\n\
             evaluate would use run {train} of train, {of_train}\n{end}"
        )
    };
    let is_right = "which is what it would be now.";
    // What a user gave stays, and nothing is run or left.
    let none = "There is no run of evaluate that has ended: --needed would run it.\n";
    assert_eq!(explain(), format!("{none}{}", used(is_right, is_right, "")));
    project.run(&["run", "evaluate", "-y"]).code(0);
    let evaluate = id("evaluate");
    let same = format!("evaluate is the same as run {evaluate}: --needed would skip it.\n");
    assert_eq!(explain(), format!("{same}{}", used(is_right, is_right, "")));
    std::fs::write(project.path("train.sh"), "touch model more\n").unwrap();
    let of_train = "which differs from what it would be now:\n  source file train.sh: it has changed";
    let end = "All would be up to date after: train, evaluate.\n";
    assert_eq!(explain(), format!("{same}{}", used(is_right, of_train, end)));
    std::fs::write(project.path("raw.csv"), "2\n").unwrap();
    let of_prepare = "which differs from what it would be now:\n  dependency file raw.csv: it has changed";
    let end = "All would be up to date after: prepare, train, evaluate.\n";
    assert_eq!(explain(), format!("{same}{}", used(of_prepare, of_train, end)));
    // An operation that is gone says so.
    std::fs::write(project.path("guild.yml"), definition.replace("    prepare:", "    prepared:")).unwrap();
    assert!(explain().contains("which cannot be compared with what it would be now: cannot find definition"));
    assert_eq!(project.runs().len(), 3, "nothing was run");
}

#[test]
fn needed_sees_what_is_in_folders_that_are_required() {
    let definition = "op:\n  exec: cat data/a.txt\n  sourcecode: no\n  requires:\n    - file: data\n";
    for kind in ["copy", "link"] {
        let project = Project::new()
            .file("guild.yml", format!("{definition}      target-type: {kind}\n"))
            .file("data/a.txt", "1\n")
            .file("data/deep/b.txt", "");
        let needed = || project.run(&["run", "op", "-y", "--needed"]);
        needed().code(0).stdout("1\n");
        needed().code(0).stdout("").stderr_has("Skipping because the following runs match");
        std::fs::write(project.path("data/deep/b.txt"), "more\n").unwrap();
        let told = project.run(&["run", "op", "--explain"]).code(0).out();
        assert!(told.contains("\n  dependency file data: it has changed\n"), "{kind}: {told}");
        needed().code(0).stdout("1\n");
        needed().code(0).stdout("");
    }
}

fn indented(text: &str) -> String {
    text.lines().flat_map(|line| ["    ", line, "\n"]).collect()
}

#[test]
fn labels_show_short_ids_of_upstream_runs() {
    let definition = "up:\n  exec: touch a\ndown:\n  exec: ls\n  requires:\n    - operation: up\n";
    let project = Project::new().file("guild.yml", definition);
    project.run(&["run", "up", "-y"]).code(0);
    let up = project.the_run().id();
    project.run(&["run", "down", "-y", "--run-id", "down1"]).code(0);
    let label =
        |run: &str| std::fs::read_to_string(project.home().join("runs").join(run).join(".guild/attrs/label")).unwrap();
    assert_eq!(label("down1").trim(), format!("up={}", &up[..8]));
    project.run(&["run", "down", "-y", "--run-id", "down2", "-l", "from ${up}"]).code(0);
    assert_eq!(label("down2").trim(), format!("from {}", &up[..8]));
}

#[test]
fn files_of_submodules_are_those_that_git_has() {
    if !needs("git") {
        return;
    }
    let project = Project::new().file("guild.yml", "op:\n  exec: 'true'\n").file("a.sh", "");
    let other = tempfile::tempdir().unwrap();
    for (name, text) in [("kept.sh", "a"), ("ignored.sh", "a"), (".gitignore", "ignored.sh\n"), ("deep/x.bin", "\0")] {
        let path = other.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let git = |folder: &std::path::Path, words: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "protocol.file.allow=always", "-c", "user.name=x", "-c", "user.email=x@y"]).args(words);
        let output = command.current_dir(folder).env("HOME", project.root()).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    git(other.path(), &["init", "-q"]);
    git(other.path(), &["add", "."]);
    git(other.path(), &["commit", "-qm", "x"]);
    git(&project.path(""), &["init", "-q"]);
    git(&project.path(""), &["submodule", "--quiet", "add", other.path().to_str().unwrap(), "sub"]);
    std::fs::write(project.path("sub/ignored.sh"), "a").unwrap();
    std::fs::write(project.path("sub/untracked.sh"), "a").unwrap();
    symlink("sub/deep", project.path("link")).unwrap();
    project.run(&["run", "op", "-y"]).code(0);
    let run = project.the_run();
    for (file, is_there) in [
        ("sub/kept.sh", true),
        ("sub/untracked.sh", true),
        ("sub/deep/x.bin", true),
        ("sub/ignored.sh", false),
        ("link/x.bin", true),
        ("a.sh", true),
    ] {
        assert_eq!(run.has(file), is_there, "{file}");
    }
    assert!(run.path().join("link").is_symlink());
}

#[test]
fn a_module_that_is_not_to_be_looked_at_gets_its_flags_as_arguments() {
    needs("python3");
    let cases =
        [("", "lr=0.5 []"), ("  flags-import: no\n", "lr=0.1 ['--lr', '0.5']"), ("  flags-import: []\n", "lr=0.1")];
    for (line, expected) in cases {
        let project = Project::new()
            .file("guild.yml", format!("train:\n  main: train\n  flags:\n    lr: 0.5\n{line}"))
            .file("train.py", "import sys as system\nlr = 0.1\nprint('lr=%s %s' % (lr, system.argv[1:]))\n");
        project.run(&["run", "train", "-y"]).code(0).stdout_has(expected);
    }
}

#[test]
fn a_flag_that_is_called_like_a_resource_or_a_file_chooses_none() {
    let definition = "\
- operations:
    prepare: {exec: touch out}
    train:
      exec: ls data.csv small.csv out
      flags: {model: big, small.csv: 7, set: x}
      requires:
        - model
        - set
        - file: small.csv
  resources:
    model: {sources: [{operation: prepare}]}
    set: {sources: [{file: data.csv}]}
";
    let project = Project::new().file("guild.yml", definition).file("data.csv", "").file("small.csv", "");
    project.run(&["run", "prepare", "-y"]).code(0);
    let id = project.run(&["runs", "info", "latest", "--json"]).code(0).json()["id"].as_str().unwrap().to_owned();
    project.run(&["run", "train", "-y"]).code(0).stdout_has("data.csv\nout\nsmall.csv\n");
    project.run(&["run", "train", "-y", "model=huge", &format!("prepare={id}")]).code(0).stdout_has("out\n");
    let info = project.run(&["runs", "info", "latest", "--json"]).code(0).json();
    assert_eq!(info["flags"], json!({"model": "huge", "prepare": id, "set": "x", "small.csv": 7}));
}
