//! What was done of a suite before its host died, so that it can be gone on with: every walk has one end.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use super::{Coordinator, Ran, SerialEnded};

/// What was done of a suite, as it was recorded.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    /// By the options of the serial actions and the stage.
    nodes: BTreeMap<(Vec<u32>, usize), Node>,
    ran: Vec<Ran>,
    last_worker: u32,
}

#[derive(Debug, Default)]
struct Node {
    ran: Vec<Range<u64>>,
    returned: Option<Value>,
    has_ended: bool,
}

impl Earlier {
    /// Adds walks that have come through a stage.
    pub(crate) fn add_ran(&mut self, ran: Ran) {
        let stage = usize::try_from(ran.stage).unwrap_or(usize::MAX);
        let node = self.nodes.entry((ran.path.clone(), stage)).or_default();
        if !ran.places.is_empty() {
            node.ran.push(ran.places.clone());
        }
        self.note_worker(ran.worker);
        self.ran.push(ran);
    }

    /// Adds a serial action that has ended without an error.
    pub(crate) fn add_serial(&mut self, ended: SerialEnded) {
        let stage = usize::try_from(ended.stage).unwrap_or(usize::MAX);
        self.nodes.entry((ended.path, stage)).or_default().returned = ended.returned;
    }

    /// Notes that there was a worker of this number, which is not used again.
    pub(crate) fn note_worker(&mut self, worker: u32) {
        self.last_worker = self.last_worker.max(worker);
    }

    pub(super) const fn last_worker(&self) -> u32 {
        self.last_worker
    }

    pub(super) fn has_ended(&self, path: &[u32], stage: usize) -> bool {
        self.node(path, stage).is_some_and(|node| node.has_ended)
    }

    /// Returns what the serial action at the end of this path returned.
    pub(super) fn returned(&self, path: &[u32]) -> Option<Value> {
        let node = self.nodes.iter().find(|((other, _), node)| other == path && node.has_ended);
        node.and_then(|(_, node)| node.returned.clone())
    }

    /// Returns the places that have come through a stage, ascending.
    pub(super) fn ran(&self, path: &[u32], stage: usize) -> Vec<Range<u64>> {
        let mut ran = self.node(path, stage).map(|node| node.ran.clone()).unwrap_or_default();
        ran.sort_unstable_by_key(|places| places.start);
        ran
    }

    fn node(&self, path: &[u32], stage: usize) -> Option<&Node> {
        self.nodes.get(&(path.to_vec(), stage))
    }
}

impl Coordinator {
    /// Counts what was done before.
    pub(super) fn take_earlier(&mut self) {
        let ran = std::mem::take(&mut self.earlier.ran);
        for part in ran {
            self.stage = usize::try_from(part.stage).unwrap_or(0).min(self.setup.plan.stages().len() - 1);
            self.path = part.path;
            self.take_ran(part.worker, part.places, part.portions, part.ended);
        }
        self.stage = 0;
        self.path.clear();
        // It is on record.
        self.effects.clear();
        let mut nodes = std::mem::take(&mut self.earlier.nodes);
        for ((path, _), node) in &mut nodes {
            node.ran.sort_unstable_by_key(|places| places.start);
            let branch = self.setup.selection.places(&self.setup.plan.branch(path));
            let mut next = branch.start;
            for places in &node.ran {
                next = if places.start <= next { next.max(places.end) } else { next };
            }
            node.has_ended = next >= branch.end;
        }
        self.earlier.nodes = nodes;
    }

    /// Hands the states of earlier workers to those that were started: each as it was when its walk was recorded last,
    /// whichever worker that was. What was not recorded runs again.
    pub(super) fn inherit_earlier(&mut self) {
        let heirs: Vec<u32> = self.workers.keys().copied().collect();
        let before: Vec<u32> = self.owners.owners().into_iter().collect();
        for (number, heir) in before.into_iter().zip(heirs.iter().cycle()) {
            self.owners.inherit(number, *heir);
            if let super::Phase::Portions(pool) = &mut self.phase {
                pool.inherit(number, *heir);
            }
        }
        for heir in heirs {
            self.adopt(heir);
        }
    }
}
