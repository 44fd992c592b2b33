//! What an exec-test does not find in its environment.

use serde_json::Value;

use super::Runnable;

/// The key of a runnable's `config` that tells it.
const CLEAR_ENV: &str = "runner.exectest.clear_env";

/// What is kept from a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cleared {
    /// The environment of whoever runs it, but for `PATH`.
    System,
    /// That, and what Avocado tells its tests.
    All,
}

/// A setting that says of no part of the environment that it is kept away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{CLEAR_ENV} is {0}, and neither \"system\" nor \"all\"")]
pub(crate) struct NothingCleared(Value);

impl Cleared {
    /// Returns what is kept from a runnable, if anything is. The error says what cannot be meant.
    pub(crate) fn of(runnable: &Runnable) -> Result<Option<Self>, NothingCleared> {
        match runnable.config.get(CLEAR_ENV) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(which)) if which == "system" => Ok(Some(Self::System)),
            Some(Value::String(which)) if which == "all" => Ok(Some(Self::All)),
            Some(other) => Err(NothingCleared(other.clone())),
        }
    }
}
