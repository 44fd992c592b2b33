//! The command line of `rille run` for operations.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser};
use serde_json::{Map, Value, json};

use super::batch_options::BatchArgs;
use crate::cli::config::{SettingOptions, grace};
use crate::report::ColorChoice;

/// The whole command line, where `run` is about an operation.
#[derive(Parser, Debug)]
#[command(name = "rille", max_term_width = 100)]
pub(super) struct OperationCli {
    /// The folder that holds the runs [default: `$RILLE_HOME`, or `~/.rille`]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) home: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) command: OperationCommand,
}

/// The one command.
#[derive(clap::Subcommand, Debug)]
pub(super) enum OperationCommand {
    /// Run an operation
    Run(Box<OperationArgs>),
}

/// Runs an operation of the project (`rille.lua` or `guild.yml` in this folder), or a script.
///
/// OPERATION is the name of an operation, `model:operation`, or the path of a script or another executable; the default
/// operation if there is none. `rille ops` lists operations, `rille help-op OPERATION` explains one.
#[derive(Args, Debug)]
#[command(
    override_usage = "rille run [OPTIONS] [OPERATION] [FLAG=VALUE]...\n       rille run [OPTIONS] --start RUN [FLAG=VALUE]...",
    after_help = "Exit code: the operation's own status, 128+N if signal N ended it; 1 if it could not be run, 2 usage, 7 the \
                  run could not be recorded"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct OperationArgs {
    /// The operation, and values of its flags
    #[arg(value_name = "OPERATION | FLAG=VALUE")]
    pub(super) words: Vec<String>,

    /// Run a Lua file as an operation, also where it looks like a jobfile; stands before its name
    #[arg(long, help_heading = "What to do")]
    pub(super) op: bool,
    /// Make the run ready, to be started later by --start
    #[arg(long, help_heading = "What to do")]
    pub(super) stage: bool,
    /// Start a staged run, or run another one again in its directory
    #[arg(long, alias = "restart", value_name = "RUN", help_heading = "What to do")]
    pub(super) start: Option<String>,
    /// With --start, start the run only if it is staged, and leave it so where a dependency is not met: what a queue does
    #[arg(long, requires = "start", hide = true)]
    pub(super) if_staged: bool,
    /// Make a new run of the operation, flags and source code of another one
    #[arg(long, value_name = "RUN", conflicts_with = "start", help_heading = "What to do")]
    pub(super) proto: Option<String>,
    /// Do nothing if there is a run of the same operation, flags, source code and dependencies
    #[arg(long, help_heading = "What to do")]
    pub(super) needed: bool,
    /// Refuse an operation whose definition is worth a warning
    #[arg(long, help_heading = "What to do")]
    pub(super) strict: bool,
    /// Run in the background: this command returns once the operation has started
    #[arg(long, conflicts_with = "stage", help_heading = "What to do")]
    pub(super) background: bool,
    /// Run in the background, and write the id of the process into this file
    #[arg(long, value_name = "FILE", conflicts_with = "stage", help_heading = "What to do")]
    pub(super) pidfile: Option<PathBuf>,

    /// Show the command and run nothing
    #[arg(long, help_heading = "Only show")]
    pub(super) print_cmd: bool,
    /// Show the environment that the operation would get and run nothing
    #[arg(long, help_heading = "Only show")]
    pub(super) print_env: bool,
    /// Show how flags are defined and run nothing
    #[arg(long, help_heading = "Only show")]
    pub(super) test_flags: bool,
    /// Show which files are source code, by which rule, and run nothing
    #[arg(long, help_heading = "Only show")]
    pub(super) test_sourcecode: bool,
    /// Show which lines of this file are scalars, by which pattern, and run nothing; - for standard input
    #[arg(long, value_name = "FILE", help_heading = "Only show")]
    pub(super) test_output_scalars: Option<PathBuf>,
    /// Show in what the operation differs from the nearest run, whether --needed would run it, and run nothing
    #[arg(long, conflicts_with_all = ["stage", "start", "run_dir"], help_heading = "Only show")]
    pub(super) explain: bool,
    /// Explain the operation and its flags and run nothing
    #[arg(long, help_heading = "Only show")]
    pub(super) help_op: bool,

    /// Edit the values of flags in $EDITOR first
    #[arg(short, long, help_heading = "Flags and dependencies")]
    pub(super) edit_flags: bool,
    /// Accept flags that are not defined, and values that are not allowed
    #[arg(short, long, help_heading = "Flags and dependencies")]
    pub(super) force_flags: bool,
    /// Go on without dependencies that cannot be resolved
    #[arg(long, help_heading = "Flags and dependencies")]
    pub(super) force_deps: bool,
    /// Make this file or folder a dependency, too: a link to it is put into the run directory; may be repeated
    #[arg(short = 'D', long = "dep", value_name = "PATH", help_heading = "Flags and dependencies")]
    pub(super) deps: Vec<PathBuf>,
    /// With --start and --proto, use the source code as it is now in the project
    #[arg(long, help_heading = "Flags and dependencies")]
    pub(super) force_sourcecode: bool,
    /// The seed that the run records [default: a random one]
    #[arg(long, value_name = "N", help_heading = "Flags and dependencies")]
    pub(super) random_seed: Option<u32>,
    /// Let the operation see only these GPUs: sets `CUDA_VISIBLE_DEVICES`
    #[arg(long, value_name = "LIST", conflicts_with = "no_gpus", help_heading = "Flags and dependencies")]
    pub(super) gpus: Option<String>,
    /// Let the operation see no GPU
    #[arg(long, help_heading = "Flags and dependencies")]
    pub(super) no_gpus: bool,

    /// Give the run a label: a template, `${flag}` stands for a value
    #[arg(short, long, value_name = "TEXT", help_heading = "The run")]
    pub(super) label: Option<String>,
    /// Give the run a tag; may be repeated
    #[arg(short, long, value_name = "TAG", help_heading = "The run")]
    pub(super) tag: Vec<String>,
    /// Give the run a comment
    #[arg(short, long, value_name = "TEXT", help_heading = "The run")]
    pub(super) comment: Option<String>,
    /// Write the comment in an editor, `$VISUAL` or `$EDITOR` [also: -ec]
    #[arg(long, help_heading = "The run")]
    pub(super) edit_comment: bool,
    /// Keep the run in this directory instead of under the home
    #[arg(long, value_name = "DIR", conflicts_with = "start", help_heading = "The run")]
    pub(super) run_dir: Option<PathBuf>,
    /// The id of the run, the name of its directory [default: 32 hexadecimal digits]
    #[arg(long, value_name = "ID", conflicts_with_all = ["start", "run_dir"], help_heading = "The run")]
    pub(super) run_id: Option<String>,
    /// Keep the run also where its operation says that it is deleted on success
    #[arg(long, help_heading = "The run")]
    pub(super) keep_run: bool,
    /// End the operation after so many minutes
    #[arg(long, value_name = "MINUTES", help_heading = "The run")]
    pub(super) stop_after: Option<f64>,
    /// Seconds from the request to end the operation until it is killed [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = grace, allow_negative_numbers = true, help_heading = "The run")]
    pub(super) grace: Option<f64>,

    /// Keep the values of secret environment variables in what is recorded, instead of ***
    #[arg(long, help_heading = "The run")]
    pub(super) keep_secrets: bool,

    #[command(flatten)]
    pub(super) batch: BatchArgs,

    /// Do not ask
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Show nothing of what the operation writes
    #[arg(short, long, action = ArgAction::Count)]
    pub(super) quiet: u8,
    /// Read this file of settings after the others
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// When to use colour [default: auto]
    #[arg(long, value_name = "WHEN", value_enum)]
    pub(super) color: Option<ColorChoice>,
    #[command(flatten)]
    pub(super) of_guild: OfGuild,
}

/// Options of Guild that are not there, each with what to do instead.
#[derive(Args, Debug)]
pub(super) struct OfGuild {
    #[arg(long, hide = true)]
    help_model: bool,
    #[arg(long, hide = true, value_name = "PATH")]
    debug_sourcecode: Option<String>,
    #[arg(long = "break", hide = true, value_name = "LOCATION")]
    breakpoint: Vec<String>,
    #[arg(long, hide = true)]
    break_on_error: bool,
}

impl OfGuild {
    /// Returns the first one that was given, and what to do instead.
    pub(super) fn given(&self) -> Option<(&'static str, &'static str)> {
        let debugger = "a program can call its debugger itself: write 'breakpoint()' where Python is to stop.";
        let all = [
            (self.help_model, "--help-model", "'rille ops' lists the operations of all models."),
            (
                self.debug_sourcecode.is_some(),
                "--debug-sourcecode",
                "a run has a copy of its source code; 'rille run --start RUN --force-sourcecode' brings the present one.",
            ),
            (!self.breakpoint.is_empty(), "--break", debugger),
            (self.break_on_error, "--break-on-error", "'python -m pdb' on the copy in the run directory stops there."),
        ];
        all.into_iter().find(|(is_given, ..)| *is_given).map(|(_, name, instead)| (name, instead))
    }
}

impl OperationArgs {
    /// Returns the options that files of settings can give as well.
    pub(super) fn settings(&self) -> SettingOptions {
        SettingOptions {
            config: self.config.clone(),
            grace: self.grace,
            run_tags: self.tag.clone(),
            quiet: self.quiet,
            color: self.color,
            keep_secrets: self.keep_secrets,
            ..SettingOptions::default()
        }
    }

    /// Parts the words: the operation, if there is one, and the values of flags.
    pub(super) fn parted(&self) -> (Option<&str>, &[String]) {
        match self.words.split_first() {
            // Where a run is named, it says which operation.
            Some((first, rest)) if self.start.is_none() && !first.contains('=') => (Some(first), rest),
            _ => (None, &self.words),
        }
    }

    /// Returns the options by the names that Guild gives them in `run_params`.
    pub(super) fn recorded(&self) -> Map<String, Value> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
        let (opspec, flags) = self.parted();
        let options = [
            ("opspec", json!(opspec)),
            ("flags", json!(flags)),
            ("stage", json!(self.stage)),
            ("restart", json!(self.start)),
            ("proto", json!(self.proto)),
            ("needed", json!(self.needed)),
            ("background", json!(self.background)),
            ("pidfile", json!(path(&self.pidfile))),
            ("edit_flags", json!(self.edit_flags)),
            ("force_flags", json!(self.force_flags)),
            ("force_deps", json!(self.force_deps)),
            ("additional_deps", json!(self.deps.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>())),
            ("force_sourcecode", json!(self.force_sourcecode)),
            ("edit_comment", json!(self.edit_comment)),
            ("random_seed", json!(self.random_seed)),
            ("gpus", json!(self.gpus)),
            ("no_gpus", json!(self.no_gpus)),
            ("label", json!(self.label)),
            ("tags", json!(self.tag)),
            ("comment", json!(self.comment)),
            ("run_dir", json!(path(&self.run_dir))),
            ("run_id", json!(self.run_id)),
            ("keep_run", json!(self.keep_run)),
            ("keep_secrets", json!(self.keep_secrets)),
            ("stop_after", json!(self.stop_after)),
            ("grace", json!(self.grace)),
            ("yes", json!(self.yes)),
            ("quiet", json!(self.quiet > 0)),
        ];
        let options = options.into_iter().map(|(name, value)| (name.to_owned(), value));
        options.chain(self.batch.recorded()).collect()
    }
}
