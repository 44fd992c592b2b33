//! Draws walks that constraints allow, of which there may be few among very many.
//!
//! Where all walks can be looked at, the allowed ones are found, and each is as likely as any other. Of more walks, some are
//! drawn and those kept that are allowed, which is as fair; where hardly any is, the solver of covers looks for allowed walks
//! near to drawn ones. Those are not all equally likely.

use std::collections::BTreeSet;

use super::cover::{Another, Constraints, Distinct, Error};
use crate::model::SplitMix64;

/// Walks that are all looked at.
const FEW: u64 = 1 << 16;

/// Walks that are drawn for each that is wanted before the solver looks for them, and at least.
const DRAWN: u64 = 20;
const DRAWN_AT_LEAST: u64 = 5_000;

/// Walks in a row that were not found in time before no more are looked for.
const VAIN: u32 = 20;

/// What was drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Drawn {
    /// The walks, each by the options of its actions, sorted.
    pub(crate) walks: BTreeSet<Vec<u32>>,
    /// There are no others.
    pub(crate) are_all: bool,
}

/// Draws `count` distinct allowed walks of actions with so many options each, or fewer where no more are found. The same
/// seed draws the same on every machine.
pub(crate) fn sample<E>(
    counts: &[u32],
    count: u64,
    seed: u64,
    constraints: &mut Constraints<'_, E>,
) -> Result<Drawn, Error<E>> {
    let mut numbers = SplitMix64::new(seed);
    let all = counts.iter().try_fold(1_u64, |all, count| all.checked_mul(u64::from(*count)).filter(|all| *all <= FEW));
    if all.is_some() {
        return Ok(of_all(every(counts, constraints)?, count, &mut numbers));
    }
    let mut walks = BTreeSet::new();
    for _ in 0..count.saturating_mul(DRAWN).max(DRAWN_AT_LEAST) {
        if walks.len() as u64 >= count {
            return Ok(Drawn { walks, are_all: false });
        }
        let walk = any(counts, &mut numbers);
        let chosen: Vec<Option<u32>> = walk.iter().copied().map(Some).collect();
        if !walks.contains(&walk) && constraints.allow(&chosen).map_err(Error::Constraint)? {
            walks.insert(walk);
        }
    }
    let mut distinct = Distinct::new(counts, constraints);
    let mut vain = 0;
    while (walks.len() as u64) < count && vain < VAIN {
        match distinct.another(&any(counts, &mut numbers))? {
            Another::Walk(walk) => {
                walks.insert(walk);
            }
            Another::None => return Ok(Drawn { walks, are_all: true }),
            Another::Unknown => vain += 1,
        }
    }
    Ok(Drawn { walks, are_all: false })
}

/// Draws of all walks that are allowed.
fn of_all(mut found: Vec<Vec<u32>>, count: u64, numbers: &mut SplitMix64) -> Drawn {
    let all = found.len();
    let wanted = usize::try_from(count).unwrap_or(usize::MAX).min(all);
    for place in 0..wanted {
        let other = place + usize::try_from(numbers.below((all - place) as u64)).unwrap_or(0);
        found.swap(place, other);
    }
    found.truncate(wanted);
    Drawn { walks: found.into_iter().collect(), are_all: wanted == all }
}

fn any(counts: &[u32], numbers: &mut SplitMix64) -> Vec<u32> {
    let option = |count: &u32| u32::try_from(numbers.below(u64::from((*count).max(1)))).unwrap_or(0);
    counts.iter().map(option).collect()
}

/// Returns every allowed walk. One that cannot become an allowed walk any more is given up at once.
fn every<E>(counts: &[u32], constraints: &mut Constraints<'_, E>) -> Result<Vec<Vec<u32>>, Error<E>> {
    let mut found = Vec::new();
    let mut chosen: Vec<Option<u32>> = vec![None; counts.len()];
    let mut depth = 0;
    loop {
        let option = chosen[depth].map_or(0, |option| option + 1);
        if option == counts[depth] {
            chosen[depth] = None;
            let Some(before) = depth.checked_sub(1) else { return Ok(found) };
            depth = before;
            continue;
        }
        chosen[depth] = Some(option);
        if !constraints.allow(&chosen).map_err(Error::Constraint)? {
            continue;
        }
        match depth + 1 < counts.len() {
            true => depth += 1,
            false => found.push(chosen.iter().copied().flatten().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// Allows walks in which these pairs of actions have the same option.
    fn same(pairs: &[(usize, usize)], chosen: &[Option<u32>]) -> bool {
        pairs.iter().all(|(a, b)| match (chosen[*a], chosen[*b]) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        })
    }

    fn drawn(counts: &[u32], count: u64, seed: u64, pairs: &[(usize, usize)]) -> Drawn {
        let mut ask = |chosen: &[Option<u32>]| Ok::<_, Infallible>(same(pairs, chosen));
        let mut constraints = Constraints { clauses: Vec::new(), ask: Some(&mut ask) };
        sample(counts, count, seed, &mut constraints).expect("it is drawn")
    }

    #[test]
    fn as_many_are_drawn_as_are_wanted_however_rare_they_are() {
        // One walk in 10, in 10^4, and in 10^15.
        for pairs in [1, 4, 15] {
            let pairs: Vec<(usize, usize)> = (0..pairs).map(|pair| (pair, pair + 1)).collect();
            let drawn = drawn(&[10; 40], 100, 7, &pairs);
            assert_eq!((drawn.walks.len(), drawn.are_all), (100, false));
            assert!(drawn.walks.iter().all(|walk| pairs.iter().all(|(a, b)| walk[*a] == walk[*b])));
        }
    }

    #[test]
    fn where_there_are_fewer_all_are_found() {
        let pairs: Vec<(usize, usize)> = (0..39).map(|pair| (pair, pair + 1)).collect();
        for (counts, pairs, all) in [(vec![2, 3], vec![], 6), (vec![3; 4], vec![(0, 1)], 27), (vec![10; 40], pairs, 10)]
        {
            let drawn = drawn(&counts, 1000, 1, &pairs);
            assert_eq!((drawn.walks.len(), drawn.are_all), (all, true));
        }
        let mut ask = |_: &[Option<u32>]| Ok::<_, Infallible>(false);
        let mut constraints = Constraints { clauses: Vec::new(), ask: Some(&mut ask) };
        let none = sample(&[9; 30], 5, 1, &mut constraints).expect("there is none");
        assert_eq!((none.walks.len(), none.are_all), (0, true));
    }

    #[test]
    fn every_allowed_walk_is_as_likely_as_any_other() {
        let mut times = std::collections::BTreeMap::new();
        for seed in 0..10_000 {
            for walk in drawn(&[3, 3, 2], 2, seed, &[(0, 1)]).walks {
                *times.entry(walk).or_insert(0_u32) += 1;
            }
        }
        assert_eq!(times.len(), 6);
        // 3,333 each, with a standard deviation of 47.
        assert!(times.values().all(|times| (3_100..3_570).contains(times)), "{times:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_seed_draws_the_same_and_only_what_is_allowed(
            counts in prop::collection::vec(1_u32..6, 2..12), count in 1_u64..50, seed: u64, a: usize, b: usize
        ) {
            let pairs = [(a % counts.len(), b % counts.len())];
            let one = drawn(&counts, count, seed, &pairs);
            prop_assert_eq!(&one, &drawn(&counts, count, seed, &pairs));
            prop_assert!(one.walks.len() as u64 <= count && (one.are_all || one.walks.len() as u64 == count));
            for walk in &one.walks {
                let chosen: Vec<Option<u32>> = walk.iter().copied().map(Some).collect();
                prop_assert!(walk.iter().zip(&counts).all(|(option, count)| option < count) && same(&pairs, &chosen));
            }
        }
    }
}
