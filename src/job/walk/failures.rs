//! The ways in which walks of a suite failed, each with the walks that come first.

use std::collections::BTreeMap;

use crate::model::WalkStep;
use crate::walk::WayOfFailing;

/// Ways that are kept apart; of more, those of the walks that come first.
const MOST: usize = 256;

/// Walks of each that are named.
const NAMED: usize = 3;

/// Walks that failed alike.
#[derive(Clone, Debug)]
pub(super) struct Failing {
    /// How.
    pub(super) way: WayOfFailing,
    /// The ids of the first, ascending.
    pub(super) ids: Vec<u64>,
    /// The steps of the first.
    pub(super) steps: Vec<WalkStep>,
    /// How many there are.
    pub(super) walks: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Failures(BTreeMap<WayOfFailing, Failing>);

impl Failures {
    /// Adds a walk that failed. Which worker told it first makes no difference to what is kept.
    pub(super) fn add(&mut self, way: WayOfFailing, id: u64, steps: impl FnOnce() -> Vec<WalkStep>) {
        if let Some(failing) = self.0.get_mut(&way) {
            failing.walks += 1;
            let at = failing.ids.partition_point(|other| *other < id);
            if at == 0 {
                failing.steps = steps();
            }
            if at < NAMED {
                failing.ids.insert(at, id);
                failing.ids.truncate(NAMED);
            }
            return;
        }
        if self.0.len() >= MOST {
            let last = self.0.values().max_by_key(|failing| failing.ids[0]).map(|last| (last.ids[0], last.way.clone()));
            let Some((last, its)) = last.filter(|(last, _)| *last > id) else { return };
            debug_assert!(last > id, "the walks that come first are kept");
            self.0.remove(&its);
        }
        let failing = Failing { way: way.clone(), ids: vec![id], steps: steps(), walks: 1 };
        self.0.insert(way, failing);
    }

    /// Returns the first ways, in the order of their first walks.
    pub(super) fn first(&self, count: usize) -> Vec<Failing> {
        let mut all: Vec<&Failing> = self.0.values().collect();
        all.sort_by_key(|failing| failing.ids[0]);
        all.into_iter().take(count).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::RaisedError;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_first_walk_of_each_way_is_kept_in_whatever_order_they_come(
            mut walks in Just((0..2000_u64).collect::<Vec<_>>()).prop_shuffle(), ways in 1_u64..600
        ) {
            let way = |id: u64| {
                let name: String = (id % ways).to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
                let error = RaisedError { kind: "error".to_owned(), message: name, traceback: None };
                WayOfFailing::of(None, Some(&error))
            };
            walks.truncate(1500);
            let mut failures = Failures::default();
            for id in &walks {
                failures.add(way(*id), *id, || vec![WalkStep { slot: 0, option: u32::try_from(*id).expect("it is small") }]);
            }
            walks.sort_unstable();
            let mut expected: Vec<u64> = Vec::new();
            for id in walks {
                if !expected.iter().any(|other| other % ways == id % ways) {
                    expected.push(id);
                }
            }
            let first = failures.first(8);
            prop_assert_eq!(first.iter().map(|failing| failing.ids[0]).collect::<Vec<_>>(), &expected[..expected.len().min(8)]);
            prop_assert!(first.iter().all(|failing| u64::from(failing.steps[0].option) == failing.ids[0]));
        }
    }
}
