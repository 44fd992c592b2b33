//! The mark in the environment of every process of a run: it tells of which task a process is a descendant, to `rille` itself
//! and to whoever looks at the process table.

use crate::model::TaskNumber;

/// The environment variable: `<run id>:<task number>`.
pub(crate) const MARK: &str = "RILLE_TASK_MARK";

/// The task number in the mark of the host itself, and so of what a jobfile starts by `os.execute`.
pub(super) const HOST_MARK: TaskNumber = 0;

/// Marks this process as the host of a run, so that what a jobfile starts by itself is told from what tasks leave behind.
/// Must be called before the process has a second thread.
pub(crate) fn mark_host(run_id: &str) {
    // SAFETY: there is no other thread that could read the environment meanwhile.
    unsafe { std::env::set_var(MARK, of(run_id, HOST_MARK)) }
}

/// Returns the mark of a task.
pub(super) fn of(run_id: &str, task: TaskNumber) -> String {
    format!("{run_id}:{task}")
}
