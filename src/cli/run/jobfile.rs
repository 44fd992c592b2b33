//! Reading a jobfile.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::cli::Failure;
use crate::cli::near::near_file;

/// Returns the absolute path and the bytes of the jobfile that was given.
pub(crate) fn read(given: &Path) -> Result<(PathBuf, Vec<u8>), Failure> {
    let shown = given.display();
    let is_lua = given.extension().is_some_and(|extension| extension == "lua");
    match fs::read(given) {
        Ok(source) if is_lua || source.starts_with(b"#!") && first_line_names_rille(&source) => {
            let path = std::path::absolute(given);
            Ok((path.map_err(|error| Failure::usage(format!("cannot find {shown}: {error}")))?, source))
        }
        Ok(_) => Err(Failure::usage(format!("{shown} is no Lua jobfile")).hint(
            "write a file such as job.lua that defines main(runtime) and runs it by job.run { testscript = … }.",
        )),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let failure = Failure::usage(format!("the jobfile '{shown}' does not exist"));
            Err(match near_file(given) {
                Some(near) => failure.hint(format!("did you mean '{near}'?")),
                None => failure,
            })
        }
        Err(error) => {
            Err(Failure::usage(format!("cannot read the jobfile '{shown}': {}", crate::model::os_text(&error))))
        }
    }
}

/// Returns whether a path is meant as a jobfile: its name says so, or its first line.
pub(super) fn is_jobfile(given: &Path) -> bool {
    let begins_with_rille = || {
        // A pipe would keep the reader.
        if !given.is_file() {
            return false;
        }
        let mut line = [0; 128];
        let count = fs::File::open(given).and_then(|mut file| file.read(&mut line)).unwrap_or_default();
        line.starts_with(b"#!") && first_line_names_rille(&line[..count])
    };
    given.extension().is_some_and(|extension| extension == "lua") || begins_with_rille()
}

fn first_line_names_rille(source: &[u8]) -> bool {
    let line = source.split(|byte| *byte == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line).contains("rille")
}
