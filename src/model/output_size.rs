//! How much an attempt wrote, and where that stands.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much a stream carried, and how much of it was kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct OutputSize {
    /// Bytes that the task wrote.
    pub(crate) bytes: u64,
    /// Bytes of them that were left out of the file, between its head and its tail.
    #[serde(default, skip_serializing_if = "is_zero_u64")]
    pub(crate) left_out: u64,
    /// Bytes of the file that stand before the line that says so; 0 where nothing was left out.
    #[serde(default, skip_serializing_if = "is_zero_u64")]
    pub(crate) head: u64,
    /// Where the file stands.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) place: FilePlace,
}

/// Where a file stands that the engine wrote for an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FilePlace {
    /// In the attempt's folder, under its own name.
    #[default]
    Named,
    /// There, with `.rille` behind its name: the task has a file of that name itself.
    Beside,
    /// Under `.guild/tasks/`: the folder did not take it, or it was removed there.
    Apart,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl OutputSize {
    /// Returns whether nothing was written.
    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes == 0
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
const fn is_zero_u64(n: &u64) -> bool {
    *n == 0
}
