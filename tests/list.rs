//! `rille list`: what references stand for, and what becomes of those that stand for nothing.
#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{Ended, Project, avocado_programs};

const UNITTEST: &str = "import unittest\n\nclass Login(unittest.TestCase):\n    \"\"\"\n    :avocado: tags=net,level:low\n    \"\"\"\n\
    \x20   def test_good(self):\n        pass\n\n    def test_bad(self):\n        \"\"\"\n        :avocado: tags=slow\n\
    \x20       :avocado: dependency={\"type\": \"package\", \"name\": \"gcc\"}\n        \"\"\"\n";

/// Files of every sort.
fn project() -> Project {
    Project::new()
        .file("tests/login.py", UNITTEST)
        .file("tests/inst.py", "from avocado import Test\nclass Inst(Test):\n    def test(self): pass\n")
        .file("tests/helper.py", "print('no test')\n")
        .executable("tests/run.py", "#!/usr/bin/env python3\n")
        .executable("tests/run.sh", "#!/bin/sh\nexit 0\n")
        .file("tests/plain.sh", "#!/bin/sh\n")
        .executable("tests/one.t", "#!/bin/sh\necho 1..1\necho ok 1\n")
        .file("tests/script.lua", "assert(true)\n")
        .file("tests/sub/job.lua", "local job = require 'rille.job'\nfunction main() end\n")
        .file("tests/sub/module.lua", "local M = {}\nreturn M\n")
        .file("tests/one.json", r#"{"kind": "noop", "identifier": "nothing", "kwargs": {"tags": {"quick": null}}}"#)
        .file("tests/many.json", r#"[{"kind": "exec-test", "uri": "/bin/true"}, {"kind": "foo", "uri": "x"}]"#)
        .file("tests/data.json", r#"{"rows": [1, 2]}"#)
        .file("tests/.hidden.json", "{")
}

/// Returns the tests of a list in JSON as `kind name resolver`, a line each.
fn rows(ended: &Ended) -> String {
    let rows = ended.json();
    let row = |row: &Value| {
        let word = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}\n", word("kind"), word("name"), word("resolver"))
    };
    rows.as_array().unwrap().iter().map(row).collect()
}

#[test]
fn every_sort_of_test_is_found_in_a_folder() {
    let project = project();
    let ended = project.run(&["list", "tests", "--json"]);
    ended.code(0);
    let expected = "\
avocado-instrumented tests/inst.py:Inst.test avocado-instrumented
python-unittest tests/login.py:Login.test_good python-unittest
python-unittest tests/login.py:Login.test_bad python-unittest
exec-test /bin/true runnables-recipe
foo x runnables-recipe
noop nothing runnable-recipe
tap tests/one.t tap
exec-test tests/run.py exec-test
exec-test tests/run.sh exec-test
lua tests/script.lua lua
jobfile tests/sub/job.lua lua
";
    assert_eq!(rows(&ended), expected);
    let bad = &ended.json()[2];
    assert_eq!(bad["tags"], json!({"slow": null, "net": null, "level": ["low"]}));
    assert_eq!(bad["recipe"]["kwargs"]["dependencies"], json!([{"type": "package", "name": "gcc"}]));
    let table = project.run(&["list", "tests/one.json", "tests/login.py:bad$"]);
    let expected = "\
KIND             NAME                           RESOLVER         TAGS
noop             nothing                        runnable-recipe  quick
python-unittest  tests/login.py:Login.test_bad  python-unittest  slow,net,level:low
";
    table.code(0).stdout(expected);
    let verbose = project.run(&["list", "-v", "tests/sub/*.lua"]);
    verbose.code(0).stdout_has("URI").stderr_has("no test: tests/sub/module.lua:");
    verbose.stderr_has("lua: it returns a module; name the file itself to run it all the same");
    // Named itself, a file that returns a module is a test.
    assert_eq!(rows(&project.run(&["list", "--json", "tests/sub/module.lua"])), "lua tests/sub/module.lua lua\n");
}

#[test]
fn tests_are_chosen_by_tags_and_by_filters() {
    let project = project();
    let names = |args: &[&str]| {
        let ended = project.run(&[&["list", "tests", "--json"], args].concat());
        let rows = ended.json();
        let name = |row: &Value| row["name"].as_str().unwrap().rsplit(['/', '.']).next().unwrap().to_owned();
        rows.as_array().unwrap().iter().map(name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&["-t", "net"]), "test_good test_bad");
    assert_eq!(names(&["-t", "net,-slow"]), "test_good");
    assert_eq!(names(&["-t", "slow", "-t", "quick"]), "test_bad nothing");
    assert_eq!(names(&["-t=-slow"]), "test_good nothing");
    assert_eq!(names(&["-t", "level:low,slow"]), "test_bad");
    assert_eq!(names(&["-t", "level:-high", "--filter-by-tags-include-empty-key"]), "test_good test_bad nothing");
    assert_eq!(names(&["-E", "kind(tap) or tag(slow)"]), "test_bad t");
    assert_eq!(names(&["-E", "dependency(gcc)"]), "test_bad");
    assert_eq!(names(&["-E", "resolver(exec-test)", "-E", "not file(*.py)"]), "sh");
    let none = project.run(&["list", "tests", "-E", "kind(none)"]);
    none.code(4).stdout("").stderr_has("no tests are left by the filters, of 11");
    let wrong = project.run(&["list", "tests", "-E", "kind(tap) and nmae(x)"]);
    wrong.code(2).stderr_has(
        "there is no predicate 'nmae'; did you mean 'name'?\n  kind(tap) and nmae(x)\n                ^^^^\n",
    );
    project.run(&["list", "tests", "-t", ","]).code(2).stderr_has("',' names no tag");
}

#[test]
fn what_is_not_found_says_what_was_tried() {
    let project = project();
    let cases = [
        (
            "tests/logn.py",
            "there is no test for tests/logn.py: there is no such file or folder\nhint: did you mean tests/login.py?",
        ),
        ("tests/logn.py:Login", "hint: did you mean tests/login.py:Login?"),
        ("tests/login.py:Nothing", "python-unittest: no test of it matches what follows the colon"),
        ("tests/login.py:(", "is damaged: what follows the colon is no regular expression: unclosed group"),
        (
            "tests/plain.sh",
            "exec-runnables-recipe, exec-test: it is not executable (chmod +x makes it so)\n  tap: its name does not end in .t",
        ),
        ("tests/helper.py", "python-unittest: no class with test methods in it descends from unittest.TestCase"),
        ("tests/data.json", "tests/data.json is damaged: there is no key 'rows' in a recipe; a recipe has kind, uri,"),
        ("tests/*.none", "there is no test for tests/*.none: there is no such file or folder"),
        ("", "there is no test for '': it is empty"),
        ("/dev/null", "there is no test for /dev/null: it is no regular file"),
    ];
    for (reference, expected) in cases {
        let ended = project.run(&["list", "tests/run.sh", reference]);
        ended.code(2).stdout("").stderr_has(expected).stderr_has("--ignore-missing");
        assert_eq!(
            rows(&project.run(&["list", "--json", "tests/run.sh", reference, "--ignore-missing"])),
            "exec-test tests/run.sh exec-test\n"
        );
    }
    fs::create_dir(project.path("empty")).unwrap();
    project.run(&["list", "empty"]).code(2).stderr_has("there is no test for empty: there are no files in it");
    project.run(&["list", "empty", "--ignore-missing"]).code(4).stderr_has("no tests");
    project.run(&["list"]).code(2).stderr_has("no test is named");
}

#[test]
fn damaged_files_of_a_folder_are_told() {
    let project = project().file("tests/bad.py", "class (\n").file("tests/bad.json", "{\"kind\": 3}");
    let ended = project.run(&["list", "tests", "--json"]);
    ended.code(0).stderr_has("WARNING: tests/bad.py is left out: line 1: ");
    ended.stderr_has(
        "WARNING: tests/bad.json is left out: kind must be a text such as \"exec-test\", not 3 (runnable-recipe)",
    );
    assert_eq!(rows(&ended).lines().count(), 11);
    project.run(&["list", "tests/bad.py"]).code(2).stderr_has("tests/bad.py is damaged: line 1: ");
}

#[test]
fn executables_print_recipes_when_they_may() {
    let print = "#!/bin/sh\necho '[{\"kind\": \"noop\", \"identifier\": \"'\"$*\"'\"}]'\n";
    let project = Project::new()
        .executable("print.sh", print)
        .executable("fails.sh", "#!/bin/sh\necho nonsense >&2\nexit 3\n")
        .executable("text.sh", "#!/bin/sh\necho hello\n")
        .executable("wrong.sh", "#!/bin/sh\necho '[{\"knd\": 1}]'\n");
    let list = |args: &[&str]| rows(&project.run(&[&["list", "--json"], args].concat()));
    assert_eq!(list(&["print.sh"]), "exec-test print.sh exec-test\n");
    assert_eq!(
        list(&["print.sh", "--run-executables", "--executable-arguments", "-a 'b c'"]),
        "noop -a b c exec-runnables-recipe\n"
    );
    for script in ["fails.sh", "text.sh", "wrong.sh"] {
        assert_eq!(list(&[script, "--run-executables"]), format!("exec-test {script} exec-test\n"));
    }
}

#[test]
fn a_hint_tells_kinds_and_names_tests() {
    let hint =
        "[kinds]\ntap = *.sh\nfoo = data/*\n[tap]\nuri = $testpath\nargs = -v\n[foo]\nuri = $testpath\nkwargs = A=b\n";
    let project = Project::new().file(".avocado.hint", hint).executable("a.sh", "").file("data/x", "");
    let ended = project.run(&["list", "--json"]);
    assert_eq!(rows(&ended), "tap a.sh hint\nfoo data/x hint\n");
    assert_eq!(ended.json()[1]["recipe"], json!({"kind": "foo", "uri": "data/x", "kwargs": {"A": "b"}}));
    assert_eq!(
        rows(&project.run(&["list", "--json", "./a.sh", "."])),
        "tap ./a.sh hint\ntap ./a.sh hint\nfoo ./data/x hint\n"
    );
    let broken = Project::new().file(".avocado.hint", "[kinds]\ntap = *\n").executable("a.sh", "");
    broken.run(&["list", "a.sh"]).code(2).stderr_has(".avocado.hint: there is no section [tap]");
}

#[test]
fn recipes_are_written_and_read_again() {
    let project = project();
    let first = project.run(&["list", "tests", "--json", "--write-recipes", "out/recipes"]);
    first.code(0);
    let mut names: Vec<_> =
        fs::read_dir(project.path("out/recipes")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!((names.len(), names[0].to_str(), names[10].to_str()), (11, Some("01.json"), Some("11.json")));
    let again = project.run(&["list", "out/recipes", "--json"]);
    let recipes =
        |ended: &Ended| ended.json().as_array().unwrap().iter().map(|row| row["recipe"].clone()).collect::<Vec<_>>();
    assert_eq!(recipes(&first), recipes(&again));
    let schema = project.run(&["schema", "recipe"]).json();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for name in names {
        let recipe = serde_json::from_str(&project.read(PathBuf::from("out/recipes").join(name))).unwrap();
        assert!(validator.is_valid(&recipe), "{recipe}");
    }
}

#[test]
fn variants_multiply_tests() {
    let project = Project::new().executable("a.sh", "").executable("b.sh", "");
    let project = project.file("v.json", r#"{"speed": [10, 100], "mode": "x"}"#);
    let project = project.file("tree.yaml", "cpu: !mux\n  intel:\n    flag: mmx\n  amd:\n    flag: 3dnow\n");
    let names = |args: &[&str]| {
        let ended = project.run(&[&["list", "--json", "a.sh", "b.sh"], args].concat());
        ended.code(0);
        let rows = ended.json();
        let name = |row: &Value| {
            let variant =
                row["variant"].as_str().map_or_else(String::new, |id| format!(";{}", id.rsplit_once('-').unwrap().0));
            format!("{}{variant}", row["name"].as_str().unwrap())
        };
        rows.as_array().unwrap().iter().map(name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&["-p", "speed=10"]), "a.sh b.sh");
    assert_eq!(names(&["-p", "speed=[10,100]"]), "a.sh;10 a.sh;100 b.sh;10 b.sh;100");
    let by_variant = ["--variants", "v.json", "--execution-order", "tests-per-variant"];
    assert_eq!(names(&by_variant), "a.sh;10 b.sh;10 a.sh;100 b.sh;100");
    assert_eq!(
        names(&["--variants", "tree.yaml"]),
        "a.sh;run-cpu-intel a.sh;run-cpu-amd b.sh;run-cpu-intel b.sh;run-cpu-amd"
    );
    assert_eq!(names(&["--variants", "tree.yaml", "-E", "param(flag=mmx) and name(b)"]), "b.sh;run-cpu-intel");
    let ended = project.run(&["list", "--json", "a.sh", "-p", "k=v"]);
    let variant = json!({"paths": ["/"], "variant_id": null, "variant": [["/", [["/", "k", "v"]]]]});
    assert_eq!(ended.json()[0]["recipe"]["kwargs"]["variant"], variant);
    project.run(&["list", "a.sh", "-p", "speed"]).code(2).stderr_has("'speed' is not NAME=VALUE");
    // Every pair of values is in nine of the 27 combinations.
    let lists = ["-p", "x=[1,2,3]", "-p", "y=[1,2,3]", "-p", "z=[1,2,3]"];
    let chosen = |more: &[&str]| {
        let listed = names(&[&lists[..], more].concat());
        listed.split(' ').filter(|name| name.starts_with("a.sh")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!((chosen(&[]).len(), chosen(&["--combination-order", "9"]).len()), (27, 27));
    let pairs = chosen(&["--cit-order-of-combinations", "2"]);
    assert_eq!(pairs.len(), 9, "{pairs:?}");
    for two in [[0, 1], [0, 2], [1, 2]] {
        let values = |name: &String| {
            let values: Vec<char> = name.trim_start_matches("a.sh;").chars().step_by(2).take(3).collect();
            (values[two[0]], values[two[1]])
        };
        assert_eq!(pairs.iter().map(values).collect::<std::collections::HashSet<_>>().len(), 9, "{pairs:?}");
    }
    project.run(&["list", "a.sh", "--combination-order", "0"]).code(2).stderr_has("--combination-order");
    project.run(&["list", "a.sh", "--variants", "w.json"]).code(2).stderr_has("hint: did you mean v.json?");
}

#[test]
fn avocado_finds_the_same_tests_and_reads_the_recipes() {
    let Some(avocado) = avocado_programs() else { return };
    let deep = "from login import Login\nimport inst\nclass More(Login):\n    \"\"\":avocado: tags=more\"\"\"\n    def test_more(self): pass\n\
        class Inst2(inst.Inst):\n    def test_two(self): pass\nclass Off(Login):\n    \"\"\":avocado: disable\"\"\"\n";
    let project = project().file("tests/more.py", deep).file("avocado.conf", "");
    // What Rille adds, or cannot be known to Avocado without a runner.
    for added in ["script.lua", "sub/job.lua", "one.t", "many.json", "data.json"] {
        fs::remove_file(project.path("tests").join(added)).unwrap();
    }
    let found = |references: &[&str]| {
        let mut command = project.command(avocado.join("avocado"));
        let mut path = avocado.clone().into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        command.env("PATH", path).arg("-V").arg("list").args(references);
        let ended = project.start_command(command).wait();
        ended.code(0);
        let tests: BTreeSet<String> = (ended.out().lines())
            .take_while(|line| !line.trim().is_empty())
            .skip(1)
            .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
            .collect();
        tests
    };
    let ended = project.run(&["list", "tests", "--json", "--write-recipes", "recipes"]);
    let pairs = |ended: &Ended| {
        let rows = ended.json();
        let pair = |row: &Value| format!("{} {}", row["kind"].as_str().unwrap(), row["name"].as_str().unwrap());
        rows.as_array().unwrap().iter().map(pair).collect::<BTreeSet<_>>()
    };
    let ours = pairs(&ended);
    // Avocado takes a file with both sorts of classes for one with instrumented ones only.
    let both: BTreeSet<String> = ours.iter().filter(|test| test.contains("more.py:More")).cloned().collect();
    assert_eq!(both.len(), 3, "{ours:?}");
    assert_eq!(found(&["tests"]), ours.difference(&both).cloned().collect::<BTreeSet<_>>());
    assert_eq!(found(&["recipes"]), ours);
}
