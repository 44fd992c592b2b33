//! The combinations that are to be covered: each has a number, and a bit that says whether a row still has to cover it.

use super::random::Chance;

/// The digit of an action for which nothing is chosen yet.
pub(super) const UNSET: u32 = u32::MAX;

/// Some actions whose options are to be met in every combination.
struct Columns {
    /// The number of their first combination.
    base: u32,
    /// Where their places start in `Space::places`.
    start: u32,
    /// How many they are.
    len: u32,
}

/// One action in a combination: its number is the sum of the digits times these strides.
#[derive(Clone, Copy)]
struct Place {
    factor: u32,
    stride: u32,
}

/// What changes when the digit of an action changes: the combinations of one set of actions that it belongs to.
#[derive(Clone, Copy)]
pub(super) struct Touch {
    /// What one option further adds to the number of the combination.
    pub(super) stride: u32,
    base: u32,
    start: u32,
    len: u32,
}

/// All combinations to be covered, numbered.
pub(super) struct Space {
    /// The number of options of every action.
    pub(super) counts: Vec<u32>,
    /// The number of combinations.
    pub(super) size: usize,
    sets: Vec<Columns>,
    places: Vec<Place>,
    touches: Vec<Vec<Touch>>,
    others: Vec<Place>,
}

impl Space {
    /// Numbers the combinations of sets of actions. Their number has been found to be small enough before.
    pub(super) fn new(counts: &[u32], sets: &[Vec<usize>]) -> Space {
        let mut space = Space {
            counts: counts.to_vec(),
            size: 0,
            sets: Vec::with_capacity(sets.len()),
            places: Vec::new(),
            touches: vec![Vec::new(); counts.len()],
            others: Vec::new(),
        };
        for set in sets {
            space.add(set);
        }
        space
    }

    fn add(&mut self, columns: &[usize]) {
        let number = |length: usize| u32::try_from(length).expect("the number of combinations is limited");
        let base = number(self.size);
        let mut stride = 1;
        let mut places = Vec::with_capacity(columns.len());
        for column in columns.iter().rev() {
            places.push(Place { factor: number(*column), stride });
            stride *= self.counts[*column];
        }
        places.reverse();
        for (own, place) in places.iter().enumerate() {
            let start = number(self.others.len());
            self.others.extend(places.iter().enumerate().filter(|(other, _)| *other != own).map(|(_, place)| *place));
            let touch = Touch { stride: place.stride, base, start, len: number(places.len() - 1) };
            self.touches[place.factor as usize].push(touch);
        }
        self.sets.push(Columns { base, start: number(self.places.len()), len: number(places.len()) });
        self.places.extend(places);
        self.size += stride as usize;
    }

    /// Returns whether all sets are of so many actions.
    pub(super) fn is_even(&self, strength: usize) -> bool {
        self.sets.iter().all(|set| set.len as usize == strength)
    }

    /// Returns the number of sets of actions.
    pub(super) fn sets(&self) -> usize {
        self.sets.len()
    }

    /// Returns the numbers of the combinations of a set.
    pub(super) fn range(&self, set: usize) -> std::ops::Range<usize> {
        let end = self.sets.get(set + 1).map_or(self.size, |next| next.base as usize);
        self.sets[set].base as usize..end
    }

    /// Returns the set that a combination belongs to.
    pub(super) fn set_of(&self, combination: usize) -> usize {
        self.sets.partition_point(|set| set.base as usize <= combination) - 1
    }

    /// Returns the actions of a combination with their digits.
    pub(super) fn digits(&self, combination: usize) -> impl Iterator<Item = (usize, u32)> + '_ {
        let set = &self.sets[self.set_of(combination)];
        let mut rest = u32::try_from(combination).expect("the number of combinations is limited") - set.base;
        self.places[set.start as usize..(set.start + set.len) as usize].iter().map(move |place| {
            let digit = rest / place.stride;
            rest %= place.stride;
            (place.factor as usize, digit)
        })
    }

    /// Returns the sets that an action belongs to.
    pub(super) fn touches(&self, factor: usize) -> &[Touch] {
        &self.touches[factor]
    }

    /// Returns the number of the combination that a row has in a set, with option 0 of the action of the touch, or
    /// nothing when another action of the set is not chosen yet.
    #[inline]
    pub(super) fn without(&self, touch: &Touch, row: &[u32]) -> Option<usize> {
        let mut number = touch.base;
        for place in &self.others[touch.start as usize..(touch.start + touch.len) as usize] {
            let digit = row[place.factor as usize];
            if digit == UNSET {
                return None;
            }
            number += digit * place.stride;
        }
        Some(number as usize)
    }

    /// Returns the numbers of all combinations that a full row has, in the order of the sets.
    pub(super) fn of_row<'a>(&'a self, row: &'a [u32]) -> impl Iterator<Item = usize> + 'a {
        self.sets.iter().map(move |set| {
            let places = &self.places[set.start as usize..(set.start + set.len) as usize];
            (set.base + places.iter().map(|place| row[place.factor as usize] * place.stride).sum::<u32>()) as usize
        })
    }
}

/// The combinations that no row covers yet.
pub(super) struct Open {
    bits: Vec<u64>,
    by_set: Vec<u32>,
    /// How many there are.
    pub(super) left: usize,
}

impl Open {
    /// Returns all combinations of a space.
    pub(super) fn all(space: &Space) -> Open {
        let by_set = (0..space.sets()).map(|set| u32::try_from(space.range(set).len()).unwrap_or(u32::MAX)).collect();
        Open { bits: vec![u64::MAX; space.size.div_ceil(64)], by_set, left: space.size }
    }

    /// Returns whether a combination is still open.
    #[inline]
    pub(super) fn has(&self, combination: usize) -> bool {
        self.bits[combination / 64] >> (combination % 64) & 1 == 1
    }

    /// Closes a combination of a set, and returns whether it was open.
    pub(super) fn close(&mut self, combination: usize, set: usize) -> bool {
        let was = self.has(combination);
        if was {
            self.bits[combination / 64] &= !(1 << (combination % 64));
            self.by_set[set] -= 1;
            self.left -= 1;
        }
        was
    }

    /// Closes what a full row covers, and returns how many of them were open.
    pub(super) fn cover(&mut self, space: &Space, row: &[u32]) -> usize {
        space.of_row(row).enumerate().filter(|(set, combination)| self.close(*combination, *set)).count()
    }

    /// Returns an open combination by chance, of a set that has the most of them.
    pub(super) fn pick(&self, space: &Space, chance: &mut Chance) -> Option<usize> {
        let most = self.by_set.iter().max().copied().filter(|most| *most > 0)?;
        let first = chance.index(self.by_set.len());
        let sets = (first..self.by_set.len()).chain(0..first);
        let set = sets.into_iter().find(|set| self.by_set[*set] == most)?;
        let range = space.range(set);
        let middle = range.start + chance.index(range.len());
        self.first(middle..range.end).or_else(|| self.first(range.start..middle))
    }

    /// Returns the first open combination of a range.
    fn first(&self, range: std::ops::Range<usize>) -> Option<usize> {
        let mut at = range.start;
        while at < range.end {
            let word = self.bits[at / 64] >> (at % 64);
            match word {
                0 => at = (at / 64 + 1) * 64,
                _ => {
                    at += word.trailing_zeros() as usize;
                    return (at < range.end).then_some(at);
                }
            }
        }
        None
    }
}
