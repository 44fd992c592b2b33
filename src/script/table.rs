//! Reading tables that users wrote: shapes are checked before anything is converted, and problems are named by path.

use mlua::{Lua, Table, Value};
use serde_json::{Map, Number, Value as Json};

use super::api::synchro::{Proxy, stands_for};
use crate::model::{Blob, REFERENCE};

/// How deep a value may be nested.
const MAX_DEPTH: usize = 100;

/// Converts a Lua value to JSON. The error names the place inside the value, beginning with `path`.
pub(crate) fn to_json(value: &Value, path: &str) -> Result<Json, String> {
    convert(value, path, 0, Bytes::Refused)
}

/// The same for a value that is to be shared: strings may hold any bytes.
pub(crate) fn to_shared(value: &Value, path: &str) -> Result<Json, String> {
    convert(value, path, 0, Bytes::Encoded)
}

/// What becomes of strings that are not UTF-8.
#[derive(Clone, Copy)]
enum Bytes {
    Refused,
    Encoded,
}

fn convert(value: &Value, path: &str, depth: usize, bytes: Bytes) -> Result<Json, String> {
    if depth > MAX_DEPTH {
        return Err(format!("{path} is nested more than {MAX_DEPTH} deep; does it hold itself?"));
    }
    Ok(match value {
        Value::Nil => Json::Null,
        Value::Boolean(boolean) => Json::Bool(*boolean),
        Value::Integer(integer) => Json::Number((*integer).into()),
        Value::Number(number) => Number::from_f64(*number)
            .map(Json::Number)
            .ok_or_else(|| format!("{path} is {number}, which cannot be handed over"))?,
        Value::String(text) => match (bytes, utf8(text, path)) {
            (_, Ok(text)) => Json::String(text),
            (Bytes::Refused, Err(problem)) => return Err(problem),
            (Bytes::Encoded, Err(problem)) => {
                serde_json::to_value(Blob(text.as_bytes().to_vec())).map_err(|_| problem)?
            }
        },
        Value::Table(table) => convert_table(table, path, depth, bytes)?,
        Value::UserData(object) if object.is::<Proxy>() => match object.borrow::<Proxy>() {
            Ok(proxy) => proxy.0.to_value(),
            Err(error) => return Err(format!("{path}: {error}")),
        },
        other => return Err(format!("{path} is a {}, which cannot be handed to another process", other.type_name())),
    })
}

fn convert_table(table: &Table, path: &str, depth: usize, bytes: Bytes) -> Result<Json, String> {
    let length = table.raw_len();
    let mut items = vec![Json::Null; length];
    let mut fields = Map::new();
    let mut filled = 0;
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair.map_err(|error| format!("{path}: {error}"))?;
        match key {
            Value::Integer(index) => {
                let slot = usize::try_from(index).ok().filter(|index| (1..=length).contains(index));
                let slot = slot.ok_or_else(|| format!("{path} has the item {index} but not all before it"))?;
                items[slot - 1] = convert(&value, &format!("{path}[{index}]"), depth + 1, bytes)?;
                filled += 1;
            }
            Value::String(name) => {
                let name = utf8(&name, path)?;
                let inner = format!("{path}.{name}");
                fields.insert(name, convert(&value, &inner, depth + 1, bytes)?);
            }
            other => return Err(format!("{path} has a {} as a key; keys are names or 1, 2, …", other.type_name())),
        }
    }
    if filled > 0 && !fields.is_empty() {
        let name = fields.keys().next().cloned().unwrap_or_default();
        return Err(format!("{path} is a list that also has the key '{name}'; it must be one or the other"));
    }
    if filled < length {
        return Err(format!("{path} is a list with holes"));
    }
    if filled > 0 {
        return Ok(Json::Array(items));
    }
    // It would come back as what it stands for.
    if let Some(key) = [REFERENCE, Blob::ENCODED].into_iter().find(|key| fields.len() == 1 && fields.contains_key(*key))
    {
        return Err(format!("{path} has the one key '{key}', which is reserved"));
    }
    // Lua's order of keys changes from run to run; what is stored is sorted.
    fields.sort_keys();
    Ok(Json::Object(fields))
}

fn utf8(text: &mlua::LuaString, path: &str) -> Result<String, String> {
    let text = text.to_str().map_err(|_| format!("{path} holds bytes that are not UTF-8"))?;
    Ok(text.to_owned())
}

/// What an object of JSON stands for, if it is not a table.
pub(super) type StandsFor<'a> = &'a dyn Fn(&Lua, &Map<String, Json>) -> mlua::Result<Option<Value>>;

/// Converts JSON to a Lua value; null becomes nil.
pub(crate) fn from_json(lua: &Lua, value: &Json) -> mlua::Result<Value> {
    from_marked_json(lua, value, &stands_for)
}

/// The same, where other objects stand for something.
pub(super) fn from_marked_json(lua: &Lua, value: &Json, stands_for: StandsFor<'_>) -> mlua::Result<Value> {
    Ok(match value {
        Json::Null => Value::Nil,
        Json::Bool(boolean) => Value::Boolean(*boolean),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            None => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(lua.create_string(text)?),
        Json::Array(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (index, item) in (1_i64..).zip(items) {
                table.raw_set(index, from_marked_json(lua, item, stands_for)?)?;
            }
            Value::Table(table)
        }
        Json::Object(fields) => {
            if let Some(value) = stands_for(lua, fields)? {
                return Ok(value);
            }
            let table = lua.create_table_with_capacity(0, fields.len())?;
            for (name, field) in fields {
                table.raw_set(name.as_str(), from_marked_json(lua, field, stands_for)?)?;
            }
            Value::Table(table)
        }
    })
}

/// Returns a short text of a value for an error message: its type and what it says.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the string '{}'", text.to_string_lossy().escape_debug()),
        Value::Integer(number) => format!("the number {number}"),
        Value::Number(number) => format!("the number {number}"),
        Value::Boolean(boolean) => boolean.to_string(),
        other => format!("a {}", other.type_name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(source: &str) -> Result<String, String> {
        let lua = Lua::new();
        let value: Value = lua.load(source).eval().unwrap();
        to_json(&value, "p").map(|json| json.to_string())
    }

    #[test]
    fn values_keep_their_shape() {
        let cases = [
            ("{ 1, 2.5, 'x', true }", "[1,2.5,\"x\",true]"),
            ("{ b = 1, a = { c = {} } }", "{\"a\":{\"c\":{}},\"b\":1}"),
            ("3.0", "3.0"),
            ("math.mininteger", "-9223372036854775808"),
        ];
        for (source, expected) in cases {
            assert_eq!(json(source).as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn problems_are_named_by_path() {
        let cases = [
            ("{ a = { 1, 2, x = 3 } }", "p.a is a list that also has the key 'x'; it must be one or the other"),
            (
                "{ steps = { {}, { f = print } } }",
                "p.steps[2].f is a function, which cannot be handed to another process",
            ),
            ("{ [5] = 1 }", "p has the item 5 but not all before it"),
            ("{ [1.5] = 1 }", "p has a number as a key; keys are names or 1, 2, …"),
            ("{ n = 0/0 }", "p.n is NaN, which cannot be handed over"),
            ("{ s = '\\xff' }", "p.s holds bytes that are not UTF-8"),
            ("(function() local t = {} t.t = t return t end)()", "deep; does it hold itself?"),
        ];
        for (source, expected) in cases {
            let problem = json(source).unwrap_err();
            assert!(problem.ends_with(expected), "{source}: {problem}");
        }
    }

    #[test]
    fn json_comes_back_as_it_went() {
        let lua = Lua::new();
        let given: Json = serde_json::from_str(r#"{"a":[1,2.5,{"b":"x"}],"t":true,"n":null}"#).unwrap();
        let value = from_json(&lua, &given).unwrap();
        let back = to_json(&value, "p").unwrap();
        assert_eq!(back.to_string(), r#"{"a":[1,2.5,{"b":"x"}],"t":true}"#);
    }
}
