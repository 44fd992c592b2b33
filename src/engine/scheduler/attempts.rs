//! The attempts at a task: from the word to start to the outcome, or to the next attempt.

use std::time::Duration;

use super::hooks::Leaving;
use super::{Active, Effect, End, Phase, Scheduler, Written};
use crate::engine::stop::StopReason;
use crate::engine::verdict::{self, Evidence, Verdict};
use crate::model::{EventKind, Exit, Message, Outcome, TaskFinished, TaskNumber};

/// How long the process of a script may still be there that has ended, however short the grace is.
const LINGER: Duration = Duration::from_secs(2);

/// How often it is tried to start a task for which there was no room while others ran.
const LOOK_FOR_ROOM: Duration = Duration::from_secs(1);

/// How often it is tried where nothing runs, and for how long.
const HUNGRY_LOOK: Duration = Duration::from_millis(100);
pub(super) const STARVING: Duration = Duration::from_secs(5);

impl Scheduler {
    pub(super) fn start_ready(&mut self, now: Duration) {
        while self.closed.is_none() {
            let tasks = &self.tasks;
            let is_ready = |number| tasks.get(&number).is_some_and(|entry| matches!(entry.phase, Phase::Ready));
            let Some((number, slots)) = self.ready.take(now, is_ready) else { break };
            let Some(entry) = self.tasks.get_mut(&number) else { continue };
            entry.attempt += 1;
            let at_the_door = self.has_hooks && !entry.is_greeted;
            self.effects.push(match at_the_door {
                true => Effect::Comes { task: number },
                false => Effect::Spawn { task: number, attempt: entry.attempt, slots: slots.clone() },
            });
            entry.phase = Phase::Active(Box::new(Active {
                slots,
                started: now,
                at_the_door,
                has_process: false,
                stop: None,
                deadline: None,
                held: None,
                killing: false,
                evidence: Evidence::default(),
            }));
        }
    }

    pub(super) fn spawned(&mut self, task: TaskNumber, pid: i32, now: Duration) {
        let Some(entry) = self.tasks.get_mut(&task) else { return };
        let attempt = entry.attempt;
        let Phase::Active(active) = &mut entry.phase else { return };
        entry.last = None;
        self.starving_since = None;
        active.has_process = true;
        active.started = now;
        if active.stop.is_none() {
            let limit = entry.task.as_ref().and_then(|task| task.max_runtime);
            active.deadline = limit.map(|limit| now + limit);
        }
        let deadline = active.deadline;
        self.effects.push(Effect::Record(EventKind::TaskStarted { task, attempt, pid }));
        let (stop, killing) = (active.stop, active.killing);
        // It was stopped between the word to start and the start.
        if let Some(reason) = stop {
            self.effects.push(Effect::Signal { task, reason });
        }
        if killing {
            self.effects.push(Effect::Kill { task });
        }
        self.arm(task, deadline);
    }

    pub(super) fn spawn_failed(&mut self, task: TaskNumber, reason: String, now: Duration) {
        let Some(active) = self.active(task) else { return };
        active.evidence.cannot_start = Some(reason);
        self.finish_attempt(task, Written::default(), 0, now);
    }

    pub(super) fn spawn_deferred(&mut self, task: TaskNumber, reason: String, now: Duration) {
        let others_run = self
            .tasks
            .iter()
            .any(|(number, entry)| *number != task && matches!(&entry.phase, Phase::Active(a) if a.has_process));
        let Some(entry) = self.tasks.get_mut(&task) else { return };
        let Phase::Active(active) = std::mem::replace(&mut entry.phase, Phase::Ready) else { return };
        entry.attempt -= 1;
        let Some(spec) = &entry.task else { return };
        self.ready.give_back(entry.group, &spec.resources, &active.slots);
        if let Some(stop) = active.stop {
            return self.settle_unstarted(task, stop.outcome_of_unstarted(), stop.text_for_unstarted(), Some(stop));
        }
        self.ready.push_front(task, entry.group, &spec.resources);
        if others_run {
            self.starving_since = None;
            // One of them may wait for this one, and the room may be taken by strangers.
            return self.ready.hold_until(now + LOOK_FOR_ROOM);
        }
        self.ready.hold_until(now + HUNGRY_LOOK);
        let since = *self.starving_since.get_or_insert(now);
        if now.saturating_sub(since) >= STARVING {
            self.effects.push(Effect::Starve { want: reason });
        }
    }

    pub(super) fn heard(&mut self, task: TaskNumber, message: Message, now: Duration) {
        let Some(active) = self.active(task) else { return };
        if active.evidence.take_message(message) {
            // Its process leaves by itself within a second.
            self.has_said_all(task, now + self.timing.grace.max(LINGER));
        }
    }

    pub(super) fn reported(&mut self, task: TaskNumber, verdict: Verdict, now: Duration) {
        let Some(active) = self.active(task) else { return };
        active.evidence.take_report(verdict);
        self.has_said_all(task, now + self.timing.grace);
    }

    /// Takes in that a task has said how it ends. A time limit no longer strikes, but its process is not waited for without
    /// an end.
    fn has_said_all(&mut self, task: TaskNumber, lingers_until: Duration) {
        let Some(active) = self.active(task) else { return };
        if !active.has_process || active.stop.is_some() || active.evidence.exit.is_some() {
            return;
        }
        active.evidence.may_linger = true;
        active.deadline = Some(lingers_until);
        self.arm(task, Some(lingers_until));
    }

    pub(super) fn bad_message(&mut self, task: TaskNumber, what: String, now: Duration) {
        let Some(active) = self.active(task) else { return };
        active.evidence.protocol_error.get_or_insert(what);
        self.stop(task, StopReason::Protocol, now);
    }

    pub(super) fn exited(&mut self, task: TaskNumber, exit: Exit, now: Duration) {
        let leftover_grace = self.timing.leftover_grace;
        let Some(active) = self.active(task) else { return };
        active.evidence.exit = Some(exit);
        // What the process left behind may finish until the kill is due. A time limit no longer strikes: the process
        // that it was for has ended in time.
        let deadline = match (active.stop, active.deadline) {
            (Some(_), Some(kill_at)) => kill_at,
            _ => now + leftover_grace,
        };
        active.deadline = Some(deadline);
        self.arm(task, Some(deadline));
    }

    pub(super) fn finish_attempt(
        &mut self,
        number: TaskNumber,
        written: Written,
        killed_leftovers: u32,
        now: Duration,
    ) {
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        let Some(task) = &entry.task else { return };
        let Phase::Active(active) = std::mem::replace(&mut entry.phase, Phase::Ready) else { return };
        let Active { slots, started, stop, evidence, .. } = *active;
        let exit = evidence.exit;
        let Verdict { mut outcome, status, mut reason, data } = verdict::judge(task, stop, evidence);
        let attempts = task.retries + 1;
        let could_help = matches!(outcome, Outcome::Failed | Outcome::Errored)
            && matches!(stop, None | Some(StopReason::TimeLimit(_) | StopReason::Silence(_) | StopReason::Protocol));
        let will_retry = could_help && entry.attempt < attempts && self.closed.is_none();
        if outcome == Outcome::Passed && entry.attempt > 1 {
            outcome = Outcome::Passx;
            let remark = format!("passed on attempt {} of {attempts}", entry.attempt);
            reason = Some(reason.map_or(remark.clone(), |reason| format!("{reason} ({remark})")));
        }
        self.ready.give_back(entry.group, &task.resources, &slots);
        let finished = Box::new(TaskFinished {
            task: number,
            attempt: entry.attempt,
            outcome,
            status,
            reason: reason.clone(),
            data: data.clone(),
            exit,
            seconds: now.saturating_sub(started).as_secs_f64(),
            stdout: written.stdout,
            stderr: written.stderr,
            log: written.log,
            killed_leftovers,
            will_retry,
            dangling: stop == Some(StopReason::Dangling),
            time_limit: stop.and_then(StopReason::limit).map(|limit| limit.as_secs_f64()),
        });
        if will_retry {
            entry.last = Some(finished.clone());
            self.effects.push(Effect::Record(EventKind::TaskFinished(finished)));
            self.make_ready(number);
        } else {
            self.leave(
                number,
                Leaving { finished, end: End { outcome, reason, data, exit, stopped: stop }, has_failed: false },
            );
        }
    }
}
