//! What the supervisor waits for.

use crate::engine::reactor;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A request is in the queue.
    Waker,
    /// The guardian says something, or is gone.
    Guardian,
    /// A signal came.
    Signals,
    /// A spawner has news.
    Spawner,
}

impl reactor::Source for Source {
    fn token(&self) -> u64 {
        *self as u64
    }

    fn of_token(token: u64) -> Option<Self> {
        [Self::Waker, Self::Guardian, Self::Signals, Self::Spawner].into_iter().find(|source| *source as u64 == token)
    }
}
