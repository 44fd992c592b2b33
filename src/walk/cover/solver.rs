//! Whether options can stand in one row: a search that learns from its conflicts (CDCL, Marques-Silva & Sakallah 1996; two
//! watched literals, Moskewicz et al. 2001), over one variable for each option of each action.
//!
//! That an action has exactly one option is part of it: no clauses are needed for that. Where a solution was found, the next
//! question that begins with the same assumptions goes on from there.

mod learning;

use super::space::UNSET;

/// Clauses learnt from conflicts that are kept; of more, the long ones are forgotten.
const MOST_LEARNT: usize = 4_000;

/// Conflicts between two looks at which actions are the difficult ones.
const BETWEEN: u32 = 64;

/// An option that is chosen (`is`), or one that is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Lit(u32);

impl Lit {
    const fn variable(self) -> usize {
        (self.0 >> 1) as usize
    }

    const fn is_positive(self) -> bool {
        self.0 & 1 == 0
    }

    const fn not(self) -> Lit {
        Lit(self.0 ^ 1)
    }

    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Why a literal holds.
#[derive(Clone, Copy)]
enum Reason {
    /// It was assumed or tried.
    None,
    /// Everything else in this clause is false.
    Clause(u32),
    /// The action has this other option.
    Other(Lit),
}

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A full row, by its digits.
    Row(Vec<u32>),
    /// There is none.
    None,
    /// It took too many conflicts to find out.
    Unknown,
}

struct Clause {
    lits: Vec<Lit>,
    is_learnt: bool,
}

#[derive(Clone, Copy)]
struct Watch {
    clause: u32,
    /// Another literal of the clause: where that holds the clause need not be looked at.
    other: Lit,
}

pub(super) struct Solver {
    /// The first variable of every action, and behind them the number of all.
    first: Vec<u32>,
    action_of: Vec<u32>,
    clauses: Vec<Clause>,
    watches: Vec<Vec<Watch>>,
    values: Vec<i8>,
    levels: Vec<u32>,
    reasons: Vec<Reason>,
    trail: Vec<Lit>,
    /// Where the levels begin in the trail.
    begins: Vec<usize>,
    next: usize,
    /// The digit that every action has.
    chosen: Vec<u32>,
    order: Vec<u32>,
    activity: Vec<f64>,
    step: f64,
    seen: Vec<bool>,
    learnt: usize,
    is_impossible: bool,
}

impl Solver {
    /// Returns the solver for actions with these numbers of options.
    pub(super) fn new(counts: &[u32]) -> Solver {
        let mut first = Vec::with_capacity(counts.len() + 1);
        let mut action_of = Vec::new();
        for (action, count) in (0..).zip(counts) {
            first.push(number(action_of.len()));
            action_of.extend(std::iter::repeat_n(action, *count as usize));
        }
        first.push(number(action_of.len()));
        let all = action_of.len();
        let mut solver = Solver {
            first,
            action_of,
            clauses: Vec::new(),
            watches: vec![Vec::new(); 2 * all],
            values: vec![0; all],
            levels: vec![0; all],
            reasons: vec![Reason::None; all],
            trail: Vec::new(),
            begins: Vec::new(),
            next: 0,
            chosen: vec![UNSET; counts.len()],
            order: (0..number(counts.len())).collect(),
            activity: vec![0.0; counts.len()],
            step: 1.0,
            seen: vec![false; all],
            learnt: 0,
            is_impossible: false,
        };
        for (action, count) in counts.iter().enumerate() {
            solver.add((0..*count).map(|digit| solver.lit(action, digit, true)).collect());
        }
        solver
    }

    /// Returns the literal that says whether an action has a digit.
    pub(super) fn lit(&self, action: usize, digit: u32, is: bool) -> Lit {
        Lit((self.first[action] + digit) * 2 + u32::from(!is))
    }

    /// Takes a clause: one of these holds in every row.
    pub(super) fn add(&mut self, mut lits: Vec<Lit>) {
        self.back_to(0);
        lits.sort_unstable_by_key(|lit| lit.0);
        lits.dedup();
        let always = lits.windows(2).any(|two| two[0] == two[1].not()) || lits.iter().any(|lit| self.value(*lit) > 0);
        if always {
            return;
        }
        lits.retain(|lit| self.value(*lit) == 0);
        for lit in &lits {
            self.activity[self.action_of[lit.variable()] as usize] += 1.0;
        }
        match lits[..] {
            [] => self.is_impossible = true,
            [only] => {
                self.set(only, Reason::None);
                self.is_impossible |= self.propagate().is_some();
            }
            _ => {
                self.attach(lits, false);
            }
        }
    }

    /// Looks for a row in which these hold, where possible with the preferred digits.
    pub(super) fn solve(&mut self, assumed: &[Lit], preferred: &[u32], most_conflicts: u32) -> Answer {
        if self.is_impossible {
            return Answer::None;
        }
        if self.learnt > MOST_LEARNT {
            self.forget();
        }
        self.keep_common(assumed);
        let mut conflicts = 0;
        loop {
            if let Some(conflict) = self.propagate() {
                if self.begins.is_empty() {
                    self.is_impossible = true;
                    return Answer::None;
                }
                conflicts += 1;
                if conflicts > most_conflicts {
                    self.back_to(0);
                    return Answer::Unknown;
                }
                self.learn(conflict);
                if conflicts % BETWEEN == 0 {
                    let activity = &self.activity;
                    self.order.sort_by(|a, b| activity[*b as usize].total_cmp(&activity[*a as usize]));
                    self.back_to(0);
                }
                continue;
            }
            let next = match assumed.get(self.begins.len()) {
                Some(lit) => match self.value(*lit) {
                    -1 => return Answer::None,
                    _ => Some(*lit),
                },
                None => self.decide(preferred),
            };
            let Some(next) = next else { return Answer::Row(self.chosen.clone()) };
            self.begins.push(self.trail.len());
            // What holds already gets a level of its own, so that levels and assumptions have the same numbers.
            if self.value(next) == 0 {
                self.set(next, Reason::None);
            }
        }
    }

    /// Goes back to where the assumptions are no longer those of the last question.
    fn keep_common(&mut self, assumed: &[Lit]) {
        let is_same = |(level, lit): (usize, &Lit)| {
            let begin = self.begins[level];
            let end = self.begins.get(level + 1).copied().unwrap_or(self.trail.len());
            match self.trail[begin..end].first() {
                Some(own) => own == lit,
                None => self.value(*lit) > 0 && self.levels[lit.variable()] as usize <= level,
            }
        };
        let common = assumed.iter().enumerate().take(self.begins.len()).take_while(|at| is_same(*at)).count();
        self.back_to(common);
    }

    fn decide(&self, preferred: &[u32]) -> Option<Lit> {
        let action = self.order.iter().map(|action| *action as usize).find(|action| self.chosen[*action] == UNSET)?;
        let count = self.first[action + 1] - self.first[action];
        let wish = preferred.get(action).copied().unwrap_or(0).min(count - 1);
        let digits = (wish..count).chain(0..wish);
        let mut free = digits.map(|digit| self.lit(action, digit, true)).filter(|lit| self.value(*lit) == 0);
        free.next()
    }

    fn value(&self, lit: Lit) -> i8 {
        let value = self.values[lit.variable()];
        if lit.is_positive() { value } else { -value }
    }

    fn set(&mut self, lit: Lit, reason: Reason) {
        let variable = lit.variable();
        self.values[variable] = if lit.is_positive() { 1 } else { -1 };
        self.levels[variable] = number(self.begins.len());
        self.reasons[variable] = reason;
        if lit.is_positive() {
            let action = self.action_of[variable];
            self.chosen[action as usize] = number(variable) - self.first[action as usize];
        }
        self.trail.push(lit);
    }

    fn back_to(&mut self, level: usize) {
        if level >= self.begins.len() {
            return;
        }
        let begin = self.begins[level];
        for lit in self.trail.drain(begin..) {
            self.values[lit.variable()] = 0;
            if lit.is_positive() {
                self.chosen[self.action_of[lit.variable()] as usize] = UNSET;
            }
        }
        self.begins.truncate(level);
        self.next = self.next.min(begin);
    }

    /// Follows what is set to all that must hold with it. Returns the literals that cannot all be false, if they are.
    fn propagate(&mut self) -> Option<Vec<Lit>> {
        while let Some(lit) = self.trail.get(self.next).copied() {
            self.next += 1;
            if lit.is_positive() {
                let action = self.action_of[lit.variable()] as usize;
                for variable in self.first[action]..self.first[action + 1] {
                    let other = Lit(variable * 2 + 1);
                    if variable as usize == lit.variable() {
                        continue;
                    }
                    match self.value(other) {
                        0 => self.set(other, Reason::Other(lit)),
                        -1 => return Some(vec![lit.not(), other]),
                        _ => {}
                    }
                }
            }
            if let Some(clause) = self.visit(lit.not()) {
                return Some(self.clauses[clause].lits.clone());
            }
        }
        None
    }

    /// Looks at the clauses that watch a literal which has become false. Returns one that is false now.
    fn visit(&mut self, falsified: Lit) -> Option<usize> {
        let mut watches = std::mem::take(&mut self.watches[falsified.index()]);
        let mut conflict = None;
        let mut kept = 0;
        let mut at = 0;
        while at < watches.len() {
            let watch = watches[at];
            at += 1;
            if self.value(watch.other) > 0 {
                watches[kept] = watch;
                kept += 1;
                continue;
            }
            let index = watch.clause as usize;
            if self.clauses[index].lits[0] == falsified {
                self.clauses[index].lits.swap(0, 1);
            }
            let first = self.clauses[index].lits[0];
            let watch = Watch { other: first, ..watch };
            if self.value(first) > 0 {
                watches[kept] = watch;
                kept += 1;
                continue;
            }
            let lits = &self.clauses[index].lits;
            if let Some(free) = (2..lits.len()).find(|place| self.value(lits[*place]) >= 0) {
                self.clauses[index].lits.swap(1, free);
                let moved = self.clauses[index].lits[1];
                self.watches[moved.index()].push(watch);
                continue;
            }
            watches[kept] = watch;
            kept += 1;
            if self.value(first) < 0 {
                conflict = Some(index);
                break;
            }
            self.set(first, Reason::Clause(watch.clause));
        }
        let rest = watches.len() - at;
        watches.copy_within(at.., kept);
        watches.truncate(kept + rest);
        self.watches[falsified.index()] = watches;
        conflict
    }

    fn attach(&mut self, lits: Vec<Lit>, is_learnt: bool) -> u32 {
        let clause = number(self.clauses.len());
        self.watches[lits[0].index()].push(Watch { clause, other: lits[1] });
        self.watches[lits[1].index()].push(Watch { clause, other: lits[0] });
        self.clauses.push(Clause { lits, is_learnt });
        self.learnt += usize::from(is_learnt);
        clause
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("options are limited in number")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns all rows of actions with these numbers of options.
    fn all(counts: &[u32]) -> Vec<Vec<u32>> {
        counts.iter().fold(vec![Vec::new()], |rows, count| {
            rows.iter().flat_map(|row| (0..*count).map(move |digit| [row.clone(), vec![digit]].concat())).collect()
        })
    }

    type Clauses = Vec<Vec<(usize, u32, bool)>>;

    fn models() -> impl Strategy<Value = (Vec<u32>, Clauses)> {
        prop::collection::vec(1_u32..5, 1..6).prop_flat_map(|counts| {
            let width = counts.len();
            let lit = (0..width, 0_u32..4, any::<bool>());
            let clauses = prop::collection::vec(prop::collection::vec(lit, 1..4), 0..20);
            (Just(counts), clauses)
        })
    }

    proptest! {
        #[test]
        fn every_question_is_answered_as_by_trying_all((counts, clauses) in models(), asked: Vec<Vec<(usize, u32)>>) {
            let within = |(action, digit, is): &(usize, u32, bool)| (*action, digit % counts[*action], *is);
            let clauses: Clauses = clauses.iter().map(|clause| clause.iter().map(within).collect()).collect();
            let mut solver = Solver::new(&counts);
            for clause in &clauses {
                solver.add(clause.iter().map(|(action, digit, is)| solver.lit(*action, *digit, *is)).collect());
            }
            let holds = |row: &[u32], clause: &Vec<(usize, u32, bool)>| {
                clause.iter().any(|(action, digit, is)| (row[*action] == *digit) == *is)
            };
            let rows: Vec<Vec<u32>> =
                all(&counts).into_iter().filter(|row| clauses.iter().all(|clause| holds(row, clause))).collect();
            for question in std::iter::once(Vec::new()).chain(asked).take(20) {
                let given: Vec<(usize, u32)> = question
                    .iter()
                    .map(|(action, digit)| (action % counts.len(), digit % counts[action % counts.len()]))
                    .collect();
                let has = |row: &[u32]| given.iter().all(|(action, digit)| row[*action] == *digit);
                let assumed: Vec<Lit> = given.iter().map(|(action, digit)| solver.lit(*action, *digit, true)).collect();
                match solver.solve(&assumed, &vec![0; counts.len()], 10_000) {
                    Answer::Row(row) => prop_assert!(has(&row) && rows.contains(&row), "{row:?}"),
                    Answer::None => prop_assert!(!rows.iter().any(|row| has(row)), "{given:?}"),
                    Answer::Unknown => prop_assert!(false, "it is small"),
                }
            }
        }
    }

    /// One pigeon more than there are holes: hard for any search that does not learn, and small enough for one that does.
    #[test]
    fn what_cannot_be_is_found_out() {
        let mut solver = Solver::new(&[6; 7]);
        for (one, other) in (0..7).flat_map(|one| (0..one).map(move |other| (one, other))) {
            for hole in 0..6 {
                solver.add(vec![solver.lit(one, hole, false), solver.lit(other, hole, false)]);
            }
        }
        assert_eq!(solver.solve(&[], &[], 1_000_000), Answer::None);
        assert_eq!(Solver::new(&[6; 7]).solve(&[], &[], 3), Answer::Row(vec![0; 7]));
    }
}
