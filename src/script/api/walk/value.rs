//! Values of walks on their way between processes: options, states, and what serial actions return.
//!
//! Plain values are JSON as everybody writes it. What JSON has no word for is an object with one key that begins with
//! `$`: `{"$class": …, "value": …}` for objects of `walk.class`, `{"$map": [[key, value], …]}` for tables that are neither
//! a list nor keyed by names, `{"$float": "inf"}`, `{"$bytes": "base64"}`. Every value comes back as it went.

use std::ffi::c_void;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mlua::{Function, Lua, Table, Value};
use serde_json::{Map, Number, Value as Json, json};

use crate::model::nearest;
use crate::script::api::synchro::{Proxy, stands_for};
use crate::script::error;
use crate::script::table::from_marked_json;

/// How deep the JSON of a value may be nested; the reader of lines allows 128, of which messages need some.
const MAX_DEPTH: usize = 100;

/// Where a VM keeps its classes: a table with `by_metatable` and `by_name`.
const CLASSES: &str = "rille.walk.classes";

/// Leaves the classes where the functions of this module find them.
pub(super) fn set_classes(lua: &Lua, classes: Table) -> mlua::Result<()> {
    lua.set_named_registry_value(CLASSES, classes)
}

/// Encodes a value. The error names the place inside it, beginning with `path`.
pub(crate) fn encode(lua: &Lua, value: &Value, path: &str) -> Result<Json, String> {
    let classes = lua.named_registry_value::<Option<Table>>(CLASSES).ok().flatten();
    let classes = classes.and_then(|classes| classes.get("by_metatable").ok());
    Encoder { classes, open: Vec::new() }.encode(value, path, 0)
}

struct Encoder {
    classes: Option<Table>,
    /// The tables that the value at hand is in.
    open: Vec<*const c_void>,
}

impl Encoder {
    fn encode(&mut self, value: &Value, path: &str, depth: usize) -> Result<Json, String> {
        if depth > MAX_DEPTH {
            return Err(format!("{path} is nested more than {MAX_DEPTH} deep, which cannot be handed to a worker"));
        }
        Ok(match value {
            Value::Nil => Json::Null,
            Value::Boolean(boolean) => Json::Bool(*boolean),
            Value::Integer(integer) => Json::Number((*integer).into()),
            Value::Number(number) => match Number::from_f64(*number) {
                Some(number) => Json::Number(number),
                None if number.is_nan() => json!({ "$float": "nan" }),
                None => json!({ "$float": if *number > 0.0 { "inf" } else { "-inf" } }),
            },
            Value::String(text) => match text.to_str() {
                Ok(text) => Json::String(text.to_owned()),
                Err(_) => json!({ "$bytes": STANDARD.encode(text.as_bytes()) }),
            },
            Value::Table(table) => self.table(table, path, depth)?,
            Value::UserData(object) if object.is::<Proxy>() => match object.borrow::<Proxy>() {
                Ok(proxy) => proxy.0.to_value(),
                Err(error) => return Err(format!("{path}: {error}")),
            },
            other => {
                let kind = other.type_name();
                return Err(format!("{path} is a {kind}, which is no value that can be handed to a worker"));
            }
        })
    }

    fn table(&mut self, table: &Table, path: &str, depth: usize) -> Result<Json, String> {
        let pointer = table.to_pointer();
        if self.open.contains(&pointer) {
            return Err(format!("{path} holds itself, which cannot be handed to a worker"));
        }
        self.open.push(pointer);
        let class =
            table.metatable().and_then(|metatable| self.classes.as_ref()?.raw_get::<Option<Table>>(metatable).ok()?);
        let encoded = match class {
            Some(class) => self.object(&class, table, path, depth),
            None => self.content(table, path, depth),
        };
        self.open.pop();
        encoded
    }

    fn object(&mut self, class: &Table, table: &Table, path: &str, depth: usize) -> Result<Json, String> {
        let fault = |error: mlua::Error| format!("{path}: {}", error::plain_text(&error));
        let name: String = class.raw_get("name").map_err(fault)?;
        let value = match class.raw_get::<Option<Function>>("to_json").map_err(fault)? {
            Some(to_json) => {
                let given: Value = to_json.call(table).map_err(|error| {
                    format!("{path}: to_json of class '{name}' raised: {}", error::plain_text(&error))
                })?;
                self.encode(&given, &format!("{path}:to_json()"), depth + 1)?
            }
            None => self.content(table, path, depth + 1)?,
        };
        Ok(json!({ "$class": name, "value": value }))
    }

    fn content(&mut self, table: &Table, path: &str, depth: usize) -> Result<Json, String> {
        let length = table.raw_len();
        let (mut filled, mut names, mut others) = (0, 0, 0);
        let mut has_mark = false;
        let count = |key: Value, _: Value| {
            match &key {
                Value::Integer(index) if usize::try_from(*index).is_ok_and(|index| (1..=length).contains(&index)) => {
                    filled += 1;
                }
                Value::String(name) if name.to_str().is_ok() => {
                    names += 1;
                    has_mark |= name.as_bytes().starts_with(b"$");
                }
                _ => others += 1,
            }
            Ok(())
        };
        table.for_each(count).map_err(|error| format!("{path}: {error}"))?;
        if others == 0 && names == 0 && filled > 0 && filled == length {
            let mut items = Vec::with_capacity(length);
            for index in 1..=length {
                let item: Value = table.raw_get(index).map_err(|error| format!("{path}: {error}"))?;
                items.push(self.encode(&item, &format!("{path}[{index}]"), depth + 1)?);
            }
            return Ok(Json::Array(items));
        }
        let is_object = filled == 0 && others == 0 && !has_mark;
        let mut fields = Vec::new();
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair.map_err(|error| format!("{path}: {error}"))?;
            let (key_json, inner) = match &key {
                Value::String(name) if name.to_str().is_ok() => {
                    let name = name.to_string_lossy();
                    let inner = format!("{path}.{name}");
                    (Json::String(name), inner)
                }
                Value::Integer(_) | Value::Number(_) | Value::Boolean(_) | Value::String(_) => {
                    let shown = key.to_string().unwrap_or_else(|_| "?".to_owned());
                    (self.encode(&key, path, depth + 3)?, format!("{path}[{shown}]"))
                }
                other => {
                    let kind = other.type_name();
                    return Err(format!("{path} has a {kind} as a key, which cannot be handed to a worker"));
                }
            };
            let depth = if is_object { depth + 1 } else { depth + 3 };
            fields.push((key_json, self.encode(&value, &inner, depth)?));
        }
        // Lua's order of keys changes from run to run; what is stored or compared is sorted.
        fields.sort_by_cached_key(|(key, _)| (sort_key(key), key.to_string()));
        if is_object {
            let field = |(key, value): (Json, Json)| (key.as_str().unwrap_or_default().to_owned(), value);
            return Ok(Json::Object(fields.into_iter().map(field).collect()));
        }
        Ok(json!({ "$map": fields.into_iter().map(|(key, value)| json!([key, value])).collect::<Vec<_>>() }))
    }
}

/// Numbers before everything else, in their order.
fn sort_key(key: &Json) -> (u8, i64) {
    match key.as_i64() {
        Some(number) => (0, number),
        None => (1, 0),
    }
}

/// Decodes a value. An unknown class is an error that names it.
pub(crate) fn decode(lua: &Lua, value: &Json) -> mlua::Result<Value> {
    from_marked_json(lua, value, &marked)
}

fn marked(lua: &Lua, fields: &Map<String, Json>) -> mlua::Result<Option<Value>> {
    let Some((mark, content)) = fields.iter().next().filter(|(key, _)| key.starts_with('$')) else {
        return stands_for(lua, fields);
    };
    let broken = || mlua::Error::runtime(format!("{} is no encoded value", Json::Object(fields.clone())));
    Ok(Some(match (mark.as_str(), fields.len(), content) {
        ("$float", 1, Json::String(word)) => Value::Number(match word.as_str() {
            "inf" => f64::INFINITY,
            "-inf" => f64::NEG_INFINITY,
            "nan" => f64::NAN,
            _ => return Err(broken()),
        }),
        ("$bytes", 1, Json::String(text)) => {
            Value::String(lua.create_string(STANDARD.decode(text).map_err(|_| broken())?)?)
        }
        ("$map", 1, Json::Array(pairs)) => {
            let table = lua.create_table()?;
            for pair in pairs {
                let [key, value] = pair.as_array().map(Vec::as_slice).ok_or_else(broken)? else { return Err(broken()) };
                table.raw_set(decode(lua, key)?, decode(lua, value)?)?;
            }
            Value::Table(table)
        }
        ("$class", 2, Json::String(name)) => object(lua, name, fields.get("value").ok_or_else(broken)?)?,
        _ => return stands_for(lua, fields),
    }))
}

fn object(lua: &Lua, name: &str, value: &Json) -> mlua::Result<Value> {
    let classes: Option<Table> = lua.named_registry_value(CLASSES)?;
    let by_name: Table = match classes {
        Some(classes) => classes.raw_get("by_name")?,
        None => lua.create_table()?,
    };
    let Some(class) = by_name.raw_get::<Option<Table>>(name)? else {
        let mut known: Vec<String> = by_name.pairs::<String, Value>().filter_map(|pair| Some(pair.ok()?.0)).collect();
        known.sort();
        let hint = match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("define it by walk.class {{ name = \"{name}\", … }} at the top level of the file"),
        };
        return Err(mlua::Error::runtime(format!("there is no class '{name}'; {hint}")));
    };
    let value = decode(lua, value)?;
    let made = match class.raw_get::<Option<Function>>("from_json")? {
        Some(from_json) => from_json.call::<Value>(value).map_err(|error| {
            let text = error::plain_text(&error);
            mlua::Error::runtime(format!("from_json of class '{name}' raised: {text}"))
        })?,
        None => value,
    };
    if let Value::Table(table) = &made
        && table.metatable().is_none()
    {
        table.set_metatable(Some(class.raw_get("metatable")?))?;
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodes what an expression gives, with the class `P` at hand.
    fn encoded(lua: &Lua, source: &str) -> Result<String, String> {
        let value: Value = lua.load(source).eval().expect("it is an expression");
        encode(lua, &value, "v").map(|json| json.to_string())
    }

    fn with_classes() -> Lua {
        let lua = Lua::new();
        let source = "P = {} P.__index = P
            local class = { name = 'P', metatable = P, to_json = function(p) return { p.a, p.b } end,
              from_json = function(v) return setmetatable({ a = v[1], b = v[2] }, P) end }
            Q = {}
            local plain = { name = 'Q', metatable = Q }
            return { by_metatable = { [P] = class, [Q] = plain }, by_name = { P = class, Q = plain } }";
        let classes = lua.load(source).eval().expect("it runs");
        set_classes(&lua, classes).expect("there is memory");
        lua
    }

    #[test]
    fn values_come_back_as_they_went() {
        let lua = with_classes();
        let cases = [
            ("{}", "{}"),
            ("{ 1, 'a', {} }", "[1,\"a\",{}]"),
            ("{ b = 1, a = { 2.0, true } }", "{\"a\":[2.0,true],\"b\":1}"),
            ("{ 1, x = 2 }", "{\"$map\":[[1,1],[\"x\",2]]}"),
            ("{ [10] = 'a', [2] = 'b', [true] = 1, [1.5] = 2 }", "{\"$map\":[[2,\"b\"],[10,\"a\"],[1.5,2],[true,1]]}"),
            ("{ ['$float'] = 'inf' }", "{\"$map\":[[\"$float\",\"inf\"]]}"),
            ("1/0", "{\"$float\":\"inf\"}"),
            ("'\\xff'", "{\"$bytes\":\"/w==\"}"),
            ("0.1 + 0.2", "0.30000000000000004"),
            (
                "setmetatable({ a = 1, b = setmetatable({ a = 2, b = 'z' }, P) }, P)",
                "{\"$class\":\"P\",\"value\":[1,{\"$class\":\"P\",\"value\":[2,\"z\"]}]}",
            ),
            ("setmetatable({ n = 1 }, Q)", "{\"$class\":\"Q\",\"value\":{\"n\":1}}"),
            ("math.mininteger", "-9223372036854775808"),
        ];
        for (source, expected) in cases {
            let json = encoded(&lua, source).expect(source);
            assert_eq!(json, expected, "{source}");
            let back = decode(&lua, &serde_json::from_str(&json).expect("it is JSON")).expect(source);
            assert_eq!(encode(&lua, &back, "v").map(|json| json.to_string()).as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn what_is_no_value_is_named_by_its_path() {
        let lua = with_classes();
        let cases = [
            ("{ a = { 1, print } }", "v.a[2] is a function, which is no value that can be handed to a worker"),
            ("coroutine.create(print)", "v is a thread, which is no value that can be handed to a worker"),
            ("{ [{}] = 1 }", "v has a table as a key, which cannot be handed to a worker"),
            (
                "(function() local t = {} t.t = { t } return t end)()",
                "v.t[1] holds itself, which cannot be handed to a worker",
            ),
            (
                "(function() local t = {} for i = 1, 200 do t = { t } end return t end)()",
                "deep, which cannot be handed to a worker",
            ),
        ];
        for (source, expected) in cases {
            let problem = encoded(&lua, source).unwrap_err();
            assert!(problem.ends_with(expected), "{source}: {problem}");
        }
        // The same table twice is no circle.
        assert_eq!(encoded(&lua, "(function() local t = {} return { t, t } end)()").as_deref(), Ok("[{},{}]"));
    }

    #[test]
    fn an_unknown_class_is_named() {
        let lua = with_classes();
        let problem = decode(&lua, &json!({ "$class": "Poimt", "value": 1 })).unwrap_err().to_string();
        assert!(problem.contains("there is no class 'Poimt'; define it by walk.class"), "{problem}");
    }
}
