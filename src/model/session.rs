//! A session: one process that runs several tests, and tells what came of each while it goes on.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{TaskNumber, TestStatus};

/// The parameter of a runnable by which its runner gets the path of a file with a [`SessionOrder`].
pub(crate) const SESSION: &str = "rille.session";

/// What a session is to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SessionOrder {
    /// The tests in their order: the number that each has in the run, and its uri.
    pub(crate) items: Vec<(TaskNumber, String)>,
    /// How long one may take, in seconds.
    pub(crate) limit: Option<f64>,
    /// Once so many have not passed, here or by [`ENOUGH`] in the run, no other is to start.
    pub(crate) max_failures: Option<u32>,
    /// The pipe into which [`ItemReport`]s go, a line of JSON each.
    pub(crate) report: PathBuf,
}

/// The ending of a file beside that of the order: once it is there, no other test of the session is to start.
pub(crate) const ENOUGH: &str = "enough";

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ItemReport {
    /// Its number in the run.
    pub(crate) task: TaskNumber,
    /// The process that ran it.
    pub(crate) pid: i32,
    /// How it ended.
    pub(crate) status: TestStatus,
    /// Why, unless it simply passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// How long it took.
    pub(crate) seconds: f64,
    /// What it wrote to its standard output.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) stdout: String,
    /// What it wrote to its standard error.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) stderr: String,
    /// What its framework says of how it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) traceback: Option<String>,
    /// It was ended because it took too long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_late: bool,
}
