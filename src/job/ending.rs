//! The end of a run: every result is written before it is called a result, and the exit code says the same as the reports.

use std::io::Write;

use super::reports::add_step_summary;
use super::{HostCall, Job};
use crate::engine::{Abandoned, Failure};
use crate::model::{EventKind, Masks, Outcome, RaisedError, exit_code};
use crate::report::{self, Closing, Look, Summary};
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
}

impl Job {
    /// Ends what is still alive after `main` as dangling, and the engine. What is asked of the jobfile meanwhile is
    /// answered by `serve`.
    pub(crate) fn close(&self, serve: &mut dyn FnMut(HostCall)) {
        let answer = self.engine().close();
        let closed = self.wait_serving(&answer, serve).unwrap_or(Ok(()));
        // What failed before stands.
        let failure = self.failure.lock().take();
        *self.failure.lock() = failure.or(closed.err());
    }

    /// Ends the run after [`Job::close`], and returns the exit code.
    pub(crate) fn end(&self, main: &MainEnd) -> i32 {
        if std::mem::replace(&mut *self.ending.lock(), true) {
            // The engine has given main up and wraps up; it ends the process.
            loop {
                std::thread::park();
            }
        }
        let failure = self.failure.lock().take();
        let code = self.wrap_up(main, failure);
        self.engine().leave();
        code
    }

    /// Ends a run whose `main` did not return after an interrupt, or at its deadline. Called on the engine's thread; ends the
    /// process.
    pub(super) fn end_abandoned(&self, why: Abandoned) {
        if std::mem::replace(&mut *self.ending.lock(), true) {
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
        if std::mem::replace(&mut *self.ending.lock(), true) {
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
        let Some(run) = self.run.lock().take() else { return exit_code::NO_RESULT };
        self.close_shared();
        run.free_descriptors();
        let mut problems: Vec<String> = Vec::new();
        if let Some(failure) = failure {
            problems.push(failure.to_string());
            // What little there is left to write needs room.
            let _ = run.free_ballast();
        }
        let mut kinds = self.never_started();
        kinds.extend(self.ledger_warnings());
        kinds.push(EventKind::MainFinished { error: main.error.clone() });
        note(&mut problems, self.journal.record(kinds));

        let choice = &self.settings.choice;
        let is_chosen = !(choice.uids.is_empty() && choice.groups.is_empty());
        let (mut code, outcome) = self
            .with_summary(|summary| (earned_code(summary, main, is_chosen, !problems.is_empty()), summary.outcome()));
        let finished = |code: i32, problems: &[String]| EventKind::RunFinished {
            outcome,
            exit_code: code,
            seconds: self.elapsed().as_secs_f64(),
            reason: problems.first().cloned(),
        };
        let end = finished(code, &problems);
        note(&mut problems, self.journal.record(vec![end]));
        note(&mut problems, self.write_reports(&run));
        note(&mut problems, self.leave_test_results());
        let stopped = store::now_micros();
        note(&mut problems, run.conclude(self.exit_status(code), stopped));
        note(&mut problems, self.settle(&run));
        // What the log says of its end must not be better than it was, and neither what the archive does.
        for archived in [false, true] {
            if archived {
                note(&mut problems, self.make_archive(&run));
            }
            if !problems.is_empty() && code != exit_code::NO_RESULT {
                code = exit_code::NO_RESULT;
                let _ = run.free_ballast();
                Self::drop_reports(&run);
                let end = finished(code, &problems);
                note(&mut problems, self.journal.record(vec![end]));
                note(&mut problems, self.write_reports(&run));
                note(&mut problems, run.conclude(self.exit_status(code), stopped));
                note(&mut problems, self.settle(&run));
            }
        }
        note(&mut problems, run.release());
        if !problems.is_empty() {
            code = exit_code::NO_RESULT;
        }
        self.say_the_last_words(&problems);
        code
    }

    /// Brings the end of the run to the disk: the log, which tells everything, and then what is found by it.
    fn settle(&self, run: &RunDir) -> Result<(), store::Error> {
        self.journal.sync()?;
        store::settle(&[run])
    }

    /// Makes the archive, if one is wanted. It shows how the run ended, which is written by now.
    fn make_archive(&self, run: &RunDir) -> Result<(), store::Error> {
        let Some(target) = &self.settings.archive else { return Ok(()) };
        // The job's log is to be in it to its end.
        super::start::flush(&self.console);
        run.write_attr("archive", &target.path().to_string_lossy())?;
        let name = self.runtime.read().job.name.clone();
        let jobfile = store::Jobfile { path: &self.settings.jobfile, source: Some(&self.settings.source) };
        let masks = match self.settings.keeps_secrets {
            true => Masks::default(),
            false => self.history.secrets.lock().archive_masks(),
        };
        store::archive(run.path(), target, &name, jobfile, &masks)
    }

    /// Returns the attribute `exit_status` of a run that ends with this exit code.
    fn exit_status(&self, code: i32) -> i32 {
        self.with_summary(|summary| summary.interrupt.map_or(code, |signal| -signal))
    }

    /// Returns a warning for each task that was made for nothing.
    fn never_started(&self) -> Vec<EventKind> {
        let roster = self.roster.lock();
        let unstarted = roster.iter().filter(|(_, entry)| entry.draft.is_some());
        unstarted
            .map(|(_, entry)| EventKind::Warning {
                text: format!("task '{}' was made but never started", entry.id),
                place: entry.place.clone(),
            })
            .collect()
    }

    pub(super) fn with_summary<T>(&self, look: impl FnOnce(&Summary) -> T) -> T {
        let live = self.live.lock();
        match &*live {
            Some(live) => live.with_summary(look),
            None => look(&Summary::default()),
        }
    }

    fn say_the_last_words(&self, problems: &[String]) {
        let Some(live) = self.live.lock().take() else { return };
        let look = self.look();
        let directory = self.directory.display().to_string();
        let is_to_end = || self.engine().interrupted().is_some();
        live.finish(&is_to_end, |summary| {
            let tail = |row: &report::Row| {
                let tail = store::output_tail(&self.directory, &row.path_of(report::telling_stream(row)?))?;
                Some(self.masks.mask(&tail).into_owned())
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
            let _ = writeln!(std::io::stderr(), "error: {}", self.masks.mask_text(problem));
        }
    }

    fn look(&self) -> Look {
        report::Settings::standard(self.settings.color, self.settings.verbosity).look
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
        return exit_code::FAILED;
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
