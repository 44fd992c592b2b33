//! What a job does with earlier runs: it goes on with one, repeats a part of one, and leaves what others can go on with.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::before::{Before, Claim};
use super::inputs::{Inputs, holds_synchro};
use super::roster::Decided;
use super::run::Run;
use super::settings::Settings;
use crate::engine::Submission;
use crate::model::{Blob, Kind, Outcome, Task, TaskNumber};
use crate::store::{self, RunDir, Secrets};

/// The file of a run directory that says of what it is a rerun.
const RERUN_FILE: &str = ".guild/rerun.json";

/// See the module.
pub(super) struct History {
    inputs: Inputs,
    /// What the run was before it was resumed.
    before: Mutex<Option<Before>>,
    /// What is secret, by the environment and by what tasks get.
    pub(super) secrets: Mutex<Secrets>,
    /// An archive is made at the end.
    is_archived: bool,
    told_of_synchro: AtomicBool,
}

impl History {
    pub(super) fn new(settings: &mut Settings, before: Option<Before>) -> Self {
        let mut secrets = std::mem::take(&mut settings.secrets);
        settings.testbed.iter().for_each(|testbed| secrets.add_values(testbed));
        Self {
            inputs: Inputs::new(&settings.argv, settings.testbed.as_ref()),
            before: Mutex::new(before),
            secrets: Mutex::new(secrets),
            is_archived: settings.archive.is_some(),
            told_of_synchro: AtomicBool::new(false),
        }
    }
}

/// Keeps what a run repeats, or reads it where the run is resumed.
pub(super) fn keep_rerun(run: &RunDir, settings: &mut Settings) -> store::Result<()> {
    if let Some(rerun) = &settings.rerun {
        run.write_attr("rerun_of", &rerun.of)?;
        return run.write_file(RERUN_FILE, &serde_json::to_vec(rerun).unwrap_or_default());
    }
    let path = run.path().join(RERUN_FILE);
    if settings.resume.is_some()
        && let Ok(bytes) = std::fs::read(&path)
    {
        let rerun = serde_json::from_slice(&bytes);
        settings.rerun = Some(rerun.map_err(|error| store::Error::corrupt(&path, error.to_string()))?);
    }
    Ok(())
}

impl History {
    /// Makes of a task what the engine takes: with its folder, and with its end if it has one already.
    pub(super) fn submission(
        &self,
        settings: &Settings,
        run: &Run,
        number: TaskNumber,
        mut task: Task,
        mut decided: Option<Decided>,
    ) -> Submission {
        // What is repeated of walks is not chosen by their workers.
        let rerun = settings.rerun.as_ref().filter(|_| task.walk.is_none());
        match rerun.map(|rerun| rerun.choice(&task.id)) {
            Some(Err(left_out)) => decided = Some((Outcome::Skipped, left_out.to_string())),
            Some(Ok(only)) => task.choice.only = only,
            None => {}
        }
        self.note_secrets(&task);
        let mut folder = store::task_folder(number, &task.id);
        let mut reused = None;
        if decided.is_none() {
            let testbed = settings.testbed.as_ref();
            let has_testbed = testbed.is_some() && task.runnable.kwargs.get("testbed") == testbed;
            // A worker is asked for by a run of walks, which knows itself what has been done.
            if task.walk.is_none() {
                task.inputs = self.inputs.of(&task, has_testbed);
            }
            match self.claim(run, number, &task) {
                None => {}
                Some(Ok(Claim::Run(free))) => folder = free,
                Some(Ok(Claim::Reused(end, known))) => (folder, reused) = (known, Some(end)),
                Some(Err(error)) => decided = Some((Outcome::Errored, error.to_string())),
            }
        }
        Submission { number, folder, task: Box::new(task), decided, reused }
    }

    /// Decides in a resumed run what becomes of a task; `None` in any other.
    fn claim(&self, run: &Run, number: TaskNumber, task: &Task) -> Option<store::Result<Claim>> {
        let mut before = self.before.lock();
        let before = before.as_mut()?;
        let mut changed = None;
        if task.runnable.kwargs.values().any(holds_synchro) {
            changed = Some(Task { inputs: None, ..task.clone() });
            if !self.told_of_synchro.swap(true, Ordering::Relaxed) {
                let text = "synchro objects do not outlive their host, so tasks that are given one run again";
                run.warn(text.to_owned(), task.place.clone());
            }
        }
        Some(before.claim(run.directory(), number, changed.as_ref().unwrap_or(task)))
    }

    /// Takes note of the secrets in variables that a task gets, before anything that it says is written.
    pub(super) fn note_environment(&self, env: &BTreeMap<String, Option<Blob>>) {
        if !env.is_empty() {
            let values = env
                .iter()
                .filter_map(|(name, value)| Some((name.into(), OsString::from_vec(value.as_ref()?.0.clone()))));
            self.secrets.lock().add_variables(values);
        }
    }

    /// Takes note of what a task is given that is secret. What its parameters call so is to be in no archive; a program
    /// gets them as variables.
    pub(super) fn note_secrets(&self, task: &Task) {
        self.note_environment(&task.env);
        let given = || task.runnable.kwargs.iter().filter(|(name, _)| *name != "testbed");
        let mut secrets = self.secrets.lock();
        if !task.runnable.is(Kind::Lua) {
            let texts = given().filter_map(|(name, value)| Some((name.into(), value.as_str()?.into())));
            secrets.add_variables(texts.collect::<Vec<_>>());
        }
        if self.is_archived {
            given().for_each(|(name, value)| secrets.add_named(name, value));
        }
    }
}
