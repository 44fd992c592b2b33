//! Which numbers the test points of a document have had.

/// Up to this number it is known which ones there were. Of larger ones only the largest is known, so that no text fills the
/// memory.
const MOST: u64 = 1 << 22;

/// The numbers that a document has given to its test points.
#[derive(Debug, Default)]
pub(super) struct Ids {
    seen: Vec<u64>,
    greatest: u64,
    has_zero: bool,
}

impl Ids {
    /// Takes a number; returns whether it was there before.
    pub(super) fn take(&mut self, id: u64) -> bool {
        self.greatest = self.greatest.max(id);
        self.has_zero |= id == 0;
        let (word, bit) = ((id / 64) as usize, 1 << (id % 64));
        if id >= MOST {
            return false;
        }
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        let is_known = self.seen[word] & bit != 0;
        self.seen[word] |= bit;
        is_known
    }

    /// Returns a number that is not in a plan of so many test points.
    pub(super) fn outside(&self, count: u64) -> Option<u64> {
        match self.greatest > count {
            true => Some(self.greatest),
            false => self.has_zero.then_some(0),
        }
    }
}
