//! The files of runs: listed, shown, compared, copied back and published.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::harness::{Project, Run};

const MANIFEST: &str = "s .guild/sourcecode/train.py 12 train.py\ns .guild/sourcecode/lib/u.py 12 lib/u.py\n\
                        d data.txt 34 file:in/data.txt\nd far.txt 34 operation:prep\n";

fn with_run(project: &Project, id: &str, minute: u64, lr: &str) -> Run {
    project.handmade(
        id,
        minute,
        &[
            (".guild/sourcecode/train.py", "print(1)\n"),
            (".guild/sourcecode/lib/u.py", "u = 1\n"),
            (".guild/manifest", MANIFEST),
            (".guild/output", &format!("loss: {lr}\n```\n")),
            (".guild/attrs/flags", &format!("lr: {lr}\nname: a|b\n")),
            ("data.txt", "data\n"),
            ("far.txt", "far\n"),
            ("out/gen.txt", &format!("{lr}\n")),
        ],
    )
}

#[test]
fn files_are_listed_by_what_they_are() {
    let project = Project::new();
    let run = with_run(&project, "aa11", 1, "0.1");
    symlink("/nowhere", run.path().join("broken")).unwrap();
    let path = run.path().display();
    let all = format!("{path}:\n  broken\n  data.txt\n  far.txt\n  out/\n  out/gen.txt\n");
    project.run(&["ls"]).code(0).stdout(&all);
    let plain = |args: &[&str]| project.run(&[&["ls", "-n"], args].concat()).code(0).out();
    assert_eq!(plain(&["-d"]), "data.txt\nfar.txt\n");
    assert_eq!(plain(&["-g"]), "broken\nout/\nout/gen.txt\n");
    let sources =
        ".guild/sourcecode/\n.guild/sourcecode/lib/\n.guild/sourcecode/lib/u.py\n.guild/sourcecode/train.py\n";
    assert_eq!(plain(&["-s"]), sources);
    assert_eq!(plain(&["-s", "-p", "lib"]), ".guild/sourcecode/lib/\n.guild/sourcecode/lib/u.py\n");
    assert_eq!(plain(&["-p", "*.txt"]), "data.txt\nfar.txt\nout/gen.txt\n");
    assert!(plain(&["-a"]).contains("\n.guild/attrs/flags\n"));
    project.run(&["ls", "-f", "-p", "out/gen.txt"]).code(0).stdout(&format!("{path}/out/gen.txt\n"));
    project.run(&["ls", "-x", "-n", "-p", "data.txt"]).code(0).stdout_has("-rw-").stdout_has("           5 ");
    let as_json = project.run(&["ls", "--json", "-p", "broken"]).code(0).json();
    assert_eq!([&as_json[0]["type"], &as_json[0]["link"], &as_json[0]["kind"]], ["link", "/nowhere", "generated"]);
    project.run(&["ls", "-p", "[x"]).code(2).stderr_has("is no pattern");
    fs::write(run.path().join(OsString::from_vec(b"odd\xff".to_vec())), "").unwrap();
    let odd = project.run(&["ls", "-n", "-p", "odd*"]);
    assert_eq!(odd.code(0).out_bytes(), b"odd\xff\n");
}

#[test]
fn on_a_terminal_a_file_is_shown_by_the_pager() {
    let project = Project::new().env("PAGER", "sed 's/^/paged: /'");
    with_run(&project, "aa11", 1, "0.1");
    let on_terminal = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let mut command = project.command("python3");
    command.args(["-c", on_terminal, env!("CARGO_BIN_EXE_rille"), "runs", "cat", "--page", "-p", "data.txt"]);
    project.start_command(command).wait().code(0).stdout("paged: data\r\n");
}

#[test]
fn files_are_shown_as_their_bytes() {
    let project = Project::new();
    let run = with_run(&project, "aa11", 1, "0.1");
    project.run(&["cat", "-p", "data.txt"]).code(0).stdout("data\n");
    project.run(&["cat", "-s", "-p", "lib/u.py", "aa11"]).code(0).stdout("u = 1\n");
    project.run(&["cat", "--output"]).code(0).stdout("loss: 0.1\n```\n");
    project.run(&["cat"]).code(2).stderr_has("-p / --path is required unless --output is specified");
    project.run(&["cat", "-pa", "--output"]).code(0).stdout("loss: 0.1\n```\n");
    project
        .run(&["cat", "-p", "dta.txt"])
        .code(2)
        .stderr_has("dta.txt does not exist")
        .stderr_has("did you mean 'data.txt'?");
    project.run(&["cat", "-p", "out"]).code(2).stderr_has("it is a folder");
    project.run(&["cat", "-p", "../../runs/aa11/data.txt"]).code(2).stderr_has("not below the run directory");
    project.run(&["cat", "-p", "/etc/passwd"]).code(2).stderr_has("not below the run directory");
    fs::write(run.path().join("bytes"), b"\xff\0x").unwrap();
    assert_eq!(project.run(&["cat", "-p", "bytes"]).code(0).out_bytes(), b"\xff\0x");
}

#[test]
fn a_run_is_opened_by_the_program_that_is_named() {
    let project = Project::new();
    let run = with_run(&project, "aa11", 1, "0.1");
    let path = run.path().display().to_string();
    project.run(&["open", "-c", "echo 'a  b'"]).code(0).stdout(&format!("a  b {path}/\n"));
    project.run(&["open", "-c", "cat", "-O"]).code(0).stdout("loss: 0.1\n```\n");
    project.run(&["open", "-c", "cat", "-s", "-p", "train.py"]).code(0).stdout("print(1)\n");
    project.run(&["open", "--shell-cmd", "pwd", "-p", "out"]).code(0).stdout(&format!("{path}/out\n"));
    project.run(&["open", "-c", "/no/such"]).code(1).stderr_has("cannot start '/no/such'");
    project.run(&["open", "-c", "cat", "-p", "none"]).code(2).stderr_has("does not exist");
}

#[test]
fn two_runs_are_compared() {
    let project = Project::new();
    let (old, new) = (with_run(&project, "aa11", 1, "0.1"), with_run(&project, "bb22", 2, "0.2"));
    let diff = |args: &[&str]| project.run(&[&["diff"], args].concat());
    let (from, to) = (old.path().display(), new.path().display());
    let flags = "@@ -1,2 +1,2 @@\n-lr: 0.1\n+lr: 0.2\n name: a|b\n";
    diff(&["-f"]).code(0).stdout(&format!("--- {from}/.guild/attrs/flags\n+++ {to}/.guild/attrs/flags\n{flags}"));
    diff(&["-f", "1", "2"]).code(0).stdout_has("+lr: 0.1\n");
    diff(&["-s"]).code(0).stdout("");
    fs::write(new.path().join(".guild/sourcecode/train.py"), "print(2)\n").unwrap();
    diff(&["-s"]).code(0).stdout_has("-print(1)\n+print(2)\n");
    diff(&["-O"]).code(0).stdout_has("-loss: 0.1\n+loss: 0.2\n");
    diff(&["-p", "out"]).code(0).stdout_has("-0.1\n+0.2\n");
    diff(&["-p", "none"]).code(2).stderr_has("none is in neither");
    diff(&["-p", "../x"]).code(2);
    fs::write(new.path().join("out/gen.txt"), b"\0").unwrap();
    fs::write(old.path().join("only"), "").unwrap();
    fs::remove_file(new.path().join(".guild/attrs/stopped")).unwrap();
    let whole = diff(&[]);
    whole.code(0).stdout_has(&format!("Binary files {from}/out/gen.txt and {to}/out/gen.txt differ\n"));
    whole.stdout_has(&format!("Only in {from}: only\n")).stdout_has(flags).stdout_has("+print(2)\n");
    let as_json = diff(&["--json"]).code(0).json();
    assert_eq!(as_json["attrs"]["flags"][1]["lr"], 0.2);
    assert_eq!(as_json["attrs"]["stopped"][1], json!(null));
    assert!(as_json["files"].as_array().unwrap().iter().any(|file| file["path"] == "only"));
    diff(&["-c", "echo cmp", "-f"]).code(0).stdout(&format!("cmp {from}/.guild/attrs/flags {to}/.guild/attrs/flags\n"));
    diff(&["aa11"]).code(2).stderr_has("diff requires two runs");
}

#[test]
fn the_source_code_of_a_run_is_compared_with_the_project() {
    let project = Project::new().file("train.py", "print(9)\n").file("lib/u.py", "u = 1\n").file("new.py", "");
    with_run(&project, "aa11", 1, "0.1");
    let diff = project.run(&["diff", "-w"]);
    diff.code(0).stdout_has("-print(1)\n+print(9)\n");
    assert!(!diff.out().contains("new.py") && !diff.out().contains("lib"), "{diff}");
}

#[test]
fn files_of_a_run_are_copied_back_to_the_project() {
    let project = Project::new().file("train.py", "changed\n").file("in/data.txt", "data\n");
    with_run(&project, "aa11", 1, "0.1");
    let merge = |args: &[&str]| project.run(&[&["merge"], args].concat());
    merge(&["--preview"])
        .code(0)
        .stdout("lib/u.py\ntrain.py  (would replace a file that git does not have as it is)\n");
    merge(&["-y"]).code(2).stderr_has("train.py").stderr_has("--replace");
    assert!(!project.path("lib").exists());
    merge(&["--replace"]).code(2).stderr_has("add -y");
    merge(&["-x", "train.py", "-y"]).code(0).stderr_has("Copying lib/u.py");
    assert_eq!(project.read("train.py"), "changed\n");
    let done = merge(&["-y", "--replace", "--json"]).code(0).json();
    assert_eq!([&done[0]["to"], &done[0]["replaces"]], [&json!("train.py"), &json!(true)]);
    assert_eq!(project.read("train.py"), "print(1)\n");
    merge(&["-y"]).code(0).stderr_has("Nothing to copy");
    merge(&["-y", "-a", "-S", "-t", "else"]).code(0);
    assert_eq!((project.read("else/in/data.txt"), project.read("else/out/gen.txt")), ("data\n".into(), "0.1\n".into()));
    assert!(!project.path("else/train.py").exists() && project.path("else/far.txt").exists());
    merge(&["-y", "-s", "-t", "sources"]).code(0);
    assert!(project.path("sources/lib/u.py").exists() && !project.path("sources/in").exists());
    let mut elsewhere = project.rille(&["merge", "-y"]);
    elsewhere.current_dir(project.path("else"));
    project.start_command(elsewhere).wait().code(2).stderr_has("--target-dir");
}

#[test]
fn what_git_has_is_replaced() {
    let project = Project::new().file("train.py", "committed\n").file("lib/u.py", "mine\n");
    with_run(&project, "aa11", 1, "0.1");
    let git = |args: &[&str]| {
        let mut command = project.command("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]).args(args);
        project.start_command(command).wait().code(0);
    };
    git(&["init", "-q"]);
    git(&["add", "train.py"]);
    git(&["commit", "-q", "-m", "x"]);
    let refused = project.run(&["merge", "-y"]);
    refused.code(2).stderr_has("lib/u.py").stderr_lacks("train.py");
    project.run(&["merge", "-y", "-x", "lib", "--no-replace"]).code(2).stderr_has("train.py");
    project.run(&["merge", "-y", "-x", "lib"]).code(0);
    assert_eq!(project.read("train.py"), "print(1)\n");
}

#[test]
fn runs_are_published_as_pages() {
    let project = Project::new();
    with_run(&project, "aa11", 1, "0.1");
    with_run(&project, "bb22", 2, "0.2");
    project.run(&["label", "-s", "<b>|x", "aa11"]).code(0);
    project.run(&["comment", "-a", "see *this*", "aa11"]).code(0);
    project.run(&["publish", "aa11"]).code(0).stderr_has("Published 1 run(s) to published-runs; the index has 1");
    let page = project.read("published-runs/aa11/README.md");
    for part in [
        "# train.py\n",
        "| lr | 0.1 |\n",
        "| name | a\\|b |\n",
        "&lt;b&gt;\\|x",
        "> see \\*this\\*",
        "[.guild/sourcecode/lib/u.py](sourcecode/lib/u.py)",
        "| out/gen.txt | 4 |\n",
        "\n````\nloss: 0.1\n```\n````\n",
    ] {
        assert!(page.contains(part), "{part} in\n{page}");
    }
    assert_eq!(project.read("published-runs/aa11/sourcecode/train.py"), "print(1)\n");
    assert_eq!(project.read("published-runs/aa11/output.txt"), "loss: 0.1\n```\n");
    project.run(&["publish", "--files"]).code(0).stderr_has("the index has 2");
    assert_eq!(project.read("published-runs/aa11/runfiles/out/gen.txt"), "0.1\n");
    let index = project.read("published-runs/README.md");
    let (newer, older) = (index.find("(bb22/README.md)").unwrap(), index.find("(aa11/README.md)").unwrap());
    assert!(newer < older, "{index}");
    fs::remove_dir_all(project.path("published-runs/bb22")).unwrap();
    fs::create_dir(project.path("published-runs/mine")).unwrap();
    fs::create_dir(project.path("published-runs/bb22")).unwrap();
    project.run(&["publish", "-r"]).code(0).stderr_has("the index has 1");
    project.run(&["publish", "bb22"]).code(2).stderr_has("is no published run");
    let left = fs::read_dir(project.path("published-runs")).unwrap().count();
    assert_eq!(left, 5, "README.md, .guild-nocopy, aa11, bb22, mine");
}

#[test]
fn a_run_is_described_with_what_is_asked_for() {
    let project = Project::new();
    let deps = "file:in/data.txt:\n  file:in/data.txt:\n    paths:\n    - ../x\n    uri: file:in/data.txt\n";
    let run = with_run(&project, "aa11", 1, "0.1");
    for (name, text) in [("deps", deps), ("env", "HOME: /h\n"), ("comments", "- body: |-\n    a\n    b\n  user: me\n")]
    {
        fs::write(run.path().join(".guild/attrs").join(name), text).unwrap();
    }
    let info = |args: &[&str]| project.run(&[&["runs", "info"], args].concat()).code(0).out();
    let plain = info(&[]);
    assert!(plain.contains("flags:\n  lr: 0.1\n  name: a|b\n"), "{plain}");
    assert!(plain.contains("files:\n  sourcecode: 2\n  dependencies: 2\n  generated: 1\n  bytes: "), "{plain}");
    assert!(!plain.contains("environment") && !plain.contains("comments") && !plain.contains("uri:"), "{plain}");
    assert!(info(&["-e"]).contains("environment:\n  HOME: /h\n"));
    assert!(info(&["-d", "1"]).contains("dependencies:\n  file:in/data.txt:\n    file:in/data.txt:\n      paths:\n"));
    assert!(info(&["-c"]).contains("comments:\n  - body: \"a\\nb\"\n    user: me\n"), "{}", info(&["-c"]));
    assert!(info(&["-m"]).contains("manifest:\n  - type: sourcecode\n    path: .guild/sourcecode/train.py\n"));
    let as_json = project.run(&["runs", "info", "--json", "-m"]).code(0).json();
    assert_eq!([&as_json["flags"]["lr"], &as_json["files"]["sourcecode"]], [&json!(0.1), &json!(2)]);
    assert_eq!(as_json["manifest"][2]["origin"], "file:in/data.txt");
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let project = Project::new();
    let run = with_run(&project, "aa11", 1, "0.1");
    fs::write(run.path().join("large"), vec![b'x'; 1 << 20]).unwrap();
    for command in ["cat -p large", "ls -a", "diff -p large aa11 aa11", "runs info"] {
        let script =
            format!("'{}' {command} | head -c 1 > /dev/null; echo ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_rille"));
        let mut shell = project.command("bash");
        shell.args(["-c", &script]);
        project.start_command(shell).wait().code(0).stdout("0\n").stderr_lacks("error");
    }
}
