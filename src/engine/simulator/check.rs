//! What must hold of every run, whatever went wrong.

use std::collections::BTreeMap;
use std::path::Path;

use super::plan::Plan;
use super::world::{Truth, World};
use crate::engine::request::{Failure, Waited};
use crate::engine::scheduler::Answer;
use crate::engine::spawner::AttemptId;
use crate::engine::stop::StopReason;
use crate::model::{Event, EventKind, Outcome, TaskFinished, TaskNumber};
use crate::store;

/// Checks a run that is over.
pub(super) fn after(plan: &Plan, world: &World) -> Result<(), String> {
    let truths = world.truths();
    let events = readable(&world.log())?;
    every_prefix_is_readable(world)?;
    let finals = finals(&events)?;
    for (task, finished) in &finals {
        let id = AttemptId { task: *task, ordinal: finished.attempt };
        not_better(plan, *task, finished.outcome, truths.get(&id))?;
    }
    if world.is_killed() {
        return Ok(());
    }
    for (id, truth) in &truths {
        if !truth.is_gone {
            return Err(format!("{id:?} is still there at the end"));
        }
    }
    let queued = events.iter().filter_map(|event| match &event.kind {
        EventKind::TaskQueued(queued) => Some(queued.task),
        _ => None,
    });
    for number in queued {
        let ends = world.ends(number);
        let [end] = ends.as_slice() else {
            return Err(format!("task {number} was told to have ended {} times", ends.len()));
        };
        let last = truths.iter().rfind(|(id, _)| id.task == number).map(|(_, truth)| truth);
        not_better(plan, number, end.outcome, last)?;
        if !world.disk_failed() {
            let finished = finals.get(&number).ok_or_else(|| format!("the log has no end of task {number}"))?;
            if finished.outcome != end.outcome {
                return Err(format!(
                    "task {number} is {} in the log and was told as {}",
                    finished.outcome, end.outcome
                ));
            }
        }
        // An attempt that was stopped before it had a process is not in the books of truth.
        let judged = finals.get(&number).map(|finished| AttemptId { task: number, ordinal: finished.attempt });
        if let Some(truth) = judged.and_then(|id| truths.get(&id)) {
            // One that is not tried again was stopped between two attempts.
            let between = end.reason.as_ref().is_some_and(|reason| reason.contains("; another attempt: "));
            judged_by_what_happened(number, truth, end.stopped.filter(|_| !between))?;
        }
    }
    Ok(())
}

/// Checks what somebody was told who waited for tasks.
pub(super) fn answer(tasks: &[TaskNumber], answer: &Result<Waited, Failure>, world: &World) -> Result<(), String> {
    if *answer != Ok(Waited::Answer(Answer::Settled)) {
        return Ok(());
    }
    // What anybody is told of stands in the log already.
    let finals = finals(&readable(&world.log())?)?;
    match tasks.iter().find(|task| !finals.contains_key(task)) {
        Some(task) => Err(format!("somebody was told of the end of task {task} before it was written")),
        None => Ok(()),
    }
}

fn readable(log: &[u8]) -> Result<Vec<Event>, String> {
    store::read_from(log, Path::new("events.jsonl"))
        .collect::<store::Result<Vec<Event>>>()
        .map_err(|error| format!("the log cannot be read: {error}"))
}

fn every_prefix_is_readable(world: &World) -> Result<(), String> {
    let log = world.log();
    for _ in 0..3 {
        let end = usize::try_from(world.draw(|random| random.below(log.len() as u64 + 1))).unwrap_or(0);
        readable(&log[..end]).map_err(|error| format!("cut at byte {end}: {error}"))?;
    }
    Ok(())
}

/// Returns the last word of the log on every task; there is one at most.
fn finals(events: &[Event]) -> Result<BTreeMap<TaskNumber, TaskFinished>, String> {
    let mut finals: BTreeMap<TaskNumber, TaskFinished> = BTreeMap::new();
    let mut started: BTreeMap<TaskNumber, u32> = BTreeMap::new();
    for event in events {
        match &event.kind {
            EventKind::TaskStarted { task, attempt, .. } => {
                if finals.contains_key(task) {
                    return Err(format!("task {task} started after its end"));
                }
                if started.insert(*task, *attempt).is_some_and(|before| before >= *attempt) {
                    return Err(format!("attempt {attempt} of task {task} started out of order"));
                }
            }
            EventKind::TaskFinished(finished)
                if !finished.will_retry && finals.insert(finished.task, (**finished).clone()).is_some() =>
            {
                return Err(format!("task {} has two ends", finished.task));
            }
            _ => {}
        }
    }
    Ok(finals)
}

/// No outcome is better than what happened.
fn not_better(plan: &Plan, task: TaskNumber, outcome: Outcome, truth: Option<&Truth>) -> Result<(), String> {
    if !outcome.is_pass() || plan.task(task).runnable.kind == "noop" {
        return Ok(());
    }
    let Some(truth) = truth else { return Err(format!("task {task} {outcome} and never ran")) };
    // A runner that has said everything and does not leave is killed, and was right.
    let may_linger = plan.task(task).runner.is_some();
    let ended_well = truth.ended.is_some_and(|(_, by_itself)| by_itself || may_linger);
    match truth.may_pass && ended_well && !truth.is_lost {
        true => Ok(()),
        false => Err(format!("task {task} is told as {outcome}, but: {truth:?}")),
    }
}

/// What ended by itself before anybody asked it to is not said to have been ended.
fn judged_by_what_happened(task: TaskNumber, truth: &Truth, stopped: Option<StopReason>) -> Result<(), String> {
    let Some((ended, true)) = truth.ended else { return Ok(()) };
    // It may have been stopped while it was on its way to a process.
    if truth.started > truth.ordered {
        return Ok(());
    }
    let was_asked = truth.asked.is_some_and(|asked| asked <= ended);
    // A broken protocol is known by what it said, and a full disk is nobody's.
    let is_other = matches!(stopped, None | Some(StopReason::Protocol | StopReason::Unrecordable));
    match was_asked || is_other || truth.is_lost {
        true => Ok(()),
        false => Err(format!("task {task} ended by itself and is said to have been ended: {stopped:?}, {truth:?}")),
    }
}

/// What was seen in all runs together.
#[derive(Debug, Default)]
pub(super) struct Seen {
    passed: u64,
    bad: u64,
    killed_hosts: u64,
    full_disks: u64,
    stalls: u64,
    lost: u64,
}

impl Seen {
    /// Adds a run.
    pub(super) fn add(&mut self, world: &World) {
        let truths = world.truths();
        self.killed_hosts += u64::from(world.is_killed());
        self.full_disks += u64::from(world.disk_failed());
        self.stalls += u64::from(!world.stall().is_zero());
        self.lost += u64::from(truths.values().any(|truth| truth.is_lost));
        for end in (1..=8).flat_map(|task| world.ends(task)) {
            match end.outcome.is_pass() {
                true => self.passed += 1,
                false => self.bad += 1,
            }
        }
    }

    /// Checks that everything that may go wrong has, and that tasks passed all the same.
    pub(super) fn assert_everything_was_seen(&self) {
        let counts = [self.passed, self.bad, self.killed_hosts, self.full_disks, self.stalls, self.lost];
        assert!(counts.iter().all(|count| *count > 100), "{self:?}");
    }
}
