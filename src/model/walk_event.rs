//! What happens to walks, for the event log: enough to go on with them, and for every report of them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Place, RaisedError, WalkEnd};

/// Walks that are about to be run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WalksStarted {
    /// Which call of `run_tests` it is in its run, from 1.
    pub(crate) suite: u32,
    /// Hash of what decides which walks there are and which of them run: those of another plan are not gone on with.
    pub(crate) plan: String,
    /// The names of the actions in their order, or of the machine.
    pub(crate) actions: Vec<String>,
    /// How many walks there are in all.
    pub(crate) planned: u64,
    /// How many of them were selected.
    pub(crate) selected: u64,
    /// How many of those were excluded by `should_cancel` or constraints.
    #[serde(default)]
    pub(crate) excluded: u64,
    /// How many workers there are.
    pub(crate) workers: u32,
    /// The seed, where something was drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<i64>,
    /// The shard, as `1/3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shard: Option<String>,
    /// Where `run_tests` was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<Place>,
}

/// Walks that have come through a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WalksRan {
    /// The suite.
    pub(crate) suite: u32,
    /// The options of the serial actions that they have in common.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) path: Vec<u32>,
    /// The stage, from 0.
    pub(crate) stage: u32,
    /// The worker's number.
    pub(crate) worker: u32,
    /// The first of their places in the selection.
    pub(crate) from: u64,
    /// The place behind the last.
    pub(crate) to: u64,
    /// How many portions were run.
    pub(crate) ran: u64,
    /// Those that did not simply pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) ended: Vec<WalkFailed>,
}

/// A walk that failed, crashed or was cancelled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct WalkFailed {
    /// Its id.
    pub(crate) id: u64,
    /// The stage in which it ended, from 0.
    pub(crate) stage: u32,
    /// How: `passed`, `cancelled` or `failed`.
    pub(crate) end: WalkEnd,
    /// Its actions with their options in words: `Connect("tcp"), Config(1)`.
    pub(crate) walk: String,
    /// The name of the action in which it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) action: Option<String>,
    /// What was raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<RaisedError>,
    /// Seconds that its last portion took.
    pub(crate) seconds: f64,
}

/// A serial action that has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SerialRan {
    /// The suite.
    pub(crate) suite: u32,
    /// The options of the serial actions up to it.
    pub(crate) path: Vec<u32>,
    /// The stage that follows.
    pub(crate) stage: u32,
    /// Its place in the order.
    pub(crate) slot: u32,
    /// Its option.
    pub(crate) option: u32,
    /// The same in words: `Config(1)`.
    pub(crate) words: String,
    /// What it returned, encoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) returned: Option<Value>,
    /// What it raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<RaisedError>,
    /// Seconds it took.
    pub(crate) seconds: f64,
}

/// Walks that have come to their end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WalksFinished {
    /// The suite.
    pub(crate) suite: u32,
    /// The counts and what was found.
    #[serde(flatten)]
    pub(crate) end: WalksEnd,
}

/// How the walks of a suite ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct WalksEnd {
    /// Walks that were begun.
    pub(crate) walk_count: u64,
    /// Portions that were begun.
    pub(crate) segment_count: u64,
    /// Actions that were run.
    pub(crate) action_count: u64,
    /// Walks that passed.
    pub(crate) passed: u64,
    /// Walks that failed, those whose worker died included.
    pub(crate) failed: u64,
    /// Walks whose worker died.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) crashed: u64,
    /// Walks that were cancelled.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) cancelled: u64,
    /// Walks that were not run since something stopped it before; `None` where it takes too long to count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) not_run: Option<u64>,
    /// What stopped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stopped: Option<String>,
    /// Seconds from when the first worker was ready.
    pub(crate) seconds: f64,
    /// Options that failing walks share and passing ones do not, in words, with how many failing walks have them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) causes: Vec<WalkCause>,
    /// How many combinations of options ran, by how many options: `"2"`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) coverage: BTreeMap<String, WalkCoverage>,
    /// The shortest failing form of failing walks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) shrunk: Vec<WalkShrunk>,
}

/// What failing walks have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct WalkCause {
    /// Actions with their options in words: `Connect("tcp"), Config(1)`.
    pub(crate) options: String,
    /// How many failing walks have them all.
    pub(crate) failed: u64,
    /// How many walks of those that passed have them all.
    pub(crate) passed: u64,
}

/// How many combinations of so many options ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct WalkCoverage {
    /// All of them, those that constraints forbid left out.
    pub(crate) total: u64,
    /// In a walk that passed.
    pub(crate) passed: u64,
    /// In walks of which none passed.
    pub(crate) failed: u64,
    /// In no walk that ran to its end.
    pub(crate) not_run: u64,
    /// In no walk that the constraints allow; not among the total.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) impossible: u64,
    /// The first of those that did not run, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) gaps: Vec<String>,
}

/// A failing walk in its shortest failing form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct WalkShrunk {
    /// The id of the first walk that failed so.
    pub(crate) id: u64,
    /// The ids of the next ones that failed alike: in the same action, with the same kind of error, raised at the same place
    /// with the same message but for its values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) alike: Vec<u64>,
    /// How many walks failed alike.
    #[serde(default)]
    pub(crate) walks: u64,
    /// What is left of it in words: `Connect("tcp"), Config(1)`.
    pub(crate) walk: String,
    /// The same as it stands in a trace.
    pub(crate) steps: Vec<Value>,
    /// What it raises; nothing where it did not fail when it was run again, and so could not be made short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// What is left failed and passed by turns when it was run again in a new worker.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_flaky: bool,
    /// How many walks were run to find it.
    pub(crate) tries: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}
