//! `--help-op`, `--test-flags`, `--test-sourcecode`, `--edit-flags`: looking at a definition without running it.

use std::path::Path;

use super::choose;
use super::options::OperationArgs;
use crate::cli::editor;
use crate::cli::output::write_out;
use crate::cli::{Failure, help_op};
use crate::job::operation as job;
use crate::operation::batch;
use crate::operation::flags::{self, FlagError, Resolved};
use crate::operation::{Operation, ScalarPatterns};
use crate::store::Home;

/// Shows what was asked for of the definition; returns the exit code, or nothing if there is more to do.
pub(super) fn only_shown(args: &OperationArgs, home: &Home, started_in: &Path) -> Result<Option<i32>, Failure> {
    if !(args.help_op || args.test_flags || args.test_sourcecode || args.test_output_scalars.is_some()) {
        return Ok(None);
    }
    if let Some(optimizer) = args.parted().0.filter(|name| args.help_op && batch::is_optimizer(name)) {
        write_out(&batch::help(optimizer))?;
        return Ok(Some(0));
    }
    let operation = choose::find(started_in, args.parted().0, args.strict, home)?;
    let text = if let Some(path) = &args.test_output_scalars {
        scalars_of(&operation, path)?
    } else if args.help_op {
        help_op::text(&operation)
    } else if args.test_flags {
        flags::test_text(&operation)
    } else {
        job::explain_sourcecode(&operation).map_err(Failure::general)?
    };
    write_out(&text)?;
    Ok(Some(0))
}

/// Returns the lines of a file, each with what every pattern of the operation makes of it.
fn scalars_of(operation: &Operation, path: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::general(format!("cannot read {}: {error}", path.display()));
    let text = match path.as_os_str() == "-" {
        true => std::io::read_to_string(std::io::stdin()),
        false => std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    };
    let text = text.map_err(failed)?;
    // Values of flags are no scalars by their names.
    let patterns = ScalarPatterns::read(operation.output_scalars.as_ref(), [])
        .map_err(|error| Failure::usage(format!("operation '{}': {error}", operation.full_name())))?;
    match patterns {
        None => Ok("Output scalars disabled, nothing to test\n".to_owned()),
        Some(patterns) => Ok(patterns.explain(&text)),
    }
}

/// Lets the user edit the values; returns them as they would stand on a command line. An empty document ends it all.
pub(super) fn edited(
    operation: &Operation,
    resolved: &Resolved,
    force: bool,
) -> Result<Vec<(String, String)>, Failure> {
    let mut text = flags::edit_text(&resolved.values, Some(operation));
    loop {
        text = editor::edit(&text, ".yml")?;
        match flags::read_edited(&text, Some(operation), force) {
            Ok(Some(given)) => return Ok(given),
            Ok(None) => return Err(Failure::general("nothing is left of the flags, so nothing is run")),
            Err(error @ FlagError::Edited(_)) if editor::again(&error.to_string())? => {}
            Err(error) => return Err(Failure::usage(error.to_string())),
        }
    }
}
