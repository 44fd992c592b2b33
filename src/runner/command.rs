//! The command line of runners, `rille runner …` and `avocado-runner-KIND …`: options, exit codes and messages are those of
//! Avocado's own runners.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

/// Runs runnables and tasks as Avocado's runners do.
#[derive(Parser, Debug)]
#[command(subcommand_required = true, args_override_self = true, infer_long_args = true, max_term_width = 100)]
pub(crate) struct RunnerArgs {
    #[command(subcommand)]
    pub(super) command: RunnerCommand,
}

#[derive(Subcommand, Debug)]
pub(super) enum RunnerCommand {
    /// Tell which kinds can be run, by which commands, and which settings they look at
    Capabilities,
    /// Run a runnable that the arguments describe
    RunnableRun(RunnableArgs),
    /// Run a runnable that a recipe describes
    RunnableRunRecipe(RecipeArgs),
    /// Run a task, which reports to status servers
    TaskRun(TaskArgs),
    /// Run a task that a recipe describes
    TaskRunRecipe(RecipeArgs),
    /// Link this program under the names of Avocado's runners
    Install(InstallArgs),
}

/// The commands that every runner has.
pub(super) const COMMANDS: [&str; 5] =
    ["capabilities", "runnable-run", "runnable-run-recipe", "task-run", "task-run-recipe"];

#[derive(Args, Debug)]
#[command(args_override_self = true)]
pub(super) struct RunnableArgs {
    /// Kind of the runnable; by default that in the name by which the runner was called
    #[arg(short, long, value_name = "KIND")]
    pub(super) kind: Option<String>,
    /// URI of the runnable: for most kinds a path
    #[arg(short, long, value_name = "URI", allow_hyphen_values = true)]
    pub(super) uri: Option<String>,
    /// Settings of the runner, as JSON
    #[arg(short, long, value_name = "JSON", default_value = "{}", allow_hyphen_values = true)]
    pub(super) config: String,
    /// An argument of the runnable; one that begins with '-' can be given as base64:…
    #[arg(short, long, value_name = "ARG", allow_hyphen_values = true)]
    pub(super) arg: Vec<String>,
    /// Parameters of the runnable; a value that is no text is given as json:…
    #[arg(value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) kwargs: Vec<(String, String)>,
}

#[derive(Args, Debug)]
pub(super) struct RecipeArgs {
    /// The path of the recipe
    pub(super) recipe: PathBuf,
}

#[derive(Args, Debug)]
#[command(args_override_self = true)]
pub(super) struct TaskArgs {
    /// Id of the task
    #[arg(short, long, value_name = "ID", allow_hyphen_values = true)]
    pub(super) identifier: String,
    /// Category of the task
    #[arg(short = 't', long, value_name = "CATEGORY", default_value = "test")]
    pub(super) category: String,
    /// A status server to report to: the path of a socket, or HOST:PORT
    #[arg(short, long, value_name = "URI")]
    pub(super) status_uri: Vec<String>,
    /// Id of the job that the task belongs to
    #[arg(short, long, value_name = "ID")]
    pub(super) job_id: Option<String>,
    #[command(flatten)]
    pub(super) runnable: RunnableArgs,
}

#[derive(Args, Debug)]
pub(super) struct InstallArgs {
    /// The folder for the links; made if it is not there
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
    /// A kind to link beside those that rille runs by itself: one that is written in Lua
    #[arg(short, long, value_name = "KIND")]
    pub(super) kind: Vec<String>,
    /// Put links in the place of whatever has their names
    #[arg(short, long)]
    pub(super) force: bool,
}

/// A word that is no parameter of a runnable.
#[derive(Debug, thiserror::Error)]
#[error("Invalid keyword parameter: \"{0}\". Valid option must be a \"KEY=VALUE\" like expression")]
struct NoKeyValue(String);

fn key_value(text: &str) -> Result<(String, String), NoKeyValue> {
    let parted = text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    parted.ok_or_else(|| NoKeyValue(text.to_owned()))
}

/// Reads the command line of a runner that was called by this name. The error is the exit code, when what is to be said
/// was said.
pub(super) fn read(name: &str, has_install: bool, args: &[OsString]) -> Result<RunnerArgs, i32> {
    let mut command = RunnerArgs::command().name("runner").bin_name(name.to_owned());
    if !has_install {
        command = command.mut_subcommand("install", |install| install.hide(true));
    }
    let words = std::iter::once(OsString::from(name)).chain(args.iter().cloned());
    let matches = command.try_get_matches_from_mut(words);
    matches.and_then(|matches| RunnerArgs::from_arg_matches(&matches)).map_err(|error| {
        // With a closed terminal there is nobody to tell.
        let _ = error.print();
        error.exit_code()
    })
}
