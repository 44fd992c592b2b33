//! What operations require: the seeds' sections on dependencies, staging and restarts, and what is refused.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use serde_json::json;

use crate::harness::{Project, Run};

/// The two operations of the seeds.
const PAIR: &str = "\
upstream:
  exec: 'true'
  requires:
    - file: src.txt
downstream:
  exec: 'true'
  requires:
    - operation: upstream
";

/// Returns the newest run.
fn newest(project: &Project) -> Run {
    project.runs().pop().expect("there is a run")
}

#[test]
fn an_upstream_that_is_not_there_fails_the_run() {
    let project = Project::new().file("guild.yml", PAIR);
    let ended = project.run(&["run", "downstream", "-y"]);
    ended.code(1);
    let expected = "WARNING: cannot find a suitable run for required resource 'upstream'\n\
                    Resolving upstream dependency\n\
                    error: run failed because a dependency was not met: could not resolve 'operation:upstream' in upstream \
                    resource: no suitable run for upstream\n";
    assert!(ended.err().starts_with(expected), "{}", ended.err());
    ended.stderr_has("there is no run of upstream yet");
    project.run(&["runs", "list"]).stdout_has("error");

    let ended = project.run(&["run", "upstream", "-y"]);
    ended.code(1).stderr_has("Resolving file:src.txt dependency\n").stderr_has(
        "run failed because a dependency was not met: could not resolve 'file:src.txt' in file:src.txt resource: cannot \
         find source file 'src.txt'",
    );
}

#[test]
fn downstream_takes_the_newest_upstream_or_the_one_it_is_given() {
    let project = Project::new().file("guild.yml", PAIR).file("src.txt", "hello");
    project.run(&["run", "upstream", "-y"]).code(0);
    let first = newest(&project);
    let deps = first.attr("deps");
    let source = &deps["file:src.txt"]["file:src.txt"];
    assert_eq!(source["uri"], "file:src.txt");
    assert!(source["paths"][0].as_str().is_some_and(|path| path.ends_with("/src.txt")), "{deps}");
    assert_eq!(first.text("src.txt"), "hello");
    assert!(
        first.text(".guild/manifest").contains("d src.txt aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d file:src.txt\n")
    );

    let ended = project.run(&["run", "downstream", "-y"]);
    ended.code(0);
    assert_eq!(ended.err(), format!("Resolving upstream dependency\nUsing run {} for upstream resource\n", first.id()));
    let run = newest(&project);
    let expected = json!({"upstream": {"operation:upstream": {
        "config": first.id(), "paths": [format!("../{}/src.txt", first.id())], "uri": "operation:upstream"}}});
    assert_eq!(run.attr("deps"), expected);
    assert_eq!(run.attr("flags"), json!({"upstream": first.id()}));
    assert_eq!(run.text("src.txt"), "hello");
    assert!(fs::symlink_metadata(run.path().join("src.txt")).unwrap().is_symlink());

    project.run(&["run", "upstream", "-y"]).code(0);
    let second = newest(&project);
    for (run, text) in [(&first, "upstream_1"), (&second, "upstream_2")] {
        fs::write(run.path().join("marker"), text).unwrap();
    }
    project.run(&["run", "downstream", "-y"]).code(0);
    assert_eq!(newest(&project).text("marker"), "upstream_2");
    project.run(&["run", "downstream", "-y", &format!("upstream={}", first.id())]).code(0);
    assert_eq!(newest(&project).text("marker"), "upstream_1");
}

#[test]
fn a_staged_run_keeps_to_its_upstream() {
    let project = Project::new().file("guild.yml", PAIR);
    let ended = project.run(&["run", "downstream", "-y", "--stage"]);
    ended.code(0);
    assert_eq!(
        ended.err(),
        "WARNING: cannot find a suitable run for required resource 'upstream'\n\
         Resolving upstream dependency\n\
         Skipping resolution of operation:upstream because it's being staged\n"
    );
    let orphan = newest(&project);
    let ended = project.run(&["run", "--start", &orphan.id(), "-y"]);
    ended
        .code(1)
        .stderr_has("could not resolve 'operation:upstream' in upstream resource: no suitable run for upstream");

    let ended = project.run(&["run", "upstream", "-y", "--stage"]);
    ended.code(1).stderr_has("cannot find source file 'src.txt'");
    fs::write(project.path("src.txt"), "yo").unwrap();
    project.run(&["run", "upstream", "-y", "--stage"]).code(0).stderr_has("Resolving file:src.txt dependency");
    let upstream = newest(&project);
    project.run(&["run", "downstream", "-y", "--stage"]).code(0);
    let downstream = newest(&project);
    assert_eq!(downstream.attr("flags"), json!({"upstream": upstream.id()}));
    project.run(&["run", "upstream", "-y"]).code(0);

    // It was never run, so there is nothing to take of it.
    let ended = project.run(&["run", "--start", &downstream.id(), "-y"]);
    ended.code(1).stderr_has("no suitable run for upstream").stderr_has("is staged: start it with 'rille run --start");
    project.run(&["run", "--start", &upstream.id(), "-y"]).code(0).stderr_has("because it's already resolved");
    let ended = project.run(&["run", "--start", &downstream.id(), "-y"]);
    ended.code(0).stderr_has(&format!("Using run {} for upstream resource", upstream.id()));
    assert_eq!(downstream.attr("deps")["upstream"]["operation:upstream"]["config"], upstream.id());
}

#[test]
fn what_was_resolved_stays() {
    let yml = "upstream:\n  exec: 'true'\ndownstream:\n  exec: 'true'\n  requires:\n    - operation: upstream\n";
    let project = Project::new().file("guild.yml", yml);
    project.run(&["run", "upstream", "-y"]).code(0);
    let upstream = newest(&project);
    project.run(&["run", "downstream", "-y"]).code(0).stderr_has("WARNING: nothing resolved for operation:upstream\n");
    let downstream = newest(&project);
    let ended = project.run(&["run", "--restart", &downstream.id(), "-y"]);
    ended.code(0);
    assert_eq!(
        ended.err(),
        "Resolving upstream dependency\nSkipping resolution of operation:upstream because it's already resolved\n"
    );
    assert_eq!(project.runs().len(), 2);
    let flag = format!("upstream={}", upstream.id());
    project.run(&["run", "--restart", &downstream.id(), "-y", &flag]).code(1).stderr_has(&format!(
        "cannot specify a value for 'upstream' when restarting {} - resource has already been resolved",
        downstream.id()
    ));
}

#[test]
fn every_kind_of_source_reaches_the_run() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/data.csv", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n1,2").unwrap();
    });
    let yml = format!(
        "op:\n  exec: cat data.csv a.txt c.yml\n  flags:\n    lr: 0.5\n    which: a\n  requires:\n    - url: {url}\n    \
         - file: ${{which}}.txt\n    - config: c.yml\n    - module: json\n"
    );
    let project = Project::new().file("guild.yml", yml).file("a.txt", "A\n").file("c.yml", "lr: 1\nx: word\n");
    let ended = project.run(&["run", "op", "-y"]);
    ended.code(0).stderr_has(&format!("Downloading {url} (3 bytes)"));
    ended.stdout("1,2A\nlr: 0.5\nx: word\nwhich: a\n");
    served.join().unwrap();
    // Settings and files of the project are no source code.
    assert!(!project.the_run().text(".guild/manifest").contains("s a.txt"));
    // The cache has it now.
    project.run(&["run", "op", "-y"]).code(0);
}

#[test]
fn an_archive_that_leads_out_is_refused_without_a_trace() {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(1);
    header.set_mode(0o644);
    header.as_mut_bytes()[..9].copy_from_slice(b"../../out");
    header.set_cksum();
    tar.append(&header, b"x".as_slice()).unwrap();
    let project = Project::new()
        .file("guild.yml", "op:\n  exec: 'true'\n  requires:\n    - file: a.tar\n")
        .file("a.tar", tar.into_inner().unwrap());
    let ended = project.run(&["run", "op", "-y"]);
    ended.code(1).stderr_has("is refused: its entry '../../out' leads out of it");
    assert_eq!(fs::read_dir(project.home().join("cache/resources")).unwrap().count(), 0);
    for folder in [project.home(), project.home().join("runs"), project.home().join("cache")] {
        assert!(!folder.join("out").exists());
    }
}
