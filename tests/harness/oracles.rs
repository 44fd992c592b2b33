//! Programs of others that say what is right, where they are installed.

use std::path::PathBuf;

use super::has_program;

/// Returns a program: the one that the environment variable names, or else that on the `PATH`. A test that finds none says so
/// and ends.
fn program(variable: &str, name: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    let found = named.or_else(|| has_program(name).then(|| PathBuf::from(name)));
    if found.is_none() {
        println!("skipped: there is no {name}; name one with {variable}");
    }
    found
}

/// Returns tap-parser, of the npm package of that name.
pub(crate) fn tap_parser() -> Option<PathBuf> {
    program("RILLE_TEST_TAP_PARSER", "tap-parser")
}

/// Returns `prove`, of Perl.
pub(crate) fn prove() -> Option<PathBuf> {
    program("RILLE_TEST_PROVE", "prove")
}

/// Returns the folder with a `python3` that has pytest: the one that `RILLE_TEST_PYTEST` names. A test that is not told one
/// says so and ends.
pub(crate) fn pytest_programs() -> Option<PathBuf> {
    let named = std::env::var_os("RILLE_TEST_PYTEST").map(PathBuf::from);
    if named.is_none() {
        println!("skipped: no python3 with pytest is named; name the folder of its programs with RILLE_TEST_PYTEST");
    }
    named
}
