//! Walks in words: their actions with their options.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde_json::Value;

use crate::model::{WalkEnd, WalkEnded, WalkFailed, WalkStep, WalkSuite};
use crate::walk::{Plan, trace};

/// The trace of all walks that failed.
pub(super) const FAILED: &str = "failed.trace";

/// Bytes of an option that are shown; of longer ones the beginning.
const LONGEST: usize = 80;

/// Returns the steps of a walk in words: `Connect("tcp"), Config(1)`.
pub(crate) fn steps_in_words(suite: &WalkSuite, steps: &[WalkStep]) -> String {
    let words: Vec<String> = steps.iter().map(|step| step_in_words(suite, *step)).collect();
    words.join(", ")
}

/// Returns a step in words: `Config(1)`.
pub(crate) fn step_in_words(suite: &WalkSuite, step: WalkStep) -> String {
    let Some(slot) = suite.order.get(step.slot as usize) else { return "?".to_owned() };
    let option = slot.options.get(step.option as usize).unwrap_or(&Value::Null);
    format!("{}({})", slot.action, option_in_words(option))
}

/// Returns the steps of a walk of a plan.
pub(crate) fn steps_of(plan: &Plan, id: u64) -> Vec<WalkStep> {
    (0..).zip(plan.options(id)).map(|(slot, option)| WalkStep { slot, option }).collect()
}

/// Returns a step as it stands in a trace: `{"Config": 1}`.
pub(crate) fn traced(suite: &WalkSuite, step: WalkStep) -> Value {
    let slot = suite.order.get(step.slot as usize);
    let option = slot.and_then(|slot| slot.options.get(step.option as usize)).cloned().unwrap_or(Value::Null);
    let name = slot.map_or_else(|| "?".to_owned(), |slot| slot.action.clone());
    Value::Object([(name, option)].into_iter().collect())
}

fn option_in_words(option: &Value) -> String {
    let mut text = match option {
        Value::Null => "nil".to_owned(),
        Value::Object(fields) => match (fields.get("$class").and_then(Value::as_str), fields.get("value")) {
            (Some(class), Some(value)) => format!("{class}{value}"),
            _ => option.to_string(),
        },
        option => option.to_string(),
    };
    if text.len() > LONGEST {
        let end = text.floor_char_boundary(LONGEST);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Appends the walks that failed, whole, to the file `failed.trace` of a folder, from which they can be replayed.
pub(super) fn append_traces(
    folder: &Path,
    suite: &WalkSuite,
    plan: &Plan,
    failed: &[WalkFailed],
    ended: &[WalkEnded],
) -> io::Result<()> {
    let mut out = Vec::new();
    for walk in failed.iter().filter(|walk| walk.end == WalkEnd::Failed) {
        let own = ended.iter().find(|ended| ended.id == walk.id).map_or(&[][..], |ended| &ended.steps);
        let steps = if own.is_empty() && suite.machine.is_none() { steps_of(plan, walk.id) } else { own.to_vec() };
        let actions: Vec<String> = steps.iter().map(|step| trace_action(suite, *step)).collect();
        trace::push_portion(&mut out, walk.id, actions.iter().map(String::as_str), None);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time above 0")]
        let nanoseconds = (walk.seconds.max(0.0) * 1e9) as u64;
        let error = walk.error.as_ref().map(|error| error.message.as_str());
        trace::push_outcome(&mut out, walk.id, "failed", nanoseconds, error);
    }
    if out.is_empty() {
        return Ok(());
    }
    File::options().append(true).open(folder.join(FAILED))?.write_all(&out)
}

/// Begins the file `failed.trace`, unless it is there.
pub(super) fn begin_traces(folder: &Path, file: &Path, suite: &WalkSuite) -> io::Result<()> {
    let mut out = Vec::new();
    trace::push_header(&mut out, file, &suite.state);
    match File::options().write(true).create_new(true).open(folder.join(FAILED)) {
        Ok(mut created) => created.write_all(&out),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn trace_action(suite: &WalkSuite, step: WalkStep) -> String {
    let Some(slot) = suite.order.get(step.slot as usize) else { return "{}".to_owned() };
    trace::action(&slot.action, slot.options.get(step.option as usize).unwrap_or(&Value::Null))
}
