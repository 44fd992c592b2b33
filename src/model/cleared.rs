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

impl Cleared {
    /// Returns what is kept from a runnable, if anything is. The error says what cannot be meant.
    pub(crate) fn of(runnable: &Runnable) -> Result<Option<Self>, String> {
        match runnable.config.get(CLEAR_ENV) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(which)) if which == "system" => Ok(Some(Self::System)),
            Some(Value::String(which)) if which == "all" => Ok(Some(Self::All)),
            Some(other) => Err(format!("{CLEAR_ENV} is {other}, and neither \"system\" nor \"all\"")),
        }
    }
}
