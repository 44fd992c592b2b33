//! What the host tells a task process before its script starts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Blob, Level, SectionChoice, TaskNumber, WalkLine, path_bytes};

/// The one message from the host to a task process of a kind that Rille itself runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The task's id.
    pub(crate) task_id: String,
    /// The absolute path of the script.
    #[serde(with = "path_bytes")]
    pub(crate) script: PathBuf,
    /// Its command-line arguments.
    pub(crate) args: Vec<Blob>,
    /// Its parameters.
    pub(crate) parameters: Map<String, Value>,
    /// The working folder of the host: the project, where no file says what is.
    #[serde(with = "path_bytes")]
    pub(crate) started_in: PathBuf,
    /// The file that becomes its standard input, `/dev/null` if there is none.
    #[serde(with = "path_bytes::option")]
    pub(crate) stdin: Option<PathBuf>,
    /// Which of its sections run.
    #[serde(default)]
    pub(crate) choice: SectionChoice,
    /// How it reaches what the run's processes share, if there is anything.
    #[serde(default)]
    pub(crate) synchro: Option<SynchroLine>,
    /// It is a worker of walks, and this is the way to their coordinator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) walk: Option<WalkLine>,
    /// What the script sees as `runtime`.
    pub(crate) runtime: RuntimeInfo,
}

/// The way to the shared objects of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SynchroLine {
    /// The socket.
    #[serde(with = "path_bytes")]
    pub(crate) socket: PathBuf,
    /// The task's number.
    pub(crate) task: TaskNumber,
    /// Which attempt at it, from 1.
    pub(crate) attempt: u32,
}

/// The part of a run that its tasks may read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RuntimeInfo {
    /// The job.
    pub(crate) job: JobInfo,
    /// The run directory.
    #[serde(with = "path_bytes")]
    pub(crate) directory: PathBuf,
    /// Arguments that the launcher handed on.
    pub(crate) argv: Vec<String>,
    /// Levels of loggers by name, the root's under the empty one; as the jobfile has set them by now.
    #[serde(default)]
    pub(crate) log_levels: BTreeMap<String, Level>,
    /// What the testbed file holds.
    pub(crate) testbed: Option<Value>,
    /// Metadata of the run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) meta: BTreeMap<String, String>,
    /// The names of the parameters that the command line sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) given: Vec<String>,
}

/// The job as its tasks see it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct JobInfo {
    /// The reporting name.
    pub(crate) name: String,
    /// The run's id.
    pub(crate) uid: String,
    /// The absolute path of the jobfile.
    #[serde(with = "path_bytes")]
    pub(crate) file: PathBuf,
    /// SHA-256 of the jobfile, hexadecimal.
    pub(crate) file_hash: String,
    /// When the job started, RFC 3339.
    pub(crate) starttime: String,
}
