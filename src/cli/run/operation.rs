//! `rille run OPERATION`: from the command line to a plan that the job carries out.

mod again;
mod audience;
mod background;
mod batch;
mod batch_options;
mod choose;
mod flags;
mod options;
mod pipeline;
mod prompt;
mod used;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches};
use uuid::Uuid;

use self::audience::Terminal;
use self::background::Background;
use self::choose::Chosen;
use self::options::{OperationArgs, OperationCli, OperationCommand};
use crate::cli::begin::split;
use crate::cli::config::{self, Loaded};
use crate::cli::output::write_out;
use crate::cli::{Failure, FailureKind, MAKE_ROOM};
use crate::job::missing_secrets;
use crate::job::operation::{self as job, Done, Plan, Recipe, RunError, RunPlace, Wants};
use crate::model::exit_code;
use crate::operation::{self, ScalarPatterns};
use crate::store::{self, Home, Secrets};

/// From the request to end an operation until it is killed, where nobody says anything: Guild's, since a training writes
/// its last checkpoint then.
const GRACE: Duration = Duration::from_secs(30);

/// Returns the command line.
pub(crate) fn command() -> clap::Command {
    let mut command = crate::cli::help::operation_pages(OperationCli::command());
    command.build();
    command
}

/// Returns the long help.
pub(crate) fn help() -> String {
    let mut command = command();
    command.find_subcommand_mut("run").map(|run| run.render_long_help().to_string()).unwrap_or_default()
}

/// Returns how operations are called, in short.
pub(crate) fn usage() -> String {
    let mut command = command();
    let usage = command.find_subcommand_mut("run").map(|run| run.render_usage().to_string()).unwrap_or_default();
    let more = "rille help-op OPERATION explains one and its flags; rille run --help shows the options.";
    format!("{usage}\n\n{more}\n")
}

/// Runs the command line, which is one for an operation, and returns the exit code.
pub(crate) fn main(words: &[OsString]) -> Result<i32, Failure> {
    // What describes the command line is used once, and is big: the end of the process takes it apart.
    let mut command = ManuallyDrop::new(crate::cli::help::operation_pages(OperationCli::command()));
    let parsed = command.try_get_matches_from_mut(spelled_out(words));
    let cli = match parsed.and_then(|mut matches| OperationCli::from_arg_matches_mut(&mut matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // With a closed terminal there is nobody to tell.
            let _ = error.print();
            return Ok(error.exit_code());
        }
    };
    let OperationCommand::Run(args) = cli.command;
    let started_in = std::env::current_dir()
        .map_err(|error| Failure::general(format!("cannot find the working folder: {error}")))?;
    if let Some((name, instead)) = args.of_guild.given() {
        return Err(Failure::usage(format!("rille has no option '{name}', which Guild AI has")).hint(instead));
    }
    let loaded = config::load(&started_in, &args.settings(), cli.home.as_deref())?;
    let home = loaded.home_beside(args.run_dir.as_deref())?;
    for remark in &loaded.remarks {
        eprintln!("WARNING: {}", remark.text);
    }
    if let Some(code) = flags::only_shown(&args, &home, &started_in)? {
        return Ok(code);
    }
    let around = |home: Home, loaded: Loaded| batch::Surroundings { home, loaded, started_in: &started_in, words };
    if let Some(run) = &args.start {
        let path = again::find(&home, run)?;
        if let Some(proto) = job::batch::proto_of(&path) {
            return batch::again(&args, &path, &proto, around(home, loaded));
        }
        if let Some(steps) = pipeline::steps_of(&path) {
            return pipeline::start_again(&args, &path, steps, around(home, loaded));
        }
    }
    let mut chosen = choose::choose(&args, &home, &started_in)?;
    if let Some(wanted) = pipeline::wanted(&args, &chosen) {
        if let Some(name) = chosen.several.resolved.spread.keys().next() {
            return Err(Failure::usage(format!("a pipeline has one value for each flag, and '{name}' has several"))
                .hint("hand the list on to a step: STEP:FLAG=[1,2]."));
        }
        return pipeline::run(&args, &wanted, around(home, loaded));
    }
    if let Some(wanted) = batch::wanted(&args, &chosen)? {
        if let Some(code) = batch::only_shown(&args, &chosen, &wanted)? {
            return Ok(code);
        }
        return batch::run(&args, chosen, wanted, around(home, loaded));
    }
    if let Some(code) = show_what_would_run(&args, &chosen, &home)? {
        return Ok(code);
    }
    let what = describe(&args, &chosen);
    if !args.explain && !prompt::confirm(args.yes, &what, &chosen.values)? {
        return Ok(exit_code::FAILED);
    }
    if !args.explain && unchanged(&args, &chosen) {
        eprintln!("Skipping run because flags have not changed (--needed specified)");
        return Ok(0);
    }
    let used = if args.explain { used::used(&args, &chosen, &home, &loaded, &started_in) } else { Vec::new() };
    let place = place(&args, &chosen, &home)?;
    let typed = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let recipe = recipe(&args, &mut chosen, Around { home, loaded: &loaded, started_in: &started_in, typed })?;
    let mut plan = plan(&args, chosen, place, recipe, &loaded);
    plan.used = used;
    start(&args, plan)
}

/// Returns the words with Guild's `-ec` spelled out, which would be `-e` and a `-c` that takes the next word.
fn spelled_out(words: &[OsString]) -> impl Iterator<Item = OsString> {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    words.iter().enumerate().map(move |(at, word)| match at < end && word == "-ec" {
        true => "--edit-comment".into(),
        false => word.clone(),
    })
}

/// Shows what was asked to be shown of the command or the environment; returns the exit code.
fn show_what_would_run(args: &OperationArgs, chosen: &Chosen, home: &Home) -> Result<Option<i32>, Failure> {
    if args.print_cmd {
        let words = job::command_words(&chosen.record, &chosen.values).map_err(Failure::general)?;
        write_out(&format!("{}\n", operation::join(&words)))?;
        return Ok(Some(0));
    }
    if args.print_env {
        let gpus = gpus(args);
        let text = job::environment_text(&chosen.record, &chosen.values, &chosen.opref, home, gpus.as_deref());
        write_out(&text.map_err(Failure::general)?)?;
        return Ok(Some(0));
    }
    Ok(None)
}

/// Returns what is about to be done, as the question has it.
fn describe(args: &OperationArgs, chosen: &Chosen) -> String {
    let operation = chosen.opref.operation();
    let verb = if args.stage { "stage" } else { "run" };
    match &chosen.recorded {
        Some(run) if args.start.is_some() => format!("start {} ({operation})", run.id),
        Some(run) => format!("{verb} {operation} based on {}", run.id),
        None => format!("{verb} {operation}"),
    }
}

/// What a recipe is made with, beside the options and what was chosen.
struct Around<'a> {
    home: Home,
    loaded: &'a Loaded,
    started_in: &'a Path,
    typed: Vec<String>,
}

/// Makes what all runs of the command have in common.
fn recipe(args: &OperationArgs, chosen: &mut Chosen, around: Around<'_>) -> Result<Recipe, Failure> {
    let Around { home, loaded, started_in, typed } = around;
    let minutes = args.stop_after.map(|minutes| minutes * 60.0).or(chosen.record.stop_after);
    let stop_after = minutes
        .map(Duration::try_from_secs_f64)
        .transpose()
        .map_err(|_| Failure::usage("--stop-after must be a number of minutes from 0".to_owned()))?;
    let project =
        chosen.operation.as_ref().map_or_else(|| started_in.to_owned(), |operation| operation.project.clone());
    let scalars = ScalarPatterns::read(chosen.record.output_scalars.as_ref(), chosen.values.keys().map(String::as_str))
        .map_err(|error| Failure::usage(format!("operation '{}': {error}", chosen.opref.operation())))?;
    let secrets = secrets(chosen, loaded);
    Ok(Recipe {
        scalars,
        tags: tags(args, chosen),
        comment: comment(args)?,
        opref: chosen.opref.clone(),
        attributes: std::mem::take(&mut chosen.attributes),
        started_in: started_in.to_owned(),
        project,
        definitions: chosen.operation.as_ref().map(operation::Operation::definition_files).unwrap_or_default(),
        typed,
        options: args.recorded(),
        environment: store::recorded_environment(std::env::vars_os(), &secrets),
        keeps_secrets: loaded.config.secrets.keeps(),
        wants: Wants {
            staging: args.stage,
            needed: args.needed,
            explain: args.explain,
            force_deps: args.force_deps,
            keep: args.keep_run,
            quiet: args.quiet > 0,
            claim: args.if_staged,
        },
        grace: grace(loaded, args),
        output_limit: loaded.config.output_limit.map_or(u64::MAX, |limit| limit.0),
        stop_after,
        gpus: gpus(args),
        stdin: stdin(),
        encoder: store::Encoder::default(),
        home,
    })
}

/// Returns what is secret in the environment and for the operation.
fn secrets(chosen: &Chosen, loaded: &Loaded) -> Secrets {
    let mut secrets = Secrets::new(&loaded.config.secrets.hide).hide(&chosen.record.env_secrets);
    secrets.add_variables(std::env::vars_os());
    secrets
}

/// Makes the plan of the one run, but for the runs that it would use.
fn plan(args: &OperationArgs, mut chosen: Chosen, place: RunPlace, recipe: Recipe, loaded: &Loaded) -> Plan {
    let secrets = secrets(&chosen, loaded);
    if let Some(text) = chosen.recorded.as_ref().and_then(|run| missing_secrets(&secrets, &run.path)) {
        audience::show(&operation::Notice::Warning(text));
    }
    let random_seed = args.random_seed.or(chosen.recorded.as_ref().and_then(|run| run.random_seed));
    if let Some(template) = args.label.as_ref().or(loaded.config.label.as_ref()) {
        chosen.record.label_template = Some(template.clone());
    }
    let earlier = chosen.recorded.as_ref().filter(|_| args.start.is_some() && args.label.is_none());
    let (label, notices) = job::label(&chosen.record, &chosen.values, &recipe.tags, earlier, &secrets.masks());
    notices.iter().for_each(audience::show);
    Plan {
        place,
        source: Arc::new(chosen.source),
        label,
        resolved: chosen.recorded.filter(|_| args.start.is_some()).map(|run| run.deps).unwrap_or_default(),
        record: chosen.record,
        values: chosen.values,
        user_flags: chosen.user_flags,
        secrets,
        random_seed: random_seed.unwrap_or_else(new_seed),
        used: Vec::new(),
        recipe: Arc::new(recipe),
    }
}

/// Returns a seed that nobody chose.
fn new_seed() -> u32 {
    u32::try_from(Uuid::new_v4().as_u128() >> 97).unwrap_or_default()
}

/// Returns the comment, edited where that is asked for.
fn comment(args: &OperationArgs) -> Result<Option<String>, Failure> {
    if !args.edit_comment || args.explain {
        return Ok(args.comment.clone());
    }
    let text = crate::cli::editor::edit(args.comment.as_deref().unwrap_or_default(), ".txt")?;
    Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
}

/// Returns the tags: those of the command line, then those that the operation or the run has.
fn tags(args: &OperationArgs, chosen: &Chosen) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let all = args.tag.iter().chain(&chosen.tags);
    all.filter(|tag| seen.insert(*tag)).cloned().collect()
}

/// Returns the time between the request to end and the kill: what somebody has set, or Guild's.
fn grace(loaded: &Loaded, args: &OperationArgs) -> Duration {
    match loaded.is_set("grace") || args.grace.is_some() {
        true => loaded.config.grace.map_or(GRACE, config::Seconds::duration),
        false => GRACE,
    }
}

fn gpus(args: &OperationArgs) -> Option<String> {
    if args.no_gpus { Some(String::new()) } else { args.gpus.clone() }
}

/// What is piped into the command is the operation's to read. A terminal is not: it is in another group of processes.
fn stdin() -> Option<PathBuf> {
    use std::io::IsTerminal;
    let is_readable = !std::io::stdin().is_terminal() && std::fs::File::open("/dev/stdin").is_ok();
    is_readable.then(|| PathBuf::from("/dev/stdin"))
}

fn place(args: &OperationArgs, chosen: &Chosen, home: &Home) -> Result<RunPlace, Failure> {
    if let Some(run) = chosen.recorded.as_ref().filter(|_| args.start.is_some()) {
        return Ok(RunPlace::Again { path: run.path.clone() });
    }
    let id = match &args.run_id {
        Some(id) if id.is_empty() || id.starts_with('.') || id.contains(['/', '\0']) => {
            return Err(Failure::usage(format!("'{id}' cannot be the id of a run: it is the name of a directory"))
                .hint("use letters, digits, '-' and '_'."));
        }
        Some(id) => id.clone(),
        None => Uuid::new_v4().simple().to_string(),
    };
    match &args.run_dir {
        Some(path) => {
            eprintln!("Run directory is '{}' (results will not be visible to rille runs)", path.display());
            Ok(RunPlace::New { path: path.clone(), id, is_outside: true })
        }
        None => Ok(RunPlace::New { path: home.runs_dir().join(&id), id, is_outside: false }),
    }
}

/// Parts this process and runs the plan.
fn start(args: &OperationArgs, plan: Plan) -> Result<i32, Failure> {
    let operation = plan.recipe.opref.operation();
    let background = match args.background || args.pidfile.is_some() {
        false => None,
        true => {
            let id = plan.place.id();
            let pidfile = args.pidfile.as_ref().map(|path| format!(" (pidfile {})", path.display()));
            let started = format!("{operation} started in background as {id}{}", pidfile.unwrap_or_default());
            match background::part(args.pidfile.as_deref(), &started)? {
                Err(code) => return Ok(code),
                Ok(background) => Some(background),
            }
        }
    };
    let end = run(plan, &operation, background.is_some());
    if let Some(background) = &background {
        Background::end(background);
    }
    end
}

fn run(plan: Plan, operation: &str, is_background: bool) -> Result<i32, Failure> {
    let guarded = split()?;
    let masks = plan.masks();
    let done = job::run(plan, guarded, Box::new(Terminal { is_background })).map_err(|error| {
        let Failure { kind, mut message, mut hints } = failure(error);
        std::iter::once(&mut message).chain(&mut hints).for_each(|text| masks.mask_string(text));
        Failure { kind, message, hints }
    })?;
    match done {
        Done::Ran { code, remark } => {
            if let Some(remark) = remark {
                eprintln!("{remark}");
            }
            Ok(code)
        }
        Done::Staged { id, outside: None } => {
            write_out(&format!("{operation} staged as {id}\nTo start the operation, use 'rille run --start {id}'\n"))?;
            Ok(0)
        }
        Done::Staged { outside: Some((path, command)), .. } => {
            let shown = operation::quote(&path.to_string_lossy());
            let quoted = if shown.starts_with('\'') { shown } else { format!("'{shown}'") };
            write_out(&format!(
                "{operation} staged in {quoted}\nTo start the operation, use \"(cd {quoted} && source .guild/ENV && \
                 {command})\"\n"
            ))?;
            Ok(0)
        }
        Done::Explained(text) => {
            write_out(&text)?;
            Ok(0)
        }
        // Both are told by the queue that has started this.
        Done::NotStaged => Ok(exit_code::NOTHING),
        Done::Waits => Ok(exit_code::FAILED),
        Done::NotNeeded(same) => {
            // A step of a pipeline is then the run that there is.
            if let (Some(link), Some(run)) = (std::env::var_os(job::pipeline::LINK), same.first()) {
                relink(Path::new(&link), run);
            }
            eprintln!("Skipping because the following runs match this operation (--needed specified):");
            for id in same {
                eprintln!("  {id}  {operation}");
            }
            Ok(0)
        }
    }
}

/// Lets the link of a step lead to another run.
fn relink(link: &Path, run: &str) {
    let target = std::fs::read_link(link).map(|target| target.with_file_name(run));
    // Without it the step has no run, which is what its link says then.
    let _ = target.and_then(|target| {
        std::fs::remove_file(link)?;
        std::os::unix::fs::symlink(target, link)
    });
}

/// Returns whether a run that has ended would be started again as it was, and is not to.
fn unchanged(args: &OperationArgs, chosen: &Chosen) -> bool {
    let recorded = chosen.recorded.as_ref().filter(|_| args.needed && args.start.is_some());
    recorded.is_some_and(|run| {
        matches!(run.status, store::Status::Completed | store::Status::Terminated) && run.values == chosen.values
    })
}

fn failure(error: RunError) -> Failure {
    let kind = match &error {
        RunError::Store(store::Error::Running { id }) => {
            let text = job::CannotStart::Running(id.clone()).to_string();
            return Failure::general(text);
        }
        RunError::Interrupted(signal) => FailureKind::Interrupted(*signal),
        error if error.leaves_no_result() => FailureKind::NoResult,
        _ => FailureKind::General,
    };
    let message = error.to_string();
    match error {
        RunError::Store(error) => Failure::from(error),
        RunError::Unmet(_, Some(hint)) => Failure { kind, message, hints: hint.lines().map(str::to_owned).collect() },
        RunError::Full(_) => Failure { kind, message, hints: Vec::new() }.hint(MAKE_ROOM),
        _ => Failure { kind, message, hints: Vec::new() },
    }
}
