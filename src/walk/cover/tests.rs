//! Covers, compared with all walks there are.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use proptest::prelude::*;

use super::rules::Allowed;
use super::*;

/// Options that cannot be together: actions with their options.
type Forbidden = Vec<(usize, u32)>;

fn forbids(forbidden: &[Forbidden], walk: &[Option<u32>]) -> bool {
    forbidden.iter().any(|options| options.iter().all(|(factor, option)| walk[*factor] == Some(*option)))
}

fn plain(counts: &[usize], strength: usize) -> Factors {
    Factors { counts: counts.to_vec(), strength, ..Factors::default() }
}

fn free(factors: &Factors) -> Rows {
    within::<Infallible>(factors, Vec::new(), None, &mut |_, _| false).unwrap()
}

/// Makes rows with what is known and what is asked of the constraints.
fn within<E>(
    factors: &Factors,
    clauses: Vec<Clause>,
    ask: Option<Allowed<'_, E>>,
    keep_going: &mut dyn FnMut(u64, usize) -> bool,
) -> Result<Rows, Error<E>> {
    rows(factors, &mut Constraints { clauses, ask }, &mut Patience { keep_going, give_up: &mut || false })
}

fn asked<E>(factors: &Factors, ask: Allowed<'_, E>) -> Result<Rows, Error<E>> {
    within(factors, Vec::new(), Some(ask), &mut |_, _| false)
}

fn with(factors: &Factors, forbidden: &[Forbidden]) -> Result<Rows, Error<Infallible>> {
    asked(factors, &mut |walk| Ok(!forbids(forbidden, walk)))
}

/// The same where the constraints are known and nobody has to be asked.
fn knowing(factors: &Factors, forbidden: &[Forbidden]) -> Result<Rows, Error<Infallible>> {
    let clauses = forbidden.iter().map(|options| Clause::without(options, &factors.counts));
    within(factors, clauses.collect(), None, &mut |_, _| false)
}

/// Returns all walks there are.
fn all(counts: &[usize]) -> Vec<Vec<u32>> {
    counts.iter().fold(vec![Vec::new()], |walks, count| {
        let longer = |walk: &Vec<u32>| {
            let walk = walk.clone();
            (0..u32::try_from(*count).unwrap()).map(move |option| [walk.clone(), vec![option]].concat())
        };
        walks.iter().flat_map(longer).collect()
    })
}

fn invalid_in(factors: &Factors, walk: &[u32]) -> Vec<usize> {
    (0..walk.len()).filter(|at| factors.is_invalid(*at, walk[*at])).collect()
}

/// Returns the combinations that walks contain, found by looking at every subset of actions.
fn contained(factors: &Factors, walks: &[Vec<u32>]) -> BTreeSet<Vec<(usize, u32)>> {
    let width = factors.counts.len();
    let mut found = BTreeSet::new();
    for subset in 1_u32..1 << width {
        let columns: Vec<usize> = (0..width).filter(|at| subset >> at & 1 == 1).collect();
        let is_wanted = columns.len() == factors.strength
            || factors
                .mixed
                .iter()
                .any(|(of, t)| columns.len() == *t && columns.iter().all(|column| of.contains(column)));
        if !is_wanted {
            continue;
        }
        for walk in walks {
            if invalid_in(factors, walk).iter().all(|at| columns.contains(at)) {
                found.insert(columns.iter().map(|at| (*at, walk[*at])).collect());
            }
        }
    }
    found
}

/// Checks rows against all walks there are.
fn check(factors: &Factors, forbidden: &[Forbidden], made: &Rows) {
    let is_allowed = |walk: &Vec<u32>| {
        let whole: Vec<Option<u32>> = walk.iter().copied().map(Some).collect();
        !forbids(forbidden, &whole) && invalid_in(factors, walk).len() < 2
    };
    let mut walks = all(&factors.counts);
    let everything = walks.len();
    walks.retain(is_allowed);
    assert!(
        made.rows.iter().all(|row| walks.contains(row)),
        "of {everything} walks {made:?} has one that is forbidden"
    );
    let expected = contained(factors, &walks);
    assert_eq!(contained(factors, &made.rows), expected);
    assert_eq!((made.tuples.covered, made.tuples.allowed), (expected.len(), expected.len()));
}

#[test]
fn sizes_are_those_that_are_promised() {
    // (options, actions, strength, most rows, combinations)
    let table = [
        (3, 4, 2, 9, 54),
        (3, 10, 2, 16, 405),
        (3, 13, 2, 17, 702),
        (2, 10, 2, 8, 180),
        (5, 10, 2, 42, 1125),
        (10, 10, 2, 120, 4500),
        (20, 3, 2, 400, 1200),
        (3, 4, 3, 27, 108),
        (3, 10, 3, 60, 3240),
        (7, 2, 2, 49, 49),
        (4, 3, 1, 4, 12),
        (1, 5, 2, 1, 10),
    ];
    for (options, actions, strength, most, combinations) in table {
        let made = free(&plain(&vec![options; actions], strength));
        assert!(made.rows.len() <= most, "{options}^{actions} at {strength} takes {} rows", made.rows.len());
        assert_eq!(made.tuples, Tuples { covered: combinations, allowed: combinations, forbidden: 0 });
    }
}

#[test]
fn a_seed_means_the_same_in_every_release() {
    let made = free(&Factors { seed: 7, ..plain(&[2, 2, 2, 2], 2) });
    assert_eq!(
        made.rows,
        [[0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 0, 1], [1, 0, 1, 1], [0, 1, 1, 1]],
        "the rows of a seed have changed"
    );
}

#[test]
fn the_same_seed_gives_the_same_rows_and_more_time_no_more_of_them() {
    let factors = plain(&[3, 3, 3, 3, 2, 2, 4], 2);
    assert_eq!(free(&factors), free(&factors));
    let mut sizes = BTreeMap::new();
    for steps in [0, 3, 3, 10] {
        let mut left = steps;
        let mut go = |_: u64, _: usize| {
            left -= i32::from(left > 0);
            left > 0
        };
        let made = within::<Infallible>(&factors, Vec::new(), None, &mut go).unwrap();
        let before = sizes.insert(steps, made.clone());
        assert!(before.is_none_or(|before| before == made));
    }
    let sizes: Vec<usize> = sizes.values().map(|made| made.rows.len()).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
    let others: BTreeSet<_> = (0..4).map(|seed| free(&Factors { seed, ..factors.clone() }).rows).collect();
    assert!(others.len() > 1, "the seed does not matter");
}

#[test]
fn what_follows_from_several_constraints_is_forbidden() {
    // 0=0 needs 1=0, 1=0 needs 2=0, and 3=0 needs 2=1: so 0=0 never meets 3=0.
    let forbidden = vec![vec![(0, 0), (1, 1)], vec![(1, 0), (2, 1)], vec![(3, 0), (2, 0)]];
    let factors = plain(&[2, 2, 2, 2, 3], 2);
    let made = with(&factors, &forbidden).unwrap();
    check(&factors, &forbidden, &made);
    assert_eq!(made.tuples.forbidden, 6, "the three, 0=0 with 2=1, 0=0 with 3=0 and 1=0 with 3=0");
}

#[test]
fn seeds_that_differ_in_one_bit_give_other_rows() {
    let rows = |seed| free(&Factors { seed, ..plain(&[3, 3, 3, 2, 2, 4], 2) }).rows;
    assert!((0..8).all(|seed| rows(2 * seed) != rows(2 * seed + 1)));
}

#[test]
fn models_of_the_literature_are_covered_whatever_their_product() {
    let counts =
        |parts: &[(usize, usize)]| parts.iter().flat_map(|(options, many)| vec![*options; *many]).collect::<Vec<_>>();
    // The shapes of SPIN-V, GCC, Apache and Bugzilla: options, how many of what is forbidden, and the most rows.
    let table = [
        (counts(&[(4, 11), (3, 2), (2, 42)]), counts(&[(2, 47), (3, 2)]), 42),
        (counts(&[(3, 10), (2, 189)]), counts(&[(2, 37), (3, 3)]), 28),
        (counts(&[(6, 1), (5, 1), (4, 4), (3, 8), (2, 158)]), counts(&[(2, 3), (3, 1), (4, 2), (5, 1)]), 44),
        (counts(&[(4, 2), (3, 1), (2, 49)]), counts(&[(2, 4), (3, 1)]), 24),
    ];
    for (counts, sizes, most) in table {
        let mut numbers = random::Chance::new(5, 0);
        let mut forbidden = Vec::new();
        for size in sizes {
            let mut options = Forbidden::new();
            while options.len() < size {
                let factor = numbers.index(counts.len());
                if options.iter().all(|(other, _)| *other != factor) {
                    options.push((factor, u32::try_from(numbers.index(counts[factor])).unwrap()));
                }
            }
            forbidden.push(options);
        }
        let made = knowing(&plain(&counts, 2), &forbidden).unwrap();
        assert!(made.rows.len() <= most, "{} rows", made.rows.len());
        assert!(made.undecided.is_empty() && made.left == 0);
    }
}

#[test]
fn an_option_that_no_walk_has_is_named() {
    let made = knowing(&plain(&[2, 3, 2], 2), &[vec![(1, 2)], vec![(0, 0), (2, 0)], vec![(0, 0), (2, 1)]]).unwrap();
    assert_eq!(made.impossible, [(0, 0), (1, 2)]);
}

#[test]
fn what_there_is_no_time_for_is_left_and_counted() {
    let factors = plain(&[4; 10], 2);
    let mut asked = 0;
    let mut give_up = || {
        asked += 1;
        asked > 10
    };
    let clauses = vec![Clause::without(&[(0, 0), (1, 0)], &factors.counts)];
    let mut constraints: Constraints<'_, Infallible> = Constraints { clauses, ask: None };
    let mut patience = Patience { keep_going: &mut |_, _| true, give_up: &mut give_up };
    let made = rows(&factors, &mut constraints, &mut patience).unwrap();
    assert!(made.left > 0 && !made.rows.is_empty(), "{made:?}");
    assert!(made.left + made.tuples.covered >= 45 * 16 - 1, "{:?} and {}", made.tuples, made.left);
}

#[test]
fn a_constraint_that_only_knows_whole_walks_holds_as_well() {
    let factors = plain(&[3, 3, 3, 3], 2);
    let mut even = |walk: &[Option<u32>]| -> Result<bool, Infallible> {
        Ok(walk.iter().copied().collect::<Option<Vec<u32>>>().is_none_or(|walk| walk.iter().sum::<u32>() % 2 == 0))
    };
    let made = asked(&factors, &mut even).unwrap();
    assert!(made.rows.iter().all(|row| row.iter().sum::<u32>() % 2 == 0));
    assert_eq!(made.tuples, Tuples { covered: 54, allowed: 54, forbidden: 0 });
}

#[test]
fn a_file_system_with_constraints_is_covered() {
    // PICT's own example: type, size, format, file system, cluster, compression.
    let factors = plain(&[7, 6, 2, 3, 8, 2], 2);
    let mut allowed = |walk: &[Option<u32>]| -> Result<bool, Infallible> {
        let at = |factor: usize, option: u32| walk[factor] == Some(option);
        let is_large = walk[1].is_some_and(|size| size > 3);
        let is_compressed = walk[3].is_some_and(|system| system != 2) && at(5, 0);
        Ok(!(at(3, 0) && is_large || at(3, 1) && walk[1] == Some(5) || is_compressed))
    };
    let made = asked(&factors, &mut allowed).unwrap();
    assert!(made.rows.len() <= 56 + 4, "{} rows, and 56 are needed", made.rows.len());
    assert_eq!(made.tuples.forbidden, 2 + 1 + 2, "sizes with file systems, and those with compression");
}

#[test]
fn an_invalid_value_meets_every_valid_one_and_no_other_invalid_one() {
    let invalid = vec![vec![false, false, true], vec![false, false], vec![true, false, false, true]];
    let factors = Factors { invalid, ..plain(&[3, 2, 4], 2) };
    let made = free(&factors);
    check(&factors, &[], &made);
    let first = made.rows.iter().position(|row| !invalid_in(&factors, row).is_empty()).unwrap();
    assert!(made.rows[first..].iter().all(|row| invalid_in(&factors, row).len() == 1), "valid rows come first");
    assert_eq!(made.tuples.forbidden, 2, "an invalid value with each of two others");
}

#[test]
fn rows_of_the_seed_stay_and_bad_ones_are_warned_of() {
    let row = |options: [i64; 4]| options.iter().map(|option| u32::try_from(*option).ok()).collect::<Vec<_>>();
    let factors = Factors {
        seed_rows: vec![
            row([0, 0, -1, -1]),
            vec![Some(0)],
            row([2, 2, 2, 2]),
            row([0, 9, 0, 0]),
            row([1, 1, -1, -1]),
            row([-1, -1, -1, -1]),
            row([3, 0, -1, 3]),
            row([3, 2, -1, -1]),
        ],
        invalid: vec![vec![false, false, false, true], vec![false; 3], vec![false; 3], vec![false, false, false, true]],
        ..plain(&[4, 3, 3, 4], 2)
    };
    let forbidden = vec![vec![(0, 1), (1, 1)]];
    let made = with(&factors, &forbidden).unwrap();
    check(&factors, &forbidden, &made);
    let warnings = [
        Warning::Length { row: 1, length: 1 },
        Warning::Unknown { row: 3, factor: 1, option: 9 },
        Warning::Forbidden { row: 4 },
        Warning::Invalid { row: 6, factors: [0, 3] },
    ];
    assert_eq!(made.warnings, warnings);
    assert_eq!(made.rows[0][..2], [0, 0]);
    assert_eq!(made.rows[1], [2, 2, 2, 2]);
    assert_eq!(made.rows[3][..2], [3, 2]);
}

#[test]
fn a_heavier_option_stands_where_any_would_do() {
    let mut factors = plain(&[5, 5, 3], 2);
    factors.weights = vec![vec![1; 5], vec![1; 5], vec![1, 1, 10]];
    let made = free(&factors);
    check(&factors, &[], &made);
    let heavy = made.rows.iter().filter(|row| row[2] == 2).count();
    assert_eq!((made.rows.len(), heavy), (25, 15), "each of the others is needed five times");
}

#[test]
fn a_mixed_strength_covers_its_actions_more_densely() {
    let factors = Factors { mixed: vec![(vec![4, 0, 2], 3), (vec![1, 3], 1)], ..plain(&[2, 3, 2, 3, 4], 2) };
    let made = free(&factors);
    check(&factors, &[], &made);
    assert_eq!(made.rows.len(), 16);
}

#[test]
fn what_cannot_be_is_refused_with_its_reason() {
    let fails = |factors: Factors, allowed: bool| {
        let error = asked(&factors, &mut |_| if allowed { Ok(true) } else { Err("line 3") }).unwrap_err();
        error.to_string()
    };
    let base = plain(&[2, 2, 2], 2);
    let table = [
        (plain(&[2, 2, 2], 4), "a strength of 4 needs 4 actions, and there are 3"),
        (plain(&[2, 2, 2], 0), "a strength of 0 covers nothing; 2 covers all pairs"),
        (plain(&[], 1), "a strength of 1 needs 1 actions, and there are 0"),
        (plain(&[2, 0], 2), "action 1 has no options"),
        (
            plain(&[1000; 1000], 3),
            "166167000000000000 combinations would have to be covered, which takes 178277897057 MiB of memory; \
             at most 256 MiB are used",
        ),
        (
            Factors { mixed: vec![(vec![0, 1], 3)], ..base.clone() },
            "the strength 3 of the mixed strength 0 does not go with its 2 actions",
        ),
        (
            Factors { mixed: vec![(vec![0, 1, 7], 2)], ..base.clone() },
            "the mixed strength 0 names action 7, which is not there or named twice",
        ),
        (
            Factors { mixed: vec![(vec![1, 0, 1], 2)], ..base.clone() },
            "the mixed strength 0 names action 1, which is not there or named twice",
        ),
        (
            Factors { invalid: vec![vec![false; 2], vec![true; 2]], ..base.clone() },
            "action 1 has only invalid values: no walk could be valid",
        ),
        (Factors { weights: vec![vec![1]], ..base.clone() }, "weights of action 0 are 1 for 2 options"),
    ];
    for (factors, expected) in table {
        assert_eq!(fails(factors, true), expected);
    }
    assert_eq!(fails(base, false), "line 3");
}

#[test]
fn constraints_that_allow_nothing_are_found_out() {
    let factors = plain(&[2, 2, 2], 2);
    // All four combinations of the first two, each forbidden by another reason.
    let forbidden = vec![vec![(0, 0), (1, 0)], vec![(0, 0), (1, 1)], vec![(0, 1), (2, 0)], vec![(0, 1), (2, 1)]];
    assert!(matches!(with(&factors, &forbidden), Err(Error::Unsatisfiable)));
}

#[test]
fn constraints_that_never_say_no_in_time_are_given_up() {
    let factors = plain(&[4; 20], 2);
    let mut times = 0_u64;
    let mut late = |walk: &[Option<u32>]| -> Result<bool, Infallible> {
        times += 1;
        Ok(walk.iter().any(Option::is_none))
    };
    assert!(matches!(asked(&factors, &mut late), Err(Error::Undecided)));
    assert!(times < 5_000_000, "{times}");
}

#[test]
fn constraints_that_contradict_themselves_are_found_out() {
    // Forbids a part of what it allows: an equality that does not wait for both sides.
    let mut equal = |walk: &[Option<u32>]| -> Result<bool, Infallible> { Ok(walk[0] == walk[1] || walk[2] == Some(1)) };
    let answer = asked(&plain(&[2, 2, 2], 2), &mut equal);
    assert!(matches!(answer, Err(Error::Fickle { .. })), "{answer:?}");
}

#[test]
fn what_walks_cover_is_counted_by_outcome() {
    let factors = plain(&[2, 2, 2], 2);
    let mut measure = measure(&factors).unwrap();
    measure.add(&[0, 0, 0], Ran::Passed);
    measure.add(&[0, 0, 1], Ran::Failed);
    measure.add(&[1, 1, 1], Ran::NotRun);
    let forbidden = vec![vec![(0, 1), (1, 0)]];
    let mut ask = |walk: &[Option<u32>]| Ok::<_, Infallible>(!forbids(&forbidden, walk));
    let mut constraints = Constraints { clauses: Vec::new(), ask: Some(&mut ask) };
    let (coverage, missing) = measure.coverage(&mut constraints).unwrap();
    let expected = Coverage { allowed: 11, forbidden: 1, covered: 8, passed: 3, failed: 3, not_run: 3 };
    assert_eq!(coverage, expected);
    assert_eq!(missing.first(), Some(&vec![Some(0), Some(1), None]));
}

fn models() -> impl Strategy<Value = (Factors, Vec<Forbidden>)> {
    let counts = prop::collection::vec(1_usize..=4, 2..=5);
    let model = counts.prop_flat_map(|counts| {
        let width = counts.len();
        let option = (0..width, 0_u32..4);
        let forbidden = prop::collection::vec(prop::collection::vec(option, 1..=3), 0..=5);
        let invalid = counts.iter().map(|count| prop::collection::vec(prop::bool::weighted(0.15), *count));
        let seeds = counts.iter().map(|_| prop::option::of(0_u32..4)).collect::<Vec<_>>();
        let mixed = prop::collection::vec(
            (prop::sample::subsequence((0..width).collect::<Vec<_>>(), 1..=width), 1_usize..=3),
            0..=1,
        );
        (
            Just(counts.clone()),
            1..=width.min(3),
            invalid.collect::<Vec<_>>(),
            prop::collection::vec(seeds, 0..=2),
            (mixed, forbidden, any::<u64>()),
        )
    });
    model.prop_map(|(counts, strength, mut invalid, seed_rows, (mut mixed, forbidden, seed))| {
        // At least one option of each action is a valid one.
        for values in &mut invalid {
            values[0] = false;
        }
        for (columns, strength) in &mut mixed {
            *strength = (*strength).min(columns.len());
        }
        (Factors { counts, strength, mixed, invalid, seed_rows, seed, weights: Vec::new() }, forbidden)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_model_is_covered_or_refused((factors, forbidden) in models()) {
        for made in [with(&factors, &forbidden), knowing(&factors, &forbidden)] {
            match made {
            Ok(made) => check(&factors, &forbidden, &made),
            Err(Error::Unsatisfiable) => {
                let any = all(&factors.counts).into_iter().any(|walk| {
                    let whole: Vec<Option<u32>> = walk.iter().copied().map(Some).collect();
                    !forbids(&forbidden, &whole) && invalid_in(&factors, &walk).is_empty()
                });
                prop_assert!(!any, "there is a valid walk");
            }
            Err(error) => prop_assert!(false, "{error}"),
            }
        }
    }
}
