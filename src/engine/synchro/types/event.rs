//! An event: set or not; whoever waits for it is let go when it is set.

use super::{Ask, Body, EndedBy, Turn, Waiting, not_its};
use crate::model::{Fault, Op, Value};

/// See the module.
#[derive(Default)]
pub(super) struct Event {
    is_set: bool,
}

impl Body for Event {
    fn ask(&mut self, ask: Ask<'_>) -> Result<Turn, Fault> {
        match ask.op {
            Op::Set => {
                self.is_set = true;
                let woken = ask.waiting.iter().map(|holder| (*holder, Value::Bool(true))).collect();
                Ok(Turn { woken, ..Turn::done(Value::Null) })
            }
            Op::Clear => {
                self.is_set = false;
                Ok(Turn::done(Value::Null))
            }
            Op::IsSet => Ok(Turn::done(Value::Bool(self.is_set))),
            Op::Wait if self.is_set => Ok(Turn::done(Value::Bool(true))),
            Op::Wait => Ok(Turn::wait()),
            op => Err(not_its(ask.name, op)),
        }
    }

    fn ended_by(&self, _waiting: &Waiting) -> EndedBy {
        EndedBy::Anybody("is not set, and nobody is left who could set it")
    }
}
