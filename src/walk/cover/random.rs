//! The source of chance of covering arrays. A seed means the same on every machine and in every release: the generator
//! is one whose stream is promised not to change, and what is drawn from it is drawn here.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// A stream of numbers that only its seed decides.
pub(super) struct Chance(Pcg64Mcg);

impl Chance {
    /// Returns the stream of a seed. Streams of the same seed with another `part` have nothing in common.
    pub(super) fn new(seed: u64, part: u64) -> Chance {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        // The generator does not look at the lowest bit.
        let part = part ^ (!seed & 1) << 63;
        bytes[8..].copy_from_slice(&part.to_le_bytes());
        let mut stream = Pcg64Mcg::from_seed(bytes);
        // Seeds that differ in few bits give streams that resemble each other in their first numbers.
        for _ in 0..16 {
            stream.next_u64();
        }
        Chance(stream)
    }

    /// Returns another stream, that what is drawn from this one later does not change.
    pub(super) fn branch(&mut self) -> Chance {
        Chance::new(self.0.next_u64(), 0)
    }

    /// Returns a number below `limit`, and 0 for a limit of 0.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        let drawn = self.0.next_u64() >> 32;
        u32::try_from((drawn * u64::from(limit)) >> 32).expect("half of the bits are left")
    }

    /// Returns an index into something that has `length` elements.
    pub(super) fn index(&mut self, length: usize) -> usize {
        self.below(u32::try_from(length).unwrap_or(u32::MAX)) as usize
    }

    /// Puts a list into an order of chance.
    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.index(last + 1));
        }
    }

    /// Returns one of the values, more often one that weighs more. Without any weight all are alike.
    pub(super) fn weighted(&mut self, values: &[u32], weight: impl Fn(u32) -> u32) -> u32 {
        let all: u64 = values.iter().map(|value| u64::from(weight(*value))).sum();
        let Ok(limit @ 1..) = u32::try_from(all) else { return values[self.index(values.len())] };
        let mut left = self.below(limit);
        for value in values {
            match left.checked_sub(weight(*value)) {
                Some(rest) => left = rest,
                None => return *value,
            }
        }
        values[0]
    }
}
