//! Work on many runs by several threads. Where there is no thread to be had, the one that asks does the work of it: it takes
//! longer, and the result is the same.

use std::thread::{self, Builder, ScopedJoinHandle};

/// Runs that are worth a thread.
const RUNS_PER_THREAD: usize = 64;

/// The most threads at once.
const MOST_THREADS: usize = 16;

/// A part of the work: in a thread of its own, or still to be done.
enum Part<'scope, N, T> {
    Begun(ScopedJoinHandle<'scope, T>),
    /// The system refused the thread.
    Refused(N),
}

/// Returns how many runs each of the parts has into which so many are divided, at least 1.
pub(super) fn part_length(runs: usize) -> usize {
    runs.div_ceil(threads_for(runs)).max(1)
}

/// Does `own` in this thread, and meanwhile `work` for each of `parts` in threads of their own; returns the results in that
/// order.
pub(super) fn side_by_side<N: Copy + Send, T: Send>(
    own: impl FnOnce() -> T,
    parts: impl IntoIterator<Item = N>,
    work: impl Fn(N) -> T + Sync,
) -> Vec<T> {
    side_by_side_in(own, parts, work, || Builder::new().name("runs".to_owned()))
}

/// The same by threads that `thread` prepares.
fn side_by_side_in<N: Copy + Send, T: Send>(
    own: impl FnOnce() -> T,
    parts: impl IntoIterator<Item = N>,
    work: impl Fn(N) -> T + Sync,
    thread: impl Fn() -> Builder,
) -> Vec<T> {
    let work = &work;
    thread::scope(|scope| {
        let begin = |part: N| thread().spawn_scoped(scope, move || work(part));
        let parts: Vec<_> =
            parts.into_iter().map(|part| begin(part).map_or(Part::Refused(part), Part::Begun)).collect();
        let mut results = vec![own()];
        results.extend(parts.into_iter().map(|part| match part {
            Part::Begun(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Part::Refused(part) => work(part),
        }));
        results
    })
}

/// Does `work` for each of `names`, by as many threads as there are processors where there are many; returns what came of
/// it, in that order.
pub(super) fn in_parallel<N: Sync, T: Send>(names: &[N], work: impl Fn(&N) -> Option<T> + Sync) -> Vec<T> {
    let (own, rest) = names.split_at(part_length(names.len()).min(names.len()));
    let look = |part: &[N]| part.iter().filter_map(&work).collect::<Vec<T>>();
    let found = side_by_side(|| look(own), rest.chunks(part_length(names.len())), look);
    found.into_iter().flatten().collect()
}

/// Returns how many threads so many runs are worth.
fn threads_for(runs: usize) -> usize {
    let processors = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    processors.min(runs / RUNS_PER_THREAD).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_done_in_order() {
        for count in [0, 1, 2, 63, 64, 1000] {
            let numbers: Vec<usize> = (0..count).collect();
            let even = in_parallel(&numbers, |number| (number % 2 == 0).then_some(*number));
            assert_eq!(even, numbers.iter().copied().filter(|number| number % 2 == 0).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_thread_that_cannot_be_had_is_done_without() {
        let own = thread::current().id();
        // No address space has room for such a stack.
        let refused = || Builder::new().stack_size(1 << 60);
        let look = |number: usize| (number, thread::current().id());
        let done = side_by_side_in(|| look(0), 1..5, look, refused);
        assert_eq!(done, (0..5).map(|number| (number, own)).collect::<Vec<_>>());
    }
}
