//! The key `walks` of `results.json`: what became of walks, suite by suite.

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::super::summary::Summary;
use super::super::walks::Suite;
use crate::model::{WalkFailed, WalksEnd};

/// The suites of walks, in the order in which they were run.
#[derive(JsonSchema)]
#[schemars(transparent)]
pub(super) struct Walks<'a>(#[schemars(with = "Vec<WalkSuite<'a>>")] pub(super) &'a Summary);

/// The walks of one call of `run_tests`.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct WalkSuite<'a> {
    /// Which call it was, from 1.
    suite: u32,
    /// The names of the actions in their order, or of the machine.
    actions: &'a [String],
    /// How many walks there are in all.
    planned: u64,
    /// How many of them were selected.
    selected: u64,
    /// How many of those constraints and `should_cancel` left out.
    excluded: u64,
    /// How many workers there were.
    workers: u32,
    /// The seed, where something was drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    /// The shard, as `1/3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<&'a str>,
    /// How they ended; null where they did not come to their end.
    end: Option<&'a WalksEnd>,
    /// Walks that did not pass; of very many, the first.
    not_passed: &'a [WalkFailed],
    /// How many others did not pass.
    #[serde(skip_serializing_if = "is_zero")]
    not_passed_left_out: u64,
}

impl Walks<'_> {
    /// Returns whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.walks.is_empty()
    }
}

impl Serialize for Walks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let suite = |suite: &'_ Suite| -> serde_json::Value {
            let started = &suite.started;
            // What is made of numbers and texts is JSON.
            serde_json::to_value(WalkSuite {
                suite: started.suite,
                actions: &started.actions,
                planned: started.planned,
                selected: started.selected,
                excluded: started.excluded,
                workers: started.workers,
                seed: started.seed,
                shard: started.shard.as_deref(),
                end: suite.end.as_deref(),
                not_passed: &suite.failed,
                not_passed_left_out: suite.failed_left_out,
            })
            .unwrap_or_default()
        };
        serializer.collect_seq(self.0.walks.iter().map(suite))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}
