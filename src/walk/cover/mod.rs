//! Covering arrays: few walks that contain every combination of the options of any `strength` actions.
//!
//! [`rows`] makes one from [`Factors`], which are plain numbers: an action is its index, an option is its index. Two
//! closures connect it with the world.
//!
//! [`Constraints`] are what is known of which walks are allowed, as clauses, and a function that is asked for the rest.
//!
//! [`Patience`] is the time that may be spent. Some search for fewer rows is done in any case, which takes a few hundredths of
//! a second at most; then `keep_going` is told how many combinations were looked at and how many rows there are, again and
//! again, some milliseconds apart, until it says `false`. The way that is taken is the same on every machine for the same
//! seed, and how far along it the end is, is counted in looks: who ends it by their number gets the same rows everywhere.
//! `give_up` is asked while rows are made: once it says `true`, what is not covered stays so, and is told.
//!
//! [`measure`] counts what any list of walks covers, by what became of them.
//!
//! The rows are those of the seed in their order, then those without an invalid value, then those with one. What is
//! returned has been checked by code that knows nothing of how it was made ([`verify`]).
//!
//! Nothing here reads a clock, the environment or the machine's randomness.

mod algebra;
mod contest;
mod drawn;
mod greedy;
mod input;
mod multiplication;
mod part;
mod random;
mod rules;
mod search;
mod solver;
mod space;
mod state;
mod symmetry;
mod table;
mod verify;

#[cfg(test)]
mod tests;

pub(crate) use self::drawn::{Another, Distinct};
pub(crate) use self::input::combinations;
pub(crate) use self::rules::{Clause, Constraints};
pub(crate) use self::table::clauses as table_clauses;
pub(crate) use self::verify::{Coverage, Measure, Ran};

use std::convert::Infallible;

use self::input::{checked, sorted_seeds};
use self::part::Part;
use self::rules::{Rules, Stop};

/// The time that may be spent, see the module.
pub(crate) struct Patience<'a> {
    /// Is told looks and rows, and says whether to look for fewer rows.
    pub(crate) keep_going: &'a mut dyn FnMut(u64, usize) -> bool,
    /// Says that it takes too long to cover everything.
    pub(crate) give_up: &'a mut dyn FnMut() -> bool,
}

/// The most bytes that numbering and checking all combinations may take.
const MOST_BYTES: u128 = 256 << 20;

/// What is to be covered, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Factors {
    /// The number of options of every action.
    pub(crate) counts: Vec<usize>,
    /// Of how many actions every combination is covered.
    pub(crate) strength: usize,
    /// Some actions with a strength of their own.
    pub(crate) mixed: Vec<(Vec<usize>, usize)>,
    /// How much an option is preferred where it makes no difference to coverage, by action. May be empty: all alike.
    pub(crate) weights: Vec<Vec<u32>>,
    /// Which options are invalid values, by action. May be empty: none. A walk has at most one, and every invalid value
    /// meets every combination of valid ones of the others; combinations of valid values count only without it.
    pub(crate) invalid: Vec<Vec<bool>>,
    /// Walks that are to be among the rows. What is `None` in them is chosen.
    pub(crate) seed_rows: Vec<Vec<Option<u32>>>,
    /// Decides everything that is left to chance.
    pub(crate) seed: u64,
}

/// A covering array.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "a row is a row")]
pub(crate) struct Rows {
    /// The walks, an option of every action.
    pub(crate) rows: Vec<Vec<u32>>,
    /// Of how many combinations they are, as counted by the check.
    pub(crate) tuples: Tuples,
    /// Rows of the seed that were left out.
    pub(crate) warnings: Vec<Warning>,
    /// How far the search went, in looks at a combination. Equal numbers mean equal rows for the same factors and seed.
    pub(crate) looks: u64,
    /// How many rows there were before more time was spent on fewer.
    pub(crate) at_first: usize,
    /// Options that no allowed walk has: an action and an option.
    pub(crate) impossible: Vec<(usize, u32)>,
    /// Combinations of which it was not found out in time whether a walk can have them.
    pub(crate) undecided: Vec<Vec<Option<u32>>>,
    /// Combinations for which there was no time to make rows; it is not known which of them are possible.
    pub(crate) left: usize,
}

/// Numbers of combinations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tuples {
    /// Those in some row.
    pub(crate) covered: usize,
    /// Those that can be part of a walk.
    pub(crate) allowed: usize,
    /// Those that cannot, because of constraints or of two invalid values.
    pub(crate) forbidden: usize,
}

/// Why a row of the seed, by its index, was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Warning {
    /// It has an option for more or fewer actions than there are.
    Length { row: usize, length: usize },
    /// It has an option that an action does not have.
    Unknown { row: usize, factor: usize, option: u32 },
    /// It has two invalid values, those of these actions.
    Invalid { row: usize, factors: [usize; 2] },
    /// No allowed walk has its options.
    Forbidden { row: usize },
}

impl Warning {
    /// Returns the row of the seed that it is about.
    pub(crate) fn row(&self) -> usize {
        match self {
            Warning::Length { row, .. }
            | Warning::Unknown { row, .. }
            | Warning::Invalid { row, .. }
            | Warning::Forbidden { row } => *row,
        }
    }
}

/// Why there are no rows. Actions are named by their index.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error<E> {
    /// The strength is 0.
    #[error("a strength of 0 covers nothing; 2 covers all pairs")]
    NoStrength,
    /// There are fewer actions than the strength.
    #[error("a strength of {strength} needs {strength} actions, and there are {factors}")]
    Strength { strength: usize, factors: usize },
    /// The same for one of the mixed strengths.
    #[error("the strength {strength} of the mixed strength {index} does not go with its {factors} actions")]
    MixedStrength { index: usize, strength: usize, factors: usize },
    /// A mixed strength names an action that is not there, or one twice.
    #[error("the mixed strength {index} names action {factor}, which is not there or named twice")]
    MixedFactor { index: usize, factor: usize },
    /// An action has nothing to choose from.
    #[error("action {factor} has no options")]
    Empty { factor: usize },
    /// An action has nothing but invalid values.
    #[error("action {factor} has only invalid values: no walk could be valid")]
    AllInvalid { factor: usize },
    /// Weights or marks of invalid values are not as many as actions or options.
    #[error("{what} of action {factor} are {given} for {options} options")]
    Shape { what: &'static str, factor: usize, given: usize, options: usize },
    /// There are too many combinations to cover.
    #[error("{tuples} combinations would have to be covered, which takes {} MiB of memory; at most {} MiB are used", bytes >> 20, MOST_BYTES >> 20)]
    TooMany { tuples: u128, bytes: u128 },
    /// The constraints allow no walk at all.
    #[error("no walk satisfies the constraints")]
    Unsatisfiable,
    /// The constraints were asked very often, and no walk was found that they allow.
    #[error("no walk was found that the constraints allow, and it was not found out whether there is one")]
    Undecided,
    /// The constraints forbid options that they allow together with others.
    #[error("the constraints forbid some options alone, and allow a walk that has them")]
    Fickle { part: Vec<Option<u32>> },
    /// The constraints themselves failed.
    #[error("{0}")]
    Constraint(E),
    /// The check found the rows wrong, which is an error of this program or of constraints that change their mind.
    #[error("the rows were found wrong when they were checked: {what}")]
    Unverified { what: &'static str, options: Vec<Option<u32>> },
}

impl<E> From<Stop<E>> for Error<E> {
    fn from(stop: Stop<E>) -> Error<E> {
        match stop {
            Stop::Constraint(error) => Error::Constraint(error),
            Stop::Fickle(part) => Error::Fickle { part },
        }
    }
}

/// Returns walks that contain every combination that can be part of a walk.
pub(crate) fn rows<E>(
    factors: &Factors,
    constraints: &mut Constraints<'_, E>,
    patience: &mut Patience<'_>,
) -> Result<Rows, Error<E>> {
    let sets = checked(factors)?;
    let mut warnings = Vec::new();
    let seeds = sorted_seeds(factors, &mut warnings);
    let known = constraints.clauses.len();
    let mut rules = Rules::new(&factors.counts, constraints);
    let valid = Part { factors, sets: &sets, invalid: None, seeds: &seeds.valid, number: 0 };
    let mut at_once = Patience { keep_going: &mut |_, _| false, give_up: &mut *patience.give_up };
    let mut made = valid.make(&mut rules, &mut at_once)?;
    let mut at_first = made.seeds.len() + made.rows.len();
    if made.left == 0 && (patience.keep_going)(made.looks, at_first) {
        let again = valid.make(&mut rules, patience)?;
        let rows = again.seeds.len() + again.rows.len();
        let looks = made.looks + again.looks;
        if again.left == 0 && rows <= at_first {
            made = again;
        }
        made.looks = looks;
    }
    for (number, (factor, option, seeds)) in (1..).zip(&seeds.invalid) {
        let part = Part { factors, sets: &sets, invalid: Some((*factor, *option)), seeds, number };
        // Time is spent on the rows without an invalid value: beside one, hardly any row is ever superfluous.
        let mut patience = Patience { keep_going: &mut |_, _| false, give_up: &mut *patience.give_up };
        let more = part.make(&mut rules, &mut patience)?;
        at_first += more.seeds.len() + more.rows.len();
        made.seeds.extend(more.seeds);
        made.rows.extend(more.rows);
        made.looks += more.looks;
        made.warnings.extend(more.warnings);
        made.undecided.extend(more.undecided);
        made.left += more.left;
    }
    // What was learnt from the functions is checked by asking them.
    constraints.clauses.truncate(known);
    made.seeds.sort_unstable();
    warnings.extend(made.warnings);
    warnings.sort_unstable_by_key(Warning::row);
    let rows: Vec<Vec<u32>> = made.seeds.into_iter().map(|(_, row)| row).chain(made.rows).collect();
    let unknown = made.undecided.len() + made.left;
    let tuples = verified(factors, &sets, &rows, constraints, unknown)?;
    let impossible = if made.left == 0 { never(factors, &rows, &made.undecided) } else { Vec::new() };
    let looks = made.looks;
    Ok(Rows { rows, tuples, warnings, looks, at_first, impossible, undecided: made.undecided, left: made.left })
}

/// Returns walks that contain every combination, where all walks are allowed and no more time is spent on fewer.
pub(crate) fn free_rows(factors: &Factors) -> Result<Rows, Error<Infallible>> {
    let mut free = Constraints { clauses: Vec::new(), ask: None };
    rows(factors, &mut free, &mut Patience { keep_going: &mut |_, _| false, give_up: &mut || false })
}

/// Returns the options that no row has, and of which it is known that none can have them.
fn never(factors: &Factors, rows: &[Vec<u32>], undecided: &[Vec<Option<u32>>]) -> Vec<(usize, u32)> {
    let mut seen: Vec<Vec<bool>> = factors.counts.iter().map(|count| vec![false; *count]).collect();
    let options = rows.iter().map(|row| row.iter().copied().map(Some).collect::<Vec<_>>());
    for row in options.chain(undecided.iter().cloned()) {
        for (seen, option) in seen.iter_mut().zip(row) {
            if let Some(option) = option {
                seen[option as usize] = true;
            }
        }
    }
    let of = |(factor, seen): (usize, &Vec<bool>)| {
        (0..).zip(seen.clone()).filter(|(_, seen)| !seen).map(move |(option, _)| (factor, option)).collect::<Vec<_>>()
    };
    seen.iter().enumerate().flat_map(of).collect()
}

/// Returns a measure of the combinations that the strengths of these factors ask for, to which walks can be shown. Of
/// the rest only the invalid values matter.
pub(crate) fn measure(factors: &Factors) -> Result<Measure, Error<Infallible>> {
    Ok(Measure::new(&factors.counts, &factors.invalid, &checked(factors)?))
}

/// Counts what rows cover. Nothing may be missing but what is unknown, and no row may be forbidden.
fn verified<E>(
    factors: &Factors,
    sets: &[Vec<usize>],
    rows: &[Vec<u32>],
    constraints: &mut Constraints<'_, E>,
    unknown: usize,
) -> Result<Tuples, Error<E>> {
    let mut measure = Measure::new(&factors.counts, &factors.invalid, sets);
    for row in rows {
        let options: Vec<Option<u32>> = row.iter().copied().map(Some).collect();
        let invalid = (0..row.len()).filter(|factor| factors.is_invalid(*factor, row[*factor])).count();
        if invalid > 1 {
            return Err(Error::Unverified { what: "a row has two invalid values", options });
        }
        if !constraints.allow(&options).map_err(Error::Constraint)? {
            return Err(Error::Unverified { what: "a row is forbidden", options });
        }
        measure.add(row, Ran::Passed);
    }
    // An option of an allowed walk cannot be forbidden alone. A constraint that takes what is not chosen yet for something
    // else than what was chosen later says so, and would hide combinations.
    let mut alone: Vec<Option<u32>> = vec![None; factors.counts.len()];
    for (factor, count) in factors.counts.iter().enumerate() {
        let mut seen = vec![false; *count];
        for option in rows.iter().map(|row| row[factor]) {
            if !std::mem::replace(&mut seen[option as usize], true) {
                alone[factor] = Some(option);
                if !constraints.allow(&alone).map_err(Error::Constraint)? {
                    return Err(Error::Fickle { part: alone });
                }
            }
        }
        alone[factor] = None;
    }
    let (coverage, missing) = measure.coverage(constraints).map_err(Error::Constraint)?;
    let Coverage { covered, allowed, forbidden, .. } = coverage;
    match missing.into_iter().next() {
        Some(options) if unknown == 0 => {
            Err(Error::Unverified { what: "a combination that is possible is in no row", options })
        }
        _ => Ok(Tuples { covered, allowed, forbidden }),
    }
}
