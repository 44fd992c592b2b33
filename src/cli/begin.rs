//! The beginning of a run that the command line asks for: what its settings are made of, and its host.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Map;

use super::Failure;
use super::config::{self, Color, Config, Limit, Seconds};
use crate::engine::{self, Guarded};
use crate::job::{Annotations, Door, Job, Selection, Settings, StartError, WalkOptions, WalkSettings};
use crate::model::SectionChoice;
use crate::store::{self, Home, Secrets};

/// What is run.
pub(crate) struct Subject {
    /// By which front door.
    pub(crate) door: Door,
    /// See [`Settings::jobfile`].
    pub(crate) file: PathBuf,
    /// See [`Settings::source`].
    pub(crate) source: Vec<u8>,
}

/// Returns the settings of a run as files, environment variables and common options have them. `command` is the command
/// line as it was typed.
pub(crate) fn run_settings(config: Config, home: Home, subject: Subject, command: &[OsString]) -> Settings {
    let keeps_secrets = config.secrets.keeps();
    // Every setting is named, so that the compiler tells of one that is forgotten.
    let Config {
        jobs,
        grace,
        output_limit,
        color,
        verbosity,
        retries,
        resources,
        silence_timeout,
        plugins,
        plugin_timeout,
        log_levels,
        secrets: config::Secrets { hide, keep: _ },
        walk,
        label,
        tags,
        // Only some commands know them, with options of their own.
        retry: _,
        max_failures: _,
        deadline: _,
        // These were read: a home need not be UTF-8, and the metadata of a run that is gone on with stays.
        home: _,
        meta: _,
    } = config;
    let secrets = Secrets::of(&hide, std::env::vars_os());
    Settings {
        options: Map::new(),
        home,
        run_dir: None,
        started_in: std::env::current_dir().unwrap_or_default(),
        door: subject.door,
        id: None,
        batch: None,
        jobfile: subject.file,
        source: subject.source,
        command: command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        argv: Vec::new(),
        slips: Vec::new(),
        label,
        run_tags: tags,
        meta: BTreeMap::new(),
        jobs: jobs.and_then(|jobs| usize::try_from(jobs.0).ok()),
        cpus: config::cpus(),
        status_listen: None,
        max_failures: None,
        deadline: None,
        capacity: resources.into_iter().map(|(name, amount)| (name, amount.0)).collect(),
        visible_gpus: None,
        grace: grace.map(Seconds::duration).unwrap_or_default(),
        output_limit: output_limit.map_or(u64::MAX, |limit| limit.0),
        retries: retries.map_or(0, |retries| retries.0),
        plugins,
        silence_timeout: silence_timeout.map(Limit::duration),
        plugin_timeout: plugin_timeout.map(Limit::duration),
        walks: WalkSettings { forced: WalkOptions::default(), usual: walk.options() },
        log_levels: log_levels.levels(),
        resume: None,
        claim: false,
        rerun: None,
        archive: None,
        selection: Selection::default(),
        annotations: Annotations::None,
        report_copies: Vec::new(),
        choice: SectionChoice::default(),
        parameters: Map::new(),
        testbed: None,
        verbosity: verbosity.map(config::Verbosity::choice).unwrap_or_default(),
        color: color.map(Color::choice).unwrap_or_default(),
        environment: store::recorded_environment(std::env::vars_os(), &secrets),
        keeps_secrets,
        secrets,
    }
}

/// Parts this process into the host of a run and its guardian; returns in the host.
pub(crate) fn split() -> Result<Guarded, Failure> {
    engine::split()
        .map_err(|error| Failure::no_result(format!("cannot start the host process: {}", engine::explain(&error))))
}

/// Starts a run. From here on this is the host; the process the user started stays behind as its guardian.
pub(crate) fn begin(settings: Settings) -> Result<Arc<Job>, Failure> {
    let guarded = split()?;
    Job::begin(settings, guarded).map_err(|error| match error {
        StartError::Store(error) => Failure::from(error),
        error @ StartError::System(_) => Failure::no_result(error.to_string()),
        error @ StartError::NotStaged(_) => Failure::general(error.to_string()),
    })
}
