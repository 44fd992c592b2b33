//! A run of tests: what was resolved becomes tasks, is run and waited for, and leaves Avocado's result folder.

mod cache;
mod dependencies;
mod environment;
mod plan;
mod results;
mod sessions;
mod sysinfo;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::cache::Cache;
use self::dependencies::{DependencyKey, Prepared};
use self::sessions::{Heard, Hearing, Item, Opened, Sessions, Unfinished};
use super::run::Run;
use super::{Door, Job, Settings, WaitError};
use crate::engine::{OnLimit, StopReason, Submission};
use crate::model::{Cleared, Kind, Outcome, Place, QUARANTINE, Runnable, Task, TaskNumber, shuffled};
use crate::store;
use crate::testing::{JOBFILE_KIND, Reading, TapRules, Test};

pub(super) use self::plan::{kept_secrets, write_suite};
pub(crate) use self::plan::{read_suite, suite_text};

/// The folder of a run's tests, in its directory.
pub(super) const TEST_RESULTS: &str = "test-results";

/// The folder for what tests make on their way.
const WORKDIR: &str = "workdir";

/// Which tests are run, and how.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub(crate) struct TestPlan {
    /// The tests, with their ids.
    pub(crate) tests: Vec<Test>,
    /// Runnables that must have passed before any test starts, as recipes name them.
    pub(crate) dependencies: Vec<serde_json::Value>,
    /// Nothing is run: each test is cancelled.
    pub(crate) is_dry: bool,
    /// Every test has a process of its own, whatever its kind.
    pub(crate) is_isolated: bool,
    /// The places of the tests, from 1, in the order in which they run, where that is not their own.
    pub(crate) order: Option<Vec<usize>>,
    /// Until when, and why, a test is in quarantine; one entry a test, or none at all.
    pub(crate) quarantine: Vec<Option<String>>,
    /// What there is to say of tests whose quarantine has ended. Each fails the run.
    pub(crate) expired: Vec<String>,
    /// The seed by which the tests are shuffled.
    pub(crate) shuffle: Option<i64>,
    /// How long one attempt at a test may take, where its recipe does not say it.
    pub(crate) test_limit: Option<Duration>,
    /// How long all tests together may take.
    pub(crate) run_limit: Option<Duration>,
    /// What the machine is, is recorded before and after the tests.
    pub(crate) with_sysinfo: bool,
    /// Believe what is known of dependencies that were fulfilled before, as far as it can be checked.
    pub(crate) use_cache: bool,
}

impl Job {
    /// Runs tests and waits for them.
    pub(crate) fn run_tests(&self, plan: &TestPlan) {
        match self.try_tests(plan) {
            // An interrupt and a full disk have their own place in the end of a run.
            Ok(()) | Err(Stopped::Wait(_)) => {}
            Err(Stopped::Store(error)) => self.ending.fail(error.into()),
        }
    }

    fn try_tests(&self, plan: &TestPlan) -> Result<(), Stopped> {
        let before =
            plan.with_sysinfo.then(|| sysinfo::collect(self.run.directory(), "pre", self.run.masks())).transpose()?;
        let waited = self.wait_for_tests(plan);
        let is_interrupted = || self.interrupted();
        if let Some(before) = before {
            before.finish(&is_interrupted)?;
            sysinfo::collect(self.run.directory(), "post", self.run.masks())?.finish(&is_interrupted)?;
        }
        waited
    }

    fn wait_for_tests(&self, plan: &TestPlan) -> Result<(), Stopped> {
        let mut keys = Vec::new();
        let (mut submissions, items) = self.test_submissions(plan, &mut keys)?;
        let next = TaskNumber::try_from(submissions.len() + items.len() + 1).unwrap_or(TaskNumber::MAX);
        let sessions = match items.len() {
            0 | 1 => Opened::Not(items),
            _ => self.open_sessions(items, plan, next)?,
        };
        let waited = match sessions {
            Opened::Not(items) => {
                submissions.extend(items.into_iter().map(Item::submission));
                self.wait_for(submissions, plan)
            }
            Opened::Sessions(sessions, first) => {
                self.wait_with_sessions(sessions, first.into_iter().chain(submissions).collect(), plan)
            }
        };
        waited?;
        self.remember(keys)
    }

    /// Submits tasks and waits until they have ended; ends them when the time of the run is over.
    fn wait_for(&self, submissions: Vec<Submission>, plan: &TestPlan) -> Result<bool, Stopped> {
        let numbers: Vec<TaskNumber> = submissions.iter().map(|submission| submission.number).collect();
        self.engine().submit(submissions, None);
        let limit = plan.run_limit.map(|limit| (limit, OnLimit::Leave));
        let has_ended = self.wait(numbers.clone(), limit, &mut |_| {})?;
        if let Some(limit) = plan.run_limit.filter(|_| !has_ended) {
            self.engine().stop(numbers.clone(), StopReason::RunLimit(limit));
            self.wait(numbers, None, &mut |_| {})?;
        }
        Ok(has_ended)
    }

    /// The same with tests that share processes, whose ends are taken in meanwhile.
    fn wait_with_sessions(
        &self,
        mut sessions: Sessions,
        submissions: Vec<Submission>,
        plan: &TestPlan,
    ) -> Result<bool, Stopped> {
        let failed =
            |error: io::Error| Stopped::Store(store::Error::io("hear the sessions of", self.run.directory())(error));
        let hearing = Hearing::new().map_err(failed)?;
        let engine = self.engine();
        let place = sessions::Place { directory: self.run.directory(), masks: self.run.masks() };
        let (waited, heard) = std::thread::scope(|scope| {
            let heard = std::thread::Builder::new()
                .name("sessions".to_owned())
                .spawn_scoped(scope, || hearing.hear(&mut sessions, engine, place, self.settings.max_failures));
            let heard = heard.map_err(failed)?;
            let waited = self.wait_for(submissions, plan);
            hearing.stop();
            heard.join().map(|heard| (waited, heard)).map_err(|_| failed(io::Error::other("its thread gave up")))
        })?;
        let heard: Heard = heard;
        if let Some(error) = heard.failed {
            return Err(error.into());
        }
        let why = match (&waited, plan.run_limit) {
            (Err(stopped), _) => Unfinished::as_stopped(stopped.to_string()),
            (Ok(false), Some(limit)) => Unfinished::as_late(limit),
            _ if heard.is_enough => Unfinished::as_enough(),
            _ => Unfinished::by_itself(),
        };
        let rest = Heard { failed: None, ..heard }.rest(place, &why)?;
        let numbers: Vec<TaskNumber> = rest.iter().map(|submission| submission.number).collect();
        engine.submit(rest, None);
        if waited.is_ok() {
            self.wait(numbers, None, &mut |_| {})?;
        }
        waited
    }

    /// Remembers dependencies that were fulfilled in this run.
    fn remember(&self, keys: Vec<DependencyKey>) -> Result<(), Stopped> {
        let fulfilled: Vec<_> = self.run.with_summary(|summary| {
            let passed =
                |number: TaskNumber| summary.row(number).is_some_and(|row| row.outcome == Some(Outcome::Passed));
            keys.into_iter().filter(|key| passed(key.task)).map(|key| (key.key, key.runnable, key.folder)).collect()
        });
        match fulfilled.is_empty() {
            true => Ok(()),
            false => Ok(Cache::remember(&self.settings.home, &fulfilled, &self.settings.started_in)?),
        }
    }

    /// Makes a task of every test, and of every dependency; those come first. Tests that can share processes are apart.
    fn test_submissions(
        &self,
        plan: &TestPlan,
        keys: &mut Vec<DependencyKey>,
    ) -> Result<(Vec<Submission>, Vec<Item>), Stopped> {
        let Prepared { mut submissions, needs, links, problems } = self.prepare_dependencies(plan, keys);
        let count = plan.tests.len();
        self.fail_expired(plan, &mut submissions);
        let order = match (&plan.order, plan.shuffle) {
            (Some(order), _) => order.clone(),
            (None, Some(seed)) => shuffled(count, seed),
            (None, None) => (1..=count).collect(),
        };
        let mut items = Vec::new();
        for index in order.into_iter().map(|place| place - 1) {
            let test = &plan.tests[index];
            let number = TaskNumber::try_from(submissions.len() + items.len() + 1).unwrap_or(TaskNumber::MAX);
            let folder = format!("{TEST_RESULTS}/{}", self.run.masks().mask_text(&test.id.folder()));
            let path = self.run.directory().join(&folder);
            for (name, target) in &links[index] {
                results::link_dependency(&path, name, target)?;
            }
            self.make_workdir(test, &path)?;
            let (mut task, problem) = self.test_task(test, plan, needs[index].clone(), &path);
            let until = plan.quarantine.get(index).and_then(Option::as_ref);
            task.tags.extend(until.map(|until| format!("{QUARANTINE}{until}")));
            let decided = problems[index].clone().map(|reason| (Outcome::Blocked, reason));
            let decided = decided.or_else(|| problem.map(|reason| (Outcome::Errored, reason)));
            self.history.note_secrets(&task);
            if decided.is_none() && needs[index].is_empty() && sessions::may_share(test, plan, self.settings.retries) {
                items.push(Item { number, folder, task });
                continue;
            }
            submissions.push(Submission { number, folder, task: Box::new(task), decided, reused: None });
        }
        Ok((submissions, items))
    }

    /// Fails the run for each quarantine that has ended, whatever its tests do: as something that had to be in order before.
    fn fail_expired(&self, plan: &TestPlan, submissions: &mut Vec<Submission>) {
        for reason in &plan.expired {
            let number = TaskNumber::try_from(submissions.len() + 1).unwrap_or(TaskNumber::MAX);
            let id = format!("{number}-quarantine");
            let folder = format!("quarantine/{number}");
            let mut task = self.task_of(
                Runnable { kind: Kind::Noop.name().to_owned(), ..Runnable::default() },
                id,
                &self.run.directory().join(&folder),
            );
            task.prepares = true;
            let decided = Some((Outcome::Failed, reason.clone()));
            submissions.push(Submission { number, folder, task: Box::new(task), decided, reused: None });
        }
    }

    /// Makes the folder for what a test makes on its way. Runners make their own.
    fn make_workdir(&self, test: &Test, folder: &Path) -> store::Result<()> {
        if !environment::has_workdir(&test.runnable) {
            return Ok(());
        }
        let workdir = self.workdir(folder);
        let made = match fs::create_dir(&workdir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(&workdir),
            made => made,
        };
        made.map_err(store::Error::io("create", &workdir))
    }

    /// Makes the task of a test, and says why it cannot be run if it cannot.
    fn test_task(&self, test: &Test, plan: &TestPlan, needs: Vec<String>, folder: &Path) -> (Task, Option<String>) {
        let mut runnable = test.runnable.clone();
        if plan.is_dry {
            Kind::DryRun.name().clone_into(&mut runnable.kind);
        }
        let mut task = self.task_of(runnable, test_id(test), folder);
        task.tags = labels(&task.runnable);
        task.needs = needs;
        task.place = Some(Place { file: test.file().into(), line: 0 });
        task.max_runtime = plan.test_limit;
        let problem = self.assign_runner(&mut task);
        (task, problem)
    }

    /// Makes a task that runs in the folder where the run was started.
    fn task_of(&self, runnable: Runnable, id: String, folder: &Path) -> Task {
        let cwd = self.settings.started_in.clone();
        let env = environment::variables(&runnable, folder, &cwd, &self.workdir(folder));
        let runnable = started(runnable, &cwd, folder);
        Task {
            id,
            runnable,
            cwd: Some(cwd),
            env: env.into_iter().map(|(name, value)| (name, value.map(Into::into))).collect(),
            retries: self.settings.retries,
            every_code_fails: true,
            choice: self.settings.choice.clone(),
            ..Task::default()
        }
    }

    /// Returns the folder that a test has for what it makes on its way; it goes with the end of the run.
    fn workdir(&self, folder: &Path) -> PathBuf {
        self.run.directory().join(WORKDIR).join(folder.file_name().unwrap_or_default())
    }

    /// Finds who runs a task. Returns why nobody does.
    fn assign_runner(&self, task: &mut Task) -> Option<String> {
        if task.runnable.kind == JOBFILE_KIND {
            return None;
        }
        if task.runnable.is(Kind::ExecTest)
            && let Err(problem) = Cleared::of(&task.runnable)
        {
            return Some(problem.to_string());
        }
        if task.runnable.is(Kind::Tap)
            && let Err(problem) = TapRules::of(&task.runnable, Reading::Tap14)
        {
            return Some(problem.to_string());
        }
        match self.runners.find(&task.runnable, &|| self.interrupted()) {
            Ok(runner) => {
                task.runner = runner;
                None
            }
            Err(error) => Some(error.to_string()),
        }
    }
}

/// Makes what a run of tests leaves beside its reports, and takes away what only its tests needed.
pub(super) fn leave_results(run: &Run, settings: &Settings) -> store::Result<()> {
    if settings.door != Door::Test {
        return Ok(());
    }
    let directory = run.directory();
    // What cannot be removed, a folder that a test made unreadable, is left there.
    let _ = fs::remove_dir_all(directory.join(WORKDIR));
    run.with_summary(|summary| {
        results::make_missing_files(directory, summary)?;
        results::link_by_status(directory, summary)
    })?;
    results::link_latest(settings.home.path(), directory)
}

/// Why tests are not waited for any longer.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    /// The run was interrupted, or can no longer be recorded.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// Something could not be written.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Returns the id by which a test is known: as Avocado makes it, without what no process could be told.
fn test_id(test: &Test) -> String {
    test.id.to_string().replace('\0', "\u{fffd}")
}

/// Returns the labels of a runnable: `name`, or `name:value` for each value.
fn labels(runnable: &Runnable) -> Vec<String> {
    let mut labels = Vec::new();
    for (name, values) in &runnable.tags {
        match values.as_array() {
            Some(values) => labels.extend(values.iter().filter_map(|v| Some(format!("{name}:{}", v.as_str()?)))),
            None => labels.push(name.clone()),
        }
    }
    // No recipe puts itself into quarantine.
    labels.retain(|label| !label.starts_with(QUARANTINE));
    labels
}

/// Returns a runnable as it is started: a program that is named without a folder and lies in `cwd` is that one, as in
/// Avocado, and a jobfile is run by this same program, into the folder of the test.
fn started(mut runnable: Runnable, cwd: &Path, folder: &Path) -> Runnable {
    let Some(uri) = runnable.uri.clone() else { return runnable };
    match runnable.own_kind() {
        Some(kind) if kind.is_program() && !uri.contains('/') && cwd.join(&uri).is_file() => {
            runnable.uri = Some(format!("./{uri}"));
        }
        None if runnable.kind == JOBFILE_KIND => {
            let run = folder.join("run").to_string_lossy().into_owned();
            let words = ["run".to_owned(), uri, format!("--run-dir={run}"), "--".to_owned()];
            runnable.args = words.into_iter().map(Into::into).chain(std::mem::take(&mut runnable.args)).collect();
            runnable.uri = Some("/proc/self/exe".to_owned());
        }
        _ => {}
    }
    runnable
}
