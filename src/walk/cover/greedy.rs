//! Rows one at a time: each covers as many combinations that are still open as can be found at once.

use super::random::Chance;
use super::rules::{Found, Rules, Stop};
use super::space::{Open, Space, UNSET};

/// How many looks at a combination the rows of a whole cover may take, as an estimate, and so how many rows are tried
/// for each that is taken.
const LOOKS: usize = 3_000_000;

/// The most rows that are tried for one that is taken.
const MOST_TRIED: usize = 10;

/// What rows are made from.
pub(super) struct Maker<'a, 'b, 'c, E> {
    pub(super) space: &'a Space,
    pub(super) rules: &'a mut Rules<'b, 'c, E>,
    pub(super) chance: &'a mut Chance,
    /// Weights of options, by action.
    pub(super) weights: &'a [Vec<u32>],
    /// Says that it takes too long: what is still open stays so.
    pub(super) give_up: &'a mut dyn FnMut() -> bool,
}

/// Combinations that no row was made for.
#[derive(Default)]
pub(super) struct Refused {
    /// No allowed row has them.
    pub(super) forbidden: Vec<usize>,
    /// It was not found out in time whether one has.
    pub(super) undecided: Vec<usize>,
}

impl<E> Maker<'_, '_, '_, E> {
    /// Adds rows until nothing is open, or until it takes too long.
    pub(super) fn fill(&mut self, rows: &mut Vec<Vec<u32>>, open: &mut Open) -> Result<Refused, Stop<E>> {
        let tried = self.tried();
        let mut refused = Refused::default();
        let mut witness = vec![0; self.space.counts.len()];
        while open.left > 0 && !(self.give_up)() {
            let mut best: Option<(usize, Vec<u32>)> = None;
            for _ in 0..tried {
                let Some(combination) = open.pick(self.space, self.chance) else { break };
                let mut given = vec![UNSET; witness.len()];
                for (factor, digit) in self.space.digits(combination) {
                    given[factor] = digit;
                }
                let list = match self.rules.complete(&given, &witness)? {
                    Found::Row(full) => {
                        witness = full;
                        let (row, gain) = self.grow(given, &mut witness, open)?;
                        if best.as_ref().is_none_or(|(most, _)| gain > *most) {
                            best = Some((gain, row));
                        }
                        continue;
                    }
                    Found::None => &mut refused.forbidden,
                    Found::Unknown => &mut refused.undecided,
                };
                open.close(combination, self.space.set_of(combination));
                list.push(combination);
                if (self.give_up)() {
                    break;
                }
            }
            if let Some((_, row)) = best {
                open.cover(self.space, &row);
                rows.push(row);
            }
        }
        Ok(refused)
    }

    /// Returns a full row that has the given digits, or nothing when there is none.
    pub(super) fn grown(&mut self, given: &[u32], open: &Open) -> Result<Option<Vec<u32>>, Stop<E>> {
        let Some(mut witness) = self.rules.complete(given, &vec![0; given.len()])?.row() else { return Ok(None) };
        Ok(Some(self.grow(given.to_vec(), &mut witness, open)?.0))
    }

    /// Chooses the digits that a row still lacks, and returns the row with the number of combinations that these close.
    /// The witness is a full row that has what is chosen so far.
    fn grow(&mut self, mut row: Vec<u32>, witness: &mut Vec<u32>, open: &Open) -> Result<(Vec<u32>, usize), Stop<E>> {
        let mut order: Vec<usize> = (0..row.len()).filter(|factor| row[*factor] == UNSET).collect();
        self.chance.shuffle(&mut order);
        let mut whole = 0;
        let mut gains = Vec::new();
        for factor in order {
            gains.clear();
            gains.resize(self.space.counts[factor] as usize, 0_usize);
            for touch in self.space.touches(factor) {
                let Some(first) = self.space.without(touch, &row) else { continue };
                let mut combination = first;
                for gain in &mut gains {
                    *gain += usize::from(open.has(combination));
                    combination += touch.stride as usize;
                }
            }
            whole += self.choose(factor, &mut row, witness, &gains)?;
        }
        Ok((row, whole))
    }

    /// Chooses the digit of a factor that gains the most of those that can be in a full row.
    fn choose(
        &mut self,
        factor: usize,
        row: &mut [u32],
        witness: &mut Vec<u32>,
        gains: &[usize],
    ) -> Result<usize, Stop<E>> {
        let mut left: Vec<u32> = (0..self.space.counts[factor]).collect();
        loop {
            let most = left.iter().map(|digit| gains[*digit as usize]).max().expect("the digit of the witness is left");
            let best: Vec<u32> = left.iter().copied().filter(|digit| gains[*digit as usize] == most).collect();
            let weights = &self.weights[factor];
            let digit = self.chance.weighted(&best, |digit| weights[digit as usize]);
            row[factor] = digit;
            if witness[factor] == digit {
                return Ok(most);
            }
            let old = std::mem::replace(&mut witness[factor], digit);
            if self.rules.are_none() || self.rules.allows_change(witness, factor)? {
                return Ok(most);
            }
            witness[factor] = old;
            if let Found::Row(full) = self.rules.complete(row, witness)? {
                *witness = full;
                return Ok(most);
            }
            left.retain(|other| *other != digit);
        }
    }

    /// Returns how many rows may be tried for one that is taken.
    fn tried(&self) -> usize {
        let counts = &self.space.counts;
        let looks = |factor: usize| self.space.touches(factor).len() * counts[factor] as usize;
        let a_row: usize = (0..counts.len()).map(looks).sum::<usize>() / 2 + 1;
        let rows = (0..self.space.sets()).map(|set| self.space.range(set).len()).max().unwrap_or(0) * 3 / 2;
        (LOOKS / a_row / rows.max(1)).clamp(1, MOST_TRIED)
    }
}
