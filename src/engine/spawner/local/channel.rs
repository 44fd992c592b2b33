//! The socket between the host and a task process of a kind that Rille itself runs.
//!
//! The task's end is its standard input: that is the one descriptor which `posix_spawn` hands on without a step between
//! fork and exec. The task moves it out of the way before its script starts. The host sends one order; the task sends
//! messages, one JSON object a line.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, send, socketpair};

use crate::model::{Message, Order, Reply, whole};

/// The largest message a task may send, in bytes.
const MESSAGE_LIMIT: usize = 4 << 20;

/// The host's end.
#[derive(Debug)]
pub(super) struct Channel {
    socket: OwnedFd,
    outbox: Vec<u8>,
    sent: usize,
    inbox: Vec<u8>,
    broken: bool,
}

/// What a read brought.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// Whole messages, or what was wrong with one.
    pub(super) messages: Vec<Result<Message, String>>,
    /// The task has closed its end.
    pub(super) closed: bool,
}

impl Channel {
    /// Makes the pair; the order waits to be sent. Returns the host's and the task's end.
    pub(super) fn new(order: &Order) -> io::Result<(Self, OwnedFd)> {
        let (socket, task_end) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        let mut outbox = serde_json::to_vec(order)?;
        outbox.push(b'\n');
        Ok((Self { socket, outbox, sent: 0, inbox: Vec::new(), broken: false }, task_end))
    }

    /// Puts an answer behind what waits to be sent.
    pub(super) fn post(&mut self, reply: &Reply) {
        // Plain data: there is nothing in it that JSON cannot hold.
        if serde_json::to_writer(&mut self.outbox, reply).is_ok() {
            self.outbox.push(b'\n');
        }
    }

    /// Sends what the socket takes now. Returns whether something is left to send.
    pub(super) fn flush(&mut self) -> bool {
        while self.sent < self.outbox.len() {
            match send(&self.socket, &self.outbox[self.sent..], SendFlags::NOSIGNAL) {
                Ok(count) => self.sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return true,
                // The task is gone; its exit tells the rest.
                Err(_) => break,
            }
        }
        self.outbox = Vec::new();
        self.sent = 0;
        false
    }

    /// Reads what is there.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Received {
        let mut received = Received::default();
        loop {
            match rustix::io::read(&self.socket, &mut *buffer) {
                Ok(0) => {
                    received.closed = true;
                    break;
                }
                Ok(count) => self.take(&buffer[..count], &mut received),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => {
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
        self.inbox.extend_from_slice(bytes);
        let mut start = 0;
        while let Some(length) = self.inbox[start..].iter().position(|byte| *byte == b'\n') {
            let line = &self.inbox[start..start + length];
            start += length + 1;
            let message = serde_json::from_slice(line).map_err(|error| {
                let shown = String::from_utf8_lossy(whole(line, 80)).into_owned();
                format!("'{shown}' is no message: {error}")
            });
            self.broken |= message.is_err();
            received.messages.push(message);
        }
        self.inbox.drain(..start);
        if self.inbox.len() > MESSAGE_LIMIT {
            received.messages.push(Err(format!("a message is longer than {MESSAGE_LIMIT} bytes")));
            self.broken = true;
        }
        if self.broken {
            self.inbox = Vec::new();
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
