//! The suites of walks of one run: their numbers, whose log is shown, and what was recorded of them before it was resumed.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::LoudLogs;
use crate::model::EventKind;

/// See the module.
#[derive(Default)]
pub(in crate::job) struct Suites {
    last_suite: Mutex<u32>,
    last_replay: Mutex<u32>,
    /// What was recorded before the run was resumed, by suite.
    recorded: Mutex<HashMap<u32, Vec<EventKind>>>,
    /// The tasks whose log is shown.
    pub(super) loud: LoudLogs,
}

impl Suites {
    /// Makes the suites of a run of which this was recorded before it was resumed.
    pub(in crate::job) fn new(recorded: HashMap<u32, Vec<EventKind>>) -> Self {
        Self { recorded: Mutex::new(recorded), ..Self::default() }
    }

    /// Returns whose logs are shown.
    pub(in crate::job) fn loud(&self) -> LoudLogs {
        self.loud.clone()
    }

    /// Returns the number of the next suite, from 1.
    pub(super) fn next_suite(&self) -> u32 {
        next(&self.last_suite)
    }

    /// Returns the number of the next replay of a walk, from 1.
    pub(super) fn next_replay(&self) -> u32 {
        next(&self.last_replay)
    }

    /// Hands out what was recorded of a suite before the run was resumed.
    pub(super) fn take_recorded(&self, suite: u32) -> Vec<EventKind> {
        self.recorded.lock().remove(&suite).unwrap_or_default()
    }
}

fn next(last: &Mutex<u32>) -> u32 {
    let mut last = last.lock();
    *last += 1;
    *last
}
