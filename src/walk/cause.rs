//! Why walks fail, as far as their results tell: the smallest sets of options that failing walks have and no passing
//! walk has. Nothing is run for it.
//!
//! Such a set is a hint and not a proof: a walk that was never run might have passed with it. The walks are shown
//! several times, so that nobody has to hold them all, and the work is bounded however many there are.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// The most options in a set.
const LARGEST: usize = 4;

/// The most different ways in which passing walks resemble a failing one that are told apart.
const MOST_MASKS: usize = 200_000;

/// The most sets of options that are looked at for one failing walk and one size.
const MOST_SETS: usize = 200_000;

/// How many failing walks the sets of one round are drawn from.
const REFERENCES: usize = 8;

/// The most sets of one failing walk that are compared.
const MOST_COMPARED: usize = 200;

/// The most sets that are given, besides single options.
const MOST_GIVEN: usize = 8;

/// The most single options that are given.
const MOST_SINGLE: usize = 64;

/// How likely it may be that an option looks like a cause by chance alone.
const BY_CHANCE: f64 = 0.01;

/// The digit of an action that a walk does not have.
pub(crate) const NONE: u32 = u32::MAX;

/// An action and one of its options.
pub(crate) type Choice = (usize, u32);

/// Shows every walk that passed or failed, by its option of every action and whether it failed, always in the same
/// order.
pub(crate) type Walks<'a> = &'a dyn Fn(&mut dyn FnMut(&[u32], bool));

/// Options that failing walks share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    /// The options, in the order of the actions.
    pub(crate) choices: Vec<Choice>,
    /// How many failing walks have them.
    pub(crate) failed: usize,
    /// How many passing walks have them all the same. Those are not all there is to the failures, then.
    pub(crate) passed: usize,
}

/// What results say about why walks fail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "they are the causes, among what belongs to them")]
pub(crate) struct Causes {
    /// How many walks failed.
    pub(crate) failed: usize,
    /// How many passed.
    pub(crate) passed: usize,
    /// Whether all failing walks have each of the causes. Otherwise these explain them together.
    pub(crate) is_shared: bool,
    /// The causes. Those that are shared are equally small; others come in the order in which they explain the most of
    /// what is left. There are none when no walk failed, or when all did and so no option makes a difference.
    pub(crate) causes: Vec<Cause>,
    /// How many more sets are shared and as small.
    pub(crate) others: usize,
    /// How many failing walks have none of the causes.
    pub(crate) unexplained: usize,
}

/// Returns the causes of failures that results show.
pub(crate) fn causes(walks: Walks<'_>) -> Causes {
    let tally = Tally::new(walks);
    let mut found = Causes { failed: tally.failed, passed: tally.passed, ..Causes::default() };
    if tally.failed == 0 || tally.passed == 0 {
        found.is_shared = true;
        return found;
    }
    let common = tally.choices(|choice| tally.failing.get(choice) == Some(&tally.failed));
    let mut references = [Reference::new(&tally, common)];
    see_passing(walks, &mut references);
    let (sets, all) = references[0].smallest();
    if !sets.is_empty() {
        found.is_shared = true;
        let cause = |choices: &Vec<Choice>| Cause { choices: choices.clone(), failed: tally.failed, passed: 0 };
        found.causes = sets.iter().take(MOST_GIVEN).map(cause).collect();
        found.others = all - found.causes.len();
        return found;
    }
    found.unexplained = tally.failed;
    single_options(walks, &tally, &mut found);
    let most = found.causes.len() + MOST_GIVEN;
    while found.unexplained > 0 && found.causes.len() < most {
        let Some(next) = next_cause(walks, &tally, &found) else { break };
        found.unexplained -= next.newly;
        found.causes.push(Cause { choices: next.choices, failed: next.failed, passed: 0 });
    }
    if found.unexplained > 0
        && let Some((cause, newly)) = likeliest(walks, &tally, &found)
    {
        found.unexplained -= newly;
        found.causes.push(cause);
    }
    found.is_shared = found.causes.len() == 1 && found.causes[0].failed == tally.failed;
    found
}

/// How often walks have each option.
#[derive(Default)]
struct Tally {
    failed: usize,
    passed: usize,
    failing: HashMap<Choice, usize>,
    passing: HashMap<Choice, usize>,
}

impl Tally {
    fn new(walks: Walks<'_>) -> Tally {
        let mut tally = Tally::default();
        walks(&mut |digits, failed| {
            let (count, options) = match failed {
                true => (&mut tally.failed, &mut tally.failing),
                false => (&mut tally.passed, &mut tally.passing),
            };
            *count += 1;
            for choice in chosen(digits) {
                *options.entry(choice).or_default() += 1;
            }
        });
        tally
    }

    /// Returns the options of failing walks for which something holds.
    fn choices(&self, holds: impl Fn(&Choice) -> bool) -> Vec<Choice> {
        self.failing.keys().filter(|choice| holds(choice)).copied().collect()
    }

    /// Returns how many passing walks have an option.
    fn passed(&self, choice: Choice) -> usize {
        self.passing.get(&choice).copied().unwrap_or(0)
    }
}

/// Some options, and in which ways passing walks have some of them.
struct Reference {
    /// The options, those first that fewest passing walks have.
    choices: Vec<Choice>,
    /// How many options there were at first.
    whole: usize,
    masks: HashSet<u128>,
}

impl Reference {
    fn new(tally: &Tally, mut choices: Vec<Choice>) -> Reference {
        choices.sort_unstable_by_key(|choice| (tally.passed(*choice), *choice));
        let whole = choices.len();
        choices.truncate(128);
        Reference { choices, whole, masks: HashSet::new() }
    }

    /// Takes note of a passing walk.
    fn see(&mut self, digits: &[u32]) {
        self.masks.insert(mask(&self.choices, digits));
        while self.masks.len() > MOST_MASKS && self.choices.len() > 1 {
            // With fewer options fewer ways are left, and what is found is as true as before.
            self.choices.truncate(self.choices.len() * 3 / 4);
            let kept = (1 << self.choices.len()) - 1;
            self.masks = self.masks.iter().map(|mask| mask & kept).collect();
        }
    }

    /// Returns the smallest sets of the options that no passing walk has, as many as are to be compared, and how many
    /// there are.
    fn smallest(&self) -> (Vec<Vec<Choice>>, usize) {
        let words = self.masks.len().div_ceil(64);
        // For each option, which of the ways have it.
        let mut having = vec![vec![0_u64; words]; self.choices.len()];
        for (number, mask) in self.masks.iter().enumerate() {
            for (choice, having) in having.iter_mut().enumerate() {
                having[number / 64] |= u64::from(mask >> choice & 1 == 1) << (number % 64);
            }
        }
        for size in 1..=LARGEST.min(self.choices.len()) {
            let mut width = self.choices.len();
            while width > size && choose(width, size) > MOST_SETS {
                width -= 1;
            }
            let mut found = Found { sets: Vec::new(), all: 0 };
            pure(&having[..width], 0, size, &mut Vec::new(), None, &mut found);
            if found.all > 0 {
                let named = |set: Vec<usize>| {
                    let mut choices: Vec<Choice> = set.into_iter().map(|at| self.choices[at]).collect();
                    choices.sort_unstable();
                    choices
                };
                let mut sets: Vec<Vec<Choice>> = found.sets.into_iter().map(named).collect();
                sets.sort_unstable();
                return (sets, found.all);
            }
        }
        (Vec::new(), 0)
    }
}

/// Sets that no passing walk has, the first of them in full.
struct Found {
    sets: Vec<Vec<usize>>,
    all: usize,
}

/// Finds the sets of `size` more options, from `first` on, that nothing has together with those already chosen.
fn pure(
    having: &[Vec<u64>],
    first: usize,
    size: usize,
    chosen: &mut Vec<usize>,
    both: Option<&[u64]>,
    found: &mut Found,
) {
    for at in first..having.len() {
        let narrowed = || having[at].iter().zip(both.unwrap_or(&having[at])).map(|(one, other)| one & other);
        chosen.push(at);
        if size > 1 {
            let narrowed: Vec<u64> = narrowed().collect();
            pure(having, at + 1, size - 1, chosen, Some(&narrowed), found);
        } else if narrowed().all(|word| word == 0) {
            found.all += 1;
            if found.sets.len() < MOST_COMPARED {
                found.sets.push(chosen.clone());
            }
        }
        chosen.pop();
    }
}

/// Takes the options that no passing walk has, those first that most failing walks have, as far as each explains walks
/// that none before it does.
fn single_options(walks: Walks<'_>, tally: &Tally, found: &mut Causes) {
    let mut options = tally.choices(|choice| tally.passed(*choice) == 0);
    options.sort_unstable_by_key(|choice| (Reverse(tally.failing[choice]), *choice));
    options.truncate(MOST_SINGLE);
    let rank: HashMap<Choice, usize> = options.iter().enumerate().map(|(rank, choice)| (*choice, rank)).collect();
    let mut newly = vec![0; options.len()];
    if !options.is_empty() {
        walks(&mut |digits, failed| {
            let first = || chosen(digits).filter_map(|choice| rank.get(&choice)).min();
            if let Some(first) = failed.then(first).flatten() {
                newly[*first] += 1;
            }
        });
    }
    for (choice, newly) in options.into_iter().zip(newly).filter(|(_, newly)| *newly > 0) {
        found.unexplained -= newly;
        found.causes.push(Cause { choices: vec![choice], failed: tally.failing[&choice], passed: 0 });
    }
}

/// A set that explains some of what is left.
struct Next {
    choices: Vec<Choice>,
    failed: usize,
    newly: usize,
}

/// Returns the set without a passing walk that explains most failing walks that are not explained yet.
fn next_cause(walks: Walks<'_>, tally: &Tally, found: &Causes) -> Option<Next> {
    let mut references = Vec::new();
    let mut seen = 0;
    walks(&mut |digits, failed| {
        if failed && !is_explained(digits, found) {
            // Evenly spread over those that are left.
            let is_next = seen * REFERENCES / found.unexplained >= references.len();
            if is_next && references.len() < REFERENCES {
                references.push(Reference::new(tally, chosen(digits).collect()));
            }
            seen += 1;
        }
    });
    see_passing(walks, &mut references);
    // All options of a walk say no more of it than that it failed.
    let smallest = |reference: &Reference| {
        let (sets, _) = reference.smallest();
        sets.into_iter().filter(|set| set.len() < reference.whole).collect::<Vec<_>>()
    };
    let mut sets: Vec<Vec<Choice>> = references.iter().flat_map(smallest).collect();
    sets.sort_unstable();
    sets.dedup();
    let mut counts = vec![(0, 0); sets.len()];
    walks(&mut |digits, failed| {
        if failed {
            let is_new = !is_explained(digits, found);
            for (set, (all, newly)) in sets.iter().zip(&mut counts) {
                if has(digits, set) {
                    *all += 1;
                    *newly += usize::from(is_new);
                }
            }
        }
    });
    let with_counts = sets.into_iter().zip(counts);
    let best = with_counts.min_by_key(|(set, (_, newly))| (Reverse(*newly), set.len(), set.clone()));
    best.map(|(choices, (failed, newly))| Next { choices, failed, newly })
}

/// Returns the option that most walks not explained yet have, though passing walks have it too, and how many walks it
/// newly explains. Failing walks must have it more often than chance would let them.
fn likeliest(walks: Walks<'_>, tally: &Tally, found: &Causes) -> Option<(Cause, usize)> {
    let mut left: HashMap<Choice, usize> = HashMap::new();
    walks(&mut |digits, failed| {
        if failed && !is_explained(digits, found) {
            for choice in chosen(digits) {
                *left.entry(choice).or_default() += 1;
            }
        }
    });
    let says_something = |choice: &Choice| {
        let (failed, passed) = (tally.failing[choice], tally.passed(*choice));
        chance(failed, tally.failed, failed + passed, tally.failed + tally.passed) * ratio(tally.failing.len(), 1)
            < BY_CHANCE
    };
    let (choice, newly) = left
        .into_iter()
        .filter(|(choice, _)| says_something(choice))
        .min_by_key(|(choice, newly)| (Reverse(*newly), tally.passed(*choice), *choice))?;
    let cause = Cause { choices: vec![choice], failed: tally.failing[&choice], passed: tally.passed(choice) };
    Some((cause, newly))
}

/// Returns a bound of how likely it is that as many of the failing walks have an option by chance alone, when so many of
/// all walks have it (Chernoff).
fn chance(failed: usize, of_failed: usize, having: usize, of_all: usize) -> f64 {
    let (seen, expected) = (ratio(failed, of_failed), ratio(having, of_all));
    if seen <= expected {
        return 1.0;
    }
    let part = |seen: f64, expected: f64| if seen > 0.0 { seen * (seen / expected).ln() } else { 0.0 };
    let divergence = part(seen, expected) + part(1.0 - seen, 1.0 - expected);
    (-ratio(of_failed, 1) * divergence).exp()
}

#[expect(clippy::cast_precision_loss, reason = "numbers of walks are far below 2^52")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

fn see_passing(walks: Walks<'_>, references: &mut [Reference]) {
    walks(&mut |digits, failed| {
        for reference in references.iter_mut().filter(|_| !failed) {
            reference.see(digits);
        }
    });
}

/// Returns the options that a walk has.
fn chosen(digits: &[u32]) -> impl Iterator<Item = Choice> + '_ {
    digits.iter().copied().enumerate().filter(|(_, digit)| *digit != NONE)
}

fn has(digits: &[u32], choices: &[Choice]) -> bool {
    choices.iter().all(|(factor, option)| digits.get(*factor) == Some(option))
}

fn is_explained(digits: &[u32], found: &Causes) -> bool {
    found.causes.iter().any(|cause| has(digits, &cause.choices))
}

/// Returns which of the options a walk has, a bit each.
fn mask(choices: &[Choice], digits: &[u32]) -> u128 {
    let bit = |(at, choice): (usize, &Choice)| u128::from(has(digits, std::slice::from_ref(choice))) << at;
    choices.iter().enumerate().map(bit).fold(0, |mask, bit| mask | bit)
}

/// Returns in how many ways `size` of `width` things can be chosen.
fn choose(width: usize, size: usize) -> usize {
    (0..size).fold(1, |ways, at| ways * (width - at) / (at + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the causes of the walks of all options of which some fail.
    fn found(counts: &[u32], fails: impl Fn(&[u32]) -> bool) -> Causes {
        let walks = counts.iter().fold(vec![Vec::new()], |walks: Vec<Vec<u32>>, count| {
            walks.iter().flat_map(|walk| (0..*count).map(move |digit| [&walk[..], &[digit]].concat())).collect()
        });
        causes(&|see| walks.iter().for_each(|walk| see(walk, fails(walk))))
    }

    fn shared(choices: &[Choice], failed: usize, passed: usize) -> Causes {
        let cause = Cause { choices: choices.to_vec(), failed, passed: 0 };
        Causes { failed, passed, is_shared: true, causes: vec![cause], others: 0, unexplained: 0 }
    }

    #[test]
    fn the_smallest_shared_set_is_found() {
        assert_eq!(found(&[3, 3, 3], |walk| walk[1] == 2), shared(&[(1, 2)], 9, 18));
        assert_eq!(found(&[3, 3, 3, 2], |walk| walk[1] == 2 && walk[3] == 0), shared(&[(1, 2), (3, 0)], 9, 45));
        let three = found(&[2, 3, 2, 2, 2], |walk| walk[0] == 1 && walk[1] == 2 && walk[4] == 0);
        assert_eq!(three, shared(&[(0, 1), (1, 2), (4, 0)], 4, 44));
    }

    #[test]
    fn without_failing_or_passing_walks_nothing_is_said() {
        let empty = Causes { is_shared: true, ..Causes::default() };
        assert_eq!(found(&[2, 2], |_| true), Causes { failed: 4, ..empty.clone() });
        assert_eq!(found(&[2, 2], |_| false), Causes { passed: 4, ..empty.clone() });
        assert_eq!(causes(&|_| {}), empty);
    }

    #[test]
    fn two_reasons_are_given_together_the_larger_first() {
        let causes = found(&[3, 3, 3, 4], |walk| walk[0] == 2 || walk[1] == 1 && walk[3] == 3);
        let expected = vec![
            Cause { choices: vec![(0, 2)], failed: 36, passed: 0 },
            Cause { choices: vec![(1, 1), (3, 3)], failed: 9, passed: 0 },
        ];
        assert_eq!((causes.causes, causes.unexplained, causes.is_shared), (expected, 0, false));
    }

    #[test]
    fn a_single_failing_walk_has_several_sets_and_the_rest_is_counted() {
        let walks: [[u32; 12]; 2] = [[1; 12], [0; 12]];
        let causes = causes(&|see| walks.iter().for_each(|walk| see(walk, walk[0] == 1)));
        assert!(causes.is_shared);
        assert_eq!((causes.causes.len(), causes.others), (MOST_GIVEN, 4));
        assert!(causes.causes.iter().all(|cause| cause.choices.len() == 1 && cause.passed == 0));
    }

    #[test]
    fn a_failure_by_chance_names_what_makes_it_likelier_and_who_passed_with_it() {
        // Every second walk with the one option fails, by what else is not seen.
        let walks: Vec<([u32; 2], bool)> =
            (0..60).map(|number| ([number % 3, number / 3 % 2], number % 3 == 1 && number / 6 % 2 == 0)).collect();
        let causes = causes(&|see| walks.iter().for_each(|(walk, failed)| see(walk, *failed)));
        assert_eq!(causes.causes, [Cause { choices: vec![(0, 1)], failed: 10, passed: 10 }]);
        assert_eq!((causes.is_shared, causes.unexplained), (true, 0));
    }

    #[test]
    fn many_options_that_always_fail_are_all_given() {
        let causes = found(&[40, 5], |walk| walk[0] % 2 == 1 || walk == [4, 2]);
        let always: Vec<Choice> = causes.causes.iter().flat_map(|cause| cause.choices.clone()).collect();
        let expected: Vec<Choice> = (0..20).map(|at| (0, at * 2 + 1)).collect();
        assert_eq!(always, expected);
        assert_eq!((causes.is_shared, causes.unexplained), (false, 1), "the one walk has nothing but itself");
    }

    #[test]
    fn failures_that_no_option_explains_stay_unexplained() {
        let walks = [([0], true), ([0], false), ([1], true), ([1], false)];
        let causes = causes(&|see| walks.iter().for_each(|(walk, failed)| see(walk, *failed)));
        assert_eq!((causes.causes.len(), causes.unexplained), (0, 2));
    }

    #[test]
    fn an_action_that_is_not_in_a_walk_is_no_option_of_it() {
        let walks = [([NONE, 0], true), ([NONE, 1], true), ([0, 0], false), ([0, 1], false)];
        let causes = causes(&|see| walks.iter().for_each(|(walk, failed)| see(walk, *failed)));
        assert_eq!((causes.causes.len(), causes.unexplained), (0, 2));
    }

    #[test]
    fn hundreds_of_actions_and_a_hundred_thousand_walks_come_to_an_end() {
        let digit = |walk: u32, factor: u32| walk.wrapping_mul(2_654_435_761).rotate_left(factor % 31) / 7 % 3;
        let walk = |number: u32| (0..150).map(|factor| digit(number * 151 + factor, factor)).collect::<Vec<u32>>();
        let fails = |walk: &[u32]| walk[149] == 2 && walk[77] == 1;
        let causes = causes(&|see| {
            for number in 0..2_000 {
                let walk = walk(number);
                see(&walk, fails(&walk));
            }
        });
        assert_eq!(causes.causes[0].choices, [(77, 1), (149, 2)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_said_is_true(walks in prop::collection::vec((prop::collection::vec(0_u32..3, 4), any::<bool>()), 0..40)) {
            let causes = causes(&|see| walks.iter().for_each(|(walk, failed)| see(walk, *failed)));
            let count = |choices: &[Choice], of: bool| {
                walks.iter().filter(|(walk, failed)| *failed == of && has(walk, choices)).count()
            };
            prop_assert_eq!((causes.failed, causes.passed), (count(&[], true), count(&[], false)));
            for cause in &causes.causes {
                prop_assert_eq!((cause.failed, cause.passed), (count(&cause.choices, true), count(&cause.choices, false)));
                prop_assert!(!causes.is_shared || cause.failed == causes.failed);
            }
            let explained = |walk: &[u32]| causes.causes.iter().any(|cause| has(walk, &cause.choices));
            if causes.passed > 0 {
                let unexplained = walks.iter().filter(|(walk, failed)| *failed && !explained(walk)).count();
                prop_assert_eq!(unexplained, causes.unexplained);
            }
            // No smaller set is shared by all failing walks and by no passing one.
            let first = walks.iter().find(|(_, failed)| *failed).filter(|_| causes.passed > 0);
            let smallest = first.and_then(|(walk, _)| {
                let subsets = (1_u32..16).map(|bits| chosen(walk).filter(|(at, _)| bits >> at & 1 == 1).collect::<Vec<_>>());
                subsets.filter(|set| count(set, true) == causes.failed && count(set, false) == 0).map(|set| set.len()).min()
            });
            if let Some(smallest) = smallest {
                prop_assert!(causes.is_shared);
                prop_assert_eq!(causes.causes[0].choices.len(), smallest);
            }
        }
    }
}
