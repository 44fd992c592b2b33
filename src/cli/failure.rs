//! An error as the user meets it: what kind, what happened, what to do.

use std::fmt::Write as _;

use crate::engine;
use crate::model::exit_code;
use crate::store;

/// What kind of failure it is; the exit code follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// Something did not work.
    General,
    /// What was asked for makes no sense.
    Usage,
    /// A run could not be carried out, recorded or read back: there is no result to trust.
    NoResult,
    /// This signal came before there was a result.
    Interrupted(i32),
}

/// A command that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What kind of failure.
    pub(crate) kind: FailureKind,
    /// What happened, and where.
    pub(crate) message: String,
    /// What to do about it, one sentence each.
    pub(crate) hints: Vec<String>,
}

impl Failure {
    /// Returns a failure of something that was asked for in the wrong way.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure { kind: FailureKind::Usage, message: message.into(), hints: Vec::new() }
    }

    /// Returns any other failure.
    pub(crate) fn general(message: impl Into<String>) -> Failure {
        Failure { kind: FailureKind::General, message: message.into(), hints: Vec::new() }
    }

    /// Returns a failure after which there is no result to trust.
    pub(crate) fn no_result(message: impl Into<String>) -> Failure {
        Failure { kind: FailureKind::NoResult, message: message.into(), hints: Vec::new() }
    }

    /// Adds a hint.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hints.push(hint.into());
        self
    }

    /// Returns the exit code of the process.
    pub(crate) const fn exit_code(&self) -> i32 {
        match self.kind {
            FailureKind::General => exit_code::FAILED,
            FailureKind::Usage => exit_code::USAGE,
            FailureKind::NoResult => exit_code::NO_RESULT,
            FailureKind::Interrupted(signal) => exit_code::of_signal(signal),
        }
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Failure {
        let kind = match &error {
            error if error.is_storage() => FailureKind::NoResult,
            store::Error::Running { .. } => FailureKind::General,
            _ => FailureKind::Usage,
        };
        Failure { kind, message: error.to_string(), hints: hints(&error) }
    }
}

/// What can be done where a disk takes no more.
pub(crate) const MAKE_ROOM: &str = "make room on the disk, or name a home on another one with --home or RILLE_HOME.";

fn hints(error: &store::Error) -> Vec<String> {
    let hint = match error {
        store::Error::NoSuchRun { near, .. } if near.is_empty() => {
            "'rille runs --all' lists the runs there are.".into()
        }
        store::Error::NoSuchRun { near, .. } => format!("did you mean {}?", near.join(" or ")),
        store::Error::Ambiguous { candidates, .. } => {
            const SHOWN: usize = 8;
            let mut text = format!("give more of the id: {}", candidates[..candidates.len().min(SHOWN)].join(", "));
            if candidates.len() > SHOWN {
                let _ = write!(text, " and {} more", candidates.len() - SHOWN);
            }
            text
        }
        store::Error::DirectoryUsed { .. } => "name a directory that is empty or does not exist.".into(),
        store::Error::LockHeld { .. } => "wait until it has ended, or name another run directory.".into(),
        store::Error::NewerFormat { .. } => "use the release of Rille that wrote it, or a newer one.".into(),
        store::Error::TooLarge { .. } => "if it is meant so, allow more with --max-bytes or --max-entries.".into(),
        store::Error::BadLink { .. } => "with -r what links lead to is copied in their place.".into(),
        store::Error::Running { .. } => "end it first, with 'rille runs stop' or Ctrl-C.".into(),
        store::Error::NoHome => "name a folder with --home or RILLE_HOME.".into(),
        store::Error::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => MAKE_ROOM.into(),
        store::Error::Io { source, .. } if engine::is_want(source) => format!("{}.", engine::explain(source)),
        store::Error::Io { .. } | store::Error::Corrupt { .. } => return Vec::new(),
    };
    vec![hint]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_store_have_their_exit_codes_and_hints() {
        let full = std::io::Error::from_raw_os_error(libc::ENOSPC);
        let missing = |near: &[&str]| store::Error::NoSuchRun {
            given: "ab".into(),
            near: near.iter().map(|&id| id.to_owned()).collect(),
        };
        let cases = [
            (missing(&[]), 2, "'rille runs --all' lists the runs there are."),
            (missing(&["ac12", "ad34"]), 2, "did you mean ac12 or ad34?"),
            (
                store::Error::Ambiguous { given: "a".into(), candidates: (0..10).map(|n| format!("a{n}")).collect() },
                2,
                "give more of the id: a0, a1, a2, a3, a4, a5, a6, a7 and 2 more",
            ),
            (store::Error::Running { id: "ab".into() }, 1, "end it first, with 'rille runs stop' or Ctrl-C."),
            (
                store::Error::io("write", std::path::Path::new("/r"))(full),
                7,
                "make room on the disk, or name a home on another one with --home or RILLE_HOME.",
            ),
        ];
        for (error, code, hint) in cases {
            let failure = Failure::from(error);
            assert_eq!((failure.exit_code(), failure.hints), (code, vec![hint.to_owned()]));
        }
    }
}
