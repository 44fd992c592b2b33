//! The real Avocado, where it is installed.

use std::path::PathBuf;

use super::has_program;

/// Returns the folder with the programs of Avocado: the one that `RILLE_TEST_AVOCADO` names, or else that on the `PATH`. A
/// test that finds none says so and ends.
pub(crate) fn avocado_programs() -> Option<PathBuf> {
    let named = std::env::var_os("RILLE_TEST_AVOCADO").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = || std::env::split_paths(&path).find(|folder| folder.join("avocado-runner-noop").is_file());
    let found = named.or_else(|| has_program("avocado").then(on_path).flatten());
    if found.is_none() {
        println!("skipped: there is no avocado; name the folder of its programs with RILLE_TEST_AVOCADO");
    }
    found
}
