//! `rille run`: runs a jobfile.

mod arguments;
mod earlier;
mod options;
mod reports;
mod sections;
mod testbed;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::Failure;
use crate::engine;
use crate::job::{Condition, Job, Selection, Settings};
use crate::model::nearest;
use crate::report::{ColorChoice, Verbosity};
use crate::script;
use crate::store::{self, Home};

use self::arguments::HandedOn;
pub(crate) use self::arguments::part_arguments;
pub(crate) use self::earlier::{bad_archive, recall};
use self::options::{Resource, grace, jobs, output_limit};

/// Runs a jobfile, a Lua file that defines main(runtime), or a testscript alone.
///
/// Options that rille does not know, and everything after --, are handed on to the jobfile as runtime.argv.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 everything passed, 1 something did not, 2 usage, 3 a plugin failed, 4 nothing to run, 7 the run could \
                        not be recorded, 130/143/129 stopped by SIGINT/SIGTERM/SIGHUP"
)]
pub(crate) struct RunArgs {
    /// The jobfile, or a testscript; with --resume and --rerun that of the earlier run, unless another is named
    #[arg(value_name = "JOBFILE")]
    jobfile: PathBuf,
    /// Hand this file (YAML, JSON, or a Lua file that returns a table) to the job and its tasks as the testbed
    #[arg(short = 't', long, value_name = "FILE")]
    testbed: Option<PathBuf>,
    /// Run only tasks whose id matches: PATTERN[,PATTERN…], * and ? as in a shell, ! negates; may be repeated
    #[arg(long, value_name = "PATTERNS")]
    taskid: Vec<String>,
    /// Run only tasks that have a tag: TAG[,TAG…], patterns as for --taskid; repeated, all must hold
    #[arg(long, value_name = "TAGS")]
    tags: Vec<String>,
    /// Run at most N tasks at once [default: a Task starts at once, parallel takes the number of CPUs]
    #[arg(short, long, value_name = "N", value_parser = jobs)]
    jobs: Option<u32>,
    /// Let there be N of a resource, for tasks with resources = { NAME = … }; may be repeated
    #[arg(long, value_name = "NAME=N")]
    resource: Vec<Resource>,
    /// Seconds from the request to end a task until it is killed
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = grace, allow_negative_numbers = true)]
    grace: Duration,
    /// Keep at most SIZE bytes of each output file, its head and its tail (K, M, G)
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = output_limit)]
    output_limit: u64,
    /// Go on with a run that did not come to its end, in its directory and with its options: what had ended stands
    #[arg(long, value_name = "RUN", conflicts_with_all = ["rerun", "run_dir"])]
    resume: Option<String>,
    /// Run what did not pass in an earlier run, tasks and testcases: an id, a path, or an archive
    #[arg(long, value_name = "RUN")]
    rerun: Option<String>,
    /// Rerun what ended in these ways: WORD[,WORD…] of failed, errored, aborted, blocked, skipped, passed, passx, unfinished
    /// [default: all but the passes]
    #[arg(long, value_name = "WORDS", requires = "rerun")]
    rerun_condition: Option<Condition>,
    /// Pack the run into this file at its end, .zip or .tar.zst, with secrets masked
    #[arg(long, value_name = "FILE")]
    archive: Option<PathBuf>,
    /// Keep the run in this directory instead of under the home
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Give the run a label
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Give the run a tag; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    run_tags: Vec<String>,
    #[command(flatten)]
    reports: reports::ReportOptions,
    #[command(flatten)]
    sections: sections::SectionArgs,
    /// Say less: only what did not pass; twice: nothing
    #[arg(short, long, action = ArgAction::Count)]
    quiet: u8,
    /// Say more: starts of tasks, and what they write, line by line behind their id
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
    /// When to use colour
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    color: ColorChoice,
}

/// Runs the job and returns its exit code.
pub(crate) fn main(args: RunArgs, handed_on: HandedOn, command: &[OsString], home: Home) -> Result<i32, Failure> {
    let (jobfile, source) = read_jobfile(&args.jobfile)?;
    let selection = Selection::new(&args.taskid, &args.tags).map_err(|error| Failure::usage(error.to_string()))?;
    let report_copies = args.reports.checked()?;
    let choice = args.sections.choice()?;
    let testbed = args.testbed.as_deref().map(testbed::read).transpose()?;
    let resume = args.resume.as_deref().map(|given| earlier::unfinished(&home, given)).transpose()?;
    let rerun = match &args.rerun {
        Some(given) => match earlier::chosen(&home, given, args.rerun_condition.as_ref())? {
            Some(rerun) => Some(rerun),
            // It was said that there is nothing to run.
            None => return Ok(4),
        },
        None => None,
    };
    let archive = args.archive.as_deref().map(|path| earlier::archive(path, resume.as_deref())).transpose()?;
    let command = handed_on.command.as_deref().unwrap_or(command);
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let text = |arg: &OsString| arg.to_string_lossy().into_owned();
    let settings = Settings {
        options: recorded_options(&args),
        home,
        run_dir: args.run_dir,
        started_in: std::env::current_dir().unwrap_or_default(),
        jobfile,
        source,
        command: command.iter().map(text).collect(),
        argv: handed_on.arguments.iter().map(text).collect(),
        label: args.label,
        run_tags: args.run_tags,
        jobs: args.jobs.and_then(|jobs| usize::try_from(jobs).ok()),
        cpus,
        capacity: options::capacity(cpus, &args.resource),
        grace: args.grace,
        output_limit: args.output_limit,
        resume,
        rerun,
        archive,
        plugins: Vec::new(),
        plugin_timeout: None,
        selection,
        report_copies,
        choice,
        parameters: args.sections.parameters(),
        testbed,
        verbosity: verbosity(args.quiet, args.verbose),
        color: args.color,
        environment: store::recorded_environment(std::env::vars_os()),
    };
    // From here on this is the host; the process the user started stays behind as its guardian.
    let guarded =
        engine::split().map_err(|error| Failure::general(format!("cannot start the host process: {error}")))?;
    let job = Job::begin(settings, guarded).map_err(start_failed)?;
    for remark in handed_on.remarks {
        job.warn(remark, None);
    }
    let end = script::run_jobfile(&job, &args.jobfile);
    Ok(job.end(end))
}

fn start_failed(error: crate::job::StartError) -> Failure {
    match error {
        crate::job::StartError::Store(error) => Failure::from(error),
        error @ crate::job::StartError::System(_) => Failure::general(error.to_string()),
    }
}

const fn verbosity(quiet: u8, verbose: u8) -> Verbosity {
    match (quiet, verbose) {
        (0, 0) => Verbosity::Normal,
        (0, _) => Verbosity::Verbose,
        (1, _) => Verbosity::Quiet,
        (_, _) => Verbosity::Silent,
    }
}

fn read_jobfile(given: &Path) -> Result<(PathBuf, Vec<u8>), Failure> {
    let shown = given.display();
    let is_lua = given.extension().is_some_and(|extension| extension == "lua");
    match fs::read(given) {
        Ok(source) if is_lua || source.starts_with(b"#!") && first_line_names_rille(&source) => {
            let path = std::path::absolute(given);
            Ok((path.map_err(|error| Failure::usage(format!("cannot find {shown}: {error}")))?, source))
        }
        Ok(_) => Err(Failure::usage(format!("{shown} is no Lua jobfile")).hint(
            "write a file such as job.lua that defines main(runtime) and runs it by job.run { testscript = … }.",
        )),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let failure = Failure::usage(format!("the jobfile '{shown}' does not exist"));
            Err(match near_jobfile(given) {
                Some(near) => failure.hint(format!("did you mean '{near}'?")),
                None => failure,
            })
        }
        Err(error) => Err(Failure::usage(format!("cannot read the jobfile '{shown}': {error}"))),
    }
}

fn first_line_names_rille(source: &[u8]) -> bool {
    let line = source.split(|byte| *byte == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line).contains("rille")
}

fn near_jobfile(given: &Path) -> Option<String> {
    let folder = given.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = fs::read_dir(folder).ok()?;
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    let near = nearest(given.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(given.with_file_name(near).display().to_string())
}

/// Returns the options by name, as `runtime.args` and the attribute `run_params` have them.
fn recorded_options(args: &RunArgs) -> Map<String, Value> {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
    let resources: Map<String, Value> =
        args.resource.iter().map(|resource| (resource.name.clone(), json!(resource.amount))).collect();
    let options = [
        ("jobfile", json!(args.jobfile.to_string_lossy())),
        ("testbed", json!(path(&args.testbed))),
        ("taskid", json!(args.taskid)),
        ("tags", json!(args.tags)),
        ("jobs", json!(args.jobs)),
        ("resource", json!(resources)),
        ("grace", json!(args.grace.as_secs_f64())),
        ("output_limit", json!(args.output_limit)),
        ("run_dir", json!(path(&args.run_dir))),
        ("resume", json!(args.resume)),
        ("rerun", json!(args.rerun)),
        ("archive", json!(path(&args.archive))),
        ("label", json!(args.label)),
        ("tag", json!(args.run_tags)),
        ("quiet", json!(args.quiet)),
        ("verbose", json!(args.verbose)),
        ("color", json!(args.color.to_possible_value().map(|value| value.get_name().to_owned()))),
    ];
    let mut options: Map<String, Value> = options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    options.extend(args.sections.recorded().into_iter().map(|(name, value)| (name.to_owned(), value)));
    args.reports.record(&mut options);
    options
}
