//! What the types of shared objects do, a file a type behind one trait.
//!
//! An object answers, or has its caller wait, and says whose wait is over; it knows no time, no socket and no other object.

mod barrier;
mod dict;
mod entries;
mod event;
mod grip;
mod list;
mod queue;
mod sum;
mod value;

use std::collections::VecDeque;

use self::barrier::Barrier;
use self::dict::Dict;
use self::event::Event;
use self::grip::Grip;
use self::list::List;
use self::queue::Queue;
use self::value::Content;
use super::holder::HolderId;
use crate::model::{Fault, Key, Op, SharedKind, SharedRef, Value, nearest};

/// Those who wait for an object, the longest first.
pub(super) type Waiting = VecDeque<HolderId>;

/// What an object of a type holds, and what it does with it.
pub(super) trait Body: Send {
    /// Does what is asked.
    fn ask(&mut self, ask: Ask<'_>) -> Result<Turn, Fault>;

    /// Returns whether a value that comes now stays in it.
    fn keeps(&self, _waiting: &Waiting) -> bool {
        false
    }

    /// Takes back what a holder has that is gone; returns whose wait is over by that.
    fn leave(&mut self, _holder: HolderId, _waiting: &Waiting) -> Vec<(HolderId, Value)> {
        Vec::new()
    }

    /// Returns who can end the waits for it.
    fn ended_by(&self, _waiting: &Waiting) -> EndedBy {
        EndedBy::Anybody("is waited for, and nobody is left who could change it")
    }
}

/// What is asked of an object.
pub(super) struct Ask<'a> {
    /// The name of the object.
    pub(super) name: SharedRef,
    pub(super) op: Op,
    pub(super) key: Option<Key>,
    pub(super) value: Option<Value>,
    /// Who asks.
    pub(super) holder: HolderId,
    /// Whether a wait would have no limit.
    pub(super) is_endless: bool,
    pub(super) waiting: &'a Waiting,
}

/// What comes of it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Turn {
    /// The answer; without one the caller waits.
    pub(super) answer: Option<Value>,
    /// Whose wait is over, with the answers, in their order.
    pub(super) woken: Vec<(HolderId, Value)>,
}

/// Who can end the waits for an object.
#[derive(Debug, PartialEq)]
pub(super) enum EndedBy {
    /// Anybody who reaches it; how it stands if nobody does.
    Anybody(&'static str),
    /// One of these.
    OneOf(Vec<HolderId>),
    /// So many more that come to wait.
    Arrivals(usize),
}

impl Turn {
    /// Has the caller wait.
    pub(super) fn wait() -> Self {
        Self::default()
    }

    /// Answers.
    pub(super) fn done(value: impl Into<Value>) -> Self {
        Self { answer: Some(value.into()), woken: Vec::new() }
    }
}

/// Makes what an object of this kind holds.
pub(super) fn body(kind: SharedKind, value: Option<&Value>) -> Result<Box<dyn Body>, Fault> {
    if let (Some(other), false) =
        (value, matches!(kind, SharedKind::Semaphore | SharedKind::Barrier | SharedKind::Value))
    {
        return Err(Fault::usage(format!("{}() takes nothing, got {other}", kind.name())));
    }
    Ok(match kind {
        SharedKind::Dict | SharedKind::Namespace => Box::new(Dict::default()),
        SharedKind::List => Box::new(List::default()),
        SharedKind::Queue => Box::new(Queue::default()),
        SharedKind::Lock => Box::new(Grip::new(1, false)),
        SharedKind::Rlock => Box::new(Grip::new(1, true)),
        SharedKind::Semaphore => Box::new(Grip::new(count(kind, value)?, false)),
        SharedKind::Event => Box::new(Event::default()),
        SharedKind::Barrier => Box::new(Barrier::new(count(kind, value)?)),
        SharedKind::Value => Box::new(Content(value.cloned().unwrap_or_default())),
    })
}

fn count(kind: SharedKind, value: Option<&Value>) -> Result<usize, Fault> {
    let number = match value {
        Some(Value::Integer(number)) => usize::try_from(*number).ok(),
        _ => None,
    };
    number.filter(|number| (1..=1_000_000).contains(number)).ok_or_else(|| {
        let got = value.map_or_else(|| "nothing".to_owned(), Value::to_string);
        Fault::usage(format!("{}(n) takes a whole number from 1, got {got}", kind.name()))
    })
}

/// Makes the fault of an operation that this kind of object does not have.
fn not_its(name: SharedRef, op: Op) -> Fault {
    let names: Vec<String> = name.kind.row().operations.iter().map(|op| op.name()).collect();
    let op = op.name();
    let hint = match nearest(&op, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("it has: {}", names.join(" ")),
    };
    Fault::usage(format!("{name} has no operation '{op}'; {hint}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Request;

    /// Does a list of requests to a new object and returns what came of each, one a line.
    pub(super) fn check(kind: SharedKind, requests: &[&str]) -> String {
        let name = SharedRef { kind, id: 1 };
        let mut body = body(kind, None).unwrap();
        let done = requests.iter().map(|request| {
            let mut request: serde_json::Value = serde_json::from_str(request).unwrap();
            request["object"] = json!(name.to_string());
            let Request { op, key, value, .. } = serde_json::from_value(request).unwrap();
            let ask = Ask { name, op, key, value, holder: 0, is_endless: true, waiting: &Waiting::new() };
            match body.ask(ask) {
                Ok(turn) => turn.answer.map_or_else(|| "waits".to_owned(), |value| value.to_string()),
                Err(fault) => fault.message,
            }
        });
        done.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_type_has_the_operations_of_its_row_and_no_others() {
        for kind in SharedKind::ALL {
            let count = matches!(kind, SharedKind::Semaphore | SharedKind::Barrier).then(|| Value::from(2_usize));
            let name = SharedRef { kind: *kind, id: 1 };
            for op in Op::all() {
                let mut body = body(*kind, count.as_ref()).unwrap();
                let waiting = Waiting::new();
                let (key, value) = (None, None);
                let ask = Ask { name, op, key, value, holder: 0, is_endless: true, waiting: &waiting };
                let is_there = !body.ask(ask).is_err_and(|fault| fault.message.contains("has no operation"));
                assert_eq!(is_there, kind.row().operations.contains(&op), "{op:?} of {name}");
            }
        }
    }

    #[test]
    fn a_number_of_slots_is_checked() {
        for wrong in [json!(null), json!(0), json!(1.5), json!("2"), json!(-1)] {
            let wrong = Some(Value::of_json(&wrong)).filter(|value| !value.is_null());
            let made = body(SharedKind::Barrier, wrong.as_ref()).err().unwrap();
            assert!(made.message.starts_with("barrier(n) takes a whole number from 1, got "), "{wrong:?}");
        }
        assert!(body(SharedKind::Dict, Some(&Value::Integer(1))).is_err());
    }
}
