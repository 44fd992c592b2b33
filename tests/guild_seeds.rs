//! What Guild's own test documents of `run` show, example by example, but for batches.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::harness::{Ended, Project, Run};

const EXIT: &str = "op:\n  exec: python3 -c 'import sys; sys.exit(${code})'\n  flags:\n    code: 0\n";

const STREAMS: &str = "\
upstream:
  main: guild.pass
  requires:
    - file: src.txt
downstream:
  main: guild.pass
  requires:
    - operation: upstream
";

/// Returns the paths of all files of a run in order, but the attributes and what Rille alone has.
fn files(run: &Path) -> Vec<String> {
    let mut found = Vec::new();
    collect(run, run, &mut found);
    found.retain(|path| {
        !path.starts_with(".guild/attrs/") && !path.starts_with(".guild/python/") && path != ".guild/manifest"
    });
    found.sort();
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        match path.is_dir() {
            true => collect(root, &path, found),
            false => found.push(path.strip_prefix(root).expect("it is inside").to_string_lossy().into_owned()),
        }
    }
}

/// Checks that standard error has exactly these lines; `RUN` stands for the id of a run.
#[track_caller]
fn said(ended: &Ended, lines: &[&str]) {
    let ids = regex::Regex::new("[0-9a-f]{32}").expect("it is a pattern");
    let err = ended.err();
    let found: Vec<_> = err.lines().map(|line| ids.replace_all(line, "RUN").into_owned()).collect();
    assert_eq!(found, lines);
}

/// Returns the run that was started last.
fn latest(project: &Project) -> Run {
    let ended = project.run(&["runs", "--json"]);
    let id = ended.json()[0]["id"].as_str().expect("there is a run").to_owned();
    Run::at(project.home().join("runs").join(id), project)
}

#[test]
fn a_python_operation_is_staged() {
    let project = Project::new().file("run.py", "");
    let ended = project.run(&["run", "run.py", "--stage"]);
    let run = project.the_run();
    ended
        .code(0)
        .stdout(&format!("run.py staged as {0}\nTo start the operation, use 'rille run --start {0}'\n", run.id()));
    assert_eq!(files(run.path()), [".guild/ENV", ".guild/STAGED", ".guild/opref", ".guild/sourcecode/run.py"]);
}

#[test]
fn a_python_operation_is_staged_in_a_directory() {
    let project = Project::new().file("run.py", "");
    let folder = project.path("there");
    let ended = project.run(&["run", "run.py", "--stage", "--run-dir", folder.to_str().expect("it is text")]);
    let shown = folder.display();
    let out = ended.code(0).out();
    assert!(out.starts_with(&format!("run.py staged in '{shown}'\n")), "{out}");
    let begin = format!("To start the operation, use \"(cd '{shown}' && source .guild/ENV && ");
    assert!(out.contains(&begin) && out.trim_end().ends_with(" -um rille.op_main run)\""), "{out}");
    assert_eq!(files(&folder), [".guild/ENV", ".guild/STAGED", ".guild/opref", ".guild/sourcecode/run.py"]);
}

#[test]
fn an_exec_operation_is_staged() {
    let project = Project::new().file("guild.yml", "op:\n  exec: run.sh\n");
    let ended = project.run(&["run", "op", "--stage"]);
    let id = project.the_run().id();
    ended.code(0).stdout(&format!("op staged as {id}\nTo start the operation, use 'rille run --start {id}'\n"));
    let ended = project.run(&["run", "op", "--stage", "--run-dir", "there"]);
    let shown = project.path("there").display().to_string();
    ended.code(0).stdout(&format!(
        "op staged in '{shown}'\nTo start the operation, use \"(cd '{shown}' && source .guild/ENV && run.sh)\"\n"
    ));
}

#[test]
fn what_a_staged_run_says_starts_it_by_hand() {
    let project = Project::new()
        .file("guild.yml", "op:\n  exec: sh run.sh\n  flags:\n    name: you\n")
        .file("run.sh", "echo \"hello $FLAG_NAME\" > said.txt\n");
    project.run(&["run", "name=it's me", "--stage", "--run-dir", "there"]).code(0);
    fs::remove_file(project.path("run.sh")).expect("it is there");
    let mut command = project.command("bash");
    command.args(["-c", "cd there && source .guild/ENV && sh run.sh"]);
    assert!(command.status().expect("bash is there").success());
    assert_eq!(project.read("there/said.txt"), "hello it's me\n");
}

#[test]
fn an_operation_is_restarted() {
    let project = Project::new().file("guild.yml", EXIT);
    project.run(&["run", "code=11"]).code(11);
    let run = project.the_run();
    assert_eq!(run.attr("env")["FLAG_CODE"], "11");
    assert_eq!(run.attr("exit_status"), 11);
    project.run(&["run", "--restart", &run.id(), "code=22"]).code(22);
    assert_eq!(run.attr("env")["FLAG_CODE"], "22");
    assert_eq!(run.attr("exit_status"), 22);
    assert_eq!(project.the_run().id(), run.id());
}

#[test]
fn a_staged_operation_is_started() {
    let project = Project::new().file("guild.yml", EXIT);
    project.run(&["run", "code=33", "--stage"]).code(0);
    let id = project.the_run().id();
    project.run(&["run", "--start", &id]).code(33);
    project.run(&["run", "--restart", &id]).code(33);
    project.run(&["run", "--restart", &id, "code=44"]).code(44);
    project.run(&["run", "--restart", &id]).code(44);
    assert_eq!(project.the_run().id(), id);
}

#[test]
fn a_run_without_its_operation_is_not_restarted() {
    let project = Project::new().file("guild.yml", EXIT);
    project.run(&["run"]).code(0);
    let run = project.the_run();
    let op = run.path().join(".guild/attrs/op");
    fs::remove_file(&op).expect("it is there");
    let shown = run.path().display().to_string();
    said(
        project.run(&["run", "--restart", &run.id()]).code(1),
        &[
            &format!("error: cannot restart run in {}: missing op configuration", shown.replace(&run.id(), "RUN")),
            "The run may not have been initialized correctly. Try starting the operation without the --start/--restart \
             flag.",
        ],
    );
    let cases = [
        ("{foo:123}", "missing field `op-cmd`"),
        ("[", "it is no YAML"),
        ("op-cmd: {cmd-args: []}\n", "it has no command"),
    ];
    for (corrupt, why) in cases {
        fs::write(&op, corrupt).expect("it can be written");
        said(
            project.run(&["run", "--restart", &run.id()]).code(1),
            &[
                &format!("error: cannot restart run in {}: invalid op configuration", shown.replace(&run.id(), "RUN")),
                "This may be an internal error. Please open an issue.",
                &format!("hint: its attribute 'op' cannot be used: {why}."),
            ],
        );
    }
    assert_eq!(run.attr("exit_status"), 0, "what was refused has changed nothing");
}

#[test]
fn a_run_is_restarted_without_its_definition_but_not_with_flags() {
    let script = "import sys, time\nfoo, bar = sys.argv[1:3]\nopen(foo, 'w').close()\nopen(bar, 'w').close()\n\
                  open(str(time.time()), 'w').close()\n";
    let project = Project::new()
        .file("guild.yml", "op:\n  main: op ${foo} ${bar}\n  flags:\n    foo: 123\n    bar: 456\n")
        .file("op.py", script);
    project.run(&["run", "foo=321"]).code(0);
    let run = project.the_run();
    let opref = run.text(".guild/opref");
    assert!(opref.starts_with("guildfile:") && opref.contains("/guild.yml ") && opref.ends_with(" '' op"), "{opref}");
    let cmd = run.attr("cmd");
    let words = cmd.as_array().expect("it is a list");
    assert_eq!(
        json!(words[1..]),
        json!(["-um", "rille.op_main", "op", "321", "456", "--", "--bar", "456", "--foo", "321"])
    );
    assert_eq!(run.text(".guild/attrs/flags"), "bar: 456\nfoo: 321\n");
    let top = || files(run.path()).into_iter().filter(|path| !path.starts_with(".guild/")).collect::<Vec<_>>();
    assert_eq!(top().len(), 3, "{:?}", top());
    fs::remove_file(project.path("guild.yml")).expect("it is there");
    fs::remove_file(project.path("op.py")).expect("it is there");
    project.run(&["run", "--restart", &run.id()]).code(0);
    assert_eq!(run.text(".guild/attrs/flags"), "bar: 456\nfoo: 321\n");
    assert_eq!(top().len(), 4, "{:?}", top());
    for flag in ["foo=111", "other_flag=111"] {
        said(
            project.run(&["run", "--restart", &run.id(), flag]).code(1),
            &[
                "error: cannot find definition for operation 'op' in run RUN",
                "The definition is required when setting flags for start or restart.",
            ],
        );
    }
    assert_eq!(run.attr("exit_status"), 0, "what was refused has changed nothing");
}

#[test]
fn a_run_depends_on_what_another_has_made() {
    let project = Project::new().file("guild.yml", STREAMS);
    said(
        project.run(&["run", "downstream"]).code(1),
        &[
            "WARNING: cannot find a suitable run for required resource 'upstream'",
            "Resolving upstream dependency",
            "error: run failed because a dependency was not met: could not resolve 'operation:upstream' in upstream \
             resource: no suitable run for upstream",
            "hint: there is no run of upstream yet",
        ],
    );
    let failed = project.the_run();
    assert_eq!(project.run(&["runs", "--json"]).json()[0]["status"], "error");
    fs::remove_dir_all(failed.path()).expect("it is there");
    said(
        project.run(&["run", "upstream"]).code(1),
        &[
            "Resolving file:src.txt dependency",
            "error: run failed because a dependency was not met: could not resolve 'file:src.txt' in file:src.txt \
             resource: cannot find source file 'src.txt'",
        ],
    );
    fs::remove_dir_all(project.the_run().path()).expect("it is there");
    fs::write(project.path("src.txt"), "hello").expect("it can be written");
    said(project.run(&["run", "upstream"]).code(0), &["Resolving file:src.txt dependency"]);
    let first = project.the_run();
    let deps = first.attr("deps");
    assert_eq!(deps["file:src.txt"]["file:src.txt"]["uri"], "file:src.txt");
    let path = deps["file:src.txt"]["file:src.txt"]["paths"][0].as_str().expect("it is text").to_owned();
    assert!(path.starts_with("../") && path.ends_with("/src.txt"), "{path}");
    assert_eq!(first.text("src.txt"), "hello");
    said(
        project.run(&["run", "downstream"]).code(0),
        &["Resolving upstream dependency", "Using run RUN for upstream resource"],
    );
    let downstream = latest(&project);
    let expected = json!({"upstream": {"operation:upstream": {
        "config": first.id(), "paths": [format!("../{}/src.txt", first.id())], "uri": "operation:upstream",
    }}});
    assert_eq!(downstream.attr("deps"), expected);
    assert_eq!(downstream.text("src.txt"), "hello");

    project.run(&["run", "upstream"]).code(0);
    let second = latest(&project);
    fs::write(first.path().join("marker"), "upstream_1").expect("it can be written");
    fs::write(second.path().join("marker"), "upstream_2").expect("it can be written");
    project.run(&["run", "downstream"]).code(0);
    assert_eq!(latest(&project).text("marker"), "upstream_2");
    project.run(&["run", "downstream", &format!("upstream={}", first.id())]).code(0);
    assert_eq!(latest(&project).text("marker"), "upstream_1");
}

#[test]
fn staging_resolves_everything_but_operations() {
    let project = Project::new().file("guild.yml", STREAMS);
    let staged = project.run(&["run", "downstream", "--stage"]);
    staged.code(0).stdout_has("downstream staged as ");
    said(
        &staged,
        &[
            "WARNING: cannot find a suitable run for required resource 'upstream'",
            "Resolving upstream dependency",
            "Skipping resolution of operation:upstream because it's being staged",
        ],
    );
    let short = project.the_run().id()[..8].to_owned();
    said(
        project.run(&["run", "--start", &short]).code(1),
        &[
            "Resolving upstream dependency",
            "error: run failed because a dependency was not met: could not resolve 'operation:upstream' in upstream \
             resource: no suitable run for upstream",
            "hint: there is no run of upstream yet",
        ],
    );
    fs::remove_dir_all(project.the_run().path()).expect("it is there");
    said(
        project.run(&["run", "upstream", "--stage"]).code(1),
        &[
            "Resolving file:src.txt dependency",
            "error: run failed because a dependency was not met: could not resolve 'file:src.txt' in file:src.txt \
             resource: cannot find source file 'src.txt'",
        ],
    );
    fs::remove_dir_all(project.the_run().path()).expect("it is there");
    fs::write(project.path("src.txt"), "yo").expect("it can be written");
    let staged = project.run(&["run", "upstream", "--stage"]);
    said(staged.code(0), &["Resolving file:src.txt dependency"]);
    let upstream = project.the_run();
    let staged = project.run(&["run", "downstream", "--stage"]);
    said(
        staged.code(0),
        &["Resolving upstream dependency", "Skipping resolution of operation:upstream because it's being staged"],
    );
    let downstream = latest(&project);
    assert_eq!(downstream.attr("flags")["upstream"], upstream.id());

    // Another run of upstream does not change what was chosen.
    project.run(&["run", "upstream"]).code(0);
    // Guild takes the files of a run that never ran. Here it has to be run first.
    let refused = project.run(&["run", "--start", &downstream.id()]);
    let hint = format!("hint: run {0} is staged: start it with 'rille run --start {0}'", &upstream.id()[..8]);
    refused.code(1).stderr_has("no suitable run for upstream\n").stderr_has(&hint);
    project.run(&["run", "--start", &upstream.id()]).code(0);
    said(
        project.run(&["run", "--start", &downstream.id()]).code(0),
        &["Resolving upstream dependency", "Using run RUN for upstream resource"],
    );
    assert_eq!(downstream.attr("deps")["upstream"]["operation:upstream"]["config"], upstream.id());
}

#[test]
fn a_resource_that_was_resolved_stays_what_it_is() {
    let project = Project::new().file(
        "guild.yml",
        "upstream:\n  main: guild.pass\ndownstream:\n  main: guild.pass\n  requires:\n    - operation: upstream\n",
    );
    project.run(&["run", "upstream"]).code(0);
    let upstream = project.the_run();
    said(
        project.run(&["run", "downstream"]).code(0),
        &[
            "Resolving upstream dependency",
            "Using run RUN for upstream resource",
            "WARNING: nothing resolved for operation:upstream",
        ],
    );
    let downstream = latest(&project);
    said(
        project.run(&["run", "--restart", &downstream.id()]).code(0),
        &["Resolving upstream dependency", "Skipping resolution of operation:upstream because it's already resolved"],
    );
    assert_eq!(project.runs().len(), 2);
    assert_eq!(latest(&project).id(), downstream.id());
    said(
        project.run(&["run", "--restart", &downstream.id(), &format!("upstream={}", upstream.id())]).code(1),
        &["error: cannot specify a value for 'upstream' when restarting RUN - resource has already been resolved"],
    );
}
