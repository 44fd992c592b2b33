//! `--help-op`, `--test-flags`, `--test-sourcecode`, `--edit-flags`: looking at a definition without running it.

use std::path::Path;

use super::choose;
use super::options::OperationArgs;
use crate::cli::editor;
use crate::cli::output::write_out;
use crate::cli::{Failure, help_op};
use crate::job::operation as job;
use crate::operation::Operation;
use crate::operation::flags::{self, FlagError, Resolved};

/// Shows what was asked for of the definition; returns the exit code, or nothing if there is more to do.
pub(super) fn only_shown(args: &OperationArgs, started_in: &Path) -> Result<Option<i32>, Failure> {
    if !(args.help_op || args.test_flags || args.test_sourcecode) {
        return Ok(None);
    }
    let operation = choose::find(started_in, args.parted().0)?;
    let text = if args.help_op {
        help_op::text(&operation)
    } else if args.test_flags {
        flags::test_text(&operation)
    } else {
        job::explain_sourcecode(&operation).map_err(Failure::general)?
    };
    write_out(&text)?;
    Ok(Some(0))
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
