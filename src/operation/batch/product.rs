//! All trials that lists of values stand for, without writing them down: the Cartesian product in the order of names.

use std::collections::{BTreeMap, BTreeSet};

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

use crate::operation::FlagValues;
use crate::operation::flags::{Resolved, Row, Search, Spread};

use super::random;

/// How many trials a batch may have.
pub(super) const MOST_TRIALS: u128 = 100_000;

/// The values of one flag in a product.
#[derive(Clone, Debug, PartialEq)]
enum Axis {
    Values(Vec<serde_json::Value>),
    /// One value, drawn for each trial.
    Drawn(Search),
}

/// The trials of one row.
#[derive(Clone, Debug, PartialEq)]
struct Block {
    /// Values that all of them have.
    fixed: FlagValues,
    axes: BTreeMap<String, Axis>,
    count: u128,
}

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Product {
    blocks: Vec<Block>,
    seed: u64,
}

impl Product {
    /// Makes the product of the flags that have several values, for each row of the files of trials, if there are any. What
    /// the user has given for a flag wins over a row.
    pub(crate) fn new(resolved: &Resolved, rows: &[Row], seed: u64) -> Product {
        let blank = [Row::default()];
        let rows = if rows.is_empty() { &blank } else { rows };
        Product { blocks: rows.iter().map(|row| Block::new(resolved, row)).collect(), seed }
    }

    /// Returns how many trials there are.
    pub(crate) fn count(&self) -> u128 {
        self.blocks.iter().fold(0, |sum, block| sum.saturating_add(block.count))
    }

    /// Returns what the trial with this number, from 0, has for its own.
    pub(crate) fn at(&self, mut index: u128) -> FlagValues {
        let number = index;
        for block in &self.blocks {
            if index < block.count {
                return block.at(index, number, self.seed);
            }
            index -= block.count;
        }
        FlagValues::new()
    }

    /// Returns the numbers of `most` trials, drawn by the seed, in their order; all where there are no more.
    pub(crate) fn sample(&self, most: usize) -> Vec<u128> {
        let (count, most) = (self.count(), most as u128);
        if count <= most {
            return (0..count).collect();
        }
        // Floyd's way: each set is as likely, and nothing is drawn twice.
        let mut random = Pcg64Mcg::seed_from_u64(self.seed);
        let mut chosen = BTreeSet::new();
        for last in count - most..count {
            let drawn = below(&mut random, last + 1);
            if !chosen.insert(drawn) {
                chosen.insert(last);
            }
        }
        chosen.into_iter().collect()
    }
}

impl Block {
    fn new(resolved: &Resolved, row: &Row) -> Block {
        let (mut fixed, mut axes) = (FlagValues::new(), BTreeMap::new());
        let is_own = |name: &String| row.values.contains_key(name) && !resolved.user.contains_key(name);
        let common = resolved.spread.iter().filter(|(name, _)| !is_own(name));
        let own = row.spread.iter().filter(|(name, _)| is_own(name));
        for (name, many) in common.chain(own) {
            let values = match many {
                Spread::List(values) => Axis::Values(values.clone()),
                Spread::Search(search) => Axis::Drawn(search.clone()),
            };
            axes.insert(name.clone(), values);
        }
        let values = row.values.iter().filter(|(name, _)| is_own(name) && !axes.contains_key(*name));
        fixed.extend(values.map(|(name, value)| (name.clone(), value.clone())));
        let count = axes.values().map(Axis::len).fold(1, u128::saturating_mul);
        Block { fixed, axes, count }
    }

    /// The flag whose name comes last changes from trial to trial.
    fn at(&self, mut index: u128, number: u128, seed: u64) -> FlagValues {
        let mut values = self.fixed.clone();
        for (name, axis) in self.axes.iter().rev() {
            let len = axis.len();
            let value = match axis {
                Axis::Values(list) => usize::try_from(index % len).ok().and_then(|at| list.get(at)).cloned(),
                Axis::Drawn(search) => Some(random::draw(search, name, number, seed)),
            };
            values.extend(value.map(|value| (name.clone(), value)));
            index /= len;
        }
        values
    }
}

impl Axis {
    fn len(&self) -> u128 {
        match self {
            Axis::Values(list) => list.len() as u128,
            Axis::Drawn(_) => 1,
        }
    }
}

/// Draws a number below a bound, each as likely.
fn below(random: &mut Pcg64Mcg, bound: u128) -> u128 {
    let wide = |random: &mut Pcg64Mcg| (u128::from(random.next_u64()) << 64) | u128::from(random.next_u64());
    // What is left over at the top would make small numbers likelier.
    let over = u128::MAX - u128::MAX % bound;
    loop {
        let drawn = wide(random);
        if drawn < over {
            return drawn % bound;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn map(value: &Value) -> FlagValues {
        value.as_object().unwrap().clone().into_iter().collect()
    }

    fn spread(lists: &Value) -> BTreeMap<String, Spread> {
        let list = |value: Value| Spread::List(value.as_array().unwrap().clone());
        lists.as_object().unwrap().clone().into_iter().map(|(name, value)| (name, list(value))).collect()
    }

    fn resolved(lists: &Value, user: &[&str]) -> Resolved {
        let user = user.iter().map(|name| ((*name).to_owned(), json!(null))).collect();
        Resolved { spread: spread(lists), user, ..Resolved::default() }
    }

    fn all(product: &Product) -> Vec<Value> {
        (0..product.count()).map(|index| json!(product.at(index))).collect()
    }

    #[test]
    fn the_last_name_changes_fastest() {
        let product = Product::new(&resolved(&json!({"b": [1, 2], "a": ["x", "y"]}), &[]), &[], 0);
        let expected = [
            json!({"a": "x", "b": 1}),
            json!({"a": "x", "b": 2}),
            json!({"a": "y", "b": 1}),
            json!({"a": "y", "b": 2}),
        ];
        assert_eq!(all(&product), expected);
    }

    #[test]
    fn rows_are_multiplied_by_what_the_user_gives_beside_them() {
        let row = |values: Value, lists: Value| Row { values: map(&values), spread: spread(&lists), ..Row::default() };
        let rows =
            [row(json!({"lr": 0.5, "n": 1}), json!({})), row(json!({"lr": [1, 2], "n": 2}), json!({"lr": [1, 2]}))];
        let product = Product::new(&resolved(&json!({"m": [7, 8]}), &["m"]), &rows, 0);
        let expected = [
            json!({"lr": 0.5, "m": 7, "n": 1}),
            json!({"lr": 0.5, "m": 8, "n": 1}),
            json!({"lr": 1, "m": 7, "n": 2}),
            json!({"lr": 1, "m": 8, "n": 2}),
            json!({"lr": 2, "m": 7, "n": 2}),
            json!({"lr": 2, "m": 8, "n": 2}),
        ];
        assert_eq!(all(&product), expected);
        // The command line wins over the file, and the file over a default.
        let product = Product::new(&resolved(&json!({"lr": [3, 4]}), &["lr"]), &rows[..1], 0);
        assert_eq!(all(&product), [json!({"lr": 3, "n": 1}), json!({"lr": 4, "n": 1})]);
        let product = Product::new(&resolved(&json!({"lr": [3, 4]}), &[]), &rows[..1], 0);
        assert_eq!(all(&product), [json!({"lr": 0.5, "n": 1})]);
    }

    #[test]
    fn a_product_of_any_size_is_counted_and_sampled() {
        let list: Vec<u32> = (0..1000).collect();
        let lists: serde_json::Map<String, Value> = (0..15).map(|flag| (format!("f{flag:02}"), json!(list))).collect();
        let product = Product::new(&resolved(&Value::Object(lists), &[]), &[], 7);
        assert_eq!(product.count(), u128::MAX, "ten to the 45 is more than can be told");
        let drawn = product.sample(50);
        assert_eq!((drawn.len(), drawn.is_sorted()), (50, true));
        assert_eq!(drawn, product.sample(50), "the same seed draws the same");
        let small = Product::new(&resolved(&json!({"a": [1, 2, 3], "b": [1, 2]}), &[]), &[], 1);
        assert_eq!(small.sample(6), (0..6).collect::<Vec<_>>());
        assert_eq!(small.sample(99), (0..6).collect::<Vec<_>>());
        // Over many seeds every trial is drawn about as often.
        let mut often = [0_u32; 6];
        for seed in 0..6000 {
            let product = Product { seed, ..small.clone() };
            for drawn in product.sample(2) {
                often[usize::try_from(drawn).unwrap()] += 1;
            }
        }
        assert!(often.iter().all(|count| (1800..2200).contains(count)), "{often:?}");
    }
}
