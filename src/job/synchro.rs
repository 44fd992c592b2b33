//! What the processes of a run share, as far as the job has a part in it.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use crate::engine::{Engine, Synchro};
use crate::model::{Answer, Fault, FaultKind, Request, TaskNumber, references_in};

/// The objects that the processes of a run share, and their server once anybody has asked for one. Its copies are one.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<OnceLock<Synchro>>);

/// `main` waits for these tasks, as long as this is there.
pub(super) struct Following<'a>(Option<(&'a Synchro, Vec<TaskNumber>)>);

impl Following<'_> {
    /// Does something that `main` is called for while it waits.
    pub(super) fn interrupted_by(&self, call: impl FnOnce()) {
        if let Some((synchro, _)) = &self.0 {
            synchro.follow(None);
        }
        call();
        if let Some((synchro, tasks)) = &self.0 {
            synchro.follow(Some(tasks.clone()));
        }
    }
}

impl Drop for Following<'_> {
    fn drop(&mut self) {
        if let Some((synchro, _)) = &self.0 {
            synchro.follow(None);
        }
    }
}

impl Shared {
    /// Returns the place of the server, for the engine.
    pub(super) fn slot(&self) -> Arc<OnceLock<Synchro>> {
        Arc::clone(&self.0)
    }

    /// Does what `main` asks of the shared objects, and waits for it as long as `goes_on`. The first call starts their
    /// server in the run directory.
    pub(super) fn call(
        &self,
        engine: &Engine,
        directory: &Path,
        request: Request,
        goes_on: impl FnMut() -> bool,
    ) -> Answer {
        match self.start(engine, directory) {
            Ok(synchro) => synchro.call(request, goes_on),
            Err(error) => Answer::Error(Fault::new(
                FaultKind::Closed,
                format!("cannot make the socket of the shared objects: {error}"),
            )),
        }
    }

    fn start(&self, engine: &Engine, directory: &Path) -> io::Result<&Synchro> {
        if let Some(synchro) = self.0.get() {
            return Ok(synchro);
        }
        let ask = engine.held_back();
        let slot = Arc::downgrade(&self.0);
        let started = Synchro::start(
            directory,
            Box::new(move |generation| {
                let slot = slot.clone();
                ask(Box::new(move |tasks| {
                    if let Some(slot) = slot.upgrade()
                        && let Some(synchro) = slot.get()
                    {
                        synchro.held_back(generation, tasks);
                    }
                }));
            }),
        )?;
        // Only the thread of `main` comes here.
        Ok(self.0.get_or_init(|| started))
    }

    /// Notes that a task has a process.
    pub(super) fn task_started(&self, task: TaskNumber) {
        if let Some(synchro) = self.0.get() {
            synchro.task_started(task);
        }
    }

    /// Notes that a task has ended.
    pub(super) fn task_ended(&self, task: TaskNumber) {
        if let Some(synchro) = self.0.get() {
            synchro.task_ended(task);
        }
    }

    /// Notes which shared objects a task gets as parameters.
    pub(super) fn note_parameters(&self, task: TaskNumber, parameters: &Map<String, Value>) {
        let Some(synchro) = self.0.get() else { return };
        let mut known = HashSet::new();
        for value in parameters.values() {
            references_in(value, &mut |name| {
                known.insert(name.id);
            });
        }
        synchro.task_queued(task, known);
    }

    /// Notes that `main` waits for tasks until what is returned is dropped. With a limit it comes back by itself.
    pub(super) fn follow(&self, tasks: &[TaskNumber], has_limit: bool) -> Following<'_> {
        let following = self.0.get().filter(|_| !has_limit).map(|synchro| (synchro, tasks.to_vec()));
        if let Some((synchro, tasks)) = &following {
            synchro.follow(Some(tasks.clone()));
        }
        Following(following)
    }

    /// Ends what is shared: whoever still asks is told that the run is ending.
    pub(super) fn close(&self) {
        if let Some(synchro) = self.0.get() {
            synchro.close();
        }
    }
}
