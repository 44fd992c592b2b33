//! Kinds that somebody else's runner runs: a program `avocado-runner-KIND` on the `PATH`, which takes this one's place.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::fs::{Access, access};

use super::error::Error;
use crate::engine::become_program;

/// Finds the runner of a kind. A link to this program is none: it would look again.
pub(super) fn find(prefix: &str, kind: &str) -> Option<PathBuf> {
    if kind.is_empty() || kind.contains(['/', '\0']) {
        return None;
    }
    let identity = |about: Metadata| (about.dev(), about.ino());
    let own = fs::metadata("/proc/self/exe").ok().map(identity);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(format!("{prefix}{kind}")));
    files.find(|file| {
        let about = fs::metadata(file).ok().filter(Metadata::is_file);
        about.is_some_and(|about| Some(identity(about)) != own) && access(file, Access::EXEC_OK).is_ok()
    })
}

/// Becomes that program, called with the same words as this one. Returns only if that fails, and why.
pub(super) fn become_it(program: PathBuf, words: &[OsString]) -> Error {
    let words: Vec<OsString> = std::iter::once(program.clone().into()).chain(words.iter().cloned()).collect();
    Error::Foreign { program, source: become_program(&words, None) }
}
