//! Annotations for a CI: what went wrong, as commands that put it at its line in the source.
//!
//! The form is that of GitHub's workflow commands (docs.github.com, "Workflow commands for GitHub Actions").

use std::fmt::Write;

use super::location::Location;
use super::plain;
use super::problems::problems;
use super::row::Row;
use super::section_tree::SectionTree;
use super::summary::Summary;
use super::tasks::tasks;
use super::tree;

/// Annotations of one run. GitHub shows the first ten of a step.
const MOST: usize = 50;

/// Bytes of a message.
const MESSAGE: usize = 4 << 10;

/// Returns the annotations of a run, a line each, for GitHub.
pub(crate) fn github(summary: &Summary) -> String {
    let mut found: Vec<(Option<Location>, String, String)> = Vec::new();
    for problem in problems(summary, false) {
        let location = Location::of_message(summary, &problem.message);
        found.push((location, problem.name, problem.message));
    }
    let rows = tasks(summary).filter(|row| tree::is_fault(row) && row.quarantine().is_none());
    rows.for_each(|row| of_task(summary, row, &mut found));
    let mut out = String::new();
    for (location, title, message) in found.iter().take(MOST) {
        out.push_str("::error ");
        if let Some(Location { file, line }) = location {
            // Writing to a String cannot fail.
            let _ = write!(out, "file={},", property(file));
            if let Some(line) = line {
                let _ = write!(out, "line={line},");
            }
        }
        let message = plain::text(&message[..message.floor_char_boundary(MESSAGE)]);
        let _ = writeln!(out, "title={}::{}", property(&plain::line(title)), data(message.trim()));
    }
    if found.len() > MOST {
        let _ = writeln!(
            out,
            "::warning title={}::{} more faults are not annotated",
            property(&plain::line(&summary.name)),
            found.len() - MOST
        );
    }
    out
}

/// Adds what is to be said of a task: of the sections where its faults lie, or of itself.
fn of_task(summary: &Summary, row: &Row, found: &mut Vec<(Option<Location>, String, String)>) {
    let before = found.len();
    if let Some(tree) = SectionTree::of(row) {
        for fault in tree.parts(0).iter().flat_map(|part| tree.faults(*part)) {
            let location = Location::of_section(summary, row, &tree, fault);
            let title = format!("{} {}", row.id(), tree.full_id(fault));
            let reason = tree.reason(fault).filter(|reason| !reason.trim().is_empty());
            let word = || tree.state(fault).outcome().map_or("no end", crate::model::Outcome::name).to_owned();
            found.push((location, title, reason.map_or_else(word, std::borrow::Cow::into_owned)));
        }
    }
    if found.len() == before {
        let remark = row.reason().map(str::to_owned).or_else(|| row.exit.map(|exit| exit.to_string()));
        let word = || row.outcome.map_or("the task has no end", crate::model::Outcome::name).to_owned();
        found.push((Location::of_task(summary, row), row.id().to_owned(), remark.unwrap_or_else(word)));
    }
}

/// Returns text as the message of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Returns text as the value of a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Returns a summary of a run in Markdown, for the page of a step.
pub(crate) fn step_summary(summary: &Summary) -> String {
    let word = summary.outcome().map_or("nothing ran", crate::model::Outcome::name);
    let mut out =
        format!("### {}: {word}\n\n{}\n", markdown(&summary.name), super::lines::counts(summary, "without an end"));
    let bad: Vec<&Row> = tasks(summary).filter(|row| !row.is_good()).collect();
    if !bad.is_empty() {
        out.push_str("\n| Task | Result | Reason |\n|---|---|---|\n");
        for row in bad.iter().take(MOST) {
            let word = row.outcome.map_or("no end", crate::model::Outcome::name);
            let reason = plain::first_line(row.reason().unwrap_or_default());
            // Writing to a String cannot fail.
            let _ = writeln!(out, "| {} | {word} | {} |", markdown(row.id()), markdown(&reason));
        }
        if bad.len() > MOST {
            let _ = writeln!(out, "\n{} more did not pass.", bad.len() - MOST);
        }
    }
    out.push('\n');
    out
}

/// Returns text of others as text in a cell of a table, nothing of it taken for markup.
fn markdown(text: &str) -> String {
    let mut out = String::new();
    for c in plain::line(text).chars() {
        if c == '<' || c == '>' || c == '&' {
            // Writing to a String cannot fail.
            let _ = write!(out, "&#{};", u32::from(c));
            continue;
        }
        if c.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{end, finished, fold, job, queued, run_finished, run_started, script, started};
    use super::*;
    use crate::model::{EventKind, Outcome};

    #[test]
    fn faults_stand_at_their_lines() {
        let mut kinds = job();
        let last = kinds.pop().unwrap();
        insta::assert_snapshot!(github(&fold([kinds, script(6), vec![last]].concat())));
    }

    #[test]
    fn nothing_that_a_task_says_is_a_command_of_its_own() {
        let evil = "x\n::error::forged\r\n::set-output name=a::%0A::b\x1b[2J";
        let kinds = |id: &str| {
            vec![
                run_started(),
                queued(1, id, 0),
                started(1, 1),
                end(finished(1, Outcome::Failed, Some(evil))),
                run_finished(Some(Outcome::Failed), 1),
            ]
        };
        for id in ["a,title=b::c", "::stop-commands::x", "%0A::error::y", "|x|<b>*`"] {
            let summary = fold(kinds(id));
            let text = github(&summary);
            assert_eq!(text.lines().count(), 1, "{text}");
            let (head, message) = text.trim_end().split_once("::").unwrap().1.split_once("::").unwrap();
            let properties = head.strip_prefix("error ").unwrap().split(',');
            let names: Vec<&str> = properties.map(|property| property.split_once('=').unwrap().0).collect();
            assert_eq!(names, ["file", "title"], "{head}");
            assert!(!message.contains(char::is_control), "{message:?}");
            let row = step_summary(&summary);
            let row = row.lines().rfind(|line| line.starts_with("| ")).unwrap();
            assert_eq!(row.replace("\\|", "").matches('|').count(), 4, "{row}");
            assert!(!row.contains('<'), "{row}");
        }
    }

    #[test]
    fn of_very_many_only_so_many_are_told() {
        let mut kinds = vec![run_started()];
        for task in 1..=60 {
            kinds.extend([
                queued(task, &format!("t{task}"), 0),
                started(task, 1),
                end(finished(task, Outcome::Failed, None)),
            ]);
        }
        let summary =
            fold(kinds.into_iter().chain([run_finished(Some(Outcome::Failed), 1)]).collect::<Vec<EventKind>>());
        let text = github(&summary);
        assert_eq!(text.lines().count(), MOST + 1);
        assert!(text.ends_with("::10 more faults are not annotated\n"), "{text}");
    }
}
