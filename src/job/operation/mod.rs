//! A run of an operation.

#[expect(dead_code, reason = "the lifecycle of operations is being built")]
pub(crate) mod output;
