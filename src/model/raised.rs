//! Errors of Lua code, as they leave it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Key, Value};

/// An error that Lua code raised and nobody caught.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize, JsonSchema)]
#[error("{message}")]
#[schemars(deny_unknown_fields)]
pub(crate) struct RaisedError {
    /// The kind in one word: `timeout`, `definition`, `usage`, `cancelled`, `assertion`, `syntax`, `error`, …
    pub(crate) kind: String,
    /// What, where and what to do.
    pub(crate) message: String,
    /// The call stack, one call a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) traceback: Option<String>,
}

impl RaisedError {
    /// Returns what a result keeps of the error beside its message.
    pub(crate) fn data(&self) -> Value {
        let traceback = self.traceback.as_deref().map_or(Value::Null, Value::from);
        let fields = [("kind", Value::from(self.kind.as_str())), ("traceback", traceback)];
        Value::Map(fields.map(|(name, value)| (Key::Text(name.to_owned()), value)).into())
    }
}
