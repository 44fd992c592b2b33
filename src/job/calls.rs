//! What the run asks of the jobfile while its main thread waits: the jobfile's Lua can only run there.

use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender, select, unbounded};

use super::{Job, WaitError, prompt};
use crate::engine::{Answer, Call, End, Failure, Waited};
use crate::model::{EventKind, PluginFailed, RaisedError, Reply, TaskNumber};

/// A call of a function that the jobfile has given.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum HostCall {
    /// A task could start: the plugins' `pre_task`. Answered by [`Job::admit`].
    Comes(TaskNumber),
    /// A task has ended, after so many seconds: the plugins' `post_task`. Answered by [`Job::dismiss`].
    Leaves(TaskNumber, Box<End>, f64),
    /// Which of these testcases, by uid and groups, are to run? Answered by [`Job::reply`].
    Select {
        /// The task that asks.
        task: TaskNumber,
        /// Uid and groups of each.
        sections: Vec<(String, Vec<String>)>,
    },
}

/// The calls that wait for the main thread.
pub(super) struct Calls {
    sender: Sender<HostCall>,
    queue: Receiver<HostCall>,
}

impl Default for Calls {
    fn default() -> Self {
        let (sender, queue) = unbounded();
        Self { sender, queue }
    }
}

impl Calls {
    /// Returns the calls that are to be answered, for who waits for more.
    pub(super) const fn queue(&self) -> &Receiver<HostCall> {
        &self.queue
    }

    /// Lets `serve` answer what is asked by now.
    pub(super) fn serve(&self, serve: &mut dyn FnMut(HostCall)) {
        while let Ok(call) = self.queue.try_recv() {
            serve(call);
        }
    }

    /// Waits for an answer of the engine; what is asked meanwhile is answered by `serve`.
    pub(super) fn wait_serving<T>(&self, answer: &Receiver<T>, serve: &mut dyn FnMut(HostCall)) -> Option<T> {
        loop {
            select! {
                recv(answer) -> answer => return answer.ok(),
                recv(self.queue) -> call => if let Ok(call) = call { serve(call) },
            }
        }
    }

    fn put(&self, call: HostCall) {
        // The receiver lives as long as the job.
        let _ = self.sender.send(call);
    }
}

impl Job {
    /// Takes in what a task wants; called on the engine's thread.
    pub(super) fn take_call(self: &Arc<Self>, task: TaskNumber, call: Call) {
        match call {
            Call::ArgumentsRead(words) => self.ledger.arguments_read(words.as_deref()),
            Call::Used(used) => {
                for text in self.ledger.take_use(task, &used) {
                    self.task_remarks(task, &text);
                }
            }
            Call::Remark(text) => self.task_remarks(task, &text),
            Call::Comes => self.calls.put(HostCall::Comes(task)),
            Call::Leaves(end, seconds) => self.calls.put(HostCall::Leaves(task, end, seconds)),
            Call::Select(sections) => self.calls.put(HostCall::Select { task, sections }),
            Call::Prompt(text) => prompt::ask(self, task, text),
        }
    }

    /// Has the plugins told of every task that has not started yet.
    pub(crate) fn use_hooks(&self) {
        self.engine().use_hooks();
    }

    /// Lets a task start, or blocks it for a reason.
    pub(crate) fn admit(&self, task: TaskNumber, refused: Option<String>) {
        self.engine().admit(task, refused);
    }

    /// Lets a task leave that has ended; what has failed meanwhile makes it errored.
    pub(crate) fn dismiss(&self, task: TaskNumber, failed: Option<String>) {
        self.engine().dismiss(task, failed);
    }

    /// Records that a plugin failed.
    pub(crate) fn plugin_failed(&self, plugin: &str, stage: &str, task: Option<TaskNumber>, error: RaisedError) {
        let failed = PluginFailed { plugin: plugin.to_owned(), stage: stage.to_owned(), task, error };
        self.run.note(vec![EventKind::PluginFailed(Box::new(failed))]);
    }

    /// Answers a task.
    pub(crate) fn reply(&self, task: TaskNumber, reply: Reply) {
        self.engine().reply(task, reply);
    }

    /// Lets `serve` answer what is asked by now.
    pub(crate) fn serve_calls(&self, serve: &mut dyn FnMut(HostCall)) {
        self.calls.serve(serve);
    }

    fn task_remarks(&self, task: TaskNumber, text: &str) {
        let id = self.roster.id(task).unwrap_or_default();
        self.run.warn(format!("task '{id}': {text}"), None);
    }
}

/// Reads the engine's answer to a wait. The supervisor answers every wait before it ends; it ends without an answer only
/// when the process does.
pub(super) fn waited(answer: Option<Result<Waited, Failure>>) -> Result<bool, WaitError> {
    match answer.unwrap_or(Ok(Waited::Answer(Answer::Settled))) {
        Ok(Waited::Answer(Answer::Settled)) => Ok(true),
        Ok(Waited::Answer(Answer::StillRunning)) => Ok(false),
        Ok(Waited::Interrupted(signal)) => Err(WaitError::Interrupted(signal)),
        Err(failure) => Err(WaitError::Unrecordable(failure)),
    }
}
