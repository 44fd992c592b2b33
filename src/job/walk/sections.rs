//! Walks as sections of their worker's task: so every report lists them as it lists testcases.

use serde_json::json;

use crate::model::{
    EventKind, LogRange, Outcome, SectionFinished, SectionKind, SectionNumber, SectionPlan, SectionStarted, TaskNumber,
    Value, WalkEnd, WalkFailed,
};

/// Returns the events of a walk that came to its end as a section of this number.
pub(super) fn events(task: TaskNumber, section: SectionNumber, walk: &WalkFailed) -> Vec<EventKind> {
    let uid = format!("walk {}: {}", walk.id, walk.walk);
    let plan = SectionPlan::new(SectionKind::Testcase, uid, 0);
    let message = walk.error.as_ref().map(|error| error.message.clone()).filter(|message| !message.is_empty());
    let (outcome, reason) = match walk.end {
        WalkEnd::Passed => (Outcome::Passed, None),
        WalkEnd::Cancelled => {
            let reason = message.map_or_else(|| "cancelled".to_owned(), |message| format!("cancelled: {message}"));
            (Outcome::Skipped, Some(reason))
        }
        WalkEnd::Failed => (Outcome::Failed, message),
    };
    let traceback = walk.error.as_ref().filter(|_| walk.end == WalkEnd::Failed);
    let traceback = traceback.and_then(|error| error.traceback.clone());
    let started = SectionStarted { task, section, plan: Some(plan), uid: None };
    let finished = SectionFinished {
        will_retry: false,
        task,
        section,
        outcome,
        reason,
        data: traceback.map(|traceback| Value::of_json(&json!({ "traceback": traceback }))),
        seconds: walk.seconds,
        log: LogRange::default(),
    };
    vec![EventKind::SectionStarted(Box::new(started)), EventKind::SectionFinished(Box::new(finished))]
}
