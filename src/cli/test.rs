//! `rille test`: runs tests of any kind, and `rille replay`, which runs those of an earlier run again.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Failure;
use super::begin::{Subject, begin, run_settings};
use super::bisect;
use super::config::{self, SettingOptions};
use super::history;
use super::jobs::read_summary;
use super::near::near_file;
use super::present_masks;
use super::references::{ReferenceArgs, VariantArgs, select};
use super::run::ReportOptions;
use crate::job::{Door, MainEnd, Settings, TestPlan, missing_secrets, read_suite, suite_text};
use crate::model::{exit_code, may_be_behind};
use crate::script;
use crate::store::{self, Home};
use crate::testing::{Quarantine, Standing, Test};

/// Runs tests.
#[derive(Args, Debug)]
#[command(
    after_help = exit_code::help(&[exit_code::PLUGIN])
)]
pub(crate) struct TestArgs {
    #[command(flatten)]
    references: ReferenceArgs,
    #[command(flatten)]
    variants: VariantArgs,
    /// Run the whole list N times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Run nothing: every test is cancelled
    #[arg(short = 'd', long)]
    dry_run: bool,
    /// Find the fewest of the tests before TEST after which it fails, by runs with fewer and fewer of them
    #[arg(long, value_name = "TEST", conflicts_with_all = ["dry_run", "job_dependency"])]
    bisect: Option<String>,
    /// Runnables that must pass before any test starts: a JSON list of objects with type, name and uri
    #[arg(long, value_name = "FILE")]
    job_dependency: Option<PathBuf>,
    #[command(flatten)]
    common: CommonArgs,
}

/// Runs the tests of an earlier run again, under the same ids and with the same limits.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("a_walk").args(["walk", "shrunk"]).multiple(true))]
pub(crate) struct ReplayArgs {
    /// The run: its id, the beginning of it, `latest`, or the path of its directory; for a walk also a trace, or the
    /// master file of several
    #[arg(value_name = "RUN|TRACE", default_value = "latest")]
    pub(crate) id: String,
    /// The id of a walk in the trace, or among those of the run that failed
    #[arg(value_name = "WALK")]
    pub(crate) walk: Option<u64>,
    /// Run what was left of a failing walk when it was made short; without an id, of the first
    #[arg(long)]
    pub(crate) shrunk: bool,
    /// Wait for the Enter key after each action of the walk
    #[arg(long, requires = "a_walk")]
    pub(crate) step: bool,
    /// The state with which the walk begins, instead of that of the trace
    #[arg(long, value_name = "JSON", requires = "a_walk")]
    pub(crate) state: Option<String>,
    /// The file that defines the actions, instead of that of the trace
    #[arg(long, value_name = "SUITE", requires = "a_walk")]
    pub(crate) suite: Option<PathBuf>,
    /// Only tests that did not pass, or did not come to their end
    #[arg(long)]
    failed: bool,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

/// What both commands can be told.
#[derive(Args, Debug)]
pub(super) struct CommonArgs {
    #[command(flatten)]
    manner: Manner,
    #[command(flatten)]
    pub(crate) settings: SettingOptions,
    #[command(flatten)]
    pub(crate) reports: ReportOptions,
}

/// In which order and how long tests run.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
struct Manner {
    /// Run the tests in random order; the seed is told, and given again makes the same order
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true)]
    #[expect(clippy::option_option, reason = "whether the option was given, and whether with a seed")]
    shuffle: Option<Option<i64>>,
    /// Run the tests in another order than they are given in: longest, by how long they took in earlier runs of this home
    #[arg(long, value_name = "ORDER", conflicts_with = "shuffle", value_enum)]
    order: Option<Order>,
    /// A list of tests in quarantine (TOML: [[quarantine]] with test, until, reason): they run and are counted apart
    #[arg(long, value_name = "FILE")]
    quarantine: Option<PathBuf>,
    /// Start no other test once N have not passed; those that run come to their end
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_failures: Option<u32>,
    /// The same as --max-failures 1
    #[arg(long, conflicts_with = "max_failures")]
    failfast: bool,
    /// End a test that takes longer than this: seconds, or with a unit: 90s, 5m, 2h, 1d
    #[arg(long, value_name = "TIME", value_parser = time)]
    timeout: Option<f64>,
    /// End the run when all tests together take longer than this
    #[arg(long, value_name = "TIME", value_parser = time)]
    job_timeout: Option<f64>,
    /// Fulfil every dependency again, whatever is known of it
    #[arg(long)]
    no_dependency_cache: bool,
    /// Do not record what the machine is before and after the tests
    #[arg(long)]
    disable_sysinfo: bool,
    /// Run each test of pytest's in a process of its own; without it those of a file share one
    #[arg(long)]
    isolate: bool,
    /// Keep the run in this directory instead of under the home
    #[arg(long, value_name = "DIR")]
    #[serde(skip)]
    run_dir: Option<PathBuf>,
    /// Let runners that know rille's status server report to it by TCP at this address; port 0 for any
    #[arg(long, value_name = "ADDRESS:PORT")]
    #[serde(skip)]
    status_listen: Option<SocketAddr>,
}

/// In which order tests run.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Order {
    /// The longest first, so that no long one is left for the end
    Longest,
}

/// Returns the places of tests, the longest first by how long they took in the latest runs of a home.
fn longest_first(tests: &[Test], home: &Home) -> Result<Vec<usize>, Failure> {
    let history = history::of_home(home, history::USUAL)?;
    // Earlier runs know them with secrets masked.
    let masks = present_masks()?;
    let names: Vec<String> = tests.iter().map(|test| masks.mask_text(&test.id.without_number()).into_owned()).collect();
    Ok(history.longest_first(names.iter().map(String::as_str)))
}

/// What a list of quarantines says of tests.
#[derive(Default)]
struct Quarantined {
    /// Until when each test is in quarantine, and why.
    standings: Vec<Option<String>>,
    /// What to say of quarantines that have ended.
    expired: Vec<String>,
    /// What to say of entries that no test fits.
    remarks: Vec<String>,
}

/// Reads a list of quarantine; returns until when each test is in it, and what there is to say of those that are in it no
/// longer.
fn quarantine(path: Option<&Path>, tests: &[Test]) -> Result<Quarantined, Failure> {
    let Some(path) = path else { return Ok(Quarantined::default()) };
    let wrong = |what: &dyn std::fmt::Display| Failure::usage(format!("--quarantine {}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| {
        let failure = wrong(&format_args!("it cannot be read: {error}"));
        near_file(path).into_iter().fold(failure, |failure, near| failure.hint(format!("did you mean {near}?")))
    })?;
    let list = Quarantine::read(&text).map_err(|error| wrong(&error))?;
    let today = chrono::Local::now().date_naive();
    let mut expired = Vec::new();
    let standings = tests.iter().map(|test| match list.standing(&test.id.without_number(), today) {
        Some(Standing::Quarantined(until)) => Some(until),
        Some(Standing::Expired(what)) => {
            if !expired.contains(&what) {
                expired.push(what);
            }
            None
        }
        None => None,
    });
    let standings = standings.collect();
    let names: Vec<String> = tests.iter().map(|test| test.id.without_number()).collect();
    Ok(Quarantined { standings, expired, remarks: list.unmet(&names) })
}

/// Reads a time: seconds, with fractions, or a number with a unit.
pub(super) fn time(text: &str) -> Result<f64, String> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit {
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return Err(format!("'{unit}' is no unit of time; the units are s, m, h and d")),
    };
    let seconds = number.parse::<f64>().ok().map(|number| number * factor).filter(|seconds| *seconds > 0.0);
    let seconds = seconds.filter(|seconds| Duration::try_from_secs_f64(*seconds).is_ok());
    seconds.ok_or_else(|| "it is a time above zero: 90, 1.5, 5m, 2h".to_owned())
}

/// Runs the command and returns the exit code. `home` is the option `--home`.
pub(crate) fn main(args: &TestArgs, command: &[OsString], home: Option<&Path>) -> Result<i32, Failure> {
    let dependencies = args.job_dependency.as_deref().map(job_dependencies).transpose()?.unwrap_or_default();
    let selected = select(&args.references, &args.variants, Path::new("."), args.repeat)?;
    let tests = selected.tests;
    if tests.is_empty() {
        match selected.count {
            0 => eprintln!("nothing to run: there are no tests"),
            found => eprintln!("nothing to run: no tests are left by the filters, of {found}"),
        }
        return Ok(exit_code::NOTHING);
    }
    if let Some(name) = &args.bisect {
        let limit = args.common.manner.timeout.map(|seconds| format!("--timeout={seconds}"));
        return bisect::main(&tests, name, &limit.into_iter().collect::<Vec<_>>());
    }
    let recorded = Recorded { is_dry: args.dry_run, dependencies, manner: args.common.manner.clone() };
    run(tests, recorded, &args.common, command, home, None)
}

/// Runs the tests of an earlier run again and returns the exit code.
pub(crate) fn replay(args: &ReplayArgs, command: &[OsString], home: Option<&Path>) -> Result<i32, Failure> {
    let directory = config::load(Path::new("."), &args.common.settings, home)?.home()?.find(&args.id)?;
    let mut tests = read_suite(&directory).map_err(|error| no_tests(&args.id, error))?;
    if args.failed {
        let bad = not_passed(&directory)?;
        // In the name of a folder secrets are masked.
        tests.retain(|test| bad.iter().any(|folder| may_be_behind(folder, &test.id.folder())));
        if tests.is_empty() {
            eprintln!("nothing to run: every test of run {} passed", args.id);
            return Ok(exit_code::NOTHING);
        }
    }
    let mut recorded = Recorded::read(&directory);
    recorded.manner = args.common.manner.clone().or(&recorded.manner);
    run(tests, recorded, &args.common, command, home, Some(&directory))
}

fn no_tests(id: &str, error: store::Error) -> Failure {
    match error {
        store::Error::Io { ref source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Failure::usage(format!("run {id} is not a run of tests")).hint("'rille jobs list' shows those that are.")
        }
        error => error.into(),
    }
}

/// Returns the folders of the tests of a run that did not pass, or have no end.
fn not_passed(directory: &Path) -> Result<Vec<String>, Failure> {
    let summary = read_summary(directory)?;
    // One that was left out because another had failed was skipped without an attempt.
    let bad = summary.rows().iter().filter(|row| !row.is_good() || row.attempts == 0);
    Ok(bad.filter_map(|row| Some(row.folder().rsplit_once('/')?.1.to_owned())).collect())
}

/// What a run records of how its tests were started, beside the tests.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Recorded {
    is_dry: bool,
    dependencies: Vec<Value>,
    #[serde(flatten)]
    manner: Manner,
}

impl Recorded {
    /// Reads what the run in this directory recorded. What cannot be read is as if nothing was asked for.
    fn read(directory: &Path) -> Recorded {
        let details = store::load(directory).ok();
        let options = details.and_then(|mut details| details.attrs.remove("run_params"));
        options.and_then(|options| serde_json::from_value(options).ok()).unwrap_or_default()
    }
}

impl Manner {
    /// Returns what is given here, or else in `earlier`.
    fn or(self, earlier: &Manner) -> Manner {
        let has_failures = self.max_failures.is_some() || self.failfast;
        Manner {
            shuffle: self.shuffle.or(earlier.shuffle.filter(|_| self.order.is_none())),
            order: self.order.or(earlier.order.filter(|_| self.shuffle.is_none())),
            quarantine: self.quarantine.or_else(|| earlier.quarantine.clone()),
            max_failures: if has_failures { self.max_failures } else { earlier.max_failures },
            failfast: if has_failures { self.failfast } else { earlier.failfast },
            timeout: self.timeout.or(earlier.timeout),
            job_timeout: self.job_timeout.or(earlier.job_timeout),
            no_dependency_cache: self.no_dependency_cache || earlier.no_dependency_cache,
            disable_sysinfo: self.disable_sysinfo || earlier.disable_sysinfo,
            isolate: self.isolate || earlier.isolate,
            run_dir: self.run_dir,
            status_listen: self.status_listen,
        }
    }
}

/// Runs tests, those of the run in the directory `earlier` where there is one.
fn run(
    tests: Vec<Test>,
    recorded: Recorded,
    common: &CommonArgs,
    command: &[OsString],
    home: Option<&Path>,
    earlier: Option<&Path>,
) -> Result<i32, Failure> {
    let folder = std::env::current_dir().map_err(|error| Failure::general(format!("the working folder: {error}")))?;
    let loaded = config::load(Path::new("."), &common.settings, home)?;
    let home: Home = loaded.home_beside(recorded.manner.run_dir.as_deref())?;
    let shuffle = recorded.manner.shuffle.map(|seed| seed.unwrap_or_else(script::entropy::draw_seed));
    let Recorded { is_dry, dependencies, manner } = recorded;
    let recorded = Recorded { is_dry, dependencies, manner: Manner { shuffle: shuffle.map(Some), ..manner } };
    let Manner { max_failures, failfast, timeout, job_timeout, .. } = recorded.manner;
    let subject = Subject { door: Door::Test, file: folder, source: suite_text(&tests) };
    let order = match recorded.manner.order {
        Some(Order::Longest) => Some(longest_first(&tests, &home)?),
        None => None,
    };
    let Quarantined { standings, expired, remarks } = quarantine(recorded.manner.quarantine.as_deref(), &tests)?;
    let limit = |seconds: Option<f64>| seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let plan = TestPlan {
        tests,
        dependencies: recorded.dependencies.clone(),
        is_dry: recorded.is_dry,
        is_isolated: recorded.manner.isolate,
        order,
        quarantine: standings,
        expired,
        shuffle,
        test_limit: limit(timeout),
        run_limit: limit(job_timeout),
        use_cache: !recorded.manner.no_dependency_cache,
        with_sysinfo: !recorded.manner.disable_sysinfo,
    };
    let meta = loaded.meta(None);
    let base = run_settings(loaded.config, home, subject, command);
    let settings = Settings {
        meta,
        options: as_map(&recorded),
        run_dir: recorded.manner.run_dir,
        status_listen: recorded.manner.status_listen,
        jobs: base.jobs.or(Some(base.cpus)),
        max_failures: max_failures.or(failfast.then_some(1)),
        annotations: common.reports.annotations(),
        report_copies: common.reports.checked()?,
        ..base
    };
    let missing = earlier.and_then(|run| missing_secrets(&settings.secrets, run));
    let job = begin(settings)?;
    if let Some(text) = missing {
        job.run().warn(text, None);
    }
    for remark in loaded.remarks {
        job.run().warn(remark.text, remark.place);
    }
    for text in remarks {
        job.run().warn(text, None);
    }
    if let Some(seed) = shuffle {
        job.run().warn(format!("the tests run in random order; --shuffle={seed} repeats it"), None);
    }
    job.run_tests(&plan);
    job.close(&mut |_| {});
    Ok(job.end(&MainEnd::default()))
}

fn as_map(recorded: &Recorded) -> Map<String, Value> {
    match serde_json::to_value(recorded) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// Reads the file of `--job-dependency`.
fn job_dependencies(path: &Path) -> Result<Vec<Value>, Failure> {
    let wrong = |what: String| Failure::usage(format!("--job-dependency {}: {what}", path.display()));
    let text = std::fs::read(path).map_err(|error| {
        let failure = wrong(format!("it cannot be read: {error}"));
        near_file(path).into_iter().fold(failure, |failure, near| failure.hint(format!("did you mean {near}?")))
    })?;
    let list: Vec<Value> = serde_json::from_slice(&text).map_err(|error| wrong(format!("no JSON list: {error}")))?;
    let is_named = |value: &Value| ["type", "kind"].iter().any(|key| value.get(key).is_some_and(Value::is_string));
    match list.iter().position(|value| !is_named(value)) {
        Some(index) => Err(wrong(format!("entry {} is no object with a \"type\"", index + 1))),
        None => Ok(list),
    }
}
