//! Shared objects, and what can be done with them without waiting.

use std::collections::{HashSet, VecDeque};

use super::entries::Entries;
use super::state::HolderId;
use crate::model::{Fault, Key, ObjectId, Op, Request, SharedKind, SharedRef, Value, nearest};

/// A shared object.
pub(super) struct Object {
    pub(super) kind: SharedKind,
    pub(super) body: Body,
    /// The objects to which a reference was ever put into this one: who reaches this one reaches them.
    pub(super) links: HashSet<ObjectId>,
    /// Who waits for it, the longest first.
    pub(super) waiting: VecDeque<HolderId>,
}

/// What an object holds.
pub(super) enum Body {
    /// A dict or a namespace.
    Entries(Entries),
    /// A list, or the values in a queue.
    Items(VecDeque<Value>),
    /// A lock, an rlock or a semaphore.
    Grip(Grip),
    /// Whether an event is set.
    Event(bool),
    /// How many a barrier waits for.
    Barrier(usize),
    /// The content of a value.
    Value(Value),
}

/// Something that a limited number can hold.
pub(super) struct Grip {
    /// How many.
    pub(super) slots: usize,
    /// Whether who holds it may take it again.
    pub(super) is_reentrant: bool,
    /// Who holds how much.
    pub(super) owners: Vec<(HolderId, usize)>,
}

impl Grip {
    /// Returns how many slots are free.
    pub(super) fn free(&self) -> usize {
        let held: usize = match self.is_reentrant {
            true => self.owners.len(),
            false => self.owners.iter().map(|(_, count)| count).sum(),
        };
        self.slots.saturating_sub(held)
    }

    /// Returns how much a holder has.
    pub(super) fn held_by(&self, holder: HolderId) -> usize {
        self.owners.iter().find(|(owner, _)| *owner == holder).map_or(0, |(_, count)| *count)
    }

    /// Takes a slot, if one is free or the holder may take its own again. Returns whether it was.
    pub(super) fn take(&mut self, holder: HolderId) -> bool {
        let again = self.is_reentrant && self.held_by(holder) > 0;
        if !again && self.free() == 0 {
            return false;
        }
        match self.owners.iter_mut().find(|(owner, _)| *owner == holder) {
            Some((_, count)) => *count += 1,
            None => self.owners.push((holder, 1)),
        }
        true
    }

    /// Gives one back. Returns false if the holder has none.
    pub(super) fn give_back(&mut self, holder: HolderId) -> bool {
        let Some(at) = self.owners.iter().position(|(owner, _)| *owner == holder) else { return false };
        self.owners[at].1 -= 1;
        if self.owners[at].1 == 0 {
            self.owners.remove(at);
        }
        true
    }
}

impl Object {
    /// Makes an object of this kind.
    pub(super) fn new(kind: SharedKind, value: Option<&Value>) -> Result<Self, Fault> {
        let grip = |slots, is_reentrant| Body::Grip(Grip { slots, is_reentrant, owners: Vec::new() });
        let takes_nothing = |body| match value {
            None => Ok(body),
            Some(other) => Err(Fault::usage(format!("{}() takes nothing, got {other}", kind.name()))),
        };
        let body = match kind {
            SharedKind::Dict | SharedKind::Namespace => takes_nothing(Body::Entries(Entries::default()))?,
            SharedKind::List | SharedKind::Queue => takes_nothing(Body::Items(VecDeque::new()))?,
            SharedKind::Lock => takes_nothing(grip(1, false))?,
            SharedKind::Rlock => takes_nothing(grip(1, true))?,
            SharedKind::Semaphore => grip(count(kind, value)?, false),
            SharedKind::Event => takes_nothing(Body::Event(false))?,
            SharedKind::Barrier => Body::Barrier(count(kind, value)?),
            SharedKind::Value => Body::Value(value.cloned().unwrap_or(Value::Null)),
        };
        let mut object = Self { kind, body, links: HashSet::new(), waiting: VecDeque::new() };
        if let (SharedKind::Value, Some(value)) = (kind, value) {
            object.link(value);
        }
        Ok(object)
    }

    /// Notes the references in a value that is put into the object.
    pub(super) fn link(&mut self, value: &Value) {
        value.references(&mut |reference| {
            self.links.insert(reference.id);
        });
    }

    /// Does what needs no waiting, to an object that is named `name`.
    pub(super) fn handle(&mut self, name: SharedRef, request: Request) -> Result<Value, Fault> {
        if let Some(value) = &request.value {
            self.link(value);
        }
        let Request { op, key, value, .. } = request;
        match &mut self.body {
            Body::Entries(entries) => on_entries(entries, name, op, key.as_ref(), value),
            Body::Items(items) if self.kind == SharedKind::List => on_list(items, name, op, key.as_ref(), value),
            Body::Value(content) => on_value(content, name, op, value),
            Body::Items(_) | Body::Grip(_) | Body::Event(_) | Body::Barrier(_) => Err(not_its(name, op)),
        }
    }
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

/// Returns the operations that a kind of object has.
fn operations(kind: SharedKind) -> &'static [Op] {
    match kind {
        SharedKind::Dict | SharedKind::Namespace => &[
            Op::Get,
            Op::Set,
            Op::Has,
            Op::Pop,
            Op::Keys,
            Op::Items,
            Op::Copy,
            Op::Update,
            Op::Clear,
            Op::Length,
            Op::Add,
        ],
        SharedKind::List => {
            &[Op::Get, Op::Set, Op::Append, Op::Insert, Op::Extend, Op::Pop, Op::Copy, Op::Clear, Op::Length, Op::Add]
        }
        SharedKind::Queue => &[Op::Put, Op::Get, Op::Length],
        SharedKind::Lock | SharedKind::Rlock | SharedKind::Semaphore => {
            &[Op::Acquire, Op::Release, Op::IsSet, Op::Length]
        }
        SharedKind::Event => &[Op::Set, Op::Clear, Op::IsSet, Op::Wait],
        SharedKind::Barrier => &[Op::Wait, Op::Length],
        SharedKind::Value => &[Op::Get, Op::Set, Op::Add],
    }
}

/// Makes the fault of an operation that this kind of object does not have.
pub(super) fn not_its(name: SharedRef, op: Op) -> Fault {
    let names: Vec<String> = operations(name.kind).iter().map(|op| op.name()).collect();
    let op = op.name();
    let hint = match nearest(&op, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("it has: {}", names.join(" ")),
    };
    Fault::usage(format!("{name} has no operation '{op}'; {hint}"))
}

fn on_entries(
    entries: &mut Entries,
    name: SharedRef,
    op: Op,
    key: Option<&Key>,
    value: Option<Value>,
) -> Result<Value, Fault> {
    let key = |op: &str| match key {
        Some(other) if name.kind == SharedKind::Namespace && !matches!(other, Key::Text(_)) => {
            Err(Fault::usage(format!("{name} has names as keys, got {other}")))
        }
        Some(key) => Ok(key),
        None => Err(Fault::usage(format!("'{op}' of {name} needs a key"))),
    };
    Ok(match op {
        Op::Get => entries.get(key("get")?).cloned().unwrap_or(Value::Null),
        Op::Has => Value::Bool(entries.get(key("has")?).is_some()),
        Op::Set => {
            entries.set(key("set")?.clone(), value.unwrap_or(Value::Null));
            Value::Null
        }
        Op::Pop => entries.remove(key("pop")?).unwrap_or(Value::Null),
        Op::Add => {
            let key = key("add")?;
            match entries.get_mut(key) {
                Some(old) => add(old, value.as_ref(), || format!("{name} under {key}"))?,
                None => {
                    let mut new = Value::Integer(0);
                    add(&mut new, value.as_ref(), || format!("{name} under {key}"))?;
                    entries.set(key.clone(), new.clone());
                    new
                }
            }
        }
        Op::Keys => entries.pairs().map(|(key, _)| key.clone().into()).collect(),
        Op::Items => pairs(entries),
        Op::Copy => match entries.pairs().all(|(key, _)| matches!(key, Key::Text(_))) {
            true => Value::Map(entries.pairs().map(|(key, value)| (key.clone(), value.clone())).collect()),
            false => pairs(entries),
        },
        Op::Update => {
            for (key, value) in several(name, value)? {
                entries.set(key, value);
            }
            Value::Null
        }
        Op::Clear => {
            entries.clear();
            Value::Null
        }
        Op::Length => Value::from(entries.len()),
        _ => return Err(not_its(name, op)),
    })
}

fn pairs(entries: &Entries) -> Value {
    entries.pairs().map(|(key, value)| Value::List(vec![key.clone().into(), value.clone()])).collect()
}

/// Reads the pairs of an update. Nothing is changed unless all are right.
fn several(name: SharedRef, value: Option<Value>) -> Result<Vec<(Key, Value)>, Fault> {
    let wrong = || Fault::usage(format!("'update' of {name} takes an object, or a list of pairs of key and value"));
    let fits = |key: &Key| name.kind == SharedKind::Dict || matches!(key, Key::Text(_));
    match value {
        Some(Value::Map(fields)) if fields.keys().all(fits) => Ok(fields.into_iter().collect()),
        Some(Value::List(items)) => items
            .into_iter()
            .map(|item| {
                let Value::List(mut pair) = item else { return Err(wrong()) };
                let (Some(value), Some(key), true) = (pair.pop(), pair.pop(), pair.is_empty()) else {
                    return Err(wrong());
                };
                Key::of_value(key).filter(fits).map(|key| (key, value)).ok_or_else(wrong)
            })
            .collect(),
        _ => Err(wrong()),
    }
}

fn on_list(
    items: &mut VecDeque<Value>,
    name: SharedRef,
    op: Op,
    key: Option<&Key>,
    value: Option<Value>,
) -> Result<Value, Fault> {
    let length = items.len();
    let position = |op: &str, most: usize| match key {
        Some(Key::Integer(index)) => {
            let index = usize::try_from(*index).ok().filter(|index| (1..=most).contains(index));
            let index = index.map(|index| index - 1);
            index.ok_or_else(|| {
                Fault::usage(format!("{name} has {length} items; '{op}' takes a position from 1 to {most}"))
            })
        }
        Some(other) => Err(Fault::usage(format!("{name} has positions from 1, got {other}"))),
        None => Err(Fault::usage(format!("'{op}' of {name} needs a position from 1"))),
    };
    let value = value.unwrap_or(Value::Null);
    Ok(match op {
        // What is not there is nothing, as in Lua.
        Op::Get => match key {
            Some(Key::Integer(_)) => {
                position("get", usize::MAX).ok().and_then(|at| items.get(at).cloned()).unwrap_or_default()
            }
            _ => items[position("get", length)?].clone(),
        },
        Op::Set => {
            let at = position("set", length + 1)?;
            match at == length {
                true => items.push_back(value),
                false => items[at] = value,
            }
            Value::Null
        }
        Op::Append => {
            items.push_back(value);
            Value::Null
        }
        Op::Insert => {
            items.insert(position("insert", length + 1)?, value);
            Value::Null
        }
        Op::Extend => match value {
            Value::List(more) => {
                items.extend(more);
                Value::Null
            }
            Value::Map(fields) if fields.is_empty() => Value::Null,
            _ => return Err(Fault::usage(format!("'extend' of {name} takes a list"))),
        },
        Op::Pop if items.is_empty() => Value::Null,
        Op::Pop => match key {
            None => items.pop_back().unwrap_or(Value::Null),
            Some(_) => items.remove(position("pop", length)?).unwrap_or(Value::Null),
        },
        Op::Add => {
            let at = position("add", length)?;
            add(&mut items[at], Some(&value).filter(|value| !value.is_null()), || format!("{name} at {}", at + 1))?
        }
        Op::Copy => items.iter().cloned().collect(),
        Op::Clear => {
            items.clear();
            Value::Null
        }
        Op::Length => Value::from(length),
        _ => return Err(not_its(name, op)),
    })
}

fn on_value(content: &mut Value, name: SharedRef, op: Op, value: Option<Value>) -> Result<Value, Fault> {
    match op {
        Op::Get => Ok(content.clone()),
        Op::Set => {
            *content = value.unwrap_or(Value::Null);
            Ok(Value::Null)
        }
        Op::Add => add(content, value.as_ref(), || name.to_string()),
        _ => Err(not_its(name, op)),
    }
}

/// Adds to the number in `place`; nothing there counts as 0. Whole numbers stay whole. Returns the sum.
fn add(place: &mut Value, amount: Option<&Value>, at: impl Fn() -> String) -> Result<Value, Fault> {
    let wrong = |what: &str, value: &Value| Fault::usage(format!("{} {what} {value}, which is no number", at()));
    let (zero, one) = (Value::Integer(0), Value::Integer(1));
    let amount = amount.unwrap_or(&one);
    let old = if place.is_null() { &zero } else { &*place };
    let Some(first) = number(old) else { return Err(wrong("holds", old)) };
    let Some(second) = number(amount) else { return Err(wrong("cannot be added", amount)) };
    let sum = match (old, amount) {
        (Value::Integer(old), Value::Integer(amount)) => old.checked_add(*amount).map(Value::Integer),
        _ => Some(Value::Float(first + second)),
    };
    let sum = sum.ok_or_else(|| Fault::usage(format!("{} holds {old}; with {amount} it is too large", at())))?;
    *place = sum.clone();
    Ok(sum)
}

/// Returns a number as a float.
fn number(value: &Value) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "the sum of a float and a whole number is a float, as in Lua")]
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        Value::Large(digits) => digits.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Does a list of requests to a new object and returns what came of each, one a line.
    fn check(kind: SharedKind, requests: &[&str]) -> String {
        let name = SharedRef { kind, id: 1 };
        let mut object = Object::new(kind, None).unwrap();
        let done = requests.iter().map(|request| {
            let mut request: serde_json::Value = serde_json::from_str(request).unwrap();
            request["object"] = json!(name.to_string());
            match object.handle(name, serde_json::from_value(request).unwrap()) {
                Ok(value) => value.to_string(),
                Err(fault) => fault.message,
            }
        });
        done.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_dict_does_what_it_says() {
        let done = check(
            SharedKind::Dict,
            &[
                r#"{"op":"set","key":"a","value":1}"#,
                r#"{"op":"set","key":1,"value":[2.0]}"#,
                r#"{"op":"copy"}"#,
                r#"{"op":"update","value":[["b",3],[true,4]]}"#,
                r#"{"op":"update","value":[["c",3],[[1],4]]}"#,
                r#"{"op":"keys"}"#,
                r#"{"op":"pop","key":1}"#,
                r#"{"op":"has","key":1}"#,
                r#"{"op":"get","key":"1"}"#,
                r#"{"op":"add","key":"a","value":2}"#,
                r#"{"op":"add","key":"new"}"#,
                r#"{"op":"add","key":"a","value":0.5}"#,
                r#"{"op":"set","key":"s","value":"x"}"#,
                r#"{"op":"add","key":"s","value":1}"#,
                r#"{"op":"set","key":"m","value":9223372036854775807}"#,
                r#"{"op":"add","key":"m","value":1}"#,
                r#"{"op":"length"}"#,
                r#"{"op":"append","value":1}"#,
                r#"{"op":"get"}"#,
                r#"{"op":"clear"}"#,
                r#"{"op":"items"}"#,
            ],
        );
        let expected = "null\nnull\n[[\"a\",1],[1,[2.0]]]\nnull\n\
             'update' of dict:1 takes an object, or a list of pairs of key and value\n\
             [\"a\",1,\"b\",true]\n[2.0]\nfalse\nnull\n3\n1\n3.5\nnull\n\
             dict:1 under 's' holds \"x\", which is no number\nnull\n\
             dict:1 under 'm' holds 9223372036854775807; with 1 it is too large\n6\n\
             dict:1 has no operation 'append'; it has: get set has pop keys items copy update clear length add\n\
             'get' of dict:1 needs a key\nnull\n[]";
        assert_eq!(done, expected);
    }

    #[test]
    fn a_list_does_what_it_says() {
        let done = check(
            SharedKind::List,
            &[
                r#"{"op":"pop"}"#,
                r#"{"op":"append","value":"a"}"#,
                r#"{"op":"set","key":2,"value":"b"}"#,
                r#"{"op":"set","key":4,"value":"d"}"#,
                r#"{"op":"insert","key":1,"value":0}"#,
                r#"{"op":"extend","value":[5,6]}"#,
                r#"{"op":"get","key":9}"#,
                r#"{"op":"get","key":"x"}"#,
                r#"{"op":"pop","key":1}"#,
                r#"{"op":"pop"}"#,
                r#"{"op":"pop","key":7}"#,
                r#"{"op":"add","key":3,"value":2}"#,
                r#"{"op":"copy"}"#,
                r#"{"op":"extend","value":1}"#,
                r#"{"op":"wait"}"#,
            ],
        );
        let expected = "null\nnull\nnull\nlist:1 has 2 items; 'set' takes a position from 1 to 3\nnull\nnull\nnull\n\
             list:1 has positions from 1, got 'x'\n0\n6\nlist:1 has 3 items; 'pop' takes a position from 1 to 3\n7\n\
             [\"a\",\"b\",7]\n'extend' of list:1 takes a list\n\
             list:1 has no operation 'wait'; it has: get set append insert extend pop copy clear length add";
        assert_eq!(done, expected);
    }

    #[test]
    fn a_number_of_slots_is_checked() {
        for wrong in [json!(null), json!(0), json!(1.5), json!("2"), json!(-1)] {
            let wrong = Some(Value::of_json(&wrong)).filter(|value| !value.is_null());
            let made = Object::new(SharedKind::Barrier, wrong.as_ref()).err().unwrap();
            assert!(made.message.starts_with("barrier(n) takes a whole number from 1, got "), "{wrong:?}");
        }
        assert!(Object::new(SharedKind::Dict, Some(&Value::Integer(1))).is_err());
        let mut rlock = Grip { slots: 1, is_reentrant: true, owners: Vec::new() };
        assert_eq!([rlock.take(1), rlock.take(1), rlock.take(2), rlock.give_back(2)], [true, true, false, false]);
        assert_eq!([rlock.give_back(1), rlock.take(2), rlock.give_back(1), rlock.take(2)], [true, false, true, true]);
    }
}
