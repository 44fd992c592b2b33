//! Fewer rows: one is taken away, and what it covered is covered again by changes of single options, the best of those
//! that were not just undone (tabu search, after Nurmela 2004).
//!
//! The search is counted in looks at combinations, never in time, so that the same seed takes the same way everywhere.

use super::random::Chance;
use super::rules::{Rules, Stop};
use super::space::{Space, UNSET};
use super::state::State;
use super::symmetry::Symmetry;

/// The most combinations for which a search is worth its memory.
pub(super) const MOST_COMBINATIONS: usize = 4_000_000;

/// How much rows may lack that are kept as the nearest to a cover.
const NEAR: usize = 60;

/// A change of one digit that covers a combination which is missing.
struct Step {
    change: i64,
    /// Decides between equal changes.
    draw: u32,
    row: usize,
    factor: usize,
    digit: u32,
}

/// A search that can be left and gone on with.
pub(super) struct Search<'a> {
    state: State<'a>,
    symmetry: Option<&'a Symmetry>,
    /// For each of the first rows, which digits must stay. These rows are never taken away.
    locked: &'a [Vec<bool>],
    /// The number of rows that no cover can go below.
    fewest: usize,
    tabu: Vec<u64>,
    round: u64,
    chance: Chance,
    /// The rows that lacked the least, if they lack little.
    nearest: Option<(usize, Vec<Vec<u32>>)>,
}

impl<'a> Search<'a> {
    /// Begins with rows, that need not cover everything.
    pub(super) fn new(
        space: &'a Space,
        symmetry: Option<&'a Symmetry>,
        locked: &'a [Vec<bool>],
        fewest: usize,
        rows: Vec<Vec<u32>>,
        chance: Chance,
    ) -> Search<'a> {
        let tabu = vec![0; rows.len() * space.counts.len()];
        let state = State::new(space, symmetry.map(|symmetry| &symmetry.classes), rows);
        Search { state, symmetry, locked, fewest, tabu, round: 0, chance, nearest: None }
    }

    /// Returns how many looks were taken.
    pub(super) const fn looks(&self) -> u64 {
        self.state.looks
    }

    /// Returns whether no cover has fewer rows than it looks for.
    pub(super) fn is_done(&self) -> bool {
        self.state.missing.is_empty() && self.state.rows.len() <= self.fewest.max(self.locked.len())
    }

    /// Searches until it has looked so many times more. Returns the fewest rows that were found to cover everything.
    pub(super) fn run<E>(
        &mut self,
        rules: &mut Rules<'_, '_, E>,
        looks: u64,
    ) -> Result<Option<Vec<Vec<u32>>>, Stop<E>> {
        let until = self.state.looks + looks;
        let width = self.state.space.counts.len();
        let mut found = None;
        loop {
            if self.state.missing.is_empty() {
                found = Some(self.state.rows.clone());
                if self.is_done() {
                    break;
                }
                self.drop_row();
                continue;
            }
            if self.state.looks > until {
                break;
            }
            self.note_nearest();
            self.round += 1;
            let combination = self.state.missing[self.chance.index(self.state.missing.len())] as usize;
            let wanted: Vec<(usize, u32)> = self.state.space.digits(combination).collect();
            let mut steps = self.steps(&wanted);
            steps.sort_unstable_by_key(|step| (step.change, step.draw));
            let mut taken = None;
            for step in steps {
                let before = std::mem::replace(&mut self.state.rows[step.row][step.factor], step.digit);
                let is_allowed = rules.are_none() || rules.allows_change(&self.state.rows[step.row], step.factor)?;
                self.state.rows[step.row][step.factor] = before;
                if is_allowed {
                    taken = Some(step);
                    break;
                }
            }
            match taken {
                Some(step) => {
                    self.state.set(step.row, step.factor, step.digit);
                    let stays = 2 + u64::from(self.chance.below(8));
                    self.tabu[step.row * width + step.factor] = self.round + stays;
                }
                None => self.force(rules, &wanted)?,
            }
        }
        Ok(found)
    }

    fn note_nearest(&mut self) {
        let missing = self.state.missing.len();
        let least = self.nearest.as_ref().map_or(NEAR + 1, |(least, _)| *least);
        if self.symmetry.is_some() && missing < least {
            self.nearest = Some((missing, self.state.rows.clone()));
        }
    }

    /// Returns the rows that lacked the least since this was asked last, and how much, if they lacked little.
    pub(super) fn take_nearest(&mut self) -> Option<(usize, Vec<Vec<u32>>)> {
        self.nearest.take()
    }

    /// Takes away the row that is needed least, to cover everything without it.
    pub(super) fn drop_row(&mut self) {
        if let Some(row) = self.state.least_needed(self.locked.len()) {
            self.state.take_away(row);
            self.tabu.fill(0);
            self.nearest = None;
        }
    }

    /// Returns how much is not covered.
    pub(super) fn missing(&self) -> usize {
        self.state.missing.len()
    }

    /// Returns how many rows there are, whether they cover everything or not.
    pub(super) fn rows(&self) -> usize {
        self.state.rows.len()
    }

    /// Returns the changes of one digit that cover a combination, or another one of its class, and were not made a moment
    /// ago.
    fn steps(&mut self, wanted: &[(usize, u32)]) -> Vec<Step> {
        let mut steps = Vec::new();
        match self.symmetry {
            None => self.add_steps(wanted, &mut steps),
            Some(symmetry) => {
                for alike in symmetry.alike(wanted) {
                    self.add_steps(&alike, &mut steps);
                }
            }
        }
        steps
    }

    fn add_steps(&mut self, wanted: &[(usize, u32)], steps: &mut Vec<Step>) {
        let width = self.state.space.counts.len();
        self.state.looks += (self.state.rows.len() * wanted.len() / 2) as u64;
        for row in 0..self.state.rows.len() {
            let digits = &self.state.rows[row];
            let mut different = wanted.iter().filter(|(factor, digit)| digits[*factor] != *digit);
            let (Some(&(factor, digit)), None) = (different.next(), different.next()) else { continue };
            if self.locked.get(row).is_some_and(|locked| locked[factor]) {
                continue;
            }
            let change = self.state.change(row, factor, digit);
            // What was just changed stays for a while, unless changing it ends the search.
            let missing = i64::try_from(self.state.missing.len()).unwrap_or(0);
            if self.tabu[row * width + factor] > self.round && change + missing > 0 {
                continue;
            }
            steps.push(Step { change, draw: self.chance.below(u32::MAX), row, factor, digit });
        }
    }

    /// Covers a combination in some row that may change, whatever becomes uncovered by it.
    fn force<E>(&mut self, rules: &mut Rules<'_, '_, E>, wanted: &[(usize, u32)]) -> Result<(), Stop<E>> {
        let row = self.chance.index(self.state.rows.len());
        let mut given = vec![UNSET; self.state.space.counts.len()];
        self.state.looks += given.len() as u64 + 1;
        if self.state.rows.is_empty() {
            return Ok(());
        }
        if let Some(locked) = self.locked.get(row) {
            for (factor, _) in locked.iter().enumerate().filter(|(_, locked)| **locked) {
                given[factor] = self.state.rows[row][factor];
            }
            if wanted.iter().any(|(factor, digit)| given[*factor] != UNSET && given[*factor] != *digit) {
                return Ok(());
            }
        }
        for (factor, digit) in wanted {
            given[*factor] = *digit;
        }
        let old = self.state.rows[row].clone();
        if let Some(full) = rules.complete(&given, &old)?.row() {
            for (factor, digit) in full.into_iter().enumerate() {
                self.state.set(row, factor, digit);
            }
        }
        Ok(())
    }
}

/// Replaces options by heavier ones where coverage does not need them.
pub(super) fn settle<E>(
    space: &Space,
    rules: &mut Rules<'_, '_, E>,
    locked: &[Vec<bool>],
    rows: &mut Vec<Vec<u32>>,
    weights: &[Vec<u32>],
) -> Result<(), Stop<E>> {
    if space.size > MOST_COMBINATIONS {
        return Ok(());
    }
    let mut state = State::new(space, None, std::mem::take(rows));
    for row in 0..state.rows.len() {
        for (factor, weights) in weights.iter().enumerate() {
            if locked.get(row).is_some_and(|locked| locked[factor]) {
                continue;
            }
            let own = state.rows[row][factor];
            let weight = |digit: &u32| weights[*digit as usize];
            let mut heavier: Vec<u32> = (0..space.counts[factor]).filter(|d| weight(d) > weight(&own)).collect();
            heavier.sort_by_key(|digit| std::cmp::Reverse(weight(digit)));
            for digit in heavier {
                if state.change(row, factor, digit) > 0 {
                    continue;
                }
                state.rows[row][factor] = digit;
                let is_allowed = rules.allows_change(&state.rows[row], factor)?;
                state.rows[row][factor] = own;
                if is_allowed {
                    state.set(row, factor, digit);
                    break;
                }
            }
        }
    }
    *rows = state.rows;
    Ok(())
}
