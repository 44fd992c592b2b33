//! `rille types`: the annotations of the Lua API, for editors that understand `LuaCATS`.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::output::write_out;
use crate::script;

/// The annotation files of what scripts have without a module.
const OBJECTS: [(&str, &str); 3] = [
    ("rille.synchro", include_str!("../../lua/types/rille.synchro.d.lua")),
    ("runtime", include_str!("../../lua/types/runtime.d.lua")),
    ("task", include_str!("../../lua/types/task.d.lua")),
];

/// Writes the annotations.
#[derive(Args, Debug)]
pub(crate) struct TypesArgs {
    /// The folder to write them to; made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Runs the command and returns the exit code.
pub(crate) fn main(args: &TypesArgs) -> Result<i32, Failure> {
    let failed = |path: &PathBuf, error| Failure::general(format!("cannot write {}: {error}", path.display()));
    fs::create_dir_all(&args.folder).map_err(|error| failed(&args.folder, error))?;
    let mut files: Vec<(&str, &str)> = script::module_types().chain(OBJECTS).collect();
    files.sort_unstable();
    for (name, text) in files {
        let path = args.folder.join(format!("{name}.d.lua"));
        fs::write(&path, text).map_err(|error| failed(&path, error))?;
        write_out(&format!("{}\n", path.display()))?;
    }
    Ok(0)
}
