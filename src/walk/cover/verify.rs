//! Which combinations walks contain: the check of every cover after it is made, and the measure of any list of walks.
//!
//! The check shares no code with what makes covers: it numbers the combinations itself, and asks the constraint itself.

use std::convert::Infallible;
use std::ops::BitOrAssign;

use super::rules::{Clause, Constraints, Found, Rules};
use super::space::UNSET;

/// How often the constraints are asked whether an uncovered combination can be part of a walk, and in all.
const MOST_TRIES: u32 = 2_000;
const TRIES_IN_ALL: u32 = 200_000;

/// How many combinations that are in no walk are named.
const NAMED: usize = 10;

/// Options of some actions: `None` for one that has none.
pub(crate) type Chosen = Vec<Option<u32>>;

/// What became of walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// They passed.
    Passed,
    /// They failed.
    Failed,
    /// They did not run, or not to their end.
    NotRun,
}

/// How many combinations were in which walks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    /// Combinations that can be part of a walk.
    pub(crate) allowed: usize,
    /// Combinations that cannot.
    pub(crate) forbidden: usize,
    /// Those in any of the walks.
    pub(crate) covered: usize,
    /// Those in a walk that passed.
    pub(crate) passed: usize,
    /// Those in a walk that failed. One may be in a walk that passed as well.
    pub(crate) failed: usize,
    /// Those that are in walks, but only in such that were not run.
    pub(crate) not_run: usize,
}

/// What became of all combinations. Each that is possible is counted once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// Those in a walk that passed.
    pub(crate) passed: usize,
    /// Those in walks that failed, of which none passed.
    pub(crate) failed: usize,
    /// Those that could be in a walk, and are in none that ran to its end.
    pub(crate) not_run: usize,
    /// Those that no walk can have.
    pub(crate) impossible: usize,
    /// The first of those that did not run.
    pub(crate) gaps: Vec<Chosen>,
}

/// The combinations of options of some actions, with marks of the walks that they are in.
struct Table {
    columns: Vec<usize>,
    marks: Vec<u8>,
}

/// Counts combinations while walks are shown to it.
pub(crate) struct Measure {
    counts: Vec<usize>,
    invalid: Vec<Vec<bool>>,
    tables: Vec<Table>,
}

impl Measure {
    /// Returns a measure of all combinations of the options of these sets of actions. `invalid` says for each action
    /// which options are invalid values, and may be shorter than `counts`.
    pub(super) fn new(counts: &[usize], invalid: &[Vec<bool>], sets: &[Vec<usize>]) -> Measure {
        let table = |columns: &Vec<usize>| {
            let size = columns.iter().map(|column| counts[*column]).product();
            Table { columns: columns.clone(), marks: vec![0; size] }
        };
        Measure { counts: counts.to_vec(), invalid: invalid.to_vec(), tables: sets.iter().map(table).collect() }
    }

    /// Counts what one walk contains. What stands beside an invalid value does not count: a walk that is meant to fail
    /// shows nothing of it.
    pub(crate) fn add(&mut self, walk: &[u32], ran: Ran) {
        let invalid: Vec<usize> = (0..walk.len()).filter(|at| self.is_invalid(*at, walk[*at])).collect();
        let mark = match ran {
            Ran::Passed => 1,
            Ran::Failed => 2,
            Ran::NotRun => 4,
        };
        for table in &mut self.tables {
            if invalid.iter().all(|factor| table.columns.contains(factor)) {
                let number = table.columns.iter().fold(0, |sum, at| sum * self.counts[*at] + walk[*at] as usize);
                table.marks[number].bitor_assign(mark);
            }
        }
    }

    /// Returns the counts, with the first of the combinations that could be part of a walk and are in none. What cannot be
    /// decided soon counts as forbidden.
    pub(super) fn coverage<E>(&self, constraints: &mut Constraints<'_, E>) -> Result<(Coverage, Vec<Chosen>), E> {
        let mut coverage = Coverage::default();
        let mut missing = Vec::new();
        let mut left = TRIES_IN_ALL;
        for table in &self.tables {
            for (number, mark) in table.marks.iter().enumerate() {
                coverage.covered += usize::from(*mark != 0);
                coverage.passed += usize::from(mark & 1 != 0);
                coverage.failed += usize::from(mark & 2 != 0);
                coverage.not_run += usize::from(*mark == 4);
                if *mark != 0 {
                    continue;
                }
                let given = self.digits(table, number);
                match self.is_possible(&given, constraints, &mut left)? {
                    true if missing.len() < NAMED => missing.push(given),
                    true => {}
                    false => coverage.forbidden += 1,
                }
            }
            coverage.allowed += table.marks.len();
        }
        coverage.allowed -= coverage.forbidden;
        Ok((coverage, missing))
    }

    /// Returns whether all combinations are in walks that passed, so that no other walk changes the counts.
    pub(crate) fn all_passed(&self) -> bool {
        self.tables.iter().all(|table| table.marks.iter().all(|mark| mark & 1 != 0))
    }

    /// Returns how many combinations are in any walk that was shown, whatever became of it.
    pub(crate) fn in_any_walk(&self) -> usize {
        self.tables.iter().flat_map(|table| &table.marks).filter(|mark| **mark != 0).count()
    }

    /// Returns whether any walk that was shown has a combination.
    pub(crate) fn has(&self, chosen: &[Option<u32>]) -> bool {
        let is_of = |table: &&Table| (0..chosen.len()).all(|at| chosen[at].is_some() == table.columns.contains(&at));
        self.tables.iter().find(is_of).is_some_and(|table| {
            let digit = |at: &usize| chosen[*at].map_or(0, |option| option as usize);
            table.marks[table.columns.iter().fold(0, |sum, at| sum * self.counts[*at] + digit(at))] != 0
        })
    }

    /// Returns the account of the walks that were shown: `clauses` say which combinations are in no allowed walk. What they
    /// cannot tell counts as possible.
    pub(crate) fn account(&self, clauses: &[Clause]) -> Account {
        let mut account = Account::default();
        let mut constraints: Constraints<'_, Infallible> = Constraints { clauses: clauses.to_vec(), ask: None };
        let mut rules = Rules::new(&self.counts, &mut constraints);
        let mut wish = vec![0; self.counts.len()];
        for table in &self.tables {
            for (number, mark) in table.marks.iter().enumerate() {
                account.passed += usize::from(mark & 1 != 0);
                account.failed += usize::from(mark & 3 == 2);
                if mark & 3 != 0 {
                    continue;
                }
                let chosen = self.digits(table, number);
                if *mark == 0 && !self.may_be(&chosen, &mut rules, &mut wish) {
                    account.impossible += 1;
                    continue;
                }
                account.not_run += 1;
                if account.gaps.len() < NAMED {
                    account.gaps.push(chosen);
                }
            }
        }
        account
    }

    /// Returns whether a walk can have these options, as far as is known.
    fn may_be(&self, chosen: &Chosen, rules: &mut Rules<'_, '_, Infallible>, wish: &mut Vec<u32>) -> bool {
        let is_invalid = |(factor, value): (usize, &Option<u32>)| value.is_some_and(|v| self.is_invalid(factor, v));
        if chosen.iter().enumerate().filter(|at| is_invalid(*at)).count() > 1 {
            return false;
        }
        let given: Vec<u32> = chosen.iter().map(|option| option.unwrap_or(UNSET)).collect();
        match rules.complete(&given, wish) {
            Ok(Found::Row(row)) => {
                *wish = row;
                true
            }
            Ok(Found::None) => false,
            Ok(Found::Unknown) | Err(_) => true,
        }
    }

    fn is_invalid(&self, factor: usize, value: u32) -> bool {
        self.invalid.get(factor).and_then(|values| values.get(value as usize)).is_some_and(|is| *is)
    }

    fn digits(&self, table: &Table, number: usize) -> Vec<Option<u32>> {
        let mut given = vec![None; self.counts.len()];
        let mut rest = number;
        for column in table.columns.iter().rev() {
            given[*column] = u32::try_from(rest % self.counts[*column]).ok();
            rest /= self.counts[*column];
        }
        given
    }

    /// Returns whether a full walk can be made from some options. It has no invalid value beside those given, and no
    /// more than one of these.
    fn is_possible<E>(
        &self,
        given: &[Option<u32>],
        constraints: &mut Constraints<'_, E>,
        left: &mut u32,
    ) -> Result<bool, E> {
        let is_invalid = |(factor, value): (usize, &Option<u32>)| value.is_some_and(|v| self.is_invalid(factor, v));
        if given.iter().enumerate().filter(|at| is_invalid(*at)).count() > 1 || !constraints.allow(given)? {
            return Ok(false);
        }
        let free: Vec<usize> = (0..given.len()).filter(|factor| given[*factor].is_none()).collect();
        let mut walk = given.to_vec();
        let mut tries = MOST_TRIES.min(*left);
        let mut depth = 0;
        // Options are counted up like the digits of a clock: the next of the deepest one, or back to the one before.
        while depth < free.len() {
            let factor = free[depth];
            let mut next = walk[factor].map_or(0, |value| value + 1);
            while (next as usize) < self.counts[factor] && self.is_invalid(factor, next) {
                next += 1;
            }
            if next as usize >= self.counts[factor] {
                walk[factor] = None;
                let Some(before) = depth.checked_sub(1) else { return Ok(false) };
                depth = before;
                continue;
            }
            walk[factor] = Some(next);
            let Some(rest) = tries.checked_sub(1) else { return Ok(false) };
            tries = rest;
            *left = left.saturating_sub(1);
            if constraints.allow(&walk)? {
                depth += 1;
            }
        }
        Ok(true)
    }
}
