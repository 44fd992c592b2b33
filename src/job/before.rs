//! What a run was before it was resumed: which tasks had ended, and what its log says of them.
//!
//! Memory holds where the events of each ended task are, not the events themselves.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use chrono::{DateTime, Utc};

use crate::engine::{End, Reused, StopReason};
use crate::model::{Event, EventKind, Outcome, Task, TaskFinished, TaskNumber};
use crate::store::{self, EventLookup};

/// The part of a run that lies before it was resumed.
#[derive(Debug)]
pub(super) struct Before {
    lookup: EventLookup,
    /// When the run started first.
    pub(super) started: Option<DateTime<Utc>>,
    /// Seconds from the start to the last event of each part, together.
    pub(super) seconds: f64,
    /// The hash of the jobfile when it was run last.
    pub(super) file_hash: Option<String>,
    /// The secret variables that it had then.
    pub(super) secrets: Vec<String>,
    /// Ended tasks that may stand as they are, by id.
    ended: HashMap<String, Past>,
    /// Folders of tasks that were not brought to an end, by id.
    unfinished: HashMap<String, String>,
    /// Folders that belong to somebody.
    taken: HashSet<String>,
    /// What was recorded of walks, by suite.
    pub(super) walks: HashMap<u32, Vec<EventKind>>,
}

/// A task that ended.
#[derive(Clone, Debug)]
struct Past {
    inputs: Option<String>,
    folder: String,
    started: Option<DateTime<Utc>>,
    attempts: u32,
    time_limit: Option<f64>,
    /// Where its events are, the last of them its end.
    events: Vec<u64>,
}

/// A task that has not ended yet, while the log is read.
struct Open {
    id: String,
    past: Past,
    has_process: bool,
    is_copy: bool,
}

/// What becomes of a task in a resumed run.
#[derive(Debug)]
pub(super) enum Claim {
    /// It stands as it ended, in this folder.
    Reused(Box<Reused>, String),
    /// It runs, in this folder.
    Run(String),
}

impl Before {
    /// Reads the event log at `path`.
    pub(super) fn read(path: &Path) -> store::Result<Before> {
        let mut before = Before {
            lookup: EventLookup::open(path)?,
            started: None,
            seconds: 0.0,
            file_hash: None,
            secrets: Vec::new(),
            ended: HashMap::new(),
            unfinished: HashMap::new(),
            taken: HashSet::new(),
            walks: HashMap::new(),
        };
        let mut open = HashMap::new();
        let mut part: Option<(DateTime<Utc>, DateTime<Utc>)> = None;
        let mut reader = store::read(path)?;
        while let Some(event) = reader.next() {
            let event = event?;
            if let EventKind::RunStarted(header) = &event.kind {
                before.close_part(part.take());
                before.leave(open.drain().map(|(_, task)| task));
                before.started.get_or_insert(header.first_started.unwrap_or(event.time));
                before.file_hash = Some(header.file_hash.clone());
                before.secrets.clone_from(&header.secrets);
                part = Some((event.time, event.time));
            }
            part = part.map(|(first, _)| (first, event.time));
            before.take(&event, reader.offset(), &mut open);
        }
        before.close_part(part);
        before.leave(open.into_values());
        before.taken = before.ended.values().map(|past| past.folder.clone()).collect();
        Ok(before)
    }

    fn close_part(&mut self, part: Option<(DateTime<Utc>, DateTime<Utc>)>) {
        self.seconds += part.map_or(0.0, |(first, last)| (last - first).as_seconds_f64().max(0.0));
    }

    fn note_walks(&mut self, suite: u32, event: &Event) {
        self.walks.entry(suite).or_default().push(event.kind.clone());
    }

    /// Takes note of tasks that have no end.
    fn leave(&mut self, open: impl Iterator<Item = Open>) {
        for task in open.filter(|task| task.has_process && !task.is_copy) {
            self.unfinished.insert(task.id, task.past.folder);
        }
    }

    fn take(&mut self, event: &Event, offset: u64, open: &mut HashMap<TaskNumber, Open>) {
        match &event.kind {
            // A part that goes on with walks says first what it has taken over of them.
            EventKind::WalksStarted(started) => {
                self.walks.insert(started.suite, vec![event.kind.clone()]);
            }
            EventKind::WalksRan(ran) => self.note_walks(ran.suite, event),
            EventKind::SerialRan(ran) => self.note_walks(ran.suite, event),
            EventKind::TaskQueued(queued) => {
                let past = Past {
                    inputs: queued.inputs.clone(),
                    folder: queued.folder.clone(),
                    started: None,
                    attempts: 0,
                    time_limit: None,
                    events: Vec::new(),
                };
                open.insert(queued.task, Open { id: queued.id.clone(), past, has_process: false, is_copy: false });
            }
            EventKind::TaskReused { task, started } => {
                if let Some(task) = open.get_mut(task) {
                    task.is_copy = true;
                    task.past.started = *started;
                }
            }
            EventKind::TaskStarted { task, attempt, pid: _ } => {
                let Some(task) = open.get_mut(task) else { return };
                task.past.events.push(offset);
                task.past.started.get_or_insert(event.time);
                task.past.attempts = *attempt;
                task.has_process = true;
                // From here on it is another: how it ended in an earlier part counts no more.
                if !task.is_copy {
                    self.ended.remove(&task.id);
                }
            }
            EventKind::TaskFinished(finished) if finished.will_retry => {
                note(open, finished.task, offset);
            }
            EventKind::TaskFinished(finished) => {
                let Some(mut task) = open.remove(&finished.task) else { return };
                if task.has_process && is_own(finished) {
                    task.past.events.push(offset);
                    task.past.time_limit = finished.time_limit;
                    self.unfinished.remove(&task.id);
                    self.ended.insert(task.id, task.past);
                } else {
                    self.leave(std::iter::once(task));
                }
            }
            EventKind::TaskPlanned(planned) => note(open, planned.task, offset),
            EventKind::SectionStarted(section) => note(open, section.task, offset),
            EventKind::SectionFinished(section) => note(open, section.task, offset),
            EventKind::PluginFailed(failed) => {
                if let Some(task) = failed.task {
                    note(open, task, offset);
                }
            }
            _ => {}
        }
    }

    /// Decides whether a task stands as it ended or runs. What an earlier attempt at one that runs has left is removed.
    pub(super) fn claim(&mut self, run: &Path, number: TaskNumber, task: &Task) -> store::Result<Claim> {
        if let Some(past) = self.ended.remove(&task.id) {
            if stands(&past, task) && run.join(store::attempt_folder(&past.folder, past.attempts)).is_dir() {
                let reused = self.copy(&past, number)?;
                return Ok(Claim::Reused(Box::new(reused), past.folder));
            }
            self.taken.remove(&past.folder);
            store::discard(run, &past.folder)?;
        }
        if let Some(folder) = self.unfinished.remove(&task.id)
            && !self.taken.contains(&folder)
        {
            store::discard(run, &folder)?;
        }
        let mut folder = store::task_folder(number, &task.id);
        // Another task, whose id looks the same in a file name, had this number before.
        while self.taken.contains(&folder) {
            folder.push('+');
        }
        store::discard(run, &folder)?;
        self.taken.insert(folder.clone());
        Ok(Claim::Run(folder))
    }

    /// Returns what the log says of a task, as of the task with this number.
    fn copy(&mut self, past: &Past, number: TaskNumber) -> store::Result<Reused> {
        let mut events = vec![EventKind::TaskReused { task: number, started: past.started }];
        let mut end = End { outcome: Outcome::Errored, reason: None, data: None, exit: None, stopped: None };
        for &offset in &past.events {
            let kind = renumbered(self.lookup.at(offset)?.kind, number);
            if let EventKind::TaskFinished(finished) = &kind {
                end = end_of(finished);
            }
            events.push(kind);
        }
        Ok(Reused { events, end })
    }
}

fn note(open: &mut HashMap<TaskNumber, Open>, task: TaskNumber, offset: u64) {
    if let Some(task) = open.get_mut(&task) {
        task.past.events.push(offset);
    }
}

/// Returns whether a task came to this end by itself, and not because the run or its jobfile ended it.
fn is_own(finished: &TaskFinished) -> bool {
    finished.attempt > 0 && !finished.dangling && finished.outcome != Outcome::Aborted
}

/// Returns whether a task would be the same again.
fn stands(past: &Past, task: &Task) -> bool {
    let is_unchanged = past.inputs.is_some() && past.inputs == task.inputs;
    // One that was ended by its time limit may pass under another.
    let limit = past.time_limit.zip(task.max_runtime);
    is_unchanged && limit.is_none_or(|(then, now)| (then - now.as_secs_f64()).abs() < 1e-6)
}

fn end_of(finished: &TaskFinished) -> End {
    let limit = finished.time_limit.and_then(|limit| std::time::Duration::try_from_secs_f64(limit).ok());
    End {
        outcome: finished.outcome,
        reason: finished.reason.clone(),
        data: finished.data.clone(),
        exit: finished.exit,
        stopped: limit.map(StopReason::TimeLimit),
    }
}

fn renumbered(mut kind: EventKind, number: TaskNumber) -> EventKind {
    match &mut kind {
        EventKind::TaskStarted { task, .. } => *task = number,
        EventKind::TaskPlanned(planned) => planned.task = number,
        EventKind::SectionStarted(section) => section.task = number,
        EventKind::SectionFinished(section) => section.task = number,
        EventKind::TaskFinished(finished) => finished.task = number,
        EventKind::PluginFailed(failed) => failed.task = Some(number),
        _ => {}
    }
    kind
}
