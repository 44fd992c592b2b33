//! One connection of the server: bytes in, lines out of them, answers back; it never waits for the other side.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll::EventFlags;
use serde_json::Value;

use crate::engine::flow::Flow;
use crate::engine::json_lines::{IncomingLines, OutgoingLines};
use crate::model::{Answer, FRAME_LIMIT, Fault, FaultKind, Op, Request, whole};

/// How many bytes of answers may wait for a slow reader before its next request is looked at.
const OUTBOX_LIMIT: usize = 1 << 20;

/// How many bytes of requests are read ahead of one that waits.
const AHEAD_LIMIT: usize = 64 << 10;

/// See the module.
pub(super) struct Connection {
    socket: OwnedFd,
    incoming: IncomingLines,
    outgoing: OutgoingLines,
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
            incoming: IncomingLines::with_limit(FRAME_LIMIT),
            outgoing: OutgoingLines::default(),
            is_greeted: false,
            waits: false,
            has_ended: false,
            interest: EventFlags::IN,
        }
    }

    /// Reads once. The error is that of a connection which is gone.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        match Flow::read(&self.socket, buffer)? {
            Flow::Bytes(count) => self.incoming.push(&buffer[..count]),
            Flow::Dry => {}
            Flow::Closed => self.has_ended = true,
        }
        Ok(())
    }

    /// Returns the next line, unless there is none or it is not to be looked at yet.
    pub(super) fn next_frame(&mut self) -> Option<Frame> {
        if self.waits || self.outgoing.held() > OUTBOX_LIMIT {
            return None;
        }
        match self.incoming.next() {
            Ok(line) => line.map(parse),
            Err(_) => {
                let text = format!("a line is longer than {} MiB, which is the most", FRAME_LIMIT >> 20);
                Some(Frame::Garbage(Fault::new(FaultKind::Protocol, text)))
            }
        }
    }

    /// Takes the line that gives up the request which waits, if that is what comes next.
    pub(super) fn take_cancel(&mut self) -> bool {
        let is_cancel = |line| matches!(parse(line), Frame::Request(request) if request.op == Op::Cancel);
        let comes = self.waits && matches!(self.incoming.peek(), Ok(Some(line)) if is_cancel(line));
        comes && self.incoming.next().is_ok()
    }

    /// Puts an answer behind those that wait to be sent.
    pub(super) fn answer(&mut self, answer: &Answer) {
        // Plain data always has a text.
        let _ = self.outgoing.post(answer);
    }

    /// Hears no more.
    pub(super) fn stop_reading(&mut self) {
        self.has_ended = true;
        self.incoming.take_rest();
    }

    /// Sends what the socket takes now. The error is that of a connection which is gone.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.outgoing.flush(&self.socket).map(drop)
    }

    /// Returns whether there is nothing left to do for it.
    pub(super) fn is_over(&self) -> bool {
        self.has_ended && !self.waits && self.outgoing.held() == 0
    }

    /// Returns what is to be watched for now, if that has changed.
    pub(super) fn new_interest(&mut self) -> Option<EventFlags> {
        let is_ahead = self.incoming.held() > AHEAD_LIMIT && (self.waits || self.outgoing.held() > 0);
        let mut interest = EventFlags::empty();
        interest.set(EventFlags::IN, !self.has_ended && !is_ahead);
        interest.set(EventFlags::OUT, self.outgoing.held() > 0);
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
