//! A task as a jobfile wrote it down, before it is known whether it can be run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::datafile;
use crate::model::{Blob, Place, Runnable, SectionChoice, Value, WalkLine};

/// The content of one `run {}` or `Task {}`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    /// What to run.
    pub(crate) testscript: Option<Testscript>,
    /// The id; `None` for the default.
    pub(crate) taskid: Option<String>,
    /// The runner kind; `None` to go by the file.
    pub(crate) kind: Option<String>,
    /// How long one attempt may take.
    pub(crate) max_runtime: Option<Duration>,
    /// Command-line arguments.
    pub(crate) args: Vec<Blob>,
    /// Environment variables.
    pub(crate) env: BTreeMap<String, Option<Blob>>,
    /// The working folder.
    pub(crate) cwd: Option<PathBuf>,
    /// The file for standard input.
    pub(crate) stdin: Option<PathBuf>,
    /// Attempts after the first; `None` for those of the run.
    pub(crate) retries: Option<u32>,
    /// Ids of tasks that must pass first.
    pub(crate) needs: Vec<String>,
    /// How much of each resource it holds.
    pub(crate) resources: BTreeMap<String, u64>,
    /// Labels.
    pub(crate) tags: Vec<String>,
    /// Which sections of a testscript run: expressions over their uids and groups.
    pub(crate) sections: DraftSections,
    /// The datafile of a testscript.
    pub(crate) datafile: Option<DraftDatafile>,
    /// It is a worker of walks.
    pub(crate) walk: Option<Box<WalkLine>>,
    /// Every other key.
    pub(crate) parameters: BTreeMap<String, Value>,
    /// Where it stands.
    pub(crate) place: Option<Place>,
    /// What is wrong with it, so that it cannot be run.
    pub(crate) problem: Option<String>,
    /// What the user should know of it all the same.
    pub(crate) remarks: Vec<String>,
}

/// The keys `uids` and `groups` of a task.
#[derive(Clone, Debug, Default)]
pub(crate) struct DraftSections {
    /// Expressions over uids.
    pub(crate) uids: Vec<String>,
    /// Expressions over groups.
    pub(crate) groups: Vec<String>,
    /// `uids` is a function.
    pub(crate) asks_uids: bool,
    /// `groups` is a function.
    pub(crate) asks_groups: bool,
}

impl DraftSections {
    /// Returns whether anything is chosen at all.
    pub(super) fn is_set(&self) -> bool {
        !self.uids.is_empty() || !self.groups.is_empty() || self.asks_uids || self.asks_groups
    }

    /// Returns the choice of sections of a task, where the command line wins.
    pub(super) fn choice(self, command_line: &SectionChoice) -> SectionChoice {
        let mut choice = command_line.clone();
        if choice.uids.is_empty() {
            choice.uids = self.uids;
            choice.ask |= self.asks_uids;
        }
        if choice.groups.is_empty() {
            choice.groups = self.groups;
            choice.ask |= self.asks_groups;
        }
        choice
    }
}

/// A datafile, in one of the ways to say it.
#[derive(Clone, Debug)]
pub(crate) enum DraftDatafile {
    /// A file.
    Path(PathBuf),
    /// What it holds.
    Content(Value),
}

impl DraftDatafile {
    /// Reads it. A file is looked for in these folders, in order.
    pub(super) fn read(&self, folders: &[&Path]) -> Result<datafile::Read, datafile::DatafileError> {
        let first = folders.first().copied().unwrap_or(Path::new("/"));
        match self {
            Self::Path(path) => {
                let found = folders.iter().map(|folder| folder.join(path)).find(|path| path.is_file());
                datafile::read_datafile(&found.unwrap_or_else(|| first.join(path)))
            }
            Self::Content(content) => datafile::datafile_of(content.clone(), first),
        }
    }
}

/// What a task runs, in one of the ways to say it.
#[derive(Clone, Debug)]
pub(crate) enum Testscript {
    /// A file.
    Path(String),
    /// A recipe.
    Recipe(Box<Runnable>),
}
