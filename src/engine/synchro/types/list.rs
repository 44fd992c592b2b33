//! A list: values in order, by positions from 1.

use std::collections::VecDeque;

use super::sum::add;
use super::{Ask, Body, Turn, Waiting, not_its};
use crate::model::{Fault, Key, Op, Value};

/// See the module.
#[derive(Default)]
pub(super) struct List {
    items: VecDeque<Value>,
}

impl Body for List {
    fn ask(&mut self, ask: Ask<'_>) -> Result<Turn, Fault> {
        let (items, name) = (&mut self.items, ask.name);
        let length = items.len();
        let position = |op: &str, most: usize| match ask.key.as_ref() {
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
        let value = ask.value.unwrap_or_default();
        Ok(Turn::done(match ask.op {
            // What is not there is nothing, as in Lua.
            Op::Get => match ask.key {
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
            Op::Pop => match ask.key {
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
            op => return Err(not_its(name, op)),
        }))
    }

    fn keeps(&self, _waiting: &Waiting) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use crate::model::SharedKind;

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
}
