//! A random order: the same seed gives the same order on every machine and in every version.
//!
//! Numbers come from `SplitMix64` (Steele, Lea and Flood 2014) that begins with the seed; the order is made by the shuffle of
//! Fisher and Yates, from the last place to the second, each number taken modulo the places that are left.

/// Returns the numbers from 1 to `count` in the order of a seed.
pub(crate) fn shuffled(count: usize, seed: i64) -> Vec<usize> {
    let mut state = SplitMix64::new(seed.cast_unsigned());
    let mut numbers: Vec<usize> = (1..=count).collect();
    for last in (1..count).rev() {
        let places = u64::try_from(last + 1).unwrap_or(u64::MAX);
        let chosen = usize::try_from(state.next() % places).unwrap_or(last);
        numbers.swap(last, chosen);
    }
    numbers
}

/// Returns a seed that is short enough to be typed, made of a number that nobody can foresee.
pub(crate) fn short_seed(entropy: u64) -> i64 {
    let mut state = SplitMix64::new(entropy);
    i64::try_from(state.next() % 1_000_000_000).unwrap_or_default()
}

/// The numbers of `SplitMix64`: the same seed gives the same ones on every machine and in every version.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix64(u64);

impl SplitMix64 {
    /// Begins with a seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        Self::mix(self.0)
    }

    /// Returns a number below `bound`, each as likely as any other: the first whose remainder is not one too often (Lemire
    /// 2019). The bound is at least 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        loop {
            let wide = u128::from(self.next()) * u128::from(bound);
            let [low, high] = [0, 64].map(|shift| u64::try_from((wide >> shift) & u128::from(u64::MAX)).unwrap_or(0));
            if low >= bound.wrapping_neg() % bound {
                return high;
            }
        }
    }

    /// Mixes the bits of a number; every result has one number that it is made of.
    pub(crate) const fn mix(number: u64) -> u64 {
        let mixed = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_splitmix64() {
        let mut state = SplitMix64::new(1_234_567);
        let numbers: Vec<u64> = (0..3).map(|_| state.next()).collect();
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn an_order_holds_every_number_once_and_depends_on_the_seed_alone() {
        for count in [0, 1, 2, 10, 1000] {
            let mut sorted = shuffled(count, 7);
            assert_eq!(sorted, shuffled(count, 7));
            sorted.sort_unstable();
            assert_eq!(sorted, (1..=count).collect::<Vec<_>>());
        }
        assert_ne!(shuffled(10, 1), shuffled(10, 2));
    }
}
