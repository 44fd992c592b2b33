//! Which worker holds the states of which walks, by ranges of places.

use std::collections::BTreeMap;
use std::ops::Range;

/// Ranges of places that do not overlap, with their workers.
#[derive(Debug, Default)]
pub(super) struct Owners(BTreeMap<u64, (u64, u32)>);

impl Owners {
    /// Gives a worker a range that nobody has.
    pub(super) fn give(&mut self, places: Range<u64>, worker: u32) {
        if places.is_empty() {
            return;
        }
        if let Some((_, (end, owner))) = self.0.range_mut(..places.start).next_back()
            && *end == places.start
            && *owner == worker
        {
            *end = places.end;
            return;
        }
        self.0.insert(places.start, (places.end, worker));
    }

    /// Hands everything of a worker to another.
    pub(super) fn inherit(&mut self, from: u32, to: u32) {
        for (_, owner) in self.0.values_mut() {
            if *owner == from {
                *owner = to;
            }
        }
    }

    /// Returns the ranges of a worker.
    pub(super) fn of(&self, worker: u32) -> Vec<Range<u64>> {
        let own = self.0.iter().filter(|(_, (_, owner))| *owner == worker);
        own.map(|(start, (end, _))| *start..*end).collect()
    }

    /// Returns what is owned of a range, with the owners.
    pub(super) fn within(&self, places: &Range<u64>) -> Vec<(Range<u64>, u32)> {
        let before = self.0.range(..places.start).next_back();
        let parts = before.into_iter().chain(self.0.range(places.clone()));
        let part =
            |(start, (end, owner)): (&u64, &(u64, u32))| ((*start).max(places.start)..(*end).min(places.end), *owner);
        parts.map(part).filter(|(part, _)| !part.is_empty()).collect()
    }

    /// Returns the workers that own something.
    pub(super) fn owners(&self) -> std::collections::BTreeSet<u32> {
        self.0.values().map(|(_, owner)| *owner).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "a range it is")]
    fn ranges_grow_together_are_inherited_and_cut() {
        let mut owners = Owners::default();
        owners.give(0..4, 1);
        owners.give(4..6, 1);
        owners.give(6..9, 2);
        owners.give(9..9, 3);
        assert_eq!(owners.of(1), [0..6]);
        assert_eq!(owners.within(&(3..8)), [(3..6, 1), (6..8, 2)]);
        assert_eq!(owners.within(&(6..9)), [(6..9, 2)]);
        owners.inherit(1, 3);
        assert_eq!((owners.of(1), owners.of(3), owners.owners()), (vec![], vec![0..6], [2, 3].into()));
    }
}
