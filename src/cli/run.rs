//! `rille run`: runs a jobfile.

mod arguments;
mod door;
mod earlier;
mod jobfile;
mod operation;
mod recorded;
mod reports;
mod sections;
mod testbed;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::Failure;
use super::begin::{Subject, begin, run_settings};
use super::config::{self, SettingOptions};
use super::test::time;
use crate::job::{self, Condition, Selection, Settings};
use crate::model::exit_code;
use crate::script;

use self::arguments::HandedOn;
pub(crate) use self::arguments::part_arguments;
pub(crate) use self::door::{Door, door, names_operation};
pub(crate) use self::earlier::{bad_archive, recall, unfinished};
pub(crate) use self::jobfile::read as read_jobfile;
pub(crate) use self::operation::{
    command as operation_command, help as operation_help, main as operation, usage as operation_usage,
};
pub(crate) use self::reports::ReportOptions;

/// Runs a jobfile, a Lua file that defines main(runtime), or a testscript alone.
///
/// Options that rille does not know, and everything after --, are handed on to the jobfile as runtime.argv.
#[derive(Args, Debug)]
#[command(
    after_help = exit_code::help(&[])
)]
pub(crate) struct RunArgs {
    /// The jobfile, or a testscript; with --resume and --rerun that of the earlier run, unless another is named
    #[arg(value_name = "JOBFILE")]
    jobfile: PathBuf,
    /// Hand this file (YAML, JSON, or a Lua file that returns a table) to the job and its tasks as the testbed
    #[arg(short = 't', long, value_name = "FILE")]
    testbed: Option<PathBuf>,
    /// Run only tasks whose id fits: patterns as of a shell with and, or, not, parentheses, Or('a','b'); a comma is an or, ! a
    /// not; repeated, all must fit
    #[arg(long, value_name = "EXPRESSION")]
    taskid: Vec<String>,
    /// Run only tasks whose tags fit, in the same language: 'fast and not net'; repeated, all must fit
    #[arg(long, value_name = "EXPRESSION")]
    tags: Vec<String>,
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
    /// End all tasks, and start no other, when the job as a whole takes longer than this: seconds, or with a unit: 90s, 5m, 2h
    #[arg(long, value_name = "TIME", value_parser = time)]
    deadline: Option<f64>,
    /// Let runners that know rille's status server report to it by TCP at this address; port 0 for any
    #[arg(long, value_name = "ADDRESS:PORT")]
    status_listen: Option<SocketAddr>,
    #[command(flatten)]
    settings: SettingOptions,
    #[command(flatten)]
    reports: reports::ReportOptions,
    #[command(flatten)]
    sections: sections::SectionArgs,
}

/// Runs the job and returns its exit code. `home` is the option `--home`.
pub(crate) fn main(
    args: RunArgs,
    handed_on: HandedOn,
    command: &[OsString],
    home: Option<&Path>,
) -> Result<i32, Failure> {
    let (jobfile, source) = jobfile::read(&args.jobfile)?;
    let loaded = config::load(&jobfile, &args.settings, home)?;
    let selection = Selection::new(&args.taskid, &args.tags).map_err(|error| Failure::usage(error.to_string()))?;
    let report_copies = args.reports.checked()?;
    let mut choice = args.sections.choice()?;
    let (datafile, remarks) = args.sections.datafile()?.unzip();
    choice.datafile = datafile.map(Box::new);
    let testbed = args.testbed.as_deref().map(testbed::read).transpose()?;
    let home = loaded.home_beside(args.run_dir.as_deref())?;
    let resume = args.resume.as_deref().map(|given| earlier::unfinished(&home, given, "job")).transpose()?;
    let rerun = match &args.rerun {
        Some(given) => match earlier::chosen(&home, given, args.rerun_condition.as_ref())? {
            Some(rerun) => Some(rerun),
            // It was said that there is nothing to run.
            None => return Ok(exit_code::NOTHING),
        },
        None => None,
    };
    let archive = args.archive.as_deref().map(|path| earlier::archive(path, resume.as_deref())).transpose()?;
    let command = handed_on.command.as_deref().unwrap_or(command);
    let meta = loaded.meta(resume.as_deref());
    let config = loaded.config;
    let options = recorded::options(&args, &config);
    choice.max_failures = choice.max_failures.or(config.max_failures.map(|failures| failures.0));
    choice.retry = choice.retry.or(config.retry.map(|retry| retry.0));
    let deadline = args.deadline.or(config.deadline.map(config::Deadline::seconds));
    let text = |arg: &OsString| arg.to_string_lossy().into_owned();
    let settings = Settings {
        options,
        meta,
        run_dir: args.run_dir,
        status_listen: args.status_listen,
        argv: handed_on.arguments.iter().map(text).collect(),
        slips: handed_on.slips,
        resume,
        rerun,
        archive,
        selection,
        annotations: args.reports.annotations(),
        report_copies,
        max_failures: choice.max_failures,
        deadline: deadline.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        choice,
        parameters: args.sections.parameters(),
        testbed,
        ..run_settings(config, home, Subject { door: job::Door::Job, file: jobfile, source }, command)
    };
    let job = begin(settings)?;
    for remark in loaded.remarks {
        job.run().warn(remark.text, remark.place);
    }
    for remark in remarks.into_iter().flatten() {
        job.run().warn(remark.problem, remark.place);
    }
    let end = script::run_jobfile(&job, &args.jobfile);
    Ok(job.end(&end))
}
