//! The patterns of names of environment variables that the user calls secret.

use globset::GlobBuilder;

use crate::cli::Failure;

/// Fails if a pattern is none.
pub(super) fn check(patterns: &[String]) -> Result<(), Failure> {
    for pattern in patterns {
        GlobBuilder::new(pattern)
            .case_insensitive(true)
            .build()
            .map_err(|error| Failure::usage(format!("secrets.hide: '{pattern}' is no pattern: {}", error.kind())))?;
    }
    Ok(())
}
