//! What is recorded of walks that have run: events, and the lists of those that reports name.

use super::super::traces::{FAILED, append_traces};
use super::super::words::{step_in_words, steps_in_words, steps_of};
use super::super::{WalkError, sections};
use super::{Carrier, unrecordable};
use crate::engine::Failure;
use crate::job::WaitError;
use crate::model::{EventKind, SerialRan, WalkEnd, WalkEnded, WalkFailed, WalkStep, WalksRan};
use crate::walk::{Ran, SerialEnded, WayOfFailing};

/// Walks that are listed one by one; of more, the first.
const MOST_LISTED: u32 = 10_000;

impl Carrier<'_> {
    pub(super) fn record_ran(&mut self, ran: Ran) -> Result<(), WalkError> {
        self.say(2, || {
            let Ran { stage, worker, places, portions, .. } = &ran;
            format!("worker {worker}: {portions} walks from {} to {} at stage {}", places.start, places.end, stage + 1)
        });
        self.list(&ran);
        let mut ended: Vec<WalkFailed> = Vec::new();
        for walk in ran.ended.iter().filter(|walk| walk.end != WalkEnd::Passed) {
            let failed = self.failed(walk);
            if walk.end == WalkEnd::Failed {
                let steps = self.steps(walk);
                self.failures.add(way_of(&failed), walk.id, || steps);
            }
            ended.push(failed);
        }
        append_traces(&self.folder, &self.suite, &self.coordinator.setup().plan, &ended, &ran.ended)
            .map_err(|error| unrecordable(&self.folder.join(FAILED), &error))?;
        let event = WalksRan {
            suite: self.suite_number,
            path: ran.path,
            stage: ran.stage,
            worker: ran.worker,
            from: ran.places.start,
            to: ran.places.end,
            ran: ran.portions,
            ended,
        };
        self.record(EventKind::WalksRan(Box::new(event)))
    }

    /// Lists walks that have come to their end as sections of the worker's task.
    pub(super) fn list(&mut self, ran: &Ran) {
        let last = self.coordinator.setup().plan.stages().len() - 1;
        let task = self.tasks.iter().find(|(worker, _)| *worker == ran.worker).or(self.tasks.first());
        let Some((_, task)) = task.copied() else { return };
        for walk in &ran.ended {
            if walk.end == WalkEnd::Passed && walk.stage as usize != last || self.listed >= MOST_LISTED {
                continue;
            }
            self.listed += 1;
            let next = self.sections.entry(task).or_default();
            *next += 1;
            let section = *next;
            let failed = self.failed(walk);
            let events = sections::events(task, section, &failed);
            // Where nothing can be recorded any more the next event that counts says so.
            self.job.run.note(events);
        }
    }

    /// Returns the steps of a walk.
    pub(super) fn steps(&self, walk: &WalkEnded) -> Vec<WalkStep> {
        match self.suite.machine.is_some() || !walk.steps.is_empty() {
            true => walk.steps.clone(),
            false => steps_of(&self.coordinator.setup().plan, walk.id),
        }
    }

    /// Returns a walk that ended as the event log has it.
    pub(super) fn failed(&self, walk: &WalkEnded) -> WalkFailed {
        let steps = self.steps(walk);
        let action = walk.slot.and_then(|slot| self.suite.order.get(slot as usize)).map(|slot| slot.action.clone());
        let mut failed = WalkFailed {
            id: walk.id,
            stage: walk.stage,
            end: walk.end,
            walk: steps_in_words(&self.suite, &steps),
            action,
            error: walk.error.clone(),
            seconds: walk.seconds,
        };
        // It is not only for the event log, where everything is masked.
        failed.mask(self.job.run.masks());
        failed
    }

    pub(super) fn record_serial(&mut self, ended: SerialEnded) -> Result<(), WalkError> {
        let words = step_in_words(&self.suite, ended.step);
        self.say(2, || format!("{words} took {:.3} s", ended.seconds));
        let event = SerialRan {
            suite: self.suite_number,
            path: ended.path,
            stage: ended.stage,
            slot: ended.step.slot,
            option: ended.step.option,
            words,
            returned: ended.returned,
            error: ended.error,
            seconds: ended.seconds,
        };
        self.record(EventKind::SerialRan(Box::new(event)))
    }

    pub(super) fn record(&mut self, kind: EventKind) -> Result<(), WalkError> {
        self.job.run.record(vec![kind]).map_err(|error| WalkError::Wait(WaitError::Unrecordable(Failure::from(error))))
    }
}

/// Returns the way in which a walk failed, as it is recorded.
pub(super) fn way_of(walk: &WalkFailed) -> WayOfFailing {
    WayOfFailing::of(walk.action.as_deref(), walk.error.as_ref())
}
