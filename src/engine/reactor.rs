//! One place to wait for everything: processes, pipes, sockets and requests, by epoll.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{Timespec, epoll};

use super::status::CallerId;
use crate::model::TaskNumber;

/// What became ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A request is in the queue.
    Waker,
    /// The guardian says something, or is gone.
    Guardian,
    /// A signal came.
    Signals,
    /// A task's process has ended.
    Process(TaskNumber),
    /// A task wrote to standard output, or closed it.
    Stdout(TaskNumber),
    /// A task wrote to standard error, or closed it.
    Stderr(TaskNumber),
    /// A task's message channel is readable, writable or closed.
    Channel(TaskNumber),
    /// Somebody wants to be let in at the status server's socket for a task.
    Listener(TaskNumber),
    /// A connection of the status server is readable or closed.
    Caller(CallerId),
}

impl Source {
    fn token(self) -> u64 {
        let number = |task: TaskNumber| u64::from(task);
        let (number, what) = match self {
            Self::Waker => (0, 0),
            Self::Guardian => (0, 1),
            Self::Signals => (0, 2),
            Self::Process(task) => (number(task), 3),
            Self::Stdout(task) => (number(task), 4),
            Self::Stderr(task) => (number(task), 5),
            Self::Channel(task) => (number(task), 6),
            Self::Listener(task) => (number(task), 7),
            Self::Caller(caller) => (caller, 8),
        };
        number << 4 | what
    }

    fn from_token(token: u64) -> Option<Self> {
        let number = token >> 4;
        if token & 15 == 8 {
            return Some(Self::Caller(number));
        }
        let task = TaskNumber::try_from(number).ok()?;
        Some(match token & 15 {
            0 => Self::Waker,
            1 => Self::Guardian,
            2 => Self::Signals,
            3 => Self::Process(task),
            4 => Self::Stdout(task),
            5 => Self::Stderr(task),
            6 => Self::Channel(task),
            7 => Self::Listener(task),
            _ => return None,
        })
    }
}

/// An epoll instance whose events are named.
pub(super) struct Reactor {
    epoll: OwnedFd,
}

impl Reactor {
    /// How many events one wait takes at most; the rest stay for the next.
    const BATCH: usize = 256;

    /// Makes an empty reactor.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)? })
    }

    /// Waits for `fd` to become readable, from now until it is closed or removed.
    pub(super) fn watch(&self, fd: impl AsFd, source: Source) -> io::Result<()> {
        let data = epoll::EventData::new_u64(source.token());
        Ok(epoll::add(&self.epoll, fd, data, epoll::EventFlags::IN)?)
    }

    /// Waits for `fd` to become readable, and also writable if `writable` is set.
    pub(super) fn rewatch(&self, fd: impl AsFd, source: Source, writable: bool) -> io::Result<()> {
        let data = epoll::EventData::new_u64(source.token());
        let mut flags = epoll::EventFlags::IN;
        flags.set(epoll::EventFlags::OUT, writable);
        Ok(epoll::modify(&self.epoll, fd, data, flags)?)
    }

    /// Stops waiting for `fd`.
    pub(super) fn forget(&self, fd: impl AsFd) {
        // A descriptor that is not watched is as good as one that no longer is.
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// Waits until something is ready or `timeout` has passed (`None`: for ever), and returns what is.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> io::Result<Vec<Source>> {
        let timeout = timeout.map(|t| Timespec {
            tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: t.subsec_nanos().into(),
        });
        let mut room = [MaybeUninit::uninit(); Self::BATCH];
        match epoll::wait(&self.epoll, &mut room, timeout.as_ref()) {
            Ok((ready, _)) => Ok(ready.iter().filter_map(|event| Source::from_token(event.data.u64())).collect()),
            Err(rustix::io::Errno::INTR) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_survives_its_token() {
        for task in [0, 1, 77, TaskNumber::MAX] {
            for source in [Source::Process(task), Source::Stdout(task), Source::Stderr(task), Source::Channel(task)] {
                assert_eq!(Source::from_token(source.token()), Some(source));
            }
        }
        let others =
            [Source::Waker, Source::Guardian, Source::Signals, Source::Listener(3), Source::Caller(u64::MAX >> 4)];
        for source in others {
            assert_eq!(Source::from_token(source.token()), Some(source));
        }
    }
}
