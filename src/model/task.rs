//! A runnable with everything the engine must know to run it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Blob, Runnable, Runner, SectionChoice, WalkLine};

/// The number of a task in its run, from 1, in the order in which the jobfile made them.
pub(crate) type TaskNumber = u32;

/// Where in a file something was defined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Place {
    // Shared, since many tasks stand in one file.
    /// The file as the user named it.
    pub(crate) file: Arc<str>,
    /// The line, from 1; 0 where it is the file as a whole.
    pub(crate) line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// What the label of a task begins with that is in quarantine; what follows says until when, and why.
pub(crate) const QUARANTINE: &str = "rille.quarantine:";

/// A task as it is handed to the engine.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Task {
    /// The id the user sees; unique in the run.
    pub(crate) id: String,
    /// What to run.
    pub(crate) runnable: Runnable,
    /// The program that runs it and reports to the status server; `None` for the kinds that the engine runs itself.
    pub(crate) runner: Option<Arc<Runner>>,
    /// The working folder; the task's own folder if there is none.
    pub(crate) cwd: Option<PathBuf>,
    /// Environment variables on top of the host's; `None` removes one.
    pub(crate) env: BTreeMap<String, Option<Blob>>,
    /// The file to read standard input from; `/dev/null` if there is none.
    pub(crate) stdin: Option<PathBuf>,
    /// How long one attempt may take.
    pub(crate) max_runtime: Option<Duration>,
    /// Attempts after the first.
    pub(crate) retries: u32,
    /// Ids of the tasks that must pass before this one starts.
    pub(crate) needs: Vec<String>,
    /// How much of each resource the task holds while it runs.
    pub(crate) resources: BTreeMap<String, u64>,
    /// Labels to select tasks by.
    pub(crate) tags: Vec<String>,
    /// It prepares others and is no test itself: a dependency.
    pub(crate) prepares: bool,
    /// Every exit code but 0 means failed, as for Avocado. Else 1 does, and the others mean errored.
    pub(crate) every_code_fails: bool,
    /// Which sections of a testscript run.
    pub(crate) choice: SectionChoice,
    /// It is a worker of walks, and this is the way to their coordinator.
    pub(crate) walk: Option<Box<WalkLine>>,
    /// See [`TaskQueued::inputs`](super::TaskQueued::inputs).
    pub(crate) inputs: Option<String>,
    /// See [`TaskQueued::variant`](super::TaskQueued::variant).
    pub(crate) variant: Option<String>,
    /// Where the user defined it.
    pub(crate) place: Option<Place>,
}

impl Task {
    /// Returns whether its end counts for the run: it is no preparation, and not in quarantine.
    pub(crate) fn counts(&self) -> bool {
        !self.prepares && !self.tags.iter().any(|tag| tag.starts_with(QUARANTINE))
    }
}
