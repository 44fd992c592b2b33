//! Carrying out a batch: its trials become tasks, are made when they could start, and ended in groups.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};

use crossbeam::channel::{Receiver, Sender, unbounded};

use super::trial::{Ended, Trials};
use super::{Batch, Listed, listed, proto};
use crate::engine::{End, OPERATION_KIND, Reused, Submission};
use crate::job::operation::state;
use crate::job::operation::{Audience, RunError};
use crate::job::{HostCall, Job};
use crate::model::{EventKind, Exit, Level, Outcome, Runnable, Task, TaskFinished, TaskNumber};
use crate::operation::Notice;
use crate::store::{self, Status};

/// How many trials are made at once at most: that is work of the disk.
const MAKERS: usize = 4;

impl Job {
    /// Runs the trials of a batch that are to be run, and returns when the engine has come to its end.
    pub(crate) fn run_batch(&self, batch: Batch) {
        if let Err(error) = self.try_batch(batch) {
            self.fail_batch(&error);
        }
        self.close(&mut |_| {});
    }

    /// Ends the run for what makes its trials worthless.
    fn fail_batch(&self, error: &RunError) {
        match error {
            RunError::Interrupted(_) => {}
            RunError::Store(_) | RunError::Full(_) | RunError::Unrecordable(_) | RunError::System(_) => {
                self.ending.fail(crate::engine::Failure::of(error.to_string()));
            }
            error => self.run.log(Level::Error, "rille", error.to_string().as_bytes()),
        }
    }

    fn try_batch(&self, mut batch: Batch) -> Result<(), RunError> {
        let pid = self.guardian_pid;
        let interrupted = || self.engine().interrupted();
        if let Some(source) = batch.source.take() {
            let mut audience = Speaks { job: self };
            proto::make(&batch, &source, self.run.directory(), pid, &mut audience, &interrupted)?;
            let written = self.run.with_held(|run| listed::write(run, &batch.trials));
            written.ok_or(RunError::Interrupted(libc::SIGINT))??;
        }
        let source = proto::source(self.run.directory())?;
        let id = self.run.runtime().job.uid;
        let trials = Arc::new(Trials::new(batch, self.run.directory(), &id, pid, source));
        // Nothing else sets it.
        let _ = self.trials.set(Arc::clone(&trials));
        self.carry(&trials)
    }

    fn carry(&self, trials: &Trials) -> Result<(), RunError> {
        self.use_hooks();
        let submissions = self.trial_submissions(trials);
        let numbers: Vec<TaskNumber> = submissions.iter().map(|submission| submission.number).collect();
        let (comes, coming) = unbounded::<TaskNumber>();
        let (leaves, leaving) = unbounded::<Ended>();
        let is_lost = AtomicBool::new(false);
        let most = self.settings.jobs.unwrap_or(1).clamp(1, MAKERS);
        thread::scope(|scope| {
            let mut threads: Vec<ScopedJoinHandle<'_, ()>> = Vec::new();
            for number in 1..=most {
                let (coming, is_lost) = (coming.clone(), &is_lost);
                let maker = thread::Builder::new().name(format!("trials {number}"));
                threads.push(maker.spawn_scoped(scope, move || self.make_trials(trials, &coming, is_lost))?);
            }
            let ender = thread::Builder::new().name("ends of trials".to_owned());
            threads.push(ender.spawn_scoped(scope, || self.end_trials(trials, &leaving, &is_lost))?);
            let mut serve = |call: HostCall| Self::pass_on(call, &comes, &leaves);
            self.engine().submit(submissions, None);
            // However it ends, what is under way comes to its end below.
            let _ = self.wait(numbers, None, &mut serve);
            self.close(&mut serve);
            drop((comes, leaves));
            for thread in threads {
                // A panic ends the process.
                let _ = thread.join();
            }
            Ok(())
        })
    }

    fn pass_on(call: HostCall, comes: &Sender<TaskNumber>, leaves: &Sender<Ended>) {
        // The receivers live as long as the senders.
        match call {
            HostCall::Comes(number) => drop(comes.send(number)),
            HostCall::Leaves(number, end, seconds) => drop(leaves.send(Ended { number, end, seconds })),
            HostCall::Select { .. } => {}
        }
    }

    /// Makes a task of every trial. One that has completed already stands.
    fn trial_submissions(&self, trials: &Trials) -> Vec<Submission> {
        let batch = trials.batch();
        let ids = names(&batch.trials);
        let submission = |((number, trial), id): ((TaskNumber, &Listed), String)| {
            let task = Task {
                id,
                runnable: Runnable {
                    kind: OPERATION_KIND.to_owned(),
                    uri: Some(batch.recipe.opref.operation()),
                    ..Runnable::default()
                },
                // What is recorded of a task says whether its folder is where it works.
                cwd: Some(trials.path(trial)),
                max_runtime: batch.recipe.stop_after,
                resources: batch.resources.clone(),
                ..Task::default()
            };
            if trial.is_found {
                return self.found(trials, number, trial, task);
            }
            let again = self.settings.resume.is_some().then(|| completed(number, &trials.path(trial))).flatten();
            let reused = again.map(|mut reused| {
                reused.events.splice(1..1, trials.measured(number));
                reused
            });
            Submission { number, folder: trial.id.clone(), task: Box::new(task), decided: None, reused }
        };
        (1..).zip(&batch.trials).zip(ids).map(submission).collect()
    }

    /// Makes a task of a trial whose run was there before: it is skipped, and shows what that run came to.
    fn found(&self, trials: &Trials, number: TaskNumber, trial: &Listed, task: Task) -> Submission {
        if let Err(error) = trials.link(trial) {
            self.run.warn(error.to_string(), None);
        }
        let reason = format!("run {} is the same (--needed)", trial.id.get(..8).unwrap_or(&trial.id));
        let outcome = Outcome::Skipped;
        let finished = TaskFinished { reason: Some(reason.clone()), ..TaskFinished::new(number, 0, outcome) };
        let measured = trials.measured(number).into_iter();
        let events = measured.chain([EventKind::TaskFinished(Box::new(finished))]).collect();
        let end = End { outcome, reason: Some(reason), data: None, exit: None, stopped: None };
        let reused = Some(Box::new(Reused { events, end }));
        Submission { number, folder: trial.id.clone(), task: Box::new(task), decided: None, reused }
    }

    /// Makes the trials that could start, as they come.
    fn make_trials(&self, trials: &Trials, coming: &Receiver<TaskNumber>, is_lost: &AtomicBool) {
        for number in coming {
            if is_lost.load(Ordering::Relaxed) {
                self.admit(number, Some("the batch can no longer be recorded".to_owned()));
                continue;
            }
            match trials.make(number, &mut |notice| self.tell(notice), &|| self.engine().interrupted()) {
                Ok(ready) => {
                    self.engine().provide(number, Some(ready.run), Some(ready.task));
                    self.admit(number, None);
                }
                Err(error) => {
                    if error.leaves_no_result() {
                        is_lost.store(true, Ordering::Relaxed);
                        self.fail_batch(&error);
                    }
                    self.admit(number, Some(error.to_string()));
                }
            }
        }
    }

    /// Writes how trials ended, all that have ended meanwhile in one go, and lets them leave when that is on the disk.
    fn end_trials(&self, trials: &Trials, leaving: &Receiver<Ended>, is_lost: &AtomicBool) {
        while let Ok(first) = leaving.recv() {
            let mut written = Vec::new();
            let mut failed: Vec<(TaskNumber, Option<String>)> = Vec::new();
            let mut removed = Vec::new();
            for ended in std::iter::once(first).chain(leaving.try_iter()) {
                match trials.conclude(&ended) {
                    None => failed.push((ended.number, None)),
                    Some(Ok((concluded, path))) => {
                        written.push((ended.number, concluded));
                        removed.extend(path);
                    }
                    Some(Err(error)) => {
                        is_lost.store(true, Ordering::Relaxed);
                        self.fail_batch(&error);
                        failed.push((ended.number, Some(error.to_string())));
                    }
                }
            }
            self.run.note(written.iter().filter_map(|(number, _)| trials.measured(*number)).collect());
            let (numbers, concluded): (Vec<_>, Vec<_>) = written.into_iter().unzip();
            for (number, settled) in numbers.into_iter().zip(state::settle(concluded)) {
                if let Err(error) = &settled {
                    is_lost.store(true, Ordering::Relaxed);
                    self.ending.fail(crate::engine::Failure::of(error.to_string()));
                }
                failed.push((number, settled.err().map(|error| error.to_string())));
            }
            for path in removed {
                // What cannot be removed stays.
                let _ = store::remove(&trials.batch().recipe.home, &path, false);
            }
            for (number, failed) in failed {
                self.dismiss(number, failed);
            }
        }
    }

    fn tell(&self, notice: Notice) {
        match notice {
            Notice::Info(text) => self.run.log(Level::Info, "rille", text.as_bytes()),
            Notice::Warning(text) => self.run.warn(text, None),
        }
    }
}

/// Tells the user what is told of the batch itself.
struct Speaks<'a> {
    job: &'a Job,
}

impl Audience for Speaks<'_> {
    fn notice(&mut self, notice: Notice) {
        self.job.tell(notice);
    }

    fn started(&self) {}
}

/// Returns what the trials are called: by the flags in which they differ, each name once.
fn names(trials: &[Listed]) -> Vec<String> {
    let mut seen = std::collections::HashMap::new();
    let name = |trial: &Listed| {
        let own = trial.own.iter().filter_map(|name| Some((name.clone(), trial.flags.get(name)?.clone())));
        let text = crate::operation::label(None, &own.collect(), &std::collections::BTreeSet::new()).0;
        let text = if text.is_empty() { "trial".to_owned() } else { text };
        let count = seen.entry(text.clone()).or_insert(0_u32);
        *count += 1;
        if *count == 1 { text } else { format!("{text} #{count}") }
    };
    trials.iter().map(name).collect()
}

/// Returns how a run ended in an earlier part of the one that it belongs to, if that stands.
pub(in crate::job::operation) fn completed(number: TaskNumber, path: &Path) -> Option<Box<Reused>> {
    let run = path.join(".guild").is_dir().then(|| store::summarise(path))?;
    if run.status != Status::Completed {
        return None;
    }
    let time = |micros: Option<i64>| micros.and_then(chrono::DateTime::from_timestamp_micros);
    let attribute = |name| store::attribute(path, name).as_ref().and_then(serde_json::Value::as_i64);
    let (started, stopped) = (attribute("started"), attribute("stopped"));
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    let seconds = started.zip(stopped).map_or(0.0, |(started, stopped)| (stopped - started) as f64 / 1e6);
    let exit = Some(Exit::Code(0));
    let finished = TaskFinished { exit, seconds, ..TaskFinished::new(number, 1, Outcome::Passed) };
    let events = vec![
        EventKind::TaskReused { task: number, started: time(started) },
        EventKind::TaskStarted { task: number, attempt: 1, pid: 0 },
        EventKind::TaskFinished(Box::new(finished)),
    ];
    let end = End { outcome: Outcome::Passed, reason: None, data: None, exit, stopped: None };
    Some(Box::new(Reused { events, end }))
}
