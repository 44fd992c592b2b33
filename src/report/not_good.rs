//! The list of what was not good, right before the result: whoever looks at the end of a long console sees what to look at.

use std::fmt::{self, Write};

use super::lines::label;
use super::row::Row;
use super::section_tree::SectionTree;
use super::style::{Paint, clean, clean_first_line};
use super::summary::Summary;
use super::tasks::tasks;
use super::tree;

/// Lines that the list may have.
const MAX_LINES: usize = 100;

/// Sections of one task that are listed below it.
const MAX_SECTIONS: usize = 10;

/// Characters of a reason that fit a line.
const REASON_CHARS: usize = 300;

/// Writes a line for each task that is not good, and for the sections where its faults lie. While the run goes on, what has
/// not ended is not in it.
pub(super) fn write(out: &mut String, summary: &Summary, still_running: bool, paint: Paint) -> fmt::Result {
    let is_listed = |row: &&Row| !row.is_good() && (row.outcome.is_some() || !still_running);
    let all: Vec<&Row> = tasks(summary).filter(is_listed).collect();
    if all.is_empty() {
        return Ok(());
    }
    // What was only kept from running is left out first.
    let (shown, left_out): (Vec<&Row>, Vec<&Row>) = match all.len() <= MAX_LINES {
        true => (all, Vec::new()),
        false => {
            let (faults, others): (Vec<&Row>, Vec<&Row>) = all.into_iter().partition(|row| tree::is_fault(row));
            let mut order = faults.into_iter().chain(others);
            (order.by_ref().take(MAX_LINES).collect(), order.collect())
        }
    };
    writeln!(out)?;
    if !left_out.is_empty() {
        writeln!(out, "{}", paint.dim(format_args!("{} {} more did not pass", paint.ellipsis(), left_out.len())))?;
    }
    let mut room = MAX_LINES - shown.len();
    for row in shown {
        task(out, row, summary, still_running, paint)?;
        sections(out, row, &mut room, paint)?;
    }
    Ok(())
}

fn task(out: &mut String, row: &Row, summary: &Summary, still_running: bool, paint: Paint) -> fmt::Result {
    let word = tree::state(row, summary.is_complete(), still_running);
    let time = if row.outcome.is_some() && row.attempts > 0 { format!("{:.3}s", row.seconds) } else { "-".to_owned() };
    match row.outcome {
        Some(outcome) => label(out, paint.outcome(outcome, &word), &word, &time)?,
        None => label(out, paint.warning(&word), &word, &time)?,
    }
    write!(out, "{}", clean(row.id(), paint))?;
    match tree::remark(row, summary.is_complete(), still_running, paint) {
        remark if remark.is_empty() => writeln!(out),
        remark => writeln!(out, ": {remark}"),
    }
}

/// Writes a line for each section of a task where a fault lies.
fn sections(out: &mut String, row: &Row, room: &mut usize, paint: Paint) -> fmt::Result {
    let Some(tree) = SectionTree::of(row) else { return Ok(()) };
    let faults = tree.parts(0).iter().flat_map(|part| tree.faults(*part));
    let faults: Vec<_> = faults.filter(|number| tree.reason(*number).is_some()).collect();
    let shown = faults.len().min(MAX_SECTIONS).min(*room);
    *room -= shown;
    for &number in &faults[..shown] {
        let (section, state) = (tree.get(number), tree.state(number));
        let Some(outcome) = state.outcome() else { continue };
        let word = outcome.name().to_uppercase();
        let time = if section.outcome.is_some() { format!("{:.3}s", section.seconds) } else { "-".to_owned() };
        label(out, paint.outcome(outcome, &word), &word, &time)?;
        let reason = tree.reason(number).unwrap_or_default();
        let reason = clean_first_line(&reason, REASON_CHARS, paint);
        writeln!(out, "{} {}: {reason}", clean(row.id(), paint), clean(&tree.full_id(number), paint))?;
    }
    match faults.len() - shown {
        0 => Ok(()),
        more => writeln!(out, "{:22}{} {more} more in {}", "", paint.ellipsis(), clean(row.id(), paint)),
    }
}
