//! Whether what a worker runs is past its time limit without heeding it: seen from outside, at its page.

use std::time::Duration;

use super::carry::TICK;
use crate::walk::Page;

/// Looks at the page of one worker again and again.
#[derive(Debug)]
pub(super) struct Overdue {
    limit: Duration,
    allowed: Duration,
    /// What stood there at the last look, and at how many looks in a row.
    seen: (Page, u32),
}

impl Overdue {
    /// Makes one, if there is a limit. `grace` is how much later than its limit a walk may still end by itself.
    pub(super) fn new(limit: Option<f64>, grace: Duration) -> Option<Self> {
        let limit = Duration::try_from_secs_f64(limit?).unwrap_or(Duration::MAX);
        Some(Self { limit, allowed: limit.saturating_add(grace), seen: (Page::default(), 0) })
    }

    /// Returns the limit.
    pub(super) const fn limit(&self) -> Duration {
        self.limit
    }

    /// Takes in what stands in the page, [`TICK`] after the last look. Returns whether it has stood still for too long: once.
    pub(super) fn look(&mut self, page: Page) -> bool {
        let (last, looks) = self.seen;
        let runs = page.current.is_some() || page.begun != 0;
        let is_same = runs && (page.current, page.begun, page.ended) == (last.current, last.begun, last.ended);
        self.seen = (page, if is_same { looks + 1 } else { 0 });
        // Looks and not the clock: a run that stands still is not looked at.
        let was_overdue = TICK.saturating_mul(looks) > self.allowed;
        !was_overdue && TICK.saturating_mul(self.seen.1) > self.allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_still_is_overdue_once_and_what_goes_on_never() {
        let mut overdue = Overdue::new(Some(0.1), Duration::from_millis(100)).expect("there is a limit");
        let page = |current, begun| Page { current, begun, ..Page::default() };
        assert!((0..20).all(|number| !overdue.look(page(Some(number), number + 1))));
        assert!((0..20).all(|_| !overdue.look(page(None, 0))));
        // A serial action has no id, but a beginning.
        let looks: Vec<bool> = (0..20).map(|_| overdue.look(page(None, 7))).collect();
        assert_eq!(looks.iter().filter(|is_overdue| **is_overdue).count(), 1);
        assert!(Overdue::new(None, Duration::ZERO).is_none());
    }
}
