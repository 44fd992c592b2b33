//! What comes before a task starts and after it has ended: plugins, which somebody outside the engine runs.
//!
//! A task that could start waits at the door until it is admitted; one that has ended leaves when it is dismissed. Its
//! outcome is told, and recorded, only then.

use std::time::Duration;

use super::{Effect, End, Entry, Phase, Scheduler, Written};
use crate::model::{EventKind, Outcome, Task, TaskFinished, TaskNumber};

/// A task that has ended and was not dismissed yet.
pub(super) struct Leaving {
    pub(super) finished: Box<TaskFinished>,
    pub(super) end: End,
    /// It counts as a failure already: what starts meanwhile must know.
    pub(super) has_failed: bool,
}

impl Scheduler {
    /// Takes in whether a task that waits at the door may start, or why not.
    pub(super) fn admitted(&mut self, task: TaskNumber, refused: Option<String>, now: Duration) {
        let Some(entry) = self.tasks.get_mut(&task) else { return };
        let Phase::Active(active) = &mut entry.phase else { return };
        if !std::mem::replace(&mut active.at_the_door, false) {
            return;
        }
        entry.is_greeted = true;
        if refused.is_none() && active.stop.is_none() {
            let effect = Effect::Spawn { task, attempt: entry.attempt, slots: active.slots.clone() };
            self.effects.push(effect);
            return;
        }
        // No process, so no attempt.
        entry.attempt -= 1;
        active.evidence.refused = refused;
        self.finish_attempt(task, Written::default(), 0, now);
    }

    /// Takes in what a task does. What others know it by stays.
    pub(super) fn provide(&mut self, number: TaskNumber, mut work: Box<Task>) {
        if let Some(task) = self.tasks.get_mut(&number).and_then(|entry| entry.task.as_mut()) {
            std::mem::swap(&mut work.id, &mut task.id);
            std::mem::swap(&mut work.needs, &mut task.needs);
            std::mem::swap(&mut work.resources, &mut task.resources);
            *task = work;
        }
    }

    /// Has the plugins told of a task's end, or tells it at once where there are none.
    pub(super) fn leave(&mut self, number: TaskNumber, mut leaving: Leaving) {
        match self.tasks.get_mut(&number) {
            Some(entry) if entry.is_greeted => {
                leaving.has_failed =
                    entry.task.as_ref().is_some_and(|task| task.counts()) && leaving.end.outcome.is_failure();
                self.failures += u32::from(leaving.has_failed);
                let (end, seconds) = (leaving.end.clone(), leaving.finished.seconds);
                entry.phase = Phase::Leaving(Box::new(leaving));
                self.effects.push(Effect::Leaves { task: number, end, seconds });
            }
            _ => self.record_and_settle(number, leaving),
        }
    }

    /// Takes in that a task may leave; what failed meanwhile makes it errored.
    pub(super) fn dismissed(&mut self, number: TaskNumber, failed: Option<String>) {
        let Some(mut leaving) = self.tasks.get_mut(&number).and_then(Entry::take_leaving) else { return };
        if let Some(failed) = failed {
            let outcome = leaving.end.outcome.and(Outcome::Errored);
            if outcome != leaving.end.outcome {
                leaving.end.outcome = outcome;
                leaving.end.reason = Some(failed);
                leaving.finished.outcome = outcome;
                leaving.finished.reason.clone_from(&leaving.end.reason);
            }
        }
        self.record_and_settle(number, leaving);
    }

    /// Lets all tasks leave that wait for somebody who does not come any more.
    pub(super) fn dismiss_all(&mut self, now: Duration) {
        for number in self.unfinished() {
            let Some(entry) = self.tasks.get_mut(&number) else { continue };
            match &mut entry.phase {
                Phase::Active(active) if active.at_the_door && active.stop.is_some() => {
                    active.at_the_door = false;
                    entry.attempt -= 1;
                    self.finish_attempt(number, Written::default(), 0, now);
                }
                Phase::Leaving(_) => self.dismissed(number, None),
                _ => {}
            }
        }
    }

    fn record_and_settle(&mut self, number: TaskNumber, leaving: Leaving) {
        // It is counted for good when it settles.
        self.failures -= u32::from(leaving.has_failed);
        self.effects.push(Effect::Record(EventKind::TaskFinished(leaving.finished)));
        self.settle(number, leaving.end);
    }
}

impl Entry {
    fn take_leaving(&mut self) -> Option<Leaving> {
        match std::mem::replace(&mut self.phase, Phase::Ready) {
            Phase::Leaving(leaving) => Some(*leaving),
            other => {
                self.phase = other;
                None
            }
        }
    }
}
