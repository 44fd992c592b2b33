//! Covers with a symmetry: a few rows, and all rows that permutations of the options make of them (Chateauneuf, Colbourn &
//! Kreher 1999; Meagher & Stevens 2005). Only one combination of each class has to be looked for.

use std::collections::BTreeSet;

use super::algebra::Field;
use super::space::Space;

/// The largest group that is used.
const LARGEST: usize = 400;

/// Permutations of the options, the same ones for every action, that make a group.
pub(super) struct Symmetry {
    members: Vec<Vec<u32>>,
    /// Options of which a row of nothing else belongs to every cover: there are few such rows, and they need not be found.
    constant: Vec<u32>,
    /// How many classes there are of the combinations of each set of actions.
    in_a_set: usize,
    pub(super) classes: Classes,
}

/// The class of every combination of a space: the least number of those that are alike.
pub(super) struct Classes(Vec<u32>);

impl Classes {
    #[inline]
    pub(super) fn of(&self, combination: usize) -> usize {
        self.0[combination] as usize
    }

    /// Puts a space together from what holds within each of its sets.
    fn new(space: &Space, within: &[Option<u32>]) -> Classes {
        let mut all = Vec::with_capacity(space.size);
        let free = number(space.size);
        for set in 0..space.sets() {
            let base = number(space.range(set).start);
            all.extend(within.iter().map(|least| least.map_or(free, |least| base + least)));
        }
        Classes(all)
    }
}

impl Symmetry {
    /// Returns the symmetries that are worth a search for actions which all have so many options.
    pub(super) fn all(options: u32, strength: usize, space: &Space) -> Vec<Symmetry> {
        let size = (0..strength).fold(1_usize, |size, _| size.saturating_mul(options as usize));
        let mut groups: Vec<Vec<Vec<u32>>> = Vec::new();
        for generators in generators(options) {
            if let Some(members) = group(options, &generators)
                && !groups.contains(&members)
            {
                groups.push(members);
            }
        }
        let symmetry = |members: Vec<Vec<u32>>| {
            let orbit = |option: u32| members.iter().map(|member| member[option as usize]).collect::<BTreeSet<u32>>();
            let constant: Vec<u32> = (0..options).filter(|option| orbit(*option).len() < members.len()).collect();
            let within = classes(options, strength, &members, &constant, size);
            let in_a_set = (0_usize..).zip(&within).filter(|(at, least)| **least == Some(number(*at))).count();
            Symmetry { members, constant, in_a_set, classes: Classes::new(space, &within) }
        };
        groups.into_iter().map(symmetry).collect()
    }

    /// Returns how many rows one stands for.
    pub(super) fn order(&self) -> usize {
        self.members.len()
    }

    /// Returns how many rows there are beside those that are made from others.
    pub(super) fn constants(&self) -> usize {
        self.constant.len()
    }

    /// Returns the fewest rows that can stand for a cover.
    pub(super) fn fewest(&self) -> usize {
        self.in_a_set
    }

    /// Returns the combinations that are alike to one, which is among them.
    pub(super) fn alike(&self, wanted: &[(usize, u32)]) -> Vec<Vec<(usize, u32)>> {
        let mut all: Vec<Vec<(usize, u32)>> = Vec::with_capacity(self.members.len());
        for member in &self.members {
            let other = wanted.iter().map(|(factor, digit)| (*factor, member[*digit as usize])).collect();
            if !all.contains(&other) {
                all.push(other);
            }
        }
        all
    }

    /// Returns all rows that some stand for.
    pub(super) fn unfold(&self, rows: &[Vec<u32>]) -> Vec<Vec<u32>> {
        let width = rows.first().map_or(0, Vec::len);
        let constant = self.constant.iter().map(|option| vec![*option; width]);
        let made = rows.iter().flat_map(|row| {
            self.members.iter().map(move |member| row.iter().map(|digit| member[*digit as usize]).collect())
        });
        constant.chain(made).collect()
    }
}

/// Returns the least number of those that are alike, for every combination of the options of `strength` actions, but none
/// for what constant rows cover.
fn classes(options: u32, strength: usize, members: &[Vec<u32>], constant: &[u32], size: usize) -> Vec<Option<u32>> {
    let mut within = vec![None; size];
    let mut digits = vec![0_u32; strength];
    for own in 0..size {
        let mut rest = own;
        for digit in digits.iter_mut().rev() {
            *digit = u32::try_from(rest % options as usize).unwrap_or(0);
            rest /= options as usize;
        }
        let is_constant = digits.iter().all(|digit| *digit == digits[0]) && constant.contains(&digits[0]);
        if is_constant || within[own].is_some() {
            continue;
        }
        for member in members {
            let other = digits.iter().fold(0, |sum, digit| sum * options as usize + member[*digit as usize] as usize);
            within[other] = Some(number(own));
        }
    }
    within
}

/// Returns permutations that make groups: the rotations, with or without a fixed option, and what a finite field gives.
fn generators(options: u32) -> Vec<Vec<Vec<u32>>> {
    let rotation = |length: u32| (0..options).map(|at| if at < length { (at + 1) % length } else { at }).collect();
    let mut all: Vec<Vec<Vec<u32>>> = vec![vec![rotation(options)]];
    if options > 2 {
        all.push(vec![rotation(options - 1)]);
    }
    for q in [options, options - 1].into_iter().filter(|q| *q > 1) {
        let Some(field) = Field::new(q as usize) else { continue };
        let map = |of: &dyn Fn(usize) -> usize| -> Vec<u32> {
            (0..options).map(|at| if at < q { u32::try_from(of(at as usize)).unwrap_or(at) } else { at }).collect()
        };
        let shifts: Vec<Vec<u32>> = (1..q as usize).map(|by| map(&|at| field.plus(at, by))).collect();
        let with = |factor: usize| [shifts.clone(), vec![map(&|at| field.times(at, factor))]].concat();
        all.push(shifts.clone());
        // Multiplication by any element: subgroups of the affine group, and the whole of it.
        all.extend((2..q as usize).map(with));
        if q < options {
            let inverse = |at: usize| (1..q as usize).find(|other| field.times(at, *other) == 1).unwrap_or(0);
            let mut swap = map(&inverse);
            (swap[0], swap[q as usize]) = (q, 0);
            let turns = (1..q as usize).map(|factor| map(&|at| field.times(at, factor)));
            all.push(shifts.into_iter().chain(turns).chain([swap]).collect());
        }
    }
    all
}

/// Returns the group that permutations make, in order; nothing for a large one.
fn group(options: u32, generators: &[Vec<u32>]) -> Option<Vec<Vec<u32>>> {
    let mut members = BTreeSet::from([(0..options).collect::<Vec<u32>>()]);
    let mut open: Vec<Vec<u32>> = members.iter().cloned().collect();
    while let Some(member) = open.pop() {
        for generator in generators {
            let next: Vec<u32> = member.iter().map(|digit| generator[*digit as usize]).collect();
            if members.insert(next.clone()) {
                open.push(next);
            }
        }
        if members.len() > LARGEST {
            return None;
        }
    }
    (members.len() > 1).then(|| members.into_iter().collect())
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("the number of combinations is limited")
}
