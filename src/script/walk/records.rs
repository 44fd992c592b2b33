//! The trace of a worker: what it is about to run is on the disk before it runs.
//!
//! The lines of several portions are written together and made durable by one sync before the first of them runs. How many
//! they are adapts: so many that a sync is paid for about 10 ms of walking, and one alone where walks are slow.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::model::{WalkSuite, os_text};
use crate::walk::{Plan, trace};

/// Nanoseconds of walking that one sync is to be paid for.
const SPAN: u64 = 10_000_000;

/// The most portions whose lines are written together.
const MOST: u64 = 16_384;

/// See the module.
pub(super) struct Records {
    path: PathBuf,
    file: File,
    /// Every action with each of its options, as they stand in a line.
    actions: Vec<Vec<String>>,
    /// Lines that are still to be written.
    pending: Vec<u8>,
    batch: u64,
    /// Options of the portion at hand.
    options: Vec<u32>,
    /// Why no more is written.
    problem: Option<io::Error>,
}

/// A trace that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the trace {}: {}", path.display(), os_text(source))]
pub(super) struct TraceFault {
    path: PathBuf,
    source: io::Error,
}

impl Records {
    /// Begins the trace of a worker.
    pub(super) fn open(
        folder: &Path,
        worker: u32,
        run: &str,
        script: &Path,
        suite: &WalkSuite,
    ) -> Result<Self, TraceFault> {
        let path = trace::of_worker(folder, worker);
        let file = OpenOptions::new().append(true).create(true).open(&path);
        let file = file.map_err(|source| TraceFault { path: path.clone(), source })?;
        let mut pending = Vec::new();
        trace::push_header(&mut pending, run, script, &suite.state);
        let actions = suite
            .order
            .iter()
            .map(|slot| slot.options.iter().map(|option| trace::action(&slot.action, option)).collect());
        let actions = actions.collect();
        Ok(Self { path, file, actions, pending, batch: 1, options: Vec::new(), problem: None })
    }

    /// Returns how many portions are to be announced together.
    pub(super) const fn batch(&self) -> u64 {
        self.batch
    }

    /// Writes which portions are about to run, and waits until that is on the disk.
    pub(super) fn announce(&mut self, plan: &Plan, stage: usize, ids: Range<u64>) {
        if self.problem.is_some() {
            return;
        }
        let serial = plan.stages()[stage].serial;
        let first = plan.stages()[stage].actions.start;
        for id in ids {
            let serial = serial.map(|place| {
                let option = plan.options(id)[place];
                self.actions[place][option as usize].as_str()
            });
            self.options.clear();
            plan.push_portion_options(id, stage, &mut self.options);
            let actions = &self.actions[first..];
            let steps = self.options.iter().zip(actions).map(|(option, action)| action[*option as usize].as_str());
            trace::push_portion(&mut self.pending, id, steps, serial);
        }
        self.flush();
        if self.problem.is_none()
            && let Err(error) = rustix::fs::fdatasync(&self.file)
        {
            self.problem = Some(error.into());
        }
    }

    /// Notes how a portion ended; written with what comes next.
    pub(super) fn ended(&mut self, id: u64, outcome: &str, nanoseconds: u64, error: Option<&str>) {
        if self.problem.is_none() {
            trace::push_outcome(&mut self.pending, id, outcome, nanoseconds, error);
        }
    }

    /// Hears how long so many portions took.
    pub(super) fn adapt(&mut self, portions: u64, nanoseconds: u64) {
        let Some(each) = nanoseconds.checked_div(portions) else { return };
        self.batch = (SPAN / each.max(1)).clamp(1, MOST).min(self.batch * 8);
    }

    /// Writes what is still to be written.
    pub(super) fn flush(&mut self) {
        if self.problem.is_none()
            && let Err(error) = self.file.write_all(&self.pending)
        {
            self.problem = Some(error);
        }
        self.pending.clear();
    }

    /// Returns why the trace is not whole.
    pub(super) fn problem(&self) -> Option<String> {
        let error = self.problem.as_ref()?;
        Some(format!("cannot write the trace {}: {}; walks go on without it", self.path.display(), os_text(error)))
    }
}
