//! A shared object as Lua sees it: fields, items, `#`, `pairs`, `==`.

use std::cell::Cell;

use mlua::{Lua, MetaMethod, UserData, UserDataFields, UserDataMethods, UserDataRef, Value};

use super::super::object::{not_settable, unknown_field};
use super::{Api, api, ask};
use crate::model::{Key, Keys, Op, REFERENCE, Request, SharedRef, Value as Shared};
use crate::script::error::raise;
use crate::script::shown::{shown, shown_key};
use crate::script::table::{from_key, from_value, key_of, to_value};

/// See the module.
#[derive(Clone, Copy)]
pub(in crate::script) struct Proxy(pub(in crate::script) SharedRef);

impl Proxy {
    /// Makes the object that a reference names; where nothing is shared, a table that says which one it was.
    pub(in crate::script) fn of(lua: &Lua, reference: SharedRef) -> mlua::Result<Value> {
        if lua.app_data_ref::<Api>().is_some() {
            return Ok(Value::UserData(lua.create_userdata(Self(reference))?));
        }
        let (table, content) = (lua.create_table()?, lua.create_table()?);
        content.raw_set("type", reference.kind.name())?;
        content.raw_set("id", reference.id)?;
        table.raw_set(REFERENCE, content)?;
        Ok(Value::Table(table))
    }

    /// Makes a request about the object.
    pub(super) fn request(self, op: Op) -> Request {
        Request::of(op, self.0)
    }

    /// Makes a request about what stands under a key.
    pub(super) fn keyed(self, lua: &Lua, op: Op, key: &Value) -> mlua::Result<Request> {
        Ok(Request { key: Some(self.key(lua, key)?), ..self.request(op) })
    }

    /// Reads a key.
    fn key(self, lua: &Lua, key: &Value) -> mlua::Result<Key> {
        let keys = self.0.kind.row().keys;
        let fits = |key: &Key| match keys {
            Keys::Positions => matches!(key, Key::Integer(_)),
            Keys::Names => matches!(key, Key::Text(_)),
            Keys::Any | Keys::Content | Keys::None => true,
        };
        key_of(key).filter(fits).ok_or_else(|| {
            let wanted = match keys {
                Keys::Positions => "has positions from 1",
                Keys::Names => "has names as keys",
                Keys::Any | Keys::Content | Keys::None => "has strings, numbers and booleans as keys",
            };
            raise(lua, "usage", format!("{} {wanted}, got {}", self.0, shown(key)))
        })
    }

    /// Reads a value that is to be stored; `place` says where.
    pub(super) fn value(self, lua: &Lua, place: &str, value: &Value) -> mlua::Result<Option<Shared>> {
        let read = to_value(value, &format!("{}{place}", self.0));
        read.map(Some).map_err(|problem| raise(lua, "usage", problem.to_string()))
    }

    fn index(self, lua: &Lua, key: &Value) -> mlua::Result<Value> {
        let kind = self.0.kind;
        if let Value::String(name) = key
            && let Some(method) = api(lua)?.methods.find(lua, kind, &name.as_bytes())?
        {
            return Ok(Value::Function(method));
        }
        match (kind.row().keys, key) {
            (Keys::Any | Keys::Names, _) | (Keys::Positions, Value::Integer(_) | Value::Number(_)) => {
                let found = ask(lua, &self.keyed(lua, Op::Get, key)?)?;
                from_value(lua, &found.unwrap_or_default())
            }
            (Keys::Content, Value::String(name)) if name.as_bytes() == b"value" => {
                let found = ask(lua, &self.request(Op::Get))?;
                from_value(lua, &found.unwrap_or_default())
            }
            _ => Err(self.has_no(lua, key)),
        }
    }

    fn new_index(self, lua: &Lua, key: &Value, value: &Value) -> mlua::Result<()> {
        let kind = self.0.kind;
        let name = key.as_string().map(mlua::LuaString::to_string_lossy).unwrap_or_default();
        let is_method = kind.method(name.as_bytes()).is_some();
        match (kind.row().keys, key) {
            (Keys::Any | Keys::Names, Value::String(_)) if is_method => {
                let text = format!(
                    "'{name}' is a method of a {0}, so it cannot be set as a field; as a key write d:set(\"{name}\", value) \
                     and d:get(\"{name}\")",
                    kind.name()
                );
                return Err(raise(lua, "usage", text));
            }
            (Keys::Any | Keys::Names, _) | (Keys::Positions, Value::Integer(_) | Value::Number(_)) => {
                let request = self.keyed(lua, Op::Set, key)?;
                let value = self.value(lua, &place(key), value)?;
                ask(lua, &Request { value, ..request })?;
            }
            (Keys::Content, Value::String(_)) if name == "value" => {
                let value = self.value(lua, ".value", value)?;
                ask(lua, &Request { value, ..self.request(Op::Set) })?;
            }
            _ if is_method => return Err(not_settable(lua, kind.name(), &name, &[])),
            _ => return Err(self.has_no(lua, key)),
        }
        Ok(())
    }

    fn has_no(self, lua: &Lua, key: &Value) -> mlua::Error {
        let kind = self.0.kind;
        let mut known: Vec<&str> = kind.row().methods.iter().map(|method| method.name).collect();
        if kind.row().keys == Keys::Content {
            known.push("value");
        }
        let article = if kind.name().starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        let object = format!("{article} {}", kind.name());
        match key {
            Value::String(name) => unknown_field(lua, &object, &name.to_string_lossy(), &known),
            other => raise(lua, "usage", format!("{object} has no items, got {} as a key", shown(other))),
        }
    }

    fn length(self, lua: &Lua) -> mlua::Result<Value> {
        let found = ask(lua, &self.request(Op::Length))?;
        from_value(lua, &found.unwrap_or_default())
    }

    /// Returns an iterator over what there is now.
    fn pairs(self, lua: &Lua) -> mlua::Result<mlua::Function> {
        let kind = self.0.kind;
        let items = |op| Ok::<_, mlua::Error>(ask(lua, &self.request(op))?.unwrap_or_default());
        let items = match kind.row().keys {
            Keys::Positions => numbered(items(Op::Copy)?),
            Keys::Any | Keys::Names => pairs_of(items(Op::Items)?),
            Keys::Content | Keys::None => {
                return Err(raise(lua, "usage", format!("a {} has no items to go through", kind.name())));
            }
        };
        let next = Cell::new(0);
        lua.create_function(move |lua, ()| {
            Ok(match items.get(next.replace(next.get() + 1)) {
                None => (Value::Nil, Value::Nil),
                Some((key, item)) => (from_key(lua, key)?, from_value(lua, item)?),
            })
        })
    }
}

/// Says where in an object something is to stand.
pub(super) fn place(key: &Value) -> String {
    match key_of(key) {
        Some(Key::Text(name)) => format!(".{name}"),
        _ => format!("[{}]", shown_key(key)),
    }
}

/// Returns the pairs in an answer that is a list of them.
pub(super) fn pairs_of(answer: Shared) -> Vec<(Key, Shared)> {
    let Shared::List(items) = answer else { return Vec::new() };
    let pair = |item| match item {
        Shared::List(pair) => {
            let [key, value] = <[Shared; 2]>::try_from(pair).ok()?;
            Some((Key::of_value(key)?, value))
        }
        _ => None,
    };
    items.into_iter().filter_map(pair).collect()
}

/// Returns the items of a list with their positions.
fn numbered(answer: Shared) -> Vec<(Key, Shared)> {
    let Shared::List(items) = answer else { return Vec::new() };
    (1..).map(Key::Integer).zip(items).collect()
}

impl UserData for Proxy {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field("__name", "synchro object");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::Index, |lua, this, key: Value| this.index(lua, &key));
        methods.add_meta_method(MetaMethod::NewIndex, |lua, this, (key, value): (Value, Value)| {
            this.new_index(lua, &key, &value)
        });
        methods.add_meta_method(MetaMethod::Len, |lua, this, ()| this.length(lua));
        methods.add_meta_method(MetaMethod::Pairs, |lua, this, ()| this.pairs(lua));
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(this.0.to_string()));
        methods.add_meta_method(MetaMethod::Eq, |_, this, other: Value| {
            let other = match &other {
                Value::UserData(other) => other.borrow::<Proxy>().ok(),
                _ => None,
            };
            Ok(other.is_some_and(|other: UserDataRef<Proxy>| other.0 == this.0))
        });
    }
}
