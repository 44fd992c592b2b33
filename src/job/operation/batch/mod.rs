//! A batch: many runs of one operation, its trials, as tasks of one run.
//!
//! The batch has a run of its own, with the log, the reports and the exit code of a job. In it `.guild/proto` is a run that was
//! never started: what the trials have in common, their source code among it, as Guild keeps it; and `.guild/trials` lists
//! them. Each trial is a run like any other, made when its task could start, and linked in the batch.

mod carrier;
mod listed;
mod needed;
mod proto;
mod stage;
mod trial;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Notice, Recipe, SourceCode};
use crate::operation::{FlagValues, OpRecord};
use crate::store::{Opref, Secrets};

pub(in crate::job::operation) use self::carrier::completed;
pub(crate) use self::listed::{Listed, read as read_trials};
pub(crate) use self::needed::find_existing;
pub(crate) use self::proto::PROTO;
pub(crate) use self::stage::{stage, stage_trials};
pub(in crate::job) use self::trial::Trials;
pub(crate) use super::waiting::wait_for_runs;

/// A batch that was asked for, checked and complete.
pub(crate) struct Batch {
    /// What the trials have in common.
    pub(crate) recipe: Arc<Recipe>,
    /// Where the source code comes from that the prototype gets; `None` where it is there.
    pub(crate) source: Option<Arc<SourceCode>>,
    /// What is run.
    pub(crate) record: OpRecord,
    /// The values of the flags; lists and ranges as they were written.
    pub(crate) values: FlagValues,
    /// Those that the user gave.
    pub(crate) user_flags: FlagValues,
    /// What of its dependencies is resolved already.
    pub(crate) resolved: Map<String, Value>,
    /// What is secret in the environment.
    pub(crate) secrets: Secrets,
    /// The seed that is recorded.
    pub(crate) random_seed: u32,
    /// The trials, in their order.
    pub(crate) trials: Vec<Listed>,
    /// Trials are made ready, and not started.
    pub(crate) is_staging: bool,
    /// What each trial holds while it runs.
    pub(crate) resources: std::collections::BTreeMap<String, u64>,
}

/// What is known of a batch beside its trials.
#[derive(Clone, Debug)]
pub(crate) struct BatchKind {
    /// Its name, `train+`.
    pub(crate) name: String,
    /// What it is, in the words of a run directory.
    pub(crate) opref: Opref,
    /// More attributes of its run.
    pub(crate) attributes: Map<String, Value>,
    /// Its flags: those of the optimizer.
    pub(crate) flags: FlagValues,
}

impl BatchKind {
    /// Returns what a batch of an operation is, by this optimizer.
    pub(crate) fn new(
        operation: &str,
        optimizer: &str,
        flags: FlagValues,
        attributes: Map<String, Value>,
    ) -> BatchKind {
        // Guild's way to call it: the operation, `+`, and the optimizer where that is not the usual one.
        let suffix = optimizer.trim_start_matches('+');
        let opref = Opref {
            kind: "builtin".to_owned(),
            name: "rille".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model: String::new(),
            op: optimizer.to_owned(),
        };
        BatchKind { name: format!("{operation}+{suffix}"), opref, attributes, flags }
    }
}

/// Returns where the prototype of a batch is, if the run in this directory is one.
pub(crate) fn proto_of(run: &Path) -> Option<PathBuf> {
    let proto = run.join(PROTO);
    proto.join(".guild").is_dir().then_some(proto)
}

/// Says what came of a step, for a trial or the batch.
fn told(trial: &str, notice: Notice) -> Notice {
    let short = trial.get(..8).unwrap_or(trial);
    match notice {
        Notice::Info(text) => Notice::Info(format!("[{short}] {text}")),
        Notice::Warning(text) => Notice::Warning(format!("[{short}] {text}")),
    }
}
