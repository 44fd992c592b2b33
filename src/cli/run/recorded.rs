//! The options as `runtime.args` and the attribute `run_params` have them.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::RunArgs;
use crate::cli::config::{Config, Deadline};

/// Returns the options by name. What files and environment variables can set as well is as it holds.
pub(super) fn options(args: &RunArgs, config: &Config) -> Map<String, Value> {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
    let plugins: Vec<_> = config.plugins.iter().map(|path| path.to_string_lossy()).collect();
    let options = [
        ("jobfile", json!(args.jobfile.to_string_lossy())),
        ("testbed", json!(path(&args.testbed))),
        ("taskid", json!(args.taskid)),
        ("tags", json!(args.tags)),
        ("config", json!(path(&args.settings.config))),
        ("jobs", json!(config.jobs)),
        ("resource", json!(config.resources)),
        ("retries", json!(config.retries)),
        ("grace", json!(config.grace)),
        ("output_limit", json!(config.output_limit)),
        ("plugin", json!(plugins)),
        ("silence_timeout", json!(config.silence_timeout)),
        ("plugin_timeout", json!(config.plugin_timeout)),
        ("log_level", json!(config.log_levels)),
        ("deadline", json!(args.deadline.or(config.deadline.map(Deadline::seconds)))),
        ("status_listen", json!(args.status_listen)),
        ("run_dir", json!(path(&args.run_dir))),
        ("resume", json!(args.resume)),
        ("rerun", json!(args.rerun)),
        ("archive", json!(path(&args.archive))),
        ("keep_secrets", json!(config.secrets.keep)),
        ("label", json!(config.label)),
        ("tag", json!(config.tags)),
        ("meta", json!(config.meta)),
        ("quiet", json!(args.settings.quiet)),
        ("verbose", json!(args.settings.verbose)),
        ("color", json!(config.color)),
    ];
    let mut options: Map<String, Value> = options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    options.extend(args.sections.recorded().into_iter().map(|(name, value)| (name.to_owned(), value)));
    args.reports.record(&mut options);
    options
}
