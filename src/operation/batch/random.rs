//! Values drawn from ranges: each by the seed, the number of its trial and the name of its flag, so that they do not depend
//! on the order in which trials are asked for.

use md5::{Digest, Md5};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use serde_json::Value;

use super::optimizer::Optimizer;
use crate::operation::FlagValues;
use crate::operation::flags::{Range, Search};

/// Draws the value of a flag for a trial. The first one has the initial value, where there is one.
pub(super) fn draw(search: &Search, flag: &str, trial: u128, seed: u64) -> Value {
    if let Some(initial) = search.initial.as_ref().filter(|_| trial == 0) {
        return initial.clone();
    }
    let mut digest = Md5::new();
    digest.update(seed.to_le_bytes());
    digest.update(trial.to_le_bytes());
    digest.update(flag.as_bytes());
    let mut start = [0; 16];
    start.copy_from_slice(&digest.finalize());
    let mut random = Pcg64Mcg::from_seed(start);
    match &search.range {
        Range::Integers(low, high) => {
            let span = (i128::from(*high) - i128::from(*low) + 1).unsigned_abs();
            let drawn = (u128::from(random.next_u64()) * span) >> 64;
            let value = i128::from(*low) + i128::try_from(drawn).unwrap_or_default();
            Value::from(i64::try_from(value).unwrap_or(*high))
        }
        Range::Uniform(low, high) => Value::from(between(*low, *high, &mut random)),
        Range::LogUniform(low, high) => {
            let drawn = between(low.ln(), high.ln(), &mut random).exp();
            Value::from(drawn.clamp(*low, *high))
        }
        Range::Choices(values) => {
            let drawn = (u128::from(random.next_u64()) * values.len() as u128) >> 64;
            usize::try_from(drawn).ok().and_then(|at| values.get(at)).cloned().unwrap_or_default()
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "53 bits of a float")]
fn between(low: f64, high: f64, random: &mut Pcg64Mcg) -> f64 {
    let unit = (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    (low + (high - low) * unit).clamp(low, high)
}

/// A search that learns nothing.
pub(super) struct Random {
    dimensions: Vec<(String, Search)>,
    seed: u64,
    next: u128,
    most: u128,
}

impl Random {
    /// Makes a search over these flags, of so many trials.
    pub(super) fn new(dimensions: Vec<(String, Search)>, seed: u64, most: usize) -> Random {
        Random { dimensions, seed, next: 0, most: most as u128 }
    }
}

impl Optimizer for Random {
    fn next(&mut self) -> Option<FlagValues> {
        if self.next >= self.most {
            return None;
        }
        let trial = self.next;
        self.next += 1;
        let value = |(name, search): &(String, Search)| (name.clone(), draw(search, name, trial, self.seed));
        Some(self.dimensions.iter().map(value).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn many(range: &Range) -> Vec<Value> {
        let search = Search { text: String::new(), range: range.clone(), initial: None };
        (0..2000).map(|trial| draw(&search, "x", trial, 5)).collect()
    }

    #[test]
    fn what_is_drawn_lies_in_its_range_and_all_over_it() {
        let integers = many(&Range::Integers(-1, 2));
        for value in -1..=2 {
            let count = integers.iter().filter(|drawn| drawn.as_i64() == Some(value)).count();
            assert!((400..600).contains(&count), "{value}: {count}");
        }
        assert!(many(&Range::Integers(i64::MIN, i64::MAX)).iter().all(Value::is_i64));
        let floats: Vec<f64> = many(&Range::Uniform(2.0, 4.0)).iter().map(|value| value.as_f64().unwrap()).collect();
        assert!(floats.iter().all(|value| (2.0..4.0).contains(value)));
        let lower = floats.iter().filter(|value| **value < 3.0).count();
        assert!((900..1100).contains(&lower), "{lower}");
        let magnitudes: Vec<f64> =
            many(&Range::LogUniform(1e-4, 1.0)).iter().map(|value| value.as_f64().unwrap()).collect();
        assert!(magnitudes.iter().all(|value| (1e-4..=1.0).contains(value)));
        let small = magnitudes.iter().filter(|value| **value < 1e-2).count();
        assert!((900..1100).contains(&small), "{small}");
        let choices = many(&Range::Choices(vec![json!("a"), json!(false)]));
        let count = choices.iter().filter(|value| **value == json!("a")).count();
        assert!((900..1100).contains(&count), "{count}");
    }

    #[test]
    fn a_search_is_the_same_for_the_same_seed_and_begins_where_it_is_told() {
        let search = |initial: Option<Value>| Search { text: String::new(), range: Range::Uniform(0.0, 1.0), initial };
        let run = |seed: u64| {
            let dimensions = vec![("a".to_owned(), search(Some(json!(0.5)))), ("b".to_owned(), search(None))];
            let mut random = Random::new(dimensions, seed, 3);
            std::iter::from_fn(|| random.next()).collect::<Vec<_>>()
        };
        let (one, other) = (run(1), run(2));
        assert_eq!(one.len(), 3);
        assert_eq!(one, run(1));
        assert_ne!(one[0]["b"], other[0]["b"]);
        assert_eq!((&one[0]["a"], &other[0]["a"]), (&json!(0.5), &json!(0.5)));
        assert_ne!(one[1]["a"], one[1]["b"], "flags are drawn apart");
    }
}
