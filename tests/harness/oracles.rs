//! Programs of others: those that say what is right, and those that tests run. A test that is not given one says so and ends.

use std::path::PathBuf;

use super::skipped;

/// Returns whether `program` is on the `PATH`.
pub(crate) fn has_program(program: &str) -> bool {
    on_path(program).is_some()
}

/// As [`has_program`], for a test that ends if it is not.
pub(crate) fn needs(program: &str) -> bool {
    let found = has_program(program);
    if !found {
        skipped(&format!("there is no {program}"));
    }
    found
}

/// Returns Guild AI: what `RILLE_TEST_GUILD` names, or else what is on the `PATH`.
pub(crate) fn guild_program() -> Option<PathBuf> {
    program("RILLE_TEST_GUILD", "guild")
}

/// Returns tap-parser, of the npm package of that name.
pub(crate) fn tap_parser() -> Option<PathBuf> {
    program("RILLE_TEST_TAP_PARSER", "tap-parser")
}

/// Returns `prove`, of Perl.
pub(crate) fn prove() -> Option<PathBuf> {
    program("RILLE_TEST_PROVE", "prove")
}

/// Returns the folder with a `python3` that has pytest: the one that `RILLE_TEST_PYTEST` names.
pub(crate) fn pytest_programs() -> Option<PathBuf> {
    let named = std::env::var_os("RILLE_TEST_PYTEST").map(PathBuf::from);
    if named.is_none() {
        skipped("no python3 with pytest is named; name the folder of its programs with RILLE_TEST_PYTEST");
    }
    named
}

/// Returns the folder with a `python` that has pyATS: the one that `RILLE_TEST_AETEST` names.
pub(crate) fn aetest_programs() -> Option<PathBuf> {
    let named = std::env::var_os("RILLE_TEST_AETEST").map(PathBuf::from);
    if named.is_none() {
        skipped("no python with pyATS is named; name the folder of its programs with RILLE_TEST_AETEST");
    }
    named
}

/// Returns the folder with the programs of Avocado: the one that `RILLE_TEST_AVOCADO` names, or else that on the `PATH`.
pub(crate) fn avocado_programs() -> Option<PathBuf> {
    let named = std::env::var_os("RILLE_TEST_AVOCADO").map(PathBuf::from);
    let folder = named.or_else(|| on_path("avocado-runner-noop")).filter(|bin| bin.join("avocado").is_file());
    if folder.is_none() {
        skipped("there is no avocado; name the folder of its programs with RILLE_TEST_AVOCADO");
    }
    folder
}

/// Returns a program: the one that the environment variable names, or else that on the `PATH`.
fn program(variable: &str, name: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    let found = named.or_else(|| Some(on_path(name)?.join(name)));
    if found.is_none() {
        skipped(&format!("there is no {name}; name one with {variable}"));
    }
    found
}

/// Returns the folder of the `PATH` in which a program is.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).find(|folder| folder.join(program).is_file())
}
