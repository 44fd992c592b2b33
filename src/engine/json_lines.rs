//! JSON objects, one a line: how the processes of a run talk to each other.
//!
//! What comes is parted into lines, with a limit that holds before a line has its end; what goes waits until the other side
//! takes it. What a line means, and what is told of one that is too long, is the business of who uses this.

use std::io::{self, Read};
use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use serde::Serialize;

/// Bytes of room that are kept while nothing waits.
const KEPT: usize = 64 << 10;

/// Bytes that are read at once where a read may block.
const PIECE: usize = 16 << 10;

/// Lines as they come. What has no end yet is held.
#[derive(Debug)]
pub(crate) struct IncomingLines {
    bytes: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// Up to where no end of it was found.
    scanned: usize,
    limit: usize,
}

/// A line is longer than it may be. Nothing that follows it can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line is longer than {0} bytes")]
pub(crate) struct TooLong(usize);

impl IncomingLines {
    /// Takes lines of at most `limit` bytes without their ends.
    pub(crate) const fn with_limit(limit: usize) -> Self {
        Self { bytes: Vec::new(), start: 0, scanned: 0, limit }
    }

    /// Takes lines of any length: for what comes from somebody who is trusted with the memory of this process.
    pub(crate) const fn of_any_length() -> Self {
        Self::with_limit(usize::MAX)
    }

    /// Takes in what was read.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.forget_used();
        self.bytes.extend_from_slice(bytes);
    }

    /// Reads once. Returns false at the end of what comes.
    pub(crate) fn fill(&mut self, mut from: impl Read) -> io::Result<bool> {
        let mut piece = [0; PIECE];
        match from.read(&mut piece) {
            Ok(count) => {
                self.push(&piece[..count]);
                Ok(count > 0)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Waits for the next line; `None` at the end of what comes, also in the middle of a line.
    pub(crate) fn wait_for_next(&mut self, mut from: impl Read) -> io::Result<Option<&[u8]>> {
        while self.peek().map_err(io::Error::other)?.is_none() {
            if !self.fill(&mut from)? {
                return Ok(None);
            }
        }
        self.next().map_err(io::Error::other)
    }

    /// Returns the next line, without its end, if it is whole.
    pub(crate) fn peek(&mut self) -> Result<Option<&[u8]>, TooLong> {
        let end = self.end()?;
        Ok(end.map(|end| &self.bytes[self.start..end]))
    }

    /// Takes the next line, without its end, if it is whole.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, TooLong> {
        let Some(end) = self.end()? else {
            self.forget_used();
            return Ok(None);
        };
        let begin = std::mem::replace(&mut self.start, end + 1);
        self.scanned = self.start;
        Ok(Some(&self.bytes[begin..end]))
    }

    /// Takes what came and was not taken: the begin of a line.
    pub(crate) fn take_rest(&mut self) -> Vec<u8> {
        self.forget_used();
        self.scanned = 0;
        std::mem::take(&mut self.bytes)
    }

    /// Returns how many bytes came and were not taken.
    pub(crate) const fn held(&self) -> usize {
        self.bytes.len() - self.start
    }

    fn end(&mut self) -> Result<Option<usize>, TooLong> {
        let end = memchr::memchr(b'\n', &self.bytes[self.scanned..]).map(|length| self.scanned + length);
        self.scanned = end.unwrap_or(self.bytes.len());
        if self.scanned - self.start > self.limit { Err(TooLong(self.limit)) } else { Ok(end) }
    }

    fn forget_used(&mut self) {
        if self.start == 0 {
            return;
        }
        self.bytes.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        }
    }
}

/// Lines that wait to be sent.
#[derive(Debug, Default)]
pub(crate) struct OutgoingLines {
    bytes: Vec<u8>,
    sent: usize,
}

impl OutgoingLines {
    /// Puts a line behind those that wait. Nothing is put there of what JSON cannot hold.
    pub(crate) fn post(&mut self, message: &impl Serialize) -> serde_json::Result<()> {
        let before = self.bytes.len();
        let written = serde_json::to_writer(&mut self.bytes, message);
        match written {
            Ok(()) => self.bytes.push(b'\n'),
            Err(_) => self.bytes.truncate(before),
        }
        written
    }

    /// Puts whole lines behind those that wait.
    pub(crate) fn push(&mut self, lines: &[u8]) {
        self.bytes.extend_from_slice(lines);
    }

    /// Sends what the socket takes now: all of it, if the socket blocks. Returns whether nothing is left. The error is that
    /// of a connection which is gone, and what waited is gone with it.
    pub(crate) fn flush(&mut self, socket: impl AsFd) -> io::Result<bool> {
        let sent = send_now(socket, &self.bytes[self.sent..]);
        self.sent += sent.as_ref().unwrap_or(&0);
        let is_over = sent.is_err() || self.sent == self.bytes.len();
        if is_over {
            self.clear();
        }
        sent.map(|_| is_over)
    }

    /// Returns how many bytes wait.
    pub(crate) const fn held(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Forgets what waits.
    pub(crate) fn clear(&mut self) {
        self.sent = 0;
        match self.bytes.capacity() > KEPT {
            true => self.bytes = Vec::new(),
            false => self.bytes.clear(),
        }
    }
}

/// Returns a message as a line with its end.
pub(crate) fn json_line(message: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut lines = OutgoingLines::default();
    lines.post(message)?;
    Ok(lines.bytes)
}

/// Sends what a socket takes now, and returns how many bytes that were. Somebody who is gone is an error and no signal.
pub(crate) fn send_now(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        match send(&socket, &bytes[sent..], SendFlags::NOSIGNAL) {
            Ok(count) => sent += count,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(sent)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Bytes in which ends of lines are frequent.
    fn stream() -> impl Strategy<Value = Vec<u8>> {
        vec(prop_oneof![3 => any::<u8>(), 1 => Just(b'\n'), 3 => Just(b'x')], 0..200)
    }

    /// Returns the lines of a stream that comes in pieces of these sizes, again and again; and whether one was too long.
    fn parted(stream: &[u8], sizes: &[usize], limit: usize) -> (Vec<Vec<u8>>, bool, Vec<u8>) {
        let (mut incoming, mut lines, mut rest) = (IncomingLines::with_limit(limit), Vec::new(), stream);
        for size in sizes.iter().cycle() {
            let (piece, more) = rest.split_at((*size).min(rest.len()));
            incoming.push(piece);
            loop {
                let peeked = incoming.peek().map(|line| line.map(<[u8]>::to_vec));
                let next = incoming.next().map(|line| line.map(<[u8]>::to_vec));
                assert_eq!(peeked, next);
                match next {
                    Ok(Some(line)) => lines.push(line),
                    Ok(None) => break,
                    Err(TooLong(told)) => {
                        assert_eq!(told, limit);
                        return (lines, true, Vec::new());
                    }
                }
            }
            assert!(incoming.held() <= limit, "{} bytes are held of a line of at most {limit}", incoming.held());
            rest = more;
            if rest.is_empty() {
                break;
            }
        }
        let held = incoming.held();
        let rest = incoming.take_rest();
        assert_eq!((rest.len(), incoming.held(), incoming.next()), (held, 0, Ok(None)));
        (lines, false, rest)
    }

    proptest! {
        #[test]
        fn lines_are_the_same_in_whatever_pieces_they_come(stream in stream(), sizes in vec(1..40_usize, 1..6)) {
            let (lines, is_too_long, rest) = parted(&stream, &sizes, usize::MAX);
            let mut expected: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').collect();
            prop_assert_eq!(rest, expected.pop().unwrap());
            prop_assert_eq!(lines, expected);
            prop_assert!(!is_too_long);
        }

        #[test]
        fn a_limit_holds_whether_a_line_has_an_end_or_not(
            stream in stream(),
            sizes in vec(1..40_usize, 1..6),
            limit in 0..20_usize,
        ) {
            let (lines, is_too_long, _) = parted(&stream, &sizes, limit);
            let all: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').collect();
            let fit = all.iter().take_while(|line| line.len() <= limit).count();
            prop_assert_eq!(is_too_long, fit < all.len());
            prop_assert_eq!(lines, &all[..fit.min(all.len() - 1)]);
        }

        #[test]
        fn what_is_posted_arrives_however_much_a_socket_takes(
            messages in vec("\\PC{0,40}", 0..24),
            sizes in vec(1..2000_usize, 1..6),
            is_padded in any::<bool>(),
        ) {
            let (own, other) = UnixStream::pair().unwrap();
            own.set_nonblocking(true).unwrap();
            other.set_nonblocking(true).unwrap();
            // With these the socket is full before all is sent.
            let padding = if is_padded { "x".repeat(20 << 10) } else { String::new() };
            let messages: Vec<Value> = messages.iter().map(|text| json!({ "text": text, "padding": padding })).collect();
            let (mut outgoing, mut incoming) = (OutgoingLines::default(), IncomingLines::of_any_length());
            let mut arrived: Vec<Value> = Vec::new();
            let (mut posted, mut sizes) = (messages.iter(), sizes.iter().map(|size| vec![0; size * 50]).cycle());
            let mut message = posted.next();
            while message.is_some() || arrived.len() < messages.len() {
                if let Some(message) = message {
                    outgoing.post(message).unwrap();
                }
                message = posted.next();
                let is_over = outgoing.flush(&own).unwrap();
                prop_assert_eq!(is_over, outgoing.held() == 0);
                let mut buffer = sizes.next().unwrap();
                if let Ok(count) = (&other).read(&mut buffer) {
                    incoming.push(&buffer[..count]);
                }
                while let Some(line) = incoming.next().unwrap() {
                    arrived.push(serde_json::from_slice(line).unwrap());
                }
            }
            prop_assert_eq!(arrived, messages);
            // For a moment what another test starts has a copy of this end; closing ours alone would not end it.
            other.shutdown(std::net::Shutdown::Both).unwrap();
            outgoing.post(&1).unwrap();
            prop_assert!(outgoing.flush(&own).is_err());
            prop_assert_eq!(outgoing.held(), 0);
        }
    }

    #[test]
    fn room_for_a_large_line_is_given_back() {
        let large = [vec![b'x'; 4 * KEPT], b"\n".to_vec()].concat();
        let mut incoming = IncomingLines::of_any_length();
        incoming.push(&large);
        assert_eq!(incoming.next().unwrap().map(<[u8]>::len), Some(4 * KEPT));
        assert_eq!(incoming.next(), Ok(None));
        assert_eq!(incoming.bytes.capacity(), 0);
        let mut outgoing = OutgoingLines::default();
        outgoing.push(&large);
        outgoing.clear();
        assert_eq!((outgoing.held(), outgoing.bytes.capacity()), (0, 0));
    }

    #[test]
    fn whoever_waits_is_told_of_lines_and_of_the_end() {
        let mut from = b"one\n\ntwo".as_slice();
        let mut incoming = IncomingLines::with_limit(3);
        assert_eq!(incoming.wait_for_next(&mut from).unwrap(), Some(b"one".as_slice()));
        assert_eq!(incoming.wait_for_next(&mut from).unwrap(), Some(b"".as_slice()));
        assert_eq!(incoming.wait_for_next(&mut from).unwrap(), None);
        assert_eq!(incoming.take_rest(), b"two");
        let error = incoming.wait_for_next(b"four\n".as_slice()).unwrap_err();
        assert_eq!(error.to_string(), "a line is longer than 3 bytes");
    }

    #[test]
    fn what_json_cannot_hold_leaves_nothing_behind() {
        let mut outgoing = OutgoingLines::default();
        outgoing.post(&json!({ "a": 1 })).unwrap();
        let no_text_as_a_key = std::collections::HashMap::from([([1], 1)]);
        assert!(outgoing.post(&no_text_as_a_key).is_err());
        assert_eq!(outgoing.bytes, b"{\"a\":1}\n");
        assert_eq!(json_line(&2).unwrap(), b"2\n");
    }
}
