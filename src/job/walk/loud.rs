//! Whose log is shown on the console, and from which level on: workers of walks, as `verbose` says.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::model::{Level, TaskNumber};

/// See the module. Its copies are one.
#[derive(Clone, Debug, Default)]
pub(in crate::job) struct LoudLogs(Arc<Mutex<HashMap<TaskNumber, Level>>>);

impl LoudLogs {
    /// Shows what a task logs as `verbose` asks: warnings and errors (0), information as well (1), or all (2).
    pub(super) fn show(&self, task: TaskNumber, verbose: u8) {
        let from = match verbose {
            0 => Level::Warning,
            1 => Level::Info,
            _ => Level::Debug,
        };
        self.0.lock().insert(task, from);
    }

    /// Returns whether a record of a task is shown, whoever asks to see more.
    pub(in crate::job) fn shows(&self, task: TaskNumber, level: Level) -> bool {
        self.0.lock().get(&task).is_some_and(|from| level >= *from)
    }
}
