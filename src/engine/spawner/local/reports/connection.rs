//! One connection of the status server: bytes in, lines out of them. Nothing is ever sent back.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use memchr::memchr_iter;

use crate::engine::flow::Flow;
use crate::engine::json_lines::{IncomingLines, TooLong};

/// What one line may have, in bytes. A runner may send the whole output of its test in one.
pub(crate) const LINE_LIMIT: usize = 64 << 20;

/// See the module.
pub(crate) struct Connection {
    socket: OwnedFd,
    lines: IncomingLines,
}

impl Connection {
    /// Takes a socket, which must not block.
    pub(crate) const fn new(socket: OwnedFd) -> Self {
        Self { socket, lines: IncomingLines::with_limit(LINE_LIMIT) }
    }

    /// Reads once. What is lost is over.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> Flow {
        Flow::read(&self.socket, buffer).unwrap_or(Flow::Closed)
    }

    /// Parts bytes that were read into lines, and hands each to `hear`. Empty ones are passed over.
    pub(crate) fn part(&mut self, bytes: &[u8], mut hear: impl FnMut(&[u8])) -> Result<(), TooLong> {
        self.lines.push(bytes);
        while let Some(line) = self.lines.next()?.map(<[u8]>::trim_ascii) {
            if !line.is_empty() {
                hear(line);
            }
        }
        Ok(())
    }

    /// Counts the lines of which nothing is kept.
    pub(crate) fn count(&mut self, bytes: &[u8]) -> u64 {
        let lines = memchr_iter(b'\n', bytes).count() as u64;
        // One byte stands for an unfinished line.
        self.lines.take_rest();
        if bytes.last().is_some_and(|last| *last != b'\n') {
            self.lines.push(b".");
        }
        lines
    }

    /// Takes what came of a line without an end.
    pub(crate) fn take_rest(&mut self) -> Vec<u8> {
        self.lines.take_rest()
    }

    /// Returns how many bytes of an unfinished line are held.
    pub(crate) const fn held(&self) -> usize {
        self.lines.held()
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
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
    fn lines_are_trimmed_and_empty_ones_passed_over() {
        let (mut connection, mut lines) = (connection(), Vec::new());
        for piece in [b"one\r\n\n  tw".as_slice(), b"o \nthree\n \nrest"] {
            connection.part(piece, |line| lines.push(String::from_utf8_lossy(line).into_owned())).unwrap();
        }
        assert_eq!(lines, ["one", "two", "three"]);
        assert_eq!(connection.take_rest(), b"rest");
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
