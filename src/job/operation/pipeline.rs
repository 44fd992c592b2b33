//! A pipeline: the run of an operation whose steps are runs of other operations, each a task of the one run.
//!
//! A step is this program, run as its user would run it. So a step may be anything that can be run: an operation, a batch,
//! another pipeline. Its run is linked in the pipeline's under the name of the step.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::batch;
use crate::engine::{OPERATION_KIND, Submission};
use crate::job::{HostCall, Job};
use crate::model::{Blob, Exit, Level, Runnable, Task, TaskNumber};
use crate::operation::steps::{Check, Step};
use crate::store::{self, Status};

/// The variable by which a step knows the run of its pipeline: its dependencies are steps of that and nothing else.
pub(crate) const PARENT: &str = "RILLE_RUNS_PARENT";

/// The variable by which a step knows its link, which it lets lead to another run where its own is not needed.
pub(crate) const LINK: &str = "RILLE_STEP_LINK";

/// The exit code of a pipeline that was stopped since a run is not as expected: Guild's.
const UNEXPECTED: i32 = 3;

/// A pipeline that was asked for.
pub(crate) struct Pipeline {
    /// Where runs are kept.
    pub(crate) home: PathBuf,
    /// The folder of the definition.
    pub(crate) project: PathBuf,
    /// The steps.
    pub(crate) steps: Vec<PlannedStep>,
}

/// A step with what its command line gets beside what was written.
pub(crate) struct PlannedStep {
    /// The step.
    pub(crate) step: Step,
    /// The id that its run gets.
    pub(crate) id: String,
    /// The flag that takes the trials of the step for each of which it runs.
    pub(crate) each_flag: Option<String>,
}

/// How a step ended that did not do what it should.
#[derive(Default)]
struct Bad {
    /// The exit code of the first one.
    code: Option<i32>,
}

impl Job {
    /// Runs the steps of a pipeline, and returns when the engine has come to its end: the exit code of the first one that
    /// failed.
    pub(crate) fn run_pipeline(&self, pipeline: &Pipeline) -> Option<i32> {
        let bad = Mutex::new(Bad::default());
        self.use_hooks();
        let submissions: Vec<Submission> =
            (1..).zip(&pipeline.steps).map(|(number, step)| self.step(number, step, pipeline)).collect();
        let numbers = submissions.iter().map(|submission| submission.number).collect();
        let mut serve = |call: HostCall| self.serve_step(call, pipeline, &bad);
        self.engine().submit(submissions, None);
        // However it ends, what is under way comes to its end below.
        let _ = self.wait(numbers, None, &mut serve);
        self.close(&mut serve);
        bad.into_inner().code
    }

    fn serve_step(&self, call: HostCall, pipeline: &Pipeline, bad: &Mutex<Bad>) {
        let planned =
            |number: TaskNumber| usize::try_from(number).ok().and_then(|at| pipeline.steps.get(at.checked_sub(1)?));
        match call {
            HostCall::Comes(number) => {
                let refused = planned(number).and_then(|planned| self.begin_step(number, planned, pipeline).err());
                self.admit(number, refused.map(|error| error.to_string()));
            }
            HostCall::Leaves(number, end, _) => {
                let Some(planned) = planned(number) else { return self.dismiss(number, None) };
                let path = self.link_of(&planned.step);
                let failed = match end.exit {
                    Some(Exit::Code(0)) => self.look(&planned.step.checks, &path),
                    _ => None,
                };
                let code = match (end.exit, &failed) {
                    (_, Some(_)) => Some(UNEXPECTED),
                    (Some(Exit::Code(0)) | None, None) => None,
                    (Some(Exit::Code(code)), None) => Some(code),
                    (Some(Exit::Signal(signal)), None) => Some(128 + signal),
                };
                let mut bad = bad.lock();
                bad.code = bad.code.or(code);
                self.dismiss(number, failed);
            }
            HostCall::Select { .. } => {}
        }
    }

    /// Returns what of the expectations does not hold.
    fn look(&self, checks: &[Check], run: &Path) -> Option<String> {
        // The run of a step that was skipped is another's, and was looked at then.
        let variable = |name: &str| std::env::var(name).ok();
        let failed: Vec<String> =
            checks.iter().filter_map(|check| check.look(run, &variable).err()).map(|error| error.to_string()).collect();
        for text in &failed {
            self.run.log(Level::Error, "rille", format!("check failed: {text}").as_bytes());
        }
        (!failed.is_empty()).then(|| format!("a check failed: {}", failed.join("; ")))
    }

    fn link_of(&self, step: &Step) -> PathBuf {
        self.run.directory().join(&step.link)
    }

    /// Makes the task of a step.
    fn step(&self, number: TaskNumber, planned: &PlannedStep, pipeline: &Pipeline) -> Submission {
        let PlannedStep { step, .. } = planned;
        let task = Task { id: step.link.clone(), needs: step.needs.clone(), ..self.step_task(planned, pipeline, None) };
        let again = self.settings.resume.is_some().then(|| self.link_of(step)).filter(|link| link.exists());
        let reused = again.and_then(|link| batch::completed(number, &fs::canonicalize(link).ok()?));
        let folder = store::task_folder(number, &step.link);
        Submission { number, folder, task: Box::new(task), decided: None, reused }
    }

    /// Returns what a step runs; `each` are the runs for each of which it runs.
    fn step_task(&self, planned: &PlannedStep, pipeline: &Pipeline, each: Option<&[String]>) -> Task {
        let PlannedStep { step, id, each_flag } = planned;
        let mut words: Vec<String> = ["--home".to_owned(), pipeline.home.to_string_lossy().into_owned()].into();
        words.extend(["run", "-y"].map(str::to_owned));
        match self.earlier(step) {
            // It is gone on with where it was broken off.
            Some(earlier) => words.extend(["--start".to_owned(), earlier]),
            None => {
                words.extend(["--run-id".to_owned(), id.clone()]);
                words.extend(step.words.iter().cloned());
                if let (Some(flag), Some(each)) = (each_flag, each) {
                    words.push(format!("{flag}=[{}]", each.join(",")));
                }
            }
        }
        let mut env: BTreeMap<String, Option<Blob>> = BTreeMap::new();
        let parent = step.isolates.then(|| self.run.directory().to_string_lossy().into_owned());
        env.insert(PARENT.to_owned(), parent.map(Into::into));
        env.insert(LINK.to_owned(), Some(self.link_of(step).to_string_lossy().into_owned().into()));
        Task {
            id: step.link.clone(),
            runnable: Runnable {
                kind: OPERATION_KIND.to_owned(),
                uri: std::env::current_exe().ok().map(|path| path.to_string_lossy().into_owned()),
                args: words.into_iter().map(Into::into).collect(),
                ..Runnable::default()
            },
            cwd: Some(pipeline.project.clone()),
            env,
            ..Task::default()
        }
    }

    /// Returns the run that a step of a pipeline that is started again has left, if it can go on.
    fn earlier(&self, step: &Step) -> Option<String> {
        self.settings.resume.as_ref()?;
        let path = fs::canonicalize(self.link_of(step)).ok()?;
        let run = store::summarise(&path);
        let can_go_on = path.join(".guild/attrs/started").exists() && run.status != Status::Completed;
        can_go_on.then_some(run.id)
    }

    /// Links the run that a step will have, and tells the engine what runs, where that depends on another step.
    fn begin_step(&self, number: TaskNumber, planned: &PlannedStep, pipeline: &Pipeline) -> Result<(), StepFailed> {
        let link = self.link_of(&planned.step);
        if self.earlier(&planned.step).is_none() {
            let target = Path::new("..").join(&planned.id);
            let target = match self.run.directory().parent() == Some(&pipeline.home.join("runs")) {
                true => target,
                false => pipeline.home.join("runs").join(&planned.id),
            };
            let made = match fs::remove_file(&link) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => std::os::unix::fs::symlink(target, &link),
            };
            made.map_err(store::Error::io("create", &link))?;
        }
        if let Some(each) = &planned.step.for_each {
            let trials = self.trials_of(each)?;
            let task = self.step_task(planned, pipeline, Some(&trials));
            self.engine().provide(number, None, Some(Box::new(task)));
        }
        Ok(())
    }

    /// Returns the runs that a step has left that have completed: its trials, or the one.
    fn trials_of(&self, link: &str) -> Result<Vec<String>, StepFailed> {
        let path = self.run.directory().join(link);
        let id = || store::run_id(&path);
        let Some(trials) = batch::read_trials(&path)? else { return Ok(vec![id()]) };
        let is_complete = |id: &String| {
            fs::canonicalize(path.join(id)).is_ok_and(|path| store::summarise(&path).status == Status::Completed)
        };
        let ids: Vec<String> = trials.into_iter().map(|trial| trial.id).filter(is_complete).collect();
        if ids.is_empty() { Err(StepFailed::NoTrials(link.to_owned())) } else { Ok(ids) }
    }
}

/// Why a step cannot start.
#[derive(Debug, thiserror::Error)]
enum StepFailed {
    /// Something could not be read or written.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// There is nothing to run it for.
    #[error("no trial of step '{0}' has completed")]
    NoTrials(String),
}
