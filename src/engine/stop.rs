//! Why a task is ended from outside. Reasons are ordered: a stronger one replaces a weaker one, never the reverse.

use std::time::Duration;

use rustix::process::Signal;

use crate::model::Outcome;

/// A reason to end a task, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// The jobfile asked for it.
    Terminated,
    /// An attempt took longer than it may.
    TimeLimit(Duration),
    /// Its runner said nothing for so long.
    Silence(Duration),
    /// Somebody waited for the task and would not wait longer.
    WaitLimit(Duration),
    /// `main` returned while the task was alive.
    Dangling,
    /// The task broke the protocol of its kind.
    Protocol,
    /// The host was asked to stop by this signal.
    Interrupted(i32),
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
            Self::Dangling => 4,
            Self::Protocol => 5,
            Self::Interrupted(_) => 6,
            Self::Unrecordable => 7,
        }
    }

    /// Returns whether this reason replaces `other`.
    pub(super) const fn outranks(self, other: Self) -> bool {
        self.strength() > other.strength()
    }

    /// Returns the outcome of a task that was ended for this reason.
    pub(super) const fn outcome(self) -> Outcome {
        match self {
            Self::Terminated | Self::Interrupted(_) | Self::Unrecordable => Outcome::Aborted,
            Self::TimeLimit(_) | Self::Silence(_) | Self::WaitLimit(_) | Self::Dangling | Self::Protocol => {
                Outcome::Errored
            }
        }
    }

    /// Returns the time limit that was exceeded.
    pub(super) const fn limit(self) -> Option<Duration> {
        match self {
            Self::TimeLimit(limit) | Self::WaitLimit(limit) => Some(limit),
            _ => None,
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
            Self::Dangling => "was still alive when main returned and was ended".to_owned(),
            Self::Protocol => "broke the protocol of its runner".to_owned(),
            Self::Interrupted(number) => match signal_hook::low_level::signal_name(number) {
                Some(name) => format!("the run was interrupted by {name}"),
                None => format!("the run was interrupted by signal {number}"),
            },
            Self::Unrecordable => "the run could no longer be recorded".to_owned(),
        }
    }
}
