//! What may stand in one row: the caller's constraints, asked as seldom as possible, and the search for a full row.
//!
//! What a constraint has once forbidden is kept in its smallest form and not asked again. A part of a row is only good
//! for something when a full row can be made from it; this is searched for with jumps back to what caused a conflict.

use super::space::UNSET;

/// How often the constraints are asked about one part of a row before it is given up.
const MOST_TRIES: u32 = 100_000;

/// The most options that are worth remembering to be forbidden together.
const LARGEST_LEARNT: usize = 6;

/// How many such sets of options are remembered.
const MOST_LEARNT: usize = 20_000;

/// Where the last one is that is not worth it.
const UNKEPT: usize = 0;

/// The constraints: from the options chosen so far to whether they may be part of a walk.
pub(crate) type Allowed<'a, E> = &'a mut dyn FnMut(&[Option<u32>]) -> Result<bool, E>;

/// Why a search for a row did not end.
#[derive(Debug)]
pub(super) enum Stop<E> {
    /// The constraint itself failed.
    Constraint(E),
    /// It was not decided in time whether these options can be part of a walk.
    Undecided(Vec<Option<u32>>),
    /// The constraint forbids these options, though it did allow some of them together with others.
    Fickle(Vec<Option<u32>>),
}

/// Some factors, as bits.
#[derive(Clone)]
struct Factors(Vec<u64>);

impl Factors {
    fn none(count: usize) -> Factors {
        Factors(vec![0; count.div_ceil(64)])
    }

    fn add(&mut self, factor: usize) {
        self.0[factor / 64] |= 1 << (factor % 64);
    }

    fn has(&self, factor: usize) -> bool {
        self.0[factor / 64] >> (factor % 64) & 1 == 1
    }

    fn add_all_but(&mut self, others: &Factors, factor: usize) {
        let had = self.has(factor);
        for (own, other) in self.0.iter_mut().zip(&others.0) {
            *own |= other;
        }
        if !had {
            self.0[factor / 64] &= !(1 << (factor % 64));
        }
    }
}

/// The constraints and what is known of them.
pub(super) struct Rules<'a, E> {
    allowed: Allowed<'a, E>,
    /// The options that are in question for every action. Rows here hold indices into these lists.
    domains: Vec<Vec<u32>>,
    /// Options that cannot be together, none of which can be left out.
    forbidden: Vec<Box<[(u32, u32)]>>,
    /// Which of them an option belongs to, by action and option.
    by_option: Vec<Vec<Vec<u32>>>,
    asked: Vec<Option<u32>>,
    tries: u32,
}

impl<'a, E> Rules<'a, E> {
    /// Returns the rules for actions with these numbers of options.
    pub(super) fn new(counts: &[usize], allowed: Allowed<'a, E>) -> Self {
        let domains = counts.iter().map(|count| (0..u32::try_from(*count).unwrap_or(u32::MAX)).collect()).collect();
        let by_option = counts.iter().map(|count| vec![Vec::new(); *count]).collect();
        let asked = vec![None; counts.len()];
        Rules { allowed, domains, forbidden: vec![Box::default()], by_option, asked, tries: 0 }
    }

    /// Takes only these options of every action into account from now on.
    pub(super) fn restrict(&mut self, domains: Vec<Vec<u32>>) {
        self.domains = domains;
    }

    /// Returns the row in the caller's numbers.
    pub(super) fn original(&self, row: &[u32]) -> Vec<Option<u32>> {
        let value = |(factor, digit): (usize, &u32)| (*digit != UNSET).then(|| self.domains[factor][*digit as usize]);
        row.iter().enumerate().map(value).collect()
    }

    /// Returns whether a row, full or not, is not forbidden as far as can be told without looking further.
    pub(super) fn allows(&mut self, row: &[u32]) -> Result<bool, Stop<E>> {
        self.load(row);
        for factor in 0..row.len() {
            if self.known(factor).is_some() {
                return Ok(false);
            }
        }
        Ok(self.ask()?.is_none())
    }

    /// Returns a full row that has the given digits, where possible those that are preferred, or nothing when there is
    /// none.
    pub(super) fn complete(&mut self, given: &[u32], preferred: &[u32]) -> Result<Option<Vec<u32>>, Stop<E>> {
        let mut row: Vec<u32> =
            given.iter().zip(preferred).map(|(given, wish)| if *given == UNSET { *wish } else { *given }).collect();
        if self.allows(&row)? {
            return Ok(Some(row));
        }
        row.copy_from_slice(given);
        if !self.allows(given)? {
            return Ok(None);
        }
        let mut order: Vec<usize> = (0..given.len()).filter(|factor| given[*factor] == UNSET).collect();
        // What is mentioned in more of what is forbidden is chosen first.
        order.sort_by_key(|factor| std::cmp::Reverse(self.by_option[*factor].iter().map(Vec::len).sum::<usize>()));
        self.tries = MOST_TRIES;
        match self.descend(&mut row, &order, preferred)? {
            Ok(()) => Ok(Some(row)),
            Err(_) => Ok(None),
        }
    }

    /// Chooses the digits of the factors that are left. A dead end gives the factors that caused it.
    fn descend(
        &mut self,
        row: &mut Vec<u32>,
        order: &[usize],
        preferred: &[u32],
    ) -> Result<Result<(), Factors>, Stop<E>> {
        let Some((&factor, rest)) = order.split_first() else { return Ok(Ok(())) };
        let count = u32::try_from(self.domains[factor].len()).expect("options have numbers");
        let mut causes = Factors::none(row.len());
        let wish = preferred[factor].min(count - 1);
        for digit in std::iter::once(wish).chain((0..count).filter(|digit| *digit != wish)) {
            row[factor] = digit;
            match self.forbids(row, factor)? {
                Some(why) => {
                    for (other, _) in self.forbidden[why].iter().filter(|(other, _)| *other as usize != factor) {
                        causes.add(*other as usize);
                    }
                }
                None => match self.descend(row, rest, preferred)? {
                    Ok(()) => return Ok(Ok(())),
                    Err(others) if !others.has(factor) => {
                        row[factor] = UNSET;
                        return Ok(Err(others));
                    }
                    Err(others) => causes.add_all_but(&others, factor),
                },
            }
        }
        row[factor] = UNSET;
        let whole: Vec<(u32, u32)> = (0..row.len())
            .filter(|other| causes.has(*other))
            .map(|other| (number(other), self.domains[other][row[other] as usize]))
            .collect();
        // Only what follows for all options of an action, not just for those in question now, is true for ever.
        let is_general = self.domains.iter().zip(&self.by_option).all(|(domain, all)| domain.len() == all.len());
        if is_general && whole.len() <= LARGEST_LEARNT && !whole.is_empty() {
            self.learn(whole);
        }
        Ok(Err(causes))
    }

    /// Returns what forbids a row, of which all but the digit of one factor is known to be allowed.
    fn forbids(&mut self, row: &[u32], factor: usize) -> Result<Option<usize>, Stop<E>> {
        self.load(row);
        if let Some(why) = self.known(factor) {
            return Ok(Some(why));
        }
        let Some(left) = self.tries.checked_sub(1) else {
            return Err(Stop::Undecided(self.original(row)));
        };
        self.tries = left;
        let why = self.ask()?;
        match why {
            Some(why) if !self.forbidden[why].iter().any(|(other, _)| *other as usize == factor) => {
                let mut part = vec![None; row.len()];
                for (factor, value) in &self.forbidden[why] {
                    part[*factor as usize] = Some(*value);
                }
                Err(Stop::Fickle(part))
            }
            why => Ok(why),
        }
    }

    fn load(&mut self, row: &[u32]) {
        for (factor, digit) in row.iter().enumerate() {
            self.asked[factor] = (*digit != UNSET).then(|| self.domains[factor][*digit as usize]);
        }
    }

    /// Returns something known that forbids the row in question and has the option of a factor in it.
    fn known(&self, factor: usize) -> Option<usize> {
        let value = self.asked[factor]? as usize;
        let holds = |why: &&u32| {
            self.forbidden[**why as usize].iter().all(|(other, value)| self.asked[*other as usize] == Some(*value))
        };
        self.by_option[factor][value].iter().find(holds).map(|why| *why as usize)
    }

    /// Asks the constraint about the row in question. What it forbids is learnt in its smallest form.
    fn ask(&mut self) -> Result<Option<usize>, Stop<E>> {
        if (self.allowed)(&self.asked).map_err(Stop::Constraint)? {
            return Ok(None);
        }
        for factor in 0..self.asked.len() {
            let Some(value) = self.asked[factor].take() else { continue };
            if (self.allowed)(&self.asked).map_err(Stop::Constraint)? {
                self.asked[factor] = Some(value);
            }
        }
        let smallest = self.asked.iter().enumerate().filter_map(|(factor, value)| Some((number(factor), (*value)?)));
        Ok(Some(self.learn(smallest.collect())))
    }

    fn learn(&mut self, options: Vec<(u32, u32)>) -> usize {
        let why = self.forbidden.len();
        if why > MOST_LEARNT || options.len() > LARGEST_LEARNT {
            self.forbidden[UNKEPT] = options.into_boxed_slice();
            return UNKEPT;
        }
        for (factor, value) in &options {
            self.by_option[*factor as usize][*value as usize].push(number(why));
        }
        self.forbidden.push(options.into_boxed_slice());
        why
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("actions and what is learnt of them are limited in number")
}
