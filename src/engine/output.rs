//! What a task writes: from its pipe to a file of limited size, or to the sink of its run, as the bytes that came.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

use super::capped_file::CappedFile;
use super::output_sink::SharedSink;
use crate::model::{OutputSize, Stream};

/// The size of a pipe that leads to a sink, in bytes: the most that anybody may ask for.
const SINK_PIPE: usize = 1 << 20;

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

/// The reading end of one stream of a task, with what it fills.
pub(super) struct Capture {
    pipe: OwnedFd,
    target: Target,
    /// What comes by the pipe is not for the target.
    is_apart: bool,
}

/// What a stream fills.
pub(super) enum Target {
    /// A file of the task, of limited size. It appears with the first byte.
    File(CappedFile),
    /// The sink of the run, which is told by which stream the bytes came.
    Sink(SharedSink, Stream),
}

impl Capture {
    /// Makes the pipe; returns the capture and the end for the task.
    pub(super) fn new(target: Target) -> io::Result<(Self, OwnedFd)> {
        let (pipe, task_end) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&pipe, true)?;
        if let Target::Sink(..) = target {
            // A smaller pipe does as well, only slower.
            let _ = fcntl_setpipe_size(&pipe, SINK_PIPE);
        }
        Ok((Self { pipe, target, is_apart: false }, task_end))
    }

    /// Reads once into `buffer` and stores what came. Returns the number of bytes and whether more can be expected.
    /// The error is one of storing; its path is [`Capture::path`].
    pub(super) fn read_once(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Flow)> {
        match rustix::io::read(&self.pipe, &mut *buffer) {
            Ok(0) => Ok((0, Flow::Closed)),
            Ok(count) => {
                if !self.is_apart {
                    self.append(&buffer[..count])?;
                }
                Ok((count, Flow::More))
            }
            Err(rustix::io::Errno::AGAIN) => Ok((0, Flow::Dry)),
            Err(rustix::io::Errno::INTR) => Ok((0, Flow::More)),
            // A pipe that cannot be read is over: the task's exit tells the rest.
            Err(_) => Ok((0, Flow::Closed)),
        }
    }

    /// Keeps what comes by the pipe apart: it is read and not stored.
    pub(super) fn keep_apart(&mut self) {
        self.is_apart = true;
    }

    /// Stores bytes that came by another way, in order with those that are read.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.target {
            Target::File(file) => file.write(bytes),
            Target::Sink(sink, stream) => sink.lock().write(*stream, bytes),
        }
    }

    /// Returns where the bytes go.
    pub(super) fn path(&self) -> PathBuf {
        match &self.target {
            Target::File(file) => file.path().to_owned(),
            Target::Sink(sink, _) => sink.lock().path().to_owned(),
        }
    }

    /// Puts the file into its final shape. A sink that was finished for one stream has nothing left to do for the other.
    pub(super) fn finish(self) -> io::Result<OutputSize> {
        match self.target {
            Target::File(file) => file.finish(),
            // What the sink holds is no file of the task.
            Target::Sink(sink, _) => sink.lock().finish().map(|()| OutputSize::default()),
        }
    }
}

impl AsFd for Capture {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}
