//! The books of one attempt that is under way.

use std::time::Duration;

use super::last_words::LastWords;
use super::reports::RunnerBooks;
use super::task_log::TaskLog;
use crate::engine::keep::Keep;
use crate::engine::sections::Sections;
use crate::engine::spawner::AttemptId;
use crate::engine::surroundings::Surroundings;
use crate::engine::way::Way;
use crate::model::{Exit, Stream, Task};
use crate::testing::{TapRules, TapScan};

/// See the module.
pub(super) struct Live {
    pub(super) id: AttemptId,
    pub(super) keep: Box<dyn Keep>,
    pub(super) log: TaskLog,
    pub(super) sections: Sections,
    /// Of its runner, if it has one.
    pub(super) runner: Option<Box<RunnerBooks>>,
    /// Reads its standard output, if that is TAP.
    pub(super) tap: Option<Box<TapScan>>,
    pub(super) exit: Option<Exit>,
    /// The end of what it wrote to standard error, of one with a runner what that told of it.
    pub(super) last_words: LastWords,
    /// Streams that are not read because nobody takes them now.
    pub(super) held: Vec<Stream>,
    /// It has a process.
    pub(super) has_started: bool,
}

impl Live {
    /// Makes the books of an attempt that is about to start.
    pub(super) fn new(
        id: AttemptId,
        task: &Task,
        keep: Box<dyn Keep>,
        now: Duration,
        surroundings: &Surroundings,
    ) -> Self {
        let way = Way::of(task);
        let runner = matches!(way, Way::Runner(_))
            .then(|| Box::new(RunnerBooks::new(&task.id, now, surroundings.output_limit, &surroundings.masks)));
        Self {
            id,
            log: TaskLog::new(keep.log_position().is_none(), 0, &task.id, &surroundings.masks),
            keep,
            sections: Sections::default(),
            runner,
            tap: (way == Way::Tap).then(|| Box::new(TapScan::new(TapRules::of_tap_test(&task.runnable)))),
            exit: None,
            last_words: LastWords::default(),
            held: Vec::new(),
            has_started: false,
        }
    }
}
