//! The tasks that could start, and what still holds them: the limits and the resources.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use super::resources::{Capacity, Resources, Slots};
use crate::model::TaskNumber;

/// How often a task that waits for resources may be overtaken by later ones. After that nothing that wants the same
/// resource starts before it, so that a large task is not starved by a stream of small ones.
const MOST_OVERTAKES: u32 = 64;

/// Tasks that were handed over together, with a limit of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The name of the group.
    pub(crate) id: u32,
    /// How many of its tasks may run at once.
    pub(crate) limit: usize,
}

/// What limits all tasks of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    /// How many tasks may run at once; `None`: as many as are started.
    pub(crate) at_once: Option<usize>,
    /// How much there is of each resource.
    pub(crate) capacity: Capacity,
    /// How many tasks may end badly before no other starts; `None` for any number.
    pub(crate) max_failures: Option<u32>,
    /// When the run is to be over, after its begin; `None` for no such time.
    pub(crate) deadline: Option<Duration>,
}

/// Tasks in the order of their arrival, in one line for each combination of group and resources: all in one line are
/// alike, so that only the first of each has to be looked at.
pub(super) struct ReadyQueue {
    at_once: Option<usize>,
    running: usize,
    running_in_group: HashMap<u32, usize>,
    resources: Resources,
    lines: Vec<WaitingLine>,
    arrivals: i64,
    held_until: Option<Duration>,
}

struct WaitingLine {
    group: Option<Group>,
    wish: BTreeMap<String, u64>,
    queue: VecDeque<(i64, TaskNumber)>,
    overtaken: u32,
}

impl ReadyQueue {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            at_once: limits.at_once,
            running: 0,
            running_in_group: HashMap::new(),
            resources: Resources::new(limits.capacity),
            lines: Vec::new(),
            arrivals: 0,
            held_until: None,
        }
    }

    pub(super) fn impossible(&self, wish: &BTreeMap<String, u64>) -> Option<String> {
        self.resources.impossible(wish)
    }

    pub(super) fn push(&mut self, task: TaskNumber, group: Option<Group>, wish: &BTreeMap<String, u64>) {
        self.arrivals += 1;
        let arrival = self.arrivals;
        self.line(group, wish).queue.push_back((arrival, task));
    }

    /// Puts a task that was taken but could not start back to where it was.
    pub(super) fn push_front(&mut self, task: TaskNumber, group: Option<Group>, wish: &BTreeMap<String, u64>) {
        let line = self.line(group, wish);
        let arrival = line.queue.front().map_or(0, |(arrival, _)| arrival - 1);
        line.queue.push_front((arrival, task));
    }

    /// Starts nothing more until a running task has ended, or until this time.
    pub(super) const fn hold_until(&mut self, at: Duration) {
        self.held_until = Some(at);
    }

    /// Returns when what is held may start.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.held_until.filter(|_| !self.lines.is_empty())
    }

    fn line(&mut self, group: Option<Group>, wish: &BTreeMap<String, u64>) -> &mut WaitingLine {
        let found = self.lines.iter().position(|line| line.group == group && line.wish == *wish);
        let index = found.unwrap_or_else(|| {
            self.lines.push(WaitingLine { group, wish: wish.clone(), queue: VecDeque::new(), overtaken: 0 });
            self.lines.len() - 1
        });
        &mut self.lines[index]
    }

    /// Takes the task that is to start now. Entries that are no longer `is_ready` are dropped on the way.
    pub(super) fn take(&mut self, now: Duration, is_ready: impl Fn(TaskNumber) -> bool) -> Option<(TaskNumber, Slots)> {
        self.held_until = self.held_until.filter(|at| *at > now);
        if self.held_until.is_some() || self.at_once.is_some_and(|limit| self.running >= limit) {
            return None;
        }
        for line in &mut self.lines {
            while line.queue.front().is_some_and(|(_, task)| !is_ready(*task)) {
                line.queue.pop_front();
            }
        }
        self.lines.retain(|line| !line.queue.is_empty());
        self.lines.sort_by_key(|line| line.queue.front().map(|(arrival, _)| *arrival));

        let mut reserved: HashSet<String> = HashSet::new();
        let mut passed_over = Vec::new();
        let mut chosen = None;
        for (index, line) in self.lines.iter().enumerate() {
            let in_group = line.group.map_or(0, |group| self.running_in_group.get(&group.id).copied().unwrap_or(0));
            if line.group.is_some_and(|group| in_group >= group.limit) {
                continue;
            }
            if line.wish.keys().any(|name| reserved.contains(name)) {
                continue;
            }
            match self.resources.lacking(&line.wish) {
                None => {
                    chosen = Some(index);
                    break;
                }
                Some(name) if line.overtaken >= MOST_OVERTAKES => {
                    reserved.insert(name.to_owned());
                }
                Some(_) => passed_over.push(index),
            }
        }
        let chosen = chosen?;
        for index in passed_over {
            self.lines[index].overtaken += 1;
        }
        let line = &mut self.lines[chosen];
        line.overtaken = 0;
        let (_, task) = line.queue.pop_front()?;
        let (group, slots) = (line.group, self.resources.take(&line.wish));
        self.running += 1;
        if let Some(group) = group {
            *self.running_in_group.entry(group.id).or_default() += 1;
        }
        Some((task, slots))
    }

    /// Returns what a task that was taken held.
    pub(super) fn give_back(&mut self, group: Option<Group>, wish: &BTreeMap<String, u64>, slots: &Slots) {
        self.running -= 1;
        self.held_until = None;
        self.resources.give_back(wish, slots);
        if let Some(group) = group
            && let Some(running) = self.running_in_group.get_mut(&group.id)
        {
            *running -= 1;
            if *running == 0 {
                self.running_in_group.remove(&group.id);
            }
        }
    }
}
