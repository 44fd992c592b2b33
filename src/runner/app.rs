//! A runner: what it was asked is run between its first message and its last, whatever happens to the process that does it.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::exit;
use std::rc::Rc;

use super::command::{self, COMMANDS, RunnableArgs, RunnerArgs, RunnerCommand};
use super::error::{Error, OrderError};
use super::foreign;
use super::install::install;
use super::kinds::{self, Work};
use super::order::{self, RunnerOrder};
use super::status::{Form, Reporter};
use crate::engine::{Half, StopRequest, die_of, split_runner};
use crate::model::{Finished, Kind, Running, TestStatus};
use crate::script;
use crate::testing::Reading;

/// What the names of runners begin with.
const PREFIX: &str = "avocado-runner-";

/// A setting that every runnable may have.
const COMMON_SETTING: &str = "runner.identifier_format";

/// How the runner was called.
struct Called {
    /// The path by which it was called, if that names a kind.
    path: Option<PathBuf>,
    /// That kind.
    kind: Option<String>,
    form: Form,
    /// What it was called with.
    words: Vec<OsString>,
}

impl Called {
    /// Returns how TAP is read: under the name of a runner of Avocado's as that does.
    fn reading(&self) -> Reading {
        match self.path {
            Some(_) => Reading::Avocado,
            None => Reading::Tap14,
        }
    }
}

/// What runs a kind.
enum Implementation {
    Own(Kind),
    Script(PathBuf),
}

/// Returns whether the program was called as a runner of Avocado, by its name.
pub(crate) fn is_runner_name(name: &OsStr) -> bool {
    let name = Path::new(name).file_name().unwrap_or_default().to_string_lossy();
    name.strip_prefix(PREFIX).is_some_and(|kind| !kind.is_empty())
}

/// Runs the program under the name of a runner. Returns the exit code.
pub(crate) fn main_as_runner(name: &OsStr, args: &[OsString]) -> i32 {
    let path = PathBuf::from(name);
    let shown = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let kind = shown.strip_prefix(PREFIX).map(str::to_owned);
    let called = Called { path: Some(path), kind, form: Form::Python, words: args.to_vec() };
    match command::read(&shown, false, args) {
        Ok(args) => run(args, &called),
        Err(code) => code,
    }
}

/// Runs `rille runner`. Returns the exit code.
pub(crate) fn main(args: &[OsString]) -> i32 {
    match command::read("rille runner", true, args) {
        Ok(read) => run_as_command(read, args),
        Err(code) => code,
    }
}

/// Runs what was read of `rille runner` in this command line, which may have options before those words. Returns the exit
/// code.
pub(crate) fn run_command(args: RunnerArgs, line: &[OsString]) -> i32 {
    // `runner` may be the value of an option as well.
    let is_start = |pair: &[OsString]| pair[0] == "runner" && COMMANDS.iter().any(|command| pair[1] == *command);
    let start = line.windows(2).position(is_start).map_or(line.len(), |at| at + 1);
    run_as_command(args, &line[start..])
}

fn run_as_command(args: RunnerArgs, words: &[OsString]) -> i32 {
    run(args, &Called { path: None, kind: None, form: Form::Json, words: words.to_vec() })
}

fn run(args: RunnerArgs, called: &Called) -> i32 {
    let perform = |order: Result<RunnerOrder, OrderError>| perform(order?, called);
    let done = match args.command {
        RunnerCommand::Capabilities => capabilities(called).and_then(|line| say(&line)),
        RunnerCommand::Install(args) => install(&args).map_err(Error::from).and_then(|lines| say(&lines)),
        RunnerCommand::RunnableRun(args) => match kind_of(&args, called) {
            Ok(kind) => perform(order::of_runnable(args, kind)),
            Err(code) => return code,
        },
        RunnerCommand::RunnableRunRecipe(args) => perform(order::of_recipe(&args.recipe)),
        RunnerCommand::TaskRun(args) => match kind_of(&args.runnable, called) {
            Ok(kind) => perform(order::of_task(args, kind)),
            Err(code) => return code,
        },
        RunnerCommand::TaskRunRecipe(args) => perform(order::of_task_recipe(&args.recipe)),
    };
    match done {
        Ok(()) => 0,
        Err(problem) => {
            complain(&format!("error: {problem}"));
            1
        }
    }
}

fn kind_of(args: &RunnableArgs, called: &Called) -> Result<String, i32> {
    let kind = args.kind.clone().or_else(|| called.kind.clone());
    kind.ok_or_else(|| {
        complain("error: the following arguments are required: -k/--kind");
        2
    })
}

fn say(text: &str) -> Result<(), Error> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Write(error)),
        _ => Ok(()),
    }
}

fn complain(text: &str) {
    // With a closed terminal there is nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

fn implementation(kind: &str, called: &Called) -> Option<Implementation> {
    let own = Kind::named(kind).map(Implementation::Own);
    own.or_else(|| kinds::find_script(kind, called.path.as_deref()).map(Implementation::Script))
}

/// Returns what the runner can do, as a line of JSON.
fn capabilities(called: &Called) -> Result<String, Error> {
    let (names, settings): (Vec<String>, Vec<&str>) = match &called.kind {
        None => {
            let mut settings: Vec<&str> = Kind::ALL.into_iter().flat_map(kinds::settings).copied().collect();
            settings.sort_unstable();
            settings.dedup();
            (Kind::ALL.map(|kind| kind.name().to_owned()).into(), settings)
        }
        Some(kind) => match implementation(kind, called) {
            Some(Implementation::Own(own)) => (vec![kind.clone()], kinds::settings(own).to_vec()),
            Some(Implementation::Script(script)) => (script::kinds_of(&script)?, Vec::new()),
            None => return Err(Error::Unsupported(kind.clone())),
        },
    };
    // Python puts a space after every comma and colon.
    let list = |items: &[String]| {
        let items: Vec<String> = items.iter().map(|item| serde_json::Value::from(item.as_str()).to_string()).collect();
        format!("[{}]", items.join(", "))
    };
    let owned = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
    Ok(format!(
        "{{\"runnables\": {}, \"commands\": {}, \"configuration_used\": {}}}\n",
        list(&names),
        list(&owned(&COMMANDS)),
        list(&owned(&settings))
    ))
}

/// Runs what was ordered. Returns when its last message was sent; the error is that there was no first one.
fn perform(mut order: RunnerOrder, called: &Called) -> Result<(), Error> {
    let kind = &order.runnable.kind;
    let Some(implementation) = implementation(kind, called) else {
        return Err(match foreign::find(PREFIX, kind) {
            Some(program) => foreign::become_it(program, &called.words),
            None => Error::Unsupported(kind.clone()),
        });
    };
    if let Implementation::Own(own) = implementation {
        let is_known = |key: &String| key == COMMON_SETTING || kinds::settings(own).contains(&key.as_str());
        for key in order.runnable.config.keys().filter(|key| !is_known(key)) {
            complain(&format!("warning: the kind {} does not look at the setting '{key}'", own.name()));
        }
    }
    if order.identity.id.is_some() && order.identity.output_dir.is_none() {
        let made = tempfile::Builder::new().prefix(".avocado-task-").tempdir();
        let folder = made.map_err(Error::Folder)?.keep();
        order.identity.output_dir = Some(folder.to_string_lossy().into_owned());
    }
    let mut reporter = Reporter::new(called.form, order.identity.clone(), &order.uris)?;
    if let Implementation::Own(own) = implementation
        && let Some(end) = kinds::without_running(own)
    {
        reporter.started()?;
        reporter.finished(end);
        return Ok(());
    }
    reporter.connect_early();
    match split_runner().map_err(Error::Process)? {
        Half::Worker(stop) => {
            let stop = Rc::new(stop);
            reporter.heed(&stop);
            exit(work(&order, &implementation, reporter, stop, called.reading()))
        }
        Half::Supervisor(end) => {
            reporter.disconnect();
            if !end.exit.is_success() {
                // It has said itself what is wrong.
                if let crate::model::Exit::Code(code) = end.exit {
                    exit(code);
                }
                let finished = match end.asked_by {
                    Some(signal) => kinds::interrupted(signal),
                    None => Finished::because(TestStatus::Error, format!("the runner process was {}", end.exit)),
                };
                if reporter.connect().is_ok() {
                    say_end(&mut reporter, finished);
                }
            }
            if let Some(signal) = end.asked_by {
                die_of(signal);
            }
            Ok(())
        }
    }
}

/// Does the work, and returns the exit code: 0 when the last message was sent.
fn work(
    order: &RunnerOrder,
    implementation: &Implementation,
    mut reporter: Reporter,
    stop: Rc<StopRequest>,
    reading: Reading,
) -> i32 {
    if let Err(problem) = reporter.started() {
        if stop.signal().is_none() {
            complain(&format!("error: {problem}"));
        }
        return 1;
    }
    let output_dir = order.identity.output_dir.clone().map(PathBuf::from);
    let mut work =
        Work { runnable: &order.runnable, output_dir: output_dir.as_deref(), reporter: &mut reporter, stop, reading };
    let finished = match implementation {
        Implementation::Own(own) => kinds::run(*own, &mut work),
        Implementation::Script(script) => kinds::run_scripted(script, &mut work),
    };
    say_end(&mut reporter, finished);
    0
}

/// Says how a test ended; that it was interrupted stands in its log as well, as with the originals.
fn say_end(reporter: &mut Reporter, finished: Finished) {
    if let (TestStatus::Interrupted, Some(reason)) = (finished.result, &finished.fail_reason) {
        let now = chrono::Local::now().format("%Y-%m-%d %H:%M:%S");
        let log = format!("{now} | {reason}\n").into_bytes();
        reporter.running_text(Running::Log { log, logger: None, level: None, levelname: None });
    }
    reporter.finished(finished);
}
