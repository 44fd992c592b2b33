//! What all parts of a simulation share: the time, what really happened, and what was written.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use super::plan::Plan;
use super::random::Random;
use crate::engine::clock::Clock;
use crate::engine::scheduler::End;
use crate::engine::spawner::AttemptId;
use crate::model::TaskNumber;

/// What really became of an attempt, whatever was told of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth {
    /// When it was given the word to start.
    pub(super) ordered: Duration,
    /// When it got its process.
    pub(super) started: Duration,
    /// It would be right to say that it passed.
    pub(super) may_pass: bool,
    /// When its process ended, and whether by itself.
    pub(super) ended: Option<(Duration, bool)>,
    /// Nothing of it is left.
    pub(super) is_gone: bool,
    /// Where it ran was lost.
    pub(super) is_lost: bool,
    /// When it was first asked to end.
    pub(super) asked: Option<Duration>,
}

#[derive(Default)]
struct State {
    now: Duration,
    trace: Vec<String>,
    truths: BTreeMap<AttemptId, Truth>,
    settled: HashMap<TaskNumber, Vec<End>>,
    log: Vec<u8>,
    next_event: Option<Duration>,
    is_killed: bool,
    disk_failed: bool,
    stall: Duration,
    writes: u64,
    full_disk: Option<(u64, u64)>,
    random: Option<Random>,
}

/// See the module.
pub(super) struct World(Mutex<State>);

impl World {
    /// Makes the world of a plan.
    pub(super) fn new(plan: &Plan, random: Random) -> Self {
        let state = State { full_disk: plan.faults.full_disk, random: Some(random), ..State::default() };
        let world = Self(Mutex::new(state));
        world.note(&format!("{plan:#?}"));
        world
    }

    /// Returns the time.
    pub(super) fn now(&self) -> Duration {
        self.0.lock().now
    }

    /// Lets time pass.
    pub(super) fn set_now(&self, now: Duration) {
        self.0.lock().now = now;
    }

    /// Takes note of something for whoever looks at the run.
    pub(super) fn note(&self, what: &str) {
        let mut state = self.0.lock();
        let line = format!("{:10.4} {what}", state.now.as_secs_f64());
        state.trace.push(line);
    }

    /// Returns all that was noted.
    pub(super) fn trace(&self) -> String {
        let state = self.0.lock();
        let mut text = state.trace.join("\n");
        let _ = write!(text, "\nthe log:\n{}", String::from_utf8_lossy(&state.log));
        text
    }

    /// Takes in that the host stands still.
    pub(super) fn stalled(&self, lasts: Duration) {
        self.0.lock().stall += lasts;
        self.note(&format!("the host stands still for {lasts:?}"));
    }

    /// Returns for how long the host stood still in all.
    pub(super) fn stall(&self) -> Duration {
        self.0.lock().stall
    }

    /// Takes in that the host is killed.
    pub(super) fn kill(&self) {
        self.0.lock().is_killed = true;
        self.note("the host is killed");
    }

    /// Returns whether the host was killed.
    pub(super) fn is_killed(&self) -> bool {
        self.0.lock().is_killed
    }

    /// Takes in the end of a task as it is told.
    pub(super) fn settled(&self, task: TaskNumber, end: End) {
        self.note(&format!("settled {task}: {} {:?}", end.outcome, end.reason));
        self.0.lock().settled.entry(task).or_default().push(end);
    }

    /// Returns the ends of a task as they were told.
    pub(super) fn ends(&self, task: TaskNumber) -> Vec<End> {
        self.0.lock().settled.get(&task).cloned().unwrap_or_default()
    }

    /// Changes what is true of an attempt.
    pub(super) fn truth(&self, id: AttemptId, change: impl FnOnce(&mut Truth)) {
        change(self.0.lock().truths.entry(id).or_default());
    }

    /// Returns what is true of all attempts.
    pub(super) fn truths(&self) -> BTreeMap<AttemptId, Truth> {
        self.0.lock().truths.clone()
    }

    /// Takes in when the spawner has its next news.
    pub(super) fn set_next_event(&self, at: Option<Duration>) {
        self.0.lock().next_event = at;
    }

    /// Returns when the spawner has its next news.
    pub(super) fn next_event(&self) -> Option<Duration> {
        self.0.lock().next_event
    }

    /// Returns whether a write succeeds.
    pub(super) fn write_succeeds(&self) -> bool {
        let mut state = self.0.lock();
        state.writes += 1;
        let fails = state.full_disk.is_some_and(|(from, count)| (from..from + count).contains(&state.writes));
        state.disk_failed |= fails;
        !fails
    }

    /// Returns whether a write has failed.
    pub(super) fn disk_failed(&self) -> bool {
        self.0.lock().disk_failed
    }

    /// Writes to the log.
    pub(super) fn write_log(&self, bytes: &[u8]) {
        self.0.lock().log.extend_from_slice(bytes);
    }

    /// Returns what stands in the log.
    pub(super) fn log(&self) -> Vec<u8> {
        self.0.lock().log.clone()
    }

    /// Draws something.
    pub(super) fn draw<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        draw(self.0.lock().random.get_or_insert_with(|| Random::new(0)))
    }
}

/// The clock of the world.
pub(super) struct SimClock(pub(super) Arc<World>);

impl Clock for SimClock {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn time(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + self.0.now()
    }

    fn pause(&mut self) {}

    fn resume(&mut self) {}
}
