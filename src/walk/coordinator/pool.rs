//! Portions of one stage that are still to be handed out, and how many at a time.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

/// How many walks a worker is given first.
pub(super) const FIRST: u64 = 2;

/// How many times as many it is given next, at most.
const GROWTH: u64 = 16;

/// Seconds of walking that one order is to hold: many walks for one message where they are fast, and yet no worker that has
/// nothing to do while another has much.
const SECONDS: f64 = 0.05;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pool {
    /// What any worker may run; the next is the last.
    free: Vec<Range<u64>>,
    /// How many places those are.
    left: u64,
    /// What a worker alone can run, since it has the states.
    owned: BTreeMap<u32, VecDeque<Range<u64>>>,
}

impl Pool {
    /// Adds what any worker may run, before everything else.
    pub(super) fn put(&mut self, places: Range<u64>) {
        if !places.is_empty() {
            self.left += places.end - places.start;
            self.free.push(places);
        }
    }

    /// Adds what a worker alone can run.
    pub(super) fn put_owned(&mut self, places: Range<u64>, worker: u32, is_first: bool) {
        if !places.is_empty() {
            let queue = self.owned.entry(worker).or_default();
            if is_first { queue.push_front(places) } else { queue.push_back(places) }
        }
    }

    /// Hands what a worker alone can run to another, which has the states now.
    pub(super) fn inherit(&mut self, from: u32, to: u32) {
        if let Some(queue) = self.owned.remove(&from) {
            self.owned.entry(to).or_default().extend(queue);
        }
    }

    /// Takes what a worker is to run next: `pace` walks, and of what is free at most half an equal share.
    pub(super) fn take(&mut self, worker: u32, pace: u64, workers: u64) -> Option<Range<u64>> {
        if let Some(queue) = self.owned.get_mut(&worker) {
            let places = queue.pop_front();
            if let Some(places) = places {
                let (taken, rest) = cut(places, pace);
                if !rest.is_empty() {
                    queue.push_front(rest);
                }
                return Some(taken);
            }
            self.owned.remove(&worker);
        }
        let share = (self.left / (2 * workers.max(1))).max(1);
        let (taken, rest) = cut(self.free.pop()?, pace.min(share));
        self.left -= taken.end - taken.start;
        if !rest.is_empty() {
            self.free.push(rest);
        }
        Some(taken)
    }

    /// Returns whether there is something that any worker may run.
    pub(super) const fn has_free(&self) -> bool {
        self.left > 0
    }

    /// Returns whether nothing is left to be handed out.
    pub(super) fn is_empty(&self) -> bool {
        self.left == 0 && self.owned.values().all(VecDeque::is_empty)
    }
}

fn cut(places: Range<u64>, count: u64) -> (Range<u64>, Range<u64>) {
    let middle = places.start.saturating_add(count.max(1)).min(places.end);
    (places.start..middle, middle..places.end)
}

/// Returns how many walks a worker is given after `count` of them took it so long.
pub(super) fn next_pace(pace: u64, count: u64, seconds: f64) -> u64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    let wanted = if seconds > 0.0 { (count as f64 * SECONDS / seconds) as u64 } else { u64::MAX };
    wanted.clamp(1, pace.saturating_mul(GROWTH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_grow_with_speed_and_shrink_towards_the_end() {
        let mut pool = Pool::default();
        pool.put(0..100);
        assert_eq!(pool.take(1, 2, 2), Some(0..2));
        assert_eq!(pool.take(1, 1000, 2), Some(2..26));
        pool.put(0..2);
        assert_eq!(pool.take(2, 1000, 2), Some(0..2));
        pool.put_owned(200..210, 1, false);
        pool.put_owned(150..151, 1, true);
        assert_eq!(
            [pool.take(1, 8, 2), pool.take(1, 8, 2), pool.take(1, 8, 2)],
            [Some(150..151), Some(200..208), Some(208..210)]
        );
        let mut taken = 26;
        while let Some(places) = pool.take(1, u64::MAX, 2) {
            assert_eq!(places.start, taken);
            taken = places.end;
        }
        assert!(taken == 100 && pool.is_empty());
    }

    #[test]
    fn a_pace_is_what_fits_in_its_time() {
        assert_eq!(next_pace(2, 2, 1.0), 1);
        assert_eq!(next_pace(2, 2, 0.01), 10);
        assert_eq!(next_pace(2, 2, 0.0), 32);
        assert_eq!(next_pace(1000, 1000, 0.025), 2000);
    }
}
