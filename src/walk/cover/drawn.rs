//! Allowed walks one after the other, for samples: found by the solver that covers have.

use super::Error;
use super::rules::{Constraints, Found, Rules};

/// Gives walks that constraints allow, none of them twice.
pub(crate) struct Distinct<'a, 'b, E>(Rules<'a, 'b, E>);

/// What came of looking for another walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Another {
    /// There is this one.
    Walk(Vec<u32>),
    /// There are no others.
    None,
    /// It was not found out in time.
    Unknown,
}

impl<'a, 'b, E> Distinct<'a, 'b, E> {
    /// Begins with actions that have so many options.
    pub(crate) fn new(counts: &[u32], constraints: &'a mut Constraints<'b, E>) -> Self {
        let counts: Vec<usize> = counts.iter().map(|count| *count as usize).collect();
        Distinct(Rules::new(&counts, constraints))
    }

    /// Returns one more walk, where possible with the options that are wished for.
    pub(crate) fn another(&mut self, wish: &[u32]) -> Result<Another, Error<E>> {
        Ok(match self.0.another(wish)? {
            Found::Row(row) => Another::Walk(row),
            Found::None => Another::None,
            Found::Unknown => Another::Unknown,
        })
    }
}
