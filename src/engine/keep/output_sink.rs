//! Where the output of a task goes that has a run directory of its own: that of an operation.

use std::io;
use std::path::Path;

use crate::model::Stream;

/// Tells the engine that a full sink takes bytes again. May be called on any thread, also when nobody waits for it.
pub(crate) type SinkWaker = Box<dyn Fn() + Send + Sync>;

/// Takes what a task with a run directory of its own writes. It is called on the engine's thread, so that no call may wait for anybody.
pub(crate) trait OutputSink: Send {
    /// Takes the means to say that there is room again, before anything is written.
    fn connect(&mut self, waker: SinkWaker);

    /// Makes what is needed to take bytes: the task starts now. Called again when its start was put off.
    fn begin(&mut self) -> io::Result<()>;

    /// Takes bytes as they come, also when there is no room.
    fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()>;

    /// Returns whether more should be read of the task. Who says no wakes the engine when that changes.
    fn has_room(&mut self) -> bool;

    /// Brings what was taken to where it goes: all writers are gone.
    fn finish(&mut self) -> io::Result<()>;

    /// Returns the file that an error of the sink is about.
    fn path(&self) -> &Path;
}
