//! Objects that the processes of a run share, as they are named and spoken of: references, requests and answers.
//!
//! # The protocol
//!
//! A process speaks over the Unix socket that `RILLE_SYNCHRO` names: JSON objects, one a line, both ways. Requests are
//! answered in their order, one at a time; a call that waits keeps those behind it waiting. The first says who speaks:
//!
//! ```text
//! → {"op":"hello","task":3,"attempt":1}            the values of RILLE_TASK_NUMBER and RILLE_ATTEMPT
//! ← {"ok":{"protocol":1}}
//! → {"op":"add","object":"dict:3","key":"hits","value":1}
//! ← {"ok":1}
//! → {"op":"get","object":"queue:4","timeout":0.5}
//! ← {"timeout":true}
//! → {"op":"gett","object":"queue:4"}
//! ← {"error":{"kind":"usage","message":"there is no operation 'gett'; did you mean 'get'?"}}
//! ```
//!
//! An object is named by its type and number, `dict:3`: a program finds that in the environment variable of the
//! parameter. Inside a value it is `{"__synchro__":{"type":"dict","id":3}}`; values are JSON in the forms of
//! [`Value`]. Positions in a list count from 1. What a connection holds (locks, slots) is released
//! when it closes. A line that is no JSON, or is longer than [`FRAME_LIMIT`], ends the connection on which it came.

mod kinds;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub(crate) use self::kinds::{Gives, Keys, Method, SharedKind, Takes};
use super::{Key, TaskNumber, Value, nearest};

/// The longest line that a process may send, in bytes.
pub(crate) const FRAME_LIMIT: usize = 16 << 20;

/// The version of the protocol.
pub(crate) const PROTOCOL: u32 = 1;

/// The key under which a reference stands in a value.
pub(crate) const REFERENCE: &str = "__synchro__";

/// The number of a shared object in its run, from 1.
pub(crate) type ObjectId = u64;

/// Names a shared object: `dict:3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SharedRef {
    /// What it is.
    pub(crate) kind: SharedKind,
    /// Its number.
    pub(crate) id: ObjectId,
}

impl fmt::Display for SharedRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.id)
    }
}

/// A text that names no shared object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{}' names no shared object; one is named as in dict:3", .0.escape_debug())]
pub(crate) struct NoSharedRef(String);

impl FromStr for SharedRef {
    type Err = NoSharedRef;

    fn from_str(text: &str) -> Result<Self, NoSharedRef> {
        let parts = text
            .split_once(':')
            .and_then(|(kind, id)| Some(Self { kind: SharedKind::named(kind)?, id: id.parse().ok()? }));
        parts.ok_or_else(|| NoSharedRef(text.to_owned()))
    }
}

impl Serialize for SharedRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SharedRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl SharedRef {
    /// Returns what stands under [`REFERENCE`] in the JSON of a value.
    pub(super) fn content(self) -> impl Serialize {
        #[derive(Serialize)]
        struct Content {
            #[serde(rename = "type")]
            kind: SharedKind,
            id: ObjectId,
        }
        Content { kind: self.kind, id: self.id }
    }

    /// Reads it.
    pub(super) fn of_content(content: &Value) -> Option<Self> {
        let kind = SharedKind::named(content.get("type")?.as_str()?)?;
        match content.get("id")? {
            Value::Integer(id) => Some(Self { kind, id: ObjectId::try_from(*id).ok()? }),
            _ => None,
        }
    }
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Op {
    /// Says which task speaks: `task`, `attempt`.
    Hello,
    /// Makes an object: `type`, and as `value` the number of a semaphore or barrier or the content of a value.
    New,
    /// Reads a key, a position, the content of a value; takes from a queue, waiting for something to take.
    Get,
    /// Writes a key, a position, the content of a value (null removes a key); sets an event.
    Set,
    /// Whether there is such a key.
    Has,
    /// Reads and removes a key or a position, the last if none is named.
    Pop,
    /// All keys, in the order in which they came.
    Keys,
    /// All pairs of key and value in that order.
    Items,
    /// Everything: an object, a list; pairs where keys are not all texts.
    Copy,
    /// Writes several keys: `value` is an object or a list of pairs.
    Update,
    /// Removes everything; makes an event unset.
    Clear,
    /// How many: keys, items, free slots, those that wait at a barrier.
    Length,
    /// Adds `value` (1) to the number under a key, at a position or in a value, and returns the sum.
    Add,
    /// Adds to the end of a list.
    Append,
    /// Puts into a list before a position.
    Insert,
    /// Adds the items of a list to the end.
    Extend,
    /// Puts into a queue.
    Put,
    /// Takes a lock, or a slot of a semaphore, waiting for it.
    Acquire,
    /// Gives it back.
    Release,
    /// Whether an event is set, a lock held.
    IsSet,
    /// Waits for an event, or for all at a barrier.
    Wait,
    /// Gives up the request before it, if that waits: it is answered by an error of kind `cancelled`. Is not answered itself.
    Cancel,
}

/// The names of all operations, as the protocol has them.
const OPERATIONS: [&str; 22] = [
    "hello", "new", "get", "set", "has", "pop", "keys", "items", "copy", "update", "clear", "length", "add", "append",
    "insert", "extend", "put", "acquire", "release", "is_set", "wait", "cancel",
];

impl Op {
    /// Returns the name of the operation.
    pub(crate) fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Returns every operation.
    #[cfg(test)]
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        OPERATIONS.into_iter().filter_map(|name| serde_json::from_value(name.into()).ok())
    }

    /// Returns what to say of an operation that there is not.
    pub(crate) fn unknown(name: &str) -> String {
        let hint = match nearest(name, OPERATIONS) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("there are: {}", OPERATIONS.join(" ")),
        };
        format!("there is no operation '{}'; {hint}", name.escape_debug())
    }
}

/// One thing that is asked of a shared object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// What to do.
    pub(crate) op: Op,
    /// With which object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) object: Option<SharedRef>,
    /// Under which key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Key>,
    /// With what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Value>,
    /// How many seconds to wait at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<f64>,
    /// What to make.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<SharedKind>,
    /// Which task speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) task: Option<TaskNumber>,
    /// Which attempt at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attempt: Option<u32>,
}

impl Request {
    /// Makes a request about an object, without anything else.
    pub(crate) fn of(op: Op, object: SharedRef) -> Self {
        Self { object: Some(object), ..Self::bare(op) }
    }

    /// Makes a request to make an object.
    pub(crate) fn new_object(kind: SharedKind, value: Option<Value>) -> Self {
        Self { kind: Some(kind), value, ..Self::bare(Op::New) }
    }

    /// Makes the first request of a task.
    pub(crate) fn hello(task: TaskNumber, attempt: u32) -> Self {
        Self { task: Some(task), attempt: Some(attempt), ..Self::bare(Op::Hello) }
    }

    /// Makes a request about nothing in particular.
    pub(crate) const fn bare(op: Op) -> Self {
        Self { op, object: None, key: None, value: None, timeout: None, kind: None, task: None, attempt: None }
    }
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    /// It was done, with this result.
    Ok(Value),
    /// The time was over before it could be done.
    Timeout(bool),
    /// It was not done.
    Error(Fault),
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fault {
    /// What kind of reason.
    pub(crate) kind: FaultKind,
    /// The reason, and what to do about it.
    pub(crate) message: String,
}

/// What kind of reason a request was not done for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FaultKind {
    /// It makes no sense.
    Usage,
    /// Nobody is left who could end the wait.
    Broken,
    /// The run was asked to stop.
    Cancelled,
    /// The run is ending, and with it its shared objects.
    Closed,
    /// What came is no message of the protocol.
    Protocol,
}

impl FaultKind {
    /// Returns the kind in one word, as scripts see it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Broken => "broken",
            Self::Cancelled => "cancelled",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
        }
    }
}

impl Fault {
    /// Makes a fault.
    pub(crate) fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Makes the fault of a request that makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Usage, message)
    }

    /// Makes the fault of a run that is ending.
    pub(crate) fn closed() -> Self {
        Self::new(FaultKind::Closed, "the run is ending, and its shared objects with it")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_operation_has_its_name_in_the_list() {
        for name in OPERATIONS {
            let op: Op = serde_json::from_value(json!(name)).unwrap();
            assert_eq!(op.name(), name);
        }
        assert!(Op::unknown("gett").ends_with("did you mean 'get'?"));
        assert!(Op::unknown("zzzzz").contains("hello new get"));
    }

    #[test]
    fn references_are_found_in_values_and_come_back() {
        let reference = SharedRef { kind: SharedKind::Rlock, id: 7 };
        assert_eq!("rlock:7".parse(), Ok(reference));
        let form = json!({ "__synchro__": { "type": "rlock", "id": 7 } });
        assert_eq!(Value::Shared(reference).to_json(), form);
        for wrong in ["rlock", "rlock:", "rlock:x", "dog:7", "", "dict:-1"] {
            assert!(wrong.parse::<SharedRef>().unwrap_err().to_string().contains("names no shared object"), "{wrong}");
        }
        let mut found = Vec::new();
        let value =
            Value::of_json(&json!({ "a": [1, form, { "b": form }, { "$map": [[1, form]] }], "__synchro__": 3 }));
        value.references(&mut |reference| found.push(reference.to_string()));
        assert_eq!(found, ["rlock:7", "rlock:7", "rlock:7"]);
    }

    #[test]
    fn requests_and_answers_are_as_documented() {
        let request: Request =
            serde_json::from_str(r#"{"op":"add","object":"dict:3","key":"hits","value":1}"#).unwrap();
        let object = SharedRef { kind: SharedKind::Dict, id: 3 };
        assert_eq!(request.key, Some(Key::Text("hits".to_owned())));
        assert_eq!(Request { key: None, value: None, ..request }, Request::of(Op::Add, object));
        for (answer, line) in [
            (Answer::Ok(1_i64.into()), r#"{"ok":1}"#),
            (Answer::Ok(Value::Null), r#"{"ok":null}"#),
            (Answer::Timeout(true), r#"{"timeout":true}"#),
            (Answer::Error(Fault::usage("x")), r#"{"error":{"kind":"usage","message":"x"}}"#),
        ] {
            assert_eq!(serde_json::to_string(&answer).unwrap(), line);
            assert_eq!(serde_json::from_str::<Answer>(line).unwrap(), answer);
        }
        for wrong in [r#"{"op":"get","key":[1]}"#, r#"{"op":"get","key":null,"timout":1}"#, r#"{"op":"dig"}"#] {
            assert!(serde_json::from_str::<Request>(wrong).is_err(), "{wrong}");
        }
    }
}
