//! What is drawn before a run: its tasks, what limits them, and what goes wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use super::random::Random;
use crate::engine::scheduler::Limits;
use crate::model::{Runnable, Runner, Task, TaskNumber};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) tasks: Vec<Task>,
    pub(super) limits: Limits,
    pub(super) grace: Duration,
    pub(super) silence: Option<Duration>,
    /// Tasks are announced to plugins.
    pub(super) has_hooks: bool,
    pub(super) faults: Faults,
}

/// What goes wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    /// The host is killed before this step.
    pub(super) kill_at: Option<usize>,
    pub(super) stalls: Vec<Stall>,
    /// The disk is full from this write on, and for so many.
    pub(super) full_disk: Option<(u64, u64)>,
    /// Of a hundred messages so many are lost.
    pub(super) lost_messages: u64,
    /// Of a hundred starts so many are refused for want of processes.
    pub(super) refused_starts: u64,
    /// Of a hundred attempts so many are lost with where they run.
    pub(super) lost_places: u64,
    /// Of a hundred killed attempts so many take long to die.
    pub(super) slow_deaths: u64,
}

/// The host stands still.
#[derive(Clone, Debug)]
pub(super) struct Stall {
    pub(super) step: usize,
    pub(super) lasts: Duration,
}

/// The name of the resource that tasks share.
pub(super) const RESOURCE: &str = "rack";

impl Plan {
    /// Draws a plan.
    pub(super) fn draw(random: &mut Random) -> Self {
        let count = 1 + random.below(8);
        let tasks = (1..=count).map(|number| task(number, random)).collect();
        let limits = Limits {
            at_once: random.percent(60).then(|| usize::try_from(1 + random.below(4)).unwrap_or(1)),
            capacity: BTreeMap::from([(RESOURCE.to_owned(), 1 + random.below(3))]),
            deadline: None,
            max_failures: random.percent(10).then(|| u32::try_from(1 + random.below(3)).unwrap_or(1)),
        };
        Self {
            tasks,
            limits,
            grace: Duration::from_millis(100 + random.below(2000)),
            silence: random.percent(20).then(|| Duration::from_millis(300 + random.below(3000))),
            has_hooks: random.percent(25),
            faults: Faults::draw(random),
        }
    }

    /// Returns a task by its number.
    pub(super) fn task(&self, number: TaskNumber) -> &Task {
        &self.tasks[number as usize - 1]
    }
}

impl Faults {
    fn draw(random: &mut Random) -> Self {
        // Many runs have no fault at all, and most only one of a kind: what goes wrong alone must be right as well.
        if random.percent(25) {
            return Self::default();
        }
        let stalls = (0..random.below(4)).filter(|_| true).map(|_| Stall {
            step: usize::try_from(random.below(120)).unwrap_or_default(),
            lasts: Duration::from_millis(200 + random.below(12_000)),
        });
        Self {
            stalls: stalls.collect(),
            kill_at: random.percent(12).then(|| usize::try_from(random.below(150)).unwrap_or_default()),
            full_disk: random.percent(15).then(|| (random.below(60), 1 + random.below(40))),
            lost_messages: if random.percent(30) { 25 } else { 0 },
            refused_starts: if random.percent(30) { 30 } else { 0 },
            lost_places: if random.percent(20) { 20 } else { 0 },
            slow_deaths: if random.percent(20) { 50 } else { 0 },
        }
    }
}

fn task(number: u64, random: &mut Random) -> Task {
    let kind = random.of(&["exec-test", "exec-test", "lua", "lua", "tap", "foo", "noop"]);
    let earlier = |random: &mut Random| format!("t{}", 1 + random.below(number));
    let needs = if number > 1 && random.percent(30) { vec![earlier(random)] } else { Vec::new() };
    let runner = (kind == "foo").then(|| std::sync::Arc::new(Runner::default()));
    Task {
        id: format!("t{number}"),
        runnable: Runnable { kind: kind.to_owned(), uri: Some("x".to_owned()), ..Runnable::default() },
        runner,
        max_runtime: random.percent(40).then(|| Duration::from_millis(50 + random.below(3000))),
        retries: if random.percent(25) { 1 + u32::try_from(random.below(2)).unwrap_or(0) } else { 0 },
        needs,
        resources: if random.percent(25) { BTreeMap::from([(RESOURCE.to_owned(), 1)]) } else { BTreeMap::new() },
        prepares: random.percent(5),
        ..Task::default()
    }
}
