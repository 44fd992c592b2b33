//! The methods of shared objects.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use mlua::chunk::ChunkMode;
use mlua::{Function, IntoLuaMulti, Lua, MultiValue, Table, Value};

use super::ask;
use super::proxy::{Proxy, pairs_of, place};
use crate::model::{Op, Request, SharedKind, Value as Shared};
use crate::script::api::task::seconds;
use crate::script::error::raise;
use crate::script::shown::shown;
use crate::script::table::{from_key, from_value};

const ENTRIES: [&str; 9] = ["get", "set", "has", "pop", "keys", "update", "copy", "add", "clear"];
const LIST: [&str; 9] = ["get", "set", "append", "insert", "extend", "pop", "copy", "add", "clear"];
const QUEUE: [&str; 3] = ["put", "get", "try_get"];
const LOCK: [&str; 5] = ["acquire", "try_acquire", "release", "with", "is_held"];
const EVENT: [&str; 4] = ["set", "clear", "is_set", "wait"];
const BARRIER: [&str; 1] = ["wait"];
const VALUE: [&str; 3] = ["get", "set", "add"];

/// Returns the names of the methods of a kind.
pub(super) fn names(kind: SharedKind) -> &'static [&'static str] {
    match kind {
        SharedKind::Dict | SharedKind::Namespace => &ENTRIES,
        SharedKind::List => &LIST,
        SharedKind::Queue => &QUEUE,
        SharedKind::Lock | SharedKind::Rlock | SharedKind::Semaphore => &LOCK,
        SharedKind::Event => &EVENT,
        SharedKind::Barrier => &BARRIER,
        SharedKind::Value => &VALUE,
    }
}

/// The methods that were used so far, as Lua functions.
#[derive(Default)]
pub(super) struct Methods {
    made: RefCell<HashMap<(SharedKind, &'static str), Function>>,
}

impl Methods {
    /// Returns a method of a kind by its name.
    pub(super) fn find(&self, lua: &Lua, kind: SharedKind, name: &[u8]) -> mlua::Result<Option<Function>> {
        let Some(name) = names(kind).iter().copied().find(|known| known.as_bytes() == name) else { return Ok(None) };
        if let Some(made) = self.made.borrow().get(&(kind, name)) {
            return Ok(Some(made.clone()));
        }
        let made = match name {
            "with" => with(lua, kind)?,
            _ => method(lua, kind, name)?,
        };
        self.made.borrow_mut().insert((kind, name), made.clone());
        Ok(Some(made))
    }
}

fn method(lua: &Lua, kind: SharedKind, name: &'static str) -> mlua::Result<Function> {
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
        call(lua, proxy, name, &arguments)
    })
}

/// Makes `with`, which Lua itself does best.
fn with(lua: &Lua, kind: SharedKind) -> mlua::Result<Function> {
    let text = include_str!("../../../../lua/rille/held.lua");
    let chunk = lua.load(text).set_name("=[rille held]").set_mode(ChunkMode::Text);
    let held: Function = chunk.call((method(lua, kind, "acquire")?, method(lua, kind, "release")?))?;
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

/// What a method gives back.
enum Gives {
    /// Nothing.
    Nothing,
    /// What was answered.
    Value,
    /// That it was done; false and "timeout" if not in time.
    Done,
    /// The value that came; nil and this word if not in time.
    OrNil(&'static str),
}

fn call(lua: &Lua, proxy: Proxy, name: &str, arguments: &[Value]) -> mlua::Result<MultiValue> {
    let nil = Value::Nil;
    let first = arguments.first().unwrap_or(&nil);
    let second = arguments.get(1).unwrap_or(&nil);
    let kind = proxy.0.kind;
    let is_container = matches!(kind, SharedKind::Dict | SharedKind::Namespace | SharedKind::List);
    let bare = |op| Ok(proxy.request(op));
    let with_value =
        |op, place: &str, value: &Value| Ok(Request { value: proxy.value(lua, place, value)?, ..proxy.request(op) });
    let timed = |op| {
        let timeout = seconds(lua, "timeout", first)?.map(|limit| limit.as_secs_f64());
        Ok(Request { timeout, ..proxy.request(op) })
    };
    let at_once = |op| Ok(Request { timeout: Some(0.0), ..proxy.request(op) });
    let keyed_value = |op| {
        let request = proxy.keyed(lua, op, first)?;
        Ok(Request { value: proxy.value(lua, &place(first), second)?, ..request })
    };
    let amount = |value: &Value| match value {
        Value::Nil => Ok(None),
        Value::Integer(_) | Value::Number(_) => proxy.value(lua, ":add", value),
        other => Err(raise(lua, "usage", format!("{}:add takes a number, got {}", proxy.0, shown(other)))),
    };
    let (request, gives): (mlua::Result<Request>, Gives) = match (kind, name) {
        (_, "get") if is_container => (proxy.keyed(lua, Op::Get, first), Gives::Value),
        (_, "set") if is_container => (keyed_value(Op::Set), Gives::Nothing),
        (_, "add") if is_container => {
            let request = proxy.keyed(lua, Op::Add, first)?;
            (Ok(Request { value: amount(second)?, ..request }), Gives::Value)
        }
        (SharedKind::List, "pop") if first.is_nil() => (bare(Op::Pop), Gives::Value),
        (_, "pop") => (proxy.keyed(lua, Op::Pop, first), Gives::Value),
        (_, "has") => (proxy.keyed(lua, Op::Has, first), Gives::Value),
        (_, "keys") => (bare(Op::Keys), Gives::Value),
        (_, "update") => (update(lua, proxy, first), Gives::Nothing),
        (SharedKind::List, "copy") => (bare(Op::Copy), Gives::Value),
        (_, "copy") => return copy(lua, proxy)?.into_lua_multi(lua),
        (_, "clear") => (bare(Op::Clear), Gives::Nothing),
        (_, "append") => (with_value(Op::Append, ":append", first), Gives::Nothing),
        (_, "insert") => (keyed_value(Op::Insert), Gives::Nothing),
        (_, "extend") => (with_value(Op::Extend, ":extend", first), Gives::Nothing),
        (_, "put") => (with_value(Op::Put, ":put", first), Gives::Nothing),
        (SharedKind::Queue, "get") => (timed(Op::Get), Gives::OrNil("timeout")),
        (_, "try_get") => (at_once(Op::Get), Gives::OrNil("empty")),
        (_, "acquire") => (timed(Op::Acquire), Gives::Done),
        (_, "try_acquire") => (at_once(Op::Acquire), Gives::Done),
        (_, "release") => (bare(Op::Release), Gives::Nothing),
        (_, "is_held" | "is_set") => (bare(Op::IsSet), Gives::Value),
        (SharedKind::Barrier, "wait") => (timed(Op::Wait), Gives::OrNil("timeout")),
        (_, "wait") => (timed(Op::Wait), Gives::Done),
        (SharedKind::Event, "set") => (bare(Op::Set), Gives::Nothing),
        (_, "get") => (bare(Op::Get), Gives::Value),
        (_, "set") => (with_value(Op::Set, ".value", first), Gives::Nothing),
        (_, "add") => (Ok(Request { value: amount(first)?, ..proxy.request(Op::Add) }), Gives::Value),
        _ => (Err(raise(lua, "usage", format!("{} has no method '{name}'", proxy.0))), Gives::Nothing),
    };
    let answer = ask(lua, &request?)?;
    match (gives, answer) {
        (Gives::Nothing, _) => ().into_lua_multi(lua),
        (Gives::Done, None) => (false, "timeout").into_lua_multi(lua),
        (Gives::Done, Some(_)) => true.into_lua_multi(lua),
        (Gives::OrNil(word), None) => (Value::Nil, word).into_lua_multi(lua),
        (Gives::OrNil(_) | Gives::Value, answer) => from_value(lua, &answer.unwrap_or_default())?.into_lua_multi(lua),
    }
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

/// Returns a table with everything in a dict.
fn copy(lua: &Lua, proxy: Proxy) -> mlua::Result<Value> {
    let table = lua.create_table()?;
    for (key, value) in pairs_of(ask(lua, &proxy.request(Op::Items))?.unwrap_or_default()) {
        table.raw_set(from_key(lua, &key)?, from_value(lua, &value)?)?;
    }
    Ok(Value::Table(table))
}
