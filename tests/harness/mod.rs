//! What the tests share. A test states a [`Project`], runs the program in it, and compares what came of it.
#![allow(dead_code, reason = "each part uses its own share of the harness")]

mod avocado;
mod ended;
mod handmade;
mod made;
mod oracles;
mod project;
mod redact;
mod run;
mod running;
mod schema;
mod status;
mod survivors;
mod wait;

pub(crate) use self::avocado::avocado_programs;
pub(crate) use self::ended::Ended;
pub(crate) use self::made::Made;
pub(crate) use self::oracles::{prove, pytest_programs, tap_parser};
pub(crate) use self::project::Project;
pub(crate) use self::run::Run;
pub(crate) use self::running::Running;
pub(crate) use self::schema::check_results;
pub(crate) use self::status::StatusServer;
pub(crate) use self::survivors::Survivors;
pub(crate) use self::wait::{DEADLINE, until};

/// Returns whether `program` is on the `PATH`. A test that needs one which is not there says so and ends.
pub(crate) fn has_program(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Returns the program of Guild AI: the one that `RILLE_TEST_GUILD` names, or else that on the `PATH`. A test that finds
/// none says so and ends.
pub(crate) fn guild_program() -> Option<String> {
    let named = std::env::var("RILLE_TEST_GUILD").ok();
    let found = named.or_else(|| has_program("guild").then(|| "guild".to_owned()));
    if found.is_none() {
        println!("skipped: there is no guild; name one with RILLE_TEST_GUILD");
    }
    found
}
