//! Why a task is ended from outside. Reasons are ordered: a stronger one replaces a weaker one, never the reverse.

use std::time::Duration;

use rustix::process::Signal;

use crate::model::{Outcome, StopWord, TestStatus};

/// Why a run that has nothing left to wait for ends without its `main`, which has not returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Abandoned {
    /// The run was asked to stop by this signal.
    Interrupted(i32),
    /// The job as a whole has taken longer than it may.
    Overdue(Duration),
}

/// A reason to end a task, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// The jobfile asked for it.
    Terminated,
    /// An attempt took longer than it may.
    TimeLimit(Duration),
    /// Its runner said nothing for so long.
    Silence(Duration),
    /// The run as a whole took longer than it may.
    RunLimit(Duration),
    /// The job as a whole took longer than it may, what had not started included.
    Deadline(Duration),
    /// So many tests have not passed that no other is to start.
    Failures(u32),
    /// Somebody waited for the task and would not wait longer.
    WaitLimit(Duration),
    /// `main` returned while the task was alive.
    Dangling,
    /// The task broke the protocol of its kind.
    Protocol,
    /// The host was asked to stop by this signal.
    Interrupted(i32),
    /// There was no room for any process.
    Starved,
    /// The run can no longer be recorded.
    Unrecordable,
}

impl StopReason {
    const fn strength(self) -> u8 {
        match self {
            Self::Terminated => 0,
            Self::TimeLimit(_) => 1,
            Self::Silence(_) => 2,
            Self::WaitLimit(_) => 3,
            Self::Failures(_) => 4,
            Self::RunLimit(_) | Self::Deadline(_) => 5,
            Self::Dangling => 6,
            Self::Protocol => 7,
            Self::Interrupted(_) => 8,
            Self::Starved => 9,
            Self::Unrecordable => 10,
        }
    }

    /// Returns whether this reason replaces `other`.
    pub(super) const fn outranks(self, other: Self) -> bool {
        self.strength() > other.strength()
    }

    /// Returns the outcome of a task that was ended for this reason.
    pub(super) const fn outcome(self) -> Outcome {
        match self {
            Self::Terminated | Self::Interrupted(_) | Self::Starved | Self::Unrecordable => Outcome::Aborted,
            Self::TimeLimit(_)
            | Self::Silence(_)
            | Self::RunLimit(_)
            | Self::Deadline(_)
            | Self::WaitLimit(_)
            | Self::Dangling
            | Self::Protocol => Outcome::Errored,
            Self::Failures(_) => Outcome::Skipped,
        }
    }

    /// Returns the outcome of a task that had not started when it was stopped for this reason.
    pub(super) const fn outcome_of_unstarted(self) -> Outcome {
        match self {
            Self::RunLimit(_) => Outcome::Skipped,
            // What a job has not come to is no success.
            Self::Deadline(_) => Outcome::Blocked,
            _ => self.outcome(),
        }
    }

    /// Returns how Avocado calls the end of a task that was ended for this reason, where the outcome does not say it.
    pub(super) const fn status(self) -> Option<TestStatus> {
        match self {
            Self::TimeLimit(_) | Self::RunLimit(_) | Self::Deadline(_) => Some(TestStatus::Interrupted),
            _ => None,
        }
    }

    /// Returns the same for a task that had not started.
    pub(super) const fn status_of_unstarted(self) -> Option<TestStatus> {
        match self {
            Self::Interrupted(_) => Some(TestStatus::Skip),
            _ => None,
        }
    }

    /// Returns the time limit that was exceeded.
    pub(super) const fn limit(self) -> Option<Duration> {
        match self {
            Self::TimeLimit(limit) | Self::RunLimit(limit) | Self::Deadline(limit) | Self::WaitLimit(limit) => {
                Some(limit)
            }
            _ => None,
        }
    }

    /// Returns what becomes of a section that runs when its task is ended for this reason.
    pub(super) const fn word(self) -> StopWord {
        match self.limit() {
            Some(_) => StopWord::TimedOut,
            None => StopWord::Aborted,
        }
    }

    /// Returns the signal that asks the task to end.
    pub(super) fn signal(self) -> Signal {
        match self {
            Self::Interrupted(number) => Signal::from_named_raw(number).unwrap_or(Signal::TERM),
            _ => Signal::TERM,
        }
    }

    /// Returns the sentence for a task that had not started when it was stopped.
    pub(super) fn text_for_unstarted(self) -> String {
        match self {
            Self::TimeLimit(limit) | Self::WaitLimit(limit) => {
                format!("did not start within {} s", limit.as_secs_f64())
            }
            Self::Dangling => "had not started when main returned".to_owned(),
            Self::Failures(_) => self.text(),
            _ => format!("did not start: {}", self.text()),
        }
    }

    /// Returns the sentence that explains it to the user.
    pub(super) fn text(self) -> String {
        match self {
            Self::Terminated => "terminated by the jobfile".to_owned(),
            Self::TimeLimit(limit) | Self::WaitLimit(limit) => {
                format!("exceeded its max_runtime of {} s and was ended", limit.as_secs_f64())
            }
            Self::Silence(limit) => {
                format!("its runner said nothing for {} s and was ended as faulty", limit.as_secs_f64())
            }
            Self::RunLimit(limit) => format!("the run exceeded its time limit of {} s", limit.as_secs_f64()),
            Self::Deadline(limit) => format!("the job exceeded its deadline of {} s", limit.as_secs_f64()),
            Self::Failures(1) => "not run: a test had not passed".to_owned(),
            Self::Failures(count) => format!("not run: {count} tests had not passed"),
            Self::Dangling => "was still alive when main returned and was ended".to_owned(),
            Self::Protocol => "broke the protocol of its runner".to_owned(),
            Self::Interrupted(number) => match signal_hook::low_level::signal_name(number) {
                Some(name) => format!("the run was interrupted by {name}"),
                None => format!("the run was interrupted by signal {number}"),
            },
            Self::Starved => "there was no room for any process".to_owned(),
            Self::Unrecordable => "the run could no longer be recorded".to_owned(),
        }
    }
}
