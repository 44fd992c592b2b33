//! A monotonic clock that stands still while the run is paused.

use std::time::{Duration, Instant};

/// Time since the engine started, pauses left out. All time limits are reckoned by it.
#[derive(Debug)]
pub(super) struct Stopwatch {
    started: Instant,
    paused: Duration,
    pause_began: Option<Instant>,
}

impl Stopwatch {
    /// Returns a stopwatch that runs from now.
    pub(super) fn start() -> Self {
        Self { started: Instant::now(), paused: Duration::ZERO, pause_began: None }
    }

    /// Returns the time that has run.
    pub(super) fn elapsed(&self) -> Duration {
        let now = self.pause_began.unwrap_or_else(Instant::now);
        now.duration_since(self.started).saturating_sub(self.paused)
    }

    /// Stops the time.
    pub(super) fn pause(&mut self) {
        self.pause_began.get_or_insert_with(Instant::now);
    }

    /// Lets the time run on.
    pub(super) fn resume(&mut self) {
        if let Some(began) = self.pause_began.take() {
            self.paused += began.elapsed();
        }
    }
}
