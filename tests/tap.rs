//! TAP from programs: what `rille test` makes of a corpus of documents, and what the parsers of others make of them.
#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Project, avocado_programs, prove, tap_parser};

/// Documents with how each ends; the file says how it is written.
const CORPUS: &str = include_str!("tap/corpus.txt");

/// A document of the corpus.
struct Document {
    name: &'static str,
    rille: &'static str,
    tap_parser: &'static str,
    prove: &'static str,
    avocado: &'static str,
    /// What decided where the parsers disagree.
    why: Option<&'static str>,
    text: String,
}

fn corpus() -> Vec<Document> {
    let document = |entry: &'static str| {
        let (head, text) = entry.split_once('\n').unwrap_or((entry, ""));
        let fields: Vec<&str> = head.split(" | ").collect();
        let text = if text.is_empty() { String::new() } else { format!("{}\n", text.trim_end_matches('\n')) };
        let marks = [("␍␊\n", "\r"), ("␍", "\r"), ("␉", "\t"), ("␇", "\u{feff}"), ("␃\n", "")];
        let text = text.replace("[todo]", concat!("TO", "DO"));
        let text = marks.iter().fold(text, |text, (from, to)| text.replace(from, to));
        let [name, rille, tap_parser, prove, avocado] = fields[..5] else { panic!("{head}") };
        Document { name, rille, tap_parser, prove, avocado, why: fields.get(5).copied(), text }
    };
    CORPUS.split("\n@@ ").skip(1).map(document).collect()
}

/// Returns a program that writes a text and leaves with a code.
fn script(text: &str, code: u8) -> String {
    format!("#!/bin/sh\ncat <<'END_OF_TAP'\n{text}END_OF_TAP\nexit {code}\n")
}

/// Returns the statuses of the tests of the latest run, in their order.
fn statuses(project: &Project) -> Vec<(String, String)> {
    let results = std::fs::read_to_string(project.home().join("latest/results.json")).unwrap();
    let results: Value = serde_json::from_str(&results).unwrap();
    let text = |test: &Value, key: &str| test[key].as_str().unwrap().to_lowercase();
    results["tests"].as_array().unwrap().iter().map(|test| (text(test, "status"), text(test, "fail_reason"))).collect()
}

#[test]
fn every_document_of_the_corpus_ends_as_it_says() {
    let corpus = corpus();
    assert!(corpus.len() >= 60);
    let mut project = Project::new();
    let mut recipes = Vec::new();
    for (number, document) in (1..).zip(&corpus) {
        project = project.file(format!("{number}.tap"), &document.text);
        for reading in ["tap14", "avocado"] {
            recipes.push(serde_json::json!({
                "kind": "tap", "uri": "/bin/cat", "args": [format!("{number}.tap")], "identifier": document.name,
                "config": { "runner.tap.reading": reading },
            }));
        }
    }
    let project = project.file("all.json", serde_json::to_string(&recipes).unwrap());
    let ended = project.run(&["test", "all.json", "--disable-sysinfo", "-qq"]);
    assert_eq!(ended.exit_code(), Some(1));
    let statuses = statuses(&project);
    assert_eq!(statuses.len(), 2 * corpus.len());
    for (document, pair) in corpus.iter().zip(statuses.chunks(2)) {
        let Document { name, text, .. } = document;
        assert_eq!(pair[0].0, document.rille, "{name}: {text:?}: {}", pair[0].1);
        // A failure counts although an earlier test was a surprise, which Avocado stops at.
        let avocado = if *name == "todo that passes, and a failure" { "fail" } else { document.avocado };
        assert_eq!(pair[1].0, avocado, "{name} as Avocado reads it: {text:?}: {}", pair[1].1);
    }
}

#[test]
fn an_exit_code_other_than_0_is_never_green() {
    let documents = corpus();
    let good: Vec<&Document> = documents.iter().filter(|it| ["pass", "skip", "warn"].contains(&it.rille)).collect();
    let project = good.iter().enumerate().fold(Project::new(), |project, (number, document)| {
        let text = if document.text.ends_with('\n') { document.text.clone() } else { format!("{}\n", document.text) };
        project.executable(format!("{number:03}.t"), script(&text, 3))
    });
    assert_eq!(project.run(&["test", ".", "--disable-sysinfo", "-qq"]).exit_code(), Some(1));
    let statuses = statuses(&project);
    assert_eq!(statuses.len(), good.len());
    for (document, (status, reason)) in good.iter().zip(statuses) {
        assert_eq!((status.as_str(), reason.contains("exit code 3")), ("error", true), "{}: {reason}", document.name);
    }
}

#[test]
fn the_name_of_the_runner_and_settings_decide_how_it_is_read() {
    let document = script("ok 1\nok 2\n", 5);
    let recipe = |config: &str| format!("{{\"kind\": \"tap\", \"uri\": \"./plain.t\", \"config\": {{{config}}}}}");
    let whole = "{\"kind\": \"tap\", \"uri\": \"./whole.t\", \"config\": {\"runner.tap.honour_exitcode\": false}}";
    let project = Project::new()
        .executable("plain.t", document)
        .executable("whole.t", script("1..1\nok 1\n", 5))
        .file("a.json", format!("[{}, {}, {whole}]", recipe(""), recipe("\"runner.tap.reading\": \"avocado\"")))
        .file("bad.json", recipe("\"runner.tap.reading\": \"avocados\""));
    project.run(&["test", "a.json", "--disable-sysinfo", "-qq"]);
    let found = statuses(&project);
    assert_eq!(found[0].0, "error");
    assert!(found[0].1.contains("there is no plan"), "{found:?}");
    assert_eq!(found[1].1, "exit code 5, and no plan tells whether its output is whole");
    assert_eq!(found[2].0, "pass");
    project.run(&["test", "bad.json", "--disable-sysinfo", "-qq"]).code(1);
    assert!(statuses(&project)[0].1.contains("must be \"tap14\" or \"avocado\", not \"avocados\""));
    // The runner of this program's own name reads as `rille test` does, and the other as Avocado.
    let ours = project.run(&["runner", "runnable-run", "-k", "tap", "-u", "./plain.t"]);
    ours.stdout_has("there is no plan");
    project.run(&["runner", "install", "bin"]).code(0);
    let mut theirs = project.command(project.path("bin/avocado-runner-tap"));
    theirs.args(["runnable-run", "-u", "./whole.t"]);
    project.start_command(theirs).wait().code(0).stdout_has("'result': 'pass', 'returncode': 5");
}

/// Returns whether a parser takes a document for good.
fn takes(program: &Path, args: &[&str], text: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("document.tap");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(program);
    command.args(args).stdin(std::fs::File::open(&file).unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
    if args.contains(&"-e") {
        command.arg(&file);
    }
    command.status().unwrap().success()
}

fn compare(program: &Path, args: &[&str], said: fn(&Document) -> &'static str, seen: fn(&str) -> String) {
    for document in corpus() {
        let is_good = takes(program, args, &seen(&document.text));
        assert_eq!(if is_good { "ok" } else { "not-ok" }, said(&document), "{}: {:?}", document.name, document.text);
        let ours = ["pass", "skip", "warn"].contains(&document.rille);
        assert!(ours == is_good || document.why.is_some(), "{}: nothing says why they disagree", document.name);
    }
}

#[test]
fn tap_parser_says_of_the_corpus_what_stands_there() {
    let Some(program) = tap_parser() else { return };
    compare(&program, &["-t"], |document| document.tap_parser, str::to_owned);
}

#[test]
fn prove_says_of_the_corpus_what_stands_there() {
    let Some(program) = prove() else { return };
    // Version 14 is not known to those that are about.
    compare(
        &program,
        &["-e", "cat"],
        |document| document.prove,
        |text| match text.strip_prefix("TAP version 14") {
            Some(rest) => format!("TAP version 13{rest}"),
            None => text.to_owned(),
        },
    );
}

#[test]
fn avocado_says_of_the_corpus_what_stands_there() {
    let Some(programs) = avocado_programs() else { return };
    let documents: Vec<String> = corpus().into_iter().map(|document| document.text).collect();
    let reader = "import json, sys\nfrom avocado.plugins.runners.tap import TAPRunner\n\
                  for text in json.load(open(sys.argv[1])):\n\
                  \x20   print(TAPRunner._get_tap_result(text.encode())[0] or 'error')\n";
    let project = Project::new().file("all.json", serde_json::to_string(&documents).unwrap()).file("read.py", reader);
    let mut command = project.command(programs.join("python"));
    command.args(["read.py", "all.json"]);
    let ended = project.start_command(command).wait();
    ended.code(0);
    let out = ended.out();
    for (document, said) in corpus().iter().zip(out.lines()) {
        assert_eq!(said, document.avocado, "{}: {:?}", document.name, document.text);
    }
    assert_eq!(out.lines().count(), documents.len());
}

#[test]
fn a_long_document_costs_little_memory() {
    let script =
        "#!/bin/sh\nawk 'BEGIN { print \"1..200000\"; for (i = 1; i <= 200000; i++) print \"ok \" i \" - point\" }'\n";
    let project = Project::new().executable("long.t", script);
    project.run(&["test", "long.t", "--disable-sysinfo", "-qq"]).code(0);
    assert_eq!(statuses(&project), [("pass".to_owned(), "<unknown>".to_owned())]);
}
