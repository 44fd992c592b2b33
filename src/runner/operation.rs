//! The inside of the process of an operation that is Lua. It is started like any other program, in the run directory.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::model::exit_code;
use crate::script::{self, RunFacts};
use crate::store;

/// The argument that makes the program play this role: `--as-operation FILE NAME`, or `--as-operation SCRIPT ARGUMENTS…`.
pub(crate) const OPERATION_ROLE: &str = "--as-operation";

/// Runs the operation and returns its exit status.
pub(crate) fn main(args: &[OsString]) -> i32 {
    super::restore_signals();
    let Some((file, arguments)) = args.split_first() else {
        eprintln!("error: {OPERATION_ROLE} needs a file");
        return exit_code::USAGE;
    };
    let arguments: Vec<String> = arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    script::run_operation(Path::new(file), &arguments, &facts())
}

/// Returns what is known of the run: by the environment, and by what is recorded of it.
fn facts() -> RunFacts {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let text = |name: &str| variable(name).map(|value| value.to_string_lossy().into_owned());
    let directory = variable("RUN_DIR").map(PathBuf::from).or_else(|| std::env::current_dir().ok()).unwrap_or_default();
    let details = store::load(&directory).ok();
    let info = details.as_ref().map(|details| &details.info);
    RunFacts {
        id: text("RUN_ID").or_else(|| info.map(|info| info.id.clone())).unwrap_or_default(),
        directory: directory.to_string_lossy().into_owned(),
        operation: text("GUILD_OP").or_else(|| info.and_then(|info| info.operation.clone())).unwrap_or_default(),
        label: info.and_then(|info| info.label.clone()),
        tags: info.map(|info| info.tags.clone()).unwrap_or_default(),
        flags: details.map(|details| details.flags).unwrap_or_default(),
    }
}
