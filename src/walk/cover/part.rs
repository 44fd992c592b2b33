//! A part of a cover: the rows without an invalid value, or those with a certain one.

use super::algebra;
use super::contest::{Contest, Quota};
use super::greedy::{Maker, Refused};
use super::input::SeedRow;
use super::multiplication::Multiplication;
use super::random::Chance;
use super::rules::{Constraints, Found, Rules};
use super::search::settle;
use super::space::{Open, Space, UNSET};
use super::{Error, Factors, Patience, Warning};

/// How many looks are taken in any case, at the rows as they are and for each symmetry.
const QUOTA: Quota = Quota { plain: 2_000_000, symmetric: 400_000 };

/// What part of the time a smaller array gets that rows are made from.
const SHARE: u64 = 3;

/// What a part is made from.
pub(super) struct Part<'a> {
    pub(super) factors: &'a Factors,
    pub(super) sets: &'a [Vec<usize>],
    /// The invalid value that all its rows have: an action and an option.
    pub(super) invalid: Option<(usize, u32)>,
    /// Its rows of the seed.
    pub(super) seeds: &'a [SeedRow],
    /// Its number among the parts, which gives it chances of its own.
    pub(super) number: u64,
}

/// Some rows.
type Rows = Vec<Vec<u32>>;

/// Rows that cover everything but what they are found with.
type Covered = (Rows, Refused);

/// The rows of a part.
#[derive(Default)]
pub(super) struct Made {
    /// Rows of the seed with their index, filled up.
    pub(super) seeds: Vec<(usize, Vec<u32>)>,
    pub(super) rows: Vec<Vec<u32>>,
    pub(super) warnings: Vec<Warning>,
    pub(super) looks: u64,
    /// Combinations of which it was not found out whether a row can have them, or for which there was no time.
    pub(super) undecided: Vec<Vec<Option<u32>>>,
    /// For so many more there was no time.
    pub(super) left: usize,
}

impl Part<'_> {
    /// Makes the rows.
    pub(super) fn make<E>(&self, rules: &mut Rules<'_, '_, E>, patience: &mut Patience<'_>) -> Result<Made, Error<E>> {
        let domains = self.domains();
        let counts: Vec<u32> = domains.iter().map(|domain| number(domain.len())).collect();
        rules.restrict(domains.clone());
        let mut made = Made::default();
        let nothing = vec![UNSET; counts.len()];
        match rules.complete(&nothing, &vec![0; counts.len()])? {
            Found::Row(_) => {}
            Found::None if self.invalid.is_none() => return Err(Error::Unsatisfiable),
            Found::Unknown if self.invalid.is_none() => return Err(Error::Undecided),
            Found::None | Found::Unknown => {
                made.warnings.extend(self.seeds.iter().map(|(row, _)| Warning::Forbidden { row: *row }));
                return Ok(made);
            }
        }
        let needed = |set: &&Vec<usize>| self.invalid.is_none_or(|(factor, _)| set.contains(&factor));
        let sets: Vec<Vec<usize>> = self.sets.iter().filter(needed).cloned().collect();
        let space = Space::new(&counts, &sets);
        let weight = |factor: usize| domains[factor].iter().map(move |option| self.factors.weight(factor, *option));
        let weights: Vec<Vec<u32>> = (0..counts.len()).map(|factor| weight(factor).collect()).collect();
        let mut chance = Chance::new(self.factors.seed, self.number);
        let give_up = &mut *patience.give_up;
        let mut maker = Maker { space: &space, rules, chance: &mut chance, weights: &weights, give_up };

        let mut open = Open::all(&space);
        let mut rows = Vec::new();
        let mut locked = Vec::new();
        for (index, options) in self.seeds {
            let given = within(&domains, options);
            match maker.grown(&given, &open)? {
                Some(row) => {
                    open.cover(&space, &row);
                    made.seeds.push((*index, Vec::new()));
                    locked.push(given.iter().map(|digit| *digit != UNSET).collect::<Vec<bool>>());
                    rows.push(row);
                }
                None => made.warnings.push(Warning::Forbidden { row: *index }),
            }
        }
        let may_start_elsewhere = self.seeds.is_empty() && self.invalid.is_none();
        let mut known = None;
        if may_start_elsewhere {
            // What is known to be the best need not be looked for.
            known = self.by_algebra(&mut maker, fewest(&space, &[]), &[])?;
        }
        let may_multiply = may_start_elsewhere && known.is_none() && maker.rules.are_none();
        let is_uniform = counts.iter().all(|count| *count == counts[0]);
        if may_multiply && is_uniform {
            let (found, looks) = self.multiplied(&mut maker, usize::MAX, &mut *patience.keep_going)?;
            made.looks += looks;
            known = found.map(|rows| (rows, Refused::default()));
        }
        let refused = if let Some((found, refused)) = known {
            rows = found;
            open.left = 0;
            refused
        } else {
            let refused = maker.fill(&mut rows, &mut open)?;
            let closed = [refused.forbidden.as_slice(), &refused.undecided].concat();
            if may_start_elsewhere
                && open.left == 0
                && let Some((found, _)) = self.by_algebra(&mut maker, rows.len(), &closed)?
            {
                rows = found;
            }
            refused
        };
        made.left = open.left;
        let combination = |combination: &usize| {
            let mut row = vec![UNSET; counts.len()];
            space.digits(*combination).for_each(|(factor, digit)| row[factor] = digit);
            maker.rules.original(&row)
        };
        made.undecided = refused.undecided.iter().map(combination).collect();
        if may_multiply && !is_uniform && open.left == 0 {
            let (found, looks) = self.multiplied(&mut maker, rows.len(), &mut *patience.keep_going)?;
            made.looks += looks;
            rows = found.unwrap_or(rows);
        }
        if open.left == 0 {
            let closed = [refused.forbidden, refused.undecided].concat();
            let fewest = fewest(&space, &closed);
            let contest = Contest { space: &space, strength: self.factors.strength, locked: &locked, fewest };
            let before = made.looks;
            let keep_going = &mut |looks: u64, rows: usize| (patience.keep_going)(before + looks, rows);
            made.looks += contest.shorten(maker.rules, maker.chance, &mut rows, &QUOTA, keep_going)?;
        }
        if !self.factors.weights.is_empty() {
            settle(&space, maker.rules, &locked, &mut rows, &weights)?;
        }
        let named = |row: Vec<u32>| row.iter().zip(&domains).map(|(digit, domain)| domain[*digit as usize]).collect();
        made.rows = rows.split_off(locked.len()).into_iter().map(named).collect();
        for (seed, row) in made.seeds.iter_mut().zip(rows) {
            seed.1 = named(row);
        }
        Ok(made)
    }

    /// Returns the options of every action that are in question.
    fn domains(&self) -> Vec<Vec<u32>> {
        let valid = |factor: usize, count: usize| -> Vec<u32> {
            (0..number(count)).filter(|option| !self.factors.is_invalid(factor, *option)).collect()
        };
        let mut domains: Vec<Vec<u32>> =
            self.factors.counts.iter().enumerate().map(|(factor, count)| valid(factor, *count)).collect();
        if let Some((factor, option)) = self.invalid {
            domains[factor] = vec![option];
        }
        domains
    }

    /// Returns rows of a known construction and what they lack, when these are at most so many.
    fn by_algebra<E>(
        &self,
        maker: &mut Maker<'_, '_, '_, E>,
        most: usize,
        closed: &[usize],
    ) -> Result<Option<Covered>, Error<E>> {
        let space = maker.space;
        let several: Vec<usize> = (0..space.counts.len()).filter(|factor| space.counts[*factor] > 1).collect();
        let counts: Vec<u32> = several.iter().map(|factor| space.counts[*factor]).collect();
        let Some(known) = algebra::array(&counts, self.factors.strength, most) else { return Ok(None) };
        let known = known.into_iter().map(|row| {
            let mut given = vec![UNSET; space.counts.len()];
            for (factor, digit) in several.iter().zip(row) {
                given[*factor] = digit;
            }
            given
        });
        Self::patched(maker, known.collect(), most, closed)
    }

    /// Returns rows made from those of arrays with fewer actions, where these are fewer than there are, and how many looks
    /// were taken for it.
    fn multiplied<E>(
        &self,
        maker: &mut Maker<'_, '_, '_, E>,
        most: usize,
        keep_going: &mut dyn FnMut(u64, usize) -> bool,
    ) -> Result<(Option<Rows>, u64), Error<E>> {
        let counts = &maker.space.counts;
        let strength = self.factors.strength;
        let options = counts.iter().copied().max().unwrap_or(0);
        let largest = counts.iter().filter(|count| **count == options).count();
        let way = Multiplication::of(strength, options);
        let Some(way) = way.filter(|way| {
            maker.space.is_even(strength) && largest * 2 >= counts.len() && way.is_worth(counts.len(), most)
        }) else {
            return Ok((None, 0));
        };
        let width = counts.len().div_ceil(way.times());
        let mut looks = 0;
        let mut smaller =
            |strength: usize, share: u64, maker: &mut Maker<'_, '_, '_, E>| -> Result<Vec<Vec<u32>>, Error<E>> {
                let counts = vec![options as usize; width];
                let factors = Factors { counts, strength, seed: self.factors.seed, ..Factors::default() };
                let sets = super::input::checked::<E>(&factors)?;
                let mut free = Constraints { clauses: Vec::new(), ask: None };
                let mut rules: Rules<'_, '_, E> = Rules::new(&factors.counts, &mut free);
                let part = Part { factors: &factors, sets: &sets, invalid: None, seeds: &[], number: self.number };
                let before = looks;
                // The pairs are found at once; the rest is where time pays.
                let mut patience = Patience {
                    keep_going: &mut |looks, _| share > 0 && keep_going((before + looks) * share, most),
                    give_up: &mut *maker.give_up,
                };
                let made = part.make(&mut rules, &mut patience)?;
                looks += made.looks;
                Ok(made.rows)
            };
        let second = match way.needs_pairs() {
            true => smaller(2, 0, maker)?,
            false => Vec::new(),
        };
        let first = smaller(strength, SHARE, maker)?;
        let rows = way.rows(&first, &second, counts.len());
        let Some(mut rows) = rows.filter(|rows| rows.len() < most) else { return Ok((None, looks)) };
        for (digit, count) in rows.iter_mut().flat_map(|row| row.iter_mut().zip(counts)) {
            if *digit >= *count {
                *digit = UNSET;
            }
        }
        let found = Self::patched(maker, rows, most, &[])?;
        Ok((found.map(|(rows, _)| rows), looks))
    }

    /// Fills up rows of a construction, and adds what they lack, when these are then at most so many.
    fn patched<E>(
        maker: &mut Maker<'_, '_, '_, E>,
        mut known: Vec<Vec<u32>>,
        most: usize,
        closed: &[usize],
    ) -> Result<Option<Covered>, Error<E>> {
        let space = maker.space;
        let free = |row: &Vec<u32>| row.iter().filter(|digit| **digit == UNSET).count();
        known.sort_by_key(free);
        let mut open = Open::all(space);
        for combination in closed {
            open.close(*combination, space.set_of(*combination));
        }
        let mut rows = Vec::new();
        for given in known {
            if let Some(row) = maker.grown(&given, &open)?
                && open.cover(space, &row) > 0
            {
                rows.push(row);
            }
        }
        // Constraints may leave so much to cover that it would take longer than to start anew.
        if closed.is_empty() && open.left * 4 > space.size {
            return Ok(None);
        }
        let refused = maker.fill(&mut rows, &mut open)?;
        Ok((rows.len() <= most && open.left == 0).then_some((rows, refused)))
    }
}

/// Returns the number of rows that any cover needs: two combinations of one set are never in one row.
fn fewest(space: &Space, forbidden: &[usize]) -> usize {
    let mut by_set: Vec<usize> = (0..space.sets()).map(|set| space.range(set).len()).collect();
    for combination in forbidden {
        by_set[space.set_of(*combination)] -= 1;
    }
    by_set.into_iter().max().unwrap_or(0)
}

/// Returns the digits of options within domains that hold them.
fn within(domains: &[Vec<u32>], options: &[Option<u32>]) -> Vec<u32> {
    let digit = |(domain, option): (&Vec<u32>, &Option<u32>)| {
        option.and_then(|option| domain.iter().position(|other| *other == option)).map_or(UNSET, number)
    };
    domains.iter().zip(options).map(digit).collect()
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("options have numbers")
}
