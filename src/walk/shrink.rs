//! Makes a failing walk short: proposes shorter and simpler ones, is told which still fail, and ends with one from which
//! nothing can be left out and in which no option can be an earlier one.
//!
//! It runs nothing: the caller takes a candidate from [`Shrink::next`], runs it, and gives the [`Shrink::answer`]. It
//! serves walks in the order of actions as well as those of a machine, which are of any length: a step is a rule, or an
//! action, with an option. A candidate that is not allowed (a precondition that does not hold, a constraint) does not
//! fail: the answer is `false`.
//!
//! A walk is simpler than another when it has fewer steps or, with as many, an earlier option at the first difference.
//! First parts are left out, large ones before small ones and the end before the beginning (delta debugging, Zeller and
//! Hildebrandt 2002); then options are replaced by earlier ones, from the beginning on; then two steps at a time are left
//! out of a walk that is short by now. This is done over again until nothing changes.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The most steps of a walk of which two at a time are left out.
const MOST_PAIRED: usize = 16;

/// How many of the first options are tried one after the other. Behind them the interval is halved, which finds the first
/// failing option if all behind it fail as well.
const TRIED_IN_ORDER: u32 = 16;

/// A step of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Step {
    /// The index of the action, or of the rule of a machine.
    pub(crate) rule: usize,
    /// The index of its option.
    pub(crate) option: u32,
    /// Whether it may be left out. The caller decides; serial actions usually may not.
    pub(crate) may_go: bool,
    /// Whether it may have another option.
    pub(crate) may_change: bool,
}

/// What is tried next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// To leave out `size` steps before `end`.
    Part { size: usize, end: usize },
    /// To give the step at `at` the option `option`, which is earlier than its own; those before it are known to pass.
    Simpler { at: usize, option: u32 },
    /// To leave out the steps at `first` and `second`.
    Pair { first: usize, second: usize },
    /// Nothing is left.
    Done,
}

/// A walk that is being made short.
#[derive(Clone, Debug)]
pub(crate) struct Shrink {
    best: Vec<Step>,
    candidate: Option<Vec<Step>>,
    phase: Phase,
    has_changed: bool,
    /// Walks that were run, by their hash: they may be long, and many.
    tried: HashSet<u64>,
    tries: usize,
    most_tries: usize,
}

impl Shrink {
    /// Starts from a walk that fails. At most `most_tries` candidates are proposed.
    pub(crate) fn new(walk: Vec<Step>, most_tries: usize) -> Shrink {
        let phase = Phase::Part { size: walk.len(), end: walk.len() };
        let tried = HashSet::from([hash(&walk)]);
        Shrink { best: walk, candidate: None, phase, has_changed: false, tried, tries: 0, most_tries }
    }

    /// Returns the next walk to run, or nothing at the end. Until it is answered it stays the same.
    pub(crate) fn next(&mut self) -> Option<&[Step]> {
        while self.candidate.is_none() && self.phase != Phase::Done {
            if let Some(candidate) = self.proposed().filter(|candidate| !self.tried.contains(&hash(candidate))) {
                if self.tries == self.most_tries {
                    return None;
                }
                self.tries += 1;
                self.tried.insert(hash(&candidate));
                self.candidate = Some(candidate);
            } else {
                self.advance(false);
            }
        }
        self.candidate.as_deref()
    }

    /// Takes note of whether the candidate still fails. Without one it does nothing.
    pub(crate) fn answer(&mut self, still_fails: bool) {
        let Some(candidate) = self.candidate.take() else { return };
        if still_fails {
            self.best = candidate;
            self.has_changed = true;
        }
        self.advance(still_fails);
    }

    /// Returns the simplest walk so far that fails.
    pub(crate) fn best(&self) -> &[Step] {
        &self.best
    }

    /// Returns how many walks were proposed.
    pub(crate) fn tries(&self) -> usize {
        self.tries
    }

    /// Returns the walk that the phase stands for, if it makes a difference.
    fn proposed(&self) -> Option<Vec<Step>> {
        let without = |goes: &dyn Fn(usize) -> bool| {
            let kept = self.best.iter().enumerate().filter(|(at, step)| !(goes(*at) && step.may_go));
            let kept: Vec<Step> = kept.map(|(_, step)| *step).collect();
            (kept.len() < self.best.len()).then_some(kept)
        };
        match self.phase {
            Phase::Part { size, end } => without(&|at| at < end && at + size >= end),
            Phase::Pair { first, second } => without(&|at| at == first || at == second),
            Phase::Simpler { at, option } => {
                let step = self.best.get(at).filter(|step| step.may_change && option < step.option)?;
                let mut simpler = self.best.clone();
                simpler[at] = Step { option, ..*step };
                Some(simpler)
            }
            Phase::Done => None,
        }
    }

    /// Goes on to what is tried after the present phase, given whether the best walk has just become what it stood for.
    fn advance(&mut self, has_failed: bool) {
        let length = self.best.len();
        self.phase = match self.phase {
            Phase::Part { size, end } => match end.saturating_sub(size.max(1)) {
                0 if size > 1 => Phase::Part { size: (size / 2).min(length.max(1)), end: length },
                0 => Phase::Simpler { at: 0, option: 0 },
                end => Phase::Part { size, end: end.min(length) },
            },
            Phase::Simpler { at, option } => self.simpler(at, option, has_failed),
            // What was left out may have kept other steps from being left out.
            Phase::Pair { .. } if has_failed => self.round(),
            Phase::Pair { first, second } if second + 1 < length => Phase::Pair { first, second: second + 1 },
            Phase::Pair { first, .. } if first + 2 < length => Phase::Pair { first: first + 1, second: first + 2 },
            Phase::Pair { .. } => self.round(),
            Phase::Done => Phase::Done,
        };
    }

    /// Returns what follows an option that was tried, or was not worth it.
    fn simpler(&mut self, at: usize, option: u32, has_failed: bool) -> Phase {
        let Some(own) = self.best.get(at).map(|step| step.option) else {
            return match self.best.len() {
                2..=MOST_PAIRED => Phase::Pair { first: 0, second: 1 },
                _ => self.round(),
            };
        };
        let next_step = Phase::Simpler { at: at + 1, option: 0 };
        let is_changeable = self.best[at].may_change;
        match has_failed {
            // All options before one of the first are known to pass.
            true if option < TRIED_IN_ORDER => next_step,
            true => {
                let middle = TRIED_IN_ORDER + (own - TRIED_IN_ORDER) / 2;
                if middle < own { Phase::Simpler { at, option: middle } } else { next_step }
            }
            false if !is_changeable || option + 1 >= own => next_step,
            false if option + 1 < TRIED_IN_ORDER => Phase::Simpler { at, option: option + 1 },
            // The first failing one is in the half behind this option.
            false => Phase::Simpler { at, option: option + 1 + (own - option - 1) / 2 },
        }
    }

    /// Returns the start of another round if this one has changed anything.
    fn round(&mut self) -> Phase {
        match std::mem::take(&mut self.has_changed) {
            true => Phase::Part { size: self.best.len(), end: self.best.len() },
            false => Phase::Done,
        }
    }
}

/// Returns a number that walks which run the same have in common.
fn hash(walk: &[Step]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for step in walk {
        (step.rule, step.option).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn free(steps: &[(usize, u32)]) -> Vec<Step> {
        steps
            .iter()
            .map(|(rule, option)| Step { rule: *rule, option: *option, may_go: true, may_change: true })
            .collect()
    }

    fn name(walk: &[Step]) -> Vec<(usize, u32)> {
        walk.iter().map(|step| (step.rule, step.option)).collect()
    }

    /// Shrinks until the end, and returns the walk and the number of runs it took.
    fn shrunk(walk: Vec<Step>, fails: impl Fn(&[(usize, u32)]) -> bool) -> (Vec<(usize, u32)>, usize) {
        let mut shrink = Shrink::new(walk, 100_000);
        let mut seen = HashSet::new();
        while let Some(candidate) = shrink.next() {
            let candidate = name(candidate);
            assert!(seen.insert(candidate.clone()), "{candidate:?} is run twice");
            shrink.answer(fails(&candidate));
        }
        assert_eq!(shrink.phase, Phase::Done);
        assert_eq!(shrink.tries(), seen.len());
        (name(shrink.best()), shrink.tries())
    }

    /// Returns whether some steps are in a walk in this order, with others between them.
    fn holds(walk: &[(usize, u32)], wanted: &[(usize, u32)]) -> bool {
        let mut left = walk.iter();
        wanted.iter().all(|step| left.any(|other| other == step))
    }

    #[test]
    fn a_bug_that_needs_two_steps_is_found_among_many() {
        let walk: Vec<(usize, u32)> = (0..60_u32).map(|at| ((at % 3) as usize, at * 7 % 5)).collect();
        let wanted = [(0, 2), (1, 3)];
        assert!(holds(&walk, &wanted));
        let (best, tries) = shrunk(free(&walk), |walk| holds(walk, &wanted));
        assert_eq!(best, wanted);
        assert!(tries < 91, "{tries} runs, and Hypothesis takes 91 for such a bug");
    }

    #[test]
    fn known_cases_end_where_they_should() {
        type Case<'a> = (&'a [(usize, u32)], &'a dyn Fn(&[(usize, u32)]) -> bool, &'a [(usize, u32)]);
        let sum = |walk: &[(usize, u32)]| walk.iter().map(|(_, option)| option).sum::<u32>();
        let table: [Case<'_>; 8] = [
            (&[], &|_| true, &[]),
            (&[(0, 5), (1, 5)], &|_| true, &[]),
            (&[(0, 5), (1, 5)], &|_| false, &[(0, 5), (1, 5)]),
            // Only an open and its close can go together.
            (
                &[(0, 0), (1, 0), (2, 4)],
                &|walk| holds(walk, &[(0, 0)]) == holds(walk, &[(1, 0)]) && holds(walk, &[(2, 4)]),
                &[(2, 4)],
            ),
            (&[(0, 9), (1, 9), (2, 9)], &|walk| sum(walk) > 12, &[(0, 4), (1, 9)]),
            // An option among thousands, behind which everything fails.
            (&[(0, 90_000)], &|walk| walk.first().is_some_and(|(_, option)| *option >= 54_321), &[(0, 54_321)]),
            (&[(0, 16)], &|walk| !walk.is_empty(), &[(0, 0)]),
            // The second can only be left out once the first has another option.
            (
                &[(0, 1), (1, 1)],
                &|walk| walk == [(0, 1), (1, 1)] || walk == [(0, 0), (1, 1)] || walk == [(0, 0)],
                &[(0, 0)],
            ),
        ];
        for (walk, fails, expected) in table {
            assert_eq!(shrunk(free(walk), fails).0, expected, "{walk:?}");
        }
    }

    #[test]
    fn what_must_stay_stays() {
        let mut walk = free(&[(0, 3), (1, 3), (2, 3), (3, 3)]);
        walk[1].may_go = false;
        walk[1].may_change = false;
        walk[2].may_go = false;
        let (best, _) = shrunk(walk, |walk| holds(walk, &[(3, 3)]));
        assert_eq!(best, [(1, 3), (2, 0), (3, 3)]);
    }

    #[test]
    fn thousands_of_steps_take_few_runs() {
        let walk: Vec<(usize, u32)> = (0..5_000_u32).map(|at| ((at % 7) as usize, at)).collect();
        let wanted = [walk[17], walk[2_500], walk[4_998]];
        let mut fixed = free(&walk);
        for step in &mut fixed {
            step.may_change = false;
        }
        let (best, tries) = shrunk(fixed, |walk| holds(walk, &wanted));
        assert_eq!(best, wanted);
        assert!(tries < 150, "{tries}");
    }

    #[test]
    fn the_number_of_tries_is_kept_and_the_best_so_far_is_told() {
        let mut shrink = Shrink::new(free(&[(0, 0); 64]), 3);
        let mut tries = 0;
        while let Some(candidate) = shrink.next() {
            let length = candidate.len();
            assert_eq!(shrink.next().map(<[Step]>::len), Some(length), "until it is answered it stays the same");
            tries += 1;
            shrink.answer(length >= 10);
        }
        assert_eq!((tries, shrink.tries(), shrink.phase == Phase::Done, shrink.best().len()), (3, 3, false, 16));
        shrink.answer(true);
        assert_eq!(shrink.best().len(), 16, "an answer without a question is nothing");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_end_is_a_failing_walk_of_which_nothing_can_go(
            walk in prop::collection::vec((0_usize..3, 0_u32..4), 0..30),
            salt in any::<u32>(),
            one_in in 1_u32..6,
        ) {
            // A failure without any sense, but the same for the same walk.
            let whole = walk.clone();
            let fails = move |walk: &[(usize, u32)]| {
                let mix = |sum: u32, step: &(usize, u32)| {
                    (sum ^ (u32::try_from(step.0).unwrap() * 31 + step.1 + 1)).wrapping_mul(2_654_435_761).rotate_left(9)
                };
                walk == whole || walk.iter().fold(salt, mix) % one_in == 0
            };
            let (best, _) = shrunk(free(&walk), &fails);
            prop_assert!(fails(&best));
            for at in 0..best.len() {
                let mut shorter = best.clone();
                shorter.remove(at);
                prop_assert!(!fails(&shorter), "{:?} could be left out of {:?}", best[at], best);
                for option in 0..best[at].1 {
                    let mut simpler = best.clone();
                    simpler[at].1 = option;
                    prop_assert!(!fails(&simpler), "{:?} could be simpler", best);
                }
            }
        }

        #[test]
        fn steps_that_a_bug_needs_are_what_is_left(
            walk in prop::collection::vec((0_usize..4, 0_u32..6), 1..80),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 1..5),
        ) {
            let mut places: Vec<usize> = picks.iter().map(|pick| pick.index(walk.len())).collect();
            places.sort_unstable();
            places.dedup();
            let wanted: Vec<(usize, u32)> = places.iter().map(|at| walk[*at]).collect();
            let (best, _) = shrunk(free(&walk), |walk| holds(walk, &wanted));
            prop_assert_eq!(best, wanted);
        }
    }
}
