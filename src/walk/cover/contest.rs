//! Fewer rows by several ways at once: the rows as they are, and covers with a symmetry, by turns. Who finds fewer rows sets
//! the mark for all.

use super::random::Chance;
use super::rules::{Rules, Stop};
use super::search::{MOST_COMBINATIONS, Search};
use super::space::Space;
use super::symmetry::Symmetry;

/// The most combinations for which covers with a symmetry are looked for.
const MOST_SYMMETRIC: usize = 500_000;

/// The most for which that is done where no more time is given.
const MOST_AT_ONCE: usize = 50_000;

/// How many looks a turn takes.
const TURN: u64 = 4_000_000;

/// After so many rounds the way that is farthest from a cover is given up, until so many are left.
const ROUNDS: u32 = 3;
const MOST_KEPT: usize = 2;

/// How much a row may have to add to what is near to a cover.
const MOST_A_ROW: usize = 30;

/// What is done in any case.
pub(super) struct Quota {
    /// Looks at the rows as they are.
    pub(super) plain: u64,
    /// Looks for each symmetry.
    pub(super) symmetric: u64,
}

/// What a contest is about.
pub(super) struct Contest<'a> {
    pub(super) space: &'a Space,
    pub(super) strength: usize,
    /// For each of the first rows, which digits must stay. These rows are never taken away.
    pub(super) locked: &'a [Vec<bool>],
    /// The number of rows that no cover can go below.
    pub(super) fewest: usize,
}

impl Contest<'_> {
    /// Makes rows that cover everything fewer, and returns how many looks it took. It ends when every way has had its
    /// quota, and `keep_going` says no.
    pub(super) fn shorten<E>(
        &self,
        rules: &mut Rules<'_, '_, E>,
        chance: &mut Chance,
        rows: &mut Vec<Vec<u32>>,
        quota: &Quota,
        keep_going: &mut dyn FnMut(u64, usize) -> bool,
    ) -> Result<u64, Stop<E>> {
        if self.space.size > MOST_COMBINATIONS || rows.is_empty() {
            return Ok(0);
        }
        let start = |rows: &Vec<Vec<u32>>, chance: &mut Chance| {
            Search::new(self.space, None, self.locked, self.fewest, rows.clone(), chance.branch())
        };
        let mut plain = start(rows, chance);
        let mut looks = 0;
        self.turn(&mut plain, None, rules, rows, quota.plain, &mut looks)?;
        let symmetries = self.symmetries(rules);
        let mut others: Vec<(&Symmetry, Search<'_>)> = Vec::new();
        for symmetry in &symmetries {
            let room = (rows.len() - 1).saturating_sub(symmetry.constants()) / symmetry.order();
            if room >= symmetry.fewest() && room > 0 {
                let made = (0..room).map(|_| self.any_row(chance)).collect();
                let search = Search::new(self.space, Some(symmetry), &[], symmetry.fewest(), made, chance.branch());
                others.push((symmetry, search));
            }
        }
        let mut given = if self.space.size > MOST_AT_ONCE { 0 } else { quota.symmetric };
        let mut rounds = 0;
        loop {
            others.retain_mut(|(symmetry, search)| keeps_up(symmetry, search, rows.len()));
            for (symmetry, search) in &mut others {
                if given > 0 && keeps_up(symmetry, search, rows.len()) {
                    self.turn(search, Some(symmetry), rules, rows, given, &mut looks)?;
                    self.complete(symmetry, search, (given, &mut looks), rules, chance, rows)?;
                }
            }
            if plain.rows() >= rows.len() {
                plain = start(rows, chance);
            }
            let is_done = rows.len() <= self.fewest.max(self.locked.len()) || plain.is_done();
            if is_done || !keep_going(looks, rows.len()) {
                return Ok(looks);
            }
            given = TURN;
            rounds += 1;
            if rounds % ROUNDS == 0 && others.len() > MOST_KEPT {
                let lacks = |(symmetry, search): &(&Symmetry, Search<'_>)| search.missing() * symmetry.order();
                others.sort_by_key(lacks);
                others.pop();
            }
            self.turn(&mut plain, None, rules, rows, TURN, &mut looks)?;
        }
    }

    /// Gives one way its turn.
    fn turn<E>(
        &self,
        search: &mut Search<'_>,
        symmetry: Option<&Symmetry>,
        rules: &mut Rules<'_, '_, E>,
        rows: &mut Vec<Vec<u32>>,
        quota: u64,
        looks: &mut u64,
    ) -> Result<(), Stop<E>> {
        let before = search.looks();
        let found = search.run(rules, quota)?;
        *looks += search.looks() - before;
        let found = found.map(|found| symmetry.map_or_else(|| found.clone(), |symmetry| symmetry.unfold(&found)));
        if let Some(found) = found.filter(|found| found.len() < rows.len() && found.len() >= self.fewest) {
            *rows = found;
        }
        Ok(())
    }

    /// Goes on without the symmetry from what is near to a cover with it.
    fn complete<E>(
        &self,
        symmetry: &Symmetry,
        search: &mut Search<'_>,
        (quota, looks): (u64, &mut u64),
        rules: &mut Rules<'_, '_, E>,
        chance: &mut Chance,
        rows: &mut Vec<Vec<u32>>,
    ) -> Result<(), Stop<E>> {
        let Some((missing, nearest)) = search.take_nearest() else { return Ok(()) };
        let mut start = symmetry.unfold(&nearest);
        let room = (rows.len() - 1).saturating_sub(start.len());
        if room * MOST_A_ROW < missing * symmetry.order() {
            return Ok(());
        }
        start.extend((0..room).map(|_| self.any_row(chance)));
        let mut plain = Search::new(self.space, None, self.locked, self.fewest, start, chance.branch());
        self.turn(&mut plain, None, rules, rows, quota, looks)?;
        Ok(())
    }

    /// Returns the symmetries that rows of this space can have.
    fn symmetries<E>(&self, rules: &Rules<'_, '_, E>) -> Vec<Symmetry> {
        let counts = &self.space.counts;
        let is_even = counts.iter().all(|count| *count == counts[0]) && self.space.is_even(self.strength);
        let is_free = rules.are_none() && self.locked.is_empty();
        match is_even && is_free && counts[0] > 1 && self.space.size <= MOST_SYMMETRIC {
            true => Symmetry::all(counts[0], self.strength, self.space),
            false => Vec::new(),
        }
    }

    fn any_row(&self, chance: &mut Chance) -> Vec<u32> {
        self.space.counts.iter().map(|count| chance.below(*count)).collect()
    }
}

/// Takes rows away until what a search looks for would be fewer than there are. Returns whether that is still possible.
fn keeps_up(symmetry: &Symmetry, search: &mut Search<'_>, rows: usize) -> bool {
    while search.rows() * symmetry.order() + symmetry.constants() >= rows {
        if search.rows() <= symmetry.fewest().max(1) {
            return false;
        }
        search.drop_row();
    }
    !search.is_done()
}
