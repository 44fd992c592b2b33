//! The options of `rille run` that are about batches.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

/// Options of a batch: a run of more than one trial.
#[derive(Args, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(super) struct BatchArgs {
    /// How many trials run at once [default: 1]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Batches")]
    pub(super) jobs: Option<u32>,
    /// Run at most so many trials, drawn by the seed where there are more [default of a search: 20]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Batches")]
    pub(super) max_trials: Option<u32>,
    /// Choose trials by this optimizer: + (or grid), random, or one that the operation defines
    #[arg(short, long, value_name = "NAME", help_heading = "Batches")]
    pub(super) optimizer: Option<String>,
    /// Choose trials by the optimizer of the operation
    #[arg(short = 'O', long, conflicts_with = "optimizer", help_heading = "Batches")]
    pub(super) optimize: bool,
    /// A flag of the optimizer; may be repeated
    #[arg(long = "opt-flag", value_name = "FLAG=VALUE", help_heading = "Batches")]
    pub(super) opt_flags: Vec<String>,
    /// The scalar that a search makes small
    #[arg(short = 'N', long, value_name = "SCALAR", conflicts_with = "maximize", help_heading = "Batches")]
    pub(super) minimize: Option<String>,
    /// The scalar that a search makes large
    #[arg(short = 'X', long, value_name = "SCALAR", help_heading = "Batches")]
    pub(super) maximize: Option<String>,
    /// Show the trials and run nothing
    #[arg(long, conflicts_with = "stage_trials", help_heading = "Batches")]
    pub(super) print_trials: bool,
    /// Write the trials into this file, .csv or .json, and run nothing
    #[arg(long, value_name = "FILE", help_heading = "Batches")]
    pub(super) save_trials: Option<PathBuf>,
    /// Make each trial ready, to be started later by --start
    #[arg(long, help_heading = "Batches")]
    pub(super) stage_trials: bool,
    /// Start no other trial once one has failed
    #[arg(long, help_heading = "Batches")]
    pub(super) fail_on_trial_error: bool,
    /// Give the batch a label
    #[arg(long, value_name = "TEXT", help_heading = "Batches")]
    pub(super) batch_label: Option<String>,
    /// Give the batch a tag; may be repeated
    #[arg(long, value_name = "TAG", help_heading = "Batches")]
    pub(super) batch_tag: Vec<String>,
    /// Give the batch a comment
    #[arg(long, value_name = "TEXT", help_heading = "Batches")]
    pub(super) batch_comment: Option<String>,
    /// What each trial holds while it runs, of what `[resources]` in rille.toml says is there: gpus=1,memory=8
    #[arg(long, value_name = "NAME=N,...", value_delimiter = ',', value_parser = need, help_heading = "Batches")]
    pub(super) trial_needs: Vec<(String, u64)>,
    /// Give each trial a GPU of its own, by `CUDA_VISIBLE_DEVICES`
    #[arg(long, conflicts_with = "no_gpus", help_heading = "Batches")]
    pub(super) gpu_per_trial: bool,
    /// Accepted for Guild's sake: batches are always kept
    #[arg(long, hide = true)]
    pub(super) keep_batch: bool,
}

fn need(text: &str) -> Result<(String, u64), String> {
    let (name, amount) = text.split_once('=').ok_or("expected NAME=N")?;
    let amount = amount.trim().parse().map_err(|_| format!("'{amount}' is no whole number"))?;
    match name.trim() {
        "" => Err("expected NAME=N".to_owned()),
        name => Ok((name.to_owned(), amount)),
    }
}

impl BatchArgs {
    /// Returns what each trial holds while it runs.
    pub(super) fn needs(&self) -> BTreeMap<String, u64> {
        let gpu = self.gpu_per_trial.then(|| ("gpus".to_owned(), 1));
        gpu.into_iter().chain(self.trial_needs.iter().cloned()).collect()
    }

    /// Returns the first option that only a batch has a use for, where one was given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let all = [
            (self.max_trials.is_some(), "--max-trials"),
            (self.jobs.is_some_and(|jobs| jobs > 1), "--jobs"),
            (self.batch_label.is_some(), "--batch-label"),
            (!self.batch_tag.is_empty(), "--batch-tag"),
            (self.batch_comment.is_some(), "--batch-comment"),
            (self.fail_on_trial_error, "--fail-on-trial-error"),
            (!self.trial_needs.is_empty(), "--trial-needs"),
            (self.gpu_per_trial, "--gpu-per-trial"),
        ];
        all.into_iter().find(|(is_given, _)| *is_given).map(|(_, name)| name)
    }

    /// Returns the options by the names that Guild gives them in `run_params`.
    pub(super) fn recorded(&self) -> Map<String, Value> {
        let path = self.save_trials.as_ref().map(|path| path.to_string_lossy().into_owned());
        let options = [
            ("jobs", json!(self.jobs)),
            ("max_trials", json!(self.max_trials)),
            ("optimizer", json!(self.optimizer)),
            ("optimize", json!(self.optimize)),
            ("opt_flags", json!(self.opt_flags)),
            ("minimize", json!(self.minimize)),
            ("maximize", json!(self.maximize)),
            ("print_trials", json!(self.print_trials)),
            ("save_trials", json!(path)),
            ("stage_trials", json!(self.stage_trials)),
            ("fail_on_trial_error", json!(self.fail_on_trial_error)),
            ("batch_label", json!(self.batch_label)),
            ("batch_tags", json!(self.batch_tag)),
            ("batch_comment", json!(self.batch_comment)),
            ("trial_needs", json!(self.needs())),
            ("keep_batch", json!(self.keep_batch)),
        ];
        options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
