//! A dict and a namespace: values by key, a namespace by name.

use super::entries::Entries;
use super::sum::add;
use super::{Ask, Body, Turn, Waiting, not_its};
use crate::model::{Fault, Key, Op, SharedKind, SharedRef, Value};

/// See the module.
#[derive(Default)]
pub(super) struct Dict {
    entries: Entries,
}

impl Body for Dict {
    fn ask(&mut self, ask: Ask<'_>) -> Result<Turn, Fault> {
        let (entries, name) = (&mut self.entries, ask.name);
        let key = |op: &str| match ask.key.as_ref() {
            Some(other) if name.kind == SharedKind::Namespace && !matches!(other, Key::Text(_)) => {
                Err(Fault::usage(format!("{name} has names as keys, got {other}")))
            }
            Some(key) => Ok(key),
            None => Err(Fault::usage(format!("'{op}' of {name} needs a key"))),
        };
        Ok(Turn::done(match ask.op {
            Op::Get => entries.get(key("get")?).cloned().unwrap_or(Value::Null),
            Op::Has => Value::Bool(entries.get(key("has")?).is_some()),
            Op::Set => {
                entries.set(key("set")?.clone(), ask.value.unwrap_or_default());
                Value::Null
            }
            Op::Pop => entries.remove(key("pop")?).unwrap_or(Value::Null),
            Op::Add => {
                let key = key("add")?;
                match entries.get_mut(key) {
                    Some(old) => add(old, ask.value.as_ref(), || format!("{name} under {key}"))?,
                    None => {
                        let mut new = Value::Integer(0);
                        add(&mut new, ask.value.as_ref(), || format!("{name} under {key}"))?;
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
                for (key, value) in several(name, ask.value)? {
                    entries.set(key, value);
                }
                Value::Null
            }
            Op::Clear => {
                entries.clear();
                Value::Null
            }
            Op::Length => Value::from(entries.len()),
            op => return Err(not_its(name, op)),
        }))
    }

    fn keeps(&self, _waiting: &Waiting) -> bool {
        true
    }
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

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

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
}
