//! Flags that an operation has from its code: the same as Guild finds, kept while the files stay as they are, and no failure of
//! the run where they cannot be found.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::harness::{Project, guild_program, needs};

const ARGPARSE: &str = "\
import argparse
print('noise on the way')
parser = argparse.ArgumentParser()
parser.add_argument('data', nargs='?')
parser.add_argument('-q')
parser.add_argument('--lr', type=float, default=0.1, help='the rate')
parser.add_argument('--epochs', type=int, required=True)
parser.add_argument('--opt', choices=['sgd', 'adam'], default='sgd')
parser.add_argument('--layers', type=int, nargs='+', default=[32, 64])
parser.add_argument('--pair', nargs=2, default=['a b', 'c'])
parser.add_argument('--quiet', action='store_true')
parser.add_argument('--no-cache', action='store_false')
parser.add_argument('--count', action='count', default=0)
parser.add_argument('--items', action='append')
parser.add_argument('--größe', default='gross')
parser.add_argument('--odd', type=lambda text: text * 2, default='x')
parser.add_argument('--tiny', type=float, default=0.00001)
args = parser.parse_args()
print('got', sorted(vars(args).items()))
";

const GLOBALS: &str = "\
import os
lr = 0.1
lr = 0.2
name = 'a b'
on = True
nothing = None
sizes = [1, 'x y', True]
typed: int = 3
both = same = -2
_private = 1
one, two = 1, 2
table = {'a': 1}
path = os.getcwd()
if on:
    inner = 1
print('got', lr, repr(name), on, nothing, sizes, both, same)
";

const PARAMS: &str = "\
from types import SimpleNamespace
params = {'lr': 0.1, 'opt': {'name': 'adam', 'betas': [0.9, 0.99]}}
space = SimpleNamespace(lr=0.1, deep=SimpleNamespace(on=False))
print('got', params, space)
";

const COMMANDS: &str = "\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument('--top', default=1)
commands = parser.add_subparsers(dest='command')
train = commands.add_parser('train')
train.add_argument('--rate', type=float, default=0.5)
test = commands.add_parser('test')
test.add_argument('--size', type=int, default=5)
print('got', sorted(vars(parser.parse_args()).items()))
";

const DEFINITION: &str = "\
args-all: {main: argparse_flags, flags-import: all, flags: {epochs: 3}}
args-some: {main: argparse_flags, flags-import: [lr, opt, epochs], flags: {epochs: 3}}
args-skip: {main: argparse_flags, flags-import: yes, flags-import-skip: [pair, odd], flags: {epochs: 3}}
args-defined:
  main: argparse_flags
  flags:
    lr: 0.5
    opt: {description: mine, choices: [lbfgs]}
    epochs: 4
    other: 1
args-renamed: {main: argparse_flags, flags-import: all, flags: {rate: {arg-name: lr}, epochs: 1}}
args-off: {main: argparse_flags, flags-import: no, flags: {lr: 1}}
globals-all: {main: globals, flags-import: all}
globals-defined: {main: globals, flags: {lr: 5, name: {type: string}}}
dict: {main: params, flags-import: all, flags-dest: 'global:params'}
namespace: {main: space, flags-import: all, flags-dest: 'namespace:space'}
command: {main: commands train, flags-import: all}
no-command: {main: commands, flags-import: all}
yaml: {main: guild.pass, flags-dest: 'config:s.yml', flags-import: all}
json: {main: guild.pass, flags-dest: 'config:s.json', flags-import: [a, b.c]}
ini: {main: guild.pass, flags-dest: 'config:s.ini', flags-import: all}
";

fn project() -> Project {
    Project::new()
        .file("guild.yml", DEFINITION)
        .file("argparse_flags.py", ARGPARSE)
        .file("globals.py", GLOBALS)
        .file("params.py", PARAMS)
        // Guild keeps what it finds by the file, whatever the destination.
        .file("space.py", PARAMS)
        .file("commands.py", COMMANDS)
        .file("s.yml", "a: 1\nb:\n  c: x y\n  d: [1, two, true]\ne: yes\nf: null\n")
        .file("s.json", r#"{"a": 1, "b": {"c": 0.5, "d": "e"}}"#)
        .file("s.ini", "[DEFAULT]\nbase = 3\n[train]\nlr = 0.1\non = yes\nname = a b\n")
}

/// Has Guild print the flags of every operation as `--test-flags` does, which one at a time would take minutes.
const GUILD_FLAGS: &str = "
from guild import guildfile, flag_util
def text(x): return flag_util.encode_flag_val(x)
for op in guildfile.for_dir('.').default_model.operations:
    print('## %s' % op.name)
    for flag in sorted(op.flags, key=lambda flag: flag.name):
        print(flag.name)
        for name, value in (
            ('default', flag.default), ('type', flag.type), ('arg-name', flag.arg_name),
            ('arg-switch', flag.arg_switch), ('arg-split', flag.arg_split),
        ):
            if value is not None:
                print('  %s: %s' % (name, text(value)))
        print('  required: %s' % text(flag.required))
        print('  choices: %s' % text([text(choice.value) for choice in flag.choices]))
";

/// Returns what `--test-flags` prints in the form of [`GUILD_FLAGS`].
fn shortened(text: &str) -> Vec<String> {
    let wanted = ["default", "type", "arg-name", "arg-switch", "arg-split", "required", "choices"];
    let mut lines = Vec::new();
    for line in text.lines().skip_while(|line| *line != "flags:").skip(1) {
        match line.strip_prefix("    ").map(|line| line.split_once(':').expect("an attribute has a value")) {
            None => lines.push(line.trim().trim_end_matches(':').to_owned()),
            Some((name, value)) if wanted.contains(&name) && !value.is_empty() => {
                lines.push(format!("  {name}:{value}"));
            }
            Some(_) => {}
        }
    }
    lines
}

#[test]
fn both_programs_find_the_same_flags() {
    let Some(guild) = guild_program() else { return };
    let python = guild.with_file_name("python");
    let project = project();
    let mut command = project.command(&python);
    // Both ask the same interpreter.
    let folder = guild.parent().expect("it is in a folder").to_owned();
    let path = std::env::join_paths([folder.as_path(), Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    let home = project.root().join("guild");
    fs::create_dir_all(&home).unwrap();
    command.env("GUILD_HOME", &home).env("PATH", &path).args(["-W", "ignore", "-c", GUILD_FLAGS]);
    let output = command.output().unwrap();
    let guilds = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut seen = 0;
    for part in guilds.split("## ").skip(1) {
        let mut lines = part.lines();
        let name = lines.next().unwrap();
        let output = project.rille(&["run", name, "--test-flags"]).env("PATH", &path).output().unwrap();
        let ours = shortened(&String::from_utf8(output.stdout).unwrap());
        // What Guild reads back from its cache as YAML is a text where JSON has a number without a point.
        let theirs: Vec<String> = lines.map(|line| line.replace("'1e-05'", "1e-05")).collect();
        let order = |lines: &[String]| {
            let mut flags: Vec<Vec<String>> = Vec::new();
            for line in lines {
                if !line.starts_with(' ') {
                    flags.push(Vec::new());
                }
                flags.last_mut().expect("a flag has a name").push(line.clone());
            }
            for flag in &mut flags {
                flag[1..].sort();
            }
            flags
        };
        assert_eq!(order(&ours), order(&theirs), "{name}");
        seen += 1;
    }
    assert_eq!(seen, DEFINITION.matches("main: ").count());
}

#[test]
fn a_script_that_is_named_has_the_flags_of_its_code() {
    if !needs("python3") {
        return;
    }
    let project = project();
    let cases: [(&[&str], &str); 9] = [
        (
            &["argparse_flags.py", "epochs=2", "lr=1e-3", "quiet=yes", "layers=1 2 3", "größe=x"],
            "got [('count', 0), ('data', None), ('epochs', 2), ('größe', 'x'), ('items', None), ('layers', [1, 2, 3]), \
             ('lr', 0.001), ('no_cache', True), ('odd', 'xx'), ('opt', 'sgd'), ('pair', ['a b', 'c']), ('q', None), \
             ('quiet', True), ('tiny', 1e-05)]",
        ),
        (&["globals.py", "lr=0.5", "name='5'", "on=no"], "got 0.2 '5' False None [1, 'x y', True] -2 -2"),
        (&["globals.py", "sizes=3 z", "both=7"], "got 0.2 'a b' True None [3, 'z'] 7 -2"),
        (
            &["dict", "lr=2", "opt.name=sgd", "opt.betas=0.5 z"],
            "got {'lr': 2, 'opt': {'name': 'sgd', 'betas': [0.5, 'z']}} namespace(lr=0.1, deep=namespace(on=False))",
        ),
        (&["namespace", "deep.on=yes"], "namespace(lr=0.1, deep=namespace(on=True))"),
        (&["command", "rate=0.75"], "got [('command', 'train'), ('rate', 0.75), ('top', 1)]"),
        (&["commands.py", "top=2"], "got [('command', None), ('top', '2')]"),
        (&["args-renamed", "rate=3"], "('lr', 3.0)"),
        (&["args-defined"], ""),
    ];
    for (words, printed) in cases {
        let ended = project.run(&[&["run", "-y"], words].concat());
        if words[0] == "args-defined" {
            // The definition has choices of its own, and the default is the parser's.
            ended.code(1).stderr_has("Unsupported value for 'opt' - supported values are:\n\n  lbfgs");
            continue;
        }
        ended.code(0).stdout_has(printed);
    }
    let wrong: [(&[&str], &str); 4] = [
        (&["argparse_flags.py"], "Operation requires the following missing flags:\n\n  epochs"),
        (&["argparse_flags.py", "epochs=1", "opt=x"], "Unsupported value for 'opt'"),
        (&["argparse_flags.py", "epochs=x"], "invalid value x for epochs"),
        (&["globals.py", "lrr=1"], "unsupported flag 'lrr'"),
    ];
    for (words, told) in wrong {
        assert_ne!(project.run(&[&["run", "-y"], words].concat()).exit_code(), Some(0));
        project.run(&[&["run", "-y"], words].concat()).stderr_has(told);
    }
    let help = project.run(&["help-op", "argparse_flags.py"]);
    help.code(0)
        .stdout_has("the rate (float, default is 0.1)")
        .stdout_has("choices: sgd, adam")
        .stdout_has("\nPython: ");
    project.run(&["run", "argparse_flags.py", "--help-op"]).code(0).stdout_has("the rate (float, default is 0.1)");
}

#[test]
fn settings_of_every_format_are_flags_and_reach_the_file() {
    let definition = "\
yml: {exec: cat s.yml, flags-dest: 'config:s.yml', flags-import: all}
json: {exec: cat s.json, flags-dest: 'config:s.json', flags-import: all}
toml: {exec: cat s.toml, flags-dest: 'config:s.toml', flags-import: all}
ini: {exec: cat s.ini, flags-dest: 'config:s.ini', flags-import: all}
cfg: {exec: cat s.cfg, flags-dest: 'config:s.cfg', flags-import: all}
";
    let ini = "[train]\nlr = 0.1\nname = x\n";
    let project = Project::new()
        .file("guild.yml", definition)
        .file("s.yml", "# ours\ntrain:\n  lr: 0.1 # the rate\n  name: x\n")
        .file("s.json", "{\"train\": {\"lr\": 0.1, \"name\": \"x\"}}\n")
        .file("s.toml", "# ours\n[train]\nlr = 0.1 # the rate\nname = \"x\"\n")
        .file("s.ini", ini)
        .file("s.cfg", ini);
    let cases = [
        ("yml", "# ours\ntrain:\n  lr: 0.5 # the rate\n  name: x\n"),
        ("json", "{\"train\": {\"lr\": 0.5, \"name\": \"x\"}}\n"),
        ("toml", "# ours\n[train]\nlr = 0.5 # the rate\nname = \"x\"\n"),
        ("ini", "[train]\nlr = 0.5\nname = x\n"),
        ("cfg", "[train]\nlr = 0.5\nname = x\n"),
    ];
    for (name, expected) in cases {
        let ended = project.run(&["run", name, "-y", "train.lr=0.5"]);
        assert_eq!(ended.code(0).out().trim_end(), expected.trim_end());
        let flags = project.run(&["runs", "info", "latest", "--json"]).code(0).json()["flags"].clone();
        assert_eq!(flags, json!({"train.lr": 0.5, "train.name": "x"}), "{name}");
    }
}

#[test]
fn what_cannot_be_found_is_told_and_the_rest_is_run() {
    if !needs("python3") {
        return;
    }
    let many = (0..200).map(|number| format!("flag_{number} = {number}")).collect::<Vec<_>>().join("\n");
    // A script, its flags-import, what is told, and the number of flags.
    let cases = [
        (
            "import argparse\nimport no_such_thing\n",
            "all",
            "train.py:2: ModuleNotFoundError: No module named 'no_such_thing'",
            1,
        ),
        ("import argparse, sys\nif '--help' in sys.argv: sys.exit(3)\n", "all", "it exited with code 3", 1),
        ("import argparse, sys\nif '--help' in sys.argv: sys.exit('not now')\n", "all", "train.py: not now", 1),
        ("import argparse, sys\nif '--help' in sys.argv: sys.exit()\n", "all", "", 1),
        ("import argparse\nprint('{\"flags\": {\"no\": {}}}')\n", "all", "", 1),
        (
            "import argparse, os, signal, sys\nif '--help' in sys.argv: os.kill(os.getpid(), signal.SIGKILL)\n",
            "all",
            "it was killed by SIGKILL",
            1,
        ),
        (
            "import argparse\np = argparse.ArgumentParser(add_help=False)\np.add_argument('--lr')\np.add_argument('--b')\n\
             p.parse_known_args()\n",
            "all",
            "",
            2,
        ),
        ("lr = 5\nprint 'old'\n", "all", "train.py:2: SyntaxError", 1),
        (
            "lr = 5\nrate: float = 1\n",
            "[lr, rate]",
            "'rate', which is no flag of train.py but a variable with a type",
            1,
        ),
        (
            "lr = 5\nepochs = 1\n",
            "[lr, epoch]",
            "flags-import has 'epoch', which is no flag of train.py; did you mean 'epochs'?",
            1,
        ),
        (&many, "all", "", 201),
        ("lr = []\nx = {}\ny = [[1], {}]\n", "all", "", 1),
    ];
    for (script, import, told, count) in cases {
        let definition = format!("train: {{main: train, flags-import: {import}, flags: {{lr: 3}}}}\n");
        let project = Project::new().file("guild.yml", definition).file("train.py", script);
        let ended = project.run(&["run", "train", "--stage", "-y"]);
        ended.code(0);
        match told {
            "" => ended.stderr_lacks("WARNING"),
            told => ended.stderr_has("WARNING: ").stderr_has(told),
        };
        let flags = project.the_run().attr("flags");
        assert_eq!((flags.as_object().unwrap().len(), &flags["lr"]), (count, &json!(3)), "{script}: {flags}");
        if !told.is_empty() {
            project.run(&["run", "train", "-y", "--strict"]).code(2).stderr_has("without --strict");
        }
    }
    // Without a file, and without any Python.
    let project = Project::new()
        .file("guild.yml", "a: {main: absent, flags-import: all}\nb: {main: b, flags-import: all, flags: {x: 1}}\n")
        .file("b.py", "import argparse\n");
    project
        .run(&["run", "a", "--stage", "-y"])
        .code(0)
        .stderr_has("cannot import flags from absent: there is no module of this name");
    let bare = project.rille(&["run", "b", "--stage", "-y"]).env("PATH", project.path("nothing")).output().unwrap();
    let told = String::from_utf8(bare.stderr).unwrap();
    assert!(told.contains("cannot import flags from b.py: there is no Python to ask it by"), "{told}");
    let file = Project::new().file("guild.yml", "a: {exec: 'true', flags-dest: 'config:no.yml', flags: {x: 1}}\n");
    file.run(&["run", "a", "--test-flags"]).code(0).stderr_has("cannot import flags from no.yml: No such file");
}

#[test]
fn a_script_is_run_once_for_as_long_as_its_files_stay() {
    if !needs("python3") {
        return;
    }
    let script = "import argparse, choices\nopen('asked', 'a').write('x')\np = argparse.ArgumentParser()\n\
                  p.add_argument('--opt', choices=choices.all)\np.parse_args()\n";
    let project = Project::new().file("train.py", script).file("choices.py", "all = ['a', 'b']\n");
    let shown = || project.run(&["run", "train.py", "--test-flags"]).code(0).out();
    let asked = || project.read("asked").len();
    assert!(shown().contains("choices: [a, b]"));
    assert!(shown().contains("choices: [a, b]"));
    assert_eq!(asked(), 1);
    // What it imports says otherwise.
    let project = project.file("choices.py", "all = ['a', 'c']\n");
    let shown = || project.run(&["run", "train.py", "--test-flags"]).code(0).out();
    let asked = || project.read("asked").len();
    assert!(shown().contains("choices: [a, c]"));
    assert!(shown().contains("choices: [a, c]"));
    assert_eq!(asked(), 2);
    // A damaged entry, and a cache that takes nothing.
    let folder = project.home().join("cache/flags");
    for entry in fs::read_dir(&folder).unwrap() {
        fs::write(entry.unwrap().path(), "{").unwrap();
    }
    assert!(shown().contains("choices: [a, c]"));
    assert_eq!(asked(), 3);
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    assert!(shown().contains("choices: [a, c]"));
    assert_eq!(asked(), 4);
    let refreshed =
        project.rille(&["run", "train.py", "--test-flags"]).env("NO_IMPORT_FLAGS_CACHE", "1").output().unwrap();
    assert!(refreshed.status.success());
    assert_eq!(asked(), 5);
}

#[test]
fn a_script_that_is_asked_ends_with_who_asks() {
    if !needs("python3") {
        return;
    }
    let script = "import argparse, time\nprint('x', file=open('ready', 'w'), flush=True)\ntime.sleep(600)\n";
    let project = Project::new().file("train.py", script);
    let running = project.start(&["run", "train.py", "-y"]);
    running.wait_for_file("ready");
    running.kill_host();
    running.wait();
    project.survivors().assert_none_within(crate::harness::DEADLINE);
    assert!(project.runs().is_empty());
}

#[test]
fn the_environment_of_the_project_runs_its_modules_and_is_named() {
    if !needs("python3") {
        return;
    }
    let found = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    let python = String::from_utf8(found.stdout).unwrap().trim().to_owned();
    let wrapper = format!("#!/bin/sh\necho \"$@\" >> \"$(dirname \"$0\")/used\"\nexec '{python}' \"$@\"\n");
    let project = Project::new().executable(".venv/bin/python", wrapper).file(
        "train.py",
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', default=1)\np.parse_args()\n",
    );
    project.run(&["help-op", "train.py"]).code(0).stdout_has("/.venv/bin/python, from the environment ");
    assert!(project.read(".venv/bin/used").contains("argparse"), "it was not asked for the flags");
    project.run(&["run", "train.py", "-y"]).code(0);
    let cmd = project.the_run().attr("cmd");
    assert!(cmd[0].as_str().unwrap().ends_with("/.venv/bin/python"), "{cmd}");
}

#[test]
fn scripts_of_other_kinds_are_named() {
    let project = Project::new().file("a.ipynb", "{}").file("b.R", "").file("c.qmd", "");
    for (name, what) in
        [("a.ipynb", "a notebook of Jupyter"), ("b.R", "a script of R"), ("c.qmd", "a document of Quarto")]
    {
        project
            .run(&["run", name, "-y"])
            .code(2)
            .stderr_has(&format!("'{name}' is {what}, which rille does not run yet"));
    }
}

#[test]
fn what_is_to_be_imported_is_all_none_or_names() {
    let wrong = Project::new().file("guild.yml", "op: {exec: 'true', flags-import: lr}\n");
    let told = "guild.yml:1: flags-import must be yes or all, no, or a list of names of flags, got 'lr'";
    wrong.run(&["run", "op", "-y"]).code(2).stderr_has(told);
}
