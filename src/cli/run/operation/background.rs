//! `--background` and `--pidfile`: the run goes on in a process without a terminal.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::cli::Failure;
use crate::engine::{self, Side};

/// The process in the background.
pub(super) struct Background {
    pidfile: Option<PathBuf>,
}

/// Parts this process, which must have no other thread. Returns twice: in the background, and on the user's side, whose work
/// is done, with an exit code, when the operation has started, after saying `started`, or has ended before that.
pub(super) fn part(pidfile: Option<&Path>, started: &str) -> Result<Result<Background, i32>, Failure> {
    // Told now, while there is somebody to tell.
    let pidfile = pidfile.map(claim).transpose()?;
    match engine::part() {
        Err(error) => Err(Failure::general(format!("cannot go into the background: {error}"))),
        Ok(Side::Background) => {
            let background = Background { pidfile };
            background.write_pid()?;
            Ok(Ok(background))
        }
        Ok(Side::User(background)) => {
            // With a closed terminal there is nobody to tell.
            let ended = background.listen(|said| drop(io::stderr().write_all(said)));
            if ended.is_none() {
                let _ = writeln!(io::stdout(), "{started}");
            }
            Ok(Err(ended.unwrap_or(0)))
        }
    }
}

/// Makes sure that the file can be written, and returns its absolute path.
fn claim(path: &Path) -> Result<PathBuf, Failure> {
    let failed = |error: io::Error| Failure::usage(format!("cannot write the pidfile '{}': {error}", path.display()));
    let path = std::path::absolute(path).map_err(failed)?;
    File::create(&path).map_err(failed)?;
    Ok(path)
}

impl Background {
    fn write_pid(&self) -> Result<(), Failure> {
        let Some(path) = &self.pidfile else { return Ok(()) };
        fs::write(path, format!("{}\n", std::process::id()))
            .map_err(|error| Failure::general(format!("cannot write the pidfile '{}': {error}", path.display())))
    }

    /// Takes the pidfile away: the run has ended.
    pub(super) fn end(&self) {
        if let Some(path) = &self.pidfile {
            // Somebody may have removed it already.
            let _ = fs::remove_file(path);
        }
    }
}
