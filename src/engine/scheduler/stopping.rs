//! Ending tasks from outside: by reason, by time limit, and by force.

use std::cmp::Reverse;
use std::time::Duration;

use super::{Answer, Effect, Phase, Scheduler};
use crate::engine::stop::StopReason;
use crate::model::{EventKind, TaskNumber};

impl Scheduler {
    pub(super) fn stop(&mut self, number: TaskNumber, reason: StopReason, now: Duration) {
        let grace = self.timing.grace;
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        match &mut entry.phase {
            Phase::Leaving(_) | Phase::Done(_) => {}
            Phase::Waiting { .. } | Phase::Ready => {
                self.settle_unstarted(number, reason.outcome_of_unstarted(), reason.text_for_unstarted(), Some(reason));
            }
            Phase::Active(active) => {
                // An exit that is already known decides; only the rest of its processes is still to go.
                let decided = active.evidence.exit.is_some();
                if decided || active.stop.is_some_and(|old| !reason.outranks(old)) {
                    return;
                }
                let first = active.stop.replace(reason).is_none();
                if !first {
                    return;
                }
                let kill_at = now + grace;
                active.deadline = Some(kill_at);
                if active.has_process {
                    self.effects.push(Effect::Signal { task: number, reason });
                }
                self.arm(number, Some(kill_at));
            }
        }
    }

    pub(super) fn stop_all(&mut self, reason: StopReason, now: Duration) {
        self.closed.get_or_insert(reason);
        for number in self.unfinished() {
            self.stop(number, reason, now);
        }
    }

    /// Lets nothing more start once as many tasks have ended badly as may. What runs comes to its end.
    pub(super) fn heed_failures(&mut self, now: Duration) {
        let is_enough = self.max_failures.is_some_and(|most| self.failures >= most);
        if !is_enough || self.closed.is_some() {
            return;
        }
        let reason = StopReason::Failures(self.failures);
        self.closed = Some(reason);
        for number in self.unfinished() {
            let entry = self.tasks.get(&number);
            if entry.is_some_and(|entry| matches!(entry.phase, Phase::Waiting { .. } | Phase::Ready)) {
                self.stop(number, reason, now);
            }
        }
    }

    pub(super) fn kill_all(&mut self) {
        for number in self.unfinished() {
            self.kill(number);
        }
    }

    /// Returns the tasks that are not done, in the order of their numbers.
    pub(super) fn unfinished(&self) -> Vec<TaskNumber> {
        let open = self.tasks.iter().filter(|(_, entry)| !matches!(entry.phase, Phase::Done(_)));
        let mut numbers: Vec<_> = open.map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        numbers
    }

    pub(super) fn kill(&mut self, task: TaskNumber) {
        let Some(active) = self.active(task) else { return };
        active.deadline = None;
        if !std::mem::replace(&mut active.killing, true) && active.has_process {
            self.effects.push(Effect::Kill { task });
        }
    }

    pub(super) fn arm(&mut self, task: TaskNumber, deadline: Option<Duration>) {
        if let Some(at) = deadline {
            self.timers.push(Reverse((at, task)));
        }
    }

    /// Lets the time limit of a task stand still. What ends it for another reason takes its course.
    pub(super) fn hold(&mut self, task: TaskNumber, now: Duration) {
        let Some(active) = self.active(task) else { return };
        if active.stop.is_none()
            && let Some(at) = active.deadline.take()
        {
            active.held = Some(at.saturating_sub(now));
        }
    }

    /// Lets it go on.
    pub(super) fn release_hold(&mut self, task: TaskNumber, now: Duration) {
        let Some(active) = self.active(task) else { return };
        let Some(left) = active.held.take() else { return };
        if active.stop.is_some() || active.evidence.exit.is_some() {
            return;
        }
        active.deadline = Some(now + left);
        self.arm(task, Some(now + left));
    }

    /// Does what is due at `now`.
    pub(super) fn strike(&mut self, now: Duration) {
        while let Some(Reverse((at, task))) = self.timers.peek().copied()
            && at <= now
        {
            self.timers.pop();
            let Some(active) = self.active(task) else { continue };
            // A deadline that was moved left its old timer behind.
            if active.deadline != Some(at) {
                continue;
            }
            let (limit_is_due, exited) = (active.stop.is_none(), active.evidence.exit.is_some());
            let lingers = active.evidence.may_linger && limit_is_due && !exited;
            active.evidence.lingered |= lingers;
            let exited = exited || lingers;
            let limit = self.task(task).and_then(|task| task.max_runtime);
            match limit {
                Some(limit) if limit_is_due && !exited => self.stop(task, StopReason::TimeLimit(limit), now),
                _ => self.kill(task),
            }
        }
        if let Some(limit) = self.deadline.take_if(|deadline| *deadline <= now) {
            self.stop_all(StopReason::Deadline(limit), now);
            let text = StopReason::Deadline(limit).text();
            self.effects.push(Effect::Record(EventKind::Warning { text, place: None }));
            self.effects.push(Effect::Overdue { limit, grace: self.timing.grace });
        }
        for (wait, tasks, limit) in self.waiters.expired(now) {
            match limit {
                Some(limit) => {
                    for task in tasks {
                        self.stop(task, StopReason::WaitLimit(limit), now);
                    }
                }
                None => self.effects.push(Effect::Answer { wait, answer: Answer::StillRunning }),
            }
        }
    }
}
