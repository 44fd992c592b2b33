//! What a run under way is made with, checked and complete.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::operation::batch::BatchKind;
use super::reports::{Annotations, ReportCopy};
use super::rerun::Rerun;
use super::select::Selection;
use super::walk::WalkSettings;
use crate::engine::Capacity;
use crate::model::{Level, Masks, SectionChoice};
use crate::report::{ColorChoice, Verbosity};
use crate::store::{ArchiveTarget, Home, Secrets};

/// Which front door a run came by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Door {
    /// A jobfile.
    #[default]
    Job,
    /// Tests that were named on the command line.
    Test,
    /// A suite of walks.
    Walk,
    /// A batch of runs of an operation.
    Batch,
    /// An operation of steps.
    Pipeline,
}

impl Door {
    /// Returns the name, as events and reports have it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Door::Job => "job",
            Door::Test => "test",
            Door::Walk => "walk",
            Door::Batch => "batch",
            Door::Pipeline => "pipeline",
        }
    }
}

/// The settings of one run of a jobfile or of tests.
pub(crate) struct Settings {
    /// Where runs are kept.
    pub(crate) home: Home,
    /// A run directory outside the home.
    pub(crate) run_dir: Option<PathBuf>,
    /// The working folder.
    pub(crate) started_in: PathBuf,
    /// Which front door it came by.
    pub(crate) door: Door,
    /// The id of the run, where it has one already.
    pub(crate) id: Option<String>,
    /// What the batch or the pipeline is, where it is one.
    pub(crate) batch: Option<BatchKind>,
    /// The absolute path of the jobfile; for tests the folder in which they were started.
    pub(crate) jobfile: PathBuf,
    /// The bytes of the jobfile; for tests the suite, as the run directory keeps it.
    pub(crate) source: Vec<u8>,
    /// The command line as it was typed.
    pub(crate) command: Vec<String>,
    /// The arguments that are handed on to the jobfile.
    pub(crate) argv: Vec<String>,
    /// What looks like a slip in an option of the launcher: the word that was handed on, and the option that may be meant.
    pub(crate) slips: Vec<(String, String)>,
    /// The launcher's options by name, as the jobfile and `run_params` see them.
    pub(crate) options: Map<String, Value>,
    /// The label of the run.
    pub(crate) label: Option<String>,
    /// The tags of the run.
    pub(crate) run_tags: Vec<String>,
    /// Metadata of the run, for its reports.
    pub(crate) meta: BTreeMap<String, String>,
    /// How many tasks may run at once (`-j`).
    pub(crate) jobs: Option<usize>,
    /// The number of CPUs, the limit of `parallel` where no other is given.
    pub(crate) cpus: usize,
    /// How many tests or tasks may end badly before no other starts.
    pub(crate) max_failures: Option<u32>,
    /// How long the job may take as a whole.
    pub(crate) deadline: Option<Duration>,
    /// How much there is of each resource.
    pub(crate) capacity: Capacity,
    /// The GPUs that there are, as `CUDA_VISIBLE_DEVICES` lists them; `None` for those that the host's own variable has.
    pub(crate) visible_gpus: Option<String>,
    /// From the request to end a task until it is killed.
    pub(crate) grace: Duration,
    /// The cap of each output file, in bytes.
    pub(crate) output_limit: u64,
    /// Attempts after the first of a task that does not say itself how many.
    pub(crate) retries: u32,
    /// How long a runner may say nothing.
    pub(crate) silence_timeout: Option<Duration>,
    /// Where the status server listens by TCP, for runners that can tell a token.
    pub(crate) status_listen: Option<SocketAddr>,
    /// Plugin files in the order in which they are loaded.
    pub(crate) plugins: Vec<PathBuf>,
    /// How long one stage of a plugin may take.
    pub(crate) plugin_timeout: Option<Duration>,
    /// Levels of loggers by name, the root's under the empty one.
    pub(crate) log_levels: BTreeMap<String, Level>,
    /// The run directory of the run to go on with.
    pub(crate) resume: Option<PathBuf>,
    /// The run that is gone on with is to be staged still.
    pub(crate) claim: bool,
    /// Which tasks of an earlier run are run.
    pub(crate) rerun: Option<Rerun>,
    /// The archive to make at the end.
    pub(crate) archive: Option<ArchiveTarget>,
    /// Which tasks are run at all.
    pub(crate) selection: Selection,
    /// Which sections of testscripts run, and how; above what `run {}` says.
    pub(crate) choice: SectionChoice,
    /// Parameters of every Lua script, above what `run {}` says.
    pub(crate) parameters: Map<String, Value>,
    /// What the testbed file holds.
    pub(crate) testbed: Option<Value>,
    /// How walks are run.
    pub(crate) walks: WalkSettings,
    /// For which CI faults are written as annotations.
    pub(crate) annotations: Annotations,
    /// Reports that are wanted outside the run directory.
    pub(crate) report_copies: Vec<ReportCopy>,
    /// How much the console says.
    pub(crate) verbosity: Verbosity,
    /// Whether the console is in colour.
    pub(crate) color: ColorChoice,
    /// The environment, as the run records it.
    pub(crate) environment: BTreeMap<String, String>,
    /// What is secret in the environment.
    pub(crate) secrets: Secrets,
    /// The values of secrets are kept in what is only read.
    pub(crate) keeps_secrets: bool,
}

impl Settings {
    /// Returns what takes the place of secrets in what is only read. It grows with the secrets.
    pub(super) fn masks(&self) -> Masks {
        if self.keeps_secrets { Masks::default() } else { self.secrets.masks() }
    }
}
