//! Walks: actions whose options are combined. Everything here is pure.

pub(crate) mod cause;
mod coordinator;
pub(crate) mod cover;
pub(crate) mod model;
mod plan;
pub(crate) mod sample;
mod selection;
mod shard;
pub(crate) mod shrink;
pub(crate) mod trace;
mod way;

pub(crate) use coordinator::{Coordinator, Counts, Earlier, Effect, Input, Page, Ran, SerialEnded, Setup, Stopped};
pub(crate) use plan::{Plan, PlanError, Slot};
pub(crate) use selection::Selection;
pub(crate) use shard::{NoShard, Shard, ShardTable};
pub(crate) use way::WayOfFailing;
