//! Every task that the jobfile made, and what became of it.
//!
//! It starts nothing: a task leaves it as a draft, and what the engine says of it is noted here.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::draft::Draft;
use crate::engine::{End, Group};
use crate::model::{EventKind, Masks, Outcome, Place, TaskNumber};

/// The tasks of a run in the order in which they were made, and their groups.
#[derive(Default)]
pub(crate) struct Roster {
    tasks: Mutex<Tasks>,
    /// The number of the last group.
    last_group: Mutex<u32>,
}

#[derive(Default)]
struct Tasks {
    entries: Vec<Entry>,
    by_id: HashMap<String, TaskNumber>,
}

/// One task.
struct Entry {
    id: String,
    place: Option<Place>,
    /// What is to be started; taken by the start.
    draft: Option<Box<Draft>>,
    /// An outcome that stands before the start.
    decided: Option<Decided>,
    pid: Option<i32>,
    end: Option<Box<End>>,
}

/// An outcome that a task has without being run, and why.
pub(super) type Decided = (Outcome, String);

/// A task that leaves the roster to be started.
pub(super) struct Leaving {
    pub(super) id: String,
    pub(super) draft: Box<Draft>,
    pub(super) decided: Option<Decided>,
}

/// What is known of a task.
#[derive(Clone, Debug)]
pub(crate) struct TaskView {
    /// Its id.
    pub(crate) id: String,
    /// Whether it was started.
    pub(crate) is_started: bool,
    /// Its first or present process.
    pub(crate) pid: Option<i32>,
    /// How it ended.
    pub(crate) end: Option<End>,
}

/// Why a task cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CannotStart {
    /// It was started before.
    #[error("task '{0}' cannot be started twice")]
    Twice(String),
}

/// Returns whether an id may be one that a task has by its number.
pub(super) fn is_default(id: &str) -> bool {
    id.starts_with("Task-")
}

impl Roster {
    /// Adds a task. Returns its number, and what is wrong with it already.
    pub(super) fn add(&self, draft: Box<Draft>, masks: &Masks) -> (TaskNumber, Option<String>) {
        let mut tasks = self.tasks.lock();
        let number = tasks.add(draft, masks);
        let reason = tasks.get(number).and_then(|entry| Some(entry.decided.as_ref()?.1.clone()));
        (number, reason)
    }

    /// Makes a group, of whose tasks at most `limit` run at once.
    pub(crate) fn new_group(&self, limit: usize) -> Group {
        let mut last = self.last_group.lock();
        *last += 1;
        Group { id: *last, limit }
    }

    /// Hands out a task for its start; `None` if there is no such task. It is not held any longer: to look at a task's files
    /// takes time, and the engine needs the roster.
    pub(super) fn take(&self, number: TaskNumber) -> Result<Option<Leaving>, CannotStart> {
        let mut tasks = self.tasks.lock();
        let Some(entry) = tasks.get_mut(number) else { return Ok(None) };
        let Some(draft) = entry.draft.take() else { return Err(CannotStart::Twice(entry.id.clone())) };
        Ok(Some(Leaving { id: entry.id.clone(), draft, decided: entry.decided.take() }))
    }

    /// Notes that a task has a process.
    pub(super) fn note_process(&self, number: TaskNumber, pid: i32) {
        if let Some(entry) = self.tasks.lock().get_mut(number) {
            entry.pid = Some(pid);
        }
    }

    /// Notes how a task ended.
    pub(super) fn note_end(&self, number: TaskNumber, end: End) {
        if let Some(entry) = self.tasks.lock().get_mut(number) {
            entry.end = Some(Box::new(end));
        }
    }

    /// Returns what is known of a task.
    pub(crate) fn view(&self, number: TaskNumber) -> Option<TaskView> {
        self.tasks.lock().get(number).map(|entry| TaskView {
            id: entry.id.clone(),
            is_started: entry.draft.is_none(),
            pid: entry.pid,
            end: entry.end.as_deref().cloned(),
        })
    }

    /// Returns the id of a task.
    pub(super) fn id(&self, number: TaskNumber) -> Option<String> {
        self.tasks.lock().get(number).map(|entry| entry.id.clone())
    }

    /// Returns whether a task has or had a process.
    pub(super) fn had_process(&self, number: TaskNumber) -> bool {
        self.tasks.lock().get(number).is_some_and(|entry| entry.pid.is_some())
    }

    /// Returns the numbers of the tasks that were started and have not ended.
    pub(crate) fn active(&self) -> Vec<TaskNumber> {
        let tasks = self.tasks.lock();
        let active = tasks.iter().filter(|(_, entry)| entry.draft.is_none() && entry.end.is_none());
        active.map(|(number, _)| number).collect()
    }

    /// Returns how many tasks were made.
    pub(crate) fn count(&self) -> usize {
        self.tasks.lock().entries.len()
    }

    /// Returns the roll-up of the tasks that have ended.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        let tasks = self.tasks.lock();
        Outcome::roll_up(tasks.iter().filter_map(|(_, entry)| Some(entry.end.as_ref()?.outcome)))
    }

    /// Returns a warning for each task that was made for nothing.
    pub(super) fn never_started(&self) -> Vec<EventKind> {
        let tasks = self.tasks.lock();
        let unstarted = tasks.iter().filter(|(_, entry)| entry.draft.is_some());
        unstarted
            .map(|(_, entry)| EventKind::Warning {
                text: format!("task '{}' was made but never started", entry.id),
                place: entry.place.clone(),
            })
            .collect()
    }
}

impl Tasks {
    /// Adds a task under the id it asked for, or the default. A reused id gets its outcome here. Ids are names of folders and
    /// stand in every report, so they have their masks from the beginning.
    fn add(&mut self, mut draft: Box<Draft>, masks: &Masks) -> TaskNumber {
        let number = TaskNumber::try_from(self.entries.len() + 1).unwrap_or(TaskNumber::MAX);
        let asked = draft.taskid.take().filter(|id| !id.is_empty());
        let id = asked.map_or_else(|| format!("Task-{number}"), |id| self.masked(&id, masks).replace('/', "_"));
        let mut decided = draft.problem.take().map(|problem| (Outcome::Errored, problem));
        match self.by_id.get(&id) {
            None => {
                self.by_id.insert(id.clone(), number);
            }
            Some(&first) => {
                let first = self.get(first).and_then(|entry| entry.place.as_ref());
                let first = first.map_or_else(String::new, |place| format!(" by the task at {place}"));
                let text = format!("task id '{id}' is already used{first}; give each task its own taskid");
                decided = Some((Outcome::Errored, text));
            }
        }
        let place = draft.place.clone();
        self.entries.push(Entry { id, place, draft: Some(draft), decided, pid: None, end: None });
        number
    }

    /// Returns an id with its secrets masked. Two that differ in a secret are still two.
    fn masked(&self, id: &str, masks: &Masks) -> String {
        let masked = masks.mask_text(id).into_owned();
        let mut unique = masked.clone();
        let mut count = 1;
        while masked != id && self.by_id.contains_key(&unique) {
            count += 1;
            unique = format!("{masked}-{count}");
        }
        unique
    }

    fn get(&self, number: TaskNumber) -> Option<&Entry> {
        self.entries.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    fn get_mut(&mut self, number: TaskNumber) -> Option<&mut Entry> {
        self.entries.get_mut(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// Returns all tasks with their numbers.
    fn iter(&self) -> impl Iterator<Item = (TaskNumber, &Entry)> {
        (1..).zip(&self.entries)
    }
}
