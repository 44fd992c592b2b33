//! What a task process says of itself while it runs.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Outcome;

/// One message of a task to its host, a JSON object with the key `status`.
///
/// A message speaks only of the task on whose channel it came, and never outranks the exit status of its process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub(crate) enum Message {
    /// The script is about to run.
    Started {},
    /// The script has come to its end, in its own words.
    Finished {
        /// The outcome the script claims.
        result: Outcome,
        /// Why, in a sentence.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Anything else the script wants to be kept: a traceback, measured values.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Value>,
    },
}
