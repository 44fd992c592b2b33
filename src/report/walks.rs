//! Walks in a run: what reports say of them beside the sections of their workers.

use std::fmt::Write;

use crate::model::{EventKind, WalkEnd, WalkFailed, WalksEnd, WalksStarted};

/// Walks that did not pass that are kept; of more, the first.
const KEPT: usize = 1000;

/// The walks of one suite.
#[derive(Debug)]
pub(crate) struct Suite {
    /// What was known before.
    pub(crate) started: Box<WalksStarted>,
    /// Walks that did not pass, as they came; of very many, the first.
    pub(crate) failed: Vec<WalkFailed>,
    /// How many others did not pass.
    pub(crate) failed_left_out: u64,
    /// How many walks have failed by now.
    pub(crate) failures: u64,
    /// The serial action that failed, with its message.
    pub(crate) serial_failed: Option<(String, String)>,
    /// How it ended; `None` as long as it has not.
    pub(crate) end: Option<Box<WalksEnd>>,
}

/// Takes in an event.
pub(super) fn apply(suites: &mut Vec<Suite>, event: &EventKind) {
    match event {
        EventKind::WalksStarted(started) => {
            let (failed, started) = (Vec::new(), started.clone());
            let suite = Suite { started, failed, failed_left_out: 0, failures: 0, serial_failed: None, end: None };
            suites.push(suite);
        }
        EventKind::WalksRan(ran) => {
            let Some(suite) = find(suites, ran.suite) else { return };
            for walk in &ran.ended {
                suite.failures += u64::from(walk.end == WalkEnd::Failed);
                match suite.failed.len() < KEPT {
                    true => suite.failed.push(walk.clone()),
                    false => suite.failed_left_out += 1,
                }
            }
        }
        EventKind::SerialRan(ran) => {
            if let (Some(suite), Some(error)) = (find(suites, ran.suite), &ran.error) {
                suite.serial_failed = Some((ran.words.clone(), error.message.clone()));
            }
        }
        EventKind::WalksFinished(finished) => {
            if let Some(suite) = find(suites, finished.suite) {
                suite.end = Some(Box::new(finished.end.clone()));
            }
        }
        _ => {}
    }
}

fn find(suites: &mut [Suite], number: u32) -> Option<&mut Suite> {
    suites.iter_mut().rev().find(|suite| suite.started.suite == number)
}

/// Returns the status line: `Ran 9 walks (0 errors) in 0.02s`.
pub(super) fn status(end: &WalksEnd) -> String {
    let plural = |count: u64, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let mut text =
        format!("Ran {} ({}) in {:.2}s", plural(end.walk_count, "walk"), plural(end.failed, "error"), end.seconds);
    if end.cancelled > 0 {
        // Writing to a String cannot fail.
        let _ = write!(text, ", {} cancelled", end.cancelled);
    }
    if let Some(stopped) = &end.stopped {
        let not_run =
            end.not_run.map_or_else(|| "the others were not run".to_owned(), |count| format!("{count} were not run"));
        let _ = write!(text, "; {not_run}: {stopped}");
    }
    text
}
