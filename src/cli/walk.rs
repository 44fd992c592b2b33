//! `rille walk`: runs the walks of a suite's file, and `rille replay TRACE ID`, which runs one of them again.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use super::begin::{Subject, begin, run_settings};
use super::config::{self, SettingOptions};
use super::near::near_file;
use super::pict::{self, PictArgs};
use super::run::{ReportOptions, read_jobfile, unfinished};
use super::test::ReplayArgs;
use crate::job::{Door, FAILED_TRACE, MainEnd, SHRUNK_TRACE, Settings, WalkOptions, WalkSettings, missing_secrets};
use crate::model::{RaisedError, WalkEnd, WalkOrder, WalkSuite, exit_code};
use crate::script;
use crate::store::{self, Home};
use crate::walk::{NoShard, Shard};

/// Bytes of a list that are written at a time.
const BUFFER: usize = 64 << 10;

/// Runs walks. The file returns what `run_tests` takes, { order = {…}, state = … }, or defines `main()`, which calls `run_tests`;
/// the options here win over those of the file.
#[derive(Args, Debug)]
#[command(
    after_help = exit_code::help(&[exit_code::PLUGIN])
)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct WalkArgs {
    /// The suite's file
    #[arg(value_name = "SUITE", required_unless_present = "pict")]
    suite: Option<PathBuf>,
    #[command(flatten)]
    model: PictArgs,
    /// Run the walks in N processes [default: one a CPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    workers: Option<u32>,
    /// Run few walks that have every combination of the options of any T actions
    #[arg(long, value_name = "T", value_parser = clap::value_parser!(u32).range(1..=16))]
    cover: Option<u32>,
    /// Run only this shard of the walks: 1/3, 2/3 and 3/3 together are all of them
    #[arg(long, value_name = "I/N", value_parser = shard)]
    shard: Option<String>,
    /// Run N walks that are drawn
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    sample: Option<u64>,
    /// The seed of what is drawn
    #[arg(long, value_name = "SEED", allow_negative_numbers = true)]
    seed: Option<i64>,
    /// Write the ids and the walks, and run nothing
    #[arg(long, conflicts_with = "resume")]
    list: bool,
    /// Go on with a run that did not come to its end, in its directory: what had ended stands
    #[arg(long, value_name = "RUN", conflicts_with = "run_dir")]
    resume: Option<String>,
    /// Make failing walks short
    #[arg(long)]
    shrink: bool,
    /// Run the common beginning of walks once, where actions say that they can be shared
    #[arg(long)]
    share: bool,
    /// Write traces of all walks into this folder
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,
    /// End a walk, or a serial action, that takes longer than this
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    max_walk_runtime: Option<f64>,
    /// Start no more walks once N have failed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_failures: Option<u64>,
    /// Start no more walks once one has failed
    #[arg(long, conflicts_with = "max_failures")]
    failfast: bool,
    /// Say less (0) or more (2) of the walks than the stages (1), and show their log from warnings, information or debug
    /// records on
    #[arg(long, value_name = "0|1|2", value_parser = clap::value_parser!(u8).range(0..=2))]
    verbosity: Option<u8>,
    /// Keep the run in this directory instead of under the home
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingOptions,
    #[command(flatten)]
    reports: ReportOptions,
}

fn shard(text: &str) -> Result<String, NoShard> {
    text.parse::<Shard>().map(|_| text.to_owned())
}

pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0 && seconds.is_finite());
    seconds.ok_or_else(|| "must be a number of seconds above 0".to_owned())
}

/// Runs the command and returns the exit code. `home` is the option `--home`.
pub(crate) fn main(args: WalkArgs, command: &[OsString], home: Option<&Path>) -> Result<i32, Failure> {
    if let Some(model) = &args.model.pict {
        return pict::main(model, &args.model, args.cover, args.seed);
    }
    let Some(suite) = args.suite else { return Err(Failure::usage("no suite is named".to_owned())) };
    let (file, source) = read_jobfile(&suite)?;
    let loaded = config::load(&file, &args.settings, home)?;
    let forced = WalkOptions {
        workers: args.workers,
        verbose: args.verbosity,
        log_dir: args.log_dir,
        max_walk_runtime: args.max_walk_runtime,
        max_failures: args.max_failures.or(args.failfast.then_some(1)),
        seed: args.seed,
        sample: args.sample,
        shard: args.shard,
        cover: args.cover,
        shrink: args.shrink.then_some(true),
        share: args.share.then_some(true),
        gather_states: None,
    };
    let usual = loaded.config.walk.options();
    let walks = WalkSettings { forced, usual };
    if args.list {
        return list(&file, &suite, &source, &walks);
    }
    let home = loaded.home_beside(args.run_dir.as_deref())?;
    let resume = args.resume.as_deref().map(|given| unfinished(&home, given, Door::Walk.name())).transpose()?;
    let subject = Subject { door: Door::Walk, file, source };
    let meta = loaded.meta(resume.as_deref());
    let settings = Settings {
        meta,
        run_dir: args.run_dir,
        resume,
        walks,
        annotations: args.reports.annotations(),
        report_copies: args.reports.checked()?,
        ..run_settings(loaded.config, home, subject, command)
    };
    let job = begin(settings)?;
    for remark in loaded.remarks {
        job.run().warn(remark.text, remark.place);
    }
    let end = script::run_jobfile(&job, &suite);
    Ok(job.end(&end))
}

fn list(file: &Path, name: &Path, source: &[u8], walks: &WalkSettings) -> Result<i32, Failure> {
    let mut out = BufWriter::with_capacity(BUFFER, io::stdout());
    let write = move |line: &str| match line.is_empty() {
        true => out.flush(),
        false => out.write_all(line.as_bytes()),
    };
    match script::list_walks(file, name, source, walks, Box::new(write)) {
        Ok(()) => Ok(0),
        Err(RaisedError { message, .. }) => Err(Failure::usage(message)),
    }
}

/// Runs a walk of a trace again and returns the exit code. `home` is the option `--home`.
pub(crate) fn replay(args: &ReplayArgs, command: &[OsString], home: Option<&Path>) -> Result<i32, Failure> {
    let name = if args.shrunk { SHRUNK_TRACE } else { FAILED_TRACE };
    let trace = PathBuf::from(&args.id);
    let trace = if trace.is_file() {
        trace
    } else {
        let home = config::load(Path::new("."), &args.common.settings, home)?.home()?;
        trace_of_run(&home, &args.id, name).ok_or_else(|| {
            let what = if args.shrunk { "was made short" } else { "failed" };
            let failure = Failure::usage(format!("there is no trace '{}', and no run of which a walk {what}", args.id));
            let near = near_file(&trace).into_iter();
            near.fold(failure, |failure, near| failure.hint(format!("did you mean '{near}'?")))
        })?
    };
    let id = match args.walk {
        Some(id) => id,
        None => first_walk(&trace).ok_or_else(|| Failure::usage(format!("there is no walk in {}", trace.display())))?,
    };
    let found = script::find_walk(&trace, id).map_err(|error| Failure::usage(error.to_string()))?;
    let suite = args.suite.clone().or(found.suite).ok_or_else(|| {
        Failure::usage(format!("{} does not say which file defines the actions", trace.display()))
            .hint("name it by --suite FILE.")
    })?;
    let state = match &args.state {
        Some(text) => serde_json::from_str(text).map_err(|error| {
            Failure::usage(format!("--state is no JSON ({error})")).hint("write it as '{\"n\": 1}'.")
        })?,
        None => found.state.unwrap_or_default(),
    };
    let (file, source) = read_jobfile(&suite)?;
    let loaded = config::load(&file, &args.common.settings, home)?;
    let home = loaded.home()?;
    let subject = Subject { door: Door::Walk, file: file.clone(), source };
    let report_copies = args.common.reports.checked()?;
    let annotations = args.common.reports.annotations();
    let meta = loaded.meta(None);
    let settings = Settings { meta, annotations, report_copies, ..run_settings(loaded.config, home, subject, command) };
    let missing = missing_secrets(&settings.secrets, &run_of_trace(&trace));
    let job = begin(settings)?;
    if let Some(text) = missing {
        job.run().warn(text, None);
    }
    let given = WalkSuite { state: state.clone(), ..WalkSuite::default() };
    let order = WalkOrder::Replay { walk: found.walk, state, step: args.step };
    let ended = job.replay_walk(file, given, &order, None, &mut |_| {});
    job.close(&mut |_| {});
    let end = match ended {
        // Its task fails, and so the run.
        Ok(ended) if ended.end == WalkEnd::Failed => {
            let message = ended.error.map_or_else(String::new, |error| error.message);
            println!("walk {id} failed: {}", job.run().masks().mask_text(&message));
            MainEnd::default()
        }
        Ok(ended) => {
            let state = ended.state.map_or_else(
                || "nil".to_owned(),
                |mut state| {
                    job.run().masks().mask_json(&mut state);
                    state.to_string()
                },
            );
            let word = if ended.end == WalkEnd::Cancelled { "was cancelled" } else { "passed" };
            println!("walk {id} {word}; its state: {state}");
            MainEnd::default()
        }
        Err(error) => {
            let error = RaisedError { kind: "error".to_owned(), message: error.to_string(), traceback: None };
            MainEnd { error: Some(error), ..MainEnd::default() }
        }
    };
    Ok(job.end(&end))
}

/// Returns the id of the first walk in a trace.
fn first_walk(trace: &Path) -> Option<u64> {
    let text = fs::read_to_string(trace).ok()?;
    let id = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?.get("walk_id")?.as_u64();
    text.lines().find_map(id)
}

/// Returns the directory of the run in which a trace was written, where it lies in one.
fn run_of_trace(trace: &Path) -> PathBuf {
    trace.parent().and_then(Path::parent).unwrap_or(Path::new("")).to_owned()
}

/// Returns the trace of this name of a run; of several suites the last one's. The latest run is the latest of
/// which a walk failed, so that a replay may be repeated.
fn trace_of_run(home: &Home, given: &str, name: &str) -> Option<PathBuf> {
    let has_walks = |trace: &PathBuf| fs::read_to_string(trace).is_ok_and(|text| text.lines().nth(1).is_some());
    let trace = |run: PathBuf| {
        let folders = fs::read_dir(run).ok()?.filter_map(Result::ok).map(|folder| folder.path());
        let number = |path: &Path| path.file_name()?.to_str()?.strip_prefix("walks-")?.parse::<u32>().ok();
        let traces = folders.filter_map(|folder| Some((number(&folder)?, folder.join(name))));
        traces.filter(|(_, trace)| has_walks(trace)).max().map(|(_, trace)| trace)
    };
    if given != "latest" {
        return trace(home.find(given).ok()?);
    }
    let mut runs = store::list(home).ok()?;
    runs.sort_by_key(|run| std::cmp::Reverse(run.started));
    runs.into_iter().find_map(|run| trace(run.path))
}
