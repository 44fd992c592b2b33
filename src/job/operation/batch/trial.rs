//! The trials of a batch while it runs: each is made when its task could start, and ended when its process has.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Batch, Listed, told};
use crate::engine::{End, Journal, OPERATION_KIND, OwnRun};
use crate::job::operation::execute::{self, LAST_OUTPUT};
use crate::job::operation::output::{Recorder, Recording};
use crate::job::operation::state::{Concluded, RunEnd, State};
use crate::job::operation::{Audience, Done, Plan, RunError, RunPlace, SourceCode, naming, prepare, secrets};
use crate::model::{EventKind, Outcome, Task, TaskFinished, TaskNumber, TaskQueued, Trial, TrialMeasured};
use crate::operation::{FlagValues, Notice};
use crate::store;

/// The number of a trial's task in its own log.
const OWN_NUMBER: TaskNumber = 1;

/// All trials of a batch that runs.
pub(in crate::job) struct Trials {
    batch: Batch,
    /// The run directory of the batch.
    directory: PathBuf,
    id: String,
    pid: u32,
    source: Arc<SourceCode>,
    phases: Vec<Mutex<Phase>>,
}

/// How far a trial is.
enum Phase {
    /// Nothing of it is there, or what an earlier part of the batch has left.
    Waiting,
    /// Its run directory is there, and its process may be.
    Made(Box<Made>),
    /// Its end is written.
    Over,
}

struct Made {
    state: State,
    recording: Recording,
    /// It is removed if it succeeds.
    is_passing: bool,
}

/// A trial that is ready to start.
pub(super) struct Ready {
    pub(super) run: OwnRun,
    pub(super) task: Box<Task>,
}

/// What is known of a trial whose process has ended.
pub(super) struct Ended {
    pub(super) number: TaskNumber,
    pub(super) end: Box<End>,
    pub(super) seconds: f64,
}

impl Trials {
    pub(super) fn new(batch: Batch, directory: &Path, id: &str, pid: u32, source: Arc<SourceCode>) -> Trials {
        let phases = batch.trials.iter().map(|_| Mutex::new(Phase::Waiting)).collect();
        Trials { batch, directory: directory.to_owned(), id: id.to_owned(), pid, source, phases }
    }

    pub(super) fn batch(&self) -> &Batch {
        &self.batch
    }

    pub(super) fn into_batch(self) -> Batch {
        self.batch
    }

    fn listed(&self, number: TaskNumber) -> Option<(&Listed, &Mutex<Phase>)> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        Some((self.batch.trials.get(at)?, self.phases.get(at)?))
    }

    /// Returns where the run of a trial is, or will be.
    pub(super) fn path(&self, trial: &Listed) -> PathBuf {
        self.batch.recipe.home.runs_dir().join(&trial.id)
    }

    /// Makes the plan of a trial.
    pub(super) fn plan(&self, trial: &Listed) -> Plan {
        let batch = &self.batch;
        let path = self.path(trial);
        let place = match path.join(".guild").exists() {
            true => RunPlace::Again { path },
            false => RunPlace::New { path, id: trial.id.clone(), is_outside: false },
        };
        let is_again = matches!(place, RunPlace::Again { .. });
        let mut record = batch.record.clone();
        record.configure(&trial.flags);
        let is_users = |name: &String| batch.user_flags.contains_key(name) || trial.own.contains(name);
        let user_flags: FlagValues = trial.flags.clone().into_iter().filter(|(name, _)| is_users(name)).collect();
        let (label, _) = naming::label(&record, &trial.flags, &batch.recipe.tags, None, &batch.secrets.masks());
        Plan {
            recipe: Arc::clone(&batch.recipe),
            place,
            // A trial that is started again has its files, and what it left in them.
            source: if is_again { Arc::new(SourceCode::Kept) } else { Arc::clone(&self.source) },
            record,
            values: trial.flags.clone(),
            user_flags,
            label: label.filter(|_| !is_again),
            resolved: batch.resolved.clone(),
            secrets: batch.secrets.clone(),
            random_seed: batch.random_seed,
            used: Vec::new(),
        }
    }

    /// Makes the run of a trial and prepares it. On failure its run says why.
    pub(super) fn make(
        &self,
        number: TaskNumber,
        notify: &mut (dyn FnMut(Notice) + Send),
        interrupted: &dyn Fn() -> Option<i32>,
    ) -> Result<Ready, RunError> {
        let Some((trial, phase)) = self.listed(number) else {
            return Err(RunError::Command(format!("there is no trial {number}")));
        };
        self.clear(trial)?;
        let mut plan = self.plan(trial);
        if let RunPlace::Again { path } = &plan.place {
            plan.resolved =
                store::attribute(path, "deps").and_then(|deps| deps.as_object().cloned()).unwrap_or_default();
        }
        let names = secrets::note(&mut plan);
        let masks = plan.masks();
        let (run, log) = execute::open_trial(&plan, self.pid, &masks)?;
        store::keep_secret_variables(&run, names.clone())?;
        run.write_attr("batch", &self.id)?;
        let path = run.path().to_owned();
        let journal = Journal::new(log, Box::new(drop));
        let runtime = execute::runtime_info(&plan, &run);
        let started = execute::run_started(&plan, &runtime, self.pid, names);
        journal.record(vec![started, queued(&plan)])?;
        let state = State::new(run, journal);
        let mut audience = Told { trial: &trial.id, notify };
        let mut masked = secrets::Masked { audience: &mut audience, masks: masks.clone() };
        let prepared = prepare::prepare(&mut plan, None, &state, &mut masked, interrupted);
        let prepared = prepared.and_then(|prepared| {
            if !self.batch.is_staging {
                prepare::mark_started(&plan, &state, &prepared)?;
            }
            Ok(prepared)
        });
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                self.link(trial)?;
                state.end(&RunEnd::of_error(&error))?;
                *phase.lock() = Phase::Over;
                return Err(error);
            }
        };
        if self.batch.is_staging {
            execute::stage(&plan, &state, &prepared).map(drop::<Done>)?;
        }
        self.link(trial)?;
        let Recorder { sink, recording } = Recorder::new(&path, plan.recipe.scalars.clone(), false, &masks);
        let made = Made { state, recording, is_passing: plan.record.delete_on_success && !plan.recipe.wants.keep };
        *phase.lock() = if self.batch.is_staging { Phase::Over } else { Phase::Made(Box::new(made)) };
        let task = Box::new(execute::task(&plan, &path, prepared));
        Ok(Ready { run: OwnRun::new(&trial.id, &path, sink), task })
    }

    /// Removes what is left of a trial whose making was broken off: nothing of it has run, and something may be missing.
    fn clear(&self, trial: &Listed) -> store::Result<()> {
        let path = self.path(trial);
        let was_made = path.join(".guild/attrs/started").exists();
        if was_made || !path.exists() || store::summarise(&path).status == store::Status::Running {
            return Ok(());
        }
        std::fs::remove_dir_all(&path).map_err(store::Error::io("remove", &path))
    }

    /// Links a trial in its batch.
    pub(super) fn link(&self, trial: &Listed) -> store::Result<()> {
        let link = self.directory.join(&trial.id);
        let target = self.path(trial);
        let beside = self.directory.parent().zip(target.parent()).is_some_and(|(batch, trial)| batch == trial);
        let target = if beside { Path::new("..").join(&trial.id) } else { target };
        match std::os::unix::fs::symlink(target, &link) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked.map_err(store::Error::io("create", &link)),
        }
    }

    /// Takes note that a trial has a process. Called on the engine's thread.
    pub(in crate::job) fn started(&self, number: TaskNumber, pid: i32) {
        let Some((_, phase)) = self.listed(number) else { return };
        if let Phase::Made(made) = &*phase.lock() {
            made.state.note(EventKind::TaskStarted { task: OWN_NUMBER, attempt: 1, pid });
            // Without it the trial ends with its batch only.
            let _ = made.state.with_run(|run| run.name_process(pid.unsigned_abs()));
        }
    }

    /// Returns what a trial was and came to, for the log of the batch.
    pub(super) fn measured(&self, number: TaskNumber) -> Option<EventKind> {
        let (trial, _) = self.listed(number)?;
        let own = trial.own.iter().filter_map(|name| Some((name.clone(), trial.flags.get(name)?.clone())));
        let scalars = store::read_scalars(&self.path(trial)).into_iter();
        let last = |scalar: store::ScalarRow| {
            let value = serde_json::Number::from_f64(scalar.last.0);
            let value = value.map_or_else(|| crate::model::Value::Float(scalar.last.0).to_text().into(), Into::into);
            (scalar.full_name(), value)
        };
        let trial = Trial { run: trial.id.clone(), flags: own.collect(), scalars: scalars.map(last).collect() };
        Some(EventKind::TrialMeasured(Box::new(TrialMeasured { task: number, trial })))
    }

    /// Writes how a trial ended. `None` where there is nothing to write: its end is known, or it was never made.
    pub(super) fn conclude(&self, ended: &Ended) -> Option<Result<(Concluded, Option<PathBuf>), RunError>> {
        let (trial, phase) = self.listed(ended.number)?;
        let Phase::Made(made) = std::mem::replace(&mut *phase.lock(), Phase::Over) else { return None };
        let Made { state, recording, is_passing } = *made;
        let end = &ended.end;
        if end.exit.is_none() && end.stopped.is_some() {
            // It never ran: it can still be started.
            let discarded = state.take().map_or(Ok(()), store::RunDir::discard);
            let _ = std::fs::remove_file(self.directory.join(&trial.id));
            return discarded.err().map(|error| Err(error.into()));
        }
        let recorded = recording.finish(Some(LAST_OUTPUT));
        let run_end = RunEnd::of(end);
        let finished = EventKind::TaskFinished(Box::new(finished(end, ended.seconds)));
        let is_removed = is_passing && run_end.exit_status == 0;
        let concluded = state.conclude(&run_end, Some(finished))?;
        let path = is_removed.then(|| self.path(trial));
        Some(recorded.map(|()| (concluded, path)).map_err(RunError::from))
    }
}

/// Returns a trial's task as its own log has it.
fn queued(plan: &Plan) -> EventKind {
    EventKind::TaskQueued(Box::new(TaskQueued {
        task: OWN_NUMBER,
        id: plan.recipe.opref.operation(),
        kind: OPERATION_KIND.to_owned(),
        uri: plan.record.op_cmd.cmd_args.first().cloned().unwrap_or_default(),
        folder: String::new(),
        retries: 0,
        tags: Vec::new(),
        prepares: false,
        elsewhere: true,
        inputs: None,
        variant: None,
        place: None,
    }))
}

/// Returns the end of a trial's task in its own log.
fn finished(end: &End, seconds: f64) -> TaskFinished {
    let outcome = if end.exit == Some(crate::model::Exit::Code(0)) { Outcome::Passed } else { end.outcome };
    let reason = end.reason.clone();
    TaskFinished { reason, exit: end.exit, seconds, ..TaskFinished::new(OWN_NUMBER, 1, outcome) }
}

/// Passes on what is told of a trial, with its id.
struct Told<'a> {
    trial: &'a str,
    notify: &'a mut (dyn FnMut(Notice) + Send),
}

impl Audience for Told<'_> {
    fn notice(&mut self, notice: Notice) {
        (self.notify)(told(self.trial, notice));
    }

    fn started(&self) {}
}
