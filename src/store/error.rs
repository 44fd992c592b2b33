//! What can go wrong with a run directory, as data. `cli` makes text and an exit code of it.

use std::io;
use std::path::{Path, PathBuf};

use super::links::LinkRefused;
use crate::model::os_text;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A call to the system failed.
    #[error("cannot {action} {}: {}", path.display(), os_text(source))]
    Io {
        /// What was attempted, as the verb phrase between "cannot" and the path.
        action: &'static str,
        /// The file or folder it was attempted on.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another live process holds the lock of the run directory.
    #[error("{} is in use by {}", path.display(), describe_holder(*pid, host.as_deref()))]
    LockHeld {
        /// The run directory.
        path: PathBuf,
        /// The process that holds it, if it could be told.
        pid: Option<u32>,
        /// The machine of that process, if it was recorded.
        host: Option<String>,
    },
    /// A new run was to be made in a directory that holds a run, or something else.
    #[error("{} {}", path.display(), if *holds_run { "already holds a run" } else { "is not empty and holds no run" })]
    DirectoryUsed {
        /// The directory.
        path: PathBuf,
        /// Whether what it holds is a run.
        holds_run: bool,
    },
    /// No run has this id, prefix or path.
    #[error("no run matches '{given}'")]
    NoSuchRun {
        /// What was asked for.
        given: String,
        /// Ids that look much like it.
        near: Vec<String>,
    },
    /// Several runs have this prefix.
    #[error("'{given}' matches {} runs", candidates.len())]
    Ambiguous {
        /// The prefix.
        given: String,
        /// The ids of the runs, sorted.
        candidates: Vec<String>,
    },
    /// A file of the store does not hold what it should.
    #[error("{} is damaged: {what}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with the line where there are lines.
        what: String,
    },
    /// What is to be brought here holds more than is taken.
    #[error("{} holds {what}, and at most {limit} are taken", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// How much of what.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// A run that is to be brought here has a link that does not stay among the runs.
    #[error("{} {why}", path.display())]
    BadLink {
        /// The link.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        why: LinkRefused,
    },
    /// An event log was written by a newer release.
    #[error("{} has event format {found}, and this release reads formats up to {known}", path.display())]
    NewerFormat {
        /// The event log.
        path: PathBuf,
        /// The format of the log.
        found: u32,
        /// The newest format that can be read.
        known: u32,
    },
    /// Something was asked for that is not done to a running run.
    #[error("run {id} is running")]
    Running {
        /// The id of the run.
        id: String,
    },
    /// There is neither a `--home`, nor `RILLE_HOME`, nor a home directory.
    #[error("there is no place for runs: neither --home, nor RILLE_HOME, nor HOME is set")]
    NoHome,
}

impl Error {
    /// Returns a function that wraps what the system said with the path and what was `action`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
        let path = path.to_owned();
        move |source| Error::Io { action, path, source }
    }

    /// Returns the error for a damaged file.
    pub(crate) fn corrupt(path: &Path, what: impl Into<String>) -> Error {
        Error::Corrupt { path: path.to_owned(), what: what.into() }
    }

    /// Returns whether this means that a run could not be recorded or read back: a full disk, a lock that is held, a
    /// damaged file. The others are mistakes in what was asked for.
    pub(crate) const fn is_storage(&self) -> bool {
        match self {
            Error::Io { .. }
            | Error::LockHeld { .. }
            | Error::Corrupt { .. }
            | Error::TooLarge { .. }
            | Error::BadLink { .. }
            | Error::NewerFormat { .. } => true,
            Error::DirectoryUsed { .. }
            | Error::NoSuchRun { .. }
            | Error::Ambiguous { .. }
            | Error::Running { .. }
            | Error::NoHome => false,
        }
    }
}

fn describe_holder(pid: Option<u32>, host: Option<&str>) -> String {
    let process = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
    match host {
        Some(host) if !host.is_empty() => format!("{process} on {host}"),
        _ => process,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_and_where() {
        let path = PathBuf::from("/r/1");
        let full = io::Error::from_raw_os_error(libc::ENOSPC);
        let cases = [
            (Error::io("write", &path)(full), "cannot write /r/1: No space left on device", true),
            (
                Error::LockHeld { path: path.clone(), pid: Some(7), host: Some("vm".into()) },
                "/r/1 is in use by process 7 on vm",
                true,
            ),
            (Error::LockHeld { path: path.clone(), pid: None, host: None }, "/r/1 is in use by another process", true),
            (Error::DirectoryUsed { path: path.clone(), holds_run: true }, "/r/1 already holds a run", false),
            (Error::DirectoryUsed { path, holds_run: false }, "/r/1 is not empty and holds no run", false),
            (Error::NoSuchRun { given: "ab".into(), near: vec![] }, "no run matches 'ab'", false),
        ];
        for (error, text, storage) in cases {
            assert_eq!((error.to_string().as_str(), error.is_storage()), (text, storage));
        }
    }
}
