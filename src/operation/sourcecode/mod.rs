//! The source code of an operation: which files of its project a run gets a copy of, so that it never needs the project
//! again.
//!
//! What the version control lists comes by argument: nothing here starts a process.

mod config;
mod copy;
mod listing;
mod rules;
mod text;
mod walk;

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use self::config::Config;
use self::rules::{RuleId, Rules};
use super::relative::normal;
use super::{Notice, takes_no_more};
use crate::model::is_inside;

pub(crate) use self::config::Odd;
pub(crate) use self::copy::Snapshot;

/// Without a version control and without rules of its own a project has at most so many files of source code.
const MOST_FILES: usize = 100;

/// And none of them is larger than this, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// What the version control knows of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GitFiles {
    /// The files that it tracks, and those that it would track, relative to the folder.
    pub(crate) files: Vec<PathBuf>,
}

impl GitFiles {
    /// Returns what git would list in `root`, told by the rules of `.gitignore` alone: for machines without git.
    pub(crate) fn by_rules(root: &Path) -> GitFiles {
        let walk = ignore::WalkBuilder::new(root)
            .hidden(false)
            .ignore(false)
            .filter_entry(|e| e.file_name() != ".git")
            .build();
        let is_file = |entry: &ignore::DirEntry| entry.file_type().is_some_and(|kind| !kind.is_dir());
        // What cannot be read is no file that could be copied.
        let files = walk.filter_map(Result::ok).filter(is_file);
        let files = files.filter_map(|entry| Some(entry.path().strip_prefix(root).ok()?.to_owned()));
        GitFiles { files: files.collect() }
    }
}

/// Why there is no source code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The definition is wrong.
    #[error("{0}")]
    Definition(String),
    /// A call to the system failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as the verb phrase between "cannot" and the path.
        action: &'static str,
        /// The file it was attempted on.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// Returns whether the disk does not take the copies, so that the run cannot be recorded.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Error::Io { source, .. } if takes_no_more(source))
    }

    fn bad(text: String) -> Self {
        Error::Definition(text)
    }

    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
        let path = path.to_owned();
        move |source| Error::Io { action, path, source }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// The absolute folder of the project.
    pub(crate) project: &'a Path,
    /// `sourcecode` of the model and of the operation, as written.
    pub(crate) rules: &'a [Value],
    /// What the version control knows of [`root`]; `None` without one.
    pub(crate) git: Option<&'a GitFiles>,
    /// Files and folders, relative to the project, that are dependencies and so no source code.
    pub(crate) dependencies: &'a [PathBuf],
    /// The script that is run, relative to the project: it is source code even where base rules leave it out.
    pub(crate) script: Option<&'a Path>,
    /// Whether Python runs it, whose tools make folders that are no source code.
    pub(crate) is_python: bool,
    /// Whether there is to be none, as `NO_SOURCECODE=1` says.
    pub(crate) none: bool,
    /// Whether it is to be told of every file why it is taken or not.
    pub(crate) explain: bool,
}

/// The files that make the source code of a run.
pub(crate) struct Plan {
    project: PathBuf,
    root: PathBuf,
    config: Config,
    rules: Rules,
    selected: Vec<Chosen>,
    skipped: Vec<Chosen>,
    /// Links to folders that are copied: where they stand, and where the folder is.
    links: Vec<(PathBuf, PathBuf)>,
    notices: Vec<Notice>,
}

/// A file or folder and the rule that decided about it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Chosen {
    /// Relative to the root.
    path: PathBuf,
    is_dir: bool,
    rule: Option<RuleId>,
}

/// Says what is wrong with the attribute `sourcecode`, for whoever reads a definition; returns what has no effect in it.
pub(crate) fn check(value: &Value) -> Result<Vec<Odd>, String> {
    let config = Config::read(std::slice::from_ref(value)).map_err(|error| error.to_string())?;
    Rules::check(&config).map_err(|error| error.to_string())?;
    check_dest(&config).map_err(|error| error.to_string())?;
    Ok(config.odd)
}

/// Returns the folder in which source code is looked for: the project, unless `root` names another.
pub(crate) fn root(project: &Path, rules: &[Value]) -> Result<PathBuf, Error> {
    let config = Config::read(rules)?;
    Ok(config.root.map_or_else(|| project.to_owned(), |root| normal(&project.join(root))))
}

/// Returns whether there is to be any source code, by rules that can be read.
pub(crate) fn is_wanted(rules: &[Value]) -> bool {
    Config::read(rules).is_ok_and(|config| !config.disabled)
}

/// Chooses the files.
pub(crate) fn plan(request: &Request<'_>) -> Result<Plan, Error> {
    let config = Config::read(request.rules)?;
    check_dest(&config)?;
    let project = normal(request.project);
    let root = config.root.as_ref().map_or_else(|| project.clone(), |root| normal(&project.join(root)));
    let (selected, skipped, links, notices) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    if request.none || config.disabled {
        Rules::check(&config)?;
        let config = Config { disabled: true, ..config };
        return Ok(Plan { project, root, config, rules: Rules::none(), selected, skipped, links, notices });
    }
    let rules = Rules::new(&root, &config, request.git, request.is_python)?;
    let mut plan = Plan { project, root, config, rules, selected, skipped, links, notices };
    if plan.config.root.is_some() && !plan.root.is_dir() {
        return Err(Error::bad(format!("root of sourcecode is {}, and there is no such folder", plan.root.display())));
    }
    let in_root = |path: &Path| normal(&plan.project.join(path)).strip_prefix(&plan.root).ok().map(Path::to_owned);
    let dependencies: Vec<PathBuf> = request.dependencies.iter().filter_map(|path| in_root(path)).collect();
    let script = request.script.and_then(in_root);
    let found = walk::walk(&walk::Walk {
        root: &plan.root,
        rules: &plan.rules,
        git: request.git,
        dependencies: &dependencies,
        script: script.as_deref(),
        explain: request.explain,
    });
    plan.selected = found.selected;
    plan.skipped = found.skipped;
    plan.links = found.links;
    plan.notices = found.notices;
    Ok(plan)
}

fn check_dest(config: &Config) -> Result<(), Error> {
    match &config.dest {
        Some(dest) if !(dest.is_empty() || dest == "." || is_inside(Path::new(dest))) => {
            Err(Error::bad(format!("dest of sourcecode is '{dest}', which is not inside the run directory")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
