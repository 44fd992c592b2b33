//! `results.tap`: a run in the Test Anything Protocol, version 14.
//!
//! A test point a task; a task with sections has a subtest, and so has a section with parts. What went wrong with the run
//! as a whole is a test point too; an interrupted or lost run bails out.

use std::io::{self, BufWriter, Write};

use super::plain;
use super::problems::{Problem, nothing_ran, problems};
use super::row::Row;
use super::section_tree::{SectionState, SectionTree};
use super::summary::Summary;
use super::tasks::{preparations, tests};
use super::test_names::{has_tests, plain_name};
use crate::model::{Outcome, SectionNumber};

/// What is told below a test point that is not ok.
struct Diagnosis<'a> {
    severity: &'a str,
    message: &'a str,
    at: Option<String>,
    traceback: Option<&'a str>,
}

/// Writes the run. `still_running` says that its host is alive.
pub(crate) fn write(summary: &Summary, still_running: bool, to: impl Write) -> io::Result<()> {
    let mut to = BufWriter::new(to);
    let problems = problems(summary, still_running);
    let (bails, points): (Vec<Problem>, Vec<Problem>) =
        problems.into_iter().partition(|problem| matches!(problem.kind.as_str(), "interrupted" | "lost" | "running"));
    let count = tests(summary).count();
    let total = count + points.len();
    writeln!(to, "TAP version 14")?;
    match total {
        0 if nothing_ran(summary) => writeln!(to, "1..0 # SKIP nothing ran: no task was queued")?,
        total => writeln!(to, "1..{total}")?,
    }
    for (key, value) in summary.header.iter().flat_map(|header| header.meta()) {
        writeln!(to, "# meta {}={}", name(key), name(value))?;
    }
    for row in preparations(summary) {
        let state = word(row.outcome.map_or(SectionState::Open, SectionState::Ended));
        let reason = row.reason().map(|reason| format!(": {}", name(reason))).unwrap_or_default();
        writeln!(to, "# preparation {} {state}{reason}", name(row.id()))?;
    }
    let is_numbered = has_tests(summary);
    for (number, row) in (1..).zip(tests(summary)) {
        task(&mut to, number, row, if is_numbered { plain_name(row) } else { row.id() })?;
    }
    for (number, problem) in (count + 1..).zip(&points) {
        writeln!(to, "not ok {number} - {}", name(&problem.name))?;
        let (message, traceback) = (problem.message.as_str(), problem.traceback.as_deref());
        let diagnosis = Diagnosis { severity: &problem.kind, message, at: None, traceback };
        diagnose(&mut to, "", &diagnosis)?;
    }
    if let Some(problem) = bails.first() {
        writeln!(to, "Bail out! {}", name(&problem.message))?;
    }
    to.flush()
}

fn task(to: &mut impl Write, number: usize, row: &Row, called: &str) -> io::Result<()> {
    if let Some(tree) = SectionTree::of(row) {
        writeln!(to, "# Subtest: {}", name(called))?;
        parts(to, row, &tree, 0, "    ")?;
    }
    let state = row.outcome.map_or(SectionState::Open, SectionState::Ended);
    let exit = row.exit.filter(|exit| !exit.is_success()).map(|exit| exit.to_string());
    let reason = row.reason().or(exit.as_deref());
    match row.quarantine().filter(|_| !state.is_good()) {
        Some(until) => expected(to, number, called, until)?,
        None => point(to, "", number, called, state, reason)?,
    }
    if state.is_good() {
        return match row.is_flaky() {
            true => writeln!(to, "# flaky: passed at attempt {} of {}", row.attempts, row.max_attempts),
            false => Ok(()),
        };
    }
    let at = row.place().map(|place| place.to_string());
    let message = reason.unwrap_or(match state {
        SectionState::Open => "the task has no end",
        _ => "",
    });
    diagnose(to, "", &Diagnosis { severity: word(state), message, at, traceback: row.traceback() })
}

/// Writes the point of a test in quarantine that has not passed: one that is not expected to.
fn expected(to: &mut impl Write, number: usize, called: &str, until: &str) -> io::Result<()> {
    let directive = concat!("TO", "DO");
    writeln!(to, "not ok {number} - {} # {directive} in quarantine until {}", name(called), name(until))
}

/// Writes what the attempts before a section came to.
fn attempts(to: &mut impl Write, tree: &SectionTree<'_>, section: SectionNumber, indent: &str) -> io::Result<()> {
    let last = tree.get(section);
    for (number, earlier) in (1..).zip(tree.earlier(section)) {
        let reason = tree.reason(earlier).map(|reason| format!(": {}", name(&reason))).unwrap_or_default();
        writeln!(to, "{indent}# attempt {number}: {}{reason}", word(tree.state(earlier)))?;
    }
    if last.is_flaky() {
        writeln!(to, "{indent}# flaky: passed at attempt {} of {}", last.attempt(), last.max_attempts())?;
    }
    Ok(())
}

/// Writes a plan and a test point for each part of a section.
fn parts(to: &mut impl Write, row: &Row, tree: &SectionTree<'_>, of: SectionNumber, indent: &str) -> io::Result<()> {
    let numbers = tree.parts(of);
    writeln!(to, "{indent}1..{}", numbers.len())?;
    for (number, section) in (1..).zip(numbers) {
        let (entry, state, reason) = (tree.get(*section), tree.state(*section), tree.reason(*section));
        if !tree.parts(*section).is_empty() {
            writeln!(to, "{indent}# Subtest: {}", name(entry.uid()))?;
            parts(to, row, tree, *section, &format!("{indent}    "))?;
        }
        point(to, indent, number, entry.uid(), state, reason.as_deref())?;
        if state.is_good() {
            attempts(to, tree, *section, indent)?;
            continue;
        }
        let message = reason.as_deref().unwrap_or(match state {
            SectionState::NotReached => "it was to come and was never reached",
            SectionState::Open => "the section has no end",
            SectionState::Ended(_) => "",
        });
        let at = entry.line().map(|line| format!("{}:{line}", row.uri()));
        let traceback = entry.traceback();
        diagnose(to, indent, &Diagnosis { severity: word(state), message, at, traceback })?;
        attempts(to, tree, *section, indent)?;
    }
    Ok(())
}

fn point(
    to: &mut impl Write,
    indent: &str,
    number: usize,
    id: &str,
    state: SectionState,
    reason: Option<&str>,
) -> io::Result<()> {
    let ok = if state.is_good() { "ok" } else { "not ok" };
    let directive = match state {
        SectionState::Ended(Outcome::Skipped) => format!(" # SKIP {}", name(reason.unwrap_or_default())),
        _ => String::new(),
    };
    writeln!(to, "{}", format!("{indent}{ok} {number} - {}{directive}", name(id)).trim_end())
}

const fn word(state: SectionState) -> &'static str {
    match state {
        SectionState::Ended(outcome) => outcome.name(),
        SectionState::Open => "unfinished",
        SectionState::NotReached => "not reached",
    }
}

/// Writes the YAML block of a test point.
fn diagnose(to: &mut impl Write, indent: &str, diagnosis: &Diagnosis<'_>) -> io::Result<()> {
    writeln!(to, "{indent}  ---")?;
    if !diagnosis.message.is_empty() {
        writeln!(to, "{indent}  message: {}", scalar(diagnosis.message))?;
    }
    writeln!(to, "{indent}  severity: {}", scalar(diagnosis.severity))?;
    if let Some(at) = &diagnosis.at {
        writeln!(to, "{indent}  at: {}", scalar(at))?;
    }
    if let Some(traceback) = diagnosis.traceback {
        writeln!(to, "{indent}  traceback:")?;
        for line in plain::text(traceback.trim_end()).lines() {
            writeln!(to, "{indent}    - {}", scalar(line))?;
        }
    }
    writeln!(to, "{indent}  ...")
}

/// Returns a text as a YAML scalar: a string of JSON, which YAML reads the same.
fn scalar(text: &str) -> String {
    serde_json::Value::from(plain::text(text).trim_end()).to_string()
}

/// Returns a name as the description of a test point: on one line, and with nothing in it that reads as a directive.
fn name(text: &str) -> String {
    let line = plain::line(text);
    line.trim().replace('\\', "\\\\").replace('#', "\\#")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{
        cut_off, end, finished, fold, job, queued, run_finished, run_started, script, started,
    };
    use super::*;
    use crate::model::EventKind;

    fn tap(kinds: Vec<EventKind>) -> String {
        let mut bytes = Vec::new();
        write(&fold(kinds), false, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_job_with_testscripts() {
        let mut kinds = job();
        let last = kinds.pop().unwrap();
        insta::assert_snapshot!(tap([kinds, script(6), cut_off(7), vec![last]].concat()));
    }

    #[test]
    fn names_are_names_and_an_interrupted_run_bails_out() {
        let kinds = vec![
            run_started(),
            queued(1, "a # SKIP \\ b\nnot ok 2", 0),
            started(1, 1),
            end(finished(1, Outcome::Passed, None)),
            queued(2, "b", 0),
            started(2, 1),
            end(finished(2, Outcome::Skipped, Some("no rack # here"))),
            EventKind::Interrupted { signal: 15, times: 1 },
            run_finished(Some(Outcome::Aborted), 143),
        ];
        assert_eq!(
            tap(kinds),
            "TAP version 14\n1..2\nok 1 - a \\# SKIP \\\\ b not ok 2\nok 2 - b # SKIP no rack \\# here\n\
             Bail out! stopped by SIGTERM\n"
        );
        assert_eq!(
            tap(vec![run_started(), run_finished(None, 4)]),
            "TAP version 14\n1..0 # SKIP nothing ran: no task was queued\n"
        );
    }
}
