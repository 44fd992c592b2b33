//! Covers of many actions from covers of fewer, each of which stands for several.

use super::algebra::{Field, LARGEST_FIELD, power_of};

/// A way to get more actions.
pub(super) enum Multiplication {
    /// Pairs: an action stands for as many as it has options, and the lines through a finite plane tell these apart
    /// (Stevens & Mendelsohn 1999).
    Lines { options: u32 },
    /// Triples: an action stands for two, which covers of pairs tell apart (Roux 1987, Chateauneuf & Kreher 2002).
    Twice { options: u32 },
}

impl Multiplication {
    /// Returns the way for a strength and actions with so many options.
    pub(super) fn of(strength: usize, options: u32) -> Option<Multiplication> {
        let is_field = || power_of(options as usize).is_some() && options as usize <= LARGEST_FIELD;
        match strength {
            2 if options > 2 && is_field() => Some(Self::Lines { options }),
            3 if options > 1 => Some(Self::Twice { options }),
            _ => None,
        }
    }

    /// Returns for how many actions one stands.
    pub(super) const fn times(&self) -> usize {
        match self {
            Self::Lines { options } => *options as usize,
            Self::Twice { .. } => 2,
        }
    }

    /// Returns whether it can be expected to give fewer rows than so many for so many actions.
    pub(super) fn is_worth(&self, width: usize, most: usize) -> bool {
        match self {
            Self::Lines { options } => {
                let options = *options as usize;
                width > 2 * options && options * (options - 1) + options * options <= most
            }
            // Below that the search alone does better.
            Self::Twice { .. } => width >= 20,
        }
    }

    /// Returns whether it needs a cover of pairs beside the smaller cover.
    pub(super) const fn needs_pairs(&self) -> bool {
        matches!(self, Self::Twice { .. })
    }

    /// Returns the rows for so many actions from those of the smaller cover, and of the cover of pairs.
    pub(super) fn rows(&self, smaller: &[Vec<u32>], pairs: &[Vec<u32>], width: usize) -> Option<Vec<Vec<u32>>> {
        match self {
            Self::Lines { options } => {
                let q = *options as usize;
                let field = Field::new(q)?;
                let spread = smaller.iter().map(|row| (0..width).map(|at| row[at / q]).collect());
                let lines = (1..q).flat_map(|slope| (0..q).map(move |start| (slope, start)));
                let line = |(slope, start): (usize, usize)| {
                    let value = |at: usize| field.plus(field.times(slope, at % q), start);
                    (0..width).map(|at| u32::try_from(value(at)).unwrap_or(0)).collect()
                };
                Some(spread.chain(lines.map(line)).collect())
            }
            Self::Twice { options } => {
                let twice = |row: &Vec<u32>, by: u32| -> Vec<u32> {
                    let shifted = row.iter().map(|digit| (digit + by) % options);
                    row.iter().copied().chain(shifted).take(width).collect()
                };
                let apart = (1..*options).flat_map(|by| pairs.iter().map(move |row| twice(row, by)));
                Some(smaller.iter().map(|row| twice(row, 0)).chain(apart).collect())
            }
        }
    }
}
