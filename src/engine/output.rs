//! What a task writes: from its pipe to a file of limited size, as the bytes that came.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::pipe::{PipeFlags, pipe_with};

use super::capped_file::CappedFile;
use crate::model::OutputSize;

/// What became of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// There may be more.
    More,
    /// Nothing there now.
    Dry,
    /// The writers are all gone.
    Closed,
}

/// The reading end of one stream of a task, with the file that it fills.
#[derive(Debug)]
pub(super) struct Capture {
    pipe: OwnedFd,
    file: CappedFile,
}

impl Capture {
    /// Makes the pipe; returns the capture and the end for the task. The file appears with the first byte.
    pub(super) fn new(path: PathBuf, limit: u64) -> io::Result<(Self, OwnedFd)> {
        let (pipe, task_end) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok((Self { pipe, file: CappedFile::new(path, limit) }, task_end))
    }

    /// Reads once into `buffer` and stores what came. Returns the number of bytes and whether more can be expected.
    /// The error is one of storing; its path is [`Capture::path`].
    pub(super) fn read_once(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Flow)> {
        match rustix::io::read(&self.pipe, &mut *buffer) {
            Ok(0) => Ok((0, Flow::Closed)),
            Ok(count) => {
                self.file.write(&buffer[..count])?;
                Ok((count, Flow::More))
            }
            Err(rustix::io::Errno::AGAIN) => Ok((0, Flow::Dry)),
            Err(rustix::io::Errno::INTR) => Ok((0, Flow::More)),
            // A pipe that cannot be read is over: the task's exit tells the rest.
            Err(_) => Ok((0, Flow::Closed)),
        }
    }

    /// Stores bytes that came by another way, in order with those that are read.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write(bytes)
    }

    /// Returns where the bytes go.
    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Puts the file into its final shape.
    pub(super) fn finish(self) -> io::Result<OutputSize> {
        self.file.finish()
    }
}

impl AsFd for Capture {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}
