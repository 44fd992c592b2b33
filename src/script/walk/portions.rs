//! The run of an order: many walks in one call into Lua, which is entered again after each that does not run through.

use std::collections::HashSet;
use std::io;
use std::ops::Range;

use mlua::{Function, MultiValue, Table, Value};
use serde_json::Value as Json;

use super::Worker;
use super::loaded::{Code, Loaded, each, seconds_since};
use super::page::{Broken, monotonic};
use crate::model::{Level, RaisedError, WalkEnd, WalkEnded, WalkReport, WalkStep, Walks};
use crate::script::api::walk::{CANCEL_KIND, decode, encode};
use crate::script::error;

/// The longest message or traceback of a failure that is reported, in bytes.
const LONGEST: usize = 64 << 10;

/// The longest state that is reported with a failure, in bytes of JSON.
const LONGEST_STATE: usize = 1 << 20;

/// Runs the portions of walks at a stage.
pub(super) fn run(
    worker: &Worker<'_>,
    loaded: &mut Loaded,
    stage: usize,
    walks: &Walks,
    skip: Vec<u64>,
    update: Option<&Json>,
) -> io::Result<WalkReport> {
    let begun = monotonic();
    let actions_before = loaded.actions;
    worker.stage.set(u32::try_from(stage).unwrap_or(u32::MAX));
    let set = |loaded: &mut Loaded| -> mlua::Result<Code> {
        let value = update.map_or(Ok(Value::Nil), |update| decode(&loaded.lua, update))?;
        loaded.core.get::<Function>("set_update")?.call::<()>(value)?;
        loaded.code(stage, update.is_some())
    };
    let code = set(loaded).map_err(|error| io::Error::other(error::plain_text(&error)))?;
    let mut portions = Portions { worker, code, stage, ended: 0, ran: 0 };
    let skip: HashSet<u64> = skip.into_iter().collect();
    let mut next = None;
    for range in ranges(walks, &|id| !skip.contains(&id) && loaded.is_in_shard(id)) {
        next = portions.run(loaded, range)?;
        if next.is_some() {
            break;
        }
    }
    worker.shared.idle(portions.ended);
    worker.shared.set_actions(loaded.actions);
    if let Some(records) = &mut loaded.records {
        records.flush();
    }
    portions.tell_problem(loaded);
    let (ran, actions) = (portions.ran, loaded.actions - actions_before);
    Ok(WalkReport::Done { ran, actions, seconds: seconds_since(begun), next })
}

/// Returns the walks as ranges without a gap.
fn ranges(walks: &Walks, is_wanted: &dyn Fn(u64) -> bool) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    each(walks, &mut |id| {
        if !is_wanted(id) {
            return;
        }
        match ranges.last_mut() {
            Some(last) if last.end == id => last.end += 1,
            _ => ranges.push(id..id + 1),
        }
    });
    ranges
}

struct Portions<'a> {
    worker: &'a Worker<'a>,
    code: Code,
    stage: usize,
    /// Portions of the order that have ended.
    ended: u64,
    ran: u64,
}

impl Portions<'_> {
    /// Runs walks. Returns the first that is not run any more, where too many have failed.
    fn run(&mut self, loaded: &mut Loaded, range: Range<u64>) -> io::Result<Option<u64>> {
        let mut id = range.start;
        while id < range.end {
            let batch = loaded.records.as_ref().map_or(u64::MAX, super::records::Records::batch);
            let stop = range.end.min(id.saturating_add(batch));
            if let (Some(records), Some(plan)) = (&mut loaded.records, &loaded.plan) {
                records.announce(plan, self.stage, id..stop);
                self.tell_problem(loaded);
            }
            let begun = monotonic();
            let portions = stop - id;
            while id < stop {
                id = self.call(loaded, id..stop)?;
                if loaded.has_failed_enough() {
                    return Ok(Some(id));
                }
            }
            if let Some(records) = &mut loaded.records {
                records.adapt(portions, monotonic() - begun);
            }
        }
        Ok(None)
    }

    fn tell_problem(&self, loaded: &mut Loaded) {
        if let Some(problem) = loaded.new_problem() {
            self.worker.log(Level::Error, &problem);
        }
    }

    /// Runs walks until one does not run through. Returns the id of the next walk.
    fn call(&mut self, loaded: &mut Loaded, range: Range<u64>) -> io::Result<u64> {
        let shared = &self.worker.shared;
        shared.set(range.start, self.ended);
        let portion = loaded.plan.as_ref().map_or(0, |plan| plan.portion(range.start, self.stage));
        let arguments = [range.start, range.end, portion].map(|number| Value::Integer(number.cast_signed()));
        let returned = loaded.call(self.code.run.clone(), arguments.to_vec());
        let broken = shared.take_broken();
        let (failing, caught) = match (returned, broken) {
            (Ok(_), None) => {
                let now = monotonic();
                self.passed(loaded, range.clone(), now);
                return Ok(range.end);
            }
            // It is the last one, and has caught the error by which it was to be ended.
            (Ok(_), Some(_)) => (range.end - 1, None),
            (Err(caught), _) => {
                let failing = shared.current().unwrap_or(range.start).clamp(range.start, range.end - 1);
                (failing, Some(caught))
            }
        };
        let now = monotonic();
        self.passed(loaded, range.start..failing, now);
        let seconds = self.seconds(failing - range.start, now);
        let together = self.span(loaded, failing).min(range.end - failing);
        let (state, place) = self.code.at.call::<(Value, u32)>(()).unwrap_or((Value::Nil, 0));
        let (end, error) = explain(self.worker, caught, broken);
        let error = Self::cut(error);
        let reported = encode(&loaded.lua, &state, "the state").ok();
        let reported = reported.filter(|state| !state.is_null() && state.to_string().len() <= LONGEST_STATE);
        let steps = steps(loaded);
        self.count(loaded, place);
        for id in failing..failing + together {
            if let Some(records) = &mut loaded.records {
                let outcome = if end == WalkEnd::Cancelled { "cancelled" } else { "failed" };
                let message = Some(error.message.as_str()).filter(|message| !message.is_empty());
                records.ended(id, outcome, seconds, message);
            }
            loaded.keep(id, &state);
            loaded.failed += u64::from(end == WalkEnd::Failed);
            let ended = WalkEnded {
                id,
                stage: u32::try_from(self.stage).unwrap_or(u32::MAX),
                end,
                slot: place.checked_sub(1),
                error: Some(error.clone()).filter(|error| end == WalkEnd::Failed || !error.message.is_empty()),
                state: reported.clone(),
                steps: steps.clone(),
                seconds: in_seconds(seconds),
            };
            self.worker.line.send(&WalkReport::Walk(Box::new(ended)))?;
        }
        self.ended += together;
        self.ran += together;
        Ok(failing + together)
    }

    /// Notes walks that ran through.
    fn passed(&mut self, loaded: &mut Loaded, range: Range<u64>, now: u64) {
        let count = range.end - range.start;
        self.ended += count;
        self.ran += count;
        match &self.code.actions {
            Some(actions) => loaded.actions += actions.call::<u64>(()).unwrap_or(0),
            None => {
                let each = loaded.plan.as_ref().map_or(0, |plan| plan.stages()[self.stage].actions.len() as u64);
                loaded.actions += count * each;
            }
        }
        self.worker.shared.set_actions(loaded.actions);
        if let Some(records) = &mut loaded.records {
            let times = self.worker.shared.times();
            for (number, id) in range.enumerate() {
                let ended = times.get(number + 1).copied().unwrap_or(now);
                let begun = times.get(number).copied().unwrap_or(ended);
                records.ended(id, "passed", ended.saturating_sub(begun), None);
            }
        }
    }

    /// Counts the actions of a walk that did not run through: those up to the place where it ended.
    fn count(&self, loaded: &mut Loaded, place: u32) {
        if self.code.actions.is_some() {
            return;
        }
        let Some(plan) = &loaded.plan else { return };
        let actions = &plan.stages()[self.stage].actions;
        loaded.actions += match place {
            0 => 0,
            place => (place as usize).saturating_sub(actions.start) as u64,
        };
    }

    /// Returns the nanoseconds that a walk of the present call took.
    fn seconds(&self, number: u64, now: u64) -> u64 {
        let times = self.worker.shared.times();
        let begun = usize::try_from(number).ok().and_then(|number| times.get(number)).copied();
        begun.map_or(0, |begun| now.saturating_sub(begun))
    }

    /// Returns how many walks fail together with this one: what they have in common has run once.
    fn span(&self, loaded: &Loaded, id: u64) -> u64 {
        let Some((span, plan)) = self.code.span.as_ref().zip(loaded.plan.as_ref()) else { return 1 };
        span.call::<u64>(plan.portion(id, self.stage)).unwrap_or(1).max(1)
    }

    fn cut(mut error: RaisedError) -> RaisedError {
        shorten(&mut error.message);
        if let Some(traceback) = &mut error.traceback {
            shorten(traceback);
        }
        error
    }
}

/// Returns how a walk ended, and by what, from what was raised in it and what it is to be failed for.
pub(super) fn explain(
    worker: &Worker<'_>,
    caught: Option<MultiValue>,
    broken: Option<Broken>,
) -> (WalkEnd, RaisedError) {
    let is_sentinel = caught.as_ref().is_some_and(|caught| worker.shared.is_sentinel(caught));
    let raised = caught.filter(|_| !is_sentinel).map(error::uncaught);
    let failed = |kind: &str, message: String, raised: Option<RaisedError>| {
        // The stack is that of the call, unless something else was raised on the way out.
        match raised.filter(|raised| raised.kind == kind) {
            Some(raised) => (WalkEnd::Failed, raised),
            None => (WalkEnd::Failed, RaisedError { kind: kind.to_owned(), message, traceback: None }),
        }
    };
    match (broken, raised) {
        (Some(Broken::Exit(code)), raised) => failed("exit", format!("os.exit({code}) was called"), raised),
        (Some(Broken::Late), raised) => {
            failed("timeout", format!("{} took longer than max_walk_runtime", worker.shared.subject()), raised)
        }
        (None, Some(raised)) if raised.kind == CANCEL_KIND => (WalkEnd::Cancelled, raised),
        (None, Some(raised)) => (WalkEnd::Failed, raised),
        (None, None) => failed("error", "it was ended, and nobody said why".to_owned(), None),
    }
}

/// Returns the steps of the walk at hand over a machine.
pub(super) fn steps(loaded: &Loaded) -> Vec<WalkStep> {
    let Some(machine) = &loaded.machine else { return Vec::new() };
    let taken = machine.get::<Function>("taken").and_then(|taken| taken.call::<Vec<Table>>(()));
    let step =
        |step: Table| Some(WalkStep { slot: step.get::<u32>("rule").ok()? - 1, option: step.get("option").ok()? });
    taken.unwrap_or_default().into_iter().filter_map(step).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a walk does not take 100 days")]
fn in_seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

fn shorten(text: &mut String) {
    if text.len() > LONGEST {
        let kept = text.floor_char_boundary(LONGEST);
        let note = format!(" … ({} more bytes)", text.len() - kept);
        text.truncate(kept);
        text.push_str(&note);
    }
}
