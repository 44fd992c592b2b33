//! What is the same for all tasks of a run.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::synchro::Synchro;
use crate::model::Masks;

/// See the module.
#[derive(Clone)]
pub(crate) struct Surroundings {
    /// The run's id.
    pub(crate) run_id: String,
    /// The run directory.
    pub(crate) directory: PathBuf,
    /// The working folder of the host.
    pub(crate) started_in: PathBuf,
    /// The testbed as a JSON file for executables.
    pub(crate) testbed_file: Option<PathBuf>,
    /// The cap of each output file, in bytes.
    pub(crate) output_limit: u64,
    /// The GPUs that tasks are given pieces of, as `CUDA_VISIBLE_DEVICES` lists them.
    pub(crate) visible_gpus: Option<String>,
    /// What the processes of the run share, once there is anything.
    pub(crate) synchro: Arc<OnceLock<Synchro>>,
    /// What takes the place of secrets in what tasks write.
    pub(crate) masks: Masks,
}

/// The environment variables by which a task learns where it is.
pub(crate) mod variable {
    pub(crate) const TASK_ID: &str = "RILLE_TASK_ID";
    pub(crate) const TASK_DIR: &str = "RILLE_TASK_DIR";
    pub(crate) const RUN_ID: &str = "RILLE_RUN_ID";
    pub(crate) const RUN_DIR: &str = "RILLE_RUN_DIR";
    pub(crate) const ATTEMPT: &str = "RILLE_ATTEMPT";
    pub(crate) const TESTBED: &str = "RILLE_TESTBED";
    /// The socket of the shared objects; as the next, only where there are any.
    pub(crate) const SYNCHRO: &str = "RILLE_SYNCHRO";
    pub(crate) const TASK_NUMBER: &str = "RILLE_TASK_NUMBER";
    /// By what a runner that reports by TCP makes itself known.
    pub(crate) const STATUS_TOKEN: &str = "RILLE_STATUS_TOKEN";

    /// All that a task may find, its mark included.
    pub(crate) const ALL: [&str; 10] =
        [TASK_ID, TASK_DIR, RUN_ID, RUN_DIR, ATTEMPT, TESTBED, SYNCHRO, TASK_NUMBER, STATUS_TOKEN, crate::engine::MARK];
}
