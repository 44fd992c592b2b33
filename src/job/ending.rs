//! The end of a run: every result is written before it is called a result, and the exit code says the same as the reports.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::reports::{self, add_step_summary};
use super::run::flush;
use super::{HostCall, Job, testing};
use crate::engine::{Abandoned, Failure};
use crate::model::{EventKind, Masks, Outcome, RaisedError, exit_code};
use crate::report::{self, Closing, Summary};
use crate::store::{self, RunDir};

/// How the jobfile's part in the run ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct MainEnd {
    /// What it raised.
    pub(crate) error: Option<RaisedError>,
    /// There was no `main` to call: the jobfile itself is at fault, or what it was given.
    pub(crate) is_unusable: bool,
    /// It showed its help, which is all that it was asked for.
    pub(crate) gave_help: bool,
    /// The exit code of a run with failed tasks, where that is theirs to say.
    pub(crate) code: Option<i32>,
}

/// Who ends the run, and for what it could not be recorded.
#[derive(Default)]
pub(super) struct Ending {
    failure: Mutex<Option<Failure>>,
    has_begun: AtomicBool,
}

impl Ending {
    /// Notes what made the run unrecordable. What failed before stands.
    pub(super) fn fail(&self, failure: Failure) {
        self.failure.lock().get_or_insert(failure);
    }

    /// Returns whether the caller is the one who ends the run: the first who asks.
    fn begin(&self) -> bool {
        !self.has_begun.swap(true, Ordering::AcqRel)
    }
}

impl Job {
    /// Ends what is still alive after `main` as dangling, and the engine. What is asked of the jobfile meanwhile is
    /// answered by `serve`.
    pub(crate) fn close(&self, serve: &mut dyn FnMut(HostCall)) {
        let answer = self.engine().close();
        if let Some(Err(failure)) = self.calls.wait_serving(&answer, serve) {
            self.ending.fail(failure);
        }
    }

    /// Ends the run after [`Job::close`], and returns the exit code.
    pub(crate) fn end(&self, main: &MainEnd) -> i32 {
        if !self.ending.begin() {
            // The engine has given main up and wraps up; it ends the process.
            loop {
                std::thread::park();
            }
        }
        let failure = self.ending.failure.lock().take();
        let code = self.wrap_up(main, failure);
        self.engine().leave();
        code
    }

    /// Ends a run whose `main` did not return after an interrupt, or at its deadline. Called on the engine's thread; ends the
    /// process.
    pub(super) fn end_abandoned(&self, why: Abandoned) {
        if !self.ending.begin() {
            return;
        }
        self.leave(match why {
            Abandoned::Interrupted(signal) => {
                let name = signal_hook::low_level::signal_name(signal).unwrap_or("a signal");
                format!("main did not return after {name} and was given up")
            }
            Abandoned::Overdue(limit) => {
                format!(
                    "the job exceeded its deadline of {} s; main did not return and was given up",
                    limit.as_secs_f64()
                )
            }
        });
    }

    /// Ends a run whose main thread does not come to its end. Called on another thread; ends the process.
    pub(crate) fn end_given_up(&self, why: &str) {
        self.engine().give_up_hooks();
        let _ = self.engine().close().recv();
        if !self.ending.begin() {
            return;
        }
        self.leave(format!("{why}; the run was given up"));
    }

    fn leave(&self, message: String) -> ! {
        let error = Some(RaisedError { kind: "abandoned".to_owned(), message, traceback: None });
        let code = self.wrap_up(&MainEnd { error, ..MainEnd::default() }, None);
        std::process::exit(code);
    }

    fn wrap_up(&self, main: &MainEnd, failure: Option<Failure>) -> i32 {
        let Some(held) = self.run.take_held() else { return exit_code::NO_RESULT };
        self.shared.close();
        held.free_descriptors();
        let mut last = Last { job: self, held, problems: Vec::new() };
        if let Some(failure) = failure {
            last.problems.push(failure.to_string());
            // What little there is left to write needs room.
            let _ = last.held.free_ballast();
        }
        last.record_end_of_main(main);
        let code = last.record_end_of_run(main);
        let Last { held, mut problems, .. } = last;
        note(&mut problems, held.release());
        let code = if problems.is_empty() { code } else { exit_code::NO_RESULT };
        self.say_the_last_words(&problems);
        code
    }

    fn say_the_last_words(&self, problems: &[String]) {
        let run = &self.run;
        let Some(live) = run.take_live() else { return };
        let look = report::Settings::standard(self.settings.color, self.settings.verbosity).look;
        let directory = run.directory().display().to_string();
        let is_to_end = || self.engine().interrupted().is_some();
        live.finish(&is_to_end, |summary| {
            let tail = |row: &report::Row| {
                let tail = store::output_tail(run.directory(), &row.path_of(report::telling_stream(row)?))?;
                Some(run.masks().mask(&tail).into_owned())
            };
            // Before the rest, so that the last lines are for people.
            let mut text = String::new();
            if self.settings.annotations.are_for_github(look.verbosity) {
                text.push_str(&report::github_annotations(summary));
                if let Err(error) = add_step_summary(summary) {
                    text.extend(["warning: cannot write the summary of the step: ", &error.to_string(), "\n"]);
                }
            }
            let closing = Closing { look, run_dir: Some(&directory), still_running: false, tail: &tail };
            text.push_str(&report::render(summary, &closing));
            if let Some(archive) = self.settings.archive.as_ref().filter(|_| problems.is_empty())
                && look.verbosity >= report::Verbosity::Normal
            {
                text.extend(["Archive: ", &archive.path().display().to_string(), "\n"]);
            }
            text
        });
        for problem in problems {
            // With a closed terminal there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "error: {}", run.masks().mask_text(problem));
        }
    }
}

/// What a run writes last, and what went wrong with that.
struct Last<'a> {
    job: &'a Job,
    held: RunDir,
    problems: Vec<String>,
}

impl Last<'_> {
    /// Records that `main` has ended, with what is known by then.
    fn record_end_of_main(&mut self, main: &MainEnd) {
        let Job { run, roster, ledger, settings, .. } = self.job;
        let mut kinds = roster.never_started();
        let is_whole = run.with_summary(|summary| summary.interrupt.is_none());
        kinds.extend(ledger.warnings(is_whole, &settings.selection, |number| roster.had_process(number)));
        kinds.push(EventKind::MainFinished { error: main.error.clone() });
        self.note(run.record(kinds));
    }

    /// Records how the run has ended, with its reports and its archive; returns the exit code.
    fn record_end_of_run(&mut self, main: &MainEnd) -> i32 {
        let Job { run, settings, .. } = self.job;
        let choice = &settings.choice;
        let is_chosen = !(choice.uids.is_empty() && choice.groups.is_empty());
        let is_unrecordable = !self.problems.is_empty();
        let (mut code, outcome) =
            run.with_summary(|summary| (earned_code(summary, main, is_chosen, is_unrecordable), summary.outcome()));
        self.record_code(code, outcome);
        self.note(reports::write(run, &self.held, &settings.report_copies));
        self.note(testing::leave_results(run, settings));
        let stopped = store::now_micros();
        self.conclude(code, stopped);
        // What the log says of its end must not be better than it was, and neither what the archive does.
        for archived in [false, true] {
            if archived {
                self.note(self.make_archive());
            }
            if !self.problems.is_empty() && code != exit_code::NO_RESULT {
                code = exit_code::NO_RESULT;
                let _ = self.held.free_ballast();
                reports::drop_all(&self.held);
                self.record_code(code, outcome);
                self.note(reports::write(run, &self.held, &settings.report_copies));
                self.conclude(code, stopped);
            }
        }
        code
    }

    fn record_code(&mut self, code: i32, outcome: Option<Outcome>) {
        let end = EventKind::RunFinished {
            outcome,
            exit_code: code,
            seconds: self.job.run.elapsed().as_secs_f64(),
            reason: self.problems.first().cloned(),
        };
        self.note(self.job.run.record(vec![end]));
    }

    /// Writes the attributes of the end, and brings the end of the run to the disk: the log, which tells everything, and then
    /// what is found by it.
    fn conclude(&mut self, code: i32, stopped: i64) {
        let run = &self.job.run;
        let status = run.with_summary(|summary| summary.interrupt.map_or(code, |signal| -signal));
        self.note(self.held.conclude(status, stopped));
        self.note(run.sync().and_then(|()| store::settle(&[&self.held])));
    }

    /// Makes the archive, if one is wanted. It shows how the run ended, which is written by now.
    fn make_archive(&self) -> store::Result<()> {
        let Job { run, settings, history, .. } = self.job;
        let Some(target) = &settings.archive else { return Ok(()) };
        // The job's log is to be in it to its end.
        flush(&run.console());
        self.held.write_attr("archive", &target.path().to_string_lossy())?;
        let jobfile = store::Jobfile { path: &settings.jobfile, source: Some(&settings.source) };
        let masks = match settings.keeps_secrets {
            true => Masks::default(),
            false => history.secrets.lock().archive_masks(),
        };
        store::archive(self.held.path(), target, &run.runtime().job.name, jobfile, &masks)
    }

    fn note(&mut self, result: store::Result<()>) {
        note(&mut self.problems, result);
    }
}

/// Returns the exit code that the run has earned, as the table of exit codes says.
fn earned_code(summary: &Summary, main: &MainEnd, is_chosen: bool, is_unrecordable: bool) -> i32 {
    if is_unrecordable {
        return exit_code::NO_RESULT;
    }
    if let Some(signal) = summary.interrupt {
        return exit_code::of_signal(signal);
    }
    if main.is_unusable {
        return exit_code::USAGE;
    }
    if summary.plugin_failure_count > 0 {
        return exit_code::PLUGIN;
    }
    let walks_failed = summary.walks.iter().any(|suite| suite.failures > 0 || suite.serial_failed.is_some());
    let has_bad = summary.counts.bad() > 0 || summary.preparations.bad() > 0;
    if summary.main_error.is_some() || summary.dangling > 0 || has_bad || walks_failed {
        return main.code.unwrap_or(exit_code::FAILED);
    }
    // A task that has no sections, or none that are chosen, started, and yet ran nothing of what was asked for.
    let has_sections = |row: &report::Row| row.sections().is_some_and(|sections| sections.len() > 0);
    let has_run = |row: &report::Row| {
        row.attempts > 0 && (!is_chosen || has_sections(row) && row.outcome != Some(Outcome::Skipped))
    };
    let has_walked = summary.walks.iter().any(|suite| suite.end.as_ref().is_some_and(|end| end.walk_count > 0));
    match main.gave_help || has_walked || summary.rows().iter().any(has_run) {
        true => exit_code::PASSED,
        false => exit_code::NOTHING,
    }
}

fn note(problems: &mut Vec<String>, result: Result<(), store::Error>) {
    // What is tried again may fail again.
    match result.map_err(|error| error.to_string()) {
        Err(problem) if !problems.contains(&problem) => problems.push(problem),
        _ => {}
    }
}
