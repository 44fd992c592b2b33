//! From the table of a constraint, which says of all options of some actions whether they are allowed together, to the fewest
//! and widest clauses that say the same.
//!
//! The table is folded into a decision diagram, in which equal parts are one. Every way through it to "no" gives a clause,
//! which is made as strong as the table allows: so "if the first is off, all others are" becomes one clause for each other.

use std::collections::{HashMap, HashSet};

/// The most clauses that are worth it; a table that needs more is asked instead.
const MOST: usize = 4_000;

/// How many ways to "no" are looked at.
const MOST_WAYS: usize = 40_000;

/// The most parts of a diagram.
const MOST_PARTS: usize = 50_000;

const NO: u32 = 0;
const YES: u32 = 1;

/// A clause over the places of a table: one of these places has one of these options.
pub(crate) type TableClause = Vec<(usize, Vec<u32>)>;

/// A part of the table: the action at this place chooses which part comes next.
struct Node {
    place: usize,
    next: Vec<u32>,
}

struct Diagram<'a> {
    counts: &'a [usize],
    nodes: Vec<Node>,
    root: u32,
}

/// Returns clauses that hold where the table says yes, and nowhere else. `allowed` has the answers in the order in which the
/// option of the last action changes fastest. Nothing where that would take too many clauses.
pub(crate) fn clauses(counts: &[usize], allowed: &[bool]) -> Option<Vec<TableClause>> {
    let diagram = Diagram::of(counts, allowed)?;
    let mut search = Ways { diagram: &diagram, found: Vec::new(), left: MOST_WAYS };
    let mut chosen: Vec<Option<Vec<u32>>> = vec![None; counts.len()];
    search.follow(diagram.root, &mut chosen)?;
    Some(search.found.iter().map(|cube| clause(counts, cube)).collect())
}

/// Returns the clause that forbids a cube.
fn clause(counts: &[usize], cube: &[Option<Vec<u32>>]) -> TableClause {
    let others =
        |place: usize, options: &Vec<u32>| (0..number(counts[place])).filter(|o| !options.contains(o)).collect();
    let entry = |(place, options): (usize, &Option<Vec<u32>>)| Some((place, others(place, options.as_ref()?)));
    cube.iter().enumerate().filter_map(entry).collect()
}

impl<'a> Diagram<'a> {
    fn of(counts: &'a [usize], allowed: &[bool]) -> Option<Diagram<'a>> {
        let mut nodes =
            vec![Node { place: counts.len(), next: Vec::new() }, Node { place: counts.len(), next: Vec::new() }];
        let mut level: Vec<u32> = allowed.iter().map(|is| if *is { YES } else { NO }).collect();
        for (place, count) in counts.iter().enumerate().rev() {
            let mut known: HashMap<&[u32], u32> = HashMap::new();
            let mut above = Vec::with_capacity(level.len() / count);
            for next in level.chunks_exact(*count) {
                let is_one = next.iter().all(|part| *part == next[0]);
                let part = match is_one {
                    true => next[0],
                    false => *known.entry(next).or_insert_with(|| {
                        nodes.push(Node { place, next: next.to_vec() });
                        number(nodes.len() - 1)
                    }),
                };
                above.push(part);
            }
            if nodes.len() > MOST_PARTS {
                return None;
            }
            level = above;
        }
        Some(Diagram { counts, nodes, root: *level.first()? })
    }

    /// Returns whether something in a cube is allowed.
    fn allows_any(&self, cube: &[Option<Vec<u32>>]) -> bool {
        let mut seen = HashSet::new();
        let mut open = vec![self.root];
        while let Some(part) = open.pop() {
            if part == YES {
                return true;
            }
            if part == NO || !seen.insert(part) {
                continue;
            }
            let node = &self.nodes[part as usize];
            match &cube[node.place] {
                Some(options) => open.extend(options.iter().map(|option| node.next[*option as usize])),
                None => open.extend(&node.next),
            }
        }
        false
    }

    /// Makes a cube in which nothing is allowed as large as it can be.
    fn widen(&self, cube: &mut [Option<Vec<u32>>]) {
        for place in 0..cube.len() {
            let Some(options) = cube[place].take() else { continue };
            if !self.allows_any(cube) {
                continue;
            }
            cube[place] = Some(options);
            for option in 0..number(self.counts[place]) {
                let Some(options) = cube[place].as_mut().filter(|options| !options.contains(&option)) else { continue };
                options.push(option);
                if self.allows_any(cube) {
                    cube[place].as_mut().map(Vec::pop);
                }
            }
        }
    }
}

struct Ways<'a> {
    diagram: &'a Diagram<'a>,
    found: Vec<Vec<Option<Vec<u32>>>>,
    left: usize,
}

impl Ways<'_> {
    /// Follows all ways to "no" that are not forbidden yet. Nothing if there are too many.
    fn follow(&mut self, part: u32, chosen: &mut Vec<Option<Vec<u32>>>) -> Option<()> {
        if part == YES || self.is_forbidden(chosen) {
            return Some(());
        }
        self.left = self.left.checked_sub(1)?;
        if part == NO {
            let mut cube = chosen.clone();
            self.diagram.widen(&mut cube);
            self.found.push(cube);
            return (self.found.len() <= MOST).then_some(());
        }
        let node = &self.diagram.nodes[part as usize];
        let mut groups: Vec<(u32, Vec<u32>)> = Vec::new();
        for (option, next) in (0..).zip(&node.next) {
            match groups.iter_mut().find(|(other, _)| other == next) {
                Some((_, options)) => options.push(option),
                None => groups.push((*next, vec![option])),
            }
        }
        for (next, options) in groups {
            chosen[node.place] = Some(options);
            self.follow(next, chosen)?;
        }
        chosen[node.place] = None;
        Some(())
    }

    fn is_forbidden(&self, chosen: &[Option<Vec<u32>>]) -> bool {
        let holds = |(wide, own): (&Option<Vec<u32>>, &Option<Vec<u32>>)| match (wide, own) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wide), Some(own)) => own.iter().all(|option| wide.contains(option)),
        };
        self.found.iter().any(|cube| cube.iter().zip(chosen).all(holds))
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a table fits in memory")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns all options of places with these counts, the last one changing fastest.
    fn all(counts: &[usize]) -> Vec<Vec<u32>> {
        counts.iter().fold(vec![Vec::new()], |rows, count| {
            rows.iter().flat_map(|row| (0..number(*count)).map(move |o| [row.clone(), vec![o]].concat())).collect()
        })
    }

    fn table(counts: &[usize], of: impl Fn(&[u32]) -> bool) -> Vec<TableClause> {
        let allowed: Vec<bool> = all(counts).iter().map(|row| of(row)).collect();
        clauses(counts, &allowed).expect("there are few clauses")
    }

    #[test]
    fn wide_constraints_become_narrow_clauses() {
        let counts = [8, 6, 4, 2, 7, 5];
        let off = table(&counts, |row| row.iter().all(|option| (*option == 0) == (row[0] == 0)));
        assert_eq!(off.len(), 10, "two for each of the others: {off:?}");
        assert!(off.iter().all(|clause| clause.len() == 2));
        let different = table(&[4; 4], |row| (0..4).all(|at| !row[..at].contains(&row[at])));
        assert!(different.iter().all(|clause| clause.len() <= 4), "{different:?}");
        assert_eq!(table(&[2, 3], |_| true), Vec::<TableClause>::new());
        assert_eq!(table(&[2, 3], |_| false), vec![Vec::new()]);
        assert_eq!(table(&[2, 3], |row| row[1] != 2), vec![vec![(1, vec![0, 1])]]);
    }

    #[test]
    fn what_needs_too_many_clauses_is_left() {
        let counts = [2; 16];
        let even: Vec<bool> = all(&counts).iter().map(|row| row.iter().sum::<u32>() % 2 == 0).collect();
        assert_eq!(clauses(&counts, &even), None);
    }

    proptest! {
        #[test]
        fn clauses_say_what_the_table_says(
            counts in prop::collection::vec(1_usize..5, 1..5), answers in prop::collection::vec(prop::bool::weighted(0.7), 625)
        ) {
            let rows = all(&counts);
            let allowed = &answers[..rows.len()];
            let clauses = clauses(&counts, allowed).expect("it is small");
            for (row, is) in rows.iter().zip(allowed) {
                let holds = |clause: &TableClause| clause.iter().any(|(place, options)| options.contains(&row[*place]));
                prop_assert_eq!(clauses.iter().all(holds), *is);
            }
        }
    }
}
