//! What tasks share: counted resources, and which of the counted pieces a task holds.

use std::collections::{BTreeMap, BTreeSet};

/// How much there is of each resource. A resource that is not named here exists once.
pub(crate) type Capacity = BTreeMap<String, u64>;

/// The numbers of the pieces a task holds, by resource: of 4 gpus it may hold 0 and 2.
pub(crate) type Slots = BTreeMap<String, Vec<u64>>;

/// Above this a resource is an amount (bytes of memory), and its pieces have no numbers.
const MOST_SLOTS: u64 = 1024;

#[derive(Debug)]
pub(super) struct Resources {
    capacity: Capacity,
    used: BTreeMap<String, u64>,
    taken: BTreeMap<String, BTreeSet<u64>>,
}

impl Resources {
    pub(super) fn new(capacity: Capacity) -> Self {
        Self { capacity, used: BTreeMap::new(), taken: BTreeMap::new() }
    }

    fn capacity_of(&self, name: &str) -> u64 {
        self.capacity.get(name).copied().unwrap_or(1)
    }

    /// Returns why a wish can never be met.
    pub(super) fn impossible(&self, wish: &BTreeMap<String, u64>) -> Option<String> {
        let (name, amount) = wish.iter().find(|(name, amount)| **amount > self.capacity_of(name))?;
        let has = self.capacity_of(name);
        Some(format!("needs {amount} of resource '{name}', of which there are {has}; --resource {name}=N sets it"))
    }

    /// Returns the first resource of which too little is free.
    pub(super) fn lacking<'a>(&self, wish: &'a BTreeMap<String, u64>) -> Option<&'a str> {
        let used = |name: &str| self.used.get(name).copied().unwrap_or(0);
        wish.iter().find(|(name, amount)| used(name) + **amount > self.capacity_of(name)).map(|(name, _)| name.as_str())
    }

    pub(super) fn take(&mut self, wish: &BTreeMap<String, u64>) -> Slots {
        let mut slots = Slots::new();
        for (name, amount) in wish {
            *self.used.entry(name.clone()).or_default() += amount;
            let capacity = self.capacity_of(name);
            if capacity <= MOST_SLOTS {
                let taken = self.taken.entry(name.clone()).or_default();
                let free = (0..capacity).filter(|slot| !taken.contains(slot));
                let numbers: Vec<u64> = free.take(usize::try_from(*amount).unwrap_or(usize::MAX)).collect();
                taken.extend(&numbers);
                slots.insert(name.clone(), numbers);
            }
        }
        slots
    }

    pub(super) fn give_back(&mut self, wish: &BTreeMap<String, u64>, slots: &Slots) {
        for (name, amount) in wish {
            if let Some(used) = self.used.get_mut(name) {
                *used = used.saturating_sub(*amount);
            }
        }
        for (name, numbers) in slots {
            if let Some(taken) = self.taken.get_mut(name) {
                taken.retain(|slot| !numbers.contains(slot));
            }
        }
    }
}
