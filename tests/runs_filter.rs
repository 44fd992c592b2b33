//! Runs that are listed and chosen: filter options, the filter language, numbers and ranges, exports and the trash, and an
//! index that is never trusted.
#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use std::fs;

use serde_json::{Value, json};

use crate::harness::{DEADLINE, Made, Project};

/// Makes a project with four runs, of which `dd…` is the newest.
fn project() -> Project {
    let project = Project::new();
    Made::run(&project, &"a".repeat(32), 1)
        .attr("flags", "lr: 0.1\nname: one")
        .attr("label", "first one")
        .attr("tags", "- best\n- v1")
        .attr("comments", "- body: Looks good\n  host: vm\n  time: 1795247695000000\n  user: ada")
        .attr("sourcecode_digest", "abc123")
        .scalar(".guild", "loss", &[0.5, 0.25]);
    Made::run(&project, &"b".repeat(32), 2)
        .attr("flags", "lr: 0.2\nlabel: a flag")
        .attr("exit_status", 1)
        .attr("marked", true)
        .attr("host", "vm");
    Made::run(&project, &"c".repeat(32), 3)
        .file(".guild/opref", "guildfile:/p/guild.yml 0123 net test")
        .attr("flags", "lr: 1")
        .attr("exit_status", -15);
    Made::run(&project, &"d".repeat(32), 4).file(".guild/STAGED", "").attr("flags", "{}");
    project
}

/// Returns the first letters of the ids that are listed with these options.
#[track_caller]
fn listed(project: &Project, args: &[&str]) -> String {
    let runs = project.run(&[&["runs", "list", "--all", "--json"], args].concat()).code(0).json();
    runs.as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap()[..1].to_owned()).collect()
}

#[test]
fn each_option_leaves_runs_out() {
    let project = project();
    let cases: [(&[&str], &str); 34] = [
        (&[], "dcba"),
        (&["-Fo", "train"], "dba"),
        (&["--operation", "t*", "-Fo", "none"], "dcba"),
        (&["-Fo", "net:"], "c"),
        (&["-Fo", "^net:te"], "c"),
        (&["-Fl", "first"], "a"),
        (&["-Fl", "-"], "dcb"),
        (&["-Fu"], "dcb"),
        (&["-Ft", "best"], "a"),
        (&["-Ft", "bes"], ""),
        (&["-Fc", "GOOD"], "a"),
        (&["-Fm"], "b"),
        (&["-Fn"], "dca"),
        (&["-Fd", "abc"], "a"),
        (&["-Fs", "after 2026-01-01"], "dcba"),
        (&["-Fs", "before 2026-01-01"], ""),
        (&["-Sc"], "a"),
        (&["-Set"], "cb"),
        (&["--staged", "--error"], "db"),
        (&["--not-completed", "--not-error"], "dc"),
        (&["--status", "completed"], "a"),
        (&["-F", "lr >= 0.2"], "cb"),
        (&["-F", "lr = 0.1 or op = test and status = terminated"], "ca"),
        (&["-F", "status in [error, staged]"], "db"),
        (&["-F", "label contains FIRST"], "a"),
        (&["-F", "attr:label is undefined and flag:label = 'a flag'"], "b"),
        (&["-F", "label = 'a flag'"], "b"),
        (&["-F", "loss < 0.3"], "a"),
        (&["-F", "scalar:loss is undefined"], "dcb"),
        (&["-F", "tag = best and model = '' and marked = false"], "a"),
        (&["-F", "comment contains 'looks good'"], "a"),
        (&["-F", "host = vm"], "b"),
        (&["-F", "digest = abc123"], "a"),
        (&["-F", "started > 2026-01-01 and not id = aaaaaaaa", "-F", "exit_status != 0", "-Fo", "net:test"], "c"),
    ];
    for (args, expected) in cases {
        assert_eq!(listed(&project, args), expected, "{args:?}");
    }
}

#[test]
fn a_mistake_in_a_filter_is_shown_where_it_is() {
    let project = project();
    let wrong = project.run(&["runs", "-F", "lr = 0.1 adn label contans x"]);
    wrong.code(2).stdout("");
    assert_eq!(
        wrong.err(),
        "error: filter:1: expected 'and' or 'or', and not 'adn'; did you mean 'and'?\n  lr = 0.1 adn label contans x\n           ^^^\n"
    );
    project.run(&["runs", "-F", "foo"]).code(2).stderr_has("'foo' is compared with nothing");
    project.run(&["runs", "-Fs", "soon"]).code(2).stderr_has("--started: 'soon' is no time; say a time");
    project.run(&["runs", "-Fo", "^("]).code(2).stderr_has("'^(' is no pattern for operations");
    project.run(&["runs", "-Sq"]).code(2).stderr_has("'q' is no letter of a status");
    project.run(&["runs", "--marked", "--unmarked"]).code(2);
}

#[test]
fn the_table_numbers_runs_and_shows_what_is_asked_for() {
    let project = project();
    let table = project.run(&["runs"]).code(0).out();
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..3], ["dddddddd", "1", "train"]);
    assert_eq!(lines[2][..4], ["bbbbbbbb", "3", "train", "[marked]"]);
    assert_eq!(lines[3][5..], ["completed", "first", "one", "#best", "#v1"], "{table}");
    let simple = project.run(&["runs", "-s", "-n", "1"]).code(0).stderr_has("1 of 4 runs").out();
    assert_eq!(simple, "1  train  staged\n");
    let verbose = project.run(&["runs", "-v", "-Fl", "first"]);
    verbose.code(0).stdout_has("    flags: lr=0.1 name=one\n").stdout_has("    tags: best v1\n");
    project.run(&["runs", "-c", "-Fl", "first"]).code(0).stdout_has("    ada@vm 20").stdout_has("\n      Looks good\n");
    let json = project.run(&["runs", "--json", "-n", "1", "-Fl", "first"]).code(0).json();
    let run = &json[0];
    assert_eq!(run["flags"], json!({"lr": 0.1, "name": "one"}));
    assert_eq!(run["comments"][0]["body"], "Looks good");
    assert_eq!([&run["exit_status"], &run["marked"], &run["tags"]], [&json!(0), &json!(false), &json!(["best", "v1"])]);
    assert_eq!(run["run_dir"], project.home().join("runs").join("a".repeat(32)).display().to_string());
}

#[test]
fn names_in_a_filter_that_no_run_has_are_told() {
    let project = project();
    for (filter, told) in [
        ("lsos < 1", "no run has 'lsos' of --filter; did you mean 'loss'?"),
        ("flag:lrr = 1", "no run has 'flag:lrr' of --filter"),
        ("epochz is undefined", "no run has 'epochz' of --filter"),
    ] {
        project.run(&["runs", "list", "--filter", filter]).code(0).stderr_has(told);
        project.run(&["runs", "list", "--filter", filter, "--json"]).code(0).stderr_has(told);
    }
    for filter in ["loss < 1", "lr = 0.1 or label = 'first one'", "marked = true", "comment contains good"] {
        project.run(&["runs", "list", "--filter", filter]).code(0).stderr_lacks("no run has");
    }
}

#[test]
fn more_runs_are_shown_by_twenties() {
    let project = Project::new();
    for number in 0..50 {
        Made::run(&project, &format!("{number:032x}"), number);
    }
    let lines = |args: &[&str]| project.run(&[&["runs"], args].concat()).code(0).out().lines().count();
    assert_eq!([lines(&[]), lines(&["-m"]), lines(&["-mm"]), lines(&["-a"]), lines(&["-n", "3"])], [20, 40, 50, 50, 3]);
    project.run(&["runs"]).stderr_has("20 of 50 runs; --all lists every one");
}

#[test]
fn runs_are_named_by_number_range_and_id() {
    let project = project();
    let selected = |args: &[&str]| {
        let ended = project.run(&[&["runs", "select", "-s"], args].concat());
        ended.code(0).out().lines().map(|line| line[..1].to_owned()).collect::<String>()
    };
    let cases: [(&[&str], &str); 12] = [
        (&[], "d"),
        (&["1"], "d"),
        (&["2:3"], "cb"),
        (&[":2"], "dc"),
        (&["3:"], "ba"),
        (&[":"], "dcba"),
        (&["aaaa", "1", "a"], "ad"),
        (&["latest"], "d"),
        (&["latest", "-Fo", "net:"], "c"),
        (&["2", "-Fo", "train"], "b"),
        (&["-A"], "dcba"),
        (&["-F", "lr < 1"], "b"),
    ];
    for (args, expected) in cases {
        assert_eq!(selected(args), expected, "{args:?}");
    }
    project.run(&["runs", "select", "5"]).code(2).stderr_has("no run matches '5': there are 4 runs");
    project.run(&["runs", "select", "3:2"]).code(2).stderr_has("no run matches '3:2'");
    project.run(&["runs", "select", "aaaa", "-Fm"]).code(2).stderr_has("is left out by the filter");
    project.run(&["runs", "select", "-F", "lr > 5"]).code(1).stderr_has("no run is left to select from");
}

#[test]
fn a_number_is_the_beginning_of_an_id_only_beyond_the_list() {
    let project = Project::new();
    Made::run(&project, &format!("2{}", "0".repeat(31)), 1);
    Made::run(&project, &format!("7{}", "0".repeat(31)), 2);
    let selected = |name: &str| project.run(&["runs", "select", "-s", name]).code(0).out();
    assert_eq!([selected("2"), selected("7")], ["20000000\n", "70000000\n"]);
    assert_eq!(selected("1"), "70000000\n");
}

#[test]
fn the_trash_and_exports_are_listed_alike() {
    let project = project();
    project.run(&["runs", "rm", "-y", &"a".repeat(32)]).code(0);
    assert_eq!(listed(&project, &["-d"]), "a");
    assert_eq!(listed(&project, &["-d", "-F", "lr = 0.1"]), "a");
    let export = project.path("export");
    Made::in_folder(&export, "exported", 1).attr("label", "there");
    let folder = export.display().to_string();
    assert_eq!(listed(&project, &["-A", &folder]), "e");
    project.run(&["runs", "-A", "none"]).code(2).stderr_has("cannot list the runs in none");
    fs::write(project.path("no.zip"), "x").unwrap();
    project.run(&["runs", "-A", "no.zip"]).code(2).stderr_has("cannot list the runs in no.zip");
    let mut zip = zip::ZipWriter::new(fs::File::create(project.path("runs.zip")).unwrap());
    for (name, text) in [
        ("zipped/.guild/opref", "guildfile:/p/guild.yml 0123 '' train"),
        ("zipped/.guild/attrs/label", "there\n"),
        ("zipped/data", "not read"),
        ("../out/.guild/opref", "guildfile:/p/guild.yml 0123 '' train"),
    ] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zip, text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    assert_eq!(listed(&project, &["-A", "runs.zip", "-Fl", "there"]), "z");
    assert_eq!(listed(&project, &["-A", "runs.zip"]), "z");
    project.run(&["runs", "--deleted", "--archive", "x"]).code(2);
}

#[test]
fn damage_is_one_row_among_many() {
    let project = Project::new();
    let damages: [(&str, &[u8]); 7] = [
        (".guild/opref", b"script"),
        (".guild/opref", &[0xff, 0xfe]),
        (".guild/attrs/exit_status", b"zero\n"),
        (".guild/attrs/flags", b"a: [\n"),
        (".guild/attrs/label", b"{\n"),
        (".guild/attrs/started", b"soon\n"),
        (".guild/attrs/op", b"\x00\x01"),
    ];
    for number in 0..200 {
        let made = Made::run(&project, &format!("{number:032x}"), number).attr("flags", "lr: 0.5");
        if let Some((path, bytes)) = (number % 20 == 7).then(|| &damages[usize::try_from(number).unwrap() / 20 % 7]) {
            made.file(path, bytes);
        }
    }
    for _ in 0..2 {
        let runs = project.run(&["runs", "--all", "--json"]).code(0).json();
        let count = |status: &str| runs.as_array().unwrap().iter().filter(|run| run["status"] == status).count();
        assert_eq!((count("corrupt"), count("completed")), (10, 190));
        let corrupt = project.run(&["runs", "--all", "-Sx"]);
        assert_eq!(corrupt.code(0).stderr_lacks("panic").out().lines().count(), 10);
        let filtered = project.run(&["runs", "--all", "-F", "lr = 0.5 and status = completed"]);
        assert_eq!(filtered.code(0).out().lines().count(), 190);
        project.run(&["runs"]).code(0).stdout_has("corrupt");
    }
}

#[test]
fn an_index_that_cannot_be_used_is_done_without() {
    let project = project();
    let file = project.home().join("cache/rille-index.db");
    assert_eq!(listed(&project, &[]), "dcba");
    assert!(fs::read(&file).unwrap().starts_with(b"SQLite format 3\0"));
    let garbage = |size: usize| (0..size).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect::<Vec<u8>>();
    for bytes in [Vec::new(), b"SQLite format 3\0".to_vec(), garbage(100), garbage(100_000)] {
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", file.display()));
        }
        fs::write(&file, bytes).unwrap();
        let ended = project.run(&["runs", "--all", "--json", "-F", "lr >= 0"]);
        assert_eq!(ended.code(0).stderr_lacks("index").json().as_array().unwrap().len(), 3);
        assert!(fs::read(&file).unwrap().starts_with(b"SQLite format 3\0"), "it is not made anew");
    }
    // Neither a folder in its place nor a file in the place of its folder can be replaced.
    fs::remove_dir_all(project.home().join("cache")).unwrap();
    fs::create_dir_all(&file).unwrap();
    assert_eq!(listed(&project, &[]), "dcba");
    fs::remove_dir_all(project.home().join("cache")).unwrap();
    fs::write(project.home().join("cache"), "").unwrap();
    assert_eq!(listed(&project, &["-Sc"]), "a");
}

#[test]
fn a_change_is_seen_at_once() {
    let project = project();
    for (label, expected) in [("one", "one"), ("two", "two"), ("three", "three")] {
        let path = project.home().join("runs").join("d".repeat(32)).join(".guild/attrs/label");
        fs::write(path, format!("{label}\n")).unwrap();
        let runs = project.run(&["runs", "--all", "--json"]).code(0).json();
        assert_eq!(runs[0]["label"], expected);
    }
    fs::remove_dir_all(project.home().join("runs").join("c".repeat(32))).unwrap();
    assert_eq!(listed(&project, &[]), "dba");
}

#[test]
fn many_processes_share_an_index() {
    let project = Project::new();
    for number in 0..150 {
        Made::run(&project, &format!("{number:032x}"), number).attr("flags", format!("n: {number}"));
    }
    let under_way: Vec<_> = (0..6).map(|_| project.start(&["runs", "--all", "--json", "-F", "n >= 50"])).collect();
    for running in under_way {
        let ended = running.wait_only(DEADLINE);
        let runs: Value = ended.code(0).json();
        assert_eq!((ended.err().as_str(), runs.as_array().unwrap().len()), ("", 100));
    }
}

#[test]
fn scripts_read_the_runs() {
    let project = project().file(
        "look.lua",
        "local runs = require 'rille.runs'\n\
         local run = runs.get('aaaa')\n\
         print(run.id, run.status, run.label, run.tags[2], run.flags.lr, run.scalars.loss, run.attrs.sourcecode_digest)\n\
         print(#runs.list { filter = 'lr < 1' }, runs.list { limit = 2 }[2] ~= nil, run.stopped - run.started)\n\
         print(runs.get('b' .. ('b'):rep(31)).label, run.marked, run.exit_status)\n",
    );
    let project = project.main(
        "local runs = require 'rille.runs'\n\
         print('jobfile', #runs.list { filter = 'op = train and status = completed' })\n\
         print(select(2, pcall(runs.list, { filter = 'lr >' })))\n\
         print(select(2, pcall(runs.list, { filtre = 'lr > 1' })))\n\
         print(select(2, pcall(runs.get, 'zz')))\n\
         print(select(2, pcall(function() return runs.get('aaaa').lable end)))\n\
         job.run { testscript = 'look.lua', taskid = 'look' }",
    );
    let ended = project.job(&[]);
    ended.code(0);
    let run = project.runs().into_iter().last().unwrap();
    let said = String::from_utf8(run.output("look", "stdout")).unwrap();
    let a = "a".repeat(32);
    assert_eq!(said, format!("{a}\tcompleted\tfirst one\tv1\t0.1\t0.25\tabc123\n2\ttrue\t65.0\nnil\tfalse\t0\n"));
    let told = ended.out() + &ended.err();
    for part in [
        "jobfile\t1",
        "filter:1: a value is missing here\n  lr >\n",
        "did you mean 'filter'?",
        "no run matches 'zz'",
        "a run has no field 'lable'; did you mean 'label'?",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
}
