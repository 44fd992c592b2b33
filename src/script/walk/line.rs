//! The worker's end of the socket to the coordinator: JSON objects, one a line.

use std::cell::RefCell;
use std::io;
use std::os::unix::net::UnixStream;

use crate::engine::{IncomingLines, OutgoingLines};
use crate::model::{WalkOrder, WalkReport};

/// See the module.
pub(super) struct CoordinatorLine {
    socket: UnixStream,
    incoming: RefCell<IncomingLines>,
    outgoing: RefCell<OutgoingLines>,
}

impl CoordinatorLine {
    pub(super) fn new(socket: UnixStream) -> Self {
        let incoming = RefCell::new(IncomingLines::of_any_length());
        Self { socket, incoming, outgoing: RefCell::default() }
    }

    /// Waits for an order; `None` when the coordinator is gone.
    pub(super) fn receive(&self) -> io::Result<Option<WalkOrder>> {
        let mut incoming = self.incoming.borrow_mut();
        let line = incoming.wait_for_next(&self.socket)?;
        Ok(line.map(serde_json::from_slice).transpose()?)
    }

    /// Sends a report; it is out when this returns.
    pub(super) fn send(&self, report: &WalkReport) -> io::Result<()> {
        let mut outgoing = self.outgoing.borrow_mut();
        outgoing.post(report)?;
        outgoing.flush(&self.socket).map(drop)
    }
}
