//! The options that are settings: the last word on what files and environment variables say.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{ArgAction, Args};
use serde_json::{Map, Value as Json, json};

use super::keys::Config;
use super::layers::{Entry, Origin, entries};
use super::meta::{MetaOption, check_once};
use super::values::{Amount, Verbosity, color_word};
use super::variables::from_command_line;
use crate::cli::Failure;
use crate::model::{Level, parse_size};
use crate::report::ColorChoice;

/// Options that files and environment variables can set as well.
#[derive(Args, Debug, Default)]
pub(crate) struct SettingOptions {
    /// Read this file of settings after the others
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Run at most N tasks at once [default: a Task starts at once, parallel takes the number of CPUs]
    #[arg(short, long, value_name = "N", value_parser = jobs)]
    pub(crate) jobs: Option<u32>,
    /// Let there be N of a resource, for tasks with resources = { NAME = … }; may be repeated
    #[arg(long, value_name = "NAME=N")]
    pub(crate) resource: Vec<Resource>,
    /// Run a task up to N more times while it fails, unless it has retries of its own [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) retries: Option<u32>,
    /// Seconds from the request to end a task until it is killed [default: 2]
    #[arg(long, value_name = "SECONDS", value_parser = grace, allow_negative_numbers = true)]
    pub(crate) grace: Option<f64>,
    /// Keep at most SIZE bytes of each output file, its head and its tail (K, M, G) [default: 256M]
    #[arg(long, value_name = "SIZE", value_parser = output_limit)]
    pub(crate) output_limit: Option<u64>,
    /// End a runner that says nothing for so long as faulty [default: no limit]
    #[arg(long, value_name = "SECONDS", value_parser = above_zero, allow_negative_numbers = true)]
    pub(crate) silence_timeout: Option<f64>,
    /// Load a plugin file; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) plugin: Vec<PathBuf>,
    /// End a stage of a plugin that takes longer [default: 300]
    #[arg(long, value_name = "SECONDS", value_parser = above_zero, allow_negative_numbers = true)]
    pub(crate) plugin_timeout: Option<f64>,
    /// Log from this level on (DEBUG, INFO, WARNING, ERROR, CRITICAL), for one logger or all; may be repeated
    #[arg(long, value_name = "[LOGGER=]LEVEL")]
    pub(crate) log_level: Vec<LogLevel>,
    /// Give the run a label
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,
    /// Give the run a tag; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) run_tags: Vec<String>,
    /// Record this beside the results and show it in every report: a build number, a commit, a lab; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) meta: Vec<MetaOption>,
    /// Keep the values of secret environment variables in what is recorded, instead of ***
    #[arg(long)]
    pub(crate) keep_secrets: bool,
    /// Say less: only what did not pass; twice: nothing
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) quiet: u8,
    /// Say more: starts of tasks, and what they write, line by line behind their id
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// When to use colour [default: auto]
    #[arg(long, value_name = "WHEN", value_enum)]
    pub(crate) color: Option<ColorChoice>,
}

impl SettingOptions {
    /// Returns what was given. Paths are relative to `folder`.
    pub(super) fn entries(&self, home: Option<&Path>, folder: &Path) -> Result<Vec<Entry>, Failure> {
        let mut fields = Map::new();
        let mut set = |name: &str, value: Json| drop(fields.insert(name.to_owned(), value));
        if let Some(jobs) = self.jobs {
            set("jobs", json!(jobs));
        }
        if let Some(retries) = self.retries {
            set("retries", json!(retries));
        }
        if let Some(grace) = self.grace {
            set("grace", json!(grace));
        }
        if let Some(limit) = self.output_limit {
            set("output_limit", json!(limit));
        }
        if let Some(timeout) = self.silence_timeout {
            set("silence_timeout", json!(timeout));
        }
        if let Some(timeout) = self.plugin_timeout {
            set("plugin_timeout", json!(timeout));
        }
        if let Some(label) = &self.label {
            set("label", json!(label));
        }
        if let Some(color) = self.color {
            set("color", json!(color_word(color)));
        }
        if let Some(verbosity) = self.verbosity() {
            set("verbosity", json!(verbosity));
        }
        if self.keep_secrets {
            set("secrets", json!({"keep": true}));
        }
        set("tags", json!(self.run_tags));
        set("log_levels", self.log_level.iter().map(|given| (given.logger.clone(), json!(given.level))).collect());
        check_once(&self.meta)?;
        let internal = |error: serde_json::Error| Failure::usage(format!("the options cannot be used: {error}"));
        let mut config: Config = serde_json::from_value(Json::Object(fields)).map_err(internal)?;
        config.resources = self.resource.iter().map(|given| (given.name.clone(), Amount(given.amount))).collect();
        config.meta = self.meta.iter().map(|given| (given.key.clone(), given.value.clone())).collect();
        config.plugins = self.plugin.iter().map(|path| from_command_line(path, folder)).collect();
        config.home = home.map(|path| path.to_string_lossy().into_owned().into());
        entries(&config, |path| Origin::Option(self.option(&path[0])))
    }

    /// Returns how much the console is to say, if an option says so.
    const fn verbosity(&self) -> Option<Verbosity> {
        match (self.quiet, self.verbose) {
            (0, 0) => None,
            (0, _) => Some(Verbosity::Verbose),
            (1, _) => Some(Verbosity::Quiet),
            (_, _) => Some(Verbosity::Silent),
        }
    }

    /// Returns the option that sets a key.
    fn option(&self, key: &str) -> &'static str {
        match key {
            "jobs" => "--jobs",
            "retries" => "--retries",
            "grace" => "--grace",
            "output_limit" => "--output-limit",
            "plugins" => "--plugin",
            "silence_timeout" => "--silence-timeout",
            "plugin_timeout" => "--plugin-timeout",
            "log_levels" => "--log-level",
            "resources" => "--resource",
            "label" => "--label",
            "tags" => "--tag",
            "meta" => "--meta",
            "color" => "--color",
            "secrets" => "--keep-secrets",
            "verbosity" if self.quiet > 0 => "--quiet",
            "verbosity" => "--verbose",
            _ => "--home",
        }
    }
}

/// A value of `--resource`.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    name: String,
    amount: u64,
}

impl FromStr for Resource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, amount) = text.split_once('=').ok_or("write NAME=N, for example gpus=2")?;
        let amount = parse_size(amount).ok_or("N must be a whole number, with K, M, G or T behind it if you like")?;
        match name.is_empty() {
            true => Err("the name is empty".to_owned()),
            false => Ok(Self { name: name.to_owned(), amount }),
        }
    }
}

/// A value of `--log-level`.
#[derive(Clone, Debug)]
pub(crate) struct LogLevel {
    logger: String,
    level: Level,
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (logger, level) = text.split_once('=').unwrap_or(("root", text));
        let level = level.parse::<Level>().map_err(|error| error.to_string())?;
        let logger = if logger.is_empty() { "root" } else { logger };
        Ok(Self { logger: logger.to_owned(), level })
    }
}

fn jobs(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|jobs| *jobs >= 1).ok_or_else(|| "must be a whole number from 1".to_owned())
}

/// Reads a number of seconds from 0.
pub(crate) fn grace(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    match std::time::Duration::try_from_secs_f64(seconds) {
        Ok(_) => Ok(seconds),
        Err(_) => Err("must be a number of seconds from 0".to_owned()),
    }
}

fn above_zero(text: &str) -> Result<f64, String> {
    grace(text).ok().filter(|seconds| *seconds > 0.0).ok_or_else(|| "must be a number of seconds above 0".to_owned())
}

fn output_limit(text: &str) -> Result<u64, String> {
    parse_size(text).filter(|size| *size >= 1024).ok_or_else(|| "must be a size from 1K, such as 64M".to_owned())
}
