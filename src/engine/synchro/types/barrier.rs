//! A barrier: whoever comes waits until so many are there.

use super::{Ask, Body, EndedBy, Turn, Waiting, not_its};
use crate::model::{Fault, Op, Value};

/// See the module.
pub(super) struct Barrier {
    /// How many it waits for.
    parties: usize,
}

impl Barrier {
    pub(super) const fn new(parties: usize) -> Self {
        Self { parties }
    }
}

impl Body for Barrier {
    fn ask(&mut self, ask: Ask<'_>) -> Result<Turn, Fault> {
        match ask.op {
            Op::Wait if ask.waiting.len() + 1 < self.parties => Ok(Turn::wait()),
            Op::Wait => {
                let woken = (1_usize..).zip(ask.waiting).map(|(index, holder)| (*holder, Value::from(index))).collect();
                Ok(Turn { woken, ..Turn::done(self.parties) })
            }
            Op::Length => Ok(Turn::done(ask.waiting.len())),
            op => Err(not_its(ask.name, op)),
        }
    }

    fn ended_by(&self, waiting: &Waiting) -> EndedBy {
        EndedBy::Arrivals(self.parties.saturating_sub(waiting.len()))
    }
}
