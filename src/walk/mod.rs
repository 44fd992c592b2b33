//! Walks: actions whose options are combined. Everything here is pure.
#![expect(dead_code, unused_imports, reason = "the coordinator and the workers use it")]

mod plan;
pub(crate) mod trace;

pub(crate) use plan::{Plan, PlanError, Slot, Stage};
