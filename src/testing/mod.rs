//! Tests of any kind as Avocado's nrunner has them: references and recipes, and what tests say of themselves.
//!
//! Nothing here starts a process; clock, environment and randomness come by argument.

mod tap;

pub(crate) use tap::{TapScan, TapVerdict};
