//! Results as scripts see them.

use mlua::{MetaMethod, UserData, UserDataFields, UserDataMethods, Value};

use super::object::{ObjectName, guard};
use crate::engine::End;
use crate::model::{Outcome, Value as Data};
use crate::script::table::from_value;

const NAME: ObjectName = ObjectName { is: "a result", variable: "result" };

const FIELDS: [&str; 5] = ["ok", "value", "code", "reason", "data"];

/// The result of a task or of a roll-up.
#[derive(Clone, Debug)]
pub(super) struct LuaResult {
    pub(super) outcome: Outcome,
    reason: Option<String>,
    data: Option<Data>,
}

impl LuaResult {
    /// Makes the result of a task that has ended.
    pub(super) fn of(end: End) -> Self {
        Self { outcome: end.outcome, reason: end.reason, data: end.data }
    }

    /// Makes a result that is only an outcome.
    pub(super) fn plain(outcome: Outcome) -> Self {
        Self { outcome, reason: None, data: None }
    }
}

impl UserData for LuaResult {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field_method_get("ok", |_, this| Ok(this.outcome.is_pass()));
        fields.add_field_method_get("value", |_, this| Ok(this.outcome.name()));
        fields.add_field_method_get("code", |_, this| Ok(this.outcome.code()));
        fields.add_field_method_get("reason", |_, this| Ok(this.reason.clone()));
        fields.add_field_method_get("data", |lua, this| match &this.data {
            Some(data) => from_value(lua, data),
            None => Ok(Value::Nil),
        });
        fields.add_meta_field("__name", "result");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(this.outcome.name()));
        methods.add_meta_method(MetaMethod::Eq, |_, this, other: Value| {
            let other = other.as_userdata().and_then(|other| other.borrow::<Self>().ok().map(|other| other.outcome));
            Ok(other == Some(this.outcome))
        });
        guard(methods, NAME, &FIELDS);
    }
}
