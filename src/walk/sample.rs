//! Draws walks that constraints allow, of which there may be few among very many.
//!
//! Where all walks can be looked at, the allowed ones are found, and each is as likely as any other. Of more walks, some are
//! drawn and those kept that are allowed, which is as fair; where hardly any is, walks are made option by option, and one
//! that cannot become an allowed walk any more is given up at once. Those are not all equally likely.

use std::collections::BTreeSet;

use crate::model::SplitMix64;

/// Walks that are all looked at.
const FEW: u64 = 1 << 16;

/// Walks that are drawn for each that is wanted before they are made option by option.
const DRAWN: u64 = 200;

/// How often the constraints are asked for one walk that is made, and for all of them if there are few.
const ASKED: u64 = 20_000;
const ASKED_FOR_ALL: u64 = 400_000;

/// Walks in a row that bring nothing new before no more are made.
const VAIN: u64 = 200;

/// Says whether a walk is allowed of which some options are chosen: false only if none that has them is.
pub(crate) type Allowed<'a, E> = &'a mut dyn FnMut(&[Option<u32>]) -> Result<bool, E>;

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
pub(crate) fn sample<E>(counts: &[u32], count: u64, seed: u64, allowed: Allowed<'_, E>) -> Result<Drawn, E> {
    let mut numbers = SplitMix64::new(seed);
    let all = counts.iter().try_fold(1_u64, |all, count| all.checked_mul(u64::from(*count)).filter(|all| *all <= FEW));
    if all.is_some() {
        let found = every(counts, u64::MAX, allowed)?.unwrap_or_default();
        return Ok(of_all(found, count, &mut numbers));
    }
    let mut walks = BTreeSet::new();
    for _ in 0..count.saturating_mul(DRAWN).max(ASKED) {
        if walks.len() as u64 >= count {
            return Ok(Drawn { walks, are_all: false });
        }
        let walk: Vec<u32> = counts.iter().map(|count| below(&mut numbers, *count)).collect();
        let chosen: Vec<Option<u32>> = walk.iter().copied().map(Some).collect();
        if !walks.contains(&walk) && allowed(&chosen)? {
            walks.insert(walk);
        }
    }
    if let Some(found) = every(counts, ASKED_FOR_ALL, allowed)? {
        return Ok(of_all(found, count, &mut numbers));
    }
    let mut vain = 0;
    while (walks.len() as u64) < count && vain < VAIN {
        let is_new = made(counts, &mut numbers, allowed)?.is_some_and(|walk| walks.insert(walk));
        vain = if is_new { 0 } else { vain + 1 };
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

fn below(numbers: &mut SplitMix64, count: u32) -> u32 {
    u32::try_from(numbers.below(u64::from(count.max(1)))).unwrap_or(0)
}

/// Returns every allowed walk; nothing where the constraints would be asked more than so often.
fn every<E>(counts: &[u32], asked: u64, allowed: Allowed<'_, E>) -> Result<Option<Vec<Vec<u32>>>, E> {
    let orders: Vec<Vec<u32>> = counts.iter().map(|count| (0..*count).collect()).collect();
    let mut found = Vec::new();
    let is_whole = search(&orders, asked, allowed, &mut |walk| {
        found.push(walk);
        true
    })?;
    Ok(is_whole.then_some(found))
}

/// Makes one allowed walk by chance.
fn made<E>(counts: &[u32], numbers: &mut SplitMix64, allowed: Allowed<'_, E>) -> Result<Option<Vec<u32>>, E> {
    let shuffled = |count: &u32| {
        let mut options: Vec<u32> = (0..*count).collect();
        for last in (1..*count).rev() {
            options.swap(last as usize, below(numbers, last + 1) as usize);
        }
        options
    };
    let orders: Vec<Vec<u32>> = counts.iter().map(shuffled).collect();
    let mut found = None;
    search(&orders, ASKED, allowed, &mut |walk| {
        found = Some(walk);
        false
    })?;
    Ok(found)
}

/// Goes through allowed walks, the options of each action in the given order, until `take` says no. Returns whether all were
/// seen.
fn search<E>(
    orders: &[Vec<u32>],
    asked: u64,
    allowed: Allowed<'_, E>,
    take: &mut dyn FnMut(Vec<u32>) -> bool,
) -> Result<bool, E> {
    let mut chosen: Vec<Option<u32>> = vec![None; orders.len()];
    // Which option of each action up to the depth is tried next.
    let mut next = vec![0_usize; orders.len() + 1];
    let mut depth = 0;
    let mut left = asked;
    loop {
        let option = orders.get(depth).and_then(|order| order.get(next[depth]));
        let Some(option) = option else {
            let Some(before) = depth.checked_sub(1) else { return Ok(true) };
            chosen[before] = None;
            depth = before;
            continue;
        };
        next[depth] += 1;
        chosen[depth] = Some(*option);
        let Some(rest) = left.checked_sub(1) else { return Ok(false) };
        left = rest;
        if !allowed(&chosen)? {
            chosen[depth] = None;
            continue;
        }
        if depth + 1 < orders.len() {
            depth += 1;
            next[depth] = 0;
            continue;
        }
        if !take(chosen.iter().copied().flatten().collect()) {
            return Ok(false);
        }
        chosen[depth] = None;
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
        let Ok(drawn) = sample::<Infallible>(counts, count, seed, &mut |chosen| Ok(same(pairs, chosen)));
        drawn
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
        let Ok(none) = sample::<Infallible>(&[9; 30], 5, 1, &mut |_| Ok(false));
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
