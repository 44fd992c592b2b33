//! Those who wait for tasks, with their own time limits.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::model::TaskNumber;

/// The name of one wait.
pub(crate) type WaitId = u64;

/// Somebody waits for all of some tasks.
#[derive(Debug)]
pub(crate) struct Wait {
    /// Its name, chosen by the one who waits.
    pub(crate) id: WaitId,
    /// The tasks.
    pub(crate) tasks: Vec<TaskNumber>,
    /// How long, and what then.
    pub(crate) limit: Option<(Duration, OnLimit)>,
}

/// What happens to the tasks when a wait has lasted long enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnLimit {
    /// They go on; the wait is answered.
    Leave,
    /// They are ended; the wait is answered when they are.
    End,
}

/// The answer to a wait.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// All have their outcome.
    Settled,
    /// The time is up and they go on.
    StillRunning,
}

#[derive(Default)]
pub(super) struct Waiters {
    open: HashMap<WaitId, Open>,
    /// Who waits for a task.
    by_task: HashMap<TaskNumber, Vec<WaitId>>,
    deadlines: BTreeSet<(Duration, WaitId)>,
}

struct Open {
    left: usize,
    tasks: Vec<TaskNumber>,
    limit: Option<(Duration, OnLimit)>,
    deadline: Option<Duration>,
}

impl Waiters {
    /// Adds a wait for the tasks of it that are not done.
    pub(super) fn add(&mut self, wait: &Wait, mut open: Vec<TaskNumber>, now: Duration) {
        open.sort_unstable();
        open.dedup();
        for task in &open {
            self.by_task.entry(*task).or_default().push(wait.id);
        }
        let deadline = wait.limit.map(|(limit, _)| now + limit);
        self.deadlines.extend(deadline.map(|at| (at, wait.id)));
        let open = Open { left: open.len(), tasks: open, limit: wait.limit, deadline };
        self.open.insert(wait.id, open);
    }

    /// Takes note that a task is done; returns the waits that this ends.
    pub(super) fn settled(&mut self, task: TaskNumber) -> Vec<WaitId> {
        let mut ended = Vec::new();
        for id in self.by_task.remove(&task).unwrap_or_default() {
            let Some(open) = self.open.get_mut(&id) else { continue };
            open.left -= 1;
            if open.left == 0 {
                self.close(id);
                ended.push(id);
            }
        }
        ended
    }

    /// Returns the waits whose time is up at `now`, with the limit if their tasks are to be ended for it.
    pub(super) fn expired(&mut self, now: Duration) -> Vec<(WaitId, Vec<TaskNumber>, Option<Duration>)> {
        let mut expired = Vec::new();
        while let Some(&(at, id)) = self.deadlines.first()
            && at <= now
        {
            self.deadlines.pop_first();
            match self.open.get_mut(&id) {
                Some(Open { limit: Some((limit, OnLimit::End)), tasks, deadline, .. }) => {
                    *deadline = None;
                    expired.push((id, std::mem::take(tasks), Some(*limit)));
                }
                Some(_) => {
                    self.close(id);
                    expired.push((id, Vec::new(), None));
                }
                None => {}
            }
        }
        expired
    }

    /// Returns when the first time is up.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    fn close(&mut self, id: WaitId) {
        if let Some(Open { deadline: Some(at), .. }) = self.open.remove(&id) {
            self.deadlines.remove(&(at, id));
        }
    }
}
