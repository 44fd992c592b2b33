//! The sections of a task as lines of the tree.

use super::{Line, MAX_LINES};
use crate::model::{Outcome, SectionKind, SectionNumber};
use crate::report::duration;
use crate::report::lines::says_the_attempt;
use crate::report::section_tree::{SectionState, SectionTree};
use crate::report::style::{Paint, clean, clean_first_line};

/// How sections are listed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing {
    /// Those that are good too; steps only ever where they are not.
    pub(super) all: bool,
    /// The host of the run is alive.
    pub(super) still_running: bool,
    /// How it looks.
    pub(super) paint: Paint,
}

/// Adds the parts of a section, or with 0 of the testscript, behind `prefix`.
pub(super) fn add(lines: &mut Vec<Line>, tree: &SectionTree<'_>, of: SectionNumber, prefix: &str, listing: Listing) {
    let is_shown = |number: &SectionNumber| {
        let good = tree.state(*number).is_good();
        !good || (listing.all && tree.get(*number).kind != SectionKind::Step)
    };
    let (shown, hidden): (Vec<SectionNumber>, Vec<SectionNumber>) = tree.parts(of).iter().copied().partition(is_shown);
    if shown.is_empty() {
        return;
    }
    let is_step = |number: &SectionNumber| tree.get(*number).kind == SectionKind::Step;
    let mut others = good_ones(tree, hidden.iter().copied().filter(|number| !(listing.all && is_step(number))));
    for (index, &number) in shown.iter().enumerate() {
        if lines.len() >= MAX_LINES {
            others.push(format!("{} more are not shown", shown.len() - index));
            break;
        }
        let last = index + 1 == shown.len() && others.is_empty();
        lines.push(line(tree, number, &format!("{prefix}{}", listing.paint.branch(last)), listing));
        add(lines, tree, number, &format!("{prefix}{}", listing.paint.trunk(last)), listing);
    }
    for (index, text) in others.iter().enumerate() {
        lines.push(Line::note(
            format!("{prefix}{}", listing.paint.branch(index + 1 == others.len())),
            text,
            listing.paint,
        ));
    }
}

fn line(tree: &SectionTree<'_>, number: SectionNumber, prefix: &str, listing: Listing) -> Line {
    let (section, state) = (tree.get(number), tree.state(number));
    let word = match state {
        SectionState::Ended(outcome) => outcome.name().to_uppercase(),
        SectionState::Open if listing.still_running => "RUNNING".to_owned(),
        SectionState::Open => "LOST".to_owned(),
        SectionState::NotReached => "NOT REACHED".to_owned(),
    };
    // What was cut off has taken nobody knows how long.
    let is_timed = section.started.is_some() && section.outcome.is_some();
    let time = if is_timed { duration::words(section.seconds) } else { "-".to_owned() };
    let reason = tree.reason(number);
    let mut remark = reason
        .map(|reason| clean_first_line(&reason, super::REASON_CHARS, listing.paint).into_owned())
        .unwrap_or_default();
    if section.attempt() > 1 && !says_the_attempt(&remark) {
        let colon = if remark.is_empty() { "" } else { ": " };
        remark = format!("attempt {} of {}{colon}{remark}", section.attempt(), section.max_attempts());
    }
    Line {
        prefix: prefix.to_owned(),
        name: clean(section.uid(), Paint::default()).into_owned(),
        word,
        outcome: state.outcome(),
        time,
        remark,
    }
}

/// Returns what is told of sections that are not listed.
fn good_ones(tree: &SectionTree<'_>, hidden: impl Iterator<Item = SectionNumber>) -> Vec<String> {
    let (mut passed, mut skipped) = (0, 0);
    for number in hidden {
        match tree.state(number) {
            SectionState::Ended(Outcome::Skipped) => skipped += 1,
            _ => passed += 1,
        }
    }
    match (passed, skipped) {
        (0, 0) => Vec::new(),
        (passed, 0) => vec![format!("{passed} others passed")],
        (0, skipped) => vec![format!("{skipped} others were skipped")],
        (passed, skipped) => vec![format!("{passed} others passed, {skipped} were skipped")],
    }
}
