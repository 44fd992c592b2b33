//! One event as one line: what the console shows while a run goes on.
//!
//! Pure: the same event, summary and look give the same text.

use std::fmt::{self, Write};

use super::duration;
use super::row::Row;
use super::section_tree::Tally;
use super::style::{Paint, clean, clean_first_line};
use super::summary::{Counts, Summary, plugin_stage, signal_name};
use super::walks;
use crate::model::{Dropped, Event, EventKind, Outcome, RunStarted, SectionFinished, SectionKind, TaskFinished};

/// Characters of a reason that fit a line.
const REASON_CHARS: usize = 300;

/// The order in which outcomes are counted up.
const ORDER: [Outcome; 7] = [
    Outcome::Passed,
    Outcome::Passx,
    Outcome::Failed,
    Outcome::Errored,
    Outcome::Aborted,
    Outcome::Blocked,
    Outcome::Skipped,
];

/// How much the console says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Nothing (`-qq`).
    Silent,
    /// What did not pass, and the result (`-q`).
    Quiet,
    /// A line a task.
    #[default]
    Normal,
    /// Starts of tasks and ends of sections as well (`-v`).
    Verbose,
}

/// How the console looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// How much is said.
    pub(crate) verbosity: Verbosity,
    /// Whether in colour.
    pub(crate) paint: Paint,
}

/// Returns the line that tells of an event, with its line break, or `None` if nothing is to be said. The summary has
/// the event already.
pub(crate) fn line(event: &Event, summary: &Summary, look: Look) -> Option<String> {
    let level = match &event.kind {
        // What was told before the run was resumed is not told again.
        EventKind::TaskStarted { task, .. } if is_reused(summary, *task) => return None,
        EventKind::TaskFinished(finished) if finished.will_retry && is_reused(summary, finished.task) => return None,
        EventKind::TaskStarted { .. } => Verbosity::Verbose,
        EventKind::RunStarted(_) => Verbosity::Normal,
        EventKind::TaskFinished(finished) if finished.will_retry || finished.outcome.is_good() => Verbosity::Normal,
        EventKind::TaskFinished(_)
        | EventKind::WalksFinished(_)
        | EventKind::MessagesDropped { .. }
        | EventKind::Warning { .. }
        | EventKind::PluginFailed(_)
        | EventKind::Interrupted { .. }
        | EventKind::Paused {}
        | EventKind::Resumed {} => Verbosity::Quiet,
        EventKind::SectionFinished(finished) if is_told(finished, summary) => Verbosity::Verbose,
        EventKind::JobRenamed { .. }
        | EventKind::WalksStarted(_)
        | EventKind::WalksRan(_)
        | EventKind::SerialRan(_)
        | EventKind::TaskQueued(_)
        | EventKind::TaskReused { .. }
        | EventKind::TrialMeasured(_)
        | EventKind::TaskPlanned(_)
        | EventKind::SectionStarted(_)
        | EventKind::SectionFinished(_)
        | EventKind::MainFinished { .. }
        | EventKind::RunFinished { .. } => return None,
    };
    if look.verbosity < level {
        return None;
    }
    let mut out = String::with_capacity(80);
    // Writing to a String cannot fail.
    let _ = tell(&mut out, event, summary, look.paint);
    out.push('\n');
    Some(out)
}

fn is_reused(summary: &Summary, task: u32) -> bool {
    summary.row(task).is_some_and(|row| row.reused)
}

fn tell(out: &mut String, event: &Event, summary: &Summary, paint: Paint) -> fmt::Result {
    match &event.kind {
        EventKind::RunStarted(header) => started(out, header, summary.resumed.is_some(), paint),
        EventKind::TaskStarted { task, attempt, pid } => {
            label(out, paint.bold("START"), "START", &format!("pid {pid}"))?;
            out.push_str(&name(summary.row(*task), *task, paint));
            match summary.row(*task) {
                Some(row) if row.max_attempts > 1 => write!(out, ": attempt {attempt} of {}", row.max_attempts),
                _ => Ok(()),
            }
        }
        EventKind::TaskFinished(finished) => ended(out, finished, summary.row(finished.task), paint),
        EventKind::MessagesDropped { task, dropped } => {
            write!(out, "{} {}", paint.warning("warning:"), dropped_words(*dropped))?;
            match task {
                Some(task) => write!(out, ", at the status server for {}", name(summary.row(*task), *task, paint)),
                None => out.write_str(", at the status server"),
            }
        }
        EventKind::Warning { text, place } => {
            write!(out, "{} ", paint.warning("warning:"))?;
            if let Some(place) = place {
                write!(out, "{}:{}: ", clean(&place.file, paint), place.line)?;
            }
            out.write_str(&clean(text, paint))
        }
        EventKind::Interrupted { signal, times } => {
            let what = if *times < 2 { "stopping" } else { "killing all tasks" };
            write!(out, "{} {}", paint.warning(format_args!("{what}:")), signal_name(*signal))?;
            if *times < 2 { out.write_str("; again to kill at once") } else { Ok(()) }
        }
        EventKind::WalksFinished(finished) => out.write_str(&clean(&walks::status(&finished.end), paint)),
        EventKind::Paused {} => write!(out, "{}", paint.dim("paused: tasks and their time limits stand still")),
        EventKind::Resumed {} => write!(out, "{}", paint.dim("resumed")),
        EventKind::SectionFinished(finished) => section(out, finished, summary.row(finished.task), paint),
        EventKind::PluginFailed(failed) => {
            write!(
                out,
                "{} {}",
                paint.outcome(Outcome::Errored, "plugin error:"),
                clean(&plugin_stage(failed), paint)
            )?;
            if let Some(task) = failed.task {
                write!(out, " of {}", name(summary.row(task), task, paint))?;
            }
            write!(out, ": {}", clean_first_line(&failed.error.message, REASON_CHARS, paint))
        }
        EventKind::JobRenamed { .. }
        | EventKind::WalksStarted(_)
        | EventKind::WalksRan(_)
        | EventKind::SerialRan(_)
        | EventKind::TaskQueued(_)
        | EventKind::TaskReused { .. }
        | EventKind::TrialMeasured(_)
        | EventKind::TaskPlanned(_)
        | EventKind::SectionStarted(_)
        | EventKind::MainFinished { .. }
        | EventKind::RunFinished { .. } => Ok(()),
    }
}

/// Returns how many messages counted for nothing, and why.
fn dropped_words(dropped: Dropped) -> String {
    let parts = [
        (dropped.foreign, "from processes that are none of the task's, or about another job"),
        (dropped.late, "when the task had ended"),
        (dropped.torn, "broken off in the middle"),
    ];
    let told = parts.iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told.map(|(count, what)| format!("{count} {what}")).collect();
    let total = dropped.foreign + dropped.late + dropped.torn;
    let (word, verb) = if total == 1 { ("message", "was") } else { ("messages", "were") };
    format!("{total} {word} {verb} dropped ({})", told.join("; "))
}

/// Returns whether a section is told of as it ends: every one but steps that did what they should.
fn is_told(finished: &SectionFinished, summary: &Summary) -> bool {
    let sections = summary.row(finished.task).and_then(Row::sections);
    let section = sections.and_then(|sections| sections.get(finished.section));
    section.is_some_and(|section| section.kind != SectionKind::Step || !finished.outcome.is_good())
}

fn section(out: &mut String, finished: &SectionFinished, row: Option<&Row>, paint: Paint) -> fmt::Result {
    let word = finished.outcome.name().to_uppercase();
    let full_id = row.and_then(Row::sections).map(|sections| sections.full_id(finished.section)).unwrap_or_default();
    label(out, paint.outcome(finished.outcome, &word), &word, &format!("{:.3}s", finished.seconds.max(0.0)))?;
    write!(out, "{} {}", name(row, finished.task, paint), clean(&full_id, paint))?;
    let known = row.and_then(Row::sections).and_then(|sections| sections.get(finished.section));
    let is_said = finished.reason.as_deref().is_some_and(says_the_attempt);
    if let Some(known) = known.filter(|known| finished.will_retry || (known.attempt() > 1 && !is_said)) {
        write!(out, ": attempt {} of {}", known.attempt(), known.max_attempts())?;
    }
    match finished.reason.as_deref().map(|reason| clean_first_line(reason, REASON_CHARS, paint)) {
        Some(reason) if !reason.is_empty() => write!(out, ": {reason}"),
        _ => Ok(()),
    }
}

fn started(out: &mut String, header: &RunStarted, resumed: bool, paint: Paint) -> fmt::Result {
    write!(out, "{} {}", paint.bold(short(&header.run_id)), paint.bold(clean(&header.name, paint)))?;
    if !header.file.is_empty() {
        write!(out, ": {}", clean(&header.file, paint))?;
    }
    if let Some(id) = &header.rerun_of {
        write!(out, ", a rerun of {}", short(id))?;
    }
    for (key, value) in header.meta() {
        write!(out, ", {}={}", clean(key, paint), clean_first_line(value, REASON_CHARS, paint))?;
    }
    if resumed { out.write_str(", resumed") } else { Ok(()) }
}

fn ended(out: &mut String, finished: &TaskFinished, row: Option<&Row>, paint: Paint) -> fmt::Result {
    let word = finished.outcome.name().to_uppercase();
    let time = if finished.attempt == 0 { "-".to_owned() } else { format!("{:.3}s", finished.seconds.max(0.0)) };
    label(out, paint.outcome(finished.outcome, &word), &word, &time)?;
    out.push_str(&name(row, finished.task, paint));
    let mut remarks = Vec::new();
    if row.is_some_and(|row| row.reused) {
        remarks.push("from before".to_owned());
    }
    let of = row.map_or(1, |row| row.max_attempts).max(finished.attempt);
    let is_said = finished.reason.as_deref().is_some_and(says_the_attempt);
    if finished.will_retry || (finished.attempt > 1 && of > 1 && !is_said) {
        remarks.push(format!("attempt {} of {of}", finished.attempt));
    }
    if let Some(why) = why(finished.reason.as_deref(), finished, paint) {
        remarks.push(why);
    }
    let mut text = remarks.join(": ");
    if finished.killed_leftovers > 0 {
        let processes = if finished.killed_leftovers == 1 { "process" } else { "processes" };
        let comma = if text.is_empty() { "" } else { ", " };
        write!(text, "{comma}{} leftover {processes} killed", finished.killed_leftovers)?;
    }
    if finished.will_retry {
        text.push_str(", trying again");
    }
    if text.is_empty() { Ok(()) } else { write!(out, ": {text}") }
}

/// Returns whether a reason names the attempt, as that of a pass at a later one does, so that it is not told twice.
pub(super) fn says_the_attempt(reason: &str) -> bool {
    reason.starts_with("passed on attempt ")
}

fn why(reason: Option<&str>, finished: &TaskFinished, paint: Paint) -> Option<String> {
    let said = reason.map(|reason| clean_first_line(reason, REASON_CHARS, paint).into_owned());
    // That a process left as it should says nothing of why its script failed.
    let exit = || finished.exit.filter(|exit| !exit.is_success()).map(|exit| exit.to_string());
    said.filter(|said| !said.is_empty()).or_else(exit)
}

/// Writes `   PASSED [   0.012s] `, aligned by the word as it is without colour.
pub(super) fn label(out: &mut String, painted: impl fmt::Display, word: &str, time: &str) -> fmt::Result {
    write!(out, "{:indent$}{painted} [{time:>9}] ", "", indent = 9usize.saturating_sub(word.len()))
}

fn name(row: Option<&Row>, number: u32, paint: Paint) -> String {
    row.map_or_else(|| format!("task {number}"), |row| clean(row.id(), paint).into_owned())
}

/// Returns the first eight characters of a run id.
pub(super) fn short(run_id: &str) -> &str {
    run_id.char_indices().nth(8).map_or(run_id, |(end, _)| &run_id[..end])
}

/// Returns counts as in `2 testcases: 1 passed, 1 not reached; 5 tests: 5 passed`; `None` where there are no sections.
pub(super) fn section_counts(summary: &Summary) -> Option<String> {
    let counts = summary.section_counts()?;
    let sorts = [("testcase", counts.testcases), ("test", counts.tests), ("section", counts.sections)];
    let mut texts: Vec<String> =
        sorts.iter().filter(|(_, tally)| tally.total > 0).map(|(sort, tally)| tally_words(sort, tally)).collect();
    // Sections are counted as such only where there are no testcases among them.
    if texts.len() > 1 {
        texts.pop();
    }
    Some(texts.join("; "))
}

fn tally_words(sort: &str, tally: &Tally) -> String {
    let flaky = match tally.flaky {
        0 => String::new(),
        flaky => format!("passx ({flaky} on a later attempt)"),
    };
    let word = |outcome: Outcome| if outcome == Outcome::Passx && tally.flaky > 0 { &*flaky } else { outcome.name() };
    let ended = ORDER.into_iter().map(|outcome| (tally.of(outcome), word(outcome)));
    let others = [(tally.not_reached, "not reached"), (tally.open, "without an end")];
    let parts = ended.chain(others).filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    let s = if tally.total == 1 { "" } else { "s" };
    format!("{} {sort}{s}: {}", tally.total, parts.collect::<Vec<_>>().join(", "))
}

/// Returns counts as in `3 tasks: 1 passed, 2 failed in 2.345 s`.
pub(super) fn counts(summary: &Summary, unfinished: &str) -> String {
    let counts = &summary.counts;
    let parts = endings(summary, unfinished);
    let tasks = if counts.total == 1 { "task" } else { "tasks" };
    let colon = if parts.is_empty() { "" } else { ": " };
    let time = duration::words(summary.seconds());
    let apart = [("preparation", "s", &summary.preparations), ("in quarantine", "", &summary.quarantined)];
    let apart = apart.into_iter().filter_map(|(what, s, counts)| apart_counts(what, s, counts, unfinished));
    let apart: String = apart.flat_map(|text| ["; ".to_owned(), text]).collect();
    format!("{} {tasks}{colon}{}{apart} in {time}", counts.total, parts.join(", "))
}

/// Returns counts as in `1 preparation: 1 passed`; `None` where there are none. Several of them are `what` with `plural` behind it.
fn apart_counts(what: &str, plural: &str, counts: &Counts, unfinished: &str) -> Option<String> {
    let known = ORDER.into_iter().map(|outcome| (counts.of(outcome), outcome.name()));
    let parts = known.chain([(counts.unfinished(), unfinished)]).filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(count, word)| format!("{count} {word}")).collect();
    let s = if counts.total == 1 { "" } else { plural };
    (counts.total > 0).then(|| format!("{} {what}{s}: {}", counts.total, parts.join(", ")))
}

/// Returns how many tasks ended in which way, each in words.
fn endings(summary: &Summary, unfinished: &str) -> Vec<String> {
    let counts = &summary.counts;
    let mut parts = Vec::new();
    // What passes at a later attempt is passx, but a log may say otherwise.
    let later = if counts.of(Outcome::Passx) > 0 { Outcome::Passx } else { Outcome::Passed };
    let mut flaky = (summary.flaky > 0).then(|| format!(" ({} on a later attempt)", summary.flaky));
    for outcome in ORDER.into_iter().filter(|outcome| counts.of(*outcome) > 0) {
        let flaky = flaky.take_if(|_| outcome == later).unwrap_or_default();
        parts.push(format!("{} {outcome}{flaky}", counts.of(outcome)));
    }
    if counts.unfinished() > 0 {
        parts.push(format!("{} {unfinished}", counts.unfinished()));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{end, event, events, finished, job, run_started, script};
    use super::*;

    fn lines(kinds: Vec<EventKind>, verbosity: Verbosity) -> String {
        let mut summary = Summary::default();
        let look = Look { verbosity, paint: Paint::default() };
        let tell = |event: &std::sync::Arc<Event>| {
            summary.apply(event);
            line(event, &summary, look)
        };
        events(kinds).iter().filter_map(tell).collect()
    }

    #[test]
    fn a_job_line_by_line() {
        insta::assert_snapshot!(lines(job(), Verbosity::Normal), @r#"
        01234567 nightly: /jobs/nightly.lua
        warning: nightly.lua:12: unknown key 'max_runtme'; did you mean 'max_runtime'?
           PASSED [   0.012s] connect
           FAILED [   0.012s] flaky: attempt 1 of 3: exit code 1, trying again
           PASSED [   0.012s] flaky: attempt 2 of 3
           FAILED [   1.203s] compare: compare.lua:7: 3 is not 4
          ERRORED [  75.200s] traffic: killed by SIGKILL (signal 9), 2 leftover processes killed
          BLOCKED [        -] report: needs 'traffic', which errored
        "#);
    }

    #[test]
    fn verbose_tells_of_starts_and_quiet_only_of_what_did_not_pass() {
        insta::assert_snapshot!(lines(job(), Verbosity::Verbose), @r#"
        01234567 nightly: /jobs/nightly.lua
        warning: nightly.lua:12: unknown key 'max_runtme'; did you mean 'max_runtime'?
            START [ pid 1001] connect
           PASSED [   0.012s] connect
            START [ pid 1002] flaky: attempt 1 of 3
           FAILED [   0.012s] flaky: attempt 1 of 3: exit code 1, trying again
            START [ pid 1002] flaky: attempt 2 of 3
           PASSED [   0.012s] flaky: attempt 2 of 3
            START [ pid 1003] compare
           FAILED [   1.203s] compare: compare.lua:7: 3 is not 4
            START [ pid 1004] traffic
          ERRORED [  75.200s] traffic: killed by SIGKILL (signal 9), 2 leftover processes killed
          BLOCKED [        -] report: needs 'traffic', which errored
        "#);
        insta::assert_snapshot!(lines(job(), Verbosity::Quiet), @r#"
        warning: nightly.lua:12: unknown key 'max_runtme'; did you mean 'max_runtime'?
           FAILED [   1.203s] compare: compare.lua:7: 3 is not 4
          ERRORED [  75.200s] traffic: killed by SIGKILL (signal 9), 2 leftover processes killed
          BLOCKED [        -] report: needs 'traffic', which errored
        "#);
        assert_eq!(lines(job(), Verbosity::Silent), "");
    }

    #[test]
    fn verbose_tells_of_sections() {
        insta::assert_snapshot!(lines([vec![run_started()], script(1)].concat(), Verbosity::Verbose), @r#"
        01234567 nightly: /jobs/nightly.lua
            START [ pid 1001] script
           PASSED [   0.001s] script common_setup.connect
           PASSED [   0.001s] script common_setup
           PASSED [   0.001s] script Ping.setup
           FAILED [   0.250s] script Ping.icmp.receive: icmp.lua:20: no answer
           FAILED [   0.250s] script Ping.icmp: icmp.lua:20: no answer
           PASSED [   0.001s] script Ping.sweep[size=64]
           PASSED [   0.001s] script Ping.sweep[size=1500]
           FAILED [   0.250s] script Ping: icmp.lua:20: no answer
          BLOCKED [   0.000s] script Trace: Ping did not pass and must
          BLOCKED [   0.000s] script Trace.hops: Ping did not pass and must
           PASSED [   0.001s] script common_cleanup
           FAILED [   0.500s] script: 1 of 2 testcases failed
        "#);
    }

    #[test]
    fn signals_and_pauses_are_told() {
        let kinds = vec![
            run_started(),
            EventKind::Paused {},
            EventKind::Resumed {},
            EventKind::Interrupted { signal: 2, times: 1 },
            EventKind::Interrupted { signal: 15, times: 2 },
        ];
        insta::assert_snapshot!(lines(kinds, Verbosity::Quiet), @r#"
        paused: tasks and their time limits stand still
        resumed
        stopping: SIGINT; again to kill at once
        killing all tasks: SIGTERM
        "#);
    }

    #[test]
    fn a_task_cannot_write_to_the_terminal_by_its_reason() {
        let mut summary = Summary::default();
        let event = event(1, end(finished(1, Outcome::Failed, Some("\x1b]0;x\x07bad\x1b[2J\nrest"))));
        summary.apply(&event);
        let text = line(&event, &summary, Look::default()).unwrap();
        assert_eq!(text, "   FAILED [   0.012s] task 1: bad\n");
    }
}
