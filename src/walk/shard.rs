//! Shards: walks parted among several machines by what they are made of, so that a walk stays in its shard when the file is
//! rearranged, an action gets more options, or another number of workers runs.
//!
//! A step is the text `NAME=OPTION`, the option as JSON whose keys are sorted and which has no blanks. Its number is the first
//! 8 bytes of its SHA-256, read with the highest first. The number of a walk begins with 0; for each step, in the order of the
//! walk, it is turned left by 5 bits, the step's number is added by XOR, and the sum is put through the mixing function of
//! `SplitMix64`. With `N` shards the walk is in shard `1 + floor(number * N / 2^64)`.

use std::fmt::Write;
use std::str::FromStr;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::{SplitMix64, WalkSlot};

/// One of several shards, as a user writes it: `1/3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    /// Which, from 1.
    pub(crate) index: u32,
    /// Of how many.
    pub(crate) of: u32,
}

/// A text that is no shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a shard is I/N with I from 1 to N, such as \"1/3\", not \"{0}\"")]
pub(crate) struct NoShard(String);

impl FromStr for Shard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Self, NoShard> {
        let wrong = || NoShard(text.to_owned());
        let (index, of) = text.split_once('/').ok_or_else(wrong)?;
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| wrong());
        let (index, of) = (number(index)?, number(of)?);
        if index == 0 || index > of { Err(wrong()) } else { Ok(Self { index, of }) }
    }
}

/// The numbers of all steps of a suite.
#[derive(Clone, Debug)]
pub(crate) struct ShardTable {
    shard: Shard,
    steps: Vec<Vec<u64>>,
}

impl ShardTable {
    /// Makes the table of an order of actions.
    pub(crate) fn new(shard: Shard, order: &[WalkSlot]) -> Self {
        let numbers = |slot: &WalkSlot| slot.options.iter().map(|option| step_number(&slot.action, option)).collect();
        Self { shard, steps: order.iter().map(numbers).collect() }
    }

    /// Returns whether the walk that takes these options, one for each action, is in the shard.
    pub(crate) fn holds(&self, options: &[u32]) -> bool {
        let mut number = 0_u64;
        for (steps, option) in self.steps.iter().zip(options) {
            number = SplitMix64::mix(number.rotate_left(5) ^ steps[*option as usize]);
        }
        let shard = (u128::from(number) * u128::from(self.shard.of)) >> 64;
        shard + 1 == u128::from(self.shard.index)
    }
}

fn step_number(action: &str, option: &Value) -> u64 {
    let mut text = format!("{action}=");
    write_sorted(&mut text, option);
    let digest = Sha256::digest(text.as_bytes());
    let (first, _) = digest.split_first_chunk::<8>().expect("a digest has 32 bytes");
    u64::from_be_bytes(*first)
}

/// Writes a value as JSON with sorted keys.
pub(crate) fn write_sorted(text: &mut String, value: &Value) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| key.as_str());
            for (index, (key, value)) in fields.into_iter().enumerate() {
                // Writing to a text cannot fail.
                let _ = write!(text, "{}{}:", if index == 0 { '{' } else { ',' }, Value::from(key.as_str()));
                write_sorted(text, value);
            }
            text.push_str(if value.as_object().is_some_and(serde_json::Map::is_empty) { "{}" } else { "}" });
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_sorted(text, item);
            }
            text.push(']');
        }
        plain => {
            let _ = write!(text, "{plain}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::walk::{Plan, Slot};

    fn slot(action: &str, options: Value) -> WalkSlot {
        let Value::Array(options) = options else { panic!("a list") };
        WalkSlot { action: action.to_owned(), is_serial: false, options }
    }

    /// The walks of a shard as texts.
    fn shard(index: u32, of: u32, order: &[WalkSlot]) -> Vec<String> {
        let slots =
            order.iter().map(|slot| Slot { is_serial: false, options: u32::try_from(slot.options.len()).unwrap() });
        let plan = Plan::new(slots.collect()).unwrap();
        let table = ShardTable::new(Shard { index, of }, order);
        let ids = (0..plan.walks()).map(|id| plan.options(id)).filter(|options| table.holds(options));
        let text = |options: Vec<u32>| {
            let steps = order.iter().zip(options);
            let steps = steps.map(|(slot, option)| format!("{}={}", slot.action, slot.options[option as usize]));
            steps.collect::<Vec<_>>().join(" ")
        };
        ids.map(text).collect()
    }

    #[test]
    fn shards_are_disjoint_and_hold_all_walks_together() {
        let order = [
            slot("A", json!([1, 2, 3, 4, 5])),
            slot("B", json!(["x", { "k": [1, {}] }, null, true, 1.5])),
            slot("C", json!([[], {}, 7, 8])),
        ];
        let all: Vec<String> = (1..=3).flat_map(|index| shard(index, 3, &order)).collect();
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!((all.len(), distinct.len()), (100, 100));
        for index in 1..=3 {
            assert!(shard(index, 3, &order).len() > 20);
        }
    }

    #[test]
    fn a_walk_stays_in_its_shard_when_options_change_places_or_come_anew() {
        let before = shard(1, 3, &[slot("A", json!([1, 2, 3])), slot("B", json!([{ "x": 1, "y": 2 }, "z"]))]);
        let after = shard(1, 3, &[slot("A", json!([3, 9, 1, 2])), slot("B", json!(["z", { "y": 2, "x": 1 }]))]);
        let swapped = |walk: &String| walk.replace(r#"{"x":1,"y":2}"#, r#"{"y":2,"x":1}"#);
        assert!(!before.is_empty() && before.iter().all(|walk| after.contains(&swapped(walk))));
        assert!(
            after
                .iter()
                .filter(|walk| !walk.contains('9'))
                .all(|walk| before.iter().any(|other| swapped(other) == *walk))
        );
    }

    #[test]
    fn numbers_are_those_that_are_documented() {
        // printf 'A={"x":[1,"z"]}' | sha256sum
        assert_eq!(step_number("A", &json!({ "x": [1, "z"] })), 0x94F1_9325_8DCE_7134);
    }

    #[test]
    fn a_shard_is_read_and_a_wrong_one_explained() {
        assert_eq!("2/3".parse(), Ok(Shard { index: 2, of: 3 }));
        for wrong in ["0/3", "4/3", "1", "a/b", "1/0", "-1/2", ""] {
            assert!(wrong.parse::<Shard>().unwrap_err().to_string().contains("1/3"), "{wrong}");
        }
    }
}
