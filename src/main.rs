//! Rille runs experiments, tests and combinatorial walks from Lua jobfiles.

mod cli;
mod model;
mod store;

fn main() {}
