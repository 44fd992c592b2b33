//! Flags on their way to what runs: decoded, checked, as arguments, variables of the environment and of Python.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::harness::{Project, guild_program, needs};

/// Runs a module by the program that hands flags on; returns what it printed and what its last line of errors is.
fn run_module(python: &Path, main: &str, project: &Project, dest: &str, words: &[&str]) -> (String, String) {
    let mut command = Command::new(python);
    command.args(["-W", "ignore", "-um", main]).args(words).current_dir(project.root()).env_clear();
    let paths = [project.path(""), Path::new(env!("CARGO_MANIFEST_DIR")).join("python")];
    command.env("PYTHONPATH", std::env::join_paths(paths).expect("no path has a colon")).env("FLAGS_DEST", dest);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C.UTF-8");
    let output = command.output().expect("Python can be run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr).lines().last().unwrap_or_default().to_owned())
}

/// Shows a few variables, as they are while the module runs.
const MODULE: &str = "\
import sys
from types import SimpleNamespace
lr = 0.1
name = 'a'
params = {'lr': 0.1, 'opt': {'name': 'adam', 'beta': 0.9}}
space = SimpleNamespace(lr=0.1, keep=1)
twice = lr
if __name__ == '__main__':
    late = 1
    print(repr(lr), repr(name), repr(twice), late, sys.argv[1:], __file__.rsplit('/', 1)[-1], __name__)
    print(sorted(params.items()), sorted(vars(space).items()))
";

#[test]
fn a_module_gets_its_flags_as_it_wants_them() {
    if !needs("python3") {
        return;
    }
    let project = Project::new()
        .file("mod.py", MODULE)
        .file("sub/deep.py", "from beside import x\ny = 1\nprint(x, y)\n")
        .file("sub/beside.py", "x = 'beside'\n")
        .file("pkg/__init__.py", "")
        .file("pkg/inner.py", "x = 'inner'\n")
        .file("pkg/mod.py", "from .inner import x\ny = 1\nprint(x, y, __package__)\n")
        .file("pkg/__main__.py", "y = 1\nprint('main', y)\n")
        .file("empty/__init__.py", "")
        .file("fails.py", "x = 1\n\ndef f():\n    raise ValueError(x)\n\nf()\n");
    let rest = "[('lr', 0.1), ('opt', {'name': 'adam', 'beta': 0.9})] [('keep', 1), ('lr', 0.1)]\n";
    let cases: Vec<(&str, Vec<&str>, String)> = vec![
        ("args", vec!["mod"], format!("0.1 'a' 0.1 1 [] mod.py __main__\n{rest}")),
        (
            "args",
            vec!["mod", "pos", "--", "--lr", "5"],
            format!("0.1 'a' 0.1 1 ['pos', '--lr', '5'] mod.py __main__\n{rest}"),
        ),
        ("none", vec!["mod", "pos", "--", "--lr", "5"], format!("0.1 'a' 0.1 1 ['pos'] mod.py __main__\n{rest}")),
        ("globals", vec!["mod", "pos", "--", "--lr", "5"], format!("5 'a' 5 1 ['pos'] mod.py __main__\n{rest}")),
        (
            "globals",
            vec!["mod", "--lr", "1.0e-05", "--late", "9"],
            format!("1e-05 'a' 1e-05 9 [] mod.py __main__\n{rest}"),
        ),
        ("globals", vec!["mod", "--name", "'5'", "--lr", "-1"], format!("-1 '5' -1 1 [] mod.py __main__\n{rest}")),
        (
            "globals",
            vec!["mod", "--name", "it's", "--lr", "null"],
            format!("None \"it's\" None 1 [] mod.py __main__\n{rest}"),
        ),
        (
            "globals",
            vec!["mod", "--name", "'it''s'", "--lr", "true"],
            format!("True \"it's\" True 1 [] mod.py __main__\n{rest}"),
        ),
        (
            "globals",
            vec!["mod", "--name", "[1, \"b c\"]", "--lr"],
            format!("True [1, 'b c'] True 1 [] mod.py __main__\n{rest}"),
        ),
        ("globals", vec!["mod", "--other", "5"], format!("0.1 'a' 0.1 1 [] mod.py __main__\n{rest}")),
        ("globals", vec!["sub/deep", "--y", "2"], "beside 2\n".to_owned()),
        ("globals", vec!["pkg.mod", "--y", "2"], "inner 2 pkg\n".to_owned()),
        ("globals", vec!["pkg", "--y", "2"], "main 2\n".to_owned()),
        ("globals", vec!["nope"], "No module named nope".to_owned()),
        (
            "globals",
            vec!["empty"],
            "No module named empty.__main__ ('empty' is a package and cannot be directly executed)".to_owned(),
        ),
        ("globals", vec!["fails", "--x", "7"], "ValueError: 7".to_owned()),
    ];
    // Guild takes the variable away and leaves what was not given out.
    let more = [
        (
            "dict:params",
            vec!["mod", "--lr", "5", "--opt.name", "sgd"],
            "[('lr', 5), ('opt', {'name': 'sgd', 'beta': 0.9})] [('keep', 1), ('lr', 0.1)]\n",
        ),
        (
            "global:params.opt",
            vec!["mod", "--beta", "1"],
            "[('lr', 0.1), ('opt', {'name': 'adam', 'beta': 1})] [('keep', 1), ('lr', 0.1)]\n",
        ),
        (
            "namespace:space",
            vec!["mod", "--lr", "5"],
            "[('lr', 0.1), ('opt', {'name': 'adam', 'beta': 0.9})] [('keep', 1), ('lr', 5)]\n",
        ),
        (
            "namespace:space",
            vec!["mod", "--a.b", "5"],
            "[('lr', 0.1), ('opt', {'name': 'adam', 'beta': 0.9})] [('a', namespace(b=5)), ('keep', 1), ('lr', 0.1)]\n",
        ),
    ];
    let check = |python: &Path, main: &str, dest: &str, words: &[&str], expected: &str| {
        let (out, error) = run_module(python, main, &project, dest, words);
        let found = if out.is_empty() { &error } else { &out };
        let prefix = "guild: ";
        assert_eq!(found.strip_prefix(prefix).unwrap_or(found), expected, "{main} {dest} {words:?}: {error}");
    };
    let guild = guild_program().map(|guild| guild.with_file_name("python"));
    for (dest, words, expected) in &cases {
        check(Path::new("python3"), "rille.op_main", dest, words, expected);
        if let Some(guild) = &guild {
            check(guild, "guild.op_main", dest, words, expected);
        }
    }
    for (dest, words, expected) in more {
        let first = format!("0.1 'a' 0.1 1 [] mod.py __main__\n{expected}");
        check(Path::new("python3"), "rille.op_main", dest, &words, &first);
    }
}

#[test]
fn an_error_is_told_by_the_lines_of_the_module() {
    if !needs("python3") {
        return;
    }
    let project = Project::new().file("m.py", "x = 1\n\n\ndef f():\n    raise ValueError(x)\n\n\nf()\n");
    let output = Command::new("python3")
        .args(["-um", "rille.op_main", "m", "--x", "2"])
        .env("PYTHONPATH", format!("{}:{}/python", project.path("").display(), env!("CARGO_MANIFEST_DIR")))
        .env("FLAGS_DEST", "globals")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let places: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("File ")).collect();
    let file = project.path("m.py");
    let file = file.display();
    assert_eq!(places, [format!("\"{file}\", line 8, in <module>"), format!("\"{file}\", line 5, in f")], "{text}");
    assert!(text.ends_with("ValueError: 2\n"), "{text}");
}

/// Shows arguments and variables.
const SHOW: &str = "for word; do printf '[%s]' \"$word\"; done; echo; env | grep -E '^(FLAG_|MINE|BEE)' | sort\n";

fn operations() -> Project {
    Project::new().file("show.sh", SHOW).file(
        "guild.yml",
        "\
op:
  exec: sh show.sh ${flag_args}
  env: {MINE: 'lr is ${lr}'}
  flags:
    lr: {default: 0.1, type: float, min: 0, max: 1, alias: l}
    name: {default: a b, arg-name: the-name}
    loud: {default: yes, arg-switch: yes}
    soft: {default: no}
    words: {default: x 'y z', arg-split: yes}
    none: null
    hidden: {default: 1, arg-skip: yes, env-name: BEE}
    opt: {default: adam, choices: [adam, {value: sgd, alias: s, flags: {lr: 0.5}}]}
must:
  exec: 'true'
  flags:
    data: {required: yes, description: What to read}
plain:
  exec: sh show.sh ${flag_args}
",
    )
}

#[test]
fn flags_reach_the_command_and_the_environment() {
    let project = operations();
    let run = |words: &[&str]| project.run(&[&["run", "op", "-y"], words].concat()).code(0).out();
    let expected = "[--loud][--lr][0.1][--name2][a b][--opt][adam][--soft][][--words][x][y z]\n\
                    BEE=1\nFLAG_LOUD=1\nFLAG_LR=0.1\nFLAG_NAME=a b\nFLAG_NONE=\nFLAG_OPT=adam\nFLAG_SOFT=\nFLAG_WORDS=x 'y z'\n\
                    MINE=lr is 0.1\n";
    assert_eq!(run(&[]), expected.replace("--name2", "--the-name"));
    let out = run(&["l=1", "loud=no", "soft=yes", "words=", "none=00500", "name=~", "opt=s", "hidden=x"]);
    let expected = "[--lr][1.0][--none][500][--opt][sgd][--soft][1]\n\
                    BEE=x\nFLAG_LOUD=\nFLAG_LR=1.0\nFLAG_NAME=\nFLAG_NONE=500\nFLAG_OPT=sgd\nFLAG_SOFT=1\nFLAG_WORDS=\nMINE=lr is 1.0\n";
    assert_eq!(out, expected);
    let runs = project.runs();
    let flags = json!({
        "hidden": "x", "lr": 1.0, "name": null, "none": 500, "soft": true, "loud": false, "opt": "sgd", "words": "",
    });
    assert_eq!(runs[1].attr("flags"), flags);
    assert_eq!(runs[1].attr("user_flags"), flags);
    assert_eq!(runs[0].attr("user_flags"), json!({}));
    assert_eq!(
        runs[1].attr("cmd"),
        json!(["sh", "show.sh", "--lr", "1.0", "--none", "500", "--opt", "sgd", "--soft", "1"])
    );
    assert_eq!(runs[0].attr("label"), json!("hidden=1 loud=yes lr=0.1 name='a b' opt=adam soft=no words=\"x 'y z'\""));
}

#[test]
fn flags_that_are_not_right_make_no_run() {
    let project = operations();
    let cases: [(&[&str], &str); 8] = [
        (&["op", "lr=2"], "invalid value 2.0 for lr: out of range (greater than max 1)"),
        (&["op", "lr=x"], "invalid value x for lr: invalid value for type 'float'"),
        (&["op", "l=1", "lr=1"], "cannot specify both alias 'l' and name for flag 'lr'"),
        (&["op", "opt=adm"], "Unsupported value for 'opt' - supported values are:\n\n  adam\n  sgd"),
        (&["op", "namee=1"], "Did you mean 'name'?"),
        (&["op", "zoo=1"], "unsupported flag 'zoo'"),
        (&["op", "zoo=1"], "Try 'rille run op --help-op' for a list of flags or use --force-flags to skip this check."),
        (&["must"], "Operation requires the following missing flags:\n\n  data  What to read"),
    ];
    for (words, expected) in cases {
        let ended = project.run(&[&["run"], words, &["-y"]].concat());
        assert_ne!(ended.exit_code(), Some(0), "{words:?}");
        ended.stderr_has(expected);
    }
    project.run(&["run", "must", "-y"]).code(1);
    assert!(project.runs().is_empty());
}

#[test]
fn texts_that_look_like_ranges_and_flags_named_like_options_are_flags() {
    let project = operations();
    let words = ["yes=1", "label=x", "home=/h", "run_dir=[1:", "x=a[b", "r=range(1)", "range=range"];
    let out = project.run(&[&["run", "plain", "-y", "--force-flags"], &words[..]].concat()).code(0).out();
    let first = out.lines().next().unwrap();
    assert_eq!(
        first, "[--home][/h][--label][x][--r][range(1)][--range][range][--run_dir][[1:][--x][a[b][--yes][1]",
        "{out}"
    );
    let run = project.the_run();
    assert_eq!(run.attr("flags")["run_dir"], "[1:");
    // What was taken by force is passed again.
    project.run(&["run", "--restart", &run.id(), "-y"]).code(0).stdout_has("[--home][/h][--label][x]");
}

#[test]
fn commands_and_variables_can_be_looked_at() {
    let project = operations();
    let out = project.run(&["run", "op", "--print-cmd", "name=it's"]).code(0).out();
    assert_eq!(out, "sh show.sh --loud --lr 0.1 --the-name 'it'\"'\"'s' --opt adam --soft '' --words x 'y z'\n");
    let out = project.run(&["run", "op", "--print-env", "lr=0.5"]).code(0).out();
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines.is_sorted() && lines.contains(&"FLAG_LR=0.5") && lines.contains(&"MINE='lr is 0.5'"), "{out}");
    project.run(&["run", "op", "--test-flags"]).code(0).stdout_has("  lr:\n    default: 0.1\n    type: float\n");
    assert!(project.runs().is_empty());
}

#[test]
fn a_python_script_has_its_flags_as_variables() {
    if !needs("python3") {
        return;
    }
    let project = Project::new()
        .file("train.py", "lr = 0.1\nname = 'a'\nprint(repr(lr), repr(name))\n")
        .file(
            "parse.py",
            "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr')\nprint(p.parse_args())\n",
        )
        .file("guild.yml", "train:\n  flags: {lr: 0.1, name: 'yes'}\nparse:\n  flags: {lr: 1.0e-5}\n");
    project.run(&["run", "train", "-y", "lr=1e-5"]).code(0).stdout("1e-05 'yes'\n");
    project.run(&["run", "parse", "-y"]).code(0).stdout("Namespace(lr='1e-05')\n");
    project.run(&["run", "train.py", "-y"]).code(0).stdout("0.1 'a'\n");
    project.run(&["run", "train.py", "-y", "lrr=2"]).stderr_has("unsupported flag 'lrr'").stderr_has("--force-flags");
    project.run(&["run", "train.py", "-y", "lr=2"]).code(0).stdout("2 'a'\n");
    let run = &project.runs()[0];
    let command = run.attr("cmd");
    assert_eq!(
        command.as_array().unwrap()[1..],
        json!(["-um", "rille.op_main", "train", "--", "--lr", "1.0e-05", "--name", "'yes'"]).as_array().unwrap()[..]
    );
    assert!(run.has(".guild/sourcecode/train.py") && run.has(".guild/python/rille/op_main.py"));
}

#[test]
fn an_operation_gets_a_python_that_it_accepts() {
    let python = |version: &str| {
        format!("#!/bin/sh\ncase $1 in --version) echo Python {version};; *) echo ran {version};; esac\n")
    };
    let project = Project::new();
    let path = format!("{}:/usr/bin:/bin", project.path("bin").display());
    let project = project
        .env("PATH", path)
        .executable("bin/python3", python("3.10.2"))
        .executable("bin/python3.8", python("3.8.10"))
        .executable("bin/python3.99", python("3.99.0"))
        .executable("bin/python3.98", "#!/bin/sh\nexit 1\n")
        .file("m.py", "")
        .file(
            "guild.yml",
            "any:\n  main: m\nhigh:\n  main: m\n  python-requires: '>=3.8'\nlow:\n  main: m\n  python-requires: '<3.9,>=3.8'\n\
             none:\n  main: m\n  python-requires: '>99'\nwrong:\n  main: m\n  python-requires: new\n\
             shell:\n  exec: sh -c 'echo no Python'\n  python-requires: '>99'\n",
        );
    let run = |name: &str| project.run(&["run", name, "-y"]);
    run("any").code(0).stdout("ran 3.10.2\n");
    run("high").code(0).stdout("ran 3.99.0\n");
    run("low").code(0).stdout("ran 3.8.10\n");
    run("none").stderr_has("cannot find a python interpreter for requirement '>99': ");
    run("shell").code(0).stdout("no Python\n");
    run("wrong").stderr_has("invalid python-requires 'new': 'new' is no version like '3.11' or '>=3.8'");
}
