//! Where the states of which walks are, by ranges of places.

use std::collections::BTreeMap;
use std::ops::Range;

/// Where a state is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Home {
    /// The worker that has it in memory, or is to take it over.
    pub(super) owner: u32,
    /// The worker that has written it into its spool.
    pub(super) spool: u32,
    /// The stage at whose end it was so. Whatever else a spool has of the walk is older, or was never recorded.
    pub(super) stage: u32,
}

/// Ranges of places whose states are in a spool, with the stage at whose end each is wanted.
pub(super) type Written = Vec<(Range<u64>, u32)>;

/// Ranges of places that do not overlap, with where their states are.
#[derive(Debug, Default)]
pub(super) struct Owners(BTreeMap<u64, (u64, Home)>);

impl Owners {
    /// Notes where the states of a range are now.
    pub(super) fn set(&mut self, places: Range<u64>, home: Home) {
        if places.is_empty() {
            return;
        }
        self.part(places.start);
        self.part(places.end);
        let inside: Vec<u64> = self.0.range(places.clone()).map(|(start, _)| *start).collect();
        for start in inside {
            self.0.remove(&start);
        }
        let mut end = places.end;
        if self.0.get(&end).is_some_and(|(_, next)| *next == home)
            && let Some((next, _)) = self.0.remove(&end)
        {
            end = next;
        }
        if let Some((_, (before, other))) = self.0.range_mut(..places.start).next_back()
            && *before == places.start
            && *other == home
        {
            *before = end;
            return;
        }
        self.0.insert(places.start, (end, home));
    }

    /// Parts the range that a place is inside of, so that one begins there.
    fn part(&mut self, at: u64) {
        if let Some((_, (end, home))) = self.0.range_mut(..at).next_back()
            && *end > at
        {
            let (rest, home) = (std::mem::replace(end, at), *home);
            self.0.insert(at, (rest, home));
        }
    }

    /// Hands everything of a worker to another.
    pub(super) fn inherit(&mut self, from: u32, to: u32) {
        for (_, home) in self.0.values_mut() {
            if home.owner == from {
                home.owner = to;
            }
        }
    }

    /// Returns the ranges of a worker.
    pub(super) fn of(&self, worker: u32) -> Vec<Range<u64>> {
        let own = self.0.iter().filter(|(_, (_, home))| home.owner == worker);
        joined(own.map(|(start, (end, _))| (*start..*end, worker))).into_iter().map(|(range, _)| range).collect()
    }

    /// Returns where the states of a worker were written, by the spool.
    pub(super) fn written(&self, worker: u32) -> BTreeMap<u32, Written> {
        let mut written: BTreeMap<u32, Written> = BTreeMap::new();
        for (start, (end, home)) in self.0.iter().filter(|(_, (_, home))| home.owner == worker) {
            written.entry(home.spool).or_default().push((*start..*end, home.stage));
        }
        written
    }

    /// Returns what is owned of a range, with the owners.
    pub(super) fn within(&self, places: &Range<u64>) -> Vec<(Range<u64>, u32)> {
        let before = self.0.range(..places.start).next_back();
        let parts = before.into_iter().chain(self.0.range(places.clone()));
        let part = |(start, (end, home)): (&u64, &(u64, Home))| {
            ((*start).max(places.start)..(*end).min(places.end), home.owner)
        };
        joined(parts.map(part).filter(|(part, _)| !part.is_empty()))
    }

    /// Returns the workers that own something.
    pub(super) fn owners(&self) -> std::collections::BTreeSet<u32> {
        self.0.values().map(|(_, home)| home.owner).collect()
    }
}

/// Joins ranges of the same owner of which one begins where the other ends.
fn joined(parts: impl Iterator<Item = (Range<u64>, u32)>) -> Vec<(Range<u64>, u32)> {
    let mut joined: Vec<(Range<u64>, u32)> = Vec::new();
    for (range, owner) in parts {
        match joined.last_mut() {
            Some((last, other)) if last.end == range.start && *other == owner => last.end = range.end,
            _ => joined.push((range, owner)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn home(owner: u32, stage: u32) -> Home {
        Home { owner, spool: owner, stage }
    }

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "a range it is")]
    fn ranges_grow_together_are_inherited_and_cut() {
        let mut owners = Owners::default();
        owners.set(0..4, home(1, 0));
        owners.set(4..6, home(1, 0));
        owners.set(6..9, home(2, 0));
        owners.set(9..9, home(3, 0));
        assert_eq!(owners.of(1), [0..6]);
        assert_eq!(owners.within(&(3..8)), [(3..6, 1), (6..8, 2)]);
        assert_eq!(owners.within(&(6..9)), [(6..9, 2)]);
        owners.inherit(1, 3);
        assert_eq!((owners.of(1), owners.of(3), owners.owners()), (vec![], vec![0..6], [2, 3].into()));
        // What was written by the worker before stays where it is.
        owners.set(2..3, home(3, 1));
        assert_eq!(owners.written(3), [(1, vec![(0..2, 0), (3..6, 0)]), (3, vec![(2..3, 1)])].into());
        assert_eq!(owners.of(3), [0..6]);
    }

    proptest! {
        #[test]
        fn each_place_is_where_it_was_noted_last(
            notes in prop::collection::vec((0_u64..40, 0_u64..12, 0_u32..3, 0_u32..3), 0..30)
        ) {
            let mut owners = Owners::default();
            let mut places = [None; 60];
            for (start, length, owner, stage) in notes {
                owners.set(start..start + length, home(owner, stage));
                for place in start..start + length {
                    places[usize::try_from(place).expect("it is small")] = Some((owner, stage));
                }
            }
            let mut found = [None; 60];
            for owner in 0..3 {
                for (spool, parts) in owners.written(owner) {
                    for (range, stage) in parts {
                        for place in range {
                            let at = &mut found[usize::try_from(place).expect("it is small")];
                            prop_assert!(at.is_none());
                            *at = Some((spool, stage));
                        }
                    }
                }
            }
            prop_assert_eq!(found, places);
        }
    }
}
