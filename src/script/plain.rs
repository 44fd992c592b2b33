//! Tables that are JSON by their nature: definitions of operations, recipes, messages to others.

use mlua::Value as LuaValue;
use serde_json::Value as Json;

use super::table::to_value;
use crate::model::{Key, Value};

/// Reads a definition: what JSON has no word for has no place in it.
pub(crate) fn to_plain_json(value: &LuaValue, path: &str) -> Result<Json, String> {
    let value = to_value(value, path).map_err(|problem| problem.to_string())?;
    check_plain(&value, path)?;
    Ok(value.into())
}

/// Reads a recipe. Its arguments may be any bytes, and its parameters, the `kwargs`, any values.
pub(crate) fn to_recipe(value: &LuaValue, path: &str) -> Result<Json, String> {
    let value = to_value(value, path).map_err(|problem| problem.to_string())?;
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

fn check_plain(value: &Value, path: &str) -> Result<(), String> {
    match value {
        Value::Float(number) if !number.is_finite() => Err(format!("{path} is {number}, which has no place here")),
        Value::Bytes(_) => Err(format!("{path} holds bytes that are not UTF-8")),
        Value::Shared(shared) => Err(format!("{path} is {shared}, a shared object, which has no place here")),
        Value::List(items) => {
            (1..).zip(items).try_for_each(|(index, item)| check_plain(item, &format!("{path}[{index}]")))
        }
        Value::Map(fields) => {
            let is_list = fields.contains_key(&Key::Integer(1));
            for (key, field) in fields {
                match key {
                    Key::Text(name) if is_list => {
                        return Err(format!(
                            "{path} is a list that also has the key '{name}'; it must be one or the other"
                        ));
                    }
                    Key::Text(name) => check_plain(field, &format!("{path}.{name}"))?,
                    Key::Integer(_) if is_list => {}
                    other => return Err(format!("{path} has {other} as a key; its keys are names")),
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
            let read = read.map_or_else(|problem| problem, |json| json.to_string());
            assert!(read.starts_with(expected), "{source}: {read}");
        }
    }
}
