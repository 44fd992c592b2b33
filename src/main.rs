//! Rille runs experiments, tests and combinatorial walks from Lua jobfiles.

mod model;
mod report;

fn main() {}
