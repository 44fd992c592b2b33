//! What may stand in one row: clauses that are known, and the caller's functions, asked as seldom as possible.
//!
//! What a function has once forbidden is kept in its smallest form as a clause and not asked again. A part of a row is only
//! good for something when a full row can be made from it; the [solver](super::solver) finds that out.

use std::collections::VecDeque;

use super::solver::{Answer, Lit, Solver};
use super::space::UNSET;

/// How many conflicts one question may take.
const MOST_CONFLICTS: u32 = 20_000;

/// How often the functions are asked for one question, and in all before they are asked but a few times for each.
const MOST_ASKED: u32 = 1_000;
const ASKED_IN_ALL: u32 = 100_000;
const ASKED_THEN: u32 = 20;

/// The most options of which it is checked row by row that they are not together; more of them are left to the solver.
const LARGEST_CHECKED: usize = 8;

/// How many of what functions forbid is checked row by row.
const MOST_CHECKED: usize = 20_000;

/// How many of the rows that were allowed last are held against what is forbidden.
const ACCEPTED: usize = 16;

/// The caller's functions: from the options chosen so far to whether they may be part of a walk.
pub(crate) type Allowed<'a, E> = &'a mut dyn FnMut(&[Option<u32>]) -> Result<bool, E>;

/// Of every walk one of these is true: an action has one of some options.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Clause(pub(crate) Vec<(usize, Vec<u32>)>);

impl Clause {
    /// Returns the clause by which these options are not together in a walk.
    pub(crate) fn without(options: &[(usize, u32)], counts: &[usize]) -> Clause {
        let but = |(factor, option): &(usize, u32)| {
            let others = (0..number(counts[*factor])).filter(|other| other != option);
            (*factor, others.collect())
        };
        Clause(options.iter().map(but).collect())
    }

    /// Returns whether a walk can still be allowed of which some options are chosen, as far as this says.
    pub(crate) fn allows(&self, chosen: &[Option<u32>]) -> bool {
        self.0.iter().any(|(factor, options)| {
            chosen.get(*factor).copied().flatten().is_none_or(|option| options.contains(&option))
        })
    }
}

/// What walks are allowed.
pub(crate) struct Constraints<'a, E> {
    /// What is known of them.
    pub(crate) clauses: Vec<Clause>,
    /// What has to be asked. It is asked about the options chosen so far, `None` standing for those that are not chosen yet,
    /// and answers `false` only when no walk that has these options is allowed, whatever the others are: it must say `true`
    /// where it cannot tell yet. Its error ends everything.
    pub(crate) ask: Option<Allowed<'a, E>>,
}

impl<E> Constraints<'_, E> {
    /// Returns whether options can be part of a walk, as far as can be told without looking further.
    pub(crate) fn allow(&mut self, chosen: &[Option<u32>]) -> Result<bool, E> {
        if !self.clauses.iter().all(|clause| clause.allows(chosen)) {
            return Ok(false);
        }
        self.ask.as_mut().map_or(Ok(true), |ask| ask(chosen))
    }
}

/// Why a search for a row did not end.
#[derive(Debug)]
pub(super) enum Stop<E> {
    /// The constraint itself failed.
    Constraint(E),
    /// It forbids these options, though it did allow a row that has them.
    Fickle(Vec<Option<u32>>),
}

/// What came of a search for a full row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Row(Vec<u32>),
    /// There is none.
    None,
    /// It was not found out in time.
    Unknown,
}

impl Found {
    pub(super) fn row(self) -> Option<Vec<u32>> {
        match self {
            Found::Row(row) => Some(row),
            Found::None | Found::Unknown => None,
        }
    }
}

/// A clause over digits: for each action which of its digits make it true.
struct Check(Box<[(u32, Box<[bool]>)]>);

impl Check {
    fn holds(&self, row: &[u32]) -> bool {
        self.0.iter().any(|(factor, digits)| {
            let digit = row[*factor as usize];
            digit == UNSET || digits[digit as usize]
        })
    }
}

/// The constraints and what is known of them.
pub(super) struct Rules<'a, 'b, E> {
    constraints: &'a mut Constraints<'b, E>,
    /// The options that are in question for every action. Rows here hold indices into these lists.
    domains: Vec<Vec<u32>>,
    counts: Vec<usize>,
    checks: Vec<Check>,
    /// Which checks an action belongs to.
    by_factor: Vec<Vec<u32>>,
    solver: Solver,
    asked: Vec<Option<u32>>,
    asked_in_all: u32,
    /// Rows that were allowed last, in the caller's numbers.
    accepted: VecDeque<Vec<Option<u32>>>,
}

impl<'a, 'b, E> Rules<'a, 'b, E> {
    /// Returns the rules for actions with these numbers of options.
    pub(super) fn new(counts: &[usize], constraints: &'a mut Constraints<'b, E>) -> Self {
        let domains: Vec<Vec<u32>> = counts.iter().map(|count| (0..number(*count)).collect()).collect();
        let mut rules = Rules {
            constraints,
            domains: Vec::new(),
            counts: counts.to_vec(),
            checks: Vec::new(),
            by_factor: Vec::new(),
            solver: Solver::new(&[]),
            asked: vec![None; counts.len()],
            asked_in_all: 0,
            accepted: VecDeque::new(),
        };
        rules.restrict(domains);
        rules
    }

    /// Takes only these options of every action into account from now on.
    pub(super) fn restrict(&mut self, domains: Vec<Vec<u32>>) {
        let counts: Vec<u32> = domains.iter().map(|domain| number(domain.len())).collect();
        self.solver = Solver::new(&counts);
        self.checks.clear();
        self.by_factor = vec![Vec::new(); domains.len()];
        self.domains = domains;
        for index in 0..self.constraints.clauses.len() {
            let clause = self.constraints.clauses[index].clone();
            self.take(&clause);
        }
    }

    /// Returns whether every row is allowed.
    pub(super) fn are_none(&self) -> bool {
        self.constraints.clauses.is_empty() && self.constraints.ask.is_none()
    }

    /// Returns the row in the caller's numbers.
    pub(super) fn original(&self, row: &[u32]) -> Vec<Option<u32>> {
        let value = |(factor, digit): (usize, &u32)| (*digit != UNSET).then(|| self.domains[factor][*digit as usize]);
        row.iter().enumerate().map(value).collect()
    }

    /// Returns whether a row, full or not, is not forbidden as far as can be told without looking further.
    pub(super) fn allows(&mut self, row: &[u32]) -> Result<bool, Stop<E>> {
        Ok(self.checks.iter().all(|check| check.holds(row)) && self.ask(row)?)
    }

    /// The same for a row that was allowed before the digit of this action was changed.
    pub(super) fn allows_change(&mut self, row: &[u32], factor: usize) -> Result<bool, Stop<E>> {
        let holds = self.by_factor[factor].iter().all(|check| self.checks[*check as usize].holds(row));
        Ok(holds && self.ask(row)?)
    }

    /// Returns a full row that has the given digits, where possible those that are preferred.
    pub(super) fn complete(&mut self, given: &[u32], preferred: &[u32]) -> Result<Found, Stop<E>> {
        let row: Vec<u32> =
            given.iter().zip(preferred).map(|(given, wish)| if *given == UNSET { *wish } else { *given }).collect();
        if self.are_none() || self.allows(&row)? {
            return Ok(Found::Row(row));
        }
        let most = if self.asked_in_all < ASKED_IN_ALL { MOST_ASKED } else { ASKED_THEN };
        let assumed: Vec<Lit> = (0..given.len())
            .filter(|factor| given[*factor] != UNSET)
            .map(|factor| self.solver.lit(factor, given[factor], true))
            .collect();
        for _ in 0..most {
            match self.solver.solve(&assumed, preferred, MOST_CONFLICTS) {
                Answer::None => return Ok(Found::None),
                Answer::Unknown => break,
                Answer::Row(row) => {
                    if self.ask(&row)? {
                        return Ok(Found::Row(row));
                    }
                }
            }
        }
        Ok(Found::Unknown)
    }

    /// Returns a full row that was not given out before, where possible with the digits that are preferred.
    pub(super) fn another(&mut self, preferred: &[u32]) -> Result<Found, Stop<E>> {
        for _ in 0..MOST_ASKED {
            match self.solver.solve(&[], preferred, MOST_CONFLICTS) {
                Answer::None => return Ok(Found::None),
                Answer::Unknown => break,
                Answer::Row(row) => {
                    if self.ask(&row)? {
                        let others = row.iter().enumerate().map(|(at, digit)| self.solver.lit(at, *digit, false));
                        let others = others.collect();
                        self.solver.add(others);
                        return Ok(Found::Row(row));
                    }
                }
            }
        }
        Ok(Found::Unknown)
    }

    /// Asks the functions about a row. What they forbid is learnt in its smallest form.
    fn ask(&mut self, row: &[u32]) -> Result<bool, Stop<E>> {
        let Some(ask) = &mut self.constraints.ask else { return Ok(true) };
        for (factor, digit) in row.iter().enumerate() {
            self.asked[factor] = (*digit != UNSET).then(|| self.domains[factor][*digit as usize]);
        }
        self.asked_in_all = self.asked_in_all.saturating_add(1);
        if ask(&self.asked).map_err(Stop::Constraint)? {
            if !row.contains(&UNSET) {
                self.accepted.truncate(ACCEPTED - 1);
                self.accepted.push_front(self.asked.clone());
            }
            return Ok(true);
        }
        for factor in 0..self.asked.len() {
            let Some(value) = self.asked[factor].take() else { continue };
            if ask(&self.asked).map_err(Stop::Constraint)? {
                self.asked[factor] = Some(value);
            }
        }
        let has = |row: &Vec<Option<u32>>| self.asked.iter().zip(row).all(|(own, other)| own.is_none() || own == other);
        if self.accepted.iter().any(has) {
            return Err(Stop::Fickle(self.asked.clone()));
        }
        let smallest = self.asked.iter().enumerate().filter_map(|(factor, value)| Some((factor, (*value)?)));
        let smallest: Vec<(usize, u32)> = smallest.collect();
        let clause = Clause::without(&smallest, &self.counts);
        self.take(&clause);
        if smallest.len() <= LARGEST_CHECKED && self.constraints.clauses.len() < MOST_CHECKED {
            self.constraints.clauses.push(clause);
        }
        Ok(false)
    }

    /// Takes a clause in the caller's numbers for the digits that are in question.
    fn take(&mut self, clause: &Clause) {
        let mut entries: Vec<(u32, Box<[bool]>)> = Vec::new();
        for (factor, options) in &clause.0 {
            let digits: Box<[bool]> = self.domains[*factor].iter().map(|option| options.contains(option)).collect();
            if digits.iter().all(|is| *is) {
                return;
            }
            if digits.iter().any(|is| *is) || self.domains[*factor].len() > 1 {
                entries.push((number(*factor), digits));
            }
        }
        let mut lits = Vec::new();
        for (factor, digits) in &entries {
            let (factor, without) = (*factor as usize, digits.iter().filter(|is| !**is).count());
            let is = without > 1;
            let named = (0..number(digits.len())).filter(|digit| digits[*digit as usize] == is);
            lits.extend(named.map(|digit| self.solver.lit(factor, digit, is)));
        }
        self.solver.add(lits);
        if entries.len() <= LARGEST_CHECKED || self.constraints.ask.is_none() {
            for (factor, _) in &entries {
                self.by_factor[*factor as usize].push(number(self.checks.len()));
            }
            self.checks.push(Check(entries.into_boxed_slice()));
        }
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("actions and what is learnt of them are limited in number")
}
