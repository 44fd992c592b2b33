//! The command line: one file a command. Only here do errors become text and exit codes.

mod begin;
mod bisect;
mod config;
pub(crate) mod editor;
mod failure;
mod help;
mod help_op;
mod history;
mod jobs;
mod list;
mod logs;
mod near;
mod ops;
mod output;
mod pict;
mod queue;
mod references;
mod run;
pub(crate) mod runs;
mod schema;
pub(crate) mod show;
mod synchro;
mod test;
mod types;
mod variants;
mod walk;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub(crate) use self::failure::{Failure, FailureKind, MAKE_ROOM};
use crate::model::{Masks, without_os_numbers};
use crate::store::{Home, Secrets};

/// Runs experiments, tests and combinatorial walks from Lua jobfiles.
#[derive(Parser, Debug)]
#[command(name = "rille", version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    /// The folder that holds the runs [default: `$RILLE_HOME`, or `~/.rille`]
    #[arg(long, global = true, value_name = "DIR")]
    home: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a jobfile, or a testscript alone
    Run(Box<run::RunArgs>),
    /// Run tests: files, folders, recipes, of any kind
    Test(Box<test::TestArgs>),
    /// Run walks: actions whose options are combined, from a file that returns a suite
    Walk(Box<walk::WalkArgs>),
    /// Run the tests of an earlier run again, or a walk of a trace
    Replay(Box<test::ReplayArgs>),
    /// List runs of jobfiles and of tests, and show one
    Jobs(jobs::JobsArgs),
    /// Write the log of a run, or of a task in it
    Logs(logs::LogsArgs),
    /// List runs, and work on them
    Runs(Box<runs::RunsArgs>),
    /// Start staged runs, the oldest first
    ///
    /// Runs and batches are staged by 'rille run --stage', trials by --stage-trials. Each is started as by 'rille run --start',
    /// with the options that it was staged with. Several queues can work on one home: each run is started by one of them, once.
    /// A run whose dependency is not met stays staged, with the reason as its attribute 'waits', and is tried again when the
    /// dependency has changed.
    Queue(queue::QueueArgs),
    /// List the operations of the project in this folder
    Ops(ops::OpsArgs),
    /// Explain an operation: its flags, and what it requires
    HelpOp(help_op::HelpOpArgs),
    /// List the tests that references stand for
    List(Box<list::ListArgs>),
    /// List the variants of files that tests can run as
    Variants(Box<variants::VariantsArgs>),
    /// Run runnables and tasks as Avocado's runners do, and be one of them
    Runner(crate::runner::RunnerArgs),
    /// Show the settings, and where each comes from
    Config(config::ConfigArgs),
    /// Print the JSON Schema of a file that Rille writes or reads
    Schema(schema::SchemaArgs),
    /// Read and change what the tasks of a run share, from a task that is not Lua
    Synchro(Box<synchro::SynchroArgs>),
    /// Write the annotations of the Lua API for an editor (`LuaCATS`)
    Types(types::TypesArgs),
}

/// Runs the command line and returns the exit code.
pub(crate) fn main(args: &[OsString]) -> i32 {
    if run::names_operation(args) {
        return run::operation(args).unwrap_or_else(|failure| complain_with_code(&failure));
    }
    let mut command = help::pages(Cli::command());
    command.build();
    match run::door(&command, &run::operation_command, args) {
        run::Door::Job => {}
        run::Door::Operation => return run::operation(args).unwrap_or_else(|failure| complain_with_code(&failure)),
        run::Door::Help => return show_both_helps(&mut command, args.iter().any(|word| word == "--help")),
    }
    // `rille run` hands what it does not know on to the jobfile, so this is parted before clap sees it.
    let (own, mut handed_on) = run::part_arguments(&command, runs::spell_out(args.to_vec()));
    let matches = command.try_get_matches_from_mut(own).and_then(|matches| {
        // What an earlier run was started with is put before what was typed.
        match run::recall(&command, &matches, &mut handed_on) {
            Ok(None) => Ok(matches),
            Ok(Some(words)) => command.try_get_matches_from_mut(words),
            Err(failure) => {
                complain(&failure);
                std::process::exit(failure.exit_code());
            }
        }
    });
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // With a closed terminal there is nobody to tell.
            let _ = error.print();
            // A mistyped option was taken for one of the jobfile's; without a jobfile nobody else would say so.
            for (word, near) in &handed_on.slips {
                let text = crate::job::slip_text(word, near);
                let _ = writeln!(std::io::stderr(), "hint: {text}");
            }
            return error.exit_code();
        }
    };
    let home = cli.home.as_deref();
    let result = match cli.command {
        Command::Run(run) => run::main(*run, handed_on, args, home),
        Command::Logs(logs) => configured_home(home).and_then(|home| logs::main(&logs, &home)),
        Command::Runs(runs) => configured_home(home).and_then(|home| runs::main(*runs, &home)),
        Command::Queue(queue) => configured_home(home).and_then(|home| queue::main(&queue, home)),
        Command::Ops(ops) => ops::main(&ops),
        Command::HelpOp(help) => help_op::main(&help, configured_home(home).ok().as_ref()),
        Command::Test(test) => test::main(&test, args, home),
        Command::Walk(walk) => walk::main(*walk, args, home),
        Command::Replay(replay) if replay.walk.is_some() || replay.shrunk => walk::replay(&replay, args, home),
        Command::Replay(replay) => test::replay(&replay, args, home),
        Command::Jobs(jobs) => configured_home(home).and_then(|home| jobs::main(&jobs, &home)),
        Command::List(list) => list::main(&list),
        Command::Variants(variants) => variants::main(*variants),
        Command::Runner(runner) => Ok(crate::runner::run_command(runner, args)),
        Command::Config(config) => config::main(config, home),
        Command::Schema(schema) => schema::main(&schema),
        Command::Synchro(synchro) => synchro::main(*synchro),
        Command::Types(types) => types::main(&types),
    };
    result.unwrap_or_else(|failure| complain_with_code(&failure))
}

/// Shows what `rille run` can be asked: for jobfiles, and for operations; all of it, or a page.
fn show_both_helps(command: &mut clap::Command, all: bool) -> i32 {
    let jobs = command.find_subcommand_mut("run").map(|run| match all {
        true => run.render_long_help().to_string(),
        false => run.render_help().to_string(),
    });
    let operations = match all {
        true => run::operation_help(),
        false => run::operation_usage(),
    };
    let jobs = jobs.unwrap_or_default();
    let text = format!("Jobfiles\n========\n{jobs}\nOperations\n==========\n{operations}");
    output::write_out(&text).map_or_else(|failure| complain_with_code(&failure), |()| 0)
}

fn complain_with_code(failure: &Failure) -> i32 {
    complain(failure);
    failure.exit_code()
}

/// Returns the home that the option names, or else the environment or a file of settings.
fn configured_home(option: Option<&Path>) -> Result<Home, Failure> {
    let is_given = option.is_some() || std::env::var_os("RILLE_HOME").is_some_and(|value| !value.is_empty());
    if is_given {
        return Ok(Home::locate(option)?);
    }
    config::load(Path::new("."), &config::SettingOptions::default(), None)?.home()
}

/// Returns what is secret in the environment, for commands that show or copy what was recorded, and whether it is to be
/// left as it is: an option says so, or the settings.
fn present_secrets(keeps: bool) -> Result<(Secrets, bool), Failure> {
    let options = config::SettingOptions { keep_secrets: keeps, ..config::SettingOptions::default() };
    let config = config::load(Path::new("."), &options, None)?.config;
    Ok((Secrets::of(&config.secrets.hide, std::env::vars_os()), config.secrets.keeps()))
}

/// Returns the masks of what is secret in the environment, for commands that show what was recorded.
fn present_masks() -> Result<Masks, Failure> {
    let (secrets, keeps) = present_secrets(false)?;
    Ok(if keeps { Masks::default() } else { secrets.masks() })
}

fn complain(failure: &Failure) {
    let mut text = format!("error: {}\n", without_os_numbers(&failure.message));
    for hint in &failure.hints {
        text.extend(["hint: ", hint, "\n"]);
    }
    // With a closed terminal there is nobody to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
