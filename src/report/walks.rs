//! Walks in a run: what reports say of them beside the sections of their workers.

use std::fmt::{self, Write};

use super::style::{Paint, clean, clean_first_line};
use super::summary::Summary;
use crate::model::{EventKind, WalkCoverage, WalkEnd, WalkFailed, WalkShrunk, WalksEnd, WalksStarted};

/// Characters of a message that are told.
const CHARS: usize = 200;

/// Walks that did not pass that are kept; of more, the first.
const KEPT: usize = 1000;

/// The walks of one suite.
#[derive(Debug)]
pub(crate) struct Suite {
    /// What was known before.
    pub(crate) started: Box<WalksStarted>,
    /// Walks that did not pass, in the order of their ids in the end; of very many, those that came first.
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
                // They came as their workers ran them, which is never twice the same.
                suite.failed.sort_by_key(|walk| walk.id);
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

/// Walks that did not pass that are told at the end.
const TOLD: usize = 20;

/// Combinations that did not run which are told one by one.
const GAPS: usize = 5;

/// Writes the last words on walks: those that failed, what they share, and what is left of them.
pub(super) fn write(out: &mut String, summary: &Summary, paint: Paint) -> fmt::Result {
    for suite in &summary.walks {
        let Some(end) = &suite.end else { continue };
        let of = if summary.walks.len() > 1 { format!("Walks {}: ", suite.started.suite) } else { String::new() };
        writeln!(out, "\n{of}{}", clean(&status(end), paint))?;
        if let Some(seed) = suite.started.seed {
            writeln!(out, "    seed {seed}")?;
        }
        if let Some((words, message)) = &suite.serial_failed {
            writeln!(out, "    {} failed: {}", clean(words, paint), clean_first_line(message, CHARS, paint))?;
        }
        let failed = || suite.failed.iter().filter(|walk| walk.end == WalkEnd::Failed);
        for walk in failed().take(TOLD) {
            let message = walk.error.as_ref().map_or("", |error| error.message.as_str());
            let words = clean(&walk.walk, paint);
            writeln!(out, "    walk {} failed: {words}: {}", walk.id, clean_first_line(message, CHARS, paint))?;
        }
        if suite.failures > TOLD as u64 {
            writeln!(out, "    and {} more", suite.failures - TOLD as u64)?;
        }
        for cause in &end.causes {
            let passed = match cause.passed {
                0 => String::new(),
                passed => format!(" and {passed} that passed"),
            };
            let (options, failures) = (clean(&cause.options, paint), suite.failures);
            writeln!(out, "    {options}: in {} of {failures} failing walks{passed}", cause.failed)?;
        }
        write_shrunk(out, &end.shrunk, paint)?;
        if end.shrunk.iter().any(|walk| walk.error.is_some()) {
            let number = suite.started.suite;
            writeln!(
                out,
                "    to run what is left again: rille replay RUN --shrunk (walks-{number}/shrunk.trace in the run directory)"
            )?;
        }
        for (strength, counts) in &end.coverage {
            let WalkCoverage { total, passed, failed, not_run, impossible, gaps } = counts;
            let what = match strength.as_str() {
                "1" => "options".to_owned(),
                strength => format!("combinations of the options of {strength} actions"),
            };
            write!(out, "    {total} {what}: {passed} passed, {failed} failed")?;
            if *not_run > 0 {
                write!(out, ", {not_run} not run")?;
            }
            if *impossible > 0 {
                write!(out, "; {impossible} more are impossible")?;
            }
            writeln!(out)?;
            for gap in gaps.iter().take(GAPS) {
                writeln!(out, "        not run: {}", clean(gap, paint))?;
            }
            if *not_run > GAPS as u64 && !gaps.is_empty() {
                writeln!(out, "        and {} more", not_run - GAPS as u64)?;
            }
        }
        if suite.failures > 0 {
            writeln!(out, "    all of them: walks-{}/failed.trace in the run directory", suite.started.suite)?;
        }
    }
    Ok(())
}

/// Writes what is left of walks that were made short, one for each way of failing.
fn write_shrunk(out: &mut String, shrunk: &[WalkShrunk], paint: Paint) -> fmt::Result {
    for walk in shrunk {
        let ids: Vec<String> = std::iter::once(&walk.id).chain(&walk.alike).map(u64::to_string).collect();
        let others = match walk.walks.saturating_sub(ids.len() as u64) {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        let walks = format!("walk{} {}{others}", if walk.walks > 1 { "s" } else { "" }, ids.join(", "));
        let left = clean(&walk.walk, paint);
        match (&walk.error, walk.is_flaky) {
            (Some(_), false) => writeln!(out, "    the shortest to fail like {walks}: {left}")?,
            (Some(_), true) => writeln!(out, "    {walks}: flaky: {left} failed, then passed when it was run again")?,
            (None, _) => writeln!(out, "    {walks}: flaky: walk {} did not fail so when it was run again", walk.id)?,
        }
    }
    Ok(())
}
