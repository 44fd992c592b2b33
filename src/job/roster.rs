//! Every task that the jobfile made, and what became of it.

use std::collections::HashMap;

use super::draft::Draft;
use crate::engine::End;
use crate::model::{Masks, Outcome, Place, TaskNumber};

/// The tasks of a run in the order in which they were made.
#[derive(Default)]
pub(super) struct Roster {
    entries: Vec<Entry>,
    by_id: HashMap<String, TaskNumber>,
}

/// One task.
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) place: Option<Place>,
    /// What is to be started; taken by the start.
    pub(super) draft: Option<Box<Draft>>,
    /// An outcome that stands before the start.
    pub(super) decided: Option<(Outcome, String)>,
    pub(super) pid: Option<i32>,
    pub(super) end: Option<Box<End>>,
}

/// Returns whether an id may be one that a task has by its number.
pub(super) fn is_default(id: &str) -> bool {
    id.starts_with("Task-")
}

impl Roster {
    /// Adds a task under the id it asked for, or the default. A reused id gets its outcome here. Ids are names of folders and
    /// stand in every report, so they have their masks from the beginning.
    pub(super) fn add(&mut self, mut draft: Box<Draft>, masks: &Masks) -> TaskNumber {
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

    pub(super) fn get(&self, number: TaskNumber) -> Option<&Entry> {
        self.entries.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    pub(super) fn get_mut(&mut self, number: TaskNumber) -> Option<&mut Entry> {
        self.entries.get_mut(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// Returns all tasks with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TaskNumber, &Entry)> {
        (1..).zip(&self.entries)
    }
}
