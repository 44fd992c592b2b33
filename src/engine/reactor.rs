//! One place to wait for many descriptors, by epoll.

use std::io;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{Timespec, epoll};

/// How many events one wait takes at most; the rest stay for the next.
pub(super) const BATCH: usize = 256;

/// What a descriptor stands for, as the number that the kernel keeps with it.
pub(super) trait Source: Sized {
    /// Returns the number.
    fn token(&self) -> u64;
    /// Returns what has this number.
    fn of_token(token: u64) -> Option<Self>;
}

/// An epoll instance whose events are named.
pub(super) struct Reactor<S> {
    epoll: OwnedFd,
    sources: PhantomData<fn() -> S>,
}

impl<S: Source> Reactor<S> {
    /// Makes an empty reactor.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?, sources: PhantomData })
    }

    /// Waits for `fd` to become readable, from now until it is closed or removed.
    pub(super) fn watch(&self, fd: impl AsFd, source: &S) -> io::Result<()> {
        let data = epoll::EventData::new_u64(source.token());
        Ok(epoll::add(&self.epoll, fd, data, epoll::EventFlags::IN)?)
    }

    /// Waits for `fd` to become readable, and also writable if `writable` is set.
    pub(super) fn rewatch(&self, fd: impl AsFd, source: &S, writable: bool) -> io::Result<()> {
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

    /// Waits until something is ready or `timeout` has passed (`None`: for ever), and returns what is. A wait that was broken
    /// off says nothing of what is ready.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> io::Result<Vec<S>> {
        let timeout = timeout.map(|t| Timespec {
            tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: t.subsec_nanos().into(),
        });
        let mut room = [MaybeUninit::uninit(); BATCH];
        match epoll::wait(&self.epoll, &mut room, timeout.as_ref()) {
            Ok((ready, _)) => Ok(ready.iter().filter_map(|event| S::of_token(event.data.u64())).collect()),
            Err(rustix::io::Errno::INTR) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

impl<S> AsFd for Reactor<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}
