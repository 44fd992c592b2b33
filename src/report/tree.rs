//! The tasks of a run as a tree, one line each, in columns.

use std::fmt::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::duration;
use super::lines::says_the_attempt;
use super::row::Row;
use super::style::{Paint, clean, clean_first_line};
use super::summary::Summary;
use crate::model::Outcome;

/// With more tasks than this, those that are good are not listed.
const LIST_ALL: usize = 200;

/// Lines that a list of tasks that are not good may have.
const MAX_LINES: usize = 500;

/// An id longer than this does not widen the column for all.
const MAX_ID_WIDTH: usize = 60;

/// Characters of a reason that fit a line.
const REASON_CHARS: usize = 200;

/// Writes the name of the run and its tasks.
pub(super) fn write(out: &mut String, summary: &Summary, still_running: bool, paint: Paint) -> fmt::Result {
    let rows = summary.rows();
    let all = rows.len() <= LIST_ALL;
    let shown: Vec<&Row> = rows.iter().filter(|row| all || !row.is_good()).take(MAX_LINES).collect();
    let bad = rows.iter().filter(|row| !row.is_good()).count();
    let mut others = Vec::new();
    if !all {
        if summary.counts.good() > 0 {
            others.push(good_ones(summary, bad > 0));
        }
        if bad > shown.len() {
            others.push(format!("{} more did not pass", bad - shown.len()));
        }
    }

    writeln!(out, "{}", paint.bold(clean(&summary.name, paint)))?;
    let width = shown.iter().map(|row| clean(row.id(), Paint::default()).width()).max().unwrap_or(0).min(MAX_ID_WIDTH);
    for (index, row) in shown.iter().enumerate() {
        let last = index + 1 == shown.len() && others.is_empty();
        task(out, row, last, width, summary.is_complete(), still_running, paint)?;
    }
    for (index, line) in others.iter().enumerate() {
        writeln!(out, "{} {}", branch(index + 1 == others.len()), paint.dim(line))?;
    }
    Ok(())
}

fn task(
    out: &mut String,
    row: &Row,
    last: bool,
    width: usize,
    complete: bool,
    still_running: bool,
    paint: Paint,
) -> fmt::Result {
    let id = clean(row.id(), Paint::default());
    let padding = width.saturating_sub(id.width());
    let word = state(row, complete, still_running);
    let painted = row.outcome.map_or_else(
        || paint.warning(format_args!("{word:<8}")).to_string(),
        |outcome| paint.outcome(outcome, format_args!("{word:<8}")).to_string(),
    );
    let time = if row.outcome.is_some() && row.attempts > 0 { duration::words(row.seconds) } else { "-".to_owned() };
    let line = format!("{} {id}{:padding$}  {painted} {time:>11}", branch(last), "");
    let remark = remark(row, complete, still_running, paint);
    if remark.is_empty() { writeln!(out, "{line}") } else { writeln!(out, "{line}  {remark}") }
}

/// Returns the word for how a task ended, or that it has not.
fn state(row: &Row, complete: bool, still_running: bool) -> String {
    match row.outcome {
        Some(outcome) => outcome.name().to_uppercase(),
        None if row.running && still_running => "RUNNING".to_owned(),
        None if row.attempts == 0 && still_running => "QUEUED".to_owned(),
        None if row.attempts == 0 => "NOT RUN".to_owned(),
        None if still_running => "WAITING".to_owned(),
        None if complete => "NO END".to_owned(),
        None => "LOST".to_owned(),
    }
}

fn remark(row: &Row, complete: bool, still_running: bool, paint: Paint) -> String {
    let mut parts = Vec::new();
    let is_said = row.reason().is_some_and(says_the_attempt);
    if row.is_flaky() && !is_said {
        parts.push(format!("passed at attempt {} of {}", row.attempts, row.max_attempts.max(row.attempts)));
    } else if row.attempts > 1 && !is_said {
        parts.push(format!("{} attempts", row.attempts));
    }
    if let Some(reason) = row.reason() {
        parts.push(clean_first_line(reason, REASON_CHARS, paint).into_owned());
    } else if let Some(exit) = row.exit.filter(|exit| !exit.is_success()) {
        parts.push(exit.to_string());
    } else if row.outcome.is_none() && row.attempts > 0 && !complete && !still_running {
        parts.push("its host ended before it did".to_owned());
    }
    match row.killed_leftovers() {
        0 => {}
        1 => parts.push("1 leftover process killed".to_owned()),
        n => parts.push(format!("{n} leftover processes killed")),
    }
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}

fn good_ones(summary: &Summary, after_others: bool) -> String {
    let passed = summary.counts.of(Outcome::Passed) + summary.counts.of(Outcome::Passx);
    let skipped = summary.counts.of(Outcome::Skipped);
    let others = if after_others { " others" } else { "" };
    match (passed, skipped) {
        (passed, 0) => format!("{passed}{others} passed"),
        (0, skipped) => format!("{skipped}{others} were skipped"),
        (passed, skipped) => format!("{passed}{others} passed, {skipped} were skipped"),
    }
}

const fn branch(last: bool) -> &'static str {
    if last { "└──" } else { "├──" }
}
