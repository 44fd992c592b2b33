//! Who takes part: `main` and tasks, and the connections by which they ask.

use std::collections::{BTreeSet, HashSet};

use crate::model::{ObjectId, TaskNumber};

/// Who makes requests: a connection, or `main`.
pub(super) type HolderId = u64;

/// The holder that is `main`.
pub(super) const MAIN_HOLDER: HolderId = 0;

/// `main` or a task, which has its number.
pub(super) type Party = TaskNumber;

/// `main`; tasks are numbered from 1.
pub(super) const MAIN: Party = 0;

/// Somebody who makes requests.
pub(super) struct Holder {
    pub(super) party: Party,
    /// The objects of which it may hold something.
    pub(super) held: BTreeSet<ObjectId>,
}

impl Holder {
    /// Makes the holder of a party, which holds nothing.
    pub(super) const fn of(party: Party) -> Self {
        Self { party, held: BTreeSet::new() }
    }
}

/// A task that has not ended.
#[derive(Default)]
pub(super) struct TaskEntry {
    /// How often it was started.
    pub(super) starts: u32,
    /// The objects that it got, made or fetched.
    pub(super) known: HashSet<ObjectId>,
    /// Its open connections.
    pub(super) holders: Vec<HolderId>,
}
