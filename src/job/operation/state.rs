//! The records of a run of an operation while it is under way. Whoever ends the run takes them.

use std::time::Instant;

use parking_lot::Mutex;

use super::RunError;
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

    /// Returns the end of a run whose operation was not started for this error.
    pub(super) fn of_error(error: &RunError) -> RunEnd {
        match error {
            RunError::Interrupted(signal) => RunEnd::interrupted(*signal),
            error if error.leaves_no_result() => RunEnd::unrecorded(error.to_string()),
            error => RunEnd::unstarted(error.to_string()),
        }
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

    /// Notes in the log what happened. What cannot be written is met again at the end of the run.
    pub(super) fn note(&self, event: EventKind) {
        let _ = self.journal.record(vec![event]);
    }

    /// Takes the run from those who could still end it.
    pub(super) fn take(&self) -> Option<RunDir> {
        self.run.lock().take()
    }

    /// Writes how the run ended, and returns when it is on the disk. Only the first call does anything.
    pub(super) fn end(&self, end: &RunEnd) -> store::Result<()> {
        match self.conclude(end, None) {
            Some(concluded) => settle(vec![concluded]).into_iter().next().unwrap_or(Ok(())),
            None => Ok(()),
        }
    }

    /// Writes how the run ended, and before it what its log is to say of its task. `None` if its end is written already.
    pub(super) fn conclude(&self, end: &RunEnd, task: Option<EventKind>) -> Option<Concluded> {
        let mut run = self.take()?;
        let appeared = run.appear();
        let finished = EventKind::RunFinished {
            outcome: end.outcome,
            exit_code: end.code,
            seconds: self.started.elapsed().as_secs_f64(),
            reason: end.reason.clone(),
        };
        let recorded = self.journal.record(task.into_iter().chain([finished]).collect());
        // The attributes are what others read: they are written also where the log could not be.
        let status = if recorded.is_err() && end.exit_status == 0 { 1 } else { end.exit_status };
        let concluded = run.conclude(status, store::now_micros());
        let written = appeared.and(recorded).and(concluded);
        Some(Concluded { run, journal: self.journal.clone(), exit_status: end.exit_status, written })
    }
}

/// A run whose end is written, and perhaps not on the disk yet.
pub(super) struct Concluded {
    run: RunDir,
    journal: Journal,
    exit_status: i32,
    written: store::Result<()>,
}

/// Brings the ends of runs to the disk and gives the runs up.
pub(super) fn settle(ended: Vec<Concluded>) -> Vec<store::Result<()>> {
    let is_one_by_one = ended.len() < store::MANY_RUNS;
    let sync = |ended: &Concluded| if is_one_by_one { ended.journal.sync() } else { Ok(()) };
    let logs: Vec<store::Result<()>> = ended.iter().map(sync).collect();
    let runs: Vec<&RunDir> = ended.iter().map(|ended| &ended.run).collect();
    let settled = store::settle(&runs).map_err(|error| error.to_string());
    let each = ended.into_iter().zip(logs).map(|(ended, log)| {
        let Concluded { run, journal: _, exit_status, written } = ended;
        let settled = match &settled {
            Ok(()) => Ok(()),
            Err(text) => Err(store::Error::io("sync", run.path())(std::io::Error::other(text.clone()))),
        };
        let result = written.and(log).and(settled);
        if result.is_err() && exit_status == 0 {
            // What is not known to be there has not completed.
            let _ = run.conclude(1, store::now_micros());
        }
        let released = run.release();
        result.and(released)
    });
    each.collect()
}
