//! `rille test --bisect`: finds the fewest earlier tests after which a test fails. Each try is a run of its own, whose home
//! is thrown away.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::Failure;
use super::output::{one_line, write_out};
use crate::job;
use crate::model::{Runnable, exit_code, nearest};
use crate::testing::Test;
use crate::walk::shrink::{Shrink, Step};

/// How many runs are made at most.
const MOST_TRIES: usize = 1000;

/// The statuses with which a test has failed.
const BAD: [&str; 3] = ["FAIL", "ERROR", "INTERRUPTED"];

/// Finds the tests and returns the exit code: 1 if the test fails, by itself or after others, else 0. `options` are those
/// that every try is run with.
pub(super) fn main(tests: &[Test], name: &str, options: &[String]) -> Result<i32, Failure> {
    let place = place_of(tests, name)?;
    let (before, target) = (&tests[..place], &tests[place]);
    let name = one_line(&target.id.without_number());
    let mut tries = Tries { count: 0, options, signal: heed_signals()? };
    if tries.fails(&[], target)? {
        write_out(&format!("{name} fails by itself.\n"))?;
        return Ok(exit_code::FAILED);
    }
    let all: Vec<&Test> = before.iter().collect();
    if all.is_empty() || !tries.fails(&all, target)? {
        write_out(&format!("{name} passes by itself, and after the {} before it.\n", counted(all.len())))?;
        return Ok(0);
    }
    let step = |rule| Step { rule, option: 0, may_go: true, may_change: false };
    let mut shrink = Shrink::new((0..before.len()).map(step).collect(), MOST_TRIES);
    while let Some(candidate) = shrink.next() {
        let subset: Vec<&Test> = candidate.iter().map(|step| &before[step.rule]).collect();
        // With none before it the test was run first of all.
        let fails = !subset.is_empty() && tries.fails(&subset, target)?;
        shrink.answer(fails);
    }
    let found: Vec<&Test> = shrink.best().iter().map(|step| &before[step.rule]).collect();
    let mut text = format!("{name} passes by itself, and fails after {}:\n", counted(found.len()));
    for test in &found {
        text.extend(["    ", &one_line(&test.id.without_number()), "\n"]);
    }
    if shrink.tries() >= MOST_TRIES {
        text.push_str("There may be fewer: the search was ended.\n");
    }
    write_out(&text)?;
    Ok(exit_code::FAILED)
}

/// Returns where the test of this name is, the last one if it is there several times.
fn place_of(tests: &[Test], name: &str) -> Result<usize, Failure> {
    let names: Vec<String> = tests.iter().map(|test| test.id.without_number()).collect();
    let is_it = |(test, known): (&Test, &String)| known == name || test.id.to_string() == name;
    tests.iter().zip(&names).rposition(is_it).ok_or_else(|| {
        let failure = Failure::usage(format!("--bisect: there is no test '{name}' among the {}", counted(tests.len())));
        match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => failure.hint(format!("did you mean '{near}'?")),
            None => failure.hint("'rille list' with the same references shows the names."),
        }
    })
}

fn counted(count: usize) -> String {
    format!("{count} {}", if count == 1 { "test" } else { "tests" })
}

/// The runs that are made.
struct Tries<'a> {
    count: usize,
    options: &'a [String],
    /// The signal by which this process was asked to stop; 0 while none has come.
    signal: Arc<AtomicUsize>,
}

/// Takes note of the signals that ask this process to stop, so that the run that is under way is ended first.
fn heed_signals() -> Result<Arc<AtomicUsize>, Failure> {
    let signal = Arc::new(AtomicUsize::new(0));
    for number in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let place = Arc::clone(&signal);
        let value = usize::try_from(number).unwrap_or_default();
        signal_hook::flag::register_usize(number, place, value)
            .map_err(|error| Failure::general(format!("--bisect: {error}")))?;
    }
    Ok(signal)
}

impl Tries<'_> {
    /// Runs tests one after the other and returns whether the last one fails.
    fn fails(&mut self, before: &[&Test], target: &Test) -> Result<bool, Failure> {
        self.count += 1;
        eprintln!("try {}: after {}", self.count, counted(before.len()));
        let wrong = |what: String| Failure::general(format!("--bisect: {what}"));
        let folder = tempfile::tempdir().map_err(|error| wrong(format!("cannot make a folder: {error}")))?;
        let list = folder.path().join("tests.json");
        let recipes: Vec<Value> = before.iter().chain([&target]).map(|test| recipe(test)).collect();
        let text = serde_json::to_vec(&recipes).unwrap_or_default();
        fs::write(&list, text).map_err(|error| wrong(format!("cannot write {}: {error}", list.display())))?;
        let home = folder.path().join("home");
        let words = ["--home".to_owned(), shown(&home), "test".to_owned(), shown(&list)];
        let own = ["--jobs=1", "--disable-sysinfo", "-qq"].map(str::to_owned);
        let words: Vec<String> = words.into_iter().chain(own).chain(self.options.iter().cloned()).collect();
        let signal = || self.signal.load(Ordering::SeqCst);
        let ran = job::run_again(&words, &|| signal() != 0);
        if signal() != 0 {
            eprintln!("stopped after {} tries", self.count);
            std::process::exit(128 + i32::try_from(signal()).unwrap_or_default());
        }
        ran.map_err(|error| wrong(error.to_string()))?;
        let results = home.join("latest/results.json");
        let results = fs::read(&results).map_err(|error| wrong(format!("the try has left no results: {error}")))?;
        let results: Value = serde_json::from_slice(&results).map_err(|error| wrong(error.to_string()))?;
        let tests = results["tests"].as_array().map(Vec::as_slice).unwrap_or_default();
        let own = tests.iter().find(|test| test["id"].as_str().is_some_and(|id| is_number(id, recipes.len())));
        let status = own.and_then(|test| test["status"].as_str());
        let status = status.ok_or_else(|| wrong("the try has not run the test".to_owned()))?;
        Ok(BAD.contains(&status))
    }
}

/// Returns whether an id has this number.
fn is_number(id: &str, number: usize) -> bool {
    id.split_once('-').is_some_and(|(digits, _)| digits.parse() == Ok(number))
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Returns a test as a recipe, under the name that it has.
fn recipe(test: &Test) -> Value {
    Value::from(Runnable { identifier: Some(test.id.name.clone()), ..test.runnable.clone() })
}
