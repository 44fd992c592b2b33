//! The settings, each declared here once: its key in `rille.toml` with what it means and may be, the environment variable and
//! the options that set it too, and its default.
//!
//! What a run makes of a setting is in `cli::begin`, which does not compile without it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{ArgAction, Args};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::meta::{META_PATTERN, MetaKey, MetaOption, MetaValue};
use super::options::{LogLevel, Resource, above_zero, grace, jobs, output_limit};
use super::values::{
    Amount, Color, Count, Deadline, Limit, LogLevels, OutputLimit, Positive, Retry, Seconds, Switch, Verbosity,
};
use crate::job::WalkOptions;
use crate::report::ColorChoice;

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

/// Options that files and environment variables can set as well. What is not skipped has the name of its key, and is the
/// value of it; the rest is read by [`super::options`].
#[derive(Args, Debug, Default, Serialize)]
pub(crate) struct SettingOptions {
    /// Read this file of settings after the others
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,
    /// Run at most N tasks at once [default: a Task starts at once, parallel takes the number of CPUs]
    #[arg(short, long, value_name = "N", value_parser = jobs)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jobs: Option<u32>,
    /// Let there be N of a resource, for tasks with resources = { NAME = … }; may be repeated
    #[arg(long, value_name = "NAME=N")]
    #[serde(skip)]
    pub(crate) resource: Vec<Resource>,
    /// Run a task up to N more times while it fails, unless it has retries of its own [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retries: Option<u32>,
    /// Seconds from the request to end a task until it is killed [default: 2]
    #[arg(long, value_name = "SECONDS", value_parser = grace, allow_negative_numbers = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) grace: Option<f64>,
    /// Keep at most SIZE bytes of each output file, its head and its tail (K, M, G) [default: 256M]
    #[arg(long, value_name = "SIZE", value_parser = output_limit)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output_limit: Option<u64>,
    /// End a runner that says nothing for so long as faulty [default: no limit]
    #[arg(long, value_name = "SECONDS", value_parser = above_zero, allow_negative_numbers = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) silence_timeout: Option<f64>,
    /// Load a plugin file; may be repeated
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) plugin: Vec<PathBuf>,
    /// End a stage of a plugin that takes longer [default: 300]
    #[arg(long, value_name = "SECONDS", value_parser = above_zero, allow_negative_numbers = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plugin_timeout: Option<f64>,
    /// Log from this level on (DEBUG, INFO, WARNING, ERROR, CRITICAL), for one logger or all; may be repeated
    #[arg(long, value_name = "[LOGGER=]LEVEL")]
    #[serde(skip)]
    pub(crate) log_level: Vec<LogLevel>,
    /// Give the run a label
    #[arg(long, value_name = "TEXT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) label: Option<String>,
    /// Give the run a tag; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    #[serde(rename = "tags")]
    pub(crate) run_tags: Vec<String>,
    /// Record this beside the results and show it in every report: a build number, a commit, a lab; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    #[serde(skip)]
    pub(crate) meta: Vec<MetaOption>,
    /// Keep the values of secret environment variables in what is recorded, instead of ***
    #[arg(long)]
    #[serde(skip)]
    pub(crate) keep_secrets: bool,
    /// Say less: only what did not pass; twice: nothing
    #[arg(short, long, action = ArgAction::Count)]
    #[serde(skip)]
    pub(crate) quiet: u8,
    /// Say more: starts of tasks, and what they write, line by line behind their id
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    #[serde(skip)]
    pub(crate) verbose: u8,
    /// When to use colour [default: auto]
    #[arg(long, value_name = "WHEN", value_enum)]
    #[serde(skip)]
    pub(crate) color: Option<ColorChoice>,
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
    /// The options that set it.
    pub(crate) options: &'static [&'static str],
    /// What holds where nobody says anything, as JSON; nothing where that depends on the machine, or is that there is no
    /// limit.
    pub(crate) default: Option<&'static str>,
}

const fn key(name: &'static str, variable: &'static str, shape: Shape, options: &'static [&'static str]) -> Key {
    Key { name, variable, shape, options, default: None }
}

impl Key {
    const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }
}

/// Every key, in the order in which they are shown.
pub(crate) const KEYS: [Key; 24] = [
    key("jobs", "RILLE_JOBS", Shape::Number, &["--jobs"]),
    key("grace", "RILLE_GRACE", Shape::Number, &["--grace"]).or("2.0"),
    key("output_limit", "RILLE_OUTPUT_LIMIT", Shape::Text, &["--output-limit"]).or("\"256M\""),
    key("color", "RILLE_COLOR", Shape::Text, &["--color"]).or("\"auto\""),
    key("verbosity", "RILLE_VERBOSITY", Shape::Text, &["--quiet", "--verbose"]).or("\"normal\""),
    key("retries", "RILLE_RETRIES", Shape::Number, &["--retries"]).or("0"),
    key("retry", "RILLE_RETRY", Shape::Number, &["--retry"]),
    key("max_failures", "RILLE_MAX_FAILURES", Shape::Number, &["--max-failures"]),
    key("deadline", "RILLE_DEADLINE", Shape::Text, &["--deadline"]),
    key("resources", "RILLE_RESOURCES", Shape::Table, &["--resource"]),
    key("silence_timeout", "RILLE_SILENCE_TIMEOUT", Shape::Number, &["--silence-timeout"]),
    key("plugins", "RILLE_PLUGINS", Shape::List(':'), &["--plugin"]),
    key("plugin_timeout", "RILLE_PLUGIN_TIMEOUT", Shape::Number, &["--plugin-timeout"]).or("300.0"),
    key("log_levels", "RILLE_LOG_LEVELS", Shape::Table, &["--log-level"]),
    key("secrets.hide", "RILLE_SECRETS_HIDE", Shape::List(','), &[]),
    key("secrets.keep", "RILLE_SECRETS_KEEP", Shape::Switch, &["--keep-secrets"]).or("false"),
    key("walk.workers", "RILLE_WALK_WORKERS", Shape::Number, &["--workers"]),
    key("walk.verbose", "RILLE_WALK_VERBOSE", Shape::Number, &["--verbosity"]),
    key("walk.log_dir", "RILLE_WALK_LOG_DIR", Shape::Text, &["--log-dir"]),
    key("walk.max_walk_runtime", "RILLE_WALK_MAX_WALK_RUNTIME", Shape::Number, &["--max-walk-runtime"]),
    key("home", "RILLE_HOME", Shape::Text, &["--home"]),
    key("label", "RILLE_LABEL", Shape::Text, &["--label"]),
    key("tags", "RILLE_TAGS", Shape::List(','), &["--tag"]),
    key("meta", "RILLE_META", Shape::Table, &["--meta"]),
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

    /// Returns the keys of the schema of a table, those of inner tables behind its name, with what is said of them.
    fn described(schema: &Json, table: &Json, prefix: &str, found: &mut Vec<(String, String)>) {
        for (name, property) in table["properties"].as_object().unwrap() {
            let description = property["description"].as_str().unwrap_or_else(|| panic!("{name} has no description"));
            let inner = property["$ref"].as_str().and_then(|path| schema.pointer(path.strip_prefix('#')?));
            match inner.filter(|inner| inner["properties"].is_object()) {
                Some(inner) => described(schema, inner, &format!("{name}."), found),
                None => found.push((format!("{prefix}{name}"), description.to_owned())),
            }
        }
    }

    #[test]
    fn every_setting_is_a_key_with_a_variable_options_and_a_default_that_are_told() {
        let schema = schema();
        let mut found = Vec::new();
        described(&schema, &schema, "", &mut found);
        for (name, _) in &found {
            assert!(KEYS.iter().any(|key| key.name == name), "'{name}' of Config has no row in KEYS");
        }
        for Key { name, variable, options, default, .. } in KEYS {
            let text = found.iter().find(|(known, _)| known == name).map(|(_, text)| text);
            let text = text.unwrap_or_else(|| panic!("'{name}' of KEYS is no field of Config"));
            for told in options.iter().chain([&variable]) {
                assert!(text.contains(&format!("`{told}`")), "the description of '{name}' does not name {told}");
            }
            let Some(default) = default else { continue };
            let told = default.trim_matches('"').trim_end_matches(".0");
            let is_told = [format!("Default: {told}."), format!("Default: `{told}`.")].iter().any(|t| text.contains(t));
            assert!(is_told, "the description of '{name}' does not say 'Default: {told}.'");
        }
    }

    #[test]
    fn every_option_that_is_a_setting_has_a_key() {
        let command = SettingOptions::augment_args(clap::Command::new("rille"));
        for option in command.get_arguments().filter_map(clap::Arg::get_long).filter(|option| *option != "config") {
            let is_of_key = KEYS.iter().any(|key| key.options.iter().any(|known| known[2..] == *option));
            assert!(is_of_key, "--{option} is of no row in KEYS");
        }
    }

    #[test]
    fn the_schema_is_stable() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&schema()).unwrap());
    }
}
