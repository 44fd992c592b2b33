//! `rille types`: the annotations of the Lua API, for editors that understand `LuaCATS`.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::output::write_out;

/// The annotation files by name.
const FILES: &[(&str, &str)] = &[
    ("rille.args.d.lua", include_str!("../../lua/types/rille.args.d.lua")),
    ("rille.job.d.lua", include_str!("../../lua/types/rille.job.d.lua")),
    ("rille.log.d.lua", include_str!("../../lua/types/rille.log.d.lua")),
    ("rille.op.d.lua", include_str!("../../lua/types/rille.op.d.lua")),
    ("rille.runnable.d.lua", include_str!("../../lua/types/rille.runnable.d.lua")),
    ("rille.runner.d.lua", include_str!("../../lua/types/rille.runner.d.lua")),
    ("rille.runs.d.lua", include_str!("../../lua/types/rille.runs.d.lua")),
    ("rille.synchro.d.lua", include_str!("../../lua/types/rille.synchro.d.lua")),
    ("rille.testscript.d.lua", include_str!("../../lua/types/rille.testscript.d.lua")),
    ("rille.walk.d.lua", include_str!("../../lua/types/rille.walk.d.lua")),
    ("runtime.d.lua", include_str!("../../lua/types/runtime.d.lua")),
    ("task.d.lua", include_str!("../../lua/types/task.d.lua")),
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
    for (name, text) in FILES {
        let path = args.folder.join(name);
        fs::write(&path, text).map_err(|error| failed(&path, error))?;
        write_out(&format!("{}\n", path.display()))?;
    }
    Ok(0)
}
