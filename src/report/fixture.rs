//! Events and summaries for tests: a small job in which everything went differently.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::summary::Summary;
use crate::model::{
    EVENT_FORMAT, Event, EventKind, Exit, Outcome, OutputSize, Place, RunStarted, TaskFinished, TaskNumber, TaskQueued,
};

/// Returns an event of this kind, `seq` tenths of a second after the start.
pub(super) fn event(seq: u64, kind: EventKind) -> Event {
    let start: DateTime<Utc> = "2026-11-21T09:00:00Z".parse().unwrap();
    Event { seq, time: start + TimeDelta::milliseconds(100 * i64::try_from(seq).unwrap()), kind }
}

/// Returns the first event of the job.
pub(super) fn run_started() -> EventKind {
    EventKind::RunStarted(Box::new(RunStarted {
        format: EVENT_FORMAT,
        rille: "0.1.0".into(),
        run_id: "0123456789abcdef0123456789abcdef".into(),
        door: "job".into(),
        name: "nightly".into(),
        file: "/jobs/nightly.lua".into(),
        file_hash: "00".repeat(32),
        argv: vec!["rille".into(), "run".into(), "nightly.lua".into()],
        pid: 100,
        host: "bench".into(),
        user: "ada".into(),
        first_started: None,
        rerun_of: None,
    }))
}

/// Returns a task that may be tried so often again.
pub(super) fn queued(task: TaskNumber, id: &str, retries: u32) -> EventKind {
    EventKind::TaskQueued(Box::new(TaskQueued {
        task,
        id: id.into(),
        kind: "lua".into(),
        uri: format!("/jobs/{id}.lua"),
        folder: format!("tasks/{task}-{id}"),
        retries,
        tags: Vec::new(),
        inputs: None,
        place: Some(Place { file: "nightly.lua".into(), line: 3 + task }),
    }))
}

/// Returns the start of an attempt.
pub(super) fn started(task: TaskNumber, attempt: u32) -> EventKind {
    EventKind::TaskStarted { task, attempt, pid: 1000 + i32::try_from(task).unwrap() }
}

/// Returns the end of a first attempt, to be changed as needed.
pub(super) fn finished(task: TaskNumber, outcome: Outcome, reason: Option<&str>) -> TaskFinished {
    TaskFinished {
        task,
        attempt: 1,
        outcome,
        reason: reason.map(str::to_owned),
        data: None,
        exit: Some(Exit::Code(0)),
        seconds: 0.0123,
        stdout: OutputSize::default(),
        stderr: OutputSize::default(),
        log: OutputSize::default(),
        killed_leftovers: 0,
        will_retry: false,
        dangling: false,
        time_limit: None,
    }
}

/// Wraps the end of an attempt.
pub(super) fn end(finished: TaskFinished) -> EventKind {
    EventKind::TaskFinished(Box::new(finished))
}

/// Returns the last event.
pub(super) fn run_finished(outcome: Option<Outcome>, exit_code: i32) -> EventKind {
    EventKind::RunFinished { outcome, exit_code, seconds: 2.345, reason: None }
}

/// Returns a job of one passing task without and one with a retry, and one each that failed, crashed and was blocked.
pub(super) fn job() -> Vec<EventKind> {
    vec![
        run_started(),
        EventKind::Warning {
            text: "unknown key 'max_runtme'; did you mean 'max_runtime'?".into(),
            place: Some(Place { file: "nightly.lua".into(), line: 12 }),
        },
        queued(1, "connect", 0),
        started(1, 1),
        end(finished(1, Outcome::Passed, None)),
        queued(2, "flaky", 2),
        started(2, 1),
        end(TaskFinished { exit: Some(Exit::Code(1)), will_retry: true, ..finished(2, Outcome::Failed, None) }),
        started(2, 2),
        end(TaskFinished { attempt: 2, ..finished(2, Outcome::Passed, None) }),
        queued(3, "compare", 0),
        started(3, 1),
        end(TaskFinished {
            exit: Some(Exit::Code(1)),
            data: Some(json!({ "traceback": "compare.lua:7: in main\n[C]: in ?" })),
            stdout: OutputSize { bytes: 20, left_out: 0, head: 0 },
            seconds: 1.2034,
            ..finished(3, Outcome::Failed, Some("compare.lua:7: 3 is not 4\nsecond line"))
        }),
        queued(4, "traffic", 0),
        started(4, 1),
        end(TaskFinished {
            exit: Some(Exit::Signal(9)),
            stdout: OutputSize { bytes: 5_000_000, left_out: 1_000_000, head: 0 },
            stderr: OutputSize { bytes: 900, left_out: 0, head: 0 },
            killed_leftovers: 2,
            seconds: 75.2,
            ..finished(4, Outcome::Errored, Some("killed by SIGKILL (signal 9)"))
        }),
        queued(5, "report", 0),
        end(TaskFinished {
            attempt: 0,
            exit: None,
            seconds: 0.0,
            ..finished(5, Outcome::Blocked, Some("needs 'traffic', which errored"))
        }),
        EventKind::MainFinished { error: None },
        run_finished(Some(Outcome::Errored), 1),
    ]
}

/// Numbers the kinds from 1.
pub(super) fn events(kinds: Vec<EventKind>) -> Vec<Arc<Event>> {
    kinds.into_iter().zip(1..).map(|(kind, seq)| Arc::new(event(seq, kind))).collect()
}

/// Folds the kinds.
pub(super) fn fold(kinds: Vec<EventKind>) -> Summary {
    let mut summary = Summary::default();
    for event in events(kinds) {
        summary.apply(&event);
    }
    summary
}
