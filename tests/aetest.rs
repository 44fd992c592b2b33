//! aetest's results: pairs of one testscript for aetest and for Rille, the results that aetest gave, and the table of what
//! differs, which the documentation shows.
//!
//! A pair is `aetest/NAME.py` and `NAME.lua`; `NAME.ae` has a line for each section, `PATH RESULT`, as the report of aetest
//! has them. A line `== ARGUMENTS` begins the results of one more run: `NAME=VALUE` is a parameter, and `uids=`,
//! `groups=` and `datafile=` are what they are for aetest. `aetest/differences.toml` has every difference, with the sections that show it.
#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::harness::{Project, aetest_programs};

/// The page with the table of what differs.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/aetest.md");

/// How Rille differs from aetest on purpose.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    what: String,
    aetest: String,
    rille: String,
    /// What to write in a script that comes from aetest.
    port: String,
    /// Sections whose results show it, in all runs of a pair: `PAIR: PATH AETEST -> RILLE`; `*` stands for any text, and
    /// `-` for the result of a section that is not there.
    #[serde(default)]
    shown: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Differences {
    difference: Vec<Difference>,
}

fn differences() -> Vec<Difference> {
    toml::from_str::<Differences>(include_str!("aetest/differences.toml")).unwrap().difference
}

/// Sections by path, with how they ended. Two of one path count as one each.
type Results = Vec<(String, String)>;

/// One run of a pair: its arguments and aetest's results.
struct Recorded {
    arguments: Vec<String>,
    results: Results,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aetest")
}

/// Returns the names of the pairs.
fn pairs() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let pairs = entries.filter(|path| path.extension().is_some_and(|extension| extension == "ae"));
    let mut names: Vec<String> = pairs.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn recorded(pair: &str) -> Vec<Recorded> {
    let text = std::fs::read_to_string(folder().join(format!("{pair}.ae"))).unwrap();
    let mut runs = Vec::new();
    for line in text.lines() {
        if let Some(arguments) = line.strip_prefix("== ") {
            runs.push(Recorded { arguments: arguments.split(' ').map(str::to_owned).collect(), results: Vec::new() });
            continue;
        }
        if runs.is_empty() {
            runs.push(Recorded { arguments: Vec::new(), results: Vec::new() });
        }
        let (path, result) = line.rsplit_once(' ').unwrap();
        runs.last_mut().unwrap().results.push((path.to_owned(), result.to_owned()));
    }
    runs
}

/// Runs the Lua half of a pair.
fn rille(pair: &str, arguments: &[String]) -> Results {
    let project = Project::new().file("t.lua", std::fs::read_to_string(folder().join(format!("{pair}.lua"))).unwrap());
    let mut options = vec!["run".to_owned(), "t.lua".to_owned(), "-q".to_owned()];
    for argument in arguments {
        let (name, value) = argument.split_once('=').unwrap();
        if name == "datafile" {
            options.extend(["--datafile".to_owned(), folder().join(value).to_str().unwrap().to_owned()]);
        } else if name == "uids" || name == "groups" {
            options.extend([format!("--{name}"), value.to_owned()]);
        } else {
            options.extend(["--param".to_owned(), argument.clone()]);
        }
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let ended = project.run(&options);
    let mut results = Vec::new();
    write_sections(&mut results, "", &ended.the_run().results()["tasks"][0]["sections"]);
    results
}

/// Adds sections by the paths that aetest's report has: steps stand side by side, by their numbers, and so do the attempts at
/// a section.
fn write_sections(results: &mut Results, above: &str, sections: &Value) {
    for section in sections.as_array().into_iter().flatten() {
        let uid = section["uid"].as_str().unwrap();
        let is_step = section["kind"] == "step";
        let path = match (is_step, uid.split_once(' ')) {
            (true, Some((number, name))) => format!("{above}.Step {number}: {name}"),
            _ if above.is_empty() => uid.to_owned(),
            _ => format!("{above}.{uid}"),
        };
        let attempts = section["earlier"].as_array().into_iter().flatten().chain([section]);
        for (number, attempt) in attempts.enumerate() {
            let path = if number == 0 { path.clone() } else { format!("{path} [Retry {number}]") };
            results.push((path.clone(), attempt["result"]["value"].as_str().unwrap().to_owned()));
            write_sections(results, if is_step { above } else { &path }, &attempt["sections"]);
        }
    }
}

/// Returns the lines `PATH AETEST -> RILLE` of what differs. Sections that Rille names and did not run are none: aetest's
/// report leaves out what a section is made of that was not run.
fn compared(aetest: &Results, rille: &Results) -> Vec<String> {
    let by_path = |results: &Results| -> BTreeMap<String, String> { results.iter().cloned().collect() };
    let (aetest, rille) = (by_path(aetest), by_path(rille));
    let paths: BTreeSet<&String> = aetest.keys().chain(rille.keys()).collect();
    let differing = paths.into_iter().filter_map(|path| {
        let (theirs, ours) = (aetest.get(path), rille.get(path));
        let is_passed_over =
            theirs.is_none() && ours.is_some_and(|ours| matches!(ours.as_str(), "blocked" | "skipped" | "aborted"));
        let shown = |result: Option<&String>| result.map_or_else(|| "-".to_owned(), String::clone);
        (theirs != ours && !is_passed_over).then(|| format!("{path} {} -> {}", shown(theirs), shown(ours)))
    });
    differing.collect()
}

/// Returns whether a line is one that a difference shows.
fn fits(pattern: &str, line: &str) -> bool {
    let parts: Vec<String> = pattern.split('*').map(regex::escape).collect();
    regex::Regex::new(&format!("^{}$", parts.join(".*"))).unwrap().is_match(line)
}

#[test]
fn testscripts_give_the_results_of_aetest_but_for_what_the_table_says() {
    let differences = differences();
    let known: Vec<&String> = differences.iter().flat_map(|difference| &difference.shown).collect();
    let mut seen: BTreeSet<&String> = BTreeSet::new();
    let mut unknown = String::new();
    let (mut count, pairs) = (0, pairs());
    assert!(pairs.len() >= 20, "{pairs:?}");
    for pair in &pairs {
        for run in recorded(pair) {
            count += run.results.len();
            for line in compared(&run.results, &rille(pair, &run.arguments)) {
                let line = format!("{pair}: {line}");
                let fitting: Vec<&String> = known.iter().copied().filter(|pattern| fits(pattern, &line)).collect();
                if fitting.is_empty() {
                    writeln!(unknown, "{line}  {}", run.arguments.join(" ")).unwrap();
                }
                seen.extend(fitting);
            }
        }
    }
    assert!(unknown.is_empty(), "these differ from aetest, and no row of the table says so:\n{unknown}");
    let stale: Vec<&&String> = known.iter().filter(|pattern| !seen.contains(*pattern)).collect();
    assert!(stale.is_empty(), "the table says of these that they differ, and they do not: {stale:#?}");
    assert!(count > 1000, "{count}");
}

/// Returns the table as the page shows it.
fn table() -> String {
    let mut text = "| What | aetest | Rille | In a script that comes from aetest |\n|---|---|---|---|\n".to_owned();
    for Difference { what, aetest, rille, port, .. } in differences() {
        writeln!(text, "| {what} | {aetest} | {rille} | {port} |").unwrap();
    }
    text
}

#[test]
fn the_page_shows_every_difference() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let expected = table();
    assert!(page.contains(&expected), "the table of {PAGE} is to be:\n{expected}");
}

#[test]
#[ignore = "asks aetest itself more than a thousand times, which takes minutes: RILLE_TEST_AETEST=… cargo test -- --ignored aetest"]
fn the_recorded_results_are_those_of_aetest() {
    let Some(programs) = aetest_programs() else { return };
    for pair in pairs() {
        for run in recorded(&pair) {
            let output = Command::new(programs.join("python"))
                .arg(folder().join(format!("{pair}.py")))
                .args(&run.arguments)
                .env("PYTHONDONTWRITEBYTECODE", "1")
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(reported(&text), run.results, "{pair} {:?}\n{text}", run.arguments);
        }
    }
}

/// Reads the tree of sections at the end of what aetest has printed.
fn reported(text: &str) -> Results {
    let row = regex::Regex::new(r"INFO: ((?:[ |]   )*)[|`]-- (.*?) +([A-Z]+) *$").unwrap();
    let mut path: Vec<String> = Vec::new();
    let mut results = Vec::new();
    for row in text.lines().skip_while(|line| !line.contains("Detailed Results")).filter_map(|line| row.captures(line))
    {
        path.truncate(row[1].len() / 4);
        path.push(row[2].to_owned());
        results.push((path.join("."), row[3].to_lowercase()));
    }
    results
}
