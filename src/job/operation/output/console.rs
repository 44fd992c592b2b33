//! The copy of an operation's output on the console, byte by byte but for secrets: its standard output on ours, its standard
//! error on ours.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::index;
use super::queue::{Follow, WriteError};
use crate::model::{MaskStream, Masks, Stream};

/// The console.
#[derive(Debug)]
pub(super) struct Copy {
    /// What masks each of the streams.
    streams: [MaskStream; 2],
    /// Which of our streams nobody reads any more.
    gone: [bool; 2],
}

impl Copy {
    /// Makes a copy with secrets masked.
    pub(super) fn new(masks: &Masks) -> Self {
        Self { streams: [masks.stream(), masks.stream()], gone: [false; 2] }
    }

    fn with_stream(&mut self, stream: Stream, work: impl FnOnce(&mut MaskStream, &mut dyn FnMut(&[u8]))) {
        let gone = &mut self.gone[index(stream)];
        work(&mut self.streams[index(stream)], &mut |bytes| {
            // Who has gone away, or cannot take it, misses the copy; the recording goes on.
            *gone = *gone
                || match stream {
                    Stream::Stdout => write(io::stdout().as_fd(), bytes),
                    Stream::Stderr => write(io::stderr().as_fd(), bytes),
                }
                .is_err();
        });
    }
}

impl Follow for Copy {
    fn take(&mut self, stream: Stream, bytes: &[u8], _more: bool) -> Result<(), WriteError> {
        self.with_stream(stream, |masked, out| masked.write(bytes, out));
        Ok(())
    }

    fn waits(&self) -> bool {
        self.streams.iter().any(MaskStream::is_holding)
    }

    fn stalled(&mut self) -> Result<(), WriteError> {
        for stream in [Stream::Stdout, Stream::Stderr] {
            self.with_stream(stream, |masked, out| masked.let_go(out));
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), WriteError> {
        for stream in [Stream::Stdout, Stream::Stderr] {
            self.with_stream(stream, |masked, out| masked.finish(out));
        }
        Ok(())
    }
}

/// Writes all bytes, however long the reader takes.
fn write(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            // Somebody who shares the terminal has made it so that it does not wait.
            Err(Errno::AGAIN) => match poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
