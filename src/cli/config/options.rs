//! From the options that are settings to values: the last word on what files and environment variables say.

use std::path::Path;
use std::str::FromStr;

use super::keys::{Config, KEYS, Key, SettingOptions};
use super::layers::{Entry, Origin, entries};
use super::meta::check_once;
use super::values::{Amount, Color, Switch, Verbosity};
use super::variables::from_command_line;
use crate::cli::Failure;
use crate::model::{Level, parse_size};

impl SettingOptions {
    /// Returns what was given. Paths are relative to `folder`.
    pub(super) fn entries(&self, home: Option<&Path>, folder: &Path) -> Result<Vec<Entry>, Failure> {
        check_once(&self.meta)?;
        let internal = |error: serde_json::Error| Failure::usage(format!("the options cannot be used: {error}"));
        let mut config: Config = serde_json::to_value(self).and_then(serde_json::from_value).map_err(internal)?;
        config.color = self.color.map(Color::of);
        config.verbosity = self.verbosity();
        config.secrets.keep = self.keep_secrets.then_some(Switch(true));
        config.log_levels = self.log_level.iter().map(|given| (given.logger.clone(), given.level)).collect();
        config.resources = self.resource.iter().map(|given| (given.name.clone(), Amount(given.amount))).collect();
        config.meta = self.meta.iter().map(|given| (given.key.clone(), given.value.clone())).collect();
        config.plugins = self.plugin.iter().map(|path| from_command_line(path, folder)).collect();
        config.home = home.map(|path| path.to_string_lossy().into_owned().into());
        entries(&config, |path| Origin::Option(self.option(path)))
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

    /// Returns the option that sets the key with this path.
    fn option(&self, path: &[String]) -> &'static str {
        let is_meant = |key: &&Key| key.name.split('.').zip(path).all(|(name, part)| name == part);
        match KEYS.iter().find(is_meant).map_or(&[][..], |key| key.options) {
            [_, more] if self.quiet == 0 => more,
            [option, ..] => option,
            [] => "--home",
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

/// Reads a whole number from 1.
pub(super) fn jobs(text: &str) -> Result<u32, String> {
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

/// Reads a number of seconds above 0.
pub(super) fn above_zero(text: &str) -> Result<f64, String> {
    grace(text).ok().filter(|seconds| *seconds > 0.0).ok_or_else(|| "must be a number of seconds above 0".to_owned())
}

/// Reads a size from 1K.
pub(super) fn output_limit(text: &str) -> Result<u64, String> {
    parse_size(text).filter(|size| *size >= 1024).ok_or_else(|| "must be a size from 1K, such as 64M".to_owned())
}
