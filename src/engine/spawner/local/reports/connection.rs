//! One connection of the status server: bytes in, lines out of them. Nothing is ever sent back.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use memchr::{memchr, memchr_iter};
use rustix::io::Errno;

/// What one line may have, in bytes. A runner may send the whole output of its test in one.
pub(crate) const LINE_LIMIT: usize = 64 << 20;

/// Bytes of room that an empty line keeps.
const KEPT: usize = 256 << 10;

/// See the module.
pub(crate) struct Connection {
    socket: OwnedFd,
    /// A line that has no end yet.
    line: Vec<u8>,
}

/// What became of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// So many bytes came.
    Bytes(usize),
    /// Nothing is there now.
    Dry,
    /// Nothing more will come.
    Closed,
}

/// A line is longer than [`LINE_LIMIT`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Connection {
    /// Takes a socket, which must not block.
    pub(crate) const fn new(socket: OwnedFd) -> Self {
        Self { socket, line: Vec::new() }
    }

    /// Reads once.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> Read {
        loop {
            return match rustix::io::read(&self.socket, &mut *buffer) {
                Ok(0) => Read::Closed,
                Ok(count) => Read::Bytes(count),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => Read::Dry,
                Err(_) => Read::Closed,
            };
        }
    }

    /// Parts bytes that were read into lines, and hands each to `hear`. Empty ones are passed over.
    pub(crate) fn part(&mut self, mut bytes: &[u8], mut hear: impl FnMut(&[u8])) -> Result<(), TooLong> {
        while let Some(at) = memchr(b'\n', bytes) {
            if self.line.is_empty() {
                tell(&bytes[..at], &mut hear);
            } else {
                if self.line.len() + at > LINE_LIMIT {
                    return Err(TooLong);
                }
                self.line.extend_from_slice(&bytes[..at]);
                tell(&self.line, &mut hear);
                self.clear();
            }
            bytes = &bytes[at + 1..];
        }
        if self.line.len() + bytes.len() > LINE_LIMIT {
            return Err(TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    /// Counts the lines of which nothing is kept.
    pub(crate) fn count(&mut self, bytes: &[u8]) -> u64 {
        let lines = memchr_iter(b'\n', bytes).count() as u64;
        // One byte stands for an unfinished line.
        self.line.clear();
        if bytes.last().is_some_and(|last| *last != b'\n') {
            self.line.push(b'.');
        }
        lines
    }

    /// Takes what came of a line without an end.
    pub(crate) fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.line)
    }

    /// Returns how many bytes of an unfinished line are held.
    pub(crate) const fn held(&self) -> usize {
        self.line.len()
    }

    fn clear(&mut self) {
        match self.line.capacity() > KEPT {
            true => self.line = Vec::new(),
            false => self.line.clear(),
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn tell(line: &[u8], hear: &mut impl FnMut(&[u8])) {
    let line = line.trim_ascii();
    if !line.is_empty() {
        hear(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        let (one, _) = std::os::unix::net::UnixStream::pair().unwrap();
        Connection::new(one.into())
    }

    #[test]
    fn lines_are_the_same_in_whatever_pieces_they_come() {
        let text = b"one\r\n\n  two \nthree\n\nrest";
        for size in 1..=text.len() {
            let (mut connection, mut lines) = (connection(), Vec::new());
            for piece in text.chunks(size) {
                connection.part(piece, |line| lines.push(String::from_utf8_lossy(line).into_owned())).unwrap();
            }
            assert_eq!(lines, ["one", "two", "three"], "{size}");
            assert_eq!(connection.take_rest(), b"rest");
        }
    }

    #[test]
    fn a_line_has_an_end_sometime() {
        let mut connection = connection();
        let piece = vec![b'x'; 1 << 20];
        let mut fits = 0;
        while connection.part(&piece, |_| ()).is_ok() {
            fits += piece.len();
        }
        assert_eq!(fits, LINE_LIMIT);
    }

    #[test]
    fn lines_of_strangers_are_only_counted() {
        let mut connection = connection();
        assert_eq!((connection.count(b"a\nb\nc"), connection.held()), (2, 1));
        assert_eq!((connection.count(b"d\n"), connection.held()), (1, 0));
    }
}
