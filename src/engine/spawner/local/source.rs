//! What a local spawner waits for.

use super::reports::CallerId;
use crate::engine::reactor;
use crate::model::{Stream, TaskNumber};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The owner of a task has ended, and with it everything of the task.
    Owner(TaskNumber),
    /// Tasks have ended that have left something.
    Notices,
    /// A task wrote to a standard stream, or closed it.
    Stream(TaskNumber, Stream),
    /// A task's message channel is readable, writable or closed.
    Channel(TaskNumber),
    /// Somebody wants to be let in at the socket for a task's runner.
    Listener(TaskNumber),
    /// Somebody wants to be let in by TCP.
    Strangers,
    /// A connection of a runner is readable or closed.
    Caller(CallerId),
}

impl reactor::Source for Source {
    fn token(&self) -> u64 {
        let (number, what) = match *self {
            Self::Owner(task) => (task.into(), 0),
            Self::Notices => (0, 1),
            Self::Stream(task, Stream::Stdout) => (task.into(), 2),
            Self::Stream(task, Stream::Stderr) => (task.into(), 3),
            Self::Channel(task) => (task.into(), 4),
            Self::Listener(task) => (task.into(), 5),
            Self::Strangers => (0, 6),
            Self::Caller(caller) => (caller, 7),
        };
        number << 4 | what
    }

    fn of_token(token: u64) -> Option<Self> {
        let number = token >> 4;
        let task = || TaskNumber::try_from(number).ok();
        Some(match token & 15 {
            0 => Self::Owner(task()?),
            1 => Self::Notices,
            2 => Self::Stream(task()?, Stream::Stdout),
            3 => Self::Stream(task()?, Stream::Stderr),
            4 => Self::Channel(task()?),
            5 => Self::Listener(task()?),
            6 => Self::Strangers,
            7 => Self::Caller(number),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::reactor::Source as _;

    #[test]
    fn every_source_survives_its_token() {
        let of = |task| {
            [
                Source::Owner(task),
                Source::Stream(task, Stream::Stdout),
                Source::Stream(task, Stream::Stderr),
                Source::Channel(task),
                Source::Listener(task),
            ]
        };
        let tasks = [0, 1, 77, TaskNumber::MAX].into_iter().flat_map(of);
        for source in tasks.chain([Source::Notices, Source::Strangers, Source::Caller(u64::MAX >> 4)]) {
            assert_eq!(Source::of_token(source.token()), Some(source));
        }
    }
}
