//! The last words on a run: its tasks, why it ended as it did, its result and where to look.

use std::fmt::{self, Write};

use super::lines::{Look, Verbosity, counts, section_counts, short};
use super::row::Row;
use super::style::{Paint, clean};
use super::summary::{Summary, plugin_stage};
use super::tails::{self, ReadTail};
use super::tasks::tasks;
use super::{not_good, tree, trials, walks};

/// Tasks left alive that are listed; the tree has them all.
const MAX_DANGLING: usize = 20;

/// Failures of plugins that are told; the other reports have more.
const MAX_PLUGIN_FAILURES: usize = 20;

/// Lines of the call stack of a plugin's error.
const TRACEBACK_LINES: usize = 20;

/// The exit code of a run whose jobfile has no `main` that could be called.
const UNUSABLE: i32 = 2;

/// What the last words need beside the summary.
pub(crate) struct Closing<'a> {
    /// How they look.
    pub(crate) look: Look,
    /// The run directory as it is to be shown.
    pub(crate) run_dir: Option<&'a str>,
    /// The host is alive: a run without an end is not lost but under way.
    pub(crate) still_running: bool,
    /// Reads the end of the stream that `telling_stream` names of a task.
    pub(crate) tail: ReadTail<'a>,
}

/// Returns the last words on a run; with `-q` only its errors and the result, with `-qq` nothing.
pub(crate) fn render(summary: &Summary, closing: &Closing<'_>) -> String {
    let mut out = String::new();
    if closing.look.verbosity > Verbosity::Silent {
        // Writing to a String cannot fail.
        let _ = write(&mut out, summary, closing);
    }
    out
}

fn write(out: &mut String, summary: &Summary, closing: &Closing<'_>) -> fmt::Result {
    let paint = closing.look.paint;
    let full = closing.look.verbosity > Verbosity::Quiet;
    let mut tree_end = None;
    if full && !summary.rows().is_empty() {
        out.push('\n');
        match trials::has_trials(summary) {
            true => trials::write(out, summary, closing.still_running, paint)?,
            false => tree::write(out, summary, closing.still_running, paint)?,
        }
        tree_end = tree::has_nothing_good(summary).then_some(out.len());
        tails::write(out, tasks(summary), closing.tail, paint)?;
        walks::write(out, summary, paint)?;
    }
    causes(out, summary, closing)?;
    if full {
        let before = out.len();
        // A tree of nothing else, with nothing behind it, is that list.
        if tree_end != Some(before) {
            not_good::write(out, summary, closing.still_running, paint)?;
        }
        if out.len() == before {
            out.push('\n');
        }
    }
    result(out, summary, closing)?;
    match closing.run_dir {
        Some(path) if full => writeln!(out, "Run directory: {}", clean(path, paint)),
        _ => Ok(()),
    }
}

/// Says what, beside the tasks, made the run end as it did.
fn causes(out: &mut String, summary: &Summary, closing: &Closing<'_>) -> fmt::Result {
    let paint = closing.look.paint;
    if summary.dangling > 0 {
        let (noun, them) = if summary.dangling == 1 { ("task", "it") } else { ("tasks", "them") };
        let head = paint.warning("dangling:");
        let why = format_args!("ended because main returned without waiting for {them}; call task:wait()");
        writeln!(out, "\n{head} {} {noun} {why}", summary.dangling)?;
        let rows = || tasks(summary).filter(|row| row.dangling);
        rows().take(MAX_DANGLING).try_for_each(|row| dangling(out, row, closing))?;
        if rows().nth(MAX_DANGLING).is_some() {
            writeln!(out, "    and {} more", rows().skip(MAX_DANGLING).count())?;
        }
    }
    let is_unusable = summary.end.as_ref().is_some_and(|end| end.exit_code == UNUSABLE);
    plugin_failures(out, summary, paint)?;
    // Where the run was interrupted, what main raises for it is no news.
    if let Some(error) = summary.main_fault() {
        let head = if is_unusable { "the jobfile cannot be run:" } else { "main raised an error:" };
        writeln!(out, "\n{} {}", paint.warning(head), clean(&error.message, paint))?;
        if let Some(traceback) = &error.traceback {
            tails::indented(out, traceback.as_bytes(), usize::MAX, paint)?;
        }
    }
    if let Some(reason) = summary.end.as_ref().and_then(|end| end.reason.as_deref()) {
        writeln!(out, "\n{}", clean(reason, paint))?;
    } else if let Some(signal) = summary.interrupted_by() {
        writeln!(out, "\nStopped by {signal}.")?;
    }
    if !summary.is_complete() && !closing.still_running {
        let run = summary.header.as_ref().map_or("", |header| short(&header.run_id));
        let run = if run.is_empty() { "This run".to_owned() } else { format!("Run {run}") };
        writeln!(out, "\n{run} was lost: its host ended before it could record the end.")?;
    }
    if summary.rows().is_empty() && !closing.still_running && !is_unusable {
        writeln!(out, "\nNothing ran: no task was queued.")?;
    }
    Ok(())
}

fn plugin_failures(out: &mut String, summary: &Summary, paint: Paint) -> fmt::Result {
    let failures = summary.plugin_failures();
    if failures.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", paint.warning("Plugin errors:"))?;
    for failed in failures.iter().take(MAX_PLUGIN_FAILURES) {
        let row = failed.task.and_then(|task| summary.row(task));
        let of = row.map_or_else(String::new, |row| format!(" of {}", row.id()));
        let text = format!("{}{of}: {}", plugin_stage(failed), failed.error.message);
        writeln!(out, "    {}", clean(&text, paint))?;
        if let Some(traceback) = &failed.error.traceback {
            tails::indented(out, traceback.as_bytes(), TRACEBACK_LINES, paint)?;
        }
    }
    match summary.plugin_failure_count - failures.len().min(MAX_PLUGIN_FAILURES) {
        0 => Ok(()),
        more => writeln!(out, "    and {more} more"),
    }
}

fn dangling(out: &mut String, row: &Row, closing: &Closing<'_>) -> fmt::Result {
    let paint = closing.look.paint;
    writeln!(out, "    {}: {}", clean(row.id(), paint), clean(row.uri(), paint))
}

fn result(out: &mut String, summary: &Summary, closing: &Closing<'_>) -> fmt::Result {
    let paint = closing.look.paint;
    let (word, unfinished) = match summary.outcome() {
        _ if !summary.is_complete() && closing.still_running => (paint.bold("RUNNING").to_string(), "not ended yet"),
        _ if !summary.is_complete() => (paint.warning("LOST").to_string(), "without an end"),
        None => (paint.warning("NOTHING RAN").to_string(), "not ended"),
        Some(outcome) => (paint.outcome(outcome, outcome.name().to_uppercase()).to_string(), "not ended"),
    };
    writeln!(out, "Result: {word}  {}", counts(summary, unfinished))?;
    match section_counts(summary).filter(|_| closing.look.verbosity > Verbosity::Quiet) {
        Some(text) => writeln!(out, "        {text}"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{
        cut_off, end, finished, fold, job, planned, queued, run_finished, run_started, script, section_end, started,
    };
    use super::super::style::Paint;
    use super::super::tails::telling_stream;
    use super::*;
    use crate::model::{EventKind, Outcome, PluginFailed, RaisedError, SectionKind, TaskFinished};

    fn show(kinds: Vec<EventKind>, verbosity: Verbosity, still_running: bool) -> String {
        let tail = |row: &Row| {
            let lines: Vec<String> =
                (1..=12).map(|n| format!("{} {} line {n}\x1b[2J", row.id(), telling_stream(row).unwrap())).collect();
            Some(lines.join("\n").into_bytes())
        };
        let look = Look { verbosity, paint: Paint::default() };
        let closing = Closing { look, run_dir: Some("/runs/0123"), still_running, tail: &tail };
        render(&fold(kinds), &closing)
    }

    #[test]
    fn a_job_in_full() {
        insta::assert_snapshot!(show(job(), Verbosity::Normal, false), @r#"

        nightly
        ├── connect  PASSED       0.012 s
        ├── flaky    PASSED       0.012 s  passed at attempt 2 of 3
        ├── compare  FAILED       1.203 s  compare.lua:7: 3 is not 4
        ├── traffic  ERRORED   1 min 15 s  killed by SIGKILL (signal 9), 2 leftover processes killed
        └── report   BLOCKED            -  needs 'traffic', which errored

        compare: traceback
            compare.lua:7: in main
            [C]: in ?

        compare: stdout, last 10 lines (in tasks/3-compare)
            compare stdout line 3
            compare stdout line 4
            compare stdout line 5
            compare stdout line 6
            compare stdout line 7
            compare stdout line 8
            compare stdout line 9
            compare stdout line 10
            compare stdout line 11
            compare stdout line 12

        traffic: stderr, last 10 lines (in tasks/4-traffic)
            traffic stderr line 3
            traffic stderr line 4
            traffic stderr line 5
            traffic stderr line 6
            traffic stderr line 7
            traffic stderr line 8
            traffic stderr line 9
            traffic stderr line 10
            traffic stderr line 11
            traffic stderr line 12

           FAILED [   1.203s] compare: compare.lua:7: 3 is not 4
          ERRORED [  75.200s] traffic: killed by SIGKILL (signal 9), 2 leftover processes killed
          BLOCKED [        -] report: needs 'traffic', which errored
        Result: ERRORED  5 tasks: 2 passed (1 on a later attempt), 1 failed, 1 errored, 1 blocked in 2.345 s
        Run directory: /runs/0123
        "#);
    }

    #[test]
    fn sections_stand_below_their_tasks() {
        let kinds = [vec![run_started()], script(1), cut_off(2), vec![run_finished(Some(Outcome::Errored), 1)]];
        insta::assert_snapshot!(show(kinds.concat(), Verbosity::Normal, false), @r#"

        nightly
        ├── script                    FAILED          0.500 s  1 of 2 testcases failed
        │   ├── common_setup          PASSED          0.001 s
        │   │   └── connect           PASSED          0.001 s
        │   ├── Ping                  FAILED          0.250 s  icmp.lua:20: no answer
        │   │   ├── setup             PASSED          0.001 s
        │   │   ├── icmp              FAILED          0.250 s  icmp.lua:20: no answer
        │   │   │   └── receive       FAILED          0.250 s  icmp.lua:20: no answer
        │   │   ├── sweep[size=64]    PASSED          0.001 s
        │   │   └── sweep[size=1500]  PASSED          0.001 s
        │   ├── Trace                 BLOCKED               -  Ping did not pass and must
        │   │   └── hops              BLOCKED               -  Ping did not pass and must
        │   └── common_cleanup        PASSED          0.001 s
        └── crash                     ERRORED         0.012 s  killed by SIGSEGV (signal 11)
            ├── First                 ERRORED               -  killed by SIGSEGV (signal 11)
            │   └── crash             ERRORED               -  killed by SIGSEGV (signal 11)
            └── Second                NOT REACHED           -

        script.Ping.icmp.receive: traceback
            icmp.lua:20: in step 'receive'
            [C]: in ?

           FAILED [   0.500s] script: 1 of 2 testcases failed
           FAILED [   0.250s] script Ping.icmp.receive: icmp.lua:20: no answer
          ERRORED [   0.012s] crash: killed by SIGSEGV (signal 11)
          ERRORED [        -] crash First.crash: killed by SIGSEGV (signal 11)
        Result: ERRORED  2 tasks: 1 failed, 1 errored in 2.345 s
                4 testcases: 1 failed, 1 errored, 1 blocked, 1 not reached; 5 tests: 2 passed, 1 failed, 1 errored, 1 blocked
        Run directory: /runs/0123
        "#);
    }

    #[test]
    fn of_many_sections_only_those_that_are_not_good_are_listed() {
        let mut kinds = vec![run_started(), queued(1, "big", 0), started(1, 1)];
        kinds.push(planned(1, vec![crate::model::SectionPlan::new(SectionKind::Testcase, "T", 0)]));
        kinds.push(planned(
            1,
            (1..=10_000).map(|n| crate::model::SectionPlan::new(SectionKind::Test, format!("t{n}"), 1)).collect(),
        ));
        for section in 2..=10_001 {
            let outcome = if section % 4000 == 0 { Outcome::Failed } else { Outcome::Passed };
            kinds.push(EventKind::SectionFinished(Box::new(section_end(1, section, outcome))));
        }
        kinds.push(EventKind::SectionFinished(Box::new(section_end(1, 1, Outcome::Failed))));
        kinds.push(end(finished(1, Outcome::Failed, None)));
        insta::assert_snapshot!(show(kinds, Verbosity::Normal, true), @r#"

        nightly
        └── big            FAILED       0.012 s
            └── T          FAILED             -
                ├── t3999  FAILED             -
                ├── t7999  FAILED             -
                └── 9998 others passed

           FAILED [   0.012s] big
        Result: RUNNING  1 task: 1 failed in 16 min 41 s
                1 testcase: 1 failed; 10000 tests: 9998 passed, 2 failed
        Run directory: /runs/0123
        "#);
    }

    #[test]
    fn plugin_errors_are_told_and_counted() {
        let error = RaisedError { kind: "error".into(), message: "p.lua:3: no".into(), traceback: None };
        let failed = |stage: &str, task| {
            let (plugin, stage, error) = ("timer".into(), stage.into(), error.clone());
            EventKind::PluginFailed(Box::new(PluginFailed { plugin, stage, task, error }))
        };
        let mut kinds = vec![run_started(), queued(1, "a", 0), started(1, 1)];
        kinds.push(end(finished(1, Outcome::Passed, None)));
        kinds.extend([failed("post_task", Some(1)), failed("post_job", None), run_finished(Some(Outcome::Errored), 3)]);
        insta::assert_snapshot!(show(kinds, Verbosity::Normal, false), @r#"

        nightly
        └── a  PASSED       0.012 s

        Plugin errors:
            plugin 'timer' failed in post_task of a: p.lua:3: no
            plugin 'timer' failed in post_job: p.lua:3: no

        Result: ERRORED  1 task: 1 passed in 2.345 s
        Run directory: /runs/0123
        "#);
    }

    #[test]
    fn quiet_has_the_result_alone_and_silent_nothing() {
        let tasks = "2 passed (1 on a later attempt), 1 failed, 1 errored, 1 blocked";
        assert_eq!(show(job(), Verbosity::Quiet, false), format!("Result: ERRORED  5 tasks: {tasks} in 2.345 s\n"));
        assert_eq!(show(job(), Verbosity::Silent, false), "");
    }

    #[test]
    fn an_error_in_main_and_tasks_left_alive() {
        let error = RaisedError {
            kind: "error".into(),
            message: "job.lua:9: boom".into(),
            traceback: Some("job.lua:9: in main\n[C]: in ?".into()),
        };
        let left = TaskFinished { dangling: true, ..finished(1, Outcome::Errored, Some("main returned")) };
        let kinds = vec![
            run_started(),
            queued(1, "soak", 0),
            started(1, 1),
            EventKind::MainFinished { error: Some(error) },
            end(left),
            EventKind::Interrupted { signal: 15, times: 1 },
            run_finished(Some(Outcome::Aborted), 143),
        ];
        insta::assert_snapshot!(show(kinds, Verbosity::Normal, false), @r#"

        nightly
        └── soak  ERRORED      0.012 s  main returned

        dangling: 1 task ended because main returned without waiting for it; call task:wait()
            soak: /jobs/soak.lua

        main raised an error: job.lua:9: boom
            job.lua:9: in main
            [C]: in ?

        Stopped by SIGTERM.

          ERRORED [   0.012s] soak: main returned
        Result: ABORTED  1 task: 1 errored in 2.345 s
        Run directory: /runs/0123
        "#);
    }

    #[test]
    fn a_run_in_which_nothing_ran() {
        insta::assert_snapshot!(show(vec![run_started(), run_finished(None, 4)], Verbosity::Normal, false), @r#"

        Nothing ran: no task was queued.

        Result: NOTHING RAN  0 tasks in 2.345 s
        Run directory: /runs/0123
        "#);
    }

    #[test]
    fn a_lost_run_and_the_same_while_it_is_going() {
        let mut kinds = job();
        kinds.truncate(12);
        kinds.push(queued(4, "later", 0));
        insta::assert_snapshot!(show(kinds.clone(), Verbosity::Normal, false), @r#"

        nightly
        ├── connect  PASSED       0.012 s
        ├── flaky    PASSED       0.012 s  passed at attempt 2 of 3
        ├── compare  LOST               -  its host ended before it did
        └── later    NOT RUN            -

        Run 01234567 was lost: its host ended before it could record the end.

             LOST [        -] compare: its host ended before it did
          NOT RUN [        -] later
        Result: LOST  4 tasks: 2 passed (1 on a later attempt), 2 without an end in 1.200 s
        Run directory: /runs/0123
        "#);
        insta::assert_snapshot!(show(kinds, Verbosity::Normal, true), @r#"

        nightly
        ├── connect  PASSED       0.012 s
        ├── flaky    PASSED       0.012 s  passed at attempt 2 of 3
        ├── compare  RUNNING            -
        └── later    QUEUED             -

        Result: RUNNING  4 tasks: 2 passed (1 on a later attempt), 2 not ended yet in 1.200 s
        Run directory: /runs/0123
        "#);
    }

    #[test]
    fn of_many_tasks_only_those_that_are_not_good_are_listed() {
        let task = |task| {
            let outcome = if task % 100 == 0 { Outcome::Failed } else { Outcome::Passed };
            [queued(task, &format!("Task-{task}"), 0), started(task, 1), end(finished(task, outcome, None))]
        };
        let kinds: Vec<EventKind> = std::iter::once(run_started()).chain((1..=201).flat_map(task)).collect();
        insta::assert_snapshot!(show(kinds, Verbosity::Normal, true), @r#"

        nightly
        ├── Task-100  FAILED       0.012 s
        ├── Task-200  FAILED       0.012 s
        └── 199 others passed

           FAILED [   0.012s] Task-100
           FAILED [   0.012s] Task-200
        Result: RUNNING  201 tasks: 199 passed, 2 failed in 1 min 00 s
        Run directory: /runs/0123
        "#);
    }
}
