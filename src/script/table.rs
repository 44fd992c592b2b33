//! Values between Lua and everything else: read with their shape checked and problems named by path, and made anew.
//!
//! What becomes of each kind of value is told at [`Value`]; nothing here decides it anew.

use std::ffi::c_void;

use mlua::{Function, Lua, Table, Value as LuaValue};
use serde_json::Value as Json;

use super::api::synchro::Proxy;
use super::error::plain_text;
use super::shown::{kind_of, shown_key};
use crate::model::{Key, MAX_DEPTH, Value};

/// How deep the JSON of a table is whose keys are not all names.
const MAP_DEPTH: usize = 3;

/// Why a value cannot leave Lua.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotCarried {
    /// It is nothing but a thing of its process.
    #[error("{path} is {kind}, which cannot be handed to another process{}", remedy(kind))]
    Kind {
        /// Where it is.
        path: String,
        /// What it is: "a function".
        kind: String,
    },
    /// A key that is no name, number or boolean.
    #[error("{path} has {kind} as a key; keys are names, numbers and booleans")]
    Key {
        /// Where the table is.
        path: String,
        /// What the key is.
        kind: String,
    },
    /// An item of a list is missing.
    #[error(
        "{path} is a list with a hole: item {item} is missing (nil), and others follow; leave it out, or write false"
    )]
    Hole {
        /// Where the list is.
        path: String,
        /// The number of the first item that is missing.
        item: i64,
    },
    /// The table is inside itself.
    #[error("{path} is a table that holds itself, which cannot be handed to another process")]
    Circle {
        /// Where it comes again.
        path: String,
    },
    /// There are too many tables in each other.
    #[error("{path} is nested more than {MAX_DEPTH} deep, which cannot be handed to another process")]
    Depth {
        /// Where it is too deep.
        path: String,
    },
    /// A function of the user, which is to tell what there is, raised an error.
    #[error("{path}: {text}")]
    Raised {
        /// Where.
        path: String,
        /// What it raised.
        text: String,
    },
}

/// Returns what to write instead of an object.
fn remedy(kind: &str) -> &'static str {
    match kind {
        "a result" => "; hand over its value: result.value",
        "a Task" => "; hand over its id: task.taskid",
        "the runtime" => "; every task has its own: runtime",
        _ => "",
    }
}

/// Reads a value. The error names the place inside it, beginning with `path`.
pub(crate) fn to_value(value: &LuaValue, path: &str) -> Result<Value, NotCarried> {
    Reader::default().value(value, path, 0)
}

/// Reads as much of a value as can be carried, and says what could not: a short text stands in its place.
pub(crate) fn to_value_as_far_as_it_goes(value: &LuaValue, path: &str) -> (Value, Vec<NotCarried>) {
    let mut reader = Reader { lost: Some(Vec::new()), ..Reader::default() };
    let read = reader.value(value, path, 0);
    let mut lost = reader.lost.unwrap_or_default();
    (
        read.unwrap_or_else(|problem| {
            lost.push(problem);
            Value::Null
        }),
        lost,
    )
}

/// What an object of a class is made of.
pub(crate) enum Content {
    /// The fields of its table.
    Fields,
    /// What the class says of it.
    Given(LuaValue),
}

/// Knows the objects of classes.
pub(crate) trait Classes {
    /// Returns the class of a table and what its object is made of; `None` for a table of no class.
    fn object(&self, table: &Table, path: &str) -> Result<Option<(String, Content)>, NotCarried>;
}

/// Reads a value with the objects of classes in it. A list with a hole is a table like others.
pub(crate) fn to_value_with_classes(value: &LuaValue, path: &str, classes: &dyn Classes) -> Result<Value, NotCarried> {
    Reader { classes: Some(classes), ..Reader::default() }.value(value, path, 0)
}

#[derive(Default)]
struct Reader<'a> {
    /// The tables that the value at hand is in.
    open: Vec<*const c_void>,
    /// What could not be carried, if the rest is to be.
    lost: Option<Vec<NotCarried>>,
    classes: Option<&'a dyn Classes>,
}

/// What the keys of a table are.
#[derive(Default)]
struct Keys {
    /// Whole numbers from 1.
    positions: i64,
    /// The largest of them.
    last: i64,
    /// All others.
    others: usize,
    /// Those of them that are no names.
    odd: usize,
}

impl Reader<'_> {
    fn value(&mut self, value: &LuaValue, path: &str, depth: usize) -> Result<Value, NotCarried> {
        let read = self.read(value, path, depth);
        match (&mut self.lost, read) {
            (Some(lost), Err(problem)) => {
                lost.push(problem);
                Ok(Value::Text(format!("<{}>", value.type_name())))
            }
            (_, read) => read,
        }
    }

    fn read(&mut self, value: &LuaValue, path: &str, depth: usize) -> Result<Value, NotCarried> {
        if depth > MAX_DEPTH {
            return Err(NotCarried::Depth { path: path.to_owned() });
        }
        Ok(match value {
            LuaValue::Nil => Value::Null,
            LuaValue::Boolean(boolean) => Value::Bool(*boolean),
            LuaValue::Integer(integer) => Value::Integer(*integer),
            LuaValue::Number(number) => Value::Float(*number),
            LuaValue::String(text) => Value::of_bytes(&text.as_bytes()),
            LuaValue::Table(table) => self.table(table, path, depth)?,
            LuaValue::UserData(object) if object.is::<Proxy>() => match object.borrow::<Proxy>() {
                Ok(proxy) => Value::Shared(proxy.0),
                Err(error) => return Err(raised(path, &error)),
            },
            other => return Err(NotCarried::Kind { path: path.to_owned(), kind: kind_of(other) }),
        })
    }

    fn table(&mut self, table: &Table, path: &str, depth: usize) -> Result<Value, NotCarried> {
        if is_own_object(table) {
            return Err(NotCarried::Kind { path: path.to_owned(), kind: kind_of(&LuaValue::Table(table.clone())) });
        }
        let pointer = table.to_pointer();
        if self.open.contains(&pointer) {
            return Err(NotCarried::Circle { path: path.to_owned() });
        }
        self.open.push(pointer);
        let read = self.object(table, path, depth);
        self.open.pop();
        read
    }

    fn object(&mut self, table: &Table, path: &str, depth: usize) -> Result<Value, NotCarried> {
        let object = self.classes.map(|classes| classes.object(table, path)).transpose()?.flatten();
        let (name, value) = match object {
            None => return self.content(table, path, depth),
            Some((name, Content::Fields)) => (name, self.content(table, path, depth + 1)?),
            Some((name, Content::Given(given))) => (name, self.value(&given, &format!("{path}:to_json()"), depth + 1)?),
        };
        Ok(Value::Object(Box::new((name, value))))
    }

    fn content(&mut self, table: &Table, path: &str, depth: usize) -> Result<Value, NotCarried> {
        let told = told_pairs(table).map_err(|error| raised(path, &error))?;
        let mut keys = Keys::default();
        match &told {
            Some(pairs) => pairs.iter().for_each(|(key, _)| keys.count(key)),
            None => table
                .for_each(|key: LuaValue, _: LuaValue| {
                    keys.count(&key);
                    Ok(())
                })
                .map_err(|error| raised(path, &error))?,
        }
        let is_list = keys.positions > 0 && keys.others == 0 && keys.positions == keys.last;
        match told {
            None if is_list => self.list(table, keys.last, path, depth),
            told => {
                if let Some(hole) = self.hole(table, &keys, path) {
                    match &mut self.lost {
                        Some(lost) => lost.push(hole),
                        None => return Err(hole),
                    }
                }
                let pairs = match told {
                    Some(pairs) => pairs,
                    None => table.pairs().collect::<mlua::Result<_>>().map_err(|error| raised(path, &error))?,
                };
                let value = self.map(pairs, keys.odd == 0 && keys.positions == 0, path, depth)?;
                Ok(if is_list { as_list(value) } else { value })
            }
        }
    }

    /// Returns that a list has a hole. Numbers that begin elsewhere than with 1 are keys like others.
    fn hole(&self, table: &Table, keys: &Keys, path: &str) -> Option<NotCarried> {
        if self.classes.is_some() || keys.positions == keys.last {
            return None;
        }
        let begins = |index: i64| table.raw_get::<LuaValue>(index).map(|item| !item.is_nil());
        let first = (1..=keys.last).find(|index| !begins(*index).unwrap_or(false)).unwrap_or(1);
        (first > 1).then(|| NotCarried::Hole { path: path.to_owned(), item: first })
    }

    fn list(&mut self, table: &Table, length: i64, path: &str, depth: usize) -> Result<Value, NotCarried> {
        let mut items = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        for index in 1..=length {
            let item: LuaValue = table.raw_get(index).map_err(|error| raised(path, &error))?;
            items.push(match &item {
                // Most lists are of these, whose places need no name.
                LuaValue::Integer(number) => Value::Integer(*number),
                LuaValue::Number(number) => Value::Float(*number),
                item => self.value(item, &format!("{path}[{index}]"), depth + 1)?,
            });
        }
        Ok(Value::List(items))
    }

    fn map(
        &mut self,
        pairs: Vec<(LuaValue, LuaValue)>,
        has_names: bool,
        path: &str,
        depth: usize,
    ) -> Result<Value, NotCarried> {
        let depth = depth + if has_names { 1 } else { MAP_DEPTH };
        let mut fields = std::collections::BTreeMap::new();
        let mut problems = Vec::new();
        for (key, value) in pairs {
            let Some(name) = key_of(&key) else {
                problems.push(NotCarried::Key { path: path.to_owned(), kind: kind_of(&key) });
                continue;
            };
            let inner = match &name {
                Key::Text(name) => format!("{path}.{name}"),
                _ => format!("{path}[{}]", shown_key(&key)),
            };
            match self.value(&value, &inner, depth) {
                Ok(value) => {
                    fields.insert(name, value);
                }
                Err(problem) => problems.push(problem),
            }
        }
        // Lua's order of keys changes from run to run, and with it which problem would be told first.
        problems.sort_by_cached_key(ToString::to_string);
        match (&mut self.lost, problems.is_empty()) {
            (Some(lost), _) => lost.append(&mut problems),
            (None, false) => return Err(problems.swap_remove(0)),
            (None, true) => {}
        }
        Ok(Value::Map(fields))
    }
}

impl Keys {
    fn count(&mut self, key: &LuaValue) {
        match key {
            LuaValue::Integer(index) if *index >= 1 => {
                self.positions += 1;
                self.last = self.last.max(*index);
            }
            LuaValue::String(name) => {
                self.others += 1;
                self.odd += usize::from(name.to_str().is_err());
            }
            _ => {
                self.others += 1;
                self.odd += 1;
            }
        }
    }
}

/// Returns the key that a value of Lua is.
pub(crate) fn key_of(key: &LuaValue) -> Option<Key> {
    match key {
        LuaValue::String(name) => Some(Key::of_bytes(&name.as_bytes())),
        LuaValue::Integer(number) => Some(Key::Integer(*number)),
        LuaValue::Number(number) => Key::of_float(*number),
        LuaValue::Boolean(boolean) => Some(Key::Bool(*boolean)),
        _ => None,
    }
}

/// The names of objects of Rille that are made of tables: what they hold is nothing to others.
const OWN_OBJECTS: [&str; 8] = [
    "FILE*",
    "a testcase",
    "action",
    "action instance",
    "common setup or cleanup",
    "logger",
    "machine",
    "parser of arguments",
];

/// Returns whether a table is an object of Rille's own, or one of its modules.
fn is_own_object(table: &Table) -> bool {
    let name = table.metatable().and_then(|metatable| metatable.raw_get::<LuaValue>("__name").ok());
    let name = name.as_ref().and_then(LuaValue::as_string).map(mlua::LuaString::to_string_lossy);
    name.is_some_and(|name| name.starts_with("rille.") || OWN_OBJECTS.contains(&name.as_str()))
}

/// Returns what a table says that it holds, if it says so by `__pairs`.
fn told_pairs(table: &Table) -> mlua::Result<Option<Vec<(LuaValue, LuaValue)>>> {
    let Some(metatable) = table.metatable() else { return Ok(None) };
    let LuaValue::Function(pairs) = metatable.raw_get::<LuaValue>("__pairs")? else { return Ok(None) };
    let (next, state, mut control): (Function, LuaValue, LuaValue) = pairs.call(table)?;
    let mut told = Vec::new();
    loop {
        let (key, value): (LuaValue, LuaValue) = next.call((&state, &control))?;
        if key.is_nil() {
            return Ok(Some(told));
        }
        told.push((key.clone(), value));
        control = key;
    }
}

/// Makes a list of the items of a map whose keys are their positions.
fn as_list(value: Value) -> Value {
    match value {
        Value::Map(fields) => fields.into_values().collect(),
        other => other,
    }
}

fn raised(path: &str, error: &mlua::Error) -> NotCarried {
    NotCarried::Raised { path: path.to_owned(), text: plain_text(error) }
}

/// Makes a value of Lua of what JSON stands for; null becomes nil.
pub(crate) fn from_json(lua: &Lua, value: &Json) -> mlua::Result<LuaValue> {
    from_value(lua, &Value::of_json(value))
}

/// Makes a value of Lua; null becomes nil.
pub(crate) fn from_value(lua: &Lua, value: &Value) -> mlua::Result<LuaValue> {
    from_value_with(lua, value, &|lua, name, value| {
        // Without its class an object is a table that says which one it was.
        let table = lua.create_table()?;
        table.raw_set("$class", name)?;
        table.raw_set("value", from_value(lua, value)?)?;
        Ok(LuaValue::Table(table))
    })
}

/// Makes an object of the class of a name.
pub(crate) type MakeObject<'a> = &'a dyn Fn(&Lua, &str, &Value) -> mlua::Result<LuaValue>;

/// Makes a value of Lua with the objects of classes in it.
pub(crate) fn from_value_with(lua: &Lua, value: &Value, make: MakeObject<'_>) -> mlua::Result<LuaValue> {
    Ok(match value {
        Value::Null => LuaValue::Nil,
        Value::Bool(boolean) => LuaValue::Boolean(*boolean),
        Value::Integer(integer) => LuaValue::Integer(*integer),
        Value::Float(number) => LuaValue::Number(*number),
        // As Lua itself reads it.
        Value::Large(digits) => LuaValue::Number(digits.parse().unwrap_or(f64::NAN)),
        Value::Text(text) => LuaValue::String(lua.create_string(text)?),
        Value::Bytes(bytes) => LuaValue::String(lua.create_string(bytes)?),
        Value::List(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (index, item) in (1_i64..).zip(items) {
                table.raw_set(index, from_value_with(lua, item, make)?)?;
            }
            LuaValue::Table(table)
        }
        Value::Map(fields) => {
            let table = lua.create_table_with_capacity(0, fields.len())?;
            for (key, field) in fields {
                table.raw_set(from_key(lua, key)?, from_value_with(lua, field, make)?)?;
            }
            LuaValue::Table(table)
        }
        Value::Shared(reference) => Proxy::of(lua, *reference)?,
        Value::Object(object) => make(lua, &object.0, &object.1)?,
    })
}

/// Makes a value of Lua of a key.
pub(crate) fn from_key(lua: &Lua, key: &Key) -> mlua::Result<LuaValue> {
    Ok(match key {
        Key::Integer(number) => LuaValue::Integer(*number),
        Key::Text(text) => LuaValue::String(lua.create_string(text)?),
        Key::Float(number) => LuaValue::Number(number.get()),
        Key::Bool(boolean) => LuaValue::Boolean(*boolean),
        Key::Bytes(bytes) => LuaValue::String(lua.create_string(bytes)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(source: &str) -> Result<String, String> {
        let lua = Lua::new();
        let value: LuaValue = lua.load(source).eval().unwrap();
        to_value(&value, "p").map(|value| value.to_json().to_string()).map_err(|problem| problem.to_string())
    }

    #[test]
    fn values_keep_their_shape() {
        let cases = [
            ("{ 1, 2.5, 'x', true }", "[1,2.5,\"x\",true]"),
            ("{ b = 1, a = { c = {} } }", "{\"a\":{\"c\":{}},\"b\":1}"),
            ("3.0", "3.0"),
            ("math.mininteger", "-9223372036854775808"),
            ("1/0", "{\"$float\":\"inf\"}"),
            ("{ n = 0/0 }", "{\"n\":{\"$float\":\"nan\"}}"),
            ("'caf\\xe9'", "{\"__base64_encoded__\":\"Y2Fm6Q==\"}"),
            ("{ [5] = 1 }", "{\"$map\":[[5,1]]}"),
            ("{ 1, 2, x = 3 }", "{\"$map\":[[1,1],[2,2],[\"x\",3]]}"),
            ("{ nil, 'b' }", "{\"$map\":[[2,\"b\"]]}"),
            ("{ 'b', [0] = 'a' }", "{\"$map\":[[0,\"a\"],[1,\"b\"]]}"),
            ("{ [true] = 1, [1.5] = 2, [2^53] = 3 }", "{\"$map\":[[9007199254740992,3],[1.5,2],[true,1]]}"),
            ("{ ['\\xff'] = 1 }", "{\"$map\":[[{\"__base64_encoded__\":\"/w==\"},1]]}"),
            ("{ ['$float'] = 'inf' }", "{\"$map\":[[\"$float\",\"inf\"]]}"),
            ("{ 1, 2, nil, nil }", "[1,2]"),
            // The same table twice is no circle.
            ("(function() local t = {} return { t, t } end)()", "[{},{}]"),
            ("setmetatable({}, { __pairs = function() return next, { a = 1 } end })", "{\"a\":1}"),
            ("setmetatable({}, { __pairs = function() return next, { 7, 8 } end })", "[7,8]"),
            ("setmetatable({ a = 1 }, { __index = { b = 2 } })", "{\"a\":1}"),
        ];
        for (source, expected) in cases {
            assert_eq!(json(source).as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn problems_are_named_by_path() {
        let hole = "is missing (nil), and others follow; leave it out, or write false";
        let cases = [
            (
                "{ steps = { {}, { f = print } } }",
                "p.steps[2].f is a function, which cannot be handed to another process".to_owned(),
            ),
            (
                "{ [7] = coroutine.create(print) }",
                "p[7] is a thread, which cannot be handed to another process".to_owned(),
            ),
            ("{ [{}] = 1 }", "p has a table as a key; keys are names, numbers and booleans".to_owned()),
            ("{ 1, nil, 3 }", format!("p is a list with a hole: item 2 {hole}")),
            ("{ a = { 1, [3] = 3 } }", format!("p.a is a list with a hole: item 2 {hole}")),
            ("table.pack(1, nil, 3)", format!("p is a list with a hole: item 2 {hole}")),
            (
                "(function() local t = {} t.t = { t } return t end)()",
                "p.t[1] is a table that holds itself, which cannot be handed to another process".to_owned(),
            ),
            (
                "(function() local t = {} for i = 1, 200 do t = { t } end return t end)()",
                "is nested more than 100 deep, which cannot be handed to another process".to_owned(),
            ),
            ("setmetatable({}, { __pairs = function() error('no', 0) end })", "p: no".to_owned()),
        ];
        for (source, expected) in cases {
            let problem = json(source).unwrap_err();
            assert!(problem.ends_with(&expected), "{source}: {problem}");
        }
    }

    #[test]
    fn what_a_result_brings_is_kept_as_far_as_it_goes() {
        let lua = Lua::new();
        let source = "local t = { f = print, list = { 1, nil, 3 }, ok = { 'x', print }, [{}] = 1 } t.self = t return t";
        let (value, lost) = to_value_as_far_as_it_goes(&lua.load(source).eval().unwrap(), "data");
        assert_eq!(
            value.to_json().to_string(),
            r#"{"f":"<function>","list":{"$map":[[1,1],[3,3]]},"ok":["x","<function>"],"self":"<table>"}"#
        );
        let mut lost: Vec<String> = lost.iter().map(ToString::to_string).collect();
        lost.sort();
        assert_eq!(lost.len(), 5, "{lost:#?}");
        assert!(lost[1].starts_with("data.f is a function"), "{lost:#?}");
        let (value, lost) = to_value_as_far_as_it_goes(&lua.load("print").eval().unwrap(), "data");
        assert_eq!((value, lost.len()), (Value::from("<function>"), 1));
    }

    #[test]
    fn a_value_comes_back_as_it_went() {
        let lua = Lua::new();
        let given = r#"{"a":[1,2.5,{"b":"x"}],"m":{"$map":[[1,"a"],[3,"b"],[true,{"$float":"-inf"}]]},"t":true}"#;
        let given: Json = serde_json::from_str(given).unwrap();
        let value = from_json(&lua, &given).unwrap();
        let (back, _) = to_value_as_far_as_it_goes(&value, "p");
        assert_eq!(back.to_json(), given);
        let large = from_json(&lua, &serde_json::json!(u64::MAX)).unwrap();
        assert_eq!(large, LuaValue::Number(18_446_744_073_709_551_615.0));
    }
}
