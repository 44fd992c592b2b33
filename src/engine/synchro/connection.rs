//! One connection of the server: bytes in, lines out of them, answers back; it never waits for the other side.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use serde_json::Value;

use crate::model::{Answer, FRAME_LIMIT, Fault, FaultKind, Op, Request, whole};

/// How many bytes of answers may wait for a slow reader before its next request is looked at.
const OUTBOX_LIMIT: usize = 1 << 20;

/// How many bytes of requests are read ahead of one that waits.
const AHEAD_LIMIT: usize = 64 << 10;

/// See the module.
pub(super) struct Connection {
    socket: OwnedFd,
    inbox: Vec<u8>,
    /// How many bytes of the inbox are known to hold no line break.
    scanned: usize,
    outbox: Vec<u8>,
    sent: usize,
    /// It has said who it is.
    pub(super) is_greeted: bool,
    /// Its request waits.
    pub(super) waits: bool,
    /// Nothing more comes from it.
    has_ended: bool,
    interest: EventFlags,
}

/// A line that came.
pub(super) enum Frame {
    /// A request.
    Request(Box<Request>),
    /// None, but the next line may be one.
    Wrong(Fault),
    /// Nothing that follows can be trusted.
    Garbage(Fault),
}

impl Connection {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            inbox: Vec::new(),
            scanned: 0,
            outbox: Vec::new(),
            sent: 0,
            is_greeted: false,
            waits: false,
            has_ended: false,
            interest: EventFlags::IN,
        }
    }

    /// Reads once. The error is that of a connection which is gone.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        match rustix::io::read(&self.socket, &mut *buffer) {
            Ok(0) => self.has_ended = true,
            Ok(count) => self.inbox.extend_from_slice(&buffer[..count]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Returns the next line, unless there is none or it is not to be looked at yet.
    pub(super) fn next_frame(&mut self) -> Option<Frame> {
        if self.waits || self.outbox.len() - self.sent > OUTBOX_LIMIT {
            return None;
        }
        let Some(length) = self.inbox[self.scanned..].iter().position(|byte| *byte == b'\n') else {
            self.scanned = self.inbox.len();
            let text = format!("a line is longer than {} MiB, which is the most", FRAME_LIMIT >> 20);
            return (self.inbox.len() > FRAME_LIMIT).then(|| Frame::Garbage(Fault::new(FaultKind::Protocol, text)));
        };
        let end = self.scanned + length;
        let frame = parse(&self.inbox[..end]);
        self.inbox.drain(..=end);
        self.scanned = 0;
        if self.inbox.is_empty() && self.inbox.capacity() > AHEAD_LIMIT {
            self.inbox = Vec::new();
        }
        Some(frame)
    }

    /// Takes the line that gives up the request which waits, if that is what comes next.
    pub(super) fn take_cancel(&mut self) -> bool {
        let Some(length) = self.inbox.iter().position(|byte| *byte == b'\n').filter(|_| self.waits) else {
            return false;
        };
        let is_cancel = matches!(parse(&self.inbox[..length]), Frame::Request(request) if request.op == Op::Cancel);
        if is_cancel {
            self.inbox.drain(..=length);
            self.scanned = 0;
        }
        is_cancel
    }

    /// Puts an answer behind those that wait to be sent.
    pub(super) fn answer(&mut self, answer: &Answer) {
        // Plain data always has a text.
        let _ = serde_json::to_writer(&mut self.outbox, answer);
        self.outbox.push(b'\n');
    }

    /// Hears no more.
    pub(super) fn stop_reading(&mut self) {
        self.has_ended = true;
        self.inbox = Vec::new();
        self.scanned = 0;
    }

    /// Sends what the socket takes now. The error is that of a connection which is gone.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.sent < self.outbox.len() {
            match send(&self.socket, &self.outbox[self.sent..], SendFlags::NOSIGNAL) {
                Ok(count) => self.sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        self.sent = 0;
        match self.outbox.capacity() > AHEAD_LIMIT {
            true => self.outbox = Vec::new(),
            false => self.outbox.clear(),
        }
        Ok(())
    }

    /// Returns whether there is nothing left to do for it.
    pub(super) fn is_over(&self) -> bool {
        self.has_ended && !self.waits && self.outbox.is_empty()
    }

    /// Returns what is to be watched for now, if that has changed.
    pub(super) fn new_interest(&mut self) -> Option<EventFlags> {
        let is_ahead = self.inbox.len() > AHEAD_LIMIT && (self.waits || !self.outbox.is_empty());
        let mut interest = EventFlags::empty();
        interest.set(EventFlags::IN, !self.has_ended && !is_ahead);
        interest.set(EventFlags::OUT, !self.outbox.is_empty());
        (interest != self.interest).then(|| {
            self.interest = interest;
            interest
        })
    }

    /// Returns whether it may be read from.
    pub(super) fn is_heard(&self) -> bool {
        self.interest.contains(EventFlags::IN)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn parse(line: &[u8]) -> Frame {
    match serde_json::from_slice::<Request>(line) {
        Ok(request) => Frame::Request(Box::new(request)),
        // It may be JSON all the same.
        Err(error) => match serde_json::from_slice::<Value>(line) {
            Ok(Value::Object(fields)) => Frame::Wrong(Fault::usage(match fields.get("op") {
                None => "a request names its operation, as in {\"op\":\"get\",\"object\":\"dict:3\",\"key\":\"x\"}"
                    .to_owned(),
                Some(Value::String(op)) if serde_json::from_value::<Op>(Value::String(op.clone())).is_err() => {
                    Op::unknown(op)
                }
                Some(_) => error.to_string(),
            })),
            _ => {
                let shown = String::from_utf8_lossy(whole(line, 80)).escape_debug().to_string();
                Frame::Garbage(Fault::new(
                    FaultKind::Protocol,
                    format!("'{shown}' is no request, a JSON object in one line"),
                ))
            }
        },
    }
}
