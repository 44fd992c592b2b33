//! Events and summaries for tests: a small job in which everything went differently.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::summary::Summary;
use crate::model::{
    EVENT_FORMAT, Event, EventKind, Exit, FilePlace, LogRange, Outcome, OutputSize, Place, RunStarted, SectionFinished,
    SectionKind, SectionNumber, SectionPlan, SectionStarted, TaskFinished, TaskNumber, TaskPlanned, TaskQueued, Value,
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
        secrets: Vec::new(),
        attrs: serde_json::Map::new(),
    }))
}

/// Returns a task that may be tried so often again.
pub(super) fn queued(task: TaskNumber, id: &str, retries: u32) -> EventKind {
    EventKind::TaskQueued(Box::new(TaskQueued {
        prepares: false,
        elsewhere: false,
        task,
        id: id.into(),
        kind: "lua".into(),
        uri: format!("/jobs/{id}.lua"),
        folder: format!("tasks/{task}-{id}"),
        retries,
        tags: Vec::new(),
        inputs: None,
        variant: None,
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
        reason: reason.map(str::to_owned),
        exit: Some(Exit::Code(0)),
        seconds: 0.0123,
        ..TaskFinished::new(task, 1, outcome)
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
            data: Some(Value::of_json(&json!({ "traceback": "compare.lua:7: in main\n[C]: in ?" }))),
            stdout: OutputSize { bytes: 20, left_out: 0, head: 0, place: FilePlace::Named },
            seconds: 1.2034,
            ..finished(3, Outcome::Failed, Some("compare.lua:7: 3 is not 4\nsecond line"))
        }),
        queued(4, "traffic", 0),
        started(4, 1),
        end(TaskFinished {
            exit: Some(Exit::Signal(9)),
            stdout: OutputSize { bytes: 5_000_000, left_out: 1_000_000, head: 0, place: FilePlace::Named },
            stderr: OutputSize { bytes: 900, left_out: 0, head: 0, place: FilePlace::Named },
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

/// Returns the announcement of sections.
pub(super) fn planned(task: TaskNumber, sections: Vec<SectionPlan>) -> EventKind {
    EventKind::TaskPlanned(Box::new(TaskPlanned { task, sections }))
}

/// Returns the beginning of a section, to be changed as needed.
pub(super) fn section_start(task: TaskNumber, section: SectionNumber) -> SectionStarted {
    SectionStarted { task, section, plan: None, uid: None }
}

/// Wraps the beginning of a planned section.
pub(super) fn section_started(task: TaskNumber, section: SectionNumber) -> EventKind {
    EventKind::SectionStarted(Box::new(section_start(task, section)))
}

/// Returns the end of a section, to be changed as needed.
pub(super) fn section_end(task: TaskNumber, section: SectionNumber, outcome: Outcome) -> SectionFinished {
    let log = LogRange::default();
    SectionFinished { task, section, outcome, reason: None, data: None, seconds: 0.001, will_retry: false, log }
}

fn section_finished(finished: SectionFinished) -> EventKind {
    EventKind::SectionFinished(Box::new(finished))
}

/// Returns a task with a testscript of which one testcase fails in a step, and the next is blocked.
pub(super) fn script(task: TaskNumber) -> Vec<EventKind> {
    use SectionKind::{CommonCleanup, CommonSetup, Setup, Step, Subsection, Test, Testcase};
    let ping = SectionPlan {
        line: Some(12),
        description: Some("Sends packets".into()),
        groups: vec!["sanity".into()],
        ..SectionPlan::new(Testcase, "Ping", 0)
    };
    let plans = vec![
        SectionPlan::new(CommonSetup, "common_setup", 0),
        SectionPlan::new(Subsection, "connect", 1),
        ping,
        SectionPlan::new(Setup, "setup", 3),
        SectionPlan { line: Some(15), ..SectionPlan::new(Test, "icmp", 3) },
        SectionPlan::new(Test, "sweep", 3),
        SectionPlan::new(Testcase, "Trace", 0),
        SectionPlan::new(Test, "hops", 7),
        SectionPlan::new(CommonCleanup, "common_cleanup", 0),
    ];
    let start = |section, uid: Option<&str>, plan: Option<SectionPlan>| {
        let uid = uid.map(str::to_owned);
        EventKind::SectionStarted(Box::new(SectionStarted { plan, uid, ..section_start(task, section) }))
    };
    let end_of = |section, outcome| section_finished(section_end(task, section, outcome));
    let failed = |section, begin, data| SectionFinished {
        reason: Some("icmp.lua:20: no answer".into()),
        data,
        seconds: 0.25,
        log: LogRange { begin, size: 30 },
        ..section_end(task, section, Outcome::Failed)
    };
    let traceback = Value::of_json(&json!({ "traceback": "icmp.lua:20: in step 'receive'\n[C]: in ?" }));
    let blocked = |section| SectionFinished {
        reason: Some("Ping did not pass and must".into()),
        seconds: 0.0,
        ..section_end(task, section, Outcome::Blocked)
    };
    vec![
        queued(task, "script", 0),
        started(task, 1),
        planned(task, plans),
        start(1, None, None),
        start(2, None, None),
        end_of(2, Outcome::Passed),
        end_of(1, Outcome::Passed),
        start(3, None, None),
        start(4, None, None),
        end_of(4, Outcome::Passed),
        start(5, None, None),
        start(10, None, Some(SectionPlan::new(Step, "send", 5))),
        end_of(10, Outcome::Passed),
        start(11, None, Some(SectionPlan::new(Step, "receive", 5))),
        section_finished(failed(11, 110, Some(traceback))),
        section_finished(failed(5, 100, None)),
        start(6, Some("sweep[size=64]"), None),
        end_of(6, Outcome::Passed),
        start(12, None, Some(SectionPlan::new(Test, "sweep[size=1500]", 3))),
        end_of(12, Outcome::Passed),
        section_finished(failed(3, 50, None)),
        section_finished(blocked(7)),
        section_finished(blocked(8)),
        start(9, None, None),
        end_of(9, Outcome::Passed),
        end(TaskFinished {
            seconds: 0.5,
            log: OutputSize { bytes: 300, left_out: 0, head: 0, place: FilePlace::Named },
            ..finished(task, Outcome::Failed, Some("1 of 2 testcases failed"))
        }),
    ]
}

/// Returns a task that crashes in its first testcase.
pub(super) fn cut_off(task: TaskNumber) -> Vec<EventKind> {
    use SectionKind::{Test, Testcase};
    let plans = vec![
        SectionPlan::new(Testcase, "First", 0),
        SectionPlan::new(Test, "crash", 1),
        SectionPlan::new(Testcase, "Second", 0),
    ];
    vec![
        queued(task, "crash", 0),
        started(task, 1),
        planned(task, plans),
        section_started(task, 1),
        section_started(task, 2),
        end(TaskFinished {
            exit: Some(Exit::Signal(11)),
            ..finished(task, Outcome::Errored, Some("killed by SIGSEGV (signal 11)"))
        }),
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
