//! What can be run: a kind and what that kind needs to know. This is Avocado's "runnable", and its JSON recipe.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A thing that can be run, as data. Its JSON form is a recipe of Avocado's nrunner.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Runnable {
    /// Which kind of runner runs it: `lua`, `exec-test`, …
    pub(crate) kind: String,
    /// What the kind runs, for most a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) uri: Option<String>,
    /// Positional arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) args: Vec<String>,
    /// Parameters by name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) kwargs: Map<String, Value>,
    /// Settings of the runner.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) config: Map<String, Value>,
    /// Labels: a name, with a list of values or null.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) tags: Map<String, Value>,
    /// Runnables that must have passed before this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) dependencies: Vec<Value>,
    /// The name to report it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) identifier: Option<String>,
}
