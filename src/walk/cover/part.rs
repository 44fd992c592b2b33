//! A part of a cover: the rows without an invalid value, or those with a certain one.

use super::algebra;
use super::greedy::Maker;
use super::input::SeedRow;
use super::random::Chance;
use super::rules::Rules;
use super::search::Search;
use super::space::{Open, Space, UNSET};
use super::{Error, Factors, Warning};

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

/// The rows of a part.
#[derive(Default)]
pub(super) struct Made {
    /// Rows of the seed with their index, filled up.
    pub(super) seeds: Vec<(usize, Vec<u32>)>,
    pub(super) rows: Vec<Vec<u32>>,
    pub(super) warnings: Vec<Warning>,
    pub(super) looks: u64,
}

impl Part<'_> {
    /// Makes the rows.
    pub(super) fn make<E>(
        &self,
        rules: &mut Rules<'_, E>,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Made, Error<E>> {
        let domains = self.domains();
        let counts: Vec<u32> = domains.iter().map(|domain| number(domain.len())).collect();
        rules.restrict(domains.clone());
        let mut made = Made::default();
        let nothing = vec![UNSET; counts.len()];
        if rules.complete(&nothing, &vec![0; counts.len()])?.is_none() {
            if self.invalid.is_none() {
                return Err(Error::Unsatisfiable);
            }
            made.warnings.extend(self.seeds.iter().map(|(row, _)| Warning::Forbidden { row: *row }));
            return Ok(made);
        }
        let needed = |set: &&Vec<usize>| self.invalid.is_none_or(|(factor, _)| set.contains(&factor));
        let sets: Vec<Vec<usize>> = self.sets.iter().filter(needed).cloned().collect();
        let space = Space::new(&counts, &sets);
        let weight = |factor: usize| domains[factor].iter().map(move |option| self.factors.weight(factor, *option));
        let weights: Vec<Vec<u32>> = (0..counts.len()).map(|factor| weight(factor).collect()).collect();
        let mut chance = Chance::new(self.factors.seed, self.number);
        let mut maker = Maker { space: &space, rules, chance: &mut chance, weights: &weights };

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
        let forbidden = match known {
            Some(found) => {
                rows = found.rows;
                found.forbidden
            }
            None => {
                let forbidden = maker.fill(&mut rows, &mut open)?;
                if may_start_elsewhere && let Some(found) = self.by_algebra(&mut maker, rows.len(), &forbidden)? {
                    rows = found.rows;
                }
                forbidden
            }
        };
        let fewest = fewest(&space, &forbidden);
        let mut search = Search { space: &space, rules, chance: &mut chance, locked: &locked, fewest };
        made.looks = search.shorten(&mut rows, keep_going)?;
        if !self.factors.weights.is_empty() {
            search.settle(&mut rows, &weights)?;
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
        maker: &mut Maker<'_, '_, E>,
        most: usize,
        forbidden: &[usize],
    ) -> Result<Option<Found>, Error<E>> {
        let space = maker.space;
        let several: Vec<usize> = (0..space.counts.len()).filter(|factor| space.counts[*factor] > 1).collect();
        let counts: Vec<u32> = several.iter().map(|factor| space.counts[*factor]).collect();
        let Some(mut known) = algebra::array(&counts, self.factors.strength, most) else { return Ok(None) };
        let free = |row: &Vec<u32>| row.iter().filter(|digit| **digit == UNSET).count();
        known.sort_by_key(free);
        let mut open = Open::all(space);
        for combination in forbidden {
            open.close(*combination, space.set_of(*combination));
        }
        let mut rows = Vec::new();
        for row in known {
            let mut given = vec![UNSET; space.counts.len()];
            for (factor, digit) in several.iter().zip(row) {
                given[*factor] = digit;
            }
            if let Some(row) = maker.grown(&given, &open)?
                && open.cover(space, &row) > 0
            {
                rows.push(row);
            }
        }
        // Constraints may leave so much to cover that it would take longer than to start anew.
        if forbidden.is_empty() && open.left * 4 > space.size {
            return Ok(None);
        }
        let mut more = maker.fill(&mut rows, &mut open)?;
        more.extend(forbidden);
        Ok((rows.len() <= most).then_some(Found { rows, forbidden: more }))
    }
}

/// Rows that cover everything but what is forbidden.
struct Found {
    rows: Vec<Vec<u32>>,
    forbidden: Vec<usize>,
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
