//! The one place where a test waits by looking again.

use std::time::{Duration, Instant};

/// How long anything may take that has no limit of its own. It is there to end a test that hangs, not to measure.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// Looks again and again until `look` finds something, and returns it. Panics with `what` when the time is over.
#[track_caller]
pub(crate) fn until<T>(what: &str, deadline: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < deadline, "waited {deadline:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
