//! Walks: actions whose options are combined. Everything here is pure.
#![expect(dead_code, unused_imports, reason = "the coordinator and the workers use it")]

mod coordinator;
mod plan;
mod selection;
mod shard;
pub(crate) mod trace;

pub(crate) use coordinator::{Coordinator, Counts, Earlier, Effect, Input, Page, Ran, SerialEnded, Setup, Stopped};
pub(crate) use plan::{Plan, PlanError, Slot, Stage};
pub(crate) use selection::Selection;
pub(crate) use shard::{Shard, ShardTable};
