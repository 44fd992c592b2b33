//! A run under way: it has a run directory, feeds the engine, waits for tasks and wraps up. All front doors use it.
//!
//! Nothing here knows Lua.

mod before;
mod calls;
mod datafile;
mod draft;
mod ending;
mod executables;
pub(crate) mod flags;
mod history;
mod inputs;
pub(crate) mod interpreter;
mod ledger;
pub(crate) mod operation;
mod prepare;
mod prompt;
mod queue;
mod reports;
mod rerun;
mod resolve;
mod roster;
mod run;
mod secrets;
mod sections;
mod select;
mod settings;
mod start;
mod synchro;
mod testing;
mod variant;
mod walk;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;

use self::calls::Calls;
use self::ending::Ending;
use self::history::History;
use self::ledger::Ledger;
use self::prepare::Preparation;
use self::roster::{Leaving, Roster};
use self::run::Run;
use self::synchro::Shared;
use self::walk::Suites;
use crate::engine::{Engine, Failure, Group, OnLimit, Runners, StopReason};
use crate::model::{Answer, Request, TaskNumber};

pub(crate) use self::calls::HostCall;
pub(crate) use self::datafile::read_datafile;
pub(crate) use self::draft::{Draft, DraftDatafile, DraftSections, Testscript};
pub(crate) use self::ending::MainEnd;
pub(crate) use self::executables::{PYTEST_MAIN, printed_by, pytest_items, python_folders, run_again};
pub(crate) use self::ledger::slip_text;
pub(crate) use self::queue::{Became, Next, PassedOver, Queue, Startable};
pub(crate) use self::reports::{Annotations, ReportCopy, ReportForm};
pub(crate) use self::rerun::{Condition, Rerun};
pub(crate) use self::roster::{CannotStart, TaskView};
pub(crate) use self::secrets::missing_secrets;
pub(crate) use self::sections::{BadExpression, SectionFilter};
pub(crate) use self::select::Selection;
pub(crate) use self::settings::{Door, Settings};
pub(crate) use self::start::StartError;
pub(crate) use self::testing::{TestPlan, read_suite, suite_text};
pub(crate) use self::walk::{
    FAILED_TRACE, Measured, SHRUNK_TRACE, WalkError, WalkOptions, WalkOutcome, WalkRun, WalkSettings, option_in_words,
    step_in_words, steps_in_words, steps_of,
};

/// A run of a jobfile, of tests or of walks: what it is made with, and its parts.
pub(crate) struct Job {
    settings: Settings,
    run: Run,
    roster: Arc<Roster>,
    engine: OnceLock<Engine>,
    shared: Shared,
    runners: Runners,
    history: History,
    suites: Suites,
    ledger: Ledger,
    calls: Calls,
    /// Held by whoever asks the user.
    terminal: Mutex<()>,
    ending: Ending,
    /// The process that stays with the user.
    guardian_pid: u32,
    /// The trials of a batch.
    trials: Arc<OnceLock<Arc<operation::batch::Trials>>>,
}

/// Why a wait brought no results.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum WaitError {
    /// The run was asked to stop.
    #[error("the run was interrupted by {}", signal_hook::low_level::signal_name(*.0).unwrap_or("a signal"))]
    Interrupted(i32),
    /// Nothing can be recorded any more.
    #[error("the run can no longer be recorded: {0}")]
    Unrecordable(Failure),
}

impl Job {
    /// Makes a task. It gets its number and its id; what is wrong with it is told at once.
    pub(crate) fn define(&self, mut draft: Box<Draft>) -> TaskNumber {
        let place = draft.place.clone();
        let remarks = std::mem::take(&mut draft.remarks);
        self.history.note_environment(&draft.env);
        let (number, problem) = self.roster.add(draft, self.run.masks());
        for text in remarks.into_iter().chain(problem) {
            self.run.warn(text, place.clone());
        }
        number
    }

    /// Starts tasks that were made before, as members of a group if one is given.
    pub(crate) fn start(&self, numbers: &[TaskNumber], group: Option<Group>) -> Result<(), CannotStart> {
        let is_interrupted = || self.interrupted();
        let Self { settings, run, runners, .. } = self;
        let preparation = Preparation { settings, run, runners, is_interrupted: &is_interrupted };
        let mut submissions = Vec::with_capacity(numbers.len());
        for &number in numbers {
            let Some(Leaving { id, draft, decided }) = self.roster.take(number)? else { continue };
            let (task, decided) = preparation.task(id, *draft, decided);
            self.shared.note_parameters(number, &task.runnable.kwargs);
            let submission = self.history.submission(settings, run, number, task, decided);
            match &submission.reused {
                Some(_) => self.ledger.reuse_unknown(),
                None if submission.decided.is_none() => self.ledger.await_use(number, &submission.task),
                None => {}
            }
            submissions.push(submission);
        }
        self.engine().submit(submissions, group);
        Ok(())
    }

    /// Waits until these tasks have ended. With a limit and [`OnLimit::End`] they are ended when it is reached. Returns
    /// false only for [`OnLimit::Leave`], when some have not ended. What is asked of the jobfile meanwhile is answered by
    /// `serve`.
    pub(crate) fn wait(
        &self,
        numbers: Vec<TaskNumber>,
        limit: Option<(Duration, OnLimit)>,
        serve: &mut dyn FnMut(HostCall),
    ) -> Result<bool, WaitError> {
        let follows = self.shared.follow(&numbers, limit.is_some());
        let answer = self.engine().wait(numbers, limit);
        let answer = self.calls.wait_serving(&answer, &mut |call| follows.interrupted_by(|| serve(call)));
        calls::waited(answer)
    }

    /// Ends tasks, without waiting for their end. One that was not started is left alone.
    pub(crate) fn terminate(&self, numbers: Vec<TaskNumber>) {
        self.engine().stop(numbers, StopReason::Terminated);
    }

    /// Does what `main` asks of the shared objects, and waits for it where that takes a wait. The first call starts their
    /// server. What is asked of the jobfile while it waits is answered by `serve`.
    pub(crate) fn shared(&self, request: Request, serve: &mut dyn FnMut(HostCall)) -> Answer {
        self.shared.call(self.engine(), self.run.directory(), request, || {
            self.calls.serve(serve);
            !self.interrupted()
        })
    }

    /// Returns whether the run was asked to stop by a signal.
    pub(crate) fn interrupted(&self) -> bool {
        self.engine().interrupts() > 0
    }

    /// Returns the settings.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the record of the run.
    pub(crate) fn run(&self) -> &Run {
        &self.run
    }

    /// Returns the tasks that were made.
    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Returns what is known of the use of the command line.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn engine(&self) -> &Engine {
        self.engine.get().expect("a job that was started has an engine")
    }
}
