//! A lock, an rlock and a semaphore: something that a limited number can hold.

use super::{Ask, Body, EndedBy, HolderId, Turn, Waiting, not_its};
use crate::model::{Fault, Op, SharedKind, Value};

/// See the module.
pub(super) struct Grip {
    /// How many.
    slots: usize,
    /// Whether who holds it may take it again.
    is_reentrant: bool,
    /// Who holds how much.
    owners: Vec<(HolderId, usize)>,
}

impl Grip {
    pub(super) const fn new(slots: usize, is_reentrant: bool) -> Self {
        Self { slots, is_reentrant, owners: Vec::new() }
    }

    /// Returns how many slots are free.
    fn free(&self) -> usize {
        let held: usize = match self.is_reentrant {
            true => self.owners.len(),
            false => self.owners.iter().map(|(_, count)| count).sum(),
        };
        self.slots.saturating_sub(held)
    }

    /// Returns how much a holder has.
    fn held_by(&self, holder: HolderId) -> usize {
        self.owners.iter().find(|(owner, _)| *owner == holder).map_or(0, |(_, count)| *count)
    }

    /// Takes a slot, if one is free or the holder may take its own again. Returns whether it was.
    fn take(&mut self, holder: HolderId) -> bool {
        let again = self.is_reentrant && self.held_by(holder) > 0;
        if !again && self.free() == 0 {
            return false;
        }
        match self.owners.iter_mut().find(|(owner, _)| *owner == holder) {
            Some((_, count)) => *count += 1,
            None => self.owners.push((holder, 1)),
        }
        true
    }

    /// Gives one back. Returns false if the holder has none.
    fn give_back(&mut self, holder: HolderId) -> bool {
        let Some(at) = self.owners.iter().position(|(owner, _)| *owner == holder) else { return false };
        self.owners[at].1 -= 1;
        if self.owners[at].1 == 0 {
            self.owners.remove(at);
        }
        true
    }

    /// Gives what is free to those who wait for it, in their order.
    fn hand_on(&mut self, waiting: &Waiting) -> Vec<(HolderId, Value)> {
        let given = waiting.iter().take_while(|first| self.take(**first));
        given.map(|first| (*first, Value::Bool(true))).collect()
    }

    fn acquire(&mut self, ask: &Ask<'_>) -> Result<Turn, Fault> {
        if self.take(ask.holder) {
            return Ok(Turn::done(Value::Bool(true)));
        }
        if ask.name.kind == SharedKind::Lock && ask.is_endless && self.held_by(ask.holder) > 0 {
            return Err(Fault::usage(format!(
                "{} is held by this caller already and would wait for itself; an rlock() can be taken again",
                ask.name
            )));
        }
        Ok(Turn::wait())
    }

    fn release(&mut self, ask: &Ask<'_>) -> Result<Turn, Fault> {
        if !self.give_back(ask.holder) {
            let what = match (self.free(), ask.name.kind) {
                (_, SharedKind::Semaphore) => "the caller has no slot of it",
                (0, _) => "another holds it",
                _ => "nobody holds it",
            };
            return Err(Fault::usage(format!(
                "{} cannot be released: {what}; only who acquired it may release it",
                ask.name
            )));
        }
        Ok(Turn { woken: self.hand_on(ask.waiting), ..Turn::done(Value::Null) })
    }
}

impl Body for Grip {
    fn ask(&mut self, ask: Ask<'_>) -> Result<Turn, Fault> {
        match ask.op {
            Op::Acquire => self.acquire(&ask),
            Op::Release => self.release(&ask),
            Op::IsSet => Ok(Turn::done(Value::Bool(self.free() == 0))),
            Op::Length => Ok(Turn::done(self.free())),
            op => Err(not_its(ask.name, op)),
        }
    }

    fn leave(&mut self, holder: HolderId, waiting: &Waiting) -> Vec<(HolderId, Value)> {
        self.owners.retain(|(owner, _)| *owner != holder);
        self.hand_on(waiting)
    }

    fn ended_by(&self, _waiting: &Waiting) -> EndedBy {
        EndedBy::OneOf(self.owners.iter().map(|(owner, _)| *owner).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rlock_is_free_when_its_holder_has_given_back_as_often_as_it_took() {
        let mut rlock = Grip::new(1, true);
        assert_eq!([rlock.take(1), rlock.take(1), rlock.take(2), rlock.give_back(2)], [true, true, false, false]);
        assert_eq!([rlock.give_back(1), rlock.take(2), rlock.give_back(1), rlock.take(2)], [true, false, true, true]);
    }

    #[test]
    fn slots_of_a_holder_that_is_gone_go_to_those_who_wait_the_longest() {
        let mut semaphore = Grip::new(2, false);
        assert_eq!([semaphore.take(1), semaphore.take(1), semaphore.take(2)], [true, true, false]);
        let yes = |holder| (holder, Value::Bool(true));
        assert_eq!(semaphore.leave(1, &[2, 3, 4].into()), [yes(2), yes(3)]);
        assert_eq!(semaphore.leave(1, &[4].into()), []);
    }
}
