//! How many tasks at once the limit on open descriptors allows.
//!
//! A task that runs holds a handful of descriptors here, and must never find that there are none left for its output. So
//! the rest of the tasks waits, where the limit cannot be raised.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a task may hold: its owner, two pipes, a socket, its folder, three files, and two more where output is cut.
const PER_TASK: u64 = 10;

/// What the host itself holds, the jobfile's files included.
const RESERVED: u64 = 40;

/// The tasks that may run at once.
pub(super) struct Descriptors {
    tasks: usize,
}

impl Descriptors {
    /// Reads the limit of this process.
    pub(super) fn new() -> Self {
        Self { tasks: tasks_within(getrlimit(Resource::Nofile).current) }
    }

    /// Returns whether one more task may start beside `running` others. Raises the limit as far as it goes when that is
    /// what it takes, and not before: tasks inherit it.
    pub(super) fn allow_another(&mut self, running: usize) -> bool {
        if running < self.tasks {
            return true;
        }
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        if setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok() {
            self.tasks = tasks_within(maximum);
        }
        running < self.tasks
    }
}

fn tasks_within(limit: Option<u64>) -> usize {
    let tasks = limit.map_or(u64::MAX, |limit| limit.saturating_sub(RESERVED) / PER_TASK);
    usize::try_from(tasks).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::tasks_within;

    #[test]
    fn there_is_always_room_for_one_task() {
        assert_eq!([None, Some(0), Some(64), Some(1024)].map(tasks_within), [usize::MAX, 1, 2, 98]);
    }
}
