//! Environment variables that the user calls secret.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::cli::Failure;

/// Fails if a pattern is none.
pub(super) fn check(patterns: &[String]) -> Result<(), Failure> {
    set(patterns).map(|_| ())
}

fn set(patterns: &[String]) -> Result<GlobSet, Failure> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let wrong = |error: &globset::Error| {
            Failure::usage(format!("secrets.hide: '{pattern}' is no pattern: {}", error.kind()))
        };
        let glob = GlobBuilder::new(pattern).case_insensitive(true).build().map_err(|error| wrong(&error))?;
        set.add(glob);
    }
    set.build().map_err(|error| Failure::usage(format!("secrets.hide cannot be used: {error}")))
}

/// Returns which names match one of the patterns.
pub(crate) fn matcher(
    patterns: &[String],
) -> Result<impl Fn(&std::ffi::OsStr) -> bool + Clone + Send + use<>, Failure> {
    let set = set(patterns)?;
    Ok(move |name: &std::ffi::OsStr| set.is_match(name))
}
