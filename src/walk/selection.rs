//! Which walks of a plan are run: all, or a sorted list of ids. Walks are handed out by their places in the selection.

use std::collections::HashSet;
use std::ops::Range;

use crate::model::{SplitMix64, Walks};

/// Walks of a plan, in the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All of this many. The place of a walk is its id.
    All(u64),
    /// These, ascending.
    List(Vec<u64>),
}

impl Selection {
    /// Selects walks by their ids, of which some may come twice.
    pub(crate) fn of(mut ids: Vec<u64>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        Self::List(ids)
    }

    /// Draws `count` distinct walks of `walks`, each as likely as any other. The same seed draws the same in every version
    /// and on every machine: Floyd's algorithm (Bentley and Floyd 1987) over `SplitMix64`. Takes memory for the drawn ones
    /// alone.
    pub(crate) fn sample(walks: u64, count: u64, seed: u64) -> Self {
        if count >= walks {
            return Self::All(walks);
        }
        let mut numbers = SplitMix64::new(seed);
        let mut drawn = HashSet::with_capacity(usize::try_from(count).unwrap_or_default());
        for last in walks - count..walks {
            let number = numbers.below(last + 1);
            if !drawn.insert(number) {
                drawn.insert(last);
            }
        }
        Self::of(drawn.into_iter().collect())
    }

    /// Returns how many there are.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::All(walks) => *walks,
            Self::List(ids) => ids.len() as u64,
        }
    }

    /// Returns the id of the walk at a place.
    pub(crate) fn id(&self, place: u64) -> u64 {
        match self {
            Self::All(_) => place,
            Self::List(ids) => ids[index(place)],
        }
    }

    /// Returns the places of the walks whose ids are in a range.
    pub(crate) fn places(&self, ids: &Range<u64>) -> Range<u64> {
        match self {
            Self::All(walks) => ids.start.min(*walks)..ids.end.min(*walks),
            Self::List(list) => {
                let place = |id: u64| list.partition_point(|other| *other < id) as u64;
                place(ids.start)..place(ids.end)
            }
        }
    }

    /// Returns the place of a walk, if it is selected.
    pub(crate) fn place(&self, id: u64) -> Option<u64> {
        match self {
            Self::All(walks) => (id < *walks).then_some(id),
            Self::List(list) => list.binary_search(&id).ok().map(|place| place as u64),
        }
    }

    /// Returns the walks at these places as a worker is told of them.
    pub(crate) fn walks(&self, places: &Range<u64>) -> Walks {
        match self {
            Self::All(_) => Walks::Range(places.start, places.end),
            Self::List(list) => Walks::List(list[index(places.start)..index(places.end)].to_vec()),
        }
    }

    /// Returns the ids from the first on.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.len()).map(|place| self.id(place))
    }

    /// Leaves out the walks for which `keeps` says no, and returns them; a range stays one only if none is left out.
    pub(crate) fn keep<E>(self, keeps: &mut dyn FnMut(u64) -> Result<bool, E>) -> Result<Self, E> {
        let mut kept = Vec::new();
        for id in self.ids() {
            if keeps(id)? {
                kept.push(id);
            }
        }
        Ok(if kept.len() as u64 == self.len() { self } else { Self::List(kept) })
    }
}

fn index(place: u64) -> usize {
    usize::try_from(place).expect("a place in a list fits in memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_distinct_sorted_and_the_same_in_every_version() {
        let Selection::List(ids) = Selection::sample(1_000_000_000_000, 5, 7) else { panic!("a list") };
        assert_eq!(ids, SAMPLE);
        let Selection::List(ids) = Selection::sample(1000, 999, 1) else { panic!("a list") };
        assert_eq!(ids.len(), 999);
        assert!(ids.windows(2).all(|two| two[0] < two[1]) && ids[998] < 1000);
        assert_eq!(Selection::sample(10, 10, 1), Selection::All(10));
        assert_ne!(Selection::sample(1000, 10, 1), Selection::sample(1000, 10, 2));
    }

    /// What the seed 7 draws.
    const SAMPLE: [u64; 5] = [16_788_294_528, 389_829_748_389, 452_441_895_011, 582_930_293_027, 900_760_680_605];

    #[test]
    fn every_walk_is_as_likely_as_any_other() {
        let mut counts = [0_u32; 10];
        for seed in 0..10_000 {
            for id in Selection::sample(10, 3, seed).ids() {
                counts[usize::try_from(id).unwrap()] += 1;
            }
        }
        // 3,000 each, with a standard deviation of 46.
        assert!(counts.iter().all(|count| (2_770..3_230).contains(count)), "{counts:?}");
    }

    #[test]
    fn places_and_ids_are_each_others_reverse() {
        let list = Selection::of(vec![9, 3, 3, 20]);
        assert_eq!((list.len(), list.id(1), list.place(20), list.place(4)), (3, 9, Some(2), None));
        assert_eq!((list.places(&(3..10)), list.places(&(10..20))), (0..2, 2..2));
        assert_eq!(list.walks(&(1..3)), Walks::List(vec![9, 20]));
        let all = Selection::All(5);
        assert_eq!((all.places(&(2..9)), all.walks(&(2..4)), all.place(5)), (2..5, Walks::Range(2, 4), None));
    }
}
