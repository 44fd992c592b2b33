//! What, beside its tasks, kept a run from being good: every report says the same of it.

use super::summary::{Summary, plugin_stage};

/// Something that went wrong with the run as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// What it is about: `main`, `run` or a plugin.
    pub(super) name: String,
    /// In one word what kind of problem it is.
    pub(super) kind: String,
    /// What happened.
    pub(super) message: String,
    /// The call stack of the error.
    pub(super) traceback: Option<String>,
}

/// Returns the problems of a run. `still_running` says that its host is alive.
pub(super) fn problems(summary: &Summary, still_running: bool) -> Vec<Problem> {
    let mut found = Vec::new();
    if let Some(error) = summary.main_fault() {
        found.push(Problem {
            name: "main".to_owned(),
            kind: error.kind.clone(),
            message: error.message.clone(),
            traceback: error.traceback.clone(),
        });
    }
    for failed in summary.plugin_failures() {
        let task = failed.task.and_then(|task| summary.row(task));
        let of = task.map_or_else(String::new, |row| format!(" of task '{}'", row.id()));
        found.push(Problem {
            name: format!("plugin {}", failed.plugin),
            kind: failed.error.kind.clone(),
            message: format!("{}{of}: {}", plugin_stage(failed), failed.error.message),
            traceback: failed.error.traceback.clone(),
        });
    }
    let run = |kind: &str, message: String| Problem {
        name: "run".to_owned(),
        kind: kind.to_owned(),
        message,
        traceback: None,
    };
    let more = summary.plugin_failure_count - summary.plugin_failures().len();
    if more > 0 {
        found.push(run("plugin", format!("plugins failed {more} more times")));
    }
    if let Some(signal) = summary.interrupted_by() {
        found.push(run("interrupted", format!("stopped by {signal}")));
    }
    if let Some(reason) = summary.end.as_ref().and_then(|end| end.reason.clone()) {
        found.push(run("record", reason));
    }
    if !summary.is_complete() && still_running {
        found.push(run("running", "the run has not ended yet".to_owned()));
    } else if !summary.is_complete() {
        found.push(run("lost", "the run was lost: its host ended before it could record the end".to_owned()));
    }
    found
}

/// Returns whether nothing ran in a run that has come to its end.
pub(super) fn nothing_ran(summary: &Summary) -> bool {
    summary.is_complete() && summary.rows().is_empty()
}
