//! A value: one content that is read and replaced.

use super::sum::add;
use super::{Ask, Body, Turn, Waiting, not_its};
use crate::model::{Fault, Op, Value};

/// See the module.
pub(super) struct Content(pub(super) Value);

impl Body for Content {
    fn ask(&mut self, ask: Ask<'_>) -> Result<Turn, Fault> {
        Ok(Turn::done(match ask.op {
            Op::Get => self.0.clone(),
            Op::Set => {
                self.0 = ask.value.unwrap_or_default();
                Value::Null
            }
            Op::Add => add(&mut self.0, ask.value.as_ref(), || ask.name.to_string())?,
            op => return Err(not_its(ask.name, op)),
        }))
    }

    fn keeps(&self, _waiting: &Waiting) -> bool {
        true
    }
}
