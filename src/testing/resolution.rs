//! What becomes of a reference.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use super::Hint;
use super::pytest::AskPytest;
use super::python::AskPython;
use crate::model::Runnable;

/// Runs an executable, with arguments, and returns what it wrote to its standard output. The error is the end of a sentence.
pub(crate) type RunExecutable<'a> = &'a dyn Fn(&Path, &[String]) -> Result<Vec<u8>, Box<dyn Error>>;

/// What resolvers may do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Executables are run, and take part as what they print if that is a list of recipes.
    pub(crate) run_executables: bool,
    /// Arguments for those executables.
    pub(crate) executable_arguments: Vec<String>,
    /// What `.avocado.hint` says.
    pub(crate) hint: Option<Hint>,
}

/// What resolvers must know of where they are.
#[derive(Clone)]
pub(crate) struct Surroundings<'a> {
    /// The folder that relative references begin in.
    pub(crate) folder: &'a Path,
    /// The folders, besides its own, in which a Python file's imports are looked for.
    pub(crate) python_path: Vec<PathBuf>,
    /// How Python is asked for its own folders, once they matter; `None` where it cannot be.
    pub(crate) ask_python: Option<AskPython<'a>>,
    /// How pytest is asked for its items; `None` where it cannot be.
    pub(crate) ask_pytest: Option<AskPytest<'a>>,
    /// How an executable is run; `None` where none can be.
    pub(crate) run_executable: Option<RunExecutable<'a>>,
}

/// One file or other reference, and what was found for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resolution {
    /// The reference as the user gave it: a folder or glob perhaps.
    pub(crate) given: String,
    /// The one reference that this is about.
    pub(crate) reference: String,
    /// What was found.
    pub(crate) found: Found,
    /// What was not looked at, where there may be tests as well.
    pub(crate) remark: Option<String>,
}

impl Resolution {
    /// Returns the tests that were found.
    pub(crate) fn runnables(&self) -> &[Runnable] {
        match &self.found {
            Found::Tests { runnables, .. } => runnables,
            _ => &[],
        }
    }

    /// Returns the name of the resolver that found the tests, or found the reference damaged.
    pub(crate) fn resolver(&self) -> Option<&'static str> {
        match &self.found {
            Found::Tests { resolver, .. } | Found::Corrupt { resolver, .. } => Some(resolver),
            Found::Nothing(_) => None,
        }
    }
}

/// What was found for a reference.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Found {
    /// Tests, in their order; of a file that has none because all are disabled, no tests.
    Tests {
        /// Who found them: `exec-test`, `python-unittest`, `runnable-recipe`, …
        resolver: &'static str,
        /// The tests.
        runnables: Vec<Runnable>,
    },
    /// It is meant for a resolver, but damaged.
    Corrupt {
        /// The resolver that it is meant for.
        resolver: &'static str,
        /// What is wrong, and where.
        reason: String,
    },
    /// No resolver could do anything with it.
    Nothing(Unresolved),
}

/// What was tried with a reference, in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unresolved {
    /// What each resolver said.
    pub(crate) tried: Vec<Tried>,
    /// The reference that may have been meant.
    pub(crate) near: Option<String>,
}

/// What one resolver said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tried {
    /// Its name.
    pub(crate) resolver: &'static str,
    /// Why it found nothing.
    pub(crate) reason: String,
}

impl fmt::Display for Unresolved {
    /// Says what was tried, each reason once with the resolvers that gave it. It follows a colon: on the same line for one
    /// reason, on lines of their own for several.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.tried.as_slice() {
            return write!(f, " {}", only.reason);
        }
        let mut told: Vec<&str> = Vec::new();
        for tried in &self.tried {
            let reason = tried.reason.as_str();
            if told.contains(&reason) {
                continue;
            }
            let who = self.tried.iter().filter(|other| other.reason == reason).map(|other| other.resolver);
            write!(f, "\n  {}: {reason}", who.collect::<Vec<_>>().join(", "))?;
            told.push(reason);
        }
        Ok(())
    }
}
