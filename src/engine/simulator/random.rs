//! Random numbers that are the same for a seed on every machine.

use std::time::Duration;

/// A generator (`SplitMix64`, by Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// Makes the generator of a seed.
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Makes another one, so that what is drawn for one part does not shift what is drawn for the next.
    pub(super) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Draws a number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// Draws whether something happens that happens so many times of a hundred.
    pub(super) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// Draws one of these.
    pub(super) fn of<T: Clone>(&mut self, items: &[T]) -> T {
        let at = usize::try_from(self.below(items.len() as u64)).unwrap_or_default();
        items[at].clone()
    }

    /// Draws a time below `end`, more often a short one.
    pub(super) fn time(&mut self, end: Duration) -> Duration {
        let millis = u64::try_from(end.as_millis()).unwrap_or(u64::MAX);
        let bound = self.below(millis.max(1)) + 1;
        Duration::from_micros(self.below(bound * 1000))
    }
}
