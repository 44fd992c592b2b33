//! The lines of tasks to their runners: looked after while they are open, and closed when nobody is left to speak.

use std::time::Duration;

use super::Supervisor;
use crate::engine::reactor::Source;
use crate::engine::scheduler::Input;
use crate::engine::status::{Line, NO_TASK, shortened};
use crate::engine::stop::StopReason;
use crate::model::{Dropped, EventKind, TaskNumber};

/// How many are let in when every process of the task is gone: as many as may wait.
const LAST_ADMITTED: usize = 4096;

/// How often a connection is read when everybody who could write to it is gone.
const LAST_READS: usize = 1024;

impl Supervisor {
    /// Hears the last of a task of which no process is left.
    pub(super) fn drain_status(&mut self, task: TaskNumber) {
        if self.live.get(&task).is_none_or(|live| live.line.is_none()) {
            return;
        }
        // Somebody outside may go on connecting.
        let _ = (0..LAST_ADMITTED).all(|_| self.let_in(task));
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return };
        for caller in line.callers.clone() {
            self.read_caller(caller, LAST_READS);
            self.hang_up(caller);
        }
    }

    /// Closes a task's line, and records what did not count.
    pub(super) fn close_line(&mut self, task: TaskNumber, line: &Line) {
        self.reactor.forget(line);
        self.status.forget_token(line);
        if line.ended.is_none()
            && let Some(words) = line.last_line()
        {
            self.inputs.push(Input::LastWords { task, words: shortened(&words) });
        }
        if !line.dropped.is_empty() {
            self.records.push(EventKind::MessagesDropped { task: Some(task), dropped: line.dropped });
        }
    }

    /// Records what came when nobody was there to hear it any more.
    pub(super) fn close_status(&mut self) {
        let dropped = std::mem::take(&mut self.status.dropped);
        if dropped != Dropped::default() {
            self.records.push(EventKind::MessagesDropped { task: None, dropped });
        }
    }

    /// Ends the tasks whose runners have said nothing for too long, and lets in those who had to wait for a descriptor.
    pub(super) fn look_after_runners(&mut self) {
        if let Some(limit) = self.parts.scheduler.silence() {
            let now = self.clock.elapsed();
            let silent = self.live.iter().filter(|(_, live)| {
                live.exit.is_none() && live.line.as_ref().is_some_and(|line| now >= line.heard_at + limit)
            });
            let tasks: Vec<TaskNumber> = silent.map(|(task, _)| *task).collect();
            for task in &tasks {
                if let Some(line) = self.live.get_mut(task).and_then(|live| live.line.as_deref_mut()) {
                    line.heard_at = now;
                }
            }
            if !tasks.is_empty() {
                self.inputs.push(Input::Stop { tasks, reason: StopReason::Silence(limit) });
            }
        }
        for task in self.status.resumed() {
            if let Some(listener) = self.status.listener().filter(|_| task == NO_TASK) {
                let _ = self.reactor.watch(listener, Source::Listener(NO_TASK));
            }
            let Some(line) = self.live.get(&task).and_then(|live| live.line.as_deref()) else { continue };
            // A listener that is watched already is as good.
            let _ = self.reactor.watch(line, Source::Listener(task));
        }
    }

    /// Returns when runners have to be looked after at the latest.
    pub(super) fn runners_due(&self) -> Option<Duration> {
        let now = self.clock.elapsed();
        let pause = self.status.pause_left().map(|left| now + left);
        let silence = self.parts.scheduler.silence().and_then(|limit| {
            let running = self.live.values().filter(|live| live.exit.is_none());
            running.filter_map(|live| Some(live.line.as_ref()?.heard_at + limit)).min()
        });
        pause.into_iter().chain(silence).min()
    }
}
