//! A shared object as Lua sees it: fields, items, `#`, `pairs`, `==`.

use std::cell::Cell;

use mlua::{Lua, MetaMethod, UserData, UserDataFields, UserDataMethods, UserDataRef, Value};
use serde_json::Value as Json;

use super::super::{not_settable, unknown_field};
use super::{api, ask, methods};
use crate::model::{Key, Op, Request, SharedKind, SharedRef};
use crate::script::error::raise;
use crate::script::table::{self, shown};

/// See the module.
#[derive(Clone, Copy)]
pub(in crate::script) struct Proxy(pub(in crate::script) SharedRef);

impl Proxy {
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
        let read = match key {
            Value::String(text) => text.to_str().ok().map(|text| Key::Text(text.to_owned())),
            Value::Integer(number) => Some(Key::Integer(*number)),
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
            Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(Key::Integer(*number as i64)),
            Value::Boolean(boolean) => Some(Key::Boolean(*boolean)),
            _ => None,
        };
        let fits = |key: &Key| match self.0.kind {
            SharedKind::List => matches!(key, Key::Integer(_)),
            SharedKind::Namespace => matches!(key, Key::Text(_)),
            _ => true,
        };
        read.filter(fits).ok_or_else(|| {
            let wanted = match self.0.kind {
                SharedKind::List => "has positions from 1",
                SharedKind::Namespace => "has names as keys",
                _ => "has strings, whole numbers and booleans as keys",
            };
            raise(lua, "usage", format!("{} {wanted}, got {}", self.0, shown(key)))
        })
    }

    /// Reads a value that is to be stored; `place` says where.
    pub(super) fn value(self, lua: &Lua, place: &str, value: &Value) -> mlua::Result<Option<Json>> {
        let json = table::to_shared(value, &format!("{}{place}", self.0));
        json.map(Some).map_err(|problem| raise(lua, "usage", problem))
    }

    fn index(self, lua: &Lua, key: &Value) -> mlua::Result<Value> {
        let kind = self.0.kind;
        if let Value::String(name) = key
            && let Some(method) = api(lua)?.methods.find(lua, kind, &name.as_bytes())?
        {
            return Ok(Value::Function(method));
        }
        match (kind, key) {
            (SharedKind::Dict | SharedKind::Namespace, _)
            | (SharedKind::List, Value::Integer(_) | Value::Number(_)) => {
                let found = ask(lua, &self.keyed(lua, Op::Get, key)?)?;
                table::from_json(lua, &found.unwrap_or_default())
            }
            (SharedKind::Value, Value::String(name)) if name.as_bytes() == b"value" => {
                let found = ask(lua, &self.request(Op::Get))?;
                table::from_json(lua, &found.unwrap_or_default())
            }
            _ => Err(self.has_no(lua, key)),
        }
    }

    fn new_index(self, lua: &Lua, key: &Value, value: &Value) -> mlua::Result<()> {
        let kind = self.0.kind;
        let name = match key {
            Value::String(name) => name.to_string_lossy(),
            other => other.to_string()?,
        };
        match (kind, key) {
            (SharedKind::Dict | SharedKind::Namespace, Value::String(_))
                if methods::names(kind).contains(&name.as_str()) =>
            {
                let text = format!(
                    "'{name}' is a method of a {0}, so it cannot be set as a field; as a key write d:set(\"{name}\", value) \
                     and d:get(\"{name}\")",
                    kind.name()
                );
                return Err(raise(lua, "usage", text));
            }
            (SharedKind::Dict | SharedKind::Namespace, _)
            | (SharedKind::List, Value::Integer(_) | Value::Number(_)) => {
                let request = self.keyed(lua, Op::Set, key)?;
                let value = self.value(lua, &place(key), value)?;
                ask(lua, &Request { value, ..request })?;
            }
            (SharedKind::Value, Value::String(_)) if name == "value" => {
                let value = self.value(lua, ".value", value)?;
                ask(lua, &Request { value, ..self.request(Op::Set) })?;
            }
            _ if methods::names(kind).contains(&name.as_str()) => {
                return Err(not_settable(lua, kind.name(), &name));
            }
            _ => return Err(self.has_no(lua, key)),
        }
        Ok(())
    }

    fn has_no(self, lua: &Lua, key: &Value) -> mlua::Error {
        let kind = self.0.kind;
        let mut known = methods::names(kind).to_vec();
        if kind == SharedKind::Value {
            known.push("value");
        }
        let object = match kind {
            SharedKind::Event => format!("an {}", kind.name()),
            _ => format!("a {}", kind.name()),
        };
        match key {
            Value::String(name) => unknown_field(lua, &object, &name.to_string_lossy(), &known),
            other => raise(lua, "usage", format!("{object} has no items, got {} as a key", shown(other))),
        }
    }

    fn length(self, lua: &Lua) -> mlua::Result<Value> {
        let found = ask(lua, &self.request(Op::Length))?;
        table::from_json(lua, &found.unwrap_or_default())
    }

    /// Returns an iterator over what there is now.
    fn pairs(self, lua: &Lua) -> mlua::Result<mlua::Function> {
        let is_list = self.0.kind == SharedKind::List;
        let op = match self.0.kind {
            SharedKind::List => Op::Copy,
            SharedKind::Dict | SharedKind::Namespace => Op::Items,
            other => return Err(raise(lua, "usage", format!("a {} has no items to go through", other.name()))),
        };
        let Some(Json::Array(items)) = ask(lua, &self.request(op))? else { return lua.create_function(|_, ()| Ok(())) };
        let next = Cell::new(0);
        lua.create_function(move |lua, ()| {
            let at = next.replace(next.get() + 1);
            Ok(match items.get(at) {
                None => (Value::Nil, Value::Nil),
                Some(item) if is_list => {
                    (Value::Integer(i64::try_from(at + 1).unwrap_or(i64::MAX)), table::from_json(lua, item)?)
                }
                Some(pair) => (table::from_json(lua, &pair[0])?, table::from_json(lua, &pair[1])?),
            })
        })
    }
}

/// Says where in an object something is to stand.
pub(super) fn place(key: &Value) -> String {
    match key {
        Value::String(name) => format!(".{}", name.to_string_lossy()),
        other => format!("[{}]", other.to_string().unwrap_or_default()),
    }
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
