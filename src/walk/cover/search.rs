//! Fewer rows: one is taken away, and what it covered is covered again by changes of single options, the best of those
//! that were not just undone (tabu search, after Nurmela 2004).
//!
//! The search is counted in looks at combinations, never in time, so that the same seed takes the same way everywhere.

use super::random::Chance;
use super::rules::{Rules, Stop};
use super::space::{Space, UNSET};

/// How many looks a search takes in any case.
const LOOKS: u64 = 2_000_000;

/// How many looks there are between two questions whether to go on.
const BETWEEN: u64 = 300_000;

/// The most combinations for which a search is worth its memory.
const MOST_COMBINATIONS: usize = 4_000_000;

/// The mark of a combination that is not in the list of those that no row covers.
const COVERED: u32 = u32::MAX;

/// Rows, and how often they cover every combination.
struct State<'a> {
    space: &'a Space,
    rows: Vec<Vec<u32>>,
    times: Vec<u32>,
    missing: Vec<u32>,
    place: Vec<u32>,
    looks: u64,
}

impl<'a> State<'a> {
    fn new(space: &'a Space, rows: Vec<Vec<u32>>) -> State<'a> {
        let mut times = vec![0; space.size];
        for row in &rows {
            for combination in space.of_row(row) {
                times[combination] += 1;
            }
        }
        State { space, rows, times, missing: Vec::new(), place: vec![COVERED; space.size], looks: 0 }
    }

    fn gain(&mut self, combination: usize) {
        self.times[combination] += 1;
        let at = self.place[combination];
        if self.times[combination] == 1 && at != COVERED {
            self.missing.swap_remove(at as usize);
            if let Some(moved) = self.missing.get(at as usize) {
                self.place[*moved as usize] = at;
            }
            self.place[combination] = COVERED;
        }
    }

    fn lose(&mut self, combination: usize) {
        self.times[combination] -= 1;
        if self.times[combination] == 0 {
            self.place[combination] = number(self.missing.len());
            self.missing.push(number(combination));
        }
    }

    /// Returns by how many the combinations that are missing grow when one digit changes.
    #[inline]
    fn change(&mut self, row: usize, factor: usize, digit: u32) -> i64 {
        let before = self.rows[row][factor];
        let touches = self.space.touches(factor);
        self.looks += touches.len() as u64 + 4;
        let mut change = 0;
        for touch in touches {
            let Some(first) = self.space.without(touch, &self.rows[row]) else { continue };
            let lost = self.times[first + (before * touch.stride) as usize] == 1;
            let gained = self.times[first + (digit * touch.stride) as usize] == 0;
            change += i64::from(lost) - i64::from(gained);
        }
        change
    }

    fn set(&mut self, row: usize, factor: usize, digit: u32) {
        let before = std::mem::replace(&mut self.rows[row][factor], digit);
        if before == digit {
            return;
        }
        let space = self.space;
        self.looks += 2 * space.touches(factor).len() as u64;
        for touch in space.touches(factor) {
            let Some(first) = space.without(touch, &self.rows[row]) else { continue };
            self.gain(first + (digit * touch.stride) as usize);
            self.lose(first + (before * touch.stride) as usize);
        }
    }

    fn take_away(&mut self, row: usize) {
        let row = self.rows.swap_remove(row);
        let space = self.space;
        for combination in space.of_row(&row) {
            self.lose(combination);
        }
    }

    /// Returns the row behind the first `kept` ones that most other rows make superfluous.
    fn least_needed(&mut self, kept: usize) -> usize {
        let needed =
            |row: &Vec<u32>| self.space.of_row(row).filter(|combination| self.times[*combination] == 1).count();
        let least = (kept..self.rows.len()).min_by_key(|row| needed(&self.rows[*row]));
        self.looks += (self.rows.len() * self.space.sets()) as u64;
        least.expect("there is a row that may go")
    }
}

/// A change of one digit that covers a combination which is missing.
struct Step {
    change: i64,
    /// Decides between equal changes.
    draw: u32,
    row: usize,
    factor: usize,
    digit: u32,
}

/// What a search may use and must keep.
pub(super) struct Search<'a, 'b, E> {
    pub(super) space: &'a Space,
    pub(super) rules: &'a mut Rules<'b, E>,
    pub(super) chance: &'a mut Chance,
    /// For each of the first rows, which digits must stay. These rows are never taken away.
    pub(super) locked: &'a [Vec<bool>],
    /// The number of rows that no cover can go below.
    pub(super) fewest: usize,
}

impl<E> Search<'_, '_, E> {
    /// Makes rows that cover everything fewer, and returns how many looks it took. It ends when it has looked often
    /// enough and `keep_going` says no.
    pub(super) fn shorten(
        &mut self,
        rows: &mut Vec<Vec<u32>>,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<u64, Stop<E>> {
        let kept = self.locked.len();
        let width = self.space.counts.len();
        if self.space.size > MOST_COMBINATIONS {
            return Ok(0);
        }
        let mut state = State::new(self.space, rows.clone());
        let mut tabu = vec![0_u64; rows.len() * width];
        let mut quota = LOOKS;
        let mut round = 0_u64;
        loop {
            if state.missing.is_empty() {
                rows.clone_from(&state.rows);
                if rows.len() <= self.fewest.max(kept) {
                    break;
                }
                let row = state.least_needed(kept);
                state.take_away(row);
                tabu.fill(0);
                continue;
            }
            if state.looks > quota {
                if !keep_going() {
                    break;
                }
                quota = state.looks + BETWEEN;
            }
            round += 1;
            let combination = state.missing[self.chance.index(state.missing.len())] as usize;
            let wanted: Vec<(usize, u32)> = self.space.digits(combination).collect();
            let mut steps = self.steps(&mut state, &wanted, &tabu, round);
            steps.sort_unstable_by_key(|step| (step.change, step.draw));
            let mut taken = None;
            for step in steps {
                let before = std::mem::replace(&mut state.rows[step.row][step.factor], step.digit);
                let is_allowed = self.rules.allows(&state.rows[step.row])?;
                state.rows[step.row][step.factor] = before;
                if is_allowed {
                    taken = Some(step);
                    break;
                }
            }
            match taken {
                Some(step) => {
                    state.set(step.row, step.factor, step.digit);
                    tabu[step.row * width + step.factor] = round + 2 + u64::from(self.chance.below(8));
                }
                None => self.force(&mut state, &wanted)?,
            }
        }
        Ok(state.looks)
    }

    /// Replaces options by heavier ones where coverage does not need them.
    pub(super) fn settle(&mut self, rows: &mut Vec<Vec<u32>>, weights: &[Vec<u32>]) -> Result<(), Stop<E>> {
        if self.space.size > MOST_COMBINATIONS {
            return Ok(());
        }
        let mut state = State::new(self.space, std::mem::take(rows));
        for row in 0..state.rows.len() {
            for (factor, weights) in weights.iter().enumerate() {
                if self.locked.get(row).is_some_and(|locked| locked[factor]) {
                    continue;
                }
                let own = state.rows[row][factor];
                let weight = |digit: &u32| weights[*digit as usize];
                let mut heavier: Vec<u32> =
                    (0..self.space.counts[factor]).filter(|d| weight(d) > weight(&own)).collect();
                heavier.sort_by_key(|digit| std::cmp::Reverse(weight(digit)));
                for digit in heavier {
                    if state.change(row, factor, digit) > 0 {
                        continue;
                    }
                    state.rows[row][factor] = digit;
                    let is_allowed = self.rules.allows(&state.rows[row])?;
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

    /// Returns the changes of one digit that cover a combination and were not made a moment ago.
    fn steps(&mut self, state: &mut State<'_>, wanted: &[(usize, u32)], tabu: &[u64], round: u64) -> Vec<Step> {
        let mut steps = Vec::new();
        let width = self.space.counts.len();
        state.looks += (state.rows.len() * wanted.len() / 2) as u64;
        for row in 0..state.rows.len() {
            let digits = &state.rows[row];
            let mut different = wanted.iter().filter(|(factor, digit)| digits[*factor] != *digit);
            let (Some(&(factor, digit)), None) = (different.next(), different.next()) else { continue };
            if self.locked.get(row).is_some_and(|locked| locked[factor]) {
                continue;
            }
            let change = state.change(row, factor, digit);
            // What was just changed stays for a while, unless changing it ends the search.
            if tabu[row * width + factor] > round && change + i64::try_from(state.missing.len()).unwrap_or(0) > 0 {
                continue;
            }
            steps.push(Step { change, draw: self.chance.below(u32::MAX), row, factor, digit });
        }
        steps
    }

    /// Covers a combination in some row that may change, whatever becomes uncovered by it.
    fn force(&mut self, state: &mut State<'_>, wanted: &[(usize, u32)]) -> Result<(), Stop<E>> {
        let row = self.chance.index(state.rows.len());
        let mut given = vec![UNSET; self.space.counts.len()];
        state.looks += given.len() as u64;
        if let Some(locked) = self.locked.get(row) {
            for (factor, _) in locked.iter().enumerate().filter(|(_, locked)| **locked) {
                given[factor] = state.rows[row][factor];
            }
            if wanted.iter().any(|(factor, digit)| given[*factor] != UNSET && given[*factor] != *digit) {
                return Ok(());
            }
        }
        for (factor, digit) in wanted {
            given[*factor] = *digit;
        }
        let old = state.rows[row].clone();
        if let Some(full) = self.rules.complete(&given, &old)? {
            for (factor, digit) in full.into_iter().enumerate() {
                state.set(row, factor, digit);
            }
        }
        Ok(())
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("the number of combinations is limited")
}
