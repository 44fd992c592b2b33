//! The keys of `rille.toml`: each with what it means, what it may be, and the environment variable that sets it too.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::job::WalkOptions;

use super::meta::{META_PATTERN, MetaKey, MetaValue};
use super::values::{
    Amount, Color, Count, Deadline, Limit, LogLevels, OutputLimit, Positive, Retry, Seconds, Switch, Verbosity,
};

/// Settings of Rille, the content of `rille.toml`.
///
/// Files are read in this order, and later ones win: `/etc/rille/rille.toml`; the user's, `rille/rille.toml` in
/// `$XDG_CONFIG_HOME` or `~/.config`; the project's, `rille.toml` beside the jobfile or in the nearest folder above it;
/// that of `--config`. Environment variables win over files, options over all. Lists add up instead, and tables are
/// merged key by key. Paths are relative to the file they stand in; `~/` is the user's home folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Configuration")]
pub(crate) struct Config {
    /// How many tasks run at once, from 1. Without it a Task starts at once and `parallel` takes the number of CPUs.
    /// Variable `RILLE_JOBS`, option `--jobs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Positive")]
    pub(crate) jobs: Option<Positive>,
    /// Seconds from the request to end a task until it is killed, from 0. Default: 2.
    /// Variable `RILLE_GRACE`, option `--grace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Seconds")]
    pub(crate) grace: Option<Seconds>,
    /// How many bytes are kept of each output file, its head and its tail: a number, or a text such as `64M`; from 1K.
    /// Default: `256M`. Variable `RILLE_OUTPUT_LIMIT`, option `--output-limit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OutputLimit")]
    pub(crate) output_limit: Option<OutputLimit>,
    /// When to use colour. Default: `auto`. Variable `RILLE_COLOR`, option `--color`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Color")]
    pub(crate) color: Option<Color>,
    /// How much the console says. Default: `normal`. Variable `RILLE_VERBOSITY`, options `--quiet` and `--verbose`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Verbosity")]
    pub(crate) verbosity: Option<Verbosity>,
    /// How many more attempts a task gets that has no `retries` of its own. Default: 0.
    /// Variable `RILLE_RETRIES`, option `--retries`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Count")]
    pub(crate) retries: Option<Count>,
    /// How many more times a testcase is run that fails or is errored and does not say itself how often, from 0 to 1000. Default: 0.
    /// Variable `RILLE_RETRY`, option `--retry`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Retry")]
    pub(crate) retry: Option<Retry>,
    /// After how many failed testcases of a testscript the rest of it is not run, from 1. Default: no limit.
    /// Variable `RILLE_MAX_FAILURES`, option `--max-failures`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Positive")]
    pub(crate) max_failures: Option<Positive>,
    /// How long a job may take as a whole: seconds, or a text with a unit such as `"90s"`, `"5m"`, `"2h"`; above 0. Default: no
    /// limit. Variable `RILLE_DEADLINE`, option `--deadline`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Deadline")]
    pub(crate) deadline: Option<Deadline>,
    /// How much there is of each resource: a number, or a text such as `16G`. There are as many `cpus`, `gpus` and bytes
    /// of `mem` as the machine has, and 1 of any other. Variable `RILLE_RESOURCES` (`NAME=N,…`), option `--resource`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) resources: BTreeMap<String, Amount>,
    /// Seconds that a runner may say nothing before it is ended as faulty, above 0. Default: no limit.
    /// Variable `RILLE_SILENCE_TIMEOUT`, option `--silence-timeout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Limit")]
    pub(crate) silence_timeout: Option<Limit>,
    /// Plugin files to load, in this order. Variable `RILLE_PLUGINS` (parted by `:`), option `--plugin`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) plugins: Vec<PathBuf>,
    /// Seconds that one stage of a plugin may take, above 0. Default: 300.
    /// Variable `RILLE_PLUGIN_TIMEOUT`, option `--plugin-timeout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Limit")]
    pub(crate) plugin_timeout: Option<Limit>,
    /// Levels of loggers by name, `root` for the one above all: `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`. Default:
    /// `INFO`. Variable `RILLE_LOG_LEVELS` (`LOGGER=LEVEL,…`), option `--log-level`.
    pub(crate) log_levels: LogLevels,
    /// What is kept out of what a run records.
    pub(crate) secrets: Secrets,
    /// How walks are run, where `run_tests` does not say it.
    pub(crate) walk: Walk,
    /// The folder that holds the runs. Default: `~/.rille`. Variable `RILLE_HOME`, option `--home`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathBuf")]
    pub(crate) home: Option<PathBuf>,
    /// The label of runs. Variable `RILLE_LABEL`, option `--label`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) label: Option<String>,
    /// Tags of runs. Variable `RILLE_TAGS` (parted by `,`), option `--tag`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    /// Metadata of runs of jobs, tests and walks, as their reports show it: a build number, a commit, a lab. Keys have letters,
    /// digits, `_`, `-` and `.`; values are texts. Variable `RILLE_META` (`KEY=VALUE,…`), option `--meta`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, MetaValue>", extend("propertyNames" = { "pattern": META_PATTERN }))]
    pub(crate) meta: BTreeMap<MetaKey, MetaValue>,
}

/// What is kept out of what a run records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Secrets {
    /// Names of environment variables whose values are secrets, beside those whose name says so (`…TOKEN…`,
    /// `…PASSWORD…`): patterns with `*` and `?`, in capitals or not. Variable `RILLE_SECRETS_HIDE` (parted by `,`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) hide: Vec<String>,
    /// Keep the values of secret variables in what tasks write, in logs and in reports, instead of `***`. Default: false.
    /// Variable `RILLE_SECRETS_KEEP`, option `--keep-secrets`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Switch")]
    pub(crate) keep: Option<Switch>,
}

impl Secrets {
    /// Returns whether the values of secrets are kept in what is only read.
    pub(crate) fn keeps(&self) -> bool {
        self.keep == Some(Switch(true))
    }
}

/// How walks are run, where neither the command line nor `run_tests` says it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Walk {
    /// In how many processes walks are run, from 1. Default: one a CPU. Variable `RILLE_WALK_WORKERS`, option `--workers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Positive")]
    pub(crate) workers: Option<Positive>,
    /// How much is said of walks: 0 for their end, 1 for the stages as well, 2 for everything. Default: 1.
    /// Variable `RILLE_WALK_VERBOSE`, option `--verbosity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Count")]
    pub(crate) verbose: Option<Count>,
    /// The folder for traces. Default: none are written. Variable `RILLE_WALK_LOG_DIR`, option `--log-dir`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathBuf")]
    pub(crate) log_dir: Option<PathBuf>,
    /// Seconds that a walk may take, above 0. Default: no limit.
    /// Variable `RILLE_WALK_MAX_WALK_RUNTIME`, option `--max-walk-runtime`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Limit")]
    pub(crate) max_walk_runtime: Option<Limit>,
}

impl Walk {
    /// Returns the same as walks have it.
    pub(crate) fn options(&self) -> WalkOptions {
        WalkOptions {
            workers: self.workers.map(|workers| workers.0),
            verbose: self.verbose.map(|verbose| u8::try_from(verbose.0).unwrap_or(u8::MAX).min(2)),
            log_dir: self.log_dir.clone(),
            max_walk_runtime: self.max_walk_runtime.map(|limit| limit.duration().as_secs_f64()),
            ..WalkOptions::default()
        }
    }
}

/// How an environment variable writes a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shape {
    /// A number.
    Number,
    /// A text, or a number that is taken as one.
    Text,
    /// Texts, parted by this character.
    List(char),
    /// `NAME=VALUE`, parted by commas.
    Table,
    /// `true` or `false`, or another word for them.
    Switch,
}

/// A key.
pub(crate) struct Key {
    /// Its name; a dot for the table it is in.
    pub(crate) name: &'static str,
    /// The environment variable.
    pub(crate) variable: &'static str,
    /// How that is written.
    pub(crate) shape: Shape,
}

const fn key(name: &'static str, variable: &'static str, shape: Shape) -> Key {
    Key { name, variable, shape }
}

/// Every key, in the order in which they are shown.
pub(crate) const KEYS: [Key; 24] = [
    key("jobs", "RILLE_JOBS", Shape::Number),
    key("grace", "RILLE_GRACE", Shape::Number),
    key("output_limit", "RILLE_OUTPUT_LIMIT", Shape::Text),
    key("color", "RILLE_COLOR", Shape::Text),
    key("verbosity", "RILLE_VERBOSITY", Shape::Text),
    key("retries", "RILLE_RETRIES", Shape::Number),
    key("retry", "RILLE_RETRY", Shape::Number),
    key("max_failures", "RILLE_MAX_FAILURES", Shape::Number),
    key("deadline", "RILLE_DEADLINE", Shape::Text),
    key("resources", "RILLE_RESOURCES", Shape::Table),
    key("silence_timeout", "RILLE_SILENCE_TIMEOUT", Shape::Number),
    key("plugins", "RILLE_PLUGINS", Shape::List(':')),
    key("plugin_timeout", "RILLE_PLUGIN_TIMEOUT", Shape::Number),
    key("log_levels", "RILLE_LOG_LEVELS", Shape::Table),
    key("secrets.hide", "RILLE_SECRETS_HIDE", Shape::List(',')),
    key("secrets.keep", "RILLE_SECRETS_KEEP", Shape::Switch),
    key("walk.workers", "RILLE_WALK_WORKERS", Shape::Number),
    key("walk.verbose", "RILLE_WALK_VERBOSE", Shape::Number),
    key("walk.log_dir", "RILLE_WALK_LOG_DIR", Shape::Text),
    key("walk.max_walk_runtime", "RILLE_WALK_MAX_WALK_RUNTIME", Shape::Number),
    key("home", "RILLE_HOME", Shape::Text),
    key("label", "RILLE_LABEL", Shape::Text),
    key("tags", "RILLE_TAGS", Shape::List(',')),
    key("meta", "RILLE_META", Shape::Table),
];

/// The variable that names a file like `--config` does.
pub(crate) const CONFIG_VARIABLE: &str = "RILLE_CONFIG";

/// The variable that names another system file, for tests and odd systems.
pub(crate) const SYSTEM_VARIABLE: &str = "RILLE_SYSTEM_CONFIG";

/// What the schema calls itself. It names the form and is no address.
const SCHEMA_ID: &str = "urn:rille:schema:config:1";

/// Returns the JSON Schema of `rille.toml`.
pub(crate) fn schema() -> Json {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Config>().to_value();
    if let Json::Object(fields) = &mut schema {
        fields.insert("$id".to_owned(), SCHEMA_ID.into());
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_those_of_the_schema_and_each_is_documented() {
        let schema = schema();
        let properties = schema["properties"].as_object().unwrap();
        let mut names: Vec<String> = Vec::new();
        for (name, property) in properties {
            assert!(property["description"].is_string(), "{name} has no description");
            match name.as_str() {
                "secrets" => names.extend(["hide", "keep"].map(|key| format!("secrets.{key}"))),
                "walk" => {
                    let keys = ["workers", "verbose", "log_dir", "max_walk_runtime"];
                    names.extend(keys.map(|key| format!("walk.{key}")));
                }
                _ => names.push(name.clone()),
            }
        }
        let text = schema.to_string();
        for Key { name, variable, .. } in KEYS {
            assert!(names.iter().any(|known| known == name), "{name} is not in the schema");
            assert!(text.contains(&format!("`{variable}`")), "{variable} is not documented");
        }
        assert_eq!(names.len(), KEYS.len());
    }

    #[test]
    fn the_schema_is_stable() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&schema()).unwrap());
    }
}
