//! The time of a run: a monotonic clock that stands still while the run is paused, and the real one.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// Tells the time. A test has one of its own.
pub(super) trait Clock: Send {
    /// Returns the time since the engine started, pauses left out. All time limits are reckoned by it.
    fn now(&self) -> Duration;

    /// Returns the real time, for people.
    fn time(&self) -> DateTime<Utc>;

    /// Stops the time.
    fn pause(&mut self);

    /// Lets the time run on.
    fn resume(&mut self);
}

/// The clock of the machine.
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
}

impl Clock for Stopwatch {
    fn now(&self) -> Duration {
        let now = self.pause_began.unwrap_or_else(Instant::now);
        now.duration_since(self.started).saturating_sub(self.paused)
    }

    fn time(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn pause(&mut self) {
        self.pause_began.get_or_insert_with(Instant::now);
    }

    fn resume(&mut self) {
        if let Some(began) = self.pause_began.take() {
            self.paused += began.elapsed();
        }
    }
}
