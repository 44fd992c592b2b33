//! The copy of an operation's output on the console, byte by byte: its standard output on ours, its standard error on
//! ours.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::queue::{Follow, WriteError};
use crate::model::Stream;

/// The console.
#[derive(Debug, Default)]
pub(super) struct Copy {
    /// Which of our streams nobody reads any more.
    gone: [bool; 2],
}

impl Follow for Copy {
    fn take(&mut self, stream: Stream, bytes: &[u8], _more: bool) -> Result<(), WriteError> {
        let gone = &mut self.gone[usize::from(stream == Stream::Stderr)];
        // Who has gone away, or cannot take it, misses the copy; the recording goes on.
        *gone = *gone
            || match stream {
                Stream::Stdout => write(io::stdout().as_fd(), bytes),
                Stream::Stderr => write(io::stderr().as_fd(), bytes),
            }
            .is_err();
        Ok(())
    }

    fn finish(&mut self) -> Result<(), WriteError> {
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
