//! The plan of a suite: which walks there are, by their ids alone.
//!
//! An order of actions is parted at its serial actions into groups: G0 S1 G1 S2 G2 … Sn Gn. A walk takes one option of every
//! action. With `c` the product of the options of a group and `P` the product over all groups, the walk with id
//! `branch * P + g0 + c0 * g1 + c0 * c1 * g2 + …` takes the element `g` of the product of each group, in which the last
//! action varies fastest, and the options of the serial actions that `branch` spells, the first one most significant. So
//! any walk is found from its id, and no list of walks is needed.
//!
//! Where there are more walks than ids, or more than anyone would run, some are chosen, and the plan lists these: the id of a
//! walk is then its place in the list.

use std::ops::Range;

/// An action in the order, as far as the plan cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// It is a serial action.
    pub(crate) is_serial: bool,
    /// How many options it has.
    pub(crate) options: u32,
}

/// A part of every walk: what runs between two serial actions, and the serial action that runs before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    /// The place in the order of the serial action that runs before it.
    pub(crate) serial: Option<usize>,
    /// The places in the order of the actions of its portion; none after a serial action at the end.
    pub(crate) actions: Range<usize>,
    /// How many different portions there are: 1 for an empty one.
    pub(crate) portions: u64,
    /// By how many ids walks with successive portions of this stage are apart.
    stride: u64,
}

impl Stage {
    /// Returns by how many ids walks with successive portions are apart.
    pub(crate) const fn stride(&self) -> u64 {
        self.stride
    }
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlanError {
    /// The order has no action.
    #[error("the order has no action")]
    Empty,
    /// An action has no option; its place in the order.
    #[error("action {} of the order has no options", .0 + 1)]
    NoOptions(usize),
    /// The ids of the walks do not fit in 63 bits, the integers of Lua.
    #[error(
        "the order has more than 9223372036854775807 walks; choose some of them by cover, such as cover = 2, or by sample"
    )]
    TooMany,
}

/// All walks of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    slots: Vec<Slot>,
    stages: Vec<Stage>,
    /// Walks that have the same options of the serial actions.
    walks_of_branch: u64,
    walks: u64,
    /// The walks, where these are listed.
    rows: Option<Vec<Vec<u32>>>,
}

impl Plan {
    /// Returns the plan of an order.
    pub(crate) fn new(slots: Vec<Slot>) -> Result<Self, PlanError> {
        check(&slots)?;
        let mut stages = Vec::new();
        let mut begin = 0;
        let mut serial = None;
        let ends = (0..slots.len()).filter(|place| slots[*place].is_serial).chain([slots.len()]);
        let mut stride = 1_u64;
        for end in ends {
            // Nothing runs before a serial action that comes first.
            if end > 0 {
                let portions = product(&slots[begin..end]).ok_or(PlanError::TooMany)?;
                stages.push(Stage { serial, actions: begin..end, portions, stride });
                stride = stride.checked_mul(portions).ok_or(PlanError::TooMany)?;
            }
            serial = Some(end);
            begin = end + 1;
        }
        let walks = product(&slots).filter(|walks| i64::try_from(*walks).is_ok()).ok_or(PlanError::TooMany)?;
        Ok(Self { slots, stages, walks_of_branch: stride, walks, rows: None })
    }

    /// Returns the plan of some walks of an order, each given by the options of its actions. Their order is kept but for the
    /// serial actions: walks that have the same options of these come one after the other.
    pub(crate) fn listed(slots: Vec<Slot>, mut rows: Vec<Vec<u32>>) -> Result<Self, PlanError> {
        check(&slots)?;
        let places: Vec<usize> = (0..slots.len()).filter(|place| slots[*place].is_serial).collect();
        rows.sort_by_cached_key(|row| places.iter().map(|place| row[*place]).collect::<Vec<u32>>());
        let walks = rows.len() as u64;
        let mut stages = Vec::new();
        let mut begin = 0;
        let mut serial = None;
        for end in places.into_iter().chain([slots.len()]) {
            if end > 0 {
                stages.push(Stage { serial, actions: begin..end, portions: walks.max(1), stride: 1 });
            }
            serial = Some(end);
            begin = end + 1;
        }
        Ok(Self { slots, stages, walks_of_branch: 1, walks, rows: Some(rows) })
    }

    /// Returns the walks, where they are listed.
    pub(crate) fn rows(&self) -> Option<&[Vec<u32>]> {
        self.rows.as_deref()
    }

    fn row(&self, id: u64) -> Option<&[u32]> {
        self.rows.as_ref().map(|rows| rows[usize::try_from(id).expect("it is the place of a row")].as_slice())
    }

    /// Returns how many walks there are; their ids are those below.
    pub(crate) const fn walks(&self) -> u64 {
        self.walks
    }

    /// Returns the actions in their order.
    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Returns the stages; there is at least one.
    pub(crate) fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Returns the number of a walk's portion at a stage.
    pub(crate) fn portion(&self, id: u64, stage: usize) -> u64 {
        if self.rows.is_some() {
            return id;
        }
        let stage = &self.stages[stage];
        (id / stage.stride) % stage.portions
    }

    /// Appends the options of a walk's portion at a stage, one for each of its actions.
    pub(crate) fn push_portion_options(&self, id: u64, stage: usize, options: &mut Vec<u32>) {
        if let Some(row) = self.row(id) {
            return options.extend_from_slice(&row[self.stages[stage].actions.clone()]);
        }
        let start = options.len();
        let mut rest = self.portion(id, stage);
        for slot in self.slots[self.stages[stage].actions.clone()].iter().rev() {
            options.push(digit(&mut rest, slot.options));
        }
        options[start..].reverse();
    }

    /// Returns the option of each action that a walk takes, in the order of the actions.
    pub(crate) fn options(&self, id: u64) -> Vec<u32> {
        if let Some(row) = self.row(id) {
            return row.to_vec();
        }
        let mut options = vec![0; self.slots.len()];
        let mut branch = id / self.walks_of_branch;
        for (place, slot) in self.slots.iter().enumerate().rev().filter(|(_, slot)| slot.is_serial) {
            options[place] = digit(&mut branch, slot.options);
        }
        let mut portion = Vec::new();
        for (number, stage) in self.stages.iter().enumerate() {
            portion.clear();
            self.push_portion_options(id, number, &mut portion);
            options[stage.actions.clone()].copy_from_slice(&portion);
        }
        options
    }

    /// Returns the id of the walk that takes these options, one for each action; the reverse of [`Plan::options`]. It must be
    /// one of those that are listed, where the plan lists walks.
    pub(crate) fn id(&self, options: &[u32]) -> u64 {
        if let Some(rows) = &self.rows {
            return rows.iter().position(|row| row == options).map_or(self.walks, |place| place as u64);
        }
        let join = |places: &mut dyn Iterator<Item = usize>| {
            places.fold(0, |sum, place| sum * u64::from(self.slots[place].options) + u64::from(options[place]))
        };
        let branch = join(&mut (0..self.slots.len()).filter(|place| self.slots[*place].is_serial));
        let portions = self.stages.iter().map(|stage| stage.stride * join(&mut stage.actions.clone()));
        branch * self.walks_of_branch + portions.sum::<u64>()
    }

    /// Returns the ids of the walks that take these options of the first serial actions, of which there may be fewer than
    /// the order has.
    pub(crate) fn branch(&self, serial_options: &[u32]) -> Range<u64> {
        if let Some(rows) = &self.rows {
            let serial: Vec<usize> = (0..self.slots.len()).filter(|place| self.slots[*place].is_serial).collect();
            let key =
                |row: &Vec<u32>| serial.iter().zip(serial_options).map(|(place, _)| row[*place]).collect::<Vec<_>>();
            let from = rows.partition_point(|row| key(row).as_slice() < serial_options);
            let to = rows.partition_point(|row| key(row).as_slice() <= serial_options);
            return from as u64..to as u64;
        }
        let mut length = self.walks;
        let mut first = 0;
        let serial = self.slots.iter().filter(|slot| slot.is_serial);
        for (slot, option) in serial.zip(serial_options) {
            length /= u64::from(slot.options);
            first += length * u64::from(*option);
        }
        first..first + length
    }
}

fn check(slots: &[Slot]) -> Result<(), PlanError> {
    match slots.iter().position(|slot| slot.options == 0) {
        _ if slots.is_empty() => Err(PlanError::Empty),
        Some(place) => Err(PlanError::NoOptions(place)),
        None => Ok(()),
    }
}

fn product(slots: &[Slot]) -> Option<u64> {
    slots.iter().try_fold(1_u64, |product, slot| product.checked_mul(u64::from(slot.options)))
}

/// Takes the last digit to a base off a number.
fn digit(rest: &mut u64, base: u32) -> u32 {
    let base = u64::from(base);
    let digit = *rest % base;
    *rest /= base;
    u32::try_from(digit).expect("it is below a base of 32 bits")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads an order such as `"2 s2 3"`: the numbers of options, serial actions with an `s`.
    fn plan(order: &str) -> Plan {
        let slot = |word: &str| Slot {
            is_serial: word.starts_with('s'),
            options: word.trim_start_matches('s').parse().expect("a number"),
        };
        Plan::new(order.split_whitespace().map(slot).collect()).expect("there is a plan")
    }

    #[test]
    fn walks_are_those_of_the_closed_form() {
        let table: [(&str, u64, usize, u64, &[u32]); 9] = [
            ("2 3", 6, 1, 4, &[1, 1]),
            ("2 s1 2", 4, 2, 3, &[1, 0, 1]),
            ("2 s2 3", 12, 2, 7, &[1, 1, 0]),
            ("2 2 s2 3", 24, 2, 13, &[0, 1, 1, 0]),
            ("2 2 s2 3", 24, 2, 11, &[1, 1, 0, 2]),
            ("2 s2 2 s2 3", 48, 3, 17, &[1, 0, 0, 1, 1]),
            ("s2 2", 4, 1, 3, &[1, 1]),
            ("2 s2", 4, 2, 2, &[0, 1]),
            ("s2", 2, 1, 1, &[1]),
        ];
        for (order, walks, stages, id, options) in table {
            let plan = plan(order);
            assert_eq!((plan.walks(), plan.stages().len()), (walks, stages), "{order}");
            assert_eq!(plan.options(id), options, "{order}, walk {id}");
        }
    }

    #[test]
    fn adjacent_serial_actions_give_distinct_walks() {
        let plan = plan("2 s2 s2 3");
        let distinct: std::collections::HashSet<_> = (0..plan.walks()).map(|id| plan.options(id)).collect();
        assert_eq!((plan.walks(), distinct.len(), plan.stages().len()), (24, 24, 3));
    }

    #[test]
    fn branches_are_ranges_of_ids() {
        let plan = plan("2 s2 2 s3 3");
        assert_eq!(plan.branch(&[]), 0..72);
        assert_eq!(plan.branch(&[1]), 36..72);
        assert_eq!(plan.branch(&[1, 2]), 60..72);
    }

    #[test]
    fn what_cannot_be_planned_is_said() {
        assert_eq!(Plan::new(Vec::new()), Err(PlanError::Empty));
        let slot = |options| Slot { is_serial: false, options };
        assert_eq!(Plan::new(vec![slot(3), slot(0)]), Err(PlanError::NoOptions(1)));
        assert_eq!(Plan::new(vec![slot(u32::MAX); 3]), Err(PlanError::TooMany));
        assert_eq!(Plan::new(vec![slot(10_000); 3]).map(|plan| plan.walks()), Ok(1_000_000_000_000));
    }

    #[test]
    fn listed_walks_are_in_the_order_of_their_serial_options() {
        let slot = |is_serial| Slot { is_serial, options: 3 };
        let rows = vec![vec![2, 1, 0, 0], vec![0, 0, 1, 2], vec![1, 1, 2, 0], vec![0, 0, 0, 1], vec![0, 1, 1, 0]];
        let slots = [false, true, false, true].map(slot).to_vec();
        let plan = Plan::listed(slots, rows).expect("there are rows");
        let expected = [[0, 0, 0, 1], [0, 0, 1, 2], [2, 1, 0, 0], [1, 1, 2, 0], [0, 1, 1, 0]];
        for (id, options) in (0..).zip(expected) {
            assert_eq!((plan.options(id), plan.id(&options)), (options.to_vec(), id));
        }
        assert_eq!(
            [plan.branch(&[]), plan.branch(&[0]), plan.branch(&[1]), plan.branch(&[2])],
            [0..5, 0..2, 2..5, 5..5]
        );
        assert_eq!([plan.branch(&[0, 2]), plan.branch(&[1, 0]), plan.branch(&[1, 1])], [1..2, 2..5, 5..5]);
        let mut options = Vec::new();
        plan.push_portion_options(2, 1, &mut options);
        assert_eq!((options, plan.stages().len(), plan.walks()), (vec![0], 3, 5));
    }

    proptest! {
        #[test]
        fn ids_and_options_are_each_others_reverse(
            slots in prop::collection::vec((any::<bool>(), 1_u32..6), 1..8), pick in any::<prop::sample::Index>()
        ) {
            let slots = slots.into_iter().map(|(is_serial, options)| Slot { is_serial, options }).collect();
            let plan = Plan::new(slots).expect("it is small");
            let id = pick.index(usize::try_from(plan.walks()).expect("it is small")) as u64;
            let options = plan.options(id);
            prop_assert_eq!(plan.id(&options), id);
            let serial: Vec<u32> = plan.slots().iter().zip(&options).filter(|(slot, _)| slot.is_serial).map(|(_, o)| *o).collect();
            prop_assert!(plan.branch(&serial).contains(&id));
        }
    }
}
