//! A run as its directory has it, to be started again or to be the prototype of another.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::operation::{FlagValues, OpRecord};
use crate::store::{self, Opref, RunDetails, Status};

/// What a run directory knows of its run.
#[derive(Debug)]
pub(crate) struct RecordedRun {
    /// The id.
    pub(crate) id: String,
    /// The directory.
    pub(crate) path: PathBuf,
    /// What became of it.
    pub(crate) status: Status,
    /// What was run.
    pub(crate) opref: Option<Opref>,
    /// How it is run.
    pub(crate) record: OpRecord,
    /// The values of its flags.
    pub(crate) values: FlagValues,
    /// Those that its user gave.
    pub(crate) user_flags: FlagValues,
    /// Its dependencies that were resolved, as the attribute `deps` has them.
    pub(crate) deps: Map<String, Value>,
    /// Its label.
    pub(crate) label: Option<String>,
    /// Its tags.
    pub(crate) tags: Vec<String>,
    /// The seed.
    pub(crate) random_seed: Option<u32>,
    /// Its other attributes that a run of the same kind gets too.
    pub(crate) attributes: Map<String, Value>,
}

/// Why a run cannot be started again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CannotStart {
    /// It does not know its operation.
    #[error(
        "cannot restart run in {}: missing op configuration\nThe run may not have been initialized correctly. Try starting \
         the operation without the --start/--restart flag.", .0.display()
    )]
    NoOperation(PathBuf),
    /// It knows its operation in a way that nobody understands, for this reason.
    #[error(
        "cannot restart run in {}: invalid op configuration\nThis may be an internal error. Please open an issue.",
        .0.display()
    )]
    BadOperation(PathBuf, String),
    /// An attribute that it needs is damaged.
    #[error("cannot restart run in {}: {what}", path.display())]
    Damaged {
        /// The run directory.
        path: PathBuf,
        /// What is damaged.
        what: String,
    },
    /// A process works on it.
    #[error("cannot restart run {0} because it's running\nUse 'rille runs stop {0}' to stop it first and try again.")]
    Running(String),
    /// The directory cannot be read.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Attributes that say what the operation of a run is, beside `op` and `flags`.
const OF_THE_OPERATION: [&str; 4] = ["compare", "objective", "opdef_attrs", "plugins"];

impl RecordedRun {
    /// Reads the run in the directory `path`.
    pub(crate) fn read(path: &Path) -> Result<RecordedRun, CannotStart> {
        let details = store::load(path)?;
        let record = operation(path, &details)?;
        let damaged = |error: store::NoOpref| CannotStart::Damaged { path: path.to_owned(), what: error.to_string() };
        let opref = store::read_opref(path).map_err(damaged)?;
        Ok(RecordedRun {
            opref,
            record,
            values: attribute(path, &details, "flags")?.unwrap_or_default(),
            user_flags: attribute(path, &details, "user_flags")?.unwrap_or_default(),
            deps: attribute(path, &details, "deps")?.unwrap_or_default(),
            label: details.info.label.clone(),
            tags: attribute(path, &details, "tags")?.unwrap_or_default(),
            random_seed: attribute(path, &details, "random_seed")?,
            attributes: OF_THE_OPERATION
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), details.attrs.get(*name)?.clone())))
                .collect(),
            id: details.info.id,
            path: path.to_owned(),
            status: details.info.status,
        })
    }

    /// Returns why it cannot be started now, if so.
    pub(crate) fn check_startable(&self) -> Result<(), CannotStart> {
        match self.status {
            Status::Running => Err(CannotStart::Running(self.id.clone())),
            _ => Ok(()),
        }
    }
}

/// Returns the attribute `op` as what it stands for.
fn operation(path: &Path, details: &RunDetails) -> Result<OpRecord, CannotStart> {
    let is_there = path.join(".guild/attrs/op").exists();
    match details.attrs.get("op") {
        None if is_there => Err(CannotStart::BadOperation(path.to_owned(), "it is no YAML".to_owned())),
        None => Err(CannotStart::NoOperation(path.to_owned())),
        Some(value) => {
            OpRecord::read(value).map_err(|error| CannotStart::BadOperation(path.to_owned(), error.to_string()))
        }
    }
}

/// Returns an attribute; `None` if it is not there or null.
fn attribute<T: DeserializeOwned>(path: &Path, details: &RunDetails, name: &str) -> Result<Option<T>, CannotStart> {
    let damaged = |what: &str| CannotStart::Damaged {
        path: path.to_owned(),
        what: format!("the attribute '{name}' is damaged{what}"),
    };
    match details.attrs.get(name) {
        None if path.join(".guild/attrs").join(name).exists() => {
            // It is null, or it is no YAML; only the second is damage.
            let is_damaged =
                details.info.damage.as_ref().is_some_and(|damage| damage.contains(&format!("attribute '{name}'")));
            if is_damaged { Err(damaged("")) } else { Ok(None) }
        }
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value.clone()).map(Some).map_err(|error| damaged(&format!(": {error}"))),
    }
}
