//! What the processes of a run share, as far as the job has a part in it.

use std::collections::HashSet;
use std::io;

use serde_json::{Map, Value};

use super::{HostCall, Job};
use crate::engine::Synchro;
use crate::model::{Answer, Fault, FaultKind, Request, TaskNumber, references_in};

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

impl Job {
    /// Does what `main` asks of the shared objects, and waits for it where that takes a wait. The first call starts their
    /// server. What is asked of the jobfile while it waits is answered by `serve`.
    pub(crate) fn shared(&self, request: Request, serve: &mut dyn FnMut(HostCall)) -> Answer {
        match self.start_shared() {
            Ok(synchro) => synchro.call(request, || {
                self.serve_calls(serve);
                !self.interrupted()
            }),
            Err(error) => Answer::Error(Fault::new(
                FaultKind::Closed,
                format!("cannot make the socket of the shared objects: {error}"),
            )),
        }
    }

    fn start_shared(&self) -> io::Result<&Synchro> {
        if let Some(synchro) = self.synchro.get() {
            return Ok(synchro);
        }
        let ask = self.engine().held_back();
        let slot = std::sync::Arc::downgrade(&self.synchro);
        let started = Synchro::start(
            &self.directory,
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
        Ok(self.synchro.get_or_init(|| started))
    }

    /// Notes which shared objects a task gets as parameters.
    pub(super) fn note_shared(&self, task: TaskNumber, parameters: &Map<String, Value>) {
        let Some(synchro) = self.synchro.get() else { return };
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
        let following = self.synchro.get().filter(|_| !has_limit).map(|synchro| (synchro, tasks.to_vec()));
        if let Some((synchro, tasks)) = &following {
            synchro.follow(Some(tasks.clone()));
        }
        Following(following)
    }

    /// Ends what is shared: whoever still asks is told that the run is ending.
    pub(super) fn close_shared(&self) {
        if let Some(synchro) = self.synchro.get() {
            synchro.close();
        }
    }
}
