//! By which way a task runs.

use crate::model::{Kind, Runner, Task};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way<'a> {
    /// This program in its task role, which speaks over a channel of its own.
    Channel,
    /// A program as it is; its exit tells how it ended.
    Direct,
    /// A program as it is, whose standard output is TAP.
    Tap,
    /// A runner, which reports to the status server.
    Runner(&'a Runner),
    /// No process at all.
    Nothing,
}

impl<'a> Way<'a> {
    /// Returns the way of a task.
    pub(super) fn of(task: &'a Task) -> Self {
        match (&task.runner, task.runnable.own_kind()) {
            (Some(program), _) => Way::Runner(program),
            (None, Some(Kind::Lua)) => Way::Channel,
            (None, Some(Kind::Tap)) => Way::Tap,
            (None, Some(Kind::Noop | Kind::DryRun)) => Way::Nothing,
            (None, _) => Way::Direct,
        }
    }
}
