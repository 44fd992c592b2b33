//! The tasks of a run and their sections as a tree, one line each, in columns.

mod sections;

use std::fmt::{self, Write};

use unicode_width::UnicodeWidthStr;

use self::sections::Listing;
use super::duration;
use super::lines::says_the_attempt;
use super::row::Row;
use super::section_tree::{SectionState, SectionTree, is_fault as is_fault_state};
use super::style::{Paint, clean, clean_first_line};
use super::summary::Summary;
use super::tasks::tasks;
use crate::model::Outcome;

/// With more tasks than this, those that are good are not listed; with more lines than this, no good sections.
const LIST_ALL: usize = 40;

/// Lines that a list of tasks that are not good may have.
const MAX_LINES: usize = 500;

/// A name, with the branches before it, longer than this does not widen the column for all.
const MAX_ID_WIDTH: usize = 64;

/// The width of the column of states, unless a longer one occurs.
const MIN_WORD_WIDTH: usize = 8;

/// Characters of a reason that fit a line.
const REASON_CHARS: usize = 200;

/// One line of the tree, its name and its state to be aligned with the others.
struct Line {
    prefix: String,
    name: String,
    word: String,
    outcome: Option<Outcome>,
    time: String,
    remark: String,
}

impl Line {
    /// Returns a line that is a remark on what is not listed.
    fn note(prefix: String, text: impl std::fmt::Display, paint: Paint) -> Self {
        let remark = paint.dim(text).to_string();
        Line { prefix, name: String::new(), word: String::new(), outcome: None, time: String::new(), remark }
    }

    fn is_note(&self) -> bool {
        self.word.is_empty()
    }

    fn width(&self) -> usize {
        self.prefix.width() + self.name.width()
    }
}

/// Writes the name of the run, its tasks and their sections.
pub(super) fn write(out: &mut String, summary: &Summary, still_running: bool, paint: Paint) -> fmt::Result {
    let rows: Vec<&Row> = tasks(summary).collect();
    let all = rows.len() <= LIST_ALL;
    let bad = rows.iter().filter(|row| !row.is_good()).count();
    let shown: Vec<&Row> = rows.iter().copied().filter(|row| all || !row.is_good()).take(MAX_LINES).collect();
    let mut others = Vec::new();
    if !all {
        if summary.counts.good() > 0 {
            others.push(good_ones(summary, bad > 0));
        }
        if bad > shown.len() {
            others.push(format!("{} more did not pass", bad - shown.len()));
        }
    }

    let trees: Vec<Option<SectionTree<'_>>> = shown.iter().map(|row| SectionTree::of(row)).collect();
    let sections: usize = trees.iter().flatten().map(SectionTree::len).sum();
    let listing = Listing { all: sections + shown.len() <= LIST_ALL, still_running, paint };
    let mut lines = Vec::with_capacity(shown.len());
    for (index, (row, tree)) in shown.iter().zip(&trees).enumerate() {
        let last = index + 1 == shown.len() && others.is_empty();
        lines.push(task(row, last, summary.is_complete(), still_running, paint));
        if let Some(tree) = tree.as_ref().filter(|_| lines.len() < MAX_LINES) {
            sections::add(&mut lines, tree, 0, paint.trunk(last), listing);
        }
    }
    for (index, line) in others.iter().enumerate() {
        lines.push(Line::note(paint.branch(index + 1 == others.len()).to_owned(), line, paint));
    }

    writeln!(out, "{}", paint.bold(clean(&summary.name, paint)))?;
    let aligned = || lines.iter().filter(|line| !line.is_note());
    let width = aligned().map(Line::width).max().unwrap_or(0).min(MAX_ID_WIDTH);
    let word_width = aligned().map(|line| line.word.len()).max().unwrap_or(0).max(MIN_WORD_WIDTH);
    lines.iter().try_for_each(|line| show(out, line, width, word_width, paint))
}

fn show(out: &mut String, line: &Line, width: usize, word_width: usize, paint: Paint) -> fmt::Result {
    let Line { prefix, name, word, outcome, time, remark } = line;
    if line.is_note() {
        return writeln!(out, "{prefix}{remark}");
    }
    let padding = width.saturating_sub(line.width());
    let word = format!("{word:<word_width$}");
    let painted = match outcome {
        None => paint.warning(word).to_string(),
        Some(outcome) => paint.outcome(*outcome, word).to_string(),
    };
    let text = format!("{prefix}{name}{:padding$}  {painted} {time:>11}", "");
    if remark.is_empty() { writeln!(out, "{text}") } else { writeln!(out, "{text}  {remark}") }
}

fn task(row: &Row, last: bool, complete: bool, still_running: bool, paint: Paint) -> Line {
    let time = if row.outcome.is_some() && row.attempts > 0 { duration::words(row.seconds) } else { "-".to_owned() };
    Line {
        prefix: paint.branch(last).to_owned(),
        name: clean(row.id(), Paint::default()).into_owned(),
        word: state(row, complete, still_running),
        outcome: row.outcome,
        time,
        remark: remark(row, complete, still_running, paint),
    }
}

/// Returns the word for how a task ended, or that it has not.
pub(super) fn state(row: &Row, complete: bool, still_running: bool) -> String {
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

/// Returns what is told of a task beside how it ended: the first line of its reason, and its attempts.
pub(super) fn remark(row: &Row, complete: bool, still_running: bool, paint: Paint) -> String {
    let mut parts = Vec::new();
    if row.prepares() {
        parts.push("prepares others".to_owned());
    }
    if let Some(until) = row.quarantine() {
        parts.push(format!("in quarantine until {}", clean_first_line(until, REASON_CHARS, paint)));
    }
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

/// Returns whether the tree has a line for each task that is not good and no other.
pub(super) fn has_nothing_good(summary: &Summary) -> bool {
    let rows = summary.rows();
    rows.len() <= LIST_ALL && rows.iter().all(|row| !row.is_good() && SectionTree::of(row).is_none())
}

/// Returns whether a task is one to look at: it failed, errored, was aborted or has no end.
pub(super) fn is_fault(row: &Row) -> bool {
    row.outcome.is_none_or(|outcome| is_fault_state(SectionState::Ended(outcome)))
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
