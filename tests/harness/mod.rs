//! What the tests share. A test states a [`Project`], runs the program in it, and compares what came of it.
#![allow(dead_code, reason = "each part uses its own share of the harness")]

mod ended;
mod handmade;
mod made;
mod oracles;
mod project;
mod redact;
mod run;
mod running;
mod schema;
mod skipped;
mod status;
mod survivors;
mod wait;

pub(crate) use self::ended::Ended;
pub(crate) use self::made::Made;
pub(crate) use self::oracles::{
    aetest_programs, avocado_programs, guild_program, has_program, needs, prove, pytest_programs, tap_parser,
};
pub(crate) use self::project::Project;
pub(crate) use self::run::Run;
pub(crate) use self::running::Running;
pub(crate) use self::schema::check_results;
pub(crate) use self::skipped::skipped;
pub(crate) use self::status::StatusServer;
pub(crate) use self::survivors::Survivors;
pub(crate) use self::wait::{DEADLINE, until};
