//! What the coordinator of walks and its workers say to each other: JSON lines over a Unix socket.
//!
//! A worker is a task process whose [`Order`](super::Order) holds a [`WalkLine`]. It connects, says [`WalkReport::Hello`], is told the
//! [`WalkSuite`], and then does one [`WalkOrder`] after the other; each is answered. What a worker says between order and
//! answer speaks of single walks that did not simply pass, and is sent before the next walk starts: so nothing is lost when
//! the worker dies. Which walk it is in stands in a page of memory that both share, see [`WalkPage`].

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RaisedError, path_bytes};

/// The way to the coordinator, in the order of a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WalkLine {
    /// The socket.
    #[serde(with = "path_bytes")]
    pub(crate) socket: PathBuf,
    /// The worker's number, from 1. Numbers are not used again when a worker is replaced.
    pub(crate) worker: u32,
    /// The file of [`WALK_PAGE_SIZE`] bytes that both map.
    #[serde(with = "path_bytes")]
    pub(crate) page: PathBuf,
}

/// Bytes of the page that a worker shares with its coordinator.
pub(crate) const WALK_PAGE_SIZE: usize = 64;

/// Words of 64 bits in the shared page, in the byte order of the machine; each is written by the worker alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum WalkPage {
    /// The id of the walk that runs, plus 1; 0 while none runs.
    Current = 0,
    /// How many portions of the present order have ended.
    Ended = 1,
    /// How many actions have been run in all.
    Actions = 2,
    /// When the walk that runs was begun, in nanoseconds of the monotonic clock; only kept where walks have a time limit.
    Begun = 3,
}

/// What walks are made of, and how they are run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct WalkSuite {
    /// The actions in their order.
    pub(crate) order: Vec<WalkSlot>,
    /// The state with which every walk begins, encoded.
    pub(crate) state: Value,
    /// Which of the walks are run, of those that are handed out: the shard `index` (from 1) of `of`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shard: Option<(u32, u32)>,
    /// The folder for the traces; none are written without one.
    #[serde(with = "path_bytes::option", default, skip_serializing_if = "Option::is_none")]
    pub(crate) traces: Option<PathBuf>,
    /// The file to which states are written as walks end, so that they survive the worker; one line a walk.
    #[serde(with = "path_bytes::option", default, skip_serializing_if = "Option::is_none")]
    pub(crate) spool: Option<PathBuf>,
    /// Seconds that one portion of a walk, or a serial action, may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_walk_runtime: Option<f64>,
    /// After how many failing walks a worker starts no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_failures: Option<u64>,
    /// The common prefix of walks runs once.
    #[serde(default)]
    pub(crate) share: bool,
    /// Debug records are logged as well.
    #[serde(default)]
    pub(crate) logs_debug: bool,
    /// Every walk is reported, also those that pass, so that reports can list them.
    #[serde(default)]
    pub(crate) reports_all: bool,
    /// The walks, each by the options of its actions, where those of a list are run; an id is a place in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) rows: Vec<Vec<u32>>,
    /// The walks are random ones over a state machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) machine: Option<WalkMachine>,
}

/// One action in the order of a suite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WalkSlot {
    /// The name under which the suite's file defines it.
    pub(crate) action: String,
    /// It is a serial action.
    #[serde(default)]
    pub(crate) is_serial: bool,
    /// Its options, encoded. The host alone evaluates them, since a generator need not give the same twice.
    pub(crate) options: Vec<Value>,
}

/// How random walks over a state machine are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WalkMachine {
    /// The name under which the suite's file defines it.
    pub(crate) name: String,
    /// The seed; walk `id` is made from this and its id alone.
    pub(crate) seed: u64,
    /// The most steps of a walk.
    pub(crate) max_steps: u32,
}

/// One step of a walk: an action of the order and one of its options, both from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct WalkStep {
    /// Which action.
    pub(crate) slot: u32,
    /// Which of its options.
    pub(crate) option: u32,
}

/// Ids of walks, in the order in which they are run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Walks {
    /// From the first up to, but without, the second.
    Range(u64, u64),
    /// These.
    List(Vec<u64>),
}

/// What a worker is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum WalkOrder {
    /// Load the suite; the first order. Answered by [`WalkReport::Ready`] or [`WalkReport::Refused`].
    Suite(Box<WalkSuite>),
    /// Run the portions of these walks at a stage. Answered by [`WalkReport::Done`].
    Run {
        /// The stage, from 0.
        stage: u32,
        /// Which walks.
        walks: Walks,
        /// Those among them that have ended before.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        skip: Vec<u64>,
        /// What is merged into the state of each before it goes on: what the serial action returned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        update: Option<Value>,
    },
    /// Take over the states of walks that another worker has written to this spool. Answered by [`WalkReport::Done`].
    Adopt {
        /// The other's spool.
        spool: PathBuf,
        /// Which walks, and after which stage: what the spool has of a walk at any other one is not its state.
        states: Vec<(Walks, u32)>,
    },
    /// Run a serial action. Answered by [`WalkReport::Serial`].
    Serial {
        /// Which, and with which option.
        step: WalkStep,
        /// The state it is given, encoded.
        state: Value,
    },
    /// Send the states of these walks and forget them. Answered by [`WalkReport::States`].
    States {
        /// Which walks.
        walks: Walks,
    },
    /// Run a walk of any steps from a fresh copy of the state, for shrinking. Answered by [`WalkReport::Tried`].
    Try {
        /// Its steps.
        steps: Vec<WalkStep>,
    },
    /// Run a walk as it stands in a trace, its actions as `{"NAME": OPTION}`. Answered by [`WalkReport::Tried`].
    Replay {
        /// The actions.
        walk: Vec<Value>,
        /// The state it begins with, encoded.
        state: Value,
        /// Wait for the user after each action.
        step: bool,
    },
    /// There is nothing more; the worker ends.
    Finish {},
}

/// How one portion of a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WalkEnd {
    /// It ran through.
    Passed,
    /// An action called `walk.cancel`; the walk goes no further, and that is no error.
    Cancelled,
    /// An action raised an error, took too long, or called `os.exit`; or its worker died.
    Failed,
}

/// A walk that ended at a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WalkEnded {
    /// Its id.
    pub(crate) id: u64,
    /// The stage, from 0.
    pub(crate) stage: u32,
    /// How.
    pub(crate) end: WalkEnd,
    /// The action in which it ended, by its place in the order; `None` where it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) slot: Option<u32>,
    /// What was raised, or the reason given to `walk.cancel` as its message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<RaisedError>,
    /// The state at the end, encoded, where it can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<Value>,
    /// The steps it took, where those do not follow from its id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) steps: Vec<WalkStep>,
    /// Seconds it took.
    pub(crate) seconds: f64,
}

/// What a worker says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "kebab-case")]
pub(crate) enum WalkReport {
    /// Who it is; the first line.
    Hello {
        /// Its number.
        worker: u32,
    },
    /// The suite is loaded.
    Ready {},
    /// The suite cannot be loaded; the worker ends.
    Refused {
        /// Why.
        error: RaisedError,
    },
    /// A walk ended, otherwise than by simply passing unless all are reported.
    Walk(Box<WalkEnded>),
    /// The order is done.
    Done {
        /// Portions that were run, those that failed and those of no action included.
        ran: u64,
        /// Actions that were run.
        actions: u64,
        /// Seconds it took.
        seconds: f64,
        /// The first of the walks that were not run any more, since too many had failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<u64>,
    },
    /// A serial action has ended.
    Serial {
        /// What it returned, encoded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        returned: Option<Value>,
        /// What it raised.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<RaisedError>,
        /// Seconds it took.
        seconds: f64,
    },
    /// Some of the states asked for; the last of these has `more` unset.
    States {
        /// Ids with their encoded states; a state that cannot be encoded has an error in its place.
        states: Vec<(u64, Result<Value, NoState>)>,
        /// Others follow.
        #[serde(default)]
        more: bool,
    },
    /// How a walk of given steps ended.
    Tried(Box<WalkEnded>),
}

/// Why a state cannot be encoded, in the words of the worker that has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{0}")]
#[serde(transparent)]
pub(crate) struct NoState(pub(crate) String);
