//! Walks: actions whose options are combined. Everything here is pure.
#![expect(dead_code, unused_imports, reason = "the coordinator and the workers use it")]

pub(crate) mod cover;
mod plan;

pub(crate) use plan::{Plan, PlanError, Slot, Stage};
