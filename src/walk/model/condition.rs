//! What constraints of a model say, and the clauses that say the same.

use super::Problem;
use crate::walk::cover::Clause;

/// The most clauses of one constraint.
const MOST: usize = 20_000;

/// A condition over parameters.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    /// A parameter has one of its values, those with a `true`.
    Of(usize, Vec<bool>),
    /// Two parameters have values that go together, by those of the first.
    Both(usize, usize, Vec<Vec<bool>>),
}

/// What one clause has: for each of some parameters the values that make it true.
type Entries = Vec<(usize, Vec<bool>)>;

impl Condition {
    /// Returns that where one condition holds another does, and else a third.
    pub(super) fn implies(self, then: Condition, otherwise: Option<Condition>) -> Condition {
        let mut all = vec![Condition::Or(vec![Condition::Not(Box::new(self.clone())), then])];
        all.extend(otherwise.map(|otherwise| Condition::Or(vec![self, otherwise])));
        Condition::And(all)
    }

    /// Returns the clauses that all hold where the condition does, and only there.
    pub(super) fn clauses(&self) -> Result<Vec<Clause>, Problem> {
        let named = |(place, values): (usize, Vec<bool>)| {
            let values = (0_u32..).zip(values).filter(|(_, is)| *is).map(|(value, _)| value);
            (place, values.collect())
        };
        let all = self.entries(true)?;
        Ok(all.into_iter().map(|entries| Clause(entries.into_iter().map(named).collect())).collect())
    }

    fn entries(&self, is: bool) -> Result<Vec<Entries>, Problem> {
        match self {
            Condition::Not(inner) => inner.entries(!is),
            Condition::Of(place, values) => Ok(vec![vec![(*place, values.iter().map(|own| *own == is).collect())]]),
            Condition::Both(one, other, table) => {
                let row = |(value, row): (usize, &Vec<bool>)| {
                    let but = (0..table.len()).map(|own| own != value).collect();
                    joined(&[(*one, but)], &[(*other, row.iter().map(|own| *own == is).collect())])
                };
                Ok(table.iter().enumerate().filter_map(row).collect())
            }
            Condition::And(parts) if is => all_of(parts, is),
            Condition::Or(parts) if !is => all_of(parts, is),
            Condition::And(parts) | Condition::Or(parts) => {
                let mut made: Vec<Entries> = vec![Vec::new()];
                for part in parts {
                    let own = part.entries(is)?;
                    let with = |one: &Entries| own.iter().filter_map(|other| joined(one, other)).collect::<Vec<_>>();
                    made = made.iter().flat_map(with).collect();
                    made.sort();
                    made.dedup();
                    if made.len() > MOST {
                        return Err(Problem::TooLarge(MOST));
                    }
                }
                Ok(made)
            }
        }
    }
}

fn all_of(parts: &[Condition], is: bool) -> Result<Vec<Entries>, Problem> {
    let mut all = Vec::new();
    for part in parts {
        all.extend(part.entries(is)?);
        if all.len() > MOST {
            return Err(Problem::TooLarge(MOST));
        }
    }
    Ok(all)
}

/// Returns a clause that holds where one of two does; nothing where that is always so.
fn joined(one: &[(usize, Vec<bool>)], other: &[(usize, Vec<bool>)]) -> Option<Entries> {
    let mut all = one.to_vec();
    for (place, values) in other {
        match all.iter_mut().find(|(own, _)| own == place) {
            Some((_, own)) => own.iter_mut().zip(values).for_each(|(own, is)| *own |= is),
            None => all.push((*place, values.clone())),
        }
    }
    all.sort();
    all.iter().all(|(_, values)| !values.iter().all(|is| *is)).then_some(all)
}
