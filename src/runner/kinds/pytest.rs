//! The kind `pytest`: items of pytest, run by the Python interpreter on the `PATH`. One by itself, or those of a session.
//!
//! An item that ends its process, or takes too long, ends no other: those after it are run by a fresh process.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use serde::Deserialize;
use serde_json::json;

use super::{Work, interrupted, plain};
use crate::engine::{ProgramEnd, run_program};
use crate::job::PYTEST_MAIN;
use crate::model::{Blob, ENOUGH, Finished, ItemReport, Outcome, SESSION, SessionOrder, TestStatus, python_text_of};
use crate::runner::relay::{Relay, Streams};

/// What Python tells.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Told {
    Started {
        item: usize,
        #[serde(default)]
        pid: i32,
    },
    Finished {
        item: usize,
        result: TestStatus,
        reason: Option<String>,
        seconds: f64,
        #[serde(default)]
        stdout: String,
        #[serde(default)]
        stderr: String,
        #[serde(default)]
        traceback: Option<String>,
    },
    Missing {
        python: String,
        reason: String,
    },
    Over {
        code: i32,
    },
}

/// Items that are to be run, and who hears of them.
struct Batch<'a> {
    uris: &'a [String],
    /// Arguments for pytest beside them.
    args: &'a [Blob],
    limit: Option<f64>,
    hear: &'a mut dyn FnMut(usize, ItemReport),
    /// Tells whether another item may start; without it each may.
    goes_on: Option<&'a dyn Fn() -> bool>,
}

/// How far one process has come.
#[derive(Default)]
struct Progress {
    ended: BTreeSet<usize>,
    running: Option<(usize, Instant)>,
    pid: i32,
    problem: Option<String>,
    code: Option<i32>,
}

/// Runs the item, or the session.
pub(super) fn run(work: &mut Work<'_>) -> Finished {
    match work.parameter(SESSION).map(str::to_owned) {
        Some(path) => session(work, Path::new(&path)),
        None => single(work),
    }
}

fn single(work: &mut Work<'_>) -> Finished {
    let Some(uri) = work.runnable.uri.clone() else {
        return Finished::because(TestStatus::Error, "there is no uri; it is FILE.py::TEST, as pytest names it");
    };
    let args = work.runnable.args.clone();
    let mut report = None;
    let mut hear = |_, item| report = Some(item);
    let ended = run_batch(work, Batch { uris: &[uri], args: &args, limit: None, hear: &mut hear, goes_on: None });
    match (ended, report) {
        (Err(stopped), _) => stopped,
        (Ok(()), Some(ItemReport { status, reason, traceback, .. })) => {
            Finished { fail_reason: reason, traceback, ..Finished::new(status) }
        }
        (Ok(()), None) => Finished::because(TestStatus::Error, "pytest did not say how it ended"),
    }
}

fn session(work: &mut Work<'_>, path: &Path) -> Finished {
    let error = |what: String| Finished::because(TestStatus::Error, what);
    let order = fs::read(path).and_then(|text| Ok(serde_json::from_slice(&text)?));
    let SessionOrder { items, limit, max_failures, report } = match order {
        Ok(order) => order,
        Err(problem) => return error(format!("the order of the session cannot be read: {problem}")),
    };
    let mut pipe = match OpenOptions::new().write(true).open(&report) {
        Ok(pipe) => pipe,
        Err(problem) => return error(format!("nobody hears the session: {problem}")),
    };
    let uris: Vec<String> = items.iter().map(|(_, uri)| uri.clone()).collect();
    let mut lost = None;
    let failures = Cell::new(0);
    let mut hear = |index: usize, mut item: ItemReport| {
        let is_bad = matches!(item.status.outcome(), Outcome::Failed | Outcome::Errored | Outcome::Aborted);
        failures.set(failures.get() + u32::from(is_bad));
        item.task = items[index].0;
        let mut line = serde_json::to_vec(&item).unwrap_or_default();
        line.push(b'\n');
        if let Err(problem) = pipe.write_all(&line) {
            lost.get_or_insert(problem);
        }
    };
    let enough = path.with_extension(ENOUGH);
    let goes_on = || max_failures.is_some_and(|most| failures.get() < most) && !enough.exists();
    let ended = run_batch(
        work,
        Batch { uris: &uris, args: &[], limit, hear: &mut hear, goes_on: max_failures.is_some().then_some(&goes_on) },
    );
    match (ended, lost) {
        (Err(stopped), _) => stopped,
        (Ok(()), Some(problem)) => error(format!("nobody hears the session any more: {problem}")),
        (Ok(()), None) => Finished::new(TestStatus::Pass),
    }
}

/// Runs items until each has an end. The error is that the runner was asked to stop.
fn run_batch(work: &mut Work<'_>, mut batch: Batch<'_>) -> Result<(), Finished> {
    let mut left: Vec<usize> = (0..batch.uris.len()).collect();
    while !left.is_empty() {
        let (progress, end) = run_process(work, &mut batch, &left);
        let Progress { mut ended, running, pid, problem, code } = progress;
        let say = |status, reason: String, seconds, is_late| ItemReport {
            task: 0,
            pid,
            status,
            reason: Some(reason),
            seconds,
            stdout: String::new(),
            stderr: String::new(),
            traceback: None,
            is_late,
        };
        if let Some((item, since)) = running {
            let seconds = since.elapsed().as_secs_f64();
            let limit = batch.limit.filter(|limit| seconds >= *limit);
            let report = match (&end, limit) {
                (Ok(ProgramEnd::Stopped(signal)), _) => {
                    let reason = interrupted(*signal).fail_reason.unwrap_or_default();
                    say(TestStatus::Interrupted, reason, seconds, false)
                }
                (_, Some(limit)) => {
                    let reason = format!("exceeded its max_runtime of {limit} s and was ended");
                    say(TestStatus::Interrupted, reason, seconds, true)
                }
                (Ok(ProgramEnd::Exited(exit)), None) => {
                    say(TestStatus::Error, format!("its process ended with {exit} while it ran"), seconds, false)
                }
                (Ok(ProgramEnd::TimedOut), None) => {
                    say(TestStatus::Error, "it took too long".to_owned(), seconds, false)
                }
                (Err(failed), None) => say(TestStatus::Error, failed.to_string(), seconds, false),
            };
            (batch.hear)(position(&left, item), report);
            ended.insert(item);
        }
        if let Ok(ProgramEnd::Stopped(signal)) = end {
            return Err(interrupted(signal));
        }
        if ended.is_empty() {
            let reason = match (problem, end, code) {
                (Some(problem), ..) => problem,
                (None, Err(failed), _) => failed.to_string(),
                (None, Ok(_), Some(0 | 1 | 5)) => "pytest finds no such test".to_owned(),
                (None, Ok(_), Some(code)) => format!("pytest ended with code {code} before it ran the test"),
                (None, Ok(ProgramEnd::Exited(exit)), None) => {
                    format!("Python ended with {exit} before it ran the test")
                }
                (None, Ok(_), None) => "Python ended before it ran the test".to_owned(),
            };
            for item in left {
                (batch.hear)(item, say(TestStatus::Error, reason.clone(), 0.0, false));
            }
            return Ok(());
        }
        if batch.goes_on.is_some_and(|goes_on| !goes_on()) {
            return Ok(());
        }
        let ended: BTreeSet<usize> = ended.into_iter().map(|item| position(&left, item)).collect();
        left.retain(|item| !ended.contains(item));
    }
    Ok(())
}

/// Returns which item of the batch is the one with this place among those of a process.
fn position(left: &[usize], place: usize) -> usize {
    left.get(place).copied().unwrap_or(usize::MAX)
}

/// There is no interpreter to be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot run python3: {}", plain(.0))]
struct NoPython(#[source] io::Error);

/// Runs one process with the items that are left.
fn run_process(work: &mut Work<'_>, batch: &mut Batch<'_>, left: &[usize]) -> (Progress, Result<ProgramEnd, NoPython>) {
    let uris: Vec<&str> = left.iter().map(|item| batch.uris[*item].as_str()).collect();
    let mut args = batch.args.to_vec();
    for uri in &uris {
        let file = uri.split_once("::").map_or(*uri, |(file, _)| file);
        let file = Blob::from(file);
        if !args.contains(&file) {
            args.push(file);
        }
    }
    let mut order =
        json!({ "mode": "run", "args": args, "items": uris, "limit": batch.limit, "asks": batch.goes_on.is_some() })
            .to_string()
            .into_bytes();
    order.push(b'\n');
    let mut program = Work::program("python3", &["-c", PYTEST_MAIN]);
    program.order = Some(order);
    program.environment.push(("PYTHONUNBUFFERED".into(), Some("1".into())));
    for (name, value) in work.runnable.variant_parameters() {
        if !name.is_empty() && !name.contains(['=', '\0']) {
            program.environment.push((name.into(), Some(python_text_of(&value).into())));
        }
    }
    let mut progress = Progress::default();
    let stop = Rc::clone(&work.stop);
    let (hear, goes_on) = (&mut *batch.hear, batch.goes_on);
    let streams = Streams::new(work.reporter, None, false);
    let mut relay = Relay::new(streams).with_lines(Box::new(|_, line| {
        if let Some((item, report)) = progress.take(line) {
            hear(position(left, item), report);
            return goes_on.map(|goes_on| if goes_on() { "go\n" } else { "stop\n" }.into());
        }
        None
    }));
    let end = run_program(&program, &stop, &mut relay);
    relay.into_parts().0.flush();
    (progress, end.map_err(NoPython))
}

impl Progress {
    /// Takes a line that Python has sent; returns the item that has ended, by its place, and how.
    fn take(&mut self, line: &[u8]) -> Option<(usize, ItemReport)> {
        let told: Told = match serde_json::from_slice(line) {
            Ok(told) => told,
            Err(error) => {
                self.problem.get_or_insert(format!("what pytest told cannot be read: {error}"));
                return None;
            }
        };
        match told {
            Told::Started { item, pid } => {
                self.running = Some((item, Instant::now()));
                self.pid = pid;
            }
            Told::Finished { item, result: status, reason, seconds, stdout, stderr, traceback } => {
                self.running = None;
                self.ended.insert(item);
                let pid = self.pid;
                let report =
                    ItemReport { task: 0, pid, status, reason, seconds, stdout, stderr, traceback, is_late: false };
                return Some((item, report));
            }
            Told::Missing { python, reason } => {
                self.problem = Some(format!("{python}, which is python3 here, has no pytest ({reason})"));
            }
            Told::Over { code } => self.code = Some(code),
        }
        None
    }
}
