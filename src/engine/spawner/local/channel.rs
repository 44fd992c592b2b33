//! The socket between the host and a task process of a kind that Rille itself runs.
//!
//! The task's end is its standard input: that is the one descriptor which `posix_spawn` hands on without a step between
//! fork and exec. The task moves it out of the way before its script starts. The host sends one order; the task sends
//! messages, one JSON object a line.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::engine::flow::Flow;
use crate::engine::json_lines::{IncomingLines, OutgoingLines, TooLong};
use crate::engine::protocol::Breach;
use crate::model::{Message, Order, Reply, whole};

/// The largest message a task may send, in bytes.
const MESSAGE_LIMIT: usize = 4 << 20;

/// The host's end.
#[derive(Debug)]
pub(super) struct Channel {
    socket: OwnedFd,
    outgoing: OutgoingLines,
    incoming: IncomingLines,
    broken: bool,
}

/// What a read brought.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// Whole messages, or what was wrong with one.
    pub(super) messages: Vec<Result<Message, Breach>>,
    /// The task has closed its end.
    pub(super) closed: bool,
}

impl Channel {
    /// Makes the pair; the order waits to be sent. Returns the host's and the task's end.
    pub(super) fn new(order: &Order) -> io::Result<(Self, OwnedFd)> {
        let (socket, task_end) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        let mut outgoing = OutgoingLines::default();
        outgoing.post(order)?;
        Ok((Self { socket, outgoing, incoming: IncomingLines::with_limit(MESSAGE_LIMIT), broken: false }, task_end))
    }

    /// Puts an answer behind what waits to be sent.
    pub(super) fn post(&mut self, reply: &Reply) {
        // Plain data: there is nothing in it that JSON cannot hold.
        let _ = self.outgoing.post(reply);
    }

    /// Sends what the socket takes now. Returns whether something is left to send.
    pub(super) fn flush(&mut self) -> bool {
        // If the task is gone, its exit tells the rest.
        !self.outgoing.flush(&self.socket).unwrap_or(true)
    }

    /// Reads what is there.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Received {
        let mut received = Received::default();
        loop {
            match Flow::read(&self.socket, buffer) {
                Ok(Flow::Bytes(count)) => self.take(&buffer[..count], &mut received),
                Ok(Flow::Dry) => break,
                Ok(Flow::Closed) | Err(_) => {
                    received.closed = true;
                    break;
                }
            }
        }
        received
    }

    fn take(&mut self, bytes: &[u8], received: &mut Received) {
        if self.broken {
            return;
        }
        self.incoming.push(bytes);
        while let Some(message) = message(self.incoming.next()) {
            self.broken |= message.is_err();
            received.messages.push(message);
            if self.broken {
                self.incoming.take_rest();
            }
        }
    }
}

fn message(line: Result<Option<&[u8]>, TooLong>) -> Option<Result<Message, Breach>> {
    let line = match line {
        Ok(line) => line?,
        Err(_) => return Some(Err(Breach::TooLong(MESSAGE_LIMIT))),
    };
    Some(serde_json::from_slice(line).map_err(|source| {
        let shown = String::from_utf8_lossy(whole(line, 80)).into_owned();
        Breach::NoMessage { shown, source }
    }))
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
