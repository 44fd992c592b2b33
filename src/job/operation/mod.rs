//! A run of an operation: its directory is prepared, then its one process runs there, or is left to be started later.
//!
//! A new run and one that is started again are the same from the [`OpRecord`] and the values of flags on. Everything is done
//! by the host, with the engine running from the start, so that a signal is heard also while files are copied.

pub(crate) mod batch;
mod dependencies;
mod execute;
mod git;
mod identity;
mod keep;
mod naming;
mod output;
pub(crate) mod pipeline;
mod prepare;
mod python;
mod recorded;
mod secrets;
mod sourcecode;
mod stale;
mod state;
mod upstream;
mod waiting;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::engine::Guarded;
use crate::model::Masks;
use crate::operation::{FlagValues, Notice, OpRecord, Operation, ScalarPatterns};
use crate::store::{self, Home, Opref, Secrets};

pub(crate) use self::naming::label;
pub(in crate::job) use self::python::of_project as python_of;
pub(crate) use self::recorded::{CannotStart, RecordedRun};
pub(crate) use self::sourcecode::Snapshot;
pub(crate) use self::stale::Used;
pub(crate) use self::waiting::waits_still;

/// A run that was asked for, checked and complete.
pub(crate) struct Plan {
    /// What it has in common with the other trials of its batch.
    pub(crate) recipe: Arc<Recipe>,
    /// Which directory.
    pub(crate) place: RunPlace,
    /// Where the source code comes from.
    pub(crate) source: Arc<SourceCode>,
    /// What is run.
    pub(crate) record: OpRecord,
    /// The values of the flags.
    pub(crate) values: FlagValues,
    /// Those that the user gave.
    pub(crate) user_flags: FlagValues,
    /// The label; `None` for the one that it has.
    pub(crate) label: Option<String>,
    /// What of its dependencies is resolved already, as the attribute `deps` has it.
    pub(crate) resolved: Map<String, Value>,
    /// What is secret in the environment and in the flags.
    pub(crate) secrets: Secrets,
    /// The seed that is recorded.
    pub(crate) random_seed: u32,
    /// With `explain`: the runs that it would use, those that others of them use first.
    pub(crate) used: Vec<Used>,
}

/// What all runs of one command have in common.
pub(crate) struct Recipe {
    /// Where runs are kept.
    pub(crate) home: Home,
    /// What is run, in the words of the run directory.
    pub(crate) opref: Opref,
    /// Tags.
    pub(crate) tags: Vec<String>,
    /// A comment.
    pub(crate) comment: Option<String>,
    /// More attributes: `compare`, `objective`, those that the definition adds.
    pub(crate) attributes: Map<String, Value>,
    /// Which lines of the output are scalars.
    pub(crate) scalars: Option<ScalarPatterns>,
    /// Where the user started it.
    pub(crate) started_in: PathBuf,
    /// The folder of the definition.
    pub(crate) project: PathBuf,
    /// The files of the project that define it and are no part of what it runs.
    pub(crate) definitions: Vec<PathBuf>,
    /// The command line as it was typed.
    pub(crate) typed: Vec<String>,
    /// The options by Guild's names.
    pub(crate) options: Map<String, Value>,
    /// The environment, as the run records it.
    pub(crate) environment: BTreeMap<String, String>,
    /// The values of secrets are kept in what is only read.
    pub(crate) keeps_secrets: bool,
    /// What is done.
    pub(crate) wants: Wants,
    /// From the request to end the operation until it is killed.
    pub(crate) grace: Duration,
    /// The cap of the output, in bytes.
    pub(crate) output_limit: u64,
    /// How long it may take.
    pub(crate) stop_after: Option<Duration>,
    /// The value of `CUDA_VISIBLE_DEVICES`.
    pub(crate) gpus: Option<String>,
    /// Where the operation reads its standard input from.
    pub(crate) stdin: Option<PathBuf>,
    /// What writes the attributes that all runs have alike.
    pub(crate) encoder: store::Encoder,
}

impl Plan {
    /// Returns what takes the place of secrets in what is only read. It grows with the secrets.
    pub(crate) fn masks(&self) -> Masks {
        if self.recipe.keeps_secrets { Masks::default() } else { self.secrets.masks() }
    }
}

/// Which directory a run gets.
pub(crate) enum RunPlace {
    /// A new one.
    New {
        /// Its path.
        path: PathBuf,
        /// The id of the run.
        id: String,
        /// Whether the user named the directory, outside of the home.
        is_outside: bool,
    },
    /// The one that it has.
    Again {
        /// Its path.
        path: PathBuf,
    },
}

impl RunPlace {
    /// Returns the id of the run.
    pub(crate) fn id(&self) -> String {
        match self {
            RunPlace::New { id, .. } => id.clone(),
            RunPlace::Again { path } => store::run_id(path),
        }
    }
}

/// Where the source code of a run comes from.
pub(crate) enum SourceCode {
    /// The project.
    Project {
        /// `sourcecode` of the model and of the operation, as written.
        rules: Vec<Value>,
        /// The script that is run, relative to the project.
        script: Option<PathBuf>,
    },
    /// Another run, by its manifest.
    Run(PathBuf),
    /// A copy that the trials of a batch have in common.
    Snapshot(Arc<Snapshot>),
    /// It is there.
    Kept,
}

/// What is done with a run.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line, and they go together freely")]
pub(crate) struct Wants {
    /// It is made ready, and not started.
    pub(crate) staging: bool,
    /// Nothing is done where another run is the same.
    pub(crate) needed: bool,
    /// It is told in what the run would differ from the nearest one, and nothing is run.
    pub(crate) explain: bool,
    /// Dependencies that cannot be resolved are only warned of.
    pub(crate) force_deps: bool,
    /// It is kept also where its operation says that it is deleted on success.
    pub(crate) keep: bool,
    /// Nothing of its output is shown.
    pub(crate) quiet: bool,
    /// It is started only if it is staged, and stays staged where it cannot be started yet.
    pub(crate) claim: bool,
}

/// What became of a run.
#[derive(Debug)]
pub(crate) enum Done {
    /// The operation was run; the exit code follows from how it ended.
    Ran {
        /// The exit code for who started it.
        code: i32,
        /// What the user should know of how it ended.
        remark: Option<String>,
    },
    /// The run is staged.
    Staged {
        /// Its id.
        id: String,
        /// Its directory, and the command to start it there by hand; `None` for a run under the home.
        outside: Option<(PathBuf, String)>,
    },
    /// What a run would differ in, in words; there is none.
    Explained(String),
    /// Another run is the same, by their ids; this one was not kept.
    NotNeeded(Vec<String>),
    /// The run was to be started only if it is staged, and is not any more.
    NotStaged,
    /// A dependency is not met. The run is staged as it was, and says why.
    Waits,
}

/// Why a run came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// A dependency was not met. The run stays, as an error.
    #[error("run failed because a dependency was not met: {0}")]
    Unmet(String, Option<String>),
    /// The source code cannot be told or copied.
    #[error("{0}")]
    SourceCode(String),
    /// Its command cannot be made.
    #[error("{0}")]
    Command(String),
    /// Its directory could not be made or written.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// The system did not give what an engine needs.
    #[error("cannot start the engine: {}", crate::engine::explain(.0))]
    System(#[from] std::io::Error),
    /// The disk does not take what the run is made of.
    #[error("the run could not be recorded: {0}")]
    Full(String),
    /// The run could not be recorded to its end.
    #[error("{0}")]
    Unrecordable(String),
    /// It was interrupted by this signal before the operation started.
    #[error("interrupted before the operation was started")]
    Interrupted(i32),
}

impl RunError {
    /// Returns whether the run could not be carried out or recorded.
    pub(crate) const fn leaves_no_result(&self) -> bool {
        match self {
            RunError::Store(error) => error.is_storage(),
            RunError::Full(_) | RunError::Unrecordable(_) | RunError::System(_) => true,
            _ => false,
        }
    }
}

/// Hears what happens on the way.
pub(crate) trait Audience: Send {
    /// A line for the user.
    fn notice(&mut self, notice: Notice);
    /// The operation has a process.
    fn started(&self);
}

/// Runs the plan. This process is the host.
pub(crate) fn run(plan: Plan, guarded: Guarded, audience: Box<dyn Audience>) -> Result<Done, RunError> {
    execute::run(plan, guarded, audience)
}

/// Returns the command line that a run would have.
pub(crate) fn command_words(record: &OpRecord, values: &FlagValues) -> Result<Vec<String>, String> {
    prepare::command_words(record, values)
}

/// Returns for each operation that is required the flag that chooses its run, and the id of the run that it would be now.
/// Where there is none that is told.
pub(crate) fn upstream_flags(
    record: &OpRecord,
    values: &FlagValues,
    home: &Home,
    notify: &mut dyn FnMut(Notice),
) -> FlagValues {
    dependencies::default_runs(&record.deps, values, home, notify)
}

/// Returns the environment that a run would add to the present one, a line for each variable.
pub(crate) fn environment_text(
    record: &OpRecord,
    values: &FlagValues,
    opref: &Opref,
    home: &Home,
    gpus: Option<&str>,
) -> Result<String, String> {
    prepare::environment_text(record, values, opref, home, gpus)
}

/// Returns a text that says of every file of a project whether it is source code, and by which rule.
pub(crate) fn explain_sourcecode(operation: &Operation) -> Result<String, String> {
    sourcecode::explain(operation)
}
