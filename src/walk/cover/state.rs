//! Rows, and how often they cover every combination, kept up to date while single digits change.

use super::space::Space;
use super::symmetry::Classes;

/// The mark of a combination that is not in the list of those that no row covers.
const COVERED: u32 = u32::MAX;

/// See the module. With a symmetry it counts classes of combinations: a row stands for all that the symmetry makes of it.
pub(super) struct State<'a> {
    pub(super) space: &'a Space,
    classes: Option<&'a Classes>,
    pub(super) rows: Vec<Vec<u32>>,
    times: Vec<u32>,
    /// What no row covers.
    pub(super) missing: Vec<u32>,
    place: Vec<u32>,
    /// How often a combination was looked at.
    pub(super) looks: u64,
}

impl<'a> State<'a> {
    pub(super) fn new(space: &'a Space, classes: Option<&'a Classes>, rows: Vec<Vec<u32>>) -> State<'a> {
        // Behind the combinations is one that is always covered.
        let mut times = vec![0; space.size + 1];
        times[space.size] = u32::MAX / 2;
        let place = vec![COVERED; space.size + 1];
        let mut state = State { space, classes, rows: Vec::new(), times, missing: Vec::new(), place, looks: 0 };
        for row in &rows {
            for combination in space.of_row(row) {
                let class = state.class(combination);
                state.times[class] += 1;
            }
        }
        state.rows = rows;
        for combination in 0..space.size {
            if state.times[combination] == 0 && state.class(combination) == combination {
                state.place[combination] = number(state.missing.len());
                state.missing.push(number(combination));
            }
        }
        state
    }

    #[inline]
    fn class(&self, combination: usize) -> usize {
        self.classes.map_or(combination, |classes| classes.of(combination))
    }

    fn gain(&mut self, combination: usize) {
        let class = self.class(combination);
        self.times[class] += 1;
        let at = self.place[class];
        if self.times[class] == 1 && at != COVERED {
            self.missing.swap_remove(at as usize);
            if let Some(moved) = self.missing.get(at as usize) {
                self.place[*moved as usize] = at;
            }
            self.place[class] = COVERED;
        }
    }

    fn lose(&mut self, combination: usize) {
        let class = self.class(combination);
        self.times[class] -= 1;
        if self.times[class] == 0 {
            self.place[class] = number(self.missing.len());
            self.missing.push(number(class));
        }
    }

    /// Returns by how many the combinations that are missing grow when one digit changes.
    #[inline]
    pub(super) fn change(&mut self, row: usize, factor: usize, digit: u32) -> i64 {
        let before = self.rows[row][factor];
        let touches = self.space.touches(factor);
        self.looks += touches.len() as u64 + 4;
        let mut change = 0;
        for touch in touches {
            let Some(first) = self.space.without(touch, &self.rows[row]) else { continue };
            let lost = self.times[self.class(first + (before * touch.stride) as usize)] == 1;
            let gained = self.times[self.class(first + (digit * touch.stride) as usize)] == 0;
            change += i64::from(lost) - i64::from(gained);
        }
        change
    }

    pub(super) fn set(&mut self, row: usize, factor: usize, digit: u32) {
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

    pub(super) fn take_away(&mut self, row: usize) {
        let row = self.rows.swap_remove(row);
        let space = self.space;
        for combination in space.of_row(&row) {
            self.lose(combination);
        }
    }

    /// Returns the row behind the first `kept` ones that most other rows make superfluous.
    pub(super) fn least_needed(&mut self, kept: usize) -> Option<usize> {
        let is_needed = |combination: &usize| self.times[self.class(*combination)] == 1;
        let needed = |row: &Vec<u32>| self.space.of_row(row).filter(is_needed).count();
        let least = (kept..self.rows.len()).min_by_key(|row| needed(&self.rows[*row]));
        self.looks += (self.rows.len() * self.space.sets()) as u64;
        least
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("the number of combinations is limited")
}
