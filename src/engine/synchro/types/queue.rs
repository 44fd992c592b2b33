//! A queue: values wait to be taken, or takers for values, first in, first out.

use std::collections::VecDeque;

use super::{Ask, Body, EndedBy, Turn, Waiting, not_its};
use crate::model::{Fault, Op, Value};

/// See the module.
#[derive(Default)]
pub(super) struct Queue {
    values: VecDeque<Value>,
}

impl Body for Queue {
    fn ask(&mut self, ask: Ask<'_>) -> Result<Turn, Fault> {
        match ask.op {
            Op::Put => {
                let value = ask.value.unwrap_or_default();
                let mut turn = Turn::done(Value::Null);
                match ask.waiting.front() {
                    Some(first) => turn.woken.push((*first, value)),
                    None => self.values.push_back(value),
                }
                Ok(turn)
            }
            Op::Get if ask.key.is_none() => Ok(self.values.pop_front().map_or_else(Turn::wait, Turn::done)),
            Op::Length => Ok(Turn::done(self.values.len())),
            op => Err(not_its(ask.name, op)),
        }
    }

    fn keeps(&self, waiting: &Waiting) -> bool {
        waiting.is_empty()
    }

    fn ended_by(&self, _waiting: &Waiting) -> EndedBy {
        EndedBy::Anybody("is empty, and nobody is left who could put something into it")
    }
}
