//! The records of a run of an operation while it is under way. Whoever ends the run takes them.

use std::time::Instant;

use parking_lot::Mutex;

use crate::engine::{End, Journal};
use crate::model::{EventKind, Exit, Outcome, exit_code};
use crate::store::{self, RunDir};

/// How a run of an operation ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RunEnd {
    /// The attribute `exit_status`: a code, or the number of a signal negated.
    pub(super) exit_status: i32,
    /// The exit code for who started it.
    pub(super) code: i32,
    /// The outcome in the event log.
    pub(super) outcome: Option<Outcome>,
    /// Why, where the status does not say it.
    pub(super) reason: Option<String>,
}

impl RunEnd {
    /// Returns the end of a run whose operation never started.
    pub(super) fn unstarted(reason: String) -> RunEnd {
        RunEnd { exit_status: 1, code: 1, outcome: Some(Outcome::Errored), reason: Some(reason) }
    }

    /// Returns the end of a run that could not be recorded.
    pub(super) fn unrecorded(reason: String) -> RunEnd {
        RunEnd { exit_status: exit_code::NO_RESULT, code: exit_code::NO_RESULT, ..RunEnd::unstarted(reason) }
    }

    /// Returns the end of a run that this signal ended.
    pub(super) fn interrupted(signal: i32) -> RunEnd {
        RunEnd { exit_status: -signal, code: 128 + signal, outcome: Some(Outcome::Aborted), reason: None }
    }

    /// Returns the end of a run whose operation ended so.
    pub(super) fn of(end: &End) -> RunEnd {
        if let Some(crate::engine::StopReason::Interrupted(signal)) = end.stopped {
            return RunEnd::interrupted(signal);
        }
        let (exit_status, code) = match end.exit {
            Some(Exit::Code(code)) => (code, code),
            Some(Exit::Signal(signal)) => (-signal, 128 + signal),
            // As a shell says of a program that is not there.
            None => (127, 127),
        };
        let outcome = if exit_status == 0 { Outcome::Passed } else { end.outcome };
        RunEnd { exit_status, code, outcome: Some(outcome), reason: end.reason.clone() }
    }
}

/// The directory and the event log of a run that is under way.
pub(super) struct State {
    run: Mutex<Option<RunDir>>,
    journal: Journal,
    started: Instant,
}

impl State {
    /// Holds the records of a run that begins now.
    pub(super) fn new(run: RunDir, journal: Journal) -> State {
        State { run: Mutex::new(Some(run)), journal, started: Instant::now() }
    }

    /// Calls `work` with the run; `None` if its end is written already.
    pub(super) fn with_run<T>(&self, work: impl FnOnce(&RunDir) -> T) -> Option<T> {
        self.run.lock().as_ref().map(work)
    }

    /// The same for what changes where the run is.
    pub(super) fn with_run_mut<T>(&self, work: impl FnOnce(&mut RunDir) -> T) -> Option<T> {
        self.run.lock().as_mut().map(work)
    }

    /// Takes the run from those who could still end it.
    pub(super) fn take(&self) -> Option<RunDir> {
        self.run.lock().take()
    }

    /// Writes how the run ended, and returns when it is on the disk. Only the first call does anything.
    pub(super) fn end(&self, end: &RunEnd) -> store::Result<()> {
        let Some(mut run) = self.take() else { return Ok(()) };
        run.appear()?;
        let finished = EventKind::RunFinished {
            outcome: end.outcome,
            exit_code: end.code,
            seconds: self.started.elapsed().as_secs_f64(),
            reason: end.reason.clone(),
        };
        let recorded = self.journal.record(vec![finished]);
        // The attributes are what others read: they are written also where the log could not be.
        let conclude = |has_failed: bool| {
            let status = if has_failed && end.exit_status == 0 { 1 } else { end.exit_status };
            run.conclude(status, store::now_micros())
        };
        let concluded = conclude(recorded.is_err());
        let settled = recorded.and_then(|()| self.journal.sync()).and_then(|()| store::settle(&[&run]));
        if settled.is_err() {
            let _ = conclude(true);
        }
        let released = run.release();
        settled.and(concluded).and(released)
    }
}
