//! The rows of the table: a task each, with its sections and what is known of its faults.

use std::io::{self, Write};

use super::links::Href;
use super::words::{Cut, Escaped};
use crate::model::{Outcome, SectionNumber};
use crate::report::excerpt::{self, ReadFile};
use crate::report::plain;
use crate::report::row::Row;
use crate::report::section_tree::{SectionState, SectionTree, is_fault};
use crate::report::sections::Sections;
use crate::report::summary::Summary;
use crate::report::tasks::tasks;
use crate::store::attempt_folder;

/// Bytes of excerpts and call stacks in a page of up to a hundred tasks, shared among what went wrong.
const TEXT: usize = 48 * 1024;

/// Bytes of them for each task more.
const TEXT_PER_TASK: usize = 512;

/// Bytes of text that one fault has at least, and at most.
const ROOM: (usize, usize) = (300, 16 * 1024);

/// Sections of a run that are listed with those that are good.
const LIST_ALL: usize = 5000;

/// Sections of a task that are listed where only those are that are not good.
const MOST_LISTED: usize = 500;

/// Bytes of a reason in its column.
const REASON: usize = 300;

/// What is the same for all rows.
struct Table<'a> {
    read: ReadFile<'a>,
    still_running: bool,
    /// Whether good sections are listed too.
    all_sections: bool,
    /// Bytes of text for each fault.
    room: usize,
}

/// How many faults are open from the beginning: of very many, the rest is slow to lay out.
const MOST_OPEN: usize = 100;

/// Writes the rows: what is not good first, the worst on top, and what is alike in the order of the run. A task is a body of
/// the table, with a row for its columns and one over the whole width for what is known of its faults.
pub(super) fn write(to: &mut impl Write, summary: &Summary, still_running: bool, read: ReadFile<'_>) -> io::Result<()> {
    let mut rows: Vec<&Row> = tasks(summary).collect();
    rows.sort_by_key(|row| rank(row.outcome));
    let sections: usize = rows.iter().copied().filter_map(Row::sections).map(Sections::len).sum();
    let faults: usize = rows.iter().copied().map(faults_of).sum();
    let text = TEXT + TEXT_PER_TASK * rows.len().saturating_sub(100);
    let room = (text / faults.max(1)).clamp(ROOM.0, ROOM.1);
    let table = Table { read, still_running, all_sections: sections <= LIST_ALL, room };
    let mut open = 0;
    rows.into_iter().try_for_each(|row| {
        let is_open = is_bad(row) && open < MOST_OPEN;
        open += usize::from(is_open);
        table.row(to, row, is_open)
    })
}

/// Returns the place of a result in the order of the page, which its script sorts by as well.
const fn rank(outcome: Option<Outcome>) -> u8 {
    match outcome {
        Some(Outcome::Aborted) => 0,
        Some(Outcome::Errored) => 1,
        Some(Outcome::Failed) => 2,
        None => 3,
        Some(Outcome::Blocked) => 4,
        Some(Outcome::Passx) => 5,
        Some(Outcome::Passed) => 6,
        Some(Outcome::Skipped) => 7,
    }
}

/// Returns whether a task is one to look at.
fn is_bad(row: &Row) -> bool {
    row.outcome.is_none_or(|outcome| is_fault(SectionState::Ended(outcome)))
}

/// Returns how many faults of a task have text of their own.
fn faults_of(row: &Row) -> usize {
    let own = usize::from(has_text(row));
    let tree = SectionTree::of(row);
    own + tree.map_or(0, |tree| tree.parts(0).iter().map(|part| tree.faults(*part).len()).sum())
}

/// Returns whether what a task wrote is shown.
fn has_text(row: &Row) -> bool {
    match row.outcome {
        None => row.attempts > 0,
        Some(outcome) => is_fault(SectionState::Ended(outcome)) || row.is_flaky(),
    }
}

/// Writes links to what the latest attempt has written, and to its folder.
fn files(to: &mut impl Write, row: &Row) -> io::Result<()> {
    if row.attempts == 0 || row.folder().is_empty() {
        return Ok(());
    }
    write!(to, " <small>")?;
    let files = [(row.log_name(), row.log()), ("stdout", row.stdout()), ("stderr", row.stderr())];
    for (name, _) in files.into_iter().filter(|(_, size)| !size.is_empty()) {
        write!(to, "<a href=\"{}\">{name}</a>", Href(&row.path_of(name)))?;
    }
    write!(to, "<a href=\"{}/\">files</a></small>", Href(&row.latest_folder()))
}

impl Table<'_> {
    fn row(&self, to: &mut impl Write, row: &Row, is_open: bool) -> io::Result<()> {
        let class = row.outcome.map_or("none", Outcome::name);
        let word = match row.outcome {
            Some(outcome) => outcome.name(),
            None if row.running && self.still_running => "running",
            None if row.attempts == 0 && self.still_running => "queued",
            None if row.attempts == 0 => "not run",
            None => "no end",
        };
        let flaky = if row.has_flaky() { " data-flaky" } else { "" };
        write!(to, "<tbody data-r={class}{flaky}><tr><td>{}<td><b class={class}>{word}</b>", row.number)?;
        if row.has_flaky() {
            write!(to, " <i>flaky</i>")?;
        }
        if row.prepares() {
            write!(to, " <i>preparation</i>")?;
        }
        if row.quarantine().is_some() {
            write!(to, " <i>in quarantine</i>")?;
        }
        write!(to, "<td><b>{}</b>", Escaped(&plain::line(row.id())))?;
        files(to, row)?;
        let exit = row.exit.filter(|exit| !exit.is_success()).map(|exit| exit.to_string());
        let reason = plain::first_line(row.reason().or(exit.as_deref()).unwrap_or_default());
        let seconds = if row.attempts > 0 { format!("{:.3}", row.seconds) } else { String::new() };
        writeln!(to, "<td>{seconds}<td>{}", Cut { text: &reason, room: REASON })?;
        let tree = SectionTree::of(row);
        if tree.is_none() && !has_text(row) {
            return Ok(());
        }
        let open = if is_open { " open" } else { "" };
        writeln!(to, "<tr><td colspan=5><details{open}><summary>Details</summary>")?;
        if let Some(tree) = &tree {
            self.sections(to, row, tree)?;
        }
        self.text(to, row, tree.as_ref())?;
        writeln!(to, "</details>")
    }

    /// Writes what a task itself has to say: earlier attempts, the rest of its reason, its call stack, its last words.
    fn text(&self, to: &mut impl Write, row: &Row, tree: Option<&SectionTree<'_>>) -> io::Result<()> {
        if !has_text(row) {
            return Ok(());
        }
        for (number, attempt) in (1..).zip(row.earlier()) {
            let (outcome, reason) = (attempt.outcome, plain::text(attempt.reason.as_deref().unwrap_or_default()));
            write!(to, "<p>Attempt {number}: <b class={outcome}>{outcome}</b> ")?;
            write!(to, "{} <small>{:.3} s ", Cut { text: &reason, room: self.room }, attempt.seconds)?;
            let folder = attempt_folder(row.folder(), number);
            if row.folder().is_empty() {
                writeln!(to, "</small></p>")?;
            } else {
                writeln!(to, "<a href=\"{}/\">files</a></small></p>", Href(&folder))?;
            }
        }
        let reason = plain::text(row.reason().unwrap_or_default().trim());
        if reason.contains('\n') || reason.len() > REASON {
            writeln!(to, "<pre>{}</pre>", Cut { text: &reason, room: self.room })?;
        }
        self.traceback(to, row.traceback())?;
        // The sections have shown what they logged.
        let is_told = tree.is_some_and(|tree| tree.parts(0).iter().any(|part| !tree.faults(*part).is_empty()));
        if is_told {
            return Ok(());
        }
        let room = u64::try_from(self.room).unwrap_or(u64::MAX);
        if let Some((file, text)) = excerpt::last_words(row, room, self.read) {
            let name = row.path_of(file);
            writeln!(
                to,
                "<small>End of {}</small><pre>{}</pre>",
                Escaped(&plain::line(&name)),
                Escaped(text.trim_end())
            )?;
        }
        Ok(())
    }

    fn traceback(&self, to: &mut impl Write, traceback: Option<&str>) -> io::Result<()> {
        let Some(traceback) = traceback else { return Ok(()) };
        let text = plain::text(traceback.trim_end());
        writeln!(to, "<pre>{}</pre>", Cut { text: &text, room: self.room / 2 })
    }

    fn sections(&self, to: &mut impl Write, row: &Row, tree: &SectionTree<'_>) -> io::Result<()> {
        let mut left = if self.all_sections { usize::MAX } else { MOST_LISTED };
        self.parts(to, row, tree, 0, &mut left)
    }

    fn parts(
        &self,
        to: &mut impl Write,
        row: &Row,
        tree: &SectionTree<'_>,
        of: SectionNumber,
        left: &mut usize,
    ) -> io::Result<()> {
        writeln!(to, "<ul>")?;
        let mut hidden = 0;
        for &number in tree.parts(of) {
            if *left == 0 || (!self.all_sections && tree.state(number).is_good()) {
                hidden += 1;
                continue;
            }
            *left = left.saturating_sub(1);
            self.section(to, row, tree, number, left)?;
        }
        if hidden > 0 {
            writeln!(to, "<li><small>and {hidden} more</small>")?;
        }
        writeln!(to, "</ul>")
    }

    fn section(
        &self,
        to: &mut impl Write,
        row: &Row,
        tree: &SectionTree<'_>,
        number: SectionNumber,
        left: &mut usize,
    ) -> io::Result<()> {
        let (section, state) = (tree.get(number), tree.state(number));
        let (class, word) = match state {
            SectionState::Ended(outcome) => (outcome.name(), outcome.name()),
            SectionState::Open if self.still_running => ("none", "running"),
            SectionState::Open => ("none", "no end"),
            SectionState::NotReached => ("none", "not reached"),
        };
        let is_own_fault = tree.faults(number).last() == Some(&number);
        let has_parts = !tree.parts(number).is_empty();
        let earlier = tree.earlier(number);
        let is_folded = has_parts || is_own_fault || !earlier.is_empty();
        let (open, close) = match (is_folded, is_fault(state)) {
            (true, true) => ("<details open><summary>", "</summary>"),
            (true, false) => ("<details><summary>", "</summary>"),
            (false, _) => ("", ""),
        };
        write!(to, "<li>{open}<b class={class}>{word}</b> {}", Escaped(&plain::line(section.uid())))?;
        if section.is_followed() {
            write!(to, " <small>attempt {}</small>", section.attempt())?;
        } else if section.is_flaky() {
            write!(to, " <i>flaky</i>")?;
        }
        if section.started.is_some() && section.outcome.is_some() {
            write!(to, " <small>{:.3} s</small>", section.seconds)?;
        }
        if !section.groups().is_empty() {
            write!(to, " <small>[{}]</small>", Escaped(&plain::line(&section.groups().join(", "))))?;
        }
        let reason = tree.reason(number).map(|reason| plain::text(reason.trim())).unwrap_or_default();
        if !reason.is_empty() {
            write!(to, ": {}", Cut { text: &reason, room: REASON.min(self.room) })?;
        }
        writeln!(to, "{close}")?;
        if is_own_fault {
            self.traceback(to, section.traceback())?;
            self.excerpt(to, row, tree, number)?;
        }
        if !earlier.is_empty() && !section.is_followed() {
            writeln!(to, "<ul>")?;
            for past in earlier {
                *left = left.saturating_sub(1);
                self.section(to, row, tree, past, left)?;
            }
            writeln!(to, "</ul>")?;
        }
        if has_parts {
            self.parts(to, row, tree, number, left)?;
        }
        if is_folded { writeln!(to, "</details>") } else { Ok(()) }
    }

    /// Writes the end of what a section logged.
    fn excerpt(&self, to: &mut impl Write, row: &Row, tree: &SectionTree<'_>, number: SectionNumber) -> io::Result<()> {
        let Some(slice) = tree.log(number) else { return Ok(()) };
        let room = u64::try_from(self.room).unwrap_or(u64::MAX);
        let Some(text) = excerpt::tail(&row.path_of(row.log_name()), slice, room, self.read) else { return Ok(()) };
        let note = if slice.truncated { ", of which some was left out" } else { "" };
        writeln!(to, "<small>End of its log{note}</small><pre>{}</pre>", Escaped(text.trim_end()))
    }
}
