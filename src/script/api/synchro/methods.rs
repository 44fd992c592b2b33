//! The methods of shared objects.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use mlua::chunk::ChunkMode;
use mlua::{Function, IntoLuaMulti, Lua, MultiValue, Table, Value};

use super::ask;
use super::proxy::{Proxy, pairs_of, place};
use crate::model::{Gives, Method, Op, Request, SharedKind, Takes, Value as Shared};
use crate::script::api::task::seconds;
use crate::script::error::raise;
use crate::script::shown::shown;
use crate::script::table::{from_key, from_value};

/// The methods that were used so far, as Lua functions.
#[derive(Default)]
pub(super) struct Methods {
    made: RefCell<HashMap<(SharedKind, &'static str), Function>>,
}

impl Methods {
    /// Returns a method of a kind by its name.
    pub(super) fn find(&self, lua: &Lua, kind: SharedKind, name: &[u8]) -> mlua::Result<Option<Function>> {
        let Some(found) = kind.method(name) else { return Ok(None) };
        if let Some(made) = self.made.borrow().get(&(kind, found.name)) {
            return Ok(Some(made.clone()));
        }
        let made = match found.takes {
            Takes::Function => with(lua, kind)?,
            _ => function(lua, kind, found)?,
        };
        self.made.borrow_mut().insert((kind, found.name), made.clone());
        Ok(Some(made))
    }
}

fn function(lua: &Lua, kind: SharedKind, method: &'static Method) -> mlua::Result<Function> {
    let name = method.name;
    lua.create_function(move |lua, mut arguments: MultiValue| {
        let this = arguments.pop_front().unwrap_or(Value::Nil);
        let proxy = match &this {
            Value::UserData(object) => {
                object.borrow::<Proxy>().ok().filter(|proxy| proxy.0.kind == kind).map(|proxy| *proxy)
            }
            _ => None,
        };
        let Some(proxy) = proxy else {
            let text = format!(
                "'{name}' is a method of a {}; call it with a colon, as in object:{name}(…), not with {}",
                kind.name(),
                shown(&this)
            );
            return Err(raise(lua, "usage", text));
        };
        let arguments: Vec<Value> = arguments.into_iter().collect();
        call(lua, proxy, method, &arguments)
    })
}

/// Makes `with`, which Lua itself does best.
fn with(lua: &Lua, kind: SharedKind) -> mlua::Result<Function> {
    let text = include_str!("../../../../lua/rille/held.lua");
    let chunk = lua.load(text).set_name("=[rille held]").set_mode(ChunkMode::Text);
    let named = |name: &str| {
        let method = kind.method(name.as_bytes());
        method.ok_or_else(|| raise(lua, "usage", format!("a {} cannot be held", kind.name())))
    };
    let held: Function =
        chunk.call((function(lua, kind, named("acquire")?)?, function(lua, kind, named("release")?)?))?;
    lua.create_function(move |lua, arguments: MultiValue| match arguments.get(1) {
        Some(Value::Function(_)) => Ok(held.clone()),
        other => {
            let text = format!(
                "with takes a function, lock:with(function() … end), not {}",
                shown(other.unwrap_or(&Value::Nil))
            );
            Err(raise(lua, "usage", text))
        }
    })
    .and_then(|check| {
        let text = "local check = ... return function(...) return check(...)(...) end";
        lua.load(text).set_name("=[rille held]").set_mode(ChunkMode::Text).call(check)
    })
}

fn call(lua: &Lua, proxy: Proxy, method: &Method, arguments: &[Value]) -> mlua::Result<MultiValue> {
    let nil = Value::Nil;
    let first = arguments.first().unwrap_or(&nil);
    let second = arguments.get(1).unwrap_or(&nil);
    let request = request(lua, proxy, method, (first, second))?;
    match (method.gives, ask(lua, &request)?) {
        (Gives::Nothing, _) => ().into_lua_multi(lua),
        (Gives::Done, None) => (false, "timeout").into_lua_multi(lua),
        (Gives::Done, Some(_)) => true.into_lua_multi(lua),
        (Gives::ValueOr(word), None) => (Value::Nil, word).into_lua_multi(lua),
        (Gives::Table, answer) => table_of(lua, answer.unwrap_or_default())?.into_lua_multi(lua),
        (Gives::ValueOr(_) | Gives::Value, answer) => from_value(lua, &answer.unwrap_or_default())?.into_lua_multi(lua),
    }
}

/// Reads what a method is called with.
fn request(lua: &Lua, proxy: Proxy, method: &Method, (first, second): (&Value, &Value)) -> mlua::Result<Request> {
    let bare = proxy.request(method.op);
    let keyed = || proxy.keyed(lua, method.op, first);
    let amount = |value: &Value| match value {
        Value::Nil => Ok(None),
        Value::Integer(_) | Value::Number(_) => proxy.value(lua, ":add", value),
        other => Err(raise(lua, "usage", format!("{}:add takes a number, got {}", proxy.0, shown(other)))),
    };
    Ok(match method.takes {
        Takes::Nothing | Takes::Function => bare,
        Takes::KeyOrNothing if first.is_nil() => bare,
        Takes::Key | Takes::KeyOrNothing => keyed()?,
        Takes::Value => Request { value: proxy.value(lua, &format!(":{}", method.name), first)?, ..bare },
        Takes::Content => Request { value: proxy.value(lua, ".value", first)?, ..bare },
        Takes::KeyAndValue => {
            let request = keyed()?;
            Request { value: proxy.value(lua, &place(first), second)?, ..request }
        }
        Takes::Amount => Request { value: amount(first)?, ..bare },
        Takes::KeyAndAmount => {
            let request = keyed()?;
            Request { value: amount(second)?, ..request }
        }
        Takes::Table => update(lua, proxy, first)?,
        Takes::Seconds => {
            let timeout = seconds(lua, "timeout", first)?.map(|limit| limit.as_secs_f64());
            Request { timeout, ..bare }
        }
        Takes::NoTime => Request { timeout: Some(0.0), ..bare },
    })
}

/// Reads the table of an update: its keys may be any that a dict has.
fn update(lua: &Lua, proxy: Proxy, given: &Value) -> mlua::Result<Request> {
    let Value::Table(table) = given else {
        return Err(raise(lua, "usage", format!("{}:update takes a table, got {}", proxy.0, shown(given))));
    };
    let value = content(lua, proxy, table)?;
    Ok(Request { value: Some(value), ..proxy.request(Op::Update) })
}

/// Reads the pairs of a table, in an order that no run changes.
pub(super) fn content(lua: &Lua, proxy: Proxy, table: &Table) -> mlua::Result<Shared> {
    let mut pairs = BTreeMap::new();
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let value = proxy.value(lua, &place(&key), &value)?.unwrap_or_default();
        if let Some(key) = proxy.keyed(lua, Op::Set, &key)?.key {
            pairs.insert(key, value);
        }
    }
    Ok(pairs.into_iter().map(|(key, value)| Shared::List(vec![key.into(), value])).collect())
}

/// Returns a table of pairs.
fn table_of(lua: &Lua, pairs: Shared) -> mlua::Result<Value> {
    let table = lua.create_table()?;
    for (key, value) in pairs_of(pairs) {
        table.raw_set(from_key(lua, &key)?, from_value(lua, &value)?)?;
    }
    Ok(Value::Table(table))
}
