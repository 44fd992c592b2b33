//! Values of walks on their way between processes: options, states, and what serial actions return.
//!
//! They are values like all others, with two more freedoms: the objects of a `walk.class` are carried by the name of their
//! class, and a list with a hole is a table as any other.

use mlua::{Function, Lua, Table, Value};
use serde_json::Value as Json;

use crate::model::{Value as Carried, nearest};
use crate::script::error;
use crate::script::table::{Classes, Content, NotCarried, from_value_with, to_value_with_classes};
use crate::script::vm;

/// Where a VM keeps its classes: a table with `by_metatable` and `by_name`.
const CLASSES: &str = "rille.walk.classes";

/// Leaves the classes where the functions of this module find them.
pub(super) fn set_classes(lua: &Lua, classes: Table) -> mlua::Result<()> {
    lua.set_named_registry_value(CLASSES, classes)
}

/// Encodes a value. The error names the place inside it, beginning with `path`.
pub(crate) fn encode(lua: &Lua, value: &Value, path: &str) -> Result<Json, NotCarried> {
    let classes = lua.named_registry_value::<Option<Table>>(CLASSES).ok().flatten();
    let by_metatable = classes.and_then(|classes| classes.get("by_metatable").ok());
    to_value_with_classes(value, path, &Registered { lua, by_metatable }).map(Json::from)
}

/// The classes of a VM.
struct Registered<'a> {
    lua: &'a Lua,
    by_metatable: Option<Table>,
}

impl Classes for Registered<'_> {
    fn object(&self, table: &Table, path: &str) -> Result<Option<(String, Content)>, NotCarried> {
        let Some(class) = table
            .metatable()
            .and_then(|metatable| self.by_metatable.as_ref()?.raw_get::<Option<Table>>(metatable).ok()?)
        else {
            return Ok(None);
        };
        let raised = |text: String| NotCarried::Raised { path: path.to_owned(), text };
        let fault = |error: mlua::Error| raised(error::plain_text(&error));
        let name: String = class.raw_get("name").map_err(fault)?;
        let content = match class.raw_get::<Option<Function>>("to_json").map_err(fault)? {
            Some(to_json) => {
                let given = vm::call(self.lua, &to_json, vec![Value::Table(table.clone())]);
                let given =
                    given.map_err(|error| raised(format!("to_json of class '{name}' raised: {}", error.message)))?;
                Content::Given(given.into_iter().next().unwrap_or(Value::Nil))
            }
            None => Content::Fields,
        };
        Ok(Some((name, content)))
    }
}

/// Decodes a value. An unknown class is an error that names it.
pub(crate) fn decode(lua: &Lua, value: &Json) -> mlua::Result<Value> {
    from_value_with(lua, &Carried::of_json(value), &object)
}

fn object(lua: &Lua, name: &str, value: &Carried) -> mlua::Result<Value> {
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
    let value = from_value_with(lua, value, &object)?;
    let made = match class.raw_get::<Option<Function>>("from_json")? {
        Some(from_json) => {
            let made = vm::call(lua, &from_json, vec![value]);
            let made = made.map_err(|error| {
                mlua::Error::runtime(format!("from_json of class '{name}' raised: {}", error.message))
            })?;
            made.into_iter().next().unwrap_or(Value::Nil)
        }
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
    use serde_json::json;

    use super::*;

    /// Encodes what an expression gives, with the class `P` at hand.
    fn encoded(lua: &Lua, source: &str) -> Result<String, String> {
        let value: Value = lua.load(source).eval().expect("it is an expression");
        encode(lua, &value, "v").map(|json| json.to_string()).map_err(|lost| lost.to_string())
    }

    fn with_classes() -> Lua {
        let lua = Lua::new();
        let source = "P = {} P.__index = P
            local class = { name = 'P', metatable = P, to_json = function(p) return { p.a, p.b } end,
              from_json = function(v) return setmetatable({ a = v[1], b = v[2] }, P) end }
            Q = {}
            local plain = { name = 'Q', metatable = Q }
            return { by_metatable = { [P] = class, [Q] = plain }, by_name = { P = class, Q = plain } }";
        let protected: Function = lua.load("return pcall").eval().expect("it runs");
        lua.set_named_registry_value(vm::PROTECTED, protected).expect("there is memory");
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
            ("'\\xff'", "{\"__base64_encoded__\":\"/w==\"}"),
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
            ("{ a = { 1, print } }", "v.a[2] is a function, which cannot be handed to another process"),
            ("coroutine.create(print)", "v is a thread, which cannot be handed to another process"),
            ("{ [{}] = 1 }", "v has a table as a key; keys are names, numbers and booleans"),
            (
                "(function() local t = {} t.t = { t } return t end)()",
                "v.t[1] is a table that holds itself, which cannot be handed to another process",
            ),
            (
                "(function() local t = {} for i = 1, 200 do t = { t } end return t end)()",
                "deep, which cannot be handed to another process",
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
