//! The traces that the host writes: those of the walks that failed, and the list of the workers' traces.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde_json::Value;

use super::words::steps_of;
use crate::model::{WalkEnd, WalkEnded, WalkFailed, WalkStep, WalkSuite};
use crate::walk::{Plan, trace};

/// The trace of all walks that failed.
pub(crate) const FAILED: &str = "failed.trace";

/// The trace of what is left of walks that were made short, by the id of the first walk that failed so.
pub(crate) const SHRUNK: &str = "shrunk.trace";

/// The list of the workers' traces.
pub(super) const MASTER: &str = "master.trace";

/// Adds a worker's trace to the list in the folder of traces.
pub(super) fn list_trace(folder: &Path, worker: u32) -> io::Result<()> {
    let path = folder.join(MASTER);
    let mut out = Vec::new();
    if !path.exists() {
        trace::push_master(&mut out);
    }
    trace::push_listed(&mut out, worker, &trace::of_worker(folder, worker));
    File::options().append(true).create(true).open(path)?.write_all(&out)
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
    trace::push_header(&mut out, "", file, &suite.state);
    match File::options().write(true).create_new(true).open(folder.join(FAILED)) {
        Ok(mut created) => created.write_all(&out),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes the trace of walks that were made short: their ids, their steps, and what they raise.
pub(super) fn write_shrunk(
    path: &Path,
    file: &Path,
    suite: &WalkSuite,
    walks: &[(u64, Vec<WalkStep>, Option<String>)],
) -> io::Result<()> {
    if walks.is_empty() {
        return Ok(());
    }
    let mut out = Vec::new();
    trace::push_header(&mut out, "", file, &suite.state);
    for (id, steps, error) in walks {
        let actions: Vec<String> = steps.iter().map(|step| trace_action(suite, *step)).collect();
        trace::push_portion(&mut out, *id, actions.iter().map(String::as_str), None);
        trace::push_outcome(&mut out, *id, "failed", 0, error.as_deref());
    }
    std::fs::write(path, out)
}

fn trace_action(suite: &WalkSuite, step: WalkStep) -> String {
    let Some(slot) = suite.order.get(step.slot as usize) else { return "{}".to_owned() };
    trace::action(&slot.action, slot.options.get(step.option as usize).unwrap_or(&Value::Null))
}
