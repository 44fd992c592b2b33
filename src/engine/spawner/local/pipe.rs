//! The reading end of one stream of a task.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

use crate::engine::flow::Flow;

/// The size of a large pipe, in bytes: the most that anybody may ask for.
const LARGE: usize = 1 << 20;

/// See the module.
pub(super) struct Pipe {
    fd: OwnedFd,
    /// Whether the end has been read.
    is_closed: bool,
    /// Nobody wants to read it for now.
    pub(super) is_held: bool,
}

impl Pipe {
    /// Makes the pipe; returns the end for the task as well.
    pub(super) fn new(is_large: bool) -> io::Result<(Self, OwnedFd)> {
        let (fd, task_end) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&fd, true)?;
        if is_large {
            // A smaller pipe does as well, only slower.
            let _ = fcntl_setpipe_size(&fd, LARGE);
        }
        Ok((Self { fd, is_closed: false, is_held: false }, task_end))
    }

    /// Reads once.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Flow {
        // A pipe that cannot be read is over: the task's exit tells the rest.
        let flow = Flow::read(&self.fd, buffer).unwrap_or(Flow::Closed);
        self.is_closed |= flow == Flow::Closed;
        flow
    }

    /// Returns whether the end has been read.
    pub(super) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Returns whether there is nothing to read now.
    pub(super) fn is_dry(&self) -> bool {
        self.is_closed || rustix::io::ioctl_fionread(&self.fd).is_ok_and(|bytes| bytes == 0)
    }
}

impl AsFd for Pipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
