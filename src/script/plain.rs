//! Tables that are JSON by their nature: definitions of operations, recipes, messages to others.

use mlua::Value as LuaValue;
use serde_json::Value as Json;

use super::table::{NotCarried, to_value};
use crate::model::{Key, Value};

/// Why a value has no place in what is JSON by its nature.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum NotPlain {
    /// It cannot leave Lua at all.
    #[error(transparent)]
    NotCarried(#[from] NotCarried),
    /// It is infinite, or no number.
    #[error("{path} is {number}, which has no place here")]
    NotFinite {
        /// Where it is.
        path: String,
        /// What it is.
        number: f64,
    },
    /// It is bytes.
    #[error("{0} holds bytes that are not UTF-8")]
    Bytes(String),
    /// It is shared by processes.
    #[error("{path} is {shared}, a shared object, which has no place here")]
    Shared {
        /// Where it is.
        path: String,
        /// What it is called.
        shared: String,
    },
    /// A list has names as well.
    #[error("{path} is a list that also has the key '{name}'; it must be one or the other")]
    NameInList {
        /// Where it is.
        path: String,
        /// The name.
        name: String,
    },
    /// A key is no name.
    #[error("{path} has {key} as a key; its keys are names")]
    Key {
        /// Where it is.
        path: String,
        /// The key.
        key: String,
    },
}

/// Reads a definition: what JSON has no word for has no place in it.
pub(crate) fn to_plain_json(value: &LuaValue, path: &str) -> Result<Json, NotPlain> {
    let value = to_value(value, path)?;
    check_plain(&value, path)?;
    Ok(value.into())
}

/// Reads a recipe. Its arguments may be any bytes, and its parameters, the `kwargs`, any values.
pub(crate) fn to_recipe(value: &LuaValue, path: &str) -> Result<Json, NotPlain> {
    let value = to_value(value, path)?;
    let Value::Map(fields) = &value else { return check_plain(&value, path).map(|()| value.into()) };
    for (key, field) in fields {
        match (key, field) {
            (Key::Text(name), _) if name == "kwargs" => {}
            (Key::Text(name), Value::List(args)) if name == "args" => {
                let odd = args.iter().find(|arg| !matches!(arg, Value::Bytes(_)));
                odd.map_or(Ok(()), |_| {
                    let others = args.iter().filter(|arg| !matches!(arg, Value::Bytes(_))).cloned().collect();
                    check_plain(&others, &format!("{path}.args"))
                })?;
            }
            (Key::Text(name), field) => check_plain(field, &format!("{path}.{name}"))?,
            _ => return check_plain(&value, path).map(|()| value.into()),
        }
    }
    Ok(value.into())
}

fn check_plain(value: &Value, path: &str) -> Result<(), NotPlain> {
    let here = || path.to_owned();
    match value {
        Value::Float(number) if !number.is_finite() => Err(NotPlain::NotFinite { path: here(), number: *number }),
        Value::Bytes(_) => Err(NotPlain::Bytes(here())),
        Value::Shared(shared) => Err(NotPlain::Shared { path: here(), shared: shared.to_string() }),
        Value::List(items) => {
            (1..).zip(items).try_for_each(|(index, item)| check_plain(item, &format!("{path}[{index}]")))
        }
        Value::Map(fields) => {
            let is_list = fields.contains_key(&Key::Integer(1));
            for (key, field) in fields {
                match key {
                    Key::Text(name) if is_list => {
                        return Err(NotPlain::NameInList { path: here(), name: name.clone() });
                    }
                    Key::Text(name) => check_plain(field, &format!("{path}.{name}"))?,
                    Key::Integer(_) if is_list => {}
                    other => return Err(NotPlain::Key { path: here(), key: other.to_string() }),
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use mlua::Lua;

    use super::*;

    #[test]
    fn a_definition_holds_nothing_but_what_json_has_words_for() {
        let lua = Lua::new();
        let cases = [
            ("{ a = { 1, 'x', { b = true } }, c = {} }", "{\"a\":[1,\"x\",{\"b\":true}],\"c\":{}}"),
            ("{ tags = { 'a', b = 1 } }", "d.tags is a list that also has the key 'b'; it must be one or the other"),
            ("{ x = { [5] = 1 } }", "d.x has 5 as a key; its keys are names"),
            ("{ x = { [true] = 1 } }", "d.x has true as a key; its keys are names"),
            ("{ x = { 1, 0/0 } }", "d.x[2] is NaN, which has no place here"),
            ("{ x = '\\xff' }", "d.x holds bytes that are not UTF-8"),
            ("{ 1, nil, 3 }", "d is a list with a hole: item 2"),
        ];
        for (source, expected) in cases {
            let read = to_plain_json(&lua.load(source).eval().unwrap(), "d");
            let read = read.map_or_else(|problem| problem.to_string(), |json| json.to_string());
            assert!(read.starts_with(expected), "{source}: {read}");
        }
    }
}
