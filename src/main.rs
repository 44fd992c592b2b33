//! Rille runs experiments, tests and combinatorial walks from Lua jobfiles.

mod model;

fn main() {}
